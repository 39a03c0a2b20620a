"""Questions about what real clients have sent: runs, waits, counts."""

import concurrent.futures
import time

from stub import eventually


def test_a_run_has_only_its_own(stub, python, service):
    """What was sent before a run, even by the same app, is not in it."""
    python("ddtrace_app.py", "one")
    stub.spans(1, service=service)
    stub.call("PUT", "run", {"run": service})
    assert stub.call("GET", "spans", service=service, run="current")["total"] == 0
    (sent,) = python("ddtrace_app.py", "one").said
    (span,) = stub.spans(1, service=service, run=service)
    assert span["span_id"] == sent["span_id"]
    stub.spans(2, service=service)
    stub.call("PUT", "run", {"run": f"{service}-next"})
    assert stub.call("GET", "spans", service=service, run="current")["total"] == 0
    stub.spans(1, service=service, run=service)


def test_a_wait_ends_when_it_is_met(stub, python, service):
    """The question is there first; the answer comes with the span, not at the deadline."""
    with concurrent.futures.ThreadPoolExecutor() as pool:

        def ask() -> tuple[dict, float]:
            answer = stub.call("GET", "spans", service=service, count=">=3", wait="60s")
            return answer, time.time() * 1000

        asked = pool.submit(ask)
        python("ddtrace_app.py", "many", "3")
        answer, at = asked.result(timeout=70)
    assert answer["met"]
    assert at - max(span["received_ms"] for span in answer["spans"]) < 2000


def test_a_wait_that_is_not_met(stub, service):
    answer = stub.call("GET", "spans", service=service, wait="300ms")
    assert (answer["met"], answer["total"], answer["spans"]) == (False, 0, [])


def test_other_paths_are_counted(stub, python, service):
    """What the tracer tells of itself is stored and counted, though nobody decodes it."""
    before = stub.endpoint("/telemetry/proxy/")["requests"]
    python("ddtrace_app.py", "one")
    eventually("the tracer's telemetry", lambda: stub.endpoint("/telemetry/proxy/")["requests"] > before)
