//! One frame: a header, a head (what a record says) and a body (bytes that
//! belong to it). Two checksums, so that a head can be read without its body.
//!
//! | bytes | what |
//! |---|---|
//! | 0-4 | magic |
//! | 4-8 | length of the head |
//! | 8-12 | length of the body |
//! | 12-16 | how much of the segment was synced before this frame was written |
//! | 16-24 | sequence number, growing from frame to frame through the whole log |
//! | 24-28 | CRC-32C of the body |
//! | 28-32 | CRC-32C of bytes 0-28 and the head |
//!
//! Numbers are little-endian.

use crc_fast::{CrcAlgorithm, Digest};

pub(in super::super) const HEADER: usize = 32;
/// The longest head; an object of 10 000 parts takes less than a tenth of it.
pub(in super::super) const MAX_HEAD: usize = 16 << 20;
/// The longest body: the configuration of a bucket.
pub(in super::super) const MAX_BODY: usize = 32 << 20;

pub(super) const MAGIC: [u8; 4] = *b"S3L\x01";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) head: u32,
    pub(super) body: u32,
    pub(super) durable: u32,
    pub(super) seq: u64,
    body_crc: u32,
    head_crc: u32,
}

impl Header {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let bytes = bytes.first_chunk::<HEADER>().ok_or("the header is cut off")?;
        if bytes[..4] != MAGIC {
            return Err("no frame begins here");
        }
        let header = Self {
            head: u32_at(bytes, 4),
            body: u32_at(bytes, 8),
            durable: u32_at(bytes, 12),
            seq: u64::from(u32_at(bytes, 16)) | u64::from(u32_at(bytes, 20)) << 32,
            body_crc: u32_at(bytes, 24),
            head_crc: u32_at(bytes, 28),
        };
        let fits = header.head as usize <= MAX_HEAD && header.body as usize <= MAX_BODY;
        if fits { Ok(header) } else { Err("a frame cannot be that long") }
    }

    pub(super) fn check_head(&self, header: &[u8], head: &[u8]) -> Result<(), &'static str> {
        let same = head_crc(header, head) == self.head_crc;
        if same { Ok(()) } else { Err("the checksum of the head differs") }
    }

    pub(super) fn check_body(&self, body: &[u8]) -> Result<(), &'static str> {
        let same = crc_fast::crc32_iscsi(body) == self.body_crc;
        if same { Ok(()) } else { Err("the checksum of the body differs") }
    }
}

/// Appends a frame to `buffer`. The lengths are within the limits.
pub(in super::super) fn encode(
    buffer: &mut Vec<u8>,
    durable: u32,
    seq: u64,
    head: &[u8],
    body: &[u8],
) {
    let start = buffer.len();
    buffer.reserve(HEADER + head.len() + body.len());
    buffer.extend_from_slice(&MAGIC);
    buffer.extend_from_slice(&length(head).to_le_bytes());
    buffer.extend_from_slice(&length(body).to_le_bytes());
    buffer.extend_from_slice(&durable.to_le_bytes());
    buffer.extend_from_slice(&seq.to_le_bytes());
    buffer.extend_from_slice(&crc_fast::crc32_iscsi(body).to_le_bytes());
    let crc = head_crc(&buffer[start..], head);
    buffer.extend_from_slice(&crc.to_le_bytes());
    buffer.extend_from_slice(head);
    buffer.extend_from_slice(body);
}

fn head_crc(header: &[u8], head: &[u8]) -> u32 {
    let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
    digest.update(&header[..HEADER - 4]);
    digest.update(head);
    // A CRC-32 has its value in the lower half.
    u32::try_from(digest.finalize() & u64::from(u32::MAX)).unwrap_or(0)
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

fn u32_at(bytes: &[u8; HEADER], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_changed_bit_is_found() {
        let mut frame = Vec::new();
        encode(&mut frame, 7, 1 << 40, b"head", b"body");
        assert_eq!(intact(&frame), Some((7, 1 << 40)));
        for bit in 0..frame.len() * 8 {
            let mut other = frame.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(intact(&other), None, "bit {bit}");
        }
    }

    fn intact(frame: &[u8]) -> Option<(u32, u64)> {
        let (start, rest) = frame.split_first_chunk::<HEADER>()?;
        let header = Header::parse(start).ok()?;
        let (head, body) = rest.split_at_checked(header.head as usize)?;
        header.check_head(start, head).ok()?;
        (body.len() == header.body as usize).then_some(())?;
        header.check_body(body).ok()?;
        Some((header.durable, header.seq))
    }
}
