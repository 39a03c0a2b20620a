//! Log, faults, clock and facts about the server.

use std::time::Duration;

use http::{Method, Response, StatusCode};
use s3s::Body;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Admin, Answer, Query, Refusal, json as answer, span, whole};
use crate::serve::s3::auth::DEFAULT_ACCESS_KEY;
use crate::serve::s3::clock::machine_now;
use crate::serve::s3::faults::FaultRule;
use crate::serve::s3::log::Filter;
use crate::serve::s3::{lifecycle, time};

/// The longest wait of a request for the log.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// How far the clock can be moved: a hundred years.
const MAX_OFFSET_MS: i64 = 100 * 366 * 86_400_000;

/// How the clock is to be set.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Set {
    /// The distance to the machine's time, as `25h` or `0`.
    offset: Option<String>,
    /// The time to show, in RFC 3339.
    now: Option<String>,
    /// How far to move from where it is.
    advance: Option<String>,
}

/// One rule or a list of them.
fn rules(bytes: &[u8]) -> Result<Vec<FaultRule>, Refusal> {
    let wrong =
        |error: serde_json::Error| Refusal::bad(format!("the rules cannot be read: {error}"));
    let value: Value = serde_json::from_slice(bytes).map_err(wrong)?;
    let list = if value.is_array() { value } else { json!([value]) };
    serde_json::from_value(list).map_err(wrong)
}

impl Admin {
    pub(super) fn info(&self) -> Response<Body> {
        let state = &self.state;
        let figures = state.store.figures();
        answer(&json!({
            "s3": self.addresses.s3.to_string(),
            "admin": self.addresses.admin.to_string(),
            "region": state.region,
            "domains": state.domains,
            "keys": if state.keys.takes_any() { "any" } else { "configured" },
            "default-access-key": state.keys.takes_any().then_some(DEFAULT_ACCESS_KEY),
            "account": crate::serve::s3::OWNER_ACCOUNT,
            "uptime-seconds": (machine_now() - state.started) / 1000,
            "clock": self.clock_value(),
            "requests": state.metrics.requests(),
            "fault-rules": state.faults.list().len(),
            "objects": figures.objects,
            "versions": figures.versions,
            "bytes": figures.bytes,
            "uploads": figures.uploads,
        }))
    }

    pub(super) async fn log(&self, query: &Query) -> Answer {
        let text = |name: &str| query.get(name).map(str::to_owned);
        let since = query.get("since").map_or(Ok(0), str::parse);
        let filter = Filter {
            operation: text("operation"),
            bucket: text("bucket"),
            prefix: text("prefix"),
            status: text("status"),
            since: since.map_err(|_| Refusal::bad("`since` must be the `next` of an answer"))?,
            max: query.number("max", 100, 10_000)?,
        };
        let (entries, next) = match query.get("wait") {
            None => self.state.log.find(&filter),
            Some(wait) => {
                let wait = span::parse(wait).and_then(|ms| u64::try_from(ms).ok());
                let wait = wait.ok_or_else(|| Refusal::bad("`wait` must be a span as `10s`"))?;
                self.state.log.wait(&filter, Duration::from_millis(wait).min(MAX_WAIT)).await
            }
        };
        let entries: Vec<_> = entries.iter().map(AsRef::as_ref).collect();
        Ok(answer(&json!({ "entries": entries, "next": next })))
    }

    pub(super) async fn faults(&self, method: &Method, body: Body) -> Answer {
        let faults = &self.state.faults;
        let wrong = |error: crate::serve::s3::faults::FaultError| Refusal::bad(error.to_string());
        match *method {
            Method::GET | Method::HEAD => {}
            Method::PUT => faults.replace(rules(&whole(body).await?)?).map_err(wrong)?,
            Method::POST => faults.add(rules(&whole(body).await?)?).map_err(wrong)?,
            Method::DELETE => faults.replace(Vec::new()).map_err(wrong)?,
            _ => return Err(not_allowed()),
        }
        Ok(answer(&faults.list()))
    }

    pub(super) async fn clock(&self, method: &Method, body: Body) -> Answer {
        match *method {
            Method::GET | Method::HEAD => return Ok(answer(&self.clock_value())),
            Method::PUT | Method::POST => {}
            Method::DELETE => self.state.clock.move_to(0).await,
            _ => return Err(not_allowed()),
        }
        if *method != Method::DELETE {
            let offset = self.wanted_offset(&whole(body).await?)?;
            self.state.clock.move_to(offset).await;
        }
        let report = lifecycle::run(&self.state).await?;
        let mut value = self.clock_value();
        value["lifecycle"] = json!(report);
        Ok(answer(&value))
    }

    fn wanted_offset(&self, body: &[u8]) -> Result<i64, Refusal> {
        let set: Set = serde_json::from_slice(body)
            .map_err(|error| Refusal::bad(format!("the setting cannot be read: {error}")))?;
        let clock = &self.state.clock;
        let span_of = |text: &str| {
            span::parse(text)
                .ok_or_else(|| Refusal::bad(format!("`{text}` is not a span as `25h`")))
        };
        let offset = match (set.offset, set.now, set.advance) {
            (Some(offset), None, None) => span_of(&offset)?,
            (None, Some(now), None) => {
                let now = time::parse_iso8601(&now)
                    .ok_or_else(|| Refusal::bad(format!("`{now}` is not a time of RFC 3339")))?;
                now.saturating_sub(machine_now())
            }
            (None, None, Some(by)) => clock.offset().saturating_add(span_of(&by)?),
            _ => return Err(Refusal::bad("give one of `offset`, `now` and `advance`")),
        };
        if offset.saturating_abs() > MAX_OFFSET_MS {
            return Err(Refusal::bad("the clock can be moved by a hundred years at most"));
        }
        Ok(offset)
    }

    fn clock_value(&self) -> Value {
        let clock = &self.state.clock;
        json!({ "now": time::iso8601(clock.now()), "offset-ms": clock.offset() })
    }
}

pub(super) fn not_allowed() -> Refusal {
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "this method is not for this resource")
}
