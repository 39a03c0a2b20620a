//! A version, an upload and a part in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::super::body::{BodyFile, Content, Extent};
use super::super::log::Slot;
use super::super::meta::{ChecksumAlgorithm, ChecksumKind, PartInfo, Retention};
use super::super::object::VersionSummary;
use super::super::record::{FileRun, VersionRecord, version_id};
use super::super::upload::UploadSummary;
use super::super::version::{ETag, UploadId, VersionId};

/// What a listing shows of a version, and where the rest is.
#[derive(Debug)]
pub(in super::super) struct Version {
    pub(in super::super) seq: u64,
    random: Option<u64>,
    time: i64,
    pub(in super::super) size: u64,
    pub(in super::super) etag: ETag,
    pub(in super::super) marker: bool,
    tag_count: u32,
    checksum: Option<(ChecksumAlgorithm, ChecksumKind)>,
    class: Option<Box<str>>,
    lock: Option<Box<Lock>>,
    pub(in super::super) slot: Slot,
    /// The files of its runs, one for each run; none for a small body.
    pub(in super::super) files: Box<[Arc<BodyFile>]>,
}

/// What forbids deletion.
#[derive(Clone, Copy, Debug, Default)]
pub(in super::super) struct Lock {
    pub(in super::super) retention: Option<Retention>,
    pub(in super::super) hold: bool,
}

impl Version {
    pub(super) fn new(record: &VersionRecord, slot: Slot, files: Box<[Arc<BodyFile>]>) -> Self {
        let meta = &record.meta;
        let hold = meta.legal_hold == Some(true);
        let lock = Lock { retention: meta.retention, hold };
        Self {
            seq: record.seq,
            random: record.id,
            time: record.time.as_millisecond(),
            size: record.size,
            etag: record.etag,
            marker: record.marker,
            tag_count: u32::try_from(meta.tags.len()).unwrap_or(u32::MAX),
            checksum: record.checksum_kind(),
            class: meta.storage_class.as_deref().map(Box::from),
            lock: (hold || lock.retention.is_some()).then(|| Box::new(lock)),
            slot,
            files,
        }
    }

    pub(in super::super) fn id(&self) -> VersionId {
        version_id(self.seq, self.random)
    }

    pub(in super::super) fn is_null(&self) -> bool {
        self.random.is_none()
    }

    pub(in super::super) fn time(&self) -> Timestamp {
        Timestamp::from_millisecond(self.time).unwrap_or_default()
    }

    pub(in super::super) fn lock(&self) -> Lock {
        self.lock.as_deref().copied().unwrap_or_default()
    }

    pub(in super::super) fn summary(&self, key: &str, is_latest: bool) -> VersionSummary {
        VersionSummary {
            key: key.to_owned(),
            version_id: self.id(),
            is_latest,
            delete_marker: self.marker,
            etag: self.etag,
            size: self.size,
            last_modified: self.time(),
            storage_class: self.class.as_deref().map(str::to_owned),
            checksum: self.checksum,
            tag_count: self.tag_count,
            stamp: self.seq,
        }
    }
}

/// The runs of a version with the files that it holds.
pub(in super::super) fn content(runs: &[FileRun], files: &[Arc<BodyFile>]) -> Content {
    let pairs = runs.iter().zip(files);
    Content::Files(
        pairs.map(|(&(_, offset, len), file)| Extent { file: file.clone(), offset, len }).collect(),
    )
}

/// An open upload.
#[derive(Debug)]
pub(in super::super) struct Upload {
    pub(in super::super) id: UploadId,
    time: i64,
    class: Option<Box<str>>,
    pub(in super::super) checksum: Option<(ChecksumAlgorithm, ChecksumKind)>,
    /// `None` only while the log is replayed, for parts that come before it.
    pub(in super::super) slot: Option<Arc<Slot>>,
    pub(in super::super) parts: BTreeMap<u32, Arc<Part>>,
}

impl Upload {
    /// One of which only parts are known yet.
    pub(super) fn unknown(id: UploadId) -> Self {
        Self { id, time: 0, class: None, checksum: None, slot: None, parts: BTreeMap::new() }
    }

    pub(super) fn set(
        &mut self,
        time: Timestamp,
        class: Option<&str>,
        checksum: Option<(ChecksumAlgorithm, ChecksumKind)>,
        slot: Slot,
    ) {
        self.time = time.as_millisecond();
        self.class = class.map(Box::from);
        self.checksum = checksum;
        self.slot = Some(Arc::new(slot));
    }

    pub(in super::super) fn time(&self) -> Timestamp {
        Timestamp::from_millisecond(self.time).unwrap_or_default()
    }

    pub(in super::super) fn summary(&self, key: &str) -> UploadSummary {
        UploadSummary {
            id: self.id,
            key: key.to_owned(),
            initiated: self.time(),
            storage_class: self.class.as_deref().map(str::to_owned),
            checksum: self.checksum,
        }
    }
}

/// A part of an open upload.
#[derive(Debug)]
pub(in super::super) struct Part {
    pub(in super::super) info: PartInfo,
    pub(in super::super) extents: Vec<Extent>,
    pub(in super::super) slot: Slot,
}
