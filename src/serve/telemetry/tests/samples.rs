//! Random OTLP requests, and what the query API must answer for them.

use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value::Value as Any,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint,
    Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint,
    exponential_histogram_data_point::Buckets, metric::Data, number_data_point::Value as Number,
    summary_data_point::ValueAtQuantile,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{
    ResourceSpans, ScopeSpans, Span, Status,
    span::{Event, Link},
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z.]{0,12}", "\\PC{0,40}", Just("x".repeat(200))]
}

/// Numbers that have the same few digits in every notation.
fn number() -> impl Strategy<Value = f64> {
    any::<i32>().prop_map(|number| f64::from(number) / 8.0)
}

fn value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        text().prop_map(Any::StringValue),
        any::<bool>().prop_map(Any::BoolValue),
        any::<i64>().prop_map(Any::IntValue),
        number().prop_map(Any::DoubleValue),
    ]
    .prop_map(|value| AnyValue { value: Some(value) });
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(|values| AnyValue {
                value: Some(Any::ArrayValue(ArrayValue { values }))
            }),
            vec(("[a-z]{1,5}", inner), 0..3).prop_map(|pairs| AnyValue {
                value: Some(Any::KvlistValue(KeyValueList { values: unique(pairs) }))
            }),
        ]
    })
}

fn unique(pairs: Vec<(String, AnyValue)>) -> Vec<KeyValue> {
    let mut all: Vec<KeyValue> = Vec::new();
    for (key, value) in pairs {
        if !all.iter().any(|known| known.key == key) {
            all.push(KeyValue { key, value: Some(value) });
        }
    }
    all
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    vec(("[a-z.]{1,20}", value()), 0..6).prop_map(unique)
}

fn id<const N: usize>() -> impl Strategy<Value = Vec<u8>> {
    vec(1..=255_u8, N)
}

fn resource(service: &str) -> Resource {
    let pair = |key: &str, value: &str| KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(Any::StringValue(value.to_owned())) }),
    };
    let attributes = vec![
        pair("service.name", service),
        pair("deployment.environment.name", "test"),
        pair("service.version", "1.0"),
        pair("host.name", "here"),
    ];
    Resource { attributes, ..Resource::default() }
}

fn scope() -> InstrumentationScope {
    InstrumentationScope { name: "scope".into(), version: "2".into(), ..Default::default() }
}

/// Spans of a service.
pub(super) fn spans() -> impl Strategy<Value = ResourceSpans> {
    vec(span(), 1..5).prop_map(|spans| ResourceSpans {
        resource: Some(resource("traced")),
        scope_spans: vec![ScopeSpans { scope: Some(scope()), spans, schema_url: String::new() }],
        schema_url: String::new(),
    })
}

fn span() -> impl Strategy<Value = Span> {
    let event =
        (any::<u64>(), text(), attributes()).prop_map(|(time_unix_nano, name, attributes)| Event {
            time_unix_nano,
            name,
            attributes,
            dropped_attributes_count: 0,
        });
    let link = (id::<16>(), id::<8>(), "[a-z=]{0,5}", attributes(), any::<u32>()).prop_map(
        |(trace_id, span_id, trace_state, attributes, flags)| Link {
            trace_id,
            span_id,
            trace_state,
            attributes,
            dropped_attributes_count: 0,
            flags,
        },
    );
    let ids = (id::<16>(), id::<8>(), prop_oneof![Just(Vec::new()), id::<8>()]);
    let times = (1..=u64::MAX / 2, 0..u64::MAX / 4);
    let lists = (attributes(), vec(event, 0..3), vec(link, 0..3));
    let status = option::of((text(), 0..=2).prop_map(|(message, code)| Status { message, code }));
    (ids, text(), 0..=5_i32, times, lists, status).prop_map(
        |((trace_id, span_id, parent_span_id), name, kind, (start, took), lists, status)| Span {
            trace_id,
            span_id,
            parent_span_id,
            name,
            kind,
            start_time_unix_nano: start,
            end_time_unix_nano: start + took,
            attributes: lists.0,
            events: lists.1,
            links: lists.2,
            status,
            ..Span::default()
        },
    )
}

/// Records of a service.
pub(super) fn logs() -> impl Strategy<Value = ResourceLogs> {
    let ids = prop_oneof![Just((Vec::new(), Vec::new())), (id::<16>(), id::<8>())];
    let record = (1..=u64::MAX, 0..=24_i32, text(), text(), attributes(), ids).prop_map(
        |(time_unix_nano, severity_number, severity_text, body, attributes, ids)| LogRecord {
            time_unix_nano,
            severity_number,
            severity_text,
            body: Some(AnyValue { value: Some(Any::StringValue(body)) }),
            attributes,
            trace_id: ids.0,
            span_id: ids.1,
            ..LogRecord::default()
        },
    );
    vec(record, 1..5).prop_map(|log_records| ResourceLogs {
        resource: Some(resource("logging")),
        scope_logs: vec![ScopeLogs {
            scope: Some(scope()),
            log_records,
            schema_url: String::new(),
        }],
        schema_url: String::new(),
    })
}

/// Metrics of a service, of every kind.
pub(super) fn metrics() -> impl Strategy<Value = ResourceMetrics> {
    let metric = ("[a-z.]{1,20}", "[a-z]{0,3}", "[a-z ]{0,9}", data()).prop_map(
        |(name, unit, description, data)| Metric {
            name,
            unit,
            description,
            metadata: Vec::new(),
            data: Some(data),
        },
    );
    vec(metric, 1..4).prop_map(|metrics| ResourceMetrics {
        resource: Some(resource("measured")),
        scope_metrics: vec![ScopeMetrics {
            scope: Some(scope()),
            metrics,
            schema_url: String::new(),
        }],
        schema_url: String::new(),
    })
}

fn data() -> impl Strategy<Value = Data> {
    let value =
        prop_oneof![any::<i64>().prop_map(Number::AsInt), number().prop_map(Number::AsDouble),];
    let times = (any::<u64>(), 1..=u64::MAX);
    let point = (attributes(), times.clone(), value).prop_map(
        |(attributes, (start_time_unix_nano, time_unix_nano), value)| NumberDataPoint {
            attributes,
            start_time_unix_nano,
            time_unix_nano,
            value: Some(value),
            ..NumberDataPoint::default()
        },
    );
    let points = vec(point, 1..4).boxed();
    let edge = option::of(number()).boxed();
    let histogram = (attributes(), times.clone(), vec((number(), 0..u64::MAX), 0..4), edge.clone())
        .prop_map(|(attributes, (start_time_unix_nano, time_unix_nano), buckets, sum)| {
            let (explicit_bounds, mut bucket_counts): (Vec<_>, Vec<_>) =
                buckets.into_iter().unzip();
            bucket_counts.push(3);
            HistogramDataPoint {
                attributes,
                start_time_unix_nano,
                time_unix_nano,
                count: 7,
                sum,
                bucket_counts,
                explicit_bounds,
                min: sum,
                max: None,
                ..HistogramDataPoint::default()
            }
        });
    let exponential = (attributes(), times.clone(), any::<i32>(), vec(any::<u64>(), 0..4), edge)
        .prop_map(|(attributes, (start_time_unix_nano, time_unix_nano), scale, counts, max)| {
            ExponentialHistogramDataPoint {
                attributes,
                start_time_unix_nano,
                time_unix_nano,
                count: 9,
                scale,
                zero_count: 2,
                positive: Some(Buckets { offset: scale, bucket_counts: counts }),
                negative: Some(Buckets { offset: -3, bucket_counts: vec![1] }),
                max,
                zero_threshold: 0.5,
                ..ExponentialHistogramDataPoint::default()
            }
        });
    let quantile = (0..=8_u32, number())
        .prop_map(|(eighths, value)| ValueAtQuantile { quantile: f64::from(eighths) / 8.0, value });
    let summary = (attributes(), times, any::<u64>(), number(), vec(quantile, 0..4)).prop_map(
        |(attributes, (start_time_unix_nano, time_unix_nano), count, sum, quantile_values)| {
            SummaryDataPoint {
                attributes,
                start_time_unix_nano,
                time_unix_nano,
                count,
                sum,
                quantile_values,
                flags: 0,
            }
        },
    );
    prop_oneof![
        points.clone().prop_map(|data_points| Data::Gauge(Gauge { data_points })),
        (points, 1..=2_i32, any::<bool>()).prop_map(
            |(data_points, aggregation_temporality, is_monotonic)| Data::Sum(Sum {
                data_points,
                aggregation_temporality,
                is_monotonic
            })
        ),
        (vec(histogram, 1..3), 1..=2_i32).prop_map(|(data_points, aggregation_temporality)| {
            Data::Histogram(Histogram { data_points, aggregation_temporality })
        }),
        (vec(exponential, 1..3), 1..=2_i32).prop_map(|(data_points, aggregation_temporality)| {
            Data::ExponentialHistogram(ExponentialHistogram {
                data_points,
                aggregation_temporality,
            })
        }),
        vec(summary, 1..3).prop_map(|data_points| Data::Summary(Summary { data_points })),
    ]
}

/// What the query API answers for a span, as far as the span tells.
pub(super) fn span_json(span: &Span) -> Json {
    let kinds = ["", "internal", "server", "client", "producer", "consumer"];
    let statuses = ["unset", "ok", "error"];
    let status = span.status.clone().unwrap_or_default();
    let events = span.events.iter().map(|event| {
        json!({
            "time_ns": event.time_unix_nano.to_string(),
            "name": event.name,
            "attributes": attributes_json(&event.attributes),
        })
    });
    let links = span.links.iter().map(|link| {
        json!({
            "trace_id": hex::encode(&link.trace_id),
            "span_id": hex::encode(&link.span_id),
            "trace_state": link.trace_state,
            "flags": link.flags,
            "attributes": attributes_json(&link.attributes),
        })
    });
    json!({
        "trace_id": hex::encode(&span.trace_id),
        "span_id": hex::encode(&span.span_id),
        "parent_id": optional_id(&span.parent_span_id),
        "name": span.name,
        "resource": span.name,
        "kind": kinds[usize::try_from(span.kind).unwrap()],
        "start_ns": span.start_time_unix_nano.to_string(),
        "duration_ns": span.end_time_unix_nano - span.start_time_unix_nano,
        "status": statuses[usize::try_from(status.code).unwrap()],
        "error": status.code == 2,
        "status_message": status.message,
        "attributes": attributes_json(&span.attributes),
        "events": events.collect::<Vec<_>>(),
        "links": links.collect::<Vec<_>>(),
        "service": "traced",
        "env": "test",
        "version": "1.0",
        "host": "here",
        "scope": { "name": "scope", "version": "2" },
        "source": "otlp",
    })
}

/// The same for a log record.
pub(super) fn log_json(record: &LogRecord) -> Json {
    json!({
        "time_ns": record.time_unix_nano.to_string(),
        "severity": record.severity_text,
        "message": record.body.as_ref().map(any_json),
        "trace_id": optional_id(&record.trace_id),
        "span_id": optional_id(&record.span_id),
        "attributes": attributes_json(&record.attributes),
        "service": "logging",
        "source": "otlp",
    })
}

/// The same for the measurements of a metric.
pub(super) fn point_jsons(metric: &Metric) -> Vec<Json> {
    let one = |kind: &str, value: Json, attributes: &[KeyValue], start: u64, time: u64| {
        json!({
            "name": metric.name,
            "unit": metric.unit,
            "description": metric.description,
            "kind": kind,
            "value": value,
            "tags": attributes_json(attributes),
            "start_ns": start.to_string(),
            "time_ns": time.to_string(),
            "service": "measured",
            "env": "test",
        })
    };
    let numbers = |kind: &str, points: &[NumberDataPoint]| -> Vec<Json> {
        let each = points.iter().map(|point| {
            let value = match point.value.unwrap() {
                Number::AsInt(number) => json!(number),
                Number::AsDouble(number) => json!(number),
            };
            let times = (point.start_time_unix_nano, point.time_unix_nano);
            one(kind, value, &point.attributes, times.0, times.1)
        });
        each.collect()
    };
    match metric.data.as_ref().unwrap() {
        Data::Gauge(gauge) => numbers("gauge", &gauge.data_points),
        Data::Sum(sum) => {
            let level = sum.aggregation_temporality == 2 && !sum.is_monotonic;
            numbers(if level { "gauge" } else { "count" }, &sum.data_points)
        }
        Data::Histogram(histogram) => {
            let each = histogram.data_points.iter().map(|point| {
                let value = json!({
                    "count": point.count, "sum": point.sum, "min": point.min, "max": point.max,
                    "bounds": point.explicit_bounds, "counts": point.bucket_counts,
                });
                let times = (point.start_time_unix_nano, point.time_unix_nano);
                one("histogram", value, &point.attributes, times.0, times.1)
            });
            each.collect()
        }
        Data::ExponentialHistogram(histogram) => {
            let each = histogram.data_points.iter().map(|point| {
                let side = |side: &Option<Buckets>| {
                    let side = side.as_ref().unwrap();
                    json!({ "offset": side.offset, "counts": side.bucket_counts })
                };
                let value = json!({
                    "count": point.count, "sum": point.sum, "min": point.min, "max": point.max,
                    "scale": point.scale, "zero_count": point.zero_count,
                    "zero_threshold": point.zero_threshold,
                    "positive": side(&point.positive), "negative": side(&point.negative),
                });
                let times = (point.start_time_unix_nano, point.time_unix_nano);
                one("histogram", value, &point.attributes, times.0, times.1)
            });
            each.collect()
        }
        Data::Summary(summary) => {
            let each = summary.data_points.iter().map(|point| {
                let quantiles: Vec<_> =
                    point.quantile_values.iter().map(|one| [one.quantile, one.value]).collect();
                let value =
                    json!({ "count": point.count, "sum": point.sum, "quantiles": quantiles });
                let times = (point.start_time_unix_nano, point.time_unix_nano);
                one("summary", value, &point.attributes, times.0, times.1)
            });
            each.collect()
        }
    }
}

fn optional_id(bytes: &[u8]) -> Option<String> {
    (!bytes.is_empty()).then(|| hex::encode(bytes))
}

fn attributes_json(attributes: &[KeyValue]) -> Json {
    let fields = attributes
        .iter()
        .map(|pair| (pair.key.clone(), pair.value.as_ref().map_or(Json::Null, any_json)));
    Json::Object(fields.collect::<Map<_, _>>())
}

fn any_json(value: &AnyValue) -> Json {
    match value.value.as_ref() {
        None | Some(Any::BytesValue(_)) => Json::Null,
        Some(Any::StringValue(text)) => json!(text),
        Some(Any::BoolValue(value)) => json!(value),
        Some(Any::IntValue(number)) => json!(number),
        Some(Any::DoubleValue(number)) => json!(number),
        Some(Any::ArrayValue(list)) => Json::Array(list.values.iter().map(any_json).collect()),
        Some(Any::KvlistValue(list)) => attributes_json(&list.values),
    }
}
