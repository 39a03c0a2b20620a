//! Spans, measurements and log lines as rows of a segment.
//!
//! Owns which parts are in the row, where filters find them at once, and which are packed. Reading
//! a row gives back the item that was written, borrowed from the segment.

use std::sync::Arc;

use super::super::model::{
    Event, Level, Link, Log, MetricKind, Origin, Point, Span, SpanKind, Status, Value,
};
use super::codec::{Reader, Writer};
use super::measure;
use super::segment::{Head, Header, Row, Segment, high_half, low_half};
use super::symbols::Symbol;

/// A span.
#[derive(Debug)]
pub(crate) struct SpanRow {
    head: Head,
    trace: [u64; 2],
    pub(crate) span_id: u64,
    pub(crate) parent_id: u64,
    pub(crate) duration_ns: u64,
    pub(crate) resource: Symbol,
    pub(crate) span_type: Symbol,
    pub(crate) kind: SpanKind,
    pub(crate) status: Status,
    /// Whether a request enters a service here.
    pub(crate) entry: bool,
}

/// A measurement.
#[derive(Debug)]
pub(crate) struct PointRow {
    head: Head,
    pub(crate) kind: MetricKind,
    pub(crate) unit: Symbol,
    pub(crate) description: Symbol,
    pub(crate) start_ns: u64,
    pub(crate) interval_ns: u64,
    pub(crate) weight: f64,
    pub(crate) cumulative: bool,
    pub(crate) monotonic: bool,
}

/// A log line.
#[derive(Debug)]
pub(crate) struct LogRow {
    head: Head,
    trace: [u64; 2],
    pub(crate) span_id: u64,
    pub(crate) level: Level,
    pub(crate) severity: Symbol,
}

impl Row for SpanRow {
    type Item<'a> = Span<'a>;

    fn header<'i>(item: &'i Span<'_>) -> Header<'i> {
        Header {
            service: &item.service,
            name: &item.name,
            time_ns: item.start_ns,
            trace_id: item.trace_id,
            origin: &item.origin,
            origin_at: address(&item.origin),
        }
    }

    fn pack(item: &Span<'_>, head: Head, mut writer: Writer<'_>) -> Self {
        writer.attributes(&item.attributes);
        writer.text(&item.status_message);
        writer.text(&item.trace_state);
        writer.number(item.events.len() as u64);
        for event in &item.events {
            writer.number(event.time_ns);
            writer.symbol(&event.name);
            writer.attributes(&event.attributes);
        }
        writer.number(item.links.len() as u64);
        for link in &item.links {
            writer.number(high_half(link.trace_id));
            writer.number(low_half(link.trace_id));
            writer.number(link.span_id);
            writer.number(u64::from(link.flags));
            writer.text(&link.trace_state);
            writer.attributes(&link.attributes);
        }
        Self {
            trace: [high_half(item.trace_id), low_half(item.trace_id)],
            span_id: item.span_id,
            parent_id: item.parent_id,
            duration_ns: item.duration_ns,
            resource: writer.symbols.intern(&item.resource),
            span_type: writer.symbols.intern(&item.span_type),
            kind: item.kind,
            status: item.status,
            entry: is_entry(item),
            head,
        }
    }

    fn head(&self) -> &Head {
        &self.head
    }

    fn trace(&self) -> u128 {
        whole(self.trace)
    }
}

/// Servers, consumers and roots; Datadog says it with a metric of its own.
fn is_entry(span: &Span<'_>) -> bool {
    let top_level = || {
        span.attributes.iter().any(|(key, value)| {
            (key == "_dd.top_level" || key == "_top_level") && *value == Value::Double(1.0)
        })
    };
    match span.kind {
        SpanKind::Server | SpanKind::Consumer => true,
        SpanKind::Client | SpanKind::Producer => span.parent_id == 0,
        SpanKind::Unspecified | SpanKind::Internal => span.parent_id == 0 || top_level(),
    }
}

impl Row for PointRow {
    type Item<'a> = Point<'a>;

    fn header<'i>(item: &'i Point<'_>) -> Header<'i> {
        Header {
            service: &item.service,
            name: &item.name,
            time_ns: item.time_ns,
            trace_id: 0,
            origin: &item.origin,
            origin_at: address(&item.origin),
        }
    }

    fn pack(item: &Point<'_>, head: Head, mut writer: Writer<'_>) -> Self {
        writer.attributes(&item.tags);
        measure::write(&item.value, &mut writer);
        Self {
            head,
            kind: item.kind,
            unit: writer.symbols.intern(&item.unit),
            description: writer.symbols.intern(&item.description),
            start_ns: item.start_ns,
            interval_ns: item.interval_ns,
            weight: if item.weight > 0.0 { item.weight } else { 1.0 },
            cumulative: item.cumulative,
            monotonic: item.monotonic,
        }
    }

    fn head(&self) -> &Head {
        &self.head
    }
}

impl Row for LogRow {
    type Item<'a> = Log<'a>;

    fn header<'i>(item: &'i Log<'_>) -> Header<'i> {
        Header {
            service: &item.service,
            name: &item.source,
            time_ns: item.time_ns,
            trace_id: item.trace_id,
            origin: &item.origin,
            origin_at: address(&item.origin),
        }
    }

    fn pack(item: &Log<'_>, head: Head, mut writer: Writer<'_>) -> Self {
        writer.attributes(&item.attributes);
        writer.text(&item.message);
        Self {
            head,
            trace: [high_half(item.trace_id), low_half(item.trace_id)],
            span_id: item.span_id,
            level: item.level,
            severity: writer.symbols.intern(&item.severity),
        }
    }

    fn head(&self) -> &Head {
        &self.head
    }

    fn trace(&self) -> u128 {
        whole(self.trace)
    }
}

impl<R: Row> Segment<R> {
    /// Calls `each` for every attribute of a row until it answers true; whether it did.
    pub(crate) fn any_attribute<'s>(
        &'s self,
        row: &R,
        each: impl FnMut(&'s str, &Value<'s>) -> bool,
    ) -> bool {
        self.packed(row.head()).any_attribute(each)
    }

    /// The same for the attributes of who sent it.
    pub(crate) fn any_origin_attribute<'s>(
        &'s self,
        row: &R,
        each: impl FnMut(&'s str, &Value<'s>) -> bool,
    ) -> bool {
        self.origin_attributes(row.head().origin).any_attribute(each)
    }

    fn origin_of(&self, row: &R) -> Arc<Origin<'_>> {
        Arc::new(self.origin(row.head().origin))
    }
}

impl Segment<SpanRow> {
    /// The span of a row.
    pub(crate) fn span(&self, row: &SpanRow) -> Span<'_> {
        let mut packed = self.packed(&row.head);
        let attributes = packed.attributes();
        let status_message = packed.text().into();
        let trace_state = packed.text().into();
        let count = packed.length();
        let events = (0..count).map(|_| read_event(&mut packed)).collect();
        let count = packed.length();
        let links = (0..count).map(|_| read_link(&mut packed)).collect();
        Span {
            trace_id: row.trace(),
            span_id: row.span_id,
            parent_id: row.parent_id,
            service: self.text(row.head.service).into(),
            name: self.text(row.head.name).into(),
            resource: self.text(row.resource).into(),
            span_type: self.text(row.span_type).into(),
            kind: row.kind,
            start_ns: row.head.time_ns,
            duration_ns: row.duration_ns,
            status: row.status,
            status_message,
            trace_state,
            attributes,
            events,
            links,
            origin: self.origin_of(row),
        }
    }
}

impl Segment<PointRow> {
    /// The measurement of a row.
    pub(crate) fn point(&self, row: &PointRow) -> Point<'_> {
        let mut packed = self.packed(&row.head);
        let tags = packed.attributes();
        Point {
            name: self.text(row.head.name).into(),
            service: self.text(row.head.service).into(),
            kind: row.kind,
            value: measure::read(&mut packed),
            time_ns: row.head.time_ns,
            start_ns: row.start_ns,
            interval_ns: row.interval_ns,
            weight: row.weight,
            cumulative: row.cumulative,
            monotonic: row.monotonic,
            unit: self.text(row.unit).into(),
            description: self.text(row.description).into(),
            tags,
            origin: self.origin_of(row),
        }
    }
}

impl Segment<LogRow> {
    /// What the log line of a row says.
    pub(crate) fn message(&self, row: &LogRow) -> &str {
        let mut packed = self.packed(&row.head);
        packed.skip_attributes();
        packed.text()
    }

    /// The log line of a row.
    pub(crate) fn log(&self, row: &LogRow) -> Log<'_> {
        let mut packed = self.packed(&row.head);
        let attributes = packed.attributes();
        Log {
            time_ns: row.head.time_ns,
            level: row.level,
            severity: self.text(row.severity).into(),
            message: packed.text().into(),
            service: self.text(row.head.service).into(),
            source: self.text(row.head.name).into(),
            trace_id: row.trace(),
            span_id: row.span_id,
            attributes,
            origin: self.origin_of(row),
        }
    }
}

fn read_event<'s>(packed: &mut Reader<'s>) -> Event<'s> {
    Event {
        time_ns: packed.number(),
        name: packed.symbol().into(),
        attributes: packed.attributes(),
    }
}

fn read_link<'s>(packed: &mut Reader<'s>) -> Link<'s> {
    Link {
        trace_id: whole([packed.number(), packed.number()]),
        span_id: packed.number(),
        flags: u32::try_from(packed.number()).unwrap_or(0),
        trace_state: packed.text().into(),
        attributes: packed.attributes(),
    }
}

fn whole([upper, lower]: [u64; 2]) -> u128 {
    u128::from(upper) << 64 | u128::from(lower)
}

fn address(origin: &Arc<Origin<'_>>) -> usize {
    Arc::as_ptr(origin).addr()
}
