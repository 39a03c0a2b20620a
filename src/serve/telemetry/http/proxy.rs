//! Hands requests on to the mock S3's admin API, so that the page needs one address only.

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCEPT, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, RANGE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, StatusCode};

use super::super::body;
use super::super::query::Refusal;
use super::Shared;

/// No request to the admin API is larger, in bytes.
const LARGEST_REQUEST: usize = 64 << 20;

/// Headers that go there and back.
const FORWARDED: [HeaderName; 3] = [ACCEPT, CONTENT_TYPE, RANGE];
const RETURNED: [HeaderName; 5] = [
    CONTENT_TYPE,
    CONTENT_LENGTH,
    CONTENT_DISPOSITION,
    CONTENT_SECURITY_POLICY,
    X_CONTENT_TYPE_OPTIONS,
];

pub(super) async fn proxy(
    State(server): Shared,
    Path(_): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let Some(admin) = &server.s3 else {
        return Err(Refusal::not_found("there is no mock S3 here".to_owned()));
    };
    let (parts, content) = request.into_parts();
    // The path as it came, still encoded, so that keys arrive as they are.
    let path = parts.uri.path().strip_prefix("/sandbox/v1/s3").unwrap_or_default();
    let mut target = admin.clone();
    target.set_path(&format!("{}/sandbox/v1{path}", admin.path().trim_end_matches('/')));
    target.set_query(parts.uri.query());
    let content = body::read(content, LARGEST_REQUEST)
        .await
        .map_err(|error| Refusal::bad(error.to_string()))?;
    let mut asked = server.client.request(parts.method, target).body(content);
    for name in FORWARDED {
        if let Some(value) = parts.headers.get(&name) {
            asked = asked.header(name, value);
        }
    }
    let answer = asked.send().await.map_err(|_| Refusal {
        status: StatusCode::BAD_GATEWAY,
        message: "the mock S3 does not answer".to_owned(),
    })?;
    let mut response = answer.status().into_response();
    for name in RETURNED {
        if let Some(value) = answer.headers().get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    let content = futures::stream::unfold(answer, |mut answer| async move {
        match answer.chunk().await {
            Ok(Some(chunk)) => Some((Ok(chunk), answer)),
            Ok(None) => None,
            Err(error) => Some((Err(error), answer)),
        }
    });
    *response.body_mut() = Body::from_stream(content);
    Ok(response)
}
