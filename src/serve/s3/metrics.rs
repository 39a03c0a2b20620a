//! Counters of requests, as Prometheus text. It counts; it measures nothing
//! itself.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::store::Store;

/// Upper bounds of the histogram of durations, in microseconds.
const BOUNDS: [u64; 12] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 5_000_000,
    30_000_000,
];

#[derive(Debug, Default)]
struct Series {
    requests: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    micros: AtomicU64,
    buckets: [AtomicU64; BOUNDS.len()],
}

/// All counters, by operation and status.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    series: RwLock<BTreeMap<(&'static str, u16), Arc<Series>>>,
    faults: AtomicU64,
}

impl Metrics {
    /// Counts a request.
    pub(crate) fn count(
        &self,
        operation: &'static str,
        status: u16,
        bytes_in: u64,
        bytes_out: u64,
        duration: Duration,
    ) {
        let series = self.series(operation, status);
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        series.requests.fetch_add(1, Ordering::Relaxed);
        series.bytes_in.fetch_add(bytes_in, Ordering::Relaxed);
        series.bytes_out.fetch_add(bytes_out, Ordering::Relaxed);
        series.micros.fetch_add(micros, Ordering::Relaxed);
        if let Some(at) = BOUNDS.iter().position(|bound| micros <= *bound) {
            series.buckets[at].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a request that a fault rule was applied to.
    pub(crate) fn count_fault(&self) {
        self.faults.fetch_add(1, Ordering::Relaxed);
    }

    fn series(&self, operation: &'static str, status: u16) -> Arc<Series> {
        let key = (operation, status);
        if let Some(series) = self.series.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(series);
        }
        let mut all = self.series.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(key).or_default())
    }

    /// All requests so far.
    pub(crate) fn requests(&self) -> u64 {
        let all = self.series.read().unwrap_or_else(PoisonError::into_inner);
        all.values().map(|series| series.requests.load(Ordering::Relaxed)).sum()
    }

    /// The text for a scrape.
    pub(crate) fn text(&self, store: &Store, clock_offset_ms: i64) -> String {
        let mut out = String::new();
        let all: Vec<_> = {
            let all = self.series.read().unwrap_or_else(PoisonError::into_inner);
            all.iter().map(|(key, series)| (*key, Arc::clone(series))).collect()
        };
        head(&mut out, "sandbox_s3_requests_total", "counter", "Requests by operation and status.");
        for ((operation, status), series) in &all {
            let n = series.requests.load(Ordering::Relaxed);
            let _ = writeln!(
                out,
                "sandbox_s3_requests_total{{operation=\"{operation}\",status=\"{status}\"}} {n}"
            );
        }
        for (name, help, pick) in [
            ("sandbox_s3_received_bytes_total", "Payload bytes of requests.", 0),
            ("sandbox_s3_sent_bytes_total", "Bytes of answers' bodies.", 1),
        ] {
            head(&mut out, name, "counter", help);
            for (operation, sum) in by_operation(&all, |series| {
                let counter = if pick == 0 { &series.bytes_in } else { &series.bytes_out };
                counter.load(Ordering::Relaxed)
            }) {
                let _ = writeln!(out, "{name}{{operation=\"{operation}\"}} {sum}");
            }
        }
        durations(&mut out, &all);
        head(
            &mut out,
            "sandbox_s3_faults_total",
            "counter",
            "Requests that a fault rule was applied to.",
        );
        let _ = writeln!(out, "sandbox_s3_faults_total {}", self.faults.load(Ordering::Relaxed));
        head(&mut out, "sandbox_s3_clock_offset_seconds", "gauge", "How far the clock was moved.");
        let _ = writeln!(out, "sandbox_s3_clock_offset_seconds {}", clock_offset_ms / 1000);
        store_figures(&mut out, store);
        out
    }
}

type All = [((&'static str, u16), Arc<Series>)];

fn by_operation(all: &All, value: impl Fn(&Series) -> u64) -> BTreeMap<&'static str, u64> {
    let mut sums = BTreeMap::new();
    for ((operation, _), series) in all {
        *sums.entry(*operation).or_default() += value(series);
    }
    sums
}

fn durations(out: &mut String, all: &All) {
    let name = "sandbox_s3_request_duration_seconds";
    head(out, name, "histogram", "Time from the request to the end of the answer.");
    let operations = by_operation(all, |series| series.requests.load(Ordering::Relaxed));
    for (operation, count) in operations {
        let mine = || all.iter().filter(|((name, _), _)| *name == operation).map(|(_, s)| s);
        let mut so_far = 0;
        for (at, bound) in BOUNDS.iter().enumerate() {
            so_far += mine().map(|s| s.buckets[at].load(Ordering::Relaxed)).sum::<u64>();
            let seconds = Duration::from_micros(*bound).as_secs_f64();
            let _ = writeln!(
                out,
                "{name}_bucket{{operation=\"{operation}\",le=\"{seconds}\"}} {so_far}"
            );
        }
        let micros = mine().map(|s| s.micros.load(Ordering::Relaxed)).sum();
        let seconds = Duration::from_micros(micros).as_secs_f64();
        let _ = writeln!(out, "{name}_bucket{{operation=\"{operation}\",le=\"+Inf\"}} {count}");
        let _ = writeln!(out, "{name}_sum{{operation=\"{operation}\"}} {seconds}");
        let _ = writeln!(out, "{name}_count{{operation=\"{operation}\"}} {count}");
    }
}

fn store_figures(out: &mut String, store: &Store) {
    let (all, log) = (store.figures(), store.log_figures());
    for (name, help, value) in [
        ("sandbox_s3_objects", "Keys whose current version is an object.", all.objects),
        ("sandbox_s3_versions", "Versions that are no delete markers.", all.versions),
        ("sandbox_s3_delete_markers", "Delete markers.", all.delete_markers),
        ("sandbox_s3_stored_bytes", "Bytes of all versions.", all.bytes),
        ("sandbox_s3_uploads", "Open multipart uploads.", all.uploads),
        ("sandbox_s3_part_bytes", "Bytes of parts of open uploads.", all.part_bytes),
        ("sandbox_s3_log_bytes", "Bytes of the store's log.", log.bytes),
        ("sandbox_s3_log_live_bytes", "Bytes of the log that still count.", log.live_bytes),
        ("sandbox_s3_body_files", "Files of large bodies.", log.body_files),
    ] {
        head(out, name, "gauge", help);
        let _ = writeln!(out, "{name} {value}");
    }
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
}
