//! What is wanted, worked out: addons, values and the rendered chart.
//!
//! Owns putting settings, credentials and what was observed together before a plan is made.
//! Changes nothing but a folder of its own that is gone when this value is.

use std::collections::{BTreeMap, BTreeSet};

use crate::addons::connection::Fact;
use crate::addons::{self, Addon, Inputs, values};
use crate::app::{self, Rendered};
use crate::error::{Error, Kind, Result};
use crate::plan::facts::Facts;
use crate::settings::{App, Settings};
use crate::state::{AppStamp, Credentials, Place, Record, Scratch};
use crate::tools::program::Program;
use crate::world::World;

/// What is wanted.
#[derive(Debug)]
pub struct Desired {
    /// The settings, with value files that have the facts filled in.
    pub settings: Settings,
    /// The addons that are on.
    pub addons: Vec<Addon>,
    /// Keys, certificates and passwords; to be written before they are used.
    pub credentials: Credentials,
    /// The rendered chart, when the installed one is another or none.
    pub rendered: Option<Rendered>,
    /// Hash of everything that decides what gets installed.
    pub app_input: Option<String>,
    /// What the user should know.
    pub notes: Vec<String>,
    /// Holds the filled value files.
    _files: Scratch,
}

impl Desired {
    /// What the chart consists of, as `group/Kind`.
    #[must_use]
    pub fn kinds(&self, record: Option<&Record>) -> BTreeSet<String> {
        chart(self.rendered.as_ref(), installed(record)).kinds
    }
}

/// What is known of the chart without its objects.
#[derive(Debug, Default)]
struct Chart {
    hosts: Vec<String>,
    kinds: BTreeSet<String>,
    brought: BTreeSet<String>,
}

fn installed(record: Option<&Record>) -> Option<&AppStamp> {
    record.and_then(|record| record.app.as_ref())
}

fn chart(rendered: Option<&Rendered>, installed: Option<&AppStamp>) -> Chart {
    let (routes, kinds, brought) = match (rendered, installed) {
        (Some(new), _) => (&new.routes, &new.kinds, &new.brought),
        (None, Some(old)) => (&old.routes, &old.kinds, &old.brought),
        (None, None) => return Chart::default(),
    };
    let hosts: BTreeSet<String> = routes
        .iter()
        .map(|route| route.host.clone())
        .filter(|host| !host.is_empty() && !host.contains('*'))
        .collect();
    Chart { hosts: hosts.into_iter().collect(), kinds: kinds.clone(), brought: brought.clone() }
}

/// Works it out. `ports` are the addons' ports of 127.0.0.1 in the cluster that is or will be;
/// `fresh` says that a cluster will be made, in which nothing is installed yet.
///
/// # Errors
/// [`Kind::Settings`] when the chart does not render or a fact does not exist, [`Kind::Machine`]
/// when helm is needed and not there.
pub async fn desired(
    world: &World,
    settings: &Settings,
    place: &Place,
    facts: &Facts,
    ports: &BTreeMap<String, u16>,
    fresh: bool,
) -> Result<Desired> {
    let mut credentials = credentials(settings, place)?;
    let files = Scratch::of(place);
    let record = facts.record.as_ref();
    let given = settings;
    let mut settings = given.clone();
    let known = chart(None, installed(record));
    let program = if addons::need_program(&settings.addons) {
        Program::running(&world.cache()?)?.reference()
    } else {
        String::new()
    };
    let nothing = BTreeSet::new();
    let first = Inputs {
        settings: &settings,
        catalogue: &world.catalogue,
        ports,
        hosts: &known.hosts,
        kinds: &known.kinds,
        brought: &nothing,
        program: &program,
    };
    let offered = addons::offered(&first, &mut credentials)?;
    let (mut rendered, mut app_input) = (None, None);
    if let Some(app) = &settings.app {
        let values = values::files(app, &settings.shown(), &offered, &files)?;
        let app = App { values, ..app.clone() };
        let input = app::input_hash(&app, &settings.kubernetes.value)?;
        if fresh || !is_installed(facts, &input) {
            let manifest = world
                .helm()
                .await?
                .template(&app, &settings.kubernetes.value, &addons::api_versions(&settings.addons))
                .await?;
            rendered = Some(Rendered::read(&manifest, &app.namespace)?);
        }
        app_input = Some(input);
        settings.app = Some(app);
    }
    let mut known = chart(rendered.as_ref(), installed(record));
    let notes = leave_out(given, &mut known.brought);
    let inputs = Inputs {
        settings: &settings,
        catalogue: &world.catalogue,
        ports,
        hosts: &known.hosts,
        kinds: &known.kinds,
        brought: &known.brought,
        program: &program,
    };
    let addons = addons::all(&inputs, &mut credentials)?;
    Ok(Desired { addons, credentials, rendered, app_input, notes, settings, _files: files })
}

/// The credentials that are there, or new ones.
///
/// # Errors
/// When those that are there cannot be read.
pub fn credentials(settings: &Settings, place: &Place) -> Result<Credentials> {
    match place.credentials()? {
        Some(credentials) => Ok(credentials),
        None => Credentials::new(&settings.name.value),
    }
}

/// What the addons of a sandbox that is up offer: those that are installed, with the credentials
/// that they were installed with.
///
/// # Errors
/// [`Kind::Cluster`] when nothing was installed yet, else as [`addons::all`].
pub fn connections(
    world: &World,
    settings: &Settings,
    place: &Place,
    record: &Record,
) -> Result<Vec<Fact>> {
    let mut credentials = place.credentials()?.ok_or_else(|| {
        let message = format!("sandbox `{}` is only half made", settings.name.value);
        Error::new(Kind::Cluster, message).hint("sandbox up")
    })?;
    let mut brought = chart(None, record.app.as_ref()).brought;
    leave_out(settings, &mut brought);
    // What `sandbox.yaml` asks for since then is not there yet.
    let missing = addons::CONNECTED
        .iter()
        .filter(|name| record.addons.get(**name).is_none_or(|stamp| stamp.hash.is_empty()));
    brought.extend(missing.map(|&name| name.to_owned()));
    let inputs = Inputs {
        settings,
        catalogue: &world.catalogue,
        ports: &record.service_ports,
        hosts: &[],
        kinds: &BTreeSet::new(),
        brought: &brought,
        // What is offered does not depend on it.
        program: "",
    };
    addons::offered(&inputs, &mut credentials)
}

/// Whether exactly this is installed and helm is done with it.
fn is_installed(facts: &Facts, input: &str) -> bool {
    let same = installed(facts.record.as_ref()).is_some_and(|app| app.input == input);
    let release = facts.inside.as_ref().and_then(|inside| inside.release.as_ref());
    same && release.is_some_and(|(status, _)| status == "deployed")
}

/// Of what the chart brings itself ours is left out and that is said; unless the settings refer to
/// ours, which then has its reason to be there beside it.
fn leave_out(settings: &Settings, brought: &mut BTreeSet<String>) -> Vec<String> {
    let on = |name: &str| match name {
        "cert-manager" => settings.addons.cert_manager.options().is_some(),
        "metrics-server" => settings.addons.metrics_server.options().is_some(),
        "redis" => settings.addons.redis.options().is_some(),
        "postgres" => settings.addons.postgres.options().is_some(),
        "telemetry" => settings.addons.telemetry.options().is_some(),
        _ => false,
    };
    brought.retain(|name| on(name));
    let mut notes = Vec::new();
    let used: BTreeSet<String> =
        brought.iter().filter(|name| refers_to(settings, name)).cloned().collect();
    for name in &used {
        notes.push(format!(
            "the chart brings its own {name}; the sandbox's is there as well, as the settings \
             refer to `${{{name}.…}}`"
        ));
    }
    brought.retain(|name| !used.contains(name));
    for name in brought.iter() {
        notes.push(format!(
            "the chart brings its own {name}, so the sandbox's is left out \
             (`addons: {{{name}: false}}` says so, too)"
        ));
    }
    notes
}

fn refers_to(settings: &Settings, name: &str) -> bool {
    let mark = format!("${{{name}.");
    let entries = settings.secrets.iter().chain(&settings.config_maps);
    let in_entries = entries.flat_map(|entries| entries.data.values()).any(|t| t.contains(&mark));
    let in_app = settings.app.as_ref().is_some_and(|app| {
        let set = serde_json::Value::Object(app.set.clone()).to_string();
        let mut files = app.values.iter().filter_map(|path| std::fs::read_to_string(path).ok());
        set.contains(&mark) || files.any(|text| text.contains(&mark))
    });
    in_entries || in_app
}
