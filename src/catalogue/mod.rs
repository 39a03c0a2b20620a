//! The catalogue: every third-party image, tool and manifest, pinned.
//!
//! Owns `catalogue.toml` and the meaning of a source. Must not fetch anything.

mod manifests;

use std::collections::BTreeMap;
use std::fmt;

use semver::Version;
use serde::{Deserialize, Serialize};

pub use manifests::{JOINT, ManifestSet};

/// The pinned list, compiled in.
const TEXT: &str = include_str!("../../catalogue.toml");

/// Everything third-party.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// Images, by short name.
    pub images: BTreeMap<String, Image>,
    /// Programs, by name.
    pub tools: BTreeMap<String, Tool>,
    /// Definitions of other people's kinds, by project.
    pub manifests: BTreeMap<String, ManifestSet>,
}

/// One pinned image.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// Name and tag, the same whatever the source.
    pub reference: String,
    /// Digest of the registry's image (multi-platform index).
    pub digest: Option<String>,
    /// Licence of the software in it.
    pub licence: String,
    /// Folder of the recipe that builds it from packages.
    pub recipe: String,
}

/// One program that is run as a child.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// The first version that works.
    pub minimum: Version,
    /// The first version that is not known to work.
    pub below: Version,
    /// The version that `scripts/tools` fetches or builds.
    pub version: Version,
    /// The Go package it is built from.
    pub package: String,
    /// Its licence.
    pub licence: String,
    /// Where it can be downloaded.
    pub url: Option<String>,
    /// SHA-256 of the download, by platform.
    #[serde(default)]
    pub sha256: BTreeMap<String, String>,
}

impl Tool {
    /// Whether a version found on PATH can be used. A pre-release or vendor suffix does not
    /// count.
    #[must_use]
    pub fn accepts(&self, version: &Version) -> bool {
        let plain = Version::new(version.major, version.minor, version.patch);
        plain >= self.minimum && plain < self.below
    }
}

impl Catalogue {
    /// The catalogue of this program.
    ///
    /// # Panics
    /// When `catalogue.toml` is broken, which a test rules out.
    #[must_use]
    pub fn built_in() -> Self {
        toml::from_str(TEXT).expect("catalogue.toml is parsed by a test")
    }

    /// The image of that short name.
    ///
    /// # Panics
    /// When the catalogue has no such image: names in code are covered by a test.
    #[must_use]
    pub fn image(&self, name: &str) -> &Image {
        &self.images[name]
    }

    /// The node image's Kubernetes version, such as `1.34.3`.
    #[must_use]
    pub fn kubernetes_version(&self) -> &str {
        let reference = &self.image("node").reference;
        reference.rsplit_once(":v").map_or("", |(_, version)| version)
    }

    /// The full version for what a user asked, such as `1.34`.
    ///
    /// # Errors
    /// Which version there is.
    pub fn kubernetes(&self, asked: &str) -> Result<String, String> {
        let have = self.kubernetes_version();
        let asked = asked.trim_start_matches('v');
        if have == asked || have.starts_with(&format!("{asked}.")) {
            return Ok(have.to_owned());
        }
        Err(format!("Kubernetes {asked} is not in the catalogue; there is {have}"))
    }
}

/// Where the catalogue's images come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// What the engine has, else the registry.
    Auto,
    /// The registry, by digest.
    Registry,
    /// Only what `images/build` made.
    Packages,
}

impl Source {
    /// The source of that name.
    ///
    /// # Errors
    /// The names there are.
    pub fn named(name: &str) -> Result<Self, String> {
        match name {
            "auto" => Ok(Self::Auto),
            "registry" => Ok(Self::Registry),
            "packages" => Ok(Self::Packages),
            other => Err(format!("`{other}` is none of `auto`, `registry`, `packages`")),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Source::Auto => "auto",
            Source::Registry => "registry",
            Source::Packages => "packages",
        })
    }
}

/// The label that `images/build` puts on what it makes.
pub const RECIPE_LABEL: &str = "dev.sandbox.recipe";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_catalogue_parses_and_is_complete() {
        let catalogue = Catalogue::built_in();
        for name in [
            "base",
            "node",
            "ingress-nginx",
            "cert-manager-controller",
            "cert-manager-webhook",
            "cert-manager-cainjector",
            "metrics-server",
            "redis",
            "postgres",
        ] {
            assert!(catalogue.images.contains_key(name), "{name} is missing");
        }
        for (name, tool) in &catalogue.tools {
            assert!(tool.accepts(&tool.version), "{name}: pins a version it would refuse");
        }
        assert!(catalogue.kubernetes_version().starts_with("1."));
    }

    #[test]
    fn every_manifest_set_can_be_fetched_and_checked() {
        let catalogue = Catalogue::built_in();
        assert!(catalogue.manifests.contains_key("cert-manager"));
        for (name, set) in &catalogue.manifests {
            assert_eq!(set.sha256.len(), 64, "{name}");
            let urls = set.urls().unwrap_or_default();
            assert_eq!(urls.len(), set.files.len(), "{name}");
            for url in urls {
                assert!(url.starts_with("https://") && !url.contains('$'), "{url}");
                assert!(url.contains(&set.version.to_string()), "{url}");
            }
        }
        let cert_manager = catalogue.images["cert-manager-controller"].reference.rsplit_once(":v");
        let definitions = catalogue.manifests["cert-manager"].version.to_string();
        assert_eq!(cert_manager.unwrap().1, definitions, "program and definitions belong together");
    }

    #[test]
    fn tools_outside_their_range_are_refused() {
        let catalogue = Catalogue::built_in();
        let helm = &catalogue.tools["helm"];
        assert!(!helm.accepts(&Version::new(3, 19, 0)));
        assert!(helm.accepts(&Version::parse("4.0.5+g1b6053d").unwrap()));
        assert!(!helm.accepts(&Version::new(5, 0, 0)));
    }

    #[test]
    fn a_kubernetes_version_that_is_not_there_says_what_is() {
        let catalogue = Catalogue::built_in();
        assert_eq!(catalogue.kubernetes("1.34").unwrap(), catalogue.kubernetes_version());
        assert!(catalogue.kubernetes("1.3").is_err(), "1.3 is not 1.34");
        assert!(catalogue.kubernetes("1.29").unwrap_err().contains("there is 1.34"));
    }
}
