//! OTLP over HTTP.
//!
//! Owns what the protocol says about requests and answers: the answer has the type of the request,
//! errors are a `google.rpc.Status`, and browsers may send from pages of other origins.

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, CONTENT_TYPE, ORIGIN,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use prost::Message;
use serde_json::{Value as Json, json};

use super::super::body::{self, BodyError};
use super::super::intake::Intake;
use super::super::model::Protocol;
use super::super::store::{Counter, Counters};
use super::grpc::{logs_response, metrics_response, trace_response};
use super::status::RpcStatus;
use super::{LARGEST_MESSAGE, Rejected, json_messages, logs, metrics, parts, traces};

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signal {
    Traces,
    Metrics,
    Logs,
}

impl Signal {
    fn endpoint(self) -> &'static str {
        match self {
            Self::Traces => "/v1/traces",
            Self::Metrics => "/v1/metrics",
            Self::Logs => "/v1/logs",
        }
    }

    fn depths(self) -> &'static [&'static [u64]] {
        match self {
            Self::Traces => parts::TRACES,
            Self::Metrics => parts::METRICS,
            Self::Logs => parts::LOGS,
        }
    }
}

/// How it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Protobuf,
    Json,
}

impl Format {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let sent = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        match sent.split(';').next()?.trim().to_ascii_lowercase().as_str() {
            "application/x-protobuf" => Some(Self::Protobuf),
            "application/json" => Some(Self::Json),
            _ => None,
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }

    fn protocol(self) -> Protocol {
        match self {
            Self::Protobuf => Protocol::OtlpProtobuf,
            Self::Json => Protocol::OtlpJson,
        }
    }
}

/// gRPC's number for an argument that makes no sense, and for one that is too large.
const INVALID_ARGUMENT: i32 = 3;
const RESOURCE_EXHAUSTED: i32 = 8;

/// The three paths.
pub(in super::super) fn router(intake: Intake) -> Router {
    let path = |signal: Signal| {
        let take = move |State(intake): State<Intake>, request: Request| async move {
            answer(&intake, signal, request).await
        };
        post(take).options(preflight)
    };
    Router::new()
        .route("/v1/traces", path(Signal::Traces))
        .route("/v1/metrics", path(Signal::Metrics))
        .route("/v1/logs", path(Signal::Logs))
        .with_state(intake)
}

/// Browsers ask first whether they may send here.
async fn preflight(headers: HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    allow_origin(&headers, response.headers_mut());
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200"));
    response
}

fn allow_origin(asked: &HeaderMap, answer: &mut HeaderMap) {
    if let Some(origin) = asked.get(ORIGIN) {
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    }
}

async fn answer(intake: &Intake, signal: Signal, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let counters = intake.store.counters();
    counters.add(signal.endpoint(), Counter::Requests, 1);
    let mut response = match take(intake, signal, &parts.headers, body).await {
        Ok(response) => response,
        Err((format, status, message)) => {
            counters.add(signal.endpoint(), Counter::Malformed, 1);
            refuse(format, status, message)
        }
    };
    allow_origin(&parts.headers, response.headers_mut());
    response
}

type Refused = (Format, StatusCode, String);

async fn take(
    intake: &Intake,
    signal: Signal,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    let Some(format) = Format::of(headers) else {
        let message = "the content type must be application/x-protobuf or application/json";
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Err((Format::Json, status, message.to_owned()));
    };
    let refuse = |error: BodyError| (format, status_of(error), error.to_string());
    let sent = body::read(body, LARGEST_MESSAGE).await.map_err(refuse)?;
    let counters = intake.store.counters();
    counters.add(signal.endpoint(), Counter::Bytes, sent.len() as u64);
    let plain = body::decompress(headers, sent, LARGEST_MESSAGE).map_err(refuse)?;
    let many = match format {
        Format::Protobuf => parts::too_many(&plain, signal.depths()),
        Format::Json => parts::too_many_json(&plain),
    };
    if many {
        return Err((format, StatusCode::PAYLOAD_TOO_LARGE, "it has too many parts".to_owned()));
    }
    keep(intake, signal, format, &plain)
        .map_err(|message| (format, StatusCode::BAD_REQUEST, message))
}

fn status_of(error: BodyError) -> StatusCode {
    match error {
        BodyError::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        BodyError::Encoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        BodyError::Malformed | BodyError::Aborted => StatusCode::BAD_REQUEST,
    }
}

fn keep(intake: &Intake, signal: Signal, format: Format, body: &Bytes) -> Result<Response, String> {
    let (store, protocol) = (&intake.store, format.protocol());
    let count = |accepted: usize, rejected: &Rejected| {
        let counters: &Counters = store.counters();
        counters.add(signal.endpoint(), Counter::Accepted, accepted as u64);
        counters.add(signal.endpoint(), Counter::Malformed, rejected.count.cast_unsigned());
    };
    match signal {
        Signal::Traces => {
            let request = decode(format, body, json_messages::traces)?;
            let (spans, rejected) = traces::spans(&request);
            count(spans.len(), &rejected);
            store.add_spans(protocol, &spans);
            Ok(accept(format, "rejectedSpans", rejected, trace_response))
        }
        Signal::Metrics => {
            let request = decode(format, body, json_messages::metrics)?;
            let (points, rejected) = metrics::points(&request);
            count(points.len(), &rejected);
            store.add_points(protocol, &points);
            Ok(accept(format, "rejectedDataPoints", rejected, metrics_response))
        }
        Signal::Logs => {
            let request = decode(format, body, json_messages::logs)?;
            let (logs, rejected) = logs::logs(&request);
            count(logs.len(), &rejected);
            store.add_logs(protocol, &logs);
            Ok(accept(format, "rejectedLogRecords", rejected, logs_response))
        }
    }
}

fn decode<M: Message + Default>(
    format: Format,
    body: &Bytes,
    json: fn(&[u8]) -> Result<M, super::json::JsonError>,
) -> Result<M, String> {
    match format {
        Format::Protobuf => M::decode(body.as_ref()).map_err(|error| error.to_string()),
        Format::Json => json(body).map_err(|error| error.to_string()),
    }
}

/// The protocol's empty answer, or what was left out.
fn accept<M: Message>(
    format: Format,
    count: &'static str,
    rejected: Rejected,
    message: fn(Rejected) -> M,
) -> Response {
    let body = match format {
        Format::Protobuf => message(rejected).encode_to_vec(),
        Format::Json if rejected.count == 0 => b"{}".to_vec(),
        Format::Json => {
            let mut partial = serde_json::Map::new();
            // 64-bit numbers are text in this notation.
            partial.insert(count.to_owned(), Json::String(rejected.count.to_string()));
            partial.insert("errorMessage".to_owned(), Json::String(rejected.message));
            json!({ "partialSuccess": partial }).to_string().into_bytes()
        }
    };
    ([(CONTENT_TYPE, format.content_type())], body).into_response()
}

fn refuse(format: Format, status: StatusCode, message: String) -> Response {
    let code =
        if status == StatusCode::PAYLOAD_TOO_LARGE { RESOURCE_EXHAUSTED } else { INVALID_ARGUMENT };
    let body = match format {
        Format::Protobuf => RpcStatus { code, message, details: Vec::new() }.encode_to_vec(),
        Format::Json => json!({ "code": code, "message": message }).to_string().into_bytes(),
    };
    (status, [(CONTENT_TYPE, format.content_type())], body).into_response()
}
