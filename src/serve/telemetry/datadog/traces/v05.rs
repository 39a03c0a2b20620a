//! `/v0.5/traces`: a table of strings, and spans as arrays of twelve fields
//! that name strings by their place in it. Owns that format.
//!
//! Format: `pkg/trace/api/version.go` of the Datadog agent.

use std::borrow::Cow;

use super::super::msgpack::{Error, Reader};
use super::batch::{Batch, Counted, Draft, Origins, Sink, whole};
use crate::serve::telemetry::model::{Origin, Text};

/// Elements of the payload: the table and the traces.
const PAYLOAD: u32 = 2;
/// Fields of a span.
const SPAN: u32 = 12;
/// How many strings a table may have. One of 25 MiB with strings of ten bytes
/// stays below.
const STRINGS: u32 = 2_500_000;

/// Decodes a payload.
///
/// # Errors
///
/// The payload has another shape, or names a string that is not in the table;
/// nothing was passed on then.
pub(crate) fn decode(
    bytes: &[u8],
    sender: &Origin<'_>,
    sink: &mut Sink<'_>,
) -> Result<Counted, Error> {
    let mut reader = Reader::new(bytes);
    elements(&mut reader, PAYLOAD)?;
    let table = table(&mut reader)?;
    whole(sink, |batch| {
        let mut reader = reader.clone();
        let mut origins = Origins::new(sender.clone());
        for _ in 0..reader.array()? {
            batch.begin_chunk()?;
            for _ in 0..reader.array()? {
                span(&mut reader, &table, &mut origins, batch)?;
            }
            batch.end_chunk();
        }
        Ok(())
    })
}

fn elements(reader: &mut Reader<'_>, expected: u32) -> Result<(), Error> {
    match reader.array()? {
        found if found == expected => Ok(()),
        found => Err(Error::Elements { expected, found }),
    }
}

fn table<'a>(reader: &mut Reader<'a>) -> Result<Vec<Text<'a>>, Error> {
    let len = reader.array()?;
    let mut table = Vec::with_capacity(reader.capacity(len, 1));
    for index in 0..len {
        if index == STRINGS {
            return Err(Error::TooLarge);
        }
        table.push(reader.text()?);
    }
    Ok(table)
}

/// A string by its place. It borrows from the table, so that one that had to
/// be repaired is not copied for each use.
fn lookup<'t>(reader: &mut Reader<'_>, table: &'t [Text<'_>]) -> Result<Text<'t>, Error> {
    let index = reader.uint()?;
    let text = usize::try_from(index).ok().and_then(|index| table.get(index));
    text.map(|text| Cow::Borrowed(text.as_ref())).ok_or(Error::Index(index))
}

fn span<'t>(
    reader: &mut Reader<'_>,
    table: &'t [Text<'_>],
    origins: &mut Origins<'t>,
    batch: &mut Batch<'t, '_, '_>,
) -> Result<(), Error> {
    elements(reader, SPAN)?;
    let mut draft = Draft::default();
    draft.span.service = lookup(reader, table)?;
    draft.span.name = lookup(reader, table)?;
    draft.span.resource = lookup(reader, table)?;
    draft.span.trace_id = u128::from(reader.uint()?);
    draft.span.span_id = reader.uint()?;
    draft.span.parent_id = reader.uint()?;
    draft.set_start(reader.int()?);
    draft.set_duration(reader.int()?);
    draft.set_error(reader.int32()?);
    let meta = reader.map()?;
    // Room for the metrics as well, which are usually fewer.
    draft.expect(reader.capacity(meta, 2) + 4)?;
    for _ in 0..meta {
        let key = lookup(reader, table)?;
        draft.meta(key, lookup(reader, table)?)?;
    }
    for _ in 0..reader.map()? {
        let key = lookup(reader, table)?;
        draft.metric(key, reader.float()?)?;
    }
    draft.span.span_type = lookup(reader, table)?;
    draft.finish(origins, batch)
}
