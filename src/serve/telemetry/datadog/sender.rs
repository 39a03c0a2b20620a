//! What a client says about itself in headers. Owns their names; keys and
//! credentials are not among them.
//!
//! Names: `pkg/trace/api/internal/header/headers.go` of the Datadog agent.

use http::HeaderMap;

use crate::serve::telemetry::model::{Attribute, Origin, Value};

/// The number of traces in a payload.
pub(crate) const TRACE_COUNT: &str = "x-datadog-trace-count";
/// The client wants to hear of a refusal, instead of 200.
pub(crate) const REAL_STATUS: &str = "datadog-send-real-http-status";
/// The sampling rates that the client has.
pub(crate) const RATES_VERSION: &str = "datadog-rates-payload-version";

const LANGUAGE: &str = "datadog-meta-lang";
const TRACER_VERSION: &str = "datadog-meta-tracer-version";
const CONTAINER_ID: &str = "datadog-container-id";

/// What is kept as it was sent.
const KEPT: [&str; 10] = [
    CONTAINER_ID,
    "datadog-entity-id",
    "datadog-external-env",
    LANGUAGE,
    "datadog-meta-lang-version",
    "datadog-meta-lang-interpreter",
    "datadog-meta-lang-interpreter-vendor",
    TRACER_VERSION,
    "datadog-client-computed-top-level",
    "datadog-client-computed-stats",
];

/// A header's text; empty where it is missing or not text.
pub(crate) fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("")
}

/// The sender of a request of this test session.
pub(crate) fn origin<'h>(headers: &'h HeaderMap, session: &'h str) -> Origin<'h> {
    let kept = KEPT.iter().map(|name| (*name, text(headers, name)));
    let attributes: Vec<Attribute<'_>> = kept
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.into(), Value::Str(value.into())))
        .collect();
    Origin {
        container_id: container(headers).into(),
        language: text(headers, LANGUAGE).into(),
        tracer_version: text(headers, TRACER_VERSION).into(),
        session: session.into(),
        attributes,
        ..Origin::default()
    }
}

/// The container, which newer clients give as an entity only.
fn container(headers: &HeaderMap) -> &str {
    match text(headers, CONTAINER_ID) {
        "" => local_container(text(headers, "datadog-entity-id")),
        id => id,
    }
}

/// The container id in what clients call local data: `ci-<id>` or `cid-<id>`,
/// perhaps beside an inode; empty without one.
pub(crate) fn local_container(data: &str) -> &str {
    let mut ids = data.split(',').map(str::trim);
    ids.find_map(|part| part.strip_prefix("ci-").or_else(|| part.strip_prefix("cid-")))
        .unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_is_what_its_headers_say() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            (LANGUAGE, "python"),
            (TRACER_VERSION, "4.16.0"),
            ("datadog-entity-id", "ci-0ab"),
            ("datadog-client-computed-stats", "true"),
            ("dd-api-key", "s3cr3t"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        let origin = origin(&headers, "s1");
        assert_eq!(
            (origin.language.as_ref(), origin.tracer_version.as_ref()),
            ("python", "4.16.0")
        );
        assert_eq!((origin.container_id.as_ref(), origin.session.as_ref()), ("0ab", "s1"));
        let names: Vec<&str> = origin.attributes.iter().map(|(name, _)| name.as_ref()).collect();
        assert_eq!(
            names,
            ["datadog-entity-id", LANGUAGE, TRACER_VERSION, "datadog-client-computed-stats"]
        );
    }

    #[test]
    fn a_container_is_found_in_local_data() {
        assert_eq!(local_container("ci-0ab,in-42"), "0ab");
        assert_eq!(local_container("in-42, cid-0ab"), "0ab");
        assert_eq!(local_container("in-42"), "");
    }
}
