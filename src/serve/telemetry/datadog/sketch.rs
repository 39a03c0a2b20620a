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

/// Counts below upper bounds. Sketches name only bins that have something: of
/// one whose neighbour below is empty, the lower bound is given too, as it would
/// otherwise seem to reach down to the bin before.
#[derive(Debug, Default)]
struct Bounded {
    bounds: Vec<f64>,
    counts: Vec<u64>,
    last: Option<i64>,
}

impl Bounded {
    fn push(&mut self, key: i64, (lower, upper): (f64, f64), count: u64) {
        if self.last.and_then(|last| last.checked_add(1)) != Some(key) {
            self.bounds.push(lower);
            self.counts.push(0);
        }
        self.bounds.push(upper);
        self.counts.push(count);
        self.last = Some(key);
    }
}

/// Reads a `DDSketch` of durations and gives them in seconds, or `None` for an
/// empty one. Only what is positive is read, as durations are. `sum` is all of
/// them together, which a sketch does not know.
///
/// Format: `ddsketch.proto` of DataDog/sketches-go.
pub(crate) fn durations<'a>(summaries: [&[u8]; 2], sum: f64) -> Result<Option<Measure<'a>>, Error> {
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
    let bound = |key: f64| ((key - offset) * f64::ln(gamma)).exp() / 1e9;
    let mut bounded = Bounded::default();
    if zeros > 0.0 {
        bounded.bounds.push(0.0);
        bounded.counts.push(whole(zeros));
    }
    for (key, count) in bins.counts {
        let bounds = (bound(float(key)), bound(float(key) + 1.0));
        bounded.push(key, bounds, whole(count));
    }
    Ok(buckets(bounded, sum))
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
        let mut bounded = Bounded::default();
        for (key, count) in bins {
            bounded.push(key, agent_bounds(key), count);
        }
        bounded.counts.push(0);
        Ok((bounded.bounds, bounded.counts))
    }
}

/// The bounds of a bin of the agent's sketch. Its bin of zeros is as good as
/// nothing wide.
fn agent_bounds(key: i64) -> (f64, f64) {
    let lower = if key == 0 { 0.0 } else { agent_bound(key.saturating_sub(1)) };
    (lower, agent_bound(key))
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

fn buckets<'a>(bounded: Bounded, sum: f64) -> Option<Measure<'a>> {
    let Bounded { bounds, mut counts, .. } = bounded;
    let count = counts.iter().fold(0_u64, |sum, count| sum.saturating_add(*count));
    counts.push(0);
    let measure = Measure::Buckets { count, sum: Some(sum), min: None, max: None, bounds, counts };
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

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    #[derive(Clone, PartialEq, Message)]
    struct Sketch {
        #[prost(message, optional, tag = "1")]
        mapping: Option<Mapping>,
        #[prost(message, optional, tag = "2")]
        positive: Option<Store>,
        #[prost(double, tag = "4")]
        zeros: f64,
    }

    #[derive(Clone, PartialEq, Message)]
    struct Mapping {
        #[prost(double, tag = "1")]
        gamma: f64,
    }

    #[derive(Clone, PartialEq, Message)]
    struct Store {
        #[prost(map = "sint32, double", tag = "1")]
        bins: std::collections::HashMap<i32, f64>,
    }

    const GAMMA: f64 = 1.02;

    /// A client's sketch of so many durations, in nanoseconds.
    fn sketch(durations: &[(f64, f64)], zeros: f64) -> Vec<u8> {
        #[expect(clippy::cast_possible_truncation, reason = "bin numbers are small")]
        let bin = |nanoseconds: f64| (nanoseconds.ln() / GAMMA.ln()).floor() as i32;
        let bins = durations.iter().map(|(duration, count)| (bin(*duration), *count)).collect();
        let mapping = Some(Mapping { gamma: GAMMA });
        Sketch { mapping, positive: Some(Store { bins }), zeros }.encode_to_vec()
    }

    fn near(value: f64, wanted: f64) -> bool {
        (value - wanted).abs() <= wanted.abs() * 0.021
    }

    #[test]
    fn a_bin_reaches_no_further_than_its_own_bounds() {
        let sent = sketch(&[(1.0e9, 5.0)], 0.0);
        let Ok(Some(Measure::Buckets { count, sum, bounds, counts, .. })) =
            durations([&sent, &[]], 5.0)
        else {
            panic!("no buckets");
        };
        assert_eq!((count, sum, &counts[..]), (5, Some(5.0), &[0, 5, 0][..]));
        assert!(bounds[0] <= 1.0 && 1.0 <= bounds[1], "{bounds:?}");
        assert!(bounds.iter().all(|bound| near(*bound, 1.0)), "{bounds:?}");
    }

    #[test]
    fn neighbours_share_a_bound_and_zeros_have_their_own() {
        let sent = sketch(&[(1.0e9, 1.0), (1.0e9 * GAMMA, 2.0), (3.0e9, 3.0)], 4.0);
        let Ok(Some(Measure::Buckets { bounds, counts, .. })) = durations([&sent, &[]], 14.0)
        else {
            panic!("no buckets");
        };
        assert_eq!(counts, [4, 0, 1, 2, 0, 3, 0]);
        assert!(bounds[0] == 0.0 && bounds.is_sorted() && near(bounds[4], 3.0), "{bounds:?}");
    }

    #[test]
    fn bins_of_an_agent_have_their_own_bounds() {
        let sketch = AgentSketch { keys: vec![-1338, 0, 1338], counts: vec![1, 2, 3] };
        let (bounds, counts) = sketch.buckets().unwrap();
        assert_eq!(counts, [0, 1, 0, 2, 0, 3, 0]);
        let [lowest, low, zero, also_zero, high, highest] = bounds[..] else {
            panic!("{bounds:?}");
        };
        assert!(near(lowest, -1.0) && near(low, -1.0) && lowest < low, "{bounds:?}");
        assert!(zero == 0.0 && also_zero == 0.0, "{bounds:?}");
        assert!(near(high, 1.0) && near(highest, 1.0) && high < highest, "{bounds:?}");
    }
}
