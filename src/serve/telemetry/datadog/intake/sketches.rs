//! `/api/beta/sketches`: distributions that an agent summed up. Owns that
//! message.
//!
//! Shape: `proto/metrics/agent_payload.proto` of DataDog/agent-payload.

use super::super::msgpack::Error;
use super::super::protobuf::{Fields, messages};
use super::super::sketch::AgentSketch;
use super::series::Series;
use super::{Points, whole};
use crate::serve::telemetry::model::{Measure, MetricKind, Origin, Point, Text};

/// Decodes a payload.
///
/// # Errors
///
/// The body is no `SketchPayload`.
pub(crate) fn decode(
    bytes: &[u8],
    origin: &Origin<'_>,
    sink: &mut Points<'_>,
) -> Result<u64, Error> {
    whole(|items| sink(items), |take| messages(bytes, 1, |message| one(message, origin, take)))
}

fn one<'a>(
    bytes: &'a [u8],
    origin: &Origin<'a>,
    take: &mut dyn FnMut(Point<'a>) -> bool,
) -> Result<(), Error> {
    let (mut name, mut host) = (Text::default(), Text::default());
    let mut fields = Fields::new(bytes);
    while let Some((number, wire)) = fields.next()? {
        match number {
            1 => name = wire.text(),
            2 => host = wire.text(),
            _ => {}
        }
    }
    let mut series = Series::new(name, MetricKind::Distribution);
    series.host = host;
    let mut fields = Fields::new(bytes);
    while let Some((number, wire)) = fields.next()? {
        if number == 4 {
            series.tags(std::iter::once(wire.text()));
        }
    }
    let template = series.template(origin);
    let mut fields = Fields::new(bytes);
    while let Some((number, wire)) = fields.next()? {
        if number == 7 && !take(dogsketch(wire.bytes(), &template)?) {
            return Ok(());
        }
    }
    Ok(())
}

fn dogsketch<'a>(bytes: &'a [u8], template: &Point<'a>) -> Result<Point<'a>, Error> {
    let (mut seconds, mut count) = (0, 0);
    let (mut min, mut max, mut sum) = (0.0, 0.0, 0.0);
    let mut sketch = AgentSketch::default();
    let mut fields = Fields::new(bytes);
    while let Some((number, wire)) = fields.next()? {
        match number {
            1 => seconds = u64::try_from(wire.int()).unwrap_or(0),
            2 => count = u64::try_from(wire.int()).unwrap_or(0),
            3 => min = wire.double(),
            4 => max = wire.double(),
            6 => sum = wire.double(),
            7 => sketch.keys(wire)?,
            8 => sketch.counts(wire)?,
            _ => {}
        }
    }
    let (bounds, counts) = sketch.buckets()?;
    Ok(Point {
        time_ns: u64::saturating_mul(seconds, 1_000_000_000),
        value: Measure::Buckets {
            count,
            sum: Some(sum),
            min: Some(min),
            max: Some(max),
            bounds,
            counts,
        },
        ..template.clone()
    })
}
