//! Smoke checks: requests to the app and what must be true of the answers.
//!
//! Owns what a check's result is, how checks are chosen, run, judged and reported as `JUnit`.
//! Must not print, and must not change the cluster.

mod client;
mod http;
mod judge;
mod junit;
mod request;
mod runner;
mod text;

#[cfg(test)]
mod testing;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::error::{Error, Kind, Result};
use crate::settings::file::Check;

pub use crate::checks::judge::{Answer, judge};
pub use crate::checks::junit::junit;
pub use crate::checks::runner::run;

/// Similarity from which an unknown name is taken for a slip of the fingers.
const SIMILAR: f64 = 0.7;

/// Where the sandbox answers on 127.0.0.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Port of the ingress controller for plain HTTP.
    pub http_port: u16,
    /// Port of the ingress controller for HTTPS.
    pub https_port: u16,
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
    /// The exchange that did not hold; absent when the check passed.
    pub evidence: Option<Evidence>,
}

/// One exchange, safe to print: control characters are escaped and the body is cut short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
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
            .map(|name| Check { name: name.into(), http: None, within: None })
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
