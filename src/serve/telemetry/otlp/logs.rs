//! OTLP log records.

use std::borrow::Cow;
use std::sync::Arc;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::logs::v1::LogRecord;

use super::super::model::{Level, Log, Text, Value, parse_span_id, parse_trace_id};
use super::super::query::json;
use super::{Rejected, attributes, origin, span_id, trace_id, value};

/// The log lines of a request. None is ever rejected: a record may lack everything.
pub(super) fn logs(request: &ExportLogsServiceRequest) -> (Vec<Log<'_>>, Rejected) {
    let mut logs = Vec::new();
    for resource in &request.resource_logs {
        for scope in &resource.scope_logs {
            let (origin, service) = origin(resource.resource.as_ref(), scope.scope.as_ref());
            for sent in &scope.log_records {
                let origin = Arc::clone(&origin);
                logs.push(Log { service: service.into(), origin, ..log(sent) });
            }
        }
    }
    (logs, Rejected::default())
}

fn log(sent: &LogRecord) -> Log<'_> {
    let mut attributes = attributes(&sent.attributes);
    let named = |keys: &[&str]| {
        keys.iter().find_map(|name| {
            attributes.iter().find_map(|(key, value)| match value {
                Value::Str(text) if key == name => Some(text.clone()),
                _ => None,
            })
        })
    };
    // Ids that are not valid mean that the record belongs to no trace. Clients of Datadog put
    // them into attributes.
    let trace_id = trace_id(&sent.trace_id)
        .or_else(|| named(&["dd.trace_id", "trace_id"]).and_then(|text| parse_trace_id(&text)));
    let span_id = span_id(&sent.span_id)
        .or_else(|| named(&["dd.span_id", "span_id"]).and_then(|text| parse_span_id(&text)));
    let level = match Level::from_severity(sent.severity_number) {
        Level::Unspecified => Level::from_name(&sent.severity_text),
        level => level,
    };
    if !sent.event_name.is_empty() {
        attributes.push(("event.name".into(), Value::Str(sent.event_name.as_str().into())));
    }
    Log {
        time_ns: if sent.time_unix_nano == 0 {
            sent.observed_time_unix_nano
        } else {
            sent.time_unix_nano
        },
        level,
        severity: sent.severity_text.as_str().into(),
        message: message(sent),
        source: "otlp".into(),
        trace_id: trace_id.unwrap_or(0),
        span_id: span_id.unwrap_or(0),
        attributes,
        ..Log::default()
    }
}

/// Text as it is, anything else as JSON.
fn message(sent: &LogRecord) -> Text<'_> {
    match sent.body.as_ref().and_then(|body| body.value.as_ref()) {
        None => Cow::Borrowed(""),
        Some(Any::StringValue(text)) => Cow::Borrowed(text),
        Some(_) => Cow::Owned(json::value(&value(sent.body.as_ref())).to_string()),
    }
}
