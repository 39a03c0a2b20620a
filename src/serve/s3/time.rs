//! Times as S3 writes them. All values are milliseconds since 1970 in UTC; it
//! reads no clock.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::{rfc2822, strtime};
use jiff::tz::TimeZone;

fn stamp(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(if ms < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

fn format(pattern: &str, ms: i64) -> String {
    strtime::format(pattern, stamp(ms).to_zoned(TimeZone::UTC).datetime()).unwrap_or_default()
}

/// `2026-01-02T03:04:05.678Z`
pub(crate) fn iso8601(ms: i64) -> String {
    let of_second = ms.rem_euclid(1000);
    format!("{}.{of_second:03}Z", format("%Y-%m-%dT%H:%M:%S", ms))
}

/// `Fri, 02 Jan 2026 03:04:05 GMT`
pub(crate) fn http_date(ms: i64) -> String {
    format("%a, %d %b %Y %H:%M:%S GMT", ms)
}

/// `20260102T030405Z`
pub(crate) fn amz_date(ms: i64) -> String {
    format("%Y%m%dT%H%M%SZ", ms)
}

/// Reads `20260102T030405Z`.
pub(crate) fn parse_amz_date(text: &str) -> Option<i64> {
    if text.len() != 16 || !text.ends_with('Z') {
        return None;
    }
    let time = DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

/// Reads a date of HTTP.
pub(crate) fn parse_http_date(text: &str) -> Option<i64> {
    if text.len() > 64 {
        return None;
    }
    rfc2822::parse(text).ok().map(|time| time.timestamp().as_millisecond())
}

/// Reads a date of RFC 3339, or a plain day.
pub(crate) fn parse_iso8601(text: &str) -> Option<i64> {
    if text.len() > 64 {
        return None;
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time.as_millisecond());
    }
    let day: jiff::civil::Date = text.parse().ok()?;
    Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_written_and_read() {
        let ms = 1_767_323_045_678;
        assert_eq!(iso8601(ms), "2026-01-02T03:04:05.678Z");
        assert_eq!(http_date(ms), "Fri, 02 Jan 2026 03:04:05 GMT");
        assert_eq!(amz_date(ms), "20260102T030405Z");
        let seconds = ms - 678;
        assert_eq!(parse_amz_date("20260102T030405Z"), Some(seconds));
        assert_eq!(parse_http_date("Fri, 02 Jan 2026 03:04:05 GMT"), Some(seconds));
        assert_eq!(parse_iso8601("2026-01-02T03:04:05.678Z"), Some(ms));
        assert_eq!(parse_iso8601("1970-01-02"), Some(86_400_000));
        for bad in ["", "x", "20260102", "20261302T030405Z", "99999999999999999"] {
            assert_eq!(parse_amz_date(bad), None);
            assert_eq!(parse_http_date(bad), None);
        }
        assert!(!iso8601(i64::MIN).is_empty() && !iso8601(i64::MAX).is_empty());
    }
}
