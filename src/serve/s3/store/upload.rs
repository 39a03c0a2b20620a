//! Multipart uploads as the protocol layer sees them.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html>

use jiff::Timestamp;

use super::body::Body;
use super::meta::{Checksum, ChecksumAlgorithm, ChecksumKind, ObjectMeta, PartInfo};
use super::object::Condition;
use super::version::{ETag, UploadId};

/// Part numbers end here.
pub const MAX_PART_NUMBER: u32 = 10_000;

/// An upload to be begun.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewUpload {
    /// What the object will have.
    pub meta: ObjectMeta,
    /// The checksum that the client announced.
    pub checksum: Option<(ChecksumAlgorithm, ChecksumKind)>,
}

/// An open upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Its id.
    pub id: UploadId,
    /// The key it is for.
    pub key: String,
    /// When it was begun.
    pub initiated: Timestamp,
    /// What the object will have.
    pub meta: ObjectMeta,
    /// The checksum that the client announced.
    pub checksum: Option<(ChecksumAlgorithm, ChecksumKind)>,
}

/// A part to be written; replaces an earlier one of its number.
#[derive(Debug)]
pub struct NewPart {
    /// MD5 of its bytes.
    pub etag: ETag,
    /// Its checksum.
    pub checksum: Option<Checksum>,
    /// Its bytes.
    pub body: Body,
}

/// A page of parts, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartPage {
    /// The upload they belong to.
    pub upload: Upload,
    /// The parts.
    pub parts: Vec<PartInfo>,
    /// Whether more follow; the next page begins after the last number here.
    pub truncated: bool,
}

/// How to make an object from an upload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completion {
    /// Which parts, strictly ascending, and the tags they must have.
    pub parts: Vec<(u32, ETag)>,
    /// The object's checksum; `None` leaves it without.
    pub checksum: Option<Checksum>,
    /// Evaluated atomically with the completion. A condition that is not met
    /// leaves the upload open.
    pub condition: Condition,
}

/// Which uploads to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UploadQuery {
    /// Only keys that begin so.
    pub prefix: String,
    /// Rolls up what is between the prefix and the first of these; empty for
    /// none.
    pub delimiter: String,
    /// Begin after this key; a common prefix of the last page skips all of it.
    pub key_marker: String,
    /// Together with `key_marker`: begin after this upload of that key.
    pub upload_id_marker: Option<UploadId>,
    /// At most so many entries, common prefixes included.
    pub max: usize,
}

/// One line of a listing of uploads, in byte order of the keys, then by age.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UploadEntry {
    /// An upload; boxed as it is large.
    Upload(Box<UploadSummary>),
    /// A common prefix.
    Prefix(String),
}

/// What a listing shows of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadSummary {
    /// Its id.
    pub id: UploadId,
    /// The key it is for.
    pub key: String,
    /// When it was begun.
    pub initiated: Timestamp,
    /// The storage class; `None` is `STANDARD`.
    pub storage_class: Option<String>,
    /// The checksum that the client announced.
    pub checksum: Option<(ChecksumAlgorithm, ChecksumKind)>,
}

/// A page of uploads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UploadPage {
    /// Uploads and common prefixes.
    pub entries: Vec<UploadEntry>,
    /// When more follow: the markers to go on with.
    pub next: Option<(String, Option<UploadId>)>,
}
