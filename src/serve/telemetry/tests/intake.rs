//! Runs, clearing, live updates, pod logs, the proxy, and the life of the server.

use std::sync::Arc;

use axum::Router;
use axum::routing::any;
use http::{Method, Uri};
use serde_json::json;

use super::super::Options;
use super::super::model::{Protocol, Span};
use super::super::store::{Limits, Store, now_ns};
use super::{LIMIT, Running, options};

const SPAN: &str = r#"{"resourceSpans": [{"scopeSpans": [{"spans": [
    {"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "00f067aa0ba902b7", "name": "n",
     "startTimeUnixNano": NOW, "kind": "SPAN_KIND_SERVER", "unknown": [1]}]}]}]}"#;

async fn send_span(running: &Running) {
    let body = SPAN.replace("NOW", &now_ns().to_string()).into_bytes();
    let json = ("content-type", "application/json");
    assert_eq!(running.post("/v1/traces", &[json], body).await.0, 200);
}

#[tokio::test]
async fn a_run_begins_and_everything_can_be_cleared() {
    let running = Running::start(options()).await;
    send_span(&running).await;
    let (status, run) = running.send(Method::PUT, "/sandbox/v1/run", r#"{"run": "a"}"#).await;
    assert_eq!((status, &run["seq"]), (200, &json!(1)));
    assert_eq!(running.ask("/sandbox/v1/spans?run=a").await["total"], 0);
    send_span(&running).await;
    assert_eq!(running.ask("/sandbox/v1/spans?run=a&wait=10s").await["total"], 1);
    assert_eq!(running.ask("/sandbox/v1/info").await["run"]["run"], "a");
    let trace = "/sandbox/v1/traces/0af7651916cd43dd8448eb211c80319c";
    assert_eq!(running.ask(&format!("{trace}?count=2&wait=10s")).await["total"], 2);
    for bad in [r#"{"run": ""}"#, r#"{"run": "current"}"#, "{}", "nonsense"] {
        assert_eq!(running.send(Method::PUT, "/sandbox/v1/run", bad).await.0, 400);
    }
    assert_eq!(running.send(Method::DELETE, "/sandbox/v1/traces", "").await.1["deleted"], 2);
    assert_eq!(running.ask("/sandbox/v1/spans").await["total"], 0);
    running.stop().await;
}

#[tokio::test]
async fn the_stream_tells_of_what_comes() {
    let running = Running::start(options()).await;
    let url = running.query_url("/sandbox/v1/stream");
    let mut stream = running.client.get(url).send().await.unwrap();
    let mut text = String::new();
    let mut sent = false;
    let told = async {
        while !text.contains(r#""spans":1"#) {
            let chunk = stream.chunk().await.unwrap().expect("the stream ended");
            text.push_str(std::str::from_utf8(&chunk).unwrap());
            if !std::mem::replace(&mut sent, true) {
                send_span(&running).await;
            }
        }
    };
    tokio::time::timeout(LIMIT, told).await.expect("the stream told nothing of the span");
    assert!(text.starts_with("event: change\n"), "{text}");
    // The stream is still open, and must not hold up the end.
    running.stop().await;
}

#[tokio::test]
async fn lines_of_pods_are_taken_in() {
    let running = Running::start(options()).await;
    let lines = r#"{"message": "plain", "pod": "web-1", "container": "web", "node": "n1"}
{"message": "{\"msg\": \"parsed\", \"level\": \"error\", \"trace_id\": \"7\"}", "stream": "stderr"}"#;
    let (status, answer) = running.send(Method::POST, "/sandbox/v1/intake/logs", lines).await;
    assert_eq!((status, &answer["accepted"]), (200, &json!(2)));
    let logs = running.ask("/sandbox/v1/logs?level=error&trace_id=7").await;
    assert_eq!(logs["logs"][0]["message"], "parsed");
    let logs = running.ask("/sandbox/v1/logs?service=web&where=k8s.pod.name%3Dweb-1").await;
    assert_eq!(logs["total"], 1);
    let (status, _) = running.send(Method::POST, "/sandbox/v1/intake/logs", "nonsense").await;
    assert_eq!(status, 400);
    running.stop().await;
}

#[tokio::test]
async fn logs_of_a_node_are_followed() {
    let folder = tempfile::tempdir().unwrap();
    let container = folder.path().join("shop_api-1_uid/api");
    std::fs::create_dir_all(&container).unwrap();
    let line = "2026-11-25T22:50:00.1Z stdout F {\"message\": \"hello\"}\n";
    std::fs::write(container.join("0.log"), line).unwrap();
    let pod_logs = Some(folder.path().to_owned());
    let running = Running::start(Options { pod_logs, node: "n1".into(), ..options() }).await;
    let logs = running.ask("/sandbox/v1/logs?host=n1&wait=30s").await;
    assert_eq!(logs["logs"][0]["message"], "hello");
    running.stop().await;
}

#[tokio::test]
async fn the_mock_s3_is_reached_through_this_server() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let s3 = Some(format!("http://{}", listener.local_addr().unwrap()));
    let echo = any(|method: Method, uri: Uri, body: String| async move {
        ([("content-disposition", "attachment")], format!("{method} {uri} {body}"))
    });
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(echo)).await });
    let running = Running::start(Options { s3, ..options() }).await;
    let url = running.query_url("/sandbox/v1/s3/buckets/a%2Fb/objects?prefix=x%20y");
    let answer = running.client.put(&url).body("body").send().await.unwrap();
    assert_eq!(answer.headers()["content-disposition"], "attachment");
    let echoed = answer.text().await.unwrap();
    assert_eq!(echoed, "PUT /sandbox/v1/buckets/a%2Fb/objects?prefix=x%20y body");
    running.stop().await;
    let alone = Running::start(options()).await;
    assert_eq!(alone.send(Method::GET, "/sandbox/v1/s3/buckets", "").await.0, 404);
    alone.stop().await;
}

#[tokio::test]
async fn what_is_known_of_the_sandbox_is_handed_on() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), r#"{"name": "hello"}"#).unwrap();
    let sandbox = Some(file.path().to_owned());
    let running = Running::start(Options { sandbox, ..options() }).await;
    let path = "/sandbox/v1/sandbox";
    assert_eq!(running.ask(path).await["name"], "hello");
    assert_eq!(running.send(Method::PUT, path, "nonsense").await.0, 400);
    assert_eq!(running.send(Method::PUT, path, r#"{"name": "put"}"#).await.0, 200);
    assert_eq!(running.ask(path).await["name"], "put");
    let info = running.ask("/sandbox/v1/info").await;
    assert_eq!(info["sandbox"], true);
    assert_eq!(info["addresses"]["apm"], json!(running.addresses.apm));
    // Where the user finds them, as a pod cannot know it.
    let published = r#"{"name": "put", "addresses": {"apm": "127.0.0.1:8128"}}"#;
    assert_eq!(running.send(Method::PUT, path, published).await.0, 200);
    let info = running.ask("/sandbox/v1/info").await;
    assert_eq!(info["addresses"], json!({"apm": "127.0.0.1:8128"}));
    running.stop().await;
}

#[tokio::test]
async fn sockets_are_made_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let sockets = Some(folder.path().join("datadog"));
    let running = Running::start(Options { sockets, ..options() }).await;
    let apm = running.addresses.apm_socket.clone().unwrap();
    tokio::net::UnixStream::connect(&apm).await.unwrap();
    assert!(running.addresses.dsd_socket.clone().unwrap().exists());
    running.stop().await;
    assert!(!apm.exists());
}

#[tokio::test]
async fn a_taken_port_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let apm = Some(address);
    let stop = tokio_util::sync::CancellationToken::new();
    let error = super::serve(Options { apm, ..options() }, stop, |_| {}).await.unwrap_err();
    let expected = format!("could not listen on `{address}` for Datadog's HTTP intake");
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn the_test_agents_paths_are_there() {
    let running = Running::start(options()).await;
    send_span(&running).await;
    let traces = running.ask("/test/traces?trace_ids=9532127138774266268").await;
    assert_eq!(traces[0][0]["name"], "n");
    let url = running.query_url("/test/session/start?test_session_token=t");
    assert_eq!(running.client.get(url).send().await.unwrap().status(), 200);
    let of_session = "/test/session/traces?test_session_token=t";
    assert_eq!(running.ask(of_session).await, json!([]));
    send_span(&running).await;
    assert_eq!(running.ask(of_session).await[0][0]["span_id"], 67_667_974_448_284_343_u64);
    assert_eq!(running.ask("/test/session/requests").await, json!([]));
    running.stop().await;
}

/// Not a measurement: only that a million spans stay within their limit and are found at all.
#[test]
fn long_a_million_spans_are_kept_and_found() {
    let store = Arc::new(Store::new(Limits::default()));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for batch in 0..1000_u64 {
        let spans: Vec<Span> = (0..1000)
            .map(|place| Span {
                trace_id: u128::from(batch * 100 + place / 10 + 1),
                span_id: batch * 1000 + place + 1,
                service: format!("service-{}", place % 10).into(),
                name: format!("name-{}", place % 50).into(),
                start_ns: now_ns(),
                ..Span::default()
            })
            .collect();
        store.add_spans(Protocol::OtlpGrpc, &spans);
    }
    let topic = super::super::query::Topic::Spans;
    let query = Some("service=service-3&name=name-13");
    let answer = runtime.block_on(super::super::query::ask(Arc::clone(&store), topic, query));
    assert_eq!(answer.unwrap()["total"], 20_000);
    assert_eq!(store.figures()[0].1.evicted, 0);
}
