//! OpenTelemetry's protocol, OTLP: gRPC, and HTTP with protobuf or JSON.
//!
//! Owns decoding and the answers that the protocol asks for. Source:
//! <https://opentelemetry.io/docs/specs/otlp/>.

mod grpc;
mod http;
mod json;
mod json_messages;
mod logs;
mod metrics;
mod parts;
mod status;
mod traces;

pub(super) use grpc::serve as serve_grpc;
pub(super) use http::router;

use std::sync::Arc;

use opentelemetry_proto::tonic::common::v1::{
    AnyValue, InstrumentationScope, KeyValue, any_value::Value as Any,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::model::{Attribute, Origin, Value};

/// No message may be larger when decompressed, in bytes.
/// Source: the OpenTelemetry Collector's `max_request_body_size` of 20 MiB.
pub(super) const LARGEST_MESSAGE: usize = 20 << 20;

/// No message over gRPC may be larger when decompressed, in bytes.
/// Source: the OpenTelemetry Collector's `max_recv_msg_size_mib`, 4 MiB by default.
pub(super) const LARGEST_GRPC_MESSAGE: usize = 4 << 20;

/// The counters' name for gRPC.
pub(super) const GRPC: &str = "otlp.grpc";

/// Items that were not kept, and why the first of them was not.
#[derive(Debug, Default, PartialEq, Eq)]
struct Rejected {
    count: i64,
    message: String,
}

impl Rejected {
    fn add(&mut self, reason: &str) {
        self.count += 1;
        if self.message.is_empty() {
            reason.clone_into(&mut self.message);
        }
    }
}

/// Who sent items, and the service.
fn origin<'a>(
    resource: Option<&'a Resource>,
    scope: Option<&'a InstrumentationScope>,
) -> (Arc<Origin<'a>>, &'a str) {
    let sent = resource.map_or(&[][..], |resource| &resource.attributes);
    let text = |keys: &[&str]| {
        keys.iter()
            .find_map(|key| sent.iter().find(|pair| pair.key == *key))
            .and_then(|pair| text_of(pair.value.as_ref()))
            .unwrap_or_default()
    };
    let origin = Origin {
        env: text(&["deployment.environment.name", "deployment.environment"]).into(),
        version: text(&["service.version"]).into(),
        host: text(&["host.name"]).into(),
        container_id: text(&["container.id"]).into(),
        language: text(&["telemetry.sdk.language"]).into(),
        tracer_version: text(&["telemetry.sdk.version"]).into(),
        session: "".into(),
        scope_name: scope.map_or("", |scope| &scope.name).into(),
        scope_version: scope.map_or("", |scope| &scope.version).into(),
        attributes: attributes(sent),
    };
    (Arc::new(origin), text(&["service.name"]))
}

fn text_of(value: Option<&AnyValue>) -> Option<&str> {
    match value?.value.as_ref()? {
        Any::StringValue(text) => Some(text),
        _ => None,
    }
}

fn attributes(sent: &[KeyValue]) -> Vec<Attribute<'_>> {
    sent.iter().map(|pair| (pair.key.as_str().into(), value(pair.value.as_ref()))).collect()
}

/// A value; decoders bound how deep it nests.
fn value(sent: Option<&AnyValue>) -> Value<'_> {
    match sent.and_then(|sent| sent.value.as_ref()) {
        None => Value::Null,
        Some(Any::StringValue(text)) => Value::Str(text.as_str().into()),
        Some(Any::BoolValue(value)) => Value::Bool(*value),
        Some(Any::IntValue(number)) => Value::Int(*number),
        Some(Any::DoubleValue(number)) => Value::Double(*number),
        Some(Any::BytesValue(bytes)) => Value::Bytes(bytes.as_slice().into()),
        Some(Any::ArrayValue(list)) => {
            Value::Array(list.values.iter().map(|one| value(Some(one))).collect())
        }
        Some(Any::KvlistValue(list)) => Value::Map(attributes(&list.values)),
    }
}

/// A trace id that is 16 bytes and not all zero.
fn trace_id(bytes: &[u8]) -> Option<u128> {
    bytes.try_into().ok().map(u128::from_be_bytes).filter(|id| *id != 0)
}

/// A span id that is 8 bytes and not all zero.
fn span_id(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_be_bytes).filter(|id| *id != 0)
}

#[cfg(test)]
mod tests;
