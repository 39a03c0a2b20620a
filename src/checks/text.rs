//! Foreign text made safe to show.
//!
//! Owns what may reach a terminal or a report of what a server sent. Must not lose that
//! something odd was there: it is escaped, never dropped.

use std::fmt::Write as _;

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
