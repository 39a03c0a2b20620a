//! Runs checks side by side and tries each again until it holds or its time is up.
//!
//! Owns retries, pauses and the events of checks. Dropping the future stops everything: nothing
//! runs in the background.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;
use tokio::time::{Instant, sleep};

use crate::checks::context::Context;
use crate::checks::probe::{Attempt, Probe};
use crate::checks::{CheckResult, Evidence, Target, telemetry};
use crate::report::event::{Events, StepEvents};
use crate::settings::checks::Check;

/// How many checks run at once.
const AT_ONCE: usize = 8;
/// The first pause between two attempts; each is longer than the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Runs all checks and returns their results in the order given.
///
/// A check is tried until it holds; no attempt begins after its `within` has passed. Each sends
/// the events of a step named `check: <name>`.
pub async fn run(checks: &[Check], target: &Target, events: &Events) -> Vec<CheckResult> {
    let context = Context::new(target);
    // Before any check can cause some. A server that does not answer now is told by the check.
    if checks.iter().any(|check| check.telemetry.is_some())
        && let Ok(client) = telemetry::client(&context)
    {
        let _ = context.telemetry_start(&client).await;
    }
    let mut running = Vec::with_capacity(checks.len());
    for (index, check) in checks.iter().enumerate() {
        let context = &context;
        running.push(async move { (index, one(check, context, events).await) });
    }
    let mut results: Vec<(usize, CheckResult)> =
        stream::iter(running).buffer_unordered(AT_ONCE).collect().await;
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

async fn one(check: &Check, context: &Context<'_>, events: &Events) -> CheckResult {
    let step = events.step(format!("check: {}", check.name), check.name.clone());
    let Some(kind) = check.kind() else {
        let why = "it has no kind, or more than one".to_owned();
        return ended(check, &step, 0, Err(why), None);
    };
    let mut probe = match Probe::new(kind, context) {
        Ok(probe) => probe,
        Err(why) => return ended(check, &step, 0, Err(why), None),
    };
    let within = check.within.map(|within| Duration::try_from(within).unwrap_or_default());
    let within = within.unwrap_or_else(|| kind.within());
    let deadline = Instant::now() + within;
    let mut pause = FIRST_PAUSE;
    for attempts in 1.. {
        let Attempt { verdict, evidence } = probe.attempt(deadline).await;
        let why = match verdict {
            Err(why) if Instant::now() + pause < deadline => why,
            verdict => return ended(check, &step, attempts, verdict, evidence),
        };
        step.progress(format!("attempt {attempts}: {why}"));
        sleep(pause).await;
        pause = (pause * 3 / 2).min(LONGEST_PAUSE);
    }
    unreachable!("attempts are counted without end")
}

fn ended(
    check: &Check,
    step: &StepEvents,
    attempts: u32,
    verdict: Result<String, String>,
    evidence: Option<Evidence>,
) -> CheckResult {
    let passed = verdict.is_ok();
    let (Ok(detail) | Err(detail)) = verdict;
    if passed {
        step.done(detail.clone());
    } else {
        step.failed(detail.clone());
    }
    CheckResult {
        name: check.name.clone(),
        passed,
        attempts,
        took: step.elapsed(),
        detail,
        evidence,
    }
}

#[cfg(test)]
#[path = "runner_tests.rs"]
mod tests;
