//! Lifecycle rules: checked when they are stored, run against the movable
//! clock. A rule is due to the second, where S3 waits for the next midnight,
//! so that moving the clock by a day and an hour is enough. Transitions are
//! kept and shown but move nothing, as there is one storage.
//!
//! Source: "Managing the lifecycle of objects" in the user guide.

mod check;
mod run;

use s3s::dto::{BucketLifecycleConfiguration, LifecycleRule};

pub(crate) use self::check::check;
pub(crate) use self::run::run;
use super::backend::config;
use super::store::{Object, Store};
use super::time;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// When `days` after a moment are over.
fn after(ms: i64, days: i32) -> i64 {
    ms.saturating_add(i64::from(days).saturating_mul(DAY_MS))
}

/// The conditions of a rule, in one form.
#[derive(Debug, Default, PartialEq, Eq)]
struct Filter {
    prefix: String,
    tags: Vec<(String, String)>,
    greater: Option<u64>,
    less: Option<u64>,
}

impl Filter {
    fn of(rule: &LifecycleRule) -> Self {
        let mut filter = Self::default();
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let size = |size: Option<i64>| size.and_then(|size| u64::try_from(size).ok());
        if let Some(given) = &rule.filter {
            filter.prefix = text(&given.prefix);
            filter.greater = size(given.object_size_greater_than);
            filter.less = size(given.object_size_less_than);
            filter.tags.extend(given.tag.iter().map(|tag| (text(&tag.key), text(&tag.value))));
            if let Some(and) = &given.and {
                filter.prefix = text(&and.prefix);
                filter.greater = size(and.object_size_greater_than);
                filter.less = size(and.object_size_less_than);
                let tags = and.tags.iter().flatten();
                filter.tags.extend(tags.map(|tag| (text(&tag.key), text(&tag.value))));
            }
        } else {
            filter.prefix = text(&rule.prefix);
        }
        filter
    }

    /// Whether key and size fit.
    fn fits(&self, key: &str, size: u64) -> bool {
        key.starts_with(&self.prefix)
            && self.greater.is_none_or(|least| size > least)
            && self.less.is_none_or(|most| size < most)
    }

    fn has_tags(&self, tags: &std::collections::BTreeMap<String, String>) -> bool {
        self.tags.iter().all(|(key, value)| tags.get(key) == Some(value))
    }
}

fn is_on(rule: &LifecycleRule) -> bool {
    rule.status.as_str() == "Enabled"
}

/// When a rule lets a current version expire.
fn expires(rule: &LifecycleRule, modified: i64) -> Option<i64> {
    let expiration = rule.expiration.as_ref()?;
    if let Some(days) = expiration.days {
        return Some(after(modified, days));
    }
    let date = expiration.date.as_ref()?;
    let mut text = Vec::new();
    date.format(s3s::dto::TimestampFormat::DateTime, &mut text).ok()?;
    time::parse_iso8601(std::str::from_utf8(&text).ok()?)
}

/// The header `x-amz-expiration` of a current version, when a rule will remove
/// it.
pub(crate) fn expiration_header(store: &Store, bucket: &str, object: &Object) -> Option<String> {
    let config: BucketLifecycleConfiguration =
        config::load(store, bucket, config::LIFECYCLE).ok()??;
    let modified = object.summary.last_modified.as_millisecond();
    let due = config.rules.iter().filter(|rule| is_on(rule)).filter_map(|rule| {
        let filter = Filter::of(rule);
        let fits = filter.fits(&object.summary.key, object.summary.size)
            && filter.has_tags(&object.meta.tags);
        let at = expires(rule, modified).filter(|_| fits)?;
        Some((at, rule.id.clone().unwrap_or_default()))
    });
    let (at, id) = due.min()?;
    // The date that S3 shows is the midnight after.
    let at = at.saturating_add(DAY_MS - 1) / DAY_MS * DAY_MS;
    Some(format!("expiry-date=\"{}\", rule-id=\"{}\"", time::http_date(at), id.replace('"', "%22")))
}
