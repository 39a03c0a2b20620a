"""Object lock: retention and legal holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ..checksums import content_md5
from ..context import LOCK_S, S3
from ..expect import equal, one_of, refused, true
from ..registry import Group

G = Group("object_lock")

SECTION = "Locking objects with Object Lock"


def soon(seconds: float = LOCK_S) -> datetime:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).replace(microsecond=0)


def locked(s3: S3) -> str:
    return s3.bucket(ObjectLockEnabledForBucket=True)


def retained(s3: S3, mode: str, until: datetime) -> tuple[str, str]:
    bucket = locked(s3)
    version = s3.put(bucket, "k", b"data", ObjectLockMode=mode, ObjectLockRetainUntilDate=until)[
        "VersionId"
    ]
    return bucket, version


@G.case("enables_versioning", "CreateBucket: x-amz-bucket-object-lock-enabled")
def enables_versioning(s3: S3) -> None:
    bucket = locked(s3)
    equal(s3.api.get_bucket_versioning(Bucket=bucket).get("Status"), "Enabled", "Status")
    got = s3.api.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
    equal(got, {"ObjectLockEnabled": "Enabled"}, "ObjectLockConfiguration")


@G.case("no_configuration", "GetObjectLockConfiguration; ObjectLockConfigurationNotFoundError")
def no_configuration(s3: S3) -> None:
    answer = s3.req("GET", s3.bucket(), query={"object-lock": ""})
    answer.error(404, "ObjectLockConfigurationNotFoundError")


@G.case("versioning_cannot_be_suspended", f"{SECTION}; InvalidBucketState")
def cannot_be_suspended(s3: S3) -> None:
    refused(
        409,
        "InvalidBucketState",
        s3.api.put_bucket_versioning,
        Bucket=locked(s3),
        VersioningConfiguration={"Status": "Suspended"},
    )


@G.case("default_retention", "PutObjectLockConfiguration: DefaultRetention applies to new objects")
def default_retention(s3: S3) -> None:
    bucket = locked(s3)
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
    wanted = {"ObjectLockEnabled": "Enabled", "Rule": rule}
    s3.api.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=wanted)
    got = s3.api.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
    equal(got, wanted, "ObjectLockConfiguration")
    s3.put(bucket, "k")
    head = s3.api.head_object(Bucket=bucket, Key="k")
    equal(head.get("ObjectLockMode"), "GOVERNANCE", "ObjectLockMode")
    left = head["ObjectLockRetainUntilDate"] - datetime.now(UTC)
    true(timedelta(hours=23) < left <= timedelta(hours=24, minutes=1), f"a day, got {left}")


@G.table(
    "PutObjectLockConfiguration: DefaultRetention; MalformedXML",
    {
        "default_days_and_years": ({"Mode": "GOVERNANCE", "Days": 1, "Years": 1}, "MalformedXML"),
        "default_mode_unknown": ({"Mode": "SOFT", "Days": 1}, "MalformedXML"),
    },
)
def default_refused(s3: S3, retention: dict, code: str) -> None:
    refused(
        400,
        code,
        s3.api.put_object_lock_configuration,
        Bucket=locked(s3),
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": retention},
        },
    )


@G.case("retention_of_put", "PutObject: x-amz-object-lock-mode, -retain-until-date")
def retention_of_put(s3: S3) -> None:
    until = soon(3600)
    bucket, _ = retained(s3, "GOVERNANCE", until)
    got = s3.api.get_object_retention(Bucket=bucket, Key="k")["Retention"]
    equal(got, {"Mode": "GOVERNANCE", "RetainUntilDate": until}, "Retention")
    head = s3.req("HEAD", bucket, "k").ok()
    equal(head["x-amz-object-lock-mode"], "GOVERNANCE", "x-amz-object-lock-mode")


@G.case("governance_refuses_delete", f"{SECTION}: AccessDenied without bypass")
def governance_refuses(s3: S3) -> None:
    bucket, version = retained(s3, "GOVERNANCE", soon(3600))
    s3.req("DELETE", bucket, "k", {"versionId": version}).error(403, "AccessDenied")
    equal(s3.read(bucket, "k"), b"data", "body")


@G.case("governance_bypassed", "DeleteObject: x-amz-bypass-governance-retention")
def governance_bypassed(s3: S3) -> None:
    bucket, version = retained(s3, "GOVERNANCE", soon(3600))
    headers = {"x-amz-bypass-governance-retention": "true"}
    s3.req("DELETE", bucket, "k", {"versionId": version}, headers).ok(204)


@G.case("compliance_refuses_bypass", f"{SECTION}: AccessDenied for everybody")
def compliance_refuses(s3: S3) -> None:
    bucket, version = retained(s3, "COMPLIANCE", soon())
    headers = {"x-amz-bypass-governance-retention": "true"}
    answer = s3.req("DELETE", bucket, "k", {"versionId": version}, headers)
    answer.error(403, "AccessDenied")


@G.case("delete_makes_marker", f"{SECTION}: a DELETE without version is possible")
def delete_makes_marker(s3: S3) -> None:
    bucket, version = retained(s3, "GOVERNANCE", soon(3600))
    equal(s3.req("DELETE", bucket, "k").ok(204)["x-amz-delete-marker"], "true", "marker")
    equal(s3.read(bucket, "k", VersionId=version), b"data", "body of the version")


@G.case("retention_set_later", "PutObjectRetention, GetObjectRetention")
def retention_set_later(s3: S3) -> None:
    bucket, until = locked(s3), soon(3600)
    s3.put(bucket, "k")
    wanted = {"Mode": "GOVERNANCE", "RetainUntilDate": until}
    s3.api.put_object_retention(Bucket=bucket, Key="k", Retention=wanted)
    equal(s3.api.get_object_retention(Bucket=bucket, Key="k")["Retention"], wanted, "Retention")


@G.case("governance_not_shortened", "PutObjectRetention: shorter needs bypass; AccessDenied")
def not_shortened(s3: S3) -> None:
    bucket, _ = retained(s3, "GOVERNANCE", soon(3600))
    wanted = {"Mode": "GOVERNANCE", "RetainUntilDate": soon(60)}
    call = {"Bucket": bucket, "Key": "k", "Retention": wanted}
    refused(403, "AccessDenied", s3.api.put_object_retention, **call)
    s3.api.put_object_retention(**call, BypassGovernanceRetention=True)


@G.case("governance_extended", "PutObjectRetention: longer needs no bypass")
def extended(s3: S3) -> None:
    bucket, _ = retained(s3, "GOVERNANCE", soon(60))
    wanted = {"Mode": "GOVERNANCE", "RetainUntilDate": soon(3600)}
    s3.api.put_object_retention(Bucket=bucket, Key="k", Retention=wanted)


@G.case("no_retention", "GetObjectRetention; NoSuchObjectLockConfiguration")
def no_retention(s3: S3) -> None:
    bucket = s3.keys(locked(s3), "k")
    answer = s3.req("GET", bucket, "k", {"retention": ""})
    # The reference gives the code; which status comes with it, it leaves open.
    one_of(answer.status, (400, 404), "status")
    equal(answer.code, "NoSuchObjectLockConfiguration", "code")


@G.case("legal_hold", "PutObjectLegalHold, GetObjectLegalHold, DeleteObject; AccessDenied")
def legal_hold(s3: S3) -> None:
    bucket = locked(s3)
    version = s3.put(bucket, "k", ObjectLockLegalHoldStatus="ON")["VersionId"]
    got = s3.api.get_object_legal_hold(Bucket=bucket, Key="k")["LegalHold"]["Status"]
    equal(got, "ON", "Status")
    headers = {"x-amz-bypass-governance-retention": "true"}
    query = {"versionId": version}
    s3.req("DELETE", bucket, "k", query, headers).error(403, "AccessDenied")
    s3.api.put_object_legal_hold(Bucket=bucket, Key="k", LegalHold={"Status": "OFF"})
    s3.req("DELETE", bucket, "k", query).ok(204)


@G.case("without_lock_on_bucket", "PutObject: x-amz-object-lock-*; InvalidRequest")
def without_lock(s3: S3) -> None:
    refused(
        400,
        "InvalidRequest",
        s3.api.put_object,
        Bucket=s3.bucket(),
        Key="k",
        ObjectLockMode="GOVERNANCE",
        ObjectLockRetainUntilDate=soon(3600),
    )


@G.table(
    "PutObject: x-amz-object-lock-*; InvalidArgument",
    {
        "date_in_the_past": ({"x-amz-object-lock-mode": "GOVERNANCE"}, "2020-01-01T00:00:00Z"),
        "date_without_mode": ({}, "2099-01-01T00:00:00Z"),
        "mode_without_date": ({"x-amz-object-lock-mode": "GOVERNANCE"}, None),
        "mode_unknown": ({"x-amz-object-lock-mode": "SOFT"}, "2099-01-01T00:00:00Z"),
        "legal_hold_unknown": ({"x-amz-object-lock-legal-hold": "MAYBE"}, None),
    },
)
def refused_headers(s3: S3, headers: dict[str, str], date: str | None) -> None:
    bucket = locked(s3)
    if date is not None:
        headers = {**headers, "x-amz-object-lock-retain-until-date": date}
    s3.req("PUT", bucket, "k", headers=headers).error(400, "InvalidArgument")


DIGEST = "Content-MD5 or a checksum is required for uploads with Object Lock; InvalidRequest"


@G.table(
    f"PutObject: {DIGEST}",
    {
        "retention_needs_digest": (
            {
                "x-amz-object-lock-mode": "GOVERNANCE",
                "x-amz-object-lock-retain-until-date": "2099-01-01T00:00:00Z",
            },
        ),
        "legal_hold_needs_digest": ({"x-amz-object-lock-legal-hold": "ON"},),
    },
)
def needs_digest(s3: S3, headers: dict[str, str]) -> None:
    bucket = locked(s3)
    s3.req("PUT", bucket, "k", headers=headers, body=b"data").error(400, "InvalidRequest")
    s3.req("HEAD", bucket, "k").ok(404)


@G.case("default_retention_needs_digest", f"PutObject, UploadPart: {DIGEST}")
def default_needs_digest(s3: S3) -> None:
    bucket = locked(s3)
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
    s3.api.put_object_lock_configuration(
        Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
    )
    s3.req("PUT", bucket, "k", body=b"data").error(400, "InvalidRequest")
    upload = s3.api.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    query = {"partNumber": "1", "uploadId": upload}
    s3.req("PUT", bucket, "k", query, body=b"data").error(400, "InvalidRequest")
    md5 = {"Content-MD5": content_md5(b"data")}
    s3.req("PUT", bucket, "k", query, md5, body=b"data").ok()
    s3.req("PUT", bucket, "k", headers=md5, body=b"data").ok()


@G.case("ends_with_the_clock", f"{SECTION}: until the date", admin=True)
def ends_with_the_clock(s3: S3) -> None:
    bucket, version = retained(s3, "COMPLIANCE", soon(3600))
    query = {"versionId": version}
    s3.req("DELETE", bucket, "k", query).error(403, "AccessDenied")
    with s3.admin.clock_ahead(seconds=3700):
        s3.req("DELETE", bucket, "k", query).ok(204)
