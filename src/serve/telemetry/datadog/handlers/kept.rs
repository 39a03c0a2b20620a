//! What is kept of a request as it came: no key, be it in the path or in the
//! body. Headers and queries are the store's own matter.

use bytes::Bytes;
use http::{HeaderMap, Method, Uri, header};
use serde_json::Value as Json;

use super::super::body;
use super::intake;
use crate::serve::telemetry::store::Raw;

/// Where an agent sends its key in the body, too: what it says of its host.
///
/// Source: `comp/metadata/host` of the Datadog agent.
const KEY_IN_BODY: [&str; 2] = ["/intake/", "/api/v1/metadata"];
const KEYS: [&str; 2] = ["apiKey", "api_key"];

/// A larger body with a key is not kept, in bytes. Real ones have some hundred
/// thousand.
const LARGEST: usize = 1 << 20;

/// Takes what may be kept.
pub(super) fn raw(
    endpoint: &'static str,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &Bytes,
) -> Raw {
    let uri = without_key(uri, endpoint);
    if !KEY_IN_BODY.contains(&endpoint) {
        return Raw::new(endpoint, method, &uri, headers, body.clone());
    }
    let body = blanked(headers, body).unwrap_or_default();
    let mut headers = headers.clone();
    // They are about the body as it was sent.
    headers.remove(header::CONTENT_ENCODING);
    headers.remove(header::CONTENT_LENGTH);
    Raw::new(endpoint, method, &uri, &headers, body)
}

/// The old log intake has the API key in its path.
fn without_key(uri: &Uri, endpoint: &'static str) -> Uri {
    if endpoint == intake::OLD_LOGS && uri.path() != endpoint {
        return Uri::from_static(intake::OLD_LOGS);
    }
    uri.clone()
}

/// A body in JSON without its key; `None` when it cannot be read.
fn blanked(headers: &HeaderMap, body: &Bytes) -> Option<Bytes> {
    let plain = body::decompress(headers, body, LARGEST).ok()?;
    if plain.len() > LARGEST {
        return None;
    }
    let mut sent: Json = serde_json::from_slice(&plain).ok()?;
    for key in KEYS {
        if let Some(key) = sent.get_mut(key) {
            *key = Json::String(String::new());
        }
    }
    Some(sent.to_string().into())
}
