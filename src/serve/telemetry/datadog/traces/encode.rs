//! Writes spans in the formats that are read, for tests.

use std::collections::BTreeMap;

use rmp::encode::{
    write_array_len, write_bin, write_bool, write_f64, write_map_len, write_sint, write_str,
    write_uint,
};

use crate::serve::telemetry::model::{Event, Link, Span, Status, Value};

/// A chunk is a list of spans.
pub(crate) type Chunks<'a> = [Vec<Span<'a>>];

fn len(count: usize) -> u32 {
    u32::try_from(count).unwrap()
}

/// `/v0.4/traces`.
pub(crate) fn v04(chunks: &Chunks<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    write_array_len(&mut out, len(chunks.len())).unwrap();
    for chunk in chunks {
        spans(&mut out, chunk);
    }
    out
}

/// `/v0.7/traces`, whose tracer says `env` after the chunks.
pub(crate) fn v07(chunks: &Chunks<'_>, env: &str) -> Vec<u8> {
    let mut out = Vec::new();
    write_map_len(&mut out, 3).unwrap();
    write_str(&mut out, "language_name").unwrap();
    write_str(&mut out, "python").unwrap();
    write_str(&mut out, "chunks").unwrap();
    write_array_len(&mut out, len(chunks.len())).unwrap();
    for chunk in chunks {
        write_map_len(&mut out, 3).unwrap();
        write_str(&mut out, "priority").unwrap();
        write_sint(&mut out, -128).unwrap();
        write_str(&mut out, "spans").unwrap();
        spans(&mut out, chunk);
        write_str(&mut out, "dropped_trace").unwrap();
        write_bool(&mut out, false).unwrap();
    }
    write_str(&mut out, "env").unwrap();
    write_str(&mut out, env).unwrap();
    out
}

/// `/v0.5/traces`.
pub(crate) fn v05(chunks: &Chunks<'_>) -> Vec<u8> {
    let mut table = Table::default();
    table.index("");
    let mut traces = Vec::new();
    write_array_len(&mut traces, len(chunks.len())).unwrap();
    for chunk in chunks {
        write_array_len(&mut traces, len(chunk.len())).unwrap();
        for span in chunk {
            v05_span(&mut traces, span, &mut table);
        }
    }
    let mut out = Vec::new();
    write_array_len(&mut out, 2).unwrap();
    write_array_len(&mut out, len(table.strings.len())).unwrap();
    for text in &table.strings {
        write_str(&mut out, text).unwrap();
    }
    out.extend(traces);
    out
}

#[derive(Default)]
struct Table {
    strings: Vec<String>,
    places: BTreeMap<String, u64>,
}

impl Table {
    fn index(&mut self, text: &str) -> u64 {
        *self.places.entry(text.to_owned()).or_insert_with(|| {
            self.strings.push(text.to_owned());
            u64::from(len(self.strings.len() - 1))
        })
    }
}

fn v05_span(out: &mut Vec<u8>, span: &Span<'_>, table: &mut Table) {
    write_array_len(out, 12).unwrap();
    for text in [&span.service, &span.name, &span.resource] {
        write_uint(out, table.index(text)).unwrap();
    }
    numbers(out, span, |_, _| {});
    let (meta, metrics, _) = parts(span);
    write_map_len(out, len(meta.len())).unwrap();
    for (key, value) in meta {
        write_uint(out, table.index(key)).unwrap();
        write_uint(out, table.index(value)).unwrap();
    }
    write_map_len(out, len(metrics.len())).unwrap();
    for (key, value) in metrics {
        write_uint(out, table.index(key)).unwrap();
        write_f64(out, value).unwrap();
    }
    write_uint(out, table.index(&span.span_type)).unwrap();
}

type Parts<'s> = (Vec<(&'s str, &'s str)>, Vec<(&'s str, f64)>, Vec<(&'s str, &'s [u8])>);

fn parts<'s>(span: &'s Span<'_>) -> Parts<'s> {
    let (mut meta, mut metrics, mut structs) = (Vec::new(), Vec::new(), Vec::new());
    for (key, value) in &span.attributes {
        match value {
            Value::Str(text) => meta.push((key.as_ref(), text.as_ref())),
            Value::Double(number) => metrics.push((key.as_ref(), *number)),
            Value::Bytes(bytes) => structs.push((key.as_ref(), bytes.as_ref())),
            other => panic!("a Datadog span has no {other:?}"),
        }
    }
    (meta, metrics, structs)
}

/// Ids, times and error, each after its name.
fn numbers(out: &mut Vec<u8>, span: &Span<'_>, name: impl Fn(&mut Vec<u8>, &str)) {
    let lower = u64::try_from(span.trace_id & u128::from(u64::MAX)).unwrap();
    for (key, value) in
        [("trace_id", lower), ("span_id", span.span_id), ("parent_id", span.parent_id)]
    {
        name(out, key);
        write_uint(out, value).unwrap();
    }
    for (key, value) in [("start", span.start_ns), ("duration", span.duration_ns)] {
        name(out, key);
        write_sint(out, i64::try_from(value).unwrap()).unwrap();
    }
    name(out, "error");
    write_sint(out, i64::from(span.status == Status::Error)).unwrap();
}

fn spans(out: &mut Vec<u8>, chunk: &[Span<'_>]) {
    write_array_len(out, len(chunk.len())).unwrap();
    for span in chunk {
        v04_span(out, span);
    }
}

fn v04_span(out: &mut Vec<u8>, span: &Span<'_>) {
    let (meta, metrics, structs) = parts(span);
    write_map_len(out, 16).unwrap();
    let texts = [
        ("service", &span.service),
        ("name", &span.name),
        ("resource", &span.resource),
        ("type", &span.span_type),
    ];
    for (key, text) in texts {
        write_str(out, key).unwrap();
        write_str(out, text).unwrap();
    }
    write_str(out, "of a newer tracer").unwrap();
    write_array_len(out, 2).unwrap();
    write_map_len(out, 1).unwrap();
    write_uint(out, 1).unwrap();
    write_bin(out, b"x").unwrap();
    write_bool(out, true).unwrap();
    numbers(out, span, |out, name| write_str(out, name).unwrap());
    write_str(out, "meta").unwrap();
    write_map_len(out, len(meta.len())).unwrap();
    for (key, value) in meta {
        write_str(out, key).unwrap();
        write_str(out, value).unwrap();
    }
    write_str(out, "metrics").unwrap();
    write_map_len(out, len(metrics.len())).unwrap();
    for (key, value) in metrics {
        write_str(out, key).unwrap();
        write_f64(out, value).unwrap();
    }
    write_str(out, "meta_struct").unwrap();
    write_map_len(out, len(structs.len())).unwrap();
    for (key, value) in structs {
        write_str(out, key).unwrap();
        write_bin(out, value).unwrap();
    }
    write_str(out, "span_links").unwrap();
    write_array_len(out, len(span.links.len())).unwrap();
    for link in &span.links {
        v04_link(out, link);
    }
    write_str(out, "span_events").unwrap();
    write_array_len(out, len(span.events.len())).unwrap();
    for event in &span.events {
        v04_event(out, event);
    }
}

fn v04_link(out: &mut Vec<u8>, link: &Link<'_>) {
    write_map_len(out, 6).unwrap();
    let halves = [
        ("trace_id", u64::try_from(link.trace_id & u128::from(u64::MAX)).unwrap()),
        ("trace_id_high", u64::try_from(link.trace_id >> 64).unwrap()),
        ("span_id", link.span_id),
        ("flags", u64::from(link.flags)),
    ];
    for (key, value) in halves {
        write_str(out, key).unwrap();
        write_uint(out, value).unwrap();
    }
    write_str(out, "tracestate").unwrap();
    write_str(out, &link.trace_state).unwrap();
    write_str(out, "attributes").unwrap();
    write_map_len(out, len(link.attributes.len())).unwrap();
    for (key, value) in &link.attributes {
        let Value::Str(value) = value else { panic!("a link has only text") };
        write_str(out, key).unwrap();
        write_str(out, value).unwrap();
    }
}

fn v04_event(out: &mut Vec<u8>, event: &Event<'_>) {
    write_map_len(out, 3).unwrap();
    write_str(out, "time_unix_nano").unwrap();
    write_uint(out, event.time_ns).unwrap();
    write_str(out, "name").unwrap();
    write_str(out, &event.name).unwrap();
    write_str(out, "attributes").unwrap();
    write_map_len(out, len(event.attributes.len())).unwrap();
    for (key, value) in &event.attributes {
        write_str(out, key).unwrap();
        any_value(out, value);
    }
}

fn any_value(out: &mut Vec<u8>, value: &Value<'_>) {
    write_map_len(out, 2).unwrap();
    write_str(out, "type").unwrap();
    let number = |out: &mut Vec<u8>, number| write_uint(out, number).map(drop).unwrap();
    match value {
        Value::Str(text) => {
            number(out, 0);
            write_str(out, "string_value").unwrap();
            write_str(out, text).unwrap();
        }
        Value::Bool(truth) => {
            number(out, 1);
            write_str(out, "bool_value").unwrap();
            write_bool(out, *truth).unwrap();
        }
        Value::Int(integer) => {
            number(out, 2);
            write_str(out, "int_value").unwrap();
            write_sint(out, *integer).unwrap();
        }
        Value::Double(double) => {
            number(out, 3);
            write_str(out, "double_value").unwrap();
            write_f64(out, *double).unwrap();
        }
        Value::Array(items) => {
            number(out, 4);
            write_str(out, "array_value").unwrap();
            write_map_len(out, 1).unwrap();
            write_str(out, "values").unwrap();
            write_array_len(out, len(items.len())).unwrap();
            for item in items {
                any_value(out, item);
            }
        }
        other => panic!("an event has no {other:?}"),
    }
}
