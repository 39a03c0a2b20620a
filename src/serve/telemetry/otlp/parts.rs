//! How many parts a request has, before it is decoded.
//!
//! An empty span takes two bytes on the wire and hundreds in memory, so a limit on bytes does not
//! bound memory. What is counted is what becomes a structure of its own.

/// No request may have more parts. One that is full of real spans has a tenth.
pub(super) const MOST: usize = 1_000_000;

/// Which fields are gone into at each depth; at the last all are counted.
pub(super) const TRACES: &[&[u64]] = &[&[1], &[2], &[2], &[]];
pub(super) const LOGS: &[&[u64]] = &[&[1], &[2], &[2], &[]];
pub(super) const METRICS: &[&[u64]] = &[&[1], &[2], &[2], &[5, 7, 9, 10, 11], &[1], &[]];

/// Whether a protobuf message has too many parts.
pub(super) fn too_many(message: &[u8], depths: &[&[u64]]) -> bool {
    let mut left = MOST;
    count(message, depths, &mut left).is_none() && left == 0
}

/// Whether a JSON text has too many parts. Braces in texts count too, which does no harm.
pub(super) fn too_many_json(text: &[u8]) -> bool {
    memchr::memchr2_iter(b'{', b'[', text).take(MOST + 1).count() > MOST
}

/// `None` when none are left, or when the bytes are no message, which decoding tells better.
fn count(mut message: &[u8], depths: &[&[u64]], left: &mut usize) -> Option<()> {
    let (within, deeper) = depths.split_first()?;
    while !message.is_empty() {
        let key = varint(&mut message)?;
        match key & 7 {
            0 => {
                varint(&mut message)?;
            }
            1 => message = message.get(8..)?,
            5 => message = message.get(4..)?,
            2 => {
                let length = usize::try_from(varint(&mut message)?).ok()?;
                let (part, rest) = message.split_at_checked(length)?;
                message = rest;
                *left = left.checked_sub(1)?;
                if *left == 0 {
                    return None;
                }
                if within.contains(&(key >> 3)) {
                    count(part, deeper, left)?;
                }
            }
            _ => return None,
        }
    }
    Some(())
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = message.split_first()?;
        *message = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(field: u8, part: &[u8]) -> Vec<u8> {
        let mut message = vec![field << 3 | 2];
        prost::encoding::encode_varint(part.len() as u64, &mut message);
        message.extend_from_slice(part);
        message
    }

    #[test]
    fn empty_parts_are_counted_at_their_depth() {
        let spans = [2 << 3 | 2, 0].repeat(MOST);
        let bomb = within(1, &within(2, &spans));
        assert!(too_many(&bomb, TRACES));
        let few = within(1, &within(2, &[2 << 3 | 2, 0].repeat(1000)));
        assert!(!too_many(&few, TRACES));
        let points = within(1, &within(2, &within(2, &within(7, &[1 << 3 | 2, 0].repeat(MOST)))));
        assert!(too_many(&points, METRICS));
        assert!(too_many_json("[{},".repeat(MOST).as_bytes()));
        assert!(!too_many_json(br#"{"resourceSpans": []}"#));
    }

    #[test]
    fn what_is_no_message_is_left_to_the_decoder() {
        for bytes in [&b"\xff\xff"[..], b"\x0a\xff", b"\x0f", b""] {
            assert!(!too_many(bytes, TRACES));
        }
    }
}
