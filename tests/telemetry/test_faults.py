"""What the clients do when the server refuses, is slow or loses: they fall back,
ask again or give up, each as it documents."""

import pytest

from compare import same_spans
from conftest import CLIENTS, run
from stub import eventually
from test_otlp import environment

LATENCY_MS = 700
OLDER = str(CLIENTS / "older")
# How many datagrams the dogstatsd app sends at least.
KINDS = 13


@pytest.mark.parametrize("status", [404, 415])
def test_ddtrace_2_falls_back(stub, python, service, status):
    """Without a v0.5 the tracer gives up the payload at hand and goes on with v0.4."""
    with stub.fault("/v0.5/traces", status=status) as hits:
        sent = python("ddtrace_app.py", "many", "3", PYTHONPATH=OLDER).said
        assert hits() == 1
    spans = stub.spans(2, service=service)
    same_spans(spans, sent[1:])
    assert {span["protocol"] for span in spans} == {"datadog.v0.4"}


@pytest.mark.parametrize("status", [404, 415])
def test_ddtrace_4_does_not_fall_back(stub, python, service, status):
    """This release means to, but does not know the status in its own error: it asks
    six times and drops. With v0.4 set by hand it is well."""
    with stub.fault("/v0.5/traces", status=status) as hits:
        lost = python("ddtrace_app.py", "one")
        assert hits() == 6
        assert f"Error code: {status}" in lost.stderr
        kept = python("ddtrace_app.py", "one", DD_TRACE_API_VERSION="v0.4").said
    same_spans(stub.spans(1, service=service), kept)


@pytest.mark.parametrize("status", [429, 503])
def test_ddtrace_asks_again(stub, python, service, status):
    with stub.fault("/v0.5/traces", status=status, times=2) as hits:
        sent = python("ddtrace_app.py", "request").said
        assert hits() == 2
    same_spans(stub.spans(3, trace_id=sent[0]["trace_id"]), sent)


def test_ddtrace_gives_up(stub, python, service):
    """A server that never answers well costs the traces, not the app."""
    with stub.fault("/v0.5/traces", status=503) as hits:
        lost = python("ddtrace_app.py", "request").said
        assert hits() > 1
    kept = python("ddtrace_app.py", "request").said
    stub.spans(3, trace_id=kept[0]["trace_id"])
    assert stub.call("GET", "spans", trace_id=lost[0]["trace_id"])["total"] == 0


@pytest.mark.parametrize("endpoint", ["/v0.5/traces", "*"])
def test_latency(stub, python, service, endpoint):
    with stub.fault(endpoint, latency_ms=LATENCY_MS) as hits:
        sent = python("ddtrace_app.py", "one").said
        assert hits() >= 1
    (span,) = stub.spans(1, trace_id=sent[0]["trace_id"])
    ended = int(span["start_ns"]) + span["duration_ns"]
    assert span["received_ms"] - ended / 1e6 >= LATENCY_MS


def test_ddtrace_lost(stub, python, service):
    """An answer as if all were well, but nothing is kept: what a check must notice."""
    with stub.fault("/v0.5/traces", drop=True, status=None) as hits:
        lost = python("ddtrace_app.py", "one").said
        assert hits() == 1
    kept = python("ddtrace_app.py", "one").said
    stub.spans(1, trace_id=kept[0]["trace_id"])
    assert stub.call("GET", "spans", trace_id=lost[0]["trace_id"])["total"] == 0


def test_dogstatsd_lost(stub, python, service):
    with stub.fault("dogstatsd", drop=True) as hits:
        python("dogstatsd_app.py", DD_SERVICE=f"{service}-lost")
        eventually("all datagrams to meet the fault", lambda: hits() >= KINDS)
    python("dogstatsd_app.py")
    stub.metric("orders.open", service=service)
    assert stub.call("GET", "metrics", service=f"{service}-lost")["total"] == 0


@pytest.mark.parametrize(
    ("protocol", "endpoint", "status"),
    [
        ("grpc", "otlp.grpc", 503),
        ("http/protobuf", "/v1/traces", 503),
    ],
)
def test_otel_python_asks_again(stub, python, service, protocol, endpoint, status):
    with stub.fault(endpoint, status=status, times=1) as hits:
        sent = python("otel_app.py", **environment(stub, service, protocol)).said
        assert hits() == 1
    same_spans(stub.spans(3, trace_id=sent[0]["trace_id"]), sent)


@pytest.mark.parametrize(("protocol", "endpoint"), [("grpc", "otlp.grpc"), ("http/protobuf", "/v1/traces")])
def test_otel_python_gives_up(stub, python, service, protocol, endpoint):
    """A refusal that will not change is not asked again."""
    with stub.fault(endpoint, status=400) as hits:
        sent = python("otel_app.py", **environment(stub, service, protocol)).said
        assert hits() == (1 if protocol != "grpc" else 3)
    assert stub.call("GET", "spans", trace_id=sent[0]["trace_id"])["total"] == 0


@pytest.mark.parametrize("status", [429, 503])
def test_otel_node_asks_again(stub, node, service, status):
    with stub.fault("/v1/traces", status=status, times=1, retry_after_s=1) as hits:
        sent = node("otel_app.mjs", "json", **environment(stub, service, "http/json")).said
        assert hits() == 1
    spans = stub.spans(2, trace_id=sent[0]["trace_id"])
    same_spans(spans, sent)
    ended = int(sent[0]["start_ns"]) + sent[0]["duration_ns"]
    assert min(span["received_ms"] for span in spans) - ended / 1e6 >= 1000


@pytest.mark.parametrize(
    ("protocol", "endpoint", "status"),
    [("grpc", "otlp.grpc", 503), ("grpc", "otlp.grpc", 429), ("http/protobuf", "/v1/traces", 429)],
)
def test_otel_go_asks_again(stub, program, service, protocol, endpoint, status):
    with stub.fault(endpoint, status=status, times=1, retry_after_s=1) as hits:
        sent = run([program("otel")], **environment(stub, service, protocol)).said
        assert hits() == 1
    same_spans(stub.spans(2, trace_id=sent[0]["trace_id"]), sent)
