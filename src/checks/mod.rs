//! Smoke checks: what is asked of the app and its surroundings, and what must be true of the
//! answers.
//!
//! Owns what a check's result is, how checks are chosen, run, judged and reported as `JUnit`. One
//! file a kind. Must not print. Of the cluster it changes nothing but objects of its own, which
//! are removed again.

pub mod built_in;
mod certificate;
mod client;
mod context;
pub mod emit;
mod endpoint;
mod handshake;
mod hpa;
mod http;
mod judge;
mod junit;
mod metrics;
mod postgres;
mod probe;
mod program;
mod redis;
mod request;
mod resource;
mod runner;
pub mod s3;
mod script;
mod spans;
mod telemetry;
mod text;
mod tls;
mod volume;

#[cfg(test)]
mod testing;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::error::{Error, Kind, Result};
use crate::settings::checks::Check;
use crate::state::ProgramStamp;
use crate::tools::s3::Access;

/// Namespace of what a check makes for itself, too.
pub use crate::addons::NAMESPACE;
pub use crate::checks::judge::{Answer, judge};
pub use crate::checks::junit::junit;
pub use crate::checks::runner::run;

/// Similarity from which an unknown name is taken for a slip of the fingers.
const SIMILAR: f64 = 0.7;

/// What checks need to know about the sandbox.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    /// Port of the ingress controller for plain HTTP, on 127.0.0.1.
    pub http_port: u16,
    /// Port of the ingress controller for HTTPS, on 127.0.0.1.
    pub https_port: u16,
    /// The certificate of the sandbox's certificate authority, as PEM.
    pub ca: Option<String>,
    /// The sandbox's own kubeconfig.
    pub kubeconfig: Option<PathBuf>,
    /// Namespace of the app.
    pub namespace: String,
    /// The sandbox's own services: `redis`, `postgres`.
    pub services: BTreeMap<String, Service>,
    /// An image with a shell that the control-plane node has.
    pub probe_image: Option<String>,
    /// The sandbox's own S3.
    pub s3: Option<S3Service>,
    /// Where the sandbox's own telemetry is asked for.
    pub telemetry: Option<TelemetryService>,
}

/// The sandbox's own S3, as its clients see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Service {
    /// How it is reached, under the same name from this machine and from pods.
    pub access: Access,
    /// Whether it has a port on this machine.
    pub reachable: bool,
    /// Its first bucket.
    pub bucket: Option<String>,
    /// This very program in the cluster.
    pub program: ProgramStamp,
}

/// The sandbox's own telemetry, as this machine sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TelemetryService {
    /// Port of 127.0.0.1 for questions; absent = the cluster was made without it.
    pub port: Option<u16>,
    /// Port of 127.0.0.1 for OTLP over HTTP; absent as well.
    pub otlp_port: Option<u16>,
    /// Where pods send OTLP over HTTP.
    pub otlp_url: String,
    /// This very program in the cluster.
    pub program: ProgramStamp,
}

/// One service of the sandbox, as its clients see it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Service {
    /// Port on 127.0.0.1; absent = it is not reachable from this machine.
    pub host_port: Option<u16>,
    /// Its name in the cluster.
    pub cluster_host: String,
    /// Its port in the cluster.
    pub port: u16,
    /// The user; empty = the server's default one.
    pub user: String,
    /// The password; empty = none.
    pub password: String,
    /// The database; empty = the server's default one.
    pub database: String,
    /// Whether it speaks TLS, with a certificate of the sandbox's certificate authority for its
    /// cluster host, `localhost` and 127.0.0.1.
    pub tls: bool,
    /// Its image, which has its client too.
    pub image: String,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service")
            .field("host_port", &self.host_port)
            .field("cluster_host", &self.cluster_host)
            .field("port", &self.port)
            .field("user", &self.user)
            .field("database", &self.database)
            .field("tls", &self.tls)
            .field("image", &self.image)
            .finish_non_exhaustive()
    }
}

/// What became of one check.
#[derive(Debug, Clone, Serialize)]
pub struct CheckResult {
    /// Name of the check, as in `sandbox.yaml`.
    pub name: String,
    /// Whether what the check promises holds.
    pub passed: bool,
    /// How often it was tried.
    pub attempts: u32,
    /// How long all attempts and the pauses between them took.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub took: Duration,
    /// One line: what held, or what was expected and what came instead.
    pub detail: String,
    /// What did not hold; absent when the check passed, or nothing came to show.
    pub evidence: Option<Evidence>,
}

/// What did not hold, safe to print: control characters are escaped and long texts cut short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Evidence {
    /// Of an HTTP check.
    Exchange(Exchange),
    /// Of any other.
    Seen {
        /// What was asked, and whom.
        asked: String,
        /// What came, at most 4 KiB.
        seen: String,
    },
}

/// One exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exchange {
    /// Method, URL and the address it was sent to.
    pub request: String,
    /// Status code; absent when no answer came.
    pub status: Option<u16>,
    /// Response headers; several of one name are joined by commas.
    pub headers: BTreeMap<String, String>,
    /// The beginning of the body, at most 4 KiB.
    pub body: String,
}

fn seconds<S: Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((took.as_secs_f64() * 1000.0).round() / 1000.0)
}

/// Chooses the checks named in `only`, in the order of the file; an empty `only` chooses all.
///
/// # Errors
/// [`Kind::Usage`] when a name is unknown, with the nearest name and the list of all.
pub fn select(checks: &[Check], only: &[String]) -> Result<Vec<Check>> {
    if let Some(unknown) = only.iter().find(|name| checks.iter().all(|c| c.name != **name)) {
        return Err(no_such_check(checks, unknown));
    }
    let wanted = |check: &&Check| only.is_empty() || only.contains(&check.name);
    Ok(checks.iter().filter(wanted).cloned().collect())
}

fn no_such_check(checks: &[Check], unknown: &str) -> Error {
    let error = Error::new(Kind::Usage, format!("there is no check `{unknown}`"));
    if checks.is_empty() {
        return error.hint("write some under `checks:` in sandbox.yaml");
    }
    let lower = unknown.to_lowercase();
    let nearest = checks
        .iter()
        .map(|check| (strsim::jaro_winkler(&check.name.to_lowercase(), &lower), &check.name))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(similarity, _)| *similarity >= SIMILAR);
    let names: Vec<String> = checks.iter().map(|check| format!("`{}`", check.name)).collect();
    let error = match nearest {
        Some((_, name)) => error.hint(format!("did you mean `{name}`?")),
        None => error,
    };
    error.hint(format!("the checks are: {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checks() -> Vec<Check> {
        ["api is healthy", "greeting", "unknown host"]
            .map(|name| Check { name: name.into(), ..Check::default() })
            .to_vec()
    }

    fn names(only: &[&str]) -> Result<Vec<String>> {
        let only: Vec<String> = only.iter().map(|&name| name.into()).collect();
        Ok(select(&checks(), &only)?.into_iter().map(|check| check.name).collect())
    }

    #[test]
    fn nothing_named_means_all_and_the_order_is_that_of_the_file() {
        assert_eq!(names(&[]).unwrap().len(), 3);
        assert_eq!(names(&["greeting", "api is healthy"]).unwrap(), ["api is healthy", "greeting"]);
        assert_eq!(names(&["greeting", "greeting"]).unwrap(), ["greeting"]);
    }

    #[test]
    fn an_unknown_name_is_a_usage_error_with_the_nearest_one() {
        let error = names(&["greeting", "API is helthy"]).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        assert_eq!(error.to_string(), "there is no check `API is helthy`");
        assert_eq!(
            error.hints(),
            [
                "did you mean `api is healthy`?",
                "the checks are: `api is healthy`, `greeting`, `unknown host`"
            ]
        );
    }

    #[test]
    fn nothing_is_guessed_when_nothing_is_near() {
        let error = names(&["zzz"]).unwrap_err();
        assert_eq!(error.hints().len(), 1);
        let error = select(&[], &["zzz".into()]).unwrap_err();
        assert_eq!(error.hints(), ["write some under `checks:` in sandbox.yaml"]);
    }
}
