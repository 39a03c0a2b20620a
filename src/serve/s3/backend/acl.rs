//! Access control lists, as far as canned ones go. Buckets take none unless
//! their ownership controls say so, as in S3 since April 2023.
//!
//! Source: "Access control list (ACL) overview" in the user guide.

use s3s::dto::{self, Grant, Grantee};
use s3s::{S3Error, S3ErrorCode, S3Response};

use super::Answer;
use super::{config, owner, store_error, versions};
use crate::serve::s3::error::{fail, invalid_argument, not_implemented};
use crate::serve::s3::state::{Context, State};

const EVERYONE: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
const SIGNED: &str = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";

fn not_supported() -> S3Error {
    fail(S3ErrorCode::AccessControlListNotSupported, "The bucket does not allow ACLs")
}

fn canned(value: Option<&str>, allowed: &[&str]) -> Result<String, S3Error> {
    let value = value.unwrap_or("private");
    if allowed.contains(&value) {
        return Ok(value.to_owned());
    }
    Err(invalid_argument("x-amz-acl", value, "The canned ACL is not valid"))
}

/// A canned ACL for a bucket.
pub(super) fn canned_bucket(value: Option<&str>) -> Result<String, S3Error> {
    canned(
        value,
        &[
            "private",
            "public-read",
            "public-read-write",
            "authenticated-read",
            "log-delivery-write",
        ],
    )
}

/// Whether a request has grants in headers. None are implemented.
pub(super) fn has_grants(context: &Context) -> bool {
    context.headers.keys().any(|name| name.as_str().starts_with("x-amz-grant-"))
}

pub(super) fn grants_missing() -> S3Error {
    not_implemented("x-amz-grant-* headers")
}

/// The canned ACL of a request that writes an object; none when it is the
/// owner's alone.
pub(super) fn of_write(
    state: &State,
    context: &Context,
    bucket: &str,
) -> Result<Option<String>, S3Error> {
    let grants = has_grants(context);
    let value = canned(
        context.header("x-amz-acl"),
        &[
            "private",
            "public-read",
            "public-read-write",
            "authenticated-read",
            "aws-exec-read",
            "bucket-owner-read",
            "bucket-owner-full-control",
        ],
    )?;
    let own =
        matches!(value.as_str(), "private" | "bucket-owner-full-control" | "bucket-owner-read");
    if !config::takes_acls(&state.store, bucket) {
        let given = context.header("x-amz-acl").is_some();
        if grants || (given && value != "bucket-owner-full-control" && value != "private") {
            return Err(not_supported());
        }
        return Ok(None);
    }
    if grants {
        return Err(grants_missing());
    }
    blocked(state, bucket, &value)?;
    Ok((!own).then_some(value))
}

fn blocked(state: &State, bucket: &str, value: &str) -> Result<(), S3Error> {
    let public = value.starts_with("public-") || value == "authenticated-read";
    if public && config::access_block(&state.store, bucket).acls {
        let message = "Access Denied because public ACLs are blocked by the BlockPublicAcls block public access setting.";
        return Err(fail(S3ErrorCode::AccessDenied, message));
    }
    Ok(())
}

fn grants(canned: &str) -> Vec<Grant> {
    let owner = owner();
    let mut list = vec![Grant {
        grantee: Some(Grantee {
            display_name: owner.display_name,
            email_address: None,
            id: owner.id,
            type_: "CanonicalUser".to_owned().into(),
            uri: None,
        }),
        permission: Some("FULL_CONTROL".to_owned().into()),
    }];
    let group = |uri: &str, permission: &str| Grant {
        grantee: Some(Grantee {
            display_name: None,
            email_address: None,
            id: None,
            type_: "Group".to_owned().into(),
            uri: Some(uri.to_owned()),
        }),
        permission: Some(permission.to_owned().into()),
    };
    match canned {
        "public-read" => list.push(group(EVERYONE, "READ")),
        "public-read-write" => {
            list.push(group(EVERYONE, "READ"));
            list.push(group(EVERYONE, "WRITE"));
        }
        "authenticated-read" => list.push(group(SIGNED, "READ")),
        _ => {}
    }
    list
}

/// The canned ACL that a list of grants stands for.
fn of_grants(policy: &dto::AccessControlPolicy) -> Result<String, S3Error> {
    let (mut read, mut write, mut signed) = (false, false, false);
    for grant in policy.grants.iter().flatten() {
        let grantee = grant.grantee.as_ref().ok_or(S3ErrorCode::MalformedACLError)?;
        let permission = grant.permission.as_ref().map_or("", dto::Permission::as_str);
        match (grantee.uri.as_deref(), permission) {
            (Some(EVERYONE), "READ") => read = true,
            (Some(EVERYONE), "WRITE") => write = true,
            (Some(SIGNED), "READ") => signed = true,
            (Some(_), _) => return Err(not_implemented("this grant to a group")),
            (None, _) if grantee.id.as_deref() == Some(super::super::OWNER_ID) => {}
            (None, _) => return Err(not_implemented("grants to other accounts")),
        }
    }
    let canned = match (read, write, signed) {
        (_, true, _) => "public-read-write",
        (true, ..) => "public-read",
        (_, _, true) => "authenticated-read",
        _ => "private",
    };
    Ok(canned.to_owned())
}

pub(super) async fn get_bucket_acl(
    state: &State,
    _: &Context,
    input: dto::GetBucketAclInput,
) -> Answer<dto::GetBucketAclOutput> {
    state.store.bucket(&input.bucket).map_err(store_error)?;
    let acl = config::text(&state.store, &input.bucket, config::ACL).unwrap_or_default();
    Ok(S3Response::new(dto::GetBucketAclOutput {
        grants: Some(grants(&acl)),
        owner: Some(owner()),
    }))
}

pub(super) async fn put_bucket_acl(
    state: &State,
    context: &Context,
    input: dto::PutBucketAclInput,
) -> Answer<dto::PutBucketAclOutput> {
    state.store.bucket(&input.bucket).map_err(store_error)?;
    let given = context.header("x-amz-acl");
    let value = match (&input.access_control_policy, given) {
        (Some(policy), None) => of_grants(policy)?,
        (_, value) => canned_bucket(value)?,
    };
    let grants = has_grants(context);
    if !config::takes_acls(&state.store, &input.bucket) {
        return if value == "private" && !grants {
            Ok(S3Response::new(dto::PutBucketAclOutput::default()))
        } else {
            Err(not_supported())
        };
    }
    if grants {
        return Err(grants_missing());
    }
    blocked(state, &input.bucket, &value)?;
    let document = value.into();
    state.store.put_config(&input.bucket, config::ACL, document).await.map_err(store_error)?;
    Ok(S3Response::new(dto::PutBucketAclOutput::default()))
}

pub(super) async fn get_object_acl(
    state: &State,
    context: &Context,
    input: dto::GetObjectAclInput,
) -> Answer<dto::GetObjectAclOutput> {
    let version = versions::asked(context)?;
    let object = state
        .store
        .head(&input.bucket, &input.key, version)
        .map_err(|error| versions::error(error, version.is_some()))?;
    let acl = object.meta.extra.get(config::ACL).map_or("private", String::as_str);
    Ok(S3Response::new(dto::GetObjectAclOutput {
        grants: Some(grants(acl)),
        owner: Some(owner()),
        request_charged: None,
    }))
}

pub(super) async fn put_object_acl(
    state: &State,
    context: &Context,
    input: dto::PutObjectAclInput,
) -> Answer<dto::PutObjectAclOutput> {
    let version = versions::asked(context)?;
    state
        .store
        .head(&input.bucket, &input.key, version)
        .map_err(|error| versions::error(error, version.is_some()))?;
    if !config::takes_acls(&state.store, &input.bucket) {
        return Err(not_supported());
    }
    let value = match (&input.access_control_policy, context.header("x-amz-acl")) {
        (Some(policy), None) => of_grants(policy)?,
        _ => of_write(state, context, &input.bucket)?.unwrap_or_else(|| "private".to_owned()),
    };
    blocked(state, &input.bucket, &value)?;
    if value == "private" {
        return Ok(S3Response::new(dto::PutObjectAclOutput::default()));
    }
    Err(not_implemented(
        "PutObjectAcl that makes an existing object public; write it with x-amz-acl, or use a bucket policy",
    ))
}

#[cfg(test)]
mod tests {
    use crate::serve::s3::testing::TestServer;

    #[tokio::test]
    async fn grants_in_headers_are_refused_and_not_ignored() {
        let server = TestServer::new("buckets: [{name: plain}]").await;
        let grant = ("x-amz-grant-read", "uri=\"http://acs.amazonaws.com/groups/global/AllUsers\"");
        let writer = ("x-amz-object-ownership", "ObjectWriter");
        for (target, headers, code) in [
            ("/plain?acl", &[grant][..], "AccessControlListNotSupported"),
            ("/new", &[grant], "InvalidBucketAclWithObjectOwnership"),
            ("/new", &[grant, writer], "NotImplemented"),
        ] {
            let put = server.ask("PUT", target, headers, "").await;
            assert!(put.text().contains(&format!("<Code>{code}</Code>")), "{}", put.text());
        }
        assert_eq!(server.ask("HEAD", "/new", &[], "").await.status, 404);
        assert_eq!(server.ask("PUT", "/new", &[writer], "").await.status, 200);
        let put = server.ask("PUT", "/new?acl", &[grant], "").await;
        assert_eq!(put.status, 501, "{}", put.text());
        assert_eq!(
            server.ask("PUT", "/plain?acl", &[("x-amz-acl", "private")], "").await.status,
            200
        );
    }
}
