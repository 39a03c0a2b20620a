"""What only the sandbox's own server has: clock, faults, log, figures."""

from __future__ import annotations

import time

from ..context import S3
from ..expect import Unexpected, equal, matches, true
from ..registry import Group

G = Group("sandbox")

DOC = "docs/s3.md, the admin API"
DAY = 86400


@G.case("healthz", DOC, admin=True)
def healthz(s3: S3) -> None:
    equal(s3.admin.request("GET", "/healthz").ok().body.strip(), b"ok", "body")


@G.case("metrics", DOC, admin=True)
def metrics(s3: S3) -> None:
    s3.req("PUT", s3.bucket(), "k", body=b"data").ok()
    answer = s3.admin.request("GET", "/metrics").ok()
    matches(answer["content-type"], "^text/plain; version=0.0.4", "Content-Type")
    text = answer.body.decode()
    matches(text, r"(?m)^# TYPE \w+ counter$", "a counter")
    matches(text, r"(?m)^\w+\{[^}]*PutObject[^}]*\} \d+", "a figure of PutObject")


@G.case("foreign_host_refused", f"{DOC}: no foreign host names", admin=True)
def foreign_host(s3: S3) -> None:
    admin = s3.admin
    host, admin.host = admin.host, "evil.example.com"
    try:
        answer = admin.request("GET", "/sandbox/v1/info")
    finally:
        admin.host = host
    true(answer.status in (403, 421), f"a refusal, status {answer.status}")


@G.case("clock_moves", f"{DOC}: clock", admin=True)
def clock_moves(s3: S3) -> None:
    with s3.admin.clock_ahead(2 * DAY):
        equal(s3.admin.call("GET", "clock")["offset-ms"], 2 * DAY * 1000, "offset-ms")
    equal(s3.admin.call("GET", "clock")["offset-ms"], 0, "offset-ms afterwards")


@G.case("clock_stamps_objects", f"{DOC}: clock; GetObject: Last-Modified", admin=True)
def clock_stamps(s3: S3) -> None:
    bucket = s3.bucket()
    with s3.admin.clock_ahead(2 * DAY):
        s3.req("PUT", bucket, "k").ok()
        modified = s3.api.head_object(Bucket=bucket, Key="k")["LastModified"].timestamp()
    true(abs(modified - time.time() - 2 * DAY) < 60, f"two days ahead, got {modified}")


@G.case("clock_keeps_clients_working", f"{DOC}: signed headers have the client's time", admin=True)
def clock_keeps_clients(s3: S3) -> None:
    bucket = s3.bucket()
    with s3.admin.clock_ahead(400 * DAY):
        s3.put(bucket, "k", b"data")
        equal(s3.read(bucket, "k"), b"data", "body")


@G.table(
    f"{DOC}: faults; Error responses: SlowDown, InternalError",
    {
        "fault_slow_down": ({"kind": "slow-down"}, 503, "SlowDown"),
        "fault_internal_error": ({"kind": "internal-error"}, 500, "InternalError"),
        "fault_error": (
            {"kind": "error", "status": 403, "code": "AccessDenied"},
            403,
            "AccessDenied",
        ),
        "fault_error_without_status": ({"kind": "error", "code": "SlowDown"}, 503, "SlowDown"),
    },
    admin=True,
)
def fault_error(s3: S3, rule: dict, status: int, code: str) -> None:
    bucket = s3.keys(s3.bucket(), "k", "other")
    with s3.admin.faults({**rule, "operation": "GetObject", "bucket": bucket, "key": "k"}):
        s3.req("GET", bucket, "k").error(status, code)
        s3.req("GET", bucket, "other").ok()
        s3.req("HEAD", bucket, "k").ok()
    s3.req("GET", bucket, "k").ok()


@G.case("fault_times", f"{DOC}: faults, times", admin=True)
def fault_times(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    rule = {"kind": "slow-down", "operation": "GetObject", "bucket": bucket, "times": 2}
    with s3.admin.faults(rule):
        got = [s3.req("GET", bucket, "k").status for _ in range(4)]
    equal(got, [503, 503, 200, 200], "statuses")


@G.case("fault_latency", f"{DOC}: faults, latency", admin=True)
def fault_latency(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    rule = {"kind": "latency", "ms": 400, "operation": "GetObject", "bucket": bucket}
    with s3.admin.faults(rule):
        since = time.monotonic()
        s3.req("GET", bucket, "k").ok()
    true(time.monotonic() - since >= 0.4, "an answer after 400 ms")


@G.case("fault_cut", f"{DOC}: faults, cut", admin=True)
def fault_cut(s3: S3) -> None:
    bucket = s3.bucket()
    s3.put(bucket, "k", bytes(100_000))
    with s3.admin.faults({"kind": "cut", "operation": "GetObject", "bucket": bucket}):
        try:
            answer = s3.req("GET", bucket, "k")
        except Unexpected:
            return
    raise Unexpected(f"expected a cut connection, got {answer.status}, {len(answer.body)} bytes")


@G.case("fault_refused_write_stores_nothing", f"{DOC}: faults", admin=True)
def fault_write(s3: S3) -> None:
    bucket = s3.bucket()
    with s3.admin.faults({"kind": "slow-down", "operation": "PutObject", "bucket": bucket}):
        s3.req("PUT", bucket, "k", body=b"data").error(503, "SlowDown")
    s3.req("HEAD", bucket, "k").ok(404)


@G.case("log_has_requests", f"{DOC}: log", admin=True)
def log_has_requests(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    s3.req("GET", bucket, "missing").ok(404)
    entries = s3.admin.log(bucket=bucket, operation="GetObject")
    equal(len(entries), 1, "number of GetObject in the log")
    equal((entries[0]["key"], entries[0]["status"]), ("missing", 404), "key, status")
    equal(len(s3.admin.log(bucket=bucket, operation="PutObject")), 1, "number of PutObject")
