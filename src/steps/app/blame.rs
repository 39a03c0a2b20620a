//! Telling why something does not become ready, with the pod's own last words.
//!
//! Owns how long a cause must persist before it counts, and the wording of the failure.

use std::time::{Duration, Instant};

use crate::app::cause::{Cause, CauseKind, State};
use crate::error::{Error, Kind};
use crate::tools::kube::Cluster;
use crate::tools::ready::Look;

/// How many of a container's last log lines are told.
const LOG_LINES: i64 = 12;
/// How much of one log line is told.
const LINE_LENGTH: usize = 300;

/// Remembers since when a cause has been seen.
#[derive(Debug, Default)]
pub(in crate::steps) struct Persistence {
    seen: Option<(Cause, Instant)>,
}

impl Persistence {
    /// Turns a verdict into a look: nothing when ready, a cause when it is certain.
    pub(in crate::steps) fn look(&mut self, state: State) -> Look<Option<Cause>> {
        match state {
            State::Ready => Look::Done(None),
            State::Failed(cause) => Look::Done(Some(cause)),
            State::Waiting(reason) => {
                self.seen = None;
                Look::Waiting(reason)
            }
            State::Failing(cause, enough) => self.failing(cause, enough),
        }
    }

    fn failing(&mut self, cause: Cause, enough: Duration) -> Look<Option<Cause>> {
        let since = match &self.seen {
            // The wording may change from try to try; what it is about does not.
            Some((seen, since)) if about(seen) == about(&cause) => *since,
            _ => Instant::now(),
        };
        if since.elapsed() >= enough {
            return Look::Done(Some(cause));
        }
        let reason = cause.summary.clone();
        self.seen = Some((cause, since));
        Look::Waiting(reason)
    }
}

/// What a cause is about, whatever its words.
fn about(cause: &Cause) -> (&str, Option<&str>, CauseKind) {
    (&cause.object, cause.container.as_deref(), cause.kind)
}

/// The failure, with the last lines that the container logged.
pub(in crate::steps) async fn told(
    cluster: &Cluster,
    kind: Kind,
    message: &str,
    cause: &Cause,
) -> Error {
    let why = Error::new(kind, format!("{}: {}", cause.object, cause.summary));
    let why = match &cause.wants_logs {
        Some(of) => {
            let read = |previous| {
                cluster.last_lines(&of.namespace, &of.pod, &of.container, previous, LOG_LINES)
            };
            let mut log = read(of.previous).await;
            if log.trim().is_empty() && of.previous {
                log = read(false).await;
            }
            if log.trim().is_empty() {
                why
            } else {
                let text = format!("last lines of its log:\n{}", plain(&log));
                why.because(Error::new(kind, text))
            }
        }
        None => why,
    };
    cause.hints.iter().fold(Error::new(kind, message).because(why), Error::hint)
}

/// A log without what a terminal would obey, each line capped.
fn plain(log: &str) -> String {
    log.lines()
        .map(|line| {
            let text: String = line.chars().filter(|c| !c.is_control()).take(LINE_LENGTH).collect();
            format!("  {text}")
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_cannot_move_the_cursor() {
        assert_eq!(plain("a\u{1b}[2Jb\nc"), "  a[2Jb\n  c");
    }
}
