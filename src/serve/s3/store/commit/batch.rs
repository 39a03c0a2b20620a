//! The changes that become durable together. A change is decided against what is
//! applied, is put into the buffer, and is applied after the sync.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use super::super::body::{BodyFile, Content};
use super::super::error::StoreError;
use super::super::log::{HEADER, MAX_BODY, MAX_HEAD, Segment, Slot, encode};
use super::super::record::{FileRun, Record};
use super::super::shared::Shared;
use super::super::state::{Bucket, BucketState};

/// Changes on their way to the log.
#[derive(Debug)]
pub(in super::super) struct Batch {
    pub(in super::super) shared: Arc<Shared>,
    segment: Arc<Segment>,
    buffer: Vec<u8>,
    effects: Vec<Effect>,
    seq: u64,
}

#[derive(Debug)]
struct Effect {
    record: Record,
    body: Bytes,
    slot: Slot,
    files: Vec<Arc<BodyFile>>,
}

impl Batch {
    pub(super) fn new(shared: Arc<Shared>, segment: Arc<Segment>, seq: u64) -> Self {
        Self { shared, segment, buffer: Vec::new(), effects: Vec::new(), seq }
    }

    /// A bucket that exists, and its state.
    pub(super) fn bucket(&self, name: &str) -> Result<(Arc<Bucket>, Arc<BucketState>), StoreError> {
        self.shared.bucket(name)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.shared.now()
    }

    /// The next sequence number.
    pub(super) fn next_seq(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    /// Puts a change into the batch.
    pub(in super::super) fn commit(
        &mut self,
        record: Record,
        body: Bytes,
        files: Vec<Arc<BodyFile>>,
    ) -> Result<(), StoreError> {
        let head = record.to_bytes()?;
        fits("the description of the change", head.len(), MAX_HEAD)?;
        fits("the configuration of the bucket", body.len(), MAX_BODY)?;
        let durable = self.segment.size();
        let offset = durable + self.buffer.len() as u64;
        let end = offset + (HEADER + head.len() + body.len()) as u64;
        if end > u64::from(u32::MAX) {
            let path = self.segment.path();
            return Err(StoreError::io("write", path)(std::io::ErrorKind::FileTooLarge.into()));
        }
        let seq = self.next_seq();
        // Without syncs, nothing is known to be on disk.
        let synced = if self.shared.bodies.durable() { durable } else { 0 };
        let short = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        encode(&mut self.buffer, short(synced), seq, &head, &body);
        let (head, len) = (short(head.len() as u64), short(body.len() as u64));
        let slot = Slot::new(self.segment.clone(), short(offset), head, len);
        self.effects.push(Effect { record, body, slot, files });
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.effects.is_empty()
    }

    /// Bytes waiting.
    pub(super) fn len(&self) -> usize {
        self.buffer.len()
    }

    pub(super) fn segment(&self) -> &Arc<Segment> {
        &self.segment
    }

    /// Goes on in another segment.
    pub(super) fn rotate(&mut self, segment: Arc<Segment>) {
        self.segment = segment;
    }

    /// Writes what waits. When that fails, the log is as before, unless the flag
    /// says that what is on disk is unknown.
    pub(super) fn write(&mut self) -> Result<(), (StoreError, bool)> {
        for file in self.effects.iter().flat_map(|effect| &effect.files) {
            file.note_named();
        }
        self.segment.append(&self.buffer).map_err(|(error, undone)| (error, !undone))?;
        self.buffer.clear();
        // A batch of large records does not keep its memory.
        self.buffer.shrink_to(1 << 20);
        if self.shared.bodies.durable() {
            self.segment.sync().map_err(|error| (error, true))?;
        }
        Ok(())
    }

    /// Makes visible what is durable now.
    pub(super) fn apply(&mut self) {
        for Effect { record, body, slot, files } in self.effects.drain(..) {
            self.shared.catalog.apply(record, body, slot, files);
        }
    }

    /// Forgets what could not be written.
    pub(super) fn forget(&mut self) {
        self.effects.clear();
        self.buffer.clear();
    }
}

fn fits(what: &'static str, size: usize, limit: usize) -> Result<(), StoreError> {
    if size <= limit { Ok(()) } else { Err(StoreError::TooLarge { what, size, limit }) }
}

/// The stored form of a body: runs, their files, and the bytes that go into the
/// log.
pub(super) fn split(content: Content) -> (Vec<FileRun>, Vec<Arc<BodyFile>>, Bytes) {
    match content {
        Content::Inline(bytes) => (Vec::new(), Vec::new(), bytes),
        Content::Files(extents) => {
            let run =
                |extent: &super::super::body::Extent| (extent.file.id(), extent.offset, extent.len);
            let runs = extents.iter().map(run).collect();
            (runs, extents.into_iter().map(|extent| extent.file).collect(), Bytes::new())
        }
    }
}
