//! The part of Datadog's test agent's API that tests of Datadog's clients use.
//!
//! Owns sessions and the shape of its answers. Checks of traces, snapshots and recorded answers are
//! not there. Source: <https://github.com/DataDog/dd-apm-test-agent>.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode, Uri};
use serde_json::{Map, Value as Json_, json};
use tokio::task::spawn_blocking;

use super::super::model::{Event, Link, Span, Status, Value, trace_id_candidates};
use super::super::query::{Refusal, json as shape};
use super::super::store::{Raw, Row, Store, high_half, low_half, read, session_token};
use super::{Server, Shared};

/// So many sessions are remembered.
const MOST_SESSIONS: usize = 1000;
/// No answer has more spans; a test's own session has fewer. A span takes a kilobyte or so.
const MOST_SPANS: usize = 100_000;
const STATS: &str = "/v0.6/stats";
const APP_TELEMETRY: &str = "/telemetry/proxy/";

/// Since when each session counts.
#[derive(Debug, Default)]
pub(in super::super) struct Sessions {
    state: Mutex<SessionState>,
}

#[derive(Debug, Default)]
struct SessionState {
    /// The number of the last item before a session, by its token; empty for all.
    since: HashMap<String, u64>,
    /// What comes without a token belongs to the session that began last.
    latest: String,
}

/// Which items belong to a session.
struct Scope {
    token: String,
    since: u64,
    takes_unnamed: bool,
}

impl Scope {
    fn has(&self, session: &str, seq: u64) -> bool {
        seq > self.since
            && (self.token.is_empty()
                || session == self.token
                || (session.is_empty() && self.takes_unnamed))
    }
}

impl Sessions {
    fn begin(&self, token: &str, seq: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.since.len() >= MOST_SESSIONS && !state.since.contains_key(token) {
            state.since.clear();
        }
        state.since.insert(token.to_owned(), seq);
        token.clone_into(&mut state.latest);
    }

    fn scope(&self, token: Option<String>) -> Scope {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let token = token.unwrap_or_default();
        let all = state.since.get("").copied().unwrap_or(0);
        let since = state.since.get(&token).copied().unwrap_or(0).max(all);
        let takes_unnamed = !token.is_empty() && state.latest == token;
        Scope { token, since, takes_unnamed }
    }
}

/// Everything below `/test/` that is there.
pub(in super::super) fn router(server: Arc<Server>) -> Router {
    Router::new()
        .route("/test/session/start", get(begin))
        .route("/test/session/clear", any(begin))
        .route("/test/session/traces", get(traces))
        .route("/test/session/requests", get(requests))
        .route("/test/session/stats", get(stats))
        .route("/test/session/apmtelemetry", get(app_telemetry))
        .route("/test/traces", get(traces_by_id))
        .with_state(server)
}

async fn begin(State(server): Shared, uri: Uri, headers: HeaderMap) -> Response {
    let token = session_token(&uri, &headers).unwrap_or_default();
    server.sessions.begin(&token, server.intake.store.seq());
    ().into_response()
}

/// An answer in JSON.
type Written = Result<([(http::HeaderName, &'static str); 1], Vec<u8>), Refusal>;

async fn traces(State(server): Shared, uri: Uri, headers: HeaderMap) -> Written {
    let scope = server.sessions.scope(session_token(&uri, &headers));
    written(&server, move |_, session, seq| scope.has(session, seq)).await
}

async fn traces_by_id(State(server): Shared, uri: Uri) -> Written {
    let asked = uri
        .query()
        .and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("trace_ids=")));
    let asked = asked.unwrap_or_default().replace("%2C", ",");
    let ids: Vec<u64> = asked.split(',').flat_map(trace_id_candidates).map(low_half).collect();
    written(&server, move |trace, _, _| ids.contains(&trace)).await
}

/// Looks for spans, which may take long, beside the other work.
async fn written(
    server: &Server,
    belongs: impl Fn(u64, &str, u64) -> bool + Send + 'static,
) -> Written {
    let store = Arc::clone(&server.intake.store);
    let looked = spawn_blocking(move || grouped(&store, MOST_SPANS, belongs)).await;
    let failed = |_| {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        Refusal { status, message: "the question failed".to_owned() }
    };
    Ok(([(CONTENT_TYPE, "application/json")], looked.map_err(failed)??))
}

/// Traces in the order in which they began to come in, each a list of spans as `/v0.4/traces` has
/// them, as JSON.
fn grouped(
    store: &Store,
    most: usize,
    belongs: impl Fn(u64, &str, u64) -> bool,
) -> Result<Vec<u8>, Refusal> {
    let mut places: HashMap<u64, usize> = HashMap::new();
    let mut traces: Vec<Vec<(usize, usize)>> = Vec::new();
    let mut left = most;
    let segments = store.spans().segments();
    for (at, shared) in segments.iter().enumerate() {
        let segment = read(shared);
        for (place_of_row, row) in segment.rows().iter().enumerate() {
            let head = row.head();
            let trace = low_half(row.trace());
            let session = segment.origin_fields(head.origin).session;
            if !belongs(trace, session, head.seq) {
                continue;
            }
            let place = *places.entry(trace).or_insert(traces.len());
            if place == traces.len() {
                traces.push(Vec::new());
            }
            left = left.checked_sub(1).ok_or_else(|| too_many(most))?;
            if let Some(trace) = traces.get_mut(place) {
                trace.push((at, place_of_row));
            }
        }
    }
    let mut written = vec![b'['];
    for trace in traces {
        begin_item(&mut written);
        written.push(b'[');
        for (at, row) in trace {
            let Some(shared) = segments.get(at) else { continue };
            let segment = read(shared);
            let Some(row) = segment.rows().get(row) else { continue };
            begin_item(&mut written);
            written.extend_from_slice(as_sent(&segment.span(row)).to_string().as_bytes());
        }
        written.push(b']');
    }
    written.push(b']');
    Ok(written)
}

/// Puts a comma where an item is not the first.
fn begin_item(written: &mut Vec<u8>) {
    if written.last() != Some(&b'[') {
        written.push(b',');
    }
}

fn too_many(most: usize) -> Refusal {
    let message = format!("there are more than {most} spans; name a session, or begin one");
    Refusal { status: StatusCode::PAYLOAD_TOO_LARGE, message }
}

/// A span as Datadog's clients send it.
fn as_sent(span: &Span<'_>) -> Json_ {
    let (mut meta, mut metrics, mut structs) = (Map::new(), Map::new(), Map::new());
    for (key, value) in &span.attributes {
        let (into, value) = match value {
            Value::Int(_) | Value::Double(_) => (&mut metrics, shape::value(value)),
            Value::Bytes(bytes) => (&mut structs, json!(STANDARD.encode(bytes))),
            Value::Str(text) => (&mut meta, json!(text)),
            Value::Bool(value) => (&mut meta, json!(value.to_string())),
            other => (&mut meta, json!(shape::value(other).to_string())),
        };
        into.insert(key.to_string(), value);
    }
    let mut sent = Map::new();
    sent.insert("service".to_owned(), json!(span.service));
    sent.insert("name".to_owned(), json!(span.name));
    sent.insert("resource".to_owned(), json!(span.resource));
    sent.insert("type".to_owned(), json!(span.span_type));
    sent.insert("trace_id".to_owned(), json!(low_half(span.trace_id)));
    sent.insert("span_id".to_owned(), json!(span.span_id));
    sent.insert("parent_id".to_owned(), json!(span.parent_id));
    sent.insert("start".to_owned(), json!(span.start_ns));
    sent.insert("duration".to_owned(), json!(span.duration_ns));
    sent.insert("error".to_owned(), json!(i32::from(span.status == Status::Error)));
    sent.insert("meta".to_owned(), Json_::Object(meta));
    sent.insert("metrics".to_owned(), Json_::Object(metrics));
    if !structs.is_empty() {
        sent.insert("meta_struct".to_owned(), Json_::Object(structs));
    }
    let carried = span.attributes.iter().any(|(key, _)| key == "_dd.span_links");
    if !span.links.is_empty() && !carried {
        sent.insert("span_links".to_owned(), span.links.iter().map(link_as_sent).collect());
    }
    let carried = span.attributes.iter().any(|(key, _)| key == "events");
    if !span.events.is_empty() && !carried {
        sent.insert("span_events".to_owned(), span.events.iter().map(event_as_sent).collect());
    }
    Json_::Object(sent)
}

fn event_as_sent(event: &Event<'_>) -> Json_ {
    let attributes = event.attributes.iter().map(|(key, value)| (key.to_string(), typed(value)));
    json!({
        "time_unix_nano": event.time_ns,
        "name": event.name,
        "attributes": attributes.collect::<Map<_, _>>(),
    })
}

/// An attribute of an event, with the number of its type.
fn typed(value: &Value<'_>) -> Json_ {
    match value {
        Value::Bool(value) => json!({ "type": 1, "bool_value": value }),
        Value::Int(number) => json!({ "type": 2, "int_value": number }),
        Value::Double(_) => json!({ "type": 3, "double_value": shape::value(value) }),
        Value::Array(values) => {
            let values: Vec<Json_> = values.iter().map(typed).collect();
            json!({ "type": 4, "array_value": { "values": values } })
        }
        Value::Str(text) => json!({ "type": 0, "string_value": text }),
        other => json!({ "type": 0, "string_value": shape::value(other).to_string() }),
    }
}

fn link_as_sent(link: &Link<'_>) -> Json_ {
    let mut sent = Map::new();
    sent.insert("trace_id".to_owned(), json!(low_half(link.trace_id)));
    sent.insert("trace_id_high".to_owned(), json!(high_half(link.trace_id)));
    sent.insert("span_id".to_owned(), json!(link.span_id));
    // Fields that a client leaves out when they say nothing.
    if !link.attributes.is_empty() {
        sent.insert("attributes".to_owned(), shape::attributes(&link.attributes));
    }
    if !link.trace_state.is_empty() {
        sent.insert("tracestate".to_owned(), json!(link.trace_state));
    }
    if link.flags != 0 {
        sent.insert("flags".to_owned(), json!(link.flags));
    }
    Json_::Object(sent)
}

async fn requests(State(server): Shared, uri: Uri, headers: HeaderMap) -> Json<Json_> {
    let all = requests_of(&server, &uri, &headers);
    Json(all.iter().map(as_request).collect())
}

async fn stats(State(server): Shared, uri: Uri, headers: HeaderMap) -> Json<Json_> {
    let all = requests_of(&server, &uri, &headers);
    Json(all.iter().filter(|raw| raw.endpoint == STATS).map(as_request).collect())
}

/// The events that clients send of themselves; those that are no JSON are left out.
async fn app_telemetry(State(server): Shared, uri: Uri, headers: HeaderMap) -> Json<Json_> {
    let all = requests_of(&server, &uri, &headers);
    let events = all
        .iter()
        .filter(|raw| raw.url.starts_with(APP_TELEMETRY))
        .filter_map(|raw| serde_json::from_slice::<Json_>(&raw.body).ok());
    Json(events.collect())
}

fn requests_of(server: &Server, uri: &Uri, headers: &HeaderMap) -> Vec<Raw> {
    let scope = server.sessions.scope(session_token(uri, headers));
    let all = server.intake.store.raw().into_iter();
    all.filter(|(seq, raw)| scope.has(&raw.session, *seq)).map(|(_, raw)| raw).collect()
}

fn as_request(raw: &Raw) -> Json_ {
    let headers: Map<String, Json_> =
        raw.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    json!({
        "method": raw.method,
        "url": raw.url,
        "headers": headers,
        "body": STANDARD.encode(&raw.body),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::telemetry::model::Protocol;
    use crate::serve::telemetry::store::Limits;

    #[test]
    fn spans_are_grouped_up_to_a_limit() {
        let store = Store::new(Limits::default());
        let span = |trace: u128, span_id| Span { trace_id: trace, span_id, ..Span::default() };
        store.add_spans(Protocol::DatadogV04, &[span(1, 1), span(2, 2), span(1, 3)]);
        let written = grouped(&store, 3, |_, _, _| true).unwrap();
        let traces: Vec<Vec<Json_>> = serde_json::from_slice(&written).unwrap();
        let ids: Vec<Vec<u64>> = traces
            .iter()
            .map(|spans| spans.iter().filter_map(|span| span["span_id"].as_u64()).collect())
            .collect();
        assert_eq!(ids, [vec![1, 3], vec![2]]);
        assert_eq!(grouped(&store, 2, |trace, _, _| trace == 9).unwrap(), b"[]");
        let refusal = grouped(&store, 2, |_, _, _| true).unwrap_err();
        assert_eq!(refusal.status, StatusCode::PAYLOAD_TOO_LARGE);
    }
}
