//! The server's own figures, as Prometheus reads them.
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/>.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;

use super::super::store::{Counter, Store};
use super::Shared;

pub(super) async fn metrics(State(server): Shared) -> Response {
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    ([(CONTENT_TYPE, content_type)], text(&server.intake.store)).into_response()
}

fn text(store: &Store) -> String {
    let mut text = String::new();
    let figures = store.figures();
    for (name, kind, help, get) in [
        ("stored_items", "gauge", "Items that are kept now.", 0_usize),
        ("stored_bytes", "gauge", "Bytes that they take, about.", 1),
        ("evicted_items_total", "counter", "Items that went for a limit.", 2),
        ("received_items_total", "counter", "Items that came in.", 3),
    ] {
        text += &format!("# HELP sandbox_telemetry_{name} {help}\n");
        text += &format!("# TYPE sandbox_telemetry_{name} {kind}\n");
        for (of, figures) in &figures {
            let all = [figures.stored, figures.bytes, figures.evicted, figures.received];
            let value = all.get(get).copied().unwrap_or(0);
            text += &format!("sandbox_telemetry_{name}{{kind=\"{of}\"}} {value}\n");
        }
    }
    let endpoints = store.counters().all();
    for counter in Counter::ALL {
        let name = format!("sandbox_telemetry_intake_{}_total", counter.as_str());
        text += &format!("# HELP {name} What came in at each endpoint.\n");
        text += &format!("# TYPE {name} counter\n");
        for (endpoint, counts) in &endpoints {
            let value = counts.get(counter as usize).copied().unwrap_or(0);
            text += &format!("{name}{{endpoint=\"{endpoint}\"}} {value}\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::super::store::Limits;
    use super::*;

    #[test]
    fn every_figure_has_a_line() {
        let store = Store::new(Limits::default());
        store.counters().add("/v0.4/traces", Counter::Dropped, 3);
        let text = text(&store);
        let dropped = "sandbox_telemetry_intake_dropped_total{endpoint=\"/v0.4/traces\"} 3\n";
        assert!(text.contains(dropped), "{text}");
        assert!(text.contains("sandbox_telemetry_stored_items{kind=\"spans\"} 0\n"), "{text}");
    }
}
