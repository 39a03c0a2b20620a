//! `sandbox up`: everything until the app answers.
//!
//! Owns the flow: settings → observe → plan → render → steps → outcome.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::json;

use super::{Outcome, interruptible, page};
use crate::addons;
use crate::app::Route;
use crate::desired::{Desired, desired};
use crate::diagnostics;
use crate::error::{Error, Kind, Result};
use crate::machine::{Machine, refuse_fatal};
use crate::observe::observe;
use crate::plan::facts::Facts;
use crate::plan::kind_config::node_count;
use crate::plan::up::{Wanted, makes_cluster};
use crate::plan::{self, Action, Plan};
use crate::report::event::Event;
use crate::settings::Settings;
use crate::state::{Lock, Place, Record};
use crate::steps::{Cx, Observed};
use crate::tools::orphans::end_orphans;
use crate::world::World;

/// What the flags say.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Options {
    /// Only show the plan.
    pub dry_run: bool,
    /// Replace a cluster that does not fit.
    pub recreate: bool,
}

/// Runs the command.
///
/// # Errors
/// The first thing that went wrong, with where the diagnostics are.
pub(super) async fn run(world: &World, settings: &Settings, options: &Options) -> Result<Outcome> {
    let place = world.place(&settings.name.value)?;
    let _lock = Lock::take(&place, "sandbox up")?;
    let since = Instant::now();
    end_orphans(&place.dir()).await;
    let facts = interruptible(&world.cancel, observe(world, settings, &place)).await?;
    let fresh = makes_cluster(settings, &world.catalogue, &facts, options.recreate);
    let ports = ports_in_force(&facts, fresh);
    let desired =
        interruptible(&world.cancel, desired(world, settings, &place, &facts, &ports, fresh))
            .await?;
    let settings = &desired.settings;
    let kinds = desired.kinds(facts.record.as_ref());
    let wanted = Wanted {
        addons: &desired.addons,
        app_input: desired.app_input.as_deref(),
        kinds: &kinds,
        recreate: options.recreate,
    };
    let plan = plan::up::up(settings, &world.catalogue, &facts, &wanted)?;
    for note in desired.notes.iter().chain(&unreachable(settings, &ports)) {
        world.events.warn(note);
    }
    if options.dry_run {
        let data = serde_json::to_value(&plan).unwrap_or_default();
        return Ok(Outcome { text: plan.shown(), data, bad_news: None });
    }
    preflight(world, settings, &facts, &plan)?;
    world.events.send(Event::Started { title: title(settings, &plan) });
    let record = carry_out(world, settings, &place, &facts, &plan, Some(&desired)).await?;
    page::tell(settings, &record, None).await;
    let text = outcome_text(settings, &record, &plan, since);
    let data = json!({
        "name": settings.name.value.as_str(),
        "changed": !plan.steps.is_empty(),
        "kubeconfig": place.kubeconfig(),
        "ports": record.ports,
        "service-ports": record.service_ports,
        "urls": urls(&record),
        "seconds": since.elapsed().as_secs_f64(),
    });
    Ok(Outcome { text, data, bad_news: None })
}

/// The addons' ports in the cluster that is, or that will be made.
fn ports_in_force(facts: &Facts, fresh: bool) -> BTreeMap<String, u16> {
    match &facts.record {
        Some(record) if !fresh => record.service_ports.clone(),
        _ => facts.service_ports.clone(),
    }
}

/// Addons that were turned on after the cluster was made have no port on this machine.
fn unreachable(settings: &Settings, ports: &BTreeMap<String, u16>) -> Vec<String> {
    addons::unpublished(&settings.addons, ports)
        .into_iter()
        .map(|(name, port)| {
            format!(
                "{name} works in the cluster, but not through port {port} of this machine, as \
                 the cluster was made without it (`sandbox up --recreate` makes it anew)"
            )
        })
        .collect()
}

/// Runs a plan and saves diagnostics when it fails. Used by `up` and `load`.
///
/// # Errors
/// What the plan failed with.
pub(super) async fn carry_out(
    world: &World,
    settings: &Settings,
    place: &Place,
    facts: &Facts,
    plan: &Plan,
    desired: Option<&Desired>,
) -> Result<Record> {
    let record = facts.record.clone();
    let mut cx = Cx::new(world, settings, place, Observed::Up(facts), record)?;
    let needs = |wanted: fn(&Action) -> bool| plan.steps.iter().any(|step| wanted(&step.action));
    if needs(|action| *action == Action::CreateCluster) {
        cx.kind = Some(interruptible(&world.cancel, world.kind()).await?);
    }
    if needs(|action| matches!(action, Action::InstallApp | Action::RecoverRelease(_))) {
        cx.helm = Some(interruptible(&world.cancel, world.helm()).await?);
    }
    if let Some(desired) = desired {
        cx.addons = &desired.addons;
        cx.rendered.clone_from(&desired.rendered);
        cx.app_input.clone_from(&desired.app_input);
        if place.credentials()?.as_ref() != Some(&desired.credentials) {
            place.write_credentials(&desired.credentials)?;
        }
    }
    let result = interruptible(&world.cancel, cx.run(plan)).await;
    match result {
        Ok(()) => place
            .record()?
            .ok_or_else(|| Error::new(Kind::Unexpected, "the record vanished during `up`")),
        Err(error) if error.kind() == Kind::Interrupted => Err(error),
        Err(error) => Err(match diagnostics::save(world, settings, place).await {
            Ok(folder) => error.hint(format!("evidence is in {}", folder.display())),
            Err(unsaved) => error.hint(format!("no evidence could be saved: {unsaved}")),
        }),
    }
}

/// Refuses what cannot work on this machine before anything is made.
fn preflight(world: &World, settings: &Settings, facts: &Facts, plan: &Plan) -> Result<()> {
    if !plan.steps.iter().any(|step| step.action == Action::CreateCluster) {
        return Ok(());
    }
    let nodes = node_count(&settings.profile.value) as u64;
    let problems = Machine::read(&facts.engine).problems(nodes, &facts.engine);
    for problem in refuse_fatal(problems)? {
        world.events.warn(format!("{} ({})", problem.what, problem.cure));
    }
    Ok(())
}

fn title(settings: &Settings, plan: &Plan) -> String {
    let name = &settings.name.value;
    if plan.steps.is_empty() {
        format!("sandbox {name}: nothing to do")
    } else {
        format!("sandbox {name}: profile {}", settings.profile.value.name)
    }
}

/// Where the app answers.
pub(super) fn urls(record: &Record) -> Vec<String> {
    let routes = record.app.iter().flat_map(|app| &app.routes);
    let mut urls: Vec<String> = routes.filter_map(|route| url(route, record)).collect();
    urls.dedup();
    urls
}

fn url(route: &Route, record: &Record) -> Option<String> {
    if route.host.is_empty() || route.host.contains('*') {
        return None;
    }
    let (scheme, port) =
        if route.tls { ("https", record.ports.https) } else { ("http", record.ports.http) };
    let plain = route.path.chars().all(|c| c.is_ascii_alphanumeric() || "/-_.~".contains(c));
    let path = if plain && route.path.starts_with('/') { route.path.as_str() } else { "/" };
    Some(format!("{scheme}://{}:{port}{path}", route.host))
}

fn outcome_text(settings: &Settings, record: &Record, plan: &Plan, since: Instant) -> String {
    let seconds = since.elapsed().as_secs_f64();
    let mut text = String::new();
    if plan.steps.is_empty() {
        text.push_str(&format!("nothing to do ({seconds:.1}s)\n"));
    } else {
        text.push_str(&format!("sandbox {} is up ({seconds:.1}s)\n", settings.name.value));
    }
    for url in urls(record) {
        text.push_str(&format!("  {url}\n"));
    }
    if let Some(page) = page::address(record) {
        text.push_str(&format!("  {page}  traces, metrics and logs (sandbox open)\n"));
    }
    let name = &settings.name.value;
    text.push_str(&format!(
        "  kubectl --kubeconfig \"$(sandbox kubeconfig --name {name})\" get pods -A\n"
    ));
    text
}
