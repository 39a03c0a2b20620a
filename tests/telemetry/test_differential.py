"""The same bytes to the server and to ddapm-test-agent: a proxy in between passes
on what the tracers send, and the stored spans are compared field by field."""

import http.server as http_server
import threading
from typing import Any, Self

import pytest

from stub import Answer, http

# Headers that belong to one connection.
HOP = {"host", "content-length", "connection", "transfer-encoding", "date", "server"}

DRIVES = [
    ("ddtrace_app.py", ["request"], {}),
    ("ddtrace_app.py", ["request"], {"DD_TRACE_API_VERSION": "v0.4"}),
    ("ddtrace_app.py", ["links"], {}),
    ("ddtrace_app.py", ["links"], {"DD_TRACE_API_VERSION": "v0.4"}),
    ("ddtrace_app.py", ["links"], {"DD_TRACE_NATIVE_SPAN_EVENTS": "true"}),
    ("ddtrace_app.py", ["sampled"], {}),
    ("ddtrace_app.py", ["many", "5"], {}),
    ("ddtrace_app.py", ["one"], {"DD_TRACE_128_BIT_TRACEID_GENERATION_ENABLED": "false"}),
    ("ddtrace_app.cjs", [], {}),
]


class Tee:
    """Passes each request to both; the client gets the answer of the first."""

    def __init__(self, first: str, second: str, token: str):
        self.answers: list[tuple[str, Answer, Answer]] = []
        tee = self

        class Handler(http_server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def pass_on(self) -> None:
                body = self.body()
                headers = {key: value for key, value in self.headers.items() if key.lower() not in HOP}
                headers["X-Datadog-Test-Session-Token"] = token
                one, two = (http(self.command, url + self.path, body, headers) for url in (first, second))
                tee.answers.append((self.path, one, two))
                self.send_response(one.status)
                for key, value in one.headers.items():
                    if key.lower() not in HOP:
                        self.send_header(key, value)
                self.send_header("Content-Length", str(len(one.body)))
                self.end_headers()
                self.wfile.write(one.body)

            def body(self) -> bytes:
                if self.headers.get("Transfer-Encoding", "") != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length", 0)))
                whole = bytearray()
                while size := int(self.rfile.readline(), 16):
                    whole += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return bytes(whole)

            do_GET = do_POST = do_PUT = pass_on

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = http_server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    @property
    def port(self) -> int:
        return self.server.server_address[1]


def from_agent(span: dict[str, Any]) -> dict[str, Any]:
    """A span of ddapm-test-agent in the words of the query API."""
    meta, metrics = span.get("meta") or {}, span.get("metrics") or {}
    return {
        "span_id": f"{span['span_id']:016x}",
        "parent_id": f"{span['parent_id']:016x}" if span.get("parent_id") else None,
        "service": span["service"],
        "name": span["name"],
        "resource": span["resource"],
        "type": span.get("type") or "",
        "start_ns": str(span["start"]),
        "duration_ns": span["duration"],
        "error": span.get("error", 0) != 0,
        "attributes": {**meta, **metrics},
        "low_id": span["trace_id"],
        "high_id": meta.get("_dd.p.tid"),
    }


def from_stub(span: dict[str, Any]) -> dict[str, Any]:
    words = "span_id", "parent_id", "service", "name", "resource", "type", "start_ns", "duration_ns", "error"
    high, low = span["trace_id"][:16], span["trace_id"][16:]
    own = {"attributes": span["attributes"], "low_id": int(low, 16), "high_id": high}
    return {word: span[word] for word in words} | own


def drive(value: Any) -> str:
    return value if isinstance(value, str) else " ".join(value)


@pytest.mark.parametrize(("app", "arguments", "env"), DRIVES, ids=drive)
def test_spans(stub, test_agent, request, service, app, arguments, env):
    python = app.endswith(".py")
    client = request.getfixturevalue("python" if python else "node")
    if python:
        env = env | {"DD_REMOTE_CONFIGURATION_ENABLED": "false"}
    with Tee(stub.apm_url, test_agent.apm_url, service) as tee:
        client(app, *arguments, **env, DD_TRACE_AGENT_PORT=str(tee.port))
        answers = list(tee.answers)
    theirs = [from_agent(span) for trace in test_agent.traces(service) for span in trace]
    assert theirs
    ours = {}
    for trace_id in {span["low_id"] for span in theirs}:
        known = sum(span["low_id"] == trace_id for span in theirs)
        ours |= {span["span_id"]: from_stub(span) for span in stub.spans(known, trace_id=f"{trace_id:032x}")}
    assert len(ours) == len(theirs)
    for span in theirs:
        one = ours[span["span_id"]]
        for field in span.keys() - {"high_id"}:
            assert one[field] == span[field], field
        # The upper half of the id is told by the first span of a payload, and holds for all.
        assert span["high_id"] in (one["high_id"], None)

    # The vendor's own interface, spoken by both: the same traces, down to each key.
    answer = http("GET", f"{stub.apm_url}/test/session/traces?test_session_token={service}")
    mine, his = by_ids(answer.json()), by_ids(test_agent.traces(service))
    assert mine.keys() == his.keys()
    for ids in his:
        different = {key for key in mine[ids] | his[ids] if mine[ids].get(key) != his[ids].get(key)}
        assert not different, {key: (mine[ids].get(key), his[ids].get(key)) for key in different}

    sent = [(path, one, two) for path, one, two in answers if path.endswith("/traces")]
    assert sent
    for path, one, two in sent:
        assert (one.status, two.status) == (200, 200), path
        assert one.json().keys() == two.json().keys() == {"rate_by_service"}
    others = {(path, one.status, two.status) for path, one, two in answers}
    assert {other for other in others if other[1] != other[2]} <= DIFFERENT_STATUS


# Path, our status, the test agent's; docs/telemetry.md says why.
DIFFERENT_STATUS = {
    ("/v0.7/config", 404, 200),
    ("/dogstatsd/v2/proxy", 200, 404),
    ("/telemetry/proxy/api/v2/apmtelemetry", 202, 200),
}


def by_ids(traces: list[list[dict[str, Any]]]) -> dict[tuple[int, int], dict[str, Any]]:
    """Spans without what is empty or zero, which one side leaves out and the other writes."""
    return {
        (span["trace_id"], span["span_id"]): {key: value for key, value in span.items() if value}
        for trace in traces
        for span in trace
    }
