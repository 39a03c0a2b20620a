//! The name of a sandbox and the names derived from it.
//!
//! Owns the rule for names. Must not look at the disk.

use std::fmt;

/// Longest name. The longest derived name, `sandbox-<name>-control-plane`, is also a host name
/// and may have 63 characters.
const LONGEST: usize = 40;

/// A valid name of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(String);

impl Name {
    /// Checks a name.
    ///
    /// # Errors
    /// What is wrong with it and what is allowed.
    pub fn new(text: &str) -> Result<Self, String> {
        let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let valid = !text.is_empty()
            && text.len() <= LONGEST
            && text.chars().all(inside)
            && !text.starts_with('-')
            && !text.ends_with('-');
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!(
                "`{text}` is no valid name: 1 to {LONGEST} lower-case letters, digits and `-`, \
                 not at the ends"
            ))
        }
    }

    /// The nearest valid name to any text, or `sandbox`.
    #[must_use]
    pub fn from_any(text: &str) -> Self {
        let mapped: String = text
            .to_ascii_lowercase()
            .chars()
            .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' })
            .take(LONGEST)
            .collect();
        Self::new(mapped.trim_matches('-')).unwrap_or_else(|_| Self("sandbox".to_owned()))
    }

    /// The name of the Kind cluster.
    #[must_use]
    pub fn cluster(&self) -> String {
        format!("sandbox-{}", self.0)
    }

    /// The name of the Docker network; one for each sandbox.
    #[must_use]
    pub fn network(&self) -> String {
        self.cluster()
    }

    /// The name as given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_kind_or_dns_would_refuse_are_refused_here() {
        for bad in ["", "-a", "a-", "A", "a_b", "a b", "ä", &"a".repeat(41)] {
            assert!(Name::new(bad).is_err(), "{bad:?} should be refused");
        }
        assert_eq!(Name::new("studio-2").unwrap().cluster(), "sandbox-studio-2");
    }

    #[test]
    fn a_folder_name_becomes_the_nearest_valid_name() {
        assert_eq!(Name::from_any("My App!").as_str(), "my-app");
        assert_eq!(Name::from_any("___").as_str(), "sandbox");
    }
}
