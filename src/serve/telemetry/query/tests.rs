//! Questions to a store: filters, waiting and runs.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;
use tokio::time::Instant;

use super::*;
use crate::serve::telemetry::model::{
    Level, Log, Measure, MetricKind, Origin, Point, Protocol, Span, SpanKind, Status, Value,
};
use crate::serve::telemetry::store::{Limits, now_ns};

const UPPER: u128 = 0x0af7_6519_16cd_43dd << 64;

fn store() -> Arc<Store> {
    Arc::new(Store::new(Limits::default()))
}

fn origin(env: &'static str) -> Arc<Origin<'static>> {
    let attributes = vec![("k8s.pod.name".into(), Value::Str("api-1".into()))];
    Arc::new(Origin { env: env.into(), version: "1.2".into(), attributes, ..Origin::default() })
}

fn span(trace_id: u128, span_id: u64, parent_id: u64, service: &'static str) -> Span<'static> {
    Span {
        trace_id,
        span_id,
        parent_id,
        service: service.into(),
        name: "http.request".into(),
        resource: "GET /orders".into(),
        kind: SpanKind::Server,
        start_ns: now_ns(),
        duration_ns: span_id * 1_000_000,
        attributes: vec![
            ("http.status_code".into(), Value::Str("200".into())),
            ("items".into(), Value::Double(3.0)),
        ],
        origin: origin("dev"),
        ..Span::default()
    }
}

async fn asked(store: &Arc<Store>, topic: Topic, query: &str) -> Json {
    ask(Arc::clone(store), topic, Some(query)).await.unwrap()
}

async fn total(store: &Arc<Store>, topic: Topic, query: &str) -> u64 {
    asked(store, topic, query).await["total"].as_u64().unwrap()
}

#[tokio::test]
async fn every_filter_of_spans_filters() {
    let store = store();
    let failed = Span {
        status: Status::Error,
        name: "redis.command".into(),
        kind: SpanKind::Client,
        span_type: "redis".into(),
        resource: "GET".into(),
        origin: origin("prod"),
        ..span(UPPER | 7, 2, 1, "api")
    };
    store.add_spans(Protocol::DatadogV04, &[span(UPPER | 7, 1, 0, "web"), failed]);
    for (query, expected) in [
        ("", 2),
        ("service=web", 1),
        ("service=w*", 1),
        ("service=web&service=api", 2),
        ("service=nobody", 0),
        ("name=redis.command", 1),
        ("service=web&name=redis.command", 0),
        ("service=api&name=redis.*", 1),
        ("env=dev", 1),
        ("env=staging", 0),
        ("version=1.2", 2),
        ("resource=GET%20/orders", 1),
        ("kind=client", 1),
        ("type=redis", 1),
        ("status=error", 1),
        ("error=true", 1),
        ("error=false", 1),
        ("min_duration=2ms", 1),
        ("max_duration=1ms", 1),
        ("trace_id=0af7651916cd43dd0000000000000007", 2),
        ("trace_id=0000000000000007", 2),
        ("trace_id=7", 2),
        ("trace_id=0bf7651916cd43dd0000000000000007", 0),
        ("trace_id=7&service=web", 1),
        ("span_id=0000000000000002", 1),
        ("parent_id=0", 1),
        ("protocol=datadog*", 2),
        ("source=otlp", 0),
        ("where=http.status_code%3D200", 2),
        ("where=http.status_code%3D404", 0),
        ("where=items%3E2&where=items%3C%3D3", 2),
        ("where=items%3E3", 0),
        ("where=k8s.pod.name~%5Eapi-", 2),
        ("where=!nothing", 2),
        ("text=ORDERS", 1),
        ("text=orders+200", 1),
        ("text=orders+404", 0),
        ("since=1m", 2),
        ("until=1m", 0),
        ("after=1", 1),
        ("before=2", 1),
        ("limit=1", 2),
    ] {
        assert_eq!(total(&store, Topic::Spans, query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn what_is_misspelt_is_refused() {
    let store = store();
    for query in [
        "sevice=web",
        "status=bad",
        "level=error",
        "since=yesterday",
        "wait=long",
        "count=many",
        "trace_id=xyz",
        "where=a%3Eb",
        "where=a~(",
        "limit=0",
        "order=random",
    ] {
        let refusal = ask(Arc::clone(&store), Topic::Spans, Some(query)).await.unwrap_err();
        assert_eq!(refusal.status, StatusCode::BAD_REQUEST, "{query}");
    }
    let refusal = ask(store, Topic::Spans, Some("run=none")).await.unwrap_err();
    assert_eq!(refusal.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn items_come_in_the_order_asked_for() {
    let store = store();
    for id in [5, 9, 1] {
        store.add_spans(Protocol::OtlpGrpc, &[span(id.into(), id, 0, "web")]);
    }
    for (query, expected) in [
        ("", [1, 9, 5]),
        ("order=oldest", [5, 9, 1]),
        ("order=slowest", [9, 5, 1]),
        ("order=slowest&service=web&since=1m", [9, 5, 1]),
    ] {
        let answer = asked(&store, Topic::Spans, query).await;
        let ids: Vec<&str> = answer["spans"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| s["span_id"].as_str().unwrap())
            .collect();
        let expected = expected.map(|id: u64| format!("{id:016x}"));
        assert_eq!(ids, expected, "{query}");
    }
    let answer = asked(&store, Topic::Spans, "limit=1&order=slowest").await;
    assert_eq!(answer["spans"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_trace_of_both_worlds_is_one_trace() {
    let store = store();
    store.add_spans(Protocol::OtlpGrpc, &[span(UPPER | 7, 1, 0, "web")]);
    store.add_spans(Protocol::DatadogV05, &[span(7, 2, 1, "api"), span(8, 3, 0, "cron")]);
    let log = Log { message: "hello".into(), trace_id: 7, level: Level::Info, ..Log::default() };
    store.add_logs(Protocol::Stdout, &[log]);
    let answer = asked(&store, Topic::Traces, "services=web,api").await;
    assert_eq!(answer["total"], 1);
    let trace = &answer["traces"][0];
    assert_eq!(trace["trace_id"], "0af7651916cd43dd0000000000000007");
    assert_eq!((&trace["spans"], &trace["logs"]), (&Json::from(2), &Json::from(1)));
    assert_eq!(trace["root"]["service"], "web");
    assert_eq!(total(&store, Topic::Traces, "").await, 2);
    for id in ["0af7651916cd43dd0000000000000007", "7", "0000000000000007"] {
        let whole = asked(&store, Topic::Trace(id.to_owned()), "").await;
        assert_eq!(whole["total"], 2, "{id}");
        assert_eq!(whole["spans"][1]["depth"], 1);
        assert_eq!(whole["logs"][0]["message"], "hello");
    }
}

#[tokio::test]
async fn two_traces_with_the_same_lower_half_stay_apart() {
    let store = store();
    let other = UPPER << 1;
    store.add_spans(Protocol::OtlpGrpc, &[span(UPPER | 7, 1, 0, "web")]);
    store.add_spans(Protocol::OtlpGrpc, &[span(other | 7, 2, 0, "api")]);
    assert_eq!(total(&store, Topic::Traces, "").await, 2);
    let id = json::trace_id(other | 7);
    assert_eq!(asked(&store, Topic::Trace(id), "").await["total"], 1);
}

#[tokio::test]
async fn traces_are_judged_as_a_whole() {
    let store = store();
    let failed = Span { status: Status::Error, ..span(2, 2, 0, "web") };
    store.add_spans(Protocol::OtlpGrpc, &[span(1, 1, 0, "web"), span(1, 9, 1, "api"), failed]);
    for (query, expected) in [
        ("error=true", 1),
        ("status=ok", 1),
        ("spans=2", 1),
        ("spans=%3D%3D1", 1),
        ("min_duration=9ms", 1),
        ("max_duration=5ms", 1),
        ("service=api", 1),
        ("services=web", 2),
        ("services=web&services=api", 1),
        ("parent_id=0", 2),
    ] {
        assert_eq!(total(&store, Topic::Traces, query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn waiting_ends_the_moment_it_is_true() {
    let store = store();
    let began = Instant::now();
    let question = ask(Arc::clone(&store), Topic::Spans, Some("service=api&wait=30s&count=2"));
    let waiting = tokio::spawn(question);
    for id in 1..=2 {
        tokio::task::yield_now().await;
        store.add_spans(Protocol::OtlpGrpc, &[span(1, 100 + id, 0, "web")]);
        store.add_spans(Protocol::OtlpGrpc, &[span(1, id, 0, "api")]);
    }
    let answer = waiting.await.unwrap().unwrap();
    assert_eq!((&answer["met"], &answer["total"]), (&Json::from(true), &Json::from(2)));
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn waiting_in_vain_ends_in_time_and_says_so() {
    let store = store();
    let began = Instant::now();
    let answer = asked(&store, Topic::Logs, "wait=50ms").await;
    assert_eq!((&answer["met"], &answer["total"]), (&Json::from(false), &Json::from(0)));
    assert!(began.elapsed() >= Duration::from_millis(50));
    let none = asked(&store, Topic::Logs, "count=%3D%3D0&wait=30s").await;
    assert_eq!(none["met"], true);
}

#[tokio::test]
async fn a_trace_is_waited_for_and_waited_for_again() {
    let store = store();
    let id = json::trace_id(UPPER | 7);
    let question = ask(Arc::clone(&store), Topic::Trace(id.clone()), Some("wait=30s&count=2"));
    let waiting = tokio::spawn(question);
    store.add_spans(Protocol::OtlpGrpc, &[span(UPPER | 7, 1, 0, "web")]);
    store.add_spans(Protocol::DatadogV04, &[span(7, 2, 1, "api")]);
    let answer = waiting.await.unwrap().unwrap();
    assert_eq!(answer["total"], 2);
    let query = format!("wait=30s&after={}", answer["seq"]);
    let again = tokio::spawn(async move {
        ask(Arc::clone(&store), Topic::Trace(id), Some(&query)).await.map(|answer| (answer, store))
    });
    tokio::task::yield_now().await;
    assert!(!again.is_finished());
    again.abort();
}

#[tokio::test]
async fn a_run_has_only_what_came_during_it() {
    let store = store();
    store.add_spans(Protocol::OtlpGrpc, &[span(1, 1, 0, "web")]);
    store.begin_run("first");
    assert_eq!(total(&store, Topic::Spans, "run=first").await, 0);
    store.add_spans(Protocol::OtlpGrpc, &[span(1, 2, 0, "web")]);
    // It comes late and belongs to what was before.
    let earlier = Span { start_ns: now_ns() - 60_000_000_000, ..span(1, 3, 0, "web") };
    store.add_spans(Protocol::OtlpGrpc, &[earlier]);
    assert_eq!(total(&store, Topic::Spans, "run=first").await, 1);
    assert_eq!(total(&store, Topic::Spans, "run=current&service=web").await, 1);
    store.begin_run("second");
    store.add_spans(Protocol::OtlpGrpc, &[span(1, 4, 0, "web"), span(1, 5, 0, "web")]);
    assert_eq!(total(&store, Topic::Spans, "run=first").await, 1);
    assert_eq!(total(&store, Topic::Traces, "run=second").await, 1);
    assert_eq!(total(&store, Topic::Spans, "run=second").await, 2);
    assert_eq!(total(&store, Topic::Spans, "").await, 5);
}

fn point(name: &'static str, value: f64, code: &'static str) -> Point<'static> {
    Point {
        name: name.into(),
        service: "api".into(),
        kind: MetricKind::Count,
        value: Measure::Number(value),
        time_ns: now_ns(),
        tags: vec![("code".into(), Value::Str(code.into()))],
        unit: "1".into(),
        origin: origin("dev"),
        ..Point::default()
    }
}

#[tokio::test]
async fn metrics_are_listed_summed_and_grouped() {
    let store = store();
    let points = [
        point("requests", 2.0, "200"),
        point("requests", 3.0, "200"),
        point("requests", 1.0, "500"),
        point("other", 7.0, "200"),
    ];
    store.add_points(Protocol::Dogstatsd, &points);
    let list = asked(&store, Topic::Metrics, "").await;
    assert_eq!(list["metrics"][1]["name"], "requests");
    assert_eq!(list["metrics"][1]["tags"][0], "code");
    let one = asked(&store, Topic::Metrics, "name=requests&by=code,env&value=6&wait=30s").await;
    assert_eq!((&one["value"], &one["agg"]), (&Json::from(6.0), &Json::from("sum")));
    assert_eq!(one["series"][0]["tags"]["code"], "200");
    assert_eq!(one["series"][0]["tags"]["env"], "dev");
    assert_eq!(one["series"][0]["value"], 5.0);
    let max = asked(&store, Topic::Metrics, "name=requests&agg=max&where=code%3D200").await;
    assert_eq!(max["value"], 3.0);
    let raw = asked(&store, Topic::Metrics, "name=requests&raw=true&step=1h").await;
    assert_eq!(raw["points"].as_array().unwrap().len(), 3);
    assert_eq!(raw["points"][0]["tags"]["code"], "500");
    let unmet = asked(&store, Topic::Metrics, "name=requests&value=7").await;
    assert_eq!(unmet["met"], false);
    let none = asked(&store, Topic::Metrics, "name=nothing").await;
    assert_eq!((&none["total"], &none["value"]), (&Json::from(0), &Json::Null));
}

#[tokio::test]
async fn a_total_counts_from_the_begin_of_the_asked_time() {
    let store = store();
    let (now, minute) = (now_ns(), 60_000_000_000);
    let total = |value: f64, time_ns: u64| Point {
        cumulative: true,
        monotonic: true,
        start_ns: now - 10 * minute,
        time_ns,
        ..point("requests", value, "200")
    };
    let points = [total(100.0, now - 2 * minute), total(103.0, now - minute), total(108.0, now)];
    store.add_points(Protocol::OtlpGrpc, &points);
    let all = asked(&store, Topic::Metrics, "name=requests").await;
    assert_eq!(
        (&all["value"], &all["aggregates"]["last"]),
        (&Json::from(108.0), &Json::from(108.0))
    );
    let since = asked(&store, Topic::Metrics, "name=requests&since=5m").await;
    assert_eq!(since["value"], 8.0);
}

/// A cumulative total of a stream that began long ago.
fn total_of(value: f64, code: &'static str) -> Point<'static> {
    let start_ns = 1_700_000_000 * time::SECOND;
    Point { cumulative: true, monotonic: true, start_ns, ..point("requests", value, code) }
}

#[tokio::test]
async fn what_a_total_had_come_to_before_does_not_count() {
    let store = store();
    let of = async |query: &str| {
        asked(&store, Topic::Metrics, &format!("name=requests&{query}")).await["value"].clone()
    };
    let took = |value: f64, code| {
        store.add_points(Protocol::OtlpGrpc, &[total_of(value, code)]);
    };
    took(500.0, "200");
    store.begin_run("a");
    assert_eq!(of("after=1").await, Json::Null);
    took(500.0, "200");
    assert_eq!((of("after=1").await, of("run=a").await), (0.0.into(), 0.0.into()));
    took(503.0, "200");
    assert_eq!((of("after=1").await, of("run=a").await), (3.0.into(), 3.0.into()));
    assert_eq!(of("after=2").await, 3.0);
    // A stream that is new here, which is older than the run by its own word.
    took(7.0, "404");
    assert_eq!((of("after=1").await, of("run=a").await), (10.0.into(), 3.0.into()));
    let begun = Point { start_ns: now_ns(), ..total_of(4.0, "200") };
    store.add_points(Protocol::OtlpGrpc, &[begun]);
    assert_eq!((of("after=1").await, of("run=a").await), (14.0.into(), 7.0.into()));
    assert_eq!(of("").await, 514.0);
}

#[tokio::test]
async fn a_total_that_comes_late_does_not_count_again() {
    let store = store();
    let late = Point { time_ns: now_ns() - time::SECOND, ..total_of(6.0, "200") };
    let points = [total_of(5.0, "200"), total_of(8.0, "200"), late, total_of(9.0, "200")];
    store.add_points(Protocol::OtlpGrpc, &points);
    assert_eq!(asked(&store, Topic::Metrics, "name=requests").await["value"], 9.0);
}

#[tokio::test]
async fn totals_of_replicas_services_and_metrics_stay_apart() {
    let store = store();
    let of_replica = |id: &'static str, value: f64| {
        let attributes = vec![("service.instance.id".into(), Value::Str(id.into()))];
        let origin = Arc::new(Origin { attributes, ..Origin::default() });
        Point { origin, ..total_of(value, "200") }
    };
    let other_service = |value| Point { service: "web".into(), ..total_of(value, "200") };
    let other_metric = |value| Point { name: "requests.slow".into(), ..total_of(value, "200") };
    for more in [0.0, 1.0] {
        let points = [
            of_replica("a", 100.0 + more),
            of_replica("b", 10.0 + more),
            other_service(20.0 + more),
            other_metric(30.0 + more),
        ];
        store.add_points(Protocol::OtlpGrpc, &points);
    }
    let all = asked(&store, Topic::Metrics, "name=requests*&agg=sum").await;
    assert_eq!(all["value"], 164.0);
    let later = asked(&store, Topic::Metrics, "name=requests*&agg=sum&after=4").await;
    assert_eq!(later["value"], 4.0);
}

#[tokio::test]
async fn a_run_has_measurements_in_whole_seconds_and_intervals() {
    let store = store();
    let now = store.begin_run("a").started_ns;
    let at = |time_ns, interval_ns| Point { time_ns, interval_ns, ..point("hits", 1.0, "200") };
    let ten = 10 * time::SECOND;
    let points = [
        at(now / time::SECOND * time::SECOND, 0),
        at(now / ten * ten, ten),
        at(now / ten * ten - ten, ten),
        at(now - 5 * time::SECOND, 0),
    ];
    store.add_points(Protocol::DatadogStats, &points);
    assert_eq!(total(&store, Topic::Metrics, "name=hits&run=a").await, 2);
}

#[tokio::test]
async fn logs_are_found_by_level_and_words() {
    let store = store();
    let log = |message: &'static str, level| Log {
        message: message.into(),
        level,
        service: "api".into(),
        source: "stdout".into(),
        attributes: vec![("order".into(), Value::Int(42))],
        ..Log::default()
    };
    let logs = [log("slow query", Level::Warn), log("Query failed", Level::Error)];
    store.add_logs(Protocol::Stdout, &logs);
    for (query, expected) in [
        ("level=warn", 2),
        ("level=error", 1),
        ("text=query", 2),
        ("text=query+slow", 1),
        ("text=42", 2),
        ("source=stdout", 2),
        ("name=stderr", 0),
        ("where=order%3D42&service=api", 2),
    ] {
        assert_eq!(total(&store, Topic::Logs, query).await, expected, "{query}");
    }
}

#[tokio::test]
async fn services_have_rate_errors_latency_and_callers() {
    let store = store();
    let failed = Span { status: Status::Error, ..span(1, 2, 1, "api") };
    let inner = Span { kind: SpanKind::Internal, ..span(1, 3, 2, "api") };
    store.add_spans(Protocol::OtlpGrpc, &[span(1, 1, 0, "web"), failed, inner]);
    let answer = asked(&store, Topic::Services, "").await;
    assert_eq!(answer["total"], 2);
    let api = &answer["services"][0];
    assert_eq!((&api["name"], &api["spans"]), (&Json::from("api"), &Json::from(2)));
    assert_eq!((&api["requests"], &api["errors"]), (&Json::from(1), &Json::from(1)));
    assert_eq!(api["p95_ns"], 2_000_000.0);
    assert_eq!(answer["edges"][0]["from"], "web");
    assert_eq!(answer["edges"][0]["to"], "api");
}
