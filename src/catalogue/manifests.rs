//! Manifest sets: definitions of other people's kinds, pinned by checksum.
//!
//! Owns what a set is and how its files are put together. Must not fetch anything.

use semver::Version;
use serde::Deserialize;

/// What stands between the files of a set.
pub const JOINT: &str = "\n---\n";

/// One set: files of one version of one project.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestSet {
    /// The project's version.
    pub version: Version,
    /// The Go module that has the files, without its version.
    pub package: String,
    /// Licence of the files.
    pub licence: String,
    /// Where one file can be downloaded, with `${version}` and `${file}` in it.
    pub url: Option<String>,
    /// SHA-256 of the files in their order, joined by [`JOINT`].
    pub sha256: String,
    /// Paths inside the module.
    pub files: Vec<String>,
}

impl ManifestSet {
    /// Its name in the cache.
    #[must_use]
    pub fn file_name(&self, name: &str) -> String {
        format!("{name}-{}.yaml", self.version)
    }

    /// Where each file can be downloaded, in order; absent when nowhere.
    #[must_use]
    pub fn urls(&self) -> Option<Vec<String>> {
        let url = self.url.as_ref()?.replace("${version}", &self.version.to_string());
        Some(self.files.iter().map(|file| url.replace("${file}", file)).collect())
    }
}
