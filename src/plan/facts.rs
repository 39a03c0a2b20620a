//! What was observed, as plain data: the plan's other input beside the settings.
//!
//! Owns the types only. Filled by `observe`.

use std::collections::{BTreeMap, BTreeSet};

use crate::owner::Owner;
use crate::state::{Ports, Record};
use crate::tools::docker::{EngineInfo, ImageInfo, NetworkInfo, NodeInfo};

/// What is there.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The Docker engine.
    pub engine: EngineInfo,
    /// What an earlier command remembered.
    pub record: Option<Record>,
    /// Whose the things under the sandbox's name are.
    pub owner: Owner,
    /// The sandbox's network.
    pub network: Option<NetworkInfo>,
    /// The nodes under the cluster's name.
    pub nodes: Vec<NodeInfo>,
    /// Catalogue images that the engine has, by short name.
    pub catalogue: BTreeMap<String, Option<ImageInfo>>,
    /// The app's images, in the order of the settings.
    pub images: Vec<ImageFact>,
    /// Images of each running node: full name → id.
    pub node_images: BTreeMap<String, BTreeMap<String, String>>,
    /// Ports: the recorded ones, else those asked for, else free ones.
    pub ports: Ports,
    /// Ports of 127.0.0.1 for addons: the recorded ones, else those asked for, else free ones.
    pub service_ports: BTreeMap<String, u16>,
    /// Ports that were asked for and are taken by something else: port → holder.
    pub taken: BTreeMap<u16, Option<String>>,
    /// Whether the API server answers and is the one in the record.
    pub api: Api,
    /// What is in the cluster, when the API server answers.
    pub inside: Option<Inside>,
}

/// One image of the app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFact {
    /// Its reference.
    pub reference: String,
    /// What the engine has under that name.
    pub engine: Option<ImageInfo>,
    /// The id it has on nodes.
    pub node_id: Option<String>,
    /// Fingerprint of the build's input; absent when it is not built here.
    pub input: Option<String>,
}

/// The API server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Api {
    /// There is none yet, or it does not answer.
    Silent,
    /// It answers and is the one in the record.
    Ours,
    /// Something else answers there.
    Foreign(String),
}

/// What is in the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inside {
    /// Whether all nodes are ready.
    pub nodes_ready: bool,
    /// Workloads of addons that are ready, as `namespace/name`.
    pub ready_workloads: BTreeSet<String>,
    /// Services, Secrets and `ConfigMap`s of addons that are there, as `Kind namespace/name`.
    pub present: BTreeSet<String>,
    /// Status of the Helm release, such as `deployed`, and its revision.
    pub release: Option<(String, u32)>,
    /// Whether the release was ever deployed.
    pub release_deployed_once: bool,
    /// Whether all workloads of the app are ready.
    pub app_ready: bool,
    /// References whose running pods use another image than the engine's.
    pub stale: Vec<String>,
}
