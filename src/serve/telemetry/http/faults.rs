//! Faults of HTTP endpoints: makes them slow, fail, or lose what they are sent.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{Method, StatusCode};
use http_body_util::BodyExt;

use super::super::faults::Struck;
use super::super::intake::Intake;
use super::super::store::Counter;

/// The counters' name for what faults lost.
const FAULTS: &str = "faults";
const PROTOBUF: &str = "application/x-protobuf";

/// Puts an intake under the faults.
pub(in super::super) fn faulty(router: Router, intake: Intake) -> Router {
    router.layer(middleware::from_fn_with_state(Arc::new(intake), strike))
}

async fn strike(State(intake): State<Arc<Intake>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    // A browser's question whether it may send is no sending.
    let struck = (request.method() != Method::OPTIONS).then(|| intake.faults.strike(path));
    let Some(struck) = struck.flatten() else { return next.run(request).await };
    tokio::time::sleep(struck.latency).await;
    if struck.status.is_none() && !struck.drop {
        return next.run(request).await;
    }
    intake.store.counters().add(FAULTS, Counter::Dropped, 1);
    let protobuf = request
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|sent| sent.as_bytes().starts_with(PROTOBUF.as_bytes()));
    // What is sent is read, as a client that is cut off sees another error than the one asked for.
    discard(request.into_body()).await;
    answer(&struck, protobuf)
}

/// No protobuf message and no JSON object has a field: both are good answers everywhere.
fn answer(struck: &Struck, protobuf: bool) -> Response {
    let status = struck.status.and_then(|status| StatusCode::from_u16(status).ok());
    let status = status.unwrap_or(StatusCode::OK);
    let (content_type, empty) = if protobuf { (PROTOBUF, "") } else { ("application/json", "{}") };
    let body = if struck.body.is_empty() { empty.to_owned() } else { struck.body.clone() };
    let mut response = (status, [(CONTENT_TYPE, content_type)], body).into_response();
    if let Some(seconds) = struck.retry_after_s {
        response.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    response
}

async fn discard(mut body: Body) {
    while let Some(Ok(_)) = body.frame().await {}
}
