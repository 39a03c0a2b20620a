//! Brings the buckets and objects of the configuration into the store. What is
//! there already stays as it is, so it can be applied at every start.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use md5::{Digest as _, Md5};
use s3s::S3Error;
use s3s::dto::{
    AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, CORSConfiguration, CORSRule,
    LifecycleExpiration, LifecycleRule, LifecycleRuleAndOperator, LifecycleRuleFilter,
    NoncurrentVersionExpiration, PublicAccessBlockConfiguration, Tag, Tagging,
};

use super::backend::{buckets, config as documents};
use super::checksum::{self, Kind};
use super::config::{BucketConfig, CorsConfig, LifecycleConfig, ObjectConfig};
use super::state::State;
use super::store::{
    Checksum, ChecksumAlgorithm, ChecksumKind, Condition, ETag, ETagMatch, NewBucket, NewObject,
    ObjectMeta, StoreError, Versioning,
};
use super::{OWNER_ID, OWNER_NAME, cors, lifecycle, policy};

/// Why the configuration cannot be applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SeedError {
    /// The store refused.
    #[error("bucket `{bucket}`: {source}")]
    Store {
        /// The bucket.
        bucket: String,
        /// Why.
        source: StoreError,
    },
    /// Something about the bucket is not as S3 wants it.
    #[error("bucket `{bucket}`: {what}")]
    Invalid {
        /// The bucket.
        bucket: String,
        /// What.
        what: String,
    },
    /// A file with the bytes of an object cannot be read.
    #[error("bucket `{bucket}`: could not read {path} for the object `{key}`")]
    File {
        /// The bucket.
        bucket: String,
        /// The object.
        key: String,
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

/// Applies the configuration of one bucket.
pub(crate) async fn apply(state: &State, bucket: &BucketConfig) -> Result<(), SeedError> {
    let name = bucket.name.as_str();
    let store = |source| SeedError::Store { bucket: name.to_owned(), source };
    let invalid =
        |what: &str| SeedError::Invalid { bucket: name.to_owned(), what: what.to_owned() };
    let wrong = |error: S3Error| invalid(error.message().unwrap_or(error.code().as_str()));
    bucket.check().map_err(|what| invalid(&what))?;
    let new = NewBucket {
        name: name.to_owned(),
        region: bucket.region.clone().unwrap_or_else(|| state.region.clone()),
        object_lock: bucket.object_lock,
        owner_id: OWNER_ID.to_owned(),
        owner_name: OWNER_NAME.to_owned(),
        configs: buckets::documents("BucketOwnerEnforced", "private").map_err(wrong)?,
    };
    match state.store.create_bucket(new).await {
        Ok(_) | Err(StoreError::BucketAlreadyExists(_)) => {}
        Err(error) => return Err(store(error)),
    }
    let there = state.store.bucket(name).map_err(store)?;
    if bucket.versioning && there.versioning == Versioning::Unversioned {
        state.store.set_versioning(name, Versioning::Enabled).await.map_err(store)?;
    }
    let put = async |document: &str, text: Result<Bytes, S3Error>| {
        let text = text.map_err(wrong)?;
        state.store.put_config(name, document, text).await.map_err(store)
    };
    if !bucket.lifecycle.is_empty() || bucket.lifecycle_days.is_some() {
        let short = bucket.lifecycle_days.map(|days| {
            let days = Some(i32::try_from(days).unwrap_or(i32::MAX));
            LifecycleConfig {
                id: Some("lifecycle-days".to_owned()),
                days,
                noncurrent_days: days,
                abort_multipart_days: days,
                ..LifecycleConfig::default()
            }
        });
        let all = short.iter().chain(&bucket.lifecycle).enumerate();
        let rules = all.map(|(at, rule)| rule_of(at, rule));
        let mut config = BucketLifecycleConfiguration { rules: rules.collect() };
        lifecycle::check(&mut config).map_err(wrong)?;
        put(documents::LIFECYCLE, documents::to_xml(&config)).await?;
    }
    if !bucket.cors.is_empty() {
        let config = CORSConfiguration { cors_rules: bucket.cors.iter().map(cors_rule).collect() };
        cors::check(&config).map_err(wrong)?;
        put(documents::CORS, documents::to_xml(&config)).await?;
    }
    if !bucket.tags.is_empty() {
        let tags = Tagging { tag_set: tag_set(&bucket.tags) };
        put(documents::TAGGING, documents::to_xml(&tags)).await?;
    }
    if bucket.public {
        let open = PublicAccessBlockConfiguration {
            block_public_acls: Some(true),
            block_public_policy: Some(false),
            ignore_public_acls: Some(true),
            restrict_public_buckets: Some(false),
        };
        put(documents::PUBLIC_ACCESS, documents::to_xml(&open)).await?;
        put(documents::POLICY, Ok(policy::public_read(name).into())).await?;
    }
    for object in &bucket.objects {
        seed_object(state, name, object).await?;
    }
    Ok(())
}

fn tag_set(tags: &std::collections::BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter()
        .map(|(key, value)| Tag { key: Some(key.clone()), value: Some(value.clone()) })
        .collect()
}

fn rule_of(at: usize, rule: &LifecycleConfig) -> LifecycleRule {
    let tags = tag_set(&rule.tags);
    let prefix = Some(rule.prefix.clone());
    let filter = match tags.len() {
        0 => LifecycleRuleFilter { prefix, ..LifecycleRuleFilter::default() },
        1 if rule.prefix.is_empty() => {
            LifecycleRuleFilter { tag: tags.into_iter().next(), ..LifecycleRuleFilter::default() }
        }
        _ => LifecycleRuleFilter {
            and: Some(LifecycleRuleAndOperator {
                prefix,
                tags: Some(tags),
                ..LifecycleRuleAndOperator::default()
            }),
            ..LifecycleRuleFilter::default()
        },
    };
    let expiration = match (rule.days, rule.expired_delete_markers) {
        (Some(days), _) => {
            Some(LifecycleExpiration { days: Some(days), ..LifecycleExpiration::default() })
        }
        (None, true) => Some(LifecycleExpiration {
            expired_object_delete_marker: Some(true),
            ..LifecycleExpiration::default()
        }),
        (None, false) => None,
    };
    LifecycleRule {
        abort_incomplete_multipart_upload: rule
            .abort_multipart_days
            .map(|days| AbortIncompleteMultipartUpload { days_after_initiation: Some(days) }),
        expiration,
        filter: Some(filter),
        id: Some(rule.id.clone().unwrap_or_else(|| format!("rule-{}", at + 1))),
        noncurrent_version_expiration: rule.noncurrent_days.map(|days| {
            NoncurrentVersionExpiration {
                noncurrent_days: Some(days),
                newer_noncurrent_versions: None,
            }
        }),
        noncurrent_version_transitions: None,
        prefix: None,
        status: "Enabled".to_owned().into(),
        transitions: None,
    }
}

fn cors_rule(rule: &CorsConfig) -> CORSRule {
    CORSRule {
        allowed_headers: Some(rule.headers.clone()),
        allowed_methods: rule.methods.clone(),
        allowed_origins: rule.origins.clone(),
        expose_headers: Some(rule.expose.clone()),
        id: None,
        max_age_seconds: rule.max_age_seconds,
    }
}

async fn bytes_of(bucket: &str, object: &ObjectConfig) -> Result<Bytes, SeedError> {
    let invalid = |what: &str| SeedError::Invalid {
        bucket: bucket.to_owned(),
        what: format!("object `{}`: {what}", object.key),
    };
    match (&object.text, &object.base64, &object.file) {
        (None, None, None) => Ok(Bytes::new()),
        (Some(text), None, None) => Ok(text.clone().into()),
        (None, Some(encoded), None) => {
            let encoded: String = encoded.split_whitespace().collect();
            STANDARD.decode(encoded).map(Bytes::from).map_err(|_| invalid("`base64` is not base64"))
        }
        (None, None, Some(path)) => {
            tokio::fs::read(path).await.map(Bytes::from).map_err(|source| SeedError::File {
                bucket: bucket.to_owned(),
                key: object.key.clone(),
                path: path.display().to_string(),
                source,
            })
        }
        _ => Err(invalid("give one of `text`, `base64` and `file`")),
    }
}

async fn seed_object(state: &State, bucket: &str, object: &ObjectConfig) -> Result<(), SeedError> {
    let store = |source| SeedError::Store { bucket: bucket.to_owned(), source };
    if state.store.head(bucket, &object.key, None).is_ok() {
        return Ok(());
    }
    let bytes = bytes_of(bucket, object).await?;
    let kind = object.content_type.as_deref().unwrap_or("binary/octet-stream");
    let mut meta = ObjectMeta {
        user: object.metadata.iter().map(|(k, v)| (k.to_ascii_lowercase(), v.clone())).collect(),
        checksum: Some(Checksum {
            algorithm: ChecksumAlgorithm::Crc64Nvme,
            kind: ChecksumKind::FullObject,
            value: checksum::of(Kind::Crc64Nvme, &bytes),
        }),
        ..ObjectMeta::default()
    };
    meta.headers.insert("content-type".to_owned(), kind.to_owned());
    meta.headers.insert("x-amz-server-side-encryption".to_owned(), "AES256".to_owned());
    let etag = ETag::of_md5(Md5::digest(&bytes).into());
    let mut writer = state.store.body_writer();
    writer.write(bytes).await.map_err(store)?;
    let body = writer.finish().await.map_err(store)?;
    let new = NewObject { meta, etag, body, last_modified: None };
    let absent = Condition { if_none_match: Some(ETagMatch::Any), ..Condition::default() };
    match state.store.put_object(bucket, &object.key, new, absent).await {
        Ok(_) | Err(StoreError::PreconditionFailed(_)) => Ok(()),
        Err(error) => Err(store(error)),
    }
}
