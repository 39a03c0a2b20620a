//! Turns `DogStatsD` lines into points and logs of the model. Owns what the
//! types, sample rates and unified service tags mean. Must not know sockets.

use std::sync::Arc;

use super::super::sender::local_container;
use super::super::tags;
use super::parse::{self, Check, Event, Kind, Line, Metric, Origin as Said, Status};
use crate::serve::telemetry::model::{
    Attribute, Level, Log, Measure, MetricKind, Origin, Point, Text, Value,
};

/// How many senders of a batch are remembered.
const ORIGINS: usize = 8;

/// What some datagrams hold.
#[derive(Debug, Default)]
pub(crate) struct Batch<'a> {
    pub(crate) points: Vec<Point<'a>>,
    /// Events and service checks.
    pub(crate) logs: Vec<Log<'a>>,
    /// Lines that are nothing.
    pub(crate) malformed: u64,
    origins: Vec<(Said<'a>, Arc<Origin<'a>>)>,
}

impl<'a> Batch<'a> {
    /// Takes the lines of datagrams.
    pub(crate) fn read(text: &'a str) -> Self {
        let mut batch = Self::default();
        for line in text.split('\n').map(|line| line.trim_end_matches('\r')) {
            if !line.is_empty() {
                batch.line(line);
            }
        }
        batch
    }

    fn line(&mut self, text: &'a str) {
        match parse::line(text) {
            Ok(Line::Metric(metric)) => self.metric(&metric),
            Ok(Line::Event(event)) => self.event(&event),
            Ok(Line::Check(check)) => self.check(&check),
            Err(_) => self.malformed += 1,
        }
    }

    fn metric(&mut self, metric: &Metric<'a>) {
        let tags = split(metric.tags);
        let (kind, value) = measure(metric);
        let origin = self.origin(metric.origin, None, &tags);
        self.points.push(Point {
            name: metric.name.into(),
            service: tags::find(&tags, "service"),
            kind,
            value,
            time_ns: nanoseconds(metric.timestamp),
            weight: if kind == MetricKind::Gauge { 1.0 } else { 1.0 / metric.rate },
            unit: if metric.kind == Kind::Timing { "millisecond".into() } else { Text::default() },
            origin,
            tags,
            ..Point::default()
        });
    }

    fn event(&mut self, event: &Event<'a>) {
        let tags = split(event.tags);
        let message = if event.text.is_empty() {
            event.title.clone()
        } else {
            format!("{}\n{}", event.title, event.text).into()
        };
        let mut log = Log {
            time_ns: nanoseconds(event.timestamp),
            level: Level::from_name(event.alert_type),
            severity: event.alert_type.into(),
            message,
            service: tags::find(&tags, "service"),
            source: "event".into(),
            origin: self.origin(event.origin, event.host, &tags),
            attributes: tags,
            ..Log::default()
        };
        let mut add = |key: &'static str, value: Option<Text<'a>>| {
            log.attributes.extend(value.map(|value| (key.into(), Value::Str(value))));
        };
        add("event.title", Some(event.title.clone()));
        add("event.text", Some(event.text.clone()));
        add("event.priority", Some(event.priority.into()));
        add("event.aggregation_key", event.aggregation_key.map(Into::into));
        add("event.source_type", event.source_type.map(Into::into));
        self.logs.push(log);
    }

    fn check(&mut self, check: &Check<'a>) {
        let tags = split(check.tags);
        let level = match check.status {
            Status::Ok => Level::Info,
            Status::Warning => Level::Warn,
            Status::Critical => Level::Error,
            Status::Unknown => Level::Unspecified,
        };
        let mut log = Log {
            time_ns: nanoseconds(check.timestamp),
            level,
            severity: check.status.name().into(),
            message: check.message.unwrap_or(check.status.name()).into(),
            service: tags::find(&tags, "service"),
            source: "service_check".into(),
            origin: self.origin(check.origin, check.host, &tags),
            attributes: tags,
            ..Log::default()
        };
        log.attributes.push(("check".into(), Value::Str(check.name.into())));
        log.attributes.push(("status".into(), Value::Int(i64::from(check.status.number()))));
        self.logs.push(log);
    }

    /// The sender of a line; lines with the same words share it.
    fn origin(
        &mut self,
        said: Said<'a>,
        host: Option<&'a str>,
        tags: &[Attribute<'a>],
    ) -> Arc<Origin<'a>> {
        let (env, version) = (tags::find(tags, "env"), tags::find(tags, "version"));
        let host = host.map_or_else(|| tags::find(tags, "host"), Into::into);
        let same = |(known, origin): &&(Said<'a>, Arc<Origin<'a>>)| {
            *known == said && origin.env == env && origin.version == version && origin.host == host
        };
        if let Some((_, origin)) = self.origins.iter().find(same) {
            return Arc::clone(origin);
        }
        let fields = [
            ("datadog.local_data", said.local),
            ("datadog.external_data", said.external),
            ("datadog.cardinality", said.cardinality),
        ];
        let attributes = fields
            .into_iter()
            .filter_map(|(key, value)| Some((key.into(), Value::Str(value?.into()))))
            .collect();
        let container_id = container(said.local.unwrap_or("")).into();
        let origin = Origin { env, version, host, container_id, attributes, ..Origin::default() };
        let origin = Arc::new(origin);
        if self.origins.len() == ORIGINS {
            self.origins.pop();
        }
        self.origins.insert(0, (said, Arc::clone(&origin)));
        origin
    }
}

/// Old clients send the container's id alone.
fn container(local: &str) -> &str {
    let alone = local.len() == 64 && local.bytes().all(|byte| byte.is_ascii_hexdigit());
    if alone { local } else { local_container(local) }
}

fn split(joined: &str) -> Vec<Attribute<'_>> {
    parse::tags(joined).take(tags::MOST).map(|tag| tags::split(tag.into())).collect()
}

/// Counts are multiplied with the sample rate here; samples keep it as their
/// weight.
fn measure<'a>(metric: &Metric<'a>) -> (MetricKind, Measure<'a>) {
    let kind = match metric.kind {
        Kind::Count => MetricKind::Count,
        Kind::Gauge => MetricKind::Gauge,
        Kind::Timing | Kind::Histogram => MetricKind::Histogram,
        Kind::Distribution => MetricKind::Distribution,
        Kind::Set => MetricKind::Set,
    };
    let value = match metric.kind {
        Kind::Set => Measure::Members(metric.member().map(Into::into).into_iter().collect()),
        Kind::Count => Measure::Number(metric.values().sum::<f64>() / metric.rate),
        Kind::Gauge => Measure::Number(metric.values().last().unwrap_or(0.0)),
        Kind::Timing | Kind::Histogram | Kind::Distribution => {
            let mut values = metric.values();
            let first = values.next().unwrap_or(0.0);
            match values.next() {
                None => Measure::Number(first),
                Some(second) => {
                    Measure::Samples([first, second].into_iter().chain(values).collect())
                }
            }
        }
    };
    (kind, value)
}

fn nanoseconds(seconds: Option<i64>) -> u64 {
    let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_apply_to_counts_and_are_the_weight_of_samples() {
        let batch = Batch::read("c:3:1|c|@0.1\ng:1:5|g|@0.1\nh:2|h|@0.5\nd:1:2:3|d|@0.25\n");
        let got: Vec<_> = batch
            .points
            .iter()
            .map(|point| (point.kind, point.value.clone(), point.weight))
            .collect();
        assert_eq!(
            got,
            [
                (MetricKind::Count, Measure::Number(40.0), 10.0),
                (MetricKind::Gauge, Measure::Number(5.0), 1.0),
                (MetricKind::Histogram, Measure::Number(2.0), 2.0),
                (MetricKind::Distribution, Measure::Samples(vec![1.0, 2.0, 3.0]), 4.0),
            ]
        );
    }

    #[test]
    fn unified_tags_name_the_sender() {
        let id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        let text = format!(
            "a:1|c|#env:dev,service:shop,version:2,host:web|c:ci-{id}|e:it-false\n\
             b:1|c|#env:dev,service:api,version:2,host:web|c:ci-{id}|e:it-false\n\
             c:1|c|c:{id}"
        );
        let batch = Batch::read(&text);
        let [a, b, c] = &batch.points[..] else { panic!("{:?}", batch.points) };
        assert_eq!((a.service.as_ref(), b.service.as_ref()), ("shop", "api"));
        assert!(Arc::ptr_eq(&a.origin, &b.origin));
        let origin = &a.origin;
        assert_eq!((origin.env.as_ref(), origin.version.as_ref()), ("dev", "2"));
        assert_eq!((origin.host.as_ref(), origin.container_id.as_ref()), ("web", id));
        assert_eq!(
            origin.attributes,
            [
                ("datadog.local_data".into(), Value::Str(format!("ci-{id}").into())),
                ("datadog.external_data".into(), Value::Str("it-false".into())),
            ]
        );
        assert_eq!(c.origin.container_id, id);
    }

    #[test]
    fn events_and_checks_are_logs() {
        let batch = Batch::read(
            "_e{6,3}:deploy|v 2|t:error|h:web|k:d1|#service:shop\n_sc|db.up|2|m:no route|#env:dev\nnonsense\r\n",
        );
        assert_eq!(batch.malformed, 1);
        let [event, check] = &batch.logs[..] else { panic!("{:?}", batch.logs) };
        assert_eq!((event.source.as_ref(), event.message.as_ref()), ("event", "deploy\nv 2"));
        assert_eq!((event.level, event.service.as_ref()), (Level::Error, "shop"));
        assert_eq!(event.origin.host, "web");
        assert!(
            event.attributes.contains(&("event.aggregation_key".into(), Value::Str("d1".into())))
        );
        assert_eq!((check.source.as_ref(), check.message.as_ref()), ("service_check", "no route"));
        assert_eq!((check.level, check.severity.as_ref()), (Level::Error, "critical"));
        assert_eq!(check.origin.env, "dev");
        assert!(check.attributes.contains(&("status".into(), Value::Int(2))));
    }

    #[test]
    fn seconds_become_nanoseconds() {
        let batch = Batch::read("a:1|g|T1700000000\na:1|g|T9223372036854775807");
        assert_eq!(batch.points[0].time_ns, 1_700_000_000_000_000_000);
        assert_eq!(batch.points[1].time_ns, u64::MAX);
    }
}
