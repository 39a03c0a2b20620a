"""ListObjects, the first version."""

from __future__ import annotations

from ..context import S3
from ..expect import equal, matches, true
from ..rawhttp import Response
from ..registry import Group

G = Group("listing_v1")

TREE = ("a", "b/1", "b/2", "b/c/1", "d/1", "e")


def listed(answer: Response) -> tuple[list[str], list[str]]:
    answer.ok()
    return answer.texts("Contents/Key"), answer.texts("CommonPrefixes/Prefix")


@G.table(
    "ListObjects: prefix, delimiter, marker, max-keys",
    {
        "all": ({}, list(TREE), []),
        "prefix": ({"prefix": "b/"}, ["b/1", "b/2", "b/c/1"], []),
        "prefix_inside_name": ({"prefix": "b/c"}, ["b/c/1"], []),
        "prefix_of_nothing": ({"prefix": "x"}, [], []),
        "delimiter": ({"delimiter": "/"}, ["a", "e"], ["b/", "d/"]),
        "delimiter_below_prefix": (
            {"prefix": "b/", "delimiter": "/"},
            ["b/1", "b/2"],
            ["b/c/"],
        ),
        "delimiter_prefix_without_slash": ({"prefix": "b", "delimiter": "/"}, [], ["b/"]),
        "delimiter_of_many_characters": (
            {"delimiter": "/c"},
            ["a", "b/1", "b/2", "d/1", "e"],
            ["b/c"],
        ),
        "delimiter_not_in_names": ({"delimiter": "|"}, list(TREE), []),
        "marker": ({"marker": "b/2"}, ["b/c/1", "d/1", "e"], []),
        "marker_that_is_no_key": ({"marker": "b/11"}, ["b/2", "b/c/1", "d/1", "e"], []),
        "marker_after_all": ({"marker": "z"}, [], []),
        "marker_skips_common_prefix": ({"marker": "b/", "delimiter": "/"}, ["e"], ["d/"]),
        "max_keys": ({"max-keys": "2"}, ["a", "b/1"], []),
        "max_keys_counts_prefixes": ({"max-keys": "2", "delimiter": "/"}, ["a"], ["b/"]),
        "max_keys_zero": ({"max-keys": "0"}, [], []),
    },
)
def parameters(s3: S3, query: dict, keys: list[str], prefixes: list[str]) -> None:
    answer = s3.req("GET", s3.keys(s3.bucket(), *TREE), query=query)
    equal(listed(answer), (keys, prefixes), "keys and common prefixes")
    equal(answer.xml.tag, "ListBucketResult", "document")


@G.case("echoes_parameters", "ListObjects, Response Elements")
def echoes_parameters(s3: S3) -> None:
    query = {"prefix": "b/", "delimiter": "/", "marker": "b/1", "max-keys": "7"}
    bucket = s3.keys(s3.bucket(), *TREE)
    answer = s3.req("GET", bucket, query=query).ok()
    for name, want in (
        ("Name", bucket),
        ("Prefix", "b/"),
        ("Delimiter", "/"),
        ("Marker", "b/1"),
        ("MaxKeys", "7"),
        ("IsTruncated", "false"),
    ):
        equal(answer.text(name), want, name)


@G.case("fields_of_an_entry", "ListObjects, Response Elements: Contents")
def fields_of_an_entry(s3: S3) -> None:
    bucket = s3.bucket()
    etag = s3.put(bucket, "k", b"data")["ETag"]
    answer = s3.req("GET", bucket).ok()
    equal(answer.text("Contents/Size"), "4", "Size")
    equal(answer.text("Contents/ETag"), etag, "ETag")
    equal(answer.text("Contents/StorageClass"), "STANDARD", "StorageClass")
    true(answer.text("Contents/Owner/ID"), "an Owner/ID")
    modified = answer.text("Contents/LastModified")
    matches(modified, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", "LastModified")


@G.case("truncated_with_delimiter_has_next_marker", "ListObjects: NextMarker, with a delimiter")
def next_marker(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), *TREE)
    answer = s3.req("GET", bucket, query={"max-keys": "2", "delimiter": "/"}).ok()
    equal((answer.text("IsTruncated"), answer.text("NextMarker")), ("true", "b/"), "truncation")


@G.case("truncated_without_delimiter", "ListObjects: NextMarker, only with a delimiter")
def truncated_without_delimiter(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), *TREE)
    answer = s3.req("GET", bucket, query={"max-keys": "2"}).ok()
    equal((answer.text("IsTruncated"), answer.text("NextMarker")), ("true", None), "truncation")


@G.case("exact_page_is_not_truncated", "ListObjects: IsTruncated")
def exact_page(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), *TREE)
    answer = s3.req("GET", bucket, query={"max-keys": str(len(TREE))}).ok()
    equal(answer.text("IsTruncated"), "false", "IsTruncated")


@G.case("pages_by_next_marker", "ListObjects: marker, NextMarker")
def pages_by_next_marker(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), *TREE)
    found: list[str] = []
    query = {"max-keys": "1", "delimiter": "/"}
    for _ in range(6):
        answer = s3.req("GET", bucket, query=query)
        keys, prefixes = listed(answer)
        found += keys + prefixes
        if answer.text("IsTruncated") != "true":
            break
        query["marker"] = answer.text("NextMarker") or ""
    equal(found, ["a", "b/", "d/", "e"], "keys and prefixes of all pages")


@G.case("url_encoding", "ListObjects: encoding-type")
def url_encoding(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "a b/ü+1", "a\nb")
    query = {"encoding-type": "url", "delimiter": "/", "prefix": "a"}
    answer = s3.req("GET", bucket, query=query)
    keys, prefixes = listed(answer)
    equal(answer.text("EncodingType"), "url", "EncodingType")
    equal(keys, ["a%0Ab"], "keys")
    true(prefixes in (["a+b/"], ["a%20b/"]), f"an encoded prefix, got {prefixes}")


@G.table(
    "ListObjects: max-keys, encoding-type; Error responses: InvalidArgument",
    {
        "max_keys_negative": ({"max-keys": "-1"},),
        "max_keys_no_number": ({"max-keys": "many"},),
        "encoding_type_unknown": ({"encoding-type": "base64"},),
    },
)
def refused_parameters(s3: S3, query: dict) -> None:
    s3.req("GET", s3.bucket(), query=query).error(400, "InvalidArgument")


@G.case("empty_bucket", "ListObjects")
def empty_bucket(s3: S3) -> None:
    answer = s3.req("GET", s3.bucket())
    equal(listed(answer), ([], []), "keys and common prefixes")
    equal(answer.text("MaxKeys"), "1000", "MaxKeys")
