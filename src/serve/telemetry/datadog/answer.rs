//! Answers in the agent's words. Owns status codes and bodies. Must not
//! decode anything.
//!
//! Source: `pkg/trace/api/responses.go` of the Datadog agent.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderName, HeaderValue, StatusCode, header};

use super::msgpack::Error;
use super::sender::RATES_VERSION;

/// The sampling rates: keep everything of every service.
const RATES: &str = "{\"rate_by_service\":{\"service:,env:\":1}}\n";
/// The version of those rates, which never change.
const VERSION: &str = "keep-all";

/// An answer with this body.
pub(crate) fn with(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Body>,
) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// A JSON answer.
pub(crate) fn json(status: StatusCode, body: impl Into<Body>) -> Response {
    with(status, "application/json", body)
}

/// A refusal: one line of text that a browser does not take for more.
pub(crate) fn refuse(status: StatusCode, message: &str) -> Response {
    let mut response = with(status, "text/plain; charset=utf-8", format!("{message}\n"));
    let nosniff = HeaderValue::from_static("nosniff");
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    response
}

/// What decoding a body came to.
pub(crate) fn undecodable(error: &Error) -> Response {
    match error {
        Error::TooLarge => too_large(),
        error => refuse(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

/// 413 for a body above the limit.
pub(crate) fn too_large() -> Response {
    refuse(StatusCode::PAYLOAD_TOO_LARGE, "payload-too-large")
}

/// 408 for a body that does not come.
pub(crate) fn timeout() -> Response {
    refuse(StatusCode::REQUEST_TIMEOUT, "timeout")
}

/// The page that is not there.
pub(crate) fn not_found() -> Response {
    refuse(StatusCode::NOT_FOUND, "404 page not found")
}

/// `OK`, which v0.3 and older get.
pub(crate) fn ok() -> Response {
    with(StatusCode::OK, "text/plain; charset=utf-8", "OK\n")
}

/// The rates, or `{}` for a client that has this version of them.
pub(crate) fn rates(status: StatusCode, known: &str) -> Response {
    let body = if known == VERSION { "{}" } else { RATES };
    let mut response = json(status, body);
    if !known.is_empty() {
        let name = HeaderName::from_static(RATES_VERSION);
        response.headers_mut().insert(name, HeaderValue::from_static(VERSION));
    }
    response
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    async fn text(response: Response) -> String {
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn rates_are_sent_once() {
        let unaware = rates(StatusCode::OK, "");
        assert!(unaware.headers().get(RATES_VERSION).is_none());
        assert_eq!(text(unaware).await, RATES);
        let first = rates(StatusCode::OK, "older");
        let version = first.headers()[RATES_VERSION].to_str().unwrap().to_owned();
        assert_eq!(text(first).await, RATES);
        let second = rates(StatusCode::OK, &version);
        assert_eq!(second.headers()[RATES_VERSION], version.as_str());
        assert_eq!(text(second).await, "{}");
    }

    #[tokio::test]
    async fn refusals_are_lines_of_text() {
        let response = undecodable(&Error::Index(7));
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(text(response).await, "dictionary index 7 out of range\n");
        assert_eq!(undecodable(&Error::TooLarge).status(), StatusCode::PAYLOAD_TOO_LARGE);
    }
}
