//! The shape of `sandbox.yaml`, strictly: an unknown key is an error.
//!
//! Owns the file's types and their doc comments, which are the reference for users. Must not
//! look at the disk or decide defaults that depend on other layers.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::SignedDuration;
use serde::Deserialize;

use crate::settings::addons::Addons;

use crate::settings::checks::Check;

/// The whole file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct File {
    /// Name of the sandbox: lower-case letters, digits and `-`, at most 40 long.
    /// Default: the name of the folder that holds the file.
    pub name: Option<String>,
    /// Which cloud to answer like: `minimal` or `eks`. Default: `minimal`.
    pub profile: Option<String>,
    /// Kubernetes minor version, such as `"1.34"`. Default: the catalogue's.
    pub kubernetes: Option<String>,
    /// Where third-party images come from: `auto`, `registry` or `packages`. Default: `auto`.
    pub source: Option<String>,
    /// Ports on 127.0.0.1. Default: 8080 and 8443, or free ones when those are taken.
    #[serde(default)]
    pub ports: Ports,
    /// Where to pull from instead of the public registries.
    #[serde(default)]
    pub registry_mirrors: BTreeMap<String, Mirror>,
    /// The images of the app that are built or found on this machine.
    #[serde(default)]
    pub images: Vec<AppImage>,
    /// The app to install.
    pub app: Option<App>,
    /// What the sandbox installs for the app.
    #[serde(default)]
    pub addons: Addons,
    /// Secrets to make for the app before its chart is installed.
    #[serde(default)]
    pub secrets: Vec<Entries>,
    /// `ConfigMap`s to make for the app before its chart is installed.
    #[serde(default)]
    pub config_maps: Vec<Entries>,
    /// The smoke tests.
    #[serde(default)]
    pub checks: Vec<Check>,
}

/// Ports on 127.0.0.1.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Ports {
    /// Port of the ingress controller for plain HTTP.
    pub http: Option<u16>,
    /// Port of the ingress controller for HTTPS.
    pub https: Option<u16>,
}

/// One registry mirror, under the name of the registry it stands for (such as `docker.io`).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Mirror {
    /// `host[:port][/path]` of the mirror.
    pub to: String,
    /// Accept images whose digest is not the catalogue's, because the mirror holds images that
    /// were built by `images/build`. Default: false.
    #[serde(default)]
    pub own_digests: bool,
}

/// One image of the app.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AppImage {
    /// The reference that the chart uses.
    #[serde(rename = "ref")]
    pub reference: String,
    /// How to build it. Without it, the image must be in the Docker engine already.
    pub build: Option<Build>,
}

/// How to build an image.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Build {
    /// Folder to build from, relative to `sandbox.yaml`. Default: its own folder.
    #[serde(default = "here")]
    pub context: PathBuf,
    /// Dockerfile, relative to the context. Default: `Dockerfile`.
    #[serde(default = "dockerfile")]
    pub dockerfile: PathBuf,
    /// Build arguments.
    #[serde(default)]
    pub args: BTreeMap<String, String>,
    /// Stage to stop at. Default: the last.
    pub target: Option<String>,
    /// Network of `RUN` commands: `default`, `host` or `none`. Default: `default`.
    pub network: Option<String>,
}

fn here() -> PathBuf {
    PathBuf::from(".")
}

fn dockerfile() -> PathBuf {
    PathBuf::from("Dockerfile")
}

/// The app to install.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct App {
    /// A Helm chart.
    pub chart: Chart,
    /// How long the app may take to become ready. Default: `5m`.
    pub timeout: Option<SignedDuration>,
    /// How long a running container may fail its readiness probe before the app counts as
    /// failed. Default: `60s`.
    pub unready_after: Option<SignedDuration>,
}

/// A Helm chart and how to install it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Chart {
    /// Folder of the chart, relative to `sandbox.yaml`.
    pub path: PathBuf,
    /// Name of the release. Default: `name:`, else the name of the folder that holds the file.
    pub release: Option<String>,
    /// Namespace to install into; made when absent. Default: the release's name.
    pub namespace: Option<String>,
    /// Value files, later ones win, relative to `sandbox.yaml`.
    #[serde(default)]
    pub values: Vec<PathBuf>,
    /// Values given here, which win over all files. In them, as in value files, `${redis.url}`
    /// and the like stand for what the addons offer.
    #[serde(default)]
    pub set: serde_json::Map<String, serde_json::Value>,
}

/// One Secret or `ConfigMap` to make for the app.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Entries {
    /// Its name.
    pub name: String,
    /// Its namespace. Default: that of the app.
    pub namespace: Option<String>,
    /// What is in it; `${redis.url}` and the like stand for what the addons offer.
    #[serde(default)]
    pub data: BTreeMap<String, String>,
}
