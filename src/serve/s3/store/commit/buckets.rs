//! Decides changes of buckets.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

use super::super::bucket::{BucketInfo, NewBucket, Versioning};
use super::super::error::StoreError;
use super::super::record::{BucketRecord, Record};
use super::super::sync::read;
use super::Batch;

/// The largest configuration document.
const MAX_DOCUMENT: usize = 1 << 20;

pub(in super::super) fn create(
    batch: &mut Batch,
    new: NewBucket,
) -> Result<BucketInfo, StoreError> {
    if batch.shared.catalog.get(&new.name).is_ok() {
        return Err(StoreError::BucketAlreadyExists(new.name));
    }
    let versioning = if new.object_lock { Versioning::Enabled } else { Versioning::Unversioned };
    let info = BucketInfo {
        name: new.name,
        created: batch.now(),
        region: new.region,
        owner_id: new.owner_id,
        owner_name: new.owner_name,
        object_lock: new.object_lock,
        versioning,
    };
    let id = batch.next_seq();
    new.configs.values().try_for_each(check_document)?;
    write(batch, id, info.clone(), &new.configs)?;
    Ok(info)
}

pub(in super::super) fn delete(batch: &mut Batch, name: &str) -> Result<(), StoreError> {
    let (bucket, _) = batch.bucket(name)?;
    if !read(&bucket.index).is_empty() {
        return Err(StoreError::BucketNotEmpty(name.to_owned()));
    }
    batch.commit(Record::DropBucket { id: bucket.id }, Bytes::new(), Vec::new())
}

pub(in super::super) fn set_versioning(
    batch: &mut Batch,
    name: &str,
    versioning: Versioning,
) -> Result<(), StoreError> {
    let (bucket, state) = batch.bucket(name)?;
    let mut info = state.info.clone();
    if info.versioning == versioning {
        return Ok(());
    }
    if versioning == Versioning::Unversioned {
        return Err(StoreError::InvalidBucketState("versioning can only be suspended"));
    }
    if info.object_lock && versioning == Versioning::Suspended {
        return Err(StoreError::InvalidBucketState("object lock needs versioning"));
    }
    info.versioning = versioning;
    write(batch, bucket.id, info, &state.configs)
}

pub(in super::super) fn enable_object_lock(
    batch: &mut Batch,
    name: &str,
) -> Result<(), StoreError> {
    let (bucket, state) = batch.bucket(name)?;
    let mut info = state.info.clone();
    if info.versioning != Versioning::Enabled {
        return Err(StoreError::InvalidBucketState("object lock needs versioning"));
    }
    info.object_lock = true;
    write(batch, bucket.id, info, &state.configs)
}

/// Puts a document, or removes it; gives whether there was one.
pub(in super::super) fn configure(
    batch: &mut Batch,
    name: &str,
    document: &str,
    content: Option<Bytes>,
) -> Result<bool, StoreError> {
    let (bucket, state) = batch.bucket(name)?;
    let mut configs = state.configs.clone();
    let before = match content {
        Some(content) => {
            check_document(&content)?;
            configs.insert(document.to_owned(), content)
        }
        None => match configs.remove(document) {
            None => return Ok(false),
            before => before,
        },
    };
    write(batch, bucket.id, state.info.clone(), &configs)?;
    Ok(before.is_some())
}

fn check_document(content: &Bytes) -> Result<(), StoreError> {
    if content.len() <= MAX_DOCUMENT {
        return Ok(());
    }
    let (what, size) = ("a configuration document", content.len());
    Err(StoreError::TooLarge { what, size, limit: MAX_DOCUMENT })
}

fn write(
    batch: &mut Batch,
    id: u64,
    info: BucketInfo,
    configs: &BTreeMap<String, Bytes>,
) -> Result<(), StoreError> {
    let mut body = BytesMut::new();
    let mut names = Vec::new();
    for (name, content) in configs {
        names.push((name.clone(), content.len()));
        body.extend_from_slice(content);
    }
    let record = BucketRecord { id, info, configs: names };
    batch.commit(Record::Bucket(record), body.freeze(), Vec::new())
}
