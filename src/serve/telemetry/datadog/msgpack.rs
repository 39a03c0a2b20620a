//! Reads `MessagePack` from a byte slice, value by value, without building a
//! tree. Owns the tolerance of the Datadog agent: an integer where a float is
//! meant, `nil` for nothing, `bin` for `str`. Must not allocate on the word of
//! a length, and must not recurse.

use std::borrow::Cow;

use rmp::Marker;

/// Why bytes are not the `MessagePack` that was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// The payload ends inside a value.
    #[error("unexpected-eof")]
    Short,
    /// Another type than the field has.
    #[error("expected {expected}, found {found}")]
    Type {
        /// What the field holds.
        expected: &'static str,
        /// What the payload has.
        found: &'static str,
    },
    /// A number that the field cannot hold.
    #[error("number {0} overflows its field")]
    Overflow(u64),
    /// A string index of v0.5 beyond the table.
    #[error("dictionary index {0} out of range")]
    Index(u64),
    /// A v0.5 span or payload with another number of elements.
    #[error("expected {expected} elements in array, found {found}")]
    Elements {
        /// How many the format has.
        expected: u32,
        /// How many the payload says.
        found: u32,
    },
    /// JSON that is none, or not the expected one.
    #[error("{0}")]
    Json(String),
    /// The decoded form would be larger than one payload may be.
    #[error("payload-too-large")]
    TooLarge,
}

/// A position in a payload.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// How many bytes are not read yet.
    #[cfg(test)]
    fn left(&self) -> usize {
        self.rest.len()
    }

    /// A capacity for `len` items that the rest of the payload can justify.
    pub(crate) fn capacity(&self, len: u32, item_bytes: usize) -> usize {
        (len as usize).min(self.rest.len() / item_bytes.max(1)).min(4096)
    }

    fn marker(&mut self) -> Result<Marker, Error> {
        let (first, rest) = self.rest.split_first().ok_or(Error::Short)?;
        self.rest = rest;
        Ok(Marker::from_u8(*first))
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Error> {
        let (head, rest) = self.rest.split_at_checked(len).ok_or(Error::Short)?;
        self.rest = rest;
        Ok(head)
    }

    fn be<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(Error::Short)?;
        self.rest = rest;
        Ok(*head)
    }

    fn u8(&mut self) -> Result<u32, Error> {
        Ok(u32::from(u8::from_be_bytes(self.be()?)))
    }

    fn u16(&mut self) -> Result<u32, Error> {
        Ok(u32::from(u16::from_be_bytes(self.be()?)))
    }

    fn u32(&mut self) -> Result<u32, Error> {
        Ok(u32::from_be_bytes(self.be()?))
    }

    /// The length of an array; `nil` is an empty one.
    pub(crate) fn array(&mut self) -> Result<u32, Error> {
        match self.marker()? {
            Marker::FixArray(len) => Ok(u32::from(len)),
            Marker::Array16 => self.u16(),
            Marker::Array32 => self.u32(),
            Marker::Null => Ok(0),
            other => Err(wrong("array", other)),
        }
    }

    /// The number of pairs of a map; `nil` is an empty one.
    pub(crate) fn map(&mut self) -> Result<u32, Error> {
        match self.marker()? {
            Marker::FixMap(len) => Ok(u32::from(len)),
            Marker::Map16 => self.u16(),
            Marker::Map32 => self.u32(),
            Marker::Null => Ok(0),
            other => Err(wrong("map", other)),
        }
    }

    /// The bytes of a string; `bin` counts as one and `nil` is empty.
    pub(crate) fn str_bytes(&mut self) -> Result<&'a [u8], Error> {
        let len = match self.marker()? {
            Marker::FixStr(len) => u32::from(len),
            Marker::Str8 | Marker::Bin8 => self.u8()?,
            Marker::Str16 | Marker::Bin16 => self.u16()?,
            Marker::Str32 | Marker::Bin32 => self.u32()?,
            Marker::Null => 0,
            other => return Err(wrong("str", other)),
        };
        self.take(len as usize)
    }

    /// A string, with what is not UTF-8 replaced as the agent does.
    pub(crate) fn text(&mut self) -> Result<Cow<'a, str>, Error> {
        Ok(String::from_utf8_lossy(self.str_bytes()?))
    }

    /// Bytes; `nil` is empty.
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Error> {
        let len = match self.marker()? {
            Marker::Bin8 => self.u8()?,
            Marker::Bin16 => self.u16()?,
            Marker::Bin32 => self.u32()?,
            Marker::Null => 0,
            other => return Err(wrong("bin", other)),
        };
        self.take(len as usize)
    }

    /// An integer of any width; `None` says the marker is none and was read.
    fn integer(&mut self, marker: Marker) -> Result<Option<Integer>, Error> {
        Ok(Some(match marker {
            Marker::FixPos(value) => Integer::Unsigned(u64::from(value)),
            Marker::U8 => Integer::Unsigned(u64::from(self.u8()?)),
            Marker::U16 => Integer::Unsigned(u64::from(self.u16()?)),
            Marker::U32 => Integer::Unsigned(u64::from(self.u32()?)),
            Marker::U64 => Integer::Unsigned(u64::from_be_bytes(self.be()?)),
            Marker::FixNeg(value) => Integer::Signed(i64::from(value)),
            Marker::I8 => Integer::Signed(i64::from(i8::from_be_bytes(self.be()?))),
            Marker::I16 => Integer::Signed(i64::from(i16::from_be_bytes(self.be()?))),
            Marker::I32 => Integer::Signed(i64::from(i32::from_be_bytes(self.be()?))),
            Marker::I64 => Integer::Signed(i64::from_be_bytes(self.be()?)),
            Marker::Null => Integer::Unsigned(0),
            _ => return Ok(None),
        }))
    }

    /// An unsigned number. A negative one keeps its bits, as tracers of
    /// languages without unsigned types send identifiers so.
    pub(crate) fn uint(&mut self) -> Result<u64, Error> {
        let marker = self.marker()?;
        match self.integer(marker)? {
            Some(Integer::Unsigned(value)) => Ok(value),
            Some(Integer::Signed(value)) => Ok(value.cast_unsigned()),
            None => Err(wrong("int", marker)),
        }
    }

    /// A signed number.
    pub(crate) fn int(&mut self) -> Result<i64, Error> {
        let marker = self.marker()?;
        match self.integer(marker)? {
            Some(Integer::Signed(value)) => Ok(value),
            Some(Integer::Unsigned(value)) => {
                i64::try_from(value).map_err(|_| Error::Overflow(value))
            }
            None => Err(wrong("int", marker)),
        }
    }

    /// A signed number of 32 bits.
    pub(crate) fn int32(&mut self) -> Result<i32, Error> {
        let value = self.int()?;
        i32::try_from(value).map_err(|_| Error::Overflow(value.unsigned_abs()))
    }

    /// A float, which may have been sent as an integer.
    pub(crate) fn float(&mut self) -> Result<f64, Error> {
        match self.marker()? {
            Marker::F64 => Ok(f64::from_be_bytes(self.be()?)),
            Marker::F32 => Ok(f64::from(f32::from_be_bytes(self.be()?))),
            other => match self.integer(other)? {
                Some(integer) => Ok(integer.to_f64()),
                None => Err(wrong("float", other)),
            },
        }
    }

    /// A truth value; a number counts as true unless it is zero.
    pub(crate) fn bool(&mut self) -> Result<bool, Error> {
        match self.marker()? {
            Marker::True => Ok(true),
            Marker::False => Ok(false),
            other => match self.integer(other)? {
                Some(integer) => Ok(!matches!(integer, Integer::Unsigned(0) | Integer::Signed(0))),
                None => Err(wrong("bool", other)),
            },
        }
    }

    /// Reads past one value of any shape and depth.
    pub(crate) fn skip(&mut self) -> Result<(), Error> {
        // Every value takes a byte at least, so this ends with the payload
        // whatever the lengths say.
        let mut values: u64 = 1;
        while values > 0 {
            values -= 1;
            let marker = self.marker()?;
            let (bytes, more) = self.extent(marker)?;
            self.take(bytes)?;
            values = values.saturating_add(more);
        }
        Ok(())
    }

    /// How many bytes follow this marker, and how many values after them.
    fn extent(&mut self, marker: Marker) -> Result<(usize, u64), Error> {
        Ok(match marker {
            Marker::FixPos(_)
            | Marker::FixNeg(_)
            | Marker::Null
            | Marker::True
            | Marker::False
            | Marker::Reserved => (0, 0),
            Marker::U8 | Marker::I8 => (1, 0),
            Marker::U16 | Marker::I16 | Marker::FixExt1 => (2, 0),
            Marker::U32 | Marker::I32 | Marker::F32 => (4, 0),
            Marker::U64 | Marker::I64 | Marker::F64 => (8, 0),
            Marker::FixExt2 => (3, 0),
            Marker::FixExt4 => (5, 0),
            Marker::FixExt8 => (9, 0),
            Marker::FixExt16 => (17, 0),
            Marker::FixStr(len) => (usize::from(len), 0),
            Marker::Str8 | Marker::Bin8 => (self.u8()? as usize, 0),
            Marker::Str16 | Marker::Bin16 => (self.u16()? as usize, 0),
            Marker::Str32 | Marker::Bin32 => (self.u32()? as usize, 0),
            Marker::Ext8 => (self.u8()? as usize + 1, 0),
            Marker::Ext16 => (self.u16()? as usize + 1, 0),
            Marker::Ext32 => ((self.u32()? as usize).saturating_add(1), 0),
            Marker::FixArray(len) => (0, u64::from(len)),
            Marker::Array16 => (0, u64::from(self.u16()?)),
            Marker::Array32 => (0, u64::from(self.u32()?)),
            Marker::FixMap(len) => (0, 2 * u64::from(len)),
            Marker::Map16 => (0, 2 * u64::from(self.u16()?)),
            Marker::Map32 => (0, 2 * u64::from(self.u32()?)),
        })
    }
}

enum Integer {
    Unsigned(u64),
    Signed(i64),
}

impl Integer {
    #[expect(clippy::cast_precision_loss, reason = "a metric is a float; the agent rounds too")]
    fn to_f64(&self) -> f64 {
        match self {
            Self::Unsigned(value) => *value as f64,
            Self::Signed(value) => *value as f64,
        }
    }
}

fn wrong(expected: &'static str, found: Marker) -> Error {
    let found = match found {
        Marker::Null => "nil",
        Marker::True | Marker::False => "bool",
        Marker::F32 | Marker::F64 => "float",
        Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => "str",
        Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => "bin",
        Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => "array",
        Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => "map",
        Marker::Reserved => "a reserved byte",
        Marker::Ext8
        | Marker::Ext16
        | Marker::Ext32
        | Marker::FixExt1
        | Marker::FixExt2
        | Marker::FixExt4
        | Marker::FixExt8
        | Marker::FixExt16 => "ext",
        _ => "int",
    };
    Error::Type { expected, found }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_length_of_four_billion_is_short_and_not_an_allocation() {
        for head in [0xdd_u8, 0xdf, 0xdb, 0xc6, 0xc9] {
            let bytes = [head, 0xff, 0xff, 0xff, 0xff, 0x01];
            assert_eq!(Reader::new(&bytes).skip(), Err(Error::Short));
        }
        let mut reader = Reader::new(&[0xdd, 0xff, 0xff, 0xff, 0xff]);
        let len = reader.array().unwrap();
        assert_eq!((len, reader.capacity(len, 1)), (u32::MAX, 0));
    }

    #[test]
    fn deep_nesting_is_skipped_without_recursion() {
        let mut bytes = vec![0x91; 1 << 20];
        bytes.push(0xc0);
        let mut reader = Reader::new(&bytes);
        reader.skip().unwrap();
        assert_eq!(reader.left(), 0);
    }

    #[test]
    fn numbers_are_taken_in_every_width() {
        let minus_one =
            [&[0xff][..], &[0xd0, 0xff], &[0xd1, 0xff, 0xff], &[0xd2, 255, 255, 255, 255]];
        for bytes in minus_one {
            assert_eq!(Reader::new(bytes).int(), Ok(-1));
            assert_eq!(Reader::new(bytes).uint(), Ok(u64::MAX));
            assert_eq!(Reader::new(bytes).float(), Ok(-1.0));
        }
        let seven = [
            &[7][..],
            &[0xcc, 7],
            &[0xcd, 0, 7],
            &[0xce, 0, 0, 0, 7],
            &[0xcf, 0, 0, 0, 0, 0, 0, 0, 7],
            &[0xd3, 0, 0, 0, 0, 0, 0, 0, 7],
        ];
        for bytes in seven {
            assert_eq!(Reader::new(bytes).int32(), Ok(7));
            assert_eq!(Reader::new(bytes).uint(), Ok(7));
            assert_eq!(Reader::new(bytes).float(), Ok(7.0));
        }
        assert_eq!(Reader::new(&[0xca, 0x40, 0x20, 0, 0]).float(), Ok(2.5));
        assert_eq!(Reader::new(&[0xc0]).float(), Ok(0.0));
        let big = [0xcf, 255, 255, 255, 255, 255, 255, 255, 255];
        assert_eq!(Reader::new(&big).int(), Err(Error::Overflow(u64::MAX)));
    }

    #[test]
    fn text_is_repaired_and_typed() {
        assert_eq!(Reader::new(&[0xa2, b'o', 0xff]).text().unwrap(), "o\u{fffd}");
        assert_eq!(Reader::new(&[0xc4, 2, b'o', b'k']).text().unwrap(), "ok");
        assert_eq!(Reader::new(&[0xc0]).text().unwrap(), "");
        let error = Reader::new(&[0x01]).text().unwrap_err();
        assert_eq!(error.to_string(), "expected str, found int");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let read = [
                |r: &mut Reader<'_>| r.skip(),
                |r: &mut Reader<'_>| r.text().map(drop),
                |r: &mut Reader<'_>| r.float().map(drop),
                |r: &mut Reader<'_>| r.int32().map(drop),
                |r: &mut Reader<'_>| r.map().map(drop),
                |r: &mut Reader<'_>| r.array().map(drop),
                |r: &mut Reader<'_>| r.bytes().map(drop),
                |r: &mut Reader<'_>| r.bool().map(drop),
            ];
            for one in read {
                let mut reader = Reader::new(&bytes);
                while one(&mut reader).is_ok() && reader.left() > 0 {}
                prop_assert!(reader.left() <= bytes.len());
            }
        }
    }
}
