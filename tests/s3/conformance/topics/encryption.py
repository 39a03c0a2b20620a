"""Encryption headers and the default encryption of buckets."""

from __future__ import annotations

import base64
import hashlib

from ..context import S3
from ..expect import equal, matches, true
from ..registry import Group

G = Group("encryption")

HEADER = "x-amz-server-side-encryption"
KEY = f"{HEADER}-aws-kms-key-id"
ARN = "arn:aws:kms:us-east-1:123456789012:key/0123abcd-0123-abcd-0123-0123456789ab"
SECTION = "Protecting data with server-side encryption"


def by_default(s3: S3, bucket: str, rule: dict) -> None:
    s3.api.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})


@G.case("default_is_aes256", f"{SECTION}: SSE-S3 for every new object since 2023-01")
def default_is_aes256(s3: S3) -> None:
    bucket = s3.bucket()
    equal(s3.req("PUT", bucket, "k").ok()[HEADER], "AES256", f"{HEADER} of PUT")
    for method in ("GET", "HEAD"):
        equal(s3.req(method, bucket, "k").ok()[HEADER], "AES256", f"{HEADER} of {method}")


@G.case("aes256", f"PutObject: {HEADER}")
def aes256(s3: S3) -> None:
    answer = s3.req("PUT", s3.bucket(), "k", headers={HEADER: "AES256"}).ok()
    equal(answer[HEADER], "AES256", HEADER)


@G.case("kms", f"PutObject: {HEADER}, {KEY}")
def kms(s3: S3) -> None:
    bucket = s3.bucket()
    headers = {HEADER: "aws:kms", KEY: ARN}
    put = s3.req("PUT", bucket, "k", headers=headers).ok()
    head = s3.req("HEAD", bucket, "k").ok()
    for answer in (put, head):
        equal((answer[HEADER], answer[KEY]), ("aws:kms", ARN), "headers")


@G.case("kms_without_key", f"PutObject: {HEADER}; the account's own key is used")
def kms_without_key(s3: S3) -> None:
    answer = s3.req("PUT", s3.bucket(), "k", headers={HEADER: "aws:kms"}).ok()
    equal(answer[HEADER], "aws:kms", HEADER)
    matches(answer[KEY], "^arn:aws:kms:", KEY)


@G.table(
    f"PutObject: {HEADER}; InvalidArgument, InvalidEncryptionAlgorithmError",
    {
        "algorithm_unknown": ({HEADER: "AES512"},),
        "key_with_aes256": ({HEADER: "AES256", KEY: ARN},),
    },
)
def refused(s3: S3, headers: dict[str, str]) -> None:
    bucket = s3.bucket()
    answer = s3.req("PUT", bucket, "k", headers=headers).ok(400)
    codes = ("InvalidArgument", "InvalidEncryptionAlgorithmError", "InvalidRequest")
    true(answer.code in codes, f"one of {codes}, got {answer.code}")
    s3.req("HEAD", bucket, "k").ok(404)


@G.case("customer_key", f"{SECTION}: customer keys; refused without TLS, or asked for again")
def customer_key(s3: S3) -> None:
    """S3 refuses such a key over plain HTTP. A server that stands in for S3 with
    TLS may take it, but must then give the object to nobody who lacks the key."""
    key = b"k" * 32
    prefix = f"{HEADER}-customer"
    headers = {
        f"{prefix}-algorithm": "AES256",
        f"{prefix}-key": base64.b64encode(key).decode(),
        f"{prefix}-key-MD5": base64.b64encode(hashlib.md5(key).digest()).decode(),
    }
    bucket = s3.bucket()
    answer = s3.req("PUT", bucket, "k", headers=headers, body=b"data")
    if answer.status != 200:
        got = (answer.status, answer.code)
        wanted = ((400, "InvalidRequest"), (501, "NotImplemented"))
        true(got in wanted, f"one of {wanted}, got {got}")
        return
    s3.req("GET", bucket, "k").error(400, "InvalidRequest")
    equal(s3.req("GET", bucket, "k", headers=headers).ok().body, b"data", "body")


@G.case("bucket_default", "GetBucketEncryption: SSE-S3 unless set otherwise")
def bucket_default(s3: S3) -> None:
    got = s3.api.get_bucket_encryption(Bucket=s3.bucket())["ServerSideEncryptionConfiguration"]
    (rule,) = got["Rules"]
    equal(rule["ApplyServerSideEncryptionByDefault"], {"SSEAlgorithm": "AES256"}, "rule")


@G.case("bucket_kms_applies", "PutBucketEncryption: objects without headers get it")
def bucket_kms(s3: S3) -> None:
    bucket = s3.bucket()
    rule = {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": ARN},
        "BucketKeyEnabled": True,
    }
    by_default(s3, bucket, rule)
    got = s3.api.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
    equal(got["Rules"][0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"], "aws:kms", "rule")
    answer = s3.req("PUT", bucket, "k").ok()
    equal((answer[HEADER], answer[KEY]), ("aws:kms", ARN), "headers")


@G.case("bucket_delete", "DeleteBucketEncryption: back to SSE-S3")
def bucket_delete(s3: S3) -> None:
    bucket = s3.bucket()
    by_default(s3, bucket, {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}})
    s3.req("DELETE", bucket, query={"encryption": ""}).ok(204)
    equal(s3.req("PUT", bucket, "k").ok()[HEADER], "AES256", HEADER)


@G.case("multipart", f"CreateMultipartUpload: {HEADER}")
def multipart(s3: S3) -> None:
    bucket = s3.bucket()
    headers = {HEADER: "aws:kms", KEY: ARN}
    answer = s3.req("POST", bucket, "k", {"uploads": ""}, headers).ok()
    equal(answer[HEADER], "aws:kms", f"{HEADER} of CreateMultipartUpload")
    upload = answer.text("UploadId") or ""
    part = s3.api.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, Body=b"d")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.api.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload, MultipartUpload=parts)
    head = s3.req("HEAD", bucket, "k").ok()
    equal((head[HEADER], head[KEY]), ("aws:kms", ARN), "headers")


@G.case("copy", f"CopyObject: {HEADER}")
def copy(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "source")
    headers = {"x-amz-copy-source": f"{bucket}/source", HEADER: "aws:kms", KEY: ARN}
    answer = s3.req("PUT", bucket, "k", headers=headers).ok()
    equal((answer[HEADER], answer[KEY]), ("aws:kms", ARN), "headers")
