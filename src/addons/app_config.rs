//! What is made for the app before its chart is installed: its namespace, the sandbox's CA for
//! its pods, and the Secrets and `ConfigMap`s of `sandbox.yaml`.
//!
//! Owns those objects. Pure.

use super::connection::{Fact, fill};
use super::manifest::{Map, Part, map};
use super::{Addon, Inputs};
use crate::error::{Error, Kind, Result};
use crate::settings::addons::OWN_CONFIG_MAP;
use crate::settings::file::Entries;
use crate::state::Credentials;

/// Its name among the addons.
pub const NAME: &str = "app-config";

/// The objects; `None` when there is no app and nothing is asked for.
///
/// # Errors
/// [`Kind::Settings`] when an entry refers to a fact that does not exist.
pub(super) fn addon(
    inputs: &Inputs<'_>,
    credentials: &Credentials,
    facts: &[Fact],
) -> Result<Option<Addon>> {
    let settings = inputs.settings;
    let own = settings.app.as_ref().map_or("default", |app| app.namespace.as_str());
    let namespace_of = |entries: &Entries| entries.namespace.clone().unwrap_or_else(|| own.into());
    let mut namespaces: Vec<String> =
        settings.secrets.iter().chain(&settings.config_maps).map(namespace_of).collect();
    namespaces.extend(settings.app.as_ref().map(|app| app.namespace.clone()));
    namespaces.sort();
    namespaces.dedup();
    if namespaces.is_empty() {
        return Ok(None);
    }
    let mut objects = Vec::new();
    for namespace in &namespaces {
        let part = part(namespace);
        objects.push(part.namespace());
        objects.push(
            part.config_map(OWN_CONFIG_MAP, map(&[("ca.crt", credentials.ca_certificate())])),
        );
    }
    for (index, entries) in settings.secrets.iter().enumerate() {
        let data = filled(inputs, entries, &format!("secrets[{index}]"), facts)?;
        let pairs: Vec<_> = data.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        objects.push(part(&namespace_of(entries)).secret(&entries.name, &pairs));
    }
    for (index, entries) in settings.config_maps.iter().enumerate() {
        let data = filled(inputs, entries, &format!("config-maps[{index}]"), facts)?;
        objects.push(part(&namespace_of(entries)).config_map(&entries.name, data));
    }
    Ok(Some(Addon::of(NAME, objects)))
}

fn part(namespace: &str) -> Part<'_> {
    Part { addon: NAME, namespace, name: NAME, component: "config" }
}

fn filled(inputs: &Inputs<'_>, entries: &Entries, path: &str, facts: &[Fact]) -> Result<Map> {
    let fill = |(key, text): (&String, &String)| match fill(text, facts) {
        Ok(text) => Ok((key.clone(), text)),
        Err(unknown) => {
            let shown = inputs.settings.shown();
            let message = format!("{shown}: {path}.data.{key}: {}", unknown.told());
            Err(Error::new(Kind::Settings, message))
        }
    };
    entries.data.iter().map(fill).collect()
}
