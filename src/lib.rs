//! `sandbox`: a local Kind cluster that answers like EKS, DOKS or K3s on EC2.
//!
//! A map of the crate, from the outside in; dependencies point downwards only:
//! - [`cli`] what can be typed; [`commands`] one file a command: settings in, outcome out
//! - [`settings`], [`profile`], [`catalogue`] what is wanted; [`observe`] what is there
//! - [`plan`] the way from one to the other, as data; [`steps`] walking it
//! - [`addons`], [`app`], [`checks`] what is installed and how it is judged
//! - [`tools`] the only doors to the outside; [`state`], [`owner`] what is ours
//! - [`serve`] the sandbox's own servers, each standing alone
//! - [`report`] the only mouth; [`error`] what can go wrong

pub mod addons;
pub mod app;
pub mod catalogue;
pub mod checks;
pub mod cli;
pub mod commands;
pub mod desired;
pub mod diagnostics;
pub mod env;
pub mod error;
pub mod machine;
pub mod observe;
pub mod owner;
pub mod plan;
pub mod profile;
pub mod report;
pub mod serve;
pub mod settings;
pub mod state;
pub mod steps;
pub mod tools;
pub mod world;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

pub use error::{Error, Result};

use crate::catalogue::Catalogue;
use crate::cli::Cli;
use crate::env::Env;
use crate::error::Kind;
use crate::report::{Mode, Report};
use crate::world::World;

/// Runs the program: arguments and environment in, exit code out.
pub async fn run(args: Vec<OsString>, env: Env, cwd: PathBuf) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return report::usage(&error),
    };
    let cancel = CancellationToken::new();
    tokio::spawn(listen(cancel.clone()));
    let mode = Mode::choose(cli.global.json, cli.global.quiet, &env);
    let (report, events) = Report::start(mode);
    let world = World { env, cwd, catalogue: Catalogue::built_in(), events, cancel };
    let result = commands::run(&world, &cli).await;
    // The reporter ends when the last sender of events does.
    drop(world);
    match result {
        Ok(outcome) => {
            report.finish(&outcome.text, &outcome.data).await;
            outcome.bad_news.map_or(ExitCode::SUCCESS, |kind| kind.exit_code().into())
        }
        Err(error) => {
            report.fail(&error).await;
            error.kind().exit_code().into()
        }
    }
}

/// The first Ctrl-C or SIGTERM asks to stop; the second ends the program at once, with the record
/// on disk as it is.
async fn listen(cancel: CancellationToken) {
    let Ok(mut interrupt) = signal(SignalKind::interrupt()) else { return };
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
    for asked in 0.. {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if asked > 0 {
            report::leave(Kind::Interrupted);
        }
        cancel.cancel();
    }
}
