//! The HTTP API as a client sees it: status codes, bodies, headers and counts.

use std::io::Write as _;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use serde_json::Value as Json;

use super::router;
use super::testing::intake;
use crate::serve::telemetry::intake::Intake;
use crate::serve::telemetry::store::Counter;

const SPAN: &[u8] = include_bytes!("fixtures/ddtrace-v0.4-events.msgpack");
const TABLE: &[u8] = include_bytes!("fixtures/ddtrace-v0.5.msgpack");
const STATS: &[u8] = include_bytes!("fixtures/ddtrace-stats.msgpack");

struct Client {
    intake: Intake,
    router: Router,
}

impl Client {
    fn new() -> Self {
        let intake = intake();
        Self { router: router(intake.clone()), intake }
    }

    async fn send(&self, request: Request<Body>) -> Response {
        TowerToHyperService::new(self.router.clone()).call(request).await.unwrap()
    }

    async fn post(&self, path: &str, headers: &[(&str, &str)], body: &'static [u8]) -> Response {
        let mut request = Request::post(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    fn counted(&self, endpoint: &str, counter: Counter) -> u64 {
        self.intake.store.counters().get(endpoint, counter)
    }
}

async fn text(response: Response) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

const MSGPACK: (&str, &str) = ("content-type", "application/msgpack");
const KEY: (&str, &str) = ("dd-api-key", "any");

#[tokio::test]
async fn traces_are_answered_as_by_the_agent() {
    let client = Client::new();
    for (path, body) in [("/v0.3/traces", SPAN), ("/v0.4/traces", SPAN), ("/v0.5/traces", TABLE)] {
        let response = client.post(path, &[MSGPACK, ("x-datadog-trace-count", "1")], body).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert!(response.headers().contains_key("datadog-agent-state"));
        let answer = text(response).await;
        match path {
            "/v0.3/traces" => assert_eq!(answer, "OK\n"),
            _ => assert_eq!(answer, "{\"rate_by_service\":{\"service:,env:\":1}}\n"),
        }
        assert_eq!(client.counted(path, Counter::Accepted), 2, "{path}");
        assert_eq!(client.counted(path, Counter::Requests), 1, "{path}");
    }
    let put = Request::put("/v0.5/traces").body(Body::from(TABLE)).unwrap();
    assert_eq!(client.send(put).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_client_that_has_the_rates_is_not_sent_them() {
    let client = Client::new();
    let header = "datadog-rates-payload-version";
    let first = client.post("/v0.5/traces", &[(header, "0")], TABLE).await;
    let version = first.headers()[header].to_str().unwrap().to_owned();
    let second = client.post("/v0.5/traces", &[(header, &version)], TABLE).await;
    assert_eq!(text(second).await, "{}");
}

#[tokio::test]
async fn errors_are_those_of_the_agent() {
    let client = Client::new();
    let broken = client.post("/v0.4/traces", &[MSGPACK], b"\x91\x91\x81").await;
    assert_eq!(broken.status(), StatusCode::BAD_REQUEST);
    assert_eq!(text(broken).await, "unexpected-eof\n");
    assert_eq!(client.counted("/v0.4/traces", Counter::Malformed), 1);
    let old = client.post("/v0.2/traces", &[MSGPACK], b"\x90").await;
    assert_eq!(old.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let browser = client.post("/v0.4/traces", &[("sec-fetch-site", "cross-site")], b"[]").await;
    assert_eq!(browser.status(), StatusCode::FORBIDDEN);
    let large = client.post("/v0.4/traces", &[("content-length", "99999999")], b"").await;
    assert_eq!(large.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(text(large).await, "payload-too-large\n");
    for path in ["/v0.7/config", "/v1.0/traces", "/nothing"] {
        let missing = client.post(path, &[], b"{}").await;
        assert_eq!(missing.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(text(missing).await, "404 page not found\n");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_is_a_timeout() {
    let client = Client::new();
    let never = futures::stream::pending::<Result<bytes::Bytes, std::io::Error>>();
    let request = Request::put("/v0.4/traces").body(Body::from_stream(never)).unwrap();
    let response = client.send(request).await;
    assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
    assert_eq!(text(response).await, "timeout\n");
}

/// With all turns taken by bodies that do not come, a client hears of it only
/// if it asked to.
#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_to_those_who_ask() {
    let client = Client::new();
    for _ in 0..super::AT_A_TIME {
        let never = futures::stream::pending::<Result<bytes::Bytes, std::io::Error>>();
        let request = Request::put("/v0.4/traces").body(Body::from_stream(never)).unwrap();
        let service = TowerToHyperService::new(client.router.clone());
        tokio::spawn(async move { service.call(request).await });
    }
    tokio::task::yield_now().await;
    let asking = [MSGPACK, ("datadog-send-real-http-status", "1"), ("x-datadog-trace-count", "3")];
    let told = client.post("/v0.4/traces", &asking, SPAN).await;
    assert_eq!(told.status(), StatusCode::TOO_MANY_REQUESTS);
    let untold = client.post("/v0.4/traces", &[MSGPACK], SPAN).await;
    assert_eq!(untold.status(), StatusCode::OK);
    assert_eq!(client.counted("/v0.4/traces", Counter::Dropped), 4);
    assert_eq!(client.counted("/v0.4/traces", Counter::Accepted), 0);
}

#[tokio::test]
async fn info_lists_what_is_served() {
    let client = Client::new();
    let response = client.send(Request::get("/info").body(Body::empty()).unwrap()).await;
    let state = response.headers()["datadog-agent-state"].to_str().unwrap().to_owned();
    let body = text(response).await;
    assert_eq!(state, hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&body)));
    let info: Json = serde_json::from_str(&body).unwrap();
    assert_eq!(info["client_drop_p0s"], true);
    let endpoints = info["endpoints"].as_array().unwrap();
    for endpoint in endpoints {
        let path = endpoint.as_str().unwrap();
        let response = client.post(path, &[], b"").await;
        assert_ne!(response.status(), StatusCode::NOT_FOUND, "{path}");
    }
    for path in ["/v0.3/traces", "/v0.7/traces", "/v0.6/stats", "/evp_proxy/v4/"] {
        assert!(endpoints.contains(&path.into()), "{path}");
    }
    assert!(!endpoints.contains(&"/v0.7/config".into()));
}

#[tokio::test]
async fn stats_are_decoded() {
    let client = Client::new();
    let response = client.post("/v0.6/stats", &[MSGPACK], STATS).await;
    assert_eq!(response.status(), StatusCode::OK);
    // Two kinds of spans, five metrics of each.
    assert_eq!(client.counted("/v0.6/stats", Counter::Accepted), 10);
    let broken = client.post("/v0.6/stats", &[MSGPACK], b"\x01").await;
    assert_eq!(broken.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn proxies_keep_and_count() {
    let client = Client::new();
    for (path, endpoint, status) in [
        ("/telemetry/proxy/api/v2/apmtelemetry", "/telemetry/proxy/", 202),
        ("/profiling/v1/input", "/profiling/v1/input", 200),
        ("/evp_proxy/v2/api/v2/llmobs", "/evp_proxy/v2/", 202),
        ("/debugger/v1/diagnostics", "/debugger/v1/diagnostics", 202),
        ("/symdb/v1/input", "/symdb/v1/input", 202),
        ("/tracer_flare/v1", "/tracer_flare/v1", 200),
        ("/v0.1/pipeline_stats", "/v0.1/pipeline_stats", 202),
    ] {
        let headers = [("x-datadog-evp-subdomain", "llmobs-intake")];
        let response = client.post(path, &headers, b"{}").await;
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(client.counted(endpoint, Counter::Accepted), 1, "{path}");
    }
    let lost = client.post("/evp_proxy/v2/api/v2/llmobs", &[], b"{}").await;
    assert_eq!(lost.status(), StatusCode::BAD_GATEWAY);
    let lines = client.post("/dogstatsd/v2/proxy", &[], b"a:1|c\nb:2|g\nx").await;
    assert_eq!(lines.status(), StatusCode::OK);
    assert_eq!(client.counted("/dogstatsd/v2/proxy", Counter::Accepted), 2);
    assert_eq!(client.counted("/dogstatsd/v2/proxy", Counter::Malformed), 1);
}

#[tokio::test]
async fn the_intake_wants_a_key_and_tells_of_errors() {
    let client = Client::new();
    let entries = b"[{\"message\": \"a\"}, {\"message\": \"b\"}]";
    let without = client.post("/api/v2/logs", &[], entries).await;
    assert_eq!(without.status(), StatusCode::FORBIDDEN);
    let with = client.post("/api/v2/logs", &[KEY], entries).await;
    assert_eq!(with.status(), StatusCode::ACCEPTED);
    let by_way_of_agent = [("x-datadog-evp-subdomain", "http-intake.logs")];
    let proxied = client.post("/evp_proxy/v4/api/v2/logs", &by_way_of_agent, entries).await;
    assert_eq!(proxied.status(), StatusCode::ACCEPTED);
    assert_eq!(client.counted("/api/v2/logs", Counter::Accepted), 2);
    assert_eq!(client.counted("/evp_proxy/v4/", Counter::Accepted), 2);
    let old = client.post("/v1/input/s3cr3t", &[], entries).await;
    assert_eq!(old.status(), StatusCode::OK);
    let broken = client.post("/api/v2/series", &[KEY], b"{\"series\": 7}").await;
    assert_eq!(broken.status(), StatusCode::BAD_REQUEST);
    assert!(text(broken).await.starts_with("{\"errors\":["));
    let odd = client.post("/api/v2/logs", &[KEY, ("content-encoding", "br")], entries).await;
    assert_eq!(odd.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    for (path, status) in [("/api/v1/validate", 200), ("/intake/", 200), ("/api/v1/metadata", 202)]
    {
        assert_eq!(client.post(path, &[KEY], b"{}").await.status(), status, "{path}");
    }
}

#[tokio::test]
async fn metrics_of_the_intake_are_decoded() {
    let client = Client::new();
    let series = b"{\"series\": [{\"metric\": \"a\", \"points\": [[1700000000, 1]]}]}";
    for path in ["/api/v1/series", "/api/v2/series", "/api/v1/distribution_points"] {
        let response = client.post(path, &[KEY], series).await;
        assert_eq!(response.status(), StatusCode::ACCEPTED, "{path}");
        assert_eq!(client.counted(path, Counter::Accepted), 1, "{path}");
    }
    let protobuf = [KEY, ("content-type", "application/x-protobuf")];
    let response = client.post("/api/v2/series", &protobuf, b"\x0a\x03\x12\x01a").await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    let run = b"{\"check\": \"up\", \"status\": 0}";
    assert_eq!(client.post("/api/v1/check_run", &[KEY], run).await.status(), StatusCode::ACCEPTED);
    assert_eq!(client.counted("/api/v1/check_run", Counter::Accepted), 1);
}

/// Sends each span in its format through the API, and asks the store for it.
#[tokio::test]
async fn what_is_sent_is_found() {
    use super::traces::encode;
    use crate::serve::telemetry::model::{Span, Status, Value};
    use crate::serve::telemetry::query::{Topic, ask};
    type Write = fn(&[Vec<Span<'_>>]) -> Vec<u8>;

    let span = |id: u64| Span {
        trace_id: u128::from(u64::MAX - id),
        span_id: id,
        parent_id: id / 2,
        service: format!("s{id}").into(),
        name: "n".into(),
        resource: "r\u{e9}".into(),
        span_type: "web".into(),
        start_ns: 1_700_000_000_000_000_000 + id,
        duration_ns: id,
        status: if id.is_multiple_of(2) { Status::Unset } else { Status::Error },
        attributes: vec![
            ("env".into(), Value::Str("dev".into())),
            ("n".into(), Value::Double(1.5)),
        ],
        ..Span::default()
    };
    let client = Client::new();
    let formats: [(&str, Write); 3] = [
        ("/v0.4/traces", encode::v04),
        ("/v0.5/traces", encode::v05),
        ("/v0.7/traces", |chunks| encode::v07(chunks, "other")),
    ];
    // One that is decoded beside the other work is among them.
    for ((path, write), count) in formats.into_iter().zip([3, 5000, 4]) {
        let chunks: Vec<Vec<Span<'_>>> = (1..=count).map(|id| vec![span(id)]).collect();
        let request = Request::put(path).header(MSGPACK.0, MSGPACK.1);
        let response = client.send(request.body(Body::from(write(&chunks))).unwrap()).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let store = std::sync::Arc::clone(&client.intake.store);
        let protocol = path.trim_end_matches("/traces").replacen("/v", "datadog.v", 1);
        let question = format!("order=oldest&limit=10000&protocol={protocol}");
        let answer = ask(store, Topic::Spans, Some(&question)).await.unwrap();
        let found = answer["spans"].as_array().unwrap();
        assert_eq!(found.len(), chunks.len(), "{path}");
        for (found, sent) in found.iter().zip(chunks.iter().flatten()) {
            assert_eq!(found["trace_id"], format!("{:032x}", sent.trace_id));
            assert_eq!(found["span_id"], format!("{:016x}", sent.span_id));
            assert_eq!(found["service"], sent.service.as_ref());
            assert_eq!(found["resource"], sent.resource.as_ref());
            assert_eq!(found["type"], "web");
            assert_eq!(found["env"], "dev");
            assert_eq!(found["start_ns"], sent.start_ns.to_string());
            assert_eq!(found["duration_ns"], sent.duration_ns);
            assert_eq!(found["error"], sent.status == Status::Error);
            assert_eq!(found["attributes"], serde_json::json!({"env": "dev", "n": 1.5}));
        }
    }
}

#[tokio::test]
async fn the_key_in_an_agents_body_is_not_kept() {
    let client = Client::new();
    let sent = br#"{"apiKey": "s3cr3t", "agentVersion": "7.60.0", "meta": {"hostname": "h"}}"#;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(sent).unwrap();
    let deflated = encoder.finish().unwrap();
    let post = async |path: &str, encoding: &str, body: Vec<u8>| {
        let request = Request::post(path).header(KEY.0, KEY.1).header("content-encoding", encoding);
        let response = client.send(request.body(Body::from(body)).unwrap()).await;
        assert!(response.status().is_success(), "{path}");
        client.intake.store.raw().pop().unwrap().1
    };
    for path in ["/intake/", "/intake/?api_key=any", "/api/v1/metadata"] {
        for (encoding, body) in [("identity", sent.to_vec()), ("deflate", deflated.clone())] {
            let raw = post(path, encoding, body).await;
            let kept: Json = serde_json::from_slice(&raw.body).unwrap();
            assert_eq!((&kept["apiKey"], &kept["agentVersion"]), (&"".into(), &"7.60.0".into()));
            assert_eq!(kept["meta"]["hostname"], "h");
            assert!(raw.headers.iter().all(|(name, _)| name != "content-encoding"), "{raw:?}");
        }
        for body in [&br#"{"apiKey": "s3cr3t""#[..], &deflated[..20]] {
            assert_eq!(post(path, "deflate", body.to_vec()).await.body, "");
            assert_eq!(post(path, "identity", body.to_vec()).await.body, "");
        }
    }
}
