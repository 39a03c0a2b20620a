//! Fills pages of listings from the index of a bucket. No lock is held between
//! two pages.

use std::ops::ControlFlow::{self, Break, Continue};
use std::sync::Arc;

use super::lifecycle::{KeyVersions, LifecyclePage};
use super::listing::{
    ObjectEntry, ObjectPage, ObjectQuery, VersionEntry, VersionPage, VersionQuery,
};
use super::record::seq_of;
use super::state::{Bucket, Version};
use super::sync::read;
use super::upload::{UploadEntry, UploadPage, UploadQuery};
use super::version::VersionId;
use super::walk::{Step, Walk};

pub(super) fn objects(bucket: &Bucket, query: &ObjectQuery) -> ObjectPage {
    let mut page = ObjectPage::default();
    if query.max_keys == 0 {
        return page;
    }
    let mut walk = Walk::after(&query.prefix, &query.delimiter, &query.start_after);
    let counts = |versions: &Vec<_>| current(versions).is_some_and(|version| !version.marker);
    while !walk.go(&read(&bucket.index).keys, counts, |step| {
        if page.entries.len() == query.max_keys {
            page.next = page.entries.last().map(|entry| match entry {
                ObjectEntry::Object(summary) => summary.key.clone(),
                ObjectEntry::Prefix(prefix) => prefix.clone(),
            });
            return Break(());
        }
        match step {
            Step::Key(key, versions) => page.entries.extend(
                current(versions)
                    .map(|version| ObjectEntry::Object(Box::new(version.summary(key, true)))),
            ),
            Step::Prefix(prefix) => page.entries.push(ObjectEntry::Prefix(prefix.to_owned())),
        }
        Continue(())
    }) {}
    page
}

pub(super) fn versions(bucket: &Bucket, query: &VersionQuery) -> VersionPage {
    let mut page = VersionPage::default();
    if query.max_keys == 0 {
        return page;
    }
    let (prefix, delimiter, marker) = (&query.prefix, &query.delimiter, &query.key_marker);
    let mut walk = match query.version_id_marker {
        Some(_) if !marker.is_empty() => Walk::at(prefix, delimiter, marker),
        _ => Walk::after(prefix, delimiter, marker),
    };
    let add = |page: &mut VersionPage, entry| -> ControlFlow<()> {
        if page.entries.len() == query.max_keys {
            page.next = page.entries.last().map(|entry| match entry {
                VersionEntry::Version(summary) => (summary.key.clone(), Some(summary.version_id)),
                VersionEntry::Prefix(prefix) => (prefix.clone(), None),
            });
            return Break(());
        }
        page.entries.push(entry);
        Continue(())
    };
    while !walk.go(
        &read(&bucket.index).keys,
        |_| true,
        |step| match step {
            Step::Prefix(prefix) => add(&mut page, VersionEntry::Prefix(prefix.to_owned())),
            Step::Key(key, versions) => {
                let end = match query.version_id_marker {
                    Some(id) if key == marker => older(versions, id),
                    _ => versions.len(),
                };
                for (at, version) in versions[..end].iter().enumerate().rev() {
                    let summary = version.summary(key, at + 1 == versions.len());
                    add(&mut page, VersionEntry::Version(Box::new(summary)))?;
                }
                Continue(())
            }
        },
    ) {}
    page
}

pub(super) fn uploads(bucket: &Bucket, query: &UploadQuery) -> UploadPage {
    let mut page = UploadPage::default();
    if query.max == 0 {
        return page;
    }
    let (prefix, delimiter, marker) = (&query.prefix, &query.delimiter, &query.key_marker);
    let mut walk = match query.upload_id_marker {
        Some(_) if !marker.is_empty() => Walk::at(prefix, delimiter, marker),
        _ => Walk::after(prefix, delimiter, marker),
    };
    let add = |page: &mut UploadPage, entry| -> ControlFlow<()> {
        if page.entries.len() == query.max {
            page.next = page.entries.last().map(|entry| match entry {
                UploadEntry::Upload(summary) => (summary.key.clone(), Some(summary.id)),
                UploadEntry::Prefix(prefix) => (prefix.clone(), None),
            });
            return Break(());
        }
        page.entries.push(entry);
        Continue(())
    };
    while !walk.go(
        &read(&bucket.index).uploads,
        |_| true,
        |step| match step {
            Step::Prefix(prefix) => add(&mut page, UploadEntry::Prefix(prefix.to_owned())),
            Step::Key(key, uploads) => {
                for upload in uploads {
                    let seen =
                        query.upload_id_marker.is_some_and(|id| key == marker && upload.id <= id);
                    if !seen {
                        add(&mut page, UploadEntry::Upload(Box::new(upload.summary(key))))?;
                    }
                }
                Continue(())
            }
        },
    ) {}
    page
}

pub(super) fn lifecycle(bucket: &Bucket, prefix: &str, after: &str, max: usize) -> LifecyclePage {
    let mut page = LifecyclePage::default();
    if max == 0 {
        return page;
    }
    let mut walk = Walk::after(prefix, "", after);
    while !walk.go(
        &read(&bucket.index).keys,
        |_| true,
        |step| {
            let Step::Key(key, versions) = step else { return Continue(()) };
            if page.keys.len() == max {
                page.next = page.keys.last().map(|last| last.key.clone());
                return Break(());
            }
            let newest_first = versions.iter().enumerate().rev();
            let summaries =
                newest_first.map(|(at, version)| version.summary(key, at + 1 == versions.len()));
            page.keys.push(KeyVersions { key: key.to_owned(), versions: summaries.collect() });
            Continue(())
        },
    ) {}
    page
}

fn current(versions: &[Arc<Version>]) -> Option<&Arc<Version>> {
    versions.last()
}

/// How many versions are older than the one of that id.
fn older(versions: &[Arc<Version>], id: VersionId) -> usize {
    match id {
        VersionId::Id(number) => {
            let seq = seq_of(number);
            versions.partition_point(|version| version.seq < seq)
        }
        VersionId::Null => versions.iter().rposition(|version| version.is_null()).unwrap_or(0),
    }
}
