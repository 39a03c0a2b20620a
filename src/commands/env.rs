//! `sandbox env`: how to connect to what the sandbox runs, as environment variables.
//!
//! Owns which facts are shown and how they are quoted. Passwords are printed, as that is what is
//! asked for: on stdout only.

use serde_json::json;

use super::ca::exported;
use super::{Outcome, recorded};
use crate::addons::connection::Fact;
use crate::desired::connections;
use crate::error::{Error, Kind, Result};
use crate::settings::Settings;
use crate::world::World;

/// What the flags say.
#[derive(Debug, Clone, Default)]
pub(super) struct Options {
    /// As pods see it, not this machine.
    pub cluster: bool,
    /// Only the value of this fact.
    pub fact: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// [`Kind::Cluster`] when the sandbox is not up, [`Kind::Usage`] when there is no such fact.
pub(super) fn run(world: &World, settings: &Settings, options: &Options) -> Result<Outcome> {
    let (place, record) = recorded(world, settings)?;
    let facts = connections(world, settings, &place, &record)?;
    let value = |fact: &Fact| {
        if options.cluster { Some(fact.cluster.clone()) } else { fact.host.clone() }
    };
    if let Some(key) = &options.fact {
        let fact = facts.iter().find(|fact| fact.key == *key).ok_or_else(|| {
            let keys: Vec<&str> = facts.iter().map(|fact| fact.key.as_str()).collect();
            Error::new(Kind::Usage, format!("there is no `{key}`"))
                .hint(format!("there are: {}", keys.join(", ")))
        })?;
        let value = value(fact).ok_or_else(|| {
            Error::new(Kind::Cluster, format!("`{key}` is not to be had from this machine"))
                .hint("sandbox up --recreate (the cluster was made without this port)")
        })?;
        let data = json!({ key: value });
        return Ok(Outcome { text: format!("{value}\n"), data, bad_news: None });
    }
    let mut variables: Vec<(&str, String)> = Vec::new();
    if !options.cluster {
        variables.push(("KUBECONFIG", place.kubeconfig().display().to_string()));
        variables.push(("SANDBOX_CA", place.ca_certificate().display().to_string()));
        variables.push(("SANDBOX_HTTP_PORT", record.ports.http.to_string()));
        variables.push(("SANDBOX_HTTPS_PORT", record.ports.https.to_string()));
    }
    variables.extend(facts.iter().filter_map(|fact| Some((fact.variable?, value(fact)?))));
    let text = variables.iter().map(|(key, text)| exported(key, text));
    let text = text.collect();
    let all: serde_json::Map<_, _> =
        facts.iter().filter_map(|fact| Some((fact.key.clone(), json!(value(fact)?)))).collect();
    let variables: serde_json::Map<_, _> =
        variables.into_iter().map(|(key, text)| (key.to_owned(), json!(text))).collect();
    Ok(Outcome { text, data: json!({ "variables": variables, "facts": all }), bad_news: None })
}
