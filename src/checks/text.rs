//! Foreign text made safe to show.
//!
//! Owns what may reach a terminal or a report of what a server sent. Must not lose that
//! something odd was there: it is escaped, never dropped.

use std::error::Error as StdError;
use std::fmt::Write as _;

use crate::error::Error;

/// How much of an error is shown, in characters.
const CAUSE_SHOWN: usize = 512;

/// Makes one line: every control character is escaped, and what is too long is cut.
pub(super) fn line(text: &str, chars: usize) -> String {
    clean(text.trim_end(), chars, |_| false)
}

/// Makes a block of text: line breaks and tabs stay, other control characters are escaped.
pub(super) fn block(text: &str, bytes: usize) -> String {
    let mut shown = clean(text, bytes, |c| matches!(c, '\n' | '\t'));
    if shown.len() > bytes {
        let mut end = bytes;
        while !shown.is_char_boundary(end) {
            end -= 1;
        }
        shown.truncate(end);
    }
    shown
}

fn clean(text: &str, chars: usize, keep: impl Fn(char) -> bool) -> String {
    let mut shown = String::new();
    for (index, c) in text.chars().enumerate() {
        if index == chars {
            shown.push('…');
            break;
        }
        if keep(c) || !hides(c) {
            shown.push(c);
        } else {
            let _ = write!(shown, "{}", c.escape_default());
        }
    }
    shown
}

/// Whether a character can move the cursor, change colours or reorder what is around it.
fn hides(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The innermost cause, which is the one that says something: the others say that a request
/// failed.
pub(super) fn root(error: &dyn StdError) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    let mut shown = line(&deepest.to_string(), CAUSE_SHOWN);
    if let Some(end) = shown.find(" (os error") {
        shown.truncate(end);
    }
    if shown.starts_with(|c: char| c.is_ascii_uppercase())
        && shown.chars().nth(1).is_some_and(|c| c.is_ascii_lowercase())
    {
        shown[..1].make_ascii_lowercase();
    }
    shown
}

/// An error of ours with its last cause, as one line.
pub(super) fn told(error: &Error) -> String {
    let causes = error.causes();
    let text = match causes.last() {
        Some(cause) => {
            // The client repeats the API server's whole status after its message.
            let cause = cause.split_once(" (Status {").map_or(cause.as_str(), |(text, _)| text);
            format!("{error}: {}", cause.trim_start_matches("ApiError: "))
        }
        None => error.to_string(),
    };
    line(&text.replace('\n', " "), CAUSE_SHOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_cannot_reach_the_terminal() {
        assert_eq!(line("a\u{1b}[31mb\r\nc\0\n", 80), r"a\u{1b}[31mb\r\nc\u{0}");
        assert_eq!(block("a\n\tb\u{7}\u{202e}c", 80), "a\n\tb\\u{7}\\u{202e}c");
        assert_eq!(line("grüße", 80), "grüße");
    }

    #[test]
    fn what_is_too_long_is_cut_between_characters() {
        assert_eq!(line("abcdef", 3), "abc…");
        assert_eq!(line("abc", 3), "abc");
        assert_eq!(block("\u{1b}\u{1b}\u{1b}", 7).len(), 7);
        assert_eq!(block("ääää", 3), "ä");
    }
}
