"""The checksums of objects and of uploads."""

from __future__ import annotations

import base64

from ..checksums import ALGORITHMS, composite, encoded, header
from ..context import S3
from ..expect import equal, one_of, refused, true
from ..registry import Group

G = Group("checksums")

DATA = b"123456789"
PART = 5 * 1024 * 1024
SECTION = "Checking object integrity"

# What everybody gets for these nine digits.
KNOWN = {
    "CRC32": "y/Q5Jg==",
    "CRC32C": "4waSgw==",
    "CRC64NVME": "rosUhgp5mIg=",
    "SHA1": "98O8HYCOBHMq32eZZczDTKeuNEE=",
    "SHA256": "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=",
}


@G.table(
    f"PutObject: x-amz-checksum-*; {SECTION}",
    {f"put_{a.lower()}": (a,) for a in ALGORITHMS},
)
def put(s3: S3, algorithm: str) -> None:
    bucket, name, value = s3.bucket(), header(algorithm), KNOWN[algorithm]
    answer = s3.req("PUT", bucket, "k", headers={name: value}, body=DATA).ok()
    equal(answer[name], value, f"{name} of PUT")
    mode = {"x-amz-checksum-mode": "ENABLED"}
    for method in ("GET", "HEAD"):
        answer = s3.req(method, bucket, "k", headers=mode).ok()
        equal(answer[name], value, f"{name} of {method}")
        equal(answer["x-amz-checksum-type"], "FULL_OBJECT", "x-amz-checksum-type")


@G.table(
    "GetObject: checksums only with x-amz-checksum-mode",
    {f"not_asked_{a.lower()}": (a,) for a in ("CRC32", "SHA256")},
)
def not_asked(s3: S3, algorithm: str) -> None:
    bucket, name = s3.bucket(), header(algorithm)
    s3.req("PUT", bucket, "k", headers={name: KNOWN[algorithm]}, body=DATA).ok()
    equal(s3.req("GET", bucket, "k").ok()[name], None, name)


@G.table(
    "PutObject: x-amz-checksum-sha512 and others; a value that is wrong is not taken",
    {
        f"wrong_{kind}": (f"x-amz-checksum-{kind}", size)
        for kind, size in (("sha512", 64), ("xxhash64", 8), ("xxhash3", 8), ("xxhash128", 16))
    },
)
def wrong_newer(s3: S3, name: str, size: int) -> None:
    bucket = s3.bucket()
    value = base64.b64encode(bytes(size)).decode()
    answer = s3.req("PUT", bucket, "k", headers={name: value}, body=DATA)
    # What a server does not compute, it must refuse by name.
    one_of((answer.status, answer.code), ((400, "BadDigest"), (501, "NotImplemented")), "error")
    s3.req("HEAD", bucket, "k").ok(404)


@G.table(
    "PutObject: x-amz-checksum-*; Error responses: BadDigest",
    {f"wrong_{a.lower()}": (a,) for a in ALGORITHMS},
)
def wrong(s3: S3, algorithm: str) -> None:
    bucket = s3.bucket()
    headers = {header(algorithm): encoded(algorithm, b"other")}
    s3.req("PUT", bucket, "k", headers=headers, body=DATA).error(400, "BadDigest")
    s3.req("HEAD", bucket, "k").ok(404)


@G.table(
    "PutObject: x-amz-checksum-*; Error responses: InvalidRequest",
    {f"malformed_{a.lower()}": (a, "AAA=") for a in ALGORITHMS}
    | {"malformed_not_base64": ("CRC32", "!!!!!!==")},
)
def malformed(s3: S3, algorithm: str, value: str) -> None:
    bucket = s3.bucket()
    headers = {header(algorithm): value}
    s3.req("PUT", bucket, "k", headers=headers, body=DATA).error(400, "InvalidRequest")
    s3.req("HEAD", bucket, "k").ok(404)


@G.case("two_at_once", f"{SECTION}: a single checksum; InvalidRequest")
def two_at_once(s3: S3) -> None:
    headers = {header(a): KNOWN[a] for a in ("CRC32", "SHA256")}
    s3.req("PUT", s3.bucket(), "k", headers=headers, body=DATA).error(400, "InvalidRequest")


@G.case("algorithm_without_value", "PutObject: x-amz-sdk-checksum-algorithm; 400 Bad Request")
def algorithm_without_value(s3: S3) -> None:
    headers = {"x-amz-sdk-checksum-algorithm": "SHA256"}
    s3.req("PUT", s3.bucket(), "k", headers=headers, body=DATA).error(400, "InvalidRequest")


@G.case("default_is_crc64nvme", f"{SECTION}: CRC64NVME where the client sends none")
def default_is_crc64nvme(s3: S3) -> None:
    bucket = s3.bucket()
    s3.req("PUT", bucket, "k", body=DATA).ok()
    answer = s3.req("HEAD", bucket, "k", headers={"x-amz-checksum-mode": "ENABLED"}).ok()
    equal(answer[header("CRC64NVME")], KNOWN["CRC64NVME"], header("CRC64NVME"))


@G.table(
    "GetObjectAttributes: Checksum",
    {f"attributes_{a.lower()}": (a,) for a in ALGORITHMS},
)
def attributes(s3: S3, algorithm: str) -> None:
    bucket = s3.bucket()
    s3.req("PUT", bucket, "k", headers={header(algorithm): KNOWN[algorithm]}, body=DATA).ok()
    headers = {"x-amz-object-attributes": "Checksum"}
    answer = s3.req("GET", bucket, "k", {"attributes": ""}, headers).ok()
    equal(answer.text(f"Checksum/Checksum{algorithm}"), KNOWN[algorithm], "value")
    equal(answer.text("Checksum/ChecksumType"), "FULL_OBJECT", "ChecksumType")


@G.case("empty_object", f"PutObject; {SECTION}")
def empty_object(s3: S3) -> None:
    name = header("CRC32")
    equal(s3.req("PUT", s3.bucket(), "k", headers={name: "AAAAAA=="}).ok()[name], "AAAAAA==", name)


@G.case("part_wrong", "UploadPart: x-amz-checksum-*; Error responses: BadDigest")
def part_wrong(s3: S3) -> None:
    bucket = s3.bucket()
    upload = s3.api.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm="CRC32")
    query = {"partNumber": "1", "uploadId": upload["UploadId"]}
    headers = {header("CRC32"): encoded("CRC32", b"other")}
    s3.req("PUT", bucket, "k", query, headers, DATA).error(400, "BadDigest")


@G.case("part_of_other_algorithm", "UploadPart: the algorithm must be that of the upload")
def part_of_other_algorithm(s3: S3) -> None:
    bucket = s3.bucket()
    upload = s3.api.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm="SHA256")
    query = {"partNumber": "1", "uploadId": upload["UploadId"]}
    headers = {header("CRC32"): KNOWN["CRC32"]}
    s3.req("PUT", bucket, "k", query, headers, DATA).error(400, "InvalidRequest")


def upload_parts(s3: S3, bucket: str, algorithm: str, kind: str, parts: list[bytes]):
    """An upload with these parts; gives what completes it."""
    made = s3.api.create_multipart_upload(
        Bucket=bucket, Key="k", ChecksumAlgorithm=algorithm, ChecksumType=kind
    )
    equal(made.get("ChecksumAlgorithm"), algorithm, "ChecksumAlgorithm")
    equal(made.get("ChecksumType"), kind, "ChecksumType")
    target = {"Bucket": bucket, "Key": "k", "UploadId": made["UploadId"]}
    field = f"Checksum{algorithm}"
    listed = []
    for number, data in enumerate(parts, 1):
        done = s3.api.upload_part(
            **target, PartNumber=number, Body=data, **{field: encoded(algorithm, data)}
        )
        listed.append({"PartNumber": number, "ETag": done["ETag"], field: encoded(algorithm, data)})
    return {**target, "MultipartUpload": {"Parts": listed}}


PARTS = [bytes(PART), b"the last part"]


@G.table(
    f"CompleteMultipartUpload: ChecksumType COMPOSITE; {SECTION}",
    {f"composite_{a.lower()}": (a,) for a in ("CRC32", "CRC32C", "SHA1", "SHA256")},
)
def composite_upload(s3: S3, algorithm: str) -> None:
    bucket, field = s3.bucket(), f"Checksum{algorithm}"
    whole = upload_parts(s3, bucket, algorithm, "COMPOSITE", PARTS)
    done = s3.api.complete_multipart_upload(**whole)
    want = composite(algorithm, PARTS)
    equal(done.get(field), want, f"{field} of the answer")
    equal(done.get("ChecksumType"), "COMPOSITE", "ChecksumType of the answer")
    head = s3.api.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    equal((head.get(field), head.get("ChecksumType")), (want, "COMPOSITE"), "HeadObject")


@G.table(
    f"CompleteMultipartUpload: ChecksumType FULL_OBJECT; {SECTION}",
    {f"full_object_{a.lower()}": (a,) for a in ("CRC32", "CRC32C", "CRC64NVME")},
)
def full_object_upload(s3: S3, algorithm: str) -> None:
    bucket, field = s3.bucket(), f"Checksum{algorithm}"
    whole = upload_parts(s3, bucket, algorithm, "FULL_OBJECT", PARTS)
    want = encoded(algorithm, b"".join(PARTS))
    done = s3.api.complete_multipart_upload(**whole, ChecksumType="FULL_OBJECT", **{field: want})
    equal(done.get(field), want, f"{field} of the answer")
    head = s3.api.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    equal((head.get(field), head.get("ChecksumType")), (want, "FULL_OBJECT"), "HeadObject")


@G.case("full_object_wrong", "CompleteMultipartUpload: x-amz-checksum-*; BadDigest")
def full_object_wrong(s3: S3) -> None:
    bucket = s3.bucket()
    whole = upload_parts(s3, bucket, "CRC32", "FULL_OBJECT", [DATA])
    refused(
        400,
        "BadDigest",
        s3.api.complete_multipart_upload,
        **whole,
        ChecksumType="FULL_OBJECT",
        ChecksumCRC32=encoded("CRC32", b"other"),
    )
    s3.req("HEAD", bucket, "k").ok(404)


@G.table(
    "CreateMultipartUpload: x-amz-checksum-type and the algorithms that it knows",
    {
        "composite_of_crc64nvme": ("CRC64NVME", "COMPOSITE"),
        "full_object_of_sha1": ("SHA1", "FULL_OBJECT"),
        "full_object_of_sha256": ("SHA256", "FULL_OBJECT"),
        "unknown_algorithm": ("CRC16", "COMPOSITE"),
    },
)
def refused_type(s3: S3, algorithm: str, kind: str) -> None:
    headers = {"x-amz-checksum-algorithm": algorithm, "x-amz-checksum-type": kind}
    s3.req("POST", s3.bucket(), "k", {"uploads": ""}, headers).error(400, "InvalidRequest")


@G.case("complete_without_part_checksums", f"{SECTION}: COMPOSITE needs those of the parts")
def complete_without(s3: S3) -> None:
    whole = upload_parts(s3, s3.bucket(), "SHA256", "COMPOSITE", [DATA])
    del whole["MultipartUpload"]["Parts"][0]["ChecksumSHA256"]
    refused(400, "InvalidRequest", s3.api.complete_multipart_upload, **whole)


@G.case("complete_with_wrong_part_checksum", "CompleteMultipartUpload; InvalidPart")
def complete_with_wrong(s3: S3) -> None:
    whole = upload_parts(s3, s3.bucket(), "SHA256", "COMPOSITE", [DATA])
    whole["MultipartUpload"]["Parts"][0]["ChecksumSHA256"] = encoded("SHA256", b"other")
    refused(400, "InvalidPart", s3.api.complete_multipart_upload, **whole)


@G.case("parts_listed_with_checksums", "ListParts, Response Elements: Part")
def parts_listed(s3: S3) -> None:
    bucket = s3.bucket()
    whole = upload_parts(s3, bucket, "SHA256", "COMPOSITE", [DATA])
    listed = s3.api.list_parts(Bucket=bucket, Key="k", UploadId=whole["UploadId"])
    equal(listed.get("ChecksumAlgorithm"), "SHA256", "ChecksumAlgorithm")
    equal(listed["Parts"][0].get("ChecksumSHA256"), KNOWN["SHA256"], "ChecksumSHA256")


@G.case("copy_keeps_checksum", "CopyObject: the checksum is copied")
def copy_keeps_checksum(s3: S3) -> None:
    bucket = s3.bucket()
    s3.req("PUT", bucket, "a", headers={header("SHA256"): KNOWN["SHA256"]}, body=DATA).ok()
    s3.req("PUT", bucket, "b", headers={"x-amz-copy-source": f"{bucket}/a"}).ok()
    mode = {"x-amz-checksum-mode": "ENABLED"}
    answer = s3.req("HEAD", bucket, "b", headers=mode).ok()
    equal(answer[header("SHA256")], KNOWN["SHA256"], header("SHA256"))


@G.case("copy_with_other_algorithm", "CopyObject: x-amz-checksum-algorithm")
def copy_with_other(s3: S3) -> None:
    bucket = s3.bucket()
    s3.put(bucket, "a", DATA)
    done = s3.api.copy_object(
        Bucket=bucket,
        Key="b",
        CopySource={"Bucket": bucket, "Key": "a"},
        ChecksumAlgorithm="SHA1",
    )
    equal(done["CopyObjectResult"].get("ChecksumSHA1"), KNOWN["SHA1"], "ChecksumSHA1")


@G.case("delete_many_by_checksum", "DeleteObjects: a checksum in place of Content-MD5")
def delete_many_by_checksum(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "a")
    body = b"<Delete><Object><Key>a</Key></Object></Delete>"
    headers = {header("CRC32"): encoded("CRC32", body)}
    answer = s3.req("POST", bucket, query={"delete": ""}, headers=headers, body=body).ok()
    true(answer.texts("Deleted/Key") == ["a"], "one Deleted")
