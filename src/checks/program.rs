//! This very program in the cluster, for checks that ask from a pod with the code they have here.
//!
//! Owns how such a pod is told what to do. What it is told may hold keys, so it is never an argument.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use crate::checks::context::Context;
use crate::checks::{NAMESPACE, text};
use crate::env;
use crate::state::ProgramStamp;
use crate::tools::pod::{self, PodRun};

/// How long the pod may take beyond its check, to start late and to end.
const SLACK: Duration = Duration::from_secs(10);

/// Runs `sandbox probe WHAT` in a pod and gives what it wrote.
///
/// # Errors
/// One line when the pod did not start or end in time.
pub(super) async fn probe(
    program: &ProgramStamp,
    context: &Context<'_>,
    what: &str,
    order: &impl Serialize,
    left: Duration,
) -> Result<String, String> {
    let cluster = context.workshop().await?;
    let order = serde_json::to_string(order).map_err(|error| error.to_string())?;
    let mut command = program.command.clone();
    command.extend(["probe", what].map(str::to_owned));
    let run = PodRun {
        prefix: "sandbox-check".to_owned(),
        namespace: NAMESPACE.to_owned(),
        image: program.image.clone(),
        command,
        env: BTreeMap::from([(env::PROBE.to_owned(), order)]),
        deadline: left + SLACK,
        ..PodRun::default()
    };
    let ended = pod::run(cluster, &run).await.map_err(|error| text::told(&error))?;
    Ok(ended.output)
}
