//! Spans as JSON, which the agent takes on its older endpoints. Owns that
//! form; the field names are those of v0.4.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value as Json};

use super::super::each::each;
use super::super::msgpack::Error;
use super::batch::{Batch, Counted, Draft, Origins, Sink, whole};
use super::carried::from_json;
use crate::serve::telemetry::model::{Event, Link, Origin, Value};

/// How many spans a chunk may have.
const SPANS: usize = 50_000;

/// Decodes an array of chunks, or for v0.1 an array of spans.
///
/// # Errors
///
/// The payload is no such array; nothing was passed on then.
pub(crate) fn decode(
    bytes: &[u8],
    flat: bool,
    sender: &Origin<'_>,
    sink: &mut Sink<'_>,
) -> Result<Counted, Error> {
    whole(sink, |batch| {
        let mut origins = Origins::new(sender.clone());
        let mut failed = None;
        if flat {
            batch.begin_chunk()?;
        }
        let mut take = |spans: Vec<JsonSpan>| {
            if failed.is_none() {
                failed = chunk(spans, flat, &mut origins, batch).err();
            }
        };
        let read = if flat {
            each(bytes, None, &mut |span: JsonSpan| take(vec![span]))
        } else {
            each(bytes, None, &mut |chunk: Option<Chunk>| take(chunk.map_or(Vec::new(), |c| c.0)))
        };
        match (read, failed) {
            (Err(error), _) if error.is_eof() => Err(Error::Short),
            (Err(error), _) => Err(Error::Json(error.to_string())),
            (Ok(()), Some(error)) => Err(error),
            (Ok(()), None) => Ok(()),
        }
    })
}

fn chunk<'a>(
    spans: Vec<JsonSpan>,
    flat: bool,
    origins: &mut Origins<'a>,
    batch: &mut Batch<'a, '_, '_>,
) -> Result<(), Error> {
    if !flat {
        batch.begin_chunk()?;
    }
    for span in spans {
        span.draft()?.finish(origins, batch)?;
    }
    batch.end_chunk();
    Ok(())
}

/// The spans of one trace.
struct Chunk(Vec<JsonSpan>);

impl<'de> Deserialize<'de> for Chunk {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Spans;
        impl<'de> Visitor<'de> for Spans {
            type Value = Chunk;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an array of spans")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Chunk, A::Error> {
                let mut spans = Vec::new();
                while let Some(span) = seq.next_element()? {
                    if spans.len() == SPANS {
                        return Err(serde::de::Error::custom("too many spans in one trace"));
                    }
                    spans.push(span);
                }
                Ok(Chunk(spans))
            }
        }
        deserializer.deserialize_seq(Spans)
    }
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct JsonSpan {
    service: Option<String>,
    name: Option<String>,
    resource: Option<String>,
    r#type: Option<String>,
    trace_id: Option<u64>,
    span_id: Option<u64>,
    parent_id: Option<u64>,
    start: Option<i64>,
    duration: Option<i64>,
    error: Option<i32>,
    meta: Option<BTreeMap<String, Option<String>>>,
    metrics: Option<BTreeMap<String, Option<f64>>>,
    meta_struct: Option<BTreeMap<String, String>>,
    span_links: Option<Vec<JsonLink>>,
    span_events: Option<Vec<JsonEvent>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct JsonLink {
    trace_id: u64,
    trace_id_high: u64,
    span_id: u64,
    tracestate: String,
    flags: u32,
    attributes: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct JsonEvent {
    time_unix_nano: u64,
    name: String,
    attributes: BTreeMap<String, Map<String, Json>>,
}

impl JsonSpan {
    fn draft(self) -> Result<Draft<'static>, Error> {
        let mut draft = Draft::default();
        draft.span.service = self.service.unwrap_or_default().into();
        draft.span.name = self.name.unwrap_or_default().into();
        draft.span.resource = self.resource.unwrap_or_default().into();
        draft.span.span_type = self.r#type.unwrap_or_default().into();
        draft.span.trace_id = u128::from(self.trace_id.unwrap_or(0));
        draft.span.span_id = self.span_id.unwrap_or(0);
        draft.span.parent_id = self.parent_id.unwrap_or(0);
        draft.set_start(self.start.unwrap_or(0));
        draft.set_duration(self.duration.unwrap_or(0));
        draft.set_error(self.error.unwrap_or(0));
        for (key, value) in self.meta.unwrap_or_default() {
            draft.meta(key.into(), value.unwrap_or_default().into())?;
        }
        for (key, value) in self.metrics.unwrap_or_default() {
            draft.metric(key.into(), value.unwrap_or(0.0))?;
        }
        for (key, value) in self.meta_struct.unwrap_or_default() {
            let bytes = STANDARD.decode(value).map_err(|error| Error::Json(error.to_string()))?;
            draft.meta_struct(key.into(), bytes.into())?;
        }
        draft
            .span
            .links
            .extend(self.span_links.unwrap_or_default().into_iter().map(JsonLink::link));
        let events = self.span_events.unwrap_or_default();
        draft.span.events.extend(events.into_iter().map(JsonEvent::event));
        Ok(draft)
    }
}

impl JsonLink {
    fn link(self) -> Link<'static> {
        let text = |(key, value): (String, String)| (key.into(), Value::Str(value.into()));
        Link {
            trace_id: u128::from(self.trace_id_high) << 64 | u128::from(self.trace_id),
            span_id: self.span_id,
            trace_state: self.tracestate.into(),
            flags: self.flags,
            attributes: self.attributes.into_iter().map(text).collect(),
        }
    }
}

impl JsonEvent {
    fn event(self) -> Event<'static> {
        let typed = |(key, value): (String, Map<String, Json>)| (key.into(), any_value(value));
        Event {
            time_ns: self.time_unix_nano,
            name: self.name.into(),
            attributes: self.attributes.into_iter().map(typed).collect(),
        }
    }
}

/// A map that names its type and has one field of it.
fn any_value(mut fields: Map<String, Json>) -> Value<'static> {
    let mut take = |name: &str| fields.remove(name).map_or(Value::Null, from_json);
    match take("type") {
        Value::Int(0) | Value::Null => take("string_value"),
        Value::Int(1) => take("bool_value"),
        Value::Int(2) => take("int_value"),
        Value::Int(3) => take("double_value"),
        Value::Int(4) => {
            let Some(Json::Object(mut array)) = fields.remove("array_value") else {
                return Value::Null;
            };
            let Some(Json::Array(values)) = array.remove("values") else { return Value::Null };
            Value::Array(values.into_iter().filter_map(scalar).collect())
        }
        _ => Value::Null,
    }
}

fn scalar(json: Json) -> Option<Value<'static>> {
    let Json::Object(mut fields) = json else { return None };
    let mut take = |name: &str| fields.remove(name).map(from_json);
    match take("type") {
        Some(Value::Int(1)) => take("bool_value"),
        Some(Value::Int(2)) => take("int_value"),
        Some(Value::Int(3)) => take("double_value"),
        _ => take("string_value"),
    }
}
