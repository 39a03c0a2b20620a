//! `/v0.6/stats`: what a tracer counted itself, so that it need not send every
//! span. Owns the payload's fields and the names of the metrics made of them.
//!
//! Fields: `pkg/proto/datadog/trace/stats.proto` of the Datadog agent; metrics:
//! <https://docs.datadoghq.com/tracing/metrics/metrics_namespace/>.

use std::sync::Arc;

use super::msgpack::{Error, Reader};
use super::sketch;
use crate::serve::telemetry::model::{Attribute, Measure, MetricKind, Origin, Point, Text, Value};

/// How many groups a payload may have.
const GROUPS: usize = 100_000;
/// How many peer tags a group may have.
const TAGS: u32 = 256;

/// What a tracer counted over one interval for one kind of span.
#[derive(Default)]
struct Group<'a> {
    service: Text<'a>,
    name: Text<'a>,
    hits: u64,
    errors: u64,
    top_level_hits: u64,
    /// Nanoseconds of all spans together.
    duration: u64,
    ok: &'a [u8],
    error: &'a [u8],
    tags: Vec<Attribute<'a>>,
}

/// Decodes a payload to the points it stands for.
///
/// # Errors
///
/// The payload is not one of client stats.
pub(crate) fn decode<'a>(bytes: &'a [u8], sender: Origin<'a>) -> Result<Vec<Point<'a>>, Error> {
    let mut reader = Reader::new(bytes);
    let mut origin = sender;
    let mut buckets = None;
    for _ in 0..reader.map()? {
        match reader.str_bytes()? {
            b"Hostname" => origin.host = reader.text()?,
            b"Env" => origin.env = reader.text()?,
            b"Version" => origin.version = reader.text()?,
            b"Lang" => replace(&mut origin.language, reader.text()?),
            b"TracerVersion" => replace(&mut origin.tracer_version, reader.text()?),
            b"ContainerID" => replace(&mut origin.container_id, reader.text()?),
            b"RuntimeID" => {
                origin.attributes.push(("runtime_id".into(), Value::Str(reader.text()?)));
            }
            b"Stats" => {
                buckets = Some(reader.clone());
                reader.skip()?;
            }
            _ => reader.skip()?,
        }
    }
    let origin = Arc::new(origin);
    let mut points = Vec::new();
    if let Some(mut reader) = buckets {
        for _ in 0..reader.array()? {
            bucket(&mut reader, &origin, &mut points)?;
        }
    }
    Ok(points)
}

fn replace<'a>(text: &mut Text<'a>, with: Text<'a>) {
    if !with.is_empty() {
        *text = with;
    }
}

fn bucket<'a>(
    reader: &mut Reader<'a>,
    origin: &Arc<Origin<'a>>,
    points: &mut Vec<Point<'a>>,
) -> Result<(), Error> {
    let (mut start, mut duration) = (0, 0);
    let mut groups = None;
    for _ in 0..reader.map()? {
        match reader.str_bytes()? {
            b"Start" => start = reader.uint()?,
            b"Duration" => duration = reader.uint()?,
            b"Stats" => {
                groups = Some(reader.clone());
                reader.skip()?;
            }
            _ => reader.skip()?,
        }
    }
    let Some(mut reader) = groups else { return Ok(()) };
    for _ in 0..reader.array()? {
        if points.len() >= GROUPS {
            return Err(Error::TooLarge);
        }
        let group = group(&mut reader)?;
        let template = Point {
            service: group.service.clone(),
            kind: MetricKind::Count,
            time_ns: start,
            start_ns: start,
            interval_ns: duration,
            weight: 1.0,
            tags: group.tags.clone(),
            origin: Arc::clone(origin),
            ..Point::default()
        };
        points.extend(group.points(&template)?);
    }
    Ok(())
}

fn group<'a>(reader: &mut Reader<'a>) -> Result<Group<'a>, Error> {
    let mut group = Group::default();
    for _ in 0..reader.map()? {
        match reader.str_bytes()? {
            b"Service" => group.service = reader.text()?,
            b"Name" => group.name = reader.text()?,
            b"Hits" => group.hits = reader.uint()?,
            b"Errors" => group.errors = reader.uint()?,
            b"TopLevelHits" => group.top_level_hits = reader.uint()?,
            b"Duration" => group.duration = reader.uint()?,
            b"OkSummary" => group.ok = reader.bytes()?,
            b"ErrorSummary" => group.error = reader.bytes()?,
            b"Resource" => group.tag("resource", reader.text()?),
            b"Type" => group.tag("type", reader.text()?),
            b"DBType" => group.tag("db.type", reader.text()?),
            b"SpanKind" => group.tag("span.kind", reader.text()?),
            b"HTTPMethod" => group.tag("http.method", reader.text()?),
            b"HTTPEndpoint" => group.tag("http.endpoint", reader.text()?),
            b"GRPCStatusCode" => group.tag("rpc.grpc.status_code", reader.text()?),
            b"HTTPStatusCode" => match reader.uint()? {
                0 => {}
                code => group.tag("http.status_code", code.to_string().into()),
            },
            b"Synthetics" => {
                if reader.bool()? {
                    group.tag("synthetics", "true".into());
                }
            }
            b"IsTraceRoot" => match reader.uint()? {
                1 => group.tag("is_trace_root", "true".into()),
                2 => group.tag("is_trace_root", "false".into()),
                _ => {}
            },
            b"PeerTags" => {
                let len = reader.array()?;
                if len > TAGS {
                    return Err(Error::TooLarge);
                }
                for _ in 0..len {
                    group.tags.push(super::tags::split(reader.text()?));
                }
            }
            _ => reader.skip()?,
        }
    }
    group.tag("service", group.service.clone());
    Ok(group)
}

impl<'a> Group<'a> {
    fn tag(&mut self, key: &'static str, value: Text<'a>) {
        if !value.is_empty() {
            self.tags.push((key.into(), Value::Str(value)));
        }
    }

    /// Hits, errors and the time of all spans together, and how it spread.
    fn points(&self, template: &Point<'a>) -> Result<Vec<Point<'a>>, Error> {
        let count = |what: &str, value: u64| Point {
            name: format!("trace.{}.{what}", self.name).into(),
            value: Measure::Int(i64::try_from(value).unwrap_or(i64::MAX)),
            ..template.clone()
        };
        let mut points = vec![
            count("hits", self.hits),
            count("errors", self.errors),
            count("top_level_hits", self.top_level_hits),
            Point {
                name: format!("trace.{}.duration", self.name).into(),
                value: Measure::Number(seconds(self.duration)),
                unit: "second".into(),
                ..template.clone()
            },
        ];
        if let Some(value) = sketch::durations([self.ok, self.error], seconds(self.duration))? {
            points.push(Point {
                name: format!("trace.{}", self.name).into(),
                kind: MetricKind::Distribution,
                value,
                unit: "second".into(),
                ..template.clone()
            });
        }
        Ok(points)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a duration in seconds is a float")]
fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATS: &[u8] = include_bytes!("fixtures/ddtrace-stats.msgpack");

    #[test]
    fn ddtrace_stats_become_metrics() {
        let points = decode(STATS, Origin::default()).unwrap();
        let find = |name: &str| points.iter().find(|point| point.name == name).unwrap();
        let hits = find("trace.web.request.hits");
        assert_eq!((hits.value.clone(), hits.service.as_ref()), (Measure::Int(5), "shop"));
        assert_eq!((hits.origin.env.as_ref(), hits.origin.version.as_ref()), ("dev", "1.2"));
        assert_eq!((hits.time_ns, hits.interval_ns), (1_795_648_070_000_000_000, 10_000_000_000));
        assert!(hits.tags.contains(&("resource".into(), Value::Str("GET /cart".into()))));
        let errors = find("trace.postgres.query.errors");
        assert_eq!((errors.value.clone(), errors.service.as_ref()), (Measure::Int(1), "shop-db"));
        assert!(errors.tags.contains(&("span.kind".into(), Value::Str("client".into()))));
        assert_eq!(find("trace.web.request.duration").value, Measure::Number(0.001_267_353));

        let Measure::Buckets { count, sum, bounds, counts, .. } = &find("trace.web.request").value
        else {
            panic!("no distribution");
        };
        assert_eq!((*count, *sum), (5, Some(0.001_267_353)));
        assert_eq!(bounds.len() + 1, counts.len());
        // The mean lies between the smallest and the largest bucket.
        assert!(bounds[0] < 0.000_253_5 && 0.000_253_4 < bounds[bounds.len() - 1], "{bounds:?}");
        assert_eq!(points.len(), 10);
    }

    #[test]
    fn what_is_damaged_never_panics() {
        for place in 0..STATS.len() {
            for byte in [0x00, 0x90, 0xdf, 0xff] {
                let mut bytes = STATS.to_vec();
                bytes[place] = byte;
                let points = decode(&bytes, Origin::default()).unwrap_or_default();
                assert!(points.len() <= 10 * bytes.len());
            }
        }
    }
}
