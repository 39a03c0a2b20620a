//! The kind `hpa`: a `HorizontalPodAutoscaler` that sees its metrics.
//!
//! Owns what that means. Must not load the app: whether it scales is for the app's own checks.

use std::fmt::Write as _;

use serde_json::Value;

use crate::checks::context::Context;
use crate::checks::probe::Seen;
use crate::checks::text;
use crate::settings::checks::Hpa;
use crate::tools::kube::ApiKind;

/// Looks once.
pub(super) async fn attempt(hpa: &Hpa, context: &Context<'_>) -> Seen {
    let namespace = hpa.namespace.as_deref().unwrap_or(&context.target.namespace);
    let asked = format!("HorizontalPodAutoscaler {} in {namespace}", hpa.name);
    let kind = ApiKind::known(
        "autoscaling",
        "v2",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        true,
    );
    let cluster = match context.cluster().await {
        Ok(cluster) => cluster,
        Err(why) => return Seen::nothing(asked, why),
    };
    match cluster.get_value(&kind, namespace, &hpa.name).await {
        Err(error) => Seen::nothing(asked, text::told(&error)),
        Ok(None) => {
            Seen::nothing(asked, format!("there is no HPA `{}` in `{namespace}`", hpa.name))
        }
        Ok(Some(object)) => Seen {
            verdict: judge(&object, hpa.at_least),
            asked,
            came: format!("{:#}", object["status"]),
        },
    }
}

/// Whether it sees all its metrics, and enough replicas run.
fn judge(hpa: &Value, at_least: Option<u32>) -> Result<String, String> {
    let conditions = hpa["status"]["conditions"].as_array();
    let active = conditions
        .and_then(|all| all.iter().find(|condition| condition["type"] == "ScalingActive"));
    let Some(active) = active else {
        let able = conditions
            .and_then(|all| all.iter().find(|condition| condition["type"] == "AbleToScale"))
            .filter(|condition| condition["status"] == "False");
        return Err(match able {
            Some(able) => format!("it cannot scale: {}", message(able)),
            None => "it has not looked at its metrics yet".to_owned(),
        });
    };
    if active["status"] != "True" {
        return Err(inactive(active));
    }
    let empty = Vec::new();
    let wanted = hpa["spec"]["metrics"].as_array().unwrap_or(&empty);
    let current = hpa["status"]["currentMetrics"].as_array().unwrap_or(&empty);
    let mut held = String::new();
    for metric in wanted {
        let Some((name, block)) = named(metric) else { continue };
        let same = current.iter().filter(|now| now["type"] == metric["type"]);
        let value = same
            .filter_map(named)
            .find(|(other, _)| *other == name)
            .and_then(|(_, now)| value(&now["current"], &block["target"]));
        match value {
            Some(value) => {
                let _ = write!(held, "{name} {value}, ");
            }
            None => return Err(format!("the metric {name} is `<unknown>`")),
        }
    }
    let replicas = hpa["status"]["currentReplicas"].as_u64().unwrap_or_default();
    if let Some(least) = at_least.filter(|&least| replicas < u64::from(least)) {
        let wanted = hpa["status"]["desiredReplicas"].as_u64().unwrap_or_default();
        return Err(format!(
            "{held}{replicas} replica(s), at least {least} expected (it wants {wanted})"
        ));
    }
    Ok(format!("{held}{replicas} replica(s)"))
}

/// Why it does not scale, with the cure when the message alone is hard to understand.
fn inactive(condition: &Value) -> String {
    let message = message(condition);
    if condition["reason"] == "ScalingDisabled" {
        return format!("scaling is off: {message}");
    }
    if let Some((_, rest)) = message.split_once("missing request for ") {
        let resource = rest.split(' ').next().unwrap_or_default();
        return format!(
            "the metric is `<unknown>`: a container of the pods has no request for {resource} \
             (`resources.requests.{resource}`), of which the target is a share: {message}"
        );
    }
    format!("the metric is `<unknown>`: {message}")
}

fn message(condition: &Value) -> String {
    let text = condition["message"].as_str().or(condition["reason"].as_str());
    text::line(&text.unwrap_or("no reason is given").replace('\n', " "), 512)
}

/// The name of a metric and the block that describes it.
fn named(metric: &Value) -> Option<(String, &Value)> {
    let kind = metric["type"].as_str()?;
    let mut key = kind.to_owned();
    key.get_mut(..1)?.make_ascii_lowercase();
    let block = &metric[&key];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let name = match kind {
        "Resource" => text(&block["name"]),
        "ContainerResource" => format!("{} of {}", text(&block["name"]), text(&block["container"])),
        "Pods" | "Object" | "External" => text(&block["metric"]["name"]),
        _ => return None,
    };
    Some((format!("`{name}`"), block))
}

/// What a metric is, of what it should be.
fn value(current: &Value, target: &Value) -> Option<String> {
    for (key, unit) in [("averageUtilization", "%"), ("averageValue", ""), ("value", "")] {
        if target[key].is_null() {
            continue;
        }
        let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let now = &current[key];
        let target = plain(&target[key]);
        return (!now.is_null()).then(|| format!("is {}{unit} of {target}{unit}", plain(now)));
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn hpa(status: &Value) -> Value {
        json!({
            "spec": {"metrics": [
                {"type": "Resource", "resource": {"name": "cpu",
                    "target": {"type": "Utilization", "averageUtilization": 60}}},
                {"type": "Pods", "pods": {"metric": {"name": "queue"},
                    "target": {"type": "AverageValue", "averageValue": "10"}}},
            ]},
            "status": status,
        })
    }

    fn active(status: &str, reason: &str, message: &str) -> Value {
        json!([
            {"type": "AbleToScale", "status": "True", "reason": "SucceededGetScale"},
            {"type": "ScalingActive", "status": status, "reason": reason, "message": message},
        ])
    }

    fn cpu() -> Value {
        json!({"type": "Resource", "resource": {"name": "cpu",
            "current": {"averageUtilization": 3, "averageValue": "6m"}}})
    }

    fn queue() -> Value {
        json!({"type": "Pods", "pods": {"metric": {"name": "queue"},
            "current": {"averageValue": "4500m"}}})
    }

    #[test]
    fn seeing_every_metric_is_enough() {
        let status = json!({
            "conditions": active("True", "ValidMetricFound", "ok"),
            "currentMetrics": [queue(), cpu()],
            "currentReplicas": 2, "desiredReplicas": 2,
        });
        let held = judge(&hpa(&status), Some(2)).unwrap();
        insta::assert_snapshot!(held, @"`cpu` is 3% of 60%, `queue` is 4500m of 10, 2 replica(s)");
    }

    #[test]
    fn every_failure_has_its_own_words() {
        let failed = |status: Value| judge(&hpa(&status), Some(3)).unwrap_err();
        let good = active("True", "ValidMetricFound", "ok");
        let requests = "the HPA was unable to compute the replica count: failed to get cpu \
                        utilization: missing request for cpu in container web of Pod shop-1";
        let no_metrics = "the HPA was unable to compute the replica count: unable to get metrics \
                          for resource cpu: no metrics returned from resource metrics API";
        let told = [
            failed(json!({})),
            failed(json!({"conditions": [{"type": "AbleToScale", "status": "False",
                "reason": "FailedGetScale", "message": "deployments.apps \"shop\" not found"}]})),
            failed(json!({"conditions": active("False", "FailedGetResourceMetric", requests)})),
            failed(json!({"conditions": active("False", "FailedGetResourceMetric", no_metrics)})),
            failed(json!({"conditions": active("False", "ScalingDisabled",
                "scaling is disabled since the replica count of the target is zero")})),
            failed(json!({"conditions": good.clone(), "currentMetrics": [cpu(), {"type": ""}]})),
            failed(json!({"conditions": good.clone(), "currentMetrics": [queue(),
                {"type": "Resource", "resource": {"name": "cpu", "current": {"averageValue": "0"}}}]})),
            failed(json!({"conditions": good, "currentMetrics": [cpu(), queue()],
                "currentReplicas": 1, "desiredReplicas": 2})),
        ];
        insta::assert_snapshot!(told.join("\n"), @r#"
        it has not looked at its metrics yet
        it cannot scale: deployments.apps "shop" not found
        the metric is `<unknown>`: a container of the pods has no request for cpu (`resources.requests.cpu`), of which the target is a share: the HPA was unable to compute the replica count: failed to get cpu utilization: missing request for cpu in container web of Pod shop-1
        the metric is `<unknown>`: the HPA was unable to compute the replica count: unable to get metrics for resource cpu: no metrics returned from resource metrics API
        scaling is off: scaling is disabled since the replica count of the target is zero
        the metric `queue` is `<unknown>`
        the metric `cpu` is `<unknown>`
        `cpu` is 3% of 60%, `queue` is 4500m of 10, 1 replica(s), at least 3 expected (it wants 2)
        "#);
    }
}
