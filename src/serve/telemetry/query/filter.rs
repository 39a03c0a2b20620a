//! What is asked for: the filters that spans, traces, logs and measurements share.
//!
//! Owns reading them from parameters. How they are applied is in `scan`.

use regex::Regex;

use super::super::model::{Level, Status, parse_span_id, trace_id_candidates};
use super::super::store::{Store, now_ns};
use super::Refusal;
use super::condition::{Comparison, Condition, expression};
use super::params::Params;
use super::pattern::Patterns;
use super::time;

/// Answers hold so many items when nothing else is asked for.
const LIMIT: usize = 100;
/// And never more.
const LARGEST_LIMIT: usize = 10_000;
/// No question waits longer, in nanoseconds.
const LONGEST_WAIT: u64 = 300 * time::SECOND;

/// In which order items are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Order {
    /// The last that came in first.
    #[default]
    Newest,
    /// The first that came in first.
    Oldest,
    /// The longest first.
    Slowest,
}

/// Which items are asked for. Everything that is not set fits.
#[derive(Debug, Clone, Default)]
pub(super) struct Filter {
    pub(super) service: Patterns,
    pub(super) name: Patterns,
    pub(super) env: Patterns,
    pub(super) version: Patterns,
    pub(super) host: Patterns,
    pub(super) session: Patterns,
    pub(super) protocol: Patterns,
    pub(super) resource: Patterns,
    pub(super) kind: Patterns,
    pub(super) span_type: Patterns,
    pub(super) trace_ids: Vec<u128>,
    pub(super) span_ids: Vec<u64>,
    pub(super) parent_ids: Vec<u64>,
    pub(super) status: Option<Status>,
    /// Whether it failed, for `error=`.
    pub(super) error: Option<bool>,
    pub(super) min_duration: Option<u64>,
    pub(super) max_duration: Option<u64>,
    pub(super) level: Level,
    pub(super) words: Vec<Regex>,
    pub(super) conditions: Vec<Condition>,
    pub(super) since_ns: Option<u64>,
    pub(super) until_ns: Option<u64>,
    /// Only items with greater numbers.
    pub(super) after: u64,
    /// Only items with smaller numbers.
    pub(super) before: Option<u64>,
}

/// When a question is answered.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wait {
    /// How long it may take, in nanoseconds.
    pub(super) wait_ns: u64,
    /// How many there must be.
    pub(super) count: (Comparison, f64),
}

impl Wait {
    pub(super) fn read(params: &mut Params) -> Result<Self, Refusal> {
        let wait_ns = params
            .read("wait", |text| time::duration(text, time::SECOND))?
            .unwrap_or(0)
            .min(LONGEST_WAIT);
        let count = params.read("count", comparison)?.unwrap_or((Comparison::AtLeast, 1.0));
        Ok(Self { wait_ns, count })
    }

    /// Whether there are as many as asked for.
    pub(super) fn is_met(&self, total: u64) -> bool {
        self.count.0.holds(time::float(total), self.count.1)
    }
}

/// A number after an optional operator.
pub(super) fn comparison(text: &str) -> Option<(Comparison, f64)> {
    let (comparison, number) = Comparison::split(text);
    number.parse().ok().map(|number| (comparison, number))
}

impl Filter {
    /// Reads what all kinds have: service, name, time, run and so on.
    pub(super) fn read(params: &mut Params, store: &Store) -> Result<Self, Refusal> {
        let now = now_ns();
        let mut filter = Self {
            service: Patterns(params.all("service")),
            name: Patterns(params.all("name")),
            env: Patterns(params.all("env")),
            version: Patterns(params.all("version")),
            host: Patterns(params.all("host")),
            session: Patterns(params.all("session")),
            protocol: Patterns(params.all("protocol")),
            kind: Patterns(params.all("kind")),
            since_ns: params.read("since", |text| time::instant(text, now))?,
            until_ns: params.read("until", |text| time::instant(text, now))?,
            after: params.read("after", |text| text.parse().ok())?.unwrap_or(0),
            before: params.read("before", |text| text.parse().ok())?,
            ..Self::default()
        };
        for text in params.all("where") {
            filter.conditions.push(Condition::parse(&text).map_err(Refusal::bad)?);
        }
        for source in params.all("source") {
            // `source=otlp` means all of its protocols; a log's own source is its name.
            match source.as_str() {
                "otlp" => filter.protocol.0.push("otlp*".to_owned()),
                "datadog" => {
                    filter.protocol.0.extend(["datadog*".to_owned(), "dogstatsd".to_owned()]);
                }
                _ => filter.name.0.push(source),
            }
        }
        if let Some(run) = params.one("run")? {
            filter.scope(&run, store)?;
        }
        Ok(filter)
    }

    /// Restricts to a run: received during it, and not older than it by its own time.
    fn scope(&mut self, run: &str, store: &Store) -> Result<(), Refusal> {
        let found = match run {
            "current" => store.runs().current(),
            _ => store.runs().get(run),
        };
        let Some(found) = found else {
            return Err(Refusal::not_found(format!("there is no run `{run}`")));
        };
        self.after = self.after.max(found.seq);
        if let Some(until) = found.until {
            let before = until.saturating_add(1);
            self.before = Some(self.before.map_or(before, |other| other.min(before)));
        }
        let since = self.since_ns.unwrap_or(0);
        // Clients that tell whole seconds tell the begin of the one in which the run began.
        let began = found.started_ns / time::SECOND * time::SECOND;
        self.since_ns = Some(since.max(began));
        Ok(())
    }

    /// What fits but for coming before the scope: received before it, or older by its own time.
    pub(super) fn earlier(&self) -> Vec<Self> {
        let mut earlier = Vec::new();
        if self.after > 0 {
            let end = self.after.saturating_add(1);
            let before = Some(self.before.map_or(end, |before| before.min(end)));
            let (since_ns, until_ns) = (None, None);
            earlier.push(Self { after: 0, before, since_ns, until_ns, ..self.clone() });
        }
        if let Some(since) = self.since_ns {
            let until_ns = Some(self.until_ns.map_or(since, |until| until.min(since)));
            earlier.push(Self { since_ns: None, until_ns, ..self.clone() });
        }
        earlier
    }

    /// Reads what belongs to traces, for spans and logs.
    pub(super) fn read_ids(&mut self, params: &mut Params) -> Result<(), Refusal> {
        for text in params.all("trace_id") {
            let ids = trace_id_candidates(&text);
            if ids.is_empty() {
                return Err(Refusal::bad(format!("`{text}` is no trace id")));
            }
            self.trace_ids.extend(ids);
        }
        for text in params.all("span_id") {
            self.span_ids.push(span_id(&text)?);
        }
        self.read_words(params)
    }

    fn read_words(&mut self, params: &mut Params) -> Result<(), Refusal> {
        if let Some(text) = params.one("text")? {
            for word in text.split_whitespace() {
                let literal = format!("(?i){}", regex::escape(word));
                self.words.push(expression(&literal).map_err(Refusal::bad)?);
            }
        }
        Ok(())
    }

    /// Reads what only spans have.
    pub(super) fn read_span(&mut self, params: &mut Params) -> Result<(), Refusal> {
        self.read_ids(params)?;
        self.resource = Patterns(params.all("resource"));
        self.span_type = Patterns(params.all("type"));
        for text in params.all("parent_id") {
            self.parent_ids.push(if text == "0" { 0 } else { span_id(&text)? });
        }
        self.status = params.read("status", |text| {
            Status::ALL.into_iter().find(|status| status.as_str() == text)
        })?;
        self.error = params.read("error", |text| text.parse().ok())?;
        self.min_duration = params.read("min_duration", |text| time::duration(text, 1))?;
        self.max_duration = params.read("max_duration", |text| time::duration(text, 1))?;
        Ok(())
    }

    /// Reads what only logs have.
    pub(super) fn read_log(&mut self, params: &mut Params) -> Result<(), Refusal> {
        self.read_ids(params)?;
        self.level = params
            .read("level", |text| Some(Level::from_name(text)).filter(|l| *l != Level::default()))?
            .unwrap_or_default();
        Ok(())
    }
}

fn span_id(text: &str) -> Result<u64, Refusal> {
    parse_span_id(text).ok_or_else(|| Refusal::bad(format!("`{text}` is no span id")))
}

/// Reads how many items are wanted, and which first.
pub(super) fn read_page(params: &mut Params) -> Result<(usize, Order), Refusal> {
    let limit = params
        .read("limit", |text| text.parse().ok().filter(|limit| *limit >= 1))?
        .unwrap_or(LIMIT)
        .min(LARGEST_LIMIT);
    let order = params.read("order", |text| match text {
        "newest" => Some(Order::Newest),
        "oldest" => Some(Order::Oldest),
        "slowest" => Some(Order::Slowest),
        _ => None,
    })?;
    Ok((limit, order.unwrap_or_default()))
}
