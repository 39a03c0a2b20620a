//! `sandbox test`: runs the checks; with `--ephemeral` makes a sandbox for them and always takes
//! it down again.
//!
//! Owns the verdict. The checks themselves are in `checks`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::json;

use super::{Outcome, down, interruptible, page, up};
use crate::addons;
use crate::app::VOLUME_CLAIM;
use crate::checks::built_in::BuiltIn;
use crate::checks::{self, CheckResult, S3Service, Service, Target, TelemetryService};
use crate::desired::connections;
use crate::diagnostics;
use crate::error::{Context, Error, Kind, Result};
use crate::profile::{Profile, StorageClass};
use crate::report::event::Event;
use crate::settings::Settings;
use crate::settings::checks::Check;
use crate::state::{Place, Record};
use crate::tools::s3::Access;
use crate::world::World;

/// What the flags say.
#[derive(Debug, Clone, Default)]
pub(super) struct Options {
    /// A sandbox of its own, taken down at the end.
    pub ephemeral: bool,
    /// Names of the checks to run; none = all.
    pub only: Vec<String>,
    /// Where to write a `JUnit` report.
    pub junit: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// When the checks could not be run. Checks that ran and failed are bad news, not an error.
pub(super) async fn run(world: &World, settings: &Settings, options: &Options) -> Result<Outcome> {
    // A slip in a name is told before a cluster is made or looked for.
    let known = all(settings, &built_in(settings, None));
    let named = options.only.iter().filter(|name| !name.starts_with(OF_A_HOST)).cloned();
    let named: Vec<String> = named.collect();
    checks::select(&known, &named)?;
    if known.is_empty() && settings.app.is_none() {
        return Err(no_checks());
    }
    if options.ephemeral {
        return ephemeral(world, settings, options).await;
    }
    interruptible(&world.cancel, verdict(world, settings, options)).await
}

fn no_checks() -> Error {
    Error::new(Kind::Settings, "there are no checks to run").hint("add `checks:` to sandbox.yaml")
}

/// How the names of checks begin that are only known when the chart is rendered.
const OF_A_HOST: &str = "tls: ";

/// The checks of `sandbox.yaml`, and the built-in ones that it has none of that name for.
fn all(settings: &Settings, built_in: &BuiltIn) -> Vec<Check> {
    let mut checks = settings.checks.clone();
    let extra = checks::built_in::checks(built_in);
    let names: BTreeSet<String> = checks.iter().map(|check| check.name.clone()).collect();
    checks.extend(extra.into_iter().filter(|check| !names.contains(&check.name)));
    checks
}

/// What there is to check by itself. Volumes only when the app has some, as that takes seconds.
fn built_in(settings: &Settings, record: Option<&Record>) -> BuiltIn {
    let (on, profile) = (&settings.addons, &settings.profile.value);
    let is_on =
        |name: &str, on: bool| on && record.is_none_or(|record| record.addons.contains_key(name));
    let app = record.and_then(|record| record.app.as_ref());
    // Without a record: all that there may be.
    let has_shell = settings.addons.ingress_nginx.options().is_some()
        || on.redis.options().is_some()
        || on.postgres.options().is_some();
    let has_volumes =
        has_shell && record.is_none_or(|_| app.is_some_and(|app| app.kinds.contains(VOLUME_CLAIM)));
    let routes = || app.iter().flat_map(|app| &app.routes);
    // Then the app answers what the controller would.
    let any_host = routes().any(|route| route.host.is_empty() || route.host.contains('*'));
    let routes = routes().filter(|route| route.tls && route.signed);
    let hosts: BTreeSet<String> =
        routes.map(|route| route.host.clone()).filter(|host| !host.contains('*')).collect();
    BuiltIn {
        ingress: !any_host && is_on("ingress-nginx", on.ingress_nginx.options().is_some()),
        cert_manager: is_on("cert-manager", on.cert_manager.options().is_some()),
        redis: is_on("redis", on.redis.options().is_some()),
        postgres: is_on("postgres", on.postgres.options().is_some()),
        unreachable: record.map_or_else(BTreeSet::new, |record| {
            let names = addons::CONNECTED.iter().map(|&name| name.to_owned());
            names.filter(|name| !record.service_ports.contains_key(name)).collect()
        }),
        s3: is_on("s3", on.s3.options().is_some()),
        telemetry: is_on("telemetry", on.telemetry.options().is_some()),
        metrics_server: is_on("metrics-server", on.metrics_server.options().is_some()),
        storage_classes: if has_volumes { one_of_each(profile) } else { Vec::new() },
        default_class: has_volumes
            && (profile.storage_classes.is_empty()
                || profile.storage_classes.iter().any(|class| class.default)),
        hosts_with_tls: hosts.into_iter().collect(),
    }
}

/// One storage class of each provisioner that is not the default one, which is checked anyway.
fn one_of_each(profile: &Profile) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let classes = profile.storage_classes.iter();
    let mut known: Vec<&StorageClass> = classes.collect();
    known.sort_by_key(|class| !class.default);
    known.retain(|class| seen.insert(&class.provisioner));
    known.into_iter().filter(|class| !class.default).map(|class| class.name.clone()).collect()
}

/// What checks are made against.
fn target(world: &World, settings: &Settings, place: &Place, record: &Record) -> Result<Target> {
    let facts = connections(world, settings, place, record)?;
    let fact = |key: String| facts.iter().find(|fact| fact.key == key);
    let service = |name: &str| {
        let text = |end: &str| fact(format!("{name}.{end}")).map(|fact| fact.cluster.clone());
        Some(Service {
            host_port: record.service_ports.get(name).copied(),
            cluster_host: text("host")?,
            port: text("port")?.parse().ok()?,
            user: text("user").unwrap_or_default(),
            password: text("password").unwrap_or_default(),
            database: text("database").unwrap_or_default(),
            tls: text("tls").is_some_and(|tls| tls == "true")
                || text("sslmode").is_some_and(|mode| mode == "require"),
            image: world.catalogue.image(name).reference.clone(),
        })
    };
    let services: BTreeMap<String, Service> = ["redis", "postgres"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), service(name)?)))
        .collect();
    let probe_image = services.values().map(|service| service.image.clone()).next().or_else(|| {
        let ingress = settings.addons.ingress_nginx.options()?;
        let known = &world.catalogue.image("ingress-nginx").reference;
        Some(ingress.image.clone().unwrap_or_else(|| known.clone()))
    });
    let text = |key: &str| fact(key.to_owned()).map(|fact| fact.cluster.clone());
    let program = record.program.clone().unwrap_or_default();
    let s3 = match text("s3.endpoint") {
        None => None,
        Some(endpoint) => {
            let access = Access {
                endpoint,
                region: text("s3.region").unwrap_or_default(),
                access_key: text("s3.access-key").unwrap_or_default(),
                secret_key: text("s3.secret-key").unwrap_or_default(),
                virtual_host: false,
            };
            Some(S3Service {
                access,
                reachable: record.service_ports.contains_key("s3"),
                bucket: text("s3.bucket"),
                program: program.clone(),
            })
        }
    };
    let telemetry = text("telemetry.otlp-http").map(|otlp_url| TelemetryService {
        port: record.service_ports.get("telemetry").copied(),
        otlp_port: record.service_ports.get("otlp").copied(),
        otlp_url,
        program: program.clone(),
    });
    let namespace = settings.app.as_ref().map_or("default", |app| app.namespace.as_str());
    Ok(Target {
        http_port: record.ports.http,
        https_port: record.ports.https,
        ca: place.credentials()?.map(|credentials| credentials.ca_certificate().to_owned()),
        kubeconfig: Some(place.kubeconfig()),
        namespace: namespace.to_owned(),
        services,
        probe_image,
        s3,
        telemetry,
    })
}

async fn ephemeral(world: &World, settings: &Settings, options: &Options) -> Result<Outcome> {
    let id = uuid::Uuid::new_v4().simple().to_string();
    let settings = settings.clone().ephemeral(&format!("t{}", &id[..6]));
    let tested = async {
        up::run(world, &settings, &up::Options::default()).await?;
        interruptible(&world.cancel, verdict(world, &settings, options)).await
    };
    let tested = tested.await;
    // Always, and not interruptible: a second Ctrl-C ends the program at once.
    let gone = down::one(world, &settings).await;
    match (tested, gone) {
        (Ok(outcome), Ok(_)) => Ok(outcome),
        (Ok(_), Err(left)) => Err(left),
        (Err(error), Ok(_)) => Err(error),
        (Err(error), Err(left)) => {
            Err(error.hint(format!("also, it could not be removed: {left}")))
        }
    }
}

async fn verdict(world: &World, settings: &Settings, options: &Options) -> Result<Outcome> {
    let place = world.place(&settings.name.value)?;
    let record = place.record()?.ok_or_else(|| {
        Error::new(Kind::Cluster, format!("sandbox `{}` is not up", settings.name.value))
            .hint("sandbox up")
            .hint("or `sandbox test --ephemeral` for a sandbox of its own")
    })?;
    let known = all(settings, &built_in(settings, Some(&record)));
    let chosen = &checks::select(&known, &options.only)?;
    if chosen.is_empty() {
        return Err(no_checks());
    }
    let target = target(world, settings, &place, &record)?;
    let title = format!("sandbox {}: {} check(s)", settings.name.value, chosen.len());
    world.events.send(Event::Started { title });
    let results = checks::run(chosen, &target, &world.events).await;
    if let Some(path) = &options.junit {
        let report = checks::junit(settings.name.value.as_str(), &results);
        std::fs::write(path, report)
            .context(Kind::Machine, || format!("cannot write `{}`", path.display()))?;
    }
    page::tell(settings, &record, Some(&results)).await;
    let failed = results.iter().filter(|result| !result.passed).count();
    let mut text = table(&results);
    let mut evidence = None;
    if failed > 0 {
        let folder = diagnostics::save(world, settings, &place).await?;
        diagnostics::add(&folder, "checks.json", &json!(results).to_string())?;
        text.push_str(&format!("evidence is in {}\n", folder.display()));
        evidence = Some(folder);
    }
    let data = json!({
        "name": settings.name.value.as_str(),
        "passed": results.len() - failed,
        "failed": failed,
        "checks": results,
        "evidence": evidence,
    });
    Ok(Outcome { text, data, bad_news: (failed > 0).then_some(Kind::Checks) })
}

fn table(results: &[CheckResult]) -> String {
    let mut text = String::new();
    for result in results {
        let mark = if result.passed { "pass" } else { "FAIL" };
        let seconds = result.took.as_secs_f64();
        text.push_str(&format!("{mark}  {} ({seconds:.1}s): {}\n", result.name, result.detail));
    }
    let failed = results.iter().filter(|result| !result.passed).count();
    text.push_str(&format!("{} passed, {failed} failed\n", results.len() - failed));
    text
}
