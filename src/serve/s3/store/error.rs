//! What can go wrong in the store. Owns the error type; the protocol layer
//! turns it into codes and XML and must not need to read any text of it.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::version::VersionId;

/// A reason why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No bucket of that name.
    #[error("there is no bucket `{0}`")]
    NoSuchBucket(String),
    /// The name is taken.
    #[error("bucket `{0}` exists already")]
    BucketAlreadyExists(String),
    /// Versions, delete markers or open uploads are left in the bucket.
    #[error("bucket `{0}` is not empty")]
    BucketNotEmpty(String),
    /// The bucket's state forbids it: for example suspending the versioning of
    /// a bucket with object lock.
    #[error("the state of the bucket does not allow it: {0}")]
    InvalidBucketState(&'static str),
    /// The key has no version at all.
    #[error("there is no object `{0}`")]
    NoSuchKey(String),
    /// The key has no version of that id.
    #[error("object `{key}` has no version `{version}`")]
    NoSuchVersion {
        /// The key.
        key: String,
        /// The version that was asked for.
        version: String,
    },
    /// What was asked for is a delete marker: 404 when it is the current
    /// version and none was named, 405 when it was named.
    #[error("object `{key}` is a delete marker")]
    DeleteMarker {
        /// The key.
        key: String,
        /// The marker's id.
        version_id: VersionId,
        /// When the marker was written.
        last_modified: Timestamp,
    },
    /// Longer than 1024 bytes of UTF-8, or empty.
    #[error("a key has 1 to 1024 bytes, this one has {0}")]
    KeyLength(usize),
    /// No open upload of that id for that key.
    #[error("there is no upload `{0}`")]
    NoSuchUpload(String),
    /// A part that completion names is missing, has another `ETag`, or is not in
    /// ascending order.
    #[error("part {0} is missing, differs or is out of order")]
    InvalidPart(u32),
    /// Part numbers are 1 to 10 000.
    #[error("a part number is 1 to 10000, not {0}")]
    PartNumber(u32),
    /// A condition of the request was not met.
    #[error("the condition `{0}` is not met")]
    PreconditionFailed(&'static str),
    /// Object lock forbids it.
    #[error("object `{key}` is locked: {reason}")]
    Locked {
        /// The key.
        key: String,
        /// `legal hold` or `retention`.
        reason: &'static str,
    },
    /// The record of one change is larger than the log takes.
    #[error("{what} takes {size} bytes, more than {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size in bytes.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The range is not within the body.
    #[error("bytes {start} to {end} are not within {len}")]
    Range {
        /// First byte.
        start: u64,
        /// One past the last byte.
        end: u64,
        /// Length of the body.
        len: u64,
    },
    /// Another process has the folder.
    #[error("{} is used by another process", .0.display())]
    InUse(PathBuf),
    /// The operating system refused.
    #[error("could not {action} {}", path.display())]
    Io {
        /// What was tried: a verb phrase.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Stored bytes are not what was written.
    #[error("{} is damaged at byte {offset}: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// What does not fit.
        reason: String,
    },
    /// An earlier failure to write or sync made the store read-only: what is on
    /// disk is unknown until it is opened again.
    #[error("the store takes no more writes, as an earlier one failed: {0}")]
    ReadOnly(String),
    /// The store is being closed.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    pub(super) fn io(
        action: &'static str,
        path: impl AsRef<Path>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_owned();
        move |source| Self::Io { action, path, source }
    }
}
