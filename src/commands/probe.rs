//! `sandbox probe`: the part of a check that runs in a pod. Not for people.

use serde_json::Value;

use super::Outcome;
use crate::checks::{emit, s3};
use crate::cli::ProbeCommand;
use crate::env;
use crate::error::{Error, Kind, Result};
use crate::world::World;

/// Runs the command; its only output is one line that the check on the other side reads.
///
/// # Errors
/// [`Kind::Usage`] when it was not told what to do.
pub(super) async fn run(world: &World, command: &ProbeCommand) -> Result<Outcome> {
    let untold = || Error::new(Kind::Usage, format!("{} is not set", env::PROBE));
    let order = world.env.text(env::PROBE).ok_or_else(untold)?;
    let said = match command {
        ProbeCommand::S3 => s3::probe(order).await,
        ProbeCommand::Telemetry => emit::probe(order).await,
    };
    let line = said.map_err(|why| {
        Error::new(Kind::Usage, format!("{} cannot be read", env::PROBE)).because(why)
    })?;
    Ok(Outcome { text: format!("{line}\n"), data: Value::String(line), bad_news: None })
}
