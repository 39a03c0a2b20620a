//! The only place that prints. stdout carries data, stderr carries talk.
//!
//! Owns the streams and how events look: a live tree on a terminal, plain lines elsewhere, JSON
//! lines with `--json`. Must not decide anything.

pub mod event;
mod human;
mod plain;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use serde_json::json;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;

use crate::env::Env;
use crate::error::{Error, Kind};
use crate::report::event::{Event, Events};

/// How events look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A live tree of steps on a terminal.
    Human,
    /// A line for each thing that happens.
    Plain,
    /// One JSON object a line, on stdout.
    Json,
    /// Warnings and failures only.
    Quiet,
}

impl Mode {
    /// The mode for these flags on this machine. A CI that pretends to be a terminal gets lines.
    #[must_use]
    pub fn choose(json: bool, quiet: bool, env: &Env) -> Self {
        if json {
            Mode::Json
        } else if quiet {
            Mode::Quiet
        } else if std::io::stderr().is_terminal() && env.text("CI").is_none() {
            Mode::Human
        } else {
            Mode::Plain
        }
    }
}

/// The reporter while a command runs.
#[derive(Debug)]
pub struct Report {
    mode: Mode,
    drain: JoinHandle<()>,
}

impl Report {
    /// Starts it; what is sent through the returned sender is shown until the last sender is
    /// dropped.
    #[must_use]
    pub fn start(mode: Mode) -> (Self, Events) {
        let (events, receiver) = Events::channel();
        (Self { mode, drain: tokio::spawn(drain(mode, receiver)) }, events)
    }

    /// Shows what is still to be shown, then the data of the command: text, or one JSON object.
    pub async fn finish(self, text: &str, data: &serde_json::Value) {
        let _ = self.drain.await;
        if self.mode == Mode::Json {
            out(&format!("{}\n", json!({"event": "outcome", "outcome": data})));
        } else {
            out(text);
        }
    }

    /// Shows what is still to be shown, then the failure.
    pub async fn fail(self, error: &Error) {
        let _ = self.drain.await;
        if self.mode == Mode::Json {
            out(&format!(
                "{}\n",
                json!({"event": "failed", "error": {
                    "message": error.to_string(),
                    "causes": error.causes(),
                    "hints": error.hints(),
                    "code": error.kind().exit_code(),
                }})
            ));
        } else {
            talk(&told(error));
        }
    }
}

async fn drain(mode: Mode, mut events: UnboundedReceiver<Event>) {
    let mut human = human::Tree::default();
    let mut plain = plain::Lines::default();
    while let Some(event) = events.recv().await {
        if let Event::Line { text, .. } = &event {
            out(&format!("{text}\n"));
            continue;
        }
        match mode {
            Mode::Human => human.show(&event),
            Mode::Plain => {
                if let Some(line) = plain.line(&event) {
                    talk(&line);
                }
            }
            Mode::Json => {
                if let Ok(line) = serde_json::to_string(&event) {
                    out(&format!("{line}\n"));
                }
            }
            Mode::Quiet => {
                if let Event::Warning { text } = &event {
                    talk(&format!("warning: {text}\n"));
                }
            }
        }
    }
    human.end();
}

/// A failure as text: what failed, why, and what to type.
#[must_use]
pub fn told(error: &Error) -> String {
    let mut text = format!("error: {error}\n");
    for cause in error.causes() {
        text.push_str(&format!("  caused by: {}\n", cause.replace('\n', "\n  ")));
    }
    for hint in error.hints() {
        text.push_str(&format!("hint: {hint}\n"));
    }
    text
}

/// Shows what is wrong with the command line, or the help that was asked for.
#[must_use]
pub fn usage(error: &clap::Error) -> ExitCode {
    // clap writes help to stdout and errors to stderr.
    let _ = error.print();
    if error.use_stderr() { Kind::Usage.exit_code().into() } else { ExitCode::SUCCESS }
}

/// Ends the program at once.
#[expect(clippy::exit, clippy::disallowed_methods, reason = "the user asked twice")]
pub fn leave(kind: Kind) -> ! {
    talk("interrupted twice: leaving at once; run `sandbox down` to remove everything\n");
    std::process::exit(i32::from(kind.exit_code()))
}

/// Writes data. A reader that went away is no failure.
fn out(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
    let _ = std::io::stdout().flush();
}

/// Writes bytes of a command that prints them as they come.
///
/// # Errors
/// When nobody takes them any more, which ends such a command.
pub fn data(bytes: &[u8]) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    out.write_all(bytes)?;
    out.flush()
}

/// Writes talk. A reader that went away is no failure.
fn talk(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_tells_what_why_and_what_to_type() {
        let error = Error::new(Kind::Machine, "no Docker engine answers at `unix:///x`")
            .because(Error::new(Kind::Machine, "connection refused"))
            .hint("start Docker");
        insta::assert_snapshot!(told(&error), @"
        error: no Docker engine answers at `unix:///x`
          caused by: connection refused
        hint: start Docker
        ");
    }
}
