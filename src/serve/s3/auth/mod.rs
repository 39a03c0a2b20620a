//! Who sent a request: Signature Version 4 in header or query. It decides who
//! it is, never what they may do, and lets no secret out.
//!
//! Which keys are known: those of the configuration, and then no others. When
//! there are none, any access key is taken. The signature is then checked only
//! for the pair [`DEFAULT_ACCESS_KEY`] and [`DEFAULT_SECRET_KEY`], as nobody
//! knows another's secret; form, date and expiry are checked always.
//!
//! Source: "Authenticating Requests (AWS Signature Version 4)" in the Amazon
//! S3 API reference.

mod header;
mod keys;
mod presigned;
pub(crate) mod sign;
pub(crate) mod version2;

use http::{HeaderMap, Method};
use s3s::{S3Error, S3ErrorCode};

pub(crate) use self::keys::Keys;
pub use self::keys::{DEFAULT_ACCESS_KEY, DEFAULT_SECRET_KEY, Key};
use self::sign::{Scope, hmac, same};
use super::clock::Clock;
use super::error::{fail, invalid_argument, with};
use super::request::chunked::ChunkSigner;

/// Who sent a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The access key; none for an anonymous request.
    pub(crate) access_key: Option<String>,
    /// Whether the signature was compared.
    pub(crate) verified: bool,
    pub(crate) presigned: bool,
}

/// A caller, and what the body's chunks are signed with.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    pub(crate) caller: Caller,
    pub(crate) signer: Option<ChunkSigner>,
}

/// The parts of a request that are signed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts<'a> {
    pub(crate) method: &'a Method,
    /// The path as it was sent.
    pub(crate) path: &'a str,
    /// The path in path style, as encoded by the client.
    pub(crate) resource: &'a str,
    pub(crate) query: &'a [(String, String)],
    pub(crate) headers: &'a HeaderMap,
}

impl Parts<'_> {
    fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Finds out who sent a request.
///
/// # Errors
///
/// As S3: `InvalidAccessKeyId`, `SignatureDoesNotMatch`, `AccessDenied`,
/// `RequestTimeTooSkewed`, `AuthorizationHeaderMalformed` and others.
pub(crate) fn check(parts: &Parts<'_>, keys: &Keys, clock: &Clock) -> Result<Checked, S3Error> {
    let in_query = ["X-Amz-Algorithm", "X-Amz-Signature", "X-Amz-Credential"]
        .iter()
        .any(|name| parts.param(name).is_some());
    let v2_query = parts.param("AWSAccessKeyId").is_some() && parts.param("Signature").is_some();
    match parts.headers.get("authorization") {
        Some(value) => {
            let value = value.to_str().unwrap_or_default();
            if in_query || v2_query {
                return Err(invalid_argument(
                    "Authorization",
                    value,
                    "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified",
                ));
            }
            header::check(parts, value, keys, clock)
        }
        None if in_query => presigned::check(parts, keys, clock),
        None if v2_query => version2::check(parts, keys, clock),
        None => Ok(Checked::default()),
    }
}

/// The answer of the regions that never had Signature Version 2.
pub(crate) fn version_2() -> S3Error {
    fail(
        S3ErrorCode::InvalidRequest,
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
    )
}

/// A signature that a request claims.
struct Claim<'a> {
    scope: Scope,
    amz_date: String,
    signed_headers: &'a str,
    signature: &'a str,
    payload: String,
}

impl Claim<'_> {
    /// Compares the signature, when the secret is known.
    fn verify(&self, parts: &Parts<'_>, keys: &Keys) -> Result<Checked, S3Error> {
        let secret = keys.secret(&self.scope.access_key)?;
        self.all_are_signed(parts)?;
        let mut checked = Checked {
            caller: Caller {
                access_key: Some(self.scope.access_key.clone()),
                verified: secret.is_some(),
                presigned: false,
            },
            signer: None,
        };
        let Some(secret) = secret else { return Ok(checked) };
        let key = self.scope.key(secret);
        let query = sign::canonical_query(parts.query);
        let path = sign::canonical_path(parts.path);
        let request = self.canonical_request(parts, &path, &query);
        let text = sign::string_to_sign(&self.amz_date, &self.scope, &request);
        let matches = |text: &str| same(&hex::encode(hmac(&key, text.as_bytes())), self.signature);
        // Some clients sign the path as they send it.
        let raw = || {
            let request = self.canonical_request(parts, parts.path, &query);
            sign::string_to_sign(&self.amz_date, &self.scope, &request)
        };
        if !matches(&text) && (path == parts.path || !matches(&raw())) {
            let error = S3Error::new(S3ErrorCode::SignatureDoesNotMatch);
            let error = with(error, "AWSAccessKeyId", &self.scope.access_key);
            let error = with(error, "StringToSign", &text);
            let error = with(error, "SignatureProvided", self.signature);
            return Err(with(error, "CanonicalRequest", &request));
        }
        checked.signer = Some(ChunkSigner {
            key,
            amz_date: self.amz_date.clone(),
            scope: self.scope.text(),
            previous: self.signature.to_owned(),
        });
        Ok(checked)
    }

    fn canonical_request(&self, parts: &Parts<'_>, path: &str, query: &str) -> String {
        let mut text = format!("{}\n{path}\n{query}\n", parts.method);
        for name in self.signed_headers.split(';') {
            let values: Vec<_> = parts
                .headers
                .get_all(name)
                .iter()
                .map(|value| sign::canonical_value(&String::from_utf8_lossy(value.as_bytes())))
                .collect();
            text.push_str(&format!("{name}:{}\n", values.join(",")));
        }
        text.push_str(&format!("\n{}\n{}", self.signed_headers, self.payload));
        text
    }

    /// `Host` and all `x-amz-*` headers must be under the signature.
    fn all_are_signed(&self, parts: &Parts<'_>) -> Result<(), S3Error> {
        let signed: Vec<_> = self.signed_headers.split(';').collect();
        let unsigned: Vec<_> = parts
            .headers
            .keys()
            .map(http::HeaderName::as_str)
            .filter(|name| *name == "host" || name.starts_with("x-amz-"))
            .filter(|name| *name != "x-amz-content-sha256" && !signed.contains(name))
            .collect();
        if unsigned.is_empty() {
            return Ok(());
        }
        let error = fail(
            S3ErrorCode::AccessDenied,
            "There were headers present in the request which were not signed",
        );
        Err(with(error, "HeadersNotSigned", &unsigned.join(", ")))
    }
}

#[cfg(test)]
mod tests;
