//! Walks through the keys of a map for a listing: from a position, with a prefix,
//! rolling up common prefixes. What is below a common prefix is skipped by a
//! search, not read.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};

/// Keys that count for nothing, in a row, after which a walk pauses, so that a
/// lock is not held for long.
const PAUSE: usize = 10_000;

/// What a walk meets.
pub(super) enum Step<'a, V> {
    Key(&'a str, &'a V),
    Prefix(&'a str),
}

/// Which keys, and where to begin.
#[derive(Debug)]
pub(super) struct Walk<'q> {
    prefix: &'q str,
    delimiter: &'q str,
    from: Bound<String>,
}

impl<'q> Walk<'q> {
    /// Begins after `after`; after all of its keys when it is a common prefix.
    pub(super) fn after(prefix: &'q str, delimiter: &'q str, after: &str) -> Self {
        let from = if after.is_empty() || after < prefix {
            Bound::Included(prefix.to_owned())
        } else if common_prefix(after, prefix, delimiter) == Some(after) {
            beyond(after)
        } else {
            Bound::Excluded(after.to_owned())
        };
        Self { prefix, delimiter, from }
    }

    /// Begins with the key `at`.
    pub(super) fn at(prefix: &'q str, delimiter: &'q str, at: &str) -> Self {
        Self { prefix, delimiter, from: Bound::Included(at.max(prefix).to_owned()) }
    }

    /// Goes on until `visit` breaks, or the end (`true`), or a pause (`false`),
    /// after which it is called again. Only keys whose value `counts` are met.
    pub(super) fn go<V>(
        &mut self,
        map: &BTreeMap<Box<str>, V>,
        counts: impl Fn(&V) -> bool,
        mut visit: impl FnMut(Step<'_, V>) -> ControlFlow<()>,
    ) -> bool {
        let mut idle = 0;
        'search: loop {
            let from = match &self.from {
                // A range must not begin behind its end.
                Bound::Unbounded => return true,
                Bound::Included(from) => Bound::Included(from.as_str()),
                Bound::Excluded(from) => Bound::Excluded(from.as_str()),
            };
            for (key, value) in map.range::<str, _>((from, Bound::Unbounded)) {
                if !key.starts_with(self.prefix) {
                    return true;
                }
                if !counts(value) {
                    idle += 1;
                    if idle == PAUSE {
                        self.from = Bound::Excluded(key.to_string());
                        return false;
                    }
                    continue;
                }
                if let Some(common) = common_prefix(key, self.prefix, self.delimiter) {
                    if visit(Step::Prefix(common)).is_break() {
                        return true;
                    }
                    self.from = beyond(common);
                    continue 'search;
                }
                if visit(Step::Key(key, value)).is_break() {
                    return true;
                }
            }
            return true;
        }
    }
}

/// What is rolled up: the prefix, and what follows up to the first delimiter.
fn common_prefix<'k>(key: &'k str, prefix: &str, delimiter: &str) -> Option<&'k str> {
    if delimiter.is_empty() {
        return None;
    }
    let at = key.strip_prefix(prefix)?.find(delimiter)?;
    Some(&key[..prefix.len() + at + delimiter.len()])
}

/// Where the first text begins that is greater than all that begin with `prefix`;
/// unbounded when there is none.
fn beyond(prefix: &str) -> Bound<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        let next = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(next) = next {
            text.push(next);
            return Bound::Included(text);
        }
    }
    Bound::Unbounded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_a_prefix_is_the_next_text() {
        let included = |text: &str| Bound::Included(text.to_owned());
        assert_eq!(beyond("a/"), included("a0"));
        assert_eq!(beyond("a\u{10ffff}"), included("b"));
        assert_eq!(beyond("\u{d7ff}"), included("\u{e000}"), "no surrogates");
        assert_eq!(beyond("\u{10ffff}"), Bound::Unbounded);
    }

    #[test]
    fn a_walk_pauses_among_what_counts_for_nothing() {
        let map: BTreeMap<Box<str>, bool> =
            (0..PAUSE + 5).map(|n| (format!("{n:08}").into(), n > PAUSE)).collect();
        let mut met = Vec::new();
        let mut walk = Walk::after("", "", "");
        let mut turns = 1;
        while !walk.go(
            &map,
            |value| *value,
            |step| {
                if let Step::Key(key, _) = step {
                    met.push(key.to_owned());
                }
                ControlFlow::Continue(())
            },
        ) {
            turns += 1;
        }
        assert_eq!((turns, met.len()), (2, 4));
    }
}
