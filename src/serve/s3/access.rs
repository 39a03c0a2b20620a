//! Who may do what: the owner everything that no policy denies, everyone else
//! what a bucket policy or a public ACL allows.
//!
//! There is one account. A caller with any access key is its owner.

use s3s::{S3Error, S3ErrorCode};

use super::backend::config;
use super::error::fail;
use super::operation;
use super::policy::{Policy, Verdict};
use super::state::{Request, State};
use super::store::StoreError;

/// Operations on the policy itself, so that nobody locks themselves out.
const ALWAYS: [&str; 4] =
    ["GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy", "DeleteBucket"];

/// Decides about a request.
///
/// # Errors
///
/// `AccessDenied`; `NoSuchBucket` for an anonymous request to no bucket.
pub(crate) fn check(state: &State, request: &Request) -> Result<(), S3Error> {
    if let Some(owner) = request.header("x-amz-expected-bucket-owner")
        && owner != super::OWNER_ACCOUNT
    {
        return Err(S3ErrorCode::AccessDenied.into());
    }
    let anonymous = request.caller.access_key.is_none();
    let denied = || Err(S3ErrorCode::AccessDenied.into());
    let Some(bucket) = request.target.bucket.as_deref() else {
        return if anonymous { denied() } else { Ok(()) };
    };
    let overrides = request.target.query.iter().any(|(name, _)| name.starts_with("response-"));
    if anonymous && overrides {
        let message =
            "Request specific response headers cannot be used for anonymous GET requests.";
        return Err(fail(S3ErrorCode::InvalidRequest, message));
    }
    match verdict(state, request, bucket, request.operation) {
        Err(StoreError::NoSuchBucket(_)) if !anonymous || request.operation == "CreateBucket" => {
            if anonymous {
                denied()
            } else {
                Ok(())
            }
        }
        Err(error) => Err(super::backend::store_error(error)),
        Ok(Verdict::Deny) if anonymous || !ALWAYS.contains(&request.operation) => denied(),
        Ok(Verdict::Silent) if anonymous => {
            if public_by_acl(state, request, bucket) {
                Ok(())
            } else {
                denied()
            }
        }
        Ok(_) => Ok(()),
    }
}

/// Whether an anonymous caller may know that a key does not exist.
pub(crate) fn may_list(state: &State, request: &Request) -> bool {
    request.caller.access_key.is_some()
        || request.target.bucket.as_deref().is_some_and(|bucket| {
            matches!(verdict(state, request, bucket, "ListObjects"), Ok(Verdict::Allow))
        })
}

fn verdict(
    state: &State,
    request: &Request,
    bucket: &str,
    operation: &str,
) -> Result<Verdict, StoreError> {
    let Some(document) = state.store.config(bucket, config::POLICY)? else {
        return Ok(Verdict::Silent);
    };
    let text = String::from_utf8_lossy(&document);
    let Ok(policy) = Policy::parse(&text, bucket) else { return Ok(Verdict::Silent) };
    let anonymous = request.caller.access_key.is_none();
    if anonymous && policy.is_public() && config::access_block(&state.store, bucket).restrict {
        return Ok(Verdict::Silent);
    }
    let has_version = request.target.param("versionId").is_some();
    let action = operation::action(operation, has_version);
    let resource = match request.target.key.as_deref().filter(|_| of_object(&action)) {
        Some(key) => format!("arn:aws:s3:::{bucket}/{key}"),
        None if of_object(&action) => format!("arn:aws:s3:::{bucket}/"),
        None => format!("arn:aws:s3:::{bucket}"),
    };
    Ok(policy.verdict(anonymous, &action, &resource))
}

fn of_object(action: &str) -> bool {
    action.contains("Object") && !action.contains("Bucket")
        || action.contains("MultipartUpload") && !action.starts_with("s3:ListBucket")
}

fn public_by_acl(state: &State, request: &Request, bucket: &str) -> bool {
    if config::access_block(&state.store, bucket).ignore_acls
        || !config::takes_acls(&state.store, bucket)
    {
        return false;
    }
    let grants = |acl: &str, write: bool| match acl {
        "public-read-write" => true,
        "public-read" => !write,
        _ => false,
    };
    let of_bucket = config::text(&state.store, bucket, config::ACL).unwrap_or_default();
    match request.operation {
        "GetObject" | "HeadObject" => {
            let Some(key) = request.target.key.as_deref() else { return false };
            let version = request.target.param("versionId").and_then(|v| v.parse().ok());
            state.store.head(bucket, key, version).is_ok_and(|object| {
                object.meta.extra.get(config::ACL).is_some_and(|acl| grants(acl, false))
            })
        }
        "ListObjects"
        | "ListObjectsV2"
        | "HeadBucket"
        | "ListObjectVersions"
        | "ListMultipartUploads" => grants(&of_bucket, false),
        "PutObject"
        | "PostObject"
        | "DeleteObject"
        | "CreateMultipartUpload"
        | "UploadPart"
        | "CompleteMultipartUpload" => grants(&of_bucket, true),
        _ => false,
    }
}
