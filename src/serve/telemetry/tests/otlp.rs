//! What is sent in OTLP is what the query API answers, for every signal and every encoding.

use std::io::Write;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use prost::Message;
use serde_json::Value as Json;
use tonic::codec::CompressionEncoding;
use tonic::transport::Channel;

use super::{Running, options, samples};

/// Each is a request over a real connection.
const CASES: u32 = 32;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    Grpc,
    GrpcGzip,
    Protobuf,
    ProtobufGzip,
    Json,
}

const WAYS: [Way; 5] = [Way::Grpc, Way::GrpcGzip, Way::Protobuf, Way::ProtobufGzip, Way::Json];

fn way() -> impl Strategy<Value = Way> {
    proptest::sample::select(&WAYS[..])
}

fn check<S: Strategy>(strategy: S, test: impl Fn(&tokio::runtime::Runtime, &Running, S::Value)) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let running = runtime.block_on(Running::start(options()));
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&strategy, |value| {
        test(&runtime, &running, value);
        Ok(())
    });
    runtime.block_on(running.stop());
    result.unwrap();
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Sends over HTTP; the answer has the same type and tells of nothing that was left out.
async fn post(running: &Running, path: &str, way: Way, message: &impl Message, json: String) {
    let protobuf = ("content-type", "application/x-protobuf");
    let (headers, body) = match way {
        Way::Json => (vec![("content-type", "application/json; charset=utf-8")], json.into_bytes()),
        Way::ProtobufGzip => {
            (vec![protobuf, ("content-encoding", "gzip")], gzip(&message.encode_to_vec()))
        }
        _ => (vec![protobuf], message.encode_to_vec()),
    };
    let (status, content_type, body) = running.post(path, &headers, body).await;
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    match way {
        Way::Json => {
            assert_eq!((content_type.as_str(), body.as_slice()), ("application/json", &b"{}"[..]));
        }
        _ => {
            assert_eq!((content_type.as_str(), body.len()), ("application/x-protobuf", 0));
        }
    }
}

async fn channel(running: &Running) -> Channel {
    let address = format!("http://{}", running.addresses.otlp_grpc.unwrap());
    Channel::from_shared(address).unwrap().connect().await.unwrap()
}

/// What was answered has every expected field with its expected value.
fn assert_has(answer: &Json, expected: &Json) {
    for (name, value) in expected.as_object().unwrap() {
        match value {
            Json::Array(values) if values.iter().any(Json::is_object) && name == "events" => {
                assert_eq!(answer[name].as_array().unwrap().len(), values.len());
                for (place, value) in values.iter().enumerate() {
                    assert_has(&answer[name][place], value);
                }
            }
            _ => assert_eq!(&answer[name], value, "{name}"),
        }
    }
}

fn protocol(way: Way) -> &'static str {
    match way {
        Way::Grpc | Way::GrpcGzip => "otlp.grpc",
        Way::Protobuf | Way::ProtobufGzip => "otlp.http.protobuf",
        Way::Json => "otlp.http.json",
    }
}

fn seq(runtime: &tokio::runtime::Runtime, running: &Running) -> u64 {
    runtime.block_on(running.ask("/sandbox/v1/stats"))["seq"].as_u64().unwrap()
}

#[test]
fn spans_are_answered_as_sent() {
    check((samples::spans(), way()), |runtime, running, (sent, way)| {
        let after = seq(runtime, running);
        let request = ExportTraceServiceRequest { resource_spans: vec![sent.clone()] };
        runtime.block_on(async {
            if matches!(way, Way::Grpc | Way::GrpcGzip) {
                let mut client = TraceServiceClient::new(channel(running).await);
                if way == Way::GrpcGzip {
                    client = client
                        .send_compressed(CompressionEncoding::Gzip)
                        .accept_compressed(CompressionEncoding::Gzip);
                }
                let answer = client.export(request).await.unwrap().into_inner();
                assert_eq!(answer.partial_success, None);
            } else {
                let json = serde_json::to_string(&request).unwrap();
                post(running, "/v1/traces", way, &request, json).await;
            }
        });
        let path = format!("/sandbox/v1/spans?order=oldest&after={after}");
        let answer = runtime.block_on(running.ask(&path));
        let sent = &sent.scope_spans[0].spans;
        assert_eq!(answer["spans"].as_array().unwrap().len(), sent.len());
        for (place, span) in sent.iter().enumerate() {
            assert_has(&answer["spans"][place], &samples::span_json(span));
            assert_eq!(answer["spans"][place]["protocol"], protocol(way));
        }
    });
}

#[test]
fn log_records_are_answered_as_sent() {
    check((samples::logs(), way()), |runtime, running, (sent, way)| {
        let after = seq(runtime, running);
        let request = ExportLogsServiceRequest { resource_logs: vec![sent.clone()] };
        runtime.block_on(async {
            if matches!(way, Way::Grpc | Way::GrpcGzip) {
                let mut client = LogsServiceClient::new(channel(running).await);
                if way == Way::GrpcGzip {
                    client = client.send_compressed(CompressionEncoding::Gzip);
                }
                client.export(request).await.unwrap();
            } else {
                let json = serde_json::to_string(&request).unwrap();
                post(running, "/v1/logs", way, &request, json).await;
            }
        });
        let path = format!("/sandbox/v1/logs?order=oldest&after={after}");
        let answer = runtime.block_on(running.ask(&path));
        let sent = &sent.scope_logs[0].log_records;
        assert_eq!(answer["logs"].as_array().unwrap().len(), sent.len());
        for (place, record) in sent.iter().enumerate() {
            assert_has(&answer["logs"][place], &samples::log_json(record));
        }
    });
}

#[test]
fn measurements_are_answered_as_sent() {
    check((samples::metrics(), way()), |runtime, running, (sent, way)| {
        let after = seq(runtime, running);
        let request = ExportMetricsServiceRequest { resource_metrics: vec![sent.clone()] };
        runtime.block_on(async {
            if matches!(way, Way::Grpc | Way::GrpcGzip) {
                let mut client = MetricsServiceClient::new(channel(running).await);
                if way == Way::GrpcGzip {
                    client = client.send_compressed(CompressionEncoding::Gzip);
                }
                client.export(request).await.unwrap();
            } else {
                let json = serde_json::to_string(&request).unwrap();
                post(running, "/v1/metrics", way, &request, json).await;
            }
        });
        let path = format!("/sandbox/v1/metrics?name=*&raw=true&order=oldest&after={after}");
        let answer = runtime.block_on(running.ask(&path));
        let metrics = &sent.scope_metrics[0].metrics;
        let expected: Vec<Json> = metrics.iter().flat_map(samples::point_jsons).collect();
        assert_eq!(answer["points"].as_array().unwrap().len(), expected.len());
        for (place, point) in expected.iter().enumerate() {
            assert_has(&answer["points"][place], point);
        }
    });
}
