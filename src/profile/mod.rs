//! Profiles: which cloud a sandbox answers like.
//!
//! Owns the embedded `profiles/*.yaml` and their types. Must not touch the disk.

mod storage;

use std::collections::BTreeMap;

use serde::Deserialize;

pub use storage::{BindingMode, LOCAL_PATH, ReclaimPolicy, StorageClass};

/// All profiles, by name.
const EMBEDDED: [(&str, &str); 4] = [
    ("doks", include_str!("../../profiles/doks.yaml")),
    ("eks", include_str!("../../profiles/eks.yaml")),
    ("k3s-ec2", include_str!("../../profiles/k3s-ec2.yaml")),
    ("minimal", include_str!("../../profiles/minimal.yaml")),
];

/// Labels by key.
pub type Labels = BTreeMap<String, String>;

/// Which cloud to answer like: nodes, labels, taints, zones and storage classes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Profile {
    /// Its name.
    #[serde(skip)]
    pub name: String,
    /// What it is, in one sentence.
    pub description: String,
    /// The control plane, where it is a node that the app sees.
    #[serde(default)]
    pub control_plane: ControlPlane,
    /// Nodes beside the control plane; none = the control plane takes all pods.
    #[serde(default)]
    pub node_pools: Vec<NodePool>,
    /// Its storage classes; none = kind's own `standard` is the default one.
    #[serde(default)]
    pub storage_classes: Vec<StorageClass>,
}

/// What the control plane of a profile is like beside what kind makes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ControlPlane {
    /// Labels that it registers with.
    #[serde(default)]
    pub labels: Labels,
    /// Labels that are set through the API.
    #[serde(default)]
    pub api_labels: Labels,
    /// `spec.providerID`; kind's own when there is none.
    pub provider_id: Option<String>,
}

/// Nodes of one make (EKS: node group, DOKS: node pool).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NodePool {
    /// Its name.
    pub name: String,
    /// One entry for each node: what differs from node to node. `${zone}` in a label or in the
    /// provider id stands for the node's own `zone`, and so on.
    pub nodes: Vec<Labels>,
    /// Labels that each node registers with. The kubelet refuses names below `kubernetes.io` and
    /// `k8s.io` that it does not know.
    #[serde(default)]
    pub labels: Labels,
    /// Labels that the kubelet would refuse; they are set through the API.
    #[serde(default)]
    pub api_labels: Labels,
    /// Taints of each node, such as `pool=gpu:NoSchedule`.
    #[serde(default)]
    pub taints: Vec<String>,
    /// How many pods each node takes; the kubelet's 110 when there is none.
    pub max_pods: Option<u32>,
    /// `spec.providerID` of each node; kind's own when there is none.
    pub provider_id: Option<String>,
}

/// One worker node of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// The pool it belongs to.
    pub pool: String,
    /// Labels that it registers with.
    pub labels: Labels,
    /// Labels that are set through the API.
    pub api_labels: Labels,
    /// Its taints, as `key=value:Effect`.
    pub taints: Vec<String>,
    /// How many pods it takes.
    pub max_pods: Option<u32>,
    /// Its provider id.
    pub provider_id: Option<String>,
}

impl Profile {
    /// The profile of that name.
    ///
    /// # Errors
    /// The names there are.
    ///
    /// # Panics
    /// When an embedded profile is broken, which a test rules out.
    pub fn named(name: &str) -> Result<Self, String> {
        let known: Vec<&str> = EMBEDDED.iter().map(|(name, _)| *name).collect();
        let (_, text) = EMBEDDED.iter().find(|(known, _)| *known == name).ok_or_else(|| {
            format!("there is no profile `{name}`; there are: {}", known.join(", "))
        })?;
        let profile: Profile =
            serde_saphyr::from_str(text).expect("embedded profiles are parsed by a test");
        Ok(Self { name: name.to_owned(), ..profile })
    }

    /// The profile of a sandbox that names none.
    ///
    /// # Panics
    /// When the embedded profile is broken, which a test rules out.
    #[must_use]
    pub fn minimal() -> Self {
        Self::named("minimal").expect("embedded")
    }

    /// The worker nodes in order.
    #[must_use]
    pub fn workers(&self) -> Vec<Worker> {
        let of_pool = |pool: &NodePool| -> Vec<Worker> {
            pool.nodes.iter().map(|own| worker(pool, own)).collect()
        };
        self.node_pools.iter().flat_map(of_pool).collect()
    }

    /// Labels to set through the API, by the suffix of the node's name after the cluster's:
    /// `control-plane`, `worker`, `worker2` and so on, as kind names them. Nodes without any are
    /// left out.
    #[must_use]
    pub fn api_labels(&self) -> Vec<(String, Labels)> {
        let first = ("control-plane".to_owned(), self.control_plane.api_labels.clone());
        let workers = self.workers().into_iter().enumerate().map(|(index, worker)| {
            let number = if index == 0 { String::new() } else { (index + 1).to_string() };
            (format!("worker{number}"), worker.api_labels)
        });
        std::iter::once(first).chain(workers).filter(|(_, labels)| !labels.is_empty()).collect()
    }

    /// Names under which the volumes of its storage classes are provisioned, without kind's own.
    #[must_use]
    pub fn foreign_provisioners(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .storage_classes
            .iter()
            .map(|class| class.provisioner.as_str())
            .filter(|name| *name != LOCAL_PATH)
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

fn worker(pool: &NodePool, own: &Labels) -> Worker {
    let filled = |labels: &Labels| -> Labels {
        labels.iter().map(|(key, value)| (key.clone(), fill(value, own))).collect()
    };
    Worker {
        pool: pool.name.clone(),
        labels: filled(&pool.labels),
        api_labels: filled(&pool.api_labels),
        taints: pool.taints.clone(),
        max_pods: pool.max_pods,
        provider_id: pool.provider_id.as_ref().map(|id| fill(id, own)),
    }
}

/// Puts a node's own values in the places of their names.
fn fill(text: &str, own: &Labels) -> String {
    own.iter()
        .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${{{name}}}"), value))
}

#[cfg(test)]
mod tests;
