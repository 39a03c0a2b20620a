//! The bytes of objects: small ones in the log, large ones in files of their
//! own which objects share.

mod file;
mod read;
mod write;

pub(super) use file::{Bodies, BodyFile, Extent};
pub use read::{BodyReader, BodyStream};
pub use write::BodyWriter;

use std::ops::Range;

use bytes::Bytes;

use super::error::StoreError;

/// Bodies up to this many bytes are kept in the log.
pub const INLINE_LIMIT: usize = 64 * 1024;

/// A finished body that is durable or small enough to go into the log with the
/// object. Dropped without being used, its file is removed.
#[derive(Clone, Debug)]
pub struct Body(pub(super) Content);

#[derive(Clone, Debug)]
pub(super) enum Content {
    Inline(Bytes),
    Files(Vec<Extent>),
}

impl Body {
    /// No bytes.
    #[must_use]
    pub fn empty() -> Self {
        Self(Content::Inline(Bytes::new()))
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        match &self.0 {
            Content::Inline(bytes) => bytes.len() as u64,
            Content::Files(extents) => extents.iter().map(|extent| extent.len).sum(),
        }
    }

    /// Whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Part of it, without copying.
    fn slice(&self, range: Range<u64>) -> Result<Self, StoreError> {
        let len = self.len();
        let Range { start, end } = range;
        if start > end || end > len {
            return Err(StoreError::Range { start, end, len });
        }
        Ok(Self(match &self.0 {
            Content::Inline(bytes) => Content::Inline(bytes.slice(to_usize(start)..to_usize(end))),
            Content::Files(extents) => Content::Files(cut(extents, start, end)),
        }))
    }
}

/// The parts of `extents` between two positions.
fn cut(extents: &[Extent], start: u64, end: u64) -> Vec<Extent> {
    let mut at = 0;
    let mut cut = Vec::new();
    for extent in extents {
        let from = start.max(at);
        let to = end.min(at + extent.len);
        if from < to {
            let offset = extent.offset + (from - at);
            cut.push(Extent { file: extent.file.clone(), offset, len: to - from });
        }
        at += extent.len;
    }
    cut
}

/// Only for what is known to be in memory.
fn to_usize(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}
