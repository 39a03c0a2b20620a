//! The whole server, in this process, on free ports.

mod intake;
mod limits;
mod otlp;
mod samples;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::Value as Json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Addresses, Error, Options, serve};

/// No answer takes longer.
const LIMIT: Duration = Duration::from_secs(60);

/// A running server.
struct Running {
    addresses: Addresses,
    stop: CancellationToken,
    task: JoinHandle<Result<(), Error>>,
    client: reqwest::Client,
}

fn options() -> Options {
    let free = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    Options {
        apm: free,
        dogstatsd: free,
        otlp_grpc: free,
        otlp_http: free,
        health: free,
        query: free,
        ..Options::default()
    }
}

impl Running {
    async fn start(options: Options) -> Self {
        // Only the first of the tests in this process succeeds.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let stop = CancellationToken::new();
        let (send, receive) = tokio::sync::oneshot::channel();
        let ready = move |addresses| send.send(addresses).unwrap();
        let task = tokio::spawn(serve(options, stop.clone(), ready));
        let addresses = tokio::time::timeout(LIMIT, receive).await;
        let addresses = addresses.expect("the server did not start").unwrap();
        let client = reqwest::Client::builder().no_proxy().timeout(LIMIT).build().unwrap();
        Self { addresses, stop, task, client }
    }

    fn query_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addresses.query.unwrap())
    }

    fn otlp_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addresses.otlp_http.unwrap())
    }

    async fn ask(&self, path: &str) -> Json {
        let answer = self.client.get(self.query_url(path)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }

    async fn send(&self, method: http::Method, path: &str, body: &'static str) -> (u16, Json) {
        let request = self.client.request(method, self.query_url(path)).body(body);
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.bytes().await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or(Json::Null))
    }

    /// Sends to OTLP over HTTP; status, content type and body of the answer.
    async fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> (u16, String, Vec<u8>) {
        let mut request = self.client.post(self.otlp_url(path)).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        let content_type = answer.headers().get("content-type").cloned();
        let content_type = content_type.map(|sent| sent.to_str().unwrap().to_owned());
        let status = answer.status().as_u16();
        (status, content_type.unwrap_or_default(), answer.bytes().await.unwrap().to_vec())
    }

    async fn stop(mut self) {
        self.stop.cancel();
        let ended = tokio::time::timeout(LIMIT, &mut self.task).await;
        ended.expect("the server did not stop").unwrap().unwrap();
    }
}

/// A test that fails must not wait for a server that goes on.
impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
