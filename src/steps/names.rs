//! Names of the sandbox's own in the cluster's DNS.
//!
//! Owns changing `CoreDNS`' configuration and waiting until it is in force; what it says is in
//! `addons::names`.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::Cx;
use crate::addons::names::{self, Alias};
use crate::error::{Error, Kind, Result};
use crate::report::event::StepEvents;
use crate::tools::kube::Cluster;
use crate::tools::ready;

/// Where kubeadm puts `CoreDNS`.
const NAMESPACE: &str = "kube-system";
/// Name of its `ConfigMap` and its Deployment.
const COREDNS: &str = "coredns";
/// The key of its configuration.
const COREFILE: &str = "Corefile";
/// On its pods, so that they are made new when the configuration is: it reads a changed one only
/// half a minute later.
const ANNOTATION: &str = "dev.sandbox/corefile";
/// How long kubeadm may take to make it, and it may take to become ready.
const DEADLINE: Duration = Duration::from_secs(180);

impl Cx<'_> {
    /// Makes these the aliases that the cluster's DNS knows.
    pub(super) async fn name_services(
        &self,
        cluster: &Cluster,
        aliases: &[Alias],
        events: &StepEvents,
    ) -> Result<()> {
        let configs = cluster.namespaced::<ConfigMap>(NAMESPACE);
        let deployments = cluster.namespaced::<Deployment>(NAMESPACE);
        events.progress("names in the cluster's DNS");
        let config = ready::retry("CoreDNS to be there", Kind::Cluster, DEADLINE, || async {
            let told = |error: Error| error.full();
            let config = cluster.get(&configs, COREDNS).await.map_err(told)?;
            let deployment = cluster.get(&deployments, COREDNS).await.map_err(told)?;
            config.zip(deployment).map(|(config, _)| config).ok_or("not yet".to_owned())
        })
        .await?;
        let old = config.data.unwrap_or_default().remove(COREFILE).unwrap_or_default();
        let new = names::with(&old, aliases).ok_or_else(|| {
            let message = "the cluster's DNS has a configuration of an unknown kind";
            Error::new(Kind::Cluster, message)
                .hint("kubectl -n kube-system get configmap coredns -o yaml")
        })?;
        if new != old {
            cluster.merge(&configs, COREDNS, &json!({ "data": { COREFILE: new } })).await?;
        }
        let hash = format!("{:x}", Sha256::digest(&new))[..16].to_owned();
        let annotations = json!({ ANNOTATION: hash });
        let template = json!({ "template": { "metadata": { "annotations": annotations } } });
        cluster.merge(&deployments, COREDNS, &json!({ "spec": template })).await?;
        ready::retry("CoreDNS to be ready", Kind::Cluster, DEADLINE, || async {
            let found = cluster.get(&deployments, COREDNS).await.map_err(|error| error.full())?;
            let deployment = found.ok_or("it is gone")?;
            if is_rolled_out(&deployment) { Ok(()) } else { Err("it is not".to_owned()) }
        })
        .await
    }
}

/// Whether one pod of the newest template serves and none of an older one does.
fn is_rolled_out(deployment: &Deployment) -> bool {
    let Some(status) = &deployment.status else { return false };
    let replicas = status.replicas.unwrap_or_default();
    let updated = status.updated_replicas.unwrap_or_default();
    status.observed_generation >= deployment.metadata.generation
        && updated == replicas
        && status.available_replicas.unwrap_or_default() > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(generation: i64, replicas: i32, updated: i32, available: i32) -> Deployment {
        let status = json!({
            "observedGeneration": generation, "replicas": replicas,
            "updatedReplicas": updated, "availableReplicas": available,
        });
        serde_json::from_value(json!({ "metadata": { "generation": 2 }, "status": status }))
            .unwrap()
    }

    #[test]
    fn a_rollout_is_done_when_no_old_pod_serves() {
        assert!(is_rolled_out(&deployment(2, 2, 2, 1)));
        assert!(!is_rolled_out(&deployment(1, 2, 2, 2)));
        assert!(!is_rolled_out(&deployment(2, 3, 2, 2)));
        assert!(!is_rolled_out(&deployment(2, 2, 2, 0)));
    }
}
