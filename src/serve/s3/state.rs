//! What all requests of a server share, and what belongs to one request.

use std::sync::Arc;

use http::HeaderMap;
use s3s::S3Error;

use super::auth::{Caller, Keys};
use super::clock::Clock;
use super::error::fail;
use super::faults::Faults;
use super::log::RequestLog;
use super::metrics::Metrics;
use super::request::payload::Received;
use super::request::target::Target;
use super::store::Store;

/// What all requests of a server share.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) keys: Keys,
    pub(crate) region: String,
    /// Base names of virtual-host style, longest first, in lower case.
    pub(crate) domains: Vec<String>,
    pub(crate) faults: Faults,
    pub(crate) metrics: Metrics,
    pub(crate) log: RequestLog,
    /// One lifecycle run at a time.
    pub(crate) lifecycle: tokio::sync::Mutex<()>,
    /// The machine's time at the start.
    pub(crate) started: i64,
}

/// What belongs to one request. Travels to the operations in the request's
/// extensions.
#[derive(Debug, Clone)]
pub(crate) struct Context(pub(crate) Arc<Request>);

impl std::ops::Deref for Context {
    type Target = Request;
    fn deref(&self) -> &Request {
        &self.0
    }
}

/// A request as it came in.
#[derive(Debug, Default)]
pub(crate) struct Request {
    pub(crate) operation: &'static str,
    pub(crate) target: Target,
    pub(crate) headers: HeaderMap,
    pub(crate) caller: Caller,
    pub(crate) received: Received,
}

impl Request {
    /// A header's text, which may be of any language.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let value = self.headers.get(name)?;
        std::str::from_utf8(value.as_bytes()).ok().filter(|text| !text.is_empty())
    }
}

impl Context {
    /// The context of a request to an operation.
    pub(crate) fn of<T>(request: &s3s::S3Request<T>) -> Result<Self, S3Error> {
        request
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| fail(s3s::S3ErrorCode::InternalError, "the request has no context"))
    }
}
