"""Reading a part of an object."""

from __future__ import annotations

from ..context import S3
from ..expect import equal, true
from ..registry import Group

G = Group("ranges")

DATA = b"0123456789"


@G.table(
    "GetObject: Range; RFC 9110 section 14",
    {
        "first_byte": ("bytes=0-0", b"0", "bytes 0-0/10"),
        "first_bytes": ("bytes=0-3", b"0123", "bytes 0-3/10"),
        "middle": ("bytes=4-5", b"45", "bytes 4-5/10"),
        "last_byte": ("bytes=9-9", b"9", "bytes 9-9/10"),
        "open_end": ("bytes=7-", b"789", "bytes 7-9/10"),
        "all": ("bytes=0-", DATA, "bytes 0-9/10"),
        "suffix": ("bytes=-3", b"789", "bytes 7-9/10"),
        "suffix_longer_than_object": ("bytes=-100", DATA, "bytes 0-9/10"),
        "end_behind_object": ("bytes=8-100", b"89", "bytes 8-9/10"),
        "end_far_behind_object": ("bytes=8-99999999999999", b"89", "bytes 8-9/10"),
    },
)
def satisfied(s3: S3, wanted: str, body: bytes, content_range: str) -> None:
    bucket = s3.bucket()
    etag = s3.put(bucket, "k", DATA)["ETag"]
    answer = s3.req("GET", bucket, "k", headers={"Range": wanted}).ok(206)
    equal(answer.body, body, "body")
    equal(answer["content-range"], content_range, "Content-Range")
    equal(answer["content-length"], str(len(body)), "Content-Length")
    equal(answer["etag"], etag, "ETag")


@G.table(
    "GetObject: Range; Error responses: InvalidRange",
    {
        "start_at_end": ("bytes=10-", DATA),
        "start_behind_end": ("bytes=100-200", DATA),
        "suffix_of_nothing": ("bytes=-0", DATA),
        "of_empty_object": ("bytes=0-0", b""),
    },
)
def not_satisfiable(s3: S3, wanted: str, data: bytes) -> None:
    bucket = s3.bucket()
    s3.put(bucket, "k", data)
    answer = s3.req("GET", bucket, "k", headers={"Range": wanted}).error(416, "InvalidRange")
    equal(answer.text("ActualObjectSize"), str(len(data)), "ActualObjectSize")
    equal(answer.text("RangeRequested"), wanted, "RangeRequested")


@G.table(
    "RFC 9110 section 14.2: a Range that is not understood is ignored",
    {
        "end_before_start": ("bytes=5-2",),
        "no_numbers": ("bytes=a-b",),
        "unknown_unit": ("items=0-1",),
        "nothing": ("bytes=-",),
    },
)
def ignored(s3: S3, wanted: str) -> None:
    bucket = s3.bucket()
    s3.put(bucket, "k", DATA)
    equal(s3.req("GET", bucket, "k", headers={"Range": wanted}).ok(200).body, DATA, "body")


@G.case("head", "HeadObject: Range")
def head(s3: S3) -> None:
    bucket = s3.bucket()
    s3.put(bucket, "k", DATA)
    answer = s3.req("HEAD", bucket, "k", headers={"Range": "bytes=2-4"}).ok(206)
    got = (answer["content-length"], answer["content-range"])
    equal(got, ("3", "bytes 2-4/10"), "Content-Length, Content-Range")


@G.case("with_failed_condition", "GetObject: If-Match is judged before Range")
def with_failed_condition(s3: S3) -> None:
    bucket = s3.bucket()
    s3.put(bucket, "k", DATA)
    headers = {"Range": "bytes=50-60", "If-Match": '"other"'}
    s3.req("GET", bucket, "k", headers=headers).error(412, "PreconditionFailed")


@G.case("accept_ranges", "GetObject: accept-ranges")
def accept_ranges(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    equal(s3.req("GET", bucket, "k").ok()["accept-ranges"], "bytes", "accept-ranges")


@G.case("part_one_of_plain_object", "GetObject: partNumber")
def part_one(s3: S3) -> None:
    bucket = s3.bucket()
    s3.put(bucket, "k", DATA)
    answer = s3.req("GET", bucket, "k", {"partNumber": "1"}).ok(206)
    equal((answer.body, answer["content-range"]), (DATA, "bytes 0-9/10"), "body, Content-Range")
    true(answer["x-amz-mp-parts-count"] is None, "no x-amz-mp-parts-count")


@G.case("part_two_of_plain_object", "Error responses: InvalidPartNumber")
def part_two(s3: S3) -> None:
    bucket = s3.bucket()
    s3.put(bucket, "k", DATA)
    s3.req("GET", bucket, "k", {"partNumber": "2"}).error(416, "InvalidPartNumber")


@G.case("part_and_range", "GetObject: partNumber and Range cannot both be; InvalidRequest")
def part_and_range(s3: S3) -> None:
    bucket = s3.bucket()
    s3.put(bucket, "k", DATA)
    answer = s3.req("GET", bucket, "k", {"partNumber": "1"}, {"Range": "bytes=0-1"})
    answer.error(400, "InvalidRequest")
