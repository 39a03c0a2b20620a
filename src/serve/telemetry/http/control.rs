//! Runs, faults, clearing, and what the server tells of itself.

use std::sync::{Arc, PoisonError};

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::faults::Fault;
use super::super::query::Refusal;
use super::super::query::time::milliseconds;
use super::super::store::{Counter, Run};
use super::{Answer, Shared};

/// Names of runs are no longer.
const LONGEST_RUN: usize = 200;
/// What is told of the sandbox is no larger, in bytes.
const LARGEST_SANDBOX: usize = 1 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BeginRun {
    run: String,
}

pub(super) async fn begin_run(State(server): Shared, body: Bytes) -> Answer {
    let asked: BeginRun = read(&body)?;
    if asked.run.is_empty() || asked.run.len() > LONGEST_RUN || asked.run == "current" {
        let message = format!("`run` must have 1 to {LONGEST_RUN} bytes and not be `current`");
        return Err(Refusal::bad(message));
    }
    Ok(Json(told(&server.intake.store.begin_run(&asked.run))))
}

pub(super) async fn run(State(server): Shared) -> Json<Value> {
    Json(json!(server.intake.store.runs().current().as_ref().map(told)))
}

fn told(run: &Run) -> Value {
    json!({ "run": run.id, "seq": run.seq, "started_ms": milliseconds(run.started_ns) })
}

fn read<'b, T: Deserialize<'b>>(body: &'b [u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::bad(format!("the body is not understood: {error}")))
}

pub(super) async fn faults(State(server): Shared) -> Json<Value> {
    Json(json!({ "faults": server.intake.faults.all() }))
}

pub(super) async fn add_fault(State(server): Shared, body: Bytes) -> Answer {
    let fault: Fault = read(&body)?;
    let added = server.intake.faults.add(fault);
    let fault = added.map_err(|error| Refusal::bad(error.to_string()))?;
    (server.intake.log)(&format!("fault {} on {}", fault.id, fault.endpoint));
    Ok(Json(json!(fault)))
}

pub(super) async fn remove_faults(State(server): Shared) -> Json<Value> {
    Json(json!({ "deleted": server.intake.faults.remove(None) }))
}

pub(super) async fn remove_fault(State(server): Shared, Path(id): Path<u64>) -> Answer {
    match server.intake.faults.remove(Some(id)) {
        0 => Err(Refusal::not_found(format!("there is no fault {id}"))),
        count => Ok(Json(json!({ "deleted": count }))),
    }
}

pub(super) async fn clear_spans(State(server): Shared) -> Json<Value> {
    Json(json!({ "deleted": server.intake.store.clear_spans() }))
}

pub(super) async fn clear_points(State(server): Shared) -> Json<Value> {
    Json(json!({ "deleted": server.intake.store.clear_points() }))
}

pub(super) async fn clear_logs(State(server): Shared) -> Json<Value> {
    Json(json!({ "deleted": server.intake.store.clear_logs() }))
}

pub(super) async fn clear_all(State(server): Shared) -> Json<Value> {
    let store = Arc::clone(&server.intake.store);
    let items = store.clear_spans() + store.clear_points() + store.clear_logs();
    Json(json!({ "deleted": items + store.clear_raw() }))
}

pub(super) async fn info(State(server): Shared) -> Json<Value> {
    let store = &server.intake.store;
    let runs = store.runs().all();
    let limits = store.limits();
    let put = server.put_sandbox.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let known = put.is_some() || server.sandbox.is_some();
    // In a pod only who made the sandbox knows where the ports are on the user's machine.
    let published = put
        .and_then(|put| serde_json::from_slice::<Value>(&put).ok())
        .map(|mut sandbox| sandbox["addresses"].take())
        .filter(Value::is_object);
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "run": runs.last().map(told),
        "runs": runs.iter().map(told).collect::<Vec<_>>(),
        "started_ms": milliseconds(server.started_ns),
        "addresses": published.unwrap_or_else(|| json!(server.addresses)),
        "limits": { "bytes": limits.bytes, "age_s": limits.age.as_secs() },
        "s3": server.s3.is_some(),
        "sandbox": known,
    }))
}

pub(super) async fn stats(State(server): Shared) -> Json<Value> {
    let store = &server.intake.store;
    let mut all = serde_json::Map::new();
    all.insert("seq".to_owned(), json!(store.seq()));
    for (kind, figures) in store.figures() {
        let figures = json!({
            "stored": figures.stored,
            "bytes": figures.bytes,
            "evicted": figures.evicted,
            "received": figures.received,
        });
        all.insert(kind.to_owned(), figures);
    }
    let mut endpoints = serde_json::Map::new();
    for (endpoint, counts) in store.counters().all() {
        let counts = Counter::ALL
            .iter()
            .zip(counts)
            .map(|(counter, count)| (counter.as_str().to_owned(), json!(count)));
        endpoints.insert(endpoint.to_owned(), Value::Object(counts.collect()));
    }
    all.insert("endpoints".to_owned(), Value::Object(endpoints));
    Json(Value::Object(all))
}

/// What was last put, else the file as it is: who writes it decides what is in it.
pub(super) async fn sandbox(State(server): Shared) -> Result<Response, Refusal> {
    let missing = || Refusal::not_found("nothing is known of a sandbox".to_owned());
    let put = server.put_sandbox.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let content = match (put, &server.sandbox) {
        (Some(content), _) => content,
        (None, None) => return Err(missing()),
        (None, Some(path)) => {
            let size = tokio::fs::metadata(path).await.map_err(|_| missing())?.len();
            if size > LARGEST_SANDBOX as u64 {
                return Err(too_large());
            }
            tokio::fs::read(path).await.map_err(|_| missing())?.into()
        }
    };
    Ok(([(CONTENT_TYPE, "application/json")], content).into_response())
}

/// Replaces what is known of the sandbox. It is kept in memory.
pub(super) async fn put_sandbox(State(server): Shared, body: Bytes) -> Answer {
    if body.len() > LARGEST_SANDBOX {
        return Err(too_large());
    }
    let _: serde::de::IgnoredAny = read(&body)?;
    let size = body.len();
    *server.put_sandbox.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
    Ok(Json(json!({ "bytes": size })))
}

fn too_large() -> Refusal {
    let message = format!("what is told of the sandbox must have at most {LARGEST_SANDBOX} bytes");
    Refusal { status: StatusCode::PAYLOAD_TOO_LARGE, message }
}
