//! Multipart uploads.

use super::super::commit::{Touches, uploads as decide};
use super::super::error::StoreError;
use super::super::meta::PartInfo;
use super::super::object::Written;
use super::super::record::Record;
use super::super::sync::read;
use super::super::upload::{Completion, MAX_PART_NUMBER, NewPart, NewUpload, PartPage, Upload};
use super::super::version::UploadId;
use super::objects::check_key;
use super::{Result, Store};

impl Store {
    /// Begins an upload.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchBucket`], [`StoreError::KeyLength`].
    pub async fn create_upload(
        &self,
        bucket: &str,
        key: &str,
        upload: NewUpload,
    ) -> Result<Upload> {
        check_key(key)?;
        let touches = Touches::key(bucket, key);
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        self.submitter()?
            .run(touches, move |batch| decide::create(batch, &bucket, key, upload))
            .await
    }

    /// An open upload.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchBucket`], [`StoreError::NoSuchUpload`].
    pub fn upload(&self, bucket: &str, key: &str, id: UploadId) -> Result<Upload> {
        Ok(self.list_parts(bucket, key, id, 0, 0)?.upload)
    }

    /// Writes a part, in place of an earlier one of that number.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchUpload`], [`StoreError::PartNumber`].
    pub async fn put_part(
        &self,
        bucket: &str,
        key: &str,
        id: UploadId,
        number: u32,
        part: NewPart,
    ) -> Result<PartInfo> {
        if !(1..=MAX_PART_NUMBER).contains(&number) {
            return Err(StoreError::PartNumber(number));
        }
        let NewPart { etag, checksum, body } = part;
        let size = body.len();
        let extents = body.into_file(&self.shared().bodies).await?;
        let last_modified = self.shared().now();
        let info = PartInfo { number, size, etag, checksum, last_modified };
        let touches = Touches::part(bucket, id, number);
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        let decide = move |batch: &mut _| decide::put_part(batch, &bucket, key, id, info, extents);
        self.submitter()?.run(touches, decide).await
    }

    /// Parts with a number greater than `after`, at most `max`.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchBucket`], [`StoreError::NoSuchUpload`].
    pub fn list_parts(
        &self,
        bucket: &str,
        key: &str,
        id: UploadId,
        after: u32,
        max: usize,
    ) -> Result<PartPage> {
        let missing = || StoreError::NoSuchUpload(id.to_string());
        let (bucket, _) = self.shared().bucket(bucket)?;
        let (slot, initiated, checksum, parts, truncated) = {
            let index = read(&bucket.index);
            let upload = index.upload(key, id).ok_or_else(missing)?;
            let mut following = upload.parts.range(after.saturating_add(1)..);
            let parts = following.by_ref().take(max).map(|(_, part)| part.info.clone());
            let parts = parts.collect();
            let truncated = following.next().is_some();
            let slot = upload.slot.clone().ok_or_else(missing)?;
            (slot, upload.time(), upload.checksum, parts, truncated)
        };
        let Ok(Record::Upload(record)) = Record::parse(&slot.head()?) else {
            return Err(missing());
        };
        let meta = record.meta;
        let upload = Upload { id, key: key.to_owned(), initiated, meta, checksum };
        Ok(PartPage { upload, parts, truncated })
    }

    /// Removes an upload and its parts.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchBucket`], [`StoreError::NoSuchUpload`].
    pub async fn abort_upload(&self, bucket: &str, key: &str, id: UploadId) -> Result<()> {
        let touches = Touches::upload(bucket, id);
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        self.submitter()?.run(touches, move |batch| decide::abort(batch, &bucket, key, id)).await
    }

    /// Makes an object of the named parts and removes the upload, in one step and
    /// without copying bytes. The tag is the MD5 of the parts' MD5s, `-N`.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchUpload`], [`StoreError::InvalidPart`], and those of
    /// [`super::super::Condition`].
    pub async fn complete_upload(
        &self,
        bucket: &str,
        key: &str,
        id: UploadId,
        completion: Completion,
    ) -> Result<Written> {
        let touches = Touches::key(bucket, key).and(Touches::upload(bucket, id));
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        let decide = move |batch: &mut _| decide::complete(batch, &bucket, key, id, completion);
        self.submitter()?.run(touches, decide).await
    }
}
