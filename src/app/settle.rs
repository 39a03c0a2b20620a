//! Whether what is ready has been so for long enough to be believed.
//!
//! Owns one rule: a container without a readiness probe counts as ready the instant it starts, so
//! one that crashes at once looks ready for that instant. It has to run for a moment. Pure.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};

/// How long a container without a readiness probe must run.
const ENOUGH: SignedDuration = SignedDuration::from_secs(2);

/// What has to last a little longer; absent when all has settled.
#[must_use]
pub fn unsettled(pods: &[Pod], now: Timestamp) -> Option<String> {
    pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).find_map(|pod| {
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
        let unprobed = |status: &&ContainerStatus| {
            let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
            containers.into_iter().any(|c| c.name == status.name && c.readiness_probe.is_none())
        };
        let status = statuses.iter().filter(unprobed).find(|status| is_young(status, now))?;
        Some(format!("pod {name}: container {} to run for {ENOUGH:#}", status.name))
    })
}

fn is_young(status: &ContainerStatus, now: Timestamp) -> bool {
    let Some(state) = &status.state else { return true };
    match (&state.running, &state.terminated) {
        (Some(running), _) => {
            // Kubernetes tells whole seconds.
            running.started_at.as_ref().is_none_or(|at| now.duration_since(at.0) < ENOUGH)
        }
        // A Job's pod that did its work.
        (None, Some(terminated)) => terminated.exit_code != 0,
        (None, None) => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(state: &serde_json::Value, probe: bool) -> Pod {
        let probe = if probe { json!({"httpGet": {"port": 80}}) } else { json!(null) };
        serde_json::from_value(json!({
            "metadata": {"name": "web-1"},
            "spec": {"containers": [{"name": "web", "readinessProbe": probe}]},
            "status": {"containerStatuses": [{
                "name": "web", "ready": true, "restartCount": 0, "image": "x", "imageID": "",
                "state": state,
            }]},
        }))
        .unwrap()
    }

    fn look(state: &serde_json::Value, probe: bool) -> Option<String> {
        unsettled(&[pod(state, probe)], "2026-03-01T12:00:03Z".parse().unwrap())
    }

    #[test]
    fn a_container_that_just_started_has_to_run_for_a_moment() {
        let young = json!({"running": {"startedAt": "2026-03-01T12:00:02Z"}});
        assert_eq!(look(&young, false).unwrap(), "pod web-1: container web to run for 2s");
        assert!(look(&young, true).is_none(), "a readiness probe has looked already");
        let older = json!({"running": {"startedAt": "2026-03-01T12:00:01Z"}});
        assert!(look(&older, false).is_none());
    }

    #[test]
    fn one_that_ended_badly_or_waits_has_not_settled() {
        let ended = |code: i32| json!({"terminated": {"exitCode": code}});
        assert!(look(&ended(3), false).is_some());
        assert!(look(&ended(0), false).is_none());
        assert!(look(&json!({"waiting": {"reason": "CrashLoopBackOff"}}), false).is_some());
    }
}
