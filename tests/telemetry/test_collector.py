"""`telemetrygen` and an OpenTelemetry Collector that passes everything on."""

import json

import pytest

from compare import same_spans
from conftest import run
from stub import Process, free_ports
from test_otlp import environment

COUNT = 25
WAYS = [("grpc", []), ("http", ["--otlp-http"])]


def generate(stub, program, kind: str, service: str, more: list[str]) -> None:
    port = stub.ports.otlp_http if "--otlp-http" in more else stub.ports.otlp_grpc
    run(
        [
            program("telemetrygen"),
            kind,
            f"--otlp-endpoint=127.0.0.1:{port}",
            "--otlp-insecure",
            f"--{kind}={COUNT}",
            "--rate=0",
            f"--service={service}",
            *more,
        ]
    )


@pytest.mark.parametrize(("protocol", "more"), WAYS)
def test_telemetrygen_traces(stub, program, service, protocol, more):
    """Pairs of a client and a server span, none of them lost."""
    generate(stub, program, "traces", service, [*more, '--telemetry-attributes=shop="berlin"'])
    spans = stub.spans(2 * COUNT, service=service)
    assert len({span["trace_id"] for span in spans}) == COUNT
    assert {span["attributes"]["shop"] for span in spans} == {"berlin"}
    assert {span["kind"] for span in spans} == {"client", "server"}
    assert all(span["protocol"].startswith(f"otlp.{protocol}") for span in spans)
    assert stub.ask("traces", f"=={COUNT}", service=service, spans="==2")["total"] == COUNT


@pytest.mark.parametrize(("protocol", "more"), WAYS)
def test_telemetrygen_metrics(stub, program, service, protocol, more):
    generate(stub, program, "metrics", service, [*more, "--metric-type=Sum", "--otlp-metric-name=generated"])
    points = stub.metric("generated", COUNT, service=service)["points"]
    assert all(point["protocol"].startswith(f"otlp.{protocol}") for point in points)


@pytest.mark.parametrize(("protocol", "more"), WAYS)
def test_telemetrygen_logs(stub, program, service, protocol, more):
    generate(
        stub, program, "logs", service, [*more, "--body=generated line", "--severity-text=Warn", "--severity-number=13"]
    )
    logs = stub.logs(COUNT, service=service)
    assert {log["message"] for log in logs} == {"generated line"}
    assert {log["severity"] for log in logs} == {"Warn"}


@pytest.mark.parametrize("exporter", ["otlp", "otlphttp", "otlphttp-json"])
def test_collector(stub, program, python, service, folder, exporter):
    """An app behind a collector: what it sent arrives as it was."""
    receiver = free_ports(1)[0]
    target = (
        {"otlp": {"endpoint": f"127.0.0.1:{stub.ports.otlp_grpc}", "tls": {"insecure": True}}}
        if exporter == "otlp"
        else {"otlphttp": {"endpoint": stub.otlp_url, "encoding": "json" if "json" in exporter else "proto"}}
    )
    pipeline = {"receivers": ["otlp"], "exporters": list(target)}
    config = {
        "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{receiver}"}}}},
        "exporters": target,
        "service": {"pipelines": {"traces": pipeline, "metrics": pipeline, "logs": pipeline}},
    }
    path = folder / f"{service}.json"
    path.write_text(json.dumps(config))
    collector = Process([program("collector"), f"--config=file:{path}"], folder / f"{service}.log")
    try:
        collector.wait_for_port(receiver)
        env = environment(stub, service, "grpc")
        env["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{receiver}"
        sent = python("otel_app.py", **env).said
        trace = stub.trace(sent[0]["trace_id"], 3)
        same_spans(trace["spans"], sent)
        way = {"otlp": "otlp.grpc", "otlphttp": "otlp.http.protobuf", "otlphttp-json": "otlp.http.json"}[exporter]
        assert {span["protocol"] for span in trace["spans"]} == {way}
        assert {span["env"] for span in trace["spans"]} == {"test"}
        assert stub.logs(1, service=service)[0]["message"] == "cart is slow: 900 ms"
        assert stub.metric("carts.made", service=service)["aggregates"]["sum"] == 5
        assert stub.metric("cart.time", service=service)["points"][0]["value"]["sum"] == 333
    finally:
        collector.stop()
