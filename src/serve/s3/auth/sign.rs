//! The arithmetic of Signature Version 4: canonical request, string to sign,
//! key and signature. It knows nothing of requests as objects and keeps no
//! secret.
//!
//! Source: "Authenticating Requests (AWS Signature Version 4)" in the Amazon
//! S3 API reference, and RFC 2104 for HMAC.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const PATH: &AsciiSet = &UNRESERVED.remove(b'/');

/// HMAC with SHA-256.
pub(crate) fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    const BLOCK: usize = 64;
    let mut block = [0_u8; BLOCK];
    if key.len() > BLOCK {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner =
        Sha256::new().chain_update(block.map(|b| b ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(block.map(|b| b ^ 0x5c)).chain_update(inner).finalize().into()
}

/// SHA-256 in hexadecimal.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Compares without telling by the time it takes where the difference is.
pub(crate) fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |acc, (x, y)| acc | (x ^ y)) == 0
}

/// The scope of a credential: `AKID/20260102/us-east-1/s3/aws4_request`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) access_key: String,
    pub(crate) date: String,
    pub(crate) region: String,
    pub(crate) service: String,
}

impl Scope {
    /// Reads a credential; an access key may itself contain slashes.
    pub(crate) fn parse(credential: &str) -> Option<Self> {
        let mut parts = credential.rsplitn(5, '/');
        if parts.next()? != "aws4_request" {
            return None;
        }
        let service = parts.next()?.to_owned();
        let region = parts.next()?.to_owned();
        let date = parts.next()?.to_owned();
        let access_key = parts.next()?.to_owned();
        let well_formed = date.len() == 8
            && date.bytes().all(|b| b.is_ascii_digit())
            && !access_key.is_empty()
            && access_key.len() <= 256
            && !region.is_empty();
        well_formed.then_some(Self { access_key, date, region, service })
    }

    /// The scope without the access key.
    pub(crate) fn text(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.date, self.region, self.service)
    }

    /// The key that signs within this scope.
    pub(crate) fn key(&self, secret: &str) -> [u8; 32] {
        let mut first = b"AWS4".to_vec();
        first.extend_from_slice(secret.as_bytes());
        let date = hmac(&first, self.date.as_bytes());
        let region = hmac(&date, self.region.as_bytes());
        let service = hmac(&region, self.service.as_bytes());
        hmac(&service, b"aws4_request")
    }
}

/// The path as it is signed: decoded once and encoded again, slashes kept.
pub(crate) fn canonical_path(raw: &str) -> String {
    let bytes: Vec<u8> = percent_decode_str(raw).collect();
    match String::from_utf8(bytes) {
        Ok(text) => encode_path(&text),
        Err(_) => raw.to_owned(),
    }
}

/// A path, its slashes kept.
pub(crate) fn encode_path(text: &str) -> String {
    utf8_percent_encode(text, PATH).to_string()
}

/// The query as it is signed: pairs sorted, without the signature itself.
pub(crate) fn canonical_query(pairs: &[(String, String)]) -> String {
    let mut encoded: Vec<(String, String)> = pairs
        .iter()
        .filter(|(name, _)| name != "X-Amz-Signature")
        .map(|(name, value)| (encode(name), encode(value)))
        .collect();
    encoded.sort();
    encoded.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

/// A header's value as it is signed: trimmed, runs of spaces made one.
pub(crate) fn canonical_value(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The text whose HMAC is the signature of a request.
pub(crate) fn string_to_sign(amz_date: &str, scope: &Scope, canonical_request: &str) -> String {
    let hash = sha256_hex(canonical_request.as_bytes());
    format!("AWS4-HMAC-SHA256\n{amz_date}\n{}\n{hash}", scope.text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_is_that_of_rfc_4231() {
        assert_eq!(
            hex::encode(hmac(b"Jefe", b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            hex::encode(hmac(
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First"
            )),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    // The example "GET Object" of the API reference.
    #[test]
    fn the_documented_example_has_the_documented_signature() {
        let scope =
            Scope::parse("AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request").unwrap();
        let request = "GET\n/test.txt\n\nhost:examplebucket.s3.amazonaws.com\n\
            range:bytes=0-9\n\
            x-amz-content-sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n\
            x-amz-date:20130524T000000Z\n\n\
            host;range;x-amz-content-sha256;x-amz-date\n\
            e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let text = string_to_sign("20130524T000000Z", &scope, request);
        let key = scope.key("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
        assert_eq!(
            hex::encode(hmac(&key, text.as_bytes())),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        );
    }

    #[test]
    fn paths_and_queries_are_encoded_once() {
        assert_eq!(canonical_path("/b/a%20b+c%2Fd/é"), "/b/a%20b%2Bc/d/%C3%A9");
        let pairs = [("prefix", "a b/"), ("X-Amz-Signature", "x"), ("delimiter", "")]
            .map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(canonical_query(&pairs), "delimiter=&prefix=a%20b%2F");
        assert_eq!(canonical_value("  a   b "), "a b");
    }

    #[test]
    fn scopes_are_read_from_the_right() {
        let scope = Scope::parse("a/b/20260102/eu-west-1/s3/aws4_request").unwrap();
        assert_eq!(scope.access_key, "a/b");
        assert_eq!(scope.text(), "20260102/eu-west-1/s3/aws4_request");
        for bad in
            ["", "a/20260102/r/s3", "a/2026010/r/s3/aws4_request", "/20260102/r/s3/aws4_request"]
        {
            assert_eq!(Scope::parse(bad), None, "{bad}");
        }
    }
}
