//! Containers that end again and again.
//!
//! Owns when a crash counts and how it is told.

use std::time::Duration;

use k8s_openapi::api::core::v1::ContainerStateTerminated;

use crate::app::cause::container::{Subject, log_of};
use crate::app::cause::{Cause, CauseKind, Finding, Symptom, one_line, pod, seen};

/// Restarts after which a crash is nobody else's fault.
const CERTAIN: i32 = 5;

/// How a container ended, as the second half of a sentence.
pub(super) fn exit(ended: &ContainerStateTerminated) -> String {
    let code = ended.exit_code;
    let signal = match ended.signal.unwrap_or(code - 128) {
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        15 => "SIGTERM",
        _ => "",
    };
    if ended.reason.as_deref() == Some("OOMKilled") {
        "was killed because it used more memory than its limit (OOMKilled)".to_owned()
    } else if signal.is_empty() {
        format!("ended with exit code {code}")
    } else {
        format!("was ended by {signal} (exit code {code})")
    }
}

impl Subject<'_> {
    /// The container crashes, or is killed by its own probe.
    pub(super) fn crash(&self, reason: &str) -> Option<Finding> {
        let status = self.status;
        let state = status.state.as_ref();
        let ended_now = state.and_then(|state| state.terminated.as_ref());
        let certain = status.restart_count >= CERTAIN;
        let runs = state.is_some_and(|state| state.running.is_some());
        let ends = status.restart_count + i32::from(!runs);
        let ended = self.last_end();
        let badly = ended.is_some_and(|ended| ended.exit_code != 0);
        // One that runs at this moment is given its chance.
        let crashing =
            reason == "CrashLoopBackOff" || certain || (ended_now.is_some() && ends >= 2 && badly);
        let last_chance = ended_now.is_some() && badly && self.is_never_restarted();
        if !crashing && !last_chance {
            return None;
        }
        let tried_at = ended.and_then(|ended| ended.started_at.as_ref()).map(|time| time.0);
        let symptom = Some(Symptom { tried_at, certain });
        let wants_logs = Some(log_of(self.about.pod, &status.name, ended_now.is_none()));
        let killed = ended.and_then(|ended| self.killed_by_probe(ended));
        let cause = match (killed, ended) {
            (Some(probe), _) => self.cause(
                CauseKind::Probe,
                format!("the container is restarted because its {probe}"),
                vec![
                    "fix what the probe asks, or give it more time with `initialDelaySeconds`, \
                     `timeoutSeconds` or a startupProbe"
                        .to_owned(),
                ],
            ),
            (None, Some(ended)) => {
                let told = ended.message.as_deref().map(one_line).filter(|told| !told.is_empty());
                let told = told.map_or_else(String::new, |told| format!(": {told}"));
                let times = match ends {
                    0 | 1 => String::new(),
                    ends => format!(", {ends} times so far"),
                };
                let summary = format!("the container {}{times}{told}", exit(ended));
                self.cause(CauseKind::Crash, summary, self.crash_hints(ended))
            }
            (None, None) => self.cause(
                CauseKind::Crash,
                "the container ends again and again".to_owned(),
                Vec::new(),
            ),
        };
        let cause = Cause { wants_logs, ..cause };
        Some(Finding { cause, lasts: Duration::ZERO, symptom })
    }

    fn crash_hints(&self, ended: &ContainerStateTerminated) -> Vec<String> {
        let limits = self.spec.and_then(|spec| spec.resources.as_ref()?.limits.as_ref());
        let memory = limits.and_then(|limits| limits.get("memory")).map(|memory| &memory.0);
        let hint = match (ended.exit_code, ended.reason.as_deref(), memory) {
            (_, Some("OOMKilled"), Some(limit)) => {
                format!("raise `resources.limits.memory`, which is {limit}")
            }
            (_, Some("OOMKilled"), None) => {
                "the machine ran out of memory: give Docker more of it".to_owned()
            }
            (0, ..) => "a container that is to stay must not end: run the server in the \
                        foreground, or use a Job"
                .to_owned(),
            (126 | 127, ..) => {
                "the command in the chart or image is not there or not executable".to_owned()
            }
            _ => return Vec::new(),
        };
        vec![hint]
    }

    /// Why the kubelet ended the container, when a failing probe was the reason.
    fn killed_by_probe(&self, ended: &ContainerStateTerminated) -> Option<String> {
        let killing = seen::of_pod(self.scene.snapshot.events, self.about.pod, &["Killing"])?;
        let told = seen::message(killing);
        let started = ended.started_at.as_ref().map(|time| time.0);
        let of_this_run = seen::at(killing) >= started;
        let named = told.contains(&format!("Container {} failed ", self.status.name));
        let probe = ["liveness", "startup"].into_iter().find(|probe| told.contains(*probe))?;
        let why = self.unhealthy(probe).map_or_else(String::new, |why| format!(": {why}"));
        (of_this_run && named).then(|| format!("{probe} probe fails{why}"))
    }

    fn is_never_restarted(&self) -> bool {
        let spec = self.about.pod.spec.as_ref();
        let bare = self.about.owner.starts_with("pod ");
        bare && spec.and_then(|spec| spec.restart_policy.as_deref()) == Some("Never")
            && pod::is_failed(self.about.pod)
    }
}
