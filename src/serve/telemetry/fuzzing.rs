//! What a fuzzer may send to the telemetry server, and what must hold whatever it sends; only
//! there in builds for fuzzing.

#![expect(clippy::unwrap_used, reason = "a broken promise is a panic here")]
#![expect(clippy::missing_panics_doc, reason = "a panic is what a fuzzer looks for")]

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use tokio::runtime::Runtime;

use super::faults::Faults;
use super::intake::Intake;
use super::query::{self, Topic};
use super::store::{Limits, Store};
use super::{datadog, otlp};

/// What the store may keep, in bytes: so little that eviction has work.
const KEPT: u64 = 1 << 20;

/// Where a body is sent to, and as what. The first byte of an input chooses.
const DATADOG: [(&str, &str); 19] = [
    ("/v0.1/spans", "application/json"),
    ("/v0.3/traces", "application/msgpack"),
    ("/v0.3/traces", "application/json"),
    ("/v0.4/traces", "application/msgpack"),
    ("/v0.4/traces", "application/json"),
    ("/v0.5/traces", "application/msgpack"),
    ("/v0.7/traces", "application/msgpack"),
    ("/v0.6/stats", "application/msgpack"),
    ("/api/v1/series", "application/json"),
    ("/api/v2/series", "application/json"),
    ("/api/v2/series", "application/x-protobuf"),
    ("/api/beta/sketches", "application/x-protobuf"),
    ("/api/v1/check_run", "application/json"),
    ("/api/v1/events", "application/json"),
    ("/api/v2/logs", "application/json"),
    ("/api/v2/logs", "text/plain"),
    ("/api/v1/distribution_points", "application/json"),
    ("/telemetry/proxy/api/v2/apmtelemetry", "application/json"),
    ("/intake/", "application/json"),
];

/// The same for OTLP.
const OTLP: [(&str, &str); 6] = [
    ("/v1/traces", "application/x-protobuf"),
    ("/v1/metrics", "application/x-protobuf"),
    ("/v1/logs", "application/x-protobuf"),
    ("/v1/traces", "application/json"),
    ("/v1/metrics", "application/json"),
    ("/v1/logs", "application/json"),
];

/// How a body may be compressed; the second byte chooses.
const ENCODINGS: [&str; 4] = ["identity", "gzip", "deflate", "zstd"];

struct Server {
    runtime: Runtime,
    store: Arc<Store>,
    intake: Intake,
    datadog: Router,
    otlp: Router,
}

thread_local! {
    static SERVER: Server = Server::new();
}

impl Server {
    fn new() -> Self {
        let limits = Limits { bytes: KEPT, age: Duration::from_secs(3600) };
        let intake = Intake {
            store: Arc::new(Store::new(limits)),
            faults: Arc::new(Faults::default()),
            log: Arc::new(|_| {}),
            apm_port: 8126,
            dogstatsd_port: 8125,
        };
        Self {
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
            store: Arc::clone(&intake.store),
            datadog: datadog::router(intake.clone()),
            otlp: otlp::router(intake.clone()),
            intake,
        }
    }

    fn post(&self, router: &Router, (path, content_type): (&str, &str), input: &[u8]) {
        let Some((encoding, body)) = input.split_first() else { return };
        let encoding = ENCODINGS[usize::from(*encoding) % ENCODINGS.len()];
        let request = Request::post(path)
            .header("content-type", content_type)
            .header("content-encoding", encoding)
            .header("dd-api-key", "0123456789abcdef0123456789abcdef")
            .body(Body::from(body.to_vec()))
            .unwrap();
        let service = TowerToHyperService::new(router.clone());
        let answer = self.runtime.block_on(service.call(request)).unwrap();
        assert_ne!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR, "{path}");
        assert_ne!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        self.is_bounded();
    }

    fn is_bounded(&self) {
        for (kind, figures) in self.store.figures() {
            assert!(u64::try_from(figures.bytes).unwrap() <= KEPT, "{kind:?}: {figures:?}");
        }
    }
}

/// A body for one of the Datadog agent's endpoints.
pub fn datadog(input: &[u8]) {
    let Some((first, rest)) = input.split_first() else { return };
    let endpoint = DATADOG[usize::from(*first) % DATADOG.len()];
    SERVER.with(|server| server.post(&server.datadog, endpoint, rest));
}

/// A body for one of the endpoints of OTLP over HTTP.
pub fn otlp(input: &[u8]) {
    let Some((first, rest)) = input.split_first() else { return };
    let endpoint = OTLP[usize::from(*first) % OTLP.len()];
    SERVER.with(|server| server.post(&server.otlp, endpoint, rest));
}

/// Datagrams of `DogStatsD`.
pub fn dogstatsd(input: &[u8]) {
    SERVER.with(|server| {
        datadog::dogstatsd_lines(input, &server.intake);
        server.is_bounded();
    });
}

/// A question: the first byte says about what, the rest is the query string.
pub fn query(input: &[u8]) {
    let Some((first, rest)) = input.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    // A question that waits would only wait.
    if text.contains("wait") {
        return;
    }
    let topic = match first % 6 {
        0 => Topic::Services,
        1 => Topic::Traces,
        2 => Topic::Trace("0123456789abcdef".to_owned()),
        3 => Topic::Spans,
        4 => Topic::Metrics,
        _ => Topic::Logs,
    };
    SERVER.with(|server| {
        if server.store.seq() == 0 {
            fill(server);
        }
        let asked = query::ask(Arc::clone(&server.store), topic, Some(text));
        if let Err(refusal) = server.runtime.block_on(asked) {
            assert_ne!(refusal.status, StatusCode::INTERNAL_SERVER_ERROR, "{text}");
        }
    });
}

/// Something to ask about.
fn fill(server: &Server) {
    let log = br#"[{"message": "no stock", "service": "shop", "ddtags": "env:dev,k:1"}]"#;
    server.post(&server.datadog, ("/api/v2/logs", "application/json"), &[b"\0", &log[..]].concat());
    datadog::dogstatsd_lines(b"a:1|c|#k:1\nb:2:3|d\nc:4|g", &server.intake);
    let trace = br#"{"resourceSpans": [{"resource": {"attributes": [{"key": "service.name",
        "value": {"stringValue": "shop"}}]}, "scopeSpans": [{"spans": [{"name": "buy", "kind": 2,
        "traceId": "0123456789abcdef0123456789abcdef", "spanId": "0123456789abcdef",
        "startTimeUnixNano": "1700000000000000000", "endTimeUnixNano": "1700000001000000000",
        "attributes": [{"key": "n", "value": {"intValue": "5"}}]}]}]}]}"#;
    let traces = ("/v1/traces", "application/json");
    server.post(&server.otlp, traces, &[b"\0", &trace[..]].concat());
}
