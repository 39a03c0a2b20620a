//! `sandbox telemetry`: what the app sent.
//!
//! Owns how answers look. What is asked is answered by the collector in the cluster.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::{Outcome, recorded};
use crate::cli::{IntakeFaultsCommand, TelemetryCommand, TelemetryFilter};
use crate::error::{Error, Kind, Result};
use crate::settings::Settings;
use crate::tools::telemetry::Telemetry;
use crate::world::World;

/// How long one question of `--follow` waits for something new.
const WAIT: Duration = Duration::from_secs(30);

/// Runs the command.
///
/// # Errors
/// [`Kind::Cluster`] when the sandbox has no telemetry or it does not answer, [`Kind::Usage`] when
/// it does not understand a filter.
pub(super) async fn run(
    world: &World,
    settings: &Settings,
    command: &TelemetryCommand,
) -> Result<Outcome> {
    let client = client(world, settings)?;
    match command {
        TelemetryCommand::Services(filter) => {
            let answer = client.ask("services", &parameters(filter)).await?;
            Ok(outcome(services(&answer), answer))
        }
        TelemetryCommand::Traces { id: Some(id), .. } => {
            let answer = client.ask(&format!("traces/{id}"), &[]).await?;
            if answer["total"].as_u64() == Some(0) {
                return Err(Error::new(Kind::Usage, format!("there is no trace `{id}`"))
                    .hint("sandbox telemetry traces"));
            }
            Ok(outcome(waterfall(&answer), answer))
        }
        TelemetryCommand::Traces { id: None, filter, error, limit, follow } => {
            let mut ask = parameters(filter);
            ask.push(("limit", limit.to_string()));
            if *error {
                ask.push(("error", "true".to_owned()));
            }
            shown(world, &client, "traces", ask, *follow, trace).await
        }
        TelemetryCommand::Logs { text, level, filter, limit, follow } => {
            let mut ask = parameters(filter);
            ask.push(("limit", limit.to_string()));
            ask.extend(text.clone().map(|text| ("text", text)));
            ask.extend(level.clone().map(|level| ("level", level)));
            shown(world, &client, "logs", ask, *follow, log).await
        }
        TelemetryCommand::Metrics { name, filter } => {
            let mut ask = parameters(filter);
            ask.extend(name.clone().map(|name| ("name", name)));
            let answer = client.ask("metrics", &ask).await?;
            let text = if name.is_some() { metric(&answer) } else { metrics(&answer) };
            Ok(outcome(text, answer))
        }
        TelemetryCommand::Faults { command } => faults(&client, command.as_ref()).await,
        TelemetryCommand::Clear => {
            let answer = client.tell(Method::DELETE, "all", None).await?;
            Ok(outcome(format!("{} item(s) forgotten\n", answer["deleted"]), answer))
        }
    }
}

/// A client of the sandbox's own collector.
///
/// # Errors
/// [`Kind::Cluster`] when there is none, or none that this machine reaches.
pub(super) fn client(world: &World, settings: &Settings) -> Result<Telemetry> {
    let name = &settings.name.value;
    let (_, record) = recorded(world, settings)?;
    if !record.addons.contains_key("telemetry") {
        return Err(Error::new(Kind::Cluster, format!("sandbox `{name}` has no telemetry"))
            .hint("add `addons: {telemetry: true}` to sandbox.yaml, then `sandbox up`"));
    }
    let port = record.service_ports.get("telemetry").copied().ok_or_else(|| {
        let message = "the cluster was made without a port of this machine for telemetry";
        Error::new(Kind::Cluster, message).hint("sandbox up --recreate")
    })?;
    Telemetry::new(port)
}

fn outcome(text: String, data: Value) -> Outcome {
    Outcome { text, data, bad_news: None }
}

fn parameters(filter: &TelemetryFilter) -> Vec<(&'static str, String)> {
    let mut ask = vec![("since", filter.since.clone())];
    ask.extend(filter.service.clone().map(|service| ("service", service)));
    ask.extend(filter.env.clone().map(|env| ("env", env)));
    ask.extend(filter.conditions.iter().map(|condition| ("where", condition.clone())));
    ask
}

/// Shows a list, the oldest first, and with `follow` whatever comes after it.
async fn shown(
    world: &World,
    client: &Telemetry,
    kind: &str,
    mut ask: Vec<(&'static str, String)>,
    follow: bool,
    line: fn(&Value) -> String,
) -> Result<Outcome> {
    let answer = client.ask(kind, &ask).await?;
    let items = answer[kind].as_array().cloned().unwrap_or_default();
    let lines: Vec<String> = items.iter().rev().map(line).collect();
    if !follow {
        let text = lines.iter().map(|line| format!("{line}\n")).collect();
        return Ok(outcome(text, answer));
    }
    for line in lines {
        world.events.line(line);
    }
    let mut after = answer["seq"].as_u64().unwrap_or_default();
    ask.retain(|(key, _)| *key != "limit");
    ask.extend([("limit", "1000".to_owned()), ("order", "oldest".to_owned())]);
    ask.push(("wait", format!("{}s", WAIT.as_secs())));
    loop {
        let mut next = ask.clone();
        next.push(("after", after.to_string()));
        let answer = tokio::select! {
            answer = client.ask_waiting(kind, &next, WAIT) => answer?,
            () = world.cancel.cancelled() => return Ok(Outcome::default()),
        };
        for item in answer[kind].as_array().into_iter().flatten() {
            world.events.line(line(item));
        }
        after = answer["seq"].as_u64().unwrap_or(after);
    }
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

/// Nanoseconds for people.
fn took(value: &Value) -> String {
    let duration = Duration::from_nanos(value.as_u64().unwrap_or_default());
    format!("{duration:.1?}")
}

/// What is hostile in a terminal is not shown.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The time of day, as logs have it.
fn time(value: &Value) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "a time in milliseconds")]
    let milliseconds = value.as_f64().unwrap_or_default() as i64;
    jiff::Timestamp::from_millisecond(milliseconds)
        .map(|at| at.strftime("%H:%M:%S%.3f").to_string())
        .unwrap_or_default()
}

fn services(answer: &Value) -> String {
    let mut text = format!(
        "{:<24} {:>9} {:>9} {:>7} {:>9} {:>9}\n",
        "service", "requests", "rate", "errors", "p50", "p95"
    );
    for service in answer["services"].as_array().into_iter().flatten() {
        text.push_str(&format!(
            "{:<24} {:>9} {:>7.2}/s {:>7} {:>9} {:>9}\n",
            clean(self::text(service, "name")),
            service["requests"],
            service["rate"].as_f64().unwrap_or_default(),
            service["errors"],
            took(&service["p50_ns"]),
            took(&service["p95_ns"]),
        ));
    }
    text
}

fn trace(trace: &Value) -> String {
    let root = &trace["root"];
    let name = [text(root, "resource"), text(root, "name")];
    let name = name.into_iter().find(|name| !name.is_empty()).unwrap_or("(its root is not there)");
    let failed = if text(trace, "status") == "error" { "  FAILED" } else { "" };
    format!(
        "{}  {}  {:>9}  {:>3} span(s)  {} {}{failed}",
        time(&trace["start_ms"]),
        text(trace, "trace_id"),
        took(&trace["duration_ns"]),
        trace["spans"],
        clean(text(root, "service")),
        clean(name),
    )
}

fn waterfall(answer: &Value) -> String {
    let mut lines = String::new();
    for span in answer["spans"].as_array().into_iter().flatten() {
        let depth = usize::try_from(span["depth"].as_u64().unwrap_or_default()).unwrap_or_default();
        let name = [text(span, "resource"), text(span, "name")];
        let name = name.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
        let failed = if span["error"] == true { "  FAILED" } else { "" };
        lines.push_str(&format!(
            "{:>10}  {}{} {}{failed}\n",
            took(&span["duration_ns"]),
            "  ".repeat(depth.min(30)),
            clean(text(span, "service")),
            clean(name),
        ));
    }
    for line in answer["logs"].as_array().into_iter().flatten() {
        lines.push_str(&format!("{}\n", log(line)));
    }
    lines
}

fn log(line: &Value) -> String {
    let trace = line["trace_id"].as_str().map_or_else(String::new, |id| format!("  trace={id}"));
    format!(
        "{}  {:<5}  {}  {}{trace}",
        time(&line["time_ms"]),
        text(line, "level"),
        clean(text(line, "service")),
        clean(text(line, "message")),
    )
}

fn metrics(answer: &Value) -> String {
    let mut lines = format!("{:<40} {:<13} {:>8}  {}\n", "metric", "kind", "values", "tags");
    for metric in answer["metrics"].as_array().into_iter().flatten() {
        let tags = metric["tags"].as_array().into_iter().flatten();
        let tags: Vec<&str> = tags.filter_map(Value::as_str).collect();
        lines.push_str(&format!(
            "{:<40} {:<13} {:>8}  {}\n",
            clean(text(metric, "name")),
            text(metric, "kind"),
            metric["points"],
            clean(&tags.join(",")),
        ));
    }
    lines
}

fn metric(answer: &Value) -> String {
    let mut lines = format!("{} ({})\n", clean(text(answer, "name")), text(answer, "kind"));
    for (name, value) in answer["aggregates"].as_object().into_iter().flatten() {
        if !value.is_null() {
            lines.push_str(&format!("  {name:<6} {value}\n"));
        }
    }
    lines
}

async fn faults(client: &Telemetry, command: Option<&IntakeFaultsCommand>) -> Result<Outcome> {
    let answer = match command {
        None => client.ask("faults", &[]).await?,
        Some(IntakeFaultsCommand::Clear) => {
            client.tell(Method::DELETE, "faults", None).await?;
            client.ask("faults", &[]).await?
        }
        Some(IntakeFaultsCommand::Add { endpoint, status, latency, probability, times }) => {
            let fault = json!({
                "endpoint": endpoint, "status": status, "latency_ms": latency,
                "probability": probability, "times": times,
            });
            client.tell(Method::POST, "faults", Some(&without_nulls(fault))).await?;
            client.ask("faults", &[]).await?
        }
    };
    let faults = answer["faults"].as_array().cloned().unwrap_or_default();
    let text = if faults.is_empty() {
        "no faults\n".to_owned()
    } else {
        faults.iter().map(|fault| format!("{fault}\n")).collect()
    };
    Ok(outcome(text, answer))
}

/// What was not given is not sent.
pub(super) fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            Value::Object(map.into_iter().filter(|(_, value)| !value.is_null()).collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_one_line_and_its_spans_are_a_tree() {
        let answer = json!({
            "trace_id": "0af7651916cd43dd8448eb211c80319c", "start_ms": 1_790_000_000_123.4,
            "duration_ns": 12_345_678, "spans": 2, "status": "error",
            "root": {"service": "api", "name": "http", "resource": "GET /\u{1b}[31m"},
        });
        let line = trace(&answer);
        let (_, rest) = line.split_once("  ").unwrap();
        insta::assert_snapshot!(rest, @"0af7651916cd43dd8448eb211c80319c     12.3ms  2 span(s)  api GET / [31m  FAILED");
        let spans = json!({ "spans": [
            {"service": "api", "name": "GET /", "duration_ns": 2_000_000, "depth": 0},
            {"service": "db", "name": "SELECT", "duration_ns": 1_000, "depth": 1, "error": true},
        ], "logs": [{"time_ms": 0, "level": "info", "service": "api", "message": "hello\nworld"}]});
        insta::assert_snapshot!(waterfall(&spans), @"
             2.0ms  api GET /
             1.0µs    db SELECT  FAILED
        00:00:00.000  info   api  hello world
        ");
    }

    #[test]
    fn what_was_not_asked_for_is_not_sent() {
        let filter = TelemetryFilter {
            service: Some("api".into()),
            conditions: vec!["http.status_code>=500".into()],
            since: "15m".into(),
            ..TelemetryFilter::default()
        };
        let sent: Vec<String> =
            parameters(&filter).iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(sent, ["since=15m", "service=api", "where=http.status_code>=500"]);
        assert_eq!(without_nulls(json!({"a": null, "b": 1})), json!({"b": 1}));
    }
}
