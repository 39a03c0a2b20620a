//! The HTTP endpoints. Owns receiving a request and counting it; what is done
//! with its body is below.

pub(super) mod intake;
mod kept;
pub(super) mod proxy;
pub(super) mod stats;
pub(super) mod traces;

use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, Uri};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::Agent;
use super::{answer, body, sender};
use crate::serve::telemetry::model::Origin;
use crate::serve::telemetry::store::{Counter, session_token};

/// A request that came in whole, and has its turn.
struct Received {
    _turn: OwnedSemaphorePermit,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
    session: String,
}

impl Received {
    /// Waits for a turn, and receives.
    ///
    /// # Errors
    ///
    /// There is no turn or no whole body; what is to be answered then.
    async fn in_turn(
        agent: &Agent,
        endpoint: &'static str,
        request: Request,
        limit: usize,
    ) -> Result<Self, Response> {
        let Ok(Ok(turn)) =
            timeout(body::TIMEOUT, Arc::clone(&agent.decoding).acquire_owned()).await
        else {
            agent.count(endpoint, Counter::Requests, 1);
            agent.count(endpoint, Counter::Dropped, 1);
            return Err(answer::refuse(StatusCode::TOO_MANY_REQUESTS, "too many requests"));
        };
        Self::new(agent, turn, endpoint, request, limit).await
    }

    /// Receives a body of at most `limit` bytes, and counts and keeps the
    /// request under the endpoint's documented path.
    ///
    /// # Errors
    ///
    /// There is no whole body; what is to be answered then.
    async fn new(
        agent: &Agent,
        turn: OwnedSemaphorePermit,
        endpoint: &'static str,
        request: Request,
        limit: usize,
    ) -> Result<Self, Response> {
        agent.count(endpoint, Counter::Requests, 1);
        let (parts, body) = request.into_parts();
        let body = match body::receive(&parts.headers, body, limit).await {
            Ok(body) => body,
            Err(error) => {
                agent.count(endpoint, Counter::Dropped, 1);
                return Err(error.answer());
            }
        };
        agent.count(endpoint, Counter::Bytes, u64::try_from(body.len()).unwrap_or(u64::MAX));
        let session = session_token(&parts.uri, &parts.headers).unwrap_or_default();
        let raw = kept::raw(endpoint, &parts.method, &parts.uri, &parts.headers, &body);
        agent.intake.store.add_raw(raw);
        Ok(Self { _turn: turn, uri: parts.uri, headers: parts.headers, body, session })
    }

    /// Who sent it.
    fn origin(&self) -> Origin<'_> {
        sender::origin(&self.headers, &self.session)
    }
}

/// The state of all handlers.
type Shared = Arc<Agent>;
