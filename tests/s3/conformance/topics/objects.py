"""Writing, reading and deleting objects, one and many."""

from __future__ import annotations

import hashlib
import os

from ..checksums import content_md5
from ..context import S3
from ..expect import equal, matches, refused, true
from ..registry import Group

G = Group("objects")

HTTP_DATE = r"^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$"


@G.table(
    "PutObject, GetObject",
    {
        "empty": (b"",),
        "one_byte": (b"\0",),
        "every_byte": (bytes(range(256)),),
        "mebibyte": (bytes(range(256)) * 4096,),
        "looks_like_xml": (b"<Error><Code>NoSuchKey</Code></Error>",),
    },
)
def round_trip(s3: S3, data: bytes) -> None:
    bucket = s3.bucket()
    etag = f'"{hashlib.md5(data).hexdigest()}"'
    equal(s3.req("PUT", bucket, "k", body=data).ok()["etag"], etag, "ETag of PUT")
    got = s3.req("GET", bucket, "k").ok()
    true(got.body == data, "the same bytes")
    equal(got["etag"], etag, "ETag of GET")
    equal(got["content-length"], str(len(data)), "Content-Length")


@G.case("head_is_get_without_body", "HeadObject: the headers of a GET, no body")
def head_is_get_without_body(s3: S3) -> None:
    bucket = s3.bucket()
    s3.put(bucket, "k", b"data", Metadata={"a": "b"}, ContentType="text/plain")
    head, get = s3.req("HEAD", bucket, "k").ok(), s3.req("GET", bucket, "k").ok()
    equal(head.body, b"", "body")
    for header in (
        "content-length",
        "content-type",
        "etag",
        "last-modified",
        "x-amz-meta-a",
        "accept-ranges",
    ):
        true(get[header] is not None, f"`{header}`")
        equal(head[header], get[header], header)


@G.case("last_modified_is_http_date", "GetObject: Last-Modified")
def last_modified_is_http_date(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    matches(s3.req("GET", bucket, "k").ok()["last-modified"], HTTP_DATE, "Last-Modified")


@G.case("default_content_type", "PutObject: Content-Type; default binary/octet-stream")
def default_content_type(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    got = s3.req("HEAD", bucket, "k").ok()["content-type"]
    equal(got, "binary/octet-stream", "Content-Type")


SYSTEM = {
    "cache_control": ("Cache-Control", "max-age=60, public"),
    "content_disposition": ("Content-Disposition", 'attachment; filename="a b.txt"'),
    "content_encoding": ("Content-Encoding", "gzip"),
    "content_language": ("Content-Language", "de-DE"),
    "content_type": ("Content-Type", "text/plain; charset=utf-8"),
    "expires": ("Expires", "Thu, 01 Dec 2033 16:00:00 GMT"),
    "website_redirect": ("x-amz-website-redirect-location", "/elsewhere"),
}


@G.table(
    "PutObject, Request headers; Working with object metadata, System-defined",
    {f"keeps_{name}": row for name, row in SYSTEM.items()},
)
def keeps_header(s3: S3, header: str, value: str) -> None:
    bucket = s3.bucket()
    s3.req("PUT", bucket, "k", headers={header: value}).ok()
    equal(s3.req("GET", bucket, "k").ok()[header], value, f"{header} of GET")
    equal(s3.req("HEAD", bucket, "k").ok()[header], value, f"{header} of HEAD")


@G.case("user_metadata", "Working with object metadata: keys in lower case")
def user_metadata(s3: S3) -> None:
    bucket = s3.bucket()
    s3.req("PUT", bucket, "k", headers={"X-Amz-Meta-Camel-Case": "Value one"}).ok()
    got = s3.api.head_object(Bucket=bucket, Key="k")["Metadata"]
    equal(got, {"camel-case": "Value one"}, "Metadata")


@G.case("user_metadata_near_2_kib", "Working with object metadata: at most 2 KB")
def user_metadata_near_2_kib(s3: S3) -> None:
    value = "v" * 2000
    s3.req("PUT", s3.bucket(), "k", headers={"x-amz-meta-a": value}).ok()


@G.case("user_metadata_too_large", "Error responses: MetadataTooLarge")
def user_metadata_too_large(s3: S3) -> None:
    headers = {"x-amz-meta-a": "v" * 2100}
    s3.req("PUT", s3.bucket(), "k", headers=headers).error(400, "MetadataTooLarge")


@G.case("overwrite_replaces_all", "PutObject: the whole object is replaced")
def overwrite_replaces_all(s3: S3) -> None:
    bucket = s3.bucket()
    s3.put(bucket, "k", b"old", Metadata={"a": "1"}, CacheControl="no-cache", Tagging="t=1")
    s3.put(bucket, "k", b"newer")
    got = s3.api.get_object(Bucket=bucket, Key="k")
    equal(got["Body"].read(), b"newer", "body")
    equal((got["Metadata"], got.get("CacheControl"), got.get("TagCount")), ({}, None, None), "left")


@G.case("get_missing", "GetObject; Error responses: NoSuchKey")
def get_missing(s3: S3) -> None:
    answer = s3.req("GET", s3.bucket(), "missing/k").error(404, "NoSuchKey")
    equal(answer.text("Key"), "missing/k", "Key")


@G.case("head_missing", "HeadObject: 404 without a body")
def head_missing(s3: S3) -> None:
    equal(s3.req("HEAD", s3.bucket(), "k").ok(404).body, b"", "body")


@G.case("delete", "DeleteObject: 204")
def delete(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    equal(s3.req("DELETE", bucket, "k").ok(204).body, b"", "body")
    s3.req("GET", bucket, "k").error(404, "NoSuchKey")


@G.case("delete_missing", "DeleteObject: 204 also where no object is")
def delete_missing(s3: S3) -> None:
    s3.req("DELETE", s3.bucket(), "k").ok(204)


KEYS = {
    "space": "a b",
    "plus": "a+b",
    "percent": "100%25",
    "ampersand": "a&b=c",
    "quotes": "a\"b'c",
    "angle_brackets": "<a>",
    "question_mark": "a?b",
    "hash": "a#b",
    "unicode": "ä/日本語",
    "emoji": "😀",
    "combining": "e\u0301",
    "slash_first": "/a",
    "slash_last": "a/",
    "slashes": "a//b",
    "tilde_and_stars": "~*!()",
    "backslash": "a\\b",
    "colon_and_at": "a:b@c;d,e",
    "newline": "a\nb",
    "longest": "k" * 1024,
    "longest_segments": "/".join(["s" * 200] * 5),
}


@G.table(
    "Naming Amazon S3 objects: any UTF-8 up to 1,024 bytes",
    {f"key_{name}": (key,) for name, key in KEYS.items()},
)
def key_round_trip(s3: S3, key: str) -> None:
    bucket = s3.bucket()
    s3.req("PUT", bucket, key, body=key.encode()).ok()
    equal(s3.req("GET", bucket, key).ok().body, key.encode(), "body")
    listed = s3.api.list_objects_v2(Bucket=bucket)
    equal([o["Key"] for o in listed.get("Contents", [])], [key], "listed keys")


@G.case("keys_are_case_sensitive", "Naming Amazon S3 objects: names are case sensitive")
def keys_are_case_sensitive(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "a", "A")
    equal(len(s3.api.list_objects_v2(Bucket=bucket)["Contents"]), 2, "number of objects")


@G.case("key_and_key_below", "Naming Amazon S3 objects: a flat structure")
def key_and_key_below(s3: S3) -> None:
    bucket = s3.bucket()
    for key in ("a", "a/b", "a/b/c"):
        s3.req("PUT", bucket, key, body=key.encode()).ok()
    for key in ("a", "a/b", "a/b/c"):
        equal(s3.req("GET", bucket, key).ok().body, key.encode(), f"body of {key}")
    s3.req("DELETE", bucket, "a/b").ok(204)
    s3.req("GET", bucket, "a/b/c").ok()


@G.case("put_without_length", "Error responses: MissingContentLength")
def put_without_length(s3: S3) -> None:
    answer = s3.req("PUT", s3.bucket(), "k", payload="UNSIGNED-PAYLOAD", length=False)
    answer.error(411, "MissingContentLength")


@G.case("put_content_md5", "PutObject: Content-MD5")
def put_content_md5(s3: S3) -> None:
    headers = {"Content-MD5": content_md5(b"data")}
    s3.req("PUT", s3.bucket(), "k", headers=headers, body=b"data").ok()


@G.table(
    "Error responses: BadDigest, InvalidDigest",
    {
        "put_content_md5_wrong": (content_md5(b"other"), "BadDigest"),
        "put_content_md5_short": ("AAAA", "InvalidDigest"),
        "put_content_md5_not_base64": ("!!!!!!!!!!!!!!!!!!!!!!==", "InvalidDigest"),
    },
)
def put_content_md5_refused(s3: S3, value: str, code: str) -> None:
    bucket = s3.bucket()
    headers = {"Content-MD5": value}
    s3.req("PUT", bucket, "k", headers=headers, body=b"data").error(400, code)
    s3.req("HEAD", bucket, "k").ok(404)


@G.table(
    "GetObject: response-* override headers of the answer",
    {
        "response_cache_control": ("response-cache-control", "no-store"),
        "response_content_disposition": ("response-content-disposition", 'inline; filename="x"'),
        "response_content_encoding": ("response-content-encoding", "br"),
        "response_content_language": ("response-content-language", "fr"),
        "response_content_type": ("response-content-type", "text/csv"),
        "response_expires": ("response-expires", "Thu, 01 Dec 2033 16:00:00 GMT"),
    },
)
def response_override(s3: S3, parameter: str, value: str) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    header = parameter.removeprefix("response-")
    answer = s3.req("GET", bucket, "k", {parameter: value}).ok()
    equal(answer[header], value, header)
    true(s3.req("GET", bucket, "k").ok()[header] != value, "the override of one answer only")


@G.case("response_override_latin_1", "GetObject: response-*; a header is ISO-8859-1")
def response_override_latin_1(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    answer = s3.req("GET", bucket, "k", {"response-content-disposition": "größe"}).ok()
    equal(answer["content-disposition"], "größe", "Content-Disposition")


@G.case("response_override_beyond_latin_1", "GetObject: response-*; InvalidArgument")
def response_override_beyond_latin_1(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    answer = s3.req("GET", bucket, "k", {"response-content-disposition": "日本"})
    answer.error(400, "InvalidArgument")


@G.case("utf8_content_disposition", "PutObject: Content-Disposition is kept as it was sent")
def utf8_content_disposition(s3: S3) -> None:
    bucket = s3.bucket()
    # The client writes text as ISO-8859-1: these are the bytes of UTF-8.
    value = "größe.txt".encode().decode("latin-1")
    headers = {"Content-Disposition": value}
    s3.req("PUT", bucket, "k", headers=headers, unsigned=("content-disposition",)).ok()
    equal(s3.req("HEAD", bucket, "k").ok()["content-disposition"], value, "Content-Disposition")


@G.case("storage_class", "PutObject: x-amz-storage-class; HeadObject gives it unless STANDARD")
def storage_class(s3: S3) -> None:
    bucket = s3.bucket()
    s3.put(bucket, "ia", StorageClass="STANDARD_IA")
    s3.put(bucket, "standard", StorageClass="STANDARD")
    head = s3.req("HEAD", bucket, "ia").ok()
    equal(head["x-amz-storage-class"], "STANDARD_IA", "x-amz-storage-class")
    equal(s3.req("HEAD", bucket, "standard").ok()["x-amz-storage-class"], None, "of STANDARD")
    listed = s3.api.list_objects_v2(Bucket=bucket)["Contents"]
    classes = [o["StorageClass"] for o in listed]
    equal(classes, ["STANDARD_IA", "STANDARD"], "listed classes")


@G.case("storage_class_unknown", "Error responses: InvalidStorageClass")
def storage_class_unknown(s3: S3) -> None:
    headers = {"x-amz-storage-class": "SHELF"}
    s3.req("PUT", s3.bucket(), "k", headers=headers).error(400, "InvalidStorageClass")


def _delete_body(*keys: str, quiet: bool = False) -> bytes:
    objects = "".join(f"<Object><Key>{key}</Key></Object>" for key in keys)
    flag = "<Quiet>true</Quiet>" if quiet else ""
    return f"<Delete>{flag}{objects}</Delete>".encode()


def _delete(s3: S3, bucket: str, body: bytes):
    headers = {"Content-MD5": content_md5(body)}
    return s3.req("POST", bucket, query={"delete": ""}, headers=headers, body=body)


@G.case("delete_many", "DeleteObjects: also keys that are not there are reported as deleted")
def delete_many(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "a", "b", "c")
    answer = _delete(s3, bucket, _delete_body("a", "c", "missing")).ok()
    equal(sorted(answer.texts("Deleted/Key")), ["a", "c", "missing"], "Deleted")
    left = s3.api.list_objects_v2(Bucket=bucket)["Contents"]
    equal([o["Key"] for o in left], ["b"], "left")


@G.case("delete_many_quiet", "DeleteObjects: Quiet")
def delete_many_quiet(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "a")
    answer = _delete(s3, bucket, _delete_body("a", quiet=True)).ok()
    equal((answer.xml.tag, len(answer.xml)), ("DeleteResult", 0), "document")
    s3.req("HEAD", bucket, "a").ok(404)


@G.case("delete_many_1000", "DeleteObjects: up to 1,000 keys")
def delete_many_1000(s3: S3) -> None:
    body = _delete_body(*(f"k{n}" for n in range(1000)))
    equal(len(_delete(s3, s3.bucket(), body).ok().texts("Deleted")), 1000, "deleted")


@G.case("delete_many_1001", "DeleteObjects: more than 1,000 keys; MalformedXML")
def delete_many_1001(s3: S3) -> None:
    body = _delete_body(*(f"k{n}" for n in range(1001)))
    _delete(s3, s3.bucket(), body).error(400, "MalformedXML")


@G.table(
    "DeleteObjects, Request Body; Error responses: MalformedXML",
    {
        "delete_many_no_keys": (b"<Delete></Delete>",),
        "delete_many_other_document": (b"<Remove><Object><Key>a</Key></Object></Remove>",),
        "delete_many_not_xml": (b"a, b, c",),
        "delete_many_cut": (b"<Delete><Object><Key>a</Key>",),
    },
)
def delete_many_malformed(s3: S3, body: bytes) -> None:
    bucket = s3.keys(s3.bucket(), "a")
    _delete(s3, bucket, body).error(400, "MalformedXML")
    s3.req("HEAD", bucket, "a").ok()


@G.case("delete_many_without_checksum", "DeleteObjects: Content-MD5 or a checksum is required")
def delete_many_without_checksum(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "a")
    answer = s3.req("POST", bucket, query={"delete": ""}, body=_delete_body("a"))
    answer.error(400, "InvalidRequest")
    s3.req("HEAD", bucket, "a").ok()


@G.case("delete_many_wrong_md5", "Error responses: BadDigest")
def delete_many_wrong_md5(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "a")
    headers = {"Content-MD5": content_md5(b"other")}
    body = _delete_body("a")
    s3.req("POST", bucket, query={"delete": ""}, headers=headers, body=body).error(400, "BadDigest")
    s3.req("HEAD", bucket, "a").ok()


@G.case("attributes", "GetObjectAttributes, Response Elements")
def attributes(s3: S3) -> None:
    bucket = s3.bucket()
    s3.put(bucket, "k", b"data", ChecksumAlgorithm="SHA256")
    got = s3.api.get_object_attributes(
        Bucket=bucket, Key="k", ObjectAttributes=["ETag", "ObjectSize", "StorageClass", "Checksum"]
    )
    equal(got.get("ETag"), hashlib.md5(b"data").hexdigest(), "ETag, without quotes")
    equal(got.get("ObjectSize"), 4, "ObjectSize")
    equal(got.get("StorageClass"), "STANDARD", "StorageClass")
    true(got.get("Checksum", {}).get("ChecksumSHA256"), "a ChecksumSHA256")
    true(got.get("LastModified"), "a Last-Modified")


@G.case("attributes_only_asked", "GetObjectAttributes: x-amz-object-attributes")
def attributes_only_asked(s3: S3) -> None:
    bucket = s3.bucket()
    s3.put(bucket, "k", b"data")
    headers = {"x-amz-object-attributes": "ObjectSize"}
    answer = s3.req("GET", bucket, "k", {"attributes": ""}, headers).ok()
    equal([e.tag for e in answer.xml], ["ObjectSize"], "elements")


@G.case("attributes_of_nothing", "GetObjectAttributes: x-amz-object-attributes is required")
def attributes_of_nothing(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    s3.req("GET", bucket, "k", {"attributes": ""}).error(400, "InvalidRequest")


@G.case("attributes_missing", "GetObjectAttributes; Error responses: NoSuchKey")
def attributes_missing(s3: S3) -> None:
    refused(
        404,
        "NoSuchKey",
        s3.api.get_object_attributes,
        Bucket=s3.bucket(),
        Key="k",
        ObjectAttributes=["ETag"],
    )


@G.case("read_your_write", "Amazon S3 data consistency model: strong read-after-write")
def read_your_write(s3: S3) -> None:
    bucket = s3.bucket()
    for _ in range(20):
        data = os.urandom(16)
        s3.req("PUT", bucket, "k", body=data).ok()
        true(s3.req("GET", bucket, "k").ok().body == data, "what was written just before")
        s3.req("DELETE", bucket, "k").ok(204)
        s3.req("GET", bucket, "k").error(404, "NoSuchKey")
