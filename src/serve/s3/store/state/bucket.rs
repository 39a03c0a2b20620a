//! A bucket in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use bytes::Bytes;

use super::super::bucket::BucketInfo;
use super::super::log::Slot;
use super::super::record::BucketRecord;
use super::super::sync::read;
use super::Index;

/// A bucket. What it is and what it contains have locks of their own.
#[derive(Debug)]
pub(in super::super) struct Bucket {
    pub(in super::super) id: u64,
    /// `None` only while the log is replayed, for versions that come before it.
    pub(super) state: RwLock<Option<Arc<BucketState>>>,
    pub(in super::super) index: RwLock<Index>,
}

/// What is known of a bucket; replaced as a whole.
#[derive(Debug)]
pub(in super::super) struct BucketState {
    pub(in super::super) info: BucketInfo,
    pub(in super::super) configs: BTreeMap<String, Bytes>,
    pub(in super::super) slot: Slot,
}

impl Bucket {
    pub(super) fn new(id: u64) -> Self {
        Self { id, state: RwLock::default(), index: RwLock::default() }
    }

    pub(in super::super) fn state(&self) -> Option<Arc<BucketState>> {
        read(&self.state).clone()
    }
}

impl BucketState {
    pub(super) fn new(record: BucketRecord, mut body: Bytes, slot: Slot) -> Self {
        let mut configs = BTreeMap::new();
        for (name, len) in record.configs {
            configs.insert(name, body.split_to(len.min(body.len())));
        }
        Self { info: record.info, configs, slot }
    }
}
