//! The query port: questions, control, live updates and the page.
//!
//! Owns routes and who may use them. What is answered comes from elsewhere.

mod control;
mod faults;
mod guard;
mod pod_logs;
mod prometheus;
mod proxy;
mod stream;
mod test_agent;

pub(super) use faults::faulty;
pub(super) use test_agent::{Sessions, router as test_agent_on_socket};

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, delete, get, post};
use axum::{Json, Router};
use http::Uri;
use serde_json::json;

use super::intake::Intake;
use super::options::Addresses;
use super::query::{self, Refusal, Topic};

/// What the handlers share.
pub(super) struct Server {
    pub(super) intake: Intake,
    pub(super) addresses: Addresses,
    pub(super) started_ns: u64,
    /// The mock S3's admin API.
    pub(super) s3: Option<reqwest::Url>,
    pub(super) client: reqwest::Client,
    /// A file about the sandbox, for the page.
    pub(super) sandbox: Option<PathBuf>,
    /// What was put about it, which goes before the file.
    pub(super) put_sandbox: Mutex<Option<Bytes>>,
    pub(super) sessions: Sessions,
}

type Shared = State<Arc<Server>>;

/// An answer, or why there is none.
type Answer = Result<Json<serde_json::Value>, Refusal>;

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": self.message }))).into_response()
    }
}

/// Everything on the query port but the page.
pub(super) fn router(server: Arc<Server>) -> Router {
    Router::new()
        .route("/sandbox/v1/services", get(services))
        .route("/sandbox/v1/traces", get(traces).delete(control::clear_spans))
        .route("/sandbox/v1/traces/{id}", get(trace))
        .route("/sandbox/v1/spans", get(spans).delete(control::clear_spans))
        .route("/sandbox/v1/metrics", get(metrics).delete(control::clear_points))
        .route("/sandbox/v1/logs", get(logs).delete(control::clear_logs))
        .route("/sandbox/v1/all", delete(control::clear_all))
        .route("/sandbox/v1/info", get(control::info))
        .route("/sandbox/v1/stats", get(control::stats))
        .route("/sandbox/v1/run", get(control::run).put(control::begin_run))
        .route(
            "/sandbox/v1/faults",
            get(control::faults).post(control::add_fault).delete(control::remove_faults),
        )
        .route("/sandbox/v1/faults/{id}", delete(control::remove_fault))
        .route("/sandbox/v1/stream", get(stream::stream))
        .route("/sandbox/v1/sandbox", get(control::sandbox).put(control::put_sandbox))
        .route("/sandbox/v1/s3/{*path}", any(proxy::proxy))
        .route("/sandbox/v1/intake/logs", post(pod_logs::take))
        .route("/metrics", get(prometheus::metrics))
        .with_state(Arc::clone(&server))
        .merge(test_agent::router(server))
}

/// Lets only local names and our own pages in, and keeps answers out of frames and caches.
pub(super) fn guarded(router: Router) -> Router {
    router.fallback(nothing).layer(middleware::from_fn(guard))
}

/// What is answered to tests of Datadog's clients, for their own port. Its other paths take
/// telemetry from anybody and tell nothing of it.
pub(super) fn test_agent(server: Arc<Server>) -> Router {
    test_agent::router(server).route_layer(middleware::from_fn(guard))
}

async fn guard(request: Request, next: Next) -> Response {
    if let Err(foreign) = guard::check(request.uri(), request.headers()) {
        let body = Json(json!({ "error": foreign.to_string() }));
        return (foreign.status(), body).into_response();
    }
    next.run(request).await
}

async fn nothing(uri: Uri) -> Refusal {
    Refusal::not_found(format!("there is nothing at `{}`", uri.path()))
}

async fn ask(server: &Server, topic: Topic, uri: &Uri) -> Answer {
    let store = Arc::clone(&server.intake.store);
    query::ask(store, topic, uri.query()).await.map(Json)
}

async fn services(State(server): Shared, uri: Uri) -> Answer {
    ask(&server, Topic::Services, &uri).await
}

async fn traces(State(server): Shared, uri: Uri) -> Answer {
    ask(&server, Topic::Traces, &uri).await
}

async fn trace(State(server): Shared, Path(id): Path<String>, uri: Uri) -> Answer {
    ask(&server, Topic::Trace(id), &uri).await
}

async fn spans(State(server): Shared, uri: Uri) -> Answer {
    ask(&server, Topic::Spans, &uri).await
}

async fn metrics(State(server): Shared, uri: Uri) -> Answer {
    ask(&server, Topic::Metrics, &uri).await
}

async fn logs(State(server): Shared, uri: Uri) -> Answer {
    ask(&server, Topic::Logs, &uri).await
}

/// Health, for kubelets: no question of who asks.
pub(super) use crate::serve::health::router as health;
