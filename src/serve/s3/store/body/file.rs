//! Files of large bodies. Owns their names and their end: a file is removed when
//! the last object, part, reader or unfinished write that holds it is gone.

use std::fs::{File, OpenOptions};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, OnceLock};

use super::super::disk;
use super::super::error::StoreError;
use super::super::keeper::Chore;

/// The folder of bodies.
#[derive(Debug)]
pub(in super::super) struct Bodies {
    dir: PathBuf,
    handle: File,
    next: AtomicU64,
    count: AtomicU64,
    keeper: Sender<Chore>,
    /// Off while the log is replayed (a later record may name a file again), while
    /// the store closes, and for good after the log could not be synced (a
    /// record on disk may name the file). A file that no record can name is removed
    /// in any case.
    armed: AtomicBool,
    /// Why nothing can be written any more.
    failure: OnceLock<String>,
    durable: bool,
}

impl Bodies {
    /// Opens or makes the folder; nothing is removed until [`Bodies::arm`].
    pub(in super::super) fn open(
        dir: PathBuf,
        keeper: Sender<Chore>,
        durable: bool,
    ) -> Result<Self, StoreError> {
        std::fs::create_dir_all(&dir).map_err(StoreError::io("make", &dir))?;
        let handle = File::open(&dir).map_err(StoreError::io("open", &dir))?;
        let (next, count, armed) = (AtomicU64::new(1), AtomicU64::new(0), AtomicBool::new(false));
        let failure = OnceLock::new();
        Ok(Self { dir, handle, next, count, keeper, armed, failure, durable })
    }

    /// Removes files that nothing refers to.
    pub(in super::super) fn sweep(&self, known: impl Fn(u64) -> bool) -> Result<(), StoreError> {
        let unreadable = || StoreError::io("read", &self.dir);
        for entry in std::fs::read_dir(&self.dir).map_err(unreadable())? {
            let path = entry.map_err(unreadable())?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let id = name.and_then(|name| u64::from_str_radix(name, 16).ok());
            // A foreign file is not ours to remove.
            let Some(id) = id else { continue };
            self.next.fetch_max(id.saturating_add(1), Ordering::Relaxed);
            if !known(id) {
                disk::remove(&path)?;
            }
        }
        Ok(())
    }

    /// Lets removal begin.
    pub(in super::super) fn arm(&self) {
        self.armed.store(true, Ordering::Release);
    }

    /// Stops removal.
    pub(in super::super) fn disarm(&self) {
        self.armed.store(false, Ordering::Release);
    }

    /// Takes no more bodies, and leaves all that are there: records on disk may name
    /// files that nothing in memory does.
    pub(in super::super) fn fail(&self, reason: String) {
        // The first reason is the one that counts.
        let _ = self.failure.set(reason);
        self.disarm();
    }

    /// Why nothing can be written any more.
    pub(in super::super) fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    /// Refuses to go on after a failure.
    pub(in super::super) fn check_writable(&self) -> Result<(), StoreError> {
        match self.failure() {
            Some(reason) => Err(StoreError::ReadOnly(reason.to_owned())),
            None => Ok(()),
        }
    }

    pub(in super::super) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    pub(in super::super) fn durable(&self) -> bool {
        self.durable
    }

    /// A new, empty file.
    pub(super) fn create(self: &Arc<Self>) -> Result<(Arc<BodyFile>, File), StoreError> {
        let body = self.body(self.next.fetch_add(1, Ordering::Relaxed), false);
        let path = body.path();
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(StoreError::io("make", &path))?;
        Ok((body, file))
    }

    /// The file that a record refers to. There must be one claim for each file,
    /// which its users share. No new file has its number, even when the record is
    /// of something that was deleted: the log must not name two files alike.
    pub(in super::super) fn claim(self: &Arc<Self>, id: u64) -> Arc<BodyFile> {
        self.next.fetch_max(id.saturating_add(1), Ordering::Relaxed);
        self.body(id, true)
    }

    fn body(self: &Arc<Self>, id: u64, named: bool) -> Arc<BodyFile> {
        self.count.fetch_add(1, Ordering::Relaxed);
        Arc::new(BodyFile { id, named: AtomicBool::new(named), bodies: Arc::clone(self) })
    }

    /// Makes the names of new files durable.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        disk::sync_names(&self.handle, &self.dir)
    }
}

/// A share in a file.
#[derive(Debug)]
pub(in super::super) struct BodyFile {
    id: u64,
    /// Whether a record on disk may name it.
    named: AtomicBool,
    bodies: Arc<Bodies>,
}

impl BodyFile {
    pub(in super::super) fn id(&self) -> u64 {
        self.id
    }

    /// Says that a record that names it is about to be written.
    pub(in super::super) fn note_named(&self) {
        self.named.store(true, Ordering::Release);
    }

    pub(in super::super) fn path(&self) -> PathBuf {
        self.bodies.dir.join(format!("{:016x}", self.id))
    }

    pub(super) fn open(&self) -> Result<File, StoreError> {
        let path = self.path();
        File::open(&path).map_err(StoreError::io("open", &path))
    }

    /// Refuses a file that has fewer than `len` bytes.
    pub(in super::super) fn check(&self, len: u64) -> Result<(), StoreError> {
        let path = self.path();
        let found = std::fs::metadata(&path).map_err(StoreError::io("look at", &path))?.len();
        if found >= len {
            return Ok(());
        }
        let reason = format!("{len} bytes were written, {found} are there");
        Err(StoreError::Damaged { path, offset: found, reason })
    }
}

impl Drop for BodyFile {
    fn drop(&mut self) {
        self.bodies.count.fetch_sub(1, Ordering::Relaxed);
        if self.bodies.armed.load(Ordering::Acquire) || !self.named.load(Ordering::Acquire) {
            // A keeper that has ended leaves the file to the next start.
            let _ = self.bodies.keeper.send(Chore::Remove(self.path()));
        }
    }
}

/// A run of bytes in a file.
#[derive(Clone, Debug)]
pub(in super::super) struct Extent {
    pub(in super::super) file: Arc<BodyFile>,
    pub(in super::super) offset: u64,
    pub(in super::super) len: u64,
}
