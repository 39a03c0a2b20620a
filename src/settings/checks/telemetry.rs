//! The shape of a `telemetry` check.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::Deserialize;

use super::{Caller, Http};

/// Traces, metrics and logs that must arrive; everything given must hold. Only what arrives after
/// the checks began counts, and of traces with `request` only the one of that request.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Telemetry {
    /// A request to send first, as of the kind `http`. It carries a `traceparent` of its own, and
    /// `trace`, `span` and a traced `log` must belong to that very trace.
    pub request: Option<Http>,
    /// Send a span of the sandbox's own by OTLP, and expect it back: shows that the collector works.
    /// Default: false; not with anything else but `from`.
    pub emit: bool,
    /// With `emit`: where from, `host` or `cluster`. Default: `host`.
    pub from: Caller,
    /// A span that must be in a trace, with what must be below it.
    pub trace: Option<Span>,
    /// A span that must arrive.
    pub span: Option<Span>,
    /// A metric that must arrive.
    pub metric: Option<Metric>,
    /// A line that must be logged.
    pub log: Option<Log>,
    /// Also count what arrived this long before the checks began. Default: nothing; not with
    /// `request`.
    pub since: Option<SignedDuration>,
}

/// What a span must be like; texts may have `*` for any text.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Span {
    /// The service.
    pub service: Option<String>,
    /// The operation, such as `http.request` or `GET /orders`.
    pub name: Option<String>,
    /// The resource, as Datadog calls what was asked for.
    pub resource: Option<String>,
    /// `server`, `client`, `producer`, `consumer` or `internal`.
    pub kind: Option<String>,
    /// The environment (`env`, `deployment.environment.name`).
    pub env: Option<String>,
    /// The service's version.
    pub version: Option<String>,
    /// Whether it failed.
    pub error: Option<bool>,
    /// It took this long at least.
    pub min_duration: Option<SignedDuration>,
    /// It took this long at most.
    pub max_duration: Option<SignedDuration>,
    /// Attributes (tags) and their values.
    #[serde(rename = "where")]
    pub attributes: BTreeMap<String, serde_json::Value>,
    /// Spans that must be below it, at any depth.
    pub children: Vec<Span>,
}

/// What a metric must be like.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// The service.
    pub service: Option<String>,
    /// The environment.
    pub env: Option<String>,
    /// Tags and their values.
    #[serde(rename = "where")]
    pub tags: BTreeMap<String, serde_json::Value>,
    /// The newest value, such as `>= 1` (also `<=`, `>`, `<`, `==`).
    pub last: Option<Comparison>,
    /// All values together; what was sampled counts as often as it stands for.
    pub sum: Option<Comparison>,
    /// By the second.
    pub rate: Option<Comparison>,
    /// How many values came. Default: `>= 1`.
    pub count: Option<Comparison>,
    /// The average.
    pub avg: Option<Comparison>,
    /// The smallest.
    pub min: Option<Comparison>,
    /// The largest.
    pub max: Option<Comparison>,
}

impl Metric {
    /// What is asked of the values: the aggregate's name, and what it must be.
    #[must_use]
    pub fn wanted(&self) -> Vec<(&'static str, Comparison)> {
        let given = [
            ("last", self.last),
            ("sum", self.sum),
            ("rate", self.rate),
            ("count", self.count),
            ("avg", self.avg),
            ("min", self.min),
            ("max", self.max),
        ];
        given.into_iter().filter_map(|(name, wanted)| Some((name, wanted?))).collect()
    }
}

/// What a logged line must be like.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Log {
    /// A regular expression that its message must contain.
    pub text: Option<String>,
    /// The service.
    pub service: Option<String>,
    /// At least of this level: `debug`, `info`, `warn`, `error` or `fatal`.
    pub level: Option<String>,
    /// It must tell its trace; with `request`, the one of that request. Default: false.
    pub traced: bool,
    /// Attributes and their values.
    #[serde(rename = "where")]
    pub attributes: BTreeMap<String, serde_json::Value>,
}

/// A number to compare with: `>= 1`, `<=`, `>`, `<` or `==`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    order: Order,
    number: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    AtLeast,
    AtMost,
    Above,
    Below,
    Equal,
}

const ORDERS: [(&str, Order); 5] = [
    (">=", Order::AtLeast),
    ("<=", Order::AtMost),
    ("==", Order::Equal),
    (">", Order::Above),
    ("<", Order::Below),
];

impl Comparison {
    /// Reads `>= 1` and the like.
    ///
    /// # Errors
    /// One line when it is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let found =
            ORDERS.iter().find_map(|(sign, order)| Some((text.strip_prefix(sign)?, *order)));
        let number = found.and_then(|(rest, _)| rest.trim().parse::<f64>().ok());
        match (found, number.filter(|number| number.is_finite())) {
            (Some((_, order)), Some(number)) => Ok(Self { order, number }),
            _ => Err(format!("`{text}` is no comparison such as `>= 1`")),
        }
    }

    /// Whether a number is as wanted.
    #[must_use]
    pub fn holds(self, value: f64) -> bool {
        match self.order {
            Order::AtLeast => value >= self.number,
            Order::AtMost => value <= self.number,
            Order::Above => value > self.number,
            Order::Below => value < self.number,
            Order::Equal => {
                (value - self.number).abs() <= f64::EPSILON * self.number.abs().max(1.0)
            }
        }
    }
}

impl std::fmt::Display for Comparison {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign =
            ORDERS.iter().find(|(_, order)| *order == self.order).map_or("", |(sign, _)| sign);
        write!(f, "{sign} {}", self.number)
    }
}

impl<'de> Deserialize<'de> for Comparison {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparisons_are_read_and_hold() {
        let holds = |text: &str, value: f64| Comparison::parse(text).unwrap().holds(value);
        assert!(holds(">= 1", 1.0) && !holds("> 1", 1.0) && holds("<=2.5", 2.5));
        assert!(holds("< 0", -1.0) && !holds("== 3", 3.1) && holds("==3", 3.0));
        assert_eq!(Comparison::parse(">=1").unwrap().to_string(), ">= 1");
        for wrong in ["1", ">= ", "=> 1", ">= x", ">= inf"] {
            assert!(Comparison::parse(wrong).is_err(), "{wrong}");
        }
    }
}
