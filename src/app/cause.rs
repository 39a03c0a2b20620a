//! Why an app does not become ready, said in seconds instead of at the time-out.
//!
//! Owns the judgement over a snapshot of the app's objects: ready, waiting, failing, failed. It
//! is pure. Must not ask the cluster for anything and must not wait.

mod container;
mod crash;
mod image;
mod pod;
mod seen;
mod volume;
mod workload;

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, PersistentVolumeClaim, Pod};
use k8s_openapi::api::storage::v1::StorageClass;

/// What the cluster says about the app at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Snapshot<'a> {
    /// The app's `Deployments`.
    pub deployments: &'a [Deployment],
    /// The app's `StatefulSets`.
    pub stateful_sets: &'a [StatefulSet],
    /// The app's `DaemonSets`.
    pub daemon_sets: &'a [DaemonSet],
    /// The app's Jobs; those of a `CronJob` are ignored.
    pub jobs: &'a [Job],
    /// The pods of the app's namespaces.
    pub pods: &'a [Pod],
    /// The events of the app's namespaces.
    pub events: &'a [Event],
    /// The claims for volumes of the app's namespaces.
    pub claims: &'a [PersistentVolumeClaim],
    /// The cluster's storage classes.
    pub classes: &'a [StorageClass],
    /// Whether every node has joined and is ready.
    pub nodes_ready: bool,
}

/// How patient to be.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long a running container may be unready, beyond the delays its probes ask for.
    pub unready_after: Duration,
    /// Counted from here at the earliest: what the container needs was not there before.
    pub not_before: Option<Timestamp>,
    /// When looking began. What ails an older pod must last for a moment: a Deployment that goes
    /// back to an earlier template still names the pods of the one before.
    pub looking_since: Option<Timestamp>,
}

/// How the app is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Everything is as the chart wants it.
    Ready,
    /// Nothing is wrong yet; says what is waited for.
    Waiting(String),
    /// Something is wrong that may still pass. It counts once it was there for this long without
    /// a break; the caller keeps the time, and asks again when it is up even if the cluster sends
    /// no news.
    Failing(Cause, Duration),
    /// Something is wrong that time does not cure.
    Failed(Cause),
}

/// Why the app does not become ready.
///
/// Object, container and kind say what it is about; the words may change from try to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// What is to blame: `pod ns/name (deployment x)`.
    pub object: String,
    /// The container, where one is to blame.
    pub container: Option<String>,
    /// What sort of thing it is.
    pub kind: CauseKind,
    /// One sentence without a final period.
    pub summary: String,
    /// What to change, the most useful first.
    pub hints: Vec<String>,
    /// The log that tells more.
    pub wants_logs: Option<LogOf>,
}

/// One container's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogOf {
    /// Namespace of the pod.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The container.
    pub container: String,
    /// Whether the log before the last restart is wanted.
    pub previous: bool,
}

/// Sorts of causes. The order is that of blame: what comes first explains what comes later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CauseKind {
    /// A controller is not allowed to create its pods: quota, webhook, policy.
    Admission,
    /// The container cannot be made: a missing Secret or ConfigMap, a command that is not there.
    Config,
    /// A volume cannot be made, attached or mounted.
    Volume,
    /// The image cannot be had.
    Image,
    /// No node takes the pod.
    Unschedulable,
    /// A Job has given up.
    Job,
    /// The container ends again and again.
    Crash,
    /// The container runs, but its probe fails.
    Probe,
}

/// Judges a snapshot.
///
/// Trouble that another workload may still cure (a crash while the database is starting) counts
/// only when every other workload is ready, or in trouble itself, and the container was tried
/// since.
#[must_use]
pub fn judge(snapshot: &Snapshot<'_>, limits: &Limits, now: Timestamp) -> State {
    let workloads = workload::all(snapshot);
    let pending: Vec<&str> = workloads.iter().filter_map(|w| w.pending.as_deref()).collect();
    if pending.is_empty() {
        return State::Ready;
    }
    let scene = Scene { snapshot, limits, now };
    let findings: Vec<Vec<Finding>> = workloads.iter().map(|w| w.findings(&scene)).collect();
    let counts = |index: usize, finding: &Finding| {
        let Some(symptom) = &finding.symptom else {
            return true;
        };
        let mut others = (0..workloads.len()).filter(|other| *other != index);
        symptom.certain
            || others.all(|other| match &workloads[other].pending {
                Some(_) => !findings[other].is_empty(),
                None => symptom.tried_at >= workloads[other].ready_at,
            })
    };
    let worst = findings
        .iter()
        .enumerate()
        .flat_map(|(index, all)| all.iter().map(move |finding| (index, finding)))
        .filter(|(index, finding)| counts(*index, finding))
        .map(|(_, finding)| finding)
        .min_by_key(|finding| (finding.cause.kind, finding.lasts, &finding.cause.object));
    match worst {
        None => State::Waiting(told(&pending)),
        Some(finding) if finding.lasts.is_zero() => State::Failed(finding.cause.clone()),
        Some(finding) => State::Failing(finding.cause.clone(), finding.lasts),
    }
}

fn told(pending: &[&str]) -> String {
    match pending {
        [first, second, _, ..] => format!("{first}; {second}; and {} more", pending.len() - 2),
        few => few.join("; "),
    }
}

/// What every rule may look at.
#[derive(Debug, Clone, Copy)]
struct Scene<'a> {
    snapshot: &'a Snapshot<'a>,
    limits: &'a Limits,
    now: Timestamp,
}

/// Something that one rule has found.
#[derive(Debug)]
struct Finding {
    cause: Cause,
    /// How long it must last before it counts.
    lasts: Duration,
    /// Set when it may be the consequence of another workload's trouble.
    symptom: Option<Symptom>,
}

/// When trouble may no longer be explained by others.
#[derive(Debug)]
struct Symptom {
    /// Since when the container has been trying; others that became ready later may cure it.
    tried_at: Option<Timestamp>,
    /// It has gone on for so long that it counts anyway.
    certain: bool,
}

/// Makes foreign text one harmless line.
fn one_line(text: &str) -> String {
    const LONGEST: usize = 400;
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = clean.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests;
