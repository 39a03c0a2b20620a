//! Writing objects: the body into the store, and what was found about it.

use futures::StreamExt as _;
use s3s::dto::{self, StreamingBlob};
use s3s::{S3Error, S3ErrorCode, S3Response};

use super::Answer;
use super::{algorithm, conditions, etag, lock, meta, store_error};
use crate::serve::s3::checksum::Kind;
use crate::serve::s3::state::{Context, State};
use crate::serve::s3::store::{
    Body, Checksum, ChecksumKind, ETag, NewObject, Object, ObjectMeta, VersionSummary, Written,
};
use crate::serve::s3::{error, lifecycle};

/// A body that is in the store, and what it is.
pub(super) struct Stored {
    pub(super) body: Body,
    pub(super) etag: ETag,
    pub(super) checksum: Option<Checksum>,
}

/// Brings the body of a request into the store. `wanted` is the kind of
/// checksum to compute when the client gave none.
pub(super) async fn receive(
    state: &State,
    context: &Context,
    body: Option<StreamingBlob>,
    wanted: Kind,
) -> Result<Stored, S3Error> {
    context.received.lock().wanted = Some(wanted);
    let mut writer = state.store.body_writer();
    if let Some(mut body) = body {
        while let Some(chunk) = body.next().await {
            // The reason is in `received`, and the service answers with it.
            let chunk = chunk.map_err(|_| S3Error::new(S3ErrorCode::IncompleteBody))?;
            writer.write(chunk).await.map_err(store_error)?;
        }
    }
    let body = writer.finish().await.map_err(store_error)?;
    let found = context.received.lock();
    let md5 = found.md5.ok_or(S3ErrorCode::InternalError)?;
    let checksum = found.checksum.clone().map(|(kind, value)| Checksum {
        algorithm: algorithm(kind),
        kind: ChecksumKind::FullObject,
        value,
    });
    Ok(Stored { body, etag: ETag::of_md5(md5), checksum })
}

pub(super) async fn put_object(
    state: &State,
    context: &Context,
    input: dto::PutObjectInput,
) -> Answer<dto::PutObjectOutput> {
    let bucket = state.store.bucket(&input.bucket).map_err(store_error)?;
    if input.write_offset_bytes.is_some() {
        return Err(error::not_implemented("x-amz-write-offset-bytes"));
    }
    let mut meta = meta::of_request(state, context, &bucket, input.metadata)?;
    lock::needs_digest(context, &meta, "Put Object")?;
    let condition = conditions::of_write(context)?;
    let stored = receive(state, context, input.body, Kind::Crc64Nvme).await?;
    meta.checksum = stored.checksum;
    let object =
        NewObject { meta: meta.clone(), etag: stored.etag, body: stored.body, last_modified: None };
    let written = state
        .store
        .put_object(&input.bucket, &input.key, object, condition)
        .await
        .map_err(store_error)?;
    let mut output = dto::PutObjectOutput {
        e_tag: Some(etag(&written.etag)),
        version_id: version_id(&written),
        ..dto::PutObjectOutput::default()
    };
    output.expiration = lifecycle::expiration_header(
        &state.store,
        &input.bucket,
        &as_object(&input.key, &meta, &written),
    );
    let mut response = S3Response::new(output);
    response.headers = meta::encryption_headers(&meta);
    if let Some(checksum) = &meta.checksum {
        meta::checksum_headers(&mut response.headers, checksum);
    }
    Ok(response)
}

/// The id to show of what was written.
pub(super) fn version_id(written: &Written) -> Option<String> {
    written.versioned.then(|| written.version_id.to_string())
}

/// What was written, as if it had been read.
pub(super) fn as_object(key: &str, meta: &ObjectMeta, written: &Written) -> Object {
    Object {
        summary: VersionSummary {
            key: key.to_owned(),
            version_id: written.version_id,
            is_latest: true,
            delete_marker: false,
            etag: written.etag,
            size: written.size,
            last_modified: written.last_modified,
            storage_class: meta.storage_class.clone(),
            checksum: None,
            tag_count: u32::try_from(meta.tags.len()).unwrap_or(u32::MAX),
            stamp: 0,
        },
        meta: meta.clone(),
        versioned: written.versioned,
    }
}
