"""Buckets by host name."""

from __future__ import annotations

from urllib.parse import urlsplit

from ..context import S3
from ..expect import equal
from ..registry import Group

G = Group("virtual_hosts")

SECTION = "Virtual hosting of general purpose buckets"


def host(s3: S3, bucket: str) -> str:
    return f"{bucket}.{s3.endpoint.virtual_host}"


@G.case("put_and_get", f"{SECTION}: virtual-hosted-style requests")
def put_and_get(s3: S3) -> None:
    bucket = s3.bucket()
    s3.req("PUT", path="/a%20b", host=host(s3, bucket), body=b"data").ok()
    equal(s3.req("GET", bucket, "a b").ok().body, b"data", "body by path")
    equal(s3.req("GET", path="/a%20b", host=host(s3, bucket)).ok().body, b"data", "by host")


@G.case("list", f"{SECTION}: GET / of a bucket's host lists it")
def listing(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    answer = s3.req("GET", path="/", host=host(s3, bucket), query={"list-type": "2"}).ok()
    equal((answer.text("Name"), answer.texts("Contents/Key")), (bucket, ["k"]), "Name, keys")


@G.case("create_and_delete", f"{SECTION}: PUT / and DELETE / of a bucket's host")
def create_and_delete(s3: S3) -> None:
    name = s3.name()
    s3.req("PUT", path="/", host=host(s3, name)).ok()
    s3.req("HEAD", name).ok()
    s3.req("DELETE", path="/", host=host(s3, name)).ok(204)
    s3.req("HEAD", name).ok(404)


@G.case("key_that_looks_like_a_bucket", f"{SECTION}: the whole path is the key")
def key_like_bucket(s3: S3) -> None:
    bucket = s3.bucket()
    s3.req("PUT", path=f"/{bucket}/k", host=host(s3, bucket), body=b"data").ok()
    equal(s3.req("GET", bucket, f"{bucket}/k").ok().body, b"data", "body")


@G.case("missing_bucket", f"{SECTION}; NoSuchBucket")
def missing_bucket(s3: S3) -> None:
    s3.req("GET", path="/k", host=host(s3, s3.name())).error(404, "NoSuchBucket")


@G.case("location_of_upload", "CompleteMultipartUpload: Location, the URI of the new object")
def location_of_upload(s3: S3) -> None:
    bucket = s3.bucket()
    where = {"path": "/k", "host": host(s3, bucket)}
    upload = s3.req("POST", query={"uploads": ""}, **where).ok().text("UploadId") or ""
    query = {"uploadId": upload}
    etag = s3.req("PUT", query={**query, "partNumber": "1"}, body=b"data", **where).ok()["etag"]
    body = (
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>"
        f"<ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    )
    answer = s3.req("POST", query=query, body=body.encode(), **where).ok()
    location = urlsplit(answer.text("Location") or "")
    equal((location.netloc, location.path), (host(s3, bucket), "/k"), "Location")


@G.case("bucket_with_period", f"{SECTION}: names with periods")
def bucket_with_period(s3: S3) -> None:
    name = s3.name("conf.dot")
    s3.api.create_bucket(Bucket=name)
    s3.req("PUT", path="/k", host=host(s3, name)).ok()
    s3.req("HEAD", name, "k").ok()


@G.case("host_in_upper_case", f"{SECTION}; RFC 9110: host names are not case sensitive")
def upper_case(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    s3.req("GET", path="/k", host=host(s3, bucket).upper()).ok()


@G.case("path_style_on_the_domain", f"{SECTION}: path-style requests to the endpoint's name")
def path_style(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    s3.req("GET", bucket, "k", host=s3.endpoint.virtual_host).ok()
    s3.req("GET", host=s3.endpoint.virtual_host).ok()


@G.case("presigned", f"{SECTION}; Using Query Parameters (AWS Signature Version 4)")
def presigned(s3: S3) -> None:
    bucket = s3.bucket()
    s3.put(bucket, "k", b"data")
    request = s3.presigned("GET", bucket, "k", path="/k", host=host(s3, bucket))
    equal(s3.send("GET", *request).ok().body, b"data", "body")


@G.case("copy", f"{SECTION}; CopyObject: the source names its bucket")
def copy(s3: S3) -> None:
    bucket = s3.bucket()
    s3.put(bucket, "source", b"data")
    headers = {"x-amz-copy-source": f"{bucket}/source"}
    s3.req("PUT", path="/k", host=host(s3, bucket), headers=headers).ok()
    equal(s3.read(bucket, "k"), b"data", "body")
