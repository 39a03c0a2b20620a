//! The store itself: what the protocol layer calls. Owns the life of the threads;
//! what is decided is decided in `commit`, what is found is found in `pages`.

mod buckets;
mod lists;
mod objects;
mod uploads;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::body::BodyWriter;
use super::clock::Clock;
use super::commit::{Committer, Submitter};
use super::error::StoreError;
use super::figures::{Figures, LogFigures};
use super::keeper::{Chore, Keeper};
use super::open::{Opened, open};
use super::shared::Shared;
use super::sync::read;

/// How to open a store.
#[derive(Clone, Debug)]
pub struct Options {
    /// The clock of all times that are written.
    pub clock: Clock,
    /// When a write is acknowledged.
    pub durability: Durability,
    /// Size in bytes at which the log begins a new segment; 4 KiB to 1 GiB.
    /// Default 64 MiB.
    pub segment_size: u64,
}

/// When a write is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// When it is on disk and would survive a loss of power.
    #[default]
    Durable,
    /// When the operating system has it: it survives the death of this process,
    /// not that of the machine. For throw-away data.
    Relaxed,
}

impl Default for Options {
    fn default() -> Self {
        Self { clock: Clock::default(), durability: Durability::Durable, segment_size: 64 << 20 }
    }
}

/// An open store; clones share it. The last one dropped closes it and waits for
/// the writes that are under way.
///
/// Reads never wait for the disk writes of others; small reads block the
/// calling thread for one `pread`. Writes return when they are durable, and go
/// on to completion when their future is dropped.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

pub(super) type Result<T, E = StoreError> = std::result::Result<T, E>;

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    /// `None` while closing.
    threads: Option<Threads>,
    /// Let go last.
    _lock: File,
}

#[derive(Debug)]
struct Threads {
    submitter: Submitter,
    committer: Committer,
    keeper: Keeper,
}

impl Store {
    /// Opens the store in `dir`, which is made when missing. Blocks while the log
    /// is read.
    ///
    /// # Errors
    ///
    /// [`StoreError::InUse`], [`StoreError::Damaged`] or [`StoreError::Io`].
    pub fn open(dir: &Path, options: Options) -> Result<Self> {
        let (sender, chores) = std::sync::mpsc::channel();
        let Opened { shared, segment, seq, lock } = open(dir, options, sender)?;
        let (committer, submitter) = Committer::start(shared.clone(), segment, seq)?;
        let keeper = Keeper::start(shared.clone(), chores, submitter.downgrade())?;
        // The keeper lives as long as the store.
        let _ = shared.keeper.send(Chore::Compact);
        let threads = Some(Threads { submitter, committer, keeper });
        Ok(Self { inner: Arc::new(Inner { shared, threads, _lock: lock }) })
    }

    /// The store's clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.inner.shared.clock
    }

    /// Sums over all buckets.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let mut sum = Figures::default();
        for bucket in self.shared().catalog.all() {
            sum += read(&bucket.index).figures();
        }
        sum
    }

    /// Sums over one bucket.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchBucket`].
    pub fn bucket_figures(&self, bucket: &str) -> Result<Figures> {
        let (bucket, _) = self.shared().bucket(bucket)?;
        let figures = read(&bucket.index).figures();
        Ok(figures)
    }

    /// Figures of the log.
    #[must_use]
    pub fn log_figures(&self) -> LogFigures {
        let shared = self.shared();
        let (bytes, live_bytes, segments) = shared.segments.sums();
        LogFigures {
            bytes,
            live_bytes,
            segments,
            commits: shared.counters.commits.load(Ordering::Relaxed),
            batches: shared.counters.batches.load(Ordering::Relaxed),
            body_files: shared.bodies.count(),
        }
    }

    /// Why the store takes no more writes, when it does not: an earlier one failed,
    /// and what is on disk is unknown until the store is opened again.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.shared().bodies.failure()
    }

    /// As after a sync of the log that failed.
    #[cfg(test)]
    pub(crate) fn fail(&self, reason: &str) {
        self.shared().bodies.fail(reason.to_owned());
    }

    /// Begins a body, for an object or a part.
    #[must_use]
    pub fn body_writer(&self) -> BodyWriter {
        BodyWriter::new(self.shared().bodies.clone())
    }

    fn shared(&self) -> &Shared {
        &self.inner.shared
    }

    fn submitter(&self) -> Result<&Submitter> {
        self.inner.threads.as_ref().map(|threads| &threads.submitter).ok_or(StoreError::Closed)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let Some(Threads { submitter, committer, keeper }) = self.threads.take() else { return };
        drop(submitter);
        committer.join();
        // From here on, what goes from memory stays on disk.
        self.shared.bodies.disarm();
        let _ = self.shared.keeper.send(Chore::Stop);
        keeper.join();
    }
}
