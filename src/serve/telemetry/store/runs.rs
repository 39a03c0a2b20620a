//! Runs: named scopes of time, so that a check is never satisfied by earlier telemetry.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// So many past runs are remembered.
const REMEMBERED: usize = 1000;

/// A run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its name.
    pub id: String,
    /// The last item before it.
    pub seq: u64,
    /// The last item of it, when another run began.
    pub until: Option<u64>,
    /// When it began, nanoseconds since 1970.
    pub started_ns: u64,
}

/// All runs, the current one last.
#[derive(Debug, Default)]
pub struct Runs {
    all: Mutex<VecDeque<Run>>,
}

impl Runs {
    /// Begins a run. A name that was used begins anew, what was under it before is out of scope.
    pub fn begin(&self, id: &str, seq: u64, now_ns: u64) -> Run {
        let mut all = self.lock();
        if let Some(last) = all.back_mut() {
            last.until = Some(seq);
        }
        all.retain(|run| run.id != id);
        if all.len() >= REMEMBERED {
            all.pop_front();
        }
        let run = Run { id: id.to_owned(), seq, until: None, started_ns: now_ns };
        all.push_back(run.clone());
        run
    }

    /// The run with this name.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<Run> {
        self.lock().iter().find(|run| run.id == id).cloned()
    }

    /// The run that is going on.
    #[must_use]
    pub fn current(&self) -> Option<Run> {
        self.lock().back().cloned()
    }

    /// All of them, oldest first.
    #[must_use]
    pub fn all(&self) -> Vec<Run> {
        self.lock().iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Run>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_ends_where_the_next_begins() {
        let runs = Runs::default();
        assert_eq!(runs.current(), None);
        runs.begin("a", 0, 1);
        runs.begin("b", 10, 2);
        assert_eq!(runs.get("a").unwrap().until, Some(10));
        assert_eq!(runs.current().unwrap().id, "b");
        runs.begin("a", 20, 3);
        assert_eq!(
            runs.get("a").unwrap(),
            Run { id: "a".into(), seq: 20, until: None, started_ns: 3 }
        );
        assert_eq!(runs.all().len(), 2);
    }

    #[test]
    fn past_runs_are_bounded() {
        let runs = Runs::default();
        for number in 0..2000 {
            runs.begin(&number.to_string(), number, number);
        }
        assert_eq!(runs.all().len(), REMEMBERED);
        assert_eq!(runs.current().unwrap().id, "1999");
    }
}
