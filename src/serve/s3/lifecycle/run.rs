//! Running the rules of all buckets, once. Each removal is conditional on what
//! was looked at, so that nothing newer is lost.

use futures::{StreamExt as _, stream};
use s3s::dto::{BucketLifecycleConfiguration, LifecycleRule};
use serde::Serialize;

use super::{Filter, after, expires, is_on};
use crate::serve::s3::backend::config;
use crate::serve::s3::state::State;
use crate::serve::s3::store::{
    Condition, DeleteOptions, KeyVersions, StoreError, UploadEntry, UploadQuery, VersionSummary,
};

/// Keys looked at in one go.
const PAGE: usize = 1000;
/// Removals under way at a time; fewer than may wait in the store, so that others
/// who write are not held up.
const AT_ONCE: usize = 256;
/// The most removals that a report lists; all are counted.
const LISTED: usize = 1000;

/// What a run removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Report {
    /// Current versions that expired.
    pub(crate) expired: u64,
    /// Noncurrent versions.
    pub(crate) noncurrent: u64,
    /// Delete markers with nothing behind them.
    pub(crate) delete_markers: u64,
    /// Uploads that were never completed.
    pub(crate) uploads: u64,
    /// What was not removed as object lock or a newer version forbade it.
    pub(crate) kept: u64,
    /// The first of them all.
    pub(crate) removed: Vec<Removed>,
}

/// One removal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Removed {
    bucket: String,
    key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_id: Option<String>,
    what: &'static str,
    rule: String,
}

/// What a rule wants gone.
struct Due<'a> {
    version: &'a VersionSummary,
    what: &'static str,
    /// The version is named, not just covered by a delete marker.
    named: bool,
    rule: &'a LifecycleRule,
}

/// Runs all rules.
///
/// # Errors
///
/// When the store fails.
pub(crate) async fn run(state: &State) -> Result<Report, StoreError> {
    let _one_at_a_time = state.lifecycle.lock().await;
    let mut report = Report::default();
    for bucket in state.store.buckets("", "", usize::MAX) {
        let Ok(Some(document)) = state.store.config(&bucket.name, config::LIFECYCLE) else {
            continue;
        };
        let Some(config) = config::from_xml::<BucketLifecycleConfiguration>(&document) else {
            continue;
        };
        let rules: Vec<_> = config.rules.iter().filter(|rule| is_on(rule)).collect();
        match of_bucket(state, &bucket.name, &rules, &mut report).await {
            // Removed in the meantime.
            Ok(()) | Err(StoreError::NoSuchBucket(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(report)
}

async fn of_bucket(
    state: &State,
    bucket: &str,
    rules: &[&LifecycleRule],
    report: &mut Report,
) -> Result<(), StoreError> {
    let mut from = String::new();
    loop {
        let page = state.store.lifecycle_page(bucket, "", &from, PAGE)?;
        // Many at once, as those that are in the same batch share a sync.
        let due: Vec<Due<'_>> =
            page.keys.iter().flat_map(|key| due(state, bucket, rules, key)).collect();
        let removals: Vec<_> = due.iter().map(|due| remove(state, bucket, due)).collect();
        let mut results = stream::iter(removals).buffered(AT_ONCE);
        for due in &due {
            let Some(result) = results.next().await else { break };
            report.note(bucket, due, result?);
        }
        match page.next {
            Some(next) => from = next,
            None => break,
        }
        tokio::task::yield_now().await;
    }
    abort(state, bucket, rules, report).await
}

fn due<'a>(
    state: &State,
    bucket: &str,
    rules: &[&'a LifecycleRule],
    key: &'a KeyVersions,
) -> Vec<Due<'a>> {
    let now = state.clock.now();
    let mut all: Vec<Due<'a>> = Vec::new();
    for &rule in rules {
        let filter = Filter::of(rule);
        for (at, version) in key.versions.iter().enumerate() {
            if all.iter().any(|due| due.version.stamp == version.stamp) {
                continue;
            }
            if !filter.fits(&key.key, version.size) || !tags_fit(state, bucket, &filter, version) {
                continue;
            }
            let modified = version.last_modified.as_millisecond();
            let (what, named) = if at > 0 {
                if !noncurrent_is_due(rule, key, at, now) {
                    continue;
                }
                ("noncurrent", true)
            } else if version.delete_marker {
                let wanted = rule.expiration.as_ref().is_some_and(|expiration| {
                    expiration.expired_object_delete_marker == Some(true)
                        || expires(rule, modified).is_some_and(|at| now >= at)
                });
                if !wanted || !key.is_expired_delete_marker() {
                    continue;
                }
                ("delete-marker", true)
            } else if expires(rule, modified).is_some_and(|at| now >= at) {
                ("expired", false)
            } else {
                continue;
            };
            all.push(Due { version, what, named, rule });
        }
    }
    all
}

fn noncurrent_is_due(rule: &LifecycleRule, key: &KeyVersions, at: usize, now: i64) -> bool {
    let Some(noncurrent) = &rule.noncurrent_version_expiration else { return false };
    let Some(since) = key.noncurrent_since(at) else { return false };
    let days = noncurrent.noncurrent_days.unwrap_or(i32::MAX);
    let newer = noncurrent.newer_noncurrent_versions.unwrap_or(0);
    // The current version is none of the newer noncurrent ones.
    let enough = usize::try_from(newer).is_ok_and(|newer| at > newer);
    enough && now >= after(since.as_millisecond(), days)
}

fn tags_fit(state: &State, bucket: &str, filter: &Filter, version: &VersionSummary) -> bool {
    if filter.tags.is_empty() {
        return true;
    }
    if version.delete_marker || version.tag_count == 0 {
        return false;
    }
    state
        .store
        .head(bucket, &version.key, Some(version.version_id))
        .is_ok_and(|object| filter.has_tags(&object.meta.tags))
}

/// Removes one version; whether it was removed.
async fn remove(state: &State, bucket: &str, due: &Due<'_>) -> Result<bool, StoreError> {
    let version = due.version;
    let options = DeleteOptions {
        version: due.named.then_some(version.version_id),
        condition: Condition { if_current: Some(version.stamp), ..Condition::default() },
        bypass_governance: false,
    };
    match state.store.delete_object(bucket, &version.key, options).await {
        Ok(_) => Ok(true),
        Err(
            StoreError::Locked { .. }
            | StoreError::PreconditionFailed(_)
            | StoreError::NoSuchKey(_)
            | StoreError::NoSuchVersion { .. },
        ) => Ok(false),
        Err(error) => Err(error),
    }
}

impl Report {
    fn note(&mut self, bucket: &str, due: &Due<'_>, removed: bool) {
        if !removed {
            self.kept += 1;
            return;
        }
        match due.what {
            "noncurrent" => self.noncurrent += 1,
            "delete-marker" => self.delete_markers += 1,
            _ => self.expired += 1,
        }
        let version_id = due.named.then(|| due.version.version_id.to_string());
        list(self, bucket, &due.version.key, version_id, due.what, due.rule);
    }
}

fn list(
    report: &mut Report,
    bucket: &str,
    key: &str,
    version_id: Option<String>,
    what: &'static str,
    rule: &LifecycleRule,
) {
    if report.removed.len() < LISTED {
        report.removed.push(Removed {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            version_id,
            what,
            rule: rule.id.clone().unwrap_or_default(),
        });
    }
}

async fn abort(
    state: &State,
    bucket: &str,
    rules: &[&LifecycleRule],
    report: &mut Report,
) -> Result<(), StoreError> {
    let now = state.clock.now();
    for rule in rules {
        let Some(days) = rule
            .abort_incomplete_multipart_upload
            .as_ref()
            .and_then(|abort| abort.days_after_initiation)
        else {
            continue;
        };
        let mut query =
            UploadQuery { prefix: Filter::of(rule).prefix, max: PAGE, ..UploadQuery::default() };
        loop {
            let page = state.store.list_uploads(bucket, &query)?;
            for entry in page.entries {
                let UploadEntry::Upload(upload) = entry else { continue };
                if now < after(upload.initiated.as_millisecond(), days) {
                    continue;
                }
                match state.store.abort_upload(bucket, &upload.key, upload.id).await {
                    Ok(()) => {
                        report.uploads += 1;
                        let id = Some(upload.id.to_string());
                        list(report, bucket, &upload.key, id, "upload", rule);
                    }
                    Err(StoreError::NoSuchUpload(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            let Some((key, id)) = page.next else { break };
            (query.key_marker, query.upload_id_marker) = (key, id);
        }
    }
    Ok(())
}
