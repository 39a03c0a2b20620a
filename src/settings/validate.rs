//! Checks of the settings that a type cannot make: all problems at once, each with its path.
//!
//! Owns the rules. Reads whether files exist; changes nothing.

mod checks;

use std::collections::BTreeSet;

use crate::error::{Error, Kind, Result};
use crate::settings::Settings;
use crate::settings::addons::{Crds, KNOWN_GROUPS, OWN_CONFIG_MAP};
use crate::settings::file::AppImage;

/// Checks everything.
///
/// # Errors
/// [`Kind::Settings`], one line for each problem.
pub(super) fn all(settings: &Settings) -> Result<()> {
    let mut problems = Vec::new();
    chart(settings, &mut problems);
    for (index, image) in settings.images.iter().enumerate() {
        self::image(settings, image, &format!("images[{index}]"), &mut problems);
    }
    let mut names = BTreeSet::new();
    for (index, check) in settings.checks.iter().enumerate() {
        checks::check(check, &format!("checks[{index}]"), &mut problems);
        if !names.insert(&check.name) {
            problems.push(format!("checks[{index}].name: `{}` is used twice", check.name));
        }
    }
    for (key, port) in [("http", settings.http_port.value), ("https", settings.https_port.value)] {
        if port == Some(0) {
            problems.push(format!("ports.{key}: 0 is no port; leave it out for any free one"));
        }
    }
    if let (Some(http), Some(https)) = (settings.http_port.value, settings.https_port.value)
        && http == https
    {
        problems.push(format!("ports: http and https are both {http}"));
    }
    addons(settings, &mut problems);
    entries(settings, &mut problems);
    if problems.is_empty() {
        return Ok(());
    }
    let shown = settings.shown();
    let lines: Vec<String> = problems.iter().map(|p| format!("{shown}: {p}")).collect();
    Err(Error::new(Kind::Settings, lines.join("\n")))
}

fn chart(settings: &Settings, problems: &mut Vec<String>) {
    let Some(app) = &settings.app else { return };
    if !app.chart.join("Chart.yaml").is_file() {
        problems.push(format!(
            "app.chart.path: there is no chart in `{}` (no Chart.yaml)",
            app.chart.display()
        ));
    }
    for (index, values) in app.values.iter().enumerate() {
        if !values.is_file() {
            problems.push(format!("app.chart.values[{index}]: no file `{}`", values.display()));
        }
    }
    for (key, name) in [("release", &app.release), ("namespace", &app.namespace)] {
        if crate::settings::Name::new(name).is_err() {
            problems.push(format!("app.chart.{key}: `{name}` is no valid Kubernetes name"));
        }
    }
    if app.timeout.is_zero() {
        problems.push("app.timeout: must be longer than 0s".to_owned());
    }
}

fn addons(settings: &Settings, problems: &mut Vec<String>) {
    let path = "addons.postgres";
    if let Some(postgres) = settings.addons.postgres.options() {
        for (index, file) in postgres.init.iter().enumerate() {
            let file = settings.root.join(file);
            if !file.is_file() {
                problems.push(format!("{path}.init[{index}]: no file `{}`", file.display()));
            }
        }
        if postgres.databases.is_empty() {
            problems.push(format!("{path}.databases: there must be one at least"));
        }
        let mut names = BTreeSet::new();
        for (index, database) in postgres.databases.iter().enumerate() {
            let at = format!("{path}.databases[{index}]");
            named(&database.name, &format!("{at}.name"), problems);
            named(&database.owner, &format!("{at}.owner"), problems);
            if !names.insert(&database.name) {
                problems.push(format!("{at}.name: `{}` is used twice", database.name));
            }
        }
        for (index, user) in postgres.users.iter().enumerate() {
            named(&user.name, &format!("{path}.users[{index}].name"), problems);
        }
    }
    if let Crds::Groups(groups) = &settings.addons.crds {
        let known = KNOWN_GROUPS;
        for (index, group) in groups.iter().enumerate() {
            if !known.contains(&group.as_str()) {
                problems.push(format!(
                    "addons.crds[{index}]: nothing is known of `{group}`; there are: {}",
                    known.join(", ")
                ));
            }
        }
    }
    if let Some(s3) = settings.addons.s3.options() {
        let mut names = BTreeSet::new();
        for (index, bucket) in s3.buckets.iter().enumerate() {
            let path = format!("addons.s3.buckets[{index}]");
            if let Err(why) = bucket.check() {
                problems.push(format!("{path}: {why}"));
            }
            if !names.insert(&bucket.name) {
                problems.push(format!("{path}.name: `{}` is used twice", bucket.name));
            }
        }
    }
    let on = &settings.addons;
    let telemetry = on.telemetry.options();
    let ports = [
        ("redis", "host-port", on.redis.options().and_then(|options| options.host_port)),
        ("postgres", "host-port", on.postgres.options().and_then(|options| options.host_port)),
        ("s3", "host-port", on.s3.options().and_then(|options| options.host_port)),
        ("telemetry", "host-port", telemetry.and_then(|options| options.host_port)),
        ("telemetry", "datadog-port", telemetry.and_then(|options| options.datadog_port)),
        ("telemetry", "otlp-port", telemetry.and_then(|options| options.otlp_port)),
    ];
    let mut used: Vec<(u16, &str)> = Vec::new();
    used.extend(settings.http_port.value.map(|port| (port, "ports.http")));
    used.extend(settings.https_port.value.map(|port| (port, "ports.https")));
    for (name, key, port) in ports {
        let known = used.iter().find(|(known, _)| Some(*known) == port);
        if let (Some((port, other)), true) = (known, port != Some(0)) {
            problems.push(format!("addons.{name}.{key}: {port} is that of {other}, too"));
        }
        used.extend(port.map(|port| (port, name)));
        if port == Some(0) {
            problems.push(format!("addons.{name}.{key}: 0 is no port; leave it out for any"));
        }
    }
}

/// Names in `PostgreSQL` are cut at 63 bytes, which would make two of them one.
fn named(name: &str, path: &str, problems: &mut Vec<String>) {
    if name.is_empty() || name.len() > 63 || name.contains(char::is_control) {
        problems.push(format!("{path}: `{name}` is no name of 1 to 63 bytes"));
    }
}

fn entries(settings: &Settings, problems: &mut Vec<String>) {
    let lists = [("secrets", &settings.secrets), ("config-maps", &settings.config_maps)];
    for (list, entries) in lists {
        let mut names = BTreeSet::new();
        for (index, entry) in entries.iter().enumerate() {
            let (name, namespace) = (&entry.name, &entry.namespace);
            if !names.insert((namespace, name)) {
                problems.push(format!("{list}[{index}].name: `{name}` is used twice"));
            }
            if list == "config-maps" && name == OWN_CONFIG_MAP {
                problems.push(format!(
                    "{list}[{index}].name: `{name}` is the one with the sandbox's own CA"
                ));
            }
            let dns = |text: &str| {
                let fits =
                    |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
                !text.is_empty() && text.len() <= 253 && text.chars().all(fits)
            };
            if !dns(&entry.name) {
                let name = &entry.name;
                problems.push(format!("{list}[{index}].name: `{name}` is no Kubernetes name"));
            }
            let odd = |key: &&String| {
                let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
                key.is_empty() || !key.chars().all(fits)
            };
            for key in entry.data.keys().filter(odd) {
                problems.push(format!(
                    "{list}[{index}].data: `{key}` is no key; letters, digits, `-`, `_`, `.` are"
                ));
            }
        }
    }
}

fn image(settings: &Settings, image: &AppImage, path: &str, problems: &mut Vec<String>) {
    let reference = &image.reference;
    let odd = |c: char| c.is_whitespace() || c.is_control();
    if reference.is_empty() || reference.contains(odd) {
        problems.push(format!("{path}.ref: `{reference}` is no image reference"));
    }
    if reference.contains('@') && image.build.is_some() {
        problems.push(format!(
            "{path}.ref: `{reference}` names a digest, which an image built here cannot have"
        ));
    }
    let Some(build) = &image.build else { return };
    let context = settings.root.join(&build.context);
    if !context.is_dir() {
        problems.push(format!("{path}.build.context: no folder `{}`", context.display()));
    } else if !context.join(&build.dockerfile).is_file() {
        let file = context.join(&build.dockerfile);
        problems.push(format!("{path}.build.dockerfile: no file `{}`", file.display()));
    }
    if let Some(network) = build.network.as_deref()
        && !["default", "host", "none"].contains(&network)
    {
        problems.push(format!(
            "{path}.build.network: `{network}` is none of `default`, `host`, `none`"
        ));
    }
}
