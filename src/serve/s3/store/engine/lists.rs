//! Listings.

use super::super::lifecycle::LifecyclePage;
use super::super::listing::{ObjectPage, ObjectQuery, VersionPage, VersionQuery};
use super::super::pages;
use super::super::upload::{UploadPage, UploadQuery};
use super::{Result, Store};

impl Store {
    /// Lists current versions that are no delete markers.
    ///
    /// # Errors
    ///
    /// [`super::super::StoreError::NoSuchBucket`].
    pub fn list_objects(&self, bucket: &str, query: &ObjectQuery) -> Result<ObjectPage> {
        Ok(pages::objects(&self.shared().bucket(bucket)?.0, query))
    }

    /// Lists all versions and delete markers.
    ///
    /// # Errors
    ///
    /// [`super::super::StoreError::NoSuchBucket`].
    pub fn list_versions(&self, bucket: &str, query: &VersionQuery) -> Result<VersionPage> {
        Ok(pages::versions(&self.shared().bucket(bucket)?.0, query))
    }

    /// Lists open uploads.
    ///
    /// # Errors
    ///
    /// [`super::super::StoreError::NoSuchBucket`].
    pub fn list_uploads(&self, bucket: &str, query: &UploadQuery) -> Result<UploadPage> {
        Ok(pages::uploads(&self.shared().bucket(bucket)?.0, query))
    }

    /// Keys that begin with `prefix` and are greater than `after`, with all
    /// their versions: for lifecycle rules. At most `max` keys.
    ///
    /// # Errors
    ///
    /// [`super::super::StoreError::NoSuchBucket`].
    pub fn lifecycle_page(
        &self,
        bucket: &str,
        prefix: &str,
        after: &str,
        max: usize,
    ) -> Result<LifecyclePage> {
        Ok(pages::lifecycle(&self.shared().bucket(bucket)?.0, prefix, after, max))
    }
}
