//! Applies filters to segments.
//!
//! Owns which rows are looked at and in which order. Texts are compared as numbers where they can
//! be, and rows that the indexes rule out are not touched.

use std::borrow::Cow;

use super::super::model::{Level, Status, Value};
use super::super::store::{
    LogRow, PointRow, Row, Segment, Shared, SpanRow, Symbol, high_half, low_half, read,
};
use super::condition::text_of;
use super::filter::{Filter, Order};
use super::pattern::Patterns;
use super::time::SECOND;

/// A kind of row with the filters that only it has.
pub(super) trait Filtered: Row {
    /// Whether a row fits the filters of its kind.
    fn fits(&self, segment: &Segment<Self>, filter: &Filter) -> bool;

    /// Whether any filter of its kind is set.
    fn is_filtered(filter: &Filter) -> bool;

    /// Whether what it tells of reaches beyond the begin of the asked time.
    fn is_since(&self, since_ns: u64) -> bool {
        self.head().time_ns >= since_ns
    }

    /// Whether a word is in one of its texts.
    fn has_word(&self, segment: &Segment<Self>, is_in: &dyn Fn(&str) -> bool) -> bool;

    /// How long it took, for [`Order::Slowest`].
    fn duration(&self) -> u64 {
        0
    }
}

/// Where a row is: the segment's place in the list, and the row's in the segment.
pub(super) type Place = (usize, u32);

/// The filters, prepared for one segment.
struct Plan<'f> {
    filter: &'f Filter,
    rows: Cow<'f, [u32]>,
    all_rows: bool,
    origins: Option<Vec<bool>>,
    /// Nothing but the indexes decides.
    trivial: bool,
}

impl<'f> Plan<'f> {
    /// `None` when no row of the segment can fit.
    fn new<R: Filtered>(segment: &'f Segment<R>, filter: &'f Filter) -> Option<Self> {
        let last = segment.rows().last()?.head();
        let first = segment.rows().first()?.head();
        if last.seq <= filter.after || filter.before.is_some_and(|before| first.seq >= before) {
            return None;
        }
        let origins = origins(segment, filter);
        if origins.as_ref().is_some_and(|fits| !fits.contains(&true)) {
            return None;
        }
        let trivial = origins.as_ref().is_none_or(|fits| !fits.contains(&false))
            && first.seq > filter.after
            && filter.before.is_none_or(|before| last.seq < before)
            && filter.since_ns.is_none()
            && filter.until_ns.is_none()
            && filter.protocol.is_any()
            && filter.trace_ids.is_empty()
            && filter.words.is_empty()
            && filter.conditions.is_empty()
            && !R::is_filtered(filter);
        let mut plan = Self { filter, rows: Cow::Borrowed(&[]), all_rows: false, origins, trivial };
        if !filter.trace_ids.is_empty() {
            plan.rows = Cow::Owned(of_traces(segment, &filter.trace_ids));
        } else if filter.service.is_any() && filter.name.is_any() {
            plan.all_rows = true;
        } else {
            plan.rows = of_pairs(segment, filter);
        }
        let begin = plan.begin(segment);
        if !plan.all_rows && begin > 0 {
            plan.rows = Cow::Owned(plan.rows.get(begin..).unwrap_or_default().to_vec());
        }
        (plan.all_rows || !plan.rows.is_empty()).then_some(plan)
    }

    /// How many rows at the begin are too old.
    fn begin<R: Row>(&self, segment: &Segment<R>) -> usize {
        let old = |row: &R| row.head().seq <= self.filter.after;
        if self.all_rows {
            return segment.rows().partition_point(old);
        }
        self.rows.partition_point(|place| segment.rows().get(*place as usize).is_some_and(old))
    }

    fn count<R: Row>(&self, segment: &Segment<R>) -> usize {
        if self.all_rows { segment.rows().len() } else { self.rows.len() }
    }

    fn each<R: Row>(&self, segment: &Segment<R>, backwards: bool, visit: &mut dyn FnMut(u32, &R)) {
        let mut visit = |place: u32| {
            if let Some(row) = segment.rows().get(place as usize) {
                visit(place, row);
            }
        };
        let begin = if self.all_rows { self.begin(segment) } else { 0 };
        let all = u32::try_from(begin).unwrap_or(0)
            ..u32::try_from(segment.rows().len()).unwrap_or(u32::MAX);
        match (self.all_rows, backwards) {
            (true, false) => all.for_each(&mut visit),
            (true, true) => all.rev().for_each(&mut visit),
            (false, false) => self.rows.iter().copied().for_each(&mut visit),
            (false, true) => self.rows.iter().rev().copied().for_each(&mut visit),
        }
    }

    fn fits<R: Filtered>(&self, segment: &Segment<R>, row: &R) -> bool {
        let (filter, head) = (self.filter, row.head());
        head.seq > filter.after
            && filter.before.is_none_or(|before| head.seq < before)
            && filter.since_ns.is_none_or(|since| row.is_since(since))
            && filter.until_ns.is_none_or(|until| head.time_ns < until)
            && self
                .origins
                .as_ref()
                .is_none_or(|origins| origins.get(head.origin as usize).copied().unwrap_or(false))
            && filter.protocol.fits(head.protocol.as_str())
            && (filter.trace_ids.is_empty() || in_traces(segment, row, filter))
            && row.fits(segment, filter)
            && filter.conditions.iter().all(|condition| {
                let mut own = Vec::new();
                segment.any_attribute(row, |key, value| {
                    if key == condition.key {
                        own.push(value.clone());
                    }
                    false
                });
                if own.is_empty() {
                    segment.any_origin_attribute(row, |key, value| {
                        if key == condition.key {
                            own.push(value.clone());
                        }
                        false
                    });
                }
                condition.holds(own.iter())
            })
            && filter.words.iter().all(|word| {
                let is_in = |text: &str| word.is_match(text);
                row.has_word(segment, &is_in)
                    || segment.any_attribute(row, |_, value| value_has(value, &is_in))
            })
    }
}

fn value_has(value: &Value<'_>, is_in: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::Array(values) => values.iter().any(|value| value_has(value, is_in)),
        Value::Map(entries) => entries.iter().any(|(_, value)| value_has(value, is_in)),
        _ => text_of(value).is_some_and(|text| is_in(&text)),
    }
}

/// Which origins of a segment fit; `None` when all do.
fn origins<R: Row>(segment: &Segment<R>, filter: &Filter) -> Option<Vec<bool>> {
    let any = [&filter.env, &filter.version, &filter.host, &filter.session]
        .into_iter()
        .all(Patterns::is_any);
    if any {
        return None;
    }
    let count = u32::try_from(segment.origin_count()).unwrap_or(u32::MAX);
    let fits = (0..count).map(|number| {
        let origin = segment.origin_fields(number);
        filter.env.fits(origin.env)
            && filter.version.fits(origin.version)
            && filter.host.fits(origin.host)
            && filter.session.fits(origin.session)
    });
    Some(fits.collect())
}

/// The rows of the services and names that fit, oldest first.
fn of_pairs<'s, R: Row>(segment: &'s Segment<R>, filter: &Filter) -> Cow<'s, [u32]> {
    let [service, name] = [&filter.service, &filter.name];
    if let ([one_service], [one_name]) = (service.0.as_slice(), name.0.as_slice())
        && service.is_exact()
        && name.is_exact()
    {
        return match (segment.symbol(one_service), segment.symbol(one_name)) {
            (Some(service), Some(name)) => Cow::Borrowed(segment.of_pair(service, name)),
            _ => Cow::Borrowed(&[]),
        };
    }
    let services = symbols(segment, service);
    let names = symbols(segment, name);
    let fits = |patterns: &Patterns, known: Option<&[Symbol]>, symbol: Symbol| match known {
        Some(known) => known.contains(&symbol),
        None => patterns.fits(segment.text(symbol)),
    };
    let mut lists = segment
        .pairs()
        .filter(|((in_service, in_name), _)| {
            fits(service, services.as_deref(), *in_service)
                && fits(name, names.as_deref(), *in_name)
        })
        .map(|(_, rows)| rows);
    let Some(first) = lists.next() else { return Cow::Borrowed(&[]) };
    let Some(second) = lists.next() else { return Cow::Borrowed(first) };
    let mut rows = [first, second].concat();
    lists.for_each(|list| rows.extend_from_slice(list));
    rows.sort_unstable();
    Cow::Owned(rows)
}

/// The numbers of plain texts; `None` when there are wildcards, or nothing is asked for.
fn symbols<R: Row>(segment: &Segment<R>, patterns: &Patterns) -> Option<Vec<Symbol>> {
    (!patterns.is_any() && patterns.is_exact())
        .then(|| patterns.0.iter().filter_map(|text| segment.symbol(text)).collect())
}

fn of_traces<R: Row>(segment: &Segment<R>, trace_ids: &[u128]) -> Vec<u32> {
    let mut rows: Vec<u32> =
        trace_ids.iter().flat_map(|id| segment.of_trace(low_half(*id))).collect();
    rows.sort_unstable();
    rows.dedup();
    rows
}

fn in_traces<R: Row>(segment: &Segment<R>, row: &R, filter: &Filter) -> bool {
    let head = row.head();
    filter.trace_ids.iter().any(|id| same_trace(*id, row.trace()))
        && (filter.service.is_any() || filter.service.fits(segment.text(head.service)))
        && (filter.name.is_any() || filter.name.fits(segment.text(head.name)))
}

/// Whether two ids mean the same trace: the lower halves agree, and the upper ones where known.
pub(super) fn same_trace(one: u128, other: u128) -> bool {
    low_half(one) == low_half(other)
        && (high_half(one) == high_half(other) || high_half(one) == 0 || high_half(other) == 0)
}

/// Calls `visit` for every row that fits, in order of receipt or against it.
pub(super) fn scan<R: Filtered>(
    segments: &[Shared<R>],
    filter: &Filter,
    backwards: bool,
    visit: &mut dyn FnMut(Place, &Segment<R>, &R),
) {
    let mut look = |at: usize| {
        let Some(shared) = segments.get(at) else { return };
        let segment = read(shared);
        let Some(plan) = Plan::new(&segment, filter) else { return };
        plan.each(&segment, backwards, &mut |place, row| {
            if plan.trivial || plan.fits(&segment, row) {
                visit((at, place), &segment, row);
            }
        });
    };
    if backwards {
        (0..segments.len()).rev().for_each(&mut look);
    } else {
        (0..segments.len()).for_each(&mut look);
    }
}

/// How many rows fit, and where the first of them are.
pub(super) fn select<R: Filtered>(
    segments: &[Shared<R>],
    filter: &Filter,
    (limit, order): (usize, Order),
) -> (u64, Vec<Place>) {
    let mut total = 0_u64;
    let mut picked: Vec<(u64, Place)> = Vec::new();
    let backwards = order != Order::Oldest;
    let mut take = |duration: u64, place: Place| {
        picked.push((duration, place));
        // Half of them can go now and then, which is cheaper than a heap.
        if order == Order::Slowest && picked.len() > limit.saturating_mul(2) {
            picked.sort_by_key(|(duration, _)| std::cmp::Reverse(*duration));
            picked.truncate(limit);
        }
    };
    let mut look = |at: usize| {
        let Some(shared) = segments.get(at) else { return };
        let segment = read(shared);
        let Some(plan) = Plan::new(&segment, filter) else { return };
        if plan.trivial && order != Order::Slowest {
            // The index knows the number: only the first few rows are looked at.
            let count = plan.count(&segment) as u64;
            let wanted = (limit as u64).saturating_sub(total);
            let mut seen = 0;
            if wanted > 0 {
                plan.each(&segment, backwards, &mut |place, row| {
                    if seen < wanted {
                        take(row.duration(), (at, place));
                    }
                    seen += 1;
                });
            }
            total += count;
            return;
        }
        plan.each(&segment, backwards, &mut |place, row| {
            if plan.trivial || plan.fits(&segment, row) {
                if total < limit as u64 || order == Order::Slowest {
                    take(row.duration(), (at, place));
                }
                total += 1;
            }
        });
    };
    if backwards {
        (0..segments.len()).rev().for_each(&mut look);
    } else {
        (0..segments.len()).for_each(&mut look);
    }
    if order == Order::Slowest {
        picked.sort_by_key(|(duration, _)| std::cmp::Reverse(*duration));
        picked.truncate(limit);
    }
    (total, picked.into_iter().map(|(_, place)| place).collect())
}

impl Filtered for SpanRow {
    fn fits(&self, segment: &Segment<Self>, filter: &Filter) -> bool {
        (filter.resource.is_any() || filter.resource.fits(segment.text(self.resource)))
            && (filter.span_type.is_any() || filter.span_type.fits(segment.text(self.span_type)))
            && filter.kind.fits(self.kind.as_str())
            && filter.status.is_none_or(|status| status == self.status)
            && filter.error.is_none_or(|error| error == (self.status == Status::Error))
            && filter.min_duration.is_none_or(|least| self.duration_ns >= least)
            && filter.max_duration.is_none_or(|most| self.duration_ns <= most)
            && (filter.span_ids.is_empty() || filter.span_ids.contains(&self.span_id))
            && (filter.parent_ids.is_empty() || filter.parent_ids.contains(&self.parent_id))
    }

    fn is_filtered(filter: &Filter) -> bool {
        !(filter.resource.is_any()
            && filter.span_type.is_any()
            && filter.kind.is_any()
            && filter.status.is_none()
            && filter.error.is_none()
            && filter.min_duration.is_none()
            && filter.max_duration.is_none()
            && filter.span_ids.is_empty()
            && filter.parent_ids.is_empty())
    }

    fn has_word(&self, segment: &Segment<Self>, is_in: &dyn Fn(&str) -> bool) -> bool {
        let head = self.head();
        [head.service, head.name, self.resource].iter().any(|text| is_in(segment.text(*text)))
    }

    fn duration(&self) -> u64 {
        self.duration_ns
    }
}

impl Filtered for LogRow {
    fn fits(&self, _segment: &Segment<Self>, filter: &Filter) -> bool {
        self.level >= filter.level
            && (filter.span_ids.is_empty() || filter.span_ids.contains(&self.span_id))
    }

    fn is_filtered(filter: &Filter) -> bool {
        filter.level != Level::default() || !filter.span_ids.is_empty()
    }

    fn has_word(&self, segment: &Segment<Self>, is_in: &dyn Fn(&str) -> bool) -> bool {
        is_in(segment.message(self)) || is_in(segment.text(self.head().service))
    }
}

impl Filtered for PointRow {
    fn fits(&self, _segment: &Segment<Self>, filter: &Filter) -> bool {
        filter.kind.fits(self.kind.as_str())
    }

    fn is_filtered(filter: &Filter) -> bool {
        !filter.kind.is_any()
    }

    /// Datadog's clients tell the begin of an interval, and times in whole seconds. A total is of
    /// its moment.
    fn is_since(&self, since_ns: u64) -> bool {
        let time_ns = self.head().time_ns;
        let second = if time_ns.is_multiple_of(SECOND) { SECOND } else { 0 };
        let end_ns = time_ns.saturating_add(self.interval_ns.max(second));
        time_ns >= since_ns || (!self.cumulative && end_ns > since_ns)
    }

    fn has_word(&self, segment: &Segment<Self>, is_in: &dyn Fn(&str) -> bool) -> bool {
        is_in(segment.text(self.head().name))
    }
}
