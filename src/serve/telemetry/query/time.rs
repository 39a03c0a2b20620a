//! Times and durations as people type them.

use jiff::Timestamp;

/// Reads a duration in nanoseconds: a number with `ns`, `us`, `ms`, `s`, `m`, `h` or `d`, or a bare
/// number of `unit` nanoseconds.
pub(super) fn duration(text: &str, unit: u64) -> Option<u64> {
    let text = text.trim();
    let digits =
        text.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let factor = match suffix.trim() {
        "" => unit,
        "ns" => 1,
        "us" | "µs" => 1_000,
        "ms" => 1_000_000,
        "s" => SECOND,
        "m" => 60 * SECOND,
        "h" => 3600 * SECOND,
        "d" => 24 * 3600 * SECOND,
        _ => return None,
    };
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(factor);
    }
    let number: f64 = number.parse().ok()?;
    let nanoseconds = number * float(factor);
    (nanoseconds.is_finite() && nanoseconds < 9.0e18).then(|| truncate(nanoseconds))
}

/// Nanoseconds in a second.
pub(super) const SECOND: u64 = 1_000_000_000;

/// Reads a point in time, nanoseconds since 1970: RFC 3339, a unix time in seconds, milli-, micro-
/// or nanoseconds, or a duration before `now_ns`.
pub(super) fn instant(text: &str, now_ns: u64) -> Option<u64> {
    let text = text.trim();
    if let Ok(number) = text.parse::<u64>() {
        return unix(number);
    }
    if let Ok(number) = text.parse::<f64>() {
        // Seconds or milliseconds with a fraction.
        let factor = if number < 1.0e11 { 1.0e9 } else { 1.0e6 };
        let nanoseconds = number * factor;
        return (0.0..9.0e18).contains(&nanoseconds).then(|| truncate(nanoseconds));
    }
    if let Some(ago) = duration(text, SECOND) {
        return Some(now_ns.saturating_sub(ago));
    }
    let stamp: Timestamp = text.parse().ok()?;
    u64::try_from(stamp.as_nanosecond()).ok()
}

/// A unix time whose unit shows in its size: seconds reach 10^11 in the year 5138.
fn unix(number: u64) -> Option<u64> {
    match number {
        0..100_000_000_000 => number.checked_mul(SECOND),
        100_000_000_000..100_000_000_000_000 => number.checked_mul(1_000_000),
        100_000_000_000_000..100_000_000_000_000_000 => number.checked_mul(1_000),
        _ => Some(number),
    }
}

/// Milliseconds with a fraction.
pub(crate) fn milliseconds(nanoseconds: u64) -> f64 {
    float(nanoseconds / 1_000) / 1_000.0
}

/// The nearest floating-point number.
#[expect(clippy::cast_precision_loss, reason = "figures for people; 2^53 is enough")]
pub(crate) fn float(number: u64) -> f64 {
    number as f64
}

/// The whole part, within bounds.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and that is what is wanted"
)]
pub(crate) fn truncate(number: f64) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("10ms", 1), Some(10_000_000));
        assert_eq!(duration("1.5s", 1), Some(1_500_000_000));
        assert_eq!(duration("15m", 1), Some(900 * SECOND));
        assert_eq!(duration("7", 1), Some(7));
        assert_eq!(duration("7", SECOND), Some(7 * SECOND));
        for bad in ["", "ms", "1x", "-1s", "99999999999999999999h", "1..2s"] {
            assert_eq!(duration(bad, 1), None, "{bad}");
        }
    }

    #[test]
    fn instants_are_read_in_every_notation() {
        let now = 1_764_111_000 * SECOND;
        for text in [
            "1764111000",
            "1764111000000",
            "1764111000000000",
            "1764111000000000000",
            "1764111000.0",
            "2025-11-25T22:50:00Z",
            "0s",
        ] {
            assert_eq!(instant(text, now), Some(now), "{text}");
        }
        assert_eq!(instant("15m", now), Some(now - 900 * SECOND));
        assert_eq!(instant("yesterday", now), None);
        assert_eq!(instant("-5.5", now), None);
    }
}
