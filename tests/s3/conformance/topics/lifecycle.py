"""Lifecycle rules: kept, judged, and carried out as time goes by."""

from __future__ import annotations

from ..checksums import content_md5
from ..context import S3
from ..expect import equal, matches, refused, true
from ..registry import Group

G = Group("lifecycle")

DAY = 86400


def rule(identity: str = "r", **more: object) -> dict:
    return {"ID": identity, "Status": "Enabled", "Filter": {"Prefix": ""}, **more}


def configured(s3: S3, *rules: dict, versioned: bool = False) -> str:
    bucket = s3.bucket(versioned=versioned)
    s3.api.put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration={"Rules": list(rules)}
    )
    return bucket


EXPIRE = {"Expiration": {"Days": 1}}

KEPT = {
    "days": rule(**EXPIRE),
    "prefix": rule(**EXPIRE) | {"Filter": {"Prefix": "raw/"}},
    "tag": rule(**EXPIRE) | {"Filter": {"Tag": {"Key": "a", "Value": "1"}}},
    "size": rule(**EXPIRE) | {"Filter": {"ObjectSizeGreaterThan": 500}},
    "and": rule(**EXPIRE)
    | {"Filter": {"And": {"Prefix": "a/", "Tags": [{"Key": "a", "Value": "1"}]}}},
    "disabled": rule(**EXPIRE) | {"Status": "Disabled"},
    "delete_marker": rule(Expiration={"ExpiredObjectDeleteMarker": True}),
    "noncurrent": rule(
        NoncurrentVersionExpiration={"NoncurrentDays": 3, "NewerNoncurrentVersions": 2}
    ),
    "abort": rule(AbortIncompleteMultipartUpload={"DaysAfterInitiation": 7}),
    "transition": rule(Transitions=[{"Days": 30, "StorageClass": "GLACIER"}]),
}


@G.table(
    "PutBucketLifecycleConfiguration, GetBucketLifecycleConfiguration",
    {f"keeps_{name}": (kept,) for name, kept in KEPT.items()},
)
def round_trip(s3: S3, kept: dict) -> None:
    bucket = configured(s3, kept)
    got = s3.api.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    equal(got, [kept], "Rules")


SIZE = "x-amz-transition-default-minimum-object-size"
RULES = (
    b"<LifecycleConfiguration><Rule><ID>r</ID><Status>Enabled</Status><Filter/>"
    b"<Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>"
)


@G.case("minimum_size", f"PutBucketLifecycleConfiguration, GetBucketLifecycleConfiguration: {SIZE}")
def minimum_size(s3: S3) -> None:
    bucket, query = s3.bucket(), {"lifecycle": ""}
    headers = {"Content-MD5": content_md5(RULES), SIZE: "varies_by_storage_class"}
    s3.req("PUT", bucket, None, query, headers, RULES).ok()
    equal(s3.req("GET", bucket, None, query).ok()[SIZE], "varies_by_storage_class", SIZE)


@G.case("minimum_size_unknown", f"PutBucketLifecycleConfiguration: {SIZE}; 400 Bad Request")
def minimum_size_unknown(s3: S3) -> None:
    headers = {"Content-MD5": content_md5(RULES), SIZE: "some"}
    s3.req("PUT", s3.bucket(), None, {"lifecycle": ""}, headers, RULES).ok(400)


@G.case("none", "GetBucketLifecycleConfiguration; NoSuchLifecycleConfiguration")
def none(s3: S3) -> None:
    answer = s3.req("GET", s3.bucket(), query={"lifecycle": ""})
    answer.error(404, "NoSuchLifecycleConfiguration")


@G.case("delete", "DeleteBucketLifecycle: 204")
def delete(s3: S3) -> None:
    bucket = configured(s3, rule(**EXPIRE))
    s3.req("DELETE", bucket, query={"lifecycle": ""}).ok(204)
    refused(
        404,
        "NoSuchLifecycleConfiguration",
        s3.api.get_bucket_lifecycle_configuration,
        Bucket=bucket,
    )


@G.case("id_is_made_up", "PutBucketLifecycleConfiguration: ID, made by S3 where there is none")
def id_is_made_up(s3: S3) -> None:
    kept = rule(**EXPIRE)
    del kept["ID"]
    bucket = configured(s3, kept)
    got = s3.api.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"][0]
    true(got.get("ID"), "an ID")


FILTER = "<Filter><Prefix/></Filter>"
ON = "<Status>Enabled</Status>"
ONE_DAY = "<Expiration><Days>1</Days></Expiration>"


@G.table(
    "PutBucketLifecycleConfiguration, Request Body; Error responses",
    {
        "refused_no_rules": ("", "MalformedXML"),
        "refused_status_unknown": (
            f"<Rule><ID>a</ID>{FILTER}<Status>On</Status>{ONE_DAY}</Rule>",
            "MalformedXML",
        ),
        "refused_without_status": (f"<Rule><ID>a</ID>{FILTER}{ONE_DAY}</Rule>", "MalformedXML"),
        "refused_days_zero": (
            f"<Rule><ID>a</ID>{FILTER}{ON}<Expiration><Days>0</Days></Expiration></Rule>",
            "InvalidArgument",
        ),
        "refused_days_negative": (
            f"<Rule><ID>a</ID>{FILTER}{ON}<Expiration><Days>-1</Days></Expiration></Rule>",
            "InvalidArgument",
        ),
        "refused_id_twice": (
            f"<Rule><ID>a</ID><Filter><Prefix>x/</Prefix></Filter>{ON}{ONE_DAY}</Rule>"
            f"<Rule><ID>a</ID><Filter><Prefix>y/</Prefix></Filter>{ON}{ONE_DAY}</Rule>",
            "InvalidArgument",
        ),
        "refused_id_too_long": (
            f"<Rule><ID>{'a' * 256}</ID>{FILTER}{ON}{ONE_DAY}</Rule>",
            "InvalidArgument",
        ),
        "refused_date_not_midnight": (
            f"<Rule><ID>a</ID>{FILTER}{ON}<Expiration><Date>2030-01-01T12:00:00Z</Date>"
            "</Expiration></Rule>",
            "InvalidArgument",
        ),
        "refused_cut": (f"<Rule><ID>a</ID>{FILTER}", "MalformedXML"),
    },
)
def refused_rules(s3: S3, rules: str, code: str) -> None:
    body = f"<LifecycleConfiguration>{rules}</LifecycleConfiguration>".encode()
    headers = {"Content-MD5": content_md5(body)}
    bucket = s3.bucket()
    s3.req("PUT", bucket, query={"lifecycle": ""}, headers=headers, body=body).error(400, code)
    s3.req("GET", bucket, query={"lifecycle": ""}).ok(404)


@G.case("expiration_header", "HeadObject: x-amz-expiration, expiry-date and rule-id")
def expiration_header(s3: S3) -> None:
    bucket = configured(s3, rule("my rule", **EXPIRE) | {"Filter": {"Prefix": "a/"}})
    pattern = r'^expiry-date="\w{3}, \d\d \w{3} \d{4} 00:00:00 GMT", rule-id="my(%20|\+| )rule"$'
    put = s3.req("PUT", bucket, "a/1").ok()
    matches(put["x-amz-expiration"], pattern, "x-amz-expiration of PUT")
    matches(s3.req("HEAD", bucket, "a/1").ok()["x-amz-expiration"], pattern, "of HEAD")
    equal(s3.req("PUT", bucket, "b/1").ok()["x-amz-expiration"], None, "of another prefix")


def keys_after(s3: S3, bucket: str, seconds: int) -> list[str]:
    """The keys that are left when that much time has passed."""
    with s3.admin.clock_ahead(seconds=seconds):
        return s3.req("GET", bucket, query={"list-type": "2"}).ok().texts("Contents/Key")


@G.table(
    "Expiring objects; Lifecycle elements: Filter",
    {
        "runs_all": (rule(**EXPIRE), []),
        "runs_prefix": (rule(**EXPIRE) | {"Filter": {"Prefix": "a/"}}, ["b/big", "b/tagged"]),
        "runs_tag": (
            rule(**EXPIRE) | {"Filter": {"Tag": {"Key": "t", "Value": "1"}}},
            ["a/1", "b/big"],
        ),
        "runs_size_greater": (
            rule(**EXPIRE) | {"Filter": {"ObjectSizeGreaterThan": 100}},
            ["a/1", "b/tagged"],
        ),
        "runs_size_less": (rule(**EXPIRE) | {"Filter": {"ObjectSizeLessThan": 100}}, ["b/big"]),
        "runs_and": (
            rule(**EXPIRE)
            | {"Filter": {"And": {"Prefix": "b/", "Tags": [{"Key": "t", "Value": "1"}]}}},
            ["a/1", "b/big"],
        ),
        "runs_not_when_disabled": (
            rule(**EXPIRE) | {"Status": "Disabled"},
            ["a/1", "b/big", "b/tagged"],
        ),
        "runs_not_too_early": (
            rule(Expiration={"Days": 5}),
            ["a/1", "b/big", "b/tagged"],
        ),
    },
    admin=True,
)
def runs(s3: S3, kept: dict, left: list[str]) -> None:
    bucket = configured(s3, kept)
    s3.put(bucket, "a/1")
    s3.put(bucket, "b/big", b"x" * 200)
    s3.put(bucket, "b/tagged", Tagging="t=1")
    equal(keys_after(s3, bucket, 2 * DAY + 60), left, "keys left")


@G.case("runs_to_marker", "Expiring objects: a versioned object gets a delete marker", admin=True)
def runs_to_marker(s3: S3) -> None:
    bucket = configured(s3, rule(**EXPIRE), versioned=True)
    version = s3.put(bucket, "k", b"data")["VersionId"]
    equal(keys_after(s3, bucket, 2 * DAY + 60), [], "keys left")
    equal(s3.read(bucket, "k", VersionId=version), b"data", "body of the version")
    listed = s3.api.list_object_versions(Bucket=bucket)
    equal(len(listed.get("DeleteMarkers", [])), 1, "number of delete markers")


@G.case("runs_noncurrent", "Lifecycle elements: NoncurrentVersionExpiration", admin=True)
def runs_noncurrent(s3: S3) -> None:
    expiration = {"NoncurrentDays": 1, "NewerNoncurrentVersions": 1}
    bucket = configured(s3, rule(NoncurrentVersionExpiration=expiration), versioned=True)
    versions = [s3.put(bucket, "k")["VersionId"] for _ in range(4)]
    equal(keys_after(s3, bucket, 2 * DAY + 60), ["k"], "keys left")
    left = [v["VersionId"] for v in s3.api.list_object_versions(Bucket=bucket)["Versions"]]
    equal(left, [versions[3], versions[2]], "versions left")


@G.case("runs_lone_marker", "Lifecycle elements: ExpiredObjectDeleteMarker", admin=True)
def runs_lone_marker(s3: S3) -> None:
    bucket = configured(s3, rule(Expiration={"ExpiredObjectDeleteMarker": True}), versioned=True)
    version = s3.put(bucket, "lone")["VersionId"]
    s3.put(bucket, "kept")
    for key in ("lone", "kept"):
        s3.api.delete_object(Bucket=bucket, Key=key)
    s3.api.delete_object(Bucket=bucket, Key="lone", VersionId=version)
    keys_after(s3, bucket, 2 * DAY + 60)
    markers = s3.api.list_object_versions(Bucket=bucket).get("DeleteMarkers", [])
    equal([m["Key"] for m in markers], ["kept"], "delete markers left")


@G.case("runs_abort", "Lifecycle elements: AbortIncompleteMultipartUpload", admin=True)
def runs_abort(s3: S3) -> None:
    bucket = configured(s3, rule(AbortIncompleteMultipartUpload={"DaysAfterInitiation": 1}))
    s3.api.create_multipart_upload(Bucket=bucket, Key="k")
    keys_after(s3, bucket, 2 * DAY + 60)
    equal(s3.api.list_multipart_uploads(Bucket=bucket).get("Uploads", []), [], "uploads left")
