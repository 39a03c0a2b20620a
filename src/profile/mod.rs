//! Profiles: which cloud a sandbox answers like.
//!
//! Owns the embedded `profiles/*.yaml` and their types. Must not touch the disk.

use std::collections::BTreeMap;

use serde::Deserialize;

/// All profiles, by name.
const EMBEDDED: [(&str, &str); 2] = [
    ("eks", include_str!("../../profiles/eks.yaml")),
    ("minimal", include_str!("../../profiles/minimal.yaml")),
];

/// Which cloud to answer like: nodes, labels, taints and zones.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Profile {
    /// Its name.
    #[serde(skip)]
    pub name: String,
    /// What it is, in one sentence.
    pub description: String,
    /// Nodes beside the control plane; none = the control plane takes all pods.
    #[serde(default)]
    pub node_pools: Vec<NodePool>,
}

/// Nodes of one make (EKS: node group, DOKS: node pool).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NodePool {
    /// Its name.
    pub name: String,
    /// Zones, one node in each.
    pub zones: Vec<String>,
    /// Labels of each node; `${zone}` and `${region}` stand for the node's own.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Taints of each node, such as `pool=gpu:NoSchedule`.
    #[serde(default)]
    pub taints: Vec<String>,
}

/// One worker node of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// The pool it belongs to.
    pub pool: String,
    /// Its zone.
    pub zone: String,
    /// All its labels.
    pub labels: BTreeMap<String, String>,
    /// Its taints, as `key=value:Effect`.
    pub taints: Vec<String>,
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
        let nodes = self.node_pools.iter().flat_map(|pool| {
            pool.zones.iter().map(move |zone| Worker {
                pool: pool.name.clone(),
                zone: zone.clone(),
                labels: pool
                    .labels
                    .iter()
                    .map(|(key, value)| (key.clone(), fill(value, zone)))
                    .collect(),
                taints: pool.taints.clone(),
            })
        });
        nodes.collect()
    }
}

/// A zone's region is the zone without its last letter (`us-east-1a`).
fn fill(value: &str, zone: &str) -> String {
    let region = zone.trim_end_matches(|c: char| c.is_ascii_lowercase());
    value.replace("${zone}", zone).replace("${region}", region)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_profile_parses() {
        for (name, _) in EMBEDDED {
            assert!(!Profile::named(name).unwrap().description.is_empty());
        }
    }

    #[test]
    fn eks_has_one_worker_in_each_of_three_zones() {
        let workers = Profile::named("eks").unwrap().workers();
        let zones: Vec<_> = workers
            .iter()
            .map(|worker| {
                assert_eq!(worker.labels["topology.kubernetes.io/zone"], worker.zone);
                assert_eq!(worker.labels["topology.kubernetes.io/region"], "us-east-1");
                worker.zone.as_str()
            })
            .collect();
        assert_eq!(zones, ["us-east-1a", "us-east-1b", "us-east-1c"]);
    }

    #[test]
    fn minimal_is_one_node_that_takes_all_pods() {
        assert!(Profile::minimal().workers().is_empty());
    }
}
