//! How addons are connected to: from pods and from this machine.
//!
//! Owns the facts' form and filling them in where the settings say `${redis.url}` and the like.
//! Pure.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::settings::addons::OWN_CONFIG_MAP;
use crate::state::Credentials;

/// Where this machine reaches what the sandbox offers.
pub(super) const LOOPBACK: &str = "127.0.0.1";

/// Everything but what RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// One thing to know about an addon.
#[derive(Clone, PartialEq, Eq)]
pub struct Fact {
    /// Its name, such as `redis.url`.
    pub key: String,
    /// Its value for pods.
    pub cluster: String,
    /// Its value for this machine; absent when it cannot be reached from there.
    pub host: Option<String>,
    /// The environment variable that clients look at.
    pub variable: Option<&'static str>,
    /// Not to be shown unasked.
    pub secret: bool,
}

impl fmt::Debug for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fact({})", self.key)
    }
}

impl Fact {
    /// A fact that is the same everywhere.
    pub(super) fn same(key: impl Into<String>, value: impl Into<String>) -> Self {
        let value = value.into();
        Self::differing(key, value.clone(), Some(value))
    }

    /// A fact that this machine sees differently, or not at all.
    pub(super) fn differing(
        key: impl Into<String>,
        cluster: impl Into<String>,
        host: Option<String>,
    ) -> Self {
        Self { key: key.into(), cluster: cluster.into(), host, variable: None, secret: false }
    }

    /// The variable that clients look at.
    pub(super) fn variable(self, name: &'static str) -> Self {
        Self { variable: Some(name), ..self }
    }

    /// Not to be shown unasked.
    pub(super) fn secret(self) -> Self {
        Self { secret: true, ..self }
    }
}

/// Text as part of a URL.
pub(super) fn in_url(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Facts of the sandbox's certificate authority.
#[must_use]
pub fn authority(credentials: &Credentials) -> Vec<Fact> {
    vec![
        Fact::same("ca.configmap", OWN_CONFIG_MAP),
        Fact::same("ca.certificate", credentials.ca_certificate()),
    ]
}

/// A `${…}` that names an addon but none of its facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// What it names.
    pub key: String,
    /// What could have been meant.
    pub known: Vec<String>,
}

impl Unknown {
    /// In words.
    #[must_use]
    pub fn told(&self) -> String {
        if self.known.is_empty() {
            let addon = self.key.split('.').next().unwrap_or_default();
            return format!("`${{{}}}`: the addon `{addon}` is off", self.key);
        }
        format!("there is no `${{{}}}`; there are: {}", self.key, self.known.join(", "))
    }
}

/// Names before the first dot that are ours; anything else in `${…}` is left alone.
const ADDONS: [&str; 5] = ["redis", "postgres", "s3", "telemetry", "ca"];

/// Whether a text refers to a fact.
#[must_use]
pub fn refers(text: &str) -> bool {
    places(text).next().is_some()
}

/// Fills in the facts, as pods see them.
///
/// # Errors
/// The first one that does not exist.
pub fn fill(text: &str, facts: &[Fact]) -> Result<String, Unknown> {
    let mut filled = String::new();
    let mut rest = 0;
    for (start, end, key) in places(text) {
        let fact = facts.iter().find(|fact| fact.key == key).ok_or_else(|| unknown(key, facts))?;
        filled.push_str(&text[rest..start]);
        filled.push_str(&fact.cluster);
        rest = end;
    }
    filled.push_str(&text[rest..]);
    Ok(filled)
}

/// Fills in the facts in every text of a tree. A value that is one fact and looks like a port
/// becomes a number, as charts want it.
///
/// # Errors
/// The first one that does not exist.
pub fn fill_tree(value: &Value, facts: &[Fact]) -> Result<Value, Unknown> {
    Ok(match value {
        Value::String(text) => {
            let filled = fill(text, facts)?;
            let is_port = text.starts_with("${") && text.ends_with(".port}");
            match filled.parse::<u16>() {
                Ok(port) if is_port => Value::from(port),
                _ => Value::String(filled),
            }
        }
        Value::Array(items) => {
            let items = items.iter().map(|item| fill_tree(item, facts));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        Value::Object(map) => {
            let map = map.iter().map(|(key, item)| Ok((key.clone(), fill_tree(item, facts)?)));
            Value::Object(map.collect::<Result<_, _>>()?)
        }
        other => other.clone(),
    })
}

fn unknown(key: &str, facts: &[Fact]) -> Unknown {
    let addon = format!("{}.", key.split('.').next().unwrap_or_default());
    let known = facts.iter().filter(|fact| fact.key.starts_with(&addon));
    Unknown { key: key.to_owned(), known: known.map(|fact| fact.key.clone()).collect() }
}

/// Each `${addon.fact}` of a text: where it starts and ends, and what it names.
fn places(text: &str) -> impl Iterator<Item = (usize, usize, &str)> {
    text.match_indices("${").filter_map(|(start, _)| {
        let inner = &text[start + 2..];
        let end = inner.find('}')?;
        let key = &inner[..end];
        let (addon, _) = key.split_once('.')?;
        ADDONS.contains(&addon).then_some((start, start + 2 + end + 1, key))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn facts() -> Vec<Fact> {
        vec![
            Fact::differing("redis.host", "redis.sandbox-system.svc", None),
            Fact::same("redis.port", "6379"),
            Fact::same("redis.password", "a: \"b\" #${c}").secret(),
        ]
    }

    #[test]
    fn facts_are_filled_in_and_all_else_stays() {
        let filled = fill("${redis.host}:${redis.port} $HOME ${USER} ${spring.x} ${", &facts());
        assert_eq!(filled.unwrap(), "redis.sandbox-system.svc:6379 $HOME ${USER} ${spring.x} ${");
    }

    #[test]
    fn a_tree_keeps_its_shape_whatever_is_in_a_password() {
        let tree = json!({"port": "${redis.port}", "list": ["${redis.password}", 1], "text": "p ${redis.port}"});
        let filled = fill_tree(&tree, &facts()).unwrap();
        assert_eq!(filled, json!({"port": 6379, "list": ["a: \"b\" #${c}", 1], "text": "p 6379"}));
    }

    #[test]
    fn what_does_not_exist_is_told_with_what_does() {
        let wrong = fill("x ${redis.urll}", &facts()).unwrap_err();
        assert_eq!(
            wrong.told(),
            "there is no `${redis.urll}`; there are: redis.host, redis.port, redis.password"
        );
        let off = fill("${postgres.url}", &facts()).unwrap_err();
        assert_eq!(off.told(), "`${postgres.url}`: the addon `postgres` is off");
    }

    #[test]
    fn a_password_in_a_url_is_encoded() {
        assert_eq!(in_url("p@ss:w/ord%20#1ü"), "p%40ss%3Aw%2Ford%2520%231%C3%BC");
    }

    #[test]
    fn a_fact_does_not_show_its_value_to_debuggers() {
        assert_eq!(format!("{:?}", facts()[2]), "Fact(redis.password)");
    }
}
