//! Objects and their versions.

use std::sync::Arc;

use super::super::body::{BodyReader, Content};
use super::super::commit::{Touches, objects as decide};
use super::super::error::StoreError;
use super::super::object::{
    Condition, DeleteOptions, Deleted, NewObject, Object, ObjectUpdate, Written,
};
use super::super::record::{Record, VersionRecord};
use super::super::state::{Version, content};
use super::super::sync::read;
use super::super::version::VersionId;
use super::{Result, Store};

/// Keys are at most so long, in bytes of UTF-8.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html>
const MAX_KEY: usize = 1024;

impl Store {
    /// Writes an object. In a bucket with versioning on it becomes the current
    /// version, else it replaces the `null` version.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchBucket`], [`StoreError::KeyLength`], and those of
    /// [`Condition`].
    pub async fn put_object(
        &self,
        bucket: &str,
        key: &str,
        object: NewObject,
        condition: Condition,
    ) -> Result<Written> {
        check_key(key)?;
        self.shared().bucket(bucket)?;
        let touches = Touches::key(bucket, key);
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        let decide =
            move |batch: &mut _| decide::put(batch, &bucket, key, object, &condition, None);
        self.submitter()?.run(touches, decide).await
    }

    /// What is known of a version; `None` is the current one.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchBucket`], [`StoreError::NoSuchKey`],
    /// [`StoreError::NoSuchVersion`], [`StoreError::DeleteMarker`].
    pub fn head(&self, bucket: &str, key: &str, version: Option<VersionId>) -> Result<Object> {
        let found = self.find(bucket, key, version)?;
        let head = found.version.slot.head()?;
        Ok(found.object(key, parse(key, &head)?.meta))
    }

    /// What is known of a version, and its bytes.
    ///
    /// # Errors
    ///
    /// As [`Store::head`].
    pub fn get(
        &self,
        bucket: &str,
        key: &str,
        version: Option<VersionId>,
    ) -> Result<(Object, BodyReader)> {
        let found = self.find(bucket, key, version)?;
        let (head, inline) = found.version.slot.read()?;
        let record = parse(key, &head)?;
        let content = if record.files.is_empty() {
            Content::Inline(inline)
        } else {
            content(&record.files, &found.version.files)
        };
        Ok((found.object(key, record.meta), BodyReader::new(content)))
    }

    /// Deletes an object or a version.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchBucket`], [`StoreError::Locked`], and those of
    /// [`Condition`].
    pub async fn delete_object(
        &self,
        bucket: &str,
        key: &str,
        options: DeleteOptions,
    ) -> Result<Deleted> {
        check_key(key)?;
        let touches = match options.version {
            Some(id) => Touches::version(bucket, key, id),
            None => Touches::key(bucket, key),
        };
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        let decide = move |batch: &mut _| decide::delete(batch, &bucket, key, &options);
        self.submitter()?.run(touches, decide).await
    }

    /// Changes tags, retention or legal hold of a version in place; `None` is the
    /// current one. Gives the version's id.
    ///
    /// # Errors
    ///
    /// As [`Store::head`], and [`StoreError::Locked`],
    /// [`StoreError::InvalidBucketState`] for locks in a bucket without object
    /// lock.
    pub async fn update_object(
        &self,
        bucket: &str,
        key: &str,
        version: Option<VersionId>,
        update: ObjectUpdate,
    ) -> Result<VersionId> {
        let touches = Touches::key(bucket, key);
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        let decide = move |batch: &mut _| decide::update(batch, &bucket, &key, version, update);
        self.submitter()?.run(touches, decide).await
    }

    fn find(&self, bucket: &str, key: &str, id: Option<VersionId>) -> Result<Found> {
        let (bucket, state) = self.shared().bucket(bucket)?;
        let index = read(&bucket.index);
        let version = decide::find(&index, key, id)?;
        let current = index.current(key).is_some_and(|current| current.seq == version.seq);
        let versioned = state.info.versioning != super::super::bucket::Versioning::Unversioned;
        Ok(Found { version, current, versioned })
    }
}

struct Found {
    version: Arc<Version>,
    current: bool,
    versioned: bool,
}

impl Found {
    fn object(&self, key: &str, meta: super::super::meta::ObjectMeta) -> Object {
        let summary = self.version.summary(key, self.current);
        Object { summary, meta, versioned: self.versioned }
    }
}

/// The record that the index says is there.
fn parse(key: &str, head: &[u8]) -> Result<VersionRecord> {
    match Record::parse(head) {
        Ok(Record::Version(record)) => Ok(*record),
        _ => Err(StoreError::NoSuchKey(key.to_owned())),
    }
}

pub(super) fn check_key(key: &str) -> Result<()> {
    let fits = (1..=MAX_KEY).contains(&key.len());
    if fits { Ok(()) } else { Err(StoreError::KeyLength(key.len())) }
}

#[cfg(test)]
mod tests {
    use super::super::super::body::Body;
    use super::super::super::bucket::{NewBucket, Versioning};
    use super::super::super::meta::ObjectMeta;
    use super::super::super::version::ETag;
    use super::super::{Durability, Options};
    use super::*;

    fn empty() -> NewObject {
        let (meta, etag) = (ObjectMeta::default(), ETag::of_md5([0; 16]));
        NewObject { meta, etag, body: Body::empty(), last_modified: None }
    }

    #[tokio::test]
    async fn versions_of_one_key_are_deleted_in_one_batch() {
        let dir = tempfile::tempdir().unwrap();
        let relaxed = Options { durability: Durability::Relaxed, ..Options::default() };
        let store = Store::open(dir.path(), relaxed).unwrap();
        let bucket = NewBucket { name: "b".to_owned(), ..NewBucket::default() };
        store.create_bucket(bucket).await.unwrap();
        store.put_object("b", "k", empty(), Condition::default()).await.unwrap();
        store.set_versioning("b", Versioning::Enabled).await.unwrap();
        let mut ids = vec![VersionId::Null];
        for _ in 0..50 {
            let put = store.put_object("b", "k", empty(), Condition::default()).await;
            ids.push(put.unwrap().version_id);
        }
        let last = ids.pop();
        let before = store.log_figures();
        // All of them are there before the committer takes the first one.
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let busy = store.submitter().unwrap().run(Touches::bucket("other"), move |_| {
            let _ = wait.recv();
            Ok(())
        });
        let deletes = futures::future::join_all(ids.iter().map(|id| {
            let options = DeleteOptions { version: Some(*id), ..DeleteOptions::default() };
            store.delete_object("b", "k", options)
        }));
        let release = async {
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            drop(go);
        };
        let (_, deleted, ()) = futures::join!(busy, deletes, release);
        assert!(deleted.into_iter().all(|deleted| deleted.unwrap().changed));
        let after = store.log_figures();
        assert_eq!(after.batches - before.batches, 1);
        assert_eq!(store.figures().versions, 1);
        assert_eq!(store.head("b", "k", None).unwrap().summary.version_id, last.unwrap());
    }
}
