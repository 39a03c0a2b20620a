"""The OpenTelemetry SDKs of three languages, over every encoding of OTLP."""

import json

import pytest

from compare import by_id, same_spans
from conftest import run

PYTHON = [("grpc", ""), ("grpc", "gzip"), ("http/protobuf", ""), ("http/protobuf", "gzip")]


def environment(stub, service: str, protocol: str, compression: str = "") -> dict[str, str]:
    port = stub.ports.otlp_grpc if protocol == "grpc" else stub.ports.otlp_http
    env = {
        "OTEL_SERVICE_NAME": service,
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test,service.version=1.2.3,host.name=web-1,team=shop",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
    }
    if compression:
        env["OTEL_EXPORTER_OTLP_COMPRESSION"] = compression
    return env


def stored_as(protocol: str) -> str:
    return "otlp.grpc" if protocol == "grpc" else "otlp.http"


@pytest.mark.parametrize(("protocol", "compression"), PYTHON)
def test_otel_python(stub, python, service, protocol, compression):
    sent = python("otel_app.py", **environment(stub, service, protocol, compression)).said
    trace = stub.trace(sent[0]["trace_id"], 3)
    same_spans(trace["spans"], sent)
    for span in trace["spans"]:
        assert (span["service"], span["env"], span["version"], span["host"]) == (service, "test", "1.2.3", "web-1")
        assert span["source"] == "otlp"
        assert span["protocol"].startswith(stored_as(protocol))
        assert span["scope"] == {"name": "shop.orders", "version": "0.9"}
        assert span["resource_attributes"]["team"] == "shop"
        assert span["resource_attributes"]["telemetry.sdk.language"] == span["language"] == "python"
    query = by_id(trace["spans"])[sent[1]["span_id"]]
    (link,) = query["links"]
    assert (link["trace_id"], link["span_id"]) == ("0123456789abcdeffedcba9876543210", "1122334455667788")
    assert link["attributes"] == {"n": 1}

    (log,) = trace["logs"]
    assert (log["message"], log["level"], log["severity"]) == ("cart is slow: 900 ms", "warn", "WARN")
    assert (log["trace_id"], log["span_id"]) == (sent[0]["trace_id"], sent[0]["span_id"])
    assert log["attributes"]["cart"] == 17
    assert (log["service"], log["env"]) == (service, "test")

    made = stub.metric("carts.made", service=service)
    assert (made["kind"], made["unit"]) == ("count", "{cart}")
    assert made["aggregates"]["sum"] == 5
    (point,) = made["points"]
    assert point["tags"]["shop"] == "berlin"
    assert (point["cumulative"], point["monotonic"], point["env"]) == (True, True, "test")
    listed = {metric["name"]: metric for metric in stub.ask("metrics", "==4", service=service)["metrics"]}
    assert sorted(listed) == ["cart.load", "cart.time", "carts.made", "carts.open"]
    assert listed["carts.made"]["description"] == "carts that were made"
    (opened,) = stub.metric("carts.open", service=service)["points"]
    assert (opened["value"], opened["monotonic"]) == (-4, False)
    (load,) = stub.metric("cart.load", service=service)["points"]
    assert (load["kind"], load["value"]) == ("gauge", 0.75)
    took = stub.metric("cart.time", service=service)
    (histogram,) = took["points"]
    value = histogram["value"]
    assert (took["kind"], took["unit"]) == ("histogram", "ms")
    assert (value["count"], value["sum"], value["min"], value["max"]) == (3, 333, 3, 300)
    assert value["bounds"][:4] == [0, 5, 10, 25]
    assert sum(value["counts"]) == 3
    assert len(value["counts"]) == len(value["bounds"]) + 1


@pytest.mark.parametrize("encoding", ["json", "protobuf"])
def test_otel_node(stub, node, service, encoding):
    sent = node("otel_app.mjs", encoding, **environment(stub, service, f"http/{encoding}")).said
    trace = stub.trace(sent[0]["trace_id"], 2)
    same_spans(trace["spans"], sent)
    for span in trace["spans"]:
        assert (span["service"], span["env"], span["version"], span["language"]) == (
            service,
            "test",
            "1.2.3",
            "nodejs",
        )
        assert span["protocol"] == f"otlp.http.{encoding}"
    (log,) = trace["logs"]
    assert (log["message"], log["level"], log["attributes"]) == ("cart refused", "error", {"attempt": 2})
    assert log["span_id"] == sent[1]["span_id"]
    visits = stub.metric("shop.visits", service=service)
    assert (visits["kind"], visits["unit"], visits["aggregates"]["sum"]) == ("count", "{visit}", 4)
    (took,) = stub.metric("shop.time", service=service)["points"]
    assert (took["value"]["count"], took["value"]["sum"]) == (1, 12.5)


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_otel_go(stub, program, service, protocol):
    sent = run([program("otel")], **environment(stub, service, protocol)).said
    trace = stub.trace(sent[0]["trace_id"], 2)
    same_spans(trace["spans"], sent)
    for span in trace["spans"]:
        assert (span["service"], span["env"], span["language"]) == (service, "test", "go")
        assert span["scope"] == {"name": "shop.stock", "version": "0.9"}
    (event,) = by_id(trace["spans"])[sent[1]["span_id"]]["events"]
    assert (event["name"], event["attributes"]["exception.message"]) == ("exception", "connection refused")


def test_one_trace_of_both_worlds(stub, python, node, program, service):
    """A request through OpenTelemetry JS, ddtrace, OpenTelemetry Python and Go is one trace."""
    web = node("otel_app.mjs", "json", **environment(stub, f"{service}-web", "http/json"))
    header = json_line(web.stderr)["traceparent"]
    orders = python("ddtrace_app.py", "continued", header, DD_SERVICE=f"{service}-orders")
    header = json_line(orders.stderr)["traceparent"]
    cart = python("otel_app.py", header, **environment(stub, f"{service}-cart", "grpc"))
    header = json_line(cart.stderr)["traceparent"]
    stock = run([program("otel"), header], **environment(stub, f"{service}-stock", "grpc"))

    sent = [*web.said, *orders.said, *cart.said, *stock.said]
    (trace_id,) = {span["trace_id"] for span in sent}
    trace = stub.trace(trace_id, len(sent))
    assert trace["total"] == len(sent) == 8
    assert trace["missing_parents"] == 0
    assert sorted(trace["services"]) == sorted(f"{service}-{part}" for part in ("web", "orders", "cart", "stock"))
    same_spans(trace["spans"], sent)
    depth = {span["service"]: span["depth"] for span in reversed(trace["spans"])}
    assert depth == {f"{service}-web": 0, f"{service}-orders": 2, f"{service}-cart": 3, f"{service}-stock": 4}

    found = stub.ask("traces", "==1", services=",".join(trace["services"]), spans=f"=={len(sent)}")
    assert found["traces"][0]["trace_id"] == trace_id


def json_line(text: str) -> dict[str, str]:
    return json.loads(next(line for line in text.splitlines() if line.startswith("{")))
