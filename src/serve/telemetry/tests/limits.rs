//! What is wrong, too large or foreign is refused as the protocols say.

use std::io::Write;

use http::Method;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use tonic::Code;

use super::{Running, options};

const JSON: (&str, &str) = ("content-type", "application/json");
const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const GZIP: (&str, &str) = ("content-encoding", "gzip");
const LARGE: usize = 21 << 20;

fn request(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }
}

fn span(trace_id: usize, span_id: usize) -> Span {
    Span { trace_id: vec![1; trace_id], span_id: vec![1; span_id], ..Span::default() }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn otlp_errors_have_the_type_of_the_request() {
    let running = Running::start(options()).await;
    let bomb = gzip(&vec![b' '; LARGE]);
    for (headers, body, status, content_type) in [
        (vec![], b"{}".to_vec(), 415, "application/json"),
        (vec![("content-type", "text/plain")], b"{}".to_vec(), 415, "application/json"),
        (vec![JSON, ("content-encoding", "br")], b"{}".to_vec(), 415, "application/json"),
        (vec![JSON], b"{".to_vec(), 400, "application/json"),
        (vec![JSON], b"[]".to_vec(), 400, "application/json"),
        (vec![JSON, GZIP], b"not gzip".to_vec(), 400, "application/json"),
        (vec![PROTOBUF], b"\xff\xff".to_vec(), 400, "application/x-protobuf"),
    ] {
        for path in ["/v1/traces", "/v1/metrics", "/v1/logs"] {
            let (answered, answered_type, answer) =
                running.post(path, &headers, body.clone()).await;
            assert_eq!((answered, answered_type.as_str()), (status, content_type), "{headers:?}");
            assert!(!answer.is_empty(), "{headers:?}");
        }
    }
    let large = [(vec![PROTOBUF, GZIP], bomb), (vec![PROTOBUF], vec![0; LARGE])];
    for (headers, body) in large {
        let (status, content_type, _) = running.post("/v1/traces", &headers, body).await;
        assert_eq!((status, content_type.as_str()), (413, "application/x-protobuf"));
    }
    let (status, _, _) = running.post("/v1/nothing", &[JSON], b"{}".to_vec()).await;
    assert_eq!(status, 404);
    let stats = running.ask("/sandbox/v1/stats").await;
    assert_eq!(stats["endpoints"]["/v1/traces"]["malformed"], 9);
    running.stop().await;
}

#[tokio::test]
async fn what_is_invalid_is_left_out_and_told() {
    let running = Running::start(options()).await;
    let all = request(vec![span(16, 8), span(15, 8), span(16, 0), span(0, 8)]);
    let body = all.encode_to_vec();
    let (status, _, answer) = running.post("/v1/traces", &[PROTOBUF], body).await;
    let answer = ExportTraceServiceResponse::decode(answer.as_slice()).unwrap();
    assert_eq!(status, 200);
    assert_eq!(answer.partial_success.as_ref().unwrap().rejected_spans, 3);
    let address = format!("http://{}", running.addresses.otlp_grpc.unwrap());
    let mut client = TraceServiceClient::connect(address).await.unwrap();
    let grpc = client.export(all).await.unwrap().into_inner();
    assert_eq!(grpc, answer);
    assert_eq!(running.ask("/sandbox/v1/spans").await["total"], 2);
    running.stop().await;
}

#[tokio::test]
async fn grpc_refuses_what_is_too_large_and_goes_on() {
    let running = Running::start(options()).await;
    let address = format!("http://{}", running.addresses.otlp_grpc.unwrap());
    let mut client = TraceServiceClient::connect(address).await.unwrap();
    let large = Span { name: "x".repeat(LARGE), ..span(16, 8) };
    let refused = client.export(request(vec![large])).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    client.export(request(vec![span(16, 8)])).await.unwrap();
    assert_eq!(running.ask("/sandbox/v1/spans").await["total"], 1);
    running.stop().await;
}

#[tokio::test]
async fn faults_strike_http_and_grpc() {
    let running = Running::start(options()).await;
    let path = "/sandbox/v1/faults";
    let slow = r#"{"endpoint": "/v1/traces", "status": 503, "retry_after_s": 7, "times": 1}"#;
    assert_eq!(running.send(Method::POST, path, slow).await.0, 200);
    let lost = r#"{"endpoint": "/v1/traces", "drop": true, "times": 1}"#;
    assert_eq!(running.send(Method::POST, path, lost).await.0, 200);
    let grpc = r#"{"endpoint": "otlp.grpc", "status": 429, "times": 1}"#;
    assert_eq!(running.send(Method::POST, path, grpc).await.0, 200);
    let body = request(vec![span(16, 8)]).encode_to_vec();
    for (status, stored) in [(503, 0), (200, 0), (200, 1)] {
        let (answered, _, _) = running.post("/v1/traces", &[PROTOBUF], body.clone()).await;
        assert_eq!(answered, status);
        assert_eq!(running.ask("/sandbox/v1/spans").await["total"], stored);
    }
    let address = format!("http://{}", running.addresses.otlp_grpc.unwrap());
    let mut client = TraceServiceClient::connect(address).await.unwrap();
    let struck = client.export(request(vec![span(16, 8)])).await.unwrap_err();
    assert_eq!(struck.code(), Code::ResourceExhausted);
    client.export(request(vec![span(16, 8)])).await.unwrap();
    let faults = running.ask(path).await;
    assert_eq!(faults["faults"][2]["hits"], 1);
    assert_eq!(running.send(Method::DELETE, path, "").await.1["deleted"], 3);
    assert_eq!(running.send(Method::POST, path, r#"{"endpoint": "*"}"#).await.0, 400);
    running.stop().await;
}

#[tokio::test]
async fn pages_of_other_sites_may_not_ask() {
    let running = Running::start(options()).await;
    let ask = |name: &'static str, value: &'static str, path: &str| {
        running.client.get(running.query_url(path)).header(name, value).send()
    };
    let path = "/sandbox/v1/spans";
    assert_eq!(ask("host", "evil.example.com", path).await.unwrap().status(), 421);
    assert_eq!(ask("origin", "http://evil.example.com", path).await.unwrap().status(), 403);
    assert_eq!(ask("origin", "null", path).await.unwrap().status(), 403);
    assert_eq!(ask("host", "localhost:1", path).await.unwrap().status(), 200);
    assert_eq!(ask("host", "anything.example.com", "/ready").await.unwrap().status(), 200);
    let apm = running.addresses.apm.unwrap();
    let ask = |name: &'static str, value: &'static str, path: &str| {
        running.client.get(format!("http://{apm}{path}")).header(name, value).send()
    };
    for path in ["/test/session/traces", "/test/session/requests", "/test/session/clear"] {
        assert_eq!(ask("host", "evil.example.com", path).await.unwrap().status(), 421);
        assert_eq!(ask("sec-fetch-site", "cross-site", path).await.unwrap().status(), 403);
        assert_eq!(ask("host", "datadog-agent.sandbox.svc", path).await.unwrap().status(), 200);
    }
    assert_eq!(ask("host", "anything.example.com", "/info").await.unwrap().status(), 200);
    let health = format!("http://{}/live", running.addresses.health.unwrap());
    assert_eq!(running.client.get(health).send().await.unwrap().status(), 200);
    assert_eq!(running.send(Method::GET, "/sandbox/v1/spans?sevice=a", "").await.0, 400);
    assert_eq!(running.send(Method::GET, "/nothing", "").await.0, 404);
    running.stop().await;
}

#[tokio::test]
async fn browsers_may_send() {
    let running = Running::start(options()).await;
    let url = running.otlp_url("/v1/traces");
    let asked = running.client.request(Method::OPTIONS, &url).header("origin", "http://app.test");
    let answer = asked.send().await.unwrap();
    assert_eq!(answer.status(), 204);
    assert_eq!(answer.headers()["access-control-allow-origin"], "http://app.test");
    running.stop().await;
}
