//! Faults: endpoints that are made slow, fail or lose what they are sent, on demand.
//!
//! Owns the rules and the dice. What a fault means in a protocol is up to who asks.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::query::pattern::fits;

/// No fault delays longer, in milliseconds.
const LONGEST_LATENCY: u64 = 300_000;
/// No more rules are kept.
const MOST: usize = 100;

/// A rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Its number, given by the server.
    #[serde(default)]
    pub id: u64,
    /// The endpoint: a path, `dogstatsd`, `otlp.grpc`, `*`, or a text with `*` in it.
    pub endpoint: String,
    /// The HTTP status of the answer; gRPC gets the code that means the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How long the answer is held back, in milliseconds.
    #[serde(default)]
    pub latency_ms: u64,
    /// Whether what is sent is lost, though the answer is good.
    #[serde(default)]
    pub drop: bool,
    /// How likely it strikes, 0 to 1. Default 1.
    #[serde(default = "always")]
    pub probability: f64,
    /// How often it strikes. Default: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// The `Retry-After` header of the answer, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u64>,
    /// The body of the answer.
    #[serde(default)]
    pub body: String,
    /// How often it struck, counted by the server.
    #[serde(default)]
    pub hits: u64,
}

fn always() -> f64 {
    1.0
}

/// What strikes a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Struck {
    /// The HTTP status to answer with, instead of handling the request.
    pub status: Option<u16>,
    /// How long to wait before the answer.
    pub latency: Duration,
    /// Answer well and keep nothing.
    pub drop: bool,
    /// `Retry-After`, in seconds.
    pub retry_after_s: Option<u64>,
    /// Body of the answer.
    pub body: String,
}

/// All rules.
#[derive(Debug, Default)]
pub struct Faults {
    rules: Mutex<Rules>,
}

#[derive(Debug, Default)]
struct Rules {
    all: Vec<Fault>,
    last_id: u64,
    dice: u64,
}

/// Why a rule is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// The status is none.
    #[error("`status` must be between 200 and 599")]
    Status,
    /// The probability is none.
    #[error("`probability` must be between 0 and 1")]
    Probability,
    /// It would wait too long.
    #[error("`latency_ms` must be at most {LONGEST_LATENCY}")]
    Latency,
    /// It would do nothing.
    #[error("a fault needs a `status`, a `latency_ms` or `drop`")]
    Nothing,
    /// There are too many.
    #[error("there are {MOST} faults already")]
    TooMany,
}

impl Faults {
    /// Adds a rule; it strikes from now on.
    ///
    /// # Errors
    /// When the rule makes no sense.
    pub fn add(&self, mut fault: Fault) -> Result<Fault, FaultError> {
        if fault.status.is_some_and(|status| !(200..600).contains(&status)) {
            return Err(FaultError::Status);
        }
        if !(0.0..=1.0).contains(&fault.probability) {
            return Err(FaultError::Probability);
        }
        if fault.latency_ms > LONGEST_LATENCY {
            return Err(FaultError::Latency);
        }
        if fault.status.is_none() && fault.latency_ms == 0 && !fault.drop {
            return Err(FaultError::Nothing);
        }
        let mut rules = self.lock();
        if rules.all.len() >= MOST {
            return Err(FaultError::TooMany);
        }
        rules.last_id += 1;
        fault.id = rules.last_id;
        fault.hits = 0;
        rules.all.push(fault.clone());
        Ok(fault)
    }

    /// All rules, the oldest first.
    #[must_use]
    pub fn all(&self) -> Vec<Fault> {
        self.lock().all.clone()
    }

    /// Removes a rule, or all; how many went.
    pub fn remove(&self, id: Option<u64>) -> usize {
        let mut rules = self.lock();
        let before = rules.all.len();
        rules.all.retain(|fault| id.is_some_and(|id| fault.id != id));
        before - rules.all.len()
    }

    /// Throws the dice for a request to an endpoint; the first rule that strikes decides.
    pub fn strike(&self, endpoint: &str) -> Option<Struck> {
        let mut rules = self.lock();
        if rules.all.is_empty() {
            return None;
        }
        let dice = rules.throw();
        let fault = rules.all.iter_mut().find(|fault| {
            fits(&fault.endpoint, endpoint)
                && fault.times.is_none_or(|times| fault.hits < times)
                && dice < fault.probability
        })?;
        fault.hits += 1;
        Some(Struck {
            status: fault.status,
            latency: Duration::from_millis(fault.latency_ms),
            drop: fault.drop,
            retry_after_s: fault.retry_after_s,
            body: fault.body.clone(),
        })
    }

    /// Whether what an endpoint was sent is lost now, for endpoints that never answer.
    pub fn drops(&self, endpoint: &str) -> bool {
        self.strike(endpoint).is_some_and(|struck| struck.drop || struck.status.is_some())
    }

    fn lock(&self) -> MutexGuard<'_, Rules> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rules {
    /// The next of an even sequence of numbers from 0 to 1: the golden ratio's multiples, so that
    /// a tenth is a tenth even of few requests.
    fn throw(&mut self) -> f64 {
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        super::query::time::float(self.dice >> 11) / super::query::time::float(1 << 53)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(json: &str) -> Fault {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_fault_strikes_its_endpoint_as_often_as_it_may() {
        let faults = Faults::default();
        assert_eq!(faults.strike("/v0.4/traces"), None);
        faults.add(fault(r#"{"endpoint": "/v0.*/traces", "status": 503, "times": 2}"#)).unwrap();
        assert_eq!(faults.strike("/v0.4/traces").unwrap().status, Some(503));
        assert_eq!(faults.strike("/v1/traces"), None);
        assert_eq!(faults.strike("/v0.5/traces").unwrap().status, Some(503));
        assert_eq!(faults.strike("/v0.5/traces"), None);
        assert_eq!(faults.all()[0].hits, 2);
        assert_eq!(faults.remove(Some(1)), 1);
        assert_eq!(faults.remove(None), 0);
    }

    #[test]
    fn a_tenth_is_a_tenth() {
        let faults = Faults::default();
        faults.add(fault(r#"{"endpoint": "*", "drop": true, "probability": 0.1}"#)).unwrap();
        let struck = (0..1000).filter(|_| faults.drops("dogstatsd")).count();
        assert!((95..=105).contains(&struck), "{struck}");
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let faults = Faults::default();
        for (json, error) in [
            (r#"{"endpoint": "*"}"#, FaultError::Nothing),
            (r#"{"endpoint": "*", "status": 99}"#, FaultError::Status),
            (r#"{"endpoint": "*", "drop": true, "probability": 2}"#, FaultError::Probability),
            (r#"{"endpoint": "*", "latency_ms": 9999999}"#, FaultError::Latency),
        ] {
            assert_eq!(faults.add(fault(json)).unwrap_err(), error);
        }
        assert!(serde_json::from_str::<Fault>(r#"{"endpoint": "*", "statu": 5}"#).is_err());
        for _ in 0..MOST {
            faults.add(fault(r#"{"endpoint": "*", "drop": true}"#)).unwrap();
        }
        let more = faults.add(fault(r#"{"endpoint": "*", "drop": true}"#));
        assert_eq!(more.unwrap_err(), FaultError::TooMany);
    }
}
