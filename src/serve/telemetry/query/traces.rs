//! Traces: which there are, and one of them as a waterfall.
//!
//! Owns how spans become traces. Spans belong together when the lower halves of their trace ids
//! agree and the upper halves do where both are known: a Datadog client may send 64 bits of an id
//! of which OpenTelemetry sends all 128.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::{Value as Json, json};

use super::super::model::{Status, parse_trace_id};
use super::super::store::{Row, Segment, Shared, SpanRow, Store, high_half, low_half, read};
use super::condition::Comparison;
use super::filter::{Filter, Order, Wait, comparison, read_page};
use super::params::Params;
use super::scan::{Place, same_trace, scan, select};
use super::time::{float, milliseconds};
use super::{Answer, Question, Refusal, json as shape};

/// `GET /sandbox/v1/traces`.
#[derive(Debug)]
pub(super) struct Traces {
    filter: Filter,
    whole: WholeTrace,
    page: (usize, Order),
    wait: Wait,
}

/// Filters on a trace as a whole.
#[derive(Debug, Default)]
struct WholeTrace {
    services: Vec<String>,
    spans: Option<(Comparison, f64)>,
    min_duration: Option<u64>,
    max_duration: Option<u64>,
    error: Option<bool>,
}

impl Traces {
    pub(super) fn read(mut params: Params, store: &Store) -> Result<Self, Refusal> {
        let mut filter = Filter::read(&mut params, store)?;
        filter.read_span(&mut params)?;
        // What a trace takes and whether it failed is asked of the whole.
        let mut whole = WholeTrace {
            services: Vec::new(),
            spans: params.read("spans", comparison)?,
            min_duration: filter.min_duration.take(),
            max_duration: filter.max_duration.take(),
            error: filter.error.take(),
        };
        for services in params.all("services") {
            whole.services.extend(services.split(',').map(|name| name.trim().to_owned()));
        }
        match filter.status.take() {
            Some(Status::Error) => whole.error = Some(true),
            Some(_) => whole.error = Some(false),
            None => {}
        }
        let page = read_page(&mut params)?;
        let wait = Wait::read(&mut params)?;
        params.finish()?;
        Ok(Self { filter, whole, page, wait })
    }
}

impl WholeTrace {
    fn is_any(&self) -> bool {
        self.services.is_empty()
            && self.spans.is_none()
            && self.min_duration.is_none()
            && self.max_duration.is_none()
            && self.error.is_none()
    }

    fn fits(&self, summary: &Summary) -> bool {
        self.services.iter().all(|service| summary.services.contains(service))
            && self
                .spans
                .is_none_or(|(comparison, wanted)| comparison.holds(float(summary.spans), wanted))
            && self.min_duration.is_none_or(|least| summary.duration_ns() >= least)
            && self.max_duration.is_none_or(|most| summary.duration_ns() <= most)
            && self.error.is_none_or(|error| error == (summary.errors > 0))
    }
}

impl Question for Traces {
    fn wait(&self) -> &Wait {
        &self.wait
    }

    fn answer(&self, store: &Store) -> Answer {
        let (limit, order) = self.page;
        let segments = store.spans().segments();
        let mut known = HashSet::new();
        let mut found: Vec<u128> = Vec::new();
        scan(&segments, &self.filter, order != Order::Oldest, &mut |_, _, row| {
            let id = row.trace();
            if id != 0 && known.insert(id) {
                found.push(id);
            }
        });
        let found = joined(&segments, found);
        let mut total = found.len() as u64;
        let mut summaries = Vec::new();
        if self.whole.is_any() && order != Order::Slowest {
            let first = found.iter().take(limit);
            summaries.extend(first.map(|id| Summary::new(&segments, *id)));
        } else {
            let all = found.iter().map(|id| Summary::new(&segments, *id));
            summaries.extend(all.filter(|summary| self.whole.fits(summary)));
            total = summaries.len() as u64;
        }
        if order == Order::Slowest {
            summaries.sort_by_key(|summary| std::cmp::Reverse(summary.duration_ns()));
        }
        summaries.truncate(limit);
        let logs = logs_of(store, &summaries);
        let traces: Vec<Json> = summaries
            .iter()
            .map(|summary| summary.json(logs.get(&low_half(summary.id)).copied().unwrap_or(0)))
            .collect();
        Answer { total, met: self.wait.is_met(total), body: json!({ "traces": traces }) }
    }
}

/// Ids of 64 bits make way for the whole ids that they belong to.
fn joined(segments: &[Shared<SpanRow>], found: Vec<u128>) -> Vec<u128> {
    let mut seen = HashSet::new();
    found
        .into_iter()
        .map(|id| if high_half(id) == 0 { whole_id(segments, id) } else { id })
        .filter(|id| seen.insert(*id))
        .collect()
}

/// The id with its upper half, when some span tells.
fn whole_id(segments: &[Shared<SpanRow>], id: u128) -> u128 {
    if high_half(id) != 0 {
        return id;
    }
    for shared in segments {
        let segment = read(shared);
        let known = segment
            .of_trace(low_half(id))
            .filter_map(|place| segment.rows().get(place as usize))
            .map(Row::trace)
            .filter(|other| high_half(*other) != 0)
            .last();
        if let Some(whole) = known {
            return whole;
        }
    }
    id
}

/// How many log lines each trace has, by the lower half of its id.
fn logs_of(store: &Store, summaries: &[Summary]) -> HashMap<u64, u64> {
    let mut counts = HashMap::new();
    for shared in store.logs().segments() {
        let segment = read(&shared);
        for summary in summaries {
            let lower = low_half(summary.id);
            let count = segment.of_trace(lower).count() as u64;
            if count > 0 {
                *counts.entry(lower).or_default() += count;
            }
        }
    }
    counts
}

/// What is told of a trace in a list.
#[derive(Debug, Default)]
struct Summary {
    id: u128,
    spans: u64,
    errors: u64,
    start_ns: u64,
    end_ns: u64,
    seq: u64,
    services: BTreeSet<String>,
    envs: BTreeSet<String>,
    protocols: BTreeSet<&'static str>,
    root: Option<(u64, Json)>,
}

impl Summary {
    fn new(segments: &[Shared<SpanRow>], id: u128) -> Self {
        let mut summary = Self { id, start_ns: u64::MAX, ..Self::default() };
        for shared in segments {
            let segment = read(shared);
            for place in segment.of_trace(low_half(id)) {
                if let Some(row) = segment.rows().get(place as usize)
                    && same_trace(row.trace(), id)
                {
                    summary.add(&segment, row);
                }
            }
        }
        if summary.spans == 0 {
            summary.start_ns = 0;
        }
        summary
    }

    fn add(&mut self, segment: &Segment<SpanRow>, row: &SpanRow) {
        let head = row.head();
        self.spans += 1;
        self.errors += u64::from(row.status == Status::Error);
        self.start_ns = self.start_ns.min(head.time_ns);
        self.end_ns = self.end_ns.max(head.time_ns.saturating_add(row.duration_ns));
        self.seq = self.seq.max(head.seq);
        let add = |set: &mut BTreeSet<String>, text: &str| {
            if !text.is_empty() && !set.contains(text) {
                set.insert(text.to_owned());
            }
        };
        add(&mut self.services, segment.text(head.service));
        add(&mut self.envs, segment.origin_fields(head.origin).env);
        self.protocols.insert(head.protocol.as_str());
        let is_first = self.root.as_ref().is_none_or(|(start, _)| head.time_ns < *start);
        if row.parent_id == 0 && is_first {
            let root = json!({
                "service": segment.text(head.service),
                "name": segment.text(head.name),
                "resource": segment.text(row.resource),
                "span_id": shape::span_id(row.span_id),
                "kind": row.kind.as_str(),
                "status": row.status.as_str(),
            });
            self.root = Some((head.time_ns, root));
        }
    }

    fn duration_ns(&self) -> u64 {
        self.end_ns.saturating_sub(self.start_ns)
    }

    fn json(&self, logs: u64) -> Json {
        json!({
            "trace_id": shape::trace_id(self.id),
            "root": self.root.as_ref().map(|(_, root)| root),
            "start_ns": self.start_ns.to_string(),
            "start_ms": milliseconds(self.start_ns),
            "duration_ns": self.duration_ns(),
            "spans": self.spans,
            "errors": self.errors,
            "services": self.services,
            "envs": self.envs,
            "protocols": self.protocols,
            "status": if self.errors > 0 { "error" } else { "ok" },
            "logs": logs,
            "seq": self.seq,
        })
    }
}

/// `GET /sandbox/v1/traces/{id}`.
#[derive(Debug)]
pub(super) struct OneTrace {
    id: u128,
    after: u64,
    wait: Wait,
}

impl OneTrace {
    pub(super) fn read(id: &str, mut params: Params) -> Result<Self, Refusal> {
        let id =
            parse_trace_id(id).ok_or_else(|| Refusal::bad(format!("`{id}` is no trace id")))?;
        let after = params.read("after", |text| text.parse().ok())?.unwrap_or(0);
        let wait = Wait::read(&mut params)?;
        params.finish()?;
        Ok(Self { id, after, wait })
    }
}

impl Question for OneTrace {
    fn wait(&self) -> &Wait {
        &self.wait
    }

    fn answer(&self, store: &Store) -> Answer {
        let segments = store.spans().segments();
        let id = whole_id(&segments, self.id);
        let filter = Filter { trace_ids: vec![id], ..Filter::default() };
        let summary = Summary::new(&segments, id);
        let mut spans = Vec::new();
        scan(&segments, &filter, false, &mut |place, _, row| {
            spans.push(Node {
                place,
                id: row.span_id,
                parent: row.parent_id,
                start_ns: row.head().time_ns,
                end_ns: row.head().time_ns.saturating_add(row.duration_ns),
            });
        });
        let (order, missing_parents) = waterfall(spans);
        let spans: Vec<Json> = order
            .iter()
            .filter_map(|(node, depth)| {
                let segment = read(segments.get(node.place.0)?);
                let mut span = shape::span(&segment, segment.rows().get(node.place.1 as usize)?);
                if let Json::Object(fields) = &mut span {
                    fields.insert("depth".to_owned(), json!(depth));
                }
                Some(span)
            })
            .collect();
        let (logs, last_log) = logs(store, &filter);
        let total = spans.len() as u64;
        let newest = summary.seq.max(last_log);
        let mut body = summary.json(logs.len() as u64);
        if let Json::Object(fields) = &mut body {
            fields.insert("missing_parents".to_owned(), json!(missing_parents));
            fields.insert("spans".to_owned(), json!(spans));
            fields.insert("logs".to_owned(), json!(logs));
        }
        let met = self.wait.is_met(total) && (self.after == 0 || newest > self.after);
        Answer { total, met, body }
    }
}

fn logs(store: &Store, filter: &Filter) -> (Vec<Json>, u64) {
    let segments = store.logs().segments();
    let (_, places) = select(&segments, filter, (usize::MAX, Order::Oldest));
    let mut last = 0;
    let mut found: Vec<(u64, Json)> = places
        .into_iter()
        .filter_map(|(at, place)| {
            let segment = read(segments.get(at)?);
            let row = segment.rows().get(place as usize)?;
            last = last.max(row.head().seq);
            Some((row.head().time_ns, shape::log(&segment, row)))
        })
        .collect();
    found.sort_by_key(|(time_ns, _)| *time_ns);
    (found.into_iter().map(|(_, log)| log).collect(), last)
}

/// What a waterfall needs of a span.
#[derive(Debug, Clone, Copy)]
struct Node {
    place: Place,
    id: u64,
    parent: u64,
    start_ns: u64,
    end_ns: u64,
}

/// Depth first, siblings by start, and how many parents are not there. Spans in a circle are told
/// after all others.
fn waterfall(mut nodes: Vec<Node>) -> (Vec<(Node, u32)>, usize) {
    nodes.sort_by_key(|node| (node.start_ns, std::cmp::Reverse(node.end_ns)));
    let ids: HashSet<u64> = nodes.iter().map(|node| node.id).collect();
    let mut children: HashMap<u64, Vec<usize>> = HashMap::new();
    let mut tops = Vec::new();
    let mut missing = HashSet::new();
    for (at, node) in nodes.iter().enumerate() {
        if node.parent != 0 && node.parent != node.id && ids.contains(&node.parent) {
            children.entry(node.parent).or_default().push(at);
        } else {
            tops.push(at);
            if node.parent != 0 && node.parent != node.id {
                missing.insert(node.parent);
            }
        }
    }
    let mut told = vec![false; nodes.len()];
    let mut order = Vec::with_capacity(nodes.len());
    let all = tops.iter().copied().chain(0..nodes.len());
    for top in all {
        let mut stack = vec![(top, 0)];
        while let Some((at, depth)) = stack.pop() {
            if std::mem::replace(&mut told[at], true) {
                continue;
            }
            order.push((nodes[at], depth));
            // A span id may come twice: its children are told once, below the first.
            if let Some(below) = children.remove(&nodes[at].id) {
                stack.extend(below.into_iter().rev().map(|child| (child, depth + 1)));
            }
        }
    }
    (order, missing.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: u64, parent: u64, start_ns: u64) -> Node {
        Node { place: (0, 0), id, parent, start_ns, end_ns: start_ns + 1 }
    }

    fn told(nodes: Vec<Node>) -> (Vec<(u64, u32)>, usize) {
        let (order, missing) = waterfall(nodes);
        (order.into_iter().map(|(node, depth)| (node.id, depth)).collect(), missing)
    }

    #[test]
    fn a_waterfall_goes_down_before_it_goes_on() {
        let nodes = vec![node(3, 1, 5), node(2, 1, 1), node(1, 0, 0), node(4, 2, 2), node(9, 8, 3)];
        assert_eq!(told(nodes), (vec![(1, 0), (2, 1), (4, 2), (3, 1), (9, 0)], 1));
    }

    #[test]
    fn circles_and_doubles_are_told_once() {
        let nodes = vec![node(1, 2, 0), node(2, 1, 1), node(3, 3, 2), node(3, 0, 3)];
        let (order, missing) = told(nodes);
        assert_eq!(order.len(), 4);
        assert_eq!(missing, 0);
    }

    #[test]
    fn a_deep_chain_needs_no_deep_stack() {
        let nodes = (1..100_000).map(|id| node(id, id - 1, id)).collect();
        let (order, _) = told(nodes);
        assert_eq!(order.last(), Some(&(99_999, 99_998)));
    }
}
