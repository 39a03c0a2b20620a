//! What a lifecycle configuration must be, to be stored.

use std::collections::HashSet;

use s3s::dto::{BucketLifecycleConfiguration, LifecycleRule};
use s3s::{S3Error, S3ErrorCode};

use super::{DAY_MS, expires};
use crate::serve::s3::error::{fail, invalid_argument};

/// The most rules of a bucket.
const MAX_RULES: usize = 1000;

fn malformed() -> S3Error {
    S3ErrorCode::MalformedXML.into()
}

fn invalid(message: &str) -> S3Error {
    fail(S3ErrorCode::InvalidRequest, message)
}

/// Checks a configuration and names the rules that have no name.
///
/// # Errors
///
/// `MalformedXML`, `InvalidRequest` or `InvalidArgument`, as S3.
pub(crate) fn check(config: &mut BucketLifecycleConfiguration) -> Result<(), S3Error> {
    if config.rules.is_empty() || config.rules.len() > MAX_RULES {
        return Err(malformed());
    }
    let mut ids = HashSet::new();
    for rule in &mut config.rules {
        if rule.id.as_ref().is_none_or(String::is_empty) {
            rule.id = Some(uuid::Uuid::new_v4().simple().to_string());
        }
        let id = rule.id.clone().unwrap_or_default();
        if id.len() > 255 {
            return Err(invalid_argument(
                "ID",
                &id,
                "ID length should not exceed allowed limit of 255",
            ));
        }
        if !ids.insert(id.clone()) {
            return Err(invalid_argument(
                "ID",
                &id,
                "Rule ID must be unique. Found same ID for more than one rule",
            ));
        }
        one(rule)?;
    }
    Ok(())
}

fn one(rule: &LifecycleRule) -> Result<(), S3Error> {
    if !matches!(rule.status.as_str(), "Enabled" | "Disabled") {
        return Err(malformed());
    }
    if rule.filter.is_some() == rule.prefix.is_some() {
        return Err(malformed());
    }
    let tagged = filter(rule)?;
    let has_action = rule.expiration.is_some()
        || rule.noncurrent_version_expiration.is_some()
        || rule.abort_incomplete_multipart_upload.is_some()
        || rule.transitions.as_ref().is_some_and(|list| !list.is_empty())
        || rule.noncurrent_version_transitions.as_ref().is_some_and(|list| !list.is_empty());
    if !has_action {
        return Err(invalid("At least one action needs to be specified in a rule"));
    }
    expiration(rule, tagged)?;
    let positive = |days: Option<i32>, name: &str| match days {
        Some(days) if days > 0 => Ok(()),
        Some(days) => {
            let message = format!("'{name}' must be a positive integer");
            Err(invalid_argument(name, &days.to_string(), message))
        }
        None => Err(malformed()),
    };
    if let Some(noncurrent) = &rule.noncurrent_version_expiration {
        positive(noncurrent.noncurrent_days, "NoncurrentDays")?;
        if noncurrent.newer_noncurrent_versions.is_some_and(|n| !(1..=100).contains(&n)) {
            return Err(invalid("'NewerNoncurrentVersions' must be between 1 and 100"));
        }
    }
    if let Some(abort) = &rule.abort_incomplete_multipart_upload {
        positive(abort.days_after_initiation, "DaysAfterInitiation")?;
        if tagged {
            return Err(invalid("AbortIncompleteMultipartUpload cannot be specified with Tags."));
        }
    }
    for transition in rule.transitions.iter().flatten() {
        if transition.storage_class.is_none()
            || transition.days.is_some() == transition.date.is_some()
        {
            return Err(malformed());
        }
        if transition.days.is_some_and(|days| days < 0) {
            return Err(invalid_argument(
                "Days",
                "",
                "'Days' in Transition action must be nonnegative",
            ));
        }
    }
    for transition in rule.noncurrent_version_transitions.iter().flatten() {
        if transition.storage_class.is_none()
            || transition.noncurrent_days.is_none_or(|days| days < 0)
        {
            return Err(malformed());
        }
    }
    Ok(())
}

/// Checks the filter. Whether it has tags.
fn filter(rule: &LifecycleRule) -> Result<bool, S3Error> {
    let Some(filter) = &rule.filter else { return Ok(false) };
    let given = [
        filter.prefix.is_some(),
        filter.tag.is_some(),
        filter.and.is_some(),
        filter.object_size_greater_than.is_some(),
        filter.object_size_less_than.is_some(),
    ];
    if given.iter().filter(|given| **given).count() > 1 {
        return Err(malformed());
    }
    let Some(and) = &filter.and else { return Ok(filter.tag.is_some()) };
    let tags = and.tags.as_ref().map_or(0, Vec::len);
    let parts = tags
        + usize::from(and.prefix.is_some())
        + usize::from(and.object_size_greater_than.is_some())
        + usize::from(and.object_size_less_than.is_some());
    if parts < 2 {
        return Err(malformed());
    }
    let keys: HashSet<_> = and.tags.iter().flatten().map(|tag| tag.key.clone()).collect();
    if keys.len() != tags {
        return Err(invalid("Duplicate Tag Keys are not allowed."));
    }
    if let (Some(greater), Some(less)) = (and.object_size_greater_than, and.object_size_less_than)
        && greater >= less
    {
        return Err(invalid(
            "'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.",
        ));
    }
    Ok(tags > 0)
}

fn expiration(rule: &LifecycleRule, tagged: bool) -> Result<(), S3Error> {
    let Some(expiration) = &rule.expiration else { return Ok(()) };
    let given = [
        expiration.days.is_some(),
        expiration.date.is_some(),
        expiration.expired_object_delete_marker.is_some(),
    ];
    if given.iter().filter(|given| **given).count() != 1 {
        return Err(malformed());
    }
    if let Some(days) = expiration.days.filter(|days| *days <= 0) {
        return Err(invalid_argument(
            "Days",
            &days.to_string(),
            "'Days' for Expiration action must be a positive integer",
        ));
    }
    if expiration.date.is_some() && expires(rule, 0).is_none_or(|at| at % DAY_MS != 0) {
        return Err(invalid_argument("Date", "", "'Date' must be at midnight GMT"));
    }
    if expiration.expired_object_delete_marker.is_some() && tagged {
        return Err(invalid("ExpiredObjectDeleteMarker cannot be specified with Tags."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::s3::backend::config::from_xml;

    fn checked(rule: &str) -> Result<(), String> {
        let xml = format!("<LifecycleConfiguration><Rule>{rule}</Rule></LifecycleConfiguration>");
        let mut config = from_xml(xml.as_bytes()).ok_or("unreadable")?;
        check(&mut config).map_err(|error| error.code().as_str().to_owned())
    }

    #[test]
    fn rules_are_checked_as_s3_checks_them() {
        let expire = "<Expiration><Days>1</Days></Expiration>";
        for (rule, expected) in [
            (format!("<Status>Enabled</Status><Filter><Prefix>a/</Prefix></Filter>{expire}"), "fine"),
            (format!("<Status>Enabled</Status><Filter/>{expire}"), "fine"),
            (format!("<Status>Enabled</Status><Prefix></Prefix>{expire}"), "fine"),
            (format!("<Status>On</Status><Filter/>{expire}"), "MalformedXML"),
            (format!("<Status>Enabled</Status>{expire}"), "MalformedXML"),
            ("<Status>Enabled</Status><Filter/>".to_owned(), "InvalidRequest"),
            ("<Status>Enabled</Status><Filter/><Expiration><Days>0</Days></Expiration>".to_owned(), "InvalidArgument"),
            ("<Status>Enabled</Status><Filter/><Expiration><Date>2026-01-01T05:00:00Z</Date></Expiration>".to_owned(), "InvalidArgument"),
            (format!("<Status>Enabled</Status><Filter><And><Prefix>a</Prefix></And></Filter>{expire}"), "MalformedXML"),
        ] {
            let got = checked(&rule).err().unwrap_or_else(|| "fine".to_owned());
            assert_eq!(got, expected, "{rule}");
        }
    }
}
