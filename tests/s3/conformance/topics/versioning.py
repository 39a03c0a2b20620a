"""Versions and delete markers."""

from __future__ import annotations

from ..checksums import content_md5
from ..context import S3
from ..expect import equal, refused, true
from ..registry import Group

G = Group("versioning")


@G.table(
    "GetBucketVersioning, PutBucketVersioning: Status",
    {
        "status_never_set": ([], None),
        "status_enabled": (["Enabled"], "Enabled"),
        "status_suspended": (["Enabled", "Suspended"], "Suspended"),
        "status_enabled_again": (["Enabled", "Suspended", "Enabled"], "Enabled"),
    },
)
def status(s3: S3, changes: list[str], wanted: str | None) -> None:
    bucket = s3.bucket()
    for change in changes:
        s3.set_versioning(bucket, change)
    answer = s3.req("GET", bucket, query={"versioning": ""}).ok()
    got = (answer.xml.tag, answer.text("Status"))
    equal(got, ("VersioningConfiguration", wanted), "document, Status")


@G.table(
    "PutBucketVersioning; MalformedXML",
    {
        "status_unknown": (
            b"<VersioningConfiguration><Status>On</Status></VersioningConfiguration>",
        ),
        "status_no_xml": (b"Enabled",),
    },
)
def status_refused(s3: S3, body: bytes) -> None:
    headers = {"Content-MD5": content_md5(body)}
    answer = s3.req("PUT", s3.bucket(), query={"versioning": ""}, headers=headers, body=body)
    answer.error(400, "MalformedXML")


@G.case("unversioned_has_no_id", "PutObject: x-amz-version-id only with versioning")
def unversioned_has_no_id(s3: S3) -> None:
    bucket = s3.bucket()
    equal(s3.req("PUT", bucket, "k").ok()["x-amz-version-id"], None, "of PUT")
    equal(s3.req("GET", bucket, "k").ok()["x-amz-version-id"], None, "of GET")


@G.case("each_put_is_a_version", "PutObject: x-amz-version-id")
def each_put(s3: S3) -> None:
    bucket = s3.bucket(versioned=True)
    first = s3.put(bucket, "k", b"1")["VersionId"]
    second = s3.put(bucket, "k", b"2")["VersionId"]
    true(first != second, "two version ids")
    equal(s3.read(bucket, "k"), b"2", "current body")
    equal(s3.read(bucket, "k", VersionId=first), b"1", "old body")
    head = s3.req("HEAD", bucket, "k").ok()
    equal(head["x-amz-version-id"], second, "x-amz-version-id of HEAD")
    old = s3.req("HEAD", bucket, "k", {"versionId": first}).ok()
    equal(old["x-amz-version-id"], first, "x-amz-version-id of the old version")


@G.case("delete_makes_marker", "DeleteObject: x-amz-delete-marker, x-amz-version-id")
def delete_makes_marker(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(versioned=True), "k")
    answer = s3.req("DELETE", bucket, "k").ok(204)
    equal(answer["x-amz-delete-marker"], "true", "x-amz-delete-marker")
    true(answer["x-amz-version-id"], "an x-amz-version-id")
    got = s3.req("GET", bucket, "k").error(404, "NoSuchKey")
    equal(got["x-amz-delete-marker"], "true", "x-amz-delete-marker of GET")
    head = s3.req("HEAD", bucket, "k").ok(404)
    equal(head["x-amz-delete-marker"], "true", "x-amz-delete-marker of HEAD")


@G.case("get_delete_marker", "GetObject: a delete marker by its version; MethodNotAllowed")
def get_delete_marker(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(versioned=True), "k")
    marker = s3.api.delete_object(Bucket=bucket, Key="k")["VersionId"]
    answer = s3.req("GET", bucket, "k", {"versionId": marker}).error(405, "MethodNotAllowed")
    equal(answer["x-amz-delete-marker"], "true", "x-amz-delete-marker")
    s3.req("HEAD", bucket, "k", {"versionId": marker}).ok(405)


@G.case("delete_marker_removed", "Removing delete markers: the version before is current again")
def delete_marker_removed(s3: S3) -> None:
    bucket = s3.bucket(versioned=True)
    s3.put(bucket, "k", b"data")
    marker = s3.api.delete_object(Bucket=bucket, Key="k")["VersionId"]
    answer = s3.req("DELETE", bucket, "k", {"versionId": marker}).ok(204)
    equal(answer["x-amz-delete-marker"], "true", "x-amz-delete-marker")
    equal(answer["x-amz-version-id"], marker, "x-amz-version-id")
    equal(s3.read(bucket, "k"), b"data", "body")


@G.case("two_markers", "Working with delete markers: each DELETE adds one")
def two_markers(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(versioned=True), "k")
    first = s3.api.delete_object(Bucket=bucket, Key="k")["VersionId"]
    second = s3.api.delete_object(Bucket=bucket, Key="k")["VersionId"]
    true(first != second, "two markers")


@G.case("delete_of_nothing_makes_marker", "Working with delete markers")
def delete_of_nothing(s3: S3) -> None:
    bucket = s3.bucket(versioned=True)
    answer = s3.req("DELETE", bucket, "k").ok(204)
    equal(answer["x-amz-delete-marker"], "true", "x-amz-delete-marker")


@G.case("delete_version", "DeleteObject: versionId removes it for good")
def delete_version(s3: S3) -> None:
    bucket = s3.bucket(versioned=True)
    old = s3.put(bucket, "k", b"1")["VersionId"]
    new = s3.put(bucket, "k", b"2")["VersionId"]
    answer = s3.req("DELETE", bucket, "k", {"versionId": new}).ok(204)
    got = (answer["x-amz-version-id"], answer["x-amz-delete-marker"])
    equal(got, (new, None), "x-amz-version-id, x-amz-delete-marker")
    equal(s3.read(bucket, "k"), b"1", "body, now of the old version")
    s3.req("GET", bucket, "k", {"versionId": new}).error(404, "NoSuchVersion")
    s3.req("DELETE", bucket, "k", {"versionId": old}).ok(204)
    s3.req("GET", bucket, "k").error(404, "NoSuchKey")


@G.case("version_malformed", "GetObject: versionId; InvalidArgument")
def version_malformed(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(versioned=True), "k")
    s3.req("GET", bucket, "k", {"versionId": "no such version!"}).error(400, "InvalidArgument")


@G.case("version_empty", "GetObject: versionId cannot be empty; InvalidArgument")
def version_empty(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(versioned=True), "k")
    s3.req("GET", bucket, "k", {"versionId": ""}).error(400, "InvalidArgument")


@G.case("version_of_other_key", "GetObject; NoSuchVersion")
def version_of_other_key(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(versioned=True), "k")
    version = s3.put(bucket, "other")["VersionId"]
    s3.req("GET", bucket, "k", {"versionId": version}).error(404, "NoSuchVersion")


@G.case("null_version_of_unversioned", "GetObject: versionId null")
def null_of_unversioned(s3: S3) -> None:
    bucket = s3.bucket()
    s3.put(bucket, "k", b"data")
    equal(s3.read(bucket, "k", VersionId="null"), b"data", "body")
    s3.req("DELETE", bucket, "k", {"versionId": "null"}).ok(204)
    s3.req("HEAD", bucket, "k").ok(404)


@G.case("object_from_before_is_null", "Enabling versioning: objects that are there stay as null")
def object_from_before(s3: S3) -> None:
    bucket = s3.bucket()
    s3.put(bucket, "k", b"old")
    s3.set_versioning(bucket, "Enabled")
    equal(s3.read(bucket, "k", VersionId="null"), b"old", "body of null")
    s3.put(bucket, "k", b"new")
    equal(s3.read(bucket, "k", VersionId="null"), b"old", "body of null after a PUT")
    equal(s3.read(bucket, "k"), b"new", "current body")


@G.case("suspended_put_replaces_null", "Adding objects to versioning-suspended buckets")
def suspended_put(s3: S3) -> None:
    bucket = s3.bucket(versioned=True)
    kept = s3.put(bucket, "k", b"kept")["VersionId"]
    s3.set_versioning(bucket, "Suspended")
    s3.put(bucket, "k", b"null 1")
    s3.put(bucket, "k", b"null 2")
    listed = s3.api.list_object_versions(Bucket=bucket)["Versions"]
    equal([v["VersionId"] for v in listed], ["null", kept], "versions")
    equal(s3.read(bucket, "k"), b"null 2", "current body")
    equal(s3.read(bucket, "k", VersionId=kept), b"kept", "kept body")


@G.case("suspended_delete_makes_null_marker", "Deleting objects from versioning-suspended buckets")
def suspended_delete(s3: S3) -> None:
    bucket = s3.bucket(versioned=True)
    kept = s3.put(bucket, "k", b"kept")["VersionId"]
    s3.set_versioning(bucket, "Suspended")
    s3.put(bucket, "k", b"null")
    answer = s3.req("DELETE", bucket, "k").ok(204)
    got = (answer["x-amz-delete-marker"], answer["x-amz-version-id"])
    equal(got, ("true", "null"), "x-amz-delete-marker, x-amz-version-id")
    listed = s3.api.list_object_versions(Bucket=bucket)
    versions = [v["VersionId"] for v in listed.get("Versions", [])]
    markers = [m["VersionId"] for m in listed.get("DeleteMarkers", [])]
    equal((versions, markers), ([kept], ["null"]), "versions, markers")


@G.case("delete_many_makes_markers", "DeleteObjects: DeleteMarker, DeleteMarkerVersionId")
def delete_many(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(versioned=True), "a")
    done = s3.api.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a"}]})
    (deleted,) = done["Deleted"]
    equal((deleted["Key"], deleted.get("DeleteMarker")), ("a", True), "Key, DeleteMarker")
    true(deleted.get("DeleteMarkerVersionId"), "a DeleteMarkerVersionId")


@G.case("delete_many_versions", "DeleteObjects: VersionId")
def delete_many_versions(s3: S3) -> None:
    bucket = s3.bucket(versioned=True)
    first, second = (s3.put(bucket, "k")["VersionId"] for _ in range(2))
    objects = [{"Key": "k", "VersionId": v} for v in (first, second)]
    done = s3.api.delete_objects(Bucket=bucket, Delete={"Objects": objects})
    equal({d["VersionId"] for d in done["Deleted"]}, {first, second}, "deleted versions")
    equal(s3.api.list_object_versions(Bucket=bucket).get("Versions"), None, "versions left")


@G.case("copy_restores_a_version", "Restoring previous versions: copy one into the same bucket")
def copy_restores(s3: S3) -> None:
    bucket = s3.bucket(versioned=True)
    old = s3.put(bucket, "k", b"old")["VersionId"]
    s3.put(bucket, "k", b"new")
    source = {"x-amz-copy-source": f"{bucket}/k?versionId={old}"}
    s3.req("PUT", bucket, "k", headers=source).ok()
    equal(s3.read(bucket, "k"), b"old", "body")
    equal(len(s3.api.list_object_versions(Bucket=bucket)["Versions"]), 3, "number of versions")


@G.case("etag_condition_of_current", "GetObject: If-Match with versionId")
def etag_condition(s3: S3) -> None:
    bucket = s3.bucket(versioned=True)
    old = s3.put(bucket, "k", b"old")
    s3.put(bucket, "k", b"new")
    headers = {"If-Match": old["ETag"]}
    s3.req("GET", bucket, "k", {"versionId": old["VersionId"]}, headers).ok()
    s3.req("GET", bucket, "k", headers=headers).error(412, "PreconditionFailed")


@G.case("tags_on_missing_version", "GetObjectTagging; NoSuchVersion")
def tags_on_missing_version(s3: S3) -> None:
    bucket = s3.bucket(versioned=True)
    version = s3.put(bucket, "k")["VersionId"]
    s3.api.delete_object(Bucket=bucket, Key="k", VersionId=version)
    refused(
        404, "NoSuchVersion", s3.api.get_object_tagging, Bucket=bucket, Key="k", VersionId=version
    )
