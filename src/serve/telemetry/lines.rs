//! Lines of container logs as log items: JSON objects are taken apart, anything else is a message.
//!
//! Owns the names that loggers give to level, message, service and ids.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::model::{
    Attribute, Level, Log, Origin, Protocol, Text, Value, parse_span_id, parse_trace_id,
};
use super::store::Store;
use super::tail::Line;

const MESSAGE: [&str; 5] = ["message", "msg", "@m", "log", "event"];
const LEVEL: [&str; 7] = ["level", "severity", "status", "levelname", "log.level", "lvl", "@l"];
const SERVICE: [&str; 4] = ["service", "dd.service", "service.name", "dd_service"];
const ENV: [&str; 4] = ["env", "dd.env", "deployment.environment", "deployment.environment.name"];
const VERSION: [&str; 3] = ["version", "dd.version", "service.version"];
const TRACE: [&str; 5] = ["trace_id", "dd.trace_id", "traceId", "trace.id", "otelTraceID"];
const SPAN: [&str; 5] = ["span_id", "dd.span_id", "spanId", "span.id", "otelSpanID"];

/// Keeps lines of containers.
pub(super) fn keep(store: &Store, lines: &[Line]) {
    let parsed: Vec<Option<Map<String, Json>>> =
        lines.iter().map(|line| object(&line.message)).collect();
    let mut last: Option<(&Line, Arc<Origin<'_>>)> = None;
    let mut logs = Vec::with_capacity(lines.len());
    for (line, fields) in lines.iter().zip(&parsed) {
        let same = last.as_ref().filter(|(other, _)| line.is_from_same(other));
        let origin = match same {
            Some((_, origin)) => Arc::clone(origin),
            None => Arc::new(origin(line)),
        };
        last = Some((line, Arc::clone(&origin)));
        logs.push(log(line, fields.as_ref(), origin));
    }
    store.add_logs(Protocol::Stdout, &logs);
}

fn object(message: &str) -> Option<Map<String, Json>> {
    let message = message.trim();
    if !(message.starts_with('{') && message.ends_with('}')) {
        return None;
    }
    serde_json::from_str(message).ok()
}

fn origin(line: &Line) -> Origin<'_> {
    let attributes = [
        ("k8s.namespace.name", &line.namespace),
        ("k8s.pod.name", &line.pod),
        ("k8s.container.name", &line.container),
        ("k8s.node.name", &line.node),
    ];
    Origin {
        host: line.node.as_str().into(),
        attributes: attributes
            .into_iter()
            .filter(|(_, text)| !text.is_empty())
            .map(|(key, text)| (key.into(), Value::Str(text.as_str().into())))
            .collect(),
        ..Origin::default()
    }
}

fn log<'a>(
    line: &'a Line,
    fields: Option<&'a Map<String, Json>>,
    origin: Arc<Origin<'a>>,
) -> Log<'a> {
    let source = if line.stream.is_empty() { "stdout" } else { line.stream.as_str() };
    let plain = Log {
        time_ns: line.timestamp_ns,
        message: line.message.as_str().into(),
        service: line.container.as_str().into(),
        source: source.into(),
        origin,
        ..Log::default()
    };
    let Some(fields) = fields else { return plain };
    let text = |names: &[&str]| first(fields, names);
    let (env, version) = (text(&ENV), text(&VERSION));
    let origin = match (&env, &version) {
        (None, None) => plain.origin,
        _ => Arc::new(Origin {
            env: env.unwrap_or_default(),
            version: version.unwrap_or_default(),
            ..plain.origin.as_ref().clone()
        }),
    };
    let severity = text(&LEVEL).unwrap_or_default();
    let level = match severity.parse::<u32>() {
        Ok(number) => of_number(number),
        Err(_) => Level::from_name(&severity),
    };
    Log {
        level,
        severity,
        message: text(&MESSAGE).unwrap_or(plain.message),
        service: text(&SERVICE).unwrap_or(plain.service),
        trace_id: text(&TRACE).and_then(|id| parse_trace_id(&id)).unwrap_or(0),
        span_id: text(&SPAN).and_then(|id| parse_span_id(&id)).unwrap_or(0),
        attributes: fields.iter().map(attribute).collect(),
        origin,
        ..plain
    }
}

/// The numbers of bunyan and pino.
fn of_number(number: u32) -> Level {
    match number {
        10..20 => Level::Trace,
        20..30 => Level::Debug,
        30..40 => Level::Info,
        40..50 => Level::Warn,
        50..60 => Level::Error,
        60..70 => Level::Fatal,
        _ => Level::Unspecified,
    }
}

/// The first of these fields that is there, also as `{"dd": {"trace_id": …}}`.
fn first<'a>(fields: &'a Map<String, Json>, names: &[&str]) -> Option<Text<'a>> {
    names.iter().find_map(|name| {
        let inner = || {
            let (outer, inner) = name.split_once('.')?;
            fields.get(outer)?.as_object()?.get(inner)
        };
        match fields.get(*name).or_else(inner)? {
            Json::String(text) if !text.is_empty() => Some(Cow::Borrowed(text.as_str())),
            Json::Number(number) => Some(Cow::Owned(number.to_string())),
            _ => None,
        }
    })
}

fn attribute<'a>((key, value): (&'a String, &'a Json)) -> Attribute<'a> {
    (key.as_str().into(), of_json(value))
}

/// JSON as a value; how deep it nests is bounded by the parser.
pub(super) fn of_json(json: &Json) -> Value<'_> {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Value::Int(number),
            None => Value::Double(number.as_f64().unwrap_or(0.0)),
        },
        Json::String(text) => Value::Str(text.as_str().into()),
        Json::Array(values) => Value::Array(values.iter().map(of_json).collect()),
        Json::Object(fields) => Value::Map(fields.iter().map(attribute).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(message: &str) -> Line {
        Line {
            timestamp_ns: 5,
            message: message.into(),
            namespace: "shop".into(),
            pod: "api-1".into(),
            container: "api".into(),
            ..Line::default()
        }
    }

    fn parsed<T>(message: &str, look: impl Fn(&Log<'_>) -> T) -> T {
        let line = line(message);
        let fields = object(&line.message);
        look(&log(&line, fields.as_ref(), Arc::new(origin(&line))))
    }

    #[test]
    fn json_is_taken_apart() {
        let json = r#"{"level": "WARNING", "message": "slow", "service": "shop-api", "env": "dev",
            "dd.trace_id": "9532127138774266268", "dd.span_id": "12", "took": 1.5}"#;
        parsed(json, |log| {
            assert_eq!((log.level, log.message.as_ref()), (Level::Warn, "slow"));
            assert_eq!((log.service.as_ref(), log.origin.env.as_ref()), ("shop-api", "dev"));
            assert_eq!((log.trace_id, log.span_id), (9_532_127_138_774_266_268, 12));
            assert!(log.attributes.contains(&("took".into(), Value::Double(1.5))));
            assert_eq!(log.origin.attributes.len(), 3);
        });
        let nested = r#"{"msg": "m", "level": 50, "dd": {"trace_id": "1"}}"#;
        parsed(nested, |log| assert_eq!((log.level, log.trace_id), (Level::Error, 1)));
    }

    #[test]
    fn anything_else_is_a_message() {
        for text in ["plain", "{broken", "[1]", "{\"a\": }", ""] {
            parsed(text, |log| {
                assert_eq!((log.message.as_ref(), log.service.as_ref()), (text, "api"));
                assert_eq!((log.time_ns, log.source.as_ref()), (5, "stdout"));
            });
        }
    }

    #[test]
    fn kept_lines_can_be_asked_for() {
        let store = Store::new(super::super::store::Limits::default());
        keep(&store, &[line("one"), line("{\"message\": \"two\"}")]);
        assert_eq!(store.figures()[2].1.stored, 2);
    }
}
