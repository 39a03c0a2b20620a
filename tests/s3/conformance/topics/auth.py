"""Signed headers: what is accepted, and what is refused with which error."""

from __future__ import annotations

from ..context import S3
from ..expect import equal, matches, true
from ..registry import Group
from ..sigv4 import Signer, sha256

G = Group("auth")

SECTION = "Authenticating Requests: Using the Authorization Header (AWS Signature Version 4)"


@G.table(
    f"{SECTION}: canonical request",
    {
        "query_in_any_order": (
            "GET",
            None,
            {"prefix": "a", "list-type": "2", "delimiter": "/"},
            {},
        ),
        "query_with_space_and_plus": ("GET", None, {"prefix": "a b+c", "list-type": "2"}, {}),
        "query_with_slash": ("GET", None, {"prefix": "a/b/", "list-type": "2"}, {}),
        "query_with_unicode": ("GET", None, {"prefix": "ü", "list-type": "2"}, {}),
        "query_without_value": ("GET", None, {"versioning": ""}, {}),
        "key_with_reserved": ("PUT", "a b+c=d&e?f#g%h", {}, {}),
        "key_with_double_slash": ("PUT", "a//b", {}, {}),
        "key_with_dots": ("PUT", "a/.hidden/b..c", {}, {}),
        "header_with_space_runs": ("PUT", "k", {}, {"x-amz-meta-a": "  a   b  "}),
        "header_in_mixed_case": ("PUT", "k", {}, {"X-Amz-Meta-MiXed": "Value"}),
        "header_empty": ("PUT", "k", {}, {"x-amz-meta-a": ""}),
    },
)
def accepted(s3: S3, method: str, key: str | None, query: dict, headers: dict) -> None:
    s3.req(method, s3.bucket(), key, query, headers).ok()


@G.case("unsigned_payload", f"{SECTION}: x-amz-content-sha256 UNSIGNED-PAYLOAD")
def unsigned_payload(s3: S3) -> None:
    s3.req("PUT", s3.bucket(), "k", body=b"data", payload="UNSIGNED-PAYLOAD").ok()


@G.case("header_not_signed_is_no_matter", f"{SECTION}: other headers may stay unsigned")
def header_not_signed(s3: S3) -> None:
    headers = {"Cache-Control": "no-cache"}
    s3.req("PUT", s3.bucket(), "k", headers=headers, unsigned=("cache-control",)).ok()


@G.case("wrong_secret", "Error responses: SignatureDoesNotMatch")
def wrong_secret(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    signer = Signer(s3.signer.access_key, "not-the-secret")
    answer = s3.req("GET", bucket, "k", signer=signer).error(403, "SignatureDoesNotMatch")
    equal(answer.text("AWSAccessKeyId"), s3.signer.access_key, "AWSAccessKeyId")
    matches(answer.text("StringToSign"), "^AWS4-HMAC-SHA256\n", "StringToSign")
    matches(answer.text("CanonicalRequest"), "^GET\n", "CanonicalRequest")


@G.case("unknown_access_key", "Error responses: InvalidAccessKeyId")
def unknown_access_key(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    signer = Signer("AKIAIOSFODNN7UNKNOWN", s3.signer.secret_key)
    s3.req("GET", bucket, "k", signer=signer).error(403, "InvalidAccessKeyId")


def _set(name: str, value: str):
    def change(headers: dict[str, str]) -> None:
        headers[name] = value

    return change


def _drop(name: str):
    def change(headers: dict[str, str]) -> None:
        headers.pop(name, None)

    return change


def _replace(old: str, new: str):
    def change(headers: dict[str, str]) -> None:
        headers["Authorization"] = headers["Authorization"].replace(old, new)

    return change


def _last_digit(headers: dict[str, str]) -> None:
    signed = headers["Authorization"]
    headers["Authorization"] = signed[:-1] + ("0" if signed[-1] != "0" else "1")


@G.table(
    f"{SECTION}; Error responses: SignatureDoesNotMatch",
    {
        "tampered_signature": (_last_digit,),
        "tampered_signed_header": (_set("x-amz-meta-a", "other"),),
        "tampered_host": (_set("Host", "elsewhere.example.com"),),
        "tampered_date": (_set("x-amz-date", "{now}"),),
    },
)
def tampered(s3: S3, change) -> None:
    bucket = s3.bucket()
    signer = s3.signer.shifted(-60)

    def changed(headers: dict[str, str]) -> None:
        change(headers)
        if headers["x-amz-date"] == "{now}":
            headers["x-amz-date"] = f"{s3.signer.moment():%Y%m%dT%H%M%SZ}"

    headers = {"x-amz-meta-a": "value"}
    answer = s3.req("PUT", bucket, "k", headers=headers, signer=signer, change=changed)
    answer.error(403, "SignatureDoesNotMatch")
    s3.req("HEAD", bucket, "k").ok(404)


@G.case("tampered_path", f"{SECTION}; SignatureDoesNotMatch")
def tampered_path(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "a", "b")
    seen: dict[str, str] = {}
    s3.req("GET", bucket, "a", change=lambda headers: seen.update(headers)).ok()
    s3.send("GET", s3.path(bucket, "b"), {}, seen).error(403, "SignatureDoesNotMatch")


@G.case("tampered_query", f"{SECTION}; SignatureDoesNotMatch")
def tampered_query(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "a")
    seen: dict[str, str] = {}
    s3.req("GET", bucket, query={"prefix": "a"}, change=lambda h: seen.update(h)).ok()
    s3.send("GET", s3.path(bucket), {"prefix": "b"}, seen).error(403, "SignatureDoesNotMatch")


@G.case("tampered_method", f"{SECTION}; SignatureDoesNotMatch")
def tampered_method(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "a")
    seen: dict[str, str] = {}
    s3.req("GET", bucket, "a", change=lambda h: seen.update(h)).ok()
    s3.send("DELETE", s3.path(bucket, "a"), {}, seen).error(403, "SignatureDoesNotMatch")
    s3.req("HEAD", bucket, "a").ok()


@G.case("body_of_other_hash", "Error responses: XAmzContentSHA256Mismatch")
def body_of_other_hash(s3: S3) -> None:
    bucket = s3.bucket()
    answer = s3.req("PUT", bucket, "k", body=b"data", payload=sha256(b"other"))
    answer.error(400, "XAmzContentSHA256Mismatch")
    s3.req("HEAD", bucket, "k").ok(404)


@G.table(
    f"{SECTION}; Error responses: AuthorizationHeaderMalformed",
    {
        "no_credential": (_replace("Credential=", "Nobody="),),
        "credential_too_short": (_replace("/s3/aws4_request", ""),),
        "no_signed_headers": (_replace("SignedHeaders=", "Headers="),),
        "no_signature": (_replace("Signature=", "Sig="),),
        "other_service": (_replace("/s3/", "/ec2/"),),
        "other_terminator": (_replace("/aws4_request", "/aws9_request"),),
    },
)
def malformed(s3: S3, change) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    answer = s3.req("GET", bucket, "k", change=change)
    answer.error(400, "AuthorizationHeaderMalformed")


@G.case("other_algorithm", f"{SECTION}; an Authorization type that S3 does not know")
def other_algorithm(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    answer = s3.req("GET", bucket, "k", change=_replace("AWS4-HMAC-SHA256", "AWS9-HMAC-SHA999"))
    equal(
        (answer.status, answer.code in ("InvalidArgument", "InvalidRequest")), (400, True), "error"
    )


@G.table(
    "Error responses: RequestTimeTooSkewed",
    {"clock_behind": (-3600,), "clock_ahead": (3600,)},
)
def skewed(s3: S3, seconds: int) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    signer = s3.signer.shifted(seconds)
    s3.req("GET", bucket, "k", signer=signer).error(403, "RequestTimeTooSkewed")


@G.case("clock_ten_minutes_off", "Error responses: RequestTimeTooSkewed, beyond 15 minutes")
def ten_minutes_off(s3: S3) -> None:
    s3.req("GET", s3.keys(s3.bucket(), "k"), "k", signer=s3.signer.shifted(-600)).ok()


@G.case("no_date", f"{SECTION}: Date or x-amz-date is required; AccessDenied")
def no_date(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    s3.req("GET", bucket, "k", change=_drop("x-amz-date")).error(403, "AccessDenied")


@G.case("no_content_sha256", f"{SECTION}: x-amz-content-sha256 is required; InvalidRequest")
def no_content_sha256(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    answer = s3.req("GET", bucket, "k", change=_drop("x-amz-content-sha256"))
    answer.error(400, "InvalidRequest")


@G.case("content_sha256_no_hash", f"{SECTION}: x-amz-content-sha256 is a hash or a known word")
def content_sha256_no_hash(s3: S3) -> None:
    answer = s3.req("PUT", s3.bucket(), "k", body=b"data", payload="no-hash")
    equal(
        (answer.status, answer.code in ("InvalidArgument", "InvalidRequest")), (400, True), "error"
    )


@G.case("amz_header_not_signed", f"{SECTION}: all x-amz-* headers must be signed; AccessDenied")
def amz_header_not_signed(s3: S3) -> None:
    bucket = s3.bucket()
    headers = {"x-amz-meta-a": "1"}
    answer = s3.req("PUT", bucket, "k", headers=headers, unsigned=("x-amz-meta-a",))
    answer.error(403, "AccessDenied")
    s3.req("HEAD", bucket, "k").ok(404)


@G.case("header_and_query", "Authenticating Requests: one mechanism only; InvalidArgument")
def header_and_query(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    path, query, headers = s3.presigned("GET", bucket, "k")
    headers["Authorization"] = "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature=b"
    s3.send("GET", path, query, headers).error(400, "InvalidArgument")


@G.table(
    "Authenticating Requests: anonymous requests to what is private; AccessDenied",
    {
        "anonymous_get": ("GET", "k", {}),
        "anonymous_put": ("PUT", "new", {}),
        "anonymous_delete": ("DELETE", "k", {}),
        "anonymous_list": ("GET", None, {"list-type": "2"}),
    },
)
def anonymous(s3: S3, method: str, key: str | None, query: dict[str, str]) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    s3.req(method, bucket, key, query, anonymous=True).error(403, "AccessDenied")
    s3.req("HEAD", bucket, "k").ok()


@G.case("anonymous_list_buckets", "ListBuckets: anonymous requests are never supported")
def anonymous_list_buckets(s3: S3) -> None:
    answer = s3.req("GET", anonymous=True)
    true(answer.status in (307, 403), f"403, or a redirect to the product page: {answer.status}")


@G.case("head_without_body", "HeadObject: 403 without a body")
def head_without_body(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    signer = Signer(s3.signer.access_key, "not-the-secret")
    equal(s3.req("HEAD", bucket, "k", signer=signer).ok(403).body, b"", "body")
