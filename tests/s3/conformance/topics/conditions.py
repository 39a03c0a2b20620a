"""Conditional reads, writes and deletes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate, parsedate_to_datetime

from ..context import S3
from ..expect import equal, one_of, refused
from ..registry import Group

G = Group("conditions")

OTHER = '"0123456789abcdef0123456789abcdef"'
PAST = "Sat, 01 Jan 2000 00:00:00 GMT"

READS = {
    "if_match": ({"If-Match": "{etag}"}, 200),
    "if_match_other": ({"If-Match": OTHER}, 412),
    "if_match_star": ({"If-Match": "*"}, 200),
    "if_none_match": ({"If-None-Match": "{etag}"}, 304),
    "if_none_match_other": ({"If-None-Match": OTHER}, 200),
    "if_none_match_star": ({"If-None-Match": "*"}, 304),
    "if_modified_since_before": ({"If-Modified-Since": PAST}, 200),
    "if_modified_since_same": ({"If-Modified-Since": "{modified}"}, 304),
    "if_unmodified_since_before": ({"If-Unmodified-Since": PAST}, 412),
    "if_unmodified_since_same": ({"If-Unmodified-Since": "{modified}"}, 200),
    "match_true_unmodified_false": (
        {"If-Match": "{etag}", "If-Unmodified-Since": PAST},
        200,
    ),
    "match_false_unmodified_true": (
        {"If-Match": OTHER, "If-Unmodified-Since": "{modified}"},
        412,
    ),
    "none_match_false_modified_true": (
        {"If-None-Match": "{etag}", "If-Modified-Since": PAST},
        304,
    ),
    "match_and_none_match_true": ({"If-Match": "{etag}", "If-None-Match": OTHER}, 200),
    "bad_date_is_ignored": ({"If-Modified-Since": "yesterday"}, 200),
}


@G.table(
    "GetObject: If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since; RFC 9110 13",
    {f"get_{name}": ("GET", *row) for name, row in READS.items()}
    | {f"head_{name}": ("HEAD", *row) for name, row in READS.items()},
)
def read(s3: S3, method: str, headers: dict[str, str], status: int) -> None:
    bucket = s3.bucket()
    s3.put(bucket, "k", b"data")
    head = s3.req("HEAD", bucket, "k").ok()
    values = {"etag": head["etag"], "modified": head["last-modified"]}
    headers = {k: v.format(**values) for k, v in headers.items()}
    answer = s3.req(method, bucket, "k", headers=headers)
    equal(answer.status, status, "status")
    if status == 304:
        equal((answer.body, answer["etag"]), (b"", head["etag"]), "body, ETag")
    elif status == 412 and method == "GET":
        answer.error(412, "PreconditionFailed")
    elif method == "GET":
        equal(answer.body, b"data", "body")


@G.case("get_missing_with_condition", "GetObject: NoSuchKey before conditions")
def missing(s3: S3) -> None:
    headers = {"If-Match": OTHER}
    s3.req("GET", s3.bucket(), "k", headers=headers).error(404, "NoSuchKey")


@G.table(
    "PutObject: If-None-Match, If-Match; Conditional writes",
    {
        "put_if_none_match_star_new": (False, {"If-None-Match": "*"}, 200, None),
        "put_if_none_match_star_there": (
            True,
            {"If-None-Match": "*"},
            412,
            "PreconditionFailed",
        ),
        "put_if_match": (True, {"If-Match": "{etag}"}, 200, None),
        "put_if_match_other": (True, {"If-Match": OTHER}, 412, "PreconditionFailed"),
        "put_if_match_missing": (False, {"If-Match": OTHER}, 404, "NoSuchKey"),
        "put_if_none_match_etag": (
            True,
            {"If-None-Match": "{etag}"},
            501,
            "NotImplemented",
        ),
    },
)
def write(s3: S3, there: bool, headers: dict[str, str], status: int, code: str | None) -> None:
    bucket = s3.bucket()
    etag = s3.put(bucket, "k", b"old")["ETag"] if there else ""
    headers = {k: v.format(etag=etag) for k, v in headers.items()}
    answer = s3.req("PUT", bucket, "k", headers=headers, body=b"new")
    if code is None:
        answer.ok(status)
        equal(s3.read(bucket, "k"), b"new", "body")
    else:
        answer.error(status, code)
        if there:
            equal(s3.read(bucket, "k"), b"old", "body")
        else:
            s3.req("HEAD", bucket, "k").ok(404)


@G.case("put_if_none_match_over_delete_marker", "Conditional writes: a delete marker is no object")
def over_delete_marker(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(versioned=True), "k")
    s3.req("DELETE", bucket, "k").ok(204)
    s3.req("PUT", bucket, "k", headers={"If-None-Match": "*"}).ok()


@G.case("put_if_none_match_race", "Conditional writes: the first finished write wins")
def race(s3: S3) -> None:
    bucket = s3.bucket()
    start = threading.Barrier(6)

    def put(number: int) -> int:
        start.wait(10)
        body = f"writer {number}".encode()
        return s3.req("PUT", bucket, "k", headers={"If-None-Match": "*"}, body=body).status

    with ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(put, range(6)))
    equal(statuses.count(200), 1, f"winners among {statuses}")
    for status in statuses:
        one_of(status, (200, 409, 412), "status")
    winner = f"writer {statuses.index(200)}".encode()
    equal(s3.read(bucket, "k"), winner, "body")


@G.table(
    "CompleteMultipartUpload: If-None-Match, If-Match",
    {
        "complete_if_none_match_new": (False, {"IfNoneMatch": "*"}, None),
        "complete_if_none_match_there": (True, {"IfNoneMatch": "*"}, 412),
        "complete_if_match_other": (True, {"IfMatch": OTHER}, 412),
    },
)
def complete(s3: S3, there: bool, condition: dict[str, str], status: int | None) -> None:
    bucket = s3.bucket()
    if there:
        s3.put(bucket, "k", b"old")
    upload = s3.api.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    target = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    etag = s3.api.upload_part(**target, PartNumber=1, Body=b"new")["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    arguments = {**target, "MultipartUpload": parts, **condition}
    if status is None:
        s3.api.complete_multipart_upload(**arguments)
    else:
        refused(status, "PreconditionFailed", s3.api.complete_multipart_upload, **arguments)
    equal(s3.read(bucket, "k"), b"old" if status else b"new", "body")


@G.table(
    "DeleteObject: If-Match; Conditional deletes",
    {
        "delete_if_match": ("{etag}", 204),
        "delete_if_match_star": ("*", 204),
        "delete_if_match_other": (OTHER, 412),
    },
)
def delete(s3: S3, condition: str, status: int) -> None:
    bucket = s3.bucket()
    etag = s3.put(bucket, "k", b"data")["ETag"]
    headers = {"If-Match": condition.format(etag=etag)}
    answer = s3.req("DELETE", bucket, "k", headers=headers)
    if status == 412:
        answer.error(412, "PreconditionFailed")
    else:
        answer.ok(status)
    s3.req("HEAD", bucket, "k").ok(200 if status == 412 else 404)


@G.table(
    "CopyObject: If-None-Match; Conditional writes",
    {"copy_if_none_match_new": (False, 200), "copy_if_none_match_there": (True, 412)},
)
def copy(s3: S3, there: bool, status: int) -> None:
    bucket = s3.keys(s3.bucket(), "source")
    if there:
        s3.put(bucket, "k", b"old")
    headers = {"x-amz-copy-source": f"{bucket}/source", "If-None-Match": "*"}
    answer = s3.req("PUT", bucket, "k", headers=headers)
    equal(answer.status, status, "status")


@G.case("last_modified_has_seconds", "GetObject: Last-Modified; RFC 9110 section 5.6.7")
def last_modified_has_seconds(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    header = s3.req("HEAD", bucket, "k").ok()["last-modified"] or ""
    moment = parsedate_to_datetime(header).timestamp()
    equal(formatdate(moment, usegmt=True), header, "Last-Modified")
