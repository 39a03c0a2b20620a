//! What is known of an object beside its bytes. Owns the types that the
//! protocol layer fills and gets back unchanged; nothing here is interpreted by
//! the store but retention and legal hold.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::version::ETag;

/// Everything a client said about an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ObjectMeta {
    /// Content headers by lower-case name: `content-type`, `cache-control`,
    /// `content-disposition`, `content-encoding`, `content-language`,
    /// `expires`, `x-amz-website-redirect-location`, and the headers of
    /// server-side encryption.
    #[serde(rename = "h", skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// `x-amz-meta-…` by lower-case name without that prefix.
    #[serde(rename = "u", skip_serializing_if = "BTreeMap::is_empty")]
    pub user: BTreeMap<String, String>,
    /// Tags.
    #[serde(rename = "t", skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// The storage class; `None` is `STANDARD`.
    #[serde(rename = "c", skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<String>,
    /// The checksum that the client sent or that was calculated for it.
    #[serde(rename = "k", skip_serializing_if = "Option::is_none")]
    pub checksum: Option<Checksum>,
    /// Until when the version must not be deleted.
    #[serde(rename = "r", skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
    /// A legal hold, on or off; `None` when it was never set.
    #[serde(rename = "l", skip_serializing_if = "Option::is_none")]
    pub legal_hold: Option<bool>,
    /// The parts of a multipart object, ascending; filled by the store when an
    /// upload is completed.
    #[serde(rename = "p", skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartInfo>,
    /// Anything else the protocol layer wants to find again.
    #[serde(rename = "x", skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, String>,
}

/// A checksum of S3. <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum {
    /// Which function.
    #[serde(rename = "a")]
    pub algorithm: ChecksumAlgorithm,
    /// Over what.
    #[serde(rename = "t")]
    pub kind: ChecksumKind,
    /// The digest in base64, with `-N` behind it when composite.
    #[serde(rename = "v")]
    pub value: String,
}

/// The functions that S3 knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names say all")]
pub enum ChecksumAlgorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

/// What a checksum is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ChecksumKind {
    /// The bytes of the object.
    FullObject,
    /// The checksums of its parts.
    Composite,
}

/// One part of an upload or of an object made from one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartInfo {
    /// 1 to 10 000.
    #[serde(rename = "n")]
    pub number: u32,
    /// In bytes.
    #[serde(rename = "s")]
    pub size: u64,
    /// MD5 of the part.
    #[serde(rename = "e")]
    pub etag: ETag,
    /// The part's own checksum.
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<Checksum>,
    /// When the part was uploaded, in milliseconds since 1970.
    #[serde(rename = "m", with = "millis")]
    pub last_modified: Timestamp,
}

/// Retention by object lock. <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// Who may shorten it.
    #[serde(rename = "m")]
    pub mode: RetentionMode,
    /// Until when.
    #[serde(rename = "u", with = "millis")]
    pub until: Timestamp,
}

/// How strict a retention is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RetentionMode {
    /// May be shortened or bypassed by those who ask for it.
    Governance,
    /// May only be prolonged.
    Compliance,
}

/// Times as milliseconds since 1970, which is what S3 shows at most.
pub(super) mod millis {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(
        at: &Timestamp,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(at.as_millisecond())
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Timestamp, D::Error> {
        Timestamp::from_millisecond(i64::deserialize(deserializer)?)
            .map_err(serde::de::Error::custom)
    }
}
