//! Object lock: retention, legal hold and the default of a bucket. The store
//! holds the lock; this module says what is locked.
//!
//! Source: "Locking objects with Object Lock" in the user guide.

use jiff::{SignedDuration, Timestamp};
use s3s::dto::{self, ObjectLockConfiguration};
use s3s::{S3Error, S3ErrorCode, S3Response};

use super::Answer;
use super::{at, config, store_error, timestamp, versions};
use crate::serve::s3::error::{fail, invalid_argument};
use crate::serve::s3::state::{Context, State};
use crate::serve::s3::store::{
    BucketInfo, Object, ObjectMeta, ObjectUpdate, Retention, RetentionMode, StoreError, VersionId,
};
use crate::serve::s3::time;

pub(super) fn mode(mode: RetentionMode) -> &'static str {
    match mode {
        RetentionMode::Governance => "GOVERNANCE",
        RetentionMode::Compliance => "COMPLIANCE",
    }
}

fn read_mode(text: &str) -> Option<RetentionMode> {
    match text {
        "GOVERNANCE" => Some(RetentionMode::Governance),
        "COMPLIANCE" => Some(RetentionMode::Compliance),
        _ => None,
    }
}

fn no_lock() -> S3Error {
    fail(S3ErrorCode::InvalidRequest, "Bucket is missing Object Lock Configuration")
}

fn in_future(state: &State, until: Timestamp) -> Result<(), S3Error> {
    if until.as_millisecond() <= state.clock.now() {
        return Err(invalid_argument(
            "x-amz-object-lock-retain-until-date",
            &until.to_string(),
            "The retain until date must be in the future!",
        ));
    }
    Ok(())
}

/// What a write says about locking, or else the bucket's default.
pub(super) fn of_write(
    state: &State,
    context: &Context,
    bucket: &BucketInfo,
    meta: &mut ObjectMeta,
) -> Result<(), S3Error> {
    let asked = context.header("x-amz-object-lock-mode");
    let until = context.header("x-amz-object-lock-retain-until-date");
    let hold = context.header("x-amz-object-lock-legal-hold");
    if !bucket.object_lock {
        return if asked.is_some() || until.is_some() || hold.is_some() {
            Err(no_lock())
        } else {
            Ok(())
        };
    }
    meta.legal_hold = match hold {
        None => None,
        Some("ON") => Some(true),
        Some("OFF") => Some(false),
        Some(other) => {
            return Err(invalid_argument(
                "x-amz-object-lock-legal-hold",
                other,
                "Legal Hold must be either of 'ON' or 'OFF'",
            ));
        }
    };
    meta.retention = match (asked, until) {
        (None, None) => default_retention(state, &bucket.name)?,
        (Some(asked), Some(until)) => {
            let mode = read_mode(asked).ok_or_else(|| {
                invalid_argument("x-amz-object-lock-mode", asked, "Unknown wormMode directive.")
            })?;
            let until = time::parse_iso8601(until).map(at).ok_or_else(|| {
                invalid_argument(
                    "x-amz-object-lock-retain-until-date",
                    until,
                    "The retain until date must be provided in ISO 8601 format",
                )
            })?;
            in_future(state, until)?;
            Some(Retention { mode, until })
        }
        _ => {
            return Err(invalid_argument(
                "x-amz-object-lock-mode",
                asked.unwrap_or_default(),
                "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied",
            ));
        }
    };
    Ok(())
}

/// Refuses an upload that will be locked and comes without a digest. Forms need
/// none, as a page cannot compute it.
pub(super) fn needs_digest(
    context: &Context,
    meta: &ObjectMeta,
    requests: &str,
) -> Result<(), S3Error> {
    let locks = meta.retention.is_some() || meta.legal_hold.is_some();
    let digested =
        context.header("content-md5").is_some() || context.received.lock().given.is_some();
    if !locks || digested || context.operation == "PostObject" {
        return Ok(());
    }
    let message = format!(
        "Content-MD5 OR x-amz-checksum- HTTP header is required for {requests} requests with Object Lock parameters"
    );
    Err(fail(S3ErrorCode::InvalidRequest, message))
}

fn default_retention(state: &State, bucket: &str) -> Result<Option<Retention>, S3Error> {
    let config: Option<ObjectLockConfiguration> =
        config::load(&state.store, bucket, config::OBJECT_LOCK)?;
    let default = config.and_then(|config| config.rule).and_then(|rule| rule.default_retention);
    let Some(default) = default else { return Ok(None) };
    let Some(mode) = default.mode.and_then(|mode| read_mode(mode.as_str())) else {
        return Ok(None);
    };
    let days = match (default.days, default.years) {
        (Some(days), _) => i64::from(days),
        (None, Some(years)) => i64::from(years) * 365,
        (None, None) => return Ok(None),
    };
    let until = at(state.clock.now()).saturating_add(SignedDuration::from_hours(days * 24));
    Ok(until.ok().map(|until| Retention { mode, until }))
}

pub(super) async fn get_configuration(
    state: &State,
    _: &Context,
    input: dto::GetObjectLockConfigurationInput,
) -> Answer<dto::GetObjectLockConfigurationOutput> {
    let bucket = state.store.bucket(&input.bucket).map_err(store_error)?;
    if !bucket.object_lock {
        return Err(S3ErrorCode::ObjectLockConfigurationNotFoundError.into());
    }
    let config: Option<ObjectLockConfiguration> =
        config::load(&state.store, &input.bucket, config::OBJECT_LOCK)?;
    let config = config.unwrap_or_else(|| ObjectLockConfiguration {
        object_lock_enabled: Some("Enabled".to_owned().into()),
        rule: None,
    });
    Ok(S3Response::new(dto::GetObjectLockConfigurationOutput {
        object_lock_configuration: Some(config),
    }))
}

pub(super) async fn put_configuration(
    state: &State,
    _: &Context,
    input: dto::PutObjectLockConfigurationInput,
) -> Answer<dto::PutObjectLockConfigurationOutput> {
    let config = input.object_lock_configuration.ok_or(S3ErrorCode::MalformedXML)?;
    let enabled = config.object_lock_enabled.as_ref().map(dto::ObjectLockEnabled::as_str);
    if enabled != Some("Enabled") {
        return Err(S3ErrorCode::MalformedXML.into());
    }
    if let Some(rule) = &config.rule {
        let default = rule.default_retention.as_ref().ok_or(S3ErrorCode::MalformedXML)?;
        let known = default.mode.as_ref().is_some_and(|mode| read_mode(mode.as_str()).is_some());
        if !known || default.days.is_some() == default.years.is_some() {
            return Err(S3ErrorCode::MalformedXML.into());
        }
        let days = default.days.or(default.years.map(|years| years.saturating_mul(365)));
        if !days.is_some_and(|days| (1..=36_500).contains(&days)) {
            let message = "Default retention period must be a positive integer value.";
            return Err(fail(S3ErrorCode::InvalidArgument, message));
        }
    }
    let bucket = state.store.bucket(&input.bucket).map_err(store_error)?;
    if !bucket.object_lock {
        state.store.enable_object_lock(&input.bucket).await.map_err(|error| match error {
            StoreError::InvalidBucketState(_) => fail(
                S3ErrorCode::InvalidBucketState,
                "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
            ),
            other => store_error(other),
        })?;
    }
    let document = config::to_xml(&config)?;
    state
        .store
        .put_config(&input.bucket, config::OBJECT_LOCK, document)
        .await
        .map_err(store_error)?;
    Ok(S3Response::new(dto::PutObjectLockConfigurationOutput::default()))
}

fn locked_bucket(state: &State, bucket: &str) -> Result<(), S3Error> {
    let bucket = state.store.bucket(bucket).map_err(store_error)?;
    if bucket.object_lock { Ok(()) } else { Err(no_lock()) }
}

/// The version that is asked for, in a bucket with object lock.
fn lockable(state: &State, context: &Context, bucket: &str, key: &str) -> Result<Object, S3Error> {
    locked_bucket(state, bucket)?;
    let version = versions::asked(context)?;
    let object = state.store.head(bucket, key, version);
    object.map_err(|error| versions::error(error, version.is_some()))
}

async fn change(
    state: &State,
    (bucket, key, version): (&str, &str, Option<VersionId>),
    update: ObjectUpdate,
) -> Result<(), S3Error> {
    let changed = state.store.update_object(bucket, key, version, update).await;
    changed.map(|_| ()).map_err(|error| versions::error(error, version.is_some()))
}

pub(super) async fn get_retention(
    state: &State,
    context: &Context,
    input: dto::GetObjectRetentionInput,
) -> Answer<dto::GetObjectRetentionOutput> {
    let object = lockable(state, context, &input.bucket, &input.key)?;
    let retention = object.meta.retention.ok_or(S3ErrorCode::NoSuchObjectLockConfiguration)?;
    Ok(S3Response::new(dto::GetObjectRetentionOutput {
        retention: Some(dto::ObjectLockRetention {
            mode: Some(mode(retention.mode).to_owned().into()),
            retain_until_date: Some(timestamp(retention.until)),
        }),
    }))
}

pub(super) async fn put_retention(
    state: &State,
    context: &Context,
    input: dto::PutObjectRetentionInput,
) -> Answer<dto::PutObjectRetentionOutput> {
    locked_bucket(state, &input.bucket)?;
    let version = versions::asked(context)?;
    let given = input.retention.ok_or(S3ErrorCode::MalformedXML)?;
    let value = match (given.mode, given.retain_until_date) {
        (None, None) => None,
        (Some(asked), Some(date)) => {
            let mode = read_mode(asked.as_str()).ok_or(S3ErrorCode::MalformedXML)?;
            let mut text = Vec::new();
            date.format(dto::TimestampFormat::DateTime, &mut text)
                .map_err(|_| S3Error::new(S3ErrorCode::MalformedXML))?;
            let until = std::str::from_utf8(&text).ok().and_then(time::parse_iso8601).map(at);
            let until = until.ok_or(S3ErrorCode::MalformedXML)?;
            in_future(state, until)?;
            Some(Retention { mode, until })
        }
        _ => return Err(S3ErrorCode::MalformedXML.into()),
    };
    let bypass_governance = input.bypass_governance_retention.unwrap_or(false);
    let update = ObjectUpdate::Retention { value, bypass_governance };
    change(state, (&input.bucket, &input.key, version), update).await?;
    Ok(S3Response::new(dto::PutObjectRetentionOutput::default()))
}

pub(super) async fn get_legal_hold(
    state: &State,
    context: &Context,
    input: dto::GetObjectLegalHoldInput,
) -> Answer<dto::GetObjectLegalHoldOutput> {
    let object = lockable(state, context, &input.bucket, &input.key)?;
    let hold = object.meta.legal_hold.ok_or(S3ErrorCode::NoSuchObjectLockConfiguration)?;
    let status = if hold { "ON" } else { "OFF" };
    Ok(S3Response::new(dto::GetObjectLegalHoldOutput {
        legal_hold: Some(dto::ObjectLockLegalHold { status: Some(status.to_owned().into()) }),
    }))
}

pub(super) async fn put_legal_hold(
    state: &State,
    context: &Context,
    input: dto::PutObjectLegalHoldInput,
) -> Answer<dto::PutObjectLegalHoldOutput> {
    locked_bucket(state, &input.bucket)?;
    let version = versions::asked(context)?;
    let status = input.legal_hold.and_then(|hold| hold.status);
    let hold = match status.as_ref().map(dto::ObjectLockLegalHoldStatus::as_str) {
        Some("ON") => true,
        Some("OFF") => false,
        _ => return Err(S3ErrorCode::MalformedXML.into()),
    };
    change(state, (&input.bucket, &input.key, version), ObjectUpdate::LegalHold(hold)).await?;
    Ok(S3Response::new(dto::PutObjectLegalHoldOutput::default()))
}

#[cfg(test)]
mod tests {
    use crate::serve::s3::checksum::{self, Kind};
    use crate::serve::s3::testing::TestServer;

    const LOCKED: &str = "buckets: [{name: kept, versioning: true, object-lock: true}]";
    const DATE: &str = "2099-01-01T00:00:00Z";

    async fn default_retention(server: &TestServer) {
        let rule = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule>\
            <DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention>\
            </Rule></ObjectLockConfiguration>";
        let sum = checksum::of(Kind::Crc32, rule.as_bytes());
        let headers = [("x-amz-checksum-crc32", sum.as_str())];
        let put = server.ask("PUT", "/kept?object-lock", &headers, rule).await;
        assert_eq!(put.status, 200, "{}", put.text());
    }

    #[tokio::test]
    async fn what_will_be_locked_comes_with_a_digest() {
        let server = TestServer::new(LOCKED).await;
        assert_eq!(server.ask("PUT", "/kept/k", &[], "data").await.status, 200);
        let hold = ("x-amz-object-lock-legal-hold", "ON");
        let mode = ("x-amz-object-lock-mode", "GOVERNANCE");
        let until = ("x-amz-object-lock-retain-until-date", DATE);
        let md5 = ("content-md5", "jXd/OF09/siBXSD3SWAm3A==");
        let crc = ("x-amz-checksum-crc32", "rfPzYw==");
        for (headers, status) in [
            (&[hold][..], 400),
            (&[mode, until], 400),
            (&[hold, md5], 200),
            (&[mode, until, crc], 200),
        ] {
            let put = server.ask("PUT", "/kept/k", headers, "data").await;
            assert_eq!(put.status, status, "{headers:?}: {}", put.text());
            assert!(status == 200 || put.text().contains("for Put Object requests"));
        }
        default_retention(&server).await;
        assert_eq!(server.ask("PUT", "/kept/k", &[], "data").await.status, 400);
        assert_eq!(server.ask("PUT", "/kept/k", &[md5], "data").await.status, 200);
    }

    #[tokio::test]
    async fn each_part_of_what_will_be_locked_comes_with_a_digest() {
        let server = TestServer::new(LOCKED).await;
        default_retention(&server).await;
        let begun = server.ask("POST", "/kept/k?uploads", &[], "").await.text();
        let id = begun.split("UploadId>").nth(1).unwrap().trim_end_matches("</");
        let part = format!("/kept/k?partNumber=1&uploadId={id}");
        let put = server.ask("PUT", &part, &[], "data").await;
        assert!(put.text().contains("for Put Part requests"), "{}", put.text());
        let crc = checksum::of(Kind::Crc64Nvme, b"data");
        let put = server.ask("PUT", &part, &[("x-amz-checksum-crc64nvme", &crc)], "data").await;
        assert_eq!(put.status, 200, "{}", put.text());
    }
}
