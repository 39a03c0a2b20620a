//! What the store knows in memory: an ordered index of each bucket behind its
//! own lock, with what listings show and where in the log the rest is. Only the
//! committer changes it, and only by applying records that are durable, which is
//! the same code that replays the log.

mod apply;
mod bucket;
mod index;
mod version;

pub(super) use bucket::{Bucket, BucketState};
pub(super) use index::Index;
pub(super) use version::{Part, Upload, Version, content};

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, RwLock};

use super::error::StoreError;
use super::sync::read;

/// All buckets.
#[derive(Debug, Default)]
pub(super) struct Catalog(RwLock<Buckets>);

#[derive(Debug, Default)]
struct Buckets {
    by_name: BTreeMap<String, Arc<Bucket>>,
    by_id: HashMap<u64, Arc<Bucket>>,
}

impl Catalog {
    pub(super) fn get(&self, name: &str) -> Result<Arc<Bucket>, StoreError> {
        let buckets = read(&self.0);
        let bucket = buckets.by_name.get(name).cloned();
        bucket.ok_or_else(|| StoreError::NoSuchBucket(name.to_owned()))
    }

    pub(super) fn by_id(&self, id: u64) -> Option<Arc<Bucket>> {
        read(&self.0).by_id.get(&id).cloned()
    }

    /// Buckets by name, beginning after `after`.
    pub(super) fn after(&self, after: &str, max: usize, prefix: &str) -> Vec<Arc<Bucket>> {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        let start = if after < prefix { Included(prefix) } else { Excluded(after) };
        let start = if after.is_empty() { Included(prefix) } else { start };
        let buckets = read(&self.0);
        let range = buckets.by_name.range::<str, _>((start, Unbounded));
        let fitting = range.take_while(|(name, _)| name.starts_with(prefix));
        fitting.take(max).map(|(_, bucket)| bucket.clone()).collect()
    }

    pub(super) fn all(&self) -> Vec<Arc<Bucket>> {
        read(&self.0).by_name.values().cloned().collect()
    }
}
