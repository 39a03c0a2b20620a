//! The kind `telemetry`: traces, metrics and logs that arrive.
//!
//! Owns the request that makes them, what is asked and when it holds. Earlier telemetry and that of
//! others never counts: with a request its own trace id is looked for, and without one only what
//! arrived since the checks began. A line must also have been written since then, as a collector
//! that begins anew sends earlier lines again.

use std::time::Duration;

use regex::Regex;
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::checks::context::{Context, Start};
use crate::checks::probe::Seen;
use crate::checks::spans::{self, Found};
use crate::checks::{Evidence, text};
use crate::checks::{emit, http};
use crate::settings::checks::{Caller, Http, Log, Metric, Span, Telemetry};
use crate::tools::telemetry::Telemetry as Client;

/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(200);
/// How much of a value is repeated, in characters.
const SHOWN: usize = 200;
/// How many spans and lines are looked at.
const LOOKED_AT: &str = "1000";
/// How much earlier a line's own time may be, as clients may tell whole seconds.
const LENIENCE: Duration = Duration::from_secs(1);
/// How many traces are looked into when none is known by its id.
const TRACES: &str = "50";

/// Everything to ask.
pub(super) struct Question<'a> {
    wanted: &'a Telemetry,
    client: Client,
    context: &'a Context<'a>,
}

/// What counts: telemetry of one trace, or what came after a moment.
struct Scope {
    /// The id of the only trace that counts.
    trace: Option<String>,
    /// Only what came after this.
    after: u64,
    /// When that was; absent where earlier telemetry counts too.
    began: Option<Instant>,
}

impl Scope {
    fn of(trace: String, start: Start) -> Self {
        Self { trace: Some(trace), after: start.seq, began: Some(start.at) }
    }
}

impl<'a> Question<'a> {
    /// Prepares it.
    ///
    /// # Errors
    /// One line when this sandbox has no telemetry.
    pub(super) fn new(wanted: &'a Telemetry, context: &'a Context<'a>) -> Result<Self, String> {
        Ok(Self { wanted, client: client(context)?, context })
    }

    /// Sends the request, if there is one, and looks until everything is there or `end` has come.
    pub(super) async fn attempt(&self, end: Instant) -> Seen {
        let asked = match &self.wanted.request {
            None if self.wanted.emit => "a span of its own".to_owned(),
            Some(request) => {
                format!("{} {}", request.method.as_deref().unwrap_or("GET"), request.url)
            }
            None => "what arrived since the checks began".to_owned(),
        };
        let asked = text::line(&format!("{asked} (at {})", self.client.address()), SHOWN * 2);
        let scope = match self.begin(end).await {
            Ok(scope) => scope,
            Err((why, came)) => return Seen { verdict: Err(why), asked, came },
        };
        loop {
            let mut came = String::new();
            let verdict = self.look(&scope, &mut came).await;
            if verdict.is_ok() || Instant::now() + PAUSE >= end {
                let verdict = match (verdict, &scope.trace) {
                    (Err(why), Some(trace)) => Err(format!("{why} (trace {trace})")),
                    (verdict, _) => verdict,
                };
                return Seen { verdict, asked, came };
            }
            sleep(PAUSE).await;
        }
    }

    /// Where to look; sends the request.
    async fn begin(&self, end: Instant) -> Result<Scope, (String, String)> {
        let quiet = |why: String| (why, String::new());
        if self.wanted.emit {
            let start = now(&self.client).await.map_err(quiet)?;
            let trace = uuid::Uuid::new_v4().simple().to_string();
            self.emit(&trace, end).await.map_err(quiet)?;
            return Ok(Scope::of(trace, start));
        }
        let Some(request) = &self.wanted.request else {
            if self.wanted.since.is_some() {
                return Ok(Scope { trace: None, after: 0, began: None });
            }
            let start = self.context.telemetry_start(&self.client).await.map_err(quiet)?;
            return Ok(Scope { trace: None, after: start.seq, began: Some(start.at) });
        };
        let start = now(&self.client).await.map_err(quiet)?;
        let trace = uuid::Uuid::new_v4().simple().to_string();
        let parent = uuid::Uuid::new_v4().simple().to_string();
        let traceparent = format!("00-{trace}-{}-01", &parent[..16]);
        let mut traced: Http = request.clone();
        // Source: W3C Trace Context, <https://www.w3.org/TR/trace-context/>.
        traced.headers.insert("traceparent".to_owned(), traceparent);
        let mut probe = http::Probe::new(&traced, self.context.target).map_err(quiet)?;
        let sent = probe.attempt(end).await;
        sent.verdict.map_err(|why| {
            let came = match sent.evidence {
                Some(Evidence::Exchange(exchange)) => exchange.body,
                _ => String::new(),
            };
            (format!("the request: {why}"), came)
        })?;
        Ok(Scope::of(trace, start))
    }

    async fn emit(&self, trace: &str, end: Instant) -> Result<(), String> {
        if self.wanted.from == Caller::Cluster {
            return emit::from_pod(self.context, trace, end).await;
        }
        let own = self.context.target.telemetry.as_ref();
        let port = own.and_then(|own| own.otlp_port).ok_or(
            "OTLP has no port on this machine, as the cluster was made without it; use \
             `from: cluster`",
        )?;
        emit::send(&format!("http://127.0.0.1:{port}"), trace).await
    }

    async fn look(&self, scope: &Scope, came: &mut String) -> Result<String, String> {
        let mut held = Vec::new();
        if self.wanted.emit {
            let own = Span { service: Some(emit::SERVICE.to_owned()), ..Span::default() };
            self.trace(&own, scope, came).await?;
            held.push("the span came back".to_owned());
        }
        if let Some(wanted) = &self.wanted.trace {
            held.push(self.trace(wanted, scope, came).await?);
        }
        if let Some(wanted) = &self.wanted.span {
            held.push(self.span(wanted, scope, came).await?);
        }
        if let Some(wanted) = &self.wanted.metric {
            held.push(self.metric(wanted, scope, came).await?);
        }
        if let Some(wanted) = &self.wanted.log {
            held.push(self.log(wanted, scope, came).await?);
        }
        Ok(held.join(", "))
    }

    async fn trace(
        &self,
        wanted: &Span,
        scope: &Scope,
        came: &mut String,
    ) -> Result<String, String> {
        let ids = match &scope.trace {
            Some(id) => vec![id.clone()],
            None => self.traces_with(wanted, scope).await?,
        };
        let mut why = "no trace has such a span".to_owned();
        for id in ids {
            let spans = self.spans_of(&id).await?;
            *came = spans::tree(&spans);
            match spans::find(wanted, &spans) {
                Ok(()) => return Ok(format!("a trace of {} span(s) is as expected", spans.len())),
                Err(missing) => why = missing,
            }
        }
        Err(why)
    }

    async fn traces_with(&self, wanted: &Span, scope: &Scope) -> Result<Vec<String>, String> {
        #[derive(Deserialize)]
        struct Trace {
            trace_id: String,
        }
        let mut ask = self.filters(scope, TRACES);
        for (key, value) in [("service", &wanted.service), ("name", &wanted.name)] {
            ask.extend(value.clone().map(|value| (key, value)));
        }
        let answer = self.ask("traces", &ask).await?;
        let traces: Vec<Trace> = list(&answer, "traces")?;
        Ok(traces.into_iter().map(|trace| trace.trace_id).collect())
    }

    async fn spans_of(&self, trace: &str) -> Result<Vec<Found>, String> {
        list(&self.ask(&format!("traces/{trace}"), &[]).await?, "spans")
    }

    async fn span(
        &self,
        wanted: &Span,
        scope: &Scope,
        came: &mut String,
    ) -> Result<String, String> {
        let spans: Vec<Found> = if let Some(id) = &scope.trace {
            self.spans_of(id).await?
        } else {
            let mut ask = self.filters(scope, LOOKED_AT);
            ask.extend(wanted.service.clone().map(|service| ("service", service)));
            list(&self.ask("spans", &ask).await?, "spans")?
        };
        *came = spans::tree(&spans);
        spans::find(wanted, &spans)?;
        Ok("a span is as expected".to_owned())
    }

    async fn metric(
        &self,
        wanted: &Metric,
        scope: &Scope,
        came: &mut String,
    ) -> Result<String, String> {
        let mut ask = self.filters(scope, LOOKED_AT);
        ask.push(("name", wanted.name.clone()));
        for (key, value) in [("service", &wanted.service), ("env", &wanted.env)] {
            ask.extend(value.clone().map(|value| (key, value)));
        }
        for (key, value) in &wanted.tags {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            ask.push(("where", format!("{key}={value}")));
        }
        let answer = self.ask("metrics", &ask).await?;
        came.push_str(&format!("{}: {}\n", wanted.name, answer["aggregates"]));
        let name = &wanted.name;
        if answer["total"].as_u64().unwrap_or_default() == 0 {
            return Err(format!("no `{name}` arrived"));
        }
        let mut told = Vec::new();
        for (aggregate, comparison) in wanted.wanted() {
            let value = answer["aggregates"][aggregate].as_f64();
            let Some(value) = value else { return Err(format!("`{name}` has no {aggregate}")) };
            if !comparison.holds(value) {
                return Err(format!("{aggregate} of `{name}` is {value}, expected {comparison}"));
            }
            told.push(format!("{aggregate} {value}"));
        }
        let told = if told.is_empty() { "arrived".to_owned() } else { told.join(", ") };
        Ok(format!("`{name}`: {told}"))
    }

    async fn log(&self, wanted: &Log, scope: &Scope, came: &mut String) -> Result<String, String> {
        let mut ask = self.filters(scope, LOOKED_AT);
        for (key, value) in [("service", &wanted.service), ("level", &wanted.level)] {
            ask.extend(value.clone().map(|value| (key, value)));
        }
        match (&scope.trace, scope.began) {
            (Some(trace), _) if wanted.traced => ask.push(("trace_id", trace.clone())),
            // So long ago by the server's own clock, which may differ from ours.
            (_, Some(began)) => {
                let ago = began.elapsed() + LENIENCE;
                ask.push(("since", format!("{}ms", ago.as_millis())));
            }
            _ => {}
        }
        let lines: Vec<Line> = list(&self.ask("logs", &ask).await?, "logs")?;
        let fits = |line: &&Line| {
            let message = wanted.text.as_ref().is_none_or(|pattern| {
                Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(&line.message))
            });
            let attributes = wanted.attributes.iter().all(|(key, value)| {
                spans::difference(key, value, line.attributes.get(key)).is_none()
            });
            message && attributes && (!wanted.traced || line.trace_id.is_some())
        };
        for line in lines.iter().take(20) {
            came.push_str(&format!("{}\n", text::line(&line.message, SHOWN)));
        }
        if let Some(line) = lines.iter().find(fits) {
            return Ok(format!("logged: {}", text::line(&line.message, SHOWN)));
        }
        let traced = if wanted.traced { " with a trace id" } else { "" };
        Err(format!("no such line{traced} among {} logged", lines.len()))
    }

    fn filters(&self, scope: &Scope, limit: &str) -> Vec<(&'static str, String)> {
        let mut ask = vec![("limit", limit.to_owned()), ("after", scope.after.to_string())];
        if let Some(since) = self.wanted.since.and_then(|since| Duration::try_from(since).ok()) {
            ask.push(("since", format!("{}s", since.as_secs())));
        }
        ask
    }

    async fn ask(&self, path: &str, parameters: &[(&str, String)]) -> Result<Value, String> {
        self.client.ask(path, parameters).await.map_err(|error| text::told(&error))
    }
}

/// A logged line as the telemetry server tells it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Line {
    message: String,
    trace_id: Option<String>,
    attributes: std::collections::BTreeMap<String, Value>,
}

/// A client of this sandbox's telemetry.
///
/// # Errors
/// One line when there is none, or none that this machine reaches.
pub(super) fn client(context: &Context<'_>) -> Result<Client, String> {
    let missing = "this sandbox has no telemetry; turn on `addons.telemetry`";
    let own = context.target.telemetry.as_ref().ok_or(missing)?;
    let port = own.port.ok_or(
        "telemetry has no port on this machine, as the cluster was made without it; \
         `sandbox up --recreate` makes it anew",
    )?;
    Client::new(port).map_err(|error| text::told(&error))
}

/// Where telemetry that comes from now on begins.
///
/// # Errors
/// One line when the server does not say.
pub(super) async fn now(client: &Client) -> Result<Start, String> {
    let at = Instant::now();
    let answer = client.ask("stats", &[]).await.map_err(|error| text::told(&error))?;
    let seq = answer["seq"].as_u64();
    let seq = seq.ok_or_else(|| "the telemetry does not say how far it is".to_owned())?;
    Ok(Start { seq, at })
}

fn list<T: serde::de::DeserializeOwned>(answer: &Value, key: &str) -> Result<Vec<T>, String> {
    Vec::deserialize(&answer[key])
        .map_err(|error| format!("the telemetry's answer is odd: {error}"))
}

#[cfg(test)]
#[path = "telemetry_tests.rs"]
mod tests;
