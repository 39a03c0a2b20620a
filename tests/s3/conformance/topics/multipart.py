"""Uploads in parts."""

from __future__ import annotations

import hashlib

from ..context import S3
from ..expect import equal, matches, refused, true
from ..registry import Group

G = Group("multipart")

PART = 5 * 1024 * 1024
FIRST = bytes(range(256)) * (PART // 256)


class Upload:
    """One upload of a case."""

    def __init__(self, s3: S3, bucket: str, key: str = "k", **options: object) -> None:
        self.s3, self.bucket, self.key = s3, bucket, key
        made = s3.api.create_multipart_upload(Bucket=bucket, Key=key, **options)
        self.id: str = made["UploadId"]
        self.target = {"Bucket": bucket, "Key": key, "UploadId": self.id}
        self.etags: dict[int, str] = {}

    def part(self, number: int, data: bytes) -> str:
        query = {"partNumber": str(number), "uploadId": self.id}
        answer = self.s3.req("PUT", self.bucket, self.key, query, body=data).ok()
        self.etags[number] = answer["etag"] or ""
        return self.etags[number]

    def complete(self, *parts: tuple[int, str], headers: dict[str, str] | None = None):
        chosen = parts or tuple(sorted(self.etags.items()))
        body = "".join(
            f"<Part><PartNumber>{n}</PartNumber><ETag>{e}</ETag></Part>" for n, e in chosen
        )
        body = f"<CompleteMultipartUpload>{body}</CompleteMultipartUpload>"
        return self.s3.req(
            "POST", self.bucket, self.key, {"uploadId": self.id}, headers, body.encode()
        )


def etag_of(*parts: bytes) -> str:
    joined = b"".join(hashlib.md5(part).digest() for part in parts)
    return f'"{hashlib.md5(joined).hexdigest()}-{len(parts)}"'


@G.case("create", "CreateMultipartUpload, Response Elements")
def create(s3: S3) -> None:
    bucket = s3.bucket()
    answer = s3.req("POST", bucket, "a b", {"uploads": ""}).ok()
    equal(answer.xml.tag, "InitiateMultipartUploadResult", "document")
    equal((answer.text("Bucket"), answer.text("Key")), (bucket, "a b"), "Bucket, Key")
    true(answer.text("UploadId"), "an UploadId")


@G.case("two_parts", "CompleteMultipartUpload: ETag of the parts' MD5, with their number")
def two_parts(s3: S3) -> None:
    upload = Upload(s3, s3.bucket())
    equal(upload.part(1, FIRST), f'"{hashlib.md5(FIRST).hexdigest()}"', "ETag of a part")
    upload.part(2, b"end")
    answer = upload.complete().ok()
    equal(answer.xml.tag, "CompleteMultipartUploadResult", "document")
    equal(answer.text("ETag"), etag_of(FIRST, b"end"), "ETag")
    equal((answer.text("Bucket"), answer.text("Key")), (upload.bucket, "k"), "Bucket, Key")
    true(answer.text("Location"), "a Location")
    got = s3.req("GET", upload.bucket, "k").ok()
    true(got.body == FIRST + b"end", "the parts in order")
    equal(got["etag"], etag_of(FIRST, b"end"), "ETag of GET")


@G.case("one_small_part", "CompleteMultipartUpload: the last part may be small")
def one_small_part(s3: S3) -> None:
    upload = Upload(s3, s3.bucket())
    upload.part(1, b"only")
    equal(upload.complete().ok().text("ETag"), etag_of(b"only"), "ETag")
    equal(s3.read(upload.bucket, "k"), b"only", "body")


@G.case("numbers_with_gaps", "UploadPart: part numbers need not be consecutive")
def numbers_with_gaps(s3: S3) -> None:
    upload = Upload(s3, s3.bucket())
    upload.part(10000, b"end")
    upload.part(7, FIRST)
    upload.complete().ok()
    true(s3.read(upload.bucket, "k") == FIRST + b"end", "the parts in order of numbers")


@G.case("part_again_replaces", "UploadPart: the same number overwrites the part")
def part_again_replaces(s3: S3) -> None:
    upload = Upload(s3, s3.bucket())
    upload.part(1, b"first try")
    upload.part(1, b"second")
    upload.complete().ok()
    equal(s3.read(upload.bucket, "k"), b"second", "body")


@G.case("unlisted_part_is_dropped", "CompleteMultipartUpload: the parts of the list")
def unlisted_part(s3: S3) -> None:
    upload = Upload(s3, s3.bucket())
    etag = upload.part(1, b"listed")
    upload.part(2, b"not listed")
    upload.complete((1, etag)).ok()
    equal(s3.read(upload.bucket, "k"), b"listed", "body")


@G.case("etag_without_quotes", "CompleteMultipartUpload: ETag")
def etag_without_quotes(s3: S3) -> None:
    upload = Upload(s3, s3.bucket())
    upload.complete((1, upload.part(1, b"data").strip('"'))).ok()


@G.case("keeps_metadata", "CreateMultipartUpload: metadata, Content-Type, tags, storage class")
def keeps_metadata(s3: S3) -> None:
    upload = Upload(
        s3,
        s3.bucket(),
        ContentType="text/css",
        Metadata={"a": "b"},
        CacheControl="no-cache",
        Tagging="t=1",
        StorageClass="STANDARD_IA",
    )
    upload.part(1, b"data")
    upload.complete().ok()
    head = s3.req("HEAD", upload.bucket, "k").ok()
    got = [
        head[h] for h in ("content-type", "x-amz-meta-a", "cache-control", "x-amz-storage-class")
    ]
    equal(got, ["text/css", "b", "no-cache", "STANDARD_IA"], "headers")
    tags = s3.api.get_object_tagging(Bucket=upload.bucket, Key="k")["TagSet"]
    equal(tags, [{"Key": "t", "Value": "1"}], "tags")


@G.case("too_small_part", "CompleteMultipartUpload; EntityTooSmall")
def too_small_part(s3: S3) -> None:
    upload = Upload(s3, s3.bucket())
    upload.part(1, FIRST[:-1])
    upload.part(2, b"end")
    upload.complete().error(400, "EntityTooSmall")


@G.case("wrong_etag", "CompleteMultipartUpload; InvalidPart")
def wrong_etag(s3: S3) -> None:
    upload = Upload(s3, s3.bucket())
    upload.part(1, b"data")
    upload.complete((1, f'"{"0" * 32}"')).error(400, "InvalidPart")
    s3.req("HEAD", upload.bucket, "k").ok(404)


@G.case("missing_part", "CompleteMultipartUpload; InvalidPart")
def missing_part(s3: S3) -> None:
    upload = Upload(s3, s3.bucket())
    etag = upload.part(1, b"data")
    upload.complete((2, etag)).error(400, "InvalidPart")


@G.case("wrong_order", "CompleteMultipartUpload; InvalidPartOrder")
def wrong_order(s3: S3) -> None:
    upload = Upload(s3, s3.bucket())
    first, second = upload.part(1, FIRST), upload.part(2, FIRST)
    upload.complete((2, second), (1, first)).error(400, "InvalidPartOrder")


@G.case("completes_after_refusal", "CompleteMultipartUpload: a refused request leaves the upload")
def completes_after_refusal(s3: S3) -> None:
    upload = Upload(s3, s3.bucket())
    etag = upload.part(1, b"data")
    upload.complete((1, f'"{"0" * 32}"')).error(400, "InvalidPart")
    upload.complete((1, etag)).ok()


@G.table(
    "CompleteMultipartUpload, Request Body; MalformedXML",
    {
        "complete_no_parts": (b"<CompleteMultipartUpload></CompleteMultipartUpload>",),
        "complete_no_xml": (b"1, 2, 3",),
        "complete_empty_body": (b"",),
    },
)
def malformed(s3: S3, body: bytes) -> None:
    upload = Upload(s3, s3.bucket())
    upload.part(1, b"data")
    answer = s3.req("POST", upload.bucket, "k", {"uploadId": upload.id}, body=body)
    if body:
        answer.error(400, "MalformedXML")
    else:
        equal(answer.ok(400).code in ("MalformedXML", "InvalidRequest"), True, "a known code")


@G.case("object_size", "CompleteMultipartUpload: x-amz-mp-object-size")
def object_size(s3: S3) -> None:
    upload = Upload(s3, s3.bucket())
    upload.part(1, b"data")
    headers = {"x-amz-mp-object-size": "5"}
    upload.complete(headers=headers).error(400, "InvalidRequest")
    upload.complete(headers={"x-amz-mp-object-size": "4"}).ok()


@G.table(
    "UploadPart: Part number from 1 to 10,000; InvalidArgument",
    {"part_number_0": ("0",), "part_number_10001": ("10001",), "part_number_word": ("one",)},
)
def part_number(s3: S3, number: str) -> None:
    upload = Upload(s3, s3.bucket())
    query = {"partNumber": number, "uploadId": upload.id}
    s3.req("PUT", upload.bucket, "k", query, body=b"data").error(400, "InvalidArgument")


@G.table(
    "Error responses: NoSuchUpload",
    {
        "unknown_upload_part": ("PUT", {"partNumber": "1"}),
        "unknown_upload_list": ("GET", {}),
        "unknown_upload_abort": ("DELETE", {}),
        "unknown_upload_complete": ("POST", {}),
    },
)
def unknown_upload(s3: S3, method: str, query: dict[str, str]) -> None:
    bucket = s3.bucket()
    body = b""
    if method == "POST":
        body = (
            b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>"
            b"<ETag>&quot;00000000000000000000000000000000&quot;</ETag></Part>"
            b"</CompleteMultipartUpload>"
        )
    query = {**query, "uploadId": "no-such-upload"}
    s3.req(method, bucket, "k", query, body=body).error(404, "NoSuchUpload")


@G.case("upload_of_other_key", "UploadPart; NoSuchUpload: the upload belongs to its key")
def upload_of_other_key(s3: S3) -> None:
    upload = Upload(s3, s3.bucket())
    query = {"partNumber": "1", "uploadId": upload.id}
    s3.req("PUT", upload.bucket, "other", query, body=b"data").error(404, "NoSuchUpload")


@G.case("abort", "AbortMultipartUpload: 204; the upload is gone")
def abort(s3: S3) -> None:
    upload = Upload(s3, s3.bucket())
    upload.part(1, b"data")
    s3.req("DELETE", upload.bucket, "k", {"uploadId": upload.id}).ok(204)
    s3.req("GET", upload.bucket, "k", {"uploadId": upload.id}).error(404, "NoSuchUpload")
    s3.req("HEAD", upload.bucket, "k").ok(404)


@G.case("two_uploads_of_a_key", "CreateMultipartUpload: uploads are independent")
def two_uploads(s3: S3) -> None:
    bucket = s3.bucket()
    first, second = Upload(s3, bucket), Upload(s3, bucket)
    first.part(1, b"first")
    second.part(1, b"second")
    second.complete().ok()
    first.complete().ok()
    equal(s3.read(bucket, "k"), b"first", "body of the one completed last")


@G.case("list_parts", "ListParts, Response Elements")
def list_parts(s3: S3) -> None:
    upload = Upload(s3, s3.bucket())
    etags = {number: upload.part(number, b"x" * number) for number in (3, 1, 2)}
    answer = s3.req("GET", upload.bucket, "k", {"uploadId": upload.id}).ok()
    equal(answer.xml.tag, "ListPartsResult", "document")
    equal(answer.texts("Part/PartNumber"), ["1", "2", "3"], "numbers")
    equal(answer.texts("Part/Size"), ["1", "2", "3"], "sizes")
    equal(answer.texts("Part/ETag"), [etags[n] for n in (1, 2, 3)], "ETags")
    equal(answer.text("UploadId"), upload.id, "UploadId")
    equal(answer.text("StorageClass"), "STANDARD", "StorageClass")
    equal(answer.text("IsTruncated"), "false", "IsTruncated")
    matches(answer.text("Part/LastModified"), r"^\d{4}-.*Z$", "LastModified")


@G.case("list_parts_pages", "ListParts: max-parts, part-number-marker")
def list_parts_pages(s3: S3) -> None:
    upload = Upload(s3, s3.bucket())
    for number in (1, 2, 5):
        upload.part(number, b"x")
    query = {"uploadId": upload.id, "max-parts": "2"}
    first = s3.req("GET", upload.bucket, "k", query).ok()
    equal(first.texts("Part/PartNumber"), ["1", "2"], "first page")
    got = (first.text("IsTruncated"), first.text("NextPartNumberMarker"), first.text("MaxParts"))
    equal(got, ("true", "2", "2"), "IsTruncated, NextPartNumberMarker, MaxParts")
    query["part-number-marker"] = "2"
    last = s3.req("GET", upload.bucket, "k", query).ok()
    got = (last.texts("Part/PartNumber"), last.text("IsTruncated"))
    equal(got, (["5"], "false"), "last page")


@G.case("list_uploads", "ListMultipartUploads: by key, then by age")
def list_uploads(s3: S3) -> None:
    bucket = s3.bucket()
    uploads = [Upload(s3, bucket, key) for key in ("b", "a", "b", "c/1")]
    answer = s3.req("GET", bucket, query={"uploads": ""}).ok()
    equal(answer.xml.tag, "ListMultipartUploadsResult", "document")
    equal(answer.texts("Upload/Key"), ["a", "b", "b", "c/1"], "keys")
    ids = answer.texts("Upload/UploadId")
    equal(sorted(ids), sorted(u.id for u in uploads), "upload ids")
    true(answer.text("Upload/Initiator/ID"), "an Initiator/ID")
    true(answer.text("Upload/Owner/ID"), "an Owner/ID")


@G.table(
    "ListMultipartUploads: prefix, delimiter, key-marker",
    {
        "list_uploads_prefix": ({"prefix": "b"}, ["b/1", "b/2"], []),
        "list_uploads_delimiter": ({"delimiter": "/"}, ["a", "c"], ["b/"]),
        "list_uploads_key_marker": ({"key-marker": "b/1"}, ["b/2", "c"], []),
    },
)
def list_uploads_by(s3: S3, query: dict, keys: list[str], prefixes: list[str]) -> None:
    bucket = s3.bucket()
    for key in ("a", "b/1", "b/2", "c"):
        Upload(s3, bucket, key)
    answer = s3.req("GET", bucket, query={"uploads": "", **query}).ok()
    got = (answer.texts("Upload/Key"), answer.texts("CommonPrefixes/Prefix"))
    equal(got, (keys, prefixes), "keys and common prefixes")


@G.case("list_uploads_pages", "ListMultipartUploads: max-uploads, Next…Marker")
def list_uploads_pages(s3: S3) -> None:
    bucket = s3.bucket()
    made = sorted(Upload(s3, bucket, key).id for key in ("a", "b", "b", "c"))
    found: list[str] = []
    query = {"uploads": "", "max-uploads": "1"}
    for _ in range(6):
        answer = s3.req("GET", bucket, query=query).ok()
        found += answer.texts("Upload/UploadId")
        if answer.text("IsTruncated") != "true":
            break
        query["key-marker"] = answer.text("NextKeyMarker") or ""
        query["upload-id-marker"] = answer.text("NextUploadIdMarker") or ""
    equal(sorted(found), made, "uploads of all pages")


@G.case("read_by_part", "GetObject: partNumber, x-amz-mp-parts-count")
def read_by_part(s3: S3) -> None:
    upload = Upload(s3, s3.bucket())
    upload.part(1, FIRST)
    upload.part(2, b"end")
    upload.complete().ok()
    answer = s3.req("GET", upload.bucket, "k", {"partNumber": "2"}).ok(206)
    equal(answer.body, b"end", "body")
    equal(answer["content-range"], f"bytes {PART}-{PART + 2}/{PART + 3}", "Content-Range")
    equal(answer["x-amz-mp-parts-count"], "2", "x-amz-mp-parts-count")
    head = s3.req("HEAD", upload.bucket, "k", {"partNumber": "1"}).ok(206)
    equal(head["content-length"], str(PART), "Content-Length of HEAD")
    s3.req("GET", upload.bucket, "k", {"partNumber": "3"}).error(416, "InvalidPartNumber")


@G.case("range_over_parts", "GetObject: Range")
def range_over_parts(s3: S3) -> None:
    upload = Upload(s3, s3.bucket())
    upload.part(1, FIRST)
    upload.part(2, b"end")
    upload.complete().ok()
    headers = {"Range": f"bytes={PART - 2}-{PART + 1}"}
    answer = s3.req("GET", upload.bucket, "k", headers=headers).ok(206)
    equal(answer.body, FIRST[-2:] + b"en", "body")


@G.case("attributes_of_parts", "GetObjectAttributes: ObjectParts")
def attributes_of_parts(s3: S3) -> None:
    upload = Upload(s3, s3.bucket(), ChecksumAlgorithm="SHA256")
    parts = []
    for number, data in ((1, FIRST), (2, b"end")):
        done = s3.api.upload_part(
            **upload.target, PartNumber=number, Body=data, ChecksumAlgorithm="SHA256"
        )
        parts.append({k: done[k] for k in ("ETag", "ChecksumSHA256")} | {"PartNumber": number})
    s3.api.complete_multipart_upload(**upload.target, MultipartUpload={"Parts": parts})
    got = s3.api.get_object_attributes(
        Bucket=upload.bucket, Key="k", ObjectAttributes=["ObjectParts"]
    ).get("ObjectParts", {})
    equal(got.get("TotalPartsCount"), 2, "PartsCount")
    sizes = [(p["PartNumber"], p["Size"]) for p in got.get("Parts", [])]
    equal(sizes, [(1, PART), (2, 3)], "parts")


@G.case("versioned", "CompleteMultipartUpload: x-amz-version-id")
def versioned(s3: S3) -> None:
    upload = Upload(s3, s3.bucket(versioned=True))
    upload.part(1, b"data")
    version = upload.complete().ok()["x-amz-version-id"]
    true(version, "an x-amz-version-id")
    equal(s3.read(upload.bucket, "k", VersionId=version), b"data", "body")


def copy_part(s3: S3, upload: Upload, source: str, number: int = 1, **headers: str):
    query = {"partNumber": str(number), "uploadId": upload.id}
    sent = {"x-amz-copy-source": source}
    sent |= {f"x-amz-copy-source-{k.replace('_', '-')}": v for k, v in headers.items()}
    return s3.req("PUT", upload.bucket, upload.key, query, sent)


@G.case("copy_part", "UploadPartCopy, Response Elements")
def copy_whole(s3: S3) -> None:
    bucket = s3.bucket()
    s3.put(bucket, "source", b"data")
    upload = Upload(s3, bucket)
    answer = copy_part(s3, upload, f"/{bucket}/source").ok()
    equal(answer.xml.tag, "CopyPartResult", "document")
    equal(answer.text("ETag"), f'"{hashlib.md5(b"data").hexdigest()}"', "ETag")
    true(answer.text("LastModified"), "a LastModified")
    upload.complete((1, answer.text("ETag") or "")).ok()
    equal(s3.read(bucket, "k"), b"data", "body")


@G.case("copy_part_range", "UploadPartCopy: x-amz-copy-source-range")
def copy_range(s3: S3) -> None:
    bucket = s3.bucket()
    s3.put(bucket, "source", b"0123456789")
    upload = Upload(s3, bucket)
    answer = copy_part(s3, upload, f"{bucket}/source", range="bytes=2-4").ok()
    upload.complete((1, answer.text("ETag") or "")).ok()
    equal(s3.read(bucket, "k"), b"234", "body")


@G.table(
    "UploadPartCopy: x-amz-copy-source-range, bytes=first-last; InvalidArgument",
    {
        "copy_part_range_open": ("bytes=2-",),
        "copy_part_range_suffix": ("bytes=-2",),
        "copy_part_range_unit": ("2-4",),
        "copy_part_range_reversed": ("bytes=4-2",),
    },
)
def copy_bad_range(s3: S3, wanted: str) -> None:
    bucket = s3.bucket()
    s3.put(bucket, "source", b"0123456789")
    answer = copy_part(s3, Upload(s3, bucket), f"{bucket}/source", range=wanted)
    answer.error(400, "InvalidArgument")


@G.case("copy_part_missing_source", "UploadPartCopy; NoSuchKey")
def copy_missing(s3: S3) -> None:
    bucket = s3.bucket()
    copy_part(s3, Upload(s3, bucket), f"{bucket}/source").error(404, "NoSuchKey")


@G.case("copy_part_condition", "UploadPartCopy: x-amz-copy-source-if-match; PreconditionFailed")
def copy_condition(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "source")
    answer = copy_part(s3, Upload(s3, bucket), f"{bucket}/source", if_match='"other"')
    answer.error(412, "PreconditionFailed")


@G.case("copy_part_unknown_upload", "UploadPartCopy; NoSuchUpload")
def copy_unknown_upload(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "source")
    upload = Upload(s3, bucket)
    s3.api.abort_multipart_upload(**upload.target)
    refused(
        404,
        "NoSuchUpload",
        s3.api.upload_part_copy,
        **upload.target,
        PartNumber=1,
        CopySource={"Bucket": bucket, "Key": "source"},
    )
