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

/// An operation on a bucket, or on an object or a version in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) operation: &'a str,
    pub(crate) bucket: &'a str,
    pub(crate) key: Option<&'a str>,
    pub(crate) version: Option<&'a str>,
}

/// Decides about a request.
///
/// # Errors
///
/// `AccessDenied`; `NoSuchBucket` for an anonymous request to no bucket.
pub(crate) fn check(state: &State, request: &Request) -> Result<(), S3Error> {
    owner(request, "x-amz-expected-bucket-owner")?;
    let anonymous = request.caller.access_key.is_none();
    let Some(bucket) = request.target.bucket.as_deref() else {
        return if anonymous { denied() } else { Ok(()) };
    };
    let overrides = request.target.query.iter().any(|(name, _)| name.starts_with("response-"));
    if anonymous && overrides {
        let message =
            "Request specific response headers cannot be used for anonymous GET requests.";
        return Err(fail(S3ErrorCode::InvalidRequest, message));
    }
    let asked = Asked {
        operation: request.operation,
        bucket,
        key: request.target.key.as_deref(),
        version: request.target.param("versionId"),
    };
    match verdict(state, request, asked) {
        Err(StoreError::NoSuchBucket(_)) if !anonymous || request.operation == "CreateBucket" => {
            if anonymous {
                denied()
            } else {
                Ok(())
            }
        }
        Err(error) => Err(super::backend::store_error(error)),
        // Each key is judged by itself, and answered by itself.
        Ok(_) if request.operation == "DeleteObjects" => Ok(()),
        Ok(Verdict::Deny) if anonymous || !ALWAYS.contains(&request.operation) => denied(),
        Ok(Verdict::Silent) if anonymous => {
            if public_by_acl(state, asked) {
                Ok(())
            } else {
                denied()
            }
        }
        Ok(_) => Ok(()),
    }
}

fn denied() -> Result<(), S3Error> {
    Err(S3ErrorCode::AccessDenied.into())
}

/// Refuses a request that expects another owner of a bucket; there is only one.
pub(crate) fn owner(request: &Request, header: &str) -> Result<(), S3Error> {
    match request.header(header) {
        Some(owner) if owner != super::OWNER_ACCOUNT => denied(),
        _ => Ok(()),
    }
}

/// Decides about one thing more that a request does, to another object than the one that it is
/// aimed at.
pub(crate) fn check_other(
    state: &State,
    request: &Request,
    asked: Asked<'_>,
) -> Result<(), S3Error> {
    let anonymous = request.caller.access_key.is_none();
    match verdict(state, request, asked) {
        Ok(Verdict::Deny) => denied(),
        Ok(Verdict::Silent) if anonymous && !public_by_acl(state, asked) => denied(),
        // That there is no such bucket, the operation says.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Whether an anonymous caller may know that a key does not exist.
pub(crate) fn may_list(state: &State, request: &Request) -> bool {
    request.caller.access_key.is_some()
        || request.target.bucket.as_deref().is_some_and(|bucket| {
            let asked = Asked { operation: "ListObjects", bucket, key: None, version: None };
            matches!(verdict(state, request, asked), Ok(Verdict::Allow))
        })
}

fn verdict(
    state: &State,
    request: &Request,
    Asked { operation, bucket, key, version }: Asked<'_>,
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
    let action = operation::action(operation, version.is_some());
    let resource = match key.filter(|_| of_object(&action)) {
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

fn public_by_acl(state: &State, Asked { operation, bucket, key, version }: Asked<'_>) -> bool {
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
    match operation {
        "GetObject" | "HeadObject" => {
            let Some(key) = key else { return false };
            let version = version.and_then(|version| version.parse().ok());
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

#[cfg(test)]
mod tests {
    use crate::serve::s3::checksum::{self, Kind};
    use crate::serve::s3::testing::{Got, TestServer};

    const CONFIG: &str = "buckets:
- name: kept
  versioning: true
  objects: [{key: secret/k, text: secret}, {key: k, text: other}]
- {name: open}
";

    async fn with_policy(server: &TestServer, bucket: &str, statement: &str) {
        server.ask("DELETE", &format!("/{bucket}?publicAccessBlock"), &[], "").await;
        let policy = format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#);
        let put = server.ask("PUT", &format!("/{bucket}?policy"), &[], policy).await;
        assert_eq!(put.status, 204, "{}", put.text());
    }

    async fn copy(server: &TestServer, source: &str, anonymous: bool) -> Got {
        let headers = [("x-amz-copy-source", source)];
        if anonymous {
            server.anonymous("PUT", "/open/copy", &headers, "").await
        } else {
            server.ask("PUT", "/open/copy", &headers, "").await
        }
    }

    #[tokio::test]
    async fn a_copy_needs_the_right_to_read_its_source() {
        let server = TestServer::new(CONFIG).await;
        let denied = r#"{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::kept/secret/*"}"#;
        with_policy(&server, "kept", denied).await;
        let write = r#"{"Effect":"Allow","Principal":"*","Action":"s3:PutObject","Resource":"arn:aws:s3:::open/*"}"#;
        with_policy(&server, "open", write).await;
        assert_eq!(copy(&server, "kept/secret/k", false).await.status, 403);
        assert_eq!(copy(&server, "kept/k", false).await.status, 200);
        assert_eq!(copy(&server, "kept/k", true).await.status, 403);
        assert_eq!(copy(&server, "nobody/k", false).await.status, 404);
        let version =
            server.ask("HEAD", "/kept/k", &[], "").await.headers["x-amz-version-id"].clone();
        let version = format!("kept/k?versionId={}", version.to_str().unwrap());
        let denied = r#"{"Effect":"Deny","Principal":"*","Action":"s3:GetObjectVersion","Resource":"arn:aws:s3:::kept/*"}"#;
        with_policy(&server, "kept", denied).await;
        assert_eq!(copy(&server, &version, false).await.status, 403);
        assert_eq!(copy(&server, "kept/k", false).await.status, 200);
    }

    #[tokio::test]
    async fn the_bucket_of_a_source_has_the_expected_owner() {
        let server = TestServer::new(CONFIG).await;
        for (owner, status) in [("210987654321", 403), (crate::serve::s3::OWNER_ACCOUNT, 200)] {
            let headers =
                [("x-amz-copy-source", "kept/k"), ("x-amz-source-expected-bucket-owner", owner)];
            let got = server.ask("PUT", "/open/copy", &headers, "").await;
            assert_eq!(got.status, status, "{}", got.text());
        }
    }

    #[tokio::test]
    async fn each_key_of_a_bulk_delete_is_judged_by_itself() {
        let server = TestServer::new(CONFIG).await;
        let denied = r#"{"Effect":"Deny","Principal":"*","Action":["s3:DeleteObject"],"Resource":"arn:aws:s3:::kept/secret/*"},
            {"Effect":"Deny","Principal":"*","Action":["s3:DeleteObjectVersion"],"Resource":"arn:aws:s3:::kept/*"}"#;
        with_policy(&server, "kept", denied).await;
        let body = "<Delete><Object><Key>secret/k</Key></Object><Object><Key>k</Key></Object>\
            <Object><Key>k</Key><VersionId>null</VersionId></Object></Delete>";
        let sum = checksum::of(Kind::Crc32, body.as_bytes());
        let headers = [("x-amz-checksum-crc32", sum.as_str())];
        let got = server.ask("POST", "/kept?delete", &headers, body).await;
        assert_eq!(got.status, 200, "{}", got.text());
        assert_eq!(got.text().matches("<Deleted>").count(), 1, "{}", got.text());
        assert_eq!(got.text().matches("<Code>AccessDenied</Code>").count(), 2, "{}", got.text());
        assert_eq!(server.ask("HEAD", "/kept/secret/k", &[], "").await.status, 200);
        assert_eq!(server.ask("HEAD", "/kept/k", &[], "").await.status, 404);
        let got = server.anonymous("POST", "/kept?delete", &headers, body).await;
        assert!(!got.text().contains("<Deleted>"), "{}", got.text());
    }
}
