//! The endpoint of what a tracer counted itself.

use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;

use super::super::{answer, body, stats};
use super::{Received, Shared};
use crate::serve::telemetry::model::Protocol;
use crate::serve::telemetry::store::Counter;

/// The documented path.
pub(in super::super) const ENDPOINT: &str = "/v0.6/stats";

/// Takes a payload.
pub(in super::super) async fn take(agent: Shared, request: Request) -> Response {
    let received = match Received::in_turn(&agent, ENDPOINT, request, body::LIMIT).await {
        Ok(received) => received,
        Err(refusal) => return refusal,
    };
    let plain = match body::decompress(&received.headers, &received.body, body::LIMIT) {
        Ok(plain) => plain,
        Err(error) => {
            agent.count(ENDPOINT, Counter::Malformed, 1);
            return error.answer();
        }
    };
    match stats::decode(&plain, received.origin()) {
        Ok(points) => {
            agent.intake.store.add_points(Protocol::DatadogStats, &points);
            agent.accepted(ENDPOINT, points.len());
            answer::with(StatusCode::OK, "text/plain; charset=utf-8", "")
        }
        Err(error) => {
            agent.count(ENDPOINT, Counter::Malformed, 1);
            agent.log(&format!("{ENDPOINT}: cannot decode the payload: {error}"));
            answer::undecodable(&error)
        }
    }
}
