//! `/api/v2/series`, `/api/v1/series` and `/api/v1/distribution_points`:
//! metrics as JSON or protobuf. Owns those shapes.
//!
//! Shapes: <https://docs.datadoghq.com/api/latest/metrics/> and
//! `proto/metrics/agent_payload.proto` of DataDog/agent-payload.

use std::sync::Arc;

use serde::Deserialize;

use super::super::each::each;
use super::super::msgpack::Error;
use super::super::protobuf::{Fields, messages};
use super::super::tags;
use super::{Points, json, nanoseconds, whole};
use crate::serve::telemetry::model::{Attribute, Measure, MetricKind, Origin, Point, Text, Value};

/// Decodes the JSON of v1 or v2, which tell themselves apart.
///
/// # Errors
///
/// The body is not `{"series": [...]}`.
pub(crate) fn json_series(
    bytes: &[u8],
    origin: &Origin<'_>,
    sink: &mut Points<'_>,
) -> Result<u64, Error> {
    whole(
        |items| sink(items),
        |take| {
            let series = &mut |series: JsonSeries| series.points(origin, take);
            each(bytes, Some("series"), series).map_err(|error| json(&error))
        },
    )
}

/// Decodes the protobuf of v2.
///
/// # Errors
///
/// The body is no `MetricPayload`.
pub(crate) fn protobuf_series(
    bytes: &[u8],
    origin: &Origin<'_>,
    sink: &mut Points<'_>,
) -> Result<u64, Error> {
    whole(
        |items| sink(items),
        |take| messages(bytes, 1, |message| protobuf_one(message, origin, take)),
    )
}

#[derive(Deserialize)]
struct JsonSeries {
    metric: String,
    #[serde(default)]
    r#type: Option<JsonType>,
    points: Vec<JsonPoint>,
    #[serde(default)]
    tags: Option<Vec<String>>,
    #[serde(default)]
    host: Option<String>,
    #[serde(default)]
    device: Option<String>,
    #[serde(default)]
    resources: Option<Vec<Resource>>,
    #[serde(default)]
    unit: Option<String>,
    #[serde(default)]
    interval: Option<f64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum JsonType {
    /// v2.
    Number(i64),
    /// v1.
    Name(String),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum JsonPoint {
    /// v2.
    Object { timestamp: f64, value: f64 },
    /// v1; numbers may be text.
    Pair(f64, Values),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Values {
    One(f64),
    Text(String),
    /// Distribution points.
    Many(Vec<f64>),
}

#[derive(Deserialize)]
struct Resource {
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    name: String,
}

impl JsonSeries {
    fn points<'a>(self, origin: &Origin<'a>, take: &mut dyn FnMut(Point<'a>) -> bool) {
        let kind = match &self.r#type {
            Some(JsonType::Number(number)) => kind_of(*number),
            Some(JsonType::Name(name)) => match name.as_str() {
                "count" | "counter" | "monotonic_count" => MetricKind::Count,
                "rate" => MetricKind::Rate,
                "distribution" => MetricKind::Distribution,
                _ => MetricKind::Gauge,
            },
            None => MetricKind::Gauge,
        };
        let mut series = Series::new(self.metric.into(), kind);
        series.tags(self.tags.unwrap_or_default().into_iter().map(Into::into));
        series.host = self.host.unwrap_or_default().into();
        for resource in self.resources.unwrap_or_default() {
            series.resource(resource.r#type.into(), resource.name.into());
        }
        if let Some(device) = self.device.filter(|device| !device.is_empty()) {
            series.resource("device".into(), device.into());
        }
        series.unit = self.unit.unwrap_or_default().into();
        series.interval_ns = nanoseconds(self.interval.unwrap_or(0.0));
        let template = series.template(origin);
        for point in self.points {
            let (time, value) = match point {
                JsonPoint::Object { timestamp, value } => (timestamp, Measure::Number(value)),
                JsonPoint::Pair(time, Values::One(value)) => (time, Measure::Number(value)),
                JsonPoint::Pair(time, Values::Many(values)) => (time, Measure::Samples(values)),
                JsonPoint::Pair(time, Values::Text(text)) => {
                    (time, Measure::Number(text.parse().unwrap_or(f64::NAN)))
                }
            };
            let kind = match &value {
                Measure::Samples(_) => MetricKind::Distribution,
                _ => template.kind,
            };
            if !take(Point { time_ns: nanoseconds(time), value, kind, ..template.clone() }) {
                return;
            }
        }
    }
}

/// What the points of a series have in common.
pub(super) struct Series<'a> {
    name: Text<'a>,
    kind: MetricKind,
    pub(super) host: Text<'a>,
    pub(super) unit: Text<'a>,
    pub(super) interval_ns: u64,
    tags: Vec<Attribute<'a>>,
    resources: Vec<Attribute<'a>>,
}

impl<'a> Series<'a> {
    pub(super) fn new(name: Text<'a>, kind: MetricKind) -> Self {
        let (host, unit) = (Text::default(), Text::default());
        Self { name, kind, host, unit, interval_ns: 0, tags: Vec::new(), resources: Vec::new() }
    }

    pub(super) fn tags(&mut self, tags: impl Iterator<Item = Text<'a>>) {
        let room = tags::MOST.saturating_sub(self.tags.len());
        self.tags.extend(tags.take(room).map(tags::split));
    }

    /// What the series is about; a host is also its sender.
    fn resource(&mut self, kind: Text<'a>, name: Text<'a>) {
        if kind == "host" {
            self.host.clone_from(&name);
        }
        if self.resources.len() < tags::MOST {
            self.resources.push((kind, Value::Str(name)));
        }
    }

    pub(super) fn template(self, origin: &Origin<'a>) -> Point<'a> {
        let mut attributes = origin.attributes.clone();
        attributes.extend(self.resources);
        let host = if self.host.is_empty() { tags::find(&self.tags, "host") } else { self.host };
        Point {
            name: self.name,
            service: tags::find(&self.tags, "service"),
            kind: self.kind,
            interval_ns: self.interval_ns,
            weight: 1.0,
            unit: self.unit,
            origin: Arc::new(Origin {
                env: tags::find(&self.tags, "env"),
                version: tags::find(&self.tags, "version"),
                host,
                attributes,
                ..origin.clone()
            }),
            tags: self.tags,
            ..Point::default()
        }
    }
}

fn kind_of(number: i64) -> MetricKind {
    match number {
        1 => MetricKind::Count,
        2 => MetricKind::Rate,
        _ => MetricKind::Gauge,
    }
}

fn protobuf_one<'a>(
    bytes: &'a [u8],
    origin: &Origin<'a>,
    take: &mut dyn FnMut(Point<'a>) -> bool,
) -> Result<(), Error> {
    let mut series = Series::new(Text::default(), MetricKind::Gauge);
    let mut fields = Fields::new(bytes);
    while let Some((number, wire)) = fields.next()? {
        match number {
            1 => {
                let (mut kind, mut name) = (Text::default(), Text::default());
                let mut resource = Fields::new(wire.bytes());
                while let Some((number, wire)) = resource.next()? {
                    match number {
                        1 => kind = wire.text(),
                        2 => name = wire.text(),
                        _ => {}
                    }
                }
                series.resource(kind, name);
            }
            2 => series.name = wire.text(),
            3 => series.tags(std::iter::once(wire.text())),
            5 => series.kind = kind_of(wire.int()),
            6 => series.unit = wire.text(),
            8 => {
                let seconds = u64::try_from(wire.int()).unwrap_or(0);
                series.interval_ns = seconds.saturating_mul(1_000_000_000);
            }
            _ => {}
        }
    }
    let template = series.template(origin);
    let mut fields = Fields::new(bytes);
    while let Some((number, wire)) = fields.next()? {
        if number == 4 {
            let (mut value, mut time) = (0.0, 0);
            let mut point = Fields::new(wire.bytes());
            while let Some((number, wire)) = point.next()? {
                match number {
                    1 => value = wire.double(),
                    2 => time = u64::try_from(wire.int()).unwrap_or(0),
                    _ => {}
                }
            }
            let time_ns = time.saturating_mul(1_000_000_000);
            if !take(Point { value: Measure::Number(value), time_ns, ..template.clone() }) {
                return Ok(());
            }
        }
    }
    Ok(())
}
