//! Bytes that nobody meant as OTLP do no harm.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as Sent};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::serve::telemetry::model::Protocol;
use crate::serve::telemetry::store::{Limits, Store};

/// Decodes as everything, and stores what comes out.
fn feed(bytes: &[u8]) {
    let store = Store::new(Limits { bytes: 1 << 20, ..Limits::default() });
    let traces = ExportTraceServiceRequest::decode(bytes).ok();
    for request in traces.iter().chain(json_messages::traces(bytes).ok().iter()) {
        store.add_spans(Protocol::OtlpProtobuf, &traces::spans(request).0);
    }
    let metrics = ExportMetricsServiceRequest::decode(bytes).ok();
    for request in metrics.iter().chain(json_messages::metrics(bytes).ok().iter()) {
        store.add_points(Protocol::OtlpProtobuf, &metrics::points(request).0);
    }
    let logs = ExportLogsServiceRequest::decode(bytes).ok();
    for request in logs.iter().chain(json_messages::logs(bytes).ok().iter()) {
        store.add_logs(Protocol::OtlpProtobuf, &logs::logs(request).0);
    }
    for (_, figures) in store.figures() {
        assert!(figures.bytes <= 1 << 20);
    }
}

fn valid() -> Vec<u8> {
    let span = Sent {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: "name".into(),
        attributes: vec![KeyValue {
            key: "key".into(),
            value: Some(AnyValue { value: Some(Any::IntValue(-1)) }),
        }],
        ..Sent::default()
    };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

proptest! {
    #[test]
    fn any_bytes_are_borne(bytes in vec(any::<u8>(), 0..500)) {
        feed(&bytes);
    }

    #[test]
    fn damaged_requests_are_borne(changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut bytes = valid();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        feed(&bytes);
    }

    #[test]
    fn any_json_is_borne(text in r#"\{"(resourceSpans|resourceLogs|resourceMetrics)": ?[\[\]{}",:0-9a-z]{0,60}"#) {
        feed(text.as_bytes());
    }
}

#[test]
fn what_nests_without_end_is_refused() {
    let mut nested = Vec::new();
    for _ in 0..2000 {
        // An array value with one value: field 5, then field 1.
        let inner = std::mem::take(&mut nested);
        let list = [prefix(1, inner.len()), inner].concat();
        nested = [prefix(5, list.len()), list].concat();
    }
    assert!(AnyValue::decode(nested.as_slice()).is_err());
    let deep = format!("{}1{}", "{\"resourceSpans\":[".repeat(2000), "]}".repeat(2000));
    assert!(json_messages::traces(deep.as_bytes()).is_err());
}

fn prefix(field: u8, length: usize) -> Vec<u8> {
    let mut bytes = vec![field << 3 | 2];
    prost::encoding::encode_varint(length as u64, &mut bytes);
    bytes
}

#[test]
fn json_is_read_in_every_allowed_notation() {
    let body = br#"{"resource_metrics": [{"scopeMetrics": [{"metrics": [
        {"name": "m", "sum": {"aggregationTemporality": "AGGREGATION_TEMPORALITY_CUMULATIVE",
         "isMonotonic": true, "dataPoints": [
            {"asInt": "5", "timeUnixNano": "1764111000000000000", "extra": {}},
            {"asInt": 6, "time_unix_nano": 1764111000000000000, "attributes": null},
            {"asDouble": "NaN"}, {"asDouble": 1}]}}]}]}]}"#;
    let request = json_messages::metrics(body).unwrap();
    let (points, rejected) = metrics::points(&request);
    assert_eq!((points.len(), rejected), (4, Rejected::default()));
    assert!(points[0].cumulative && points[0].monotonic);
    assert_eq!(points[0].time_ns, points[1].time_ns);
    let metric = &request.resource_metrics[0].scope_metrics[0].metrics[0];
    assert!(matches!(
        &metric.data,
        Some(opentelemetry_proto::tonic::metrics::v1::metric::Data::Sum(sum))
            if sum.data_points[0].value == Some(Number::AsInt(5))
    ));
}

#[test]
fn json_of_a_wrong_type_is_refused_with_the_field() {
    for (body, expected) in [
        (r#"{"resourceSpans": {}}"#, "`resourceSpans` must be a list"),
        (r#"{"resourceSpans": [1]}"#, "`resourceSpans` must be a list of objects"),
        (r"[]", "`body` must be an object"),
        (
            r#"{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "zz"}]}]}]}"#,
            "`traceId` must be hex digits",
        ),
        (
            r#"{"resourceSpans": [{"scopeSpans": [{"spans": [{"startTimeUnixNano": -1}]}]}]}"#,
            "`startTimeUnixNano` must be a whole number that is not negative",
        ),
    ] {
        assert_eq!(json_messages::traces(body.as_bytes()).unwrap_err().to_string(), expected);
    }
}
