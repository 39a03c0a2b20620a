//! Bucket policies: their form, whether they are public, and what they say to
//! a caller. A simple evaluation: effects, principals, actions and resources;
//! a statement with a condition allows nobody and denies nobody, except the
//! one that asks for TLS, which counts as met.
//!
//! Source: "Policies and permissions in Amazon S3" in the user guide.

use serde_json::Value;

use super::glob;

/// The longest policy in bytes.
pub(crate) const MAX_POLICY: usize = 20 * 1024;

/// A parsed policy.
#[derive(Debug, Clone, Default)]
pub(crate) struct Policy {
    statements: Vec<Statement>,
}

#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts about a statement")]
struct Statement {
    allow: bool,
    everyone: bool,
    /// Whether a listed principal stands for this server's account.
    account: bool,
    actions: Patterns,
    resources: Patterns,
    conditional: bool,
}

#[derive(Debug, Clone)]
struct Patterns {
    negated: bool,
    list: Vec<String>,
}

impl Patterns {
    fn matches(&self, text: &str) -> bool {
        self.list.iter().any(|pattern| glob::matches(pattern, text)) != self.negated
    }
}

/// What a policy says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allow,
    Deny,
    Silent,
}

impl Policy {
    /// Reads a policy for a bucket.
    ///
    /// # Errors
    ///
    /// The message that goes with `MalformedPolicy`.
    pub(crate) fn parse(text: &str, bucket: &str) -> Result<Self, &'static str> {
        let value: Value = serde_json::from_str(text)
            .map_err(|_| "Policies must be valid JSON and the first byte must be '{'")?;
        let policy = value
            .as_object()
            .ok_or("Policies must be valid JSON and the first byte must be '{'")?;
        let version = policy.get("Version").and_then(Value::as_str);
        if !matches!(version, None | Some("2012-10-17" | "2008-10-17")) {
            return Err("The policy must contain a valid version string");
        }
        let statements = match policy.get("Statement") {
            Some(Value::Array(list)) if !list.is_empty() => list.iter().collect(),
            Some(one @ Value::Object(_)) => vec![one],
            _ => return Err("Missing required field Statement"),
        };
        let statements: Result<Vec<_>, _> =
            statements.into_iter().map(|value| statement(value, bucket)).collect();
        Ok(Self { statements: statements? })
    }

    /// Whether it lets everyone do something.
    pub(crate) fn is_public(&self) -> bool {
        self.statements.iter().any(|s| s.allow && s.everyone && !s.conditional)
    }

    /// What it says about an action on a resource: to everyone, or to the
    /// owner's account.
    pub(crate) fn verdict(&self, anonymous: bool, action: &str, resource: &str) -> Verdict {
        let action = action.to_ascii_lowercase();
        let mut said = Verdict::Silent;
        for s in &self.statements {
            let about = s.everyone || (s.account && !anonymous);
            if s.conditional
                || !about
                || !s.actions.matches(&action)
                || !s.resources.matches(resource)
            {
                continue;
            }
            if !s.allow {
                return Verdict::Deny;
            }
            said = Verdict::Allow;
        }
        said
    }
}

fn statement(value: &Value, bucket: &str) -> Result<Statement, &'static str> {
    let fields = value.as_object().ok_or("Statement must be an object")?;
    let allow = match fields.get("Effect").and_then(Value::as_str) {
        Some("Allow") => true,
        Some("Deny") => false,
        _ => return Err("Invalid effect: the policy must have Allow or Deny"),
    };
    let (everyone, account) = match (fields.get("Principal"), fields.get("NotPrincipal")) {
        (Some(principal), None) => principals(principal)?,
        (None, Some(_)) => (false, false),
        _ => return Err("Missing required field Principal"),
    };
    let mut actions = patterns(fields.get("Action"), fields.get("NotAction"))
        .ok_or("Missing required field Action")?;
    for action in &mut actions.list {
        action.make_ascii_lowercase();
        if action != "*" && !action.starts_with("s3:") {
            return Err("Policy has invalid action");
        }
    }
    let resources = patterns(fields.get("Resource"), fields.get("NotResource"))
        .ok_or("Missing required field Resource")?;
    let own = format!("arn:aws:s3:::{bucket}");
    let belongs = |resource: &String| {
        resource == "*"
            || *resource == own
            || resource.starts_with(&format!("{own}/"))
            || resource.starts_with("arn:aws:s3:::*")
    };
    if !resources.negated && !resources.list.iter().all(belongs) {
        return Err("Policy has invalid resource");
    }
    let conditional = match fields.get("Condition") {
        None => false,
        Some(condition) => !only_tls(condition, allow),
    };
    Ok(Statement { allow, everyone, account, actions, resources, conditional })
}

/// A condition that allows what comes over TLS: met here, so that policies for
/// the cloud can be tried out without certificates.
fn only_tls(condition: &Value, allow: bool) -> bool {
    let wanted = serde_json::json!({ "Bool": { "aws:SecureTransport": "true" } });
    allow && *condition == wanted
}

fn principals(value: &Value) -> Result<(bool, bool), &'static str> {
    if value == "*" {
        return Ok((true, false));
    }
    let fields = value.as_object().ok_or("Invalid principal in policy")?;
    let mut list = Vec::new();
    for (kind, value) in fields {
        if !matches!(kind.as_str(), "AWS" | "Service" | "CanonicalUser" | "Federated") {
            return Err("Invalid principal in policy");
        }
        if kind == "AWS" {
            list.extend(strings(value).ok_or("Invalid principal in policy")?);
        }
    }
    let account = list.iter().any(|p| p.contains(super::OWNER_ACCOUNT));
    Ok((list.iter().any(|p| p == "*"), account))
}

fn strings(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(one) => Some(vec![one.clone()]),
        Value::Array(list) => list.iter().map(|v| v.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

fn patterns(plain: Option<&Value>, negated: Option<&Value>) -> Option<Patterns> {
    let (value, negated) = match (plain, negated) {
        (Some(value), None) => (value, false),
        (None, Some(value)) => (value, true),
        _ => return None,
    };
    let list = strings(value).filter(|list| !list.is_empty())?;
    Some(Patterns { negated, list })
}

/// The policy that lets everyone read all objects of a bucket.
pub(crate) fn public_read(bucket: &str) -> String {
    serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "PublicRead", "Effect": "Allow", "Principal": "*",
            "Action": "s3:GetObject", "Resource": format!("arn:aws:s3:::{bucket}/*"),
        }],
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn public_read_lets_everyone_read_and_nothing_else() {
        let policy = Policy::parse(&public_read("b"), "b").unwrap();
        assert!(policy.is_public());
        let says = |action, resource| policy.verdict(true, action, resource);
        assert_eq!(says("s3:GetObject", "arn:aws:s3:::b/k"), Verdict::Allow);
        assert_eq!(says("s3:PutObject", "arn:aws:s3:::b/k"), Verdict::Silent);
        assert_eq!(says("s3:ListBucket", "arn:aws:s3:::b"), Verdict::Silent);
    }

    #[test]
    fn a_denial_wins_and_a_condition_silences() {
        let text = r#"{"Version":"2012-10-17","Statement":[
            {"Effect":"Allow","Principal":{"AWS":["*"]},"Action":"s3:*","Resource":["arn:aws:s3:::b","arn:aws:s3:::b/*"]},
            {"Effect":"Deny","Principal":"*","Action":["s3:Delete*"],"Resource":"arn:aws:s3:::b/keep/*"},
            {"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b/*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}"#;
        let policy = Policy::parse(text, "b").unwrap();
        assert_eq!(policy.verdict(true, "s3:DeleteObject", "arn:aws:s3:::b/x"), Verdict::Allow);
        assert_eq!(
            policy.verdict(false, "s3:DeleteObject", "arn:aws:s3:::b/keep/x"),
            Verdict::Deny
        );
    }

    #[test]
    fn malformed_policies_are_refused() {
        for text in [
            "",
            "[]",
            "{}",
            r#"{"Statement":[]}"#,
            r#"{"Version":"2","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}]}"#,
            r#"{"Statement":[{"Effect":"Maybe","Principal":"*","Action":"s3:*","Resource":"*"}]}"#,
            r#"{"Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#,
            r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"ec2:*","Resource":"*"}]}"#,
            r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::other/*"}]}"#,
        ] {
            assert!(Policy::parse(text, "b").is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "\\PC{0,200}") {
            let _ = Policy::parse(&text, "b");
        }
    }
}
