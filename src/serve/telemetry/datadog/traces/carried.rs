//! Span links and events that a tracer writes as JSON into `meta`, because
//! v0.5 has no place for them. Owns their two shapes. What cannot be read
//! stays an attribute and nothing else.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::serve::telemetry::model::{
    Attribute, Event, Link, Value, parse_span_id, parse_trace_id,
};

#[derive(Deserialize)]
struct CarriedLink {
    trace_id: String,
    span_id: String,
    #[serde(default)]
    attributes: Map<String, Json>,
    #[serde(default)]
    tracestate: Option<String>,
    #[serde(default)]
    flags: Option<u32>,
}

#[derive(Deserialize)]
struct CarriedEvent {
    name: String,
    time_unix_nano: u64,
    #[serde(default)]
    attributes: Map<String, Json>,
}

/// Reads `_dd.span_links`.
pub(super) fn links(text: &str, into: &mut Vec<Link<'_>>) {
    let Ok(links) = serde_json::from_str::<Vec<CarriedLink>>(text) else { return };
    into.extend(links.into_iter().map(|link| Link {
        trace_id: parse_trace_id(&link.trace_id).unwrap_or(0),
        span_id: parse_span_id(&link.span_id).unwrap_or(0),
        trace_state: link.tracestate.unwrap_or_default().into(),
        attributes: attributes(link.attributes),
        flags: link.flags.unwrap_or(0),
    }));
}

/// Reads `events`.
pub(super) fn events(text: &str, into: &mut Vec<Event<'_>>) {
    let Ok(events) = serde_json::from_str::<Vec<CarriedEvent>>(text) else { return };
    into.extend(events.into_iter().map(|event| Event {
        time_ns: event.time_unix_nano,
        name: event.name.into(),
        attributes: attributes(event.attributes),
    }));
}

fn attributes(json: Map<String, Json>) -> Vec<Attribute<'static>> {
    json.into_iter().map(|(key, value)| (key.into(), from_json(value))).collect()
}

/// A JSON value in the model. Depth is bounded by the JSON reader's own limit.
pub(in super::super) fn from_json(json: Json) -> Value<'static> {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(value),
        Json::Number(number) => match number.as_i64() {
            Some(integer) => Value::Int(integer),
            None => Value::Double(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::Str(Cow::Owned(text)),
        Json::Array(items) => Value::Array(items.into_iter().map(from_json).collect()),
        Json::Object(entries) => Value::Map(attributes(entries)),
    }
}
