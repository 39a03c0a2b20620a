//! The checksums of S3: their names, how they are computed, and how those of
//! parts become one of the whole. It knows no requests.
//!
//! Source: "Checking object integrity in Amazon S3" in the user guide.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc_fast::{CrcAlgorithm, Digest as Crc};
use sha1::Sha1;
use sha2::Sha256;

/// Puts a value into the field of its kind, in any of the answers that have one for each.
macro_rules! set_checksum {
    ($to:expr, $kind:expr, $value:expr) => {{
        use $crate::serve::s3::checksum::Kind;
        let value = Some($value);
        match $kind {
            Kind::Crc32 => $to.checksum_crc32 = value,
            Kind::Crc32c => $to.checksum_crc32c = value,
            Kind::Crc64Nvme => $to.checksum_crc64nvme = value,
            Kind::Sha1 => $to.checksum_sha1 = value,
            Kind::Sha256 => $to.checksum_sha256 = value,
        }
    }};
}
pub(crate) use set_checksum;

/// A kind of checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] =
        [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// The name in `x-amz-checksum-algorithm` and in XML.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// The header that carries a value of this kind.
    pub(crate) fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name))
    }

    pub(crate) fn of_header(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.header().eq_ignore_ascii_case(name))
    }

    /// Bytes of a value.
    pub(crate) fn len(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// Whether the parts' values can be combined into that of the whole.
    pub(crate) fn is_linear(self) -> bool {
        matches!(self, Self::Crc32 | Self::Crc32c | Self::Crc64Nvme)
    }

    fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Sha1 | Self::Sha256 => None,
        }
    }
}

/// Reads a value in base64; nothing when it is not one of this kind.
pub(crate) fn decode(kind: Kind, value: &str) -> Option<Vec<u8>> {
    let bytes = STANDARD.decode(value).ok()?;
    (bytes.len() == kind.len()).then_some(bytes)
}

/// A checksum being computed.
#[derive(Clone)]
pub(crate) enum Hasher {
    Crc(Kind, Box<Crc>),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Hasher {
    pub(crate) fn new(kind: Kind) -> Self {
        match kind.crc() {
            Some(algorithm) => Self::Crc(kind, Box::new(Crc::new(algorithm))),
            None if kind == Kind::Sha1 => Self::Sha1(<Sha1 as sha1::Digest>::new()),
            None => Self::Sha256(<Sha256 as sha2::Digest>::new()),
        }
    }

    pub(crate) fn update(&mut self, data: &[u8]) {
        match self {
            Self::Crc(_, crc) => crc.update(data),
            Self::Sha1(sha) => sha1::Digest::update(sha, data),
            Self::Sha256(sha) => sha2::Digest::update(sha, data),
        }
    }

    /// The value in base64.
    pub(crate) fn finish(self) -> String {
        match self {
            Self::Crc(kind, crc) => encode_crc(kind, crc.finalize()),
            Self::Sha1(sha) => STANDARD.encode(sha1::Digest::finalize(sha)),
            Self::Sha256(sha) => STANDARD.encode(sha2::Digest::finalize(sha)),
        }
    }
}

fn encode_crc(kind: Kind, value: u64) -> String {
    let bytes = value.to_be_bytes();
    STANDARD.encode(&bytes[8 - kind.len()..])
}

/// The value of some bytes.
pub(crate) fn of(kind: Kind, data: &[u8]) -> String {
    let mut hasher = Hasher::new(kind);
    hasher.update(data);
    hasher.finish()
}

/// The value of the whole out of those of its parts with their sizes in bytes.
/// Nothing when a value is malformed or the kind cannot be combined.
pub(crate) fn full_object(kind: Kind, parts: &[(String, u64)]) -> Option<String> {
    let algorithm = kind.crc()?;
    let mut whole: Option<u64> = None;
    for (value, size) in parts {
        let bytes = decode(kind, value)?;
        let mut padded = [0; 8];
        padded[8 - bytes.len()..].copy_from_slice(&bytes);
        let value = u64::from_be_bytes(padded);
        whole = Some(match whole {
            None => value,
            Some(before) => crc_fast::checksum_combine(algorithm, before, value, *size),
        });
    }
    whole.map(|value| encode_crc(kind, value))
}

/// The checksum of the parts' checksums, with the number of parts: `…-3`.
pub(crate) fn composite(kind: Kind, parts: &[(String, u64)]) -> Option<String> {
    let mut hasher = Hasher::new(kind);
    for (value, _) in parts {
        hasher.update(&decode(kind, value)?);
    }
    Some(format!("{}-{}", hasher.finish(), parts.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_the_well_known_ones() {
        // The check values of the catalogue of CRC algorithms, and FIPS 180.
        for (kind, hex) in [
            (Kind::Crc32, "cbf43926"),
            (Kind::Crc32c, "e3069283"),
            (Kind::Crc64Nvme, "ae8b14860a799888"),
            (Kind::Sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
            (Kind::Sha256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
        ] {
            let value = decode(kind, &of(kind, b"123456789")).unwrap();
            assert_eq!(hex::encode(value), hex, "{kind:?}");
        }
    }

    #[test]
    fn parts_combine_to_the_whole() {
        let data: Vec<u8> = (0..10_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        for kind in [Kind::Crc32, Kind::Crc32c, Kind::Crc64Nvme] {
            let parts: Vec<_> =
                data.chunks(3000).map(|part| (of(kind, part), part.len() as u64)).collect();
            assert_eq!(full_object(kind, &parts).unwrap(), of(kind, &data), "{kind:?}");
        }
        assert_eq!(full_object(Kind::Sha1, &[(of(Kind::Sha1, b""), 0)]), None);
    }

    #[test]
    fn composites_hash_the_values_and_count_the_parts() {
        let parts = [(of(Kind::Sha256, b"a"), 1), (of(Kind::Sha256, b"b"), 1)];
        let mut joined = decode(Kind::Sha256, &parts[0].0).unwrap();
        joined.extend(decode(Kind::Sha256, &parts[1].0).unwrap());
        let expected = format!("{}-2", of(Kind::Sha256, &joined));
        assert_eq!(composite(Kind::Sha256, &parts).unwrap(), expected);
        assert_eq!(composite(Kind::Crc32, &[("x".into(), 1)]), None);
    }
}
