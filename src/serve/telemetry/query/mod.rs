//! Questions about what is in the store, and their answers as JSON.
//!
//! Owns filters, aggregation and the shape of answers. Knows nothing of intake.

mod aggregate;
mod condition;
mod filter;
mod items;
pub(super) mod json;
mod metrics;
mod params;
pub(super) mod pattern;
mod scan;
mod services;
pub(super) mod time;
mod traces;

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value as Json, json as object};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::store::Store;
use filter::Wait;
use params::Params;

/// Between two looks at a store that changes all the time.
const PAUSE: Duration = Duration::from_millis(5);

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(super) struct Refusal {
    /// The HTTP status.
    pub(super) status: StatusCode,
    /// A lowercase sentence.
    pub(super) message: String,
}

impl Refusal {
    /// The question is not understood.
    pub(super) fn bad(message: String) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message }
    }

    /// What is asked about is not there.
    pub(super) fn not_found(message: String) -> Self {
        Self { status: StatusCode::NOT_FOUND, message }
    }
}

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Topic {
    /// `/sandbox/v1/services`.
    Services,
    /// `/sandbox/v1/traces`.
    Traces,
    /// `/sandbox/v1/traces/{id}`.
    Trace(String),
    /// `/sandbox/v1/spans`.
    Spans,
    /// `/sandbox/v1/metrics`.
    Metrics,
    /// `/sandbox/v1/logs`.
    Logs,
}

/// An answer, and whether it is the one that was waited for.
#[derive(Debug)]
struct Answer {
    total: u64,
    met: bool,
    body: Json,
}

/// A question that was understood.
trait Question: Send + Sync {
    fn wait(&self) -> &Wait;

    /// Looks at the store as it is. May take long, so it runs beside the other work.
    fn answer(&self, store: &Store) -> Answer;
}

/// Answers a question, as soon as what it waits for is true or its time is up.
///
/// # Errors
/// When the question is not understood, or is about a run that is not there.
pub(super) async fn ask(
    store: Arc<Store>,
    topic: Topic,
    query: Option<&str>,
) -> Result<Json, Refusal> {
    let params = Params::parse(query);
    let question: Arc<dyn Question> = match topic {
        Topic::Services => Arc::new(services::Services::read(params, &store)?),
        Topic::Traces => Arc::new(traces::Traces::read(params, &store)?),
        Topic::Trace(id) => Arc::new(traces::OneTrace::read(&id, params)?),
        Topic::Spans => Arc::new(items::Spans::read(params, &store)?),
        Topic::Metrics => Arc::new(metrics::Metrics::read(params, &store)?),
        Topic::Logs => Arc::new(items::Logs::read(params, &store)?),
    };
    let deadline = Instant::now() + Duration::from_nanos(question.wait().wait_ns);
    let mut changes = store.changes();
    loop {
        changes.mark_unchanged();
        let began = Instant::now();
        let seq = store.seq();
        let (asked, of) = (Arc::clone(&question), Arc::clone(&store));
        let answer = tokio::task::spawn_blocking(move || asked.answer(&of)).await;
        let Ok(answer) = answer else {
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            return Err(Refusal { status, message: "the question failed".to_owned() });
        };
        // Looking takes at most half of the time, however fast things come in.
        let next = Instant::now() + PAUSE.max(began.elapsed());
        if answer.met || began >= deadline {
            return Ok(whole(answer, seq));
        }
        if timeout_at(deadline, changes.changed()).await.is_err() {
            return Ok(whole(answer, seq));
        }
        sleep_until(next.min(deadline)).await;
    }
}

fn whole(answer: Answer, seq: u64) -> Json {
    let mut body = answer.body;
    if let Json::Object(fields) = &mut body {
        fields.insert("total".to_owned(), object!(answer.total));
        fields.insert("seq".to_owned(), object!(seq));
        fields.insert("met".to_owned(), object!(answer.met));
    }
    body
}

#[cfg(test)]
mod tests;
