//! What the frames of the log say. Owns the stored form of every change; a new
//! field has a default, so that older logs are read.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::bucket::BucketInfo;
use super::error::StoreError;
use super::meta::{Checksum, ChecksumAlgorithm, ChecksumKind, ObjectMeta, PartInfo, millis};
use super::version::{ETag, UploadId, VersionId};

/// One change, whole or not at all.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Record {
    /// The first frame of each segment: carries the sequence number on.
    #[serde(rename = "S")]
    Segment,
    /// A bucket as it is now; its documents are the body.
    #[serde(rename = "B")]
    Bucket(BucketRecord),
    #[serde(rename = "b")]
    DropBucket { id: u64 },
    /// A version as it is now; a small body is the frame's.
    #[serde(rename = "V")]
    Version(Box<VersionRecord>),
    #[serde(rename = "v")]
    DropVersion { bucket: u64, key: String, seq: u64 },
    #[serde(rename = "U")]
    Upload(Box<UploadRecord>),
    #[serde(rename = "u")]
    DropUpload { bucket: u64, key: String, id: UploadId },
    #[serde(rename = "P")]
    Part(Box<PartRecord>),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct BucketRecord {
    pub(super) id: u64,
    pub(super) info: BucketInfo,
    /// Names and lengths of the documents, in the order of the body.
    pub(super) configs: Vec<(String, usize)>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct VersionRecord {
    #[serde(rename = "b")]
    pub(super) bucket: u64,
    #[serde(rename = "n")]
    pub(super) key: String,
    /// Order within the key, and identity.
    #[serde(rename = "q")]
    pub(super) seq: u64,
    /// The lower half of the version id; `None` for the `null` version.
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<u64>,
    #[serde(rename = "m", with = "millis")]
    pub(super) time: Timestamp,
    #[serde(rename = "d", default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) marker: bool,
    #[serde(rename = "e")]
    pub(super) etag: ETag,
    #[serde(rename = "s")]
    pub(super) size: u64,
    #[serde(rename = "f", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) files: Vec<FileRun>,
    #[serde(rename = "x", default)]
    pub(super) meta: ObjectMeta,
    /// The upload that became this version.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub(super) upload: Option<UploadId>,
}

/// File, offset, length.
pub(super) type FileRun = (u64, u64, u64);

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct UploadRecord {
    pub(super) bucket: u64,
    pub(super) key: String,
    pub(super) id: UploadId,
    #[serde(with = "millis")]
    pub(super) time: Timestamp,
    #[serde(default)]
    pub(super) meta: ObjectMeta,
    #[serde(default)]
    pub(super) checksum: Option<(ChecksumAlgorithm, ChecksumKind)>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct PartRecord {
    pub(super) bucket: u64,
    pub(super) key: String,
    pub(super) upload: UploadId,
    pub(super) info: PartInfo,
    pub(super) files: Vec<FileRun>,
}

impl Record {
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, StoreError> {
        serde_json::to_vec(self).map_err(|error| StoreError::io("encode", "a record")(error.into()))
    }

    pub(super) fn parse(head: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(head)
    }
}

impl VersionRecord {
    pub(super) fn version_id(&self) -> VersionId {
        version_id(self.seq, self.id)
    }

    pub(super) fn checksum_kind(&self) -> Option<(ChecksumAlgorithm, ChecksumKind)> {
        self.meta.checksum.as_ref().map(|Checksum { algorithm, kind, .. }| (*algorithm, *kind))
    }
}

/// Version ids begin with the complement of the sequence number, so that they
/// are in order, newest first, and say where to look; the rest is random.
pub(super) fn version_id(seq: u64, random: Option<u64>) -> VersionId {
    match random {
        Some(random) => VersionId::Id(u128::from(!seq) << 64 | u128::from(random)),
        None => VersionId::Null,
    }
}

/// The sequence number in a version id.
pub(super) fn seq_of(id: u128) -> u64 {
    // The upper half fits.
    u64::try_from(id >> 64).map_or(0, |upper| !upper)
}
