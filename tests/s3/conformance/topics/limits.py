"""How much is too much."""

from __future__ import annotations

from ..checksums import content_md5
from ..context import S3
from ..expect import equal, one_of
from ..registry import Group

G = Group("limits")

GIB = 1024**3


@G.case("key_of_1025_bytes", "Naming Amazon S3 objects: up to 1,024 bytes; KeyTooLongError")
def key_of_1025(s3: S3) -> None:
    s3.req("PUT", s3.bucket(), "k" * 1025).error(400, "KeyTooLongError")


@G.case("key_counts_bytes", "Naming Amazon S3 objects: bytes of UTF-8, not characters")
def key_counts_bytes(s3: S3) -> None:
    bucket = s3.bucket()
    s3.req("PUT", bucket, "ü" * 512).ok()
    s3.req("PUT", bucket, "ü" * 513).error(400, "KeyTooLongError")


@G.case("put_over_5_gib", "PutObject: up to 5 GB; EntityTooLarge")
def put_over_5_gib(s3: S3) -> None:
    headers = {"Content-Length": str(5 * GIB + 1), "Expect": "100-continue"}
    answer = s3.req("PUT", s3.bucket(), "k", headers=headers, payload="UNSIGNED-PAYLOAD")
    answer.error(400, "EntityTooLarge")


@G.case("part_over_5_gib", "UploadPart: up to 5 GB; EntityTooLarge")
def part_over_5_gib(s3: S3) -> None:
    bucket = s3.bucket()
    upload = s3.api.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    headers = {"Content-Length": str(5 * GIB + 1), "Expect": "100-continue"}
    query = {"partNumber": "1", "uploadId": upload}
    answer = s3.req("PUT", bucket, "k", query, headers, payload="UNSIGNED-PAYLOAD")
    answer.error(400, "EntityTooLarge")


@G.table(
    "PutBucketLifecycleConfiguration: up to 1,000 rules",
    {"lifecycle_1000_rules": (1000, 200), "lifecycle_1001_rules": (1001, 400)},
)
def lifecycle_rules(s3: S3, count: int, status: int) -> None:
    rules = "".join(
        f"<Rule><ID>{n}</ID><Filter><Prefix>{n}/</Prefix></Filter><Status>Enabled</Status>"
        "<Expiration><Days>1</Days></Expiration></Rule>"
        for n in range(count)
    )
    body = f"<LifecycleConfiguration>{rules}</LifecycleConfiguration>".encode()
    headers = {"Content-MD5": content_md5(body)}
    answer = s3.req("PUT", s3.bucket(), query={"lifecycle": ""}, headers=headers, body=body)
    answer.ok(status)


@G.table(
    "PutBucketCors: up to 100 rules",
    {"cors_100_rules": (100, 200), "cors_101_rules": (101, 400)},
)
def cors_rules(s3: S3, count: int, status: int) -> None:
    rule = "<CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>"
    body = f"<CORSConfiguration>{rule * count}</CORSConfiguration>".encode()
    headers = {"Content-MD5": content_md5(body)}
    s3.req("PUT", s3.bucket(), query={"cors": ""}, headers=headers, body=body).ok(status)


@G.case("policy_over_20_kib", "PutBucketPolicy: up to 20 KB")
def policy_over_20_kib(s3: S3) -> None:
    bucket = s3.bucket()
    arn = f"arn:aws:s3:::{bucket}/"
    sids = ",".join(
        f'{{"Sid":"s{n}","Effect":"Deny","Principal":"*","Action":"s3:GetObject",'
        f'"Resource":"{arn}{n}/*"}}'
        for n in range(250)
    )
    body = f'{{"Version":"2012-10-17","Statement":[{sids}]}}'.encode()
    answer = s3.req("PUT", bucket, query={"policy": ""}, body=body).ok(400)
    one_of(answer.code, ("PolicyTooLarge", "MalformedPolicy", "InvalidArgument"), "code")


@G.case("document_of_4_mib", "Error responses: MalformedXML, MaxMessageLengthExceeded")
def document_of_4_mib(s3: S3) -> None:
    body = b"<Tagging><TagSet>" + b" " * (4 * 1024**2) + b"</TagSet></Tagging>"
    headers = {"Content-MD5": content_md5(body)}
    answer = s3.req("PUT", s3.bucket(), query={"tagging": ""}, headers=headers, body=body)
    codes = ("MalformedXML", "MaxMessageLengthExceeded", "EntityTooLarge")
    equal((answer.status, answer.code in codes), (400, True), f"status, one of {codes}")


@G.case("copy_source_of_1025", "CopyObject: x-amz-copy-source; KeyTooLongError or NoSuchKey")
def copy_source(s3: S3) -> None:
    bucket = s3.bucket()
    headers = {"x-amz-copy-source": f"{bucket}/{'k' * 1025}"}
    answer = s3.req("PUT", bucket, "k", headers=headers)
    one_of(answer.status, (400, 404), "status")
    one_of(answer.code, ("KeyTooLongError", "NoSuchKey", "InvalidArgument"), "code")
