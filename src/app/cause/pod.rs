//! What keeps one pod from becoming ready, apart from its containers.
//!
//! Owns scheduling and mounts, and asks `volume` about claims and `container` about the rest.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod, PodCondition};

use crate::app::cause::workload::{name, namespace};
use crate::app::cause::{
    Cause, CauseKind, Finding, Scene, Symptom, container, one_line, seen, volume,
};

/// How long a pod may find no node.
const UNSCHEDULABLE: Duration = Duration::from_secs(3);
/// How long a volume claim may take to be bound when nothing is known of it.
const UNBOUND: Duration = Duration::from_secs(10);
/// How long making a volume may take once somebody does.
const BEING_MADE: Duration = Duration::from_secs(60);
/// How long a mount may fail.
const UNMOUNTED: Duration = Duration::from_secs(5);

/// Age of a pod from which on nobody else is about to make a Secret or ConfigMap that it lacks.
const NOBODY_ELSE: SignedDuration = SignedDuration::from_secs(30);

/// `pod ns/name (deployment x)`; a bare pod has nothing in brackets.
pub(super) fn shown(pod: &Pod, owner: &str) -> String {
    let name = name(&pod.metadata);
    let of = if owner == format!("pod {name}") { String::new() } else { format!(" ({owner})") };
    format!("pod {}/{name}{of}", namespace(&pod.metadata))
}

/// Since when a pod is ready; absent when it is not.
pub(super) fn ready_since(pod: &Pod) -> Option<Timestamp> {
    let ready = condition(pod, "Ready").filter(|condition| condition.status == "True")?;
    let since = ready.last_transition_time.as_ref().map(|time| time.0);
    Some(since.unwrap_or(Timestamp::UNIX_EPOCH))
}

/// Whether all containers have ended and at least one of them badly, or the node threw the pod
/// out.
pub(super) fn is_failed(pod: &Pod) -> bool {
    phase(pod) == "Failed"
}

/// Whether all containers have ended well.
pub(super) fn is_succeeded(pod: &Pod) -> bool {
    phase(pod) == "Succeeded"
}

/// The container that ended badly.
pub(super) fn failed_container(pod: &Pod) -> Option<(&ContainerStatus, &ContainerStateTerminated)> {
    container::statuses(pod).find_map(|status| {
        let now = status.state.as_ref().and_then(|state| state.terminated.as_ref());
        let last = status.last_state.as_ref().and_then(|state| state.terminated.as_ref());
        now.into_iter().chain(last).find(|t| t.exit_code != 0).map(|t| (status, t))
    })
}

/// Everything that is wrong with a pod.
pub(super) fn findings(pod: &Pod, owner: &str, scene: &Scene<'_>) -> Vec<Finding> {
    if ready_since(pod).is_some() || is_succeeded(pod) {
        return Vec::new();
    }
    let about = About { pod, owner };
    let mut found = unscheduled(&about, scene);
    found.extend(unmounted(&about, scene));
    found.extend(container::findings(&about, scene));
    found
}

/// A pod and what it belongs to, for messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct About<'a> {
    pub(super) pod: &'a Pod,
    pub(super) owner: &'a str,
}

impl About<'_> {
    /// A cause that lies in the pod as a whole.
    pub(super) fn cause(&self, kind: CauseKind, summary: String, hints: Vec<String>) -> Cause {
        let object = shown(self.pod, self.owner);
        Cause { object, container: None, kind, summary, hints, wants_logs: None }
    }
}

/// What keeps a pod from being given a node: its claims, else what the scheduler says.
fn unscheduled(about: &About<'_>, scene: &Scene<'_>) -> Vec<Finding> {
    if about.pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some()) {
        return Vec::new();
    }
    let unbound = match volume::verdict(about, scene) {
        volume::Verdict::Wrong(finding) => return vec![*finding],
        volume::Verdict::InProgress => BEING_MADE,
        volume::Verdict::Fine => UNBOUND,
    };
    unschedulable(about, scene, unbound).into_iter().collect()
}

fn unschedulable(about: &About<'_>, scene: &Scene<'_>, unbound: Duration) -> Option<Finding> {
    let scheduled = condition(about.pod, "PodScheduled")?;
    if scheduled.status != "False" || scheduled.reason.as_deref() != Some("Unschedulable") {
        return None;
    }
    let message = one_line(scheduled.message.as_deref().unwrap_or("no reason given"));
    let why = message
        .split(" preemption:")
        .next()
        .unwrap_or_default()
        .trim_end_matches("no new claims to deallocate,")
        .trim_end_matches(['.', ' ']);
    let nodes_are_joining = !scene.snapshot.nodes_ready
        || why.contains("node.kubernetes.io/not-ready")
        || why.contains("node.cloudprovider.kubernetes.io/uninitialized");
    if nodes_are_joining {
        return None;
    }
    let lasts = if why.contains("unbound") { unbound } else { UNSCHEDULABLE };
    let summary = format!("no node takes the pod: {why}");
    let hints = scheduling_hints(why);
    let cause = about.cause(CauseKind::Unschedulable, summary, hints);
    Some(Finding { cause, lasts, symptom: None })
}

fn scheduling_hints(why: &str) -> Vec<String> {
    let known = [
        (
            "Insufficient",
            "lower `resources.requests` in the local values, or give Docker more CPU and memory",
        ),
        (
            "taint",
            "add a toleration in the local values, or take the taint off the node: \
             `kubectl describe nodes` shows it",
        ),
        (
            "node affinity/selector",
            "drop the nodeSelector or node affinity in the local values: the sandbox's nodes do \
             not carry those labels",
        ),
        (
            "topology spread",
            "the sandbox has fewer zones or nodes than `topologySpreadConstraints` ask for; use \
             `whenUnsatisfiable: ScheduleAnyway` in the local values",
        ),
        (
            "anti-affinity",
            "the sandbox has fewer nodes than the pod anti-affinity asks for; prefer it instead \
             of requiring it in the local values, or lower `replicas`",
        ),
        (
            "unbound immediate PersistentVolumeClaims",
            "`kubectl get pvc,storageclass -A` shows which claim has no volume; its storage class \
             must exist",
        ),
        ("persistentvolumeclaim", "the claim must be made by the chart, in the same namespace"),
        ("free ports", "two pods ask for the same `hostPort`; drop it in the local values"),
        ("Too many pods", "the node is full; remove another app or lower `replicas`"),
    ];
    let fitting: Vec<String> = known
        .iter()
        .filter(|(part, _)| why.contains(part))
        .map(|(_, hint)| (*hint).into())
        .collect();
    if fitting.is_empty() {
        vec!["`kubectl describe nodes` shows what they offer".into()]
    } else {
        fitting
    }
}

fn unmounted(about: &About<'_>, scene: &Scene<'_>) -> Option<Finding> {
    let pod = about.pod;
    // The sandbox of a pod is made after its volumes are mounted.
    let past_it = condition(pod, "PodReadyToStartContainers").is_some_and(|c| c.status == "True")
        || container::statuses(pod).any(|status| status.container_id.is_some());
    if past_it {
        return None;
    }
    let reasons = ["FailedMount", "FailedAttachVolume", "Pulling", "Pulled", "Created"];
    let event = seen::of_pod(scene.snapshot.events, pod, &reasons)?;
    let reason = event.reason.as_deref().unwrap_or_default();
    let message = one_line(seen::message(event));
    // Both are written by the control plane a moment after the namespace or the pod.
    let passing = message.contains("kube-root-ca.crt") || message.contains("failed to sync");
    if !matches!(reason, "FailedMount" | "FailedAttachVolume") || passing {
        return None;
    }
    let why = message.rsplit_once(" : ").map_or(message.as_str(), |(_, why)| why).to_owned();
    let missing = (why.starts_with("configmap ") || why.starts_with("secret "))
        .then(|| why.trim_end_matches(" not found").replace('"', "`"));
    let cause = match missing {
        Some(object) if why.ends_with("not found") => about.cause(
            CauseKind::Config,
            format!("{object} does not exist, and the pod mounts it"),
            container::missing_hints(&object),
        ),
        _ => about.cause(
            CauseKind::Volume,
            format!("a volume cannot be mounted: {why}"),
            vec!["`kubectl get pvc,pv -A` shows the claims and their volumes".to_owned()],
        ),
    };
    // Another part of the app may be about to make what is missing.
    let tried_at = seen::at(event);
    let symptom = Some(Symptom { tried_at, certain: is_old(pod, scene.now) });
    Some(Finding { cause, lasts: UNMOUNTED, symptom })
}

/// Whether a pod has waited for so long that nobody is about to make what it lacks.
pub(super) fn is_old(pod: &Pod, now: Timestamp) -> bool {
    let born = pod.metadata.creation_timestamp.as_ref();
    born.is_some_and(|born| now.duration_since(born.0) >= NOBODY_ELSE)
}

/// A condition of a pod.
pub(super) fn condition<'a>(pod: &'a Pod, type_: &str) -> Option<&'a PodCondition> {
    let conditions = pod.status.as_ref()?.conditions.as_deref()?;
    conditions.iter().find(|condition| condition.type_ == type_)
}

fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}
