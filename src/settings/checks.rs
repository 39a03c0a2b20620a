//! The shape of a check in `sandbox.yaml`, strictly: an unknown key is an error.
//!
//! Owns the types of all kinds and their doc comments, which are the reference for users. Must not
//! look at a cluster: what a kind does is in `checks`.

mod s3;
mod telemetry;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

pub use s3::S3;
pub use telemetry::{Comparison, Log, Metric, Span, Telemetry};

/// The keys of all kinds, in the order of the documentation.
pub const KINDS: [&str; 11] = [
    "http",
    "redis",
    "postgres",
    "s3",
    "telemetry",
    "tls",
    "hpa",
    "resource",
    "certificate",
    "volume",
    "metrics",
];

/// One smoke test: a name, exactly one kind, and how long to keep trying.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Check {
    /// What is promised, in words; unique.
    pub name: String,
    /// How long to try again until the check holds. Default: `10s`; `30s` for what has to be made
    /// first: a pod (`from: cluster`, `volume`), a certificate, metrics (`hpa`, `metrics`), and for
    /// what arrives by itself (`telemetry`).
    pub within: Option<SignedDuration>,
    /// An HTTP request and what is expected of the answer.
    pub http: Option<Http>,
    /// A command to a Redis server and what is expected of the reply.
    pub redis: Option<Redis>,
    /// A query to a Postgres server and what is expected of the result.
    pub postgres: Option<Postgres>,
    /// What is in the sandbox's S3.
    pub s3: Option<S3>,
    /// Traces, metrics and logs that arrive.
    pub telemetry: Option<Telemetry>,
    /// A TLS handshake with the ingress controller and what is expected of the certificate.
    pub tls: Option<Tls>,
    /// A `HorizontalPodAutoscaler` that sees its metrics.
    pub hpa: Option<Hpa>,
    /// Any object of the cluster and what is expected of it.
    pub resource: Option<Resource>,
    /// A cert-manager issuer that issues.
    pub certificate: Option<Certificate>,
    /// A storage class whose volumes can be written.
    pub volume: Option<Volume>,
    /// Metrics of every node.
    pub metrics: Option<Metrics>,
}

/// The one kind of a check.
#[derive(Debug, Clone, Copy)]
pub enum CheckKind<'a> {
    /// See [`Http`].
    Http(&'a Http),
    /// See [`Redis`].
    Redis(&'a Redis),
    /// See [`Postgres`].
    Postgres(&'a Postgres),
    /// See [`S3`].
    S3(&'a S3),
    /// See [`Telemetry`].
    Telemetry(&'a Telemetry),
    /// See [`Tls`].
    Tls(&'a Tls),
    /// See [`Hpa`].
    Hpa(&'a Hpa),
    /// See [`Resource`].
    Resource(&'a Resource),
    /// See [`Certificate`].
    Certificate(&'a Certificate),
    /// See [`Volume`].
    Volume(&'a Volume),
    /// See [`Metrics`].
    Metrics(&'a Metrics),
}

impl CheckKind<'_> {
    /// The key in `sandbox.yaml`.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Http(_) => "http",
            Self::Redis(_) => "redis",
            Self::Postgres(_) => "postgres",
            Self::S3(_) => "s3",
            Self::Telemetry(_) => "telemetry",
            Self::Tls(_) => "tls",
            Self::Hpa(_) => "hpa",
            Self::Resource(_) => "resource",
            Self::Certificate(_) => "certificate",
            Self::Volume(_) => "volume",
            Self::Metrics(_) => "metrics",
        }
    }

    /// How long to try again when the check does not say.
    #[must_use]
    pub fn within(self) -> Duration {
        let cluster = match self {
            Self::Redis(redis) => redis.from == Caller::Cluster,
            Self::Postgres(postgres) => postgres.from == Caller::Cluster,
            Self::S3(s3) => s3.from == Caller::Cluster,
            // Of these, telemetry is sent by clients every few seconds only.
            Self::Telemetry(_)
            | Self::Certificate(_)
            | Self::Volume(_)
            | Self::Hpa(_)
            | Self::Metrics(_) => true,
            Self::Http(_) | Self::Tls(_) | Self::Resource(_) => false,
        };
        Duration::from_secs(if cluster { 30 } else { 10 })
    }
}

impl Check {
    /// All kinds that are given; a valid check has exactly one.
    #[must_use]
    pub fn kinds(&self) -> Vec<CheckKind<'_>> {
        [
            self.http.as_ref().map(CheckKind::Http),
            self.redis.as_ref().map(CheckKind::Redis),
            self.postgres.as_ref().map(CheckKind::Postgres),
            self.s3.as_ref().map(CheckKind::S3),
            self.telemetry.as_ref().map(CheckKind::Telemetry),
            self.tls.as_ref().map(CheckKind::Tls),
            self.hpa.as_ref().map(CheckKind::Hpa),
            self.resource.as_ref().map(CheckKind::Resource),
            self.certificate.as_ref().map(CheckKind::Certificate),
            self.volume.as_ref().map(CheckKind::Volume),
            self.metrics.as_ref().map(CheckKind::Metrics),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// The one kind; absent when there is none or more than one.
    #[must_use]
    pub fn kind(&self) -> Option<CheckKind<'_>> {
        match self.kinds().as_slice() {
            [kind] => Some(*kind),
            _ => None,
        }
    }
}

/// Where a client runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Caller {
    /// On this machine.
    #[default]
    Host,
    /// In a pod of the cluster, made for the check and removed after it.
    Cluster,
}

/// An HTTP request and what is expected of the answer.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
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
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
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

/// A command to a Redis server and what is expected of the reply.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Redis {
    /// The command with its arguments. Default: `[PING]`.
    pub command: Option<Vec<String>>,
    /// What the reply must be, exactly; of a list, one of its items; of several lines, one of
    /// them. Default: `PONG` without `command`, else any reply that is no error.
    pub expect: Option<String>,
    /// Where the client runs: `host` or `cluster`. Default: `host`.
    #[serde(default)]
    pub from: Caller,
    /// Another server than the sandbox's own: `redis://[user:password@]host[:port][/number]`, or
    /// `rediss://` for TLS with a certificate of the sandbox's certificate authority.
    pub url: Option<String>,
}

/// A query to a Postgres server and what is expected of the result.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Postgres {
    /// The database. Default: the sandbox's first.
    pub database: Option<String>,
    /// The query. Default: `SELECT 1`.
    pub query: Option<String>,
    /// What the first column of the first row must be, as `psql -At` shows it: `t` and `f`, and
    /// nothing for null. Default: the query works, whatever it returns.
    pub expect: Option<String>,
    /// Where the client runs: `host` or `cluster`. Default: `host`.
    #[serde(default)]
    pub from: Caller,
    /// Another server than the sandbox's own:
    /// `postgres://[user:password@]host[:port]/database[?sslmode=require]`. TLS is used with the
    /// mode `require` or a stricter one, always with a certificate of the sandbox's certificate
    /// authority.
    pub url: Option<String>,
}

/// A TLS handshake with the ingress controller and what is expected of the certificate, which must
/// be one of the sandbox's certificate authority for that host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Tls {
    /// The name to ask for.
    pub host: String,
    /// A port of 127.0.0.1. Default: the ingress controller's for HTTPS.
    pub port: Option<u16>,
    /// The common name of the issuer. Default: any, as long as the chain ends at the sandbox's
    /// certificate authority.
    pub issuer: Option<String>,
    /// How long the certificate must still be valid at least.
    pub valid_for: Option<SignedDuration>,
}

/// A `HorizontalPodAutoscaler` that sees a value of each of its metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Hpa {
    /// Its name.
    pub name: String,
    /// Its namespace. Default: the app's.
    pub namespace: Option<String>,
    /// At least this many replicas must run.
    pub at_least: Option<u32>,
}

/// Any object of the cluster and what is expected of it; everything given must hold.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Resource {
    /// Its kind, such as `Deployment`.
    pub kind: String,
    /// Its API, such as `apps/v1`. Default: the one of the cluster that has the kind; needed when
    /// several have it.
    pub api_version: Option<String>,
    /// Its name.
    pub name: String,
    /// Its namespace, if its kind has one. Default: the app's.
    pub namespace: Option<String>,
    /// A condition of its status that must be true, such as `Available`.
    pub condition: Option<String>,
    /// It must not be there. Default: false.
    #[serde(default)]
    pub absent: bool,
    /// JSON pointers and the value there, such as `/spec/replicas: 2`; null = nothing there.
    #[serde(default)]
    pub field: BTreeMap<String, serde_json::Value>,
}

/// A cert-manager issuer that issues: a certificate is asked for and removed again.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Certificate {
    /// Name of the issuer. Default: `letsencrypt-prod`.
    pub issuer: String,
    /// `ClusterIssuer`, or `Issuer` for one in the app's namespace. Default: `ClusterIssuer`.
    pub issuer_kind: String,
}

impl Default for Certificate {
    fn default() -> Self {
        Self { issuer: "letsencrypt-prod".to_owned(), issuer_kind: "ClusterIssuer".to_owned() }
    }
}

/// A storage class whose volumes can be written: a claim is made, a pod writes a file and reads it
/// back, and both are removed again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Volume {
    /// The storage class. Default: the cluster's default one.
    pub class: Option<String>,
    /// Size of the volume. Default: `16Mi`.
    pub size: Option<String>,
}

/// Metrics of every node in the API `metrics.k8s.io`; has no options: `metrics: {}`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Metrics {}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(kind: &str) -> Check {
        let text = format!("checks: [{{name: x, {kind}}}]");
        crate::settings::load::parse(&text, "f").unwrap().checks.remove(0)
    }

    #[test]
    fn every_kind_may_be_written_and_says_its_key() {
        let minimal = [
            "http: {url: 'http://x'}",
            "redis: {}",
            "postgres: {}",
            "s3: {}",
            "telemetry: {emit: true}",
            "tls: {host: x}",
            "hpa: {name: x}",
            "resource: {kind: Pod, name: x}",
            "certificate: {}",
            "volume: {}",
            "metrics: {}",
        ];
        let keys: Vec<_> =
            minimal.iter().map(|text| parsed(text).kind().unwrap().key().to_owned()).collect();
        assert_eq!(keys, KINDS);
    }

    #[test]
    fn what_must_be_made_first_has_more_time() {
        let seconds = |text: &str| parsed(text).kind().unwrap().within().as_secs();
        assert_eq!(seconds("redis: {}"), 10);
        assert_eq!(seconds("redis: {from: cluster}"), 30);
        assert_eq!(seconds("postgres: {from: cluster}"), 30);
        assert_eq!(seconds("volume: {}"), 30);
    }

    #[test]
    fn a_check_with_two_kinds_has_none_to_run() {
        let check = parsed("redis: {}, metrics: {}");
        assert!(check.kind().is_none());
        assert_eq!(check.kinds().len(), 2);
    }

    #[test]
    fn values_of_fields_keep_their_type() {
        let check = parsed("resource: {kind: Pod, name: x, field: {/spec/replicas: 2, /a: 'b'}}");
        let field = check.resource.unwrap().field;
        assert_eq!(field["/spec/replicas"], serde_json::json!(2));
        assert_eq!(field["/a"], serde_json::json!("b"));
    }
}
