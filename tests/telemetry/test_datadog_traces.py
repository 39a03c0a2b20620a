"""Traces of the Datadog tracers, in their default settings: every field that the
client holds after sending is stored, and is found by the filters."""

import pytest

from compare import by_id, same_spans
from conftest import CLIENTS


@pytest.mark.parametrize("api", ["v0.5", "v0.4"])
def test_ddtrace_request(stub, python, service, api):
    """Default is v0.5; v0.4 is what a user sets by `DD_TRACE_API_VERSION`."""
    setting = {} if api == "v0.5" else {"DD_TRACE_API_VERSION": api}
    sent = python("ddtrace_app.py", "request", **setting).said
    stored = stub.trace(sent[0]["trace_id"], 3)
    same_spans(stored["spans"], sent)
    web, query, render = (by_id(stored["spans"])[span["span_id"]] for span in sent)

    assert {span["protocol"] for span in stored["spans"]} == {f"datadog.{api}"}
    assert {span["source"] for span in stored["spans"]} == {"datadog"}
    assert (web["service"], web["name"], web["resource"]) == (service, "web.request", "GET /orders/{id}")
    assert (web["env"], web["version"], web["language"]) == ("test", "1.2.3", "python")
    assert (web["kind"], query["kind"]) == ("server", "client")
    assert web["attributes"]["queue.wait"] == 0.25
    assert web["attributes"]["text"] == 'grüße 漢字 \U0001f980 "quoted"\n'
    assert (query["service"], query["type"], query["parent_id"]) == ("orders-db", "sql", web["span_id"])
    assert render["status"] == "error"
    assert render["attributes"]["error.type"] == "builtins.ValueError"
    assert render["attributes"]["error.message"] == "no such field: `total`"
    assert "raise ValueError" in render["attributes"]["error.stack"]

    # All 128 bits of the trace id, although the payload has 64 of them.
    assert int(sent[0]["trace_id"], 16) >> 64
    assert (stored["missing_parents"], stored["errors"]) == (0, 2)
    assert stored["root"]["span_id"] == web["span_id"]


@pytest.mark.parametrize("api", ["v0.5", "v0.4"])
def test_ddtrace_2(stub, python, service, api):
    """The tracer as it was before its writer became native."""
    sent = python("ddtrace_app.py", "request", PYTHONPATH=str(CLIENTS / "older"), DD_TRACE_API_VERSION=api).said
    stored = stub.spans(3, trace_id=sent[0]["trace_id"])
    same_spans(stored, sent)
    assert {span["protocol"] for span in stored} == {f"datadog.{api}"}
    assert {span["resource_attributes"]["datadog-meta-tracer-version"] for span in stored} == {"2.21.11"}


def test_ddtrace_filters(stub, python, service):
    """Each filter finds its span, and the same filter with another value does not."""
    sent = python("ddtrace_app.py", "request").said
    web, query, render = (span["span_id"] for span in sent)
    stub.spans(3, trace_id=sent[0]["trace_id"])
    trace_id = sent[0]["trace_id"]
    finds = {
        query: [{"service": "orders-db"}, {"resource": "SELECT 1"}, {"type": "sql"}, {"where": "db.system=postgresql"}],
        web: [
            {"parent_id": "0"},
            {"name": "web.*"},
            {"kind": "server"},
            {"where": "queue.depth>2"},
            {"where": "http.method~^G"},
            {"where": "!_dd.base_service", "error": "true", "type": "web"},
        ],
        render: [{"where": "error.type", "name": "template.render"}, {"resource": "order.html"}],
    }
    for span_id, filters in finds.items():
        for one in filters:
            assert [span["span_id"] for span in stub.spans(1, trace_id=trace_id, **one)] == [span_id], one
    for one in ({"service": "nobody"}, {"env": "prod"}, {"where": "queue.depth>3"}, {"min_duration": "1h"}):
        assert stub.call("GET", "spans", trace_id=trace_id, **one)["total"] == 0, one
    stub.spans(3, trace_id=trace_id, env=["test", "prod"])


def test_ddtrace_unix_socket(stub, python, service):
    sent = python(
        "ddtrace_app.py",
        "request",
        DD_AGENT_HOST="",
        DD_TRACE_AGENT_PORT="",
        DD_TRACE_AGENT_URL=f"unix://{stub.apm_socket}",
    ).said
    same_spans(stub.spans(3, trace_id=sent[0]["trace_id"]), sent)


@pytest.mark.parametrize("api", ["v0.5", "v0.4"])
def test_ddtrace_links_and_events(stub, python, service, api):
    job, retry = python("ddtrace_app.py", "links", DD_TRACE_API_VERSION=api).said
    (linked,) = stub.spans(1, trace_id=job["trace_id"])
    (failed,) = stub.spans(1, trace_id=retry["trace_id"])
    (link,) = linked["links"]
    assert link["trace_id"] == "0123456789abcdeffedcba9876543210"
    assert link["span_id"] == "1122334455667788"
    assert link["attributes"] == {"reason": "follows", "batch": "7"}
    (event,) = failed["events"]
    assert event["name"] == "exception"
    assert event["attributes"]["exception.type"] == "builtins.KeyError"
    assert event["attributes"]["exception.message"] == "'gone'"
    assert event["attributes"]["attempt"] == 2
    assert event["attributes"]["final"] is False
    assert int(retry["start_ns"]) <= int(event["time_ns"]) <= int(retry["start_ns"]) + retry["duration_ns"]


def test_ddtrace_native_events(stub, python, service):
    """With what `/info` offers as `span_events`, events travel as a field of the span."""
    _, retry = python("ddtrace_app.py", "links", DD_TRACE_NATIVE_SPAN_EVENTS="true").said
    (failed,) = stub.spans(1, trace_id=retry["trace_id"])
    assert failed["protocol"] == "datadog.v0.4"
    (event,) = failed["events"]
    assert event["name"] == "exception"
    assert event["attributes"]["exception.type"] == "builtins.KeyError"
    assert event["attributes"]["attempt"] == 2
    assert event["attributes"]["final"] is False


def test_ddtrace_sampling(stub, python, service):
    """The priority that a user sets is kept with the span, whatever it says."""
    kept, dropped = python("ddtrace_app.py", "sampled").said
    assert stub.spans(1, trace_id=kept["trace_id"])[0]["attributes"]["_sampling_priority_v1"] == 2
    assert stub.spans(1, trace_id=dropped["trace_id"])[0]["attributes"]["_sampling_priority_v1"] == -1


@pytest.mark.parametrize(("rate", "priority"), [("1", 2), ("0", -1)])
def test_ddtrace_sample_rate(stub, python, service, rate, priority):
    """Without statistics of its own the tracer sends what it does not keep as well, and says so."""
    (sent,) = python("ddtrace_app.py", "one", DD_TRACE_SAMPLING_RULES=f'[{{"sample_rate": {rate}}}]').said
    (span,) = stub.spans(1, trace_id=sent["trace_id"])
    assert span["attributes"]["_sampling_priority_v1"] == priority
    assert span["attributes"]["_dd.rule_psr"] == float(rate)


@pytest.mark.parametrize(("flags", "priority"), [("01", 1), ("00", 0)])
def test_ddtrace_sampling_header(stub, python, service, flags, priority):
    """The decision of whoever called is kept and passed on."""
    trace_id = f"{priority + 1:x}bf92f3577b34da6a3ce929d0e0e4736"
    client = python("ddtrace_app.py", "continued", f"00-{trace_id}-00f067aa0ba902b7-{flags}")
    (span,) = stub.spans(1, service=service)
    assert (span["trace_id"], span["parent_id"]) == (trace_id, "00f067aa0ba902b7")
    assert span["attributes"]["_sampling_priority_v1"] == priority
    assert f"-{flags}" in client.stderr
    assert f'"x-datadog-sampling-priority": "{priority}"' in client.stderr


def test_ddtrace_stats(stub, python, service):
    """With its own statistics on, and `/info` read, the tracer sends hits and errors as well."""
    python("ddtrace_app.py", "many", "30", DD_TRACE_STATS_COMPUTATION_ENABLED="true")
    for name, total in ("hits", 1), ("errors", 0), ("top_level_hits", 1):
        counted = stub.metric(f"trace.op.29.{name}", service=service)
        assert (counted["aggregates"]["sum"], counted["points"][0]["protocol"]) == (total, "datadog.stats"), name
    assert stub.metric("trace.op.29.duration", service=service)["aggregates"]["sum"] > 0


def test_ddtrace_64_bit_ids(stub, python, service):
    (sent,) = python("ddtrace_app.py", "one", DD_TRACE_128_BIT_TRACEID_GENERATION_ENABLED="false").said
    assert sent["trace_id"].startswith("0" * 16)
    same_spans(stub.spans(1, trace_id=sent["trace_id"]), [sent])


def test_ddtrace_services(stub, python, service):
    """What `/services` says of an app that was asked once and failed."""
    python("ddtrace_app.py", "request")
    stub.spans(2, service=service)
    answer = stub.call("GET", "services", service=service)
    (one,) = answer["services"]
    assert (one["name"], one["envs"], one["versions"], one["languages"]) == (service, ["test"], ["1.2.3"], ["python"])
    assert (one["spans"], one["requests"], one["errors"]) == (2, 1, 1)


def test_node_ddtrace(stub, node, service):
    outer, inner = node("ddtrace_app.cjs").said
    stored = stub.trace(outer["trace_id"], 2)
    request, query = stored["spans"]
    assert (request["span_id"], query["span_id"]) == (outer["span_id"], inner["span_id"])
    assert (request["service"], request["name"], request["resource"]) == (service, "shop.request", "GET /shop")
    assert (request["env"], request["version"], request["language"]) == ("test", "1.2.3", "nodejs")
    assert (request["type"], request["kind"], request["error"]) == ("web", "server", False)
    assert request["attributes"]["depth"] == 3
    assert request["attributes"]["text"] == 'grüße 漢字 \U0001f980 "quoted"\n'
    assert (query["parent_id"], query["resource"], query["error"]) == (outer["span_id"], "SELECT 1", True)
    assert query["attributes"]["error.type"] == "RangeError"
    assert request["start_ns"] <= query["start_ns"]
    assert 0 < query["duration_ns"] <= request["duration_ns"]

    visits = stub.metric("shop.visits", service=service)
    assert visits["aggregates"]["sum"] == 2
    assert visits["points"][0]["tags"]["shop"] == "berlin"
