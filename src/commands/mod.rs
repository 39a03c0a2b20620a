//! Commands: settings in, outcome out. One file each.
//!
//! Owns what a command returns and how an interruption ends it. Must not print.

mod ca;
mod doctor;
mod down;
mod env;
mod images;
mod kubeconfig;
mod load;
mod open;
mod page;
mod probe;
mod s3;
mod serve;
mod status;
mod telemetry;
mod test;
mod up;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::cli::{CaCommand, Cli, Command, PortFlags};
use crate::error::{Error, Kind, Result};
use crate::settings::Settings;
use crate::state::{Place, Record};
use crate::world::World;

/// What a command came to.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Data for stdout.
    pub text: String,
    /// The same as JSON.
    pub data: Value,
    /// The exit code's kind when the command did its work and the answer is bad news, such as
    /// failed checks.
    pub bad_news: Option<Kind>,
}

/// Runs the command of the command line.
///
/// # Errors
/// Whatever went wrong, with the kind that decides the exit code.
pub async fn run(world: &World, cli: &Cli) -> Result<Outcome> {
    let resolve = |ports: &PortFlags| {
        Settings::resolve(&cli.global.flags(ports), &world.env, &world.cwd, &world.catalogue)
    };
    let settings = || resolve(&PortFlags::default());
    match &cli.command {
        Command::Up { dry_run, recreate, ports } => {
            up::run(
                world,
                &resolve(ports)?,
                &up::Options { dry_run: *dry_run, recreate: *recreate },
            )
            .await
        }
        Command::Test { ephemeral, only, junit } => {
            let options =
                test::Options { ephemeral: *ephemeral, only: only.clone(), junit: junit.clone() };
            test::run(world, &settings()?, &options).await
        }
        Command::Down { all } => down::run(world, &down_settings(world, cli)?, *all).await,
        Command::Status { settings: show } => {
            interruptible(&world.cancel, status::run(world, &settings()?, *show)).await
        }
        Command::Doctor => interruptible(&world.cancel, doctor::run(world, &settings()?)).await,
        Command::Load { images } => load::run(world, &settings()?, images).await,
        Command::Kubeconfig { raw } => kubeconfig::run(world, &down_settings(world, cli)?, *raw),
        Command::Ca(CaCommand::Export { env, pkcs12 }) => {
            let options = ca::Options { env: *env, pkcs12: pkcs12.clone() };
            ca::run(world, &down_settings(world, cli)?, &options)
        }
        Command::Env { cluster, fact } => {
            let options = env::Options { cluster: *cluster, fact: fact.clone() };
            env::run(world, &settings()?, &options)
        }
        Command::Images(command) => images::run(world, &settings()?, command).await,
        Command::Open { print } => {
            let settings = down_settings(world, cli)?;
            interruptible(&world.cancel, open::run(world, &settings, *print)).await
        }
        Command::Telemetry(command) => telemetry::run(world, &settings()?, command).await,
        Command::S3(command) => s3::run(world, &settings()?, command).await,
        Command::Serve(command) => serve::run(world, command, cli.global.quiet).await,
        Command::Probe(command) => probe::run(world, command).await,
    }
}

/// The state folder and the record of a sandbox that is up.
///
/// # Errors
/// [`Kind::Cluster`] when it is not.
fn recorded(world: &World, settings: &Settings) -> Result<(Place, Record)> {
    let name = &settings.name.value;
    let place = world.place(name)?;
    let record = place.record()?.ok_or_else(|| {
        Error::new(Kind::Cluster, format!("sandbox `{name}` is not up")).hint("sandbox up")
    })?;
    Ok((place, record))
}

/// Settings for commands that need no more than a name: with `--name`, a broken file is no reason
/// to leave a sandbox standing.
fn down_settings(world: &World, cli: &Cli) -> Result<Settings> {
    let flags = cli.global.flags(&PortFlags::default());
    let resolved = Settings::resolve(&flags, &world.env, &world.cwd, &world.catalogue);
    match resolved {
        Err(_) if flags.name.is_some() && flags.config.is_none() => {
            let nowhere = std::path::Path::new("/");
            Settings::resolve(&flags, &world.env, nowhere, &world.catalogue)
        }
        other => other,
    }
}

/// Runs work until it ends or the user interrupts.
///
/// # Errors
/// [`Kind::Interrupted`], or what the work failed with.
pub async fn interruptible<T>(
    cancel: &CancellationToken,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    tokio::select! {
        result = work => result,
        () = cancel.cancelled() => Err(Error::new(Kind::Interrupted, "interrupted")
            .hint("run the same command again to go on, or `sandbox down` to remove everything")),
    }
}
