"""Payloads that are wrong, and what is answered: as the agent and the OTLP
specification say, beside what ddapm-test-agent answers where it has the path."""

import gzip
import json
import socket

import msgpack
import pytest

from stub import http

SPAN = {
    "service": "bad",
    "name": "n",
    "resource": "r",
    "trace_id": 1,
    "span_id": 2,
    "parent_id": 0,
    "start": 1,
    "duration": 1,
    "error": 0,
    "meta": {},
    "metrics": {},
    "type": "",
}
GOOD_V4 = msgpack.packb([[SPAN]])
GOOD_V5 = msgpack.packb([["", "bad", "n", "r"], [[[1, 2, 3, 1, 2, 0, 1, 1, 0, {}, {}, 0]]]])
NO_SUCH_STRING = msgpack.packb([["", "bad"], [[[1, 99, 1, 1, 2, 0, 1, 1, 0, {}, {}, 0]]]])
ELEVEN_FIELDS = msgpack.packb([["", "bad"], [[[1, 1, 1, 1, 2, 0, 1, 1, 0, {}, {}]]]])
DEEP = b"\x91" * 100_000
HUGE_COUNT = b"\xdd\xff\xff\xff\xff"
PACK = "application/msgpack"
JSON = "application/json"
PROTOBUF = "application/x-protobuf"

# name, path, content type, body, our status, the test agent's (None: no such path there)
TRACES = [
    ("v0.4 good", "/v0.4/traces", PACK, GOOD_V4, 200, 200),
    ("v0.4 empty", "/v0.4/traces", PACK, b"", 400, 400),
    ("v0.4 cut short", "/v0.4/traces", PACK, GOOD_V4[:-5], 400, 400),
    ("v0.4 not msgpack", "/v0.4/traces", PACK, b"\xc1\xc1\xc1", 400, 400),
    ("v0.4 a map", "/v0.4/traces", PACK, msgpack.packb({"a": 1}), 400, 400),
    ("v0.4 a service that is a number", "/v0.4/traces", PACK, msgpack.packb([[SPAN | {"service": 7}]]), 400, 400),
    ("v0.4 nested deeply", "/v0.4/traces", PACK, DEEP, 400, 400),
    ("v0.4 a length beyond the body", "/v0.4/traces", PACK, HUGE_COUNT, 400, 400),
    ("v0.4 json", "/v0.4/traces", JSON, json.dumps([[SPAN]]).encode(), 200, 200),
    ("v0.4 broken json", "/v0.4/traces", JSON, b'[[{"service":', 400, 400),
    ("v0.4 msgpack said to be json", "/v0.4/traces", JSON, GOOD_V4, 400, 400),
    ("v0.5 good", "/v0.5/traces", PACK, GOOD_V5, 200, 200),
    ("v0.5 empty", "/v0.5/traces", PACK, b"", 400, 400),
    ("v0.5 no such string", "/v0.5/traces", PACK, NO_SUCH_STRING, 400, 400),
    ("v0.5 eleven fields", "/v0.5/traces", PACK, ELEVEN_FIELDS, 400, 400),
    ("v0.5 cut short", "/v0.5/traces", PACK, GOOD_V5[:-2], 400, 400),
    ("v0.5 a v0.4 payload", "/v0.5/traces", PACK, GOOD_V4, 400, 400),
    ("v0.3 good", "/v0.3/traces", PACK, GOOD_V4, 200, None),
    ("v0.3 cut short", "/v0.3/traces", PACK, GOOD_V4[:-5], 400, None),
    ("v0.7 not msgpack", "/v0.7/traces", PACK, b"\xc1", 400, 400),
    ("v0.6 stats, not msgpack", "/v0.6/stats", PACK, b"\xc1", 400, 400),
    ("no such version", "/v0.9/traces", PACK, GOOD_V4, 404, 404),
    ("no such path", "/nothing", PACK, b"", 404, 404),
]
OTLP = [
    ("traces empty", "/v1/traces", PROTOBUF, b"", 200, 200),
    ("traces garbage", "/v1/traces", PROTOBUF, b"\xff\xff\xff", 400, 400),
    ("traces cut short", "/v1/traces", PROTOBUF, b"\x0a\x7f\x0a", 400, 400),
    ("traces json empty", "/v1/traces", JSON, b"{}", 200, 200),
    ("traces broken json", "/v1/traces", JSON, b"{", 400, 400),
    ("traces of another type", "/v1/traces", "text/plain", b"", 415, 400),
    ("metrics garbage", "/v1/metrics", PROTOBUF, b"\xff\xff\xff", 400, 400),
    ("logs broken json", "/v1/logs", JSON, b"[", 400, 400),
    ("no such signal", "/v1/none", PROTOBUF, b"", 404, 404),
]
INTAKE = [
    ("logs", "/api/v2/logs", JSON, b'[{"message":"m","service":"bad"}]', 202),
    ("logs broken", "/api/v2/logs", JSON, b'[{"message":', 400),
    ("series", "/api/v2/series", JSON, b'{"series":[]}', 202),
    ("series broken", "/api/v2/series", JSON, b"{", 400),
    ("series v1 broken", "/api/v1/series", JSON, b"{", 400),
]


def name(case: tuple) -> str:
    return case[0]


@pytest.mark.parametrize("case", TRACES, ids=name)
def test_traces(stub, test_agent, case):
    _, path, kind, body, ours, theirs = case
    headers = {"Content-Type": kind, "X-Datadog-Trace-Count": "1"}
    assert http("PUT", stub.apm_url + path, body, headers).status == ours
    if theirs is not None:
        assert http("PUT", test_agent.apm_url + path, body, headers).status == theirs


@pytest.mark.parametrize("case", OTLP, ids=name)
def test_otlp(stub, test_agent, case):
    _, path, kind, body, ours, theirs = case
    headers = {"Content-Type": kind}
    answer = http("POST", stub.otlp_url + path, body, headers)
    assert answer.status == ours
    if ours in (200, 400):
        assert answer.headers["content-type"] == kind
    assert http("POST", f"http://127.0.0.1:{test_agent.otlp_http}{path}", body, headers).status == theirs


@pytest.mark.parametrize("case", INTAKE, ids=name)
def test_intake(stub, case):
    _, path, kind, body, ours = case
    assert http("POST", stub.apm_url + path, body, {"Content-Type": kind, "DD-API-KEY": "k"}).status == ours


def test_answers_of_traces(stub, service):
    """v0.3 says OK, later ones give the rates, or `{}` when the client has them already."""
    body = msgpack.packb([[SPAN | {"service": service, "meta": {"env": "test"}}]])
    headers = {"Content-Type": PACK, "X-Datadog-Trace-Count": "1"}
    old = http("PUT", f"{stub.apm_url}/v0.3/traces", body, headers)
    assert (old.status, old.body) == (200, b"OK\n")
    new = http("PUT", f"{stub.apm_url}/v0.4/traces", body, headers | {"Datadog-Rates-Payload-Version": "none"})
    rates = new.json()["rate_by_service"]
    assert rates["service:,env:"] == 1
    version = next(value for key, value in new.headers.items() if key.lower() == "datadog-rates-payload-version")
    same = http("PUT", f"{stub.apm_url}/v0.4/traces", body, headers | {"Datadog-Rates-Payload-Version": version})
    assert same.json() == {}


def test_info_lists_what_is_there(stub):
    """Every endpoint of `/info` exists."""
    for path in http("GET", f"{stub.apm_url}/info").json()["endpoints"]:
        assert http("POST", stub.apm_url + path, b"", {"Content-Type": PACK}).status != 404, path


@pytest.mark.parametrize(("size", "status"), [(1_000_000, 200), (64 * 1024 * 1024, 413)])
def test_otlp_size(stub, size, status):
    """The limit holds for what is inside, so that a small bomb is refused as well."""
    # An unknown field, which is skipped.
    body = b"\xfa\x01" + varint(size) + bytes(size)
    headers = {"Content-Type": PROTOBUF, "Content-Encoding": "gzip"}
    assert http("POST", f"{stub.otlp_url}/v1/traces", gzip.compress(body, 1), headers).status == status


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def test_dogstatsd_counts_what_is_wrong(stub, service):
    """A bad line costs itself, not its neighbours."""
    before = stub.endpoint("dogstatsd")
    lines = [
        f"good.one:1|c|#service:{service}",
        "no.value|c",
        "no.kind:1",
        "unknown.kind:1|x",
        "not.a.number:one|g",
        ":1|c",
        "_e{5,4}:short",
        "bad.rate:1|c|@zero",
        f"good.two:2|c|#service:{service}",
    ]
    with socket.socket(type=socket.SOCK_DGRAM) as out:
        out.sendto("\n".join(lines).encode(), ("127.0.0.1", stub.ports.dogstatsd))
    assert stub.ask("metrics", "==2", service=service)["total"] == 2
    after = stub.endpoint("dogstatsd")
    assert after["malformed"] - before["malformed"] == 7
