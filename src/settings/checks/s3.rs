//! The shape of an `s3` check.

use serde::{Deserialize, Serialize};

use super::Caller;

/// What is in the sandbox's S3; everything given must hold. With neither `key` nor `prefix` an
/// object is written, listed, read back and removed again, which shows that the server works.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct S3 {
    /// The bucket. Default: the first one of `addons.s3`.
    pub bucket: Option<String>,
    /// An object that must be there.
    pub key: Option<String>,
    /// Objects whose keys begin like this must be there.
    pub prefix: Option<String>,
    /// At least this many of them. Default: 1.
    pub at_least: Option<u32>,
    /// The object, or everything below the prefix, must not be there. Default: false.
    pub absent: bool,
    /// A regular expression that the object's text must contain.
    pub body: Option<String>,
    /// A regular expression that the object's content type must match.
    pub content_type: Option<String>,
    /// Where the client runs: `host` or `cluster`. In the cluster it uses virtual-host style names.
    /// Default: `host`.
    pub from: Caller,
}
