//! Counters of what came in, by endpoint.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counter {
    /// Requests, datagrams or connections.
    Requests,
    /// Bytes on the wire.
    Bytes,
    /// Spans, points or log lines that were kept.
    Accepted,
    /// Items, or requests as a whole, that could not be decoded.
    Malformed,
    /// Items that were refused or lost: over a limit, or by a fault.
    Dropped,
}

impl Counter {
    /// Every counter.
    pub const ALL: [Self; 5] =
        [Self::Requests, Self::Bytes, Self::Accepted, Self::Malformed, Self::Dropped];

    /// The name in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Bytes => "bytes",
            Self::Accepted => "accepted",
            Self::Malformed => "malformed",
            Self::Dropped => "dropped",
        }
    }
}

/// Counters by endpoint.
#[derive(Debug, Default)]
pub struct Counters {
    all: Mutex<BTreeMap<&'static str, [u64; Counter::ALL.len()]>>,
}

impl Counters {
    /// Counts. The endpoint is a path as documented (`/v0.4/traces`, `dogstatsd`, `otlp.grpc`…),
    /// never what a client sent, so that there is a bounded number of them.
    pub fn add(&self, endpoint: &'static str, counter: Counter, amount: u64) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = all.entry(endpoint).or_default();
        if let Some(count) = counts.get_mut(counter as usize) {
            *count = count.saturating_add(amount);
        }
    }

    /// One counter of one endpoint.
    #[must_use]
    pub fn get(&self, endpoint: &str, counter: Counter) -> u64 {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(endpoint).and_then(|counts| counts.get(counter as usize)).copied().unwrap_or(0)
    }

    /// All endpoints with all their counters, in the order of [`Counter::ALL`].
    #[must_use]
    pub fn all(&self) -> Vec<(&'static str, [u64; Counter::ALL.len()])> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|(endpoint, counts)| (*endpoint, *counts)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_kept_by_endpoint() {
        let counters = Counters::default();
        counters.add("/v0.4/traces", Counter::Requests, 1);
        counters.add("/v0.4/traces", Counter::Requests, 2);
        counters.add("dogstatsd", Counter::Malformed, u64::MAX);
        counters.add("dogstatsd", Counter::Malformed, 1);
        assert_eq!(counters.get("/v0.4/traces", Counter::Requests), 3);
        assert_eq!(counters.get("dogstatsd", Counter::Malformed), u64::MAX);
        assert_eq!(counters.get("nowhere", Counter::Bytes), 0);
        assert_eq!(counters.all().len(), 2);
    }
}
