//! Checks of the settings that a type cannot make: all problems at once, each with its path.
//!
//! Owns the rules. Reads whether files exist; changes nothing.

use std::collections::BTreeSet;

use crate::error::{Error, Kind, Result};
use crate::settings::Settings;
use crate::settings::file::{AppImage, Check};

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
        self::check(check, &format!("checks[{index}]"), &mut problems);
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

fn check(check: &Check, path: &str, problems: &mut Vec<String>) {
    let Some(http) = &check.http else {
        problems.push(format!("{path}: `{}` has no kind, such as `http:`", check.name));
        return;
    };
    if !(http.url.starts_with("http://") || http.url.starts_with("https://")) {
        problems.push(format!("{path}.http.url: `{}` is no http(s) URL", http.url));
    } else if reqwest::Url::parse(&http.url).is_err() {
        problems.push(format!("{path}.http.url: `{}` cannot be parsed", http.url));
    }
    let bodies = http.expect.body.iter().map(|body| ("body".to_owned(), body));
    let headers =
        http.expect.headers.iter().map(|(name, value)| (format!("headers.{name}"), value));
    for (key, pattern) in bodies.chain(headers) {
        if let Err(error) = regex::Regex::new(pattern) {
            let why = error.to_string().lines().last().unwrap_or_default().to_owned();
            let why = why.trim_start_matches("error: ");
            problems.push(format!("{path}.http.expect.{key}: `{pattern}`: {why}"));
        }
    }
    if let (Some(distinct), times) = (http.expect.distinct_bodies, http.times.unwrap_or(1))
        && distinct > times
    {
        problems.push(format!(
            "{path}.http.expect.distinct-bodies: {distinct} of {times} request(s) is impossible"
        ));
    }
}
