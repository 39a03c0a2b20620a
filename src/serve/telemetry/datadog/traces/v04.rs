//! Spans as maps: `/v0.3/traces` and `/v0.4/traces` in `MessagePack`, and the
//! spans inside v0.7. Owns the field names, among them span links and events.
//!
//! Fields: `pkg/proto/datadog/trace/span.proto` of the Datadog agent.

use std::cell::Cell;

use super::super::msgpack::{Error, Reader};
use super::batch::{Batch, Counted, Draft, Origins, Sink, whole};
use crate::serve::telemetry::model::{Attribute, Event, Link, Origin, Value};

/// The least bytes that a span can have which is worth its place.
const SPAN: usize = 16;
/// The least bytes of a map entry.
const ENTRY: usize = 2;
/// How many links, events and values in them a span may have together.
const ITEMS: usize = 16_384;

/// Decodes an array of trace chunks, each an array of spans.
///
/// # Errors
///
/// The payload is no such array; nothing was passed on then.
pub(crate) fn decode(
    bytes: &[u8],
    sender: &Origin<'_>,
    sink: &mut Sink<'_>,
) -> Result<Counted, Error> {
    whole(sink, |batch| {
        let mut origins = Origins::new(sender.clone());
        let mut reader = Reader::new(bytes);
        for _ in 0..reader.array()? {
            batch.begin_chunk()?;
            spans(&mut reader, &mut origins, batch)?;
            batch.end_chunk();
        }
        Ok(())
    })
}

/// Reads an array of spans into the current chunk.
fn spans<'a>(
    reader: &mut Reader<'a>,
    origins: &mut Origins<'a>,
    batch: &mut Batch<'a, '_, '_>,
) -> Result<(), Error> {
    for _ in 0..reader.array()? {
        span(reader)?.finish(origins, batch)?;
    }
    Ok(())
}

/// Reads one span.
pub(super) fn span<'a>(reader: &mut Reader<'a>) -> Result<Draft<'a>, Error> {
    let mut draft = Draft::default();
    let room = Cell::new(ITEMS);
    for _ in 0..reader.map()? {
        match reader.str_bytes()? {
            b"service" => draft.span.service = reader.text()?,
            b"name" => draft.span.name = reader.text()?,
            b"resource" => draft.span.resource = reader.text()?,
            b"type" => draft.span.span_type = reader.text()?,
            b"trace_id" => draft.span.trace_id = u128::from(reader.uint()?),
            b"span_id" => draft.span.span_id = reader.uint()?,
            b"parent_id" => draft.span.parent_id = reader.uint()?,
            b"start" => draft.set_start(reader.int()?),
            b"duration" => draft.set_duration(reader.int()?),
            b"error" => draft.set_error(reader.int32()?),
            b"meta" => {
                let len = reader.map()?;
                draft.expect(reader.capacity(len, ENTRY))?;
                for _ in 0..len {
                    let key = reader.text()?;
                    draft.meta(key, reader.text()?)?;
                }
            }
            b"metrics" => {
                let len = reader.map()?;
                draft.expect(reader.capacity(len, ENTRY))?;
                for _ in 0..len {
                    let key = reader.text()?;
                    draft.metric(key, reader.float()?)?;
                }
            }
            b"meta_struct" => {
                for _ in 0..reader.map()? {
                    let key = reader.text()?;
                    draft.meta_struct(key, reader.bytes()?.into())?;
                }
            }
            b"span_links" => draft.span.links = list(reader, &room, |r| link(r, &room))?,
            b"span_events" => draft.span.events = list(reader, &room, |r| event(r, &room))?,
            _ => reader.skip()?,
        }
    }
    draft.inner = ITEMS - room.get();
    Ok(draft)
}

/// Takes the place of one more item.
fn occupy(room: &Cell<usize>) -> Result<(), Error> {
    room.set(room.get().checked_sub(1).ok_or(Error::TooLarge)?);
    Ok(())
}

fn list<'a, T>(
    reader: &mut Reader<'a>,
    room: &Cell<usize>,
    item: impl Fn(&mut Reader<'a>) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let len = reader.array()?;
    let mut items = Vec::with_capacity(reader.capacity(len, SPAN).min(64));
    for _ in 0..len {
        occupy(room)?;
        items.push(item(reader)?);
    }
    Ok(items)
}

fn link<'a>(reader: &mut Reader<'a>, room: &Cell<usize>) -> Result<Link<'a>, Error> {
    let mut link = Link::default();
    let (mut lower, mut upper) = (0, 0);
    for _ in 0..reader.map()? {
        match reader.str_bytes()? {
            b"trace_id" => lower = reader.uint()?,
            b"trace_id_high" => upper = reader.uint()?,
            b"span_id" => link.span_id = reader.uint()?,
            b"tracestate" => link.trace_state = reader.text()?,
            b"flags" => {
                let flags = reader.uint()?;
                link.flags = u32::try_from(flags).map_err(|_| Error::Overflow(flags))?;
            }
            b"attributes" => {
                link.attributes = entries(reader, room, |reader| Ok(Value::Str(reader.text()?)))?;
            }
            _ => reader.skip()?,
        }
    }
    link.trace_id = u128::from(upper) << 64 | u128::from(lower);
    Ok(link)
}

fn event<'a>(reader: &mut Reader<'a>, room: &Cell<usize>) -> Result<Event<'a>, Error> {
    let mut event = Event::default();
    for _ in 0..reader.map()? {
        match reader.str_bytes()? {
            b"time_unix_nano" => event.time_ns = reader.uint()?,
            b"name" => event.name = reader.text()?,
            b"attributes" => {
                event.attributes = entries(reader, room, |reader| value(reader, room))?;
            }
            _ => reader.skip()?,
        }
    }
    Ok(event)
}

fn entries<'a>(
    reader: &mut Reader<'a>,
    room: &Cell<usize>,
    value: impl Fn(&mut Reader<'a>) -> Result<Value<'a>, Error>,
) -> Result<Vec<Attribute<'a>>, Error> {
    let len = reader.map()?;
    let mut entries = Vec::with_capacity(reader.capacity(len, ENTRY).min(64));
    for _ in 0..len {
        occupy(room)?;
        let key = reader.text()?;
        entries.push((key, value(reader)?));
    }
    Ok(entries)
}

/// An event's attribute: a map that names its type and has one field of it.
fn value<'a>(reader: &mut Reader<'a>, room: &Cell<usize>) -> Result<Value<'a>, Error> {
    let mut array = None;
    let scalar = any_value(reader, |reader| {
        let mut items = Vec::new();
        for _ in 0..reader.map()? {
            if reader.str_bytes()? == b"values" {
                items = list(reader, room, |reader| any_value(reader, Reader::skip))?;
            } else {
                reader.skip()?;
            }
        }
        array = Some(Value::Array(items));
        Ok(())
    })?;
    Ok(match (scalar, array) {
        (Value::Null, Some(array)) => array,
        (scalar, _) => scalar,
    })
}

/// Arrays of arrays do not exist, so `array` is not called inside one.
fn any_value<'a>(
    reader: &mut Reader<'a>,
    mut array: impl FnMut(&mut Reader<'a>) -> Result<(), Error>,
) -> Result<Value<'a>, Error> {
    let mut kind = 0;
    let (mut text, mut truth, mut int, mut double) = (None, None, None, None);
    for _ in 0..reader.map()? {
        match reader.str_bytes()? {
            b"type" => kind = reader.int()?,
            b"string_value" => text = Some(reader.text()?),
            b"bool_value" => truth = Some(reader.bool()?),
            b"int_value" => int = Some(reader.int()?),
            b"double_value" => double = Some(reader.float()?),
            b"array_value" => array(reader)?,
            _ => reader.skip()?,
        }
    }
    // A field that equals its default may be left out.
    Ok(match kind {
        0 => Value::Str(text.unwrap_or_default()),
        1 => Value::Bool(truth.unwrap_or_default()),
        2 => Value::Int(int.unwrap_or_default()),
        3 => Value::Double(double.unwrap_or_default()),
        _ => Value::Null,
    })
}
