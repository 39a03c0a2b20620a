//! Live updates: tells that something came in, not what.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures::Stream;
use serde_json::json;

use super::super::store::Store;
use super::Shared;

/// Between two notices.
const PAUSE: Duration = Duration::from_millis(500);
/// Between two signs of life.
const ALIVE: Duration = Duration::from_secs(15);

pub(super) async fn stream(
    State(server): Shared,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let store = Arc::clone(&server.intake.store);
    let mut changes = store.changes();
    changes.mark_changed();
    let notices = futures::stream::unfold((store, changes, true), |state| async move {
        let (store, mut changes, first) = state;
        if !first {
            tokio::time::sleep(PAUSE).await;
        }
        changes.changed().await.ok()?;
        let notice = Event::default().event("change").data(notice(&store));
        Some((Ok(notice), (store, changes, false)))
    });
    Sse::new(notices).keep_alive(KeepAlive::new().interval(ALIVE))
}

fn notice(store: &Store) -> String {
    let [(_, spans), (_, points), (_, logs), _] = store.figures();
    json!({
        "seq": store.seq(),
        "spans": spans.stored,
        "points": points.stored,
        "logs": logs.stored,
    })
    .to_string()
}
