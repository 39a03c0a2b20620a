//! The shape of `sandbox.yaml`, strictly: an unknown key is an error.
//!
//! Owns the file's types and their doc comments, which are the reference for users. Must not
//! look at the disk or decide defaults that depend on other layers.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::SignedDuration;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor, value::MapAccessDeserializer};

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
}

/// What the sandbox installs for the app.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Addons {
    /// The ingress controller. Default: on.
    #[serde(default)]
    pub ingress_nginx: Toggle<IngressNginx>,
}

/// Options of the ingress controller.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct IngressNginx {
    /// Entries of the controller's `ConfigMap`, as ingress-nginx documents them.
    #[serde(default)]
    pub config: BTreeMap<String, String>,
    /// Another controller image than the catalogue's; it must be in the Docker engine.
    pub image: Option<String>,
}

/// An addon's entry: `false`, `true` or its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Toggle<T> {
    /// Turned off.
    Off,
    /// Turned on, with options.
    On(T),
}

impl<T: Default> Default for Toggle<T> {
    fn default() -> Self {
        Self::On(T::default())
    }
}

impl<T> Toggle<T> {
    /// The options, when the addon is on.
    pub fn options(&self) -> Option<&T> {
        match self {
            Toggle::Off => None,
            Toggle::On(options) => Some(options),
        }
    }
}

impl<'de, T: Default + Deserialize<'de>> Deserialize<'de> for Toggle<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<T>(std::marker::PhantomData<T>);
        impl<'de, T: Default + Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = Toggle<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("`true`, `false` or a map of options")
            }

            fn visit_bool<E>(self, on: bool) -> Result<Self::Value, E> {
                Ok(if on { Toggle::default() } else { Toggle::Off })
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Toggle::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Toggle::On)
            }
        }
        deserializer.deserialize_any(Either(std::marker::PhantomData))
    }
}

/// One smoke test: a name, exactly one kind, and how long to keep trying.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Check {
    /// What is promised, in words; unique.
    pub name: String,
    /// An HTTP request and what is expected of the answer.
    pub http: Option<Http>,
    /// How long to try again until the check holds. Default: `10s`.
    pub within: Option<SignedDuration>,
}

/// An HTTP request and what is expected of the answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Http {
    /// Where to. A `*.localhost` name without a port goes to the sandbox's ingress.
    pub url: String,
    /// Method. Default: `GET`.
    pub method: Option<String>,
    /// Request headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Request body.
    pub body: Option<String>,
    /// Send the request this many times; every answer must be as expected. Default: 1.
    pub times: Option<u32>,
    /// What the answer must be like. Default: status 200.
    #[serde(default)]
    pub expect: HttpExpect,
}

/// What an HTTP answer must be like; everything given must hold.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct HttpExpect {
    /// Status code. Default: 200.
    pub status: Option<u16>,
    /// Headers whose value must match the regular expression.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// A regular expression that the body must contain.
    pub body: Option<String>,
    /// JSON that the body must contain: maps are compared key by key, the rest exactly.
    pub json: Option<serde_json::Value>,
    /// Where a redirect leads; redirects are not followed when this is given.
    pub location: Option<String>,
    /// With `times`: at least this many different bodies, which shows that replicas share the
    /// work.
    pub distinct_bodies: Option<u32>,
}
