//! What the page shows of the sandbox itself: its parts, addresses and checks.
//!
//! Owns the JSON that the collector keeps for the page. Nothing depends on it, so a collector that
//! does not take it is no failure.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::up;
use crate::checks::CheckResult;
use crate::settings::Settings;
use crate::state::Record;
use crate::tools::telemetry::Telemetry;

/// How long telling it may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Tells the collector how the sandbox is, when there is one that this machine reaches. `checks`
/// are those that ran just now.
pub(super) async fn tell(settings: &Settings, record: &Record, checks: Option<&[CheckResult]>) {
    let Some(port) = port(record) else { return };
    let Ok(client) = Telemetry::new(port) else { return };
    let told = async {
        let before = client.ask("sandbox", &[]).await.unwrap_or_default();
        let mut state = match (checks, before.is_object()) {
            // `up` saw them ready; checks did not look.
            (Some(_), true) => before.clone(),
            _ => state(settings, record),
        };
        state["checks"] = checks.map_or_else(|| before["checks"].clone(), shown);
        let _ = client.tell(Method::PUT, "sandbox", Some(&state)).await;
    };
    let _ = tokio::time::timeout(PATIENCE, told).await;
}

/// The port of the collector, when the sandbox has one that this machine reaches.
fn port(record: &Record) -> Option<u16> {
    let port = record.service_ports.get("telemetry").copied();
    port.filter(|_| record.addons.contains_key("telemetry"))
}

/// Where the page is.
pub(super) fn address(record: &Record) -> Option<String> {
    port(record).map(|port| format!("http://127.0.0.1:{port}/"))
}

fn shown(checks: &[CheckResult]) -> Value {
    let one = |check: &CheckResult| {
        json!({
            "name": check.name,
            "state": if check.passed { "passed" } else { "failed" },
            "detail": check.detail,
            "duration_ms": check.took.as_millis(),
        })
    };
    checks.iter().map(one).collect()
}

fn state(settings: &Settings, record: &Record) -> Value {
    let ready = |name: &str, kind: &str, detail: String| json!({ "name": name, "kind": kind, "state": "ready", "detail": detail });
    let mut parts = vec![ready(
        settings.name.value.cluster().as_str(),
        "cluster",
        format!("profile {}, Kubernetes {}", record.profile, settings.kubernetes.value),
    )];
    for (name, stamp) in &record.addons {
        parts.push(match stamp.hash.as_str() {
            "" => {
                json!({ "name": name, "kind": "addon", "state": "failed", "detail": "half made" })
            }
            _ => ready(name, "addon", String::new()),
        });
    }
    if let Some(app) = &record.app {
        for workload in &app.workloads {
            let detail = format!("{} in {}", workload.kind, workload.namespace);
            parts.push(ready(&workload.name, "app", detail));
        }
    }
    let urls: Vec<Value> = up::urls(record)
        .into_iter()
        .map(|url| json!({ "name": settings.name.value.as_str(), "url": url }))
        .collect();
    // The names are those that the collector has for its own.
    let addresses: serde_json::Map<String, Value> =
        [("apm", "datadog"), ("otlp_http", "otlp"), ("query", "telemetry")]
            .into_iter()
            .filter_map(|(known, port)| Some((known, record.service_ports.get(port)?)))
            .map(|(known, port)| (known.to_owned(), json!(format!("127.0.0.1:{port}"))))
            .collect();
    json!({
        "name": settings.name.value.as_str(),
        "addresses": addresses,
        "profile": record.profile,
        "updated_ms": jiff::Timestamp::now().as_millisecond(),
        "urls": urls,
        "parts": parts,
    })
}
