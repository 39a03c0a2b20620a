//! Receipt, eviction and memory of the store.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::serve::telemetry::model::{Event, Level, Link, Origin, SpanKind, Status, Value};

fn span(number: u64) -> Span<'static> {
    Span {
        trace_id: u128::from(number) << 64 | u128::from(number % 100 + 1),
        span_id: number + 1,
        parent_id: number % 3,
        service: "shop".into(),
        name: format!("name {}", number % 7).into(),
        resource: "GET /".into(),
        kind: SpanKind::Server,
        start_ns: 1_700_000_000_000_000_000 + number,
        duration_ns: number,
        status: Status::Error,
        status_message: "bad".into(),
        trace_state: "a=b".into(),
        attributes: vec![("number".into(), Value::Int(number.cast_signed()))],
        events: vec![Event { time_ns: 7, name: "e".into(), attributes: Vec::new() }],
        links: vec![Link { trace_id: u128::MAX, span_id: 9, ..Link::default() }],
        origin: Arc::new(Origin { env: "test".into(), ..Origin::default() }),
        ..Span::default()
    }
}

fn small(bytes: u64) -> Store {
    Store::new(Limits { bytes, age: Duration::from_hours(1) })
}

#[test]
fn what_is_stored_is_what_was_sent() {
    let store = small(1 << 20);
    let spans: Vec<Span> = (0..100).map(span).collect();
    store.add_spans(Protocol::OtlpGrpc, &spans);
    let mut seen = Vec::new();
    for segment in store.spans().segments() {
        let segment = read(&segment);
        for row in segment.rows() {
            assert_eq!(row.head().protocol, Protocol::OtlpGrpc);
            seen.push((row.head().seq, format!("{:?}", segment.span(row))));
        }
    }
    let sent: Vec<_> =
        spans.iter().zip(1..).map(|(span, seq)| (seq, format!("{span:?}"))).collect();
    assert_eq!(seen, sent);
}

#[test]
fn logs_and_points_are_stored_as_sent() {
    let store = small(1 << 20);
    let log = Log {
        time_ns: 5,
        level: Level::Warn,
        severity: "warning".into(),
        message: "hello".into(),
        service: "shop".into(),
        source: "stdout".into(),
        trace_id: 3,
        span_id: 4,
        attributes: vec![("a".into(), Value::Bool(true))],
        origin: Arc::default(),
    };
    let point = Point { name: "m".into(), time_ns: 6, weight: 2.0, ..Point::default() };
    store.add_logs(Protocol::Stdout, std::slice::from_ref(&log));
    store.add_points(Protocol::Dogstatsd, std::slice::from_ref(&point));
    let logs = store.logs().segments();
    let logs = read(&logs[0]);
    assert_eq!(logs.log(&logs.rows()[0]), log);
    let points = store.points().segments();
    let points = read(&points[0]);
    assert_eq!(points.point(&points.rows()[0]), point);
    assert_eq!(store.seq(), 2);
}

#[test]
fn the_oldest_go_when_the_limit_is_reached_and_are_counted() {
    let store = small(256 << 10);
    for number in 0..10_000 {
        store.add_spans(Protocol::DatadogV04, &[span(number)]);
        let [(_, spans), ..] = store.figures();
        assert!(spans.bytes <= 256 << 10, "{spans:?}");
    }
    let [(_, spans), ..] = store.figures();
    assert_eq!(spans.received, 10_000);
    assert_eq!(spans.stored + spans.evicted, 10_000);
    assert!(spans.evicted > 0 && spans.stored > 500, "{spans:?}");
    let mut seqs = Vec::new();
    for segment in store.spans().segments() {
        seqs.extend(read(&segment).rows().iter().map(|row| row.head().seq));
    }
    let first = 10_001 - seqs.len() as u64;
    assert_eq!(seqs, (first..=10_000).collect::<Vec<_>>());
}

#[test]
fn nothing_is_lost_below_the_limit_by_many_writers() {
    let store = small(64 << 20);
    std::thread::scope(|scope| {
        for writer in 0..4_u64 {
            let store = &store;
            scope.spawn(move || {
                for batch in 0..50_u64 {
                    let spans: Vec<Span> =
                        (0..20).map(|place| span(writer * 1000 + batch * 20 + place)).collect();
                    store.add_spans(Protocol::DatadogV05, &spans);
                }
            });
        }
    });
    let mut ids: Vec<u64> = Vec::new();
    for segment in store.spans().segments() {
        ids.extend(read(&segment).rows().iter().map(|row| row.span_id));
    }
    ids.sort_unstable();
    assert_eq!(ids, (1..=4000).collect::<Vec<_>>());
}

#[test]
fn what_is_too_old_goes() {
    let store = small(1 << 20);
    store.add_spans(Protocol::OtlpJson, &[span(1)]);
    store.evict_before(now_ns() - 1_000_000_000);
    assert_eq!(store.figures()[0].1.stored, 1);
    store.evict_before(now_ns() + 1);
    let [(_, spans), ..] = store.figures();
    assert_eq!((spans.stored, spans.evicted, spans.bytes), (0, 1, 0));
}

#[test]
fn clearing_is_not_eviction_and_numbers_go_on() {
    let store = small(1 << 20);
    store.add_spans(Protocol::OtlpJson, &[span(1), span(2)]);
    assert_eq!(store.clear_spans(), 2);
    store.add_spans(Protocol::OtlpJson, &[span(3)]);
    let [(_, spans), ..] = store.figures();
    assert_eq!((spans.stored, spans.evicted, spans.received), (1, 0, 3));
    assert_eq!(store.seq(), 3);
}

#[test]
fn raw_requests_are_a_ring() {
    let store = small(64 << 10);
    for _ in 0..100 {
        let body = bytes::Bytes::from(vec![0; 1000]);
        let uri = http::Uri::from_static("/x");
        let headers = http::HeaderMap::new();
        store.add_raw(Raw::new("/x", &http::Method::POST, &uri, &headers, body));
    }
    let [.., (_, raw)] = store.figures();
    assert!(raw.bytes <= 4 << 10, "{raw:?}");
    assert_eq!(raw.stored + raw.evicted, 100);
    assert_eq!(store.raw().last().unwrap().0, 100);
}

fn request(bytes: usize) -> Raw {
    let (uri, headers) = (http::Uri::from_static("/x"), http::HeaderMap::new());
    Raw::new("/x", &http::Method::POST, &uri, &headers, vec![0; bytes].into())
}

#[test]
fn a_raw_request_above_the_limit_drives_out_no_other() {
    let store = small(64 << 10);
    store.add_raw(request(1000));
    store.add_raw(request(5000));
    let [.., (_, raw)] = store.figures();
    assert_eq!((raw.received, raw.stored, raw.evicted), (2, 1, 1));
    assert_eq!((store.raw()[0].0, store.seq()), (1, 2));
}

#[test]
fn raw_requests_age() {
    let store = small(1 << 20);
    store.add_raw(request(10));
    store.evict_before(now_ns() - 1_000_000_000);
    assert_eq!(store.raw().len(), 1);
    store.evict_before(now_ns() + 1);
    let [.., (_, raw)] = store.figures();
    assert_eq!((raw.stored, raw.evicted, raw.bytes), (0, 1, 0));
}

#[test]
fn what_came_just_now_does_not_go_for_what_came_earlier() {
    let store = small(256 << 10);
    let log = Log { message: "hello".into(), ..Log::default() };
    for number in 0..5000 {
        if number % 100 == 0 {
            store.add_logs(Protocol::Stdout, std::slice::from_ref(&log));
        }
        store.add_spans(Protocol::DatadogV04, &[span(number)]);
        let segments = store.logs().segments();
        let last = segments.last().map(|last| read(last).rows().len());
        assert!(last.is_some_and(|rows| rows > 0), "{number}");
    }
    assert!(store.figures()[0].1.evicted > 0);
}

#[test]
fn spans_of_a_trace_are_found_by_the_half_that_both_worlds_have() {
    let store = small(8 << 20);
    let spans: Vec<Span> = (0..1000).map(span).collect();
    store.add_spans(Protocol::OtlpJson, &spans);
    let mut found = 0;
    for segment in store.spans().segments() {
        found += read(&segment).of_trace(42).count();
    }
    assert_eq!(found, 10);
}
