"""The `datadog` client's dogstatsd, in its default settings."""

import pytest


@pytest.mark.parametrize("way", ["udp", "unix"])
def test_dogstatsd(stub, python, service, way):
    """Every kind, with value, tags and kind as they were sent."""
    socket = [str(stub.dsd_socket)] if way == "unix" else []
    at = python("dogstatsd_app.py", *socket).said["at"]

    def metric(name: str, count: int = 1):
        answer = stub.metric(name, count, service=service)
        for point in answer["points"]:
            assert (point["service"], point["env"], point["version"]) == (service, "test", "1.2.3")
            assert point["protocol"] == "dogstatsd"
        return answer

    def point(name: str):
        answer = metric(name)
        (one,) = answer["points"]
        assert one["tags"]["shop"] == "berlin"
        assert "flag" in one["tags"]
        return answer["kind"], one["value"]

    assert point("orders.open") == ("gauge", 7.5)
    made = metric("orders.made", 2)
    assert (made["kind"], made["aggregates"]["sum"]) == ("count", 2)
    for name, kind, value in (
        ("order.items", "histogram", 4),
        ("order.total", "distribution", 19.99),
        ("order.time", "histogram", 320),
    ):
        answer = metric(name)
        assert (answer["kind"], answer["aggregates"]["sum"], answer["aggregates"]["count"]) == (kind, value, 1), name
        assert answer["points"][0]["tags"]["shop"] == "berlin"
    users = metric("order.users", 3)
    assert (users["kind"], users["aggregates"]["count"]) == ("set", 2)

    (old,) = metric("orders.old")["points"]
    assert (old["value"], old["time_ms"]) == (2, at * 1000)
    (counted,) = metric("orders.counted")["points"]
    assert (counted["value"], counted["time_ms"]) == (5, at * 1000)

    (event,) = stub.logs(1, service=service, name="event")
    assert "deployed | v2" in event["message"]
    assert "line one\nline two" in event["message"]
    assert (event["level"], event["host"], event["env"]) == ("warn", "web-1", "test")
    (check,) = stub.logs(1, service=service, name="service_check")
    assert (check["level"], check["host"], check["time_ms"]) == ("error", "web-1", at * 1000)
    assert "no answer" in check["message"]

    # Of 400 some were sent, by chance, and each of those stands for two.
    sampled = stub.ask("metrics", name="orders.sampled", service=service, raw="true", limit=10000)
    assert 0 < sampled["total"] < 400
    assert sampled["aggregates"]["sum"] == 2 * sampled["total"]


def test_dogstatsd_origin(stub, python, service):
    """What the admission webhook gives a pod for its origin does not disturb the metric."""
    python("dogstatsd_app.py", DD_ENTITY_ID="7c4f9f0e-uid", DD_EXTERNAL_ENV="it-false,cn-app,pu-7c4f9f0e-uid")
    (point,) = stub.metric("orders.open", service=service)["points"]
    assert point["value"] == 7.5
    assert point["tags"]["shop"] == "berlin"


def test_api_client(stub, python, service):
    """Metrics v1 and v2 and logs by `datadog-api-client`; the key is dropped at receipt."""
    key = "0123456789abcdef0123456789abcdef"
    at = python("dd_intake_app.py", stub.apm_url, service, DD_API_KEY=key).said["at"]
    new = stub.metric("intake.v2", 3, service=service)
    assert (new["kind"], new["aggregates"]["sum"]) == ("count", 12)
    assert {point["tags"]["encoding"] for point in new["points"]} == {"deflate", "gzip", "zstd1"}
    assert {(point["host"], point["env"], point["time_ms"]) for point in new["points"]} == {
        ("web-1", "test", at * 1000)
    }
    (old,) = stub.metric("intake.v1", service=service)["points"]
    assert (old["kind"], old["value"], old["host"], old["tags"]["shop"]) == ("gauge", 2.5, "web-1", "berlin")
    (log,) = stub.logs(1, service=service)
    assert (log["message"], log["level"], log["host"]) == ("order 17 was paid", "warn", "web-1")
    assert (log["env"], log["version"], log["source"]) == ("test", "1.2.3", "python")

    kept = stub.call("GET", "spans"), stub.call("GET", "logs", limit=1000), stub.call("GET", "stats")
    assert key not in repr(kept)
