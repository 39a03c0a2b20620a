//! What lifecycle rules look at: all versions of a key at once. The rules are
//! the protocol layer's; each of its steps is one `delete_object` or
//! `abort_upload` with [`super::Condition::if_current`], so that nothing is
//! removed that was written after the look.

use jiff::Timestamp;

use super::object::VersionSummary;

/// All versions of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyVersions {
    /// The key.
    pub key: String,
    /// Its versions and delete markers, newest first; never empty. The first is
    /// the current one.
    pub versions: Vec<VersionSummary>,
}

impl KeyVersions {
    /// Since when the version at `index` has not been current: the time at which
    /// the next newer one was written. `None` for the current version.
    #[must_use]
    pub fn noncurrent_since(&self, index: usize) -> Option<Timestamp> {
        Some(self.versions.get(index.checked_sub(1)?)?.last_modified)
    }

    /// Whether the current version is a delete marker and the only version.
    #[must_use]
    pub fn is_expired_delete_marker(&self) -> bool {
        matches!(self.versions.as_slice(), [only] if only.delete_marker)
    }
}

/// A page of keys; holds no lock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LifecyclePage {
    /// The keys, in byte order.
    pub keys: Vec<KeyVersions>,
    /// When more follow: the key to go on after.
    pub next: Option<String>,
}
