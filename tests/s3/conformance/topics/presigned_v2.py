"""Signature version 2 in the query, which SDKs still presign by default with
for an endpoint that is not Amazon's."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time

from ..context import S3
from ..expect import equal, matches, one_of
from ..rawhttp import Response
from ..registry import Group

G = Group("presigned_v2")

SECTION = "Signing and Authenticating REST Requests: Query String Request Authentication"


def send(
    s3: S3,
    method: str,
    bucket: str,
    key: str,
    *,
    query: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    body: bytes = b"",
    seconds: int = 300,
    change: dict[str, str] | None = None,
) -> Response:
    path, query, headers = s3.path(bucket, key), dict(query or {}), dict(headers or {})
    expires = str(int(time.time()) + seconds)
    resource = path
    if query:
        resource += "?" + "&".join(f"{k}={v}" if v else k for k, v in sorted(query.items()))
    amz = sorted((k.lower(), v) for k, v in headers.items() if k.lower().startswith("x-amz-"))
    text = "\n".join(
        (
            method,
            headers.get("Content-MD5", ""),
            headers.get("Content-Type", ""),
            expires,
            *(f"{k}:{v}" for k, v in amz),
            resource,
        )
    )
    mac = hmac.new(s3.signer.secret_key.encode(), text.encode(), hashlib.sha1).digest()
    whole = {
        **query,
        "AWSAccessKeyId": s3.signer.access_key,
        "Expires": expires,
        "Signature": base64.b64encode(mac).decode(),
        **(change or {}),
    }
    return s3.send(method, path, whole, {"Host": s3.endpoint.host, **headers}, body)


@G.case("get", SECTION)
def get(s3: S3) -> None:
    bucket = s3.bucket()
    s3.put(bucket, "a b/ü", b"data")
    equal(send(s3, "GET", bucket, "a b/ü").ok().body, b"data", "body")


@G.case("put", SECTION)
def put(s3: S3) -> None:
    bucket = s3.bucket()
    headers = {"Content-Type": "text/css", "x-amz-meta-a": "1"}
    send(s3, "PUT", bucket, "k", headers=headers, body=b"data").ok()
    head = s3.req("HEAD", bucket, "k").ok()
    equal((head["content-type"], head["x-amz-meta-a"]), ("text/css", "1"), "headers")


@G.case("response_override", f"{SECTION}: response-* are signed, not encoded")
def response_override(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    value = 'attachment; filename="a b.txt"'
    answer = send(s3, "GET", bucket, "k", query={"response-content-disposition": value}).ok()
    equal(answer["content-disposition"], value, "Content-Disposition")


@G.case("expired", f"{SECTION}: Expires; AccessDenied")
def expired(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    answer = send(s3, "GET", bucket, "k", seconds=-60).error(403, "AccessDenied")
    matches(answer.text("Message"), "(?i)expired", "Message")


@G.table(
    f"{SECTION}; SignatureDoesNotMatch",
    {
        "tampered_signature": ("Signature", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        "tampered_expires": ("Expires", "4102444800"),
        "added_version": ("versionId", "null"),
    },
)
def tampered(s3: S3, name: str, value: str) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    answer = send(s3, "GET", bucket, "k", change={name: value})
    answer.error(403, "SignatureDoesNotMatch")


@G.table(
    f"{SECTION}: what version 2 does not sign, it may not name",
    {"added_attributes": ("attributes",), "added_retention": ("retention",)},
)
def added(s3: S3, name: str) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    answer = send(s3, "GET", bucket, "k", change={name: ""})
    # The reference leaves open which of the two it is.
    one_of(answer.status, (400, 403), "status")
    one_of(answer.code, ("InvalidRequest", "SignatureDoesNotMatch"), "code")


@G.case("of_the_sdk_get", f"{SECTION}; as the SDK presigns")
def of_the_sdk_get(s3: S3) -> None:
    bucket = s3.bucket()
    s3.put(bucket, "k", b"data")
    arguments = {"Bucket": bucket, "Key": "k", "ResponseContentType": "text/csv"}
    url = s3.api.generate_presigned_url("get_object", Params=arguments, ExpiresIn=60)
    target = url.removeprefix(s3.endpoint.url.rstrip("/"))
    answer = s3.send("GET", target, {}, {"Host": s3.endpoint.host}).ok()
    equal((answer.body, answer["content-type"]), (b"data", "text/csv"), "body, Content-Type")


@G.case("of_the_sdk_put", f"{SECTION}; as the SDK presigns")
def of_the_sdk_put(s3: S3) -> None:
    bucket = s3.bucket()
    arguments = {"Bucket": bucket, "Key": "k", "ContentType": "text/css"}
    url = s3.api.generate_presigned_url("put_object", Params=arguments, ExpiresIn=60)
    target = url.removeprefix(s3.endpoint.url.rstrip("/"))
    headers = {"Host": s3.endpoint.host, "Content-Type": "text/css"}
    s3.send("PUT", target, {}, headers, b"data").ok()
    equal(s3.read(bucket, "k"), b"data", "body")
