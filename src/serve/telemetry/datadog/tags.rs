//! Datadog tags, `key:value` or only `key`. Owns their splitting.

use std::borrow::Cow;

use crate::serve::telemetry::model::{Attribute, Text, Value};

/// How many tags an item may have; Datadog's intake takes about 100.
pub(crate) const MOST: usize = 512;

/// A tag at its first colon.
pub(crate) fn split(tag: Text<'_>) -> Attribute<'_> {
    match tag {
        Cow::Borrowed(tag) => match tag.split_once(':') {
            Some((key, value)) => (key.into(), Value::Str(value.into())),
            None => (tag.into(), Value::Null),
        },
        Cow::Owned(tag) => match tag.split_once(':') {
            Some((key, value)) => (key.to_owned().into(), Value::Str(value.to_owned().into())),
            None => (tag.into(), Value::Null),
        },
    }
}

/// The value of the first tag of this name; empty without one.
pub(crate) fn find<'a>(tags: &[Attribute<'a>], name: &str) -> Text<'a> {
    let found = tags.iter().find(|(key, _)| key == name);
    match found {
        Some((_, Value::Str(value))) => value.clone(),
        _ => Text::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_split_at_its_first_colon() {
        assert_eq!(split("url:http://x".into()), ("url".into(), Value::Str("http://x".into())));
        assert_eq!(split("canary".into()), ("canary".into(), Value::Null));
        assert_eq!(split(String::from("a:").into()), ("a".into(), Value::Str("".into())));
        let tags = [split("env:dev".into()), split("env:prod".into())];
        assert_eq!((find(&tags, "env"), find(&tags, "host")), ("dev".into(), "".into()));
    }
}
