//! Bodies that say which operation wrote them and whether they are whole.

/// A small generator of numbers.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number from 0 up to, not including, `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 8) % end
    }
}

/// The body that operation `n` writes: mostly small, some in files of their own.
pub(crate) fn body(n: u64) -> Vec<u8> {
    let mut random = Random::new(n);
    let len = match random.below(8) {
        0 => 66_000 + random.below(200_000),
        1 => 5_000 + random.below(55_000),
        _ => random.below(500),
    };
    let mut bytes = n.to_le_bytes().to_vec();
    bytes.extend((0..len / 8).flat_map(|_| random.next().to_le_bytes()));
    bytes
}

/// Which operation wrote a body, if it is whole.
pub(crate) fn origin(bytes: &[u8]) -> Option<u64> {
    let n = u64::from_le_bytes(*bytes.first_chunk()?);
    (body(n) == bytes).then_some(n)
}
