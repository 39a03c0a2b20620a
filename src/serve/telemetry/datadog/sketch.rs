//! Latency sketches: the `DDSketch` of client stats and the sketch of the
//! agent's metrics. Owns turning both into counts with upper bounds.

use std::collections::BTreeMap;

use super::msgpack::Error;
use super::protobuf::{Fields, Wire, doubles, varints, zigzag};
use crate::serve::telemetry::model::Measure;

/// How many bins a sketch may have; clients collapse above 2048.
const BINS: usize = 8192;
/// The smallest value that the agent's own sketch tells from zero.
const AGENT_MIN: f64 = 1e-9;
/// The relative width of its bins.
const AGENT_GAMMA: f64 = 1.0 + 2.0 / 128.0;

/// Counts by bin, keyed so that bins are in the order of their values.
#[derive(Debug, Default)]
pub(crate) struct Bins {
    counts: BTreeMap<i64, f64>,
}

impl Bins {
    fn add(&mut self, key: i64, count: f64) -> Result<(), Error> {
        if count > 0.0 && count.is_finite() {
            *self.counts.entry(key).or_default() += count;
        }
        if self.counts.len() > BINS { Err(Error::TooLarge) } else { Ok(()) }
    }
}

/// Reads a `DDSketch` of durations and gives them in seconds, or `None` for an
/// empty one. Only what is positive is read, as durations are.
///
/// Format: `ddsketch.proto` of DataDog/sketches-go.
pub(crate) fn durations<'a>(summaries: [&[u8]; 2]) -> Result<Option<Measure<'a>>, Error> {
    let mut bins = Bins::default();
    let mut zeros = 0.0;
    let (mut gamma, mut offset) = (0.0, 0.0);
    for summary in summaries {
        let mut fields = Fields::new(summary);
        while let Some((number, wire)) = fields.next()? {
            match number {
                1 => {
                    let mut mapping = Fields::new(wire.bytes());
                    while let Some((number, wire)) = mapping.next()? {
                        match number {
                            1 => gamma = wire.double(),
                            2 => offset = wire.double(),
                            _ => {}
                        }
                    }
                }
                2 => store(wire.bytes(), &mut bins)?,
                4 => zeros += wire.double(),
                _ => {}
            }
        }
    }
    if !(gamma > 1.0 && f64::is_finite(gamma) && f64::is_finite(offset)) {
        return Ok(None);
    }
    let bound = |key: i64| (float(key) + 1.0 - offset) * f64::ln(gamma);
    let mut bounds = Vec::new();
    let mut counts = Vec::new();
    if zeros > 0.0 {
        bounds.push(0.0);
        counts.push(whole(zeros));
    }
    for (key, count) in bins.counts {
        bounds.push(bound(key).exp() / 1e9);
        counts.push(whole(count));
    }
    Ok(buckets(bounds, counts))
}

/// One store of a `DDSketch`: a map of bins, or bins in a row.
fn store(bytes: &[u8], bins: &mut Bins) -> Result<(), Error> {
    let mut row = Vec::new();
    let mut first = 0;
    let mut fields = Fields::new(bytes);
    while let Some((number, wire)) = fields.next()? {
        match number {
            1 => {
                let (mut key, mut count) = (0, 0.0);
                let mut entry = Fields::new(wire.bytes());
                while let Some((number, wire)) = entry.next()? {
                    match (number, wire) {
                        (1, Wire::Varint(value)) => key = zigzag(value),
                        (2, wire) => count = wire.double(),
                        _ => {}
                    }
                }
                bins.add(key, count)?;
            }
            2 => doubles(wire, |count| {
                if row.len() <= BINS {
                    row.push(count);
                }
            })?,
            3 => {
                if let Wire::Varint(value) = wire {
                    first = zigzag(value);
                }
            }
            _ => {}
        }
    }
    if row.len() > BINS {
        return Err(Error::TooLarge);
    }
    for (key, count) in (first..).zip(row) {
        bins.add(key, count)?;
    }
    Ok(())
}

/// The keys and counts of one of the agent's sketches.
#[derive(Debug, Default)]
pub(crate) struct AgentSketch {
    keys: Vec<i64>,
    counts: Vec<u64>,
}

impl AgentSketch {
    pub(crate) fn keys(&mut self, wire: Wire<'_>) -> Result<(), Error> {
        varints(wire, |key| {
            if self.keys.len() <= BINS {
                self.keys.push(zigzag(key));
            }
        })
    }

    pub(crate) fn counts(&mut self, wire: Wire<'_>) -> Result<(), Error> {
        varints(wire, |count| {
            if self.counts.len() <= BINS {
                self.counts.push(count);
            }
        })
    }

    /// The upper bounds of the bins and their counts, with one more for what
    /// is above them all, which is nothing.
    pub(crate) fn buckets(self) -> Result<(Vec<f64>, Vec<u64>), Error> {
        if self.keys.len() > BINS || self.counts.len() > BINS {
            return Err(Error::TooLarge);
        }
        let mut bins: BTreeMap<i64, u64> = BTreeMap::new();
        for (key, count) in self.keys.into_iter().zip(self.counts) {
            let bin = bins.entry(key).or_default();
            *bin = bin.saturating_add(count);
        }
        let bounds = bins.keys().map(|key| agent_bound(*key)).collect();
        let mut counts: Vec<u64> = bins.into_values().collect();
        counts.push(0);
        Ok((bounds, counts))
    }
}

/// The upper bound of a bin of the agent's sketch.
///
/// Source: `pkg/util/quantile/config.go` of the Datadog agent.
fn agent_bound(key: i64) -> f64 {
    let width = AGENT_GAMMA.ln();
    let bias = 1.0 - (AGENT_MIN.ln() / width).floor();
    match key.signum() {
        0 => 0.0,
        1 => ((float(key) - bias + 1.0) * width).exp(),
        _ => -((-float(key) - bias) * width).exp(),
    }
}

fn buckets<'a>(bounds: Vec<f64>, mut counts: Vec<u64>) -> Option<Measure<'a>> {
    let count = counts.iter().fold(0_u64, |sum, count| sum.saturating_add(*count));
    counts.push(0);
    let measure = Measure::Buckets { count, sum: None, min: None, max: None, bounds, counts };
    (count > 0).then_some(measure)
}

#[expect(clippy::cast_precision_loss, reason = "bin numbers are small")]
fn float(key: i64) -> f64 {
    key as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts are positive and finite; the cast saturates"
)]
fn whole(count: f64) -> u64 {
    count.round() as u64
}
