//! Interned text of one segment.
//!
//! Owns one string with all texts and a hash table of their numbers: twelve bytes a text beside
//! the text itself. Never removes anything; a segment is dropped as a whole.

use std::hash::{BuildHasher, RandomState};

/// The number of a text. The empty text is 0.
pub(crate) type Symbol = u32;

/// Interned text.
#[derive(Debug)]
pub(crate) struct Symbols {
    text: String,
    /// Where each text ends in `text`; it begins where the one before ends.
    ends: Vec<u32>,
    /// Open addressing; a free slot is 0, which is the empty text and never looked up.
    slots: Vec<Symbol>,
    /// Random for each run, so that nobody can send texts that all fall into the same slot.
    seed: u64,
}

const FIRST_SLOTS: usize = 64;

impl Symbols {
    pub(crate) fn new() -> Self {
        Self { text: String::new(), ends: vec![0], slots: Vec::new(), seed: seed() }
    }

    /// The number of a text, new or known.
    pub(crate) fn intern(&mut self, text: &str) -> Symbol {
        if text.is_empty() {
            return 0;
        }
        if (self.ends.len() + 1) * 4 > self.slots.len() * 3 {
            self.grow();
        }
        let slot = match self.slot(text) {
            Ok(symbol) => return symbol,
            Err(slot) => slot,
        };
        let end = self.text.len() + text.len();
        let (Ok(symbol), Ok(end)) = (u32::try_from(self.ends.len()), u32::try_from(end)) else {
            // A segment is sealed long before it holds 4 GiB of text.
            return 0;
        };
        self.text.push_str(text);
        self.ends.push(end);
        self.slots[slot] = symbol;
        symbol
    }

    /// The number of a text that is known.
    pub(crate) fn find(&self, text: &str) -> Option<Symbol> {
        if text.is_empty() {
            return Some(0);
        }
        if self.slots.is_empty() {
            return None;
        }
        self.slot(text).ok()
    }

    /// The text of a number; empty for one that was never given.
    pub(crate) fn get(&self, symbol: Symbol) -> &str {
        let symbol = symbol as usize;
        let Some(end) = self.ends.get(symbol) else { return "" };
        let begin = symbol.checked_sub(1).and_then(|before| self.ends.get(before)).unwrap_or(&0);
        self.text.get(*begin as usize..*end as usize).unwrap_or_default()
    }

    /// How many texts there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes in use.
    pub(crate) fn bytes(&self) -> usize {
        self.text.len() + self.ends.len() * 4 + self.slots.len() * 4
    }

    /// Gives back memory that was reserved for growth.
    pub(crate) fn shrink(&mut self) {
        self.text.shrink_to_fit();
        self.ends.shrink_to_fit();
    }

    /// The number of a known text, or the slot where it belongs.
    fn slot(&self, text: &str) -> Result<Symbol, usize> {
        let mask = self.slots.len() - 1;
        let mut slot = usize::try_from(hash(self.seed, text.as_bytes()) & mask as u64).unwrap_or(0);
        loop {
            let symbol = self.slots[slot];
            if symbol == 0 {
                return Err(slot);
            }
            if self.get(symbol) == text {
                return Ok(symbol);
            }
            slot = (slot + 1) & mask;
        }
    }

    fn grow(&mut self) {
        let wanted = (self.slots.len() * 2).max(FIRST_SLOTS);
        let mask = wanted as u64 - 1;
        let mut slots = vec![0; wanted];
        for place in 1..self.ends.len() {
            let Ok(symbol) = u32::try_from(place) else { break };
            let text = self.get(symbol);
            let mut slot = usize::try_from(hash(self.seed, text.as_bytes()) & mask).unwrap_or(0);
            while slots[slot] != 0 {
                slot = (slot + 1) & (wanted - 1);
            }
            slots[slot] = symbol;
        }
        self.slots = slots;
    }
}

fn seed() -> u64 {
    RandomState::new().hash_one(0_u8) | 1
}

/// A folded multiplication for each eight bytes: a few nanoseconds for the short texts that keys,
/// services and names are, where the standard library's hash takes twenty.
fn hash(seed: u64, bytes: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let fold = |state: u64, word: u64| {
        let product =
            u128::from(state ^ word).wrapping_mul(u128::from(FACTOR ^ seed.rotate_left(32)));
        let bytes = product.to_le_bytes();
        let (low, high) = bytes.split_at(8);
        word_of(low) ^ word_of(high)
    };
    let mut state = seed ^ bytes.len() as u64;
    let mut words = bytes.chunks_exact(8);
    for word in &mut words {
        state = fold(state, word_of(word));
    }
    fold(fold(state, word_of(words.remainder())), seed)
}

fn word_of(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    for (to, from) in word.iter_mut().zip(bytes) {
        *to = *from;
    }
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_kept_once_and_found_again() {
        let mut symbols = Symbols::new();
        assert_eq!(symbols.find("nothing yet"), None);
        let texts: Vec<String> = (0..5000).map(|number| format!("text {number}")).collect();
        let numbers: Vec<Symbol> = texts.iter().map(|text| symbols.intern(text)).collect();
        let bytes = symbols.bytes();
        for (text, number) in texts.iter().zip(&numbers) {
            assert_eq!(symbols.intern(text), *number);
            assert_eq!(symbols.find(text), Some(*number));
            assert_eq!(symbols.get(*number), text);
        }
        assert_eq!(symbols.bytes(), bytes);
        assert_eq!(symbols.find("text 5000"), None);
        assert_eq!(symbols.get(99_999), "");
        assert_eq!((symbols.intern(""), symbols.find(""), symbols.get(0)), (0, Some(0), ""));
    }
}
