//! Objects as the protocol layer writes and sees them: what goes into a write,
//! under which condition, and what comes out.

use jiff::Timestamp;

use super::body::Body;
use super::meta::{ChecksumAlgorithm, ChecksumKind, ObjectMeta, Retention};
use super::version::{ETag, VersionId};

/// An object to be written.
#[derive(Debug)]
pub struct NewObject {
    /// What the client said about it. `parts` is normally empty.
    pub meta: ObjectMeta,
    /// The entity tag, calculated by whoever saw the bytes.
    pub etag: ETag,
    /// The bytes, from [`super::BodyWriter`] or shared with another object.
    pub body: Body,
    /// Last-modified, for seeding; `None` is the store's clock.
    pub last_modified: Option<Timestamp>,
}

/// A condition on the current version of a key, evaluated atomically with the
/// write. A delete marker or no version at all counts as no object.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// `If-Match`: there is an object and its tag is one of these. No object
    /// gives [`super::StoreError::NoSuchKey`], another tag
    /// [`super::StoreError::PreconditionFailed`].
    pub if_match: Option<ETagMatch>,
    /// `If-None-Match`: there is no object whose tag is one of these.
    pub if_none_match: Option<ETagMatch>,
    /// The current version, a delete marker included, still has this stamp; for
    /// steps that were decided on an earlier look, as lifecycle's.
    pub if_current: Option<u64>,
}

/// Entity tags to compare with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ETagMatch {
    /// `*`: any object.
    Any,
    /// One of these.
    OneOf(Vec<ETag>),
}

/// A write that is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The new version's id; [`VersionId::Null`] unless versioning is on.
    pub version_id: VersionId,
    /// Whether to show the id: the bucket's versioning was on or suspended.
    pub versioned: bool,
    /// When, by the store's clock.
    pub last_modified: Timestamp,
    /// The stored tag (of interest after completing an upload).
    pub etag: ETag,
    /// In bytes.
    pub size: u64,
}

/// What a listing knows of a version, and all of it is in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionSummary {
    /// The key.
    pub key: String,
    /// The version's id.
    pub version_id: VersionId,
    /// Whether it is the current version of its key.
    pub is_latest: bool,
    /// Whether it is a delete marker; `etag` and `size` are then without sense.
    pub delete_marker: bool,
    /// The tag.
    pub etag: ETag,
    /// In bytes.
    pub size: u64,
    /// When it was written, in whole milliseconds.
    pub last_modified: Timestamp,
    /// The storage class; `None` is `STANDARD`.
    pub storage_class: Option<String>,
    /// The kind of checksum it has.
    pub checksum: Option<(ChecksumAlgorithm, ChecksumKind)>,
    /// How many tags it has.
    pub tag_count: u32,
    /// Grows with every version written, in any bucket; unique to the version
    /// and unchanged when its tags are. For [`Condition::if_current`].
    pub stamp: u64,
}

/// A version with everything known about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// What listings show.
    pub summary: VersionSummary,
    /// What the client said.
    pub meta: ObjectMeta,
    /// Whether the bucket shows version ids (versioning on or suspended).
    pub versioned: bool,
}

/// How to delete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// Which version; `None` writes a delete marker where versions are kept and
    /// removes the object where not.
    pub version: Option<VersionId>,
    /// Conditions on the version that is named, else on the current one.
    /// `if_none_match` is not used.
    pub condition: Condition,
    /// Ignore a retention in governance mode.
    pub bypass_governance: bool,
}

/// What a deletion did. Deleting what is not there is no error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deleted {
    /// The version that was removed, or the id of the new delete marker. `None`
    /// in an unversioned bucket when no version was named.
    pub version_id: Option<VersionId>,
    /// Whether what was removed, or made, is a delete marker.
    pub delete_marker: bool,
    /// Whether anything changed.
    pub changed: bool,
}

/// A change of a version that keeps its bytes, id and time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectUpdate {
    /// Replaces all tags.
    Tags(std::collections::BTreeMap<String, String>),
    /// Sets or removes the retention. Refused with
    /// [`super::StoreError::Locked`] when it weakens one in compliance mode, or
    /// one in governance mode without the bypass.
    Retention {
        /// The new one.
        value: Option<Retention>,
        /// Ignore a retention in governance mode.
        bypass_governance: bool,
    },
    /// Sets or lifts the legal hold.
    LegalHold(bool),
}
