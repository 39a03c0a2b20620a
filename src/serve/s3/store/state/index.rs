//! The index of a bucket: keys with their versions and uploads, in UTF-8 byte
//! order, and the sums over them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::figures::Figures;
use super::super::record::seq_of;
use super::super::version::{UploadId, VersionId};
use super::{Part, Upload, Version};

/// The contents of a bucket.
#[derive(Debug, Default)]
pub(in super::super) struct Index {
    /// Versions of each key, oldest first; never an empty list.
    pub(in super::super) keys: BTreeMap<Box<str>, Vec<Arc<Version>>>,
    /// Uploads of each key, oldest first; never an empty list.
    pub(in super::super) uploads: BTreeMap<Box<str>, Vec<Upload>>,
    figures: Figures,
}

impl Index {
    pub(in super::super) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.uploads.is_empty()
    }

    pub(in super::super) fn figures(&self) -> Figures {
        self.figures
    }

    /// The current version, which may be a delete marker.
    pub(in super::super) fn current(&self, key: &str) -> Option<&Arc<Version>> {
        self.keys.get(key)?.last()
    }

    /// The version of that id.
    pub(in super::super) fn version(&self, key: &str, id: VersionId) -> Option<&Arc<Version>> {
        let versions = self.keys.get(key)?;
        let VersionId::Id(number) = id else {
            return versions.iter().rev().find(|version| version.is_null());
        };
        let version = at_seq(versions, seq_of(number))?;
        (version.id() == id).then_some(version)
    }

    /// The version of that sequence number.
    pub(in super::super) fn at_seq(&self, key: &str, seq: u64) -> Option<&Arc<Version>> {
        at_seq(self.keys.get(key)?, seq)
    }

    pub(in super::super) fn upload(&self, key: &str, id: UploadId) -> Option<&Upload> {
        let uploads = self.uploads.get(key)?;
        uploads.get(uploads.binary_search_by_key(&id, |upload| upload.id).ok()?)
    }

    /// Adds a version, or replaces the one of its number; a `null` version takes
    /// the place of the one before it.
    pub(super) fn put_version(&mut self, key: &str, version: Arc<Version>) {
        if !self.keys.contains_key(key) {
            self.keys.insert(key.into(), Vec::with_capacity(1));
        }
        let Some(versions) = self.keys.get_mut(key) else { return };
        count_key(&mut self.figures, versions, false);
        let replaced = versions
            .iter()
            .rposition(|old| old.seq == version.seq || (version.is_null() && old.is_null()));
        if let Some(at) = replaced {
            count_version(&mut self.figures, &versions.remove(at), false);
        }
        count_version(&mut self.figures, &version, true);
        let at = versions.partition_point(|old| old.seq < version.seq);
        versions.insert(at, version);
        count_key(&mut self.figures, versions, true);
    }

    pub(super) fn drop_version(&mut self, key: &str, seq: u64) {
        let Some(versions) = self.keys.get_mut(key) else { return };
        let Ok(at) = versions.binary_search_by_key(&seq, |version| version.seq) else { return };
        count_key(&mut self.figures, versions, false);
        count_version(&mut self.figures, &versions.remove(at), false);
        count_key(&mut self.figures, versions, true);
        if versions.is_empty() {
            self.keys.remove(key);
        }
    }

    /// The upload, which is made when it is not known.
    pub(super) fn upload_entry(&mut self, key: &str, id: UploadId) -> &mut Upload {
        if !self.uploads.contains_key(key) {
            self.uploads.insert(key.into(), Vec::with_capacity(1));
        }
        let uploads = self.uploads.entry(key.into()).or_default();
        let at = uploads.partition_point(|upload| upload.id < id);
        if uploads.get(at).is_none_or(|upload| upload.id != id) {
            uploads.insert(at, Upload::unknown(id));
            self.figures.uploads += 1;
        }
        &mut uploads[at]
    }

    pub(super) fn put_part(&mut self, key: &str, id: UploadId, part: Part) {
        let size = part.info.size;
        let upload = self.upload_entry(key, id);
        let replaced = upload.parts.insert(part.info.number, Arc::new(part));
        self.figures.parts += u64::from(replaced.is_none());
        self.figures.part_bytes += size;
        self.figures.part_bytes -= replaced.map_or(0, |part| part.info.size);
    }

    pub(super) fn drop_upload(&mut self, key: &str, id: UploadId) {
        let Some(uploads) = self.uploads.get_mut(key) else { return };
        let Ok(at) = uploads.binary_search_by_key(&id, |upload| upload.id) else { return };
        for part in uploads.remove(at).parts.values() {
            self.figures.parts -= 1;
            self.figures.part_bytes -= part.info.size;
        }
        self.figures.uploads -= 1;
        if uploads.is_empty() {
            self.uploads.remove(key);
        }
    }

    /// Forgets uploads of which only parts are known.
    pub(super) fn drop_unknown_uploads(&mut self) {
        let mut unknown = Vec::new();
        for (key, uploads) in &self.uploads {
            let of_key = uploads.iter().filter(|upload| upload.slot.is_none());
            unknown.extend(of_key.map(|upload| (key.clone(), upload.id)));
        }
        for (key, id) in unknown {
            self.drop_upload(&key, id);
        }
    }
}

fn at_seq(versions: &[Arc<Version>], seq: u64) -> Option<&Arc<Version>> {
    let at = versions.binary_search_by_key(&seq, |version| version.seq).ok()?;
    versions.get(at)
}

/// Counts the key as an object when its current version is one.
fn count_key(figures: &mut Figures, versions: &[Arc<Version>], add: bool) {
    if versions.last().is_some_and(|version| !version.marker) {
        change(&mut figures.objects, 1, add);
    }
}

fn count_version(figures: &mut Figures, version: &Version, add: bool) {
    change(&mut figures.bytes, version.size, add);
    change(&mut figures.versions, u64::from(!version.marker), add);
    change(&mut figures.delete_markers, u64::from(version.marker), add);
}

fn change(figure: &mut u64, by: u64, add: bool) {
    *figure = if add { figure.saturating_add(by) } else { figure.saturating_sub(by) };
}
