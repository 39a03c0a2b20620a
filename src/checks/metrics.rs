//! The kind `metrics`: the metrics API knows every node.
//!
//! Owns what that means.

use k8s_openapi::api::core::v1::Node;
use kube::api::ListParams;
use serde_json::Value;

use crate::checks::context::Context;
use crate::checks::probe::Seen;
use crate::checks::text;
use crate::tools::kube::ApiKind;

/// Looks once.
pub(super) async fn attempt(context: &Context<'_>) -> Seen {
    let asked = "NodeMetrics of every node";
    match look(context).await {
        Ok((nodes, metrics)) => {
            let seen = metrics.iter().map(|metric| format!("{metric:#}\n")).collect();
            Seen { verdict: judge(&nodes, &metrics), asked: asked.to_owned(), came: seen }
        }
        Err(why) => Seen::nothing(asked, why),
    }
}

async fn look(context: &Context<'_>) -> Result<(Vec<String>, Vec<Value>), String> {
    let cluster = context.cluster().await?;
    let list = ListParams::default();
    let nodes = cluster.list::<Node>(&cluster.all(), &list).await;
    let nodes = nodes.map_err(|error| text::told(&error))?;
    let kind = ApiKind::known("metrics.k8s.io", "v1beta1", "NodeMetrics", "nodes", false);
    let metrics = cluster.list(&cluster.dynamic(&kind, ""), &list).await;
    let metrics = metrics.map_err(|error| unavailable(&text::told(&error)))?;
    Ok((
        nodes.into_iter().filter_map(|node| node.metadata.name).collect(),
        metrics.iter().map(|metric| serde_json::to_value(metric).unwrap_or_default()).collect(),
    ))
}

/// Why there is no metrics API.
fn unavailable(why: &str) -> String {
    if why.contains("404") || why.contains("could not find the requested resource") {
        "there is no metrics API (`metrics.k8s.io`); is metrics-server installed?".to_owned()
    } else if why.contains("503") || why.contains("unable to handle the request") {
        "the metrics API does not answer yet: metrics-server is not ready".to_owned()
    } else {
        why.to_owned()
    }
}

/// Whether every node has processor and memory.
fn judge(nodes: &[String], metrics: &[Value]) -> Result<String, String> {
    let known = |node: &&String| {
        metrics.iter().any(|metric| {
            metric["metadata"]["name"] == node.as_str()
                && metric["usage"]["cpu"].is_string()
                && metric["usage"]["memory"].is_string()
        })
    };
    let without: Vec<String> =
        nodes.iter().filter(|node| !known(node)).map(|node| format!("`{node}`")).collect();
    match (nodes.len(), without.as_slice()) {
        (0, _) => Err("there are no nodes".to_owned()),
        (all, []) => Ok(format!("{all} of {all} node(s) have metrics")),
        (all, without) => Err(format!(
            "{} of {all} node(s) have no metrics: {}",
            without.len(),
            without.join(", ")
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_node_must_have_both_numbers() {
        let nodes = ["a".to_owned(), "b".to_owned()];
        let of = |name: &str, usage: Value| json!({"metadata": {"name": name}, "usage": usage});
        let both = json!({"cpu": "120m", "memory": "800Mi"});
        let good = [of("b", both.clone()), of("a", both.clone())];
        assert_eq!(judge(&nodes, &good).unwrap(), "2 of 2 node(s) have metrics");
        let half = [of("a", both), of("b", json!({"cpu": "1m"}))];
        let told = [
            judge(&nodes, &half).unwrap_err(),
            judge(&nodes, &[]).unwrap_err(),
            judge(&[], &[]).unwrap_err(),
            unavailable("cannot list nodes: 404 page not found"),
            unavailable("ApiError: the server is currently unable to handle the request"),
            unavailable("cannot list nodes: forbidden"),
        ];
        insta::assert_snapshot!(told.join("\n"), @"
        1 of 2 node(s) have no metrics: `b`
        2 of 2 node(s) have no metrics: `a`, `b`
        there are no nodes
        there is no metrics API (`metrics.k8s.io`); is metrics-server installed?
        the metrics API does not answer yet: metrics-server is not ready
        cannot list nodes: forbidden
        ");
    }
}
