//! What can go wrong, told once: what failed, why, and the command that cures it.
//!
//! Owns the error type and the documented exit codes. Must not print.

use std::error::Error as StdError;
use std::fmt;

/// The result of everything that can fail in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What sort of thing failed. Each kind has one documented exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A defect of this program, or something nobody foresaw.
    Unexpected,
    /// The command line is wrong.
    Usage,
    /// `sandbox.yaml`, a chart or another input file is wrong.
    Settings,
    /// This machine lacks something: Docker, a tool, a port, disk, an image.
    Machine,
    /// The cluster could not be made, reached or changed.
    Cluster,
    /// The app did not install or did not become ready.
    App,
    /// At least one check failed.
    Checks,
    /// The target is not provably ours, so it was left alone.
    Refused,
    /// Something of ours is still there after `down`.
    Leftovers,
    /// Another `sandbox` is working on the same sandbox.
    Busy,
    /// Ctrl-C or SIGTERM.
    Interrupted,
}

impl Kind {
    /// All kinds, in the order of the documented table.
    pub const ALL: [Kind; 11] = [
        Kind::Unexpected,
        Kind::Usage,
        Kind::Settings,
        Kind::Machine,
        Kind::Cluster,
        Kind::App,
        Kind::Checks,
        Kind::Refused,
        Kind::Leftovers,
        Kind::Busy,
        Kind::Interrupted,
    ];

    /// The process exit code.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Kind::Unexpected => 1,
            Kind::Usage => 2,
            Kind::Settings => 3,
            Kind::Machine => 4,
            Kind::Cluster => 5,
            Kind::App => 6,
            Kind::Checks => 7,
            Kind::Refused => 8,
            Kind::Leftovers => 9,
            Kind::Busy => 10,
            Kind::Interrupted => 130,
        }
    }

    /// One line for the table in the help and the documentation.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Kind::Unexpected => "something unexpected; please report it",
            Kind::Usage => "the command line is wrong",
            Kind::Settings => "sandbox.yaml, the chart or another input file is wrong",
            Kind::Machine => "this machine lacks something (see `sandbox doctor`)",
            Kind::Cluster => "the cluster could not be made, reached or changed",
            Kind::App => "the app did not install or did not become ready",
            Kind::Checks => "at least one check failed",
            Kind::Refused => "the target is not provably ours, nothing was touched",
            Kind::Leftovers => "something is left after `down`",
            Kind::Busy => "another sandbox command is working on the same sandbox",
            Kind::Interrupted => "interrupted",
        }
    }
}

/// A failure: one sentence, its causes, and what to type next.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
    hints: Vec<String>,
}

impl Error {
    /// Makes an error; `message` is a lowercase sentence without a final period.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None, hints: Vec::new() }
    }

    /// Adds what caused it.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds something to type or to change.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The kind, which decides the exit code.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What to type next, the most useful first.
    #[must_use]
    pub fn hints(&self) -> &[String] {
        &self.hints
    }

    /// The message with all its causes, on one line.
    #[must_use]
    pub fn full(&self) -> String {
        let mut parts = vec![self.to_string()];
        parts.extend(self.causes());
        parts.join(": ")
    }

    /// The causes from the nearest to the first, each told once.
    #[must_use]
    pub fn causes(&self) -> Vec<String> {
        let mut causes: Vec<String> = Vec::new();
        let mut next = StdError::source(self);
        while let Some(cause) = next {
            let text = cause.to_string();
            // Some libraries repeat their source in their own text.
            if !causes.last().is_some_and(|last| last.contains(&text)) {
                causes.push(text);
            }
            next = cause.source();
        }
        causes
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

/// Turns any library error into ours at the call, where path and purpose are known.
pub trait Context<T> {
    /// Wraps the error with its kind and a sentence that says what failed.
    ///
    /// # Errors
    /// The wrapped error.
    fn context(self, kind: Kind, message: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<Box<dyn StdError + Send + Sync>>> Context<T> for std::result::Result<T, E> {
    fn context(self, kind: Kind, message: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| Error::new(kind, message()).because(source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_exit_code() {
        let mut codes: Vec<u8> = Kind::ALL.iter().map(|kind| kind.exit_code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), Kind::ALL.len());
    }

    #[test]
    fn the_documentation_has_the_same_table() {
        let page = include_str!("../docs/settings.md");
        for kind in Kind::ALL {
            let row = format!("| {} | {} |", kind.exit_code(), kind.meaning());
            assert!(page.contains(&row), "docs/settings.md lacks: {row}");
        }
    }

    #[test]
    fn causes_are_told_once_and_in_order() {
        let inner = Error::new(Kind::Machine, "connection refused");
        let middle = Error::new(Kind::Machine, "request failed: connection refused").because(inner);
        let outer = Error::new(Kind::Machine, "docker does not answer").because(middle);
        assert_eq!(outer.causes(), ["request failed: connection refused"]);
    }
}
