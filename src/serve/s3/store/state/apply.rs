//! Turns records into state: the same for a record just made durable and for one
//! found in the log.

use std::sync::Arc;

use bytes::Bytes;

use super::super::body::{BodyFile, Extent};
use super::super::log::Slot;
use super::super::record::{FileRun, PartRecord, Record, UploadRecord};
use super::super::sync::{read, write};
use super::{Bucket, BucketState, Catalog, Part, Version};

impl Catalog {
    /// Applies one record. `body` is the frame's, `files` are the claims to the
    /// files that the record names, one for each run.
    pub(in super::super) fn apply(
        &self,
        record: Record,
        body: Bytes,
        slot: Slot,
        files: Vec<Arc<BodyFile>>,
    ) {
        match record {
            Record::Segment => {}
            Record::Bucket(record) => {
                let (id, name) = (record.id, record.info.name.clone());
                let bucket = self.obtain(id);
                let state = BucketState::new(record, body, slot);
                *write(&bucket.state) = Some(Arc::new(state));
                write(&self.0).by_name.insert(name, bucket);
            }
            Record::DropBucket { id } => {
                let mut buckets = write(&self.0);
                let Some(bucket) = buckets.by_id.remove(&id) else { return };
                if let Some(state) = bucket.state() {
                    buckets.by_name.remove(&state.info.name);
                }
            }
            Record::Version(record) => {
                let bucket = self.obtain(record.bucket);
                let version = Version::new(&record, slot, files.into());
                let mut index = write(&bucket.index);
                index.put_version(&record.key, Arc::new(version));
                if let Some(id) = record.upload {
                    index.drop_upload(&record.key, id);
                }
            }
            Record::DropVersion { bucket, key, seq } => {
                write(&self.obtain(bucket).index).drop_version(&key, seq);
            }
            Record::Upload(record) => self.apply_upload(&record, slot),
            Record::DropUpload { bucket, key, id } => {
                write(&self.obtain(bucket).index).drop_upload(&key, id);
            }
            Record::Part(record) => self.apply_part(*record, slot, &files),
        }
    }

    fn apply_upload(&self, record: &UploadRecord, slot: Slot) {
        let bucket = self.obtain(record.bucket);
        let mut index = write(&bucket.index);
        let class = record.meta.storage_class.as_deref();
        let upload = index.upload_entry(&record.key, record.id);
        upload.set(record.time, class, record.checksum, slot);
    }

    fn apply_part(&self, record: PartRecord, slot: Slot, files: &[Arc<BodyFile>]) {
        let bucket = self.obtain(record.bucket);
        let extents = record.files.iter().zip(files).map(extent).collect();
        let part = Part { info: record.info, extents, slot };
        write(&bucket.index).put_part(&record.key, record.upload, part);
    }

    /// The bucket of that number. In the log, what is in a bucket may come before
    /// the bucket's own record, as that is rewritten when it changes.
    fn obtain(&self, id: u64) -> Arc<Bucket> {
        if let Some(bucket) = read(&self.0).by_id.get(&id) {
            return bucket.clone();
        }
        let mut buckets = write(&self.0);
        buckets.by_id.entry(id).or_insert_with(|| Arc::new(Bucket::new(id))).clone()
    }

    /// After a replay: forgets what has lost its bucket or its upload.
    pub(in super::super) fn settle(&self) {
        let mut buckets = write(&self.0);
        buckets.by_id.retain(|_, bucket| bucket.state().is_some());
        for bucket in buckets.by_id.values() {
            write(&bucket.index).drop_unknown_uploads();
        }
    }
}

fn extent((&(_, offset, len), file): (&FileRun, &Arc<BodyFile>)) -> Extent {
    Extent { file: file.clone(), offset, len }
}
