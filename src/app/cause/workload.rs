//! What the app consists of: which workloads there are, whether each is ready, which pods are
//! its newest.
//!
//! Owns readiness. Why a pod is not ready is found in `pod` and `container`.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::{Job, JobCondition};
use k8s_openapi::api::core::v1::{Event, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use crate::app::cause::container::log_of;
use crate::app::cause::crash::exit;
use crate::app::cause::{Cause, CauseKind, Finding, Scene, Snapshot, one_line, pod, seen};

/// How long a controller may be refused before it counts.
const REFUSED: Duration = Duration::from_secs(5);
/// How long a pod must fail that was there before anybody looked.
const EARLIER: Duration = Duration::from_secs(3);
/// How long a pod of an earlier revision may fail before it counts as being in the way.
const IN_THE_WAY: Duration = Duration::from_secs(10);

/// One part of the app that becomes ready by itself.
#[derive(Debug)]
pub(super) struct Workload<'a> {
    /// `deployment hello`.
    label: String,
    namespace: &'a str,
    /// What is waited for; absent when it is ready.
    pub(super) pending: Option<String>,
    /// When it became ready, as far as known.
    pub(super) ready_at: Option<Timestamp>,
    /// Pods to blame: of the newest revision, not being deleted.
    pods: Vec<&'a Pod>,
    /// Pods of an earlier revision that the newest has to wait for.
    in_the_way: Vec<&'a Pod>,
    /// Kind and name of what creates the pods.
    creator: Option<(&'static str, String)>,
    /// The creator's complaint in the workload's own status.
    refused: Option<String>,
    /// Why a Job has given up.
    gave_up: Option<String>,
}

/// Lists every workload of the app.
pub(super) fn all<'a>(snapshot: &Snapshot<'a>) -> Vec<Workload<'a>> {
    let pods = snapshot.pods;
    let owned_by_cron = |job: &&Job| owner(&job.metadata).is_some_and(|o| o.kind == "CronJob");
    let deployments = snapshot.deployments.iter().map(|d| deployment(d, pods));
    let stateful_sets = snapshot.stateful_sets.iter().map(|s| stateful_set(s, pods));
    let daemon_sets = snapshot.daemon_sets.iter().map(|d| daemon_set(d, pods));
    let jobs = snapshot.jobs.iter().filter(|job| !owned_by_cron(job) && !is_test(&job.metadata));
    let bare = pods
        .iter()
        .filter(|pod| owner(&pod.metadata).is_none() && !is_test(&pod.metadata) && is_alive(pod));
    deployments
        .chain(stateful_sets)
        .chain(daemon_sets)
        .chain(jobs.map(|j| job(j, pods)))
        .chain(bare.map(bare_pod))
        .collect()
}

impl<'a> Workload<'a> {
    fn new(kind: &str, metadata: &'a ObjectMeta, pods: Vec<&'a Pod>) -> Self {
        let ready_at = pods.iter().filter_map(|pod| pod::ready_since(pod)).max();
        Self {
            label: format!("{kind} {}", name(metadata)),
            namespace: namespace(metadata),
            pending: None,
            ready_at,
            pods,
            in_the_way: Vec::new(),
            creator: None,
            refused: None,
            gave_up: None,
        }
    }

    fn waits_for(mut self, what: Option<String>) -> Self {
        self.pending = what.map(|what| format!("{}: {what}", self.label));
        self
    }

    /// Everything that is wrong with a workload that is not ready.
    pub(super) fn findings(&self, scene: &Scene<'_>) -> Vec<Finding> {
        if self.pending.is_none() {
            return Vec::new();
        }
        if let Some(why) = &self.gave_up {
            return vec![self.given_up(why)];
        }
        let mut found: Vec<Finding> = self.refusal(scene).into_iter().collect();
        for pod in &self.pods {
            let born = pod.metadata.creation_timestamp.as_ref().map(|time| time.0);
            let is_earlier = scene.limits.looking_since.is_some_and(|since| born < Some(since));
            let least = if is_earlier { EARLIER } else { Duration::ZERO };
            found.extend(pod::findings(pod, &self.label, scene).into_iter().map(|finding| {
                let lasts = finding.lasts.max(least);
                Finding { lasts, ..finding }
            }));
        }
        for pod in &self.in_the_way {
            found.extend(pod::findings(pod, &self.label, scene).into_iter().map(|mut finding| {
                finding.lasts = finding.lasts.max(IN_THE_WAY);
                finding.cause.hints.insert(
                    0,
                    format!(
                        "the pod is of an earlier revision, and the new one waits for it: \
                     `kubectl delete pod -n {} {}`",
                        self.namespace,
                        name(&pod.metadata),
                    ),
                );
                finding
            }));
        }
        found
    }

    /// Pods that may not be created.
    fn refusal(&self, scene: &Scene<'_>) -> Option<Finding> {
        let (kind, creator) = self.creator.as_ref()?;
        let newest_pod =
            self.pods.iter().filter_map(|pod| pod.metadata.creation_timestamp.as_ref());
        let newest_pod = newest_pod.map(|time| time.0).max();
        // Old complaints stay on record for an hour.
        let fresh = |event: &Event| {
            let reason = event.reason.as_deref().unwrap_or_default();
            matches!(reason, "FailedCreate" | "SuccessfulCreate") && seen::at(event) > newest_pod
        };
        let object = (*kind, self.namespace, creator.as_str());
        let event = seen::newest(scene.snapshot.events, object, fresh)
            .filter(|event| event.reason.as_deref() == Some("FailedCreate"))
            .map(|event| seen::message(event).to_owned());
        let message = one_line(&self.refused.clone().or(event)?);
        let why = message.split_once("is forbidden: ").map_or(message.as_str(), |(_, why)| why);
        Some(Finding {
            cause: Cause {
                object: format!("{}/{creator} ({})", self.namespace, self.label),
                container: None,
                kind: CauseKind::Admission,
                summary: format!("pods may not be created: {why}"),
                hints: admission_hints(&message),
                wants_logs: None,
            },
            lasts: REFUSED,
            symptom: None,
        })
    }

    fn given_up(&self, why: &str) -> Finding {
        let newest = self
            .pods
            .iter()
            .max_by_key(|pod| pod.metadata.creation_timestamp.as_ref().map(|time| time.0));
        let ended = newest.and_then(|pod| pod::failed_container(pod).map(|status| (*pod, status)));
        let mut cause = Cause {
            object: format!("{} in {}", self.label, self.namespace),
            container: None,
            kind: CauseKind::Job,
            summary: format!("the job has failed: {why}"),
            hints: vec!["read its log; after a fix, install again".to_owned()],
            wants_logs: None,
        };
        if let Some((pod, (status, terminated))) = ended {
            cause.object = pod::shown(pod, &self.label);
            cause.container = Some(status.name.clone());
            cause.summary = format!(
                "the job has failed: container `{}` {} ({why})",
                status.name,
                exit(terminated)
            );
            cause.wants_logs = Some(log_of(pod, &status.name, false));
        }
        Finding { cause, lasts: Duration::ZERO, symptom: None }
    }
}

fn admission_hints(message: &str) -> Vec<String> {
    let hint = if message.contains("exceeded quota") {
        "raise the ResourceQuota or lower what the pods ask for in the local values"
    } else if message.contains("webhook") {
        "look at the webhook's own pods: `kubectl get validatingwebhookconfigurations,\
         mutatingwebhookconfigurations`"
    } else if message.contains("PodSecurity") {
        "change the container's securityContext, or the namespace's \
         `pod-security.kubernetes.io/enforce` label"
    } else if message.contains("serviceaccount") || message.contains("service account") {
        "let the chart create the ServiceAccount, or name one that exists"
    } else {
        "`kubectl get events --field-selector reason=FailedCreate -A` shows every refusal"
    };
    vec![hint.to_owned()]
}

fn deployment<'a>(object: &'a Deployment, pods: &'a [Pod]) -> Workload<'a> {
    let metadata = &object.metadata;
    let spec = object.spec.as_ref();
    let status = object.status.clone().unwrap_or_default();
    let observed = is_observed(metadata, status.observed_generation);
    let conditions = status.conditions.as_deref().unwrap_or_default();
    let progressing = conditions.iter().find(|condition| condition.type_ == "Progressing");
    let told = progressing.and_then(|condition| condition.message.as_deref());
    let prefix = format!("{}-", name(metadata));
    let mine: Vec<(&Pod, &str)> = pods
        .iter()
        .filter(|pod| namespace(&pod.metadata) == namespace(metadata) && is_alive(pod))
        .filter(|pod| !pod::is_failed(pod))
        .filter_map(|pod| {
            let owner = owner(&pod.metadata).filter(|owner| owner.kind == "ReplicaSet")?;
            let hash = label(&pod.metadata, "pod-template-hash")?;
            (owner.name.strip_prefix(&prefix) == Some(hash)).then_some((pod, hash))
        })
        .collect();
    let newest = quoted(told)
        .and_then(|set| set.strip_prefix(&prefix))
        .or_else(|| newest_revision(&mine))
        .filter(|_| observed);
    let updated = status.updated_replicas.unwrap_or(0);
    // With the strategy `Recreate` there is a moment without any pod of the newest template, in
    // which the condition still names the one before.
    let blamed = mine.iter().filter(|(_, hash)| updated > 0 && Some(*hash) == newest);
    let blamed = blamed.map(|(pod, _)| *pod);
    let mut workload = Workload::new("deployment", metadata, blamed.collect());
    workload.creator = newest.map(|hash| ("ReplicaSet", format!("{prefix}{hash}")));
    workload.refused = conditions
        .iter()
        .find(|c| c.type_ == "ReplicaFailure" && c.status == "True")
        .and_then(|condition| condition.message.clone())
        .filter(|_| observed);

    let wanted = spec.and_then(|spec| spec.replicas).unwrap_or(1);
    let available = status.available_replicas.unwrap_or(0);
    let old = status.replicas.unwrap_or(0) - updated;
    let paused = spec.and_then(|spec| spec.paused).unwrap_or(false);
    let what = if !observed {
        Some(NOT_SEEN.to_owned())
    } else if paused && available >= wanted {
        None
    } else if updated < wanted {
        Some(format!("{updated} of {wanted} pods made from the newest template"))
    } else if old > 0 {
        Some(format!("{old} earlier pod{} still there", if old == 1 { "" } else { "s" }))
    } else {
        not_all(available, wanted)
    };
    workload.waits_for(what)
}

const NOT_SEEN: &str = "not seen by its controller yet";

fn stateful_set<'a>(object: &'a StatefulSet, pods: &'a [Pod]) -> Workload<'a> {
    let metadata = &object.metadata;
    let status = object.status.clone().unwrap_or_default();
    let spec = object.spec.as_ref();
    let observed = is_observed(metadata, status.observed_generation);
    let of_newest = |pod: &&Pod| match (
        label(&pod.metadata, "controller-revision-hash"),
        status.update_revision.as_deref(),
    ) {
        (Some(hash), Some(newest)) => hash == newest,
        _ => true,
    };
    let (newest, old): (Vec<&Pod>, Vec<&Pod>) =
        owned(pods, "StatefulSet", metadata).partition(of_newest);
    let mut workload = Workload::new("statefulset", metadata, newest);
    workload.creator = Some(("StatefulSet", name(metadata).to_owned()));

    let strategy = spec.and_then(|spec| spec.update_strategy.as_ref());
    let on_delete = strategy.is_some_and(|s| s.type_.as_deref() == Some("OnDelete"));
    let rolling = strategy.and_then(|strategy| strategy.rolling_update.as_ref());
    let partition = rolling.and_then(|rolling| rolling.partition).unwrap_or(0);
    let wanted = spec.and_then(|spec| spec.replicas).unwrap_or(1);
    let renewed = if on_delete { 0 } else { (wanted - partition).max(0) };
    let updated = status.updated_replicas.unwrap_or(0);
    let available = status.available_replicas.unwrap_or(0);
    if observed && !on_delete {
        workload.in_the_way = old;
    }
    let what = if !observed {
        Some(NOT_SEEN.to_owned())
    } else if available < wanted {
        not_all(available, wanted)
    } else {
        (updated < renewed)
            .then(|| format!("{updated} of {renewed} pods made from the newest template"))
    };
    workload.waits_for(what)
}

fn daemon_set<'a>(object: &'a DaemonSet, pods: &'a [Pod]) -> Workload<'a> {
    let metadata = &object.metadata;
    let status = object.status.clone().unwrap_or_default();
    let observed = is_observed(metadata, status.observed_generation);
    let generation = |pod: &Pod| -> Option<u64> {
        label(&pod.metadata, "pod-template-generation")?.parse().ok()
    };
    let mine: Vec<&Pod> =
        owned(pods, "DaemonSet", metadata).filter(|pod| !pod::is_failed(pod)).collect();
    let newest = mine.iter().map(|pod| generation(pod)).max().flatten();
    let blamed = mine.into_iter().filter(|pod| generation(pod) == newest).collect();
    let mut workload = Workload::new("daemonset", metadata, blamed);
    workload.creator = Some(("DaemonSet", name(metadata).to_owned()));

    let strategy = object.spec.as_ref().and_then(|spec| spec.update_strategy.as_ref());
    let on_delete = strategy.is_some_and(|s| s.type_.as_deref() == Some("OnDelete"));
    let wanted = status.desired_number_scheduled;
    let updated = status.updated_number_scheduled.unwrap_or(0);
    let what = if !observed {
        Some(NOT_SEEN.to_owned())
    } else if updated < wanted && !on_delete {
        Some(format!("{updated} of {wanted} pods made from the newest template"))
    } else {
        not_all(status.number_available.unwrap_or(0), wanted)
    };
    workload.waits_for(what)
}

fn job<'a>(object: &'a Job, pods: &'a [Pod]) -> Workload<'a> {
    let metadata = &object.metadata;
    let status = object.status.clone().unwrap_or_default();
    let conditions = status.conditions.unwrap_or_default();
    let holds = |type_: &str| {
        conditions.iter().find(|condition| condition.type_ == type_ && condition.status == "True")
    };
    let why = |condition: &JobCondition| {
        condition.reason.clone().or_else(|| condition.message.clone()).unwrap_or_default()
    };
    let mut workload = Workload::new("job", metadata, owned(pods, "Job", metadata).collect());
    workload.creator = Some(("Job", name(metadata).to_owned()));
    let suspended = object.spec.as_ref().and_then(|spec| spec.suspend).unwrap_or(false);
    if suspended || holds("Complete").is_some() {
        workload.ready_at = status.completion_time.map(|time| time.0);
        return workload;
    }
    workload.gave_up = holds("Failed").or_else(|| holds("FailureTarget")).map(why);
    workload.waits_for(Some("not finished".to_owned()))
}

fn bare_pod(object: &Pod) -> Workload<'_> {
    let ready = pod::ready_since(object).is_some() || pod::is_succeeded(object);
    let workload = Workload::new("pod", &object.metadata, vec![object]);
    workload.waits_for((!ready).then(|| "not ready".to_owned()))
}

fn not_all(ready: i32, wanted: i32) -> Option<String> {
    (ready < wanted).then(|| format!("{ready} of {wanted} pods ready"))
}

fn is_observed(metadata: &ObjectMeta, observed: Option<i64>) -> bool {
    observed.unwrap_or(0) >= metadata.generation.unwrap_or(1)
}

fn is_alive(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_none()
}

/// Tests of a Helm chart run on request and are no part of the app.
fn is_test(metadata: &ObjectMeta) -> bool {
    let annotations = metadata.annotations.as_ref();
    annotations
        .and_then(|annotations| annotations.get("helm.sh/hook"))
        .is_some_and(|hooks| hooks.split(',').any(|hook| hook.trim().starts_with("test")))
}

fn owned<'a>(
    pods: &'a [Pod],
    kind: &'a str,
    metadata: &'a ObjectMeta,
) -> impl Iterator<Item = &'a Pod> {
    pods.iter().filter(move |pod| {
        namespace(&pod.metadata) == namespace(metadata)
            && is_alive(pod)
            && owner(&pod.metadata)
                .is_some_and(|owner| owner.kind == kind && owner.name == name(metadata))
    })
}

fn owner(metadata: &ObjectMeta) -> Option<&OwnerReference> {
    let owners = metadata.owner_references.as_deref().unwrap_or_default();
    owners.iter().find(|owner| owner.controller == Some(true))
}

/// The revision whose first pod is the youngest: pods of an old one may be made anew, but none
/// of the newest is older than all of those.
fn newest_revision<'a>(pods: &[(&Pod, &'a str)]) -> Option<&'a str> {
    let born = |pod: &Pod| pod.metadata.creation_timestamp.as_ref().map(|time| time.0);
    let first = |hash: &str| {
        pods.iter().filter(|(_, other)| *other == hash).map(|(pod, _)| born(pod)).min()
    };
    pods.iter().map(|(_, hash)| *hash).max_by_key(|hash| first(hash))
}

/// What stands between the first pair of double quotes.
fn quoted(text: Option<&str>) -> Option<&str> {
    text?.split('"').nth(1)
}

pub(super) fn name(metadata: &ObjectMeta) -> &str {
    metadata.name.as_deref().unwrap_or_default()
}

pub(super) fn namespace(metadata: &ObjectMeta) -> &str {
    metadata.namespace.as_deref().unwrap_or_default()
}

fn label<'a>(metadata: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    metadata.labels.as_ref()?.get(key).map(String::as_str)
}
