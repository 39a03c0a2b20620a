//! The control API beside S3: health, metrics, log, faults, clock, lifecycle,
//! and a plain view of the data. It refuses what a foreign web page may have
//! sent: unknown `Host` names, other origins; and it allows no CORS.

mod control;
mod data;
mod guard;
mod span;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use s3s::Body;
use serde::Serialize;

use super::options::Addresses;
use super::request::idle::{self, Quiet};
use super::request::target::read_query;
use super::state::State;

/// The longest body of a request that is read whole, in bytes.
const MAX_BODY: usize = 1024 * 1024;

/// The control API of a server.
#[derive(Debug)]
pub(crate) struct Admin {
    state: Arc<State>,
    addresses: Addresses,
}

/// Why a request is not answered as asked.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    message: String,
}

impl Refusal {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }
}

impl From<super::store::StoreError> for Refusal {
    fn from(error: super::store::StoreError) -> Self {
        let message = error.to_string();
        let status = super::backend::store_error(error).status_code();
        Self::new(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), message)
    }
}

type Answer = Result<Response<Body>, Refusal>;

/// The parameters of a query.
struct Query(Vec<(String, String)>);

impl Query {
    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    fn number(&self, name: &str, default: usize, most: usize) -> Result<usize, Refusal> {
        match self.get(name) {
            None => Ok(default),
            Some(text) => text
                .parse()
                .map(|n: usize| n.min(most))
                .map_err(|_| Refusal::bad(format!("`{name}` must be a number"))),
        }
    }

    fn need(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name).ok_or_else(|| Refusal::bad(format!("`{name}` is missing")))
    }
}

impl Admin {
    pub(crate) fn new(state: Arc<State>, addresses: Addresses) -> Self {
        Self { state, addresses }
    }

    /// Answers a request.
    pub(crate) async fn call(&self, request: Request<Body>) -> Response<Body> {
        let request = request.map(idle::timed);
        let answered = match guard::check(request.headers(), &self.state.domains) {
            Ok(()) => self.route(request).await,
            Err(message) => Err(Refusal::new(StatusCode::FORBIDDEN, message)),
        };
        let mut answer = answered.unwrap_or_else(|refusal| {
            let mut answer = json(&serde_json::json!({ "error": refusal.message }));
            *answer.status_mut() = refusal.status;
            answer
        });
        let headers = answer.headers_mut();
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Ok(date) = HeaderValue::from_str(&super::time::http_date(self.state.clock.now())) {
            headers.insert(header::DATE, date);
        }
        answer
    }

    async fn route(&self, request: Request<Body>) -> Answer {
        let path = request.uri().path().to_owned();
        let query = read_query(request.uri().query().unwrap_or_default())
            .map(Query)
            .map_err(|_| Refusal::bad("the query cannot be read"))?;
        let method = request.method().clone();
        let get = method == Method::GET || method == Method::HEAD;
        match path.as_str() {
            "/healthz" if get => self.health(),
            "/metrics" if get => {
                let figures = self.state.metrics.text(&self.state.store, self.state.clock.offset());
                Ok(text(figures, "text/plain; version=0.0.4; charset=utf-8"))
            }
            "/sandbox/v1/info" if get => Ok(self.info()),
            "/sandbox/v1/log" if get => self.log(&query).await,
            "/sandbox/v1/faults" => self.faults(&method, request.into_body()).await,
            "/sandbox/v1/clock" => self.clock(&method, request.into_body()).await,
            "/sandbox/v1/lifecycle/run" if method == Method::POST => {
                Ok(json(&super::lifecycle::run(&self.state).await?))
            }
            "/sandbox/v1/buckets" if get => Ok(self.buckets()),
            "/sandbox/v1/object" => self.object(&method, &query, request).await,
            other => match other
                .strip_prefix("/sandbox/v1/buckets/")
                .and_then(|rest| rest.strip_suffix("/objects"))
            {
                Some(bucket) if get => self.objects(bucket, &query),
                _ => Err(Refusal::new(StatusCode::NOT_FOUND, "there is nothing here")),
            },
        }
    }

    /// Not well when nothing can be written any more.
    fn health(&self) -> Answer {
        match self.state.store.failure() {
            None => Ok(text("ok\n", "text/plain; charset=utf-8")),
            Some(reason) => {
                let message = format!("the store takes no more writes: {reason}");
                Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, message))
            }
        }
    }
}

async fn whole(mut body: Body) -> Result<Bytes, Refusal> {
    body.store_all_limited(MAX_BODY).await.map_err(|error| match error.downcast::<Quiet>() {
        Ok(quiet) => Refusal::new(StatusCode::REQUEST_TIMEOUT, quiet.to_string()),
        Err(_) => Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long"),
    })
}

fn json(value: &impl Serialize) -> Response<Body> {
    if let Ok(bytes) = serde_json::to_vec(value) {
        return text(bytes, "application/json");
    }
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    answer
}

fn text(bytes: impl Into<Bytes>, kind: &'static str) -> Response<Body> {
    let mut answer = Response::new(Body::from(bytes.into()));
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}
