//! The agent's endpoints that it only passes on to Datadog. Owns their list.
//! Their bodies are kept as they came; what a proxy carries that is decoded
//! elsewhere, logs and `DogStatsD` lines, is decoded here too.

use axum::extract::Request;
use axum::response::Response;
use http::StatusCode;

use super::super::{answer, body, dogstatsd, sender};
use super::{Received, Shared, intake};
use crate::serve::telemetry::store::Counter;

/// An endpoint, whose path ends with a slash where everything below it is
/// meant, and what Datadog's intake behind it answers.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Proxy {
    pub(in super::super) path: &'static str,
    status: StatusCode,
}

const fn proxy(path: &'static str, status: StatusCode) -> Proxy {
    Proxy { path, status }
}

/// All of them.
pub(in super::super) const PROXIES: [Proxy; 14] = [
    proxy("/telemetry/proxy/", StatusCode::ACCEPTED),
    proxy("/profiling/v1/input", StatusCode::OK),
    proxy("/v0.1/pipeline_stats", StatusCode::ACCEPTED),
    proxy("/evp_proxy/v1/", StatusCode::ACCEPTED),
    proxy("/evp_proxy/v2/", StatusCode::ACCEPTED),
    proxy("/evp_proxy/v3/", StatusCode::ACCEPTED),
    proxy("/evp_proxy/v4/", StatusCode::ACCEPTED),
    proxy("/debugger/v1/input", StatusCode::ACCEPTED),
    proxy("/debugger/v1/diagnostics", StatusCode::ACCEPTED),
    proxy("/debugger/v2/input", StatusCode::ACCEPTED),
    proxy("/symdb/v1/input", StatusCode::ACCEPTED),
    proxy("/tracer_flare/v1", StatusCode::OK),
    proxy("/dogstatsd/v1/proxy", StatusCode::OK),
    proxy("/dogstatsd/v2/proxy", StatusCode::OK),
];

/// How much `DogStatsD` text one request may have; the agent makes a single
/// datagram of it.
const DOGSTATSD: usize = 64 << 10;

/// Takes a request.
pub(in super::super) async fn take(agent: Shared, proxy: Proxy, request: Request) -> Response {
    let is_dogstatsd = proxy.path.starts_with("/dogstatsd/");
    let is_event_platform = proxy.path.starts_with("/evp_proxy/");
    let subdomain = sender::text(request.headers(), "x-datadog-evp-subdomain");
    if is_event_platform && subdomain.is_empty() {
        agent.count(proxy.path, Counter::Requests, 1);
        agent.count(proxy.path, Counter::Malformed, 1);
        return answer::refuse(StatusCode::BAD_GATEWAY, "EVPProxy: no subdomain specified");
    }
    let limit = if is_dogstatsd { DOGSTATSD } else { body::LIMIT };
    let received = match Received::in_turn(&agent, proxy.path, request, limit).await {
        Ok(received) => received,
        Err(refusal) => return refusal,
    };
    if is_dogstatsd {
        dogstatsd::lines(&received.body, proxy.path, &agent.intake);
    } else if is_event_platform && received.uri.path().ends_with(intake::LOGS) {
        return intake::logs(&agent, proxy.path, &received);
    } else {
        agent.accepted(proxy.path, 1);
    }
    if proxy.status == StatusCode::ACCEPTED {
        answer::json(proxy.status, "{}")
    } else {
        answer::with(proxy.status, "text/plain; charset=utf-8", "")
    }
}
