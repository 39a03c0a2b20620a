//! Metrics: which there are, and what one of them comes to.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Value as Json, json};

use super::super::model::{MetricKind, Point, Value};
use super::super::store::{OriginFields, PointRow, Row, Segment, Shared, Store, now_ns};
use super::aggregate::{Aggregate, Aggregation, Sample};
use super::condition::{Comparison, text_of};
use super::filter::{Filter, Order, Wait, comparison, read_page};
use super::items::told;
use super::params::Params;
use super::scan::{scan, select};
use super::time::{duration, float, milliseconds};
use super::{Answer, Question, Refusal, json as shape};

/// No more series are told apart.
const SERIES: usize = 1000;

/// `GET /sandbox/v1/metrics`.
#[derive(Debug)]
pub(super) struct Metrics {
    filter: Filter,
    wait: Wait,
    one: Option<One>,
}

/// What is asked of one metric.
#[derive(Debug)]
struct One {
    name: String,
    aggregation: Option<Aggregation>,
    by: Vec<String>,
    step_ns: Option<u64>,
    raw: bool,
    page: (usize, Order),
    value: Option<(Comparison, f64)>,
}

impl Metrics {
    pub(super) fn read(mut params: Params, store: &Store) -> Result<Self, Refusal> {
        let filter = Filter::read(&mut params, store)?;
        let wait = Wait::read(&mut params)?;
        let by = params.all("by").iter().flat_map(|by| by.split(',')).map(str::to_owned).collect();
        let one = One {
            name: filter.name.0.first().cloned().unwrap_or_default(),
            aggregation: params.read("agg", Aggregation::parse)?,
            by,
            step_ns: params.read("step", |text| duration(text, 1_000_000_000))?.filter(|s| *s > 0),
            raw: params.read("raw", |text| text.parse().ok())?.unwrap_or(false),
            page: read_page(&mut params)?,
            value: params.read("value", comparison)?,
        };
        params.finish()?;
        let one = (!filter.name.is_any()).then_some(one);
        Ok(Self { filter, wait, one })
    }
}

impl Question for Metrics {
    fn wait(&self) -> &Wait {
        &self.wait
    }

    fn answer(&self, store: &Store) -> Answer {
        let segments = store.points().segments();
        match &self.one {
            None => self.list(&segments),
            Some(one) => self.one(one, &segments),
        }
    }
}

/// What is told of a metric in a list.
#[derive(Debug, Default)]
struct Listed {
    kind: &'static str,
    unit: String,
    description: String,
    services: BTreeSet<String>,
    tags: BTreeSet<String>,
    protocols: BTreeSet<&'static str>,
    points: u64,
    last_ns: u64,
}

impl Metrics {
    fn list(&self, segments: &[Shared<PointRow>]) -> Answer {
        let mut metrics: BTreeMap<String, Listed> = BTreeMap::new();
        let mut total = 0;
        scan(segments, &self.filter, false, &mut |_, segment, row| {
            total += 1;
            let name = segment.text(row.head().name);
            if !metrics.contains_key(name) {
                metrics.insert(name.to_owned(), Listed::default());
            }
            if let Some(listed) = metrics.get_mut(name) {
                listed.add(segment, row);
            }
        });
        let metrics: Vec<Json> = metrics
            .iter()
            .map(|(name, listed)| {
                json!({
                    "name": name,
                    "kind": listed.kind,
                    "unit": listed.unit,
                    "description": listed.description,
                    "services": listed.services,
                    "tags": listed.tags,
                    "protocols": listed.protocols,
                    "points": listed.points,
                    "last_ms": milliseconds(listed.last_ns),
                })
            })
            .collect();
        Answer { total, met: self.wait.is_met(total), body: json!({ "metrics": metrics }) }
    }

    fn one(&self, one: &One, segments: &[Shared<PointRow>]) -> Answer {
        let mut reading = Reading::new(one, &self.filter);
        for earlier in self.filter.earlier() {
            scan(segments, &earlier, false, &mut |_, segment, row| {
                if row.cumulative {
                    reading.remember(&segment.point(row));
                }
            });
        }
        scan(segments, &self.filter, false, &mut |_, segment, row| {
            reading.add(&segment.point(row), segment.origin_fields(row.head().origin));
        });
        let (total, series, all) = (reading.total, reading.series, reading.all);
        let aggregation = one.aggregation.unwrap_or_else(|| Aggregation::usual(reading.kind));
        let window_s = self.window_s();
        let value = all.value(aggregation, window_s);
        let series: Vec<Json> =
            series.values().map(|series| series.json(one, aggregation, window_s)).collect();
        let mut body = json!({
            "name": one.name,
            "kind": reading.kind.as_str(),
            "unit": reading.unit,
            "agg": aggregation.name(),
            "value": value.map(shape::number),
            "aggregates": all.json(window_s),
            "series": series,
        });
        if one.raw
            && let Json::Object(fields) = &mut body
        {
            let (_, places) = select(segments, &self.filter, one.page);
            let points = told(segments, places, |segment: &Segment<PointRow>, row| {
                shape::point(segment, row)
            });
            fields.insert("points".to_owned(), json!(points));
        }
        let value_met = one.value.is_none_or(|(comparison, wanted)| {
            value.is_some_and(|value| comparison.holds(value, wanted))
        });
        Answer { total, met: self.wait.is_met(total) && value_met, body }
    }

    /// The asked time in seconds, when it has a begin.
    fn window_s(&self) -> Option<f64> {
        let since = self.filter.since_ns?;
        let until = self.filter.until_ns.unwrap_or_else(now_ns);
        Some(float(until.saturating_sub(since)) / 1.0e9)
    }
}

impl Listed {
    fn add(&mut self, segment: &Segment<PointRow>, row: &PointRow) {
        let head = row.head();
        self.points += 1;
        self.kind = row.kind.as_str();
        self.last_ns = self.last_ns.max(head.time_ns);
        self.protocols.insert(head.protocol.as_str());
        let keep = |known: &mut String, text: &str| {
            if !text.is_empty() && known != text {
                text.clone_into(known);
            }
        };
        keep(&mut self.unit, segment.text(row.unit));
        keep(&mut self.description, segment.text(row.description));
        let service = segment.text(head.service);
        if !service.is_empty() && !self.services.contains(service) {
            self.services.insert(service.to_owned());
        }
        segment.any_attribute(row, |key, _| {
            if !self.tags.contains(key) {
                self.tags.insert(key.to_owned());
            }
            false
        });
    }
}

/// A walk through the measurements of a metric.
struct Reading<'q> {
    one: &'q One,
    since_ns: u64,
    total: u64,
    kind: MetricKind,
    unit: String,
    all: Aggregate,
    series: BTreeMap<Vec<String>, Series>,
    /// The last of each cumulative stream.
    streams: HashMap<String, Sample>,
}

#[derive(Debug, Default)]
struct Series {
    values: Vec<String>,
    aggregate: Aggregate,
    /// In order of time: each measurement, or each step.
    points: BTreeMap<(u64, u64), Aggregate>,
}

impl<'q> Reading<'q> {
    fn new(one: &'q One, filter: &Filter) -> Self {
        Self {
            one,
            since_ns: filter.since_ns.unwrap_or(0),
            total: 0,
            kind: MetricKind::default(),
            unit: String::new(),
            all: Aggregate::default(),
            series: BTreeMap::new(),
            streams: HashMap::new(),
        }
    }

    fn add(&mut self, point: &Point<'_>, origin: OriginFields<'_>) {
        self.total += 1;
        self.kind = point.kind;
        if !point.unit.is_empty() && self.unit != point.unit {
            self.unit = point.unit.to_string();
        }
        let mut sample = Sample::new(point);
        if point.cumulative && point.kind != MetricKind::Gauge {
            sample = self.increase(point, sample);
        }
        self.all.add(&sample);
        let values = group(point, origin, &self.one.by);
        if self.series.len() >= SERIES && !self.series.contains_key(&values) {
            return;
        }
        let series = self.series.entry(values.clone()).or_default();
        series.values = values;
        series.aggregate.add(&sample);
        let key = match self.one.step_ns {
            Some(step) => (sample.time_ns / step * step, 0),
            None => (sample.time_ns, self.total),
        };
        series.points.entry(key).or_default().add(&sample);
        if self.one.step_ns.is_none() && series.points.len() > self.one.page.0 {
            series.points.pop_first();
        }
    }

    /// Takes a total from before the asked scope as what its stream had come to.
    fn remember(&mut self, point: &Point<'_>) {
        let sample = Sample::new(point);
        let key = stream(point);
        if self.streams.get(&key).is_none_or(|known| known.time_ns <= sample.time_ns) {
            self.streams.insert(key, sample);
        }
    }

    /// What was added since the stream's measurement before. Of one that was never seen before all
    /// counts when it began inside the asked time, and nothing when it is older. Without such a
    /// time, nothing says that it is older than the asked scope.
    fn increase(&mut self, point: &Point<'_>, now: Sample) -> Sample {
        let key = stream(point);
        let increase = match self.streams.get(&key) {
            // It comes late: a later total, which includes it, has counted.
            Some(before) if before.time_ns > now.time_ns => return now.since(&now),
            Some(before) => now.since(before),
            None if self.since_ns == 0 || point.start_ns >= self.since_ns => now.clone(),
            None => now.since(&now),
        };
        self.streams.insert(key, now);
        increase
    }
}

/// What tells cumulative streams apart. One that began anew is another one.
fn stream(point: &Point<'_>) -> String {
    let mut tags: Vec<_> = point.tags.iter().collect();
    tags.sort_by(|(one, _), (other, _)| one.cmp(other));
    let Point { name, service, start_ns, origin, .. } = point;
    format!("{name}\0{service}\0{start_ns}\0{origin:?}{tags:?}")
}

impl Series {
    fn json(&self, one: &One, aggregation: Aggregation, window_s: Option<f64>) -> Json {
        let tags: BTreeMap<&String, &String> = one.by.iter().zip(&self.values).collect();
        let step_s = one.step_ns.map(|step| float(step) / 1.0e9);
        let points: Vec<Json> = self
            .points
            .iter()
            .filter_map(|((time_ns, _), aggregate)| {
                let value = aggregate.value(aggregation, step_s)?;
                Some(json!([milliseconds(*time_ns), shape::number(value)]))
            })
            .collect();
        json!({
            "tags": tags,
            "total": self.aggregate.points,
            "value": self.aggregate.value(aggregation, window_s).map(shape::number),
            "aggregates": self.aggregate.json(window_s),
            "points": points,
        })
    }
}

/// The values of the tags that tell series apart.
fn group(point: &Point<'_>, origin: OriginFields<'_>, by: &[String]) -> Vec<String> {
    let tag = |key: &str| {
        let found = point.tags.iter().find(|(known, _)| known == key);
        let in_origin = || point.origin.attributes.iter().find(|(known, _)| known == key);
        let (_, value): &(_, Value<'_>) = found.or_else(in_origin)?;
        text_of(value).map(std::borrow::Cow::into_owned)
    };
    by.iter()
        .map(|key| match key.as_str() {
            "service" => point.service.to_string(),
            "env" => origin.env.to_owned(),
            "version" => origin.version.to_owned(),
            "host" => origin.host.to_owned(),
            key => tag(key).unwrap_or_default(),
        })
        .collect()
}
