"""ListObjectsV2."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from ..context import S3
from ..expect import equal, true
from ..rawhttp import Response
from ..registry import Group

G = Group("listing_v2")

TREE = ("a", "b/1", "b/2", "b/c/1", "d/1", "e")


def listed(answer: Response) -> tuple[list[str], list[str]]:
    answer.ok()
    return answer.texts("Contents/Key"), answer.texts("CommonPrefixes/Prefix")


def get(s3: S3, bucket: str, query: dict[str, str]) -> Response:
    return s3.req("GET", bucket, query={"list-type": "2", **query})


@G.table(
    "ListObjectsV2: prefix, delimiter, start-after, max-keys",
    {
        "all": ({}, list(TREE), []),
        "prefix": ({"prefix": "b/"}, ["b/1", "b/2", "b/c/1"], []),
        "prefix_is_whole_key": ({"prefix": "b/1"}, ["b/1"], []),
        "prefix_of_nothing": ({"prefix": "x"}, [], []),
        "delimiter": ({"delimiter": "/"}, ["a", "e"], ["b/", "d/"]),
        "delimiter_below_prefix": ({"prefix": "b/", "delimiter": "/"}, ["b/1", "b/2"], ["b/c/"]),
        "delimiter_one_letter": ({"delimiter": "c"}, ["a", "b/1", "b/2", "d/1", "e"], ["b/c"]),
        "start_after": ({"start-after": "b/2"}, ["b/c/1", "d/1", "e"], []),
        "start_after_no_key": ({"start-after": "b/11"}, ["b/2", "b/c/1", "d/1", "e"], []),
        "start_after_all": ({"start-after": "z"}, [], []),
        "start_after_before_prefix": (
            {"start-after": "a", "prefix": "d/"},
            ["d/1"],
            [],
        ),
        "start_after_inside_prefix": (
            {"start-after": "b/1", "prefix": "b/", "delimiter": "/"},
            ["b/2"],
            ["b/c/"],
        ),
        "max_keys": ({"max-keys": "2"}, ["a", "b/1"], []),
        "max_keys_counts_prefixes": ({"max-keys": "2", "delimiter": "/"}, ["a"], ["b/"]),
        "max_keys_zero": ({"max-keys": "0"}, [], []),
    },
)
def parameters(s3: S3, query: dict, keys: list[str], prefixes: list[str]) -> None:
    answer = get(s3, s3.keys(s3.bucket(), *TREE), query)
    equal(listed(answer), (keys, prefixes), "keys and common prefixes")
    equal(answer.text("KeyCount"), str(len(keys) + len(prefixes)), "KeyCount")


@G.case("prefix_that_is_a_key", "ListObjectsV2: a key that equals the prefix is in Contents")
def prefix_that_is_a_key(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "b/", "b/1")
    answer = get(s3, bucket, {"prefix": "b/", "delimiter": "/"})
    equal(listed(answer), (["b/", "b/1"], []), "keys and common prefixes")


@G.case("echoes_parameters", "ListObjectsV2, Response Elements")
def echoes_parameters(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), *TREE)
    query = {"prefix": "b/", "delimiter": "/", "start-after": "b/0", "max-keys": "7"}
    answer = get(s3, bucket, query).ok()
    for name, want in (
        ("Name", bucket),
        ("Prefix", "b/"),
        ("Delimiter", "/"),
        ("StartAfter", "b/0"),
        ("MaxKeys", "7"),
        ("IsTruncated", "false"),
    ):
        equal(answer.text(name), want, name)


@G.table(
    "ListObjectsV2: fetch-owner",
    {"owner_by_default": ({}, False), "fetch_owner": ({"fetch-owner": "true"}, True)},
)
def owner(s3: S3, query: dict, there: bool) -> None:
    answer = get(s3, s3.keys(s3.bucket(), "k"), query).ok()
    equal(answer.text("Contents/Owner/ID") is not None, there, "Owner is there")


@G.case("utf8_binary_order", "ListObjectsV2: keys in UTF-8 binary order")
def utf8_binary_order(s3: S3) -> None:
    keys = ["B", "a", "a!", "a/b", "a0", "b", "é", "\uffee", "😀", "~"]
    bucket = s3.keys(s3.bucket(), *keys)
    got = [o["Key"] for o in s3.api.list_objects_v2(Bucket=bucket)["Contents"]]
    equal(got, sorted(keys, key=str.encode), "order")


@G.table(
    "ListObjectsV2: continuation-token, NextContinuationToken, IsTruncated",
    {
        "pages_of_one": (1, ""),
        "pages_of_two": (2, ""),
        "pages_of_five": (5, ""),
        "pages_of_one_with_delimiter": (1, "/"),
        "pages_of_two_with_delimiter": (2, "/"),
        "pages_of_three_with_delimiter": (3, "/"),
    },
)
def pages(s3: S3, size: int, delimiter: str) -> None:
    keys = [f"{d}{n}" for d in ("a/", "b/", "", "c/d/") for n in range(4)]
    bucket = s3.keys(s3.bucket(), *keys)
    query = {"max-keys": str(size), "delimiter": delimiter}
    found: list[str] = []
    for _ in range(len(keys) + 1):
        answer = get(s3, bucket, query)
        page = sum(listed(answer), [])
        equal(answer.text("KeyCount"), str(len(page)), "KeyCount")
        found += page
        token = answer.text("NextContinuationToken")
        truncated = answer.text("IsTruncated") == "true"
        equal(token is not None, truncated, "NextContinuationToken where truncated")
        if not truncated:
            break
        equal(len(page), size, "size of a page that is not the last")
        query["continuation-token"] = token or ""
    want = {k.split("/")[0] + "/" if delimiter and "/" in k else k for k in keys}
    equal(found, sorted(want), "all pages")


@G.case("token_wins_over_start_after", "ListObjectsV2: start-after is for the first page only")
def token_wins(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), *TREE)
    first = get(s3, bucket, {"max-keys": "1", "start-after": "a"}).ok()
    token = first.text("NextContinuationToken") or ""
    query = {"max-keys": "1", "start-after": "a", "continuation-token": token}
    answer = get(s3, bucket, query)
    equal(listed(answer)[0], ["b/2"], "keys")
    equal(answer.text("ContinuationToken"), token, "ContinuationToken")


@G.case("token_survives_deletion", "ListObjectsV2: continuation-token")
def token_survives_deletion(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "a", "b", "c", "d")
    token = get(s3, bucket, {"max-keys": "2"}).ok().text("NextContinuationToken") or ""
    s3.req("DELETE", bucket, "b").ok(204)
    s3.req("DELETE", bucket, "c").ok(204)
    answer = get(s3, bucket, {"continuation-token": token})
    equal(listed(answer)[0], ["d"], "keys")


@G.case("page_of_1000_at_most", "ListObjectsV2: max-keys, up to 1,000", deadline=90.0)
def page_of_1000(s3: S3) -> None:
    bucket = s3.bucket()
    keys = [f"k{n:04}" for n in range(1001)]
    with ThreadPoolExecutor(4) as pool:
        for answer in pool.map(lambda key: s3.req("PUT", bucket, key), keys):
            answer.ok()
    answer = get(s3, bucket, {"max-keys": "5000"}).ok()
    equal(len(answer.texts("Contents")), 1000, "size of the page")
    equal(answer.text("IsTruncated"), "true", "IsTruncated")
    query = {"continuation-token": answer.text("NextContinuationToken") or ""}
    equal(listed(get(s3, bucket, query))[0], ["k1000"], "last page")
    for first in (0, 1000):
        objects = [{"Key": key} for key in keys[first : first + 1000]]
        s3.api.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})


@G.case("url_encoding", "ListObjectsV2: encoding-type encodes Delimiter, Prefix, Key, StartAfter")
def url_encoding(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "ü/a&b", "ü/c/d")
    query = {"encoding-type": "url", "prefix": "ü/", "delimiter": "/", "start-after": "ü"}
    answer = get(s3, bucket, query)
    equal(listed(answer), (["%C3%BC/a%26b"], ["%C3%BC/c/"]), "keys and common prefixes")
    got = (answer.text("Prefix"), answer.text("StartAfter"), answer.text("EncodingType"))
    equal(got, ("%C3%BC/", "%C3%BC", "url"), "Prefix, StartAfter, EncodingType")


@G.case("xml_is_escaped", "ListObjectsV2")
def xml_is_escaped(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "<a>&amp;\"'")
    equal(listed(get(s3, bucket, {}))[0], ["<a>&amp;\"'"], "keys")


@G.case("checksum_algorithm_listed", "ListObjectsV2, Response Elements: ChecksumAlgorithm")
def checksum_algorithm_listed(s3: S3) -> None:
    bucket = s3.bucket()
    s3.put(bucket, "k", b"data", ChecksumAlgorithm="SHA256")
    answer = get(s3, bucket, {}).ok()
    equal(answer.text("Contents/ChecksumAlgorithm"), "SHA256", "ChecksumAlgorithm")
    equal(answer.text("Contents/ChecksumType"), "FULL_OBJECT", "ChecksumType")


@G.table(
    "ListObjectsV2; Error responses: InvalidArgument",
    {
        "max_keys_negative": ({"max-keys": "-1"},),
        "max_keys_no_number": ({"max-keys": "1.5"},),
        "encoding_type_unknown": ({"encoding-type": "html"},),
        "token_made_up": ({"continuation-token": "no-such-token!"},),
    },
)
def refused_parameters(s3: S3, query: dict) -> None:
    get(s3, s3.keys(s3.bucket(), "k"), query).error(400, "InvalidArgument")


@G.case("deleted_are_not_listed", "ListObjectsV2: current versions only")
def deleted_are_not_listed(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(versioned=True), "a", "b")
    s3.req("DELETE", bucket, "a").ok(204)
    equal(listed(get(s3, bucket, {}))[0], ["b"], "keys")


@G.case("deleted_prefix_is_not_listed", "ListObjectsV2: CommonPrefixes of current versions only")
def deleted_prefix_is_not_listed(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(versioned=True), "a/1", "b/1")
    s3.req("DELETE", bucket, "a/1").ok(204)
    equal(listed(get(s3, bucket, {"delimiter": "/"})), ([], ["b/"]), "keys and prefixes")


@G.case("parts_are_not_listed", "ListObjectsV2: an upload is no object before it is completed")
def parts_are_not_listed(s3: S3) -> None:
    bucket = s3.bucket()
    upload = s3.api.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    s3.api.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, Body=b"data")
    equal(listed(get(s3, bucket, {})), ([], []), "keys and prefixes")
    true(s3.req("HEAD", bucket, "k").status == 404, "no object")
