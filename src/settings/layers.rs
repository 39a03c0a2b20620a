//! Values with their origin: built-in < profile < file < environment < flag.
//!
//! Owns the precedence. Must not read any layer itself.

use std::fmt;

use serde::Serialize;

/// Where a value came from, weakest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "layer", content = "name")]
pub enum Origin {
    /// Built into the program.
    BuiltIn,
    /// The profile of that name.
    Profile(String),
    /// `sandbox.yaml`.
    File(String),
    /// The environment variable of that name.
    Environment(&'static str),
    /// The flag of that name.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::BuiltIn => f.write_str("built in"),
            Origin::Profile(name) => write!(f, "profile {name}"),
            Origin::File(path) => f.write_str(path),
            Origin::Environment(name) => write!(f, "environment {name}"),
            Origin::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// A value and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layered<T> {
    /// The value in force.
    pub value: T,
    /// The layer that set it.
    pub origin: Origin,
}

impl<T> Layered<T> {
    /// The weakest layer.
    pub fn built_in(value: T) -> Self {
        Self { value, origin: Origin::BuiltIn }
    }

    /// A stronger layer: it wins when it says anything.
    #[must_use]
    pub fn or(self, stronger: Option<T>, origin: impl FnOnce() -> Origin) -> Self {
        match stronger {
            Some(value) => Self { value, origin: origin() },
            None => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_layer_that_speaks_wins() {
        let port = Layered::built_in(8080)
            .or(Some(80), || Origin::File("sandbox.yaml".into()))
            .or(None, || Origin::Environment("SANDBOX_X"))
            .or(Some(81), || Origin::Flag("--http-port"));
        assert_eq!(port, Layered { value: 81, origin: Origin::Flag("--http-port") });
    }
}
