//! Spans, log lines and measurements as JSON.
//!
//! Owns the shape of items in answers. 64-bit times are text, as JavaScript has no room for them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json, json};

use super::super::model::{
    Attribute, Event, Link, Log, Measure, Origin, Point, Protocol, Span, Status, Value,
};
use super::super::store::{LogRow, PointRow, Row, Segment, SpanRow};
use super::time::milliseconds;

/// A span with all that is known of it.
pub(in super::super) fn span(segment: &Segment<SpanRow>, row: &SpanRow) -> Json {
    let span = segment.span(row);
    let head = row.head();
    let mut fields = of_span(&span);
    insert(&mut fields, "seq", head.seq);
    insert(&mut fields, "received_ms", milliseconds(head.received_ns));
    sender(&mut fields, &span.origin, head.protocol);
    insert(&mut fields, "scope", scope(&span.origin));
    Json::Object(fields)
}

fn of_span(span: &Span<'_>) -> Map<String, Json> {
    let fields = json!({
        "trace_id": trace_id(span.trace_id),
        "span_id": span_id(span.span_id),
        "parent_id": optional_span_id(span.parent_id),
        "service": span.service,
        "name": span.name,
        "resource": span.resource,
        "type": span.span_type,
        "kind": span.kind.as_str(),
        "start_ns": span.start_ns.to_string(),
        "start_ms": milliseconds(span.start_ns),
        "duration_ns": span.duration_ns,
        "status": span.status.as_str(),
        "error": span.status == Status::Error,
        "status_message": span.status_message,
        "trace_state": span.trace_state,
        "attributes": attributes(&span.attributes),
        "events": span.events.iter().map(event).collect::<Vec<_>>(),
        "links": span.links.iter().map(link).collect::<Vec<_>>(),
    });
    into_map(fields)
}

fn event(event: &Event<'_>) -> Json {
    json!({
        "time_ns": event.time_ns.to_string(),
        "time_ms": milliseconds(event.time_ns),
        "name": event.name,
        "attributes": attributes(&event.attributes),
    })
}

fn link(link: &Link<'_>) -> Json {
    json!({
        "trace_id": trace_id(link.trace_id),
        "span_id": span_id(link.span_id),
        "trace_state": link.trace_state,
        "flags": link.flags,
        "attributes": attributes(&link.attributes),
    })
}

/// A log line with all that is known of it.
pub(super) fn log(segment: &Segment<LogRow>, row: &LogRow) -> Json {
    let log = segment.log(row);
    let head = row.head();
    let mut fields = of_log(&log);
    insert(&mut fields, "seq", head.seq);
    insert(&mut fields, "received_ms", milliseconds(head.received_ns));
    sender(&mut fields, &log.origin, head.protocol);
    insert(&mut fields, "source", log.source.as_ref());
    Json::Object(fields)
}

fn of_log(log: &Log<'_>) -> Map<String, Json> {
    let fields = json!({
        "time_ns": log.time_ns.to_string(),
        "time_ms": milliseconds(log.time_ns),
        "level": log.level.as_str(),
        "severity": log.severity,
        "message": log.message,
        "service": log.service,
        "trace_id": (log.trace_id != 0).then(|| trace_id(log.trace_id)),
        "span_id": optional_span_id(log.span_id),
        "attributes": attributes(&log.attributes),
    });
    into_map(fields)
}

/// A measurement with all that is known of it.
pub(super) fn point(segment: &Segment<PointRow>, row: &PointRow) -> Json {
    let point = segment.point(row);
    let head = row.head();
    let mut fields = of_point(&point);
    insert(&mut fields, "seq", head.seq);
    insert(&mut fields, "received_ms", milliseconds(head.received_ns));
    sender(&mut fields, &point.origin, head.protocol);
    Json::Object(fields)
}

fn of_point(point: &Point<'_>) -> Map<String, Json> {
    let fields = json!({
        "name": point.name,
        "kind": point.kind.as_str(),
        "service": point.service,
        "time_ns": point.time_ns.to_string(),
        "time_ms": milliseconds(point.time_ns),
        "start_ns": point.start_ns.to_string(),
        "interval_ns": point.interval_ns,
        "value": measure(&point.value),
        "weight": number(point.weight),
        "cumulative": point.cumulative,
        "monotonic": point.monotonic,
        "unit": point.unit,
        "description": point.description,
        "tags": attributes(&point.tags),
    });
    into_map(fields)
}

fn measure(measure: &Measure<'_>) -> Json {
    let maybe = |value: Option<f64>| value.map(number);
    let all = |values: &[f64]| values.iter().copied().map(number).collect::<Vec<_>>();
    match measure {
        Measure::Number(value) => number(*value),
        Measure::Int(value) => json!(value),
        Measure::Samples(values) => json!({ "samples": all(values) }),
        Measure::Members(members) => json!({ "members": members }),
        Measure::Buckets { count, sum, min, max, bounds, counts } => json!({
            "count": count,
            "sum": maybe(*sum),
            "min": maybe(*min),
            "max": maybe(*max),
            "bounds": all(bounds),
            "counts": counts,
        }),
        Measure::Exponential {
            count,
            sum,
            min,
            max,
            scale,
            zero_count,
            zero_threshold,
            positive,
            negative,
        } => json!({
            "count": count,
            "sum": maybe(*sum),
            "min": maybe(*min),
            "max": maybe(*max),
            "scale": scale,
            "zero_count": zero_count,
            "zero_threshold": number(*zero_threshold),
            "positive": { "offset": positive.0, "counts": positive.1 },
            "negative": { "offset": negative.0, "counts": negative.1 },
        }),
        Measure::Quantiles { count, sum, values } => json!({
            "count": count,
            "sum": number(*sum),
            "quantiles": values
                .iter()
                .map(|(quantile, value)| [number(*quantile), number(*value)])
                .collect::<Vec<_>>(),
        }),
    }
}

fn sender(fields: &mut Map<String, Json>, origin: &Origin<'_>, protocol: Protocol) {
    insert(fields, "env", origin.env.as_ref());
    insert(fields, "version", origin.version.as_ref());
    insert(fields, "host", origin.host.as_ref());
    insert(fields, "container_id", origin.container_id.as_ref());
    insert(fields, "language", origin.language.as_ref());
    insert(fields, "resource_attributes", attributes(&origin.attributes));
    insert(fields, "protocol", protocol.as_str());
    insert(fields, "source", world(protocol));
}

fn world(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::OtlpGrpc | Protocol::OtlpProtobuf | Protocol::OtlpJson => "otlp",
        Protocol::Stdout => "stdout",
        _ => "datadog",
    }
}

fn scope(origin: &Origin<'_>) -> Json {
    json!({ "name": origin.scope_name, "version": origin.scope_version })
}

/// Attributes as an object; a key that comes several times has an array.
pub(in super::super) fn attributes(attributes: &[Attribute<'_>]) -> Json {
    let mut fields = Map::new();
    for (key, one) in attributes {
        let one = value(one);
        match fields.get_mut(key.as_ref()) {
            None => {
                fields.insert(key.to_string(), one);
            }
            Some(Json::Array(values)) => values.push(one),
            Some(first) => *first = Json::Array(vec![first.take(), one]),
        }
    }
    Json::Object(fields)
}

/// A value; how deep it nests is bounded by the store.
pub(in super::super) fn value(value: &Value<'_>) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Str(text) => json!(text),
        Value::Bool(value) => json!(value),
        Value::Int(value) => json!(value),
        Value::Double(value) => number(*value),
        Value::Bytes(bytes) => json!({ "base64": STANDARD.encode(bytes) }),
        Value::Array(values) => Json::Array(values.iter().map(self::value).collect()),
        Value::Map(entries) => attributes(entries),
    }
}

/// A number, or its name where JSON has none for it.
pub(super) fn number(value: f64) -> Json {
    if value.is_finite() {
        return json!(value);
    }
    json!(if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    })
}

/// 32 hex digits.
pub(in super::super) fn trace_id(id: u128) -> String {
    format!("{id:032x}")
}

/// 16 hex digits.
pub(in super::super) fn span_id(id: u64) -> String {
    format!("{id:016x}")
}

fn optional_span_id(id: u64) -> Option<String> {
    (id != 0).then(|| span_id(id))
}

fn insert(fields: &mut Map<String, Json>, key: &str, value: impl Into<Json>) {
    fields.insert(key.to_owned(), value.into());
}

fn into_map(json: Json) -> Map<String, Json> {
    match json {
        Json::Object(fields) => fields,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_kind() {
        let all = attributes(&[
            ("a".into(), Value::Int(i64::MAX)),
            ("b".into(), Value::Double(f64::NAN)),
            ("c".into(), Value::Bytes(vec![1, 2].into())),
            ("d".into(), Value::Null),
            ("t".into(), Value::Str("x".into())),
            ("t".into(), Value::Str("y".into())),
            ("t".into(), Value::Str("z".into())),
        ]);
        let expected = json!({
            "a": i64::MAX, "b": "NaN", "c": { "base64": "AQI=" }, "d": null, "t": ["x", "y", "z"],
        });
        assert_eq!(all, expected);
    }

    #[test]
    fn ids_have_all_their_digits() {
        assert_eq!(trace_id(0xab), format!("{:0>32}", "ab"));
        assert_eq!(optional_span_id(0), None);
        assert_eq!(optional_span_id(1).unwrap(), "0000000000000001");
    }
}
