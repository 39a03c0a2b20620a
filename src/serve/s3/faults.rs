//! Fault injection: rules that make chosen requests slow or fail. It decides
//! what shall happen to a request; the service makes it happen.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use s3s::S3ErrorCode;
use serde::{Deserialize, Serialize};

use super::glob;

/// The most rules.
const MAX_RULES: usize = 1000;
/// The longest delay of one rule.
const MAX_LATENCY_MS: u64 = 600_000;

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// Waits `ms` milliseconds before the request is handled.
    Latency,
    /// Answers 503 `SlowDown`.
    SlowDown,
    /// Answers 500 `InternalError`.
    InternalError,
    /// Answers with the error `code` and the HTTP `status`.
    Error,
    /// Cuts the connection after `after-bytes` of the body, or before any
    /// answer when there is no body.
    Cut,
    /// Sends the body at `bytes-per-second`.
    SlowBody,
}

/// A rule. Requests match when all that is given matches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FaultRule {
    /// The operation, as `PutObject` or `Get*`. Default: all.
    #[serde(default = "all")]
    pub operation: String,
    /// The bucket, with `*` and `?`. Default: all.
    #[serde(default = "all")]
    pub bucket: String,
    /// The key, with `*` and `?`. Default: all.
    #[serde(default = "all")]
    pub key: String,
    /// The share of matching requests, 0 to 1. Default: 1.
    #[serde(default = "one")]
    pub probability: f64,
    /// How many requests at most. Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// What happens.
    pub kind: FaultKind,
    /// Milliseconds of `latency`, at most ten minutes. Default: 1000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ms: Option<u64>,
    /// The code of `error`. Default: `InternalError`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The HTTP status of `error`, 400 to 599. Default: that of the code, or 500.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How much `cut` lets through. Default: half of the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_bytes: Option<u64>,
    /// The speed of `slow-body`, at least 1. Default: 1024.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<u64>,
}

fn all() -> String {
    "*".to_owned()
}

fn one() -> f64 {
    1.0
}

/// A rule, and how often it was applied.
#[derive(Debug, Clone, Serialize)]
pub struct FaultStatus {
    /// The rule.
    #[serde(flatten)]
    pub rule: FaultRule,
    /// How many requests it was applied to.
    pub applied: u64,
}

/// Why a rule is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FaultError {
    #[error("`probability` must be from 0 to 1")]
    Probability,
    #[error("`status` must be from 400 to 599")]
    Status,
    #[error("`code` must be letters and digits, at most 100")]
    Code,
    #[error("`ms` must be at most {MAX_LATENCY_MS}")]
    Latency,
    #[error("`bytes-per-second` must be at least 1")]
    Speed,
    #[error("there can be {MAX_RULES} rules at most, with patterns of 1024 bytes at most")]
    TooMany,
}

/// What shall happen to a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) latency: Duration,
    /// Code and status.
    pub(crate) error: Option<(String, u16)>,
    pub(crate) cut: Option<CutAfter>,
    pub(crate) bytes_per_second: Option<u64>,
    /// For the log.
    pub(crate) names: Vec<&'static str>,
}

/// Where a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CutAfter {
    Half,
    Bytes(u64),
}

/// All rules.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    rules: RwLock<Arc<Vec<Entry>>>,
}

#[derive(Debug)]
struct Entry {
    rule: FaultRule,
    applied: AtomicU64,
}

impl Faults {
    /// Replaces all rules.
    pub(crate) fn replace(&self, rules: Vec<FaultRule>) -> Result<(), FaultError> {
        rules.iter().try_for_each(check)?;
        if rules.len() > MAX_RULES {
            return Err(FaultError::TooMany);
        }
        self.set(
            rules.into_iter().map(|rule| Entry { rule, applied: AtomicU64::new(0) }).collect(),
        );
        Ok(())
    }

    /// Adds rules to those there are.
    pub(crate) fn add(&self, rules: Vec<FaultRule>) -> Result<(), FaultError> {
        let mut all: Vec<Entry> = self
            .current()
            .iter()
            .map(|entry| Entry {
                rule: entry.rule.clone(),
                applied: AtomicU64::new(entry.applied.load(Ordering::Relaxed)),
            })
            .collect();
        rules.iter().try_for_each(check)?;
        if all.len() + rules.len() > MAX_RULES {
            return Err(FaultError::TooMany);
        }
        all.extend(rules.into_iter().map(|rule| Entry { rule, applied: AtomicU64::new(0) }));
        self.set(all);
        Ok(())
    }

    /// The rules and how often each was applied.
    pub(crate) fn list(&self) -> Vec<FaultStatus> {
        self.current()
            .iter()
            .map(|entry| FaultStatus {
                rule: entry.rule.clone(),
                applied: entry.applied.load(Ordering::Relaxed),
            })
            .collect()
    }

    fn current(&self) -> Arc<Vec<Entry>> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn set(&self, rules: Vec<Entry>) {
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
    }

    /// What shall happen to a request; rules that apply are counted.
    pub(crate) fn decide(&self, operation: &str, bucket: &str, key: &str) -> Fault {
        let mut fault = Fault::default();
        let rules = self.current();
        for entry in rules.iter() {
            let rule = &entry.rule;
            let concerns = glob::matches(&rule.operation, operation)
                && glob::matches(&rule.bucket, bucket)
                && glob::matches(&rule.key, key);
            if concerns && lucky(rule.probability) && entry.claim() {
                fault.apply(rule);
            }
        }
        fault
    }
}

impl Entry {
    /// Counts one use, unless all are used up.
    fn claim(&self) -> bool {
        let limit = self.rule.times.unwrap_or(u64::MAX);
        self.applied
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| (n < limit).then_some(n + 1))
            .is_ok()
    }
}

impl Fault {
    fn apply(&mut self, rule: &FaultRule) {
        match rule.kind {
            FaultKind::Latency => {
                self.latency += Duration::from_millis(rule.ms.unwrap_or(1000));
                self.names.push("latency");
            }
            FaultKind::SlowDown => self.fail("slow-down", "SlowDown", 503),
            FaultKind::InternalError => self.fail("internal-error", "InternalError", 500),
            FaultKind::Error => {
                let code = rule.code.as_deref().unwrap_or("InternalError");
                let implied = || S3ErrorCode::from_bytes(code.as_bytes())?.status_code();
                let status = rule.status.or_else(|| implied().map(|status| status.as_u16()));
                self.fail("error", code, status.unwrap_or(500));
            }
            FaultKind::Cut => {
                self.cut.get_or_insert(rule.after_bytes.map_or(CutAfter::Half, CutAfter::Bytes));
                self.names.push("cut");
            }
            FaultKind::SlowBody => {
                self.bytes_per_second.get_or_insert(rule.bytes_per_second.unwrap_or(1024));
                self.names.push("slow-body");
            }
        }
    }

    fn fail(&mut self, name: &'static str, code: &str, status: u16) {
        self.error.get_or_insert_with(|| (code.to_owned(), status));
        self.names.push(name);
    }
}

fn check(rule: &FaultRule) -> Result<(), FaultError> {
    if !(0.0..=1.0).contains(&rule.probability) {
        return Err(FaultError::Probability);
    }
    if rule.status.is_some_and(|status| !(400..600).contains(&status)) {
        return Err(FaultError::Status);
    }
    let is_code = |code: &String| {
        !code.is_empty() && code.len() <= 100 && code.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    if !rule.code.as_ref().is_none_or(is_code) {
        return Err(FaultError::Code);
    }
    if rule.ms.is_some_and(|ms| ms > MAX_LATENCY_MS) {
        return Err(FaultError::Latency);
    }
    if rule.bytes_per_second == Some(0) {
        return Err(FaultError::Speed);
    }
    if [&rule.operation, &rule.bucket, &rule.key].iter().any(|pattern| pattern.len() > 1024) {
        return Err(FaultError::TooMany);
    }
    Ok(())
}

fn lucky(probability: f64) -> bool {
    if probability >= 1.0 {
        return true;
    }
    let [a, b, c, d, ..] = *uuid::Uuid::new_v4().as_bytes();
    f64::from(u32::from_le_bytes([a, b, c, d])) / (f64::from(u32::MAX) + 1.0) < probability
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(json: &str) -> Vec<FaultRule> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn rules_match_count_and_end() {
        let faults = Faults::default();
        let two = r#"[{"operation":"Put*","key":"x/*","kind":"slow-down","times":2},{"kind":"latency","ms":5}]"#;
        faults.replace(rules(two)).unwrap();
        let hit = faults.decide("PutObject", "b", "x/1");
        assert_eq!(hit.error, Some(("SlowDown".into(), 503)));
        assert_eq!(hit.latency, Duration::from_millis(5));
        assert_eq!(faults.decide("GetObject", "b", "x/1").error, None);
        assert!(faults.decide("PutObject", "b", "x/2").error.is_some());
        assert!(faults.decide("PutObject", "b", "x/3").error.is_none());
        assert_eq!(faults.list()[0].applied, 2);
        faults.add(rules(r#"[{"kind":"cut"}]"#)).unwrap();
        assert_eq!(faults.list()[0].applied, 2);
        assert_eq!(faults.decide("GetObject", "b", "k").cut, Some(CutAfter::Half));
    }

    #[test]
    fn an_error_has_the_status_of_its_code_unless_told() {
        let faults = Faults::default();
        for (rule, status) in [
            (r#""code":"SlowDown""#, 503),
            (r#""code":"NoSuchKey""#, 404),
            (r#""code":"AccessDenied""#, 403),
            (r#""code":"Odd""#, 500),
            (r#""status":418"#, 418),
            (r#""code":"SlowDown","status":429"#, 429),
        ] {
            faults.replace(rules(&format!(r#"[{{"kind":"error",{rule}}}]"#))).unwrap();
            let error = faults.decide("GetObject", "b", "k").error;
            assert_eq!(error.map(|(_, status)| status), Some(status), "{rule}");
        }
    }

    #[test]
    fn probabilities_hold_at_the_ends() {
        let faults = Faults::default();
        faults.replace(rules(r#"[{"kind":"cut","probability":0}]"#)).unwrap();
        assert!((0..100).all(|_| faults.decide("GetObject", "b", "k").cut.is_none()));
        faults.replace(rules(r#"[{"kind":"cut","probability":0.5}]"#)).unwrap();
        let cut = (0..1000).filter(|_| faults.decide("x", "b", "k").cut.is_some()).count();
        assert!((300..700).contains(&cut), "{cut}");
    }

    #[test]
    fn wrong_rules_are_refused() {
        let faults = Faults::default();
        for json in [
            r#"[{"kind":"cut","probability":2}]"#,
            r#"[{"kind":"error","status":200}]"#,
            r#"[{"kind":"error","code":"<x>"}]"#,
            r#"[{"kind":"latency","ms":99999999}]"#,
            r#"[{"kind":"slow-body","bytes-per-second":0}]"#,
        ] {
            assert!(faults.replace(rules(json)).is_err(), "{json}");
        }
        assert!(serde_json::from_str::<Vec<FaultRule>>(r#"[{"kind":"x"}]"#).is_err());
        assert!(serde_json::from_str::<Vec<FaultRule>>(r#"[{"kind":"cut","odd":1}]"#).is_err());
    }
}
