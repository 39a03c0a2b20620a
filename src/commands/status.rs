//! `sandbox status`: the state of every part, where to click, and where settings come from.

use serde_json::json;

use super::{Outcome, up};
use crate::addons::ingress_nginx;
use crate::error::Result;
use crate::observe::observe;
use crate::owner::Owner;
use crate::plan::facts::{Api, Facts, Inside};
use crate::settings::Settings;
use crate::tools::docker::NodeState;
use crate::world::World;

/// Runs the command.
///
/// # Errors
/// When Docker does not answer or the settings' files cannot be read.
pub(super) async fn run(
    world: &World,
    settings: &Settings,
    show_settings: bool,
) -> Result<Outcome> {
    if show_settings {
        return Ok(settings_table(settings));
    }
    let place = world.place(&settings.name.value)?;
    let facts = observe(world, settings, &place).await?;
    let parts = parts(settings, &facts);
    let urls = facts.record.as_ref().map(up::urls).unwrap_or_default();
    let mut text = String::new();
    for (part, state) in &parts {
        text.push_str(&format!("{part:<14} {state}\n"));
    }
    for url in &urls {
        text.push_str(&format!("{:<14} {url}\n", "url"));
    }
    let map: serde_json::Map<_, _> =
        parts.into_iter().map(|(part, state)| (part, json!(state))).collect();
    Ok(Outcome { text, data: json!({ "parts": map, "urls": urls }), bad_news: None })
}

fn settings_table(settings: &Settings) -> Outcome {
    let rows = settings.table();
    let text = rows
        .iter()
        .map(|(key, value, origin)| format!("{key:<14} {value:<16} {origin}\n"))
        .collect();
    let data = rows
        .iter()
        .map(|(key, value, origin)| ((*key).to_owned(), json!({"value": value, "origin": origin})))
        .collect::<serde_json::Map<_, _>>();
    Outcome { text, data: json!(data), bad_news: None }
}

fn parts(settings: &Settings, facts: &Facts) -> Vec<(String, String)> {
    let yes = |ready: bool| if ready { "ready" } else { "not ready" }.to_owned();
    let mut parts = Vec::new();
    let mut add = |part: &str, state: String| parts.push((part.to_owned(), state));
    add("sandbox", settings.name.value.to_string());
    let cluster = match &facts.owner {
        Owner::Nobody => "not there".to_owned(),
        Owner::Foreign(why) => format!("not ours: {why}"),
        Owner::Us => {
            let running = |node: &&crate::tools::docker::NodeInfo| node.state == NodeState::Running;
            let count = facts.nodes.iter().filter(running).count();
            format!(
                "{} ({count} of {} node(s) run)",
                settings.name.value.cluster(),
                facts.nodes.len()
            )
        }
    };
    add("cluster", cluster);
    if facts.owner != Owner::Us {
        return parts;
    }
    let api = match &facts.api {
        Api::Ours => format!("127.0.0.1:{}", facts.ports.api),
        Api::Silent => "does not answer".to_owned(),
        Api::Foreign(why) => format!("not ours: {why}"),
    };
    add("api server", api);
    let Some(inside) = &facts.inside else { return parts };
    add("nodes", yes(inside.nodes_ready));
    for (name, state) in addons(facts, inside) {
        add(name, state);
    }
    if let Some((status, revision)) = &inside.release {
        add("release", format!("{status}, revision {revision}"));
        add("app", yes(inside.app_ready));
    }
    for reference in &inside.stale {
        add("old image", format!("{reference}: run `sandbox load`"));
    }
    parts
}

/// Each addon that was installed: whether its workloads are ready, and its ports.
fn addons<'a>(facts: &'a Facts, inside: &Inside) -> Vec<(&'a str, String)> {
    let Some(record) = &facts.record else { return Vec::new() };
    let installed = record.addons.iter();
    installed
        .map(|(name, stamp)| {
            let workloads = stamp.objects.iter().filter(|object| {
                ["Deployment", "StatefulSet", "DaemonSet"].contains(&object.kind.as_str())
            });
            let not_ready: Vec<&str> = workloads
                .filter(|object| {
                    let name = format!("{}/{}", object.namespace, object.name);
                    !inside.ready_workloads.contains(&name)
                })
                .map(|object| object.name.as_str())
                .collect();
            let mut state = match (stamp.hash.is_empty(), not_ready.is_empty()) {
                (true, _) => "half installed: run `sandbox up`".to_owned(),
                (false, true) => "ready".to_owned(),
                (false, false) => format!("not ready: {}", not_ready.join(", ")),
            };
            if name == ingress_nginx::NAME {
                let ports = (facts.ports.http, facts.ports.https);
                state.push_str(&format!(", 127.0.0.1:{} and :{}", ports.0, ports.1));
            } else if let Some(port) = record.service_ports.get(name) {
                state.push_str(&format!(", 127.0.0.1:{port}"));
            }
            (name.as_str(), state)
        })
        .collect()
}
