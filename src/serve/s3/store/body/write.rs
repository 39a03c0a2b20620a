//! Writing a body. The first bytes wait in memory; what grows beyond
//! [`INLINE_LIMIT`] goes to a file, a mebibyte at a time, while the next one
//! arrives, and is synced every few mebibytes so that the sync at the end is
//! short and little of the page cache is dirty.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::task::JoinHandle;

use super::super::disk;
use super::super::error::StoreError;
use super::{Bodies, Body, BodyFile, Content, Extent, INLINE_LIMIT};

/// How much is gathered for one write.
const CHUNK: usize = 1 << 20;
/// Chunks below this are copied together.
const SMALL: usize = 4096;
/// How much is written between two syncs.
const SYNC_EVERY: u64 = 8 << 20;

/// Takes a body as it arrives, with bounded memory. Dropped before
/// [`BodyWriter::finish`], nothing is left of it.
#[derive(Debug)]
pub struct BodyWriter {
    bodies: Arc<Bodies>,
    waiting: Vec<Bytes>,
    /// Small chunks that follow the waiting ones, joined.
    tail: BytesMut,
    waiting_len: usize,
    len: u64,
    file: Option<Output>,
}

#[derive(Debug)]
struct Output {
    body: Arc<BodyFile>,
    file: Arc<File>,
    written: u64,
    synced: u64,
    write: Option<JoinHandle<Result<(), StoreError>>>,
    sync: Option<JoinHandle<Result<(), StoreError>>>,
}

impl BodyWriter {
    pub(in super::super) fn new(bodies: Arc<Bodies>) -> Self {
        let (waiting, tail) = (Vec::new(), BytesMut::new());
        Self { bodies, waiting, tail, waiting_len: 0, len: 0, file: None }
    }

    /// Appends bytes.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] when the disk refuses, [`StoreError::ReadOnly`] when the
    /// store takes no more writes.
    pub async fn write(&mut self, chunk: Bytes) -> Result<(), StoreError> {
        if chunk.is_empty() {
            return Ok(());
        }
        self.len += chunk.len() as u64;
        self.waiting_len += chunk.len();
        if chunk.len() < SMALL {
            self.tail.extend_from_slice(&chunk);
        } else {
            self.end_tail();
            self.waiting.push(chunk);
        }
        let limit = if self.file.is_some() { CHUNK } else { INLINE_LIMIT + 1 };
        if self.waiting_len >= limit { self.flush().await } else { Ok(()) }
    }

    /// Length so far, in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing was written yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Makes the body durable and gives what an object can be made of.
    ///
    /// # Errors
    ///
    /// As [`BodyWriter::write`].
    pub async fn finish(mut self) -> Result<Body, StoreError> {
        if self.file.is_none() && self.waiting_len <= INLINE_LIMIT {
            self.end_tail();
            return Ok(Body(Content::Inline(joined(&self.waiting, self.waiting_len))));
        }
        self.finish_file().await
    }

    /// As [`BodyWriter::finish`], but in a file however small.
    pub(in super::super) async fn finish_file(&mut self) -> Result<Body, StoreError> {
        if self.waiting_len > 0 {
            self.flush().await?;
        }
        let Some(mut output) = self.file.take() else {
            return Ok(Body(Content::Files(Vec::new())));
        };
        output.settle().await?;
        join(output.sync.take()).await?;
        if self.bodies.durable() {
            let (body, file) = (output.body.clone(), output.file.clone());
            let bodies = self.bodies.clone();
            join(Some(tokio::task::spawn_blocking(move || {
                disk::sync(&file, &body.path())?;
                bodies.sync()
            })))
            .await?;
        }
        let extent = Extent { file: output.body, offset: 0, len: self.len };
        Ok(Body(Content::Files(vec![extent])))
    }

    fn end_tail(&mut self) {
        if !self.tail.is_empty() {
            self.waiting.push(self.tail.split().freeze());
        }
    }

    async fn flush(&mut self) -> Result<(), StoreError> {
        self.bodies.check_writable()?;
        self.end_tail();
        if self.file.is_none() {
            let bodies = self.bodies.clone();
            let made = tokio::task::spawn_blocking(move || bodies.create()).await;
            let (body, file) = made.map_err(|_| StoreError::Closed)??;
            let file = Arc::new(file);
            let output = Output { body, file, written: 0, synced: 0, write: None, sync: None };
            self.file = Some(output);
        }
        let Some(output) = &mut self.file else { return Ok(()) };
        output.settle().await?;
        let chunks = std::mem::take(&mut self.waiting);
        let len = std::mem::take(&mut self.waiting_len) as u64;
        output.begin(chunks, len);
        if self.bodies.durable() {
            output.sync_early().await?;
        }
        Ok(())
    }
}

impl Output {
    /// Waits for the write that is under way.
    async fn settle(&mut self) -> Result<(), StoreError> {
        join(self.write.take()).await
    }

    fn begin(&mut self, chunks: Vec<Bytes>, len: u64) {
        let (body, file, mut at) = (self.body.clone(), self.file.clone(), self.written);
        self.written += len;
        self.write = Some(tokio::task::spawn_blocking(move || {
            for chunk in chunks {
                file.write_all_at(&chunk, at).map_err(StoreError::io("write", body.path()))?;
                at += chunk.len() as u64;
            }
            Ok(())
        }));
    }

    /// Begins a sync when enough was written and none is running.
    async fn sync_early(&mut self) -> Result<(), StoreError> {
        if self.written - self.synced < SYNC_EVERY {
            return Ok(());
        }
        if let Some(running) = self.sync.take_if(|sync| sync.is_finished()) {
            join(Some(running)).await?;
        }
        if self.sync.is_none() {
            self.synced = self.written;
            let (body, file) = (self.body.clone(), self.file.clone());
            self.sync = Some(tokio::task::spawn_blocking(move || disk::sync(&file, &body.path())));
        }
        Ok(())
    }
}

impl Body {
    /// The same bytes in files, as parts must be.
    pub(in super::super) async fn into_file(
        self,
        bodies: &Arc<Bodies>,
    ) -> Result<Vec<Extent>, StoreError> {
        let bytes = match self.0 {
            Content::Files(extents) => return Ok(extents),
            Content::Inline(bytes) => bytes,
        };
        let mut writer = BodyWriter::new(bodies.clone());
        writer.write(bytes).await?;
        match writer.finish_file().await?.0 {
            Content::Files(extents) => Ok(extents),
            Content::Inline(_) => Ok(Vec::new()),
        }
    }
}

async fn join(task: Option<JoinHandle<Result<(), StoreError>>>) -> Result<(), StoreError> {
    match task {
        Some(task) => task.await.map_err(|_| StoreError::Closed)?,
        None => Ok(()),
    }
}

fn joined(chunks: &[Bytes], len: usize) -> Bytes {
    if let [only] = chunks {
        return only.clone();
    }
    let mut all = BytesMut::with_capacity(len);
    for chunk in chunks {
        all.extend_from_slice(chunk);
    }
    all.freeze()
}
