//! Requests as they came, without their secrets.

use bytes::Bytes;
use http::{HeaderMap, Method, Uri};

/// A request as it came. Keys and credentials are left out from the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw {
    /// The documented path it belongs to.
    pub endpoint: &'static str,
    /// `POST`, `PUT`…
    pub method: String,
    /// Path and query, keys left out.
    pub url: String,
    /// Header names in lower case, with their values.
    pub headers: Vec<(String, String)>,
    /// The body as sent, compressed when it was.
    pub body: Bytes,
    /// `X-Datadog-Test-Session-Token` or `test_session_token`; empty without one.
    pub session: String,
}

/// Headers that are never kept.
const SECRET_HEADERS: [&str; 8] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "dd-api-key",
    "dd-application-key",
    "x-api-key",
    "api-key",
    "x-datadog-api-key",
];

/// Query parameters that are never kept.
const SECRET_PARAMETERS: [&str; 4] =
    ["api_key", "application_key", "dd-api-key", "dd-application-key"];

/// Smaller bodies are copied, as they may be a small part of a large buffer of their connection.
const COPIED: usize = 64 << 10;

impl Raw {
    /// Takes what may be kept of a request.
    #[must_use]
    pub fn new(
        endpoint: &'static str,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Self {
        let kept = headers
            .iter()
            .filter(|(name, _)| !SECRET_HEADERS.contains(&name.as_str()))
            .map(|(name, value)| {
                (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect();
        let body = if body.len() < COPIED { Bytes::copy_from_slice(&body) } else { body };
        Self {
            endpoint,
            method: method.as_str().to_owned(),
            url: without_secrets(uri),
            headers: kept,
            body,
            session: session_token(uri, headers).unwrap_or_default(),
        }
    }

    /// Bytes that it takes, about.
    #[must_use]
    pub fn size(&self) -> usize {
        let headers: usize =
            self.headers.iter().map(|(name, value)| name.len() + value.len() + 48).sum();
        self.body.len() + self.url.len() + self.session.len() + headers + 160
    }
}

/// The test session that a request names, in its query or in a header.
#[must_use]
pub fn session_token(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    let in_query = uri.query().and_then(|query| {
        query.split('&').find_map(|pair| pair.strip_prefix("test_session_token="))
    });
    let token = match in_query {
        Some(token) => percent_encoding::percent_decode_str(token).decode_utf8_lossy().into_owned(),
        None => headers.get("x-datadog-test-session-token")?.to_str().ok()?.to_owned(),
    };
    (!token.is_empty()).then_some(token)
}

fn without_secrets(uri: &Uri) -> String {
    let Some(query) = uri.query() else { return uri.path().to_owned() };
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| {
            let name = pair.split('=').next().unwrap_or_default();
            !SECRET_PARAMETERS.iter().any(|secret| secret.eq_ignore_ascii_case(name))
        })
        .collect();
    if kept.is_empty() {
        return uri.path().to_owned();
    }
    format!("{}?{}", uri.path(), kept.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(uri: &str, headers: &[(&'static str, &str)]) -> Raw {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        Raw::new("/api/v2/logs", &Method::POST, &uri.parse().unwrap(), &map, Bytes::new())
    }

    #[test]
    fn secrets_are_not_kept() {
        let raw = raw(
            "/api/v2/logs?api_key=s3cr3t&ddsource=x&DD-API-KEY=s3cr3t",
            &[
                ("dd-api-key", "s3cr3t"),
                ("authorization", "Bearer s3cr3t"),
                ("cookie", "s3cr3t"),
                ("datadog-meta-lang", "python"),
            ],
        );
        assert!(!format!("{raw:?}").contains("s3cr3t"));
        assert_eq!(raw.url, "/api/v2/logs?ddsource=x");
        assert_eq!(raw.headers, [("datadog-meta-lang".to_owned(), "python".to_owned())]);
    }

    #[test]
    fn a_small_body_does_not_keep_a_large_buffer() {
        let buffer = Bytes::from(vec![0; 1 << 20]);
        let (uri, headers) = (Uri::from_static("/x"), HeaderMap::new());
        let raw = Raw::new("/x", &Method::POST, &uri, &headers, buffer.slice(..10));
        assert_eq!(raw.body.len(), 10);
        assert!(buffer.is_unique());
    }

    #[test]
    fn a_session_is_named_in_the_query_or_a_header() {
        assert_eq!(raw("/x?test_session_token=a%20b", &[]).session, "a b");
        assert_eq!(raw("/x", &[("x-datadog-test-session-token", "t")]).session, "t");
        assert_eq!(raw("/x", &[]).session, "");
    }
}
