"""Presigned requests: the signature in the query."""

from __future__ import annotations

import re

from ..checksums import encoded
from ..context import S3
from ..expect import equal, matches
from ..registry import Group
from ..sigv4 import Signer

G = Group("presigned")

SECTION = "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)"


@G.case("get", SECTION)
def get(s3: S3) -> None:
    bucket = s3.bucket()
    s3.put(bucket, "a b/ü+", b"data")
    equal(s3.send("GET", *s3.presigned("GET", bucket, "a b/ü+")).ok().body, b"data", "body")


@G.case("head", SECTION)
def head(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    s3.send("HEAD", *s3.presigned("HEAD", bucket, "k")).ok()


@G.case("put", SECTION)
def put(s3: S3) -> None:
    bucket = s3.bucket()
    s3.send("PUT", *s3.presigned("PUT", bucket, "k"), b"data").ok()
    equal(s3.read(bucket, "k"), b"data", "body")


@G.case("delete", SECTION)
def delete(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    s3.send("DELETE", *s3.presigned("DELETE", bucket, "k")).ok(204)
    s3.req("HEAD", bucket, "k").ok(404)


@G.case("upload_part", f"{SECTION}; UploadPart")
def upload_part(s3: S3) -> None:
    bucket = s3.bucket()
    upload = s3.api.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    query = {"partNumber": "1", "uploadId": upload}
    s3.send("PUT", *s3.presigned("PUT", bucket, "k", query), b"data").ok()


@G.case("signed_header", f"{SECTION}: X-Amz-SignedHeaders")
def signed_header(s3: S3) -> None:
    bucket = s3.bucket()
    headers = {"Content-Type": "text/css", "x-amz-meta-a": "1"}
    s3.send("PUT", *s3.presigned("PUT", bucket, "k", headers=headers), b"data").ok()
    got = s3.req("HEAD", bucket, "k").ok()
    equal((got["content-type"], got["x-amz-meta-a"]), ("text/css", "1"), "headers")


@G.case("signed_header_changed", f"{SECTION}; SignatureDoesNotMatch")
def signed_header_changed(s3: S3) -> None:
    bucket = s3.bucket()
    path, query, headers = s3.presigned("PUT", bucket, "k", headers={"Content-Type": "text/css"})
    headers["Content-Type"] = "text/html"
    s3.send("PUT", path, query, headers, b"data").error(403, "SignatureDoesNotMatch")


@G.case("query_checksum_is_ignored", f"{SECTION}; the JavaScript SDK signs that of no body")
def query_checksum(s3: S3) -> None:
    bucket = s3.bucket()
    query = {
        "x-amz-checksum-crc32": encoded("CRC32", b""),
        "x-amz-sdk-checksum-algorithm": "CRC32",
        "x-id": "PutObject",
    }
    s3.send("PUT", *s3.presigned("PUT", bucket, "k", query), b"data").ok()
    equal(s3.read(bucket, "k"), b"data", "body")


@G.case("expired", f"{SECTION}: X-Amz-Expires; AccessDenied")
def expired(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    request = s3.presigned("GET", bucket, "k", expires=60, signer=s3.signer.shifted(-120))
    answer = s3.send("GET", *request).error(403, "AccessDenied")
    matches(answer.text("Message"), "(?i)expired", "Message")


@G.case("expired_put", f"{SECTION}: X-Amz-Expires; AccessDenied")
def expired_put(s3: S3) -> None:
    bucket = s3.bucket()
    request = s3.presigned("PUT", bucket, "k", expires=60, signer=s3.signer.shifted(-120))
    s3.send("PUT", *request, b"data").error(403, "AccessDenied")
    s3.req("HEAD", bucket, "k").ok(404)


@G.case("valid_for_long", f"{SECTION}: X-Amz-Expires, up to seven days")
def valid_for_long(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    signer = s3.signer.shifted(-6 * 86400)
    s3.send("GET", *s3.presigned("GET", bucket, "k", expires=604800, signer=signer)).ok()


@G.case("not_yet_valid", f"{SECTION}: X-Amz-Date; AccessDenied")
def not_yet_valid(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    request = s3.presigned("GET", bucket, "k", signer=s3.signer.shifted(3600))
    s3.send("GET", *request).error(403, "AccessDenied")


@G.table(
    f"{SECTION}; Error responses: AuthorizationQueryParametersError",
    {
        "expires_too_long": (604801,),
        "expires_negative": (-1,),
        "expires_no_number": ("soon",),
    },
)
def expires_refused(s3: S3, expires: int | str) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    answer = s3.send("GET", *s3.presigned("GET", bucket, "k", expires=expires))
    answer.error(400, "AuthorizationQueryParametersError")


@G.table(
    f"{SECTION}; Error responses: AuthorizationQueryParametersError",
    {
        f"without_{re.sub('[^a-z]+', '_', name.lower())}": (name,)
        for name in (
            "X-Amz-Credential",
            "X-Amz-Date",
            "X-Amz-Expires",
            "X-Amz-SignedHeaders",
            "X-Amz-Signature",
        )
    },
)
def without_parameter(s3: S3, name: str) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    path, query, headers = s3.presigned("GET", bucket, "k")
    del query[name]
    s3.send("GET", path, query, headers).error(400, "AuthorizationQueryParametersError")


@G.table(
    f"{SECTION}; Error responses: AuthorizationQueryParametersError",
    {
        "other_algorithm": ("X-Amz-Algorithm", "AWS9-HMAC-SHA999"),
        "credential_without_scope": ("X-Amz-Credential", "nobody"),
        "date_malformed": ("X-Amz-Date", "2026-01-01"),
    },
)
def bad_parameter(s3: S3, name: str, value: str) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    path, query, headers = s3.presigned("GET", bucket, "k")
    query[name] = value
    s3.send("GET", path, query, headers).error(400, "AuthorizationQueryParametersError")


@G.table(
    f"{SECTION}; Error responses: SignatureDoesNotMatch",
    {
        "tampered_signature": ({"X-Amz-Signature": "0" * 64},),
        "tampered_expires": ({"X-Amz-Expires": "604800"},),
        "added_parameter": ({"response-content-type": "text/html"},),
    },
)
def tampered(s3: S3, changes: dict[str, str]) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    path, query, headers = s3.presigned("GET", bucket, "k")
    answer = s3.send("GET", path, {**query, **changes}, headers)
    answer.error(403, "SignatureDoesNotMatch")


@G.case("for_other_key", f"{SECTION}; SignatureDoesNotMatch")
def for_other_key(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "a", "b")
    _, query, headers = s3.presigned("GET", bucket, "a")
    answer = s3.send("GET", s3.path(bucket, "b"), query, headers)
    answer.error(403, "SignatureDoesNotMatch")


@G.case("for_other_method", f"{SECTION}; SignatureDoesNotMatch")
def for_other_method(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    request = s3.presigned("GET", bucket, "k")
    s3.send("DELETE", *request).error(403, "SignatureDoesNotMatch")
    s3.req("HEAD", bucket, "k").ok()


@G.case("wrong_secret", f"{SECTION}; SignatureDoesNotMatch")
def wrong_secret(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    signer = Signer(s3.signer.access_key, "not-the-secret")
    request = s3.presigned("GET", bucket, "k", signer=signer)
    s3.send("GET", *request).error(403, "SignatureDoesNotMatch")


@G.case("expires_with_the_clock", f"{SECTION}: X-Amz-Expires", admin=True)
def expires_with_the_clock(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    request = s3.presigned("GET", bucket, "k", expires=600)
    s3.send("GET", *request).ok()
    with s3.admin.clock_ahead(seconds=601):
        s3.send("GET", *request).error(403, "AccessDenied")
