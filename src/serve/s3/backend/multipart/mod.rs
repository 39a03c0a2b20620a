//! Multipart uploads: begin, parts, abort. Completion, copies and listings are
//! below.
//!
//! Source: "Uploading and copying objects using multipart upload" in the user
//! guide.

pub(super) mod complete;
pub(super) mod copy;
pub(super) mod list;

use s3s::dto;
use s3s::{S3Error, S3ErrorCode, S3Response};

use super::Answer;
use super::write::receive;
use super::{algorithm, etag, kind, lock, meta, store_error};
use crate::serve::s3::checksum::Kind;
use crate::serve::s3::error::{fail, invalid_argument, with};
use crate::serve::s3::state::{Context, State};
use crate::serve::s3::store::{
    ChecksumAlgorithm, ChecksumKind, NewPart, NewUpload, Upload, UploadId,
};

/// The error about a part number that is none.
pub(super) fn bad_number(text: &str) -> S3Error {
    invalid_argument(
        "partNumber",
        text,
        "Part number must be an integer between 1 and 10000, inclusive",
    )
}

fn number(given: i32) -> Result<u32, S3Error> {
    u32::try_from(given)
        .ok()
        .filter(|n| (1..=10_000).contains(n))
        .ok_or_else(|| bad_number(&given.to_string()))
}

/// The open upload of a request.
fn upload(state: &State, bucket: &str, key: &str, id: &str) -> Result<Upload, S3Error> {
    state.store.bucket(bucket).map_err(store_error)?;
    let none = || with(S3ErrorCode::NoSuchUpload.into(), "UploadId", id);
    let parsed: UploadId = id.parse().map_err(|_| none())?;
    state.store.upload(bucket, key, parsed).map_err(store_error)
}

/// The kind of checksum that the parts of an upload have.
fn part_kind(upload: &Upload) -> Kind {
    upload.checksum.map_or(Kind::Crc64Nvme, |(algorithm, _)| kind(algorithm))
}

/// The checksum that an upload announces.
fn announced(context: &Context) -> Result<Option<(ChecksumAlgorithm, ChecksumKind)>, S3Error> {
    let over = match context.header("x-amz-checksum-type") {
        None => None,
        Some("FULL_OBJECT") => Some(ChecksumKind::FullObject),
        Some("COMPOSITE") => Some(ChecksumKind::Composite),
        Some(_) => {
            return Err(fail(
                S3ErrorCode::InvalidRequest,
                "Value for x-amz-checksum-type header is invalid.",
            ));
        }
    };
    let Some(name) = context.header("x-amz-checksum-algorithm") else {
        return match over {
            None => Ok(None),
            Some(_) => Err(fail(
                S3ErrorCode::InvalidRequest,
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
            )),
        };
    };
    let wanted = Kind::parse(name).ok_or_else(|| {
        fail(S3ErrorCode::InvalidRequest, "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")
    })?;
    let over = over.unwrap_or(if wanted == Kind::Crc64Nvme {
        ChecksumKind::FullObject
    } else {
        ChecksumKind::Composite
    });
    let possible = match over {
        ChecksumKind::FullObject => wanted.is_linear(),
        ChecksumKind::Composite => wanted != Kind::Crc64Nvme,
    };
    if !possible {
        let over = if over == ChecksumKind::FullObject { "FULL_OBJECT" } else { "COMPOSITE" };
        let message = format!(
            "The {over} checksum type cannot be used with the {} checksum algorithm.",
            wanted.name().to_lowercase()
        );
        return Err(fail(S3ErrorCode::InvalidRequest, message));
    }
    Ok(Some((algorithm(wanted), over)))
}

pub(super) async fn create(
    state: &State,
    context: &Context,
    input: dto::CreateMultipartUploadInput,
) -> Answer<dto::CreateMultipartUploadOutput> {
    let bucket = state.store.bucket(&input.bucket).map_err(store_error)?;
    let checksum = announced(context)?;
    let meta = meta::of_request(state, context, &bucket, input.metadata)?;
    let headers = meta::encryption_headers(&meta);
    let upload = state
        .store
        .create_upload(&input.bucket, &input.key, NewUpload { meta, checksum })
        .await
        .map_err(store_error)?;
    let mut response = S3Response::new(dto::CreateMultipartUploadOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(upload.id.to_string()),
        checksum_algorithm: checksum.map(|(algorithm, _)| super::list::algorithm_name(algorithm)),
        checksum_type: checksum.map(|(_, over)| super::list::type_name(over)),
        ..dto::CreateMultipartUploadOutput::default()
    });
    response.headers = headers;
    Ok(response)
}

pub(super) async fn upload_part(
    state: &State,
    context: &Context,
    input: dto::UploadPartInput,
) -> Answer<dto::UploadPartOutput> {
    let number = number(input.part_number)?;
    let upload = upload(state, &input.bucket, &input.key, &input.upload_id)?;
    meta::check_key(context, &upload.meta, "x-amz-server-side-encryption-customer-")?;
    lock::needs_digest(context, &upload.meta, "Put Part")?;
    let given = context.received.lock().given;
    if let (Some((announced, _)), Some(given)) = (upload.checksum, given) {
        let announced = kind(announced);
        if announced != given {
            let message = format!(
                "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
                announced.name().to_lowercase(),
                given.name().to_lowercase()
            );
            return Err(fail(S3ErrorCode::InvalidRequest, message));
        }
    }
    let stored = receive(state, context, input.body, part_kind(&upload)).await?;
    let part = NewPart { etag: stored.etag, checksum: stored.checksum.clone(), body: stored.body };
    let part = state
        .store
        .put_part(&input.bucket, &input.key, upload.id, number, part)
        .await
        .map_err(store_error)?;
    let mut response = S3Response::new(dto::UploadPartOutput {
        e_tag: Some(etag(&part.etag)),
        ..dto::UploadPartOutput::default()
    });
    response.headers = meta::encryption_headers(&upload.meta);
    if let Some(checksum) = &stored.checksum {
        meta::put(&mut response.headers, kind(checksum.algorithm).header(), &checksum.value);
    }
    Ok(response)
}

pub(super) async fn abort(
    state: &State,
    _: &Context,
    input: dto::AbortMultipartUploadInput,
) -> Answer<dto::AbortMultipartUploadOutput> {
    let upload = upload(state, &input.bucket, &input.key, &input.upload_id)?;
    state.store.abort_upload(&input.bucket, &input.key, upload.id).await.map_err(store_error)?;
    Ok(S3Response::new(dto::AbortMultipartUploadOutput::default()))
}
