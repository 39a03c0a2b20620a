//! `/live` and `/ready`, for a server that has no HTTP of its own.
//!
//! Owns nothing else: what answers is alive, and what listens is ready.

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Answers until `stop`.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(listener: TcpListener, stop: CancellationToken) -> std::io::Result<()> {
    let ok = || async { "ok\n" };
    let router = Router::new().route("/live", get(ok)).route("/ready", get(ok));
    axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await
}
