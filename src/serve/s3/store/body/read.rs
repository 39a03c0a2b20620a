//! Reading a body: in chunks, the next one being read while one is sent.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures::{FutureExt, Stream};
use tokio::task::JoinHandle;

use super::super::error::StoreError;
use super::{Body, Content, Extent, to_usize};

/// The largest chunk that is read at once. Two of them are in memory for each
/// stream.
const CHUNK: u64 = 512 * 1024;

/// The bytes of a version, which stay readable when the version is deleted or
/// replaced.
#[derive(Clone, Debug)]
pub struct BodyReader(Body);

impl BodyReader {
    pub(in super::super) fn new(content: Content) -> Self {
        Self(Body(content))
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.0.len()
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads `range`, chunk by chunk. To be polled within a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`StoreError::Range`] when the range is not within the body.
    pub fn stream(&self, range: Range<u64>) -> Result<BodyStream, StoreError> {
        let Body(content) = self.0.slice(range)?;
        Ok(match content {
            Content::Inline(bytes) => {
                BodyStream { left: bytes.len() as u64, next: Next::Ready(bytes) }
            }
            Content::Files(mut extents) => {
                let left = extents.iter().map(|extent| extent.len).sum();
                extents.reverse();
                let cursor = Cursor { extents, open: None };
                BodyStream { left, next: Next::Idle(cursor) }
            }
        })
    }

    /// The bytes of `range` for another object or part: files are shared, not
    /// copied.
    ///
    /// # Errors
    ///
    /// [`StoreError::Range`] when the range is not within the body.
    pub fn share(&self, range: Range<u64>) -> Result<Body, StoreError> {
        self.0.slice(range)
    }
}

/// Chunks of a body, in order; ends after the first error.
#[derive(Debug)]
pub struct BodyStream {
    left: u64,
    next: Next,
}

#[derive(Debug)]
enum Next {
    Ready(Bytes),
    Idle(Cursor),
    Reading(JoinHandle<Result<(Bytes, Cursor), StoreError>>),
    End,
}

/// Where a stream is; the next extent is the last of the list.
#[derive(Debug)]
struct Cursor {
    extents: Vec<Extent>,
    open: Option<(u64, File)>,
}

impl Cursor {
    fn read(mut self) -> Result<(Bytes, Self), StoreError> {
        let Some(extent) = self.extents.last_mut() else { return Ok((Bytes::new(), self)) };
        let file = match self.open.take() {
            Some((id, file)) if id == extent.file.id() => file,
            _ => extent.file.open()?,
        };
        let mut chunk = vec![0; to_usize(extent.len.min(CHUNK))];
        let path = || extent.file.path();
        file.read_exact_at(&mut chunk, extent.offset).map_err(StoreError::io("read", path()))?;
        extent.offset += chunk.len() as u64;
        extent.len -= chunk.len() as u64;
        self.open = Some((extent.file.id(), file));
        if extent.len == 0 {
            self.extents.pop();
        }
        Ok((chunk.into(), self))
    }
}

impl BodyStream {
    /// Bytes that are still to come.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        self.left
    }

    fn begin(&mut self, cursor: Cursor) {
        self.next = if cursor.extents.is_empty() {
            Next::End
        } else {
            Next::Reading(tokio::task::spawn_blocking(move || cursor.read()))
        };
    }
}

impl Stream for BodyStream {
    type Item = Result<Bytes, StoreError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            match std::mem::replace(&mut this.next, Next::End) {
                Next::End => return Poll::Ready(None),
                Next::Ready(bytes) => {
                    this.left = 0;
                    return Poll::Ready((!bytes.is_empty()).then_some(Ok(bytes)));
                }
                Next::Idle(cursor) => this.begin(cursor),
                Next::Reading(mut task) => {
                    let polled = task.poll_unpin(context);
                    if polled.is_pending() {
                        this.next = Next::Reading(task);
                    }
                    let read = ready!(polled).unwrap_or(Err(StoreError::Closed));
                    return Poll::Ready(Some(read.map(|(chunk, cursor)| {
                        this.left = this.left.saturating_sub(chunk.len() as u64);
                        this.begin(cursor);
                        chunk
                    })));
                }
            }
        }
    }
}
