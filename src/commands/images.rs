//! `sandbox images`: the third-party images that a sandbox is made of.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Outcome, interruptible};
use crate::catalogue::RECIPE_LABEL;
use crate::cli::ImagesCommand;
use crate::env;
use crate::error::{Error, Kind, Result};
use crate::observe::observe;
use crate::plan::{Action, Plan};
use crate::settings::Settings;
use crate::steps::{Cx, Observed};
use crate::tools::manifests;
use crate::tools::process::Cmd;
use crate::world::World;

/// How long building all images may take.
const BUILD_DEADLINE: Duration = Duration::from_secs(3600);

/// Runs the command.
///
/// # Errors
/// What pulling or building failed with.
pub(super) async fn run(
    world: &World,
    settings: &Settings,
    command: &ImagesCommand,
) -> Result<Outcome> {
    match command {
        ImagesCommand::List => list(world).await,
        ImagesCommand::Pull => pull(world, settings).await,
        ImagesCommand::Build => build(world).await,
    }
}

async fn list(world: &World) -> Result<Outcome> {
    let docker = world.docker()?;
    docker.info().await?;
    let mut text = String::new();
    let mut rows = Vec::new();
    for (name, image) in &world.catalogue.images {
        let found = docker.image(&image.reference).await?;
        let from = match &found {
            None => "missing",
            Some(found) if found.labels.contains_key(RECIPE_LABEL) => "packages",
            Some(found) if found.repo_digests.is_empty() => "unknown",
            Some(_) => "registry",
        };
        text.push_str(&format!("{name:<24} {from:<9} {}\n", image.reference));
        rows.push(json!({
            "name": name, "reference": image.reference, "from": from, "digest": image.digest,
            "licence": image.licence,
        }));
    }
    let manifests = list_manifests(world, &mut text).await;
    Ok(Outcome { text, data: json!({ "images": rows, "manifests": manifests }), bad_news: None })
}

/// Manifest sets come in files, not images, but are fetched and pinned beside them.
async fn list_manifests(world: &World, text: &mut String) -> Vec<Value> {
    let mut rows = Vec::new();
    text.push_str("\ndefinitions of other people's kinds:\n");
    for (name, set) in &world.catalogue.manifests {
        let cached = match world.env.cache_dir() {
            Some(cache) => manifests::is_cached(&cache, name, set).await,
            None => false,
        };
        let from = if cached { "cache" } else { "missing" };
        text.push_str(&format!("{name:<24} {from:<9} {}@v{}\n", set.package, set.version));
        rows.push(json!({
            "name": name, "version": set.version.to_string(), "from": from,
            "package": set.package, "sha256": set.sha256, "licence": set.licence,
        }));
    }
    rows
}

async fn pull(world: &World, settings: &Settings) -> Result<Outcome> {
    let place = world.place(&settings.name.value)?;
    let facts = observe(world, settings, &place).await?;
    let mut plan = Plan::default();
    for name in world.catalogue.images.keys() {
        if facts.catalogue.get(name).is_some_and(Option::is_some) {
            plan.keep(format!("image {name}"));
        } else {
            let title = format!("pull {}", world.catalogue.image(name).reference);
            plan.add(&format!("image {name}"), title, &[], Action::PullImage(name.clone()));
        }
    }
    let cx = Cx::new(world, settings, &place, Observed::Up(&facts), None)?;
    interruptible(&world.cancel, cx.run(&plan)).await?;
    list(world).await
}

async fn build(world: &World) -> Result<Outcome> {
    let checkout = world.env.path(env::CHECKOUT).ok_or_else(|| {
        Error::new(Kind::Machine, "images are built from the recipes of a checkout")
            .hint("in a checkout: images/build --all")
    })?;
    let step = world.events.step("images", "build images from packages");
    let command = Cmd::new(checkout.join("images/build"), "build the images")
        .arg("--all")
        .env(world.env.for_children())
        .deadline(BUILD_DEADLINE);
    let built = interruptible(&world.cancel, command.watch(|line| step.progress(line))).await;
    match built {
        Ok(_) => step.done(""),
        Err(error) => {
            step.failed(error.to_string());
            return Err(error);
        }
    }
    list(world).await
}
