//! The storage engine of the S3 server: buckets, versions, uploads and their
//! bytes on disk. Owns durability, order and atomicity; knows nothing of HTTP,
//! XML or signatures.
//!
//! # On disk
//!
//! | path | what |
//! |---|---|
//! | `log/N.log` | segments of an append-only log of checksummed frames: every change, and bodies up to 64 KiB |
//! | `bodies/N` | one file for each larger body or part; written once, shared by the objects that use it |
//! | `format` | the form of these files |
//! | `lock` | locked while a process has the store open |
//!
//! # What is on disk when
//!
//! A write is acknowledged after these steps, in this order:
//!
//! 1. A large body is written to a new file, which is synced; then the folder
//!    `bodies` is synced, so that the name is there.
//! 2. The record that refers to it is appended to the log and the log is synced.
//!    This is the moment at which the change happens. All changes that came
//!    while the last sync ran share the next one.
//! 3. The change is applied in memory and becomes visible; then it is
//!    acknowledged. Nobody sees what a crash could take back.
//! 4. A file that nothing needs any more is removed. A crash before leaves a file
//!    that no record names, which the next start removes.
//!
//! A new segment is synced, and its folder, before anything is written to it, and
//! one with nothing but its own frame does not count. So only the last segment can
//! have a torn end, which holds nothing that was acknowledged: each frame says how
//! far the segment was synced when it was written, and a damaged frame before that
//! point is an error, not a torn end.
//! After a failed sync the store takes no more writes, as nobody can know what is
//! on disk.
//!
//! Records may be read back that were never synced: the process was killed before,
//! or the sync failed. So when a store is opened, the end of the log is written and
//! synced once more before anything follows from it, as the removal of a file that
//! it no longer needs.
//!
//! # In memory
//!
//! Each bucket has an ordered index behind its own lock, with what listings show
//! and the place of the rest in the log. One thread decides changes, in order, so
//! a condition and the write it guards are one step; readers take the bucket's
//! lock only to look something up. Another thread compacts the log when it is
//! larger than twice of what matters.

mod body;
mod bucket;
mod clock;
mod commit;
mod disk;
mod engine;
mod error;
mod figures;
mod keeper;
mod lifecycle;
mod listing;
mod log;
mod meta;
mod object;
mod open;
mod pages;
mod record;
mod shared;
mod state;
mod sync;
mod upload;
mod version;
mod walk;

#[cfg(test)]
mod tests;

pub use body::{Body, BodyReader, BodyStream, BodyWriter, INLINE_LIMIT};
pub use bucket::{BucketInfo, NewBucket, Versioning};
pub use clock::Clock;
pub use engine::{Durability, Options, Store};
pub use error::StoreError;
pub use figures::{Figures, LogFigures};
pub use lifecycle::{KeyVersions, LifecyclePage};
pub use listing::{ObjectEntry, ObjectPage, ObjectQuery, VersionEntry, VersionPage, VersionQuery};
pub use meta::{
    Checksum, ChecksumAlgorithm, ChecksumKind, ObjectMeta, PartInfo, Retention, RetentionMode,
};
pub use object::{
    Condition, DeleteOptions, Deleted, ETagMatch, NewObject, Object, ObjectUpdate, VersionSummary,
    Written,
};
pub use upload::{
    Completion, MAX_PART_NUMBER, NewPart, NewUpload, PartPage, Upload, UploadEntry, UploadPage,
    UploadQuery, UploadSummary,
};
pub use version::{ETag, InvalidETag, InvalidUploadId, InvalidVersionId, UploadId, VersionId};
