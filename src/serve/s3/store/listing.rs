//! Questions and answers of listings; `walk` finds the entries.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>

use super::object::VersionSummary;
use super::version::VersionId;

/// Which objects to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectQuery {
    /// Only keys that begin so.
    pub prefix: String,
    /// Rolls up what is between the prefix and the first of these, any text;
    /// empty for none.
    pub delimiter: String,
    /// Begin after this key (`start-after`, `marker`, or `next` of the page
    /// before). When it is a common prefix of this query, all keys below it are
    /// skipped.
    pub start_after: String,
    /// At most so many entries, common prefixes included. 0 gives an empty page
    /// that is not truncated.
    pub max_keys: usize,
}

/// One line of a listing of objects, in UTF-8 byte order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectEntry {
    /// The current version of a key; boxed as it is large.
    Object(Box<VersionSummary>),
    /// A common prefix, which ends with the delimiter.
    Prefix(String),
}

/// A page of objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectPage {
    /// Objects and common prefixes, in one order.
    pub entries: Vec<ObjectEntry>,
    /// When more follow: the last key or common prefix of this page, which is
    /// the `start_after` of the next.
    pub next: Option<String>,
}

/// Which versions to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionQuery {
    /// Only keys that begin so.
    pub prefix: String,
    /// As in [`ObjectQuery`].
    pub delimiter: String,
    /// Begin after all versions of this key, or after `version_id_marker`.
    pub key_marker: String,
    /// Together with `key_marker`: begin after this version of that key, also when
    /// it was removed since. After a `null` version that is gone, begins with the
    /// next key.
    pub version_id_marker: Option<VersionId>,
    /// At most so many entries, common prefixes included.
    pub max_keys: usize,
}

/// One line of a listing of versions: by key, then newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionEntry {
    /// A version or delete marker; boxed as it is large.
    Version(Box<VersionSummary>),
    /// A common prefix.
    Prefix(String),
}

/// A page of versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VersionPage {
    /// Versions, delete markers and common prefixes, in one order.
    pub entries: Vec<VersionEntry>,
    /// When more follow: the markers to go on with. After a common prefix there
    /// is no version.
    pub next: Option<(String, Option<VersionId>)>,
}
