//! Decides writes, deletions and updates of objects.

use std::sync::Arc;

use bytes::Bytes;

use super::super::bucket::Versioning;
use super::super::error::StoreError;
use super::super::meta::{ObjectMeta, Retention, RetentionMode};
use super::super::object::{
    Condition, DeleteOptions, Deleted, ETagMatch, NewObject, ObjectUpdate, Written,
};
use super::super::record::{Record, VersionRecord};
use super::super::state::Version;
use super::super::sync::read;
use super::super::version::{ETag, UploadId, VersionId};
use super::Batch;
use super::batch::split;

/// Half of a version id, which nobody can guess.
pub(super) fn random() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().1
}

/// Writes `object` as the current version.
pub(in super::super) fn put(
    batch: &mut Batch,
    bucket_name: &str,
    key: String,
    object: NewObject,
    condition: &Condition,
    upload: Option<UploadId>,
) -> Result<Written, StoreError> {
    let (bucket, state) = batch.bucket(bucket_name)?;
    check(condition, &key, read(&bucket.index).current(&key))?;
    let versioning = state.info.versioning;
    let NewObject { meta, etag, body, last_modified } = object;
    let size = body.len();
    let (files, claims, inline) = split(body.0);
    let record = VersionRecord {
        bucket: bucket.id,
        key,
        seq: batch.next_seq(),
        id: (versioning == Versioning::Enabled).then(random),
        time: last_modified.unwrap_or_else(|| batch.now()),
        marker: false,
        etag,
        size,
        files,
        meta,
        upload,
    };
    let written = Written {
        version_id: record.version_id(),
        versioned: versioning != Versioning::Unversioned,
        last_modified: record.time,
        etag,
        size,
    };
    batch.commit(Record::Version(Box::new(record)), inline, claims)?;
    Ok(written)
}

/// Deletes a version, or the object.
pub(in super::super) fn delete(
    batch: &mut Batch,
    bucket_name: &str,
    key: String,
    options: &DeleteOptions,
) -> Result<Deleted, StoreError> {
    let (bucket, state) = batch.bucket(bucket_name)?;
    if let Some(id) = options.version {
        // Other versions of the key may change in the same batch.
        let named = read(&bucket.index).version(&key, id).cloned();
        check(&options.condition, &key, named.as_ref())?;
        let Some(version) = named else {
            return Ok(Deleted { version_id: Some(id), delete_marker: false, changed: false });
        };
        unlocked(batch, &key, &version, options.bypass_governance)?;
        let delete_marker = version.marker;
        drop_version(batch, bucket.id, key, version.seq)?;
        return Ok(Deleted { version_id: Some(id), delete_marker, changed: true });
    }
    let (null, current) = {
        let index = read(&bucket.index);
        (index.version(&key, VersionId::Null).cloned(), index.current(&key).cloned())
    };
    check(&options.condition, &key, current.as_ref())?;
    if state.info.versioning == Versioning::Unversioned {
        let changed = null.is_some();
        if let Some(version) = null {
            unlocked(batch, &key, &version, options.bypass_governance)?;
            drop_version(batch, bucket.id, key, version.seq)?;
        }
        return Ok(Deleted { version_id: None, delete_marker: false, changed });
    }
    let record = VersionRecord {
        bucket: bucket.id,
        key,
        seq: batch.next_seq(),
        id: (state.info.versioning == Versioning::Enabled).then(random),
        time: batch.now(),
        marker: true,
        etag: ETag::of_md5([0; 16]),
        size: 0,
        files: Vec::new(),
        meta: ObjectMeta::default(),
        upload: None,
    };
    let version_id = Some(record.version_id());
    batch.commit(Record::Version(Box::new(record)), Bytes::new(), Vec::new())?;
    Ok(Deleted { version_id, delete_marker: true, changed: true })
}

/// Changes a version in place.
pub(in super::super) fn update(
    batch: &mut Batch,
    bucket_name: &str,
    key: &str,
    id: Option<VersionId>,
    update: ObjectUpdate,
) -> Result<VersionId, StoreError> {
    let (bucket, state) = batch.bucket(bucket_name)?;
    let version = find(&read(&bucket.index), key, id)?;
    let (head, body) = version.slot.read()?;
    let Ok(Record::Version(mut record)) = Record::parse(&head) else {
        return Err(StoreError::NoSuchKey(key.to_owned()));
    };
    match update {
        ObjectUpdate::Tags(tags) => record.meta.tags = tags,
        ObjectUpdate::LegalHold(on) => {
            needs_object_lock(state.info.object_lock)?;
            record.meta.legal_hold = Some(on);
        }
        ObjectUpdate::Retention { value, bypass_governance } => {
            needs_object_lock(state.info.object_lock)?;
            let before = record.meta.retention.filter(|old| old.until > batch.now());
            if before.is_some_and(|old| weakens(old, value) && !may_bypass(old, bypass_governance))
            {
                return Err(StoreError::Locked { key: key.to_owned(), reason: "retention" });
            }
            record.meta.retention = value;
        }
    }
    batch.commit(Record::Version(record), body, version.files.to_vec())?;
    Ok(version.id())
}

/// A version that is no delete marker.
pub(in super::super) fn find(
    index: &super::super::state::Index,
    key: &str,
    id: Option<VersionId>,
) -> Result<Arc<Version>, StoreError> {
    let found = match id {
        Some(id) => index.version(key, id).ok_or_else(|| StoreError::NoSuchVersion {
            key: key.to_owned(),
            version: id.to_string(),
        }),
        None => index.current(key).ok_or_else(|| StoreError::NoSuchKey(key.to_owned())),
    }?;
    if found.marker {
        return Err(StoreError::DeleteMarker {
            key: key.to_owned(),
            version_id: found.id(),
            last_modified: found.time(),
        });
    }
    Ok(found.clone())
}

fn drop_version(batch: &mut Batch, bucket: u64, key: String, seq: u64) -> Result<(), StoreError> {
    batch.commit(Record::DropVersion { bucket, key, seq }, Bytes::new(), Vec::new())
}

/// Evaluates a condition on a version.
fn check(
    condition: &Condition,
    key: &str,
    version: Option<&Arc<Version>>,
) -> Result<(), StoreError> {
    if let Some(stamp) = condition.if_current
        && version.is_none_or(|version| version.seq != stamp)
    {
        return Err(StoreError::PreconditionFailed("if-current"));
    }
    let object = version.filter(|version| !version.marker);
    if let Some(tags) = &condition.if_match {
        let object = object.ok_or_else(|| StoreError::NoSuchKey(key.to_owned()))?;
        if !matches(tags, object.etag) {
            return Err(StoreError::PreconditionFailed("If-Match"));
        }
    }
    if let Some(tags) = &condition.if_none_match
        && object.is_some_and(|object| matches(tags, object.etag))
    {
        return Err(StoreError::PreconditionFailed("If-None-Match"));
    }
    Ok(())
}

fn matches(tags: &ETagMatch, etag: ETag) -> bool {
    match tags {
        ETagMatch::Any => true,
        ETagMatch::OneOf(tags) => tags.contains(&etag),
    }
}

/// Refuses a version that object lock protects.
fn unlocked(
    batch: &Batch,
    key: &str,
    version: &Version,
    bypass_governance: bool,
) -> Result<(), StoreError> {
    let lock = version.lock();
    let locked = |reason| Err(StoreError::Locked { key: key.to_owned(), reason });
    if lock.hold {
        return locked("legal hold");
    }
    let active = lock.retention.filter(|retention| retention.until > batch.now());
    if active.is_some_and(|retention| !may_bypass(retention, bypass_governance)) {
        return locked("retention");
    }
    Ok(())
}

fn may_bypass(retention: Retention, bypass_governance: bool) -> bool {
    retention.mode == RetentionMode::Governance && bypass_governance
}

fn weakens(old: Retention, new: Option<Retention>) -> bool {
    let Some(new) = new else { return true };
    let looser = old.mode == RetentionMode::Compliance && new.mode == RetentionMode::Governance;
    looser || new.until < old.until
}

fn needs_object_lock(on: bool) -> Result<(), StoreError> {
    if on { Ok(()) } else { Err(StoreError::InvalidBucketState("object lock is not on")) }
}
