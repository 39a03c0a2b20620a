//! Signatures in the `Authorization` header. It checks its form and date and
//! leaves the comparison to the module above.

use s3s::{S3Error, S3ErrorCode};

use super::{Checked, Claim, Keys, Parts, Scope, version_2};
use crate::serve::s3::clock::{Clock, MAX_SKEW_MS};
use crate::serve::s3::error::{fail, invalid_argument, not_implemented, with};
use crate::serve::s3::time;

fn malformed(detail: &str) -> S3Error {
    let message = format!("The authorization header is malformed; {detail}");
    fail(S3ErrorCode::AuthorizationHeaderMalformed, message)
}

/// The error of a request whose date is too far from the clock.
pub(crate) fn skewed(request_time: &str, clock: &Clock) -> S3Error {
    let error = S3Error::new(S3ErrorCode::RequestTimeTooSkewed);
    let error = with(error, "RequestTime", request_time);
    let error = with(error, "ServerTime", &time::iso8601(clock.now()));
    with(error, "MaxAllowedSkewMilliseconds", &MAX_SKEW_MS.to_string())
}

pub(super) fn check(
    parts: &Parts<'_>,
    value: &str,
    keys: &Keys,
    clock: &Clock,
) -> Result<Checked, S3Error> {
    let (algorithm, fields) = value.split_once(' ').unwrap_or((value, ""));
    match algorithm {
        "AWS4-HMAC-SHA256" => {}
        "AWS" => return Err(version_2()),
        "AWS4-ECDSA-P256-SHA256" => return Err(not_implemented("Signature Version 4A")),
        _ => {
            return Err(invalid_argument("Authorization", value, "Unsupported Authorization Type"));
        }
    }
    let (mut credential, mut signed_headers, mut signature) = (None, None, None);
    for field in fields.split(',') {
        match field.trim().split_once('=') {
            Some(("Credential", value)) => credential = Some(value),
            Some(("SignedHeaders", value)) => signed_headers = Some(value),
            Some(("Signature", value)) => signature = Some(value),
            _ => {}
        }
    }
    let (Some(credential), Some(signed_headers), Some(signature)) =
        (credential, signed_headers, signature)
    else {
        return Err(malformed(
            "the authorization header requires three components: Credential, SignedHeaders, and Signature.",
        ));
    };
    let scope = Scope::parse(credential).ok_or_else(|| {
        malformed("the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".")
    })?;
    if scope.service != "s3" {
        return Err(malformed(&format!(
            "incorrect service \"{}\". This endpoint belongs to \"s3\".",
            scope.service
        )));
    }
    keys.secret(&scope.access_key)?;
    let (amz_date, at) = date(parts)?;
    if clock.is_skewed(at) {
        return Err(skewed(&amz_date, clock));
    }
    if !amz_date.starts_with(&scope.date) {
        return Err(malformed(&format!(
            "Invalid credential date \"{}\". This date is not the same as X-Amz-Date: \"{}\".",
            scope.date,
            amz_date.get(..8).unwrap_or_default()
        )));
    }
    let payload = parts.header("x-amz-content-sha256").ok_or_else(|| {
        fail(
            S3ErrorCode::InvalidRequest,
            "Missing required header for this request: x-amz-content-sha256",
        )
    })?;
    let payload = payload.to_owned();
    Claim { scope, amz_date, signed_headers, signature, payload }.verify(parts, keys)
}

/// The date of the request, as `yyyyMMddTHHmmssZ` and as a time.
fn date(parts: &Parts<'_>) -> Result<(String, i64), S3Error> {
    let missing = || {
        fail(
            S3ErrorCode::AccessDenied,
            "AWS authentication requires a valid Date or x-amz-date header",
        )
    };
    if let Some(text) = parts.header("x-amz-date") {
        let at = time::parse_amz_date(text).ok_or_else(missing)?;
        return Ok((text.to_owned(), at));
    }
    let text = parts.header("date").ok_or_else(missing)?;
    let at = time::parse_http_date(text).or_else(|| time::parse_amz_date(text));
    let at = at.ok_or_else(missing)?;
    Ok((time::amz_date(at), at))
}
