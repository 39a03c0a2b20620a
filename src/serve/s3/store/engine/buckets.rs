//! Buckets and their configuration.

use bytes::Bytes;

use super::super::bucket::{BucketInfo, NewBucket, Versioning};
use super::super::commit::{Touches, buckets as decide};
use super::{Result, Store};

impl Store {
    /// Makes a bucket, with its documents, in one step.
    ///
    /// # Errors
    ///
    /// [`super::super::StoreError::BucketAlreadyExists`],
    /// [`super::super::StoreError::TooLarge`].
    pub async fn create_bucket(&self, bucket: NewBucket) -> Result<BucketInfo> {
        let touches = Touches::bucket(&bucket.name);
        self.submitter()?.run(touches, move |batch| decide::create(batch, bucket)).await
    }

    /// A bucket.
    ///
    /// # Errors
    ///
    /// [`super::super::StoreError::NoSuchBucket`].
    pub fn bucket(&self, name: &str) -> Result<BucketInfo> {
        Ok(self.shared().bucket(name)?.1.info.clone())
    }

    /// Buckets whose name begins with `prefix` and is greater than
    /// `start_after`, at most `max`, by name.
    #[must_use]
    pub fn buckets(&self, prefix: &str, start_after: &str, max: usize) -> Vec<BucketInfo> {
        let buckets = self.shared().catalog.after(start_after, max, prefix);
        let states = buckets.iter().filter_map(|bucket| bucket.state());
        states.map(|state| state.info.clone()).collect()
    }

    /// Removes a bucket that has no versions and no uploads.
    ///
    /// # Errors
    ///
    /// [`super::super::StoreError::NoSuchBucket`],
    /// [`super::super::StoreError::BucketNotEmpty`].
    pub async fn delete_bucket(&self, name: &str) -> Result<()> {
        let (touches, name) = (Touches::bucket(name), name.to_owned());
        self.submitter()?.run(touches, move |batch| decide::delete(batch, &name)).await
    }

    /// Turns versioning on or suspends it.
    ///
    /// # Errors
    ///
    /// [`super::super::StoreError::InvalidBucketState`] when set to unversioned
    /// after it was on, or suspended under object lock.
    pub async fn set_versioning(&self, bucket: &str, versioning: Versioning) -> Result<()> {
        let (touches, name) = (Touches::bucket(bucket), bucket.to_owned());
        let decide = move |batch: &mut _| decide::set_versioning(batch, &name, versioning);
        self.submitter()?.run(touches, decide).await
    }

    /// Turns object lock on for a bucket whose versioning is on.
    ///
    /// # Errors
    ///
    /// [`super::super::StoreError::InvalidBucketState`] when versioning is not on.
    pub async fn enable_object_lock(&self, bucket: &str) -> Result<()> {
        let (touches, name) = (Touches::bucket(bucket), bucket.to_owned());
        self.submitter()?.run(touches, move |batch| decide::enable_object_lock(batch, &name)).await
    }

    /// A configuration document of a bucket, `None` when never put.
    ///
    /// # Errors
    ///
    /// [`super::super::StoreError::NoSuchBucket`].
    pub fn config(&self, bucket: &str, name: &str) -> Result<Option<Bytes>> {
        Ok(self.shared().bucket(bucket)?.1.configs.get(name).cloned())
    }

    /// Stores a configuration document; at most 1 MiB, and 32 MiB for all of a
    /// bucket.
    ///
    /// # Errors
    ///
    /// [`super::super::StoreError::NoSuchBucket`],
    /// [`super::super::StoreError::TooLarge`].
    pub async fn put_config(&self, bucket: &str, name: &str, document: Bytes) -> Result<()> {
        self.configure(bucket, name, Some(document)).await?;
        Ok(())
    }

    /// Removes a configuration document; whether there was one.
    ///
    /// # Errors
    ///
    /// [`super::super::StoreError::NoSuchBucket`].
    pub async fn delete_config(&self, bucket: &str, name: &str) -> Result<bool> {
        self.configure(bucket, name, None).await
    }

    async fn configure(&self, bucket: &str, name: &str, document: Option<Bytes>) -> Result<bool> {
        let touches = Touches::bucket(bucket);
        let (bucket, name) = (bucket.to_owned(), name.to_owned());
        let decide = move |batch: &mut _| decide::configure(batch, &bucket, &name, document);
        self.submitter()?.run(touches, decide).await
    }
}
