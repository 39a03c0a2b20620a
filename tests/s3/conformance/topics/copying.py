"""CopyObject."""

from __future__ import annotations

from ..context import S3
from ..expect import equal, matches, true
from ..rawhttp import Response
from ..registry import Group
from ..sigv4 import uri_encode

G = Group("copy")

OTHER = '"0123456789abcdef0123456789abcdef"'
PAST = "Sat, 01 Jan 2000 00:00:00 GMT"


def copy(s3: S3, bucket: str, source: str, key: str = "k", **headers: str) -> Response:
    sent = {"x-amz-copy-source": source}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return s3.req("PUT", bucket, key, headers=sent)


def prepared(s3: S3) -> str:
    bucket = s3.bucket()
    s3.put(
        bucket,
        "source",
        b"data",
        ContentType="text/css",
        Metadata={"a": "b"},
        CacheControl="no-cache",
        Tagging="t=1",
    )
    return bucket


@G.case("within_bucket", "CopyObject, Response Elements")
def within_bucket(s3: S3) -> None:
    bucket = prepared(s3)
    answer = copy(s3, bucket, f"/{bucket}/source").ok()
    equal(answer.xml.tag, "CopyObjectResult", "document")
    equal(answer.text("ETag"), s3.req("HEAD", bucket, "k").ok()["etag"], "ETag")
    matches(answer.text("LastModified"), r"^\d{4}-.*Z$", "LastModified")
    equal(s3.read(bucket, "k"), b"data", "body")


@G.case("missing_source_is_named", "CopyObject; NoSuchKey: Key is that of the source")
def missing_source_is_named(s3: S3) -> None:
    bucket = s3.bucket()
    answer = copy(s3, bucket, f"{bucket}/missing").error(404, "NoSuchKey")
    equal(answer.text("Key"), "missing", "Key")


@G.case("source_of_other_owner", "CopyObject: x-amz-source-expected-bucket-owner; 403 Forbidden")
def source_of_other_owner(s3: S3) -> None:
    bucket = prepared(s3)
    owner = {"x_amz_source_expected_bucket_owner": "000000000000"}
    copy(s3, bucket, f"{bucket}/source", **owner).error(403, "AccessDenied")


@G.case("to_other_bucket", "CopyObject: x-amz-copy-source")
def to_other_bucket(s3: S3) -> None:
    source, target = prepared(s3), s3.bucket()
    copy(s3, target, f"{source}/source").ok()
    equal(s3.read(target, "k"), b"data", "body")


@G.case("keeps_metadata", "CopyObject: x-amz-metadata-directive, default COPY")
def keeps_metadata(s3: S3) -> None:
    bucket = prepared(s3)
    copy(s3, bucket, f"{bucket}/source", x_amz_meta_a="ignored").ok()
    head = s3.req("HEAD", bucket, "k").ok()
    got = [head[h] for h in ("content-type", "x-amz-meta-a", "cache-control")]
    equal(got, ["text/css", "b", "no-cache"], "headers")


@G.case("replaces_metadata", "CopyObject: x-amz-metadata-directive REPLACE")
def replaces_metadata(s3: S3) -> None:
    bucket = prepared(s3)
    answer = copy(
        s3,
        bucket,
        f"{bucket}/source",
        x_amz_metadata_directive="REPLACE",
        x_amz_meta_c="d",
        Content_Type="text/csv",
    )
    answer.ok()
    head = s3.req("HEAD", bucket, "k").ok()
    got = [head[h] for h in ("content-type", "x-amz-meta-a", "x-amz-meta-c", "cache-control")]
    equal(got, ["text/csv", None, "d", None], "headers")


@G.table(
    "CopyObject: x-amz-tagging-directive",
    {
        "tags_kept_by_default": ({}, "t"),
        "tags_kept": ({"x_amz_tagging_directive": "COPY"}, "t"),
        "tags_replaced": ({"x_amz_tagging_directive": "REPLACE", "x_amz_tagging": "u=2"}, "u"),
        "tags_removed": ({"x_amz_tagging_directive": "REPLACE"}, None),
    },
)
def tags(s3: S3, headers: dict[str, str], key: str | None) -> None:
    bucket = prepared(s3)
    copy(s3, bucket, f"{bucket}/source", **headers).ok()
    got = [t["Key"] for t in s3.api.get_object_tagging(Bucket=bucket, Key="k")["TagSet"]]
    equal(got, [key] if key else [], "tags")


@G.case("onto_itself", "CopyObject: to itself nothing would change; InvalidRequest")
def onto_itself(s3: S3) -> None:
    bucket = prepared(s3)
    copy(s3, bucket, f"{bucket}/source", "source").error(400, "InvalidRequest")


@G.case("onto_itself_with_metadata", "CopyObject: to itself with x-amz-metadata-directive REPLACE")
def onto_itself_with_metadata(s3: S3) -> None:
    bucket = prepared(s3)
    answer = copy(
        s3,
        bucket,
        f"{bucket}/source",
        "source",
        x_amz_metadata_directive="REPLACE",
        x_amz_meta_n="1",
    )
    answer.ok()
    equal(s3.api.head_object(Bucket=bucket, Key="source")["Metadata"], {"n": "1"}, "Metadata")
    equal(s3.read(bucket, "source"), b"data", "body")


@G.case("changes_storage_class", "CopyObject: x-amz-storage-class")
def changes_storage_class(s3: S3) -> None:
    bucket = prepared(s3)
    copy(s3, bucket, f"{bucket}/source", "source", x_amz_storage_class="STANDARD_IA").ok()
    head = s3.req("HEAD", bucket, "source").ok()
    equal(head["x-amz-storage-class"], "STANDARD_IA", "x-amz-storage-class")


@G.table(
    "CopyObject: x-amz-copy-source, URL-encoded",
    {
        "source_with_space": ("a b",),
        "source_with_plus": ("a+b",),
        "source_with_percent": ("a%20b",),
        "source_with_unicode": ("ä/日本",),
        "source_with_question_mark": ("a?b",),
    },
)
def source_encoded(s3: S3, key: str) -> None:
    bucket = s3.bucket()
    s3.put(bucket, key, b"data")
    copy(s3, bucket, f"/{bucket}/{uri_encode(key, '/')}").ok()
    equal(s3.read(bucket, "k"), b"data", "body")


@G.case("missing_key", "CopyObject; NoSuchKey")
def missing_key(s3: S3) -> None:
    bucket = s3.bucket()
    copy(s3, bucket, f"{bucket}/source").error(404, "NoSuchKey")


@G.case("missing_bucket", "CopyObject; NoSuchBucket")
def missing_bucket(s3: S3) -> None:
    copy(s3, s3.bucket(), f"{s3.name()}/source").error(404, "NoSuchBucket")


@G.table(
    "CopyObject: x-amz-copy-source, x-amz-metadata-directive; InvalidArgument",
    {
        "source_without_key": ("{bucket}", {}),
        "source_empty": ("/", {}),
        "directive_unknown": ("{bucket}/source", {"x_amz_metadata_directive": "MERGE"}),
        "tagging_directive_unknown": ("{bucket}/source", {"x_amz_tagging_directive": "MERGE"}),
    },
)
def refused_argument(s3: S3, source: str, headers: dict[str, str]) -> None:
    bucket = prepared(s3)
    answer = copy(s3, bucket, source.format(bucket=bucket), **headers)
    answer.error(400, "InvalidArgument")


@G.table(
    "CopyObject: x-amz-copy-source-if-*",
    {
        "if_match": ({"if-match": "{etag}"}, 200),
        "if_match_other": ({"if-match": OTHER}, 412),
        "if_none_match": ({"if-none-match": "{etag}"}, 412),
        "if_none_match_other": ({"if-none-match": OTHER}, 200),
        "if_modified_since_before": ({"if-modified-since": PAST}, 200),
        "if_modified_since_same": ({"if-modified-since": "{modified}"}, 412),
        "if_unmodified_since_before": ({"if-unmodified-since": PAST}, 412),
        "if_unmodified_since_same": ({"if-unmodified-since": "{modified}"}, 200),
        "match_true_unmodified_false": (
            {"if-match": "{etag}", "if-unmodified-since": PAST},
            200,
        ),
        "none_match_false_modified_true": (
            {"if-none-match": "{etag}", "if-modified-since": PAST},
            412,
        ),
    },
)
def condition(s3: S3, conditions: dict[str, str], status: int) -> None:
    bucket = prepared(s3)
    head = s3.req("HEAD", bucket, "source").ok()
    values = {"etag": head["etag"], "modified": head["last-modified"]}
    headers = {f"x-amz-copy-source-{k}": v.format(**values) for k, v in conditions.items()}
    answer = copy(s3, bucket, f"{bucket}/source", **headers)
    if status == 412:
        answer.error(412, "PreconditionFailed")
    else:
        answer.ok(status)


@G.case("of_a_version", "CopyObject: versionId, x-amz-copy-source-version-id, x-amz-version-id")
def of_a_version(s3: S3) -> None:
    bucket = s3.bucket(versioned=True)
    old = s3.put(bucket, "source", b"old")["VersionId"]
    s3.put(bucket, "source", b"new")
    answer = copy(s3, bucket, f"{bucket}/source?versionId={old}").ok()
    equal(answer["x-amz-copy-source-version-id"], old, "x-amz-copy-source-version-id")
    true(answer["x-amz-version-id"] not in (None, old), "a new x-amz-version-id")
    equal(s3.read(bucket, "k"), b"old", "body")


@G.case("of_deleted_key", "CopyObject; NoSuchKey where a delete marker is current")
def of_deleted_key(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(versioned=True), "source")
    s3.req("DELETE", bucket, "source").ok(204)
    copy(s3, bucket, f"{bucket}/source").error(404, "NoSuchKey")


@G.case("of_delete_marker", "CopyObject: a delete marker by its version; InvalidRequest")
def of_delete_marker(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(versioned=True), "source")
    marker = s3.api.delete_object(Bucket=bucket, Key="source")["VersionId"]
    copy(s3, bucket, f"{bucket}/source?versionId={marker}").error(400, "InvalidRequest")


@G.case("empty_object", "CopyObject")
def empty_object(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "source")
    copy(s3, bucket, f"{bucket}/source").ok()
    equal(s3.req("HEAD", bucket, "k").ok()["content-length"], "0", "Content-Length")
