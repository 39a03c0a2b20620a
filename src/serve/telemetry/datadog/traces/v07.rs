//! `/v0.7/traces`: a map that describes the tracer, with chunks that are maps
//! and spans as in v0.4. Owns what is said once for the payload or a chunk.
//!
//! Fields: `pkg/proto/datadog/trace/tracer_payload.proto` of the agent.

use super::super::msgpack::{Error, Reader};
use super::batch::{Batch, Counted, Draft, Origins, Sink, whole};
use super::v04;
use crate::serve::telemetry::model::{Origin, Text, Value};

/// How many tags of a payload or of a chunk are kept.
const TAGS: usize = 512;
/// What the agent takes for a chunk whose priority is not known.
const NO_PRIORITY: i32 = -128;

/// Decodes a payload.
///
/// # Errors
///
/// The payload has another shape; nothing was passed on then.
pub(crate) fn decode(
    bytes: &[u8],
    sender: &Origin<'_>,
    sink: &mut Sink<'_>,
) -> Result<Counted, Error> {
    let mut reader = Reader::new(bytes);
    let mut origin = sender.clone();
    let mut chunks = None;
    for _ in 0..reader.map()? {
        let key = reader.text()?;
        match key.as_ref() {
            // What describes the tracer comes before and after the chunks.
            "chunks" => {
                chunks = Some(reader.clone());
                reader.skip()?;
            }
            "tags" => {
                for _ in 0..reader.map()? {
                    let key = reader.text()?;
                    let value = reader.text()?;
                    if origin.attributes.len() < TAGS {
                        origin.attributes.push((key, Value::Str(value)));
                    }
                }
            }
            "container_id" | "language_name" | "language_version" | "tracer_version"
            | "runtime_id" | "env" | "hostname" | "app_version" | "apm_mode" => {
                let value = reader.text()?;
                match key.as_ref() {
                    _ if value.is_empty() => continue,
                    "container_id" => origin.container_id.clone_from(&value),
                    "language_name" => origin.language.clone_from(&value),
                    "tracer_version" => origin.tracer_version.clone_from(&value),
                    "env" => origin.env.clone_from(&value),
                    "hostname" => origin.host.clone_from(&value),
                    "app_version" => origin.version.clone_from(&value),
                    _ => {}
                }
                origin.attributes.push((key, Value::Str(value)));
            }
            _ => reader.skip()?,
        }
    }
    whole(sink, |batch| {
        let Some(mut reader) = chunks.clone() else { return Ok(()) };
        let mut origins = Origins::new(origin.clone());
        for _ in 0..reader.array()? {
            chunk(&mut reader, &mut origins, batch)?;
        }
        Ok(())
    })
}

/// What is said once for a chunk.
#[derive(Default)]
struct Common<'a> {
    priority: Option<i32>,
    origin: Text<'a>,
    tags: Vec<(Text<'a>, Text<'a>)>,
}

fn chunk<'a>(
    reader: &mut Reader<'a>,
    origins: &mut Origins<'a>,
    batch: &mut Batch<'a, '_, '_>,
) -> Result<(), Error> {
    let mut common = Common::default();
    let mut spans = None;
    for _ in 0..reader.map()? {
        match reader.str_bytes()? {
            b"spans" => {
                spans = Some(reader.clone());
                reader.skip()?;
            }
            b"priority" => common.priority = Some(reader.int32()?),
            b"origin" => common.origin = reader.text()?,
            b"tags" => {
                for _ in 0..reader.map()? {
                    let key = reader.text()?;
                    let value = reader.text()?;
                    if common.tags.len() < TAGS {
                        common.tags.push((key, value));
                    }
                }
            }
            _ => reader.skip()?,
        }
    }
    batch.begin_chunk()?;
    if let Some(mut reader) = spans {
        for index in 0..reader.array()? {
            let mut draft = v04::span(&mut reader)?;
            if index == 0 {
                add(&mut draft, &mut common)?;
            }
            draft.finish(origins, batch)?;
        }
    }
    batch.end_chunk();
    Ok(())
}

/// Gives the first span what v0.4 has in its attributes, where that is not
/// there already.
fn add<'a>(draft: &mut Draft<'a>, common: &mut Common<'a>) -> Result<(), Error> {
    if let Some(priority) = common.priority.filter(|priority| *priority != NO_PRIORITY)
        && !draft.has("_sampling_priority_v1")
    {
        draft.metric("_sampling_priority_v1".into(), f64::from(priority))?;
    }
    if !common.origin.is_empty() && !draft.has("_dd.origin") {
        draft.meta("_dd.origin".into(), std::mem::take(&mut common.origin))?;
    }
    for (key, value) in common.tags.drain(..) {
        if !draft.has(&key) {
            draft.meta(key, value)?;
        }
    }
    Ok(())
}
