//! `sandbox down`: removes what is ours and proves that nothing is left.
//!
//! Owns the inventory at the end.

use std::sync::Mutex;

use serde_json::json;

use super::Outcome;
use crate::error::{Error, Kind, Result};
use crate::owner;
use crate::plan::down::{Present, down};
use crate::report::event::Event;
use crate::settings::{Name, Settings};
use crate::state::{Lock, Place};
use crate::steps::{Cx, Observed, leftovers};
use crate::world::World;

/// Runs the command.
///
/// # Errors
/// [`Kind::Refused`] for what is not ours, [`Kind::Leftovers`] with a list when something stayed.
pub(super) async fn run(world: &World, settings: &Settings, all: bool) -> Result<Outcome> {
    let names =
        if all { Place::all(&world.state_root()?) } else { vec![settings.name.value.clone()] };
    let mut text = String::new();
    let mut inventories = Vec::new();
    let mut first_failure = None;
    for name in names {
        let mut settings = settings.clone();
        settings.name.value = name;
        match one(world, &settings).await {
            Ok(outcome) => {
                text.push_str(&outcome.text);
                inventories.push(outcome.data);
            }
            // The others still go; the first failure is told at the end.
            Err(error) => {
                world.events.warn(format!("{}: {error}", settings.name.value));
                first_failure = first_failure.or(Some(error));
            }
        }
    }
    match first_failure {
        Some(error) => Err(error),
        None => Ok(Outcome { text, data: json!({ "sandboxes": inventories }), bad_news: None }),
    }
}

/// Takes one sandbox down.
pub(super) async fn one(world: &World, settings: &Settings) -> Result<Outcome> {
    let name = &settings.name.value;
    let place = world.place(name)?;
    let _lock = Lock::take(&place, "sandbox down")?;
    let docker = world.docker()?;
    docker.info().await?;
    // A damaged record must not keep a sandbox standing: the labels in Docker decide.
    let record = place.record().ok().flatten();
    let (network, cluster) = (name.network(), name.cluster());
    let (network, nodes) = tokio::try_join!(docker.network(&network), docker.nodes(&cluster))?;
    let state = place.root().display().to_string();
    let owner = owner::of(name, &state, record.as_ref(), network.as_ref(), &nodes);
    let present = Present { owner, nodes, network, state: place.dir().exists() };
    let plan = down(name, &present)?;
    if plan.steps.is_empty() {
        let text = format!("sandbox {name}: there is nothing of it\n");
        return Ok(Outcome { text, data: inventory(name, &present, &[]), bad_news: None });
    }
    world.events.send(Event::Started { title: format!("sandbox {name}: down") });
    let cx = Cx {
        world,
        settings,
        place: &place,
        docker: docker.clone(),
        kind: None,
        helm: None,
        rendered: None,
        observed: Observed::Down { nodes: &present.nodes, network: present.network.as_ref() },
        record: Mutex::new(record),
        transfer: tokio::sync::Mutex::new(()),
    };
    let result = cx.run(&plan).await;
    let left = leftovers(&docker, &place, &present.nodes).await?;
    result?;
    if !left.is_empty() {
        return Err(Error::new(
            Kind::Leftovers,
            format!("sandbox `{name}` left behind: {}", left.join(", ")),
        )
        .hint(format!("sandbox down --name {name}")));
    }
    let volumes: usize = present.nodes.iter().map(|node| node.volumes.len()).sum();
    let text = format!(
        "sandbox {name} is gone: {} node(s), {volumes} volume(s), {} network removed; nothing is left\n",
        present.nodes.len(),
        usize::from(present.network.is_some()),
    );
    Ok(Outcome { text, data: inventory(name, &present, &left), bad_news: None })
}

fn inventory(name: &Name, present: &Present, left: &[String]) -> serde_json::Value {
    let nodes: Vec<_> = present.nodes.iter().map(|node| node.name.as_str()).collect();
    let volumes: Vec<_> = present.nodes.iter().flat_map(|node| node.volumes.clone()).collect();
    json!({
        "name": name.as_str(),
        "removed": {
            "nodes": nodes,
            "volumes": volumes,
            "network": present.network.as_ref().map(|network| network.name.as_str()),
            "state": present.state,
        },
        "left": left,
    })
}
