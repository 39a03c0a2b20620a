"""Tags of objects and of buckets."""

from __future__ import annotations

from ..checksums import content_md5
from ..context import S3
from ..expect import equal, refused
from ..registry import Group

G = Group("tagging")

RULES = "Object tagging: up to 10 tags; keys up to 128, values up to 256 characters"


def tags(count: int) -> list[dict[str, str]]:
    return [{"Key": f"k{n}", "Value": f"v{n}"} for n in range(count)]


def document(pairs: list[tuple[str, str]]) -> bytes:
    inner = "".join(f"<Tag><Key>{k}</Key><Value>{v}</Value></Tag>" for k, v in pairs)
    return f"<Tagging><TagSet>{inner}</TagSet></Tagging>".encode()


def put(s3: S3, bucket: str, key: str | None, body: bytes):
    headers = {"Content-MD5": content_md5(body)}
    return s3.req("PUT", bucket, key, {"tagging": ""}, headers, body)


def of_object(s3: S3, bucket: str, **more: str) -> list[dict[str, str]]:
    return s3.api.get_object_tagging(Bucket=bucket, Key="k", **more)["TagSet"]


@G.case("object_round_trip", "PutObjectTagging, GetObjectTagging")
def object_round_trip(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    wanted = [{"Key": "a b", "Value": "c/d"}, {"Key": "ü", "Value": ""}]
    s3.api.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": wanted})
    got = sorted(of_object(s3, bucket), key=lambda t: t["Key"])
    equal(got, wanted, "tags")


@G.case("object_without_tags", "GetObjectTagging: an empty TagSet")
def object_without_tags(s3: S3) -> None:
    equal(of_object(s3, s3.keys(s3.bucket(), "k")), [], "tags")


@G.case("object_put_replaces", "PutObjectTagging: replaces the whole set")
def object_put_replaces(s3: S3) -> None:
    bucket = s3.bucket()
    s3.put(bucket, "k", Tagging="a=1&b=2")
    put(s3, bucket, "k", document([("c", "3")])).ok()
    equal(of_object(s3, bucket), [{"Key": "c", "Value": "3"}], "tags")


@G.case("object_delete", "DeleteObjectTagging: 204")
def object_delete(s3: S3) -> None:
    bucket = s3.bucket()
    s3.put(bucket, "k", Tagging="a=1")
    s3.req("DELETE", bucket, "k", {"tagging": ""}).ok(204)
    equal(of_object(s3, bucket), [], "tags")
    s3.req("HEAD", bucket, "k").ok()


@G.case("header_on_put", "PutObject: x-amz-tagging, as URL query parameters")
def header_on_put(s3: S3) -> None:
    bucket = s3.bucket()
    s3.req("PUT", bucket, "k", headers={"x-amz-tagging": "a%20b=c%2Fd&e=&f=g%3Dh"}).ok()
    got = {t["Key"]: t["Value"] for t in of_object(s3, bucket)}
    equal(got, {"a b": "c/d", "e": "", "f": "g=h"}, "tags")


@G.case("count_header", "GetObject: x-amz-tagging-count")
def count_header(s3: S3) -> None:
    bucket = s3.bucket()
    s3.put(bucket, "k", Tagging="a=1&b=2")
    equal(s3.req("GET", bucket, "k").ok()["x-amz-tagging-count"], "2", "x-amz-tagging-count")
    s3.put(bucket, "k")
    equal(s3.req("GET", bucket, "k").ok()["x-amz-tagging-count"], None, "without tags")


@G.case("ten_tags", RULES)
def ten_tags(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    s3.api.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": tags(10)})
    equal(len(of_object(s3, bucket)), 10, "number of tags")


@G.case("longest_tag", RULES)
def longest_tag(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    put(s3, bucket, "k", document([("k" * 128, "v" * 256)])).ok()


@G.table(
    f"{RULES}; Error responses",
    {
        "eleven_tags": ([(f"k{n}", "v") for n in range(11)], "BadRequest"),
        "key_too_long": ([("k" * 129, "v")], "InvalidTag"),
        "value_too_long": ([("k", "v" * 257)], "InvalidTag"),
        "key_twice": ([("k", "1"), ("k", "2")], "InvalidTag"),
        "key_empty": ([("", "v")], "InvalidTag"),
        "key_of_aws": ([("aws:k", "v")], "InvalidTag"),
    },
)
def refused_tags(s3: S3, pairs: list[tuple[str, str]], code: str) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    put(s3, bucket, "k", document(pairs)).error(400, code)
    equal(of_object(s3, bucket), [], "tags")


@G.table(
    "PutObjectTagging; MalformedXML",
    {
        "malformed_cut": (b"<Tagging><TagSet><Tag>",),
        "malformed_other_document": (b"<Labels/>",),
        "malformed_no_value": (b"<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>",),
    },
)
def malformed(s3: S3, body: bytes) -> None:
    put(s3, s3.keys(s3.bucket(), "k"), "k", body).error(400, "MalformedXML")


@G.table(
    "PutObject: x-amz-tagging; Error responses",
    {
        "header_key_twice": ("a=1&a=2",),
        "header_key_too_long": ("k" * 129 + "=v",),
        "header_eleven_tags": ("&".join(f"k{n}=v" for n in range(11)),),
    },
)
def refused_header(s3: S3, value: str) -> None:
    bucket = s3.bucket()
    s3.req("PUT", bucket, "k", headers={"x-amz-tagging": value}).ok(400)
    s3.req("HEAD", bucket, "k").ok(404)


@G.case("missing_object", "GetObjectTagging; NoSuchKey")
def missing_object(s3: S3) -> None:
    s3.req("GET", s3.bucket(), "k", {"tagging": ""}).error(404, "NoSuchKey")


@G.case("of_a_version", "PutObjectTagging: versionId")
def of_a_version(s3: S3) -> None:
    bucket = s3.bucket(versioned=True)
    old = s3.put(bucket, "k")["VersionId"]
    s3.put(bucket, "k")
    wanted = [{"Key": "a", "Value": "1"}]
    s3.api.put_object_tagging(Bucket=bucket, Key="k", VersionId=old, Tagging={"TagSet": wanted})
    equal(of_object(s3, bucket, VersionId=old), wanted, "tags of the old version")
    equal(of_object(s3, bucket), [], "tags of the current version")


@G.case("keeps_etag_and_date", "PutObjectTagging: the object itself stays as it is")
def keeps_etag_and_date(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    before = s3.req("HEAD", bucket, "k").ok()
    put(s3, bucket, "k", document([("a", "1")])).ok()
    after = s3.req("HEAD", bucket, "k").ok()
    for header in ("etag", "last-modified"):
        equal(after[header], before[header], header)


@G.case("bucket_round_trip", "PutBucketTagging, GetBucketTagging")
def bucket_round_trip(s3: S3) -> None:
    bucket = s3.bucket()
    s3.api.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags(2)})
    got = sorted(s3.api.get_bucket_tagging(Bucket=bucket)["TagSet"], key=lambda t: t["Key"])
    equal(got, tags(2), "tags")


@G.case("bucket_put_answers_204", "PutBucketTagging: 204")
def bucket_put_answers(s3: S3) -> None:
    put(s3, s3.bucket(), None, document([("a", "1")])).ok(204)


@G.case("bucket_without_tags", "GetBucketTagging; NoSuchTagSet")
def bucket_without_tags(s3: S3) -> None:
    s3.req("GET", s3.bucket(), query={"tagging": ""}).error(404, "NoSuchTagSet")


@G.case("bucket_delete", "DeleteBucketTagging: 204")
def bucket_delete(s3: S3) -> None:
    bucket = s3.bucket()
    s3.api.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags(1)})
    s3.req("DELETE", bucket, query={"tagging": ""}).ok(204)
    refused(404, "NoSuchTagSet", s3.api.get_bucket_tagging, Bucket=bucket)


@G.case("bucket_fifty_tags", "Using cost allocation S3 bucket tags: up to 50")
def bucket_fifty_tags(s3: S3) -> None:
    bucket = s3.bucket()
    s3.api.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags(50)})
    equal(len(s3.api.get_bucket_tagging(Bucket=bucket)["TagSet"]), 50, "number of tags")


@G.table(
    "PutBucketTagging: InvalidTag, BadRequest",
    {
        "bucket_fifty_one_tags": ([(f"k{n}", "v") for n in range(51)], "BadRequest"),
        "bucket_key_twice": ([("k", "1"), ("k", "2")], "InvalidTag"),
        "bucket_key_too_long": ([("k" * 129, "v")], "InvalidTag"),
    },
)
def bucket_refused(s3: S3, pairs: list[tuple[str, str]], code: str) -> None:
    put(s3, s3.bucket(), None, document(pairs)).error(400, code)
