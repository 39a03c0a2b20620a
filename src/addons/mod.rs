//! Addons: what the sandbox installs for the app.
//!
//! Owns the list of addons and what each must offer: its objects, typed, and when it counts as
//! ready. One file an addon. Pure: applying is done by `steps`.

pub mod ingress_nginx;

use sha2::{Digest, Sha256};

use crate::tools::kube::Object;

/// Label on everything an addon applies.
pub const ADDON_LABEL: &str = "dev.sandbox/addon";

/// A hash of an addon's objects, so that an unchanged addon is not applied again.
#[must_use]
pub fn hash(objects: &[Object]) -> String {
    let mut hash = Sha256::new();
    for object in objects {
        hash.update(object.value.to_string());
    }
    format!("{:x}", hash.finalize())
}
