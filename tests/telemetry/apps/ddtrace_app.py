"""An app instrumented with ddtrace, in the tracer's default settings. Prints, as
JSON, the spans as the client holds them after it has sent them.

Arguments: what to do, as named below.
"""

import json
import logging
import sys

from ddtrace import patch
from ddtrace.trace import Context, Span, tracer

LINKED = Context(trace_id=0x0123456789ABCDEF_FEDCBA9876543210, span_id=0x1122334455667788)
spans: list[Span] = []


def started(name: str, **what: str) -> Span:
    span = tracer.trace(name, **what)
    spans.append(span)
    return span


def request() -> None:
    """A request with a database call and a failing template."""
    with started("web.request", resource="GET /orders/{id}", span_type="web") as web:
        web.set_tag("http.method", "GET")
        web.set_tag("http.status_code", "500")
        web.set_tag("span.kind", "server")
        web.set_metric("queue.depth", 3)
        web.set_metric("queue.wait", 0.25)
        web.set_tag("text", 'grüße 漢字 \U0001f980 "quoted"\n')
        with started("pg.query", service="orders-db", resource="SELECT 1", span_type="sql") as query:
            query.set_tag("db.system", "postgresql")
            query.set_tag("span.kind", "client")
        try:
            with started("template.render", resource="order.html", span_type="template"):
                raise ValueError("no such field: `total`")
        except ValueError:
            web.error = 1


def links() -> None:
    """A span with a link, and a span with the events of an exception."""
    with started("worker.job", resource="job") as span:
        span.link_span(LINKED, {"reason": "follows", "batch": 7})
    with started("worker.retry", resource="retry") as span:
        span.record_exception(KeyError("gone"), {"attempt": 2, "final": False})


def one(name: str = "op") -> None:
    with started(name, resource=name):
        pass


def many(count: str) -> None:
    """Traces one after the other, each its own payload."""
    for number in range(int(count)):
        one(f"op.{number}")
        tracer.flush()


def sampled() -> None:
    """What a user decides by hand."""
    with started("kept", resource="kept") as span:
        span.set_tag("manual.keep")
    with started("dropped", resource="dropped") as span:
        span.set_tag("manual.drop")


def continued(traceparent: str) -> None:
    """A span below the one that a header names, and the headers it passes on."""
    from ddtrace.propagation.http import HTTPPropagator

    tracer.context_provider.activate(HTTPPropagator.extract({"traceparent": traceparent}))
    with started("dd.handle", resource="GET /cross", span_type="web") as span:
        span.set_tag("span.kind", "server")
        headers: dict[str, str] = {}
        HTTPPropagator.inject(span.context, headers)
    print(json.dumps(headers), file=sys.stderr)


def logs() -> None:
    """Log lines with the ids that ddtrace puts into each record."""
    patch(logging=True)
    handler = logging.StreamHandler(sys.stderr)
    fields = "service", "env", "version", "trace_id", "span_id"
    form = {field: f"%(dd.{field})s" for field in fields}
    handler.setFormatter(logging.Formatter("%(levelname)s|%(message)s|" + "|".join(form.values())))
    log = logging.getLogger("orders")
    log.addHandler(handler)
    with started("logged", resource="logged"):
        log.warning("stock is low: %d left", 2)


def main() -> None:
    do, *arguments = sys.argv[1:]
    globals()[do](*arguments)
    tracer.flush()
    print(json.dumps([told(span) for span in spans]))


def told(span: Span) -> dict[str, object]:
    return {
        "trace_id": f"{span.trace_id:032x}",
        "span_id": f"{span.span_id:016x}",
        "parent_id": f"{span.parent_id:016x}" if span.parent_id else None,
        "service": span.service,
        "name": span.name,
        "resource": span.resource,
        "type": span.span_type or "",
        "start_ns": str(span.start_ns),
        "duration_ns": span.duration_ns,
        "error": bool(span.error),
        "attributes": {**span.get_tags(), **span.get_metrics()},
    }


main()
