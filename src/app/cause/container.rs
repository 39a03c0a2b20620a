//! What keeps the containers of one pod from running and being ready.
//!
//! Owns the order of the rules, and those for configuration and probes.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{
    Container, ContainerStateTerminated, ContainerStatus, Event, Pod, Probe,
};

use crate::app::cause::pod::About;
use crate::app::cause::workload::{name, namespace};
use crate::app::cause::{Cause, CauseKind, Finding, LogOf, Scene, Symptom, one_line, pod, seen};

/// How long making a container may fail.
const UNMADE: Duration = Duration::from_secs(5);
/// How long a container that runs may go on failing its probe after all others are ready.
const TO_RECOVER: SignedDuration = SignedDuration::from_secs(10);

/// The statuses of all containers, init containers first.
pub(super) fn statuses(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let status = pod.status.as_ref();
    let init = status.and_then(|status| status.init_container_statuses.as_deref());
    let main = status.and_then(|status| status.container_statuses.as_deref());
    init.unwrap_or_default().iter().chain(main.unwrap_or_default())
}

/// Everything that is wrong with the containers of a pod.
pub(super) fn findings(about: &About<'_>, scene: &Scene<'_>) -> Vec<Finding> {
    statuses(about.pod)
        .filter(|status| !status.ready)
        .filter_map(|status| Subject::new(about, status, scene).finding())
        .collect()
}

/// Names the log of a container.
pub(super) fn log_of(pod: &Pod, container: &str, previous: bool) -> LogOf {
    LogOf {
        namespace: pod.metadata.namespace.clone().unwrap_or_default(),
        pod: name(&pod.metadata).to_owned(),
        container: container.to_owned(),
        previous,
    }
}

/// What to do about a Secret or ConfigMap that is not there.
pub(super) fn missing_hints(object: &str) -> Vec<String> {
    vec![
        format!("let the chart make the {object}, or make it in the namespace before installing"),
        "in the cloud something else may make it, such as External Secrets or Terraform".to_owned(),
    ]
}

/// One container that is not ready.
pub(super) struct Subject<'a> {
    pub(super) about: &'a About<'a>,
    pub(super) status: &'a ContainerStatus,
    pub(super) spec: Option<&'a Container>,
    pub(super) scene: &'a Scene<'a>,
}

impl<'a> Subject<'a> {
    fn new(about: &'a About<'a>, status: &'a ContainerStatus, scene: &'a Scene<'a>) -> Self {
        let spec = about.pod.spec.as_ref().and_then(|spec| {
            let init = spec.init_containers.as_deref().unwrap_or_default();
            init.iter().chain(&spec.containers).find(|container| container.name == status.name)
        });
        Self { about, status, spec, scene }
    }

    /// The first rule that applies.
    fn finding(&self) -> Option<Finding> {
        let waiting = self.status.state.as_ref().and_then(|state| state.waiting.as_ref());
        let reason = waiting.and_then(|waiting| waiting.reason.as_deref()).unwrap_or_default();
        let message = waiting.and_then(|waiting| waiting.message.as_deref()).unwrap_or_default();
        self.image(reason, message)
            .or_else(|| self.config(reason, message))
            .or_else(|| self.crash(reason))
            .or_else(|| self.probe())
    }

    pub(super) fn cause(&self, kind: CauseKind, summary: String, hints: Vec<String>) -> Cause {
        let container = Some(self.status.name.clone());
        Cause { container, ..self.about.cause(kind, summary, hints) }
    }

    fn config(&self, reason: &str, message: &str) -> Option<Finding> {
        let not_started = |ended: &&ContainerStateTerminated| {
            matches!(ended.reason.as_deref(), Some("StartError" | "ContainerCannotRun"))
        };
        let ended = self.last_end().filter(not_started);
        let message = match reason {
            "CreateContainerConfigError"
            | "CreateContainerError"
            | "RunContainerError"
            | "PreCreateHookError"
            | "PreStartHookError"
            | "PostStartHookError" => message,
            _ => ended?.message.as_deref().unwrap_or_default(),
        };
        let message = one_line(message);
        let missing = message.strip_suffix(" not found").filter(|object| {
            (object.starts_with("secret ") || object.starts_with("configmap "))
                && object.matches(' ').count() == 1
        });
        if let Some(object) = missing {
            let object = object.replace('"', "`");
            let summary = format!("{object} does not exist, and the container needs it");
            let cause = self.cause(CauseKind::Config, summary, missing_hints(&object));
            // Another part of the app may be about to make it.
            let now = self.scene.now;
            let symptom =
                Some(Symptom { tried_at: Some(now), certain: pod::is_old(self.about.pod, now) });
            return Some(Finding { cause, lasts: UNMADE, symptom });
        }
        let hint = if message.contains("couldn't find key") {
            "add the key, or fix the name of the key in the chart"
        } else if message.contains("runAsNonRoot") || message.contains("non-numeric user") {
            "set `runAsUser` to a number, or `USER` in the Dockerfile to one"
        } else if message.contains("executable file not found") || message.contains("no such file")
        {
            "fix `command:` in the chart, or the ENTRYPOINT of the image"
        } else if message.contains("permission denied") {
            "make the ENTRYPOINT executable: `chmod +x` before COPY"
        } else if message.contains("exec format error") {
            "the image is for another CPU architecture; build it on this machine"
        } else {
            "`kubectl describe pod` shows the whole message"
        };
        let why = last_parts(&message);
        let summary = format!("the container cannot be started: {why}");
        let cause = self.cause(CauseKind::Config, summary, vec![hint.to_owned()]);
        Some(Finding { cause, lasts: UNMADE, symptom: None })
    }

    /// What the last failure of a probe said.
    pub(super) fn unhealthy(&self, probe: &str) -> Option<String> {
        let about_it = |event: &Event| {
            let path = event.involved_object.field_path.as_deref().unwrap_or_default();
            let told = seen::message(event).to_lowercase();
            event.reason.as_deref() == Some("Unhealthy")
                && told.starts_with(&format!("{probe} probe "))
                && (path.is_empty() || path.ends_with(&format!("{{{}}}", self.status.name)))
        };
        let metadata = &self.about.pod.metadata;
        let object = ("Pod", namespace(metadata), name(metadata));
        let event = seen::newest(self.scene.snapshot.events, object, about_it)?;
        let told = one_line(seen::message(event));
        Some(told.split_once(": ").map_or(told.clone(), |(_, why)| why.to_owned()))
    }

    fn probe(&self) -> Option<Finding> {
        let running = self.status.state.as_ref()?.running.as_ref()?;
        let spec = self.spec?;
        let is_main = self.about.pod.spec.as_ref()?.containers.iter().any(|c| c.name == spec.name);
        let readiness = spec.readiness_probe.as_ref();
        let starting = spec.startup_probe.as_ref().filter(|_| self.status.started != Some(true));
        if !is_main || (readiness.is_none() && starting.is_none()) {
            return None;
        }
        let granted = self.scene.limits.unready_after
            + readiness.map_or(Duration::ZERO, delay)
            + starting.map_or(Duration::ZERO, allowance);
        let started = running.started_at.as_ref()?.0;
        let since = self.scene.limits.not_before.map_or(started, |at| at.max(started));
        let overdue =
            self.scene.now.duration_since(since) >= SignedDuration::try_from(granted).ok()?;
        if !overdue {
            return None;
        }
        let probe = if starting.is_some() { "startup" } else { "readiness" };
        let why = self.unhealthy(probe).unwrap_or_else(|| "it never succeeded".to_owned());
        let summary = format!("the container runs, but its {probe} probe fails: {why}");
        let cause = Cause {
            wants_logs: Some(log_of(self.about.pod, &self.status.name, false)),
            ..self.cause(CauseKind::Probe, summary, probe_hints(&why))
        };
        let tried_at: Option<Timestamp> = self.scene.now.checked_sub(TO_RECOVER).ok();
        let symptom = Some(Symptom { tried_at, certain: false });
        Some(Finding { cause, lasts: Duration::ZERO, symptom })
    }

    /// How the container ended the last time.
    pub(super) fn last_end(&self) -> Option<&'a ContainerStateTerminated> {
        let now = self.status.state.as_ref().and_then(|state| state.terminated.as_ref());
        now.or_else(|| self.status.last_state.as_ref()?.terminated.as_ref())
    }
}

fn probe_hints(why: &str) -> Vec<String> {
    let hint = if why.contains("connection refused") {
        "let the app listen on 0.0.0.0 and on the probe's port"
    } else if why.contains("statuscode: 404") {
        "the probe's path is not one that the app serves"
    } else if why.contains("deadline exceeded") || why.contains("timeout") {
        "the app answers too slowly: raise the probe's `timeoutSeconds`, which is 1 by default"
    } else {
        "give it longer with `app.unready-after` in sandbox.yaml if it is only slow"
    };
    vec![hint.to_owned()]
}

fn delay(probe: &Probe) -> Duration {
    seconds(probe.initial_delay_seconds, 0)
}

/// The time that a startup probe gives an app.
fn allowance(probe: &Probe) -> Duration {
    let failures = u32::try_from(probe.failure_threshold.unwrap_or(3)).unwrap_or(3);
    delay(probe) + seconds(probe.period_seconds, 10) * failures
}

fn seconds(given: Option<i32>, or: u64) -> Duration {
    Duration::from_secs(given.and_then(|given| u64::try_from(given).ok()).unwrap_or(or))
}

/// What follows the runtime's own chain of "failed to".
fn last_parts(message: &str) -> String {
    if message.is_empty() {
        return "no reason given".to_owned();
    }
    let known = ["exec: ", "error mounting ", "couldn't find key ", "container has runAsNonRoot"];
    let start = known.iter().filter_map(|part| message.find(part)).max().unwrap_or(0);
    message[start..].trim_end_matches(": unknown").to_owned()
}
