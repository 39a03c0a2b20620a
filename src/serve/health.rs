//! `/live` and `/ready`.
//!
//! Owns nothing else: what answers is alive, and what listens is ready.

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The two routes.
pub fn router() -> Router {
    let ok = || async { "ok\n" };
    Router::new().route("/live", get(ok)).route("/ready", get(ok))
}

/// Answers until `stop`.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(listener: TcpListener, stop: CancellationToken) -> std::io::Result<()> {
    axum::serve(listener, router()).with_graceful_shutdown(stop.cancelled_owned()).await
}
