//! A server in memory for tests: the service without a socket, on a store in a
//! folder of its own.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use s3s::Body;

use super::auth::Keys;
use super::clock::{self, Clock};
use super::config::Config;
use super::faults::Faults;
use super::log::{LogSink, RING_BYTES, RequestLog};
use super::metrics::Metrics;
use super::seed;
use super::service::Service;
use super::state::State;
use super::store::{self, Durability, Store};
use super::time;

/// The service and the folder that it needs.
pub(crate) struct TestServer {
    pub(crate) service: Service,
    _dir: tempfile::TempDir,
}

/// An answer, read to its end.
pub(crate) struct Got {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Got {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl TestServer {
    /// A server with a configuration in YAML.
    pub(crate) async fn new(config: &str) -> Self {
        let config = Config::parse(config).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let clock = store::Clock::default();
        let options = store::Options {
            clock: clock.clone(),
            durability: Durability::Relaxed,
            ..store::Options::default()
        };
        let state = State {
            store: Store::open(dir.path(), options).unwrap(),
            clock: Clock::of(clock),
            keys: Keys::new(&config.keys),
            region: "us-east-1".to_owned(),
            domains: vec!["s3.localhost".to_owned(), "localhost".to_owned()],
            faults: Faults::default(),
            metrics: Metrics::default(),
            log: RequestLog::new(RING_BYTES, LogSink::none()),
            lifecycle: tokio::sync::Mutex::new(()),
            started: clock::machine_now(),
        };
        for bucket in &config.buckets {
            seed::apply(&state, bucket).await.unwrap();
        }
        Self { service: Service::new(Arc::new(state)), _dir: dir }
    }

    /// Sends a request of some access key that nobody knows.
    pub(crate) async fn ask(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Got {
        self.stream(method, target, headers, Body::from(body.into())).await
    }

    /// As [`TestServer::ask`], with a body of any kind whose length is known.
    pub(crate) async fn stream(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: Body,
    ) -> Got {
        let date = time::amz_date(clock::machine_now());
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=any/{}/us-east-1/s3/aws4_request, SignedHeaders={}, Signature=0",
            &date[..8],
            headers
                .iter()
                .map(|(name, _)| *name)
                .chain(["host", "x-amz-date"])
                .collect::<Vec<_>>()
                .join(";"),
        );
        let mut all = vec![
            ("x-amz-date", date.as_str()),
            ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
            ("authorization", &authorization),
        ];
        all.extend(headers);
        self.send(request(method, target, &all, body)).await
    }

    /// Sends a request as it is.
    pub(crate) async fn anonymous(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Got {
        self.send(request(method, target, headers, Body::from(body.into()))).await
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Got {
        let answer = self.service.call(request, None).await.unwrap();
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Got { status: parts.status, headers: parts.headers, body }
    }
}

fn request(method: &str, target: &str, headers: &[(&str, &str)], body: Body) -> Request<Body> {
    let mut request =
        Request::builder().method(method).uri(target).header("host", "localhost:9000");
    if let Some(length) = http_body::Body::size_hint(&body).exact() {
        request = request.header("content-length", length);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body).unwrap()
}
