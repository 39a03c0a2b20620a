//! One model for the spans, metrics and logs of both worlds, Datadog and OpenTelemetry.
//!
//! Owns the types that decoders fill and the store takes. Text is borrowed from the payload where
//! it can be, so that decoding a span allocates next to nothing; the store copies what it keeps.
//! Knows no wire format and no storage layout.

mod ids;

use std::borrow::Cow;
use std::sync::Arc;

pub use ids::{parse_span_id, parse_trace_id, trace_id_candidates};

/// Text that usually borrows from the payload that is being decoded.
pub type Text<'a> = Cow<'a, str>;

/// A named attribute, tag or metadata entry.
pub type Attribute<'a> = (Text<'a>, Value<'a>);

/// The tag that carries the upper 64 bits of a Datadog trace id, as 16 hex digits. It is only on
/// the first span of a chunk; a decoder applies it to all spans of that chunk.
/// Source: <https://docs.datadoghq.com/tracing/guide/span_and_trace_id_format/>.
pub const TRACE_ID_UPPER: &str = "_dd.p.tid";

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Text.
    Str(Text<'a>),
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number; Datadog's span metrics are all of this kind.
    Double(f64),
    /// Raw bytes (OTLP bytes, Datadog `meta_struct`).
    Bytes(Cow<'a, [u8]>),
    /// Several values.
    Array(Vec<Value<'a>>),
    /// Named values.
    Map(Vec<Attribute<'a>>),
    /// OTLP knows attributes without a value.
    Null,
}

/// How an item came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Protocol {
    /// `/v0.3/traces`.
    DatadogV03,
    /// `/v0.4/traces`.
    DatadogV04,
    /// `/v0.5/traces`.
    DatadogV05,
    /// `/v0.7/traces`.
    DatadogV07,
    /// `/v1.0/traces`.
    DatadogV1,
    /// `/v0.6/stats`: trace metrics that the client computed.
    DatadogStats,
    /// A dogstatsd datagram.
    Dogstatsd,
    /// `/api/v1/series`, `/api/v2/series` and other metric intake.
    DatadogSeries,
    /// `/api/v2/logs`.
    DatadogLogs,
    /// Other Datadog intake.
    DatadogOther,
    /// OTLP over gRPC.
    OtlpGrpc,
    /// OTLP over HTTP, protobuf.
    OtlpProtobuf,
    /// OTLP over HTTP, JSON.
    OtlpJson,
    /// A container's log file.
    Stdout,
}

impl Protocol {
    /// Every protocol, in the order of their numbers.
    pub const ALL: [Self; 14] = [
        Self::DatadogV03,
        Self::DatadogV04,
        Self::DatadogV05,
        Self::DatadogV07,
        Self::DatadogV1,
        Self::DatadogStats,
        Self::Dogstatsd,
        Self::DatadogSeries,
        Self::DatadogLogs,
        Self::DatadogOther,
        Self::OtlpGrpc,
        Self::OtlpProtobuf,
        Self::OtlpJson,
        Self::Stdout,
    ];

    /// The name in answers of the query API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DatadogV03 => "datadog.v0.3",
            Self::DatadogV04 => "datadog.v0.4",
            Self::DatadogV05 => "datadog.v0.5",
            Self::DatadogV07 => "datadog.v0.7",
            Self::DatadogV1 => "datadog.v1.0",
            Self::DatadogStats => "datadog.stats",
            Self::Dogstatsd => "dogstatsd",
            Self::DatadogSeries => "datadog.series",
            Self::DatadogLogs => "datadog.logs",
            Self::DatadogOther => "datadog.other",
            Self::OtlpGrpc => "otlp.grpc",
            Self::OtlpProtobuf => "otlp.http.protobuf",
            Self::OtlpJson => "otlp.http.json",
            Self::Stdout => "stdout",
        }
    }

    /// Whether it is Datadog's.
    #[must_use]
    pub fn is_datadog(self) -> bool {
        self <= Self::DatadogOther
    }
}

/// Who sent an item: what OpenTelemetry calls a resource, and Datadog says with tags and headers.
/// The service is not here, as each Datadog span names its own.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Origin<'a> {
    /// `env`, `deployment.environment.name`, `deployment.environment`.
    pub env: Text<'a>,
    /// `version`, `service.version`.
    pub version: Text<'a>,
    /// Host name.
    pub host: Text<'a>,
    /// `Datadog-Container-ID`, `container.id`.
    pub container_id: Text<'a>,
    /// `Datadog-Meta-Lang`, `telemetry.sdk.language`.
    pub language: Text<'a>,
    /// `Datadog-Meta-Tracer-Version`, `telemetry.sdk.version`.
    pub tracer_version: Text<'a>,
    /// `X-Datadog-Test-Session-Token`; empty without one.
    pub session: Text<'a>,
    /// Instrumentation scope, OpenTelemetry only.
    pub scope_name: Text<'a>,
    /// Version of the instrumentation scope, OpenTelemetry only.
    pub scope_version: Text<'a>,
    /// All resource attributes as sent, those above too.
    pub attributes: Vec<Attribute<'a>>,
}

/// What a span is in a request: OpenTelemetry's span kinds, Datadog's `span.kind` tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum SpanKind {
    /// Not said.
    #[default]
    Unspecified,
    /// Inside a service.
    Internal,
    /// Answers a request.
    Server,
    /// Makes a request.
    Client,
    /// Sends a message.
    Producer,
    /// Handles a message.
    Consumer,
}

impl SpanKind {
    /// Every kind, in the order of OTLP's numbers.
    pub const ALL: [Self; 6] = [
        Self::Unspecified,
        Self::Internal,
        Self::Server,
        Self::Client,
        Self::Producer,
        Self::Consumer,
    ];

    /// The name, as in Datadog's `span.kind`; empty when not said.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "",
            Self::Internal => "internal",
            Self::Server => "server",
            Self::Client => "client",
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        }
    }

    /// The kind with this name, [`SpanKind::Unspecified`] for unknown ones.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name).unwrap_or_default()
    }
}

/// How a span ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum Status {
    /// Not said; Datadog's `error` 0.
    #[default]
    Unset,
    /// Said to be good, OpenTelemetry only.
    Ok,
    /// Failed; Datadog's `error` other than 0.
    Error,
}

impl Status {
    /// Every status, in the order of OTLP's numbers.
    pub const ALL: [Self; 3] = [Self::Unset, Self::Ok, Self::Error];

    /// The name in answers of the query API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unset => "unset",
            Self::Ok => "ok",
            Self::Error => "error",
        }
    }
}

/// Something that happened during a span.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Event<'a> {
    /// Nanoseconds since 1970.
    pub time_ns: u64,
    /// Its name.
    pub name: Text<'a>,
    /// What is known of it.
    pub attributes: Vec<Attribute<'a>>,
}

/// A reference to another span.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Link<'a> {
    /// The other's trace, 128 bits; the upper half is 0 for 64-bit ids.
    pub trace_id: u128,
    /// The other span.
    pub span_id: u64,
    /// W3C `tracestate`.
    pub trace_state: Text<'a>,
    /// What is known of it.
    pub attributes: Vec<Attribute<'a>>,
    /// W3C trace flags.
    pub flags: u32,
}

/// One span.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Span<'a> {
    /// 128 bits; a Datadog id whose upper half is unknown has 0 there and joins the trace with the
    /// same lower half.
    pub trace_id: u128,
    /// Never 0.
    pub span_id: u64,
    /// 0 for a root.
    pub parent_id: u64,
    /// The service.
    pub service: Text<'a>,
    /// The operation: Datadog's `name`, OpenTelemetry's span name.
    pub name: Text<'a>,
    /// What was worked on: Datadog's `resource`; the span name for OpenTelemetry.
    pub resource: Text<'a>,
    /// Datadog's `type` (`web`, `sql`…); empty for OpenTelemetry.
    pub span_type: Text<'a>,
    /// Server, client…
    pub kind: SpanKind,
    /// Nanoseconds since 1970.
    pub start_ns: u64,
    /// Nanoseconds.
    pub duration_ns: u64,
    /// How it ended.
    pub status: Status,
    /// OpenTelemetry's status message; Datadog's `error.message`.
    pub status_message: Text<'a>,
    /// W3C `tracestate`.
    pub trace_state: Text<'a>,
    /// Attributes; for Datadog `meta` as [`Value::Str`], `metrics` as [`Value::Double`] and
    /// `meta_struct` as [`Value::Bytes`], all as sent.
    pub attributes: Vec<Attribute<'a>>,
    /// What happened on the way.
    pub events: Vec<Event<'a>>,
    /// References to other spans.
    pub links: Vec<Link<'a>>,
    /// Who sent it.
    pub origin: Arc<Origin<'a>>,
}

/// What a metric means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum MetricKind {
    /// The last value counts.
    #[default]
    Gauge,
    /// Amounts to be added.
    Count,
    /// Amount per second.
    Rate,
    /// Values in buckets, or a client's timing samples (dogstatsd `h`, `ms`).
    Histogram,
    /// Values whose percentiles are wanted over all hosts (dogstatsd `d`).
    Distribution,
    /// Quantiles that the sender computed.
    Summary,
    /// How many different values.
    Set,
}

impl MetricKind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::Gauge,
        Self::Count,
        Self::Rate,
        Self::Histogram,
        Self::Distribution,
        Self::Summary,
        Self::Set,
    ];

    /// The name in answers of the query API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Count => "count",
            Self::Rate => "rate",
            Self::Histogram => "histogram",
            Self::Distribution => "distribution",
            Self::Summary => "summary",
            Self::Set => "set",
        }
    }
}

/// What was measured.
#[derive(Debug, Clone, PartialEq)]
pub enum Measure<'a> {
    /// One number.
    Number(f64),
    /// One whole number, kept exactly.
    Int(i64),
    /// Several samples, as dogstatsd packs them.
    Samples(Vec<f64>),
    /// Members of a set.
    Members(Vec<Text<'a>>),
    /// Counts in buckets with explicit upper bounds.
    Buckets {
        /// Samples in all buckets.
        count: u64,
        /// Sum of the samples, when sent.
        sum: Option<f64>,
        /// Smallest sample, when sent.
        min: Option<f64>,
        /// Largest sample, when sent.
        max: Option<f64>,
        /// Upper bounds, inclusive; one less than counts.
        bounds: Vec<f64>,
        /// Samples in each bucket.
        counts: Vec<u64>,
    },
    /// Counts in buckets of exponentially growing width (base 2^(2^-scale)).
    Exponential {
        /// Samples in all buckets.
        count: u64,
        /// Sum of the samples, when sent.
        sum: Option<f64>,
        /// Smallest sample, when sent.
        min: Option<f64>,
        /// Largest sample, when sent.
        max: Option<f64>,
        /// The resolution.
        scale: i32,
        /// Samples that count as zero.
        zero_count: u64,
        /// What still counts as zero.
        zero_threshold: f64,
        /// Index of the first positive bucket and the counts from there on.
        positive: (i32, Vec<u64>),
        /// The same for negative samples.
        negative: (i32, Vec<u64>),
    },
    /// Quantiles that the sender computed.
    Quantiles {
        /// How many samples.
        count: u64,
        /// Sum of the samples.
        sum: f64,
        /// Quantile (0 to 1) and its value.
        values: Vec<(f64, f64)>,
    },
}

impl Default for Measure<'_> {
    fn default() -> Self {
        Self::Number(0.0)
    }
}

/// One measurement of a metric.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Point<'a> {
    /// The metric.
    pub name: Text<'a>,
    /// The `service` tag or `service.name`; may be empty.
    pub service: Text<'a>,
    /// What it means.
    pub kind: MetricKind,
    /// What was measured.
    pub value: Measure<'a>,
    /// Nanoseconds since 1970; 0 when not sent, which takes the time of receipt.
    pub time_ns: u64,
    /// Begin of the measured interval, nanoseconds since 1970; 0 when not sent.
    pub start_ns: u64,
    /// Length of the interval in nanoseconds; 0 when not sent.
    pub interval_ns: u64,
    /// How many real samples one stands for: 1 / dogstatsd's sample rate. A decoder has already
    /// multiplied counts with it. 1 by default, where 0 means 1.
    pub weight: f64,
    /// Whether the value is a total since `start_ns` (OTLP cumulative) instead of a difference.
    pub cumulative: bool,
    /// Whether a sum only grows.
    pub monotonic: bool,
    /// Unit, as sent.
    pub unit: Text<'a>,
    /// Description, as sent.
    pub description: Text<'a>,
    /// Tags. A tag without a value has [`Value::Null`]; the same key may come several times.
    pub tags: Vec<Attribute<'a>>,
    /// Who sent it.
    pub origin: Arc<Origin<'a>>,
}

/// How important a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[repr(u8)]
pub enum Level {
    /// Not said.
    #[default]
    Unspecified,
    /// OTLP severity 1 to 4.
    Trace,
    /// OTLP severity 5 to 8.
    Debug,
    /// OTLP severity 9 to 12.
    Info,
    /// OTLP severity 13 to 16.
    Warn,
    /// OTLP severity 17 to 20.
    Error,
    /// OTLP severity 21 to 24.
    Fatal,
}

impl Level {
    /// Every level, in ascending order.
    pub const ALL: [Self; 7] = [
        Self::Unspecified,
        Self::Trace,
        Self::Debug,
        Self::Info,
        Self::Warn,
        Self::Error,
        Self::Fatal,
    ];

    /// The name in answers of the query API; empty when not said.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "",
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }

    /// The level that a logger's own name for it means, in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        const NAMES: [(&str, Level); 20] = [
            ("trace", Level::Trace),
            ("verbose", Level::Trace),
            ("debug", Level::Debug),
            ("dbug", Level::Debug),
            ("info", Level::Info),
            ("information", Level::Info),
            ("notice", Level::Info),
            ("ok", Level::Info),
            ("success", Level::Info),
            ("warn", Level::Warn),
            ("warning", Level::Warn),
            ("error", Level::Error),
            ("err", Level::Error),
            ("fail", Level::Error),
            ("critical", Level::Fatal),
            ("crit", Level::Fatal),
            ("fatal", Level::Fatal),
            ("alert", Level::Fatal),
            ("emergency", Level::Fatal),
            ("panic", Level::Fatal),
        ];
        NAMES
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map_or(Self::Unspecified, |(_, level)| *level)
    }

    /// The level of an OTLP severity number.
    #[must_use]
    pub fn from_severity(number: i32) -> Self {
        match number {
            1..=4 => Self::Trace,
            5..=8 => Self::Debug,
            9..=12 => Self::Info,
            13..=16 => Self::Warn,
            17..=20 => Self::Error,
            21..=24 => Self::Fatal,
            _ => Self::Unspecified,
        }
    }
}

/// One log line; dogstatsd events and service checks are kept as such too.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Log<'a> {
    /// Nanoseconds since 1970; 0 when not sent, which takes the time of receipt.
    pub time_ns: u64,
    /// How important.
    pub level: Level,
    /// The level as the sender named it.
    pub severity: Text<'a>,
    /// What it says.
    pub message: Text<'a>,
    /// The service; may be empty.
    pub service: Text<'a>,
    /// Where it comes from: `ddsource`, `stdout`, `stderr`, `event`, `service_check`, `otlp`.
    pub source: Text<'a>,
    /// 0 when there is none.
    pub trace_id: u128,
    /// 0 when there is none.
    pub span_id: u64,
    /// Attributes and tags.
    pub attributes: Vec<Attribute<'a>>,
    /// Who sent it.
    pub origin: Arc<Origin<'a>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_known_by_their_loggers_names() {
        assert_eq!(Level::from_name("WARNING"), Level::Warn);
        assert_eq!(Level::from_name("nonsense"), Level::Unspecified);
        assert_eq!(Level::from_severity(17), Level::Error);
        assert_eq!(Level::from_severity(99), Level::Unspecified);
    }

    #[test]
    fn numbers_of_enums_are_their_places() {
        for (place, protocol) in Protocol::ALL.into_iter().enumerate() {
            assert_eq!(protocol as usize, place);
        }
        for (place, kind) in SpanKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, place);
        }
        for (place, kind) in MetricKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, place);
        }
        for (place, level) in Level::ALL.into_iter().enumerate() {
            assert_eq!(level as usize, place);
        }
    }
}
