"""Log lines with the ids that ddtrace puts into them, through the log intake."""

import gzip
import json

from stub import http


def test_log_injection(stub, python, service):
    app = python("ddtrace_app.py", "logs")
    (span,) = app.said
    line = next(line for line in app.stderr.splitlines() if line.startswith("WARNING|"))
    level, message, named, env, version, trace_id, span_id = line.split("|")
    item = {
        "ddsource": "python",
        "ddtags": "shop:berlin",
        "hostname": "web-1",
        "status": level,
        "message": message,
        "service": named,
        "dd.env": env,
        "dd.version": version,
        "dd.trace_id": trace_id,
        "dd.span_id": span_id,
    }
    body = gzip.compress(json.dumps([item]).encode())
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip", "DD-API-KEY": "0" * 32}
    assert http("POST", f"{stub.apm_url}/api/v2/logs", body, headers).status == 202

    (log,) = stub.logs(1, service=service)
    assert (log["message"], log["level"], log["host"]) == ("stock is low: 2 left", "warn", "web-1")
    assert (log["trace_id"], log["span_id"]) == (span["trace_id"], span["span_id"])
    assert (log["env"], log["version"]) == ("test", "1.2.3")
    assert log["attributes"]["shop"] == "berlin"

    trace = stub.trace(span["trace_id"], 1)
    assert [one["message"] for one in trace["logs"]] == ["stock is low: 2 left"]
