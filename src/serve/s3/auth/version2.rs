//! Signature Version 2, in queries and forms: some SDKs presign with it for
//! any endpoint that they do not know. In the `Authorization` header it is
//! refused, as no SDK of today sends it there.
//!
//! Such a URL says when it expires and not when it was signed, so that one
//! signed after the clock was moved ahead may be expired at once.
//!
//! Source: "Signing and Authenticating REST Requests (AWS Signature Version
//! 2)" in the Amazon S3 API reference.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use s3s::{S3Error, S3ErrorCode};
use sha1::{Digest as _, Sha1};

use super::sign::{canonical_value, same};
use super::{Caller, Checked, Keys, Parts};
use crate::serve::s3::clock::Clock;
use crate::serve::s3::error::{fail, with};
use crate::serve::s3::{operation, time};

/// Parameters that are part of what is signed, as the SDKs agree on them.
const SIGNED: &[&str] = &[
    "accelerate",
    "acl",
    "analytics",
    "cors",
    "defaultObjectAcl",
    "delete",
    "inventory",
    "lifecycle",
    "location",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "partNumber",
    "policy",
    "replication",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "select",
    "select-type",
    "storageClass",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
];

/// HMAC with SHA-1 in base64.
fn hmac(key: &[u8], message: &[u8]) -> String {
    const BLOCK: usize = 64;
    let mut block = [0_u8; BLOCK];
    if key.len() > BLOCK {
        block[..20].copy_from_slice(&Sha1::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha1::new().chain_update(block.map(|b| b ^ 0x36)).chain_update(message).finalize();
    let outer = Sha1::new().chain_update(block.map(|b| b ^ 0x5c)).chain_update(inner).finalize();
    STANDARD.encode(outer)
}

fn mismatch(access_key: &str, text: &str, signature: &str) -> S3Error {
    let error = S3Error::new(S3ErrorCode::SignatureDoesNotMatch);
    let error = with(error, "AWSAccessKeyId", access_key);
    with(with(error, "StringToSign", text), "SignatureProvided", signature)
}

/// Checks a query that is signed.
pub(super) fn check(parts: &Parts<'_>, keys: &Keys, clock: &Clock) -> Result<Checked, S3Error> {
    // Not signed, it could be put onto the URL of an object by anybody.
    let unsigned = |name: &str| operation::is_subresource(name) && !SIGNED.contains(&name);
    if parts.query.iter().any(|(name, _)| unsigned(name)) {
        return Err(super::version_2());
    }
    let param = |name: &str| parts.param(name).unwrap_or_default();
    let (access_key, signature) = (param("AWSAccessKeyId"), param("Signature"));
    let expires = param("Expires");
    let Some(until) = expires.parse::<i64>().ok().map(|until| until.saturating_mul(1000)) else {
        return Err(fail(
            S3ErrorCode::AccessDenied,
            "Invalid date (should be seconds since epoch)",
        ));
    };
    let secret = keys.secret(access_key)?;
    let now = clock.now();
    if now > until {
        let error = fail(S3ErrorCode::AccessDenied, "Request has expired");
        let error = with(error, "Expires", &time::iso8601(until));
        return Err(with(error, "ServerTime", &time::iso8601(now)));
    }
    if let Some(secret) = secret {
        let text = text_of(parts, expires);
        if !same(&hmac(secret.as_bytes(), text.as_bytes()), signature) {
            return Err(mismatch(access_key, &text, signature));
        }
    }
    Ok(checked(access_key, secret.is_some()))
}

fn checked(access_key: &str, verified: bool) -> Checked {
    let access_key = Some(access_key.to_owned());
    Checked { caller: Caller { access_key, verified, presigned: true }, signer: None }
}

/// Checks a form that is signed: its policy is what was signed.
pub(crate) fn check_form(
    access_key: &str,
    policy: &str,
    signature: &str,
    keys: &Keys,
) -> Result<Checked, S3Error> {
    let secret = keys.secret(access_key)?;
    if let Some(secret) = secret
        && !same(&hmac(secret.as_bytes(), policy.as_bytes()), signature)
    {
        return Err(mismatch(access_key, policy, signature));
    }
    Ok(checked(access_key, secret.is_some()))
}

/// The text whose HMAC is the signature.
fn text_of(parts: &Parts<'_>, expires: &str) -> String {
    let header = |name: &str| parts.header(name).unwrap_or_default();
    let mut amz: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in parts.headers {
        if name.as_str().starts_with("x-amz-") {
            let value = canonical_value(&String::from_utf8_lossy(value.as_bytes()));
            amz.entry(name.as_str().to_owned()).or_default().push(value);
        }
    }
    for (name, value) in parts.query {
        if name.to_ascii_lowercase().starts_with("x-amz-") {
            amz.entry(name.to_ascii_lowercase()).or_default().push(canonical_value(value));
        }
    }
    let amz: String =
        amz.iter().map(|(name, values)| format!("{name}:{}\n", values.join(","))).collect();
    let mut signed: Vec<_> =
        parts.query.iter().filter(|(name, _)| SIGNED.contains(&name.as_str())).collect();
    signed.sort();
    let signed: Vec<_> = signed
        .iter()
        .map(
            |(name, value)| if value.is_empty() { name.clone() } else { format!("{name}={value}") },
        )
        .collect();
    let joint = if signed.is_empty() { "" } else { "?" };
    format!(
        "{}\n{}\n{}\n{expires}\n{amz}{}{joint}{}",
        parts.method,
        header("content-md5"),
        header("content-type"),
        parts.resource,
        signed.join("&")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::s3::auth::Key;
    use http::{HeaderMap, Method};

    #[test]
    fn hmac_is_that_of_rfc_2202() {
        assert_eq!(hmac(b"Jefe", b"what do ya want for nothing?"), "7/zfauXrL6LSdBbV8YTfnCWafHk=");
    }

    // The example "Query String Request Authentication" of the reference.
    #[test]
    fn the_documented_example_has_the_documented_signature() {
        let keys = Keys::new(&[Key {
            access_key: "AKIAIOSFODNN7EXAMPLE".into(),
            secret_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into(),
        }]);
        let mut query: Vec<(String, String)> = [
            ("AWSAccessKeyId", "AKIAIOSFODNN7EXAMPLE"),
            ("Signature", "NpgCjnDzrM+WFzoENXmpNDUsSn8="),
            ("Expires", "1175139620"),
        ]
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .to_vec();
        let clock = Clock::default();
        let back = 1_175_139_600_000 - crate::serve::s3::clock::machine_now();
        clock.set_offset(back);
        let headers = HeaderMap::new();
        let ask = |query: &[(String, String)]| {
            let resource = "/johnsmith/photos/puppy.jpg";
            let parts =
                Parts { method: &Method::GET, path: resource, resource, query, headers: &headers };
            check(&parts, &keys, &clock).map_err(|error| error.code().as_str().to_owned())
        };
        assert!(ask(&query).unwrap().caller.verified);
        for (name, code) in [
            ("legal-hold", "InvalidRequest"),
            ("attributes", "InvalidRequest"),
            ("publicAccessBlock", "InvalidRequest"),
            ("tagging", "SignatureDoesNotMatch"),
            ("storageClass", "SignatureDoesNotMatch"),
        ] {
            let added = [query.as_slice(), &[(name.to_owned(), String::new())]].concat();
            assert_eq!(ask(&added).unwrap_err(), code, "{name}");
        }
        query[2].1 = "1175139621".into();
        assert_eq!(ask(&query).unwrap_err(), "SignatureDoesNotMatch");
        clock.set_offset(0);
        assert_eq!(ask(&query).unwrap_err(), "AccessDenied");
    }
}
