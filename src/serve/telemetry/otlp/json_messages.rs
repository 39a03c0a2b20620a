//! OTLP requests as JSON: which fields make up which message.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
    HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary,
    SummaryDataPoint, exponential_histogram_data_point::Buckets, metric::Data,
    number_data_point::Value as Number, summary_data_point::ValueAtQuantile,
};
use opentelemetry_proto::tonic::trace::v1::{
    ResourceSpans, ScopeSpans, Span, Status,
    span::{Event, Link, SpanKind},
    status::StatusCode,
};

use super::json::{JsonError, Object, any_value, parse};

type Result<T> = std::result::Result<T, JsonError>;

/// Reads spans.
///
/// # Errors
/// When the body is not JSON, or a known field has a wrong type.
pub(super) fn traces(body: &[u8]) -> Result<ExportTraceServiceRequest> {
    parse(body, |fields| {
        let resource_spans = fields.messages("resourceSpans", |fields| {
            Ok(ResourceSpans {
                resource: fields.resource()?,
                scope_spans: fields.messages("scopeSpans", |fields| {
                    Ok(ScopeSpans {
                        scope: fields.scope()?,
                        spans: fields.messages("spans", span)?,
                        schema_url: String::new(),
                    })
                })?,
                schema_url: String::new(),
            })
        })?;
        Ok(ExportTraceServiceRequest { resource_spans })
    })
}

fn span(fields: Object<'_>) -> Result<Span> {
    Ok(Span {
        trace_id: fields.id("traceId")?,
        span_id: fields.id("spanId")?,
        trace_state: fields.text("traceState")?,
        parent_span_id: fields.id("parentSpanId")?,
        flags: fields.unsigned_32("flags")?,
        name: fields.text("name")?,
        kind: fields
            .choice("kind", |name| SpanKind::from_str_name(name).map(|kind| kind as i32))?,
        start_time_unix_nano: fields.unsigned("startTimeUnixNano")?,
        end_time_unix_nano: fields.unsigned("endTimeUnixNano")?,
        attributes: fields.attributes()?,
        events: fields.messages("events", |fields| {
            Ok(Event {
                time_unix_nano: fields.unsigned("timeUnixNano")?,
                name: fields.text("name")?,
                attributes: fields.attributes()?,
                dropped_attributes_count: 0,
            })
        })?,
        links: fields.messages("links", |fields| {
            Ok(Link {
                trace_id: fields.id("traceId")?,
                span_id: fields.id("spanId")?,
                trace_state: fields.text("traceState")?,
                attributes: fields.attributes()?,
                dropped_attributes_count: 0,
                flags: fields.unsigned_32("flags")?,
            })
        })?,
        status: fields.message("status", |fields| {
            Ok(Status {
                message: fields.text("message")?,
                code: fields.choice("code", |name| {
                    StatusCode::from_str_name(name).map(|code| code as i32)
                })?,
            })
        })?,
        ..Span::default()
    })
}

/// Reads log records.
///
/// # Errors
/// When the body is not JSON, or a known field has a wrong type.
pub(super) fn logs(body: &[u8]) -> Result<ExportLogsServiceRequest> {
    parse(body, |fields| {
        let resource_logs = fields.messages("resourceLogs", |fields| {
            Ok(ResourceLogs {
                resource: fields.resource()?,
                scope_logs: fields.messages("scopeLogs", |fields| {
                    Ok(ScopeLogs {
                        scope: fields.scope()?,
                        log_records: fields.messages("logRecords", log_record)?,
                        schema_url: String::new(),
                    })
                })?,
                schema_url: String::new(),
            })
        })?;
        Ok(ExportLogsServiceRequest { resource_logs })
    })
}

fn log_record(fields: Object<'_>) -> Result<LogRecord> {
    Ok(LogRecord {
        time_unix_nano: fields.unsigned("timeUnixNano")?,
        observed_time_unix_nano: fields.unsigned("observedTimeUnixNano")?,
        severity_number: fields.choice("severityNumber", |name| {
            SeverityNumber::from_str_name(name).map(|number| number as i32)
        })?,
        severity_text: fields.text("severityText")?,
        body: fields.message("body", any_value)?,
        attributes: fields.attributes()?,
        dropped_attributes_count: 0,
        flags: fields.unsigned_32("flags")?,
        trace_id: fields.id("traceId")?,
        span_id: fields.id("spanId")?,
        event_name: fields.text("eventName")?,
    })
}

/// Reads metrics.
///
/// # Errors
/// When the body is not JSON, or a known field has a wrong type.
pub(super) fn metrics(body: &[u8]) -> Result<ExportMetricsServiceRequest> {
    parse(body, |fields| {
        let resource_metrics = fields.messages("resourceMetrics", |fields| {
            Ok(ResourceMetrics {
                resource: fields.resource()?,
                scope_metrics: fields.messages("scopeMetrics", |fields| {
                    Ok(ScopeMetrics {
                        scope: fields.scope()?,
                        metrics: fields.messages("metrics", metric)?,
                        schema_url: String::new(),
                    })
                })?,
                schema_url: String::new(),
            })
        })?;
        Ok(ExportMetricsServiceRequest { resource_metrics })
    })
}

fn metric(fields: Object<'_>) -> Result<Metric> {
    Ok(Metric {
        name: fields.text("name")?,
        description: fields.text("description")?,
        unit: fields.text("unit")?,
        metadata: Vec::new(),
        data: data(fields)?,
    })
}

fn data(fields: Object<'_>) -> Result<Option<Data>> {
    if let Some(gauge) = fields.object("gauge")? {
        let data_points = gauge.messages("dataPoints", number_point)?;
        return Ok(Some(Data::Gauge(Gauge { data_points })));
    }
    if let Some(sum) = fields.object("sum")? {
        return Ok(Some(Data::Sum(Sum {
            data_points: sum.messages("dataPoints", number_point)?,
            aggregation_temporality: temporality(sum)?,
            is_monotonic: sum.truth("isMonotonic")?,
        })));
    }
    if let Some(histogram) = fields.object("histogram")? {
        return Ok(Some(Data::Histogram(Histogram {
            data_points: histogram.messages("dataPoints", histogram_point)?,
            aggregation_temporality: temporality(histogram)?,
        })));
    }
    if let Some(histogram) = fields.object("exponentialHistogram")? {
        return Ok(Some(Data::ExponentialHistogram(ExponentialHistogram {
            data_points: histogram.messages("dataPoints", exponential_point)?,
            aggregation_temporality: temporality(histogram)?,
        })));
    }
    if let Some(summary) = fields.object("summary")? {
        let data_points = summary.messages("dataPoints", summary_point)?;
        return Ok(Some(Data::Summary(Summary { data_points })));
    }
    Ok(None)
}

fn temporality(fields: Object<'_>) -> Result<i32> {
    fields.choice("aggregationTemporality", |name| {
        AggregationTemporality::from_str_name(name).map(|temporality| temporality as i32)
    })
}

fn number_point(fields: Object<'_>) -> Result<NumberDataPoint> {
    let value = match fields.signed("asInt")? {
        Some(number) => Some(Number::AsInt(number)),
        None => fields.double("asDouble")?.map(Number::AsDouble),
    };
    Ok(NumberDataPoint {
        attributes: fields.attributes()?,
        start_time_unix_nano: fields.unsigned("startTimeUnixNano")?,
        time_unix_nano: fields.unsigned("timeUnixNano")?,
        exemplars: Vec::new(),
        flags: fields.unsigned_32("flags")?,
        value,
    })
}

fn histogram_point(fields: Object<'_>) -> Result<HistogramDataPoint> {
    Ok(HistogramDataPoint {
        attributes: fields.attributes()?,
        start_time_unix_nano: fields.unsigned("startTimeUnixNano")?,
        time_unix_nano: fields.unsigned("timeUnixNano")?,
        count: fields.unsigned("count")?,
        sum: fields.double("sum")?,
        bucket_counts: fields.unsigned_list("bucketCounts")?,
        explicit_bounds: fields.double_list("explicitBounds")?,
        exemplars: Vec::new(),
        flags: fields.unsigned_32("flags")?,
        min: fields.double("min")?,
        max: fields.double("max")?,
    })
}

fn exponential_point(fields: Object<'_>) -> Result<ExponentialHistogramDataPoint> {
    let buckets = |fields: Object<'_>| {
        Ok(Buckets {
            offset: fields.signed_32("offset")?,
            bucket_counts: fields.unsigned_list("bucketCounts")?,
        })
    };
    Ok(ExponentialHistogramDataPoint {
        attributes: fields.attributes()?,
        start_time_unix_nano: fields.unsigned("startTimeUnixNano")?,
        time_unix_nano: fields.unsigned("timeUnixNano")?,
        count: fields.unsigned("count")?,
        sum: fields.double("sum")?,
        scale: fields.signed_32("scale")?,
        zero_count: fields.unsigned("zeroCount")?,
        positive: fields.message("positive", buckets)?,
        negative: fields.message("negative", buckets)?,
        flags: fields.unsigned_32("flags")?,
        exemplars: Vec::new(),
        min: fields.double("min")?,
        max: fields.double("max")?,
        zero_threshold: fields.double("zeroThreshold")?.unwrap_or(0.0),
    })
}

fn summary_point(fields: Object<'_>) -> Result<SummaryDataPoint> {
    Ok(SummaryDataPoint {
        attributes: fields.attributes()?,
        start_time_unix_nano: fields.unsigned("startTimeUnixNano")?,
        time_unix_nano: fields.unsigned("timeUnixNano")?,
        count: fields.unsigned("count")?,
        sum: fields.double("sum")?.unwrap_or(0.0),
        quantile_values: fields.messages("quantileValues", |fields| {
            Ok(ValueAtQuantile {
                quantile: fields.double("quantile")?.unwrap_or(0.0),
                value: fields.double("value")?.unwrap_or(0.0),
            })
        })?,
        flags: fields.unsigned_32("flags")?,
    })
}
