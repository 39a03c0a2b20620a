//! The policy of a form: a signed list of conditions on its fields.
//!
//! Source: "POST Policy" in the Amazon S3 API reference.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use s3s::{S3Error, S3ErrorCode};
use serde_json::Value;

use super::fields::Form;
use crate::serve::s3::error::fail;
use crate::serve::s3::time;

#[derive(Debug, PartialEq, Eq)]
enum Condition {
    Equals(String, String),
    StartsWith(String, String),
    Length(u64, u64),
}

/// A policy.
#[derive(Debug)]
pub(super) struct PostPolicy {
    expiration: i64,
    conditions: Vec<Condition>,
}

fn invalid(detail: &str) -> S3Error {
    fail(S3ErrorCode::InvalidPolicyDocument, format!("Invalid Policy: {detail}"))
}

fn denied(detail: &str) -> S3Error {
    fail(S3ErrorCode::AccessDenied, format!("Invalid according to Policy: {detail}"))
}

impl PostPolicy {
    /// Reads a policy in base64.
    pub(super) fn read(encoded: &str) -> Result<Self, S3Error> {
        let plain: String = encoded.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let bytes = STANDARD.decode(plain).map_err(|_| invalid("Invalid base64."))?;
        let value: Value = serde_json::from_slice(&bytes).map_err(|_| invalid("Invalid JSON."))?;
        let expiration = value
            .get("expiration")
            .and_then(Value::as_str)
            .ok_or_else(|| invalid("Policy missing expiration."))?;
        let expiration = time::parse_iso8601(expiration)
            .ok_or_else(|| invalid("Invalid 'expiration' value."))?;
        let list = value
            .get("conditions")
            .and_then(Value::as_array)
            .ok_or_else(|| invalid("Policy missing conditions."))?;
        let mut conditions = Vec::new();
        for value in list {
            conditions.extend(condition(value).ok_or_else(|| invalid("Invalid Condition."))?);
        }
        Ok(Self { expiration, conditions })
    }

    /// Checks a form against it. Gives the sizes that the file may have.
    pub(super) fn check(
        &self,
        form: &Form,
        bucket: &str,
        key: &str,
        now: i64,
    ) -> Result<Option<(u64, u64)>, S3Error> {
        if now > self.expiration {
            return Err(denied("Policy expired."));
        }
        let mut limits = None;
        for condition in &self.conditions {
            let value = |name: &str| match name {
                "bucket" => Some(bucket),
                "key" => Some(key),
                name => form.get(name),
            };
            let (met, shown) = match condition {
                Condition::Equals(name, wanted) => {
                    let asked = if name == "key" { form.get("key") } else { None };
                    let met = value(name) == Some(wanted) || asked == Some(wanted);
                    (met, format!("[\"eq\", \"${name}\", \"{wanted}\"]"))
                }
                Condition::StartsWith(name, wanted) => {
                    let value = value(name);
                    // A list of types is fulfilled by each of them.
                    let met = value.is_some_and(|value| {
                        if name == "content-type" {
                            value.split(',').all(|one| one.trim_start().starts_with(wanted))
                        } else {
                            value.starts_with(wanted)
                        }
                    });
                    (
                        met || (wanted.is_empty() && value.is_some()),
                        format!("[\"starts-with\", \"${name}\", \"{wanted}\"]"),
                    )
                }
                Condition::Length(least, most) => {
                    limits = Some((*least, *most));
                    (true, String::new())
                }
            };
            if !met {
                return Err(denied(&format!("Policy Condition failed: {shown}")));
            }
        }
        // The bucket is one of the fields, whether the form names it or not.
        let named = form.fields.iter().map(|(name, _)| name.as_str());
        let extra: Vec<_> = named
            .filter(|name| *name != "bucket")
            .chain(["bucket"])
            .filter(|name| !self.covers(name))
            .collect();
        if !extra.is_empty() {
            return Err(denied(&format!("Extra input fields: {}", extra.join(", "))));
        }
        Ok(limits)
    }

    fn covers(&self, field: &str) -> bool {
        matches!(field, "policy" | "x-amz-signature" | "file" | "signature" | "awsaccesskeyid")
            || field.starts_with("x-ignore-")
            || self.conditions.iter().any(|condition| match condition {
                Condition::Equals(name, _) | Condition::StartsWith(name, _) => name == field,
                Condition::Length(..) => false,
            })
    }
}

fn condition(value: &Value) -> Option<Vec<Condition>> {
    if let Some(object) = value.as_object() {
        return object
            .iter()
            .map(|(name, value)| Some(Condition::Equals(name.to_ascii_lowercase(), scalar(value)?)))
            .collect();
    }
    let [operator, first, second] = value.as_array()?.as_slice() else { return None };
    let operator = operator.as_str()?.to_ascii_lowercase();
    if operator == "content-length-range" {
        let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
        return Some(vec![Condition::Length(number(first)?, number(second)?)]);
    }
    let name = first.as_str()?.strip_prefix('$')?.to_ascii_lowercase();
    let wanted = scalar(second)?;
    match operator.as_str() {
        "eq" => Some(vec![Condition::Equals(name, wanted)]),
        "starts-with" => Some(vec![Condition::StartsWith(name, wanted)]),
        _ => None,
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The field `tagging`, which is XML, as the header `x-amz-tagging`.
pub(super) fn tagging_header(xml: &str) -> Option<String> {
    let tags: s3s::dto::Tagging = crate::serve::s3::backend::config::from_xml(xml.as_bytes())?;
    let pairs: Vec<_> = tags
        .tag_set
        .iter()
        .map(|tag| {
            let encode = |text: &Option<String>| {
                percent_encoding::utf8_percent_encode(
                    text.as_deref().unwrap_or_default(),
                    percent_encoding::NON_ALPHANUMERIC,
                )
                .to_string()
            };
            format!("{}={}", encode(&tag.key), encode(&tag.value))
        })
        .collect();
    Some(pairs.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn policy(conditions: &str) -> Result<PostPolicy, S3Error> {
        let json = format!(r#"{{"expiration":"2030-01-01T00:00:00Z","conditions":{conditions}}}"#);
        PostPolicy::read(&STANDARD.encode(json))
    }

    fn form(fields: &[(&str, &str)]) -> Form {
        let fields = fields.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        Form { fields, ..Form::default() }
    }

    #[test]
    fn fields_must_fulfil_the_conditions() {
        let policy = policy(r#"[{"bucket":"b"},["starts-with","$key","u/"],["eq","$acl","private"],["content-length-range",1,10]]"#).unwrap();
        let good = form(&[("key", "u/x"), ("acl", "private"), ("x-ignore-this", "1")]);
        assert_eq!(policy.check(&good, "b", "u/x", 0).unwrap(), Some((1, 10)));
        for (fields, bucket, key, now) in [
            (form(&[("key", "v/x"), ("acl", "private")]), "b", "v/x", 0),
            (form(&[("key", "u/x"), ("acl", "public-read")]), "b", "u/x", 0),
            (form(&[("key", "u/x"), ("acl", "private")]), "c", "u/x", 0),
            (form(&[("key", "u/x"), ("acl", "private"), ("more", "1")]), "b", "u/x", 0),
            (form(&[("key", "u/x"), ("acl", "private")]), "b", "u/x", i64::MAX),
        ] {
            let error = policy.check(&fields, bucket, key, now).unwrap_err();
            assert_eq!(*error.code(), S3ErrorCode::AccessDenied, "{fields:?}");
        }
    }

    #[test]
    fn every_field_needs_a_condition_and_so_does_the_bucket() {
        let refused = |conditions: &str, fields: &[(&str, &str)]| {
            let checked = policy(conditions).unwrap().check(&form(fields), "b", "k", 0);
            checked.err().map(|error| error.message().unwrap_or_default().to_owned())
        };
        let extra =
            |names: &str| Some(format!("Invalid according to Policy: Extra input fields: {names}"));
        let key = ("key", "k");
        assert_eq!(refused(r#"[{"key":"k"}]"#, &[key]), extra("bucket"));
        assert_eq!(refused(r#"[{"key":"k"}]"#, &[key, ("bucket", "b")]), extra("bucket"));
        assert_eq!(refused(r#"[{"key":"k"},["starts-with","$bucket",""]]"#, &[key]), None);
        let both = r#"[{"key":"k"},{"bucket":"b"}]"#;
        assert_eq!(refused(both, &[key, ("signature", "s"), ("awsaccesskeyid", "a")]), None);
        for name in ["x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-security-token"] {
            assert_eq!(refused(both, &[key, (name, "x")]), extra(name));
        }
    }

    #[test]
    fn malformed_policies_are_refused() {
        assert!(PostPolicy::read("%%%").is_err());
        assert!(PostPolicy::read(&STANDARD.encode("{}")).is_err());
        for conditions in [
            r#"[["near","$key","x"]]"#,
            r#"[["eq","key","x"]]"#,
            "[1]",
            r#"[["content-length-range","a",1]]"#,
        ] {
            assert!(policy(conditions).is_err(), "{conditions}");
        }
    }

    proptest! {
        #[test]
        fn any_policy_is_survived(text in "\\PC{0,120}") {
            let _ = PostPolicy::read(&text);
            let _ = PostPolicy::read(&STANDARD.encode(&text));
            let _ = policy(&text);
        }
    }
}
