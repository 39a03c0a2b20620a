//! The addons' part of `sandbox.yaml`, strictly.
//!
//! Owns the options of each addon; their doc comments are the reference for users. Must not say
//! what an addon consists of.

mod own;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use own::{S3, Telemetry};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// What the sandbox installs for the app. Each entry is `true`, `false` or a map of options.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Addons {
    /// The ingress controller. Default: on.
    pub ingress_nginx: Toggle<IngressNginx>,
    /// Certificates by a CA of the sandbox's own. Default: on.
    pub cert_manager: Toggle<CertManager>,
    /// CPU and memory figures for `kubectl top` and for HPAs. Default: on.
    pub metrics_server: Toggle<MetricsServer>,
    /// Redis. Default: off.
    pub redis: Toggle<Redis>,
    /// `PostgreSQL`. Default: off.
    pub postgres: Toggle<Postgres>,
    /// A mock S3. Default: off.
    pub s3: Toggle<S3>,
    /// A collector for traces, metrics and logs, in Datadog's and OpenTelemetry's protocols.
    /// Default: off.
    pub telemetry: Toggle<Telemetry>,
    /// Custom resources that are accepted so that charts apply. Default: `auto`.
    pub crds: Crds,
}

impl Default for Addons {
    fn default() -> Self {
        Self {
            ingress_nginx: Toggle::default(),
            cert_manager: Toggle::default(),
            metrics_server: Toggle::default(),
            redis: Toggle::Off,
            postgres: Toggle::Off,
            s3: Toggle::Off,
            telemetry: Toggle::Off,
            crds: Crds::default(),
        }
    }
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

/// Options of cert-manager.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CertManager {
    /// Names of more `ClusterIssuer`s that the app's Ingresses refer to; each is signed by the
    /// sandbox's CA. `letsencrypt-prod`, `letsencrypt-staging`, `sandbox-ca` and `selfsigned` are
    /// always there.
    #[serde(default)]
    pub issuers: Vec<String>,
}

/// Options of metrics-server; there are none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MetricsServer {}

/// Options of Redis.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Redis {
    /// Password of the default user. Default: a random one; `""` = none.
    pub password: Option<Password>,
    /// TLS with a certificate by the sandbox's CA, on the same port (`rediss://`). Default: false.
    pub tls: bool,
    /// Memory limit, such as `256mb`. Default: none.
    pub maxmemory: Option<Size>,
    /// What is evicted when memory is full, as Redis names it. Default: `noeviction`.
    pub maxmemory_policy: MaxmemoryPolicy,
    /// Keep data when the pod restarts. Default: true.
    pub persistence: bool,
    /// Port of 127.0.0.1. Default: 6379, or the next free one.
    pub host_port: Option<u16>,
}

impl Default for Redis {
    fn default() -> Self {
        Self {
            password: None,
            tls: false,
            maxmemory: None,
            maxmemory_policy: MaxmemoryPolicy::default(),
            persistence: true,
            host_port: None,
        }
    }
}

/// A password; it does not show itself to debuggers.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Password(pub String);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password")
    }
}

/// What Redis evicts when its memory is full.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are Redis' own")]
pub enum MaxmemoryPolicy {
    #[default]
    Noeviction,
    AllkeysLru,
    AllkeysLfu,
    AllkeysRandom,
    VolatileLru,
    VolatileLfu,
    VolatileRandom,
    VolatileTtl,
}

impl MaxmemoryPolicy {
    /// The name in Redis' configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Noeviction => "noeviction",
            Self::AllkeysLru => "allkeys-lru",
            Self::AllkeysLfu => "allkeys-lfu",
            Self::AllkeysRandom => "allkeys-random",
            Self::VolatileLru => "volatile-lru",
            Self::VolatileLfu => "volatile-lfu",
            Self::VolatileRandom => "volatile-random",
            Self::VolatileTtl => "volatile-ttl",
        }
    }
}

/// An amount of memory as Redis writes it: a number with `kb`, `mb` or `gb`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Size(String);

impl Size {
    /// The text, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?.to_lowercase();
        let digits = text.trim_end_matches(|c: char| c.is_ascii_lowercase());
        let unit = &text[digits.len()..];
        let number = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit());
        if number && ["kb", "mb", "gb"].contains(&unit) {
            return Ok(Self(text));
        }
        Err(D::Error::custom(format!("`{text}` is no amount of memory such as `256mb`")))
    }
}

/// Options of `PostgreSQL`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Postgres {
    /// Databases; made when absent, never dropped. Default: one named `app`.
    pub databases: Vec<Database>,
    /// Users beside the owners of databases.
    pub users: Vec<User>,
    /// Password of the superuser `postgres`. Default: a random one.
    pub password: Option<Password>,
    /// Only connections with TLS, by a certificate of the sandbox's CA, as RDS has it from 15 on.
    /// Default: true.
    pub tls: bool,
    /// SQL files, relative to `sandbox.yaml`, run once each, in order, in the first database by
    /// the superuser.
    pub init: Vec<PathBuf>,
    /// Keep data when the pod restarts. Default: true.
    pub persistence: bool,
    /// Port of 127.0.0.1. Default: 5432, or the next free one.
    pub host_port: Option<u16>,
}

impl Default for Postgres {
    fn default() -> Self {
        Self {
            databases: vec![Database::named("app".to_owned())],
            users: Vec::new(),
            password: None,
            tls: true,
            init: Vec::new(),
            persistence: true,
            host_port: None,
        }
    }
}

/// One database: its name, or a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// Its name.
    pub name: String,
    /// The user that owns it. Default: a user of the database's name.
    pub owner: String,
    /// Extensions to create in it.
    pub extensions: Vec<String>,
}

impl Database {
    fn named(name: String) -> Self {
        Self { owner: name.clone(), name, extensions: Vec::new() }
    }
}

/// The map form of a database.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct DatabaseMap {
    name: String,
    owner: Option<String>,
    #[serde(default)]
    extensions: Vec<String>,
}

impl<'de> Deserialize<'de> for Database {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Database;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the name of a database, or a map with `name`")
            }

            fn visit_str<E>(self, name: &str) -> Result<Database, E> {
                Ok(Database::named(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Database, A::Error> {
                let map = DatabaseMap::deserialize(MapAccessDeserializer::new(map))?;
                let owner = map.owner.unwrap_or_else(|| map.name.clone());
                Ok(Database { name: map.name, owner, extensions: map.extensions })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// One user of `PostgreSQL`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct User {
    /// Its name.
    pub name: String,
    /// Its password. Default: a random one.
    pub password: Option<Password>,
}

/// API groups whose custom resources can be accepted.
pub const KNOWN_GROUPS: [&str; 8] = [
    "dapr.io",
    "elbv2.k8s.aws",
    "external-secrets.io",
    "generators.external-secrets.io",
    "keda.sh",
    "monitoring.coreos.com",
    "secrets-store.csi.x-k8s.io",
    "snapshot.storage.k8s.io",
];

/// The `ConfigMap` with the sandbox's own CA, which is made in the app's namespace.
pub const OWN_CONFIG_MAP: &str = "sandbox-ca";

/// Which custom resources are accepted without anything acting on them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Crds {
    /// Those that the rendered chart uses.
    #[default]
    Auto,
    /// All that the sandbox knows.
    All,
    /// None.
    Off,
    /// Those of these API groups.
    Groups(Vec<String>),
}

impl<'de> Deserialize<'de> for Crds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Crds;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("`auto`, `true`, `false` or a list of API groups")
            }

            fn visit_bool<E>(self, all: bool) -> Result<Crds, E> {
                Ok(if all { Crds::All } else { Crds::Off })
            }

            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Crds, E> {
                match word {
                    "auto" => Ok(Crds::Auto),
                    other => Err(E::invalid_value(
                        serde::de::Unexpected::Str(other),
                        &self as &dyn serde::de::Expected,
                    )),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut groups: A) -> Result<Crds, A::Error> {
                let mut list = Vec::new();
                while let Some(group) = groups.next_element()? {
                    list.push(group);
                }
                Ok(Crds::Groups(list))
            }
        }
        deserializer.deserialize_any(Either)
    }
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
