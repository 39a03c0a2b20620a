"""Policies, public access, ownership and ACLs."""

from __future__ import annotations

import json

from ..context import S3
from ..expect import equal, one_of, refused, true
from ..registry import Group

G = Group("access")

ALL = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
NONE = dict.fromkeys(ALL, False)


def policy(bucket: str, effect: str = "Allow", principal: object = "*") -> dict:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "read",
                "Effect": effect,
                "Principal": principal,
                "Action": "s3:GetObject",
                "Resource": f"arn:aws:s3:::{bucket}/*",
            }
        ],
    }


def with_policy(s3: S3, *, public: bool = False) -> tuple[str, dict]:
    bucket = s3.bucket()
    if public:
        s3.api.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=NONE)
    wanted = policy(bucket, "Allow" if public else "Deny")
    s3.api.put_bucket_policy(Bucket=bucket, Policy=json.dumps(wanted))
    return bucket, wanted


@G.case("policy_round_trip", "PutBucketPolicy, GetBucketPolicy")
def policy_round_trip(s3: S3) -> None:
    bucket, wanted = with_policy(s3)
    got = json.loads(s3.api.get_bucket_policy(Bucket=bucket)["Policy"])
    equal(got, wanted, "policy")


@G.case("policy_put_answers_204", "PutBucketPolicy: 204 or 200, no body")
def policy_put_answers(s3: S3) -> None:
    bucket = s3.bucket()
    body = json.dumps(policy(bucket, "Deny")).encode()
    answer = s3.req("PUT", bucket, query={"policy": ""}, body=body)
    one_of(answer.status, (200, 204), "status")
    equal(answer.body, b"", "body")


@G.case("policy_none", "GetBucketPolicy; NoSuchBucketPolicy")
def policy_none(s3: S3) -> None:
    s3.req("GET", s3.bucket(), query={"policy": ""}).error(404, "NoSuchBucketPolicy")


@G.case("policy_delete", "DeleteBucketPolicy: 204")
def policy_delete(s3: S3) -> None:
    bucket, _ = with_policy(s3)
    s3.req("DELETE", bucket, query={"policy": ""}).ok(204)
    refused(404, "NoSuchBucketPolicy", s3.api.get_bucket_policy, Bucket=bucket)


@G.table(
    "PutBucketPolicy; MalformedPolicy",
    {
        "policy_no_json": (b"no json",),
        "policy_empty": (b"{}",),
        "policy_cut": (b'{"Version": "2012-10-17", "Statement": [',),
    },
)
def policy_refused(s3: S3, body: bytes) -> None:
    s3.req("PUT", s3.bucket(), query={"policy": ""}, body=body).error(400, "MalformedPolicy")


@G.case("policy_of_other_bucket", "PutBucketPolicy: the resource must be this bucket")
def policy_of_other(s3: S3) -> None:
    body = json.dumps(policy("some-other-bucket", "Deny")).encode()
    s3.req("PUT", s3.bucket(), query={"policy": ""}, body=body).error(400, "MalformedPolicy")


@G.case("policy_on_copy_source", "CopyObject, Permissions: s3:GetObject on the source")
def policy_on_copy_source(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "k")
    s3.api.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy(bucket, "Deny")))
    headers = {"x-amz-copy-source": f"{bucket}/k"}
    s3.req("PUT", s3.bucket(), "copy", headers=headers).error(403, "AccessDenied")


@G.case("policy_on_each_deleted_key", "DeleteObjects, Permissions: s3:DeleteObject on each key")
def policy_on_each_deleted_key(s3: S3) -> None:
    bucket = s3.keys(s3.bucket(), "kept", "other")
    denied = policy(bucket, "Deny")
    denied["Statement"][0] |= {
        "Action": "s3:DeleteObject",
        "Resource": f"arn:aws:s3:::{bucket}/kept",
    }
    s3.api.put_bucket_policy(Bucket=bucket, Policy=json.dumps(denied))
    keys = {"Objects": [{"Key": "kept"}, {"Key": "other"}]}
    got = s3.api.delete_objects(Bucket=bucket, Delete=keys)
    s3.api.delete_bucket_policy(Bucket=bucket)
    equal([deleted["Key"] for deleted in got.get("Deleted", [])], ["other"], "Deleted")
    errors = [(error["Key"], error["Code"]) for error in got.get("Errors", [])]
    equal(errors, [("kept", "AccessDenied")], "Errors")


@G.case("policy_status_none", "GetBucketPolicyStatus; NoSuchBucketPolicy")
def status_none(s3: S3) -> None:
    answer = s3.req("GET", s3.bucket(), query={"policyStatus": ""})
    answer.error(404, "NoSuchBucketPolicy")


@G.table(
    "GetBucketPolicyStatus: IsPublic",
    {"policy_status_public": (True,), "policy_status_not_public": (False,)},
)
def status(s3: S3, public: bool) -> None:
    bucket, _ = with_policy(s3, public=public)
    got = s3.api.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"]
    equal(got, public, "IsPublic")


@G.case("block_is_on_for_new_buckets", "Blocking public access: on for new buckets since 2023-04")
def block_default(s3: S3) -> None:
    got = s3.api.get_public_access_block(Bucket=s3.bucket())["PublicAccessBlockConfiguration"]
    equal(got, ALL, "PublicAccessBlockConfiguration")


@G.case("block_round_trip", "PutPublicAccessBlock, GetPublicAccessBlock")
def block_round_trip(s3: S3) -> None:
    bucket = s3.bucket()
    wanted = {**NONE, "BlockPublicAcls": True}
    s3.api.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=wanted)
    got = s3.api.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    equal(got, wanted, "PublicAccessBlockConfiguration")


@G.case("block_delete", "DeletePublicAccessBlock; NoSuchPublicAccessBlockConfiguration")
def block_delete(s3: S3) -> None:
    bucket = s3.bucket()
    s3.api.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=ALL)
    s3.req("DELETE", bucket, query={"publicAccessBlock": ""}).ok(204)
    answer = s3.req("GET", bucket, query={"publicAccessBlock": ""})
    answer.error(404, "NoSuchPublicAccessBlockConfiguration")


@G.case("block_refuses_public_policy", "PutBucketPolicy: BlockPublicPolicy; AccessDenied")
def block_refuses_policy(s3: S3) -> None:
    bucket = s3.bucket()
    s3.api.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=ALL)
    body = json.dumps(policy(bucket)).encode()
    s3.req("PUT", bucket, query={"policy": ""}, body=body).error(403, "AccessDenied")


@G.case("ownership_default", "GetBucketOwnershipControls: BucketOwnerEnforced for new buckets")
def ownership_default(s3: S3) -> None:
    got = s3.api.get_bucket_ownership_controls(Bucket=s3.bucket())["OwnershipControls"]
    equal(got["Rules"], [{"ObjectOwnership": "BucketOwnerEnforced"}], "Rules")


@G.case("ownership_round_trip", "PutBucketOwnershipControls, GetBucketOwnershipControls")
def ownership_round_trip(s3: S3) -> None:
    bucket = s3.bucket()
    wanted = {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}
    s3.api.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=wanted)
    got = s3.api.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]
    equal(got, wanted, "OwnershipControls")


@G.case("ownership_delete", "DeleteBucketOwnershipControls; OwnershipControlsNotFoundError")
def ownership_delete(s3: S3) -> None:
    bucket = s3.bucket()
    s3.req("DELETE", bucket, query={"ownershipControls": ""}).ok(204)
    answer = s3.req("GET", bucket, query={"ownershipControls": ""})
    answer.error(404, "OwnershipControlsNotFoundError")


@G.case("bucket_acl", "GetBucketAcl: the owner has FULL_CONTROL")
def bucket_acl(s3: S3) -> None:
    got = s3.api.get_bucket_acl(Bucket=s3.bucket())
    grants = [(g["Grantee"].get("ID"), g["Permission"]) for g in got["Grants"]]
    equal(grants, [(got["Owner"]["ID"], "FULL_CONTROL")], "grants")


@G.case("object_acl", "GetObjectAcl: the owner has FULL_CONTROL")
def object_acl(s3: S3) -> None:
    got = s3.api.get_object_acl(Bucket=s3.keys(s3.bucket(), "k"), Key="k")
    grants = [(g["Grantee"].get("ID"), g["Permission"]) for g in got["Grants"]]
    equal(grants, [(got["Owner"]["ID"], "FULL_CONTROL")], "grants")


@G.case("object_acl_missing", "GetObjectAcl; NoSuchKey")
def object_acl_missing(s3: S3) -> None:
    s3.req("GET", s3.bucket(), "k", {"acl": ""}).error(404, "NoSuchKey")


@G.table(
    "Controlling ownership of objects: ACLs are disabled; AccessControlListNotSupported",
    {
        "acl_put_object": ("k", {}, {"x-amz-acl": "public-read"}),
        "acl_put_object_acl": ("there", {"acl": ""}, {"x-amz-acl": "public-read"}),
        "acl_put_bucket_acl": (None, {"acl": ""}, {"x-amz-acl": "public-read"}),
    },
)
def acl_refused(s3: S3, key: str | None, query: dict[str, str], headers: dict[str, str]) -> None:
    bucket = s3.keys(s3.bucket(), "there")
    answer = s3.req("PUT", bucket, key, query, headers)
    answer.error(400, "AccessControlListNotSupported")


GRANT = {"x-amz-grant-read": 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'}


@G.case("acl_grants_of_put_bucket_acl", "PutBucketAcl: x-amz-grant-*; AccessControlListNotSupported")
def acl_grants(s3: S3) -> None:
    answer = s3.req("PUT", s3.bucket(), query={"acl": ""}, headers=GRANT)
    answer.error(400, "AccessControlListNotSupported")


@G.case("acl_grants_of_create_bucket", "CreateBucket: x-amz-grant-*; ACLs are disabled")
def acl_grants_of_create(s3: S3) -> None:
    answer = s3.req("PUT", s3.name(), headers=GRANT)
    answer.error(400, "InvalidBucketAclWithObjectOwnership")


@G.case("acl_bucket_owner_full_control", "Controlling ownership of objects: the one ACL taken")
def acl_full_control(s3: S3) -> None:
    headers = {"x-amz-acl": "bucket-owner-full-control"}
    s3.req("PUT", s3.bucket(), "k", headers=headers).ok()


@G.case("owner_is_the_same_everywhere", "ListBuckets, GetBucketAcl: Owner")
def owner_is_the_same(s3: S3) -> None:
    bucket = s3.bucket()
    listed = s3.req("GET").ok().text("Owner/ID")
    true(listed, "an Owner/ID")
    equal(s3.api.get_bucket_acl(Bucket=bucket)["Owner"]["ID"], listed, "Owner of GetBucketAcl")
