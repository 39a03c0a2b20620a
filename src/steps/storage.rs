//! Steps of the storage classes.
//!
//! Owns applying them and taking the default away from kind's own; what they consist of is in
//! `addons`.

use std::time::Duration;

use k8s_openapi::api::storage::v1::StorageClass;
use serde_json::json;

use super::Cx;
use crate::addons::storage::{self, DEFAULT_ANNOTATION, KIND_CLASS, NODE_MANIFEST};
use crate::error::{Error, Kind, Result};
use crate::tools::kube::{Cluster, Object};
use crate::tools::ready;

/// How long kind may take to make its own class: it does so once the control plane is up.
const KIND_CLASS_DEADLINE: Duration = Duration::from_secs(300);

impl Cx<'_> {
    /// The objects of the profile's storage, with the images that the control-plane node has.
    pub(super) async fn storage_objects(&self) -> Result<Vec<Object>> {
        let node = format!("{}-control-plane", self.settings.name.value.cluster());
        let manifest = self.docker.read_file(&node, NODE_MANIFEST).await?;
        let images = storage::ProvisionerImages::parse(&manifest).ok_or_else(|| {
            let message = format!("`{NODE_MANIFEST}` of `{node}` names no provisioner of volumes");
            Error::new(Kind::Cluster, message)
        })?;
        Ok(storage::objects(&self.settings.profile.value, &images))
    }
}

/// Waits for kind to make its class, which it does with `kubectl apply` and once, and takes the
/// default away from it. Earlier, kind would set it again.
pub(super) async fn demote_kind_class(cluster: &Cluster) -> Result<()> {
    let api = cluster.all::<StorageClass>();
    let what = format!("storage class `{KIND_CLASS}`");
    let class = ready::retry(&what, Kind::Cluster, KIND_CLASS_DEADLINE, || async {
        match cluster.get(&api, KIND_CLASS).await {
            Ok(Some(class)) => Ok(class),
            Ok(None) => Err("kind has not made it".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    })
    .await?;
    let annotations = class.metadata.annotations.unwrap_or_default();
    if annotations.get(DEFAULT_ANNOTATION).is_none_or(|value| value != "true") {
        return Ok(());
    }
    let patch = json!({ "metadata": { "annotations": { DEFAULT_ANNOTATION: "false" } } });
    cluster.merge(&api, KIND_CLASS, &patch).await
}
