//! The store: all telemetry that came in, bounded by bytes and age.
//!
//! Owns receipt, numbering, eviction and runs. Knows neither wire formats nor questions; those read
//! segments.

mod codec;
mod counters;
mod measure;
mod raw;
mod rows;
mod runs;
mod segment;
mod symbols;
mod table;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

pub use counters::{Counter, Counters};
pub use raw::{Raw, session_token};
pub(crate) use rows::{LogRow, PointRow, SpanRow};
pub use runs::{Run, Runs};
pub(crate) use segment::{OriginFields, Row, Segment, high_half, low_half};
pub(crate) use symbols::Symbol;
pub use table::Figures;
pub(crate) use table::{Shared, Table, read};

use super::model::{Log, Point, Protocol, Span};
use table::Full;

/// Segments hold this part of the limits, so that eviction takes little at a time.
const PARTS: u64 = 32;
/// No segment is larger, in bytes.
const LARGEST_SEGMENT: u64 = 16 << 20;
/// No segment is meant to be smaller, in bytes.
const SMALLEST_SEGMENT: u64 = 4 << 10;
/// At most so many bytes of requests are kept as they came, and at most a sixteenth of all.
const LARGEST_RAW: u64 = 16 << 20;

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of spans, points, logs and raw requests together. Default 512 MiB.
    pub bytes: u64,
    /// How long an item is kept after its receipt. Default 24 hours.
    pub age: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 512 << 20, age: Duration::from_secs(24 * 3600) }
    }
}

/// Everything that came in.
#[derive(Debug)]
pub struct Store {
    limits: Limits,
    counters: Counters,
    runs: Runs,
    seq: AtomicU64,
    changed: watch::Sender<u64>,
    spans: Table<SpanRow>,
    points: Table<PointRow>,
    logs: Table<LogRow>,
    raw: Mutex<RawRing>,
    /// The turn of who makes room.
    evicting: Mutex<()>,
}

#[derive(Debug, Default)]
struct RawRing {
    requests: VecDeque<Numbered>,
    figures: Figures,
}

#[derive(Debug)]
struct Numbered {
    number: u64,
    received_ns: u64,
    raw: Raw,
}

impl RawRing {
    /// Lets the oldest go; false when there is none.
    fn evict(&mut self) -> bool {
        let Some(gone) = self.requests.pop_front() else { return false };
        self.figures.bytes -= gone.raw.size() as u64;
        self.figures.stored -= 1;
        self.figures.evicted += 1;
        true
    }
}

impl Store {
    /// An empty store.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            counters: Counters::default(),
            runs: Runs::default(),
            seq: AtomicU64::new(0),
            changed: watch::Sender::new(0),
            spans: Table::new(),
            points: Table::new(),
            logs: Table::new(),
            raw: Mutex::default(),
            evicting: Mutex::default(),
        }
    }

    /// How much is kept.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// What was counted so far, by endpoint.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The scopes of checks.
    #[must_use]
    pub fn runs(&self) -> &Runs {
        &self.runs
    }

    /// The number of the last item that came in.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq.load(Ordering::SeqCst)
    }

    /// Begins a run with what comes in from now on.
    pub fn begin_run(&self, id: &str) -> Run {
        self.runs.begin(id, self.seq(), now_ns())
    }

    /// Tells when something came in.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Keeps spans. Never waits for anything but other batches.
    pub fn add_spans(&self, protocol: Protocol, spans: &[Span<'_>]) {
        self.spans.add(spans, protocol, now_ns(), &self.seq, self.full());
        self.received();
    }

    /// Keeps measurements.
    pub fn add_points(&self, protocol: Protocol, points: &[Point<'_>]) {
        self.points.add(points, protocol, now_ns(), &self.seq, self.full());
        self.received();
    }

    /// Keeps log lines.
    pub fn add_logs(&self, protocol: Protocol, logs: &[Log<'_>]) {
        self.logs.add(logs, protocol, now_ns(), &self.seq, self.full());
        self.received();
    }

    /// Keeps a request as it came, for `/test/session/requests` and for what is not decoded. One
    /// that is too large for all of them is only counted.
    pub fn add_raw(&self, raw: Raw) {
        let number = self.seq.fetch_add(1, Ordering::SeqCst) + 1;
        let size = raw.size() as u64;
        let limit = LARGEST_RAW.min(self.limits.bytes / 16);
        let mut ring = self.raw_ring();
        ring.figures.received += 1;
        if size > limit {
            ring.figures.evicted += 1;
        } else {
            ring.requests.push_back(Numbered { number, received_ns: now_ns(), raw });
            ring.figures.stored += 1;
            ring.figures.bytes += size;
        }
        while ring.figures.bytes > limit && ring.evict() {}
        drop(ring);
        self.changed.send_replace(number);
    }

    /// The requests that are still kept, with their numbers, oldest first.
    #[must_use]
    pub fn raw(&self) -> Vec<(u64, Raw)> {
        self.raw_ring().requests.iter().map(|one| (one.number, one.raw.clone())).collect()
    }

    fn raw_ring(&self) -> MutexGuard<'_, RawRing> {
        self.raw.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn spans(&self) -> &Table<SpanRow> {
        &self.spans
    }

    pub(crate) fn points(&self) -> &Table<PointRow> {
        &self.points
    }

    pub(crate) fn logs(&self) -> &Table<LogRow> {
        &self.logs
    }

    /// Figures of spans, points, logs and raw requests.
    #[must_use]
    pub fn figures(&self) -> [(&'static str, Figures); 4] {
        [
            ("spans", self.spans.figures()),
            ("points", self.points.figures()),
            ("logs", self.logs.figures()),
            ("raw", self.raw_ring().figures),
        ]
    }

    /// Forgets all spans; how many there were.
    pub fn clear_spans(&self) -> u64 {
        self.spans.clear()
    }

    /// Forgets all measurements; how many there were.
    pub fn clear_points(&self) -> u64 {
        self.points.clear()
    }

    /// Forgets all log lines; how many there were.
    pub fn clear_logs(&self) -> u64 {
        self.logs.clear()
    }

    /// Forgets all requests; how many there were.
    pub fn clear_raw(&self) -> u64 {
        let mut ring = self.raw_ring();
        let count = ring.requests.len() as u64;
        ring.requests.clear();
        ring.figures.bytes = 0;
        ring.figures.stored = 0;
        count
    }

    /// Lets go what is older than the limit. Called now and then, as nothing else notices when
    /// nothing comes in.
    pub fn evict_aged(&self) {
        let age = u64::try_from(self.limits.age.as_nanos()).unwrap_or(u64::MAX);
        self.evict_before(now_ns().saturating_sub(age));
    }

    fn evict_before(&self, oldest_ns: u64) {
        self.spans.evict_before(oldest_ns);
        self.points.evict_before(oldest_ns);
        self.logs.evict_before(oldest_ns);
        let mut ring = self.raw_ring();
        let is_old = |one: &Numbered| one.received_ns < oldest_ns;
        while ring.requests.front().is_some_and(is_old) && ring.evict() {}
    }

    fn received(&self) {
        let bytes = || {
            let raw = LARGEST_RAW.min(self.limits.bytes / 16);
            let [spans, points, logs] =
                [self.spans.figures(), self.points.figures(), self.logs.figures()];
            raw + spans.bytes + points.bytes + logs.bytes
        };
        // Of two who find too much at the same time, only one makes room for both.
        let turn = || self.evicting.lock().unwrap_or_else(PoisonError::into_inner);
        let _turn = (bytes() > self.limits.bytes).then(turn);
        while bytes() > self.limits.bytes {
            let oldest = [self.spans.oldest(), self.points.oldest(), self.logs.oldest()];
            let Some(first) = oldest.into_iter().flatten().min() else { break };
            match oldest.iter().position(|began| *began == Some(first)) {
                Some(0) => self.spans.evict_oldest(),
                Some(1) => self.points.evict_oldest(),
                _ => self.logs.evict_oldest(),
            }
        }
        self.changed.send_replace(self.seq());
    }

    fn full(&self) -> Full {
        let age = u64::try_from(self.limits.age.as_nanos()).unwrap_or(u64::MAX);
        Full {
            bytes: (self.limits.bytes / PARTS).clamp(SMALLEST_SEGMENT, LARGEST_SEGMENT),
            age_ns: age / PARTS,
        }
    }
}

/// Nanoseconds since 1970.
#[must_use]
pub fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
