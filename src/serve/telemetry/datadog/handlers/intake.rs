//! Datadog's own HTTP intake, which clients without an agent send to. Owns
//! its paths, limits, and answers. Keys are asked for, and forgotten.
//!
//! Source: <https://docs.datadoghq.com/api/latest/>.

use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, Uri, header};

use super::super::intake::logs::Defaults;
use super::super::intake::{checks, logs as log_entries, series, sketches};
use super::super::{Agent, answer, body, msgpack, sender};
use super::{Received, Shared};
use crate::serve::telemetry::model::{Log, Point, Protocol};
use crate::serve::telemetry::store::Counter;

/// The path of the log intake.
pub(in super::super) const LOGS: &str = "/api/v2/logs";
/// Its older path, which may be followed by an API key.
pub(in super::super) const OLD_LOGS: &str = "/v1/input";

/// What is behind a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Kind {
    Logs,
    Series,
    Distributions,
    Sketches,
    CheckRuns,
    Events,
    /// Kept as it came.
    Raw,
}

/// A path of the intake, and how success is answered.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Endpoint {
    pub(in super::super) path: &'static str,
    pub(in super::super) kind: Kind,
    status: StatusCode,
    answer: &'static str,
}

const fn endpoint(path: &'static str, kind: Kind, status: u16, answer: &'static str) -> Endpoint {
    let status = match status {
        200 => StatusCode::OK,
        _ => StatusCode::ACCEPTED,
    };
    Endpoint { path, kind, status, answer }
}

const OK: &str = "{\"status\":\"ok\"}";

/// All of them.
pub(in super::super) const ENDPOINTS: [Endpoint; 17] = [
    endpoint(LOGS, Kind::Logs, 202, "{}"),
    endpoint(OLD_LOGS, Kind::Logs, 200, "{}"),
    endpoint("/api/v2/series", Kind::Series, 202, "{\"errors\":[]}"),
    endpoint("/api/v1/series", Kind::Series, 202, OK),
    endpoint("/api/v1/distribution_points", Kind::Distributions, 202, OK),
    endpoint("/api/beta/sketches", Kind::Sketches, 202, "{}"),
    endpoint("/api/v1/check_run", Kind::CheckRuns, 202, OK),
    endpoint("/api/v1/events", Kind::Events, 202, OK),
    endpoint("/intake/", Kind::Raw, 200, OK),
    endpoint("/api/v1/metadata", Kind::Raw, 202, "{}"),
    endpoint("/api/v1/collector", Kind::Raw, 200, "{}"),
    endpoint("/api/v1/container", Kind::Raw, 200, "{}"),
    endpoint("/api/v2/events", Kind::Raw, 202, "{}"),
    endpoint("/api/v2/apmtelemetry", Kind::Raw, 202, "{}"),
    endpoint("/api/v2/profile", Kind::Raw, 200, "{}"),
    endpoint("/api/v0.2/traces", Kind::Raw, 200, "{}"),
    endpoint("/api/v0.2/stats", Kind::Raw, 200, "{}"),
];

/// How large a body may be, as sent and decompressed.
const LIMIT: usize = 8 << 20;

/// Whether the key that a client sends is good: any is.
pub(in super::super) async fn validate(request: Request) -> Response {
    if has_key(request.uri(), request.headers()) {
        answer::json(StatusCode::OK, "{\"valid\":true}")
    } else {
        forbidden()
    }
}

/// Takes a request.
pub(in super::super) async fn take(
    agent: Shared,
    endpoint: Endpoint,
    request: Request,
) -> Response {
    let path = endpoint.path;
    if !has_key(request.uri(), request.headers()) {
        agent.count(path, Counter::Requests, 1);
        agent.count(path, Counter::Dropped, 1);
        return forbidden();
    }
    let received = match Received::in_turn(&agent, path, request, LIMIT).await {
        Ok(received) => received,
        Err(refusal) => return refusal,
    };
    if endpoint.kind == Kind::Raw {
        agent.accepted(path, 1);
        return answer::json(endpoint.status, endpoint.answer);
    }
    decode(&agent, endpoint, &received)
}

/// Takes log entries that came by way of a proxy.
pub(super) fn logs(agent: &Agent, path: &'static str, received: &Received) -> Response {
    decode(agent, endpoint(path, Kind::Logs, 202, "{}"), received)
}

fn decode(agent: &Agent, endpoint: Endpoint, received: &Received) -> Response {
    let path = endpoint.path;
    let plain = match body::decompress(&received.headers, &received.body, LIMIT) {
        Ok(plain) => plain,
        Err(error) => {
            agent.count(path, Counter::Malformed, 1);
            return errors(&error.answer(), &error.to_string());
        }
    };
    match keep(agent, endpoint.kind, received, &plain) {
        Ok(kept) => {
            agent.count(path, Counter::Accepted, kept);
            answer::json(endpoint.status, endpoint.answer)
        }
        Err(error) => {
            agent.count(path, Counter::Malformed, 1);
            agent.log(&format!("{path}: cannot decode the payload: {error}"));
            errors(&answer::undecodable(&error), &error.to_string())
        }
    }
}

fn keep(
    agent: &Agent,
    kind: Kind,
    received: &Received,
    plain: &Bytes,
) -> Result<u64, msgpack::Error> {
    let store = &agent.intake.store;
    let origin = received.origin();
    let mut points = |points: &[Point<'_>]| store.add_points(Protocol::DatadogSeries, points);
    let mut entries = |logs: &[Log<'_>]| store.add_logs(Protocol::DatadogLogs, logs);
    let mut others = |logs: &[Log<'_>]| store.add_logs(Protocol::DatadogOther, logs);
    match kind {
        Kind::Logs => {
            let mut defaults = Defaults::from_query(received.uri.query().unwrap_or_default());
            for (field, name) in [
                (&mut defaults.source, "ddsource"),
                (&mut defaults.tags, "ddtags"),
                (&mut defaults.service, "service"),
            ] {
                if field.is_empty() {
                    *field = sender::text(&received.headers, name).into();
                }
            }
            log_entries::decode(plain, &defaults, &origin, &mut entries)
        }
        Kind::Series | Kind::Distributions if is_protobuf(&received.headers) => {
            series::protobuf_series(plain, &origin, &mut points)
        }
        Kind::Series | Kind::Distributions => series::json_series(plain, &origin, &mut points),
        Kind::Sketches => sketches::decode(plain, &origin, &mut points),
        Kind::CheckRuns => checks::check_runs(plain, &origin, &mut others),
        Kind::Events => checks::events(plain, &origin, &mut others),
        Kind::Raw => Ok(1),
    }
}

fn is_protobuf(headers: &HeaderMap) -> bool {
    sender::text(headers, header::CONTENT_TYPE.as_str()).starts_with("application/x-protobuf")
}

/// Whether there is a key, in a header, the query, or the path as of old.
fn has_key(uri: &Uri, headers: &HeaderMap) -> bool {
    let in_query = || {
        let pairs = uri.query().unwrap_or_default().split('&');
        pairs.filter_map(|pair| pair.split_once('=')).any(|(name, value)| {
            matches!(name, "api_key" | "dd-api-key" | "DD-API-KEY") && !value.is_empty()
        })
    };
    let in_path = || uri.path().strip_prefix("/v1/input/").is_some_and(|key| !key.is_empty());
    !sender::text(headers, "dd-api-key").is_empty() || in_query() || in_path()
}

fn forbidden() -> Response {
    answer::json(StatusCode::FORBIDDEN, "{\"errors\":[\"Forbidden\"]}")
}

/// The intake words its refusals in JSON.
fn errors(refusal: &Response, message: &str) -> Response {
    let body = serde_json::json!({ "errors": [message] });
    answer::json(refusal.status(), body.to_string())
}
