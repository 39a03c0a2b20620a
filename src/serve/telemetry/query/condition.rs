//! `where=`: what an attribute must be.

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};

use super::super::model::Value;

/// A compiled expression takes no more than so many bytes.
const REGEX_LIMIT: usize = 1 << 20;

/// One condition on an attribute.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    pub(super) key: String,
    test: Test,
}

#[derive(Debug, Clone)]
enum Test {
    Exists,
    Absent,
    Equal(String),
    Different(String),
    Like(Regex),
    Unlike(Regex),
    Compare(Comparison, f64),
}

/// How two numbers are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Less,
    AtMost,
    Equal,
    AtLeast,
    More,
}

impl Comparison {
    /// Splits a leading operator off; [`Comparison::AtLeast`] without one.
    pub(super) fn split(text: &str) -> (Self, &str) {
        for (sign, comparison) in [
            (">=", Self::AtLeast),
            ("<=", Self::AtMost),
            ("==", Self::Equal),
            (">", Self::More),
            ("<", Self::Less),
            ("=", Self::Equal),
        ] {
            if let Some(rest) = text.strip_prefix(sign) {
                return (comparison, rest.trim());
            }
        }
        (Self::AtLeast, text.trim())
    }

    /// Whether it holds.
    #[expect(clippy::float_cmp, reason = "equality was asked for")]
    pub(super) fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::Equal => left == right,
            Self::AtLeast => left >= right,
            Self::More => left > right,
        }
    }
}

impl Condition {
    /// Reads `key=value`, `key!=value`, `key~regex`, `key!~regex`, `key>1`, `key` or `!key`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let Some(at) = text.char_indices().skip(1).find(|(_, char)| "=!~<>".contains(*char)) else {
            let (key, test) = match text.strip_prefix('!') {
                Some(key) => (key, Test::Absent),
                None => (text, Test::Exists),
            };
            return named(key, test);
        };
        let (key, rest) = text.split_at(at.0);
        if let Some(value) = rest.strip_prefix("!=") {
            return named(key, Test::Different(value.to_owned()));
        }
        if let Some(value) = rest.strip_prefix("!~") {
            return named(key, Test::Unlike(expression(value)?));
        }
        if let Some(value) = rest.strip_prefix('~') {
            return named(key, Test::Like(expression(value)?));
        }
        if let Some(value) = rest.strip_prefix('=') {
            let value = value.strip_prefix('=').unwrap_or(value);
            return named(key, Test::Equal(value.to_owned()));
        }
        if rest.starts_with('!') {
            return Err(format!("`where={text}` has no operator after `!`"));
        }
        let (comparison, number) = Comparison::split(rest);
        let number =
            number.parse().map_err(|_| format!("`where={text}` compares with no number"))?;
        named(key, Test::Compare(comparison, number))
    }

    /// Whether it asks that something is not there or not so, so that no value may fail it.
    fn is_negative(&self) -> bool {
        matches!(self.test, Test::Absent | Test::Different(_) | Test::Unlike(_))
    }

    /// Whether it holds for all values that an item has under the key.
    pub(super) fn holds<'v>(&self, mut values: impl Iterator<Item = &'v Value<'v>>) -> bool {
        if self.is_negative() {
            values.all(|value| !self.fails(value))
        } else {
            values.any(|value| self.fits(value))
        }
    }

    fn fits(&self, value: &Value<'_>) -> bool {
        if let Value::Array(values) = value
            && !matches!(self.test, Test::Exists)
        {
            return values.iter().any(|value| self.fits_one(value));
        }
        self.fits_one(value)
    }

    fn fits_one(&self, value: &Value<'_>) -> bool {
        match &self.test {
            Test::Exists => true,
            Test::Equal(wanted) => equal(value, wanted),
            Test::Like(expression) => text_of(value).is_some_and(|text| expression.is_match(&text)),
            Test::Compare(comparison, wanted) => {
                number_of(value).is_some_and(|number| comparison.holds(number, *wanted))
            }
            Test::Absent | Test::Different(_) | Test::Unlike(_) => false,
        }
    }

    fn fails(&self, value: &Value<'_>) -> bool {
        let fails_one = |value: &Value<'_>| match &self.test {
            Test::Different(wanted) => equal(value, wanted),
            Test::Unlike(expression) => {
                text_of(value).is_some_and(|text| expression.is_match(&text))
            }
            _ => true,
        };
        match value {
            Value::Array(values) if !matches!(self.test, Test::Absent) => {
                values.iter().any(fails_one)
            }
            _ => fails_one(value),
        }
    }
}

fn named(key: &str, test: Test) -> Result<Condition, String> {
    if key.is_empty() {
        return Err("`where` names no attribute".to_owned());
    }
    Ok(Condition { key: key.to_owned(), test })
}

/// Compiles an expression that somebody typed.
pub(super) fn expression(text: &str) -> Result<Regex, String> {
    RegexBuilder::new(text)
        .size_limit(REGEX_LIMIT)
        .build()
        .map_err(|_| format!("`{text}` is no regular expression, or too large a one"))
}

fn equal(value: &Value<'_>, wanted: &str) -> bool {
    if text_of(value).is_some_and(|text| text == wanted) {
        return true;
    }
    match value {
        Value::Int(_) | Value::Double(_) => wanted.parse::<f64>().is_ok_and(|wanted| {
            number_of(value).is_some_and(|n| Comparison::Equal.holds(n, wanted))
        }),
        _ => false,
    }
}

/// A value as text, when it is a single one.
pub(super) fn text_of<'v>(value: &'v Value<'_>) -> Option<Cow<'v, str>> {
    match value {
        Value::Str(text) => Some(Cow::Borrowed(text)),
        Value::Bool(value) => Some(Cow::Borrowed(if *value { "true" } else { "false" })),
        Value::Int(number) => Some(Cow::Owned(number.to_string())),
        Value::Double(number) => Some(Cow::Owned(number.to_string())),
        Value::Null => Some(Cow::Borrowed("")),
        Value::Bytes(_) | Value::Array(_) | Value::Map(_) => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "compared with a number that somebody typed")]
fn number_of(value: &Value<'_>) -> Option<f64> {
    match value {
        Value::Int(number) => Some(*number as f64),
        Value::Double(number) => Some(*number),
        Value::Str(text) => text.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(condition: &str, values: &[Value<'_>]) -> bool {
        Condition::parse(condition).unwrap().holds(values.iter())
    }

    #[test]
    fn conditions_hold_for_what_they_say() {
        let text = [Value::Str("GET".into())];
        let number = [Value::Int(200)];
        let double = [Value::Double(200.0)];
        let list = [Value::Array(vec![Value::Str("a".into()), Value::Str("b".into())])];
        assert!(holds("k=GET", &text) && !holds("k=PUT", &text) && !holds("k=GET", &[]));
        assert!(holds("k!=PUT", &text) && !holds("k!=GET", &text) && holds("k!=GET", &[]));
        assert!(holds("k~^G", &text) && !holds("k!~^G", &text) && holds("k!~^P", &text));
        assert!(holds("k=200", &number) && holds("k=200", &double) && holds("k=200.0", &number));
        assert!(holds("k>=200", &number) && !holds("k>200", &double) && holds("k<201", &number));
        assert!(holds("k", &text) && !holds("k", &[]) && holds("!k", &[]) && !holds("!k", &text));
        assert!(holds("k=b", &list) && !holds("k!=b", &list) && holds("k!=c", &list));
        assert!(holds("k=", &[Value::Null]) && holds("k=a=b", &[Value::Str("a=b".into())]));
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in ["", "!", "k>x", "k~(", "k!", "k<"] {
            assert!(Condition::parse(bad).is_err(), "{bad}");
        }
        assert!(Condition::parse(&format!("k~{}", "(a{1000}){1000}")).is_err());
    }

    #[test]
    fn operators_stand_before_a_number() {
        assert_eq!(Comparison::split("3"), (Comparison::AtLeast, "3"));
        assert_eq!(Comparison::split(">=3"), (Comparison::AtLeast, "3"));
        assert_eq!(Comparison::split("== 3"), (Comparison::Equal, "3"));
        assert_eq!(Comparison::split("<3"), (Comparison::Less, "3"));
    }
}
