//! What a run of the program came to, as one block of text for snapshots.
//!
//! Owns the redactions: paths, times, ids and process numbers become fixed words.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use regex::Regex;
use serde_json::Value;

/// Patterns that differ from run to run and the words that stand for them, in this order.
const REDACTIONS: [(&str, &str); 9] = [
    // Progress is told at most every two seconds: which lines come out is a matter of speed.
    (r"(?m)^\[ *\d+\.\ds\]   .*\n", ""),
    // The limits of the machine that runs the tests.
    (r"(?m)^\[ *\d+\.\ds\] ! fs\.inotify\..*\n", ""),
    (r"\[ *\d+\.\ds\]", "[TIME]"),
    (r"\(\d+\.\ds", "(TIME"),
    (r"\b\d{8}T\d{6}\.\d{3}Z\b", "STAMP"),
    (r"\(pid \d+\)", "(pid PID)"),
    (r"\bcli-[0-9a-f]{11}\b", "THIS-TEST"),
    (r"/\.tmp[A-Za-z0-9]{6}\b", "/TMP"),
    (r"\bt[0-9a-f]{6}\b", "tID"),
];

/// Lines of a step that runs beside others and may begin and end before or after them.
pub(crate) const BESIDE: &str = r"\] . images\b";

/// Standard output, standard error and the end of one run.
#[must_use = "a run that nobody looks at tests nothing"]
#[derive(Debug)]
pub(crate) struct Output {
    /// Standard output, as it came.
    pub(crate) stdout: String,
    /// Standard error, as it came.
    pub(crate) stderr: String,
    status: ExitStatus,
    words: Vec<(String, String)>,
}

impl Output {
    /// What a run left; `words` are texts to replace, such as paths.
    pub(crate) fn new(
        stdout: String,
        stderr: String,
        status: ExitStatus,
        words: Vec<(String, String)>,
    ) -> Self {
        Self { stdout, stderr, status, words }
    }

    /// Shows `word` wherever `text` stands.
    pub(crate) fn with(mut self, text: &impl ToString, word: &str) -> Self {
        self.words.push((text.to_string(), word.to_owned()));
        self
    }

    /// Leaves out the lines that match.
    pub(crate) fn without_lines(mut self, pattern: &str) -> Self {
        let pattern = Regex::new(pattern).expect("the pattern is valid");
        for text in [&mut self.stdout, &mut self.stderr] {
            let kept: Vec<&str> = text.lines().filter(|line| !pattern.is_match(line)).collect();
            *text = kept.iter().flat_map(|line| [line, "\n"]).collect();
        }
        self
    }

    /// The exit code; absent when a signal ended the run.
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The signal that ended the run.
    pub(crate) fn signal(&self) -> Option<i32> {
        self.status.signal()
    }

    /// Standard output as the JSON lines it must consist of.
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        let parse = |line| {
            serde_json::from_str(line).unwrap_or_else(|error| {
                panic!("standard output has a line that is no JSON ({error}): {line}\n{self}")
            })
        };
        self.stdout.lines().map(parse).collect()
    }

    fn redacted(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (from, to) in &self.words {
            text = text.replace(from, to);
        }
        for (pattern, word) in REDACTIONS {
            let pattern = Regex::new(pattern).expect("the pattern is valid");
            text = pattern.replace_all(&text, word).into_owned();
        }
        text
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted(&self.stdout))?;
        if !self.stderr.is_empty() {
            write!(f, "--- stderr\n{}", self.redacted(&self.stderr))?;
        }
        match (self.code(), self.signal()) {
            (Some(code), _) => writeln!(f, "--- exit code {code}"),
            (None, signal) => writeln!(f, "--- ended by signal {}", signal.unwrap_or_default()),
        }
    }
}
