//! The storage classes of a profile.
//!
//! Owns their type. What is applied for them is in `addons::storage`.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The provisioner that kind brings. It serves classes of any name.
pub const LOCAL_PATH: &str = "rancher.io/local-path";

/// One storage class.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StorageClass {
    /// Its name.
    pub name: String,
    /// Who makes its volumes.
    pub provisioner: String,
    /// Whether claims that name no class get it.
    #[serde(default)]
    pub default: bool,
    /// When a volume is made.
    #[serde(default)]
    pub binding_mode: BindingMode,
    /// What becomes of a volume when its claim is removed.
    #[serde(default)]
    pub reclaim_policy: ReclaimPolicy,
    /// Whether a claim may ask for more later.
    #[serde(default)]
    pub allow_expansion: bool,
    /// What the real driver is told; nobody reads it here.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
}

/// When a volume is made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum BindingMode {
    /// At once.
    #[default]
    Immediate,
    /// Once a pod that uses it has been given a node.
    WaitForFirstConsumer,
}

/// What becomes of a volume when its claim is removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum ReclaimPolicy {
    /// It goes with the claim.
    #[default]
    Delete,
    /// It stays.
    Retain,
}

impl BindingMode {
    /// The word of the Kubernetes API.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Immediate => "Immediate",
            Self::WaitForFirstConsumer => "WaitForFirstConsumer",
        }
    }
}

impl ReclaimPolicy {
    /// The word of the Kubernetes API.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Delete => "Delete",
            Self::Retain => "Retain",
        }
    }
}
