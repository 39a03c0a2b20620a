"""ListObjectVersions."""

from __future__ import annotations

from ..context import S3
from ..expect import equal, matches, true
from ..rawhttp import Response
from ..registry import Group

G = Group("listing_versions")


def get(s3: S3, bucket: str, query: dict[str, str] | None = None) -> Response:
    return s3.req("GET", bucket, query={"versions": "", **(query or {})}).ok()


def entries(answer: Response) -> list[tuple[str, str, str]]:
    """Element, key and version, in the order of the document."""
    return [
        (e.tag, e.findtext("Key") or "", e.findtext("VersionId") or "")
        for e in answer.xml
        if e.tag in ("Version", "DeleteMarker")
    ]


def by_kind(listed: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """For cases that are not about how versions and markers are mixed."""
    return sorted(listed, key=lambda entry: entry[0])


def history(s3: S3) -> tuple[str, list[tuple[str, str, str]]]:
    """A bucket with three keys, and what is to be listed."""
    bucket = s3.bucket(versioned=True)
    made: dict[str, list[tuple[str, str, str]]] = {}
    for key in ("a", "b/1", "a", "c", "a"):
        version = s3.put(bucket, key)["VersionId"]
        made.setdefault(key, []).insert(0, ("Version", key, version))
    marker = s3.api.delete_object(Bucket=bucket, Key="c")["VersionId"]
    made["c"].insert(0, ("DeleteMarker", "c", marker))
    return bucket, made["a"] + made["b/1"] + made["c"]


@G.case("by_key_newest_first", "ListObjectVersions: keys in order, the newest version first")
def by_key_newest_first(s3: S3) -> None:
    bucket, want = history(s3)
    equal(entries(get(s3, bucket)), want, "entries")


@G.case("is_latest", "ListObjectVersions: IsLatest")
def is_latest(s3: S3) -> None:
    bucket, want = history(s3)
    latest = {
        e.findtext("VersionId") for e in get(s3, bucket).xml if e.findtext("IsLatest") == "true"
    }
    equal(latest, {want[0][2], want[3][2], want[4][2]}, "latest versions")


@G.case("fields_of_a_version", "ListObjectVersions, Response Elements: Version")
def fields_of_a_version(s3: S3) -> None:
    bucket = s3.bucket(versioned=True)
    etag = s3.put(bucket, "k", b"data")["ETag"]
    answer = get(s3, bucket)
    equal(answer.xml.tag, "ListVersionsResult", "document")
    equal(answer.text("Version/Size"), "4", "Size")
    equal(answer.text("Version/ETag"), etag, "ETag")
    equal(answer.text("Version/StorageClass"), "STANDARD", "StorageClass")
    true(answer.text("Version/Owner/ID"), "an Owner/ID")


@G.case("fields_of_a_delete_marker", "ListObjectVersions, Response Elements: DeleteMarker")
def fields_of_a_delete_marker(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(versioned=True), "k")
    s3.api.delete_object(Bucket=bucket, Key="k")
    answer = get(s3, bucket)
    equal(answer.text("DeleteMarker/IsLatest"), "true", "IsLatest")
    equal(answer.text("DeleteMarker/Size"), None, "Size")
    matches(answer.text("DeleteMarker/LastModified"), r"Z$", "LastModified")


@G.case("unversioned_bucket", "ListObjectVersions: the version of an unversioned object is null")
def unversioned_bucket(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    equal(entries(get(s3, bucket)), [("Version", "k", "null")], "entries")


@G.table(
    "ListObjectVersions: max-keys, key-marker, version-id-marker, IsTruncated",
    {"pages_of_one": (1,), "pages_of_two": (2,), "pages_of_four": (4,)},
)
def pages(s3: S3, size: int) -> None:
    bucket, want = history(s3)
    found: list[tuple[str, str, str]] = []
    query = {"max-keys": str(size)}
    for _ in range(len(want) + 1):
        answer = get(s3, bucket, query)
        page = entries(answer)
        found += page
        if answer.text("IsTruncated") != "true":
            break
        next_key = answer.text("NextKeyMarker") or ""
        next_version = answer.text("NextVersionIdMarker") or ""
        last = max(page, key=want.index)
        equal((next_key, next_version), last[1:], "next markers")
        query.update({"key-marker": next_key, "version-id-marker": next_version})
    equal(by_kind(found), by_kind(want), "all pages")


@G.case("key_marker_skips_whole_key", "ListObjectVersions: key-marker")
def key_marker(s3: S3) -> None:
    bucket, want = history(s3)
    got = entries(get(s3, bucket, {"key-marker": "a"}))
    equal(by_kind(got), by_kind([e for e in want if e[1] != "a"]), "entries")


@G.case("prefix", "ListObjectVersions: prefix")
def prefix(s3: S3) -> None:
    bucket, want = history(s3)
    got = entries(get(s3, bucket, {"prefix": "b"}))
    equal(got, [e for e in want if e[1] == "b/1"], "entries")


@G.case("delimiter", "ListObjectVersions: delimiter, CommonPrefixes")
def delimiter(s3: S3) -> None:
    bucket, want = history(s3)
    answer = get(s3, bucket, {"delimiter": "/"})
    wanted = by_kind([e for e in want if e[1] != "b/1"])
    equal(by_kind(entries(answer)), wanted, "entries")
    equal(answer.texts("CommonPrefixes/Prefix"), ["b/"], "common prefixes")


@G.case("url_encoding", "ListObjectVersions: encoding-type")
def url_encoding(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(versioned=True), "ü&")
    got = entries(get(s3, bucket, {"encoding-type": "url"}))
    equal([e[1] for e in got], ["%C3%BC%26"], "keys")


@G.case("version_marker_without_key_marker", "ListObjectVersions: version-id-marker")
def version_marker_alone(s3: S3) -> None:
    bucket = s3.bucket(versioned=True)
    version = s3.put(bucket, "k")["VersionId"]
    query = {"versions": "", "version-id-marker": version}
    s3.req("GET", bucket, query=query).error(400, "InvalidArgument")


@G.case("null_version_among_others", "Working with objects in a versioning-suspended bucket")
def null_version(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    s3.set_versioning(bucket, "Enabled")
    version = s3.put(bucket, "k")["VersionId"]
    got = [e[2] for e in entries(get(s3, bucket))]
    equal(got, [version, "null"], "versions")
