//! One file of the log, and places in it. Owns the count of bytes that still
//! matter: a [`Slot`] counts as long as it exists.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use super::super::disk;
use super::super::error::StoreError;
use super::frame::{HEADER, Header};

/// How much is written once more at a time.
const CHUNK: usize = 1 << 20;

/// A file of frames. It stays readable after it was removed, as long as anybody
/// has it.
#[derive(Debug)]
pub(in super::super) struct Segment {
    id: u64,
    path: PathBuf,
    file: File,
    size: AtomicU64,
    live: AtomicU64,
}

impl Segment {
    /// The numbers of the segments in a folder, ascending.
    pub(in super::super) fn numbers(dir: &Path) -> Result<Vec<u64>, StoreError> {
        let unreadable = || StoreError::io("read", dir);
        let mut numbers = Vec::new();
        for entry in std::fs::read_dir(dir).map_err(unreadable())? {
            let name = entry.map_err(unreadable())?.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(".log"));
            numbers.extend(number.and_then(|number| u64::from_str_radix(number, 16).ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Opens segment `id`, or makes it.
    pub(in super::super) fn open(dir: &Path, id: u64) -> Result<Self, StoreError> {
        let path = dir.join(format!("{id:016x}.log"));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(StoreError::io("open", &path))?;
        let size = file.metadata().map_err(StoreError::io("look at", &path))?.len();
        let (size, live) = (AtomicU64::new(size), AtomicU64::new(0));
        Ok(Self { id, path, file, size, live })
    }

    pub(in super::super) fn id(&self) -> u64 {
        self.id
    }

    pub(in super::super) fn path(&self) -> &Path {
        &self.path
    }

    pub(in super::super) fn size(&self) -> u64 {
        self.size.load(Ordering::Relaxed)
    }

    pub(in super::super) fn live(&self) -> u64 {
        self.live.load(Ordering::Relaxed)
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Appends `bytes`. When it fails, nothing of them is left, or the error of
    /// taking them away again is given as the second one.
    pub(in super::super) fn append(&self, bytes: &[u8]) -> Result<(), (StoreError, bool)> {
        let size = self.size();
        match self.file.write_all_at(bytes, size) {
            Ok(()) => {
                self.size.store(size + bytes.len() as u64, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => {
                let undone = self.truncate(size).is_ok();
                Err((StoreError::io("write", &self.path)(error), undone))
            }
        }
    }

    /// Cuts the file off, durably.
    pub(in super::super) fn truncate(&self, size: u64) -> Result<(), StoreError> {
        self.file.set_len(size).map_err(StoreError::io("shorten", &self.path))?;
        self.size.store(size, Ordering::Relaxed);
        self.file.sync_all().map_err(StoreError::io("sync", &self.path))
    }

    /// Makes what was appended durable.
    pub(in super::super) fn sync(&self) -> Result<(), StoreError> {
        disk::sync(&self.file, &self.path)
    }

    /// Makes the bytes between two positions durable, whatever became of them. They
    /// are written once more, as after a sync that failed the system may take pages
    /// for clean that are not on disk.
    pub(in super::super) fn persist(&self, from: u64, to: u64) -> Result<(), StoreError> {
        let mut buffer = vec![0; CHUNK];
        let mut at = from;
        while at < to {
            let len = usize::try_from(to - at).unwrap_or(CHUNK).min(CHUNK);
            let chunk = &mut buffer[..len];
            self.file.read_exact_at(chunk, at).map_err(StoreError::io("read", &self.path))?;
            self.file.write_all_at(chunk, at).map_err(StoreError::io("write", &self.path))?;
            at += len as u64;
        }
        self.sync()
    }

    pub(super) fn damaged(&self, offset: u64, reason: &str) -> StoreError {
        StoreError::Damaged { path: self.path.clone(), offset, reason: reason.to_owned() }
    }
}

/// The place of a frame that still matters.
#[derive(Debug)]
pub(in super::super) struct Slot {
    segment: Arc<Segment>,
    offset: u32,
    head: u32,
    body: u32,
}

impl Slot {
    pub(in super::super) fn new(segment: Arc<Segment>, offset: u32, head: u32, body: u32) -> Self {
        let slot = Self { segment, offset, head, body };
        slot.segment.live.fetch_add(slot.size(), Ordering::Relaxed);
        slot
    }

    /// Whether it is this place.
    pub(in super::super) fn is(&self, segment: u64, offset: u32) -> bool {
        self.segment.id == segment && self.offset == offset
    }

    /// Reads the head.
    pub(in super::super) fn head(&self) -> Result<Bytes, StoreError> {
        Ok(self.bytes(false)?.0)
    }

    /// Reads head and body.
    pub(in super::super) fn read(&self) -> Result<(Bytes, Bytes), StoreError> {
        self.bytes(true)
    }

    fn bytes(&self, whole: bool) -> Result<(Bytes, Bytes), StoreError> {
        let damaged = |reason| self.segment.damaged(u64::from(self.offset), reason);
        let len = HEADER + self.head as usize + if whole { self.body as usize } else { 0 };
        let mut frame = vec![0; len];
        self.segment
            .file
            .read_exact_at(&mut frame, u64::from(self.offset))
            .map_err(StoreError::io("read", &self.segment.path))?;
        let mut head = Bytes::from(frame);
        let start = head.split_to(HEADER);
        let body = head.split_off(self.head as usize);
        let header = Header::parse(&start).map_err(damaged)?;
        header.check_head(&start, &head).map_err(damaged)?;
        if whole {
            header.check_body(&body).map_err(damaged)?;
        }
        Ok((head, body))
    }

    fn size(&self) -> u64 {
        HEADER as u64 + u64::from(self.head) + u64::from(self.body)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.segment.live.fetch_sub(self.size(), Ordering::Relaxed);
    }
}
