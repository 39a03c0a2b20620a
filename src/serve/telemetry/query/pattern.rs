//! What a text must be: equal, or like a wildcard.

/// Texts of which one must fit; none at all fits everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Patterns(pub(super) Vec<String>);

impl Patterns {
    /// Whether everything fits.
    pub(super) fn is_any(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all are plain texts.
    pub(super) fn is_exact(&self) -> bool {
        !self.0.iter().any(|pattern| pattern.contains('*'))
    }

    /// Whether a text fits.
    pub(super) fn fits(&self, text: &str) -> bool {
        self.is_any() || self.0.iter().any(|pattern| fits(pattern, text))
    }
}

/// Whether a text is like a pattern, in which `*` stands for any text.
pub(in super::super) fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text() {
        for (pattern, text, expected) in [
            ("api", "api", true),
            ("api", "api2", false),
            ("api*", "api2", true),
            ("*i*2", "api2", true),
            ("*", "", true),
            ("a*a", "a", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn one_of_several_must_fit() {
        let patterns = Patterns(vec!["a".into(), "b*".into()]);
        assert!(patterns.fits("a") && patterns.fits("bb") && !patterns.fits("c"));
        assert!(Patterns::default().fits("anything"));
        assert!(!patterns.is_exact());
    }
}
