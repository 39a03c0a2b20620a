//! How attributes, events and the like are packed into a segment's bytes.
//!
//! Owns the packing alone. What it wrote it reads again; bytes that it did not write read as
//! nothing, never as a panic.

use std::borrow::Cow;

use super::super::model::{Attribute, Value};
use super::symbols::Symbols;

/// Deeper values are kept as null: nothing sensible nests as deep.
pub(super) const MAX_DEPTH: usize = 32;
/// Values up to this length are interned, as they tend to come again.
const INTERN_LENGTH: usize = 64;
/// From so many texts on, a segment's values are taken for ids that do not come again.
const INTERN_TEXTS: usize = 32 * 1024;

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const INT: u8 = 3;
const DOUBLE: u8 = 4;
const SYMBOL: u8 = 5;
const TEXT: u8 = 6;
const BYTES: u8 = 7;
const ARRAY: u8 = 8;
const MAP: u8 = 9;

/// Packs into a segment's bytes and texts.
pub(crate) struct Writer<'w> {
    pub(super) bytes: &'w mut Vec<u8>,
    pub(super) symbols: &'w mut Symbols,
}

impl Writer<'_> {
    pub(super) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(low_byte(number) | 0x80);
            number >>= 7;
        }
        self.bytes.push(low_byte(number));
    }

    pub(super) fn int(&mut self, number: i64) {
        self.number((number.cast_unsigned() << 1) ^ (number >> 63).cast_unsigned());
    }

    pub(super) fn double(&mut self, number: f64) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    /// Text that is likely to come again.
    pub(super) fn symbol(&mut self, text: &str) {
        let symbol = self.symbols.intern(text);
        self.number(u64::from(symbol));
    }

    /// Text that is not.
    pub(super) fn text(&mut self, text: &str) {
        self.raw(text.as_bytes());
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn attributes(&mut self, attributes: &[Attribute<'_>]) {
        self.attributes_at(attributes, 0);
    }

    fn attributes_at(&mut self, attributes: &[Attribute<'_>], depth: usize) {
        self.number(attributes.len() as u64);
        for (key, value) in attributes {
            self.symbol(key);
            self.value(value, depth);
        }
    }

    fn value(&mut self, value: &Value<'_>, depth: usize) {
        match value {
            Value::Array(_) | Value::Map(_) if depth >= MAX_DEPTH => self.bytes.push(NULL),
            Value::Null => self.bytes.push(NULL),
            Value::Bool(false) => self.bytes.push(FALSE),
            Value::Bool(true) => self.bytes.push(TRUE),
            Value::Int(number) => {
                self.bytes.push(INT);
                self.int(*number);
            }
            Value::Double(number) => {
                self.bytes.push(DOUBLE);
                self.double(*number);
            }
            Value::Str(text) => self.value_text(text),
            Value::Bytes(bytes) => {
                self.bytes.push(BYTES);
                self.raw(bytes);
            }
            Value::Array(values) => {
                self.bytes.push(ARRAY);
                self.number(values.len() as u64);
                for value in values {
                    self.value(value, depth + 1);
                }
            }
            Value::Map(entries) => {
                self.bytes.push(MAP);
                self.attributes_at(entries, depth + 1);
            }
        }
    }

    fn value_text(&mut self, text: &str) {
        let known = if text.len() > INTERN_LENGTH {
            None
        } else if self.symbols.len() < INTERN_TEXTS {
            Some(self.symbols.intern(text))
        } else {
            self.symbols.find(text)
        };
        if let Some(symbol) = known {
            self.bytes.push(SYMBOL);
            self.number(u64::from(symbol));
        } else {
            self.bytes.push(TEXT);
            self.text(text);
        }
    }
}

/// Reads what a [`Writer`] wrote.
#[derive(Clone, Copy)]
pub(super) struct Reader<'s> {
    bytes: &'s [u8],
    symbols: &'s Symbols,
}

impl<'s> Reader<'s> {
    pub(super) fn new(bytes: &'s [u8], symbols: &'s Symbols) -> Self {
        Self { bytes, symbols }
    }

    fn take(&mut self, length: usize) -> &'s [u8] {
        let Some((taken, rest)) = self.bytes.split_at_checked(length) else {
            self.bytes = &[];
            return &[];
        };
        self.bytes = rest;
        taken
    }

    fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(NULL)
    }

    pub(super) fn number(&mut self) -> u64 {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte();
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        number
    }

    pub(super) fn int(&mut self) -> i64 {
        let number = self.number();
        (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
    }

    pub(super) fn double(&mut self) -> f64 {
        let mut bytes = [0; 8];
        for (to, from) in bytes.iter_mut().zip(self.take(8)) {
            *to = *from;
        }
        f64::from_le_bytes(bytes)
    }

    /// A length that was written before as many things, each of a byte at least.
    pub(super) fn length(&mut self) -> usize {
        usize::try_from(self.number()).unwrap_or(usize::MAX).min(self.bytes.len())
    }

    pub(super) fn symbol(&mut self) -> &'s str {
        let symbol = u32::try_from(self.number()).unwrap_or(0);
        self.symbols.get(symbol)
    }

    pub(super) fn text(&mut self) -> &'s str {
        std::str::from_utf8(self.raw()).unwrap_or_default()
    }

    pub(super) fn raw(&mut self) -> &'s [u8] {
        let length = self.length();
        self.take(length)
    }

    pub(super) fn attributes(&mut self) -> Vec<Attribute<'s>> {
        let length = self.length();
        (0..length).map(|_| (Cow::Borrowed(self.symbol()), self.value())).collect()
    }

    /// Goes on behind the attributes.
    pub(super) fn skip_attributes(&mut self) {
        for _ in 0..self.length() {
            self.number();
            self.value();
        }
    }

    /// Calls `each` for every attribute until it answers true; whether it did.
    pub(super) fn any_attribute(
        mut self,
        mut each: impl FnMut(&'s str, &Value<'s>) -> bool,
    ) -> bool {
        let length = self.length();
        (0..length).any(|_| {
            let key = self.symbol();
            let value = self.value();
            each(key, &value)
        })
    }

    fn value(&mut self) -> Value<'s> {
        match self.byte() {
            FALSE => Value::Bool(false),
            TRUE => Value::Bool(true),
            INT => Value::Int(self.int()),
            DOUBLE => Value::Double(self.double()),
            SYMBOL => Value::Str(Cow::Borrowed(self.symbol())),
            TEXT => Value::Str(Cow::Borrowed(self.text())),
            BYTES => Value::Bytes(Cow::Borrowed(self.raw())),
            ARRAY => {
                let length = self.length();
                Value::Array((0..length).map(|_| self.value()).collect())
            }
            MAP => Value::Map(self.attributes()),
            _ => Value::Null,
        }
    }
}

fn low_byte(number: u64) -> u8 {
    number.to_le_bytes()[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(attributes: &[Attribute<'_>]) {
        let (mut bytes, mut symbols) = (Vec::new(), Symbols::new());
        Writer { bytes: &mut bytes, symbols: &mut symbols }.attributes(attributes);
        let read = Reader::new(&bytes, &symbols).attributes();
        assert_eq!(read, attributes);
    }

    #[test]
    fn every_kind_of_value_is_read_as_written() {
        let long = "x".repeat(1000);
        round(&[
            ("null".into(), Value::Null),
            ("no".into(), Value::Bool(false)),
            ("yes".into(), Value::Bool(true)),
            ("least".into(), Value::Int(i64::MIN)),
            ("most".into(), Value::Int(i64::MAX)),
            ("minus".into(), Value::Int(-1)),
            ("double".into(), Value::Double(-0.1)),
            ("short".into(), Value::Str("short".into())),
            ("empty".into(), Value::Str("".into())),
            ("long".into(), Value::Str(long.into())),
            ("bytes".into(), Value::Bytes(vec![0, 255].into())),
            (
                "nested".into(),
                Value::Map(vec![("a".into(), Value::Array(vec![Value::Int(1), Value::Null]))]),
            ),
        ]);
    }

    #[test]
    fn what_nests_too_deep_becomes_null() {
        let mut value = Value::Int(1);
        for _ in 0..1000 {
            value = Value::Array(vec![value]);
        }
        let (mut bytes, mut symbols) = (Vec::new(), Symbols::new());
        Writer { bytes: &mut bytes, symbols: &mut symbols }.attributes(&[("deep".into(), value)]);
        assert!(bytes.len() < 100);
        assert_eq!(Reader::new(&bytes, &symbols).attributes().len(), 1);
    }

    #[test]
    fn foreign_bytes_read_as_something_bounded() {
        let symbols = Symbols::new();
        for seed in 0..=255_u8 {
            let bytes: Vec<u8> = (0..64_u8).map(|place| seed.wrapping_mul(place) ^ seed).collect();
            let read = Reader::new(&bytes, &symbols).attributes();
            assert!(read.len() <= bytes.len());
        }
    }
}
