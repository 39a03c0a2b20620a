//! `/api/v2/logs` and `/v1/input`: log entries as JSON. Owns which keys mean
//! what.
//!
//! Keys: <https://docs.datadoghq.com/api/latest/logs/#send-logs> and the
//! reserved attributes of
//! <https://docs.datadoghq.com/logs/log_configuration/attributes_naming_convention/>.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::super::each::each;
use super::super::msgpack::Error;
use super::super::tags;
use super::super::traces::from_json;
use super::super::tree::Object;
use super::{Logs, json, nanoseconds, whole};
use crate::serve::telemetry::model::{
    Attribute, Level, Log, Origin, Text, parse_span_id, parse_trace_id,
};

/// Decodes an array of entries, one entry, or lines of text.
///
/// # Errors
///
/// The body is JSON of another shape.
pub(crate) fn decode(
    bytes: &[u8],
    defaults: &Defaults<'_>,
    origin: &Origin<'_>,
    sink: &mut Logs<'_>,
) -> Result<u64, Error> {
    let payload = Arc::new(origin.clone());
    let is_json = matches!(bytes.trim_ascii_start().first(), Some(b'[' | b'{'));
    if !is_json {
        let text = String::from_utf8_lossy(bytes);
        return whole(
            |items| sink(items),
            |take| {
                for line in text.lines().filter(|line| !line.trim().is_empty()) {
                    let message = Json::String(line.to_owned());
                    take(entry(
                        Map::from_iter([("message".to_owned(), message)]),
                        defaults,
                        &payload,
                    ));
                }
                Ok(())
            },
        );
    }
    whole(
        |items| sink(items),
        |take| {
            each(bytes, None, &mut |Object(fields)| {
                take(entry(fields, defaults, &payload));
            })
            .map_err(|error| json(&error))
        },
    )
}

/// What the request says for all its entries, in its query or headers.
#[derive(Debug, Default)]
pub(crate) struct Defaults<'a> {
    pub(crate) source: Text<'a>,
    pub(crate) tags: Text<'a>,
    pub(crate) service: Text<'a>,
    pub(crate) host: Text<'a>,
}

impl<'a> Defaults<'a> {
    /// From a query such as `ddsource=python&ddtags=env:dev`.
    pub(crate) fn from_query(query: &'a str) -> Self {
        let mut defaults = Self::default();
        for (key, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let value = percent_encoding::percent_decode_str(value).decode_utf8_lossy();
            match key {
                "ddsource" => defaults.source = value,
                "ddtags" => defaults.tags = value,
                "service" => defaults.service = value,
                "hostname" | "host" => defaults.host = value,
                _ => {}
            }
        }
        defaults
    }
}

fn entry<'a>(
    mut fields: Map<String, Json>,
    defaults: &Defaults<'a>,
    payload: &Arc<Origin<'a>>,
) -> Log<'a> {
    let mut tags: Vec<Attribute<'a>> = match take(&mut fields, &["ddtags"]) {
        Some(joined) => split(&joined),
        None => Vec::new(),
    };
    tags.extend(split(&defaults.tags));
    tags.truncate(tags::MOST);
    let or = |own: Option<Text<'a>>, default: &Text<'a>| own.unwrap_or_else(|| default.clone());
    let severity =
        take(&mut fields, &["status", "level", "severity", "syslog.severity"]).unwrap_or_default();
    let env = own_or_tag(peek(&fields, &["dd.env"]), &tags, "env");
    let version = own_or_tag(peek(&fields, &["dd.version"]), &tags, "version");
    let service = take(&mut fields, &["service"]).or_else(|| peek(&fields, &["dd.service"]));
    let host = or(take(&mut fields, &["hostname", "host"]), &defaults.host);
    let trace_id = id(&fields, &["dd.trace_id", "trace_id", "otelTraceID"], parse_trace_id);
    let span_id = id(&fields, &["dd.span_id", "span_id", "otelSpanID"], parse_span_id);
    let mut log = Log {
        time_ns: time(&fields),
        level: Level::from_name(&severity),
        message: take(&mut fields, &["message", "msg", "log"]).unwrap_or_default(),
        service: match service {
            Some(service) => service,
            None if defaults.service.is_empty() => tags::find(&tags, "service"),
            None => defaults.service.clone(),
        },
        source: or(take(&mut fields, &["ddsource"]), &defaults.source),
        trace_id: trace_id.unwrap_or(0),
        span_id: span_id.unwrap_or(0),
        origin: origin(payload, env, version, host),
        severity,
        attributes: tags,
    };
    log.attributes.extend(fields.into_iter().map(|(key, value)| (key.into(), from_json(value))));
    log
}

fn split(joined: &str) -> Vec<Attribute<'static>> {
    let tag = |tag: &str| tags::split(tag.trim().to_owned().into());
    joined.split(',').filter(|tag| !tag.trim().is_empty()).take(tags::MOST).map(tag).collect()
}

fn own_or_tag<'a>(own: Option<Text<'a>>, tags: &[Attribute<'a>], name: &str) -> Text<'a> {
    own.filter(|own| !own.is_empty()).unwrap_or_else(|| tags::find(tags, name))
}

fn origin<'a>(
    payload: &Arc<Origin<'a>>,
    env: Text<'a>,
    version: Text<'a>,
    host: Text<'a>,
) -> Arc<Origin<'a>> {
    if env.is_empty() && version.is_empty() && host.is_empty() {
        return Arc::clone(payload);
    }
    Arc::new(Origin { env, version, host, ..Origin::clone(payload) })
}

/// Takes the first of these fields that is there, as text.
fn take<'a>(fields: &mut Map<String, Json>, names: &[&str]) -> Option<Text<'a>> {
    let name =
        names.iter().find(|name| fields.get(**name).is_some_and(|value| !value.is_null()))?;
    match fields.remove(*name)? {
        Json::String(text) => Some(text.into()),
        other => Some(other.to_string().into()),
    }
}

/// The first of these fields that is there, which may lie in an object that
/// its name says before the dot.
fn peek<'a>(fields: &Map<String, Json>, names: &[&str]) -> Option<Text<'a>> {
    names.iter().find_map(|name| match field(fields, name)? {
        Json::String(text) => Some(text.clone().into()),
        Json::Number(number) => Some(number.to_string().into()),
        _ => None,
    })
}

fn field<'f>(fields: &'f Map<String, Json>, name: &str) -> Option<&'f Json> {
    fields.get(name).or_else(|| {
        let (object, inner) = name.split_once('.')?;
        fields.get(object)?.get(inner)
    })
}

fn id<T>(fields: &Map<String, Json>, names: &[&str], parse: fn(&str) -> Option<T>) -> Option<T> {
    names.iter().find_map(|name| parse(&peek(fields, &[name])?))
}

/// When it was: RFC 3339, or seconds or milliseconds since 1970; 0 unless
/// said.
fn time(fields: &Map<String, Json>) -> u64 {
    let names = ["timestamp", "@timestamp", "date", "time"];
    let read = |name: &&str| match fields.get(*name)? {
        Json::Number(number) => Some(nanoseconds(number.as_f64()?)),
        Json::String(text) => match text.parse::<jiff::Timestamp>() {
            Ok(time) => u64::try_from(time.as_nanosecond()).ok(),
            Err(_) => text.parse().ok().map(nanoseconds),
        },
        _ => None,
    };
    names.iter().find_map(read).unwrap_or(0)
}

/// Attributes that are tags have text, so this tells a value that is not.
#[cfg(test)]
pub(super) fn text_of<'v>(value: &'v crate::serve::telemetry::model::Value<'_>) -> &'v str {
    use crate::serve::telemetry::model::Value;
    if let Value::Str(text) = value { text } else { "" }
}
