//! A span of the sandbox's own, sent as an app would send it.
//!
//! Owns the span and the two ways of sending it: from this machine, and from a pod by this very
//! program. Source: OTLP over HTTP, <https://opentelemetry.io/docs/specs/otlp/#otlphttp>.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::Instant;

use crate::checks::context::Context;
use crate::checks::{program, text};
use crate::tools::plain;

/// The service that it is of.
pub(super) const SERVICE: &str = "sandbox-check";
/// How long sending may take.
const LIMIT: Duration = Duration::from_secs(5);
/// How much of an answer is shown, in characters.
const SHOWN: usize = 200;
/// What a pod says when it was taken.
const SENT: &str = "sent";

/// What a pod is told.
#[derive(Serialize, Deserialize)]
struct Order {
    endpoint: String,
    trace: String,
}

/// Sends the span to a collector's address.
///
/// # Errors
/// One line when it is not taken.
pub(super) async fn send(endpoint: &str, trace: &str) -> Result<(), String> {
    let span_id = &uuid::Uuid::new_v4().simple().to_string()[..16];
    let now = jiff::Timestamp::now().as_nanosecond();
    let service = json!({ "key": "service.name", "value": { "stringValue": SERVICE } });
    let span = json!({
        "traceId": trace, "spanId": span_id, "name": "check", "kind": 1,
        "startTimeUnixNano": (now - 1_000_000).to_string(), "endTimeUnixNano": now.to_string(),
    });
    let body = json!({ "resourceSpans": [{
        "resource": { "attributes": [service] },
        "scopeSpans": [{ "scope": { "name": "sandbox" }, "spans": [span] }],
    }] });
    let client = plain::client().timeout(LIMIT).build();
    let sent = client
        .map_err(|error| error.to_string())?
        .post(format!("{endpoint}/v1/traces"))
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(body.to_string())
        .send()
        .await;
    let answer = sent.map_err(|error| text::line(&text::root(&error), SHOWN))?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let body = answer.text().await.unwrap_or_default();
    Err(format!("the collector answers {status}: {}", text::line(&body, SHOWN)))
}

/// Sends the span from a pod.
///
/// # Errors
/// One line when the pod did not start or the span was not taken.
pub(super) async fn from_pod(
    context: &Context<'_>,
    trace: &str,
    end: Instant,
) -> Result<(), String> {
    let own = context.target.telemetry.as_ref().ok_or("this sandbox has no telemetry")?;
    let order = Order { endpoint: own.otlp_url.clone(), trace: trace.to_owned() };
    let left = end.saturating_duration_since(Instant::now());
    let output = program::probe(&own.program, context, "telemetry", &order, left).await?;
    match output.trim_end().lines().last() {
        Some(SENT) => Ok(()),
        last => Err(text::line(last.unwrap_or("the pod said nothing"), SHOWN * 2)),
    }
}

/// What a pod does: it sends once and says how that went, in one line.
///
/// # Errors
/// One line when the order cannot be read.
pub async fn probe(order: &str) -> Result<String, String> {
    let order: Order = serde_json::from_str(order).map_err(|error| error.to_string())?;
    let sent = send(&order.endpoint, &order.trace).await;
    Ok(sent.map_or_else(|why| why, |()| SENT.to_owned()))
}
