//! Signatures in the query: presigned URLs. It checks form and expiry and
//! leaves the comparison to the module above.

use s3s::{S3Error, S3ErrorCode};

use super::{Checked, Claim, Keys, Parts, Scope};
use crate::serve::s3::clock::{Clock, MAX_SKEW_MS};
use crate::serve::s3::error::{fail, not_implemented, with};
use crate::serve::s3::time;

/// The longest validity in seconds: a week.
const MAX_EXPIRES: i64 = 604_800;

fn wrong(message: &str) -> S3Error {
    fail(S3ErrorCode::AuthorizationQueryParametersError, message.to_owned())
}

pub(super) fn check(parts: &Parts<'_>, keys: &Keys, clock: &Clock) -> Result<Checked, S3Error> {
    let names = [
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Signature",
        "X-Amz-Date",
        "X-Amz-SignedHeaders",
        "X-Amz-Expires",
    ];
    let values: Vec<_> = names.iter().filter_map(|name| parts.param(name)).collect();
    let [algorithm, credential, signature, amz_date, signed_headers, expires] = values[..] else {
        return Err(wrong(
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
        ));
    };
    match algorithm {
        "AWS4-HMAC-SHA256" => {}
        "AWS4-ECDSA-P256-SHA256" => return Err(not_implemented("Signature Version 4A")),
        _ => {
            return Err(wrong(
                "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256\"",
            ));
        }
    }
    let scope = Scope::parse(credential).filter(|scope| scope.service == "s3").ok_or_else(|| {
        wrong("Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".")
    })?;
    let at = time::parse_amz_date(amz_date).ok_or_else(|| {
        wrong("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
    })?;
    if !amz_date.starts_with(&scope.date) {
        return Err(wrong("Invalid credential date. This date is not the same as X-Amz-Date."));
    }
    let expires: i64 = expires.parse().map_err(|_| wrong("X-Amz-Expires should be a number"))?;
    if expires < 0 {
        return Err(wrong("X-Amz-Expires must be non-negative"));
    }
    if expires > MAX_EXPIRES {
        return Err(wrong(
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds",
        ));
    }
    keys.secret(&scope.access_key)?;
    in_time(at, expires, clock)?;
    let payload = parts
        .header("x-amz-content-sha256")
        .or_else(|| parts.param("X-Amz-Content-Sha256"))
        .unwrap_or("UNSIGNED-PAYLOAD")
        .to_owned();
    let amz_date = amz_date.to_owned();
    let claim = Claim { scope, amz_date, signed_headers, signature, payload };
    let mut checked = claim.verify(parts, keys)?;
    checked.caller.presigned = true;
    Ok(checked)
}

fn in_time(at: i64, expires: i64, clock: &Clock) -> Result<(), S3Error> {
    let now = clock.now();
    let signed = clock.signed_at(at);
    if signed.saturating_sub(now) > MAX_SKEW_MS {
        return Err(fail(S3ErrorCode::AccessDenied, "Request is not yet valid"));
    }
    let end = signed.saturating_add(expires.saturating_mul(1000));
    if now > end {
        let error = fail(S3ErrorCode::AccessDenied, "Request has expired");
        let error = with(error, "X-Amz-Expires", &expires.to_string());
        let error = with(error, "Expires", &time::iso8601(end));
        return Err(with(error, "ServerTime", &time::iso8601(now)));
    }
    Ok(())
}
