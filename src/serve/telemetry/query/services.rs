//! Services: rate, errors and latency of each, and who calls whom.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Value as Json, json};

use super::super::model::Status;
use super::super::store::{Row, Segment, Store, now_ns};
use super::aggregate::percentile;
use super::filter::{Filter, Wait};
use super::params::Params;
use super::scan::scan;
use super::time::{SECOND, float, milliseconds};
use super::{Answer, Question, Refusal};

/// The asked time when none is given, in nanoseconds.
const WINDOW: u64 = 900 * SECOND;
/// Parts of the asked time in small plots.
const BUCKETS: usize = 40;
/// So many durations are looked at for percentiles of a service.
const DURATIONS: usize = 50_000;
/// So many spans are remembered to tell who called whom.
const CALLERS: usize = 200_000;

/// `GET /sandbox/v1/services`.
#[derive(Debug)]
pub(super) struct Services {
    filter: Filter,
    wait: Wait,
}

impl Services {
    pub(super) fn read(mut params: Params, store: &Store) -> Result<Self, Refusal> {
        let mut filter = Filter::read(&mut params, store)?;
        let wait = Wait::read(&mut params)?;
        params.finish()?;
        if filter.since_ns.is_none() && filter.after == 0 {
            filter.since_ns = Some(now_ns().saturating_sub(WINDOW));
        }
        Ok(Self { filter, wait })
    }
}

#[derive(Debug, Default)]
struct Service {
    envs: BTreeSet<String>,
    versions: BTreeSet<String>,
    languages: BTreeSet<String>,
    protocols: BTreeSet<&'static str>,
    spans: u64,
    requests: u64,
    errors: u64,
    logs: u64,
    points: u64,
    first_ns: u64,
    last_ns: u64,
    durations: Vec<(f64, f64)>,
    buckets: Vec<(u64, u64)>,
}

impl Service {
    fn see<R: Row>(&mut self, segment: &Segment<R>, row: &R) {
        let head = row.head();
        if self.last_ns == 0 {
            self.first_ns = head.time_ns;
        }
        self.first_ns = self.first_ns.min(head.time_ns);
        self.last_ns = self.last_ns.max(head.time_ns);
        self.protocols.insert(head.protocol.as_str());
        let origin = segment.origin_fields(head.origin);
        for (set, text) in [
            (&mut self.envs, origin.env),
            (&mut self.versions, origin.version),
            (&mut self.languages, origin.language),
        ] {
            if !text.is_empty() && !set.contains(text) {
                set.insert(text.to_owned());
            }
        }
    }

    fn request(&mut self, duration_ns: u64, failed: bool, bucket: usize) {
        self.requests += 1;
        self.errors += u64::from(failed);
        if self.durations.len() < DURATIONS {
            self.durations.push((float(duration_ns), 1.0));
        }
        self.buckets.resize(BUCKETS, (0, 0));
        if let Some((requests, errors)) = self.buckets.get_mut(bucket) {
            *requests += 1;
            *errors += u64::from(failed);
        }
    }

    fn json(&self, name: &str, window: (u64, u64)) -> Json {
        let (since_ns, until_ns) = window;
        let seconds = (float(until_ns.saturating_sub(since_ns)) / 1.0e9).max(1.0);
        let step = bucket_ns(window);
        let buckets: Vec<Json> = (0_u64..)
            .zip(&self.buckets)
            .map(|(at, (requests, errors))| {
                let begin = since_ns.saturating_add(step.saturating_mul(at));
                json!({ "t_ms": milliseconds(begin), "requests": requests, "errors": errors })
            })
            .collect();
        let percentile = |percent| percentile(self.durations.clone(), percent);
        json!({
            "name": name,
            "envs": self.envs,
            "versions": self.versions,
            "languages": self.languages,
            "protocols": self.protocols,
            "spans": self.spans,
            "requests": self.requests,
            "errors": self.errors,
            "rate": float(self.requests) / seconds,
            "p50_ns": percentile(50.0),
            "p95_ns": percentile(95.0),
            "p99_ns": percentile(99.0),
            "logs": self.logs,
            "points": self.points,
            "first_ms": milliseconds(self.first_ns),
            "last_ms": milliseconds(self.last_ns),
            "buckets": buckets,
        })
    }
}

impl Question for Services {
    fn wait(&self) -> &Wait {
        &self.wait
    }

    fn answer(&self, store: &Store) -> Answer {
        let mut services: HashMap<String, Service> = HashMap::new();
        let segments = store.spans().segments();
        let mut first_ns = u64::MAX;
        if self.filter.since_ns.is_none() {
            scan(&segments, &self.filter, false, &mut |_, _, row| {
                first_ns = first_ns.min(row.head().time_ns);
            });
        }
        let until_ns = self.filter.until_ns.unwrap_or_else(now_ns);
        let since_ns = self.filter.since_ns.unwrap_or_else(|| first_ns.min(until_ns));
        let window = (since_ns, until_ns);
        let step = bucket_ns(window);
        let mut calls = Calls::default();
        scan(&segments, &self.filter, false, &mut |_, segment, row| {
            let name = segment.text(row.head().service);
            let service = entry(&mut services, name);
            service.see(segment, row);
            service.spans += 1;
            let failed = row.status == Status::Error;
            if row.entry {
                let at = row.head().time_ns.saturating_sub(since_ns) / step;
                service.request(row.duration_ns, failed, usize::try_from(at).unwrap_or(BUCKETS));
            }
            calls.see(name, row.span_id, row.parent_id, failed);
        });
        scan(&store.logs().segments(), &self.filter, false, &mut |_, segment, row| {
            let service = entry(&mut services, segment.text(row.head().service));
            service.see(segment, row);
            service.logs += 1;
        });
        scan(&store.points().segments(), &self.filter, false, &mut |_, segment, row| {
            let service = entry(&mut services, segment.text(row.head().service));
            service.see(segment, row);
            service.points += 1;
        });
        // Nobody's logs and measurements are no service.
        services.remove("");
        let services: BTreeMap<String, Service> = services.into_iter().collect();
        let total = services.len() as u64;
        let told: Vec<Json> =
            services.iter().map(|(name, service)| service.json(name, window)).collect();
        let body = json!({
            "since_ms": milliseconds(since_ns),
            "until_ms": milliseconds(until_ns),
            "services": told,
            "edges": calls.json(),
        });
        Answer { total, met: self.wait.is_met(total), body }
    }
}

fn entry<'s>(services: &'s mut HashMap<String, Service>, name: &str) -> &'s mut Service {
    if !services.contains_key(name) {
        services.insert(name.to_owned(), Service::default());
    }
    services.entry(name.to_owned()).or_default()
}

fn bucket_ns((since_ns, until_ns): (u64, u64)) -> u64 {
    (until_ns.saturating_sub(since_ns) / BUCKETS as u64).max(1)
}

/// Who calls whom.
#[derive(Debug, Default)]
struct Calls {
    names: Vec<String>,
    numbers: HashMap<String, usize>,
    /// The service of each span.
    spans: HashMap<u64, usize>,
    /// Spans with their parent, service and whether they failed.
    called: Vec<(u64, usize, bool)>,
}

impl Calls {
    fn see(&mut self, service: &str, span_id: u64, parent_id: u64, failed: bool) {
        if self.spans.len() >= CALLERS {
            return;
        }
        let number = if let Some(number) = self.numbers.get(service) {
            *number
        } else {
            self.names.push(service.to_owned());
            self.numbers.insert(service.to_owned(), self.names.len() - 1);
            self.names.len() - 1
        };
        self.spans.insert(span_id, number);
        if parent_id != 0 {
            self.called.push((parent_id, number, failed));
        }
    }

    fn json(&self) -> Vec<Json> {
        let mut edges: BTreeMap<(&str, &str), (u64, u64)> = BTreeMap::new();
        for (parent, to, failed) in &self.called {
            let Some(from) = self.spans.get(parent).filter(|from| *from != to) else { continue };
            let names = (self.names.get(*from), self.names.get(*to));
            if let (Some(from), Some(to)) = names {
                let (spans, errors) = edges.entry((from, to)).or_default();
                *spans += 1;
                *errors += u64::from(*failed);
            }
        }
        edges
            .into_iter()
            .map(|((from, to), (spans, errors))| {
                json!({ "from": from, "to": to, "spans": spans, "errors": errors })
            })
            .collect()
    }
}
