"""Cross-origin rules: kept, and answered."""

from __future__ import annotations

from ..checksums import content_md5
from ..context import S3
from ..expect import equal, matches, refused, true
from ..rawhttp import Response
from ..registry import Group

G = Group("cors")

SECTION = "Using cross-origin resource sharing (CORS)"
ORIGIN = "http://www.example.com"

RULES = [
    {
        "ID": "first",
        "AllowedOrigins": [ORIGIN],
        "AllowedMethods": ["GET", "PUT"],
        "AllowedHeaders": ["content-type", "x-amz-*"],
        "ExposeHeaders": ["ETag", "x-amz-version-id"],
        "MaxAgeSeconds": 600,
    },
    {"AllowedOrigins": ["https://*.example.org"], "AllowedMethods": ["GET"]},
    {"AllowedOrigins": ["*"], "AllowedMethods": ["HEAD"]},
]


def configured(s3: S3, rules: list[dict] | None = None) -> str:
    bucket = s3.keys(s3.bucket(), "k")
    s3.api.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": rules or RULES})
    return bucket


def preflight(s3: S3, bucket: str, origin: str | None, method: str | None, headers: str = ""):
    sent = {"Host": s3.endpoint.host}
    if origin is not None:
        sent["Origin"] = origin
    if method is not None:
        sent["Access-Control-Request-Method"] = method
    if headers:
        sent["Access-Control-Request-Headers"] = headers
    return s3.send("OPTIONS", s3.path(bucket, "k"), {}, sent)


@G.case("round_trip", "PutBucketCors, GetBucketCors")
def round_trip(s3: S3) -> None:
    got = s3.api.get_bucket_cors(Bucket=configured(s3))["CORSRules"]
    equal(got, RULES, "CORSRules")


@G.case("none", "GetBucketCors; NoSuchCORSConfiguration")
def none(s3: S3) -> None:
    s3.req("GET", s3.bucket(), query={"cors": ""}).error(404, "NoSuchCORSConfiguration")


@G.case("delete", "DeleteBucketCors: 204")
def delete(s3: S3) -> None:
    bucket = configured(s3)
    s3.req("DELETE", bucket, query={"cors": ""}).ok(204)
    refused(404, "NoSuchCORSConfiguration", s3.api.get_bucket_cors, Bucket=bucket)
    s3.req("DELETE", bucket, query={"cors": ""}).ok(204)


@G.case("preflight_allowed", f"{SECTION}: preflight")
def preflight_allowed(s3: S3) -> None:
    bucket = configured(s3)
    answer = preflight(s3, bucket, ORIGIN, "PUT", "Content-Type, X-Amz-Meta-A").ok()
    equal(answer["access-control-allow-origin"], ORIGIN, "Access-Control-Allow-Origin")
    matches(answer["access-control-allow-methods"], "PUT", "Access-Control-Allow-Methods")
    allowed = (answer["access-control-allow-headers"] or "").lower()
    for name in ("content-type", "x-amz-meta-a"):
        true(name in allowed, f"`{name}` in Access-Control-Allow-Headers, got `{allowed}`")
    equal(answer["access-control-max-age"], "600", "Access-Control-Max-Age")
    matches(answer["access-control-expose-headers"], "ETag", "Access-Control-Expose-Headers")
    matches((answer["vary"] or "").lower(), "origin", "Vary")
    equal(answer.body, b"", "body")


@G.table(
    f"{SECTION}: the first rule that matches",
    {
        "preflight_wildcard_in_origin": (
            "https://shop.example.org",
            "GET",
            "https://shop.example.org",
        ),
        "preflight_any_origin": ("http://anywhere.test", "HEAD", "*"),
    },
)
def preflight_wildcard(s3: S3, origin: str, method: str, allowed: str) -> None:
    answer = preflight(s3, configured(s3), origin, method).ok()
    equal(answer["access-control-allow-origin"], allowed, "Access-Control-Allow-Origin")


@G.table(
    f"{SECTION}: no rule matches; AccessForbidden",
    {
        "preflight_other_origin": ("http://evil.test", "PUT", ""),
        "preflight_other_scheme": ("https://www.example.com", "PUT", ""),
        "preflight_other_method": (ORIGIN, "DELETE", ""),
        "preflight_other_header": (ORIGIN, "PUT", "x-custom"),
        "preflight_origin_is_case_sensitive": ("http://WWW.example.com", "PUT", ""),
    },
)
def preflight_refused(s3: S3, origin: str, method: str, headers: str) -> None:
    answer = preflight(s3, configured(s3), origin, method, headers)
    answer.error(403, "AccessForbidden")
    equal(answer["access-control-allow-origin"], None, "Access-Control-Allow-Origin")


@G.case("preflight_without_rules", f"{SECTION}: CORS is not enabled for this bucket")
def preflight_without_rules(s3: S3) -> None:
    preflight(s3, s3.bucket(), ORIGIN, "GET").error(403, "AccessForbidden")


@G.table(
    f"{SECTION}: what a preflight must have; BadRequest",
    {
        "preflight_without_origin": (None, "GET"),
        "preflight_without_method": (ORIGIN, None),
    },
)
def preflight_incomplete(s3: S3, origin: str | None, method: str | None) -> None:
    preflight(s3, configured(s3), origin, method).error(400, "BadRequest")


def simple(s3: S3, bucket: str, origin: str, method: str = "GET", key: str = "k") -> Response:
    return s3.req(method, bucket, key, headers={"Origin": origin})


@G.case("answer_has_headers", f"{SECTION}: the answer of the actual request")
def answer_has_headers(s3: S3) -> None:
    answer = simple(s3, configured(s3), ORIGIN).ok()
    equal(answer["access-control-allow-origin"], ORIGIN, "Access-Control-Allow-Origin")
    matches(answer["access-control-expose-headers"], "ETag", "Access-Control-Expose-Headers")
    matches((answer["vary"] or "").lower(), "origin", "Vary")


@G.case("error_has_headers", f"{SECTION}: so that a page can read the error")
def error_has_headers(s3: S3) -> None:
    answer = simple(s3, configured(s3), ORIGIN, key="missing").error(404, "NoSuchKey")
    equal(answer["access-control-allow-origin"], ORIGIN, "Access-Control-Allow-Origin")


@G.case("put_has_headers", f"{SECTION}: the answer of the actual request")
def put_has_headers(s3: S3) -> None:
    answer = simple(s3, configured(s3), ORIGIN, "PUT").ok()
    equal(answer["access-control-allow-origin"], ORIGIN, "Access-Control-Allow-Origin")


@G.case("other_origin_is_answered", f"{SECTION}: no rule matches, no CORS headers")
def other_origin(s3: S3) -> None:
    answer = simple(s3, configured(s3), "http://evil.test").ok()
    equal(answer["access-control-allow-origin"], None, "Access-Control-Allow-Origin")


@G.case("without_origin", f"{SECTION}: no Origin, no CORS headers")
def without_origin(s3: S3) -> None:
    answer = s3.req("GET", configured(s3), "k").ok()
    equal(answer["access-control-allow-origin"], None, "Access-Control-Allow-Origin")


@G.table(
    "PutBucketCors, Request Body; Error responses",
    {
        "method_unsupported": (
            "<CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>PATCH</AllowedMethod></CORSRule>",
            "InvalidRequest",
        ),
        "origin_with_two_wildcards": (
            "<CORSRule><AllowedOrigin>http://*.*.com</AllowedOrigin>"
            "<AllowedMethod>GET</AllowedMethod></CORSRule>",
            "InvalidRequest",
        ),
        "rule_without_method": (
            "<CORSRule><AllowedOrigin>*</AllowedOrigin></CORSRule>",
            "MalformedXML",
        ),
        "rule_without_origin": (
            "<CORSRule><AllowedMethod>GET</AllowedMethod></CORSRule>",
            "MalformedXML",
        ),
        "no_rules": ("", "MalformedXML"),
    },
)
def refused_rules(s3: S3, rules: str, code: str) -> None:
    body = f"<CORSConfiguration>{rules}</CORSConfiguration>".encode()
    headers = {"Content-MD5": content_md5(body)}
    s3.req("PUT", s3.bucket(), query={"cors": ""}, headers=headers, body=body).error(400, code)
