//! `sandbox status`: the state of every part, where to click, and where settings come from.

use serde_json::json;

use super::{Outcome, up};
use crate::error::Result;
use crate::observe::observe;
use crate::owner::Owner;
use crate::plan::facts::{Api, Facts};
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
        parts.into_iter().map(|(part, state)| (part.to_owned(), json!(state))).collect();
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

fn parts(settings: &Settings, facts: &Facts) -> Vec<(&'static str, String)> {
    let yes = |ready: bool| if ready { "ready" } else { "not ready" }.to_owned();
    let mut parts = vec![("sandbox", settings.name.value.to_string())];
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
    parts.push(("cluster", cluster));
    if facts.owner != Owner::Us {
        return parts;
    }
    let api = match &facts.api {
        Api::Ours => format!("127.0.0.1:{}", facts.ports.api),
        Api::Silent => "does not answer".to_owned(),
        Api::Foreign(why) => format!("not ours: {why}"),
    };
    parts.push(("api server", api));
    let Some(inside) = &facts.inside else { return parts };
    parts.push(("nodes", yes(inside.nodes_ready)));
    if settings.addons.ingress_nginx.options().is_some() {
        let ports = format!("127.0.0.1:{} and :{}", facts.ports.http, facts.ports.https);
        parts.push(("ingress-nginx", format!("{}, {ports}", yes(inside.ingress_ready))));
    }
    if let Some((status, revision)) = &inside.release {
        parts.push(("release", format!("{status}, revision {revision}")));
        parts.push(("app", yes(inside.app_ready)));
    }
    for reference in &inside.stale {
        parts.push(("old image", format!("{reference}: run `sandbox load`")));
    }
    parts
}
