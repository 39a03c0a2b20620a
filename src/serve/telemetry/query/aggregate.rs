//! What many measurements come to: last, sum, rate, count, least, most, mean and percentiles.
//!
//! Owns the arithmetic. Cumulative streams count as their increase, samples with their weight,
//! histograms through their buckets.

use serde_json::{Value as Json, json};

use super::super::model::{Measure, MetricKind, Point};
use super::json::number;
use super::time::float;

/// So many samples are kept for percentiles; beyond, every second one goes.
const SAMPLES: usize = 100_000;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Aggregation {
    Last,
    Sum,
    Rate,
    Count,
    Min,
    Max,
    Avg,
    /// 0 to 100.
    Percentile(f64),
}

impl Aggregation {
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "last" => Self::Last,
            "sum" => Self::Sum,
            "rate" => Self::Rate,
            "count" => Self::Count,
            "min" => Self::Min,
            "max" => Self::Max,
            "avg" => Self::Avg,
            _ => {
                let percent: f64 = text.strip_prefix('p')?.parse().ok()?;
                Self::Percentile(Some(percent).filter(|percent| (0.0..=100.0).contains(percent))?)
            }
        })
    }

    /// What is usually wanted of a kind of metric.
    pub(super) fn usual(kind: MetricKind) -> Self {
        match kind {
            MetricKind::Gauge => Self::Last,
            MetricKind::Count | MetricKind::Rate => Self::Sum,
            MetricKind::Histogram | MetricKind::Distribution | MetricKind::Summary => Self::Avg,
            MetricKind::Set => Self::Count,
        }
    }

    pub(super) fn name(self) -> String {
        match self {
            Self::Last => "last".to_owned(),
            Self::Sum => "sum".to_owned(),
            Self::Rate => "rate".to_owned(),
            Self::Count => "count".to_owned(),
            Self::Min => "min".to_owned(),
            Self::Max => "max".to_owned(),
            Self::Avg => "avg".to_owned(),
            Self::Percentile(percent) => format!("p{percent}"),
        }
    }
}

/// One measurement, reduced to what aggregates need. For a cumulative stream it is the difference
/// to the measurement before.
#[derive(Debug, Clone, Default)]
pub(super) struct Sample {
    pub(super) time_ns: u64,
    /// The latest value as such: the total of a cumulative stream.
    last: f64,
    sum: f64,
    count: f64,
    min: f64,
    max: f64,
    /// Whether it is a number: for a cumulative stream its total, and no histogram.
    is_single: bool,
    /// Single values with how often they count.
    values: Vec<(f64, f64)>,
    members: Vec<String>,
}

impl Sample {
    /// What a measurement tells by itself.
    pub(super) fn new(point: &Point<'_>) -> Self {
        let mut sample = Self {
            time_ns: point.time_ns,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            ..Self::default()
        };
        match &point.value {
            Measure::Number(value) => sample.single(*value, point),
            #[expect(clippy::cast_precision_loss, reason = "aggregates are floating-point")]
            Measure::Int(value) => sample.single(*value as f64, point),
            Measure::Samples(values) => {
                for value in values {
                    sample.single(*value, point);
                }
            }
            Measure::Members(members) => {
                sample.members = members.iter().map(ToString::to_string).collect();
                sample.count = float(members.len() as u64);
                sample.last = sample.count;
                sample.sum = sample.count;
            }
            Measure::Buckets { count, sum, min, max, bounds, counts } => {
                let least = min.unwrap_or(0.0);
                let edges = std::iter::once(least).chain(bounds.iter().copied());
                let uppers = bounds.iter().copied().chain(std::iter::once(
                    max.unwrap_or_else(|| bounds.last().copied().unwrap_or(0.0)),
                ));
                let middles = edges.zip(uppers).map(|(lower, upper)| f64::midpoint(lower, upper));
                let values =
                    middles.zip(counts).map(|(middle, count)| (middle, float(*count))).collect();
                sample.histogram(*count, *sum, (*min, *max), values);
            }
            Measure::Exponential {
                count,
                sum,
                min,
                max,
                scale,
                zero_count,
                positive,
                negative,
                ..
            } => {
                let base = 2_f64.powf(2_f64.powi(-*scale));
                let mut values = vec![(0.0, float(*zero_count))];
                for (sign, (offset, counts)) in [(1.0, positive), (-1.0, negative)] {
                    for (at, count) in (0_i32..).zip(counts) {
                        // The middle of a bucket on a logarithmic scale.
                        let exponent = f64::from(offset.saturating_add(at)) + 0.5;
                        values.push((sign * base.powf(exponent), float(*count)));
                    }
                }
                sample.histogram(*count, *sum, (*min, *max), values);
            }
            Measure::Quantiles { count, sum, values } => {
                let share = float(*count) / float(values.len().max(1) as u64);
                let values = values.iter().map(|(_, value)| (*value, share)).collect();
                sample.histogram(*count, Some(*sum), (None, None), values);
            }
        }
        sample
    }

    fn single(&mut self, value: f64, point: &Point<'_>) {
        let weight = if point.weight > 0.0 { point.weight } else { 1.0 };
        let sampled = matches!(point.kind, MetricKind::Histogram | MetricKind::Distribution);
        let weight = if sampled { weight } else { 1.0 };
        self.last = value;
        self.is_single = true;
        self.sum += match point.kind {
            // A rate is an amount per second of its interval.
            MetricKind::Rate => value * (float(point.interval_ns) / 1.0e9).max(1.0),
            _ => value * weight,
        };
        self.count += weight;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.values.push((value, weight));
    }

    fn histogram(
        &mut self,
        count: u64,
        sum: Option<f64>,
        (min, max): (Option<f64>, Option<f64>),
        mut values: Vec<(f64, f64)>,
    ) {
        values.retain(|(_, weight)| *weight > 0.0);
        self.count = float(count);
        self.sum = sum.unwrap_or_else(|| values.iter().map(|(value, n)| value * n).sum());
        let lowest = values.iter().map(|(value, _)| *value).fold(f64::INFINITY, f64::min);
        let highest = values.iter().map(|(value, _)| *value).fold(f64::NEG_INFINITY, f64::max);
        self.min = min.unwrap_or(lowest);
        self.max = max.unwrap_or(highest);
        self.last = if count > 0 { self.sum / self.count } else { 0.0 };
        self.values = values;
    }

    /// The increase since an earlier measurement of the same cumulative stream. A total that fell
    /// began anew.
    pub(super) fn since(&self, before: &Self) -> Self {
        let mut increase = self.clone();
        if self.count < before.count || (self.is_single && self.sum < before.sum) {
            return increase;
        }
        increase.sum = self.sum - before.sum;
        if self.is_single {
            increase.values = vec![(increase.sum, 1.0)];
            increase.min = increase.sum;
            increase.max = increase.sum;
            return increase;
        }
        increase.count = self.count - before.count;
        for (value, weight) in &mut increase.values {
            let earlier = before.values.iter().find(|(other, _)| other.total_cmp(value).is_eq());
            *weight -= earlier.map_or(0.0, |(_, weight)| *weight);
        }
        increase.values.retain(|(_, weight)| *weight > 0.0);
        // An extreme that was there before need not be of the increase, but still bounds it.
        let lowest = increase.values.iter().map(|(value, _)| *value).fold(f64::INFINITY, f64::min);
        let highest =
            increase.values.iter().map(|(value, _)| *value).fold(f64::NEG_INFINITY, f64::max);
        if self.min >= before.min {
            increase.min = lowest.max(self.min);
        }
        if self.max <= before.max {
            increase.max = highest.min(self.max);
        }
        increase.last = if increase.count > 0.0 { increase.sum / increase.count } else { 0.0 };
        increase
    }
}

/// What samples come to.
#[derive(Debug, Clone)]
pub(super) struct Aggregate {
    pub(super) points: u64,
    last: Option<(u64, f64)>,
    first_ns: u64,
    sum: f64,
    count: f64,
    min: f64,
    max: f64,
    values: Vec<(f64, f64)>,
    members: std::collections::HashSet<String>,
}

impl Default for Aggregate {
    fn default() -> Self {
        Self {
            points: 0,
            last: None,
            first_ns: u64::MAX,
            sum: 0.0,
            count: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            values: Vec::new(),
            members: std::collections::HashSet::new(),
        }
    }
}

impl Aggregate {
    pub(super) fn add(&mut self, sample: &Sample) {
        self.points += 1;
        self.first_ns = self.first_ns.min(sample.time_ns);
        if self.last.is_none_or(|(time_ns, _)| sample.time_ns >= time_ns) {
            self.last = Some((sample.time_ns, sample.last));
        }
        self.sum += sample.sum;
        self.count += sample.count;
        self.min = self.min.min(sample.min);
        self.max = self.max.max(sample.max);
        self.values.extend_from_slice(&sample.values);
        self.members.extend(sample.members.iter().cloned());
        if self.values.len() > SAMPLES {
            let mut keep = false;
            self.values.retain_mut(|(_, weight)| {
                *weight *= 2.0;
                keep = !keep;
                keep
            });
        }
    }

    /// The value asked for; `None` without samples. `window_s` is the asked time in seconds.
    pub(super) fn value(&self, aggregation: Aggregation, window_s: Option<f64>) -> Option<f64> {
        let (last_ns, last) = self.last?;
        let finite = |value: f64| Some(value).filter(|value| !value.is_infinite());
        match aggregation {
            Aggregation::Last => Some(last),
            Aggregation::Sum if !self.members.is_empty() => Some(float(self.members.len() as u64)),
            Aggregation::Sum => Some(self.sum),
            Aggregation::Rate => {
                let seen = float(last_ns.saturating_sub(self.first_ns)) / 1.0e9;
                Some(self.sum / window_s.unwrap_or(seen).max(1.0))
            }
            Aggregation::Count if !self.members.is_empty() => {
                Some(float(self.members.len() as u64))
            }
            Aggregation::Count => Some(self.count),
            Aggregation::Min => finite(self.min),
            Aggregation::Max => finite(self.max),
            Aggregation::Avg => (self.count > 0.0).then(|| self.sum / self.count),
            Aggregation::Percentile(percent) => percentile(self.values.clone(), percent),
        }
    }

    /// Every usual aggregate.
    pub(super) fn json(&self, window_s: Option<f64>) -> Json {
        let names = [
            "last", "sum", "rate", "count", "min", "max", "avg", "p50", "p75", "p90", "p95", "p99",
        ];
        let mut fields = serde_json::Map::new();
        for name in names {
            let value = Aggregation::parse(name)
                .and_then(|aggregation| self.value(aggregation, window_s))
                .map_or(Json::Null, number);
            fields.insert(name.to_owned(), json!(value));
        }
        Json::Object(fields)
    }
}

/// The value below which this part of the weight is.
pub(super) fn percentile(mut values: Vec<(f64, f64)>, percent: f64) -> Option<f64> {
    values.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    let total: f64 = values.iter().map(|(_, weight)| weight).sum();
    let wanted = total * percent / 100.0;
    let mut below = 0.0;
    for (value, weight) in &values {
        below += weight;
        if below >= wanted {
            return Some(*value);
        }
    }
    values.last().map(|(value, _)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aggregate(points: &[Point<'_>]) -> Aggregate {
        let mut aggregate = Aggregate::default();
        for point in points {
            aggregate.add(&Sample::new(point));
        }
        aggregate
    }

    fn point(kind: MetricKind, value: Measure<'static>, time_ns: u64) -> Point<'static> {
        Point { kind, value, time_ns, ..Point::default() }
    }

    fn of(aggregate: &Aggregate, text: &str) -> f64 {
        aggregate.value(Aggregation::parse(text).unwrap(), None).unwrap()
    }

    fn near(one: f64, other: f64) -> bool {
        (one - other).abs() < 1.0e-9
    }

    #[test]
    fn gauges_have_a_last_value() {
        let all = aggregate(&[
            point(MetricKind::Gauge, Measure::Number(5.0), 20),
            point(MetricKind::Gauge, Measure::Number(1.0), 10),
        ]);
        assert!(near(of(&all, "last"), 5.0) && near(of(&all, "avg"), 3.0));
        assert!(near(of(&all, "min"), 1.0) && near(of(&all, "max"), 5.0));
    }

    #[test]
    fn samples_count_with_their_weight() {
        let mut sampled =
            point(MetricKind::Distribution, Measure::Samples(vec![1.0, 2.0, 3.0, 4.0]), 1);
        sampled.weight = 10.0;
        let all = aggregate(&[sampled]);
        assert!(near(of(&all, "count"), 40.0) && near(of(&all, "sum"), 100.0));
        assert!(near(of(&all, "p50"), 2.0) && near(of(&all, "p99"), 4.0));
    }

    #[test]
    fn counts_add_up_and_rates_count_with_their_interval() {
        let second = 1_000_000_000;
        let counts = aggregate(&[
            point(MetricKind::Count, Measure::Int(3), second),
            point(MetricKind::Count, Measure::Int(4), 3 * second),
        ]);
        assert!(near(of(&counts, "sum"), 7.0) && near(of(&counts, "rate"), 3.5));
        let mut rate = point(MetricKind::Rate, Measure::Number(0.5), second);
        rate.interval_ns = 10 * second;
        assert!(near(of(&aggregate(&[rate]), "sum"), 5.0));
    }

    #[test]
    fn histograms_are_seen_through_their_buckets() {
        let buckets = Measure::Buckets {
            count: 4,
            sum: Some(20.0),
            min: Some(0.0),
            max: Some(20.0),
            bounds: vec![2.0, 10.0],
            counts: vec![1, 2, 1],
        };
        let all = aggregate(&[point(MetricKind::Histogram, buckets, 1)]);
        assert!(near(of(&all, "avg"), 5.0) && near(of(&all, "p50"), 6.0));
        assert!(near(of(&all, "max"), 20.0) && near(of(&all, "count"), 4.0));
        let exponential = Measure::Exponential {
            count: 3,
            sum: None,
            min: None,
            max: None,
            scale: 0,
            zero_count: 1,
            zero_threshold: 0.0,
            positive: (1, vec![2]),
            negative: (0, vec![]),
        };
        let all = aggregate(&[point(MetricKind::Histogram, exponential, 1)]);
        assert!(near(of(&all, "p99"), 2_f64.powf(1.5)) && near(of(&all, "min"), 0.0));
    }

    #[test]
    fn a_cumulative_stream_counts_as_its_increase() {
        let total = |value| Sample::new(&point(MetricKind::Count, Measure::Number(value), 1));
        assert!(near(total(5.0).since(&total(3.0)).sum, 2.0));
        // It began anew.
        assert!(near(total(1.0).since(&total(3.0)).sum, 1.0));
        let histogram = |count, sum| {
            let counts = vec![count, 0];
            let sum = Some(sum);
            let (min, max, bounds) = (None, None, vec![2.0]);
            let buckets = Measure::Buckets { count, sum, min, max, bounds, counts };
            Sample::new(&point(MetricKind::Histogram, buckets, 1))
        };
        let increase = histogram(5, 7.0).since(&histogram(2, 3.0));
        assert!(near(increase.count, 3.0) && near(increase.sum, 4.0));
        assert!(near(increase.values[0].1, 3.0));
    }

    #[test]
    fn a_cumulative_histogram_of_one_sample_is_no_sum() {
        let one = |max: f64, count: u64| {
            let buckets = Measure::Buckets {
                count,
                sum: Some(max * float(count)),
                min: Some(max),
                max: Some(max),
                bounds: vec![2.0],
                counts: vec![count, 0],
            };
            Sample::new(&point(MetricKind::Histogram, buckets, 1))
        };
        let mut all = Aggregate::default();
        all.add(&one(1.5, 1).since(&one(1.5, 1)));
        assert!(near(of(&all, "count"), 0.0) && near(of(&all, "sum"), 0.0));
        for text in ["min", "max", "avg", "p50"] {
            assert_eq!(all.value(Aggregation::parse(text).unwrap(), None), None, "{text}");
        }
        all.add(&one(1.5, 2).since(&one(1.5, 1)));
        assert!(near(of(&all, "count"), 1.0) && near(of(&all, "max"), 1.5));
    }

    #[test]
    fn members_are_counted_once() {
        let set =
            |name: &'static str| point(MetricKind::Set, Measure::Members(vec![name.into()]), 1);
        let all = aggregate(&[set("a"), set("b"), set("a")]);
        assert!(near(of(&all, "count"), 2.0));
    }

    #[test]
    fn nothing_has_no_value() {
        let none = Aggregate::default();
        assert_eq!(none.value(Aggregation::Sum, None), None);
        assert_eq!(percentile(Vec::new(), 50.0), None);
        assert_eq!(Aggregation::parse("p101"), None);
        assert_eq!(Aggregation::parse("mean"), None);
    }
}
