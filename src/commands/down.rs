//! `sandbox down`: removes what is ours and proves that nothing is left.
//!
//! Owns the inventory at the end.

use std::time::{Duration, Instant};

use serde_json::json;

use super::Outcome;
use crate::error::{Error, Kind, Result};
use crate::owner;
use crate::plan::down::{Present, down};
use crate::report::event::Event;
use crate::settings::{Name, Settings};
use crate::state::{Lock, Phase, Place, Record};
use crate::steps::{Cx, Observed, leftovers};
use crate::tools::docker::Docker;
use crate::tools::orphans::end_orphans;
use crate::world::World;

/// How long Docker may take to finish what a killed command had asked for.
const LATE: Duration = Duration::from_millis(1500);
/// How often is looked again for what appeared late.
const ROUNDS: u32 = 3;

/// Runs the command.
///
/// # Errors
/// [`Kind::Refused`] for what is not ours, [`Kind::Leftovers`] with a list when something stayed.
pub(super) async fn run(world: &World, settings: &Settings, all: bool) -> Result<Outcome> {
    let names =
        if all { Place::all(&world.state_root()?) } else { vec![settings.name.value.clone()] };
    let several = names.len() > 1;
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
                if several {
                    world.events.warn(format!("{}: {error}", settings.name.value));
                }
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
    end_orphans(&place.dir()).await;
    let mut removed = Removed::default();
    let mut unfinished = false;
    for round in 1..=ROUNDS {
        let (present, record) = look(&docker, &place).await?;
        let plan = down(name, &present)?;
        unfinished |= record.as_ref().is_some_and(|record| record.phase == Phase::Creating);
        if plan.steps.is_empty() {
            if unfinished && something_appears(&docker, &place).await? {
                continue;
            }
            break;
        }
        if round == 1 {
            world.events.send(Event::Started { title: format!("sandbox {name}: down") });
        }
        removed.add(&present);
        let observed = Observed::Down { nodes: &present.nodes, network: present.network.as_ref() };
        let cx = Cx::new(world, settings, &place, observed, record)?;
        let ended = cx.run(&plan).await;
        // A container whose creation was cut off may appear late, and the network cannot go
        // before it; any other failure stays one.
        if round == ROUNDS || !appeared_late(&docker, &place, &present).await? {
            ended?;
        }
    }
    let left = leftovers(&docker, &place, &removed.volumes).await?;
    if !left.is_empty() {
        return Err(Error::new(
            Kind::Leftovers,
            format!("sandbox `{name}` left behind: {}", left.join(", ")),
        )
        .hint(format!("sandbox down --name {name}")));
    }
    Ok(Outcome { text: removed.text(name), data: removed.data(name), bad_news: None })
}

/// Whether something of an `up` that was killed a moment ago still appears: Docker goes on with
/// what it was asked for, and nobody can ask it what that is.
async fn something_appears(docker: &Docker, place: &Place) -> Result<bool> {
    let end = Instant::now() + LATE;
    while Instant::now() < end {
        let (present, _) = look(docker, place).await?;
        if present.network.is_some() || !present.nodes.is_empty() {
            return Ok(true);
        }
        tokio::time::sleep(LATE / 10).await;
    }
    Ok(false)
}

/// Whether there is a node now that was not there before.
async fn appeared_late(docker: &Docker, place: &Place, before: &Present) -> Result<bool> {
    let now = docker.nodes(&place.name().cluster()).await?;
    Ok(now.iter().any(|node| before.nodes.iter().all(|known| known.id != node.id)))
}

async fn look(docker: &Docker, place: &Place) -> Result<(Present, Option<Record>)> {
    let name = place.name();
    // A damaged record must not keep a sandbox standing: the labels in Docker decide.
    let record = place.record().ok().flatten();
    let (network, cluster) = (name.network(), name.cluster());
    let (network, nodes) = tokio::try_join!(docker.network(&network), docker.nodes(&cluster))?;
    let state = place.root().display().to_string();
    let owner = owner::of(name, &state, record.as_ref(), network.as_ref(), &nodes);
    let (volumes, state) = (place.volumes().exists(), place.dir().exists());
    Ok((Present { owner, nodes, network, volumes, state }, record))
}

/// What was removed, for the inventory.
#[derive(Debug, Default)]
struct Removed {
    nodes: Vec<String>,
    volumes: Vec<String>,
    network: bool,
    anything: bool,
}

impl Removed {
    fn add(&mut self, present: &Present) {
        self.anything = true;
        self.nodes.extend(present.nodes.iter().map(|node| node.name.clone()));
        self.volumes.extend(present.nodes.iter().flat_map(|node| node.volumes.clone()));
        self.network |= present.network.is_some();
    }

    fn text(&self, name: &Name) -> String {
        if !self.anything {
            return format!("sandbox {name}: there is nothing of it\n");
        }
        format!(
            "sandbox {name} is gone: {} node(s), {} volume(s), {} network(s) removed; nothing is left\n",
            self.nodes.len(),
            self.volumes.len(),
            usize::from(self.network),
        )
    }

    fn data(&self, name: &Name) -> serde_json::Value {
        json!({
            "name": name.as_str(),
            "removed": {
                "nodes": self.nodes, "volumes": self.volumes, "network": self.network,
            },
            "left": [],
        })
    }
}
