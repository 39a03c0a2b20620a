//! The plan of `up`: from what is there to what is wanted, with the fewest steps.
//!
//! Owns the order and the overlaps of `up`, and its refusals. Pure.

mod addons;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::addons::{Addon, telemetry};
use crate::app::VOLUME_CLAIM;
use crate::catalogue::{Catalogue, RECIPE_LABEL, Source};
use crate::error::{Error, Kind, Result};
use crate::owner::Owner;
use crate::plan::facts::{Api, Facts, ImageFact, Inside};
use crate::plan::kind_config::{config_hash, node_count};
use crate::plan::up::addons::AddonPlan;
use crate::plan::{Action, Plan, Recovery};
use crate::settings::Settings;
use crate::state::Phase;
use crate::tools::docker::{ImageInfo, NodeState};
use crate::tools::oci::full_name;

/// What is wanted of `up` beside the settings.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The addons that are on.
    pub addons: &'a [Addon],
    /// Hash of the app's input as it is now.
    pub app_input: Option<&'a str>,
    /// What the app's chart consists of, as `group/Kind`.
    pub kinds: &'a BTreeSet<String>,
    /// Allows to replace a cluster that does not fit the settings.
    pub recreate: bool,
}

/// Whether `up` will make a cluster.
#[must_use]
pub fn makes_cluster(
    settings: &Settings,
    catalogue: &Catalogue,
    facts: &Facts,
    recreate: bool,
) -> bool {
    match cluster_state(settings, catalogue, facts, recreate) {
        ClusterState::Complete => false,
        ClusterState::Absent | ClusterState::Remains(_) => true,
        ClusterState::Unfit(_) => recreate,
    }
}

/// Makes the plan.
///
/// # Errors
/// [`Kind::Refused`] when something under the sandbox's name is not ours, [`Kind::Machine`] when
/// a port or an image is missing, [`Kind::Cluster`] when only making it anew would help.
pub fn up(
    settings: &Settings,
    catalogue: &Catalogue,
    facts: &Facts,
    wanted: &Wanted<'_>,
) -> Result<Plan> {
    refuse_foreign(settings, facts)?;
    let mut plan = Plan::default();
    let cluster = cluster_state(settings, catalogue, facts, wanted.recreate);
    let remove = match cluster {
        ClusterState::Complete | ClusterState::Absent => None,
        ClusterState::Remains(why) => Some(format!("remove what is left: {why}")),
        ClusterState::Unfit(why) if wanted.recreate => Some(format!("remove: {why}")),
        ClusterState::Unfit(why) => {
            return Err(Error::new(Kind::Cluster, format!("the cluster does not fit: {why}"))
                .hint("sandbox up --recreate (the cluster and all data in it are replaced)"));
        }
    };
    let fresh = makes_cluster(settings, catalogue, facts, wanted.recreate);
    let inside = facts.inside.clone().filter(|_| !fresh).unwrap_or_default();
    let addons = AddonPlan::new(facts, wanted.addons, &inside, fresh);
    if fresh {
        create(settings, catalogue, facts, &addons, remove, &mut plan)?;
    } else {
        keep_or_start(settings, facts, &mut plan);
        addons.provide(settings, catalogue, facts, &mut plan)?;
    }
    addons.add(&mut plan);
    images(settings, facts, fresh, &mut plan)?;
    app(settings, facts, wanted, &inside, fresh, &mut plan);
    Ok(plan)
}

enum ClusterState {
    /// Nothing is there.
    Absent,
    /// Made once, all nodes are there and it fits the settings.
    Complete,
    /// Half of one, ours; nothing in it is worth anything.
    Remains(String),
    /// A whole one that only making anew would change.
    Unfit(String),
}

/// What there is. A cluster that lacks only an addon's port works, and so fits unless `recreate`
/// allows a better one.
fn cluster_state(
    settings: &Settings,
    catalogue: &Catalogue,
    facts: &Facts,
    recreate: bool,
) -> ClusterState {
    let Some(record) = &facts.record else {
        return match facts.owner {
            Owner::Nobody => ClusterState::Absent,
            _ => ClusterState::Remains("its record was lost".to_owned()),
        };
    };
    match record.phase {
        Phase::Creating if facts.owner == Owner::Nobody => return ClusterState::Absent,
        Phase::Creating => {
            return ClusterState::Remains("an earlier `up` did not finish".to_owned());
        }
        Phase::Removing => {
            return ClusterState::Remains("an earlier `down` did not finish".to_owned());
        }
        Phase::Created => {}
    }
    if facts.nodes.is_empty() {
        return ClusterState::Remains("its nodes were removed by someone else".to_owned());
    }
    let wanted = node_count(&settings.profile.value);
    let profile = &settings.profile.value.name;
    if record.profile != *profile {
        return ClusterState::Unfit(format!(
            "it was made with profile `{}`, the settings say `{profile}`",
            record.profile
        ));
    }
    if facts.nodes.len() != wanted {
        return ClusterState::Unfit(format!("{} of {wanted} nodes are there", facts.nodes.len()));
    }
    if record.config != config_hash(settings, &catalogue.image("node").reference) {
        return ClusterState::Unfit("the profile or the Kubernetes version changed".to_owned());
    }
    let ports =
        [(&settings.http_port, record.ports.http), (&settings.https_port, record.ports.https)];
    for (asked, has) in ports {
        if let Some(asked) = asked.value
            && asked != has
        {
            return ClusterState::Unfit(format!("it uses port {has}, the settings say {asked}"));
        }
    }
    match crate::addons::unpublished(&settings.addons, &record.service_ports).first() {
        Some((name, port)) if recreate => {
            ClusterState::Unfit(format!("it was made without port {port} for {name}"))
        }
        _ => ClusterState::Complete,
    }
}

/// Refuses to work on something that is not provably ours.
pub(super) fn refuse_foreign(settings: &Settings, facts: &Facts) -> Result<()> {
    let name = &settings.name.value;
    let ((Owner::Foreign(why), _) | (_, Api::Foreign(why))) = (&facts.owner, &facts.api) else {
        return Ok(());
    };
    Err(Error::new(
        Kind::Refused,
        format!("`{}` exists and is not provably ours; nothing was touched", name.cluster()),
    )
    .because(Error::new(Kind::Refused, why.clone()))
    .hint("use another name: --name NAME, or `name:` in sandbox.yaml")
    .hint(format!(
        "or remove it yourself: kind delete cluster --name {}; docker network rm {}",
        name.cluster(),
        name.network()
    )))
}

fn refuse_taken_ports(facts: &Facts) -> Result<()> {
    let Some((port, holder)) = facts.taken.iter().next() else { return Ok(()) };
    let holder = holder.clone().unwrap_or_else(|| "another process".to_owned());
    Err(Error::new(Kind::Machine, format!("port {port} of 127.0.0.1 is taken by {holder}")).hint(
        "stop it, or choose another: --http-port, --https-port, `ports:`, an addon's `host-port:`",
    ))
}

fn keep_or_start(settings: &Settings, facts: &Facts, plan: &mut Plan) {
    let name = settings.name.value.cluster();
    let stopped = facts.nodes.iter().filter(|node| node.state != NodeState::Running).count();
    if stopped > 0 {
        let title = format!("start {stopped} stopped node(s)");
        plan.add("start", title, &[], Action::StartNodes);
    } else {
        let count = facts.nodes.len();
        plan.keep(format!(
            "cluster {name} ({count} node(s), Kubernetes {})",
            settings.kubernetes.value
        ));
    }
    if facts.api != Api::Ours {
        plan.add("api", "wait for the API server", &["start"], Action::ReachApi);
    }
    if !facts.inside.as_ref().is_some_and(|inside| inside.nodes_ready) {
        plan.add("nodes", "wait for the nodes", &["api"], Action::NodesReady);
    }
}

/// Adds making the cluster; `remove` says what has to go first, if anything.
fn create(
    settings: &Settings,
    catalogue: &Catalogue,
    facts: &Facts,
    addons: &AddonPlan<'_>,
    remove: Option<String>,
    plan: &mut Plan,
) -> Result<()> {
    refuse_taken_ports(facts)?;
    let name = settings.name.value.cluster();
    let count = node_count(&settings.profile.value);
    let profile = &settings.profile.value.name;
    // Everything that may be missing comes first: nothing is made or removed for a pull that
    // fails.
    provide(settings, catalogue, facts, "node", plan)?;
    addons.provide(settings, catalogue, facts, plan)?;
    let pulls: Vec<String> = plan.steps.iter().map(|step| step.id.clone()).collect();
    let mut needs: Vec<&str> = pulls.iter().map(String::as_str).collect();
    if let Some(title) = remove {
        plan.add("remains", title, &needs, Action::RemoveRemains);
    }
    needs.push("remains");
    plan.add("network", "make the network", &needs, Action::CreateNetwork);
    let title = format!("create cluster {name} (profile {profile}, {count} node(s))");
    plan.add("cluster", title, &["network"], Action::CreateCluster);
    // Beside the cluster's own step: it answers long before kind is done.
    plan.add("api", "wait for the API server", &["network"], Action::ReachApi);
    plan.add("nodes", "wait for the nodes", &["cluster", "api"], Action::NodesReady);
    Ok(())
}

/// Makes sure that the engine gets a catalogue image.
pub(super) fn provide(
    settings: &Settings,
    catalogue: &Catalogue,
    facts: &Facts,
    name: &str,
    plan: &mut Plan,
) -> Result<()> {
    let reference = &catalogue.image(name).reference;
    let have = facts.catalogue.get(name).and_then(Option::as_ref);
    let built = have.is_some_and(|image| image.labels.contains_key(RECIPE_LABEL));
    let missing = || {
        Error::new(Kind::Machine, format!("image `{reference}` is not in the Docker engine"))
            .hint(format!("images/build {name}"))
    };
    let pull = match (settings.source.value, have) {
        (Source::Packages, _) if built => false,
        (Source::Packages, _) => return Err(missing()),
        (Source::Auto, have) => have.is_none(),
        (Source::Registry, have) => !have.is_some_and(from_registry),
    };
    if pull {
        let title = format!("pull {reference}");
        plan.add(&format!("image {name}"), title, &[], Action::PullImage(name.to_owned()));
    }
    Ok(())
}

/// Whether a registry knows the image; one that was only built here has no digest there.
fn from_registry(image: &ImageInfo) -> bool {
    !image.repo_digests.is_empty()
}

/// Adds building images and bringing them to the nodes.
pub(super) fn images(
    settings: &Settings,
    facts: &Facts,
    fresh: bool,
    plan: &mut Plan,
) -> Result<()> {
    for fact in &facts.images {
        let index = settings.images.iter().position(|image| image.reference == fact.reference);
        let Some(index) = index else { continue };
        let reference = &fact.reference;
        let build = format!("build {reference}");
        if needs_build(facts, fact) {
            plan.add(&build, format!("build {reference}"), &[], Action::BuildImage(index));
        } else {
            check_image(facts, fact)?;
        }
        let loaded = !fresh && !plan.has(&build) && on_all_nodes(facts, fact);
        if loaded {
            plan.keep(format!("image {reference}"));
        } else {
            let load = Action::LoadImage(reference.clone());
            let title = format!("bring {reference} to the nodes");
            let needs = [build.as_str(), "network", "start"];
            plan.add(&format!("load {reference}"), title, &needs, load);
        }
    }
    Ok(())
}

/// An image is built when its input changed, or the engine no longer has what came out.
fn needs_build(facts: &Facts, fact: &ImageFact) -> bool {
    let Some(input) = &fact.input else { return false };
    let stamp = facts.record.as_ref().and_then(|record| record.builds.get(&fact.reference));
    match (stamp, &fact.engine) {
        (Some(stamp), Some(image)) => stamp.input != *input || stamp.image != image.id,
        _ => true,
    }
}

fn check_image(facts: &Facts, fact: &ImageFact) -> Result<()> {
    let reference = &fact.reference;
    let Some(image) = &fact.engine else {
        return Err(Error::new(
            Kind::Machine,
            format!("image `{reference}` is not in the Docker engine"),
        )
        .hint(format!("build it: docker build -t {reference} …"))
        .hint("or let the sandbox build it: add `build:` to its entry in sandbox.yaml"));
    };
    let wanted = &facts.engine.architecture;
    if !image.architecture.is_empty() && image.architecture != *wanted {
        return Err(Error::new(
            Kind::Machine,
            format!("image `{reference}` is for {}, the nodes are {wanted}", image.architecture),
        )
        .hint(format!("docker build --platform linux/{wanted} -t {reference} …")));
    }
    Ok(())
}

fn on_all_nodes(facts: &Facts, fact: &ImageFact) -> bool {
    let Some(id) = &fact.node_id else { return false };
    let name = full_name(&fact.reference);
    facts.nodes.len() == facts.node_images.len()
        && facts.node_images.values().all(|images| images.get(&name) == Some(id))
}

/// Addons that pods of the app need from their first moment.
const NEEDED_BY_PODS: [&str; 6] = ["crds", "app-config", "redis", "postgres", "s3", "telemetry"];

fn app(
    settings: &Settings,
    facts: &Facts,
    wanted: &Wanted<'_>,
    inside: &Inside,
    fresh: bool,
    plan: &mut Plan,
) {
    let Some(app) = &settings.app else { return };
    let stamp = facts.record.as_ref().filter(|_| !fresh).and_then(|record| record.app.as_ref());
    let same_input = stamp.map(|stamp| stamp.input.as_str()) == wanted.app_input;
    let status = inside.release.as_ref().map(|(status, _)| status.as_str());
    let deployed = status == Some("deployed");
    let loads: Vec<String> = plan
        .steps
        .iter()
        .filter(|step| matches!(step.action, Action::LoadImage(_)))
        .map(|step| step.id.clone())
        .collect();
    let mut needs: Vec<&str> = loads.iter().map(String::as_str).collect();
    needs.push("api");
    // What the chart brings from now on must not meet ours of the same name.
    let removals: Vec<String> = plan
        .steps
        .iter()
        .filter(|step| matches!(step.action, Action::RemoveAddon(_)))
        .map(|step| step.id.clone())
        .collect();
    needs.extend(removals.iter().map(String::as_str));
    needs.extend(NEEDED_BY_PODS);
    if wanted.kinds.contains(VOLUME_CLAIM) {
        needs.push("storage");
    }
    if wanted.kinds.iter().any(|kind| kind.starts_with("cert-manager.io/")) {
        needs.push("cert-manager");
    }
    if let Some(status) = status.filter(|status| status.starts_with("pending")) {
        let how =
            if inside.release_deployed_once { Recovery::RollBack } else { Recovery::Uninstall };
        let verb = if how == Recovery::RollBack { "roll back" } else { "remove" };
        let title = format!("{verb} release {}, which is {status}", app.release);
        plan.add("recover", title, &["api"], Action::RecoverRelease(how));
        needs.push("recover");
    }
    let install = !(same_input && deployed);
    if install {
        let title = format!("install release {} into {}", app.release, app.namespace);
        // What held its ports on the nodes goes with the release as it was.
        let yielded = stamp
            .filter(|stamp| stamp.brought.contains(telemetry::NAME))
            .and_then(|_| plan.steps.iter().position(|step| step.id == telemetry::NAME))
            .map(|at| plan.steps.remove(at));
        plan.add("install", title, &needs, Action::InstallApp);
        if let Some(mut step) = yielded {
            step.needs.push("install".to_owned());
            plan.steps.push(step);
        }
    } else if let Some((_, revision)) = &inside.release {
        plan.keep(format!("release {} (revision {revision})", app.release));
    }
    let restart = !fresh && stamp.is_some() && (!loads.is_empty() || !inside.stale.is_empty());
    if restart {
        let all = settings.images.iter().map(|image| image.reference.clone()).collect();
        let mut needs = needs.clone();
        needs.push("install");
        plan.add("restart", "restart what runs an old image", &needs, Action::RestartApp(all));
    }
    if install || restart || !inside.app_ready {
        let mut needs = needs;
        needs.extend(["install", "restart"]);
        plan.add("app", "wait for the app", &needs, Action::AppReady);
    }
    if settings.addons.ingress_nginx.options().is_some()
        && (plan.has("app") || plan.has("ingress-nginx"))
    {
        let needs = ["app", "ingress-nginx"];
        plan.add("routes", "wait for the app's addresses", &needs, Action::RoutesAnswer);
    }
}
