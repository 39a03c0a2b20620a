//! Whether the spans of a trace are what a check wants.
//!
//! Owns what a span is compared by and how a difference is told. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::checks::text;
use crate::settings::checks::Span;

/// How much of a value is repeated, in characters.
const SHOWN: usize = 80;

/// A span as the telemetry server tells it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct Found {
    pub(super) span_id: String,
    pub(super) parent_id: Option<String>,
    pub(super) service: Option<String>,
    pub(super) name: Option<String>,
    pub(super) resource: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) env: Option<String>,
    pub(super) version: Option<String>,
    pub(super) error: bool,
    pub(super) duration_ns: u64,
    pub(super) attributes: BTreeMap<String, Value>,
    pub(super) resource_attributes: BTreeMap<String, Value>,
}

/// Looks for a span with everything that must be below it.
///
/// # Errors
/// One line: which span is missing, and how the one that comes closest differs.
pub(super) fn find(wanted: &Span, spans: &[Found]) -> Result<(), String> {
    let all: Vec<&Found> = spans.iter().collect();
    among(wanted, &all, spans)
}

fn among(wanted: &Span, candidates: &[&Found], spans: &[Found]) -> Result<(), String> {
    let mut nearest: Option<(usize, String)> = None;
    let mut below = None;
    for candidate in candidates {
        let differences = differences(wanted, candidate);
        if differences.is_empty() {
            match children(wanted, candidate, spans) {
                Ok(()) => return Ok(()),
                Err(why) => below = Some(why),
            }
        } else if nearest.as_ref().is_none_or(|(count, _)| differences.len() < *count) {
            let told = format!("`{}` {}", title(candidate), differences.join(", "));
            nearest = Some((differences.len(), told));
        }
    }
    if let Some(why) = below {
        return Err(why);
    }
    let near = match nearest {
        Some((_, near)) => format!("; the nearest: {near}"),
        None => String::new(),
    };
    Err(format!("no span with {} among {}{near}", shown(wanted), candidates.len()))
}

fn children(wanted: &Span, parent: &Found, spans: &[Found]) -> Result<(), String> {
    let below = descendants(parent, spans);
    wanted.children.iter().try_for_each(|child| {
        among(child, &below, spans).map_err(|why| format!("below `{}`: {why}", title(parent)))
    })
}

/// All spans below one; a trace that goes in a circle ends where it began.
fn descendants<'a>(parent: &'a Found, spans: &'a [Found]) -> Vec<&'a Found> {
    let mut by_parent: BTreeMap<&str, Vec<&Found>> = BTreeMap::new();
    for span in spans {
        by_parent.entry(span.parent_id.as_deref().unwrap_or_default()).or_default().push(span);
    }
    let mut below = Vec::new();
    let mut open = vec![parent.span_id.as_str()];
    while let Some(id) = open.pop() {
        for span in by_parent.remove(id).unwrap_or_default() {
            below.push(span);
            open.push(&span.span_id);
        }
    }
    below
}

/// How a span differs from what is wanted; nothing = it does not.
fn differences(wanted: &Span, found: &Found) -> Vec<String> {
    let mut differences = Vec::new();
    let texts = [
        ("service", &wanted.service, &found.service),
        ("name", &wanted.name, &found.name),
        ("resource", &wanted.resource, &found.resource),
        ("kind", &wanted.kind, &found.kind),
        ("env", &wanted.env, &found.env),
        ("version", &wanted.version, &found.version),
    ];
    for (key, wanted, found) in texts {
        let Some(wanted) = wanted else { continue };
        let found = found.as_deref().unwrap_or_default();
        if !fits(wanted, found) {
            differences.push(match found {
                "" => format!("has no {key}, expected `{wanted}`"),
                found => format!("has {key} `{}`, expected `{wanted}`", text::line(found, SHOWN)),
            });
        }
    }
    if wanted.error.is_some_and(|error| error != found.error) {
        differences.push(if found.error { "failed".into() } else { "did not fail".into() });
    }
    let took = Duration::from_nanos(found.duration_ns);
    let limit =
        |limit: Option<jiff::SignedDuration>| limit.and_then(|d| Duration::try_from(d).ok());
    if limit(wanted.min_duration).is_some_and(|least| took < least)
        || limit(wanted.max_duration).is_some_and(|most| took > most)
    {
        differences.push(format!("took {took:?}"));
    }
    for (key, value) in &wanted.attributes {
        let came = found.attributes.get(key).or_else(|| found.resource_attributes.get(key));
        differences.extend(difference(key, value, came));
    }
    differences
}

/// How an attribute differs from what is wanted.
pub(super) fn difference(key: &str, wanted: &Value, came: Option<&Value>) -> Option<String> {
    let expected = plain(wanted);
    match came {
        None if wanted.is_null() => None,
        None => Some(format!("has no `{key}`, expected `{expected}`")),
        Some(came) if came == wanted || fits(&expected, &plain(came)) => None,
        Some(came) => {
            let came = text::line(&plain(came), SHOWN);
            Some(format!("has `{key}` `{came}`, expected `{expected}`"))
        }
    }
}

/// A value without quotes: clients send `200` as a number or as a text.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Whether a text is what a pattern says, in which `*` is any text.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// What is wanted of one span, in one line.
fn shown(wanted: &Span) -> String {
    let texts = [
        ("service", &wanted.service),
        ("name", &wanted.name),
        ("resource", &wanted.resource),
        ("kind", &wanted.kind),
        ("env", &wanted.env),
        ("version", &wanted.version),
    ];
    let texts = texts.iter().filter_map(|(key, text)| Some(format!("{key} `{}`", text.as_ref()?)));
    let attributes = wanted.attributes.iter().map(|(key, value)| format!("{key}={}", plain(value)));
    let mut all: Vec<String> = texts.chain(attributes).collect();
    all.extend(wanted.error.map(|error| format!("error {error}")));
    if all.is_empty() { "any name".to_owned() } else { all.join(", ") }
}

fn title(span: &Found) -> String {
    let name = span.resource.as_deref().filter(|text| !text.is_empty()).or(span.name.as_deref());
    let service = span.service.as_deref().unwrap_or_default();
    text::line(&format!("{service} {}", name.unwrap_or_default()), SHOWN)
}

/// The spans as a tree, for evidence.
pub(super) fn tree(spans: &[Found]) -> String {
    let ids: std::collections::BTreeSet<&str> =
        spans.iter().map(|span| span.span_id.as_str()).collect();
    let is_top =
        |span: &&Found| span.parent_id.as_deref().is_none_or(|parent| !ids.contains(parent));
    let mut lines = Vec::new();
    let mut open: Vec<(usize, &Found)> =
        spans.iter().filter(is_top).map(|span| (0, span)).collect();
    open.reverse();
    while let Some((depth, span)) = open.pop() {
        // A circle has no top, and a trace is no deeper than it is long.
        if lines.len() > spans.len() {
            break;
        }
        let tag = |key: &str, value: &Option<String>| {
            value.as_ref().map_or_else(String::new, |value| format!(" {key}={value}"))
        };
        let failed = if span.error { " FAILED" } else { "" };
        let took = Duration::from_nanos(span.duration_ns);
        let name = span.name.as_deref().unwrap_or_default();
        let line = format!(
            "{}{} ({name}){}{} {took:.1?}{failed}",
            "  ".repeat(depth.min(20)),
            title(span),
            tag("env", &span.env),
            tag("version", &span.version),
        );
        lines.push(line);
        let below =
            spans.iter().rev().filter(|one| one.parent_id.as_deref() == Some(&span.span_id));
        open.extend(below.map(|one| (depth + 1, one)));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn span(id: &str, parent: &str, service: &str, name: &str) -> Found {
        Found {
            span_id: id.into(),
            parent_id: (!parent.is_empty()).then(|| parent.into()),
            service: Some(service.into()),
            name: Some(name.into()),
            env: Some("local".into()),
            duration_ns: 2_000_000,
            attributes: BTreeMap::from([("http.status_code".into(), json!("201"))]),
            ..Found::default()
        }
    }

    fn trace() -> Vec<Found> {
        vec![
            span("a", "client", "api", "POST /orders"),
            span("b", "a", "api", "middleware"),
            span("c", "b", "postgres", "INSERT"),
            span("d", "b", "files", "PUT"),
            span("e", "d", "s3", "PutObject"),
        ]
    }

    fn wanted(yaml: &str) -> Span {
        serde_saphyr::from_str(yaml).unwrap()
    }

    fn look(yaml: &str) -> String {
        find(&wanted(yaml), &trace()).map_or_else(|why| why, |()| "held".to_owned())
    }

    #[test]
    fn a_tree_is_found_whatever_lies_between() {
        let shape = "{service: api, name: 'POST *', env: local, where: {http.status_code: 201}, \
                     children: [{service: postgres}, {service: files, children: [{service: s3}]}]}";
        assert_eq!(look(shape), "held");
        assert_eq!(look("{service: files, children: [{service: s3, min-duration: 1ms}]}"), "held");
    }

    #[test]
    fn what_is_missing_is_told_with_what_comes_nearest() {
        insta::assert_snapshot!(look("{service: api, name: 'POST /orders', env: prod}"),
            @"no span with service `api`, name `POST /orders`, env `prod` among 5; the nearest: `api POST /orders` has env `local`, expected `prod`");
        insta::assert_snapshot!(look("{service: files, children: [{service: postgres}]}"),
            @"below `files PUT`: no span with service `postgres` among 1; the nearest: `s3 PutObject` has service `s3`, expected `postgres`");
        insta::assert_snapshot!(look("{service: s3, where: {http.status_code: 500, aws.bucket: x}}"),
            @"no span with service `s3`, aws.bucket=x, http.status_code=500 among 5; the nearest: `s3 PutObject` has no `aws.bucket`, expected `x`, has `http.status_code` `201`, expected `500`");
        assert!(look("{service: api, error: true}").contains("did not fail"));
        assert!(look("{service: api, max-duration: 1ms}").contains("took 2ms"));
        assert_eq!(
            find(&wanted("{service: x}"), &[]).unwrap_err(),
            "no span with service `x` among 0"
        );
    }

    #[test]
    fn a_trace_that_goes_in_a_circle_ends() {
        let spans = [span("a", "b", "x", "x"), span("b", "a", "x", "y")];
        let missing = wanted("{service: x, children: [{service: z}]}");
        assert!(find(&missing, &spans).is_err());
        assert_eq!(tree(&spans), "");
    }

    #[test]
    fn evidence_is_a_tree() {
        insta::assert_snapshot!(tree(&trace()), @"
        api POST /orders (POST /orders) env=local 2.0ms
          api middleware (middleware) env=local 2.0ms
            postgres INSERT (INSERT) env=local 2.0ms
            files PUT (PUT) env=local 2.0ms
              s3 PutObject (PutObject) env=local 2.0ms
        ");
    }

    #[test]
    fn patterns_have_wildcards() {
        for (pattern, text, expected) in [
            ("GET /*", "GET /orders", true),
            ("*orders*", "GET /orders/1", true),
            ("a*b*c", "a1b2c", true),
            ("a*b", "abx", false),
            ("ab*ba", "aba", false),
            ("", "", true),
            ("*", "", true),
            ("x", "xy", false),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }
}
