//! `/api/v1/check_run` and `/api/v1/events`: service checks and events over
//! HTTP, kept as logs like those of `DogStatsD`. Owns their shapes.
//!
//! Shapes: <https://docs.datadoghq.com/api/latest/service-checks/> and
//! <https://docs.datadoghq.com/api/latest/events/>.

use std::sync::Arc;

use serde::Deserialize;

use super::super::each::each;
use super::super::msgpack::Error;
use super::super::tags;
use super::{Logs, json, nanoseconds, whole};
use crate::serve::telemetry::model::{Attribute, Level, Log, Origin, Value};

#[derive(Deserialize)]
struct CheckRun {
    check: String,
    status: u8,
    #[serde(default)]
    timestamp: Option<f64>,
    #[serde(default)]
    host_name: Option<String>,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Event {
    title: String,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    date_happened: Option<f64>,
    #[serde(default)]
    host: Option<String>,
    #[serde(default)]
    alert_type: Option<String>,
    #[serde(default)]
    priority: Option<String>,
    #[serde(default)]
    aggregation_key: Option<String>,
    #[serde(default)]
    source_type_name: Option<String>,
    #[serde(default)]
    tags: Option<Vec<String>>,
}

/// Decodes one check run or several.
///
/// # Errors
///
/// The body is neither.
pub(crate) fn check_runs(
    bytes: &[u8],
    origin: &Origin<'_>,
    sink: &mut Logs<'_>,
) -> Result<u64, Error> {
    whole(
        |items| sink(items),
        |take| {
            each(bytes, None, &mut |run: CheckRun| {
                take(run.log(origin));
            })
            .map_err(|error| json(&error))
        },
    )
}

/// Decodes one event.
///
/// # Errors
///
/// The body is none.
pub(crate) fn events(bytes: &[u8], origin: &Origin<'_>, sink: &mut Logs<'_>) -> Result<u64, Error> {
    whole(
        |items| sink(items),
        |take| {
            each(bytes, None, &mut |event: Event| {
                take(event.log(origin));
            })
            .map_err(|error| json(&error))
        },
    )
}

fn split<'a>(all: Option<Vec<String>>) -> Vec<Attribute<'a>> {
    let all = all.unwrap_or_default().into_iter().take(tags::MOST);
    all.map(|tag| tags::split(tag.into())).collect()
}

fn sender<'a>(
    origin: &Origin<'a>,
    host: Option<String>,
    tags: &[Attribute<'a>],
) -> Arc<Origin<'a>> {
    Arc::new(Origin {
        env: tags::find(tags, "env"),
        version: tags::find(tags, "version"),
        host: host.unwrap_or_default().into(),
        ..origin.clone()
    })
}

impl CheckRun {
    fn log<'a>(self, origin: &Origin<'a>) -> Log<'a> {
        let (level, severity) = match self.status {
            0 => (Level::Info, "ok"),
            1 => (Level::Warn, "warning"),
            2 => (Level::Error, "critical"),
            _ => (Level::Unspecified, "unknown"),
        };
        let mut tags = split(self.tags);
        let origin = sender(origin, self.host_name, &tags);
        let service = tags::find(&tags, "service");
        tags.push(("check".into(), Value::Str(self.check.into())));
        tags.push(("status".into(), Value::Int(i64::from(self.status))));
        Log {
            time_ns: nanoseconds(self.timestamp.unwrap_or(0.0)),
            level,
            severity: severity.into(),
            message: self.message.unwrap_or_else(|| severity.to_owned()).into(),
            service,
            source: "service_check".into(),
            attributes: tags,
            origin,
            ..Log::default()
        }
    }
}

impl Event {
    fn log<'a>(self, origin: &Origin<'a>) -> Log<'a> {
        let severity = self.alert_type.unwrap_or_else(|| "info".to_owned());
        let mut tags = split(self.tags);
        let origin = sender(origin, self.host, &tags);
        let service = tags::find(&tags, "service");
        let text = self.text.unwrap_or_default();
        let message =
            if text.is_empty() { self.title.clone() } else { format!("{}\n{text}", self.title) };
        let fields = [
            ("event.title", Some(self.title)),
            ("event.text", Some(text)),
            ("event.priority", self.priority),
            ("event.aggregation_key", self.aggregation_key),
            ("event.source_type", self.source_type_name),
        ];
        tags.extend(
            fields
                .into_iter()
                .filter_map(|(key, value)| Some((key.into(), Value::Str(value?.into())))),
        );
        Log {
            time_ns: nanoseconds(self.date_happened.unwrap_or(0.0)),
            level: Level::from_name(&severity),
            severity: severity.into(),
            message: message.into(),
            service,
            source: "event".into(),
            attributes: tags,
            origin,
            ..Log::default()
        }
    }
}
