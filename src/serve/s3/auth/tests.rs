//! Signed requests, good and bad, against the checks of this module.

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proptest::prelude::*;

use super::*;
use crate::serve::s3::clock::machine_now;
use crate::serve::s3::time;

const HOUR: i64 = 3_600_000;

struct Made {
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    headers: HeaderMap,
}

impl Made {
    fn check(&self, keys: &Keys, clock: &Clock) -> Result<Checked, S3Error> {
        let parts = Parts {
            method: &self.method,
            path: &self.path,
            resource: &self.path,
            query: &self.query,
            headers: &self.headers,
        };
        check(&parts, keys, clock)
    }
}

fn known() -> Keys {
    Keys::new(&[Key { access_key: "AKID".into(), secret_key: "secret".into() }])
}

fn scope(at: i64, access_key: &str) -> Scope {
    Scope::parse(&format!("{access_key}/{}/us-east-1/s3/aws4_request", &time::amz_date(at)[..8]))
        .unwrap()
}

fn signed(at: i64, access_key: &str, secret: &str) -> Made {
    let scope = scope(at, access_key);
    let date = time::amz_date(at);
    let request = format!(
        "GET\n/b/a%20k\n\nhost:localhost\nx-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:{date}\n\n\
         host;x-amz-content-sha256;x-amz-date\nUNSIGNED-PAYLOAD"
    );
    let text = sign::string_to_sign(&date, &scope, &request);
    let signature = hex::encode(hmac(&scope.key(secret), text.as_bytes()));
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={access_key}/{}, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={signature}",
        scope.text()
    );
    let headers = [
        ("host", "localhost"),
        ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
        ("x-amz-date", &date),
        ("authorization", &authorization),
    ]
    .into_iter()
    .map(|(n, v)| (HeaderName::try_from(n).unwrap(), HeaderValue::try_from(v).unwrap()))
    .collect();
    Made { method: Method::GET, path: "/b/a%20k".into(), query: vec![], headers }
}

fn presigned(at: i64, expires: &str) -> Made {
    let scope = scope(at, "AKID");
    let mut query: Vec<_> = [
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
        ("X-Amz-Credential", &format!("AKID/{}", scope.text())),
        ("X-Amz-Date", &time::amz_date(at)),
        ("X-Amz-Expires", expires),
        ("X-Amz-SignedHeaders", "host"),
    ]
    .map(|(a, b)| (a.to_owned(), b.to_owned()))
    .to_vec();
    let canonical = sign::canonical_query(&query);
    let request = format!("GET\n/b/k\n{canonical}\nhost:localhost\n\nhost\nUNSIGNED-PAYLOAD");
    let text = sign::string_to_sign(&time::amz_date(at), &scope, &request);
    let signature = hex::encode(hmac(&scope.key("secret"), text.as_bytes()));
    query.push(("X-Amz-Signature".into(), signature));
    let headers =
        [(http::header::HOST, HeaderValue::from_static("localhost"))].into_iter().collect();
    Made { method: Method::GET, path: "/b/k".into(), query, headers }
}

fn code(result: Result<Checked, S3Error>) -> String {
    result.map_or_else(|error| error.code().as_str().to_owned(), |_| "fine".to_owned())
}

#[test]
fn header_signatures_are_compared() {
    let clock = Clock::default();
    let now = machine_now();
    let checked = signed(now, "AKID", "secret").check(&known(), &clock).unwrap();
    assert!(checked.caller.verified && checked.signer.is_some());
    assert_eq!(code(signed(now, "AKID", "other").check(&known(), &clock)), "SignatureDoesNotMatch");
    assert_eq!(code(signed(now, "OTHER", "secret").check(&known(), &clock)), "InvalidAccessKeyId");
    let old = signed(now - HOUR, "AKID", "secret");
    assert_eq!(code(old.check(&known(), &clock)), "RequestTimeTooSkewed");
    let mut changed = signed(now, "AKID", "secret");
    changed.path = "/b/other".into();
    assert_eq!(code(changed.check(&known(), &clock)), "SignatureDoesNotMatch");
    let mut more = signed(now, "AKID", "secret");
    more.headers.insert("x-amz-acl", HeaderValue::from_static("private"));
    assert_eq!(code(more.check(&known(), &clock)), "AccessDenied");
}

#[test]
fn without_configured_keys_only_the_default_pair_is_compared() {
    let (clock, keys, now) = (Clock::default(), Keys::new(&[]), machine_now());
    let any = signed(now, "whoever", "whatever").check(&keys, &clock).unwrap();
    assert!(!any.caller.verified && any.signer.is_none());
    let default = signed(now, DEFAULT_ACCESS_KEY, DEFAULT_SECRET_KEY).check(&keys, &clock).unwrap();
    assert!(default.caller.verified);
    let wrong = signed(now, DEFAULT_ACCESS_KEY, "wrong").check(&keys, &clock);
    assert_eq!(code(wrong), "SignatureDoesNotMatch");
}

#[test]
fn presigned_urls_expire_with_the_clock() {
    let (clock, keys) = (Clock::default(), known());
    let made = presigned(machine_now(), "3600");
    assert!(made.check(&keys, &clock).unwrap().caller.presigned);
    clock.set_offset(2 * HOUR);
    assert_eq!(code(made.check(&keys, &clock)), "AccessDenied");
    let fresh = presigned(machine_now() + 1000, "3600");
    assert_eq!(code(fresh.check(&keys, &clock)), "fine");
}

#[test]
fn malformed_presigned_urls_are_named() {
    let (clock, keys) = (Clock::default(), known());
    let now = machine_now();
    for expires in ["x", "-1", "604801"] {
        let got = code(presigned(now, expires).check(&keys, &clock));
        assert_eq!(got, "AuthorizationQueryParametersError", "{expires}");
    }
    let mut part = presigned(now, "60");
    part.query.retain(|(name, _)| name != "X-Amz-Date");
    assert_eq!(code(part.check(&keys, &clock)), "AuthorizationQueryParametersError");
    let mut changed = presigned(now, "60");
    changed.query.push(("versionId".into(), "x".into()));
    assert_eq!(code(changed.check(&keys, &clock)), "SignatureDoesNotMatch");
}

#[test]
fn other_mechanisms_are_refused_by_name() {
    let (clock, keys) = (Clock::default(), known());
    for (value, expected) in [
        ("AWS AKID:signature", "InvalidRequest"),
        ("Bearer x", "InvalidArgument"),
        ("AWS4-HMAC-SHA256 nothing", "AuthorizationHeaderMalformed"),
        ("AWS4-ECDSA-P256-SHA256 x", "NotImplemented"),
    ] {
        let mut made = signed(machine_now(), "AKID", "secret");
        made.headers.insert("authorization", HeaderValue::from_str(value).unwrap());
        assert_eq!(code(made.check(&keys, &clock)), expected, "{value}");
    }
}

proptest! {
    #[test]
    fn any_authorization_is_survived(value in "\\PC{0,200}", query in "[ -~]{0,60}") {
        let mut made = signed(machine_now(), "AKID", "secret");
        if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
            made.headers.insert("authorization", value);
        }
        let _ = made.check(&known(), &Clock::default());
        made.headers.remove("authorization");
        made.query.push(("X-Amz-Credential".into(), query));
        let _ = made.check(&known(), &Clock::default());
    }
}
