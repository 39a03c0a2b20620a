//! Addons: what the sandbox installs for the app.
//!
//! Owns the list of addons and what each must offer: its objects, the images they need, when it
//! counts as ready, and how it is connected to. One file an addon. Pure: applying is done by
//! `steps`.

pub mod app_config;
mod cert_manager;
pub mod connection;
pub mod crds;
pub mod ingress_nginx;
pub mod manifest;
mod metrics_server;
pub mod names;
mod postgres;
mod redis;
pub mod s3;
pub mod storage;
pub mod telemetry;
#[cfg(test)]
mod tests;
pub mod values;

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::addons::connection::Fact;
use crate::addons::names::Alias;
use crate::app::Workload;
use crate::catalogue::Catalogue;
use crate::error::Result;
use crate::settings::Settings;
use crate::settings::addons::Addons;
use crate::state::Credentials;
use crate::tools::kube::Object;

/// Label on everything an addon applies.
pub const ADDON_LABEL: &str = "dev.sandbox/addon";
/// Namespace of the services that the sandbox runs for the app.
pub const NAMESPACE: &str = "sandbox-system";

/// One addon that is on, as plain data.
#[derive(Debug, Clone)]
pub struct Addon {
    /// Its name, as in `sandbox.yaml`.
    pub name: &'static str,
    /// Images that the node which carries the addons must have.
    pub images: Vec<Image>,
    /// Definitions to apply before anything else.
    pub definitions: Vec<Definitions>,
    /// Its objects.
    pub objects: Vec<Object>,
    /// What must be true beside all its workloads being ready.
    pub probe: Probe,
    /// Objects that can only be applied once it is ready.
    pub last: Vec<Object>,
    /// How it is connected to.
    pub facts: Vec<Fact>,
    /// Names in the cluster's DNS that are its Services.
    pub aliases: Vec<Alias>,
}

/// What must be true of an addon beside its workloads being ready.
#[derive(Debug, Clone)]
pub enum Probe {
    /// Nothing.
    None,
    /// Creating this object would work; nothing is created.
    Create(Box<Object>),
    /// Metrics of all nodes are there.
    NodeMetrics,
}

/// Definitions of custom resources out of a manifest set of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definitions {
    /// The set.
    pub set: &'static str,
    /// Only those of these kinds; absent = all.
    pub kinds: Option<BTreeSet<String>>,
    /// Checksum of the set, so that another version of it is applied.
    pub sha256: String,
}

impl Definitions {
    /// All definitions of a set.
    fn all(catalogue: &Catalogue, set: &'static str) -> Self {
        Self { set, kinds: None, sha256: catalogue.manifests[set].sha256.clone() }
    }

    /// Whether the text of a definition is wanted.
    #[must_use]
    pub fn want(&self, text: &str) -> bool {
        let kind = |line: &str| line.strip_prefix("    kind: ").map(str::trim).map(str::to_owned);
        self.kinds.as_ref().is_none_or(|kinds| {
            text.lines().find_map(kind).is_some_and(|kind| kinds.contains(&kind))
        })
    }
}

/// An image of an addon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its reference.
    pub reference: String,
    /// Its short name in the catalogue; absent when the user named another one, or it is none of
    /// the catalogue's.
    pub catalogue: Option<String>,
    /// It is this very program, which all nodes get.
    pub program: bool,
}

impl Image {
    /// The catalogue's image of that short name.
    fn of(catalogue: &Catalogue, name: &str) -> Self {
        let reference = catalogue.image(name).reference.clone();
        Self { reference, catalogue: Some(name.to_owned()), program: false }
    }

    /// An image that the user named; it must be in the engine.
    fn named(reference: &str) -> Self {
        Self { reference: reference.to_owned(), catalogue: None, program: false }
    }

    /// This very program.
    fn of_program(reference: &str) -> Self {
        Self { program: true, ..Self::named(reference) }
    }
}

impl Addon {
    /// An addon of objects and nothing else.
    fn of(name: &'static str, objects: Vec<Object>) -> Self {
        Self {
            name,
            images: Vec::new(),
            definitions: Vec::new(),
            objects,
            probe: Probe::None,
            last: Vec::new(),
            facts: Vec::new(),
            aliases: Vec::new(),
        }
    }

    /// A hash of all that is applied, so that an unchanged addon is not applied again.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut all = Sha256::new();
        for definitions in &self.definitions {
            all.update(definitions.set);
            all.update(&definitions.sha256);
            all.update(definitions.kinds.iter().flatten().cloned().collect::<Vec<_>>().join(","));
        }
        all.update(hash(&self.objects));
        all.update(hash(&self.last));
        all.update(format!("{:?}", self.aliases));
        format!("{:x}", all.finalize())
    }

    /// What must become ready.
    #[must_use]
    pub fn workloads(&self) -> Vec<Workload> {
        let kinds = ["Deployment", "StatefulSet", "DaemonSet"];
        let workloads = self.objects.iter().filter(|object| kinds.contains(&object.kind()));
        workloads
            .map(|object| Workload {
                kind: object.kind().to_owned(),
                namespace: object.namespace().to_owned(),
                name: object.name().to_owned(),
                images: Vec::new(),
            })
            .collect()
    }
}

/// A hash of objects.
fn hash(objects: &[Object]) -> String {
    let mut hash = Sha256::new();
    for object in objects {
        hash.update(object.value.to_string());
    }
    format!("{:x}", hash.finalize())
}

/// What addons are made from.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// The settings.
    pub settings: &'a Settings,
    /// The pinned list.
    pub catalogue: &'a Catalogue,
    /// Ports of 127.0.0.1 by addon.
    pub ports: &'a BTreeMap<String, u16>,
    /// Hosts that the app's Ingresses serve.
    pub hosts: &'a [String],
    /// What the app's chart consists of, as `group/Kind`.
    pub kinds: &'a BTreeSet<String>,
    /// Addons that the app brings itself: theirs is used and ours left out.
    pub brought: &'a BTreeSet<String>,
    /// The image of this very program.
    pub program: &'a str,
}

/// All addons that are on, in the order in which they are told.
///
/// # Errors
/// When certificates cannot be made, or a fact that the settings refer to does not exist.
pub fn all(inputs: &Inputs<'_>, credentials: &mut Credentials) -> Result<Vec<Addon>> {
    let mut addons: Vec<Addon> = [
        ingress_nginx::addon(inputs, credentials)?,
        cert_manager::addon(inputs, credentials)?,
        metrics_server::addon(inputs),
        redis::addon(inputs, credentials)?,
        postgres::addon(inputs, credentials)?,
        s3::addon(inputs, credentials)?,
        telemetry::addon(inputs),
        storage::addon(inputs),
        crds::addon(inputs),
    ]
    .into_iter()
    .flatten()
    .filter(|addon| !inputs.brought.contains(addon.name))
    .collect();
    let facts = facts(&addons, credentials);
    addons.extend(app_config::addon(inputs, credentials, &facts)?);
    Ok(addons)
}

/// Addons that are connected to, by name.
pub const CONNECTED: [&str; 4] = [redis::NAME, postgres::NAME, s3::NAME, telemetry::NAME];

/// What the addons offer, without making those that offer nothing.
///
/// # Errors
/// As [`all`].
pub fn offered(inputs: &Inputs<'_>, credentials: &mut Credentials) -> Result<Vec<Fact>> {
    let addons = [
        redis::addon(inputs, credentials)?,
        postgres::addon(inputs, credentials)?,
        s3::addon(inputs, credentials)?,
        telemetry::addon(inputs),
    ];
    let addons = addons.into_iter().flatten();
    let ours: Vec<Addon> = addons.filter(|addon| !inputs.brought.contains(addon.name)).collect();
    Ok(facts(&ours, credentials))
}

fn facts(addons: &[Addon], credentials: &Credentials) -> Vec<Fact> {
    let mut facts: Vec<Fact> = addons.iter().flat_map(|addon| addon.facts.clone()).collect();
    facts.extend(connection::authority(credentials));
    facts
}

/// API versions that the addons add to a cluster, for charts that ask before they use one.
#[must_use]
pub fn api_versions(addons: &Addons) -> Vec<String> {
    let mut versions = Vec::new();
    if addons.cert_manager.options().is_some() {
        versions.extend(["cert-manager.io/v1", "cert-manager.io/v1/Certificate"]);
        versions.extend(["cert-manager.io/v1/Issuer", "cert-manager.io/v1/ClusterIssuer"]);
    }
    if addons.metrics_server.options().is_some() {
        versions.push("metrics.k8s.io/v1beta1");
    }
    versions.extend(crds::api_versions(&addons.crds));
    versions.into_iter().map(str::to_owned).collect()
}

/// Addons with a port of their own on 127.0.0.1: name, port in the cluster, and the port that the
/// settings ask for.
#[must_use]
pub fn host_ports(addons: &Addons) -> Vec<(&'static str, u16, Option<u16>)> {
    let redis = addons.redis.options().map(|redis| (redis::NAME, redis::PORT, redis.host_port));
    let postgres = addons
        .postgres
        .options()
        .map(|options| (postgres::NAME, postgres::PORT, options.host_port));
    let s3 = addons.s3.options().map(|options| (s3::NAME, s3::PORT, options.host_port));
    let telemetry = addons.telemetry.options().map(|options| {
        [
            (telemetry::NAME, telemetry::PORT, options.host_port),
            (telemetry::DATADOG, telemetry::DATADOG_PORT, options.datadog_port),
            (telemetry::OTLP, telemetry::OTLP_PORT, options.otlp_port),
        ]
    });
    let one_each = [redis, postgres, s3].into_iter().flatten();
    one_each.chain(telemetry.into_iter().flatten()).collect()
}

/// The ports that addons are to have on this machine and that are not among `ports`.
#[must_use]
pub fn unpublished(addons: &Addons, ports: &BTreeMap<String, u16>) -> Vec<(&'static str, u16)> {
    host_ports(addons)
        .into_iter()
        .filter(|(name, _, asked)| {
            let has = ports.get(*name);
            has.is_none() || asked.is_some_and(|asked| has != Some(&asked))
        })
        .map(|(name, usual, asked)| (name, asked.unwrap_or(usual)))
        .collect()
}

/// Whether an addon is on that is this very program.
#[must_use]
pub fn need_program(addons: &Addons) -> bool {
    addons.s3.options().is_some() || addons.telemetry.options().is_some()
}
