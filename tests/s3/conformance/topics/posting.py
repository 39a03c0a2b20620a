"""Uploads by an HTML form: POST with a policy."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from datetime import UTC, datetime, timedelta
from hashlib import md5
from urllib.parse import parse_qsl, urlsplit

from ..context import S3
from ..expect import equal, true
from ..rawhttp import Response
from ..registry import Group

G = Group("post")

SECTION = "Browser-Based Uploads Using POST (AWS Signature Version 4)"

Fields = dict[str, str]


def form(fields: Fields, data: bytes | None, filename: str = "local.txt") -> tuple[bytes, str]:
    boundary = uuid.uuid4().hex
    parts = []
    for name, value in fields.items():
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
        parts.append(head.encode() + value.encode() + b"\r\n")
    if data is not None:
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; '
            f'filename="{filename}"\r\nContent-Type: text/plain\r\n\r\n'
        )
        parts.append(head.encode() + data + b"\r\n")
    parts.append(f"--{boundary}--\r\n".encode())
    return b"".join(parts), f"multipart/form-data; boundary={boundary}"


def signed(s3: S3, bucket: str, fields: Fields, conditions: list, seconds: int = 300) -> Fields:
    """The fields with a policy of these further conditions, and its signature."""
    at = s3.signer.moment()
    fields = {
        **fields,
        "x-amz-algorithm": "AWS4-HMAC-SHA256",
        "x-amz-credential": f"{s3.signer.access_key}/{s3.signer.scope(at)}",
        "x-amz-date": f"{at:%Y%m%dT%H%M%SZ}",
    }
    names = ("x-amz-algorithm", "x-amz-credential", "x-amz-date")
    until = datetime.now(UTC) + timedelta(seconds=seconds)
    policy = {
        "expiration": f"{until:%Y-%m-%dT%H:%M:%S.000Z}",
        "conditions": [{"bucket": bucket}, *({n: fields[n]} for n in names), *conditions],
    }
    fields["policy"] = base64.b64encode(json.dumps(policy).encode()).decode()
    fields["x-amz-signature"] = s3.signer.signature(at, fields["policy"])
    return fields


def post(s3: S3, bucket: str, fields: Fields, data: bytes | None = b"data", **more) -> Response:
    body, kind = form(fields, data, **more)
    headers = {"Host": s3.endpoint.host, "Content-Type": kind}
    return s3.send("POST", s3.path(bucket), {}, headers, body)


KEY = {"key": "k"}
ETAG = f'"{md5(b"data").hexdigest()}"'


@G.case("default_answer", f"{SECTION}: 204 without success_action_status")
def default_answer(s3: S3) -> None:
    bucket = s3.bucket()
    answer = post(s3, bucket, signed(s3, bucket, KEY, [KEY])).ok(204)
    equal(answer["etag"], ETAG, "ETag")
    equal(s3.read(bucket, "k"), b"data", "body")


@G.case("answer_201", f"{SECTION}: success_action_status 201, PostResponse")
def answer_201(s3: S3) -> None:
    bucket = s3.bucket()
    fields = {"key": "dir/k", "success_action_status": "201"}
    answer = post(s3, bucket, signed(s3, bucket, fields, [{k: v} for k, v in fields.items()]))
    answer.ok(201)
    equal(answer.xml.tag, "PostResponse", "document")
    got = (answer.text("Bucket"), answer.text("Key"), answer.text("ETag"))
    equal(got, (bucket, "dir/k", ETAG), "Bucket, Key, ETag")
    true(answer.text("Location"), "a Location")


@G.case("location", f"{SECTION}: Location, the URI of the new object")
def location(s3: S3) -> None:
    bucket = s3.bucket()
    answer = post(s3, bucket, signed(s3, bucket, KEY, [KEY])).ok(204)
    target = urlsplit(answer["location"] or "")
    equal((target.netloc, target.path), (s3.endpoint.host, f"/{bucket}/k"), "Location")


@G.table(
    f"{SECTION}: success_action_status 200, 201 or 204; another is as none",
    {"answer_200": ("200", 200), "answer_204": ("204", 204), "answer_unknown": ("302", 204)},
)
def answer_status(s3: S3, wanted: str, status: int) -> None:
    bucket = s3.bucket()
    fields = {**KEY, "success_action_status": wanted}
    signed_fields = signed(s3, bucket, fields, [{k: v} for k, v in fields.items()])
    post(s3, bucket, signed_fields).ok(status)


@G.case("redirect", f"{SECTION}: success_action_redirect, 303 with bucket, key and etag")
def redirect(s3: S3) -> None:
    bucket = s3.bucket()
    fields = {**KEY, "success_action_redirect": "http://example.com/done?x=1"}
    answer = post(s3, bucket, signed(s3, bucket, fields, [{k: v} for k, v in fields.items()]))
    answer.ok(303)
    target = urlsplit(answer["location"] or "")
    equal((target.netloc, target.path), ("example.com", "/done"), "Location")
    wanted = {"x": "1", "bucket": bucket, "key": "k", "etag": ETAG}
    equal(dict(parse_qsl(target.query)), wanted, "query of the Location")


@G.case("filename", f"{SECTION}: ${{filename}} in the key")
def filename(s3: S3) -> None:
    bucket = s3.bucket()
    fields = {"key": "up/${filename}"}
    conditions = [["starts-with", "$key", "up/"]]
    post(s3, bucket, signed(s3, bucket, fields, conditions), filename="photo.txt").ok(204)
    equal(s3.read(bucket, "up/photo.txt"), b"data", "body")


@G.case("headers_and_metadata", f"{SECTION}: Content-Type, x-amz-meta-*, Cache-Control")
def headers_and_metadata(s3: S3) -> None:
    bucket = s3.bucket()
    fields = {**KEY, "Content-Type": "text/css", "x-amz-meta-a": "1", "Cache-Control": "no-cache"}
    post(s3, bucket, signed(s3, bucket, fields, [{k: v} for k, v in fields.items()])).ok(204)
    head = s3.req("HEAD", bucket, "k").ok()
    got = (head["content-type"], head["x-amz-meta-a"], head["cache-control"])
    equal(got, ("text/css", "1", "no-cache"), "headers")


@G.case("field_names_in_any_case", f"{SECTION}: field names are not case sensitive")
def any_case(s3: S3) -> None:
    bucket = s3.bucket()
    fields = {k.title(): v for k, v in signed(s3, bucket, KEY, [KEY]).items()}
    post(s3, bucket, fields).ok(204)


@G.case("ignored_field", f"{SECTION}: x-ignore-* needs no condition")
def ignored_field(s3: S3) -> None:
    bucket = s3.bucket()
    fields = {**signed(s3, bucket, KEY, [KEY]), "x-ignore-me": "please"}
    post(s3, bucket, fields).ok(204)


@G.case("fields_after_file", f"{SECTION}: fields after the file are ignored")
def fields_after_file(s3: S3) -> None:
    bucket = s3.bucket()
    body, kind = form(signed(s3, bucket, KEY, [KEY]), b"data")
    boundary = kind.rpartition("=")[2]
    late = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="x-amz-meta-late"\r\n\r\n'
        f"1\r\n--{boundary}--\r\n"
    )
    body = body.removesuffix(f"--{boundary}--\r\n".encode()) + late.encode()
    headers = {"Host": s3.endpoint.host, "Content-Type": kind}
    s3.send("POST", s3.path(bucket), {}, headers, body).ok(204)
    equal(s3.req("HEAD", bucket, "k").ok()["x-amz-meta-late"], None, "x-amz-meta-late")


@G.table(
    f"{SECTION}, Creating a POST Policy: conditions",
    {
        "condition_eq_list": ([["eq", "$key", "k"]], 204, None),
        "condition_starts_with": ([["starts-with", "$key", "k"]], 204, None),
        "condition_starts_with_nothing": ([["starts-with", "$key", ""]], 204, None),
        "condition_range": ([KEY, ["content-length-range", 1, 10]], 204, None),
        "condition_range_exact": ([KEY, ["content-length-range", 4, 4]], 204, None),
        "condition_eq_other": ([["eq", "$key", "other"]], 403, "AccessDenied"),
        "condition_object_other": ([{"key": "other"}], 403, "AccessDenied"),
        "condition_starts_with_other": (
            [["starts-with", "$key", "up/"]],
            403,
            "AccessDenied",
        ),
        "condition_missing_for_key": ([], 403, "AccessDenied"),
        "condition_on_absent_field": ([KEY, {"acl": "private"}], 403, "AccessDenied"),
        "condition_range_too_small": (
            [KEY, ["content-length-range", 5, 10]],
            400,
            "EntityTooSmall",
        ),
        "condition_range_too_large": (
            [KEY, ["content-length-range", 0, 3]],
            400,
            "EntityTooLarge",
        ),
    },
)
def condition(s3: S3, conditions: list, status: int, code: str | None) -> None:
    bucket = s3.bucket()
    answer = post(s3, bucket, signed(s3, bucket, KEY, conditions))
    if code is None:
        answer.ok(status)
    else:
        answer.error(status, code)
        s3.req("HEAD", bucket, "k").ok(404)


@G.case("extra_field", f"{SECTION}: each field needs a condition; AccessDenied")
def extra_field(s3: S3) -> None:
    bucket = s3.bucket()
    fields = {**signed(s3, bucket, KEY, [KEY]), "x-amz-meta-a": "1"}
    post(s3, bucket, fields).error(403, "AccessDenied")


@G.case("type_of_the_file", f"{SECTION}: Content-Type is a field; binary/octet-stream without")
def type_of_the_file(s3: S3) -> None:
    bucket = s3.bucket()
    post(s3, bucket, signed(s3, bucket, KEY, [KEY])).ok(204)
    got = s3.req("HEAD", bucket, "k").ok()["content-type"]
    equal(got, "binary/octet-stream", "Content-Type")


@G.table(
    f"{SECTION}: each field needs a condition, the bucket and those of the signature too",
    {
        "bucket_without_condition": ("bucket",),
        "algorithm_without_condition": ("x-amz-algorithm",),
        "credential_without_condition": ("x-amz-credential",),
        "date_without_condition": ("x-amz-date",),
    },
)
def without_condition(s3: S3, name: str) -> None:
    bucket = s3.bucket()
    fields = signed(s3, bucket, KEY, [KEY])
    policy = json.loads(base64.b64decode(fields["policy"]))
    policy["conditions"] = [c for c in policy["conditions"] if name not in c]
    fields["policy"] = base64.b64encode(json.dumps(policy).encode()).decode()
    fields["x-amz-signature"] = s3.signer.signature(s3.signer.moment(), fields["policy"])
    post(s3, bucket, fields).error(403, "AccessDenied")


@G.case("repeated_field", f"{SECTION}: a condition is about one value; InvalidArgument")
def repeated_field(s3: S3) -> None:
    bucket = s3.bucket()
    fields = {**KEY, "Content-Type": "text/css"}
    fields = signed(s3, bucket, fields, [{k: v} for k, v in fields.items()])
    post(s3, bucket, {**fields, "content-type": "text/html"}).error(400, "InvalidArgument")
    s3.req("HEAD", bucket, "k").ok(404)


@G.case("other_bucket", f"{SECTION}: the bucket of the policy; AccessDenied")
def other_bucket(s3: S3) -> None:
    bucket, other = s3.bucket(), s3.bucket()
    post(s3, other, signed(s3, bucket, KEY, [KEY])).error(403, "AccessDenied")


@G.case("expired_policy", f"{SECTION}: expiration; AccessDenied")
def expired_policy(s3: S3) -> None:
    bucket = s3.bucket()
    answer = post(s3, bucket, signed(s3, bucket, KEY, [KEY], seconds=-60))
    answer.error(403, "AccessDenied")
    s3.req("HEAD", bucket, "k").ok(404)


@G.case("wrong_signature", f"{SECTION}; SignatureDoesNotMatch")
def wrong_signature(s3: S3) -> None:
    bucket = s3.bucket()
    fields = {**signed(s3, bucket, KEY, [KEY]), "x-amz-signature": "0" * 64}
    post(s3, bucket, fields).error(403, "SignatureDoesNotMatch")


@G.table(
    f"{SECTION}; InvalidPolicyDocument",
    {
        "policy_no_json": (b"no json",),
        "policy_without_expiration": (b'{"conditions": []}',),
        "policy_without_conditions": (b'{"expiration": "2099-01-01T00:00:00.000Z"}',),
        "policy_unknown_operator": (
            b'{"expiration": "2099-01-01T00:00:00.000Z",'
            b' "conditions": [["ends-with", "$key", "k"]]}',
        ),
    },
)
def bad_policy(s3: S3, policy: bytes) -> None:
    bucket = s3.bucket()
    at = s3.signer.moment()
    fields = signed(s3, bucket, KEY, [KEY])
    fields["policy"] = base64.b64encode(policy).decode()
    fields["x-amz-signature"] = s3.signer.signature(at, fields["policy"])
    post(s3, bucket, fields).error(400, "InvalidPolicyDocument")


@G.case("without_file", f"{SECTION}: exactly one file; InvalidArgument")
def without_file(s3: S3) -> None:
    bucket = s3.bucket()
    post(s3, bucket, signed(s3, bucket, KEY, [KEY]), None).error(400, "InvalidArgument")


@G.case("without_key", f"{SECTION}: a field named key; InvalidArgument")
def without_key(s3: S3) -> None:
    bucket = s3.bucket()
    post(s3, bucket, signed(s3, bucket, {}, [])).error(400, "InvalidArgument")


@G.case("anonymous", f"{SECTION}: without a policy, to a private bucket; AccessDenied")
def anonymous(s3: S3) -> None:
    bucket = s3.bucket()
    post(s3, bucket, KEY).error(403, "AccessDenied")
    s3.req("HEAD", bucket, "k").ok(404)


@G.case("missing_bucket", f"{SECTION}; NoSuchBucket")
def missing_bucket(s3: S3) -> None:
    name = s3.name()
    post(s3, name, signed(s3, name, KEY, [KEY])).error(404, "NoSuchBucket")


@G.case("empty_file", SECTION)
def empty_file(s3: S3) -> None:
    bucket = s3.bucket()
    post(s3, bucket, signed(s3, bucket, KEY, [KEY]), b"").ok(204)
    equal(s3.read(bucket, "k"), b"", "body")


@G.case("data_like_a_boundary", "RFC 7578; RFC 2046 section 5.1.1")
def data_like_a_boundary(s3: S3) -> None:
    bucket, data = s3.bucket(), b"\r\n--\r\n--0123\r\n\r\n" * 2000
    post(s3, bucket, signed(s3, bucket, KEY, [KEY]), data).ok(204)
    true(s3.read(bucket, "k") == data, "the same bytes")


@G.case("of_the_sdk", f"{SECTION}; as the SDK signs, with signature version 2 by default")
def of_the_sdk(s3: S3) -> None:
    bucket = s3.bucket()
    made = s3.api.generate_presigned_post(bucket, "k", ExpiresIn=60)
    post(s3, bucket, made["fields"]).ok(204)
    equal(s3.read(bucket, "k"), b"data", "body")


@G.case("v2_wrong_signature", "Browser-Based Uploads Using POST (AWS Signature Version 2)")
def v2_wrong_signature(s3: S3) -> None:
    bucket = s3.bucket()
    fields = s3.api.generate_presigned_post(bucket, "k", ExpiresIn=60)["fields"]
    mac = hmac.new(b"not-the-secret", fields["policy"].encode(), hashlib.sha1).digest()
    fields["signature"] = base64.b64encode(mac).decode()
    post(s3, bucket, fields).error(403, "SignatureDoesNotMatch")
