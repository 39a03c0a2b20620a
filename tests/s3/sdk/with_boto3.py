"""boto3 with its defaults: endpoint, keys and region come from the environment.

Prints a line for each check and a closing line; exits with 1 when one failed.
"""

from __future__ import annotations

import hashlib
import io
import os
import sys
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from http.client import HTTPResponse

import boto3
from botocore.exceptions import ClientError

MIB = 1024 * 1024
BIG = os.urandom(MIB) * 20

s3 = boto3.client("s3")
bucket = f"{os.environ['S3_BUCKET_PREFIX']}-boto3"
other = f"{bucket}-copy"


def equal(got: object, want: object, what: str) -> None:
    if got != want:
        raise AssertionError(f"{what}: expected {want!r:.120}, got {got!r:.120}")


def refused(code: str, call: Callable[..., object], **arguments: object) -> None:
    try:
        call(**arguments)
    except ClientError as error:
        equal(error.response["Error"]["Code"], code, "error code")
        return
    raise AssertionError(f"expected {code}, got success")


def plain(
    method: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        answer: HTTPResponse = urllib.request.urlopen(request, timeout=20)
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    with answer:
        return answer.status, answer.read()


def body_of(key: str, **more: str) -> bytes:
    return s3.get_object(Bucket=bucket, Key=key, **more)["Body"].read()


def create_buckets() -> None:
    s3.create_bucket(Bucket=bucket)
    s3.create_bucket(Bucket=other)
    names = [b["Name"] for b in s3.list_buckets()["Buckets"]]
    equal([n in names for n in (bucket, other)], [True, True], "listed")


def put_get_head() -> None:
    s3.put_object(
        Bucket=bucket, Key="dir/a b+ü.txt", Body=b"hello", ContentType="text/plain",
        Metadata={"who": "boto3"},
    )  # fmt: skip
    got = s3.get_object(Bucket=bucket, Key="dir/a b+ü.txt")
    equal(got["Body"].read(), b"hello", "body")
    head = s3.head_object(Bucket=bucket, Key="dir/a b+ü.txt")
    equal((head["ContentType"], head["ContentLength"]), ("text/plain", 5), "head")
    equal(head["Metadata"], {"who": "boto3"}, "metadata")
    equal(head["ETag"], f'"{hashlib.md5(b"hello").hexdigest()}"', "ETag")


def default_checksum() -> None:
    done = s3.put_object(Bucket=bucket, Key="sum", Body=b"123456789")
    equal(done.get("ChecksumCRC32"), "y/Q5Jg==", "checksum of PUT")
    head = s3.head_object(Bucket=bucket, Key="sum", ChecksumMode="ENABLED")
    equal(head.get("ChecksumCRC32"), "y/Q5Jg==", "checksum of HEAD")


def read_range() -> None:
    got = s3.get_object(Bucket=bucket, Key="sum", Range="bytes=2-4")
    equal((got["Body"].read(), got["ContentRange"]), (b"345", "bytes 2-4/9"), "range")


def list_pages() -> None:
    for number in range(25):
        s3.put_object(Bucket=bucket, Key=f"page/{number:02}", Body=b"x")
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix="page/", PaginationConfig={"PageSize": 10}
    )
    sizes = [[o["Key"] for o in page["Contents"]] for page in pages]
    equal([len(keys) for keys in sizes], [10, 10, 5], "sizes of pages")
    top = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
    prefixes = [p["Prefix"] for p in top["CommonPrefixes"]]
    equal(prefixes, ["dir/", "page/"], "common prefixes")


def multipart() -> None:
    s3.upload_fileobj(io.BytesIO(BIG), bucket, "big")
    head = s3.head_object(Bucket=bucket, Key="big")
    equal((head["ContentLength"], "-" in head["ETag"]), (20 * MIB, True), "length, parts")
    into = io.BytesIO()
    s3.download_fileobj(bucket, "big", into)
    equal(into.getvalue() == BIG, True, "the same bytes")


def copy() -> None:
    source = {"Bucket": bucket, "Key": "dir/a b+ü.txt"}
    s3.copy_object(Bucket=other, Key="copied", CopySource=source)
    equal(s3.head_object(Bucket=other, Key="copied")["Metadata"], {"who": "boto3"}, "metadata")
    s3.copy({"Bucket": bucket, "Key": "big"}, other, "big")
    equal(s3.head_object(Bucket=other, Key="big")["ContentLength"], 20 * MIB, "length")


def tagging() -> None:
    tags = {"TagSet": [{"Key": "a", "Value": "1"}]}
    s3.put_object_tagging(Bucket=bucket, Key="sum", Tagging=tags)
    got = s3.get_object_tagging(Bucket=bucket, Key="sum")["TagSet"]
    equal(got, tags["TagSet"], "tags")


def versioning() -> None:
    s3.put_bucket_versioning(Bucket=other, VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket=other, Key="v", Body=b"1")["VersionId"]
    s3.put_object(Bucket=other, Key="v", Body=b"2")
    marker = s3.delete_object(Bucket=other, Key="v")
    equal(marker.get("DeleteMarker"), True, "DeleteMarker")
    refused("NoSuchKey", s3.get_object, Bucket=other, Key="v")
    old = s3.get_object(Bucket=other, Key="v", VersionId=first)["Body"].read()
    equal(old, b"1", "old version")


def presigned_get() -> None:
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "sum"})
    equal(plain("GET", url), (200, b"123456789"), "answer")


def presigned_put() -> None:
    url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "up"})
    # Some clients add a type of their own to a body; this one must not.
    status, _ = plain("PUT", url, b"data", {"Content-Type": ""})
    equal((status, body_of("up")), (200, b"data"), "answer")


def presigned_tampered() -> None:
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "sum"})
    equal(plain("GET", url.replace("/sum", "/up"))[0], 403, "status")


def post_form() -> None:
    made = s3.generate_presigned_post(bucket, "form", ExpiresIn=60)
    edge = uuid.uuid4().hex
    lines = [
        f'--{edge}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in made["fields"].items()
    ]
    lines.append(
        f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
        f"form data\r\n--{edge}--\r\n"
    )
    kind = {"Content-Type": f"multipart/form-data; boundary={edge}"}
    equal(plain("POST", made["url"], "".join(lines).encode(), kind)[0], 204, "status")
    equal(body_of("form"), b"form data", "body")


def conditional_put() -> None:
    put = {"Bucket": bucket, "Key": "once", "Body": b"1", "IfNoneMatch": "*"}
    s3.put_object(**put)
    refused("PreconditionFailed", s3.put_object, **put)


def error_classes() -> None:
    try:
        s3.get_object(Bucket=bucket, Key="missing")
    except s3.exceptions.NoSuchKey:
        pass
    else:
        raise AssertionError("expected NoSuchKey, got success")
    refused("NoSuchBucket", s3.list_objects_v2, Bucket=f"{bucket}-missing")
    refused("404", s3.head_object, Bucket=bucket, Key="missing")
    refused("BucketNotEmpty", s3.delete_bucket, Bucket=bucket)


def waiters() -> None:
    s3.get_waiter("object_exists").wait(Bucket=bucket, Key="sum")
    s3.get_waiter("bucket_exists").wait(Bucket=bucket)


def delete_all() -> None:
    for name in (bucket, other):
        resource = boto3.resource("s3").Bucket(name)
        resource.object_versions.delete()
        s3.delete_bucket(Bucket=name)
    refused("404", s3.head_bucket, Bucket=bucket)


CHECKS = (
    create_buckets,
    put_get_head,
    default_checksum,
    read_range,
    list_pages,
    multipart,
    copy,
    tagging,
    versioning,
    presigned_get,
    presigned_put,
    presigned_tampered,
    post_form,
    conditional_put,
    error_classes,
    waiters,
    delete_all,
)


def main() -> int:
    failed = 0
    for check in CHECKS:
        try:
            check()
        except Exception as error:  # noqa: BLE001 - each check says what it met
            failed += 1
            print(f"FAIL {check.__name__}: {error}".replace("\n", " "))
        else:
            print(f"ok {check.__name__}")
        sys.stdout.flush()
    print(f"{len(CHECKS) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
