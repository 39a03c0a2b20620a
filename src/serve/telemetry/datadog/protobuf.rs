//! Reads protobuf fields from a byte slice, one by one and without a tree.
//! Must not allocate, and must not know a message.

use super::msgpack::Error;

/// A field's value as it is on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

impl<'a> Wire<'a> {
    /// A string, bytes or message; empty where the field is none.
    pub(crate) fn bytes(self) -> &'a [u8] {
        if let Self::Bytes(bytes) = self { bytes } else { &[] }
    }

    /// A string, repaired where it is not UTF-8.
    pub(crate) fn text(self) -> std::borrow::Cow<'a, str> {
        String::from_utf8_lossy(self.bytes())
    }

    /// An `int64`, `uint64` or smaller; 0 where the field is none.
    pub(crate) fn int(self) -> i64 {
        if let Self::Varint(value) = self { value.cast_signed() } else { 0 }
    }

    /// A `double`; 0 where the field is none.
    pub(crate) fn double(self) -> f64 {
        if let Self::Fixed64(bits) = self { f64::from_bits(bits) } else { 0.0 }
    }
}

/// The fields of a message.
#[derive(Debug, Clone)]
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next field, or `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, Wire<'a>)>, Error> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let wire = match key & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(u64::from_le_bytes(self.le()?)),
            2 => {
                let len = usize::try_from(self.varint()?).map_err(|_| Error::Short)?;
                let (head, rest) = self.rest.split_at_checked(len).ok_or(Error::Short)?;
                self.rest = rest;
                Wire::Bytes(head)
            }
            5 => Wire::Fixed32(u32::from_le_bytes(self.le()?)),
            _ => return Err(Error::Type { expected: "field", found: "group" }),
        };
        Ok(Some((key >> 3, wire)))
    }

    fn le<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(Error::Short)?;
        self.rest = rest;
        Ok(*head)
    }

    fn varint(&mut self) -> Result<u64, Error> {
        let mut value = 0;
        for shift in (0..70).step_by(7) {
            let (byte, rest) = self.rest.split_first().ok_or(Error::Short)?;
            self.rest = rest;
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has one bit left to give.
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Error::Type { expected: "varint", found: "more than 64 bits" })
    }
}

/// Calls `sink` with each message of a repeated field of a payload.
pub(crate) fn messages<'a>(
    bytes: &'a [u8],
    field: u64,
    mut sink: impl FnMut(&'a [u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut payload = Fields::new(bytes);
    while let Some((number, wire)) = payload.next()? {
        if number == field {
            sink(wire.bytes())?;
        }
    }
    Ok(())
}

/// Calls `sink` with the varints of a repeated field, packed or not.
pub(crate) fn varints(wire: Wire<'_>, mut sink: impl FnMut(u64)) -> Result<(), Error> {
    match wire {
        Wire::Bytes(bytes) => {
            let mut packed = Fields::new(bytes);
            while !packed.rest.is_empty() {
                sink(packed.varint()?);
            }
        }
        Wire::Varint(value) => sink(value),
        _ => {}
    }
    Ok(())
}

/// Calls `sink` with the doubles of a repeated field, packed or not.
pub(crate) fn doubles(wire: Wire<'_>, mut sink: impl FnMut(f64)) -> Result<(), Error> {
    match wire {
        Wire::Bytes(bytes) => {
            let mut packed = Fields::new(bytes);
            while !packed.rest.is_empty() {
                sink(f64::from_le_bytes(packed.le()?));
            }
        }
        other => sink(other.double()),
    }
    Ok(())
}

/// Undoes the zigzag of `sint32` and `sint64`.
pub(crate) fn zigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message;

    use super::*;

    #[derive(Clone, PartialEq, Message)]
    struct Sample {
        #[prost(int64, tag = "1")]
        int: i64,
        #[prost(double, tag = "2")]
        double: f64,
        #[prost(string, tag = "3")]
        text: String,
        #[prost(sint32, repeated, tag = "400")]
        keys: Vec<i32>,
        #[prost(double, repeated, tag = "5")]
        doubles: Vec<f64>,
        #[prost(fixed32, tag = "6")]
        fixed: u32,
    }

    proptest! {
        #[test]
        fn what_is_encoded_comes_back(
            int: i64,
            double in -1e300_f64..1e300,
            text: String,
            keys: Vec<i32>,
            numbers in proptest::collection::vec(-1e300_f64..1e300, 0..9),
            fixed: u32,
        ) {
            let sample = Sample { int, double, text, keys, doubles: numbers, fixed };
            let bytes = sample.encode_to_vec();
            let mut fields = Fields::new(&bytes);
            let mut got = Sample::default();
            while let Some((number, wire)) = fields.next().unwrap() {
                match (number, wire) {
                    (1, wire) => got.int = wire.int(),
                    (2, wire) => got.double = wire.double(),
                    (3, wire) => got.text = wire.text().into_owned(),
                    (400, wire) => {
                        let push = |value| got.keys.push(i32::try_from(zigzag(value)).unwrap());
                        varints(wire, push).unwrap();
                    }
                    (5, wire) => doubles(wire, |value| got.doubles.push(value)).unwrap(),
                    (6, Wire::Fixed32(value)) => got.fixed = value,
                    (number, _) => panic!("field {number}"),
                }
            }
            prop_assert_eq!(got, sample);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut fields = Fields::new(&bytes);
            let mut read = 0;
            while let Ok(Some((_, wire))) = fields.next() {
                read += 1;
                let _ = varints(wire, drop);
                let _ = doubles(wire, drop);
            }
            prop_assert!(read <= bytes.len());
        }
    }

    #[test]
    fn a_length_of_four_billion_is_short() {
        assert_eq!(Fields::new(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]).next(), Err(Error::Short));
        assert!(
            Fields::new(&[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f])
                .next()
                .is_err()
        );
    }
}
