//! The trace endpoints. Owns which bodies are taken and what is answered to
//! them.
//!
//! Source: `handleTraces` in `pkg/trace/api/api.go` of the Datadog agent.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use http::{HeaderMap, StatusCode, header};

use super::super::msgpack::Error;
use super::super::traces::{Counted, Encoding, Version};
use super::super::{Agent, answer, body, sender};
use super::{Received, Shared};
use crate::serve::telemetry::model::Span;
use crate::serve::telemetry::store::Counter;

/// How long a payload waits while others are decoded.
const WAIT: Duration = Duration::from_secs(1);

/// Bodies above this are decoded beside the other work, which they would hold
/// up.
const LARGE: usize = 256 << 10;

/// Takes a payload.
pub(in super::super) async fn take(
    agent: Shared,
    endpoint: &'static str,
    version: Version,
    request: Request,
) -> Response {
    let encoding = encoding(request.headers());
    if encoding == Encoding::Msgpack && matches!(version, Version::V01 | Version::V02) {
        let message = "unsupported media type: \"application/msgpack\"";
        return answer::refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, message);
    }
    if sender::text(request.headers(), "sec-fetch-site") == "cross-site" {
        return answer::refuse(StatusCode::FORBIDDEN, "cross-site request rejected");
    }
    let announced = announced(request.headers());
    let Ok(Ok(turn)) =
        tokio::time::timeout(WAIT, Arc::clone(&agent.decoding).acquire_owned()).await
    else {
        agent.count(endpoint, Counter::Requests, 1);
        agent.count(endpoint, Counter::Dropped, announced.unwrap_or(1));
        return refused(version, request.headers());
    };
    let received = match Received::new(&agent, turn, endpoint, request, body::LIMIT).await {
        Ok(received) => received,
        Err(refusal) => return refusal,
    };
    let (received, decoded) = if received.body.len() > LARGE {
        let shared = Arc::clone(&agent);
        let work = tokio::task::spawn_blocking(move || {
            let decoded = keep(&shared, &received, version, encoding);
            (received, decoded)
        });
        let Ok(done) = work.await else {
            return answer::refuse(StatusCode::INTERNAL_SERVER_ERROR, "decoding was interrupted");
        };
        done
    } else {
        let decoded = keep(&agent, &received, version, encoding);
        (received, decoded)
    };
    match decoded {
        Ok(counted) => {
            agent.count(endpoint, Counter::Accepted, counted.spans);
            if let Some(announced) = announced.filter(|announced| *announced != counted.traces) {
                let traces = counted.traces;
                let header = sender::TRACE_COUNT;
                agent.log(&format!(
                    "{endpoint}: `{header}` says {announced}, the body has {traces}"
                ));
            }
            reply(version, StatusCode::OK, &received.headers)
        }
        Err(error) => {
            agent.count(endpoint, Counter::Malformed, 1);
            agent.log(&format!("{endpoint}: cannot decode the payload: {error}"));
            answer::undecodable(&error)
        }
    }
}

fn keep(
    agent: &Agent,
    received: &Received,
    version: Version,
    encoding: Encoding,
) -> Result<Counted, Error> {
    let store = &agent.intake.store;
    let mut sink = |spans: &[Span<'_>]| store.add_spans(version.protocol(), spans);
    version.decode(encoding, &received.body, &received.origin(), &mut sink)
}

/// The old endpoints that took the names of services.
pub(in super::super) async fn services() -> Response {
    answer::ok()
}

fn reply(version: Version, status: StatusCode, headers: &HeaderMap) -> Response {
    match version {
        Version::V01 | Version::V02 | Version::V03 => {
            let mut response = answer::ok();
            *response.status_mut() = status;
            response
        }
        Version::V04 | Version::V05 | Version::V07 => {
            answer::rates(status, sender::text(headers, sender::RATES_VERSION))
        }
    }
}

/// Refuses a payload for want of a turn. Clients that did not ask for the
/// truth are told that all is well.
fn refused(version: Version, headers: &HeaderMap) -> Response {
    let status = match sender::text(headers, sender::REAL_STATUS) {
        "" => StatusCode::OK,
        _ => StatusCode::TOO_MANY_REQUESTS,
    };
    reply(version, status, headers)
}

fn announced(headers: &HeaderMap) -> Option<u64> {
    sender::text(headers, sender::TRACE_COUNT).parse().ok()
}

/// The encoding that `Content-Type` says; none means JSON.
fn encoding(headers: &HeaderMap) -> Encoding {
    let media_type = sender::text(headers, header::CONTENT_TYPE.as_str());
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    match media_type.to_ascii_lowercase().as_str() {
        "application/msgpack" => Encoding::Msgpack,
        "application/json" | "text/json" | "" => Encoding::Json,
        _ => Encoding::Unknown,
    }
}
