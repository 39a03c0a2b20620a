//! Decides changes of multipart uploads.

use std::num::NonZeroU32;
use std::sync::Arc;

use bytes::Bytes;
use md5::{Digest, Md5};

use super::super::body::{Body, Content, Extent};
use super::super::error::StoreError;
use super::super::meta::{ObjectMeta, PartInfo};
use super::super::object::{NewObject, Written};
use super::super::record::{PartRecord, Record, UploadRecord};
use super::super::state::Part;
use super::super::sync::read;
use super::super::upload::{Completion, NewUpload, Upload};
use super::super::version::{ETag, UploadId};
use super::Batch;
use super::batch::split;
use super::objects::{put, random};

/// More runs than this are no object: parts that were copied from parts that
/// were copied.
const MAX_RUNS: usize = 200_000;

pub(in super::super) fn create(
    batch: &mut Batch,
    bucket: &str,
    key: String,
    new: NewUpload,
) -> Result<Upload, StoreError> {
    let (bucket, _) = batch.bucket(bucket)?;
    let id = UploadId(u128::from(batch.next_seq()) << 64 | u128::from(random()));
    let NewUpload { meta, checksum } = new;
    let initiated = batch.now();
    let upload = Upload { id, key: key.clone(), initiated, meta: meta.clone(), checksum };
    let record = UploadRecord { bucket: bucket.id, key, id, time: initiated, meta, checksum };
    batch.commit(Record::Upload(Box::new(record)), Bytes::new(), Vec::new())?;
    Ok(upload)
}

/// Adds a part whose bytes are in files.
pub(in super::super) fn put_part(
    batch: &mut Batch,
    bucket: &str,
    key: String,
    id: UploadId,
    mut info: PartInfo,
    extents: Vec<Extent>,
) -> Result<PartInfo, StoreError> {
    let (bucket, _) = batch.bucket(bucket)?;
    if read(&bucket.index).upload(&key, id).is_none() {
        return Err(StoreError::NoSuchUpload(id.to_string()));
    }
    info.last_modified = batch.now();
    let (files, claims, _) = split(Content::Files(extents));
    let record = PartRecord { bucket: bucket.id, key, upload: id, info: info.clone(), files };
    batch.commit(Record::Part(Box::new(record)), Bytes::new(), claims)?;
    Ok(info)
}

pub(in super::super) fn abort(
    batch: &mut Batch,
    bucket: &str,
    key: String,
    id: UploadId,
) -> Result<(), StoreError> {
    let (bucket, _) = batch.bucket(bucket)?;
    if read(&bucket.index).upload(&key, id).is_none() {
        return Err(StoreError::NoSuchUpload(id.to_string()));
    }
    batch.commit(Record::DropUpload { bucket: bucket.id, key, id }, Bytes::new(), Vec::new())
}

pub(in super::super) fn complete(
    batch: &mut Batch,
    bucket_name: &str,
    key: String,
    id: UploadId,
    completion: Completion,
) -> Result<Written, StoreError> {
    let (bucket, _) = batch.bucket(bucket_name)?;
    let (mut meta, parts) = {
        let index = read(&bucket.index);
        let missing = || StoreError::NoSuchUpload(id.to_string());
        let upload = index.upload(&key, id).ok_or_else(missing)?;
        let slot = upload.slot.clone().ok_or_else(missing)?;
        (upload_meta(&slot.head()?)?, choose(&completion.parts, |n| upload.parts.get(&n).cloned())?)
    };
    let runs = parts.iter().map(|part| part.extents.len()).sum();
    if runs > MAX_RUNS {
        let what = "the list of the object's runs";
        return Err(StoreError::TooLarge { what, size: runs, limit: MAX_RUNS });
    }
    meta.checksum = completion.checksum;
    meta.parts = parts.iter().map(|part| part.info.clone()).collect();
    let extents = parts.iter().flat_map(|part| part.extents.iter().cloned()).collect();
    let body = Body(Content::Files(extents));
    let object = NewObject { meta, etag: etag(&parts), body, last_modified: None };
    put(batch, bucket_name, key, object, &completion.condition, Some(id))
}

fn upload_meta(head: &[u8]) -> Result<ObjectMeta, StoreError> {
    match Record::parse(head) {
        Ok(Record::Upload(record)) => Ok(record.meta),
        _ => Err(StoreError::NoSuchUpload(String::new())),
    }
}

/// The parts of a list that is in order and names what is there.
fn choose(
    wanted: &[(u32, ETag)],
    part: impl Fn(u32) -> Option<Arc<Part>>,
) -> Result<Vec<Arc<Part>>, StoreError> {
    if wanted.is_empty() {
        return Err(StoreError::InvalidPart(0));
    }
    let mut before = 0;
    let mut parts = Vec::with_capacity(wanted.len());
    for &(number, etag) in wanted {
        let found = part(number).filter(|part| part.info.etag == etag && number > before);
        parts.push(found.ok_or(StoreError::InvalidPart(number))?);
        before = number;
    }
    Ok(parts)
}

/// The tag of a multipart object is the MD5 of its parts' MD5s.
fn etag(parts: &[Arc<Part>]) -> ETag {
    let mut digest = Md5::new();
    for part in parts {
        digest.update(part.info.etag.md5);
    }
    let count = u32::try_from(parts.len()).ok().and_then(NonZeroU32::new);
    ETag { md5: digest.finalize().into(), parts: count }
}
