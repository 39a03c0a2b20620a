"""An app with the OpenTelemetry SDK in its default settings. The protocol and the
address come from the standard environment variables. Prints what it sent."""

import json
import logging
import os
import sys

from opentelemetry import metrics, trace
from opentelemetry._logs import set_logger_provider
from opentelemetry.metrics import Observation
from opentelemetry.propagate import extract, inject
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

if os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL") == "http/protobuf":
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
else:
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

LINKED = SpanContext(0x0123456789ABCDEF_FEDCBA9876543210, 0x1122334455667788, True, TraceFlags(1))
spans: list[trace.Span] = []


def traces(traceparent: str | None) -> None:
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    tracer = trace.get_tracer("shop.orders", "0.9")
    above = extract({"traceparent": traceparent}) if traceparent else None
    with tracer.start_as_current_span("GET /cart", context=above, kind=SpanKind.SERVER) as server:
        server.set_attributes(
            {
                "http.request.method": "GET",
                "http.response.status_code": 500,
                "ratio": 0.5,
                "cached": True,
                "items": ["a", "b"],
                "text": 'grüße 漢字 \U0001f980 "quoted"\n',
            }
        )
        with tracer.start_as_current_span("SELECT cart", kind=SpanKind.CLIENT, links=[Link(LINKED, {"n": 1})]) as query:
            query.set_attribute("db.system.name", "postgresql")
            query.add_event("row", {"number": 3})
        try:
            with tracer.start_as_current_span("render") as render:
                raise ValueError("no such field: `total`")
        except ValueError:
            server.set_status(Status(StatusCode.ERROR, "render failed"))
        logs()
        headers: dict[str, str] = {}
        inject(headers)
        print(json.dumps(headers), file=sys.stderr)
    spans.extend([server, query, render])
    provider.shutdown()


def logs() -> None:
    provider = LoggerProvider()
    provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    set_logger_provider(provider)
    log = logging.getLogger("shop")
    log.addHandler(LoggingHandler(logger_provider=provider))
    log.warning("cart is slow: %d ms", 900, extra={"cart": 17})
    provider.shutdown()


def measured() -> None:
    provider = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())])
    metrics.set_meter_provider(provider)
    meter = metrics.get_meter("shop.orders", "0.9")
    made = meter.create_counter("carts.made", "{cart}", "carts that were made")
    made.add(2, {"shop": "berlin"})
    made.add(3, {"shop": "berlin"})
    meter.create_up_down_counter("carts.open").add(-4)
    took = meter.create_histogram("cart.time", "ms")
    for value in 3, 30, 300:
        took.record(value)
    meter.create_observable_gauge("cart.load", [lambda _: [Observation(0.75)]])
    provider.shutdown()


def main() -> None:
    traces(sys.argv[1] if len(sys.argv) > 1 else None)
    measured()
    print(json.dumps([told(span) for span in spans]))


def told(span: trace.Span) -> dict[str, object]:
    return {
        "trace_id": f"{span.context.trace_id:032x}",
        "span_id": f"{span.context.span_id:016x}",
        "parent_id": f"{span.parent.span_id:016x}" if span.parent else None,
        "name": span.name,
        "kind": span.kind.name.lower(),
        "start_ns": str(span.start_time),
        "duration_ns": span.end_time - span.start_time,
        "status": span.status.status_code.name.lower(),
        "status_message": span.status.description or "",
        "attributes": {key: list(v) if isinstance(v, tuple) else v for key, v in span.attributes.items()},
        "events": [
            {"time_ns": str(event.timestamp), "name": event.name, "attributes": dict(event.attributes)}
            for event in span.events
        ],
    }


main()
