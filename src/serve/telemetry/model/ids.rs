//! Ids of traces and spans, as people and logs write them.

/// Reads a trace id as people write it: 32 hex digits, 16 hex digits, or a decimal 64-bit number.
///
/// Sixteen decimal digits could be either; they are taken as hex, see [`trace_id_candidates`].
#[must_use]
pub fn parse_trace_id(text: &str) -> Option<u128> {
    trace_id_candidates(text).into_iter().next()
}

/// Every trace id that a text may mean, the likeliest first.
#[must_use]
pub fn trace_id_candidates(text: &str) -> Vec<u128> {
    let text = text.trim();
    let mut found = Vec::new();
    let digits = text.len();
    if text.is_empty() || digits > 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return found;
    }
    let hex = u128::from_str_radix(text, 16).ok();
    let decimal = text.parse::<u64>().ok().map(u128::from);
    // Datadog logs the lower half in decimal, of up to 20 digits; OpenTelemetry's are all hex.
    let hex_first = digits == 32 || digits == 16;
    let order = if hex_first { [hex, decimal] } else { [decimal, hex] };
    for id in order.into_iter().flatten().filter(|id| *id != 0) {
        if !found.contains(&id) {
            found.push(id);
        }
    }
    found
}

/// Reads a span id: 16 hex digits or a decimal 64-bit number.
#[must_use]
pub fn parse_span_id(text: &str) -> Option<u64> {
    let text = text.trim();
    let hex = || u64::from_str_radix(text, 16).ok();
    let id = if text.len() == 16 { hex() } else { text.parse().ok().or_else(hex) };
    id.filter(|id| *id != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trace_ids_are_read_as_both_worlds_write_them() {
        assert_eq!(
            parse_trace_id("0af7651916cd43dd8448eb211c80319c"),
            Some(0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c)
        );
        assert_eq!(parse_trace_id("8448eb211c80319c"), Some(0x8448_eb21_1c80_319c));
        assert_eq!(parse_trace_id("9532127138774266268"), Some(9_532_127_138_774_266_268));
        assert_eq!(parse_trace_id("00000000000000000000000000000000"), None);
        for bad in ["", "0", "xyz", "-1", "0af7651916cd43dd8448eb211c80319c0"] {
            assert_eq!(parse_trace_id(bad), None, "{bad}");
        }
        assert_eq!(trace_id_candidates("1234567890123456").len(), 2);
    }

    #[test]
    fn span_ids_are_read_as_both_worlds_write_them() {
        assert_eq!(parse_span_id("00f067aa0ba902b7"), Some(0x00f0_67aa_0ba9_02b7));
        assert_eq!(parse_span_id("67667974448284343"), Some(67_667_974_448_284_343));
        assert_eq!(parse_span_id("0"), None);
        assert_eq!(parse_span_id("no"), None);
    }
}
