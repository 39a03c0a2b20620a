//! The Datadog agent's side: traces, client stats, `DogStatsD`, and the intake
//! that clients without an agent send to.
//!
//! Owns the wire formats and the agent's answers. Must not keep anything
//! itself: what is decoded goes to the store.

mod answer;
mod body;
mod dogstatsd;
mod each;
mod handlers;
mod info;
mod intake;
mod msgpack;
mod protobuf;
mod sender;
mod sketch;
mod stats;
mod tags;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod traces;
mod tree;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::map_response_with_state;
use axum::response::Response;
use axum::routing::any;
use http::{HeaderValue, StatusCode};
use tokio::net::{UdpSocket, UnixDatagram};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use self::traces::Version;
use super::intake::Intake;
use super::store::Counter;

/// How many payloads are received and decoded at a time, which bounds the
/// memory that they take before the store has them.
const AT_A_TIME: usize = 8;

/// The trace endpoints, and whether `/info` tells of them.
const TRACES: [(&str, Version, bool); 7] = [
    ("/spans", Version::V01, false),
    ("/v0.1/spans", Version::V01, false),
    ("/v0.2/traces", Version::V02, false),
    ("/v0.3/traces", Version::V03, true),
    ("/v0.4/traces", Version::V04, true),
    ("/v0.5/traces", Version::V05, true),
    ("/v0.7/traces", Version::V07, true),
];

/// Endpoints that take the names of services and do nothing with them.
const SERVICES: [(&str, bool); 5] = [
    ("/services", false),
    ("/v0.1/services", false),
    ("/v0.2/services", false),
    ("/v0.3/services", true),
    ("/v0.4/services", true),
];

/// What all handlers share.
struct Agent {
    intake: Intake,
    info: info::Document,
    /// Turns for payloads.
    decoding: Arc<Semaphore>,
}

impl Agent {
    fn count(&self, endpoint: &'static str, counter: Counter, amount: u64) {
        self.intake.store.counters().add(endpoint, counter, amount);
    }

    fn accepted(&self, endpoint: &'static str, items: usize) {
        self.count(endpoint, Counter::Accepted, u64::try_from(items).unwrap_or(u64::MAX));
    }

    fn log(&self, line: &str) {
        (self.intake.log)(line);
    }
}

/// The agent's HTTP API, for port 8126 and `apm.socket`, with Datadog's own
/// intake beside it.
pub(super) fn router(intake: Intake) -> Router {
    let told = told();
    let info = info::Document::new(&told, intake.apm_port, intake.dogstatsd_port);
    let agent = Arc::new(Agent { intake, info, decoding: Arc::new(Semaphore::new(AT_A_TIME)) });
    let mut router = Router::new().route("/info", any(info_document));
    for (path, version, _) in TRACES {
        router = router.route(
            path,
            any(move |State(agent), request: Request| {
                handlers::traces::take(agent, path, version, request)
            }),
        );
    }
    for (path, _) in SERVICES {
        router = router.route(path, any(handlers::traces::services));
    }
    router = router.route(
        handlers::stats::ENDPOINT,
        any(|State(agent), request: Request| handlers::stats::take(agent, request)),
    );
    for proxy in handlers::proxy::PROXIES {
        let take =
            any(move |State(agent), request: Request| handlers::proxy::take(agent, proxy, request));
        router = below(router, proxy.path, take);
    }
    for endpoint in handlers::intake::ENDPOINTS {
        let take = any(move |State(agent), request: Request| {
            handlers::intake::take(agent, endpoint, request)
        });
        if endpoint.path == handlers::intake::OLD_LOGS {
            router = router.route("/v1/input/{key}", take.clone());
        }
        router = below(router, endpoint.path, take);
    }
    router
        .route("/api/v1/validate", any(handlers::intake::validate))
        .fallback(async || answer::not_found())
        .layer(map_response_with_state(Arc::clone(&agent), signed))
        .with_state(agent)
}

/// Takes datagrams until `stop`.
pub(super) async fn dogstatsd_udp(socket: UdpSocket, intake: Intake, stop: CancellationToken) {
    dogstatsd::udp(socket, intake, stop).await;
}

/// Takes datagrams of a Unix socket until `stop`.
pub(super) async fn dogstatsd_unix(socket: UnixDatagram, intake: Intake, stop: CancellationToken) {
    dogstatsd::unix(socket, intake, stop).await;
}

/// Keeps the lines of a datagram.
#[cfg(fuzzing)]
pub(super) fn dogstatsd_lines(datagram: &[u8], intake: &Intake) {
    dogstatsd::lines(datagram, "dogstatsd", intake);
}

/// A path that ends with a slash stands for everything below it.
fn below(
    router: Router<Arc<Agent>>,
    path: &'static str,
    take: axum::routing::MethodRouter<Arc<Agent>>,
) -> Router<Arc<Agent>> {
    if path.ends_with('/') {
        router.route(path, take.clone()).route(&format!("{path}{{*rest}}"), take)
    } else {
        router.route(path, take)
    }
}

/// The agent's endpoints that `/info` tells of.
fn told() -> Vec<&'static str> {
    let traces = TRACES.iter().filter(|(_, _, told)| *told).map(|(path, _, _)| *path);
    let services = SERVICES.iter().filter(|(_, told)| *told).map(|(path, _)| *path);
    let proxies = handlers::proxy::PROXIES.iter().map(|proxy| proxy.path);
    traces.chain(services).chain([handlers::stats::ENDPOINT]).chain(proxies).collect()
}

async fn info_document(State(agent): State<Arc<Agent>>) -> Response {
    answer::json(StatusCode::OK, agent.info.body.clone())
}

/// Every answer says which agent it is from, and its state.
async fn signed(State(agent): State<Arc<Agent>>, mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert("datadog-agent-version", HeaderValue::from_static(info::VERSION));
    if let Ok(hash) = HeaderValue::from_str(&agent.info.hash) {
        headers.insert("datadog-agent-state", hash);
    }
    response
}
