//! Takes in the lines of container logs that a relay read on another node.

use axum::Json;
use axum::extract::{Request, State};
use http::StatusCode;
use serde_json::json;

use super::super::body::{self, BodyError};
use super::super::lines;
use super::super::query::Refusal;
use super::super::store::Counter;
use super::super::tail::Line;
use super::{Answer, Shared};

/// No request is larger when decompressed, in bytes.
const LARGEST: usize = 20 << 20;
/// Its name among the counters.
const ENDPOINT: &str = "/sandbox/v1/intake/logs";

pub(super) async fn take(State(server): Shared, request: Request) -> Answer {
    let (parts, content) = request.into_parts();
    let store = &server.intake.store;
    store.counters().add(ENDPOINT, Counter::Requests, 1);
    let sent = body::read(content, LARGEST).await.map_err(refuse)?;
    store.counters().add(ENDPOINT, Counter::Bytes, sent.len() as u64);
    let plain = body::decompress(&parts.headers, sent, LARGEST).map_err(refuse)?;
    let lines = parse(&plain).map_err(|error| {
        store.counters().add(ENDPOINT, Counter::Malformed, 1);
        Refusal::bad(format!("the body is not understood: {error}"))
    })?;
    lines::keep(store, &lines);
    store.counters().add(ENDPOINT, Counter::Accepted, lines.len() as u64);
    Ok(Json(json!({ "accepted": lines.len() })))
}

fn refuse(error: BodyError) -> Refusal {
    let status = match error {
        BodyError::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        BodyError::Encoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        BodyError::Malformed | BodyError::Aborted => StatusCode::BAD_REQUEST,
    };
    Refusal { status, message: error.to_string() }
}

/// A list, or one object a line.
fn parse(body: &[u8]) -> Result<Vec<Line>, serde_json::Error> {
    if body.trim_ascii_start().starts_with(b"[") {
        return serde_json::from_slice(body);
    }
    serde_json::Deserializer::from_slice(body).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_as_a_list_or_one_by_one() {
        let one = r#"{"message": "a", "timestamp_ns": "5", "pod": "p"}"#;
        let other = r#"{"message": "b", "timestamp_ns": 6}"#;
        let list = parse(format!(" [{one}, {other}]").as_bytes()).unwrap();
        let lines = parse(format!("{one}\n{other}\n").as_bytes()).unwrap();
        assert_eq!(list, lines);
        assert_eq!((list[0].timestamp_ns, list[1].timestamp_ns), (5, 6));
        assert!(parse(b"{").is_err());
        assert!(parse(b"").unwrap().is_empty());
    }
}
