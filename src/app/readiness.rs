//! When a workload counts as ready: by what its controller observed, never by phase alone.
//!
//! Owns the predicates. Pure.

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;

/// All replicas are new, available, and no old one is left.
#[must_use]
pub fn deployment_is_ready(deployment: &Deployment) -> bool {
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    deployment.status.as_ref().is_some_and(|status| {
        status.observed_generation >= deployment.metadata.generation
            && status.updated_replicas.unwrap_or(0) == wanted
            && status.available_replicas.unwrap_or(0) == wanted
            && status.replicas.unwrap_or(0) == wanted
    })
}

/// All replicas are new and ready.
#[must_use]
pub fn stateful_set_is_ready(set: &StatefulSet) -> bool {
    let wanted = set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    set.status.as_ref().is_some_and(|status| {
        status.observed_generation >= set.metadata.generation
            && status.ready_replicas.unwrap_or(0) == wanted
            && status.updated_replicas.unwrap_or(0) == wanted
    })
}

/// A new pod is available on every node that should have one.
#[must_use]
pub fn daemon_set_is_ready(set: &DaemonSet) -> bool {
    set.status.as_ref().is_some_and(|status| {
        let wanted = status.desired_number_scheduled;
        status.observed_generation >= set.metadata.generation
            && status.updated_number_scheduled.unwrap_or(0) == wanted
            && status.number_available.unwrap_or(0) == wanted
    })
}

/// It has the condition `Complete`.
#[must_use]
pub fn job_is_complete(job: &Job) -> bool {
    let conditions = job.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|list| list.iter().any(|c| c.type_ == "Complete" && c.status == "True"))
}
