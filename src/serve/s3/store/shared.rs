//! What the store, its committer and its keeper have in common.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::Sender;
use std::sync::{Arc, RwLock};

use jiff::Timestamp;

use super::body::Bodies;
use super::clock::Clock;
use super::error::StoreError;
use super::keeper::Chore;
use super::log::Segment;
use super::state::{Bucket, BucketState, Catalog};
use super::sync::{read, write};

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) clock: Clock,
    pub(super) log_dir: PathBuf,
    pub(super) segment_size: u64,
    pub(super) catalog: Catalog,
    pub(super) bodies: Arc<Bodies>,
    pub(super) segments: Segments,
    pub(super) keeper: Sender<Chore>,
    pub(super) counters: Counters,
}

/// Since the store was opened.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) commits: AtomicU64,
    pub(super) batches: AtomicU64,
}

impl Shared {
    /// A bucket that exists, and its state.
    pub(super) fn bucket(&self, name: &str) -> Result<(Arc<Bucket>, Arc<BucketState>), StoreError> {
        let bucket = self.catalog.get(name)?;
        let state = bucket.state().ok_or_else(|| StoreError::NoSuchBucket(name.to_owned()))?;
        Ok((bucket, state))
    }

    /// The clock's time in whole milliseconds, as it is stored.
    pub(super) fn now(&self) -> Timestamp {
        let now = self.clock.now();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }
}

/// The segments of the log, by number.
#[derive(Debug, Default)]
pub(super) struct Segments(RwLock<BTreeMap<u64, Arc<Segment>>>);

impl Segments {
    pub(super) fn add(&self, segment: Arc<Segment>) {
        write(&self.0).insert(segment.id(), segment);
    }

    pub(super) fn remove(&self, id: u64) {
        write(&self.0).remove(&id);
    }

    /// The oldest segment, unless it is the one being written.
    pub(super) fn oldest_finished(&self) -> Option<Arc<Segment>> {
        let segments = read(&self.0);
        if segments.len() < 2 { None } else { segments.values().next().cloned() }
    }

    /// Bytes, bytes that matter, and how many there are.
    pub(super) fn sums(&self) -> (u64, u64, u64) {
        let segments = read(&self.0);
        let (bytes, live) = segments
            .values()
            .fold((0, 0), |(bytes, live), segment| (bytes + segment.size(), live + segment.live()));
        (bytes, live, segments.len() as u64)
    }
}
