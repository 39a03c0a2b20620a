//! `sandbox test`: runs the checks; with `--ephemeral` makes a sandbox for them and always takes
//! it down again.
//!
//! Owns the verdict. The checks themselves are in `checks`.

use std::path::PathBuf;

use serde_json::json;

use super::{Outcome, down, interruptible, up};
use crate::checks::{self, CheckResult, Target};
use crate::diagnostics;
use crate::error::{Context, Error, Kind, Result};
use crate::report::event::Event;
use crate::settings::Settings;
use crate::settings::file::Check;
use crate::world::World;

/// What the flags say.
#[derive(Debug, Clone, Default)]
pub(super) struct Options {
    /// A sandbox of its own, taken down at the end.
    pub ephemeral: bool,
    /// Names of the checks to run; none = all.
    pub only: Vec<String>,
    /// Where to write a `JUnit` report.
    pub junit: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// When the checks could not be run. Checks that ran and failed are bad news, not an error.
pub(super) async fn run(world: &World, settings: &Settings, options: &Options) -> Result<Outcome> {
    let chosen = checks::select(&settings.checks, &options.only)?;
    if chosen.is_empty() {
        return Err(Error::new(Kind::Settings, "there are no checks to run")
            .hint("add `checks:` to sandbox.yaml"));
    }
    if options.ephemeral {
        return ephemeral(world, settings, options, &chosen).await;
    }
    interruptible(&world.cancel, verdict(world, settings, options, &chosen)).await
}

async fn ephemeral(
    world: &World,
    settings: &Settings,
    options: &Options,
    chosen: &[Check],
) -> Result<Outcome> {
    let id = uuid::Uuid::new_v4().simple().to_string();
    let settings = settings.clone().ephemeral(&format!("t{}", &id[..6]));
    let tested = async {
        up::run(world, &settings, &up::Options::default()).await?;
        interruptible(&world.cancel, verdict(world, &settings, options, chosen)).await
    };
    let tested = tested.await;
    // Always, and not interruptible: a second Ctrl-C ends the program at once.
    let gone = down::one(world, &settings).await;
    match (tested, gone) {
        (Ok(outcome), Ok(_)) => Ok(outcome),
        (Ok(_), Err(left)) => Err(left),
        (Err(error), Ok(_)) => Err(error),
        (Err(error), Err(left)) => {
            Err(error.hint(format!("also, it could not be removed: {left}")))
        }
    }
}

async fn verdict(
    world: &World,
    settings: &Settings,
    options: &Options,
    chosen: &[Check],
) -> Result<Outcome> {
    let place = world.place(&settings.name.value)?;
    let record = place.record()?.ok_or_else(|| {
        Error::new(Kind::Cluster, format!("sandbox `{}` is not up", settings.name.value))
            .hint("sandbox up")
            .hint("or `sandbox test --ephemeral` for a sandbox of its own")
    })?;
    let target = Target { http_port: record.ports.http, https_port: record.ports.https };
    let title = format!("sandbox {}: {} check(s)", settings.name.value, chosen.len());
    world.events.send(Event::Started { title });
    let results = checks::run(chosen, &target, &world.events).await;
    if let Some(path) = &options.junit {
        let report = checks::junit(settings.name.value.as_str(), &results);
        std::fs::write(path, report)
            .context(Kind::Machine, || format!("cannot write `{}`", path.display()))?;
    }
    let failed = results.iter().filter(|result| !result.passed).count();
    let mut text = table(&results);
    let mut evidence = None;
    if failed > 0 {
        let folder = diagnostics::save(world, settings, &place).await?;
        diagnostics::add(&folder, "checks.json", &json!(results).to_string())?;
        text.push_str(&format!("evidence is in {}\n", folder.display()));
        evidence = Some(folder);
    }
    let data = json!({
        "name": settings.name.value.as_str(),
        "passed": results.len() - failed,
        "failed": failed,
        "checks": results,
        "evidence": evidence,
    });
    Ok(Outcome { text, data, bad_news: (failed > 0).then_some(Kind::Checks) })
}

fn table(results: &[CheckResult]) -> String {
    let mut text = String::new();
    for result in results {
        let mark = if result.passed { "pass" } else { "FAIL" };
        let seconds = result.took.as_secs_f64();
        text.push_str(&format!("{mark}  {} ({seconds:.1}s): {}\n", result.name, result.detail));
    }
    let failed = results.iter().filter(|result| !result.passed).count();
    text.push_str(&format!("{} passed, {failed} failed\n", results.len() - failed));
    text
}
