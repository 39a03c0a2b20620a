//! What a bucket is beside its objects.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::meta::millis;

/// What is said of a bucket when it is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewBucket {
    /// The name; its form is the protocol layer's to check.
    pub name: String,
    /// The region, opaque.
    pub region: String,
    /// Whether object lock is on; versioning is then on too and stays on.
    pub object_lock: bool,
    /// Id of the owner, opaque.
    pub owner_id: String,
    /// Name of the owner, opaque.
    pub owner_name: String,
    /// The configuration documents that it has from the start, by name.
    pub configs: BTreeMap<String, Bytes>,
}

/// A bucket as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketInfo {
    /// The name.
    pub name: String,
    /// When it was made, in whole milliseconds.
    #[serde(with = "millis")]
    pub created: Timestamp,
    /// The region it was made with.
    pub region: String,
    /// Id of the owner.
    pub owner_id: String,
    /// Name of the owner.
    pub owner_name: String,
    /// Whether object lock is on.
    pub object_lock: bool,
    /// Whether versions are kept.
    pub versioning: Versioning,
}

/// The versioning state of a bucket.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/versioning-workflows.html>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Versioning {
    /// Never turned on: one `null` version a key.
    #[default]
    Unversioned,
    /// Every write makes a version with an id of its own.
    Enabled,
    /// Writes replace the `null` version, older versions stay.
    Suspended,
}
