//! The app's own objects among all that a namespace holds.
//!
//! Owns collecting them, once read or again and again by watches. Decides nothing.

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, PersistentVolumeClaim, Pod};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::ListParams;
use kube::{Api, Resource};

use super::Workload;
use super::cause::Snapshot;
use crate::error::{Context, Kind, Result};
use crate::tools::kube::Cluster;

/// Objects that decide whether the app is ready, and why not.
#[derive(Debug, Default)]
pub struct Parts {
    /// Deployments.
    pub deployments: Vec<Deployment>,
    /// `StatefulSet`s.
    pub stateful_sets: Vec<StatefulSet>,
    /// `DaemonSet`s.
    pub daemon_sets: Vec<DaemonSet>,
    /// Jobs.
    pub jobs: Vec<Job>,
    /// Pods, whoever owns them.
    pub pods: Vec<Pod>,
    /// Events.
    pub events: Vec<Event>,
    /// Claims for volumes.
    pub claims: Vec<PersistentVolumeClaim>,
    /// Storage classes, which belong to no namespace.
    pub classes: Vec<StorageClass>,
}

impl Parts {
    /// Reads one namespace once, without what only tells why it is not ready.
    ///
    /// # Errors
    /// [`Kind::Cluster`] when the API server does not answer.
    pub async fn read(cluster: &Cluster, namespace: &str) -> Result<Self> {
        let (deployments, stateful_sets, daemon_sets, jobs, pods) = tokio::try_join!(
            list(cluster.namespaced(namespace)),
            list(cluster.namespaced(namespace)),
            list(cluster.namespaced(namespace)),
            list(cluster.namespaced(namespace)),
            list(cluster.namespaced(namespace)),
        )?;
        Ok(Self { deployments, stateful_sets, daemon_sets, jobs, pods, ..Self::default() })
    }

    /// Adds the parts of another namespace.
    pub fn add(&mut self, other: Self) {
        self.deployments.extend(other.deployments);
        self.stateful_sets.extend(other.stateful_sets);
        self.daemon_sets.extend(other.daemon_sets);
        self.jobs.extend(other.jobs);
        self.pods.extend(other.pods);
        self.events.extend(other.events);
        self.claims.extend(other.claims);
        self.classes.extend(other.classes);
    }

    /// Drops the workloads that are not the app's; pods stay, as who owns one is told by labels.
    pub fn keep(&mut self, workloads: &[Workload]) {
        self.deployments.retain(|object| is_one_of(workloads, "Deployment", object));
        self.stateful_sets.retain(|object| is_one_of(workloads, "StatefulSet", object));
        self.daemon_sets.retain(|object| is_one_of(workloads, "DaemonSet", object));
        self.jobs.retain(|object| is_one_of(workloads, "Job", object));
    }

    /// How many workloads there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.deployments.len() + self.stateful_sets.len() + self.daemon_sets.len() + self.jobs.len()
    }

    /// The same for judging.
    #[must_use]
    pub fn snapshot(&self, nodes_ready: bool) -> Snapshot<'_> {
        Snapshot {
            deployments: &self.deployments,
            stateful_sets: &self.stateful_sets,
            daemon_sets: &self.daemon_sets,
            jobs: &self.jobs,
            pods: &self.pods,
            events: &self.events,
            claims: &self.claims,
            classes: &self.classes,
            nodes_ready,
        }
    }
}

fn is_one_of<K: Resource>(workloads: &[Workload], kind: &str, object: &K) -> bool {
    let meta = object.meta();
    workloads.iter().any(|workload| {
        workload.kind == kind
            && meta.namespace.as_ref() == Some(&workload.namespace)
            && meta.name.as_ref() == Some(&workload.name)
    })
}

async fn list<K>(api: Api<K>) -> Result<Vec<K>>
where
    K: Clone + serde::de::DeserializeOwned + std::fmt::Debug,
{
    let list = api.list(&ListParams::default()).await;
    list.map(|list| list.items).context(Kind::Cluster, || "cannot read the app's objects".into())
}
