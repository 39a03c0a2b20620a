//! Parts that are copied from an object.

use std::ops::Range;

use s3s::dto::{self, CopyPartResult};
use s3s::{S3Error, S3ErrorCode, S3Response};

use super::{number, part_kind, upload};
use crate::serve::s3::backend::Answer;
use crate::serve::s3::backend::{copy, etag, kind, meta, store_error, timestamp};
use crate::serve::s3::checksum::set_checksum;
use crate::serve::s3::error::{fail, invalid_argument};
use crate::serve::s3::state::{Context, State};
use crate::serve::s3::store::NewPart;

/// Reads `x-amz-copy-source-range`: `bytes=first-last`, both given.
fn range(header: Option<&str>, size: u64) -> Result<Range<u64>, S3Error> {
    let Some(header) = header else { return Ok(0..size) };
    let invalid = || {
        invalid_argument(
            "x-amz-copy-source-range",
            header,
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy",
        )
    };
    let (first, last) =
        header.strip_prefix("bytes=").and_then(|spec| spec.split_once('-')).ok_or_else(invalid)?;
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !digits(first) || !digits(last) {
        return Err(invalid());
    }
    let first: u64 = first.parse().map_err(|_| invalid())?;
    let last: u64 = last.parse().map_err(|_| invalid())?;
    if last < first {
        return Err(invalid());
    }
    if last >= size {
        let message = format!("Range specified is not valid for source object of size: {size}");
        return Err(fail(S3ErrorCode::InvalidArgument, message));
    }
    Ok(first..last + 1)
}

pub(in crate::serve::s3::backend) async fn upload_part_copy(
    state: &State,
    context: &Context,
    input: dto::UploadPartCopyInput,
) -> Answer<dto::UploadPartCopyOutput> {
    let number = number(input.part_number)?;
    let upload = upload(state, &input.bucket, &input.key, &input.upload_id)?;
    let source = copy::source(state, context, &input.copy_source)?;
    let asked = context.header("x-amz-copy-source-range");
    let range = range(asked, source.object.summary.size)?;
    if range.end - range.start > 5 << 30 {
        return Err(S3ErrorCode::EntityTooLarge.into());
    }
    let (tag, checksum) = copy::digest(&source.reader, range.clone(), part_kind(&upload)).await?;
    let body = source.reader.share(range).map_err(store_error)?;
    let part = NewPart { etag: tag, checksum: Some(checksum.clone()), body };
    let part = state
        .store
        .put_part(&input.bucket, &input.key, upload.id, number, part)
        .await
        .map_err(store_error)?;
    let mut result = CopyPartResult {
        e_tag: Some(etag(&part.etag)),
        last_modified: Some(timestamp(part.last_modified)),
        ..CopyPartResult::default()
    };
    set_checksum!(result, kind(checksum.algorithm), checksum.value);
    let mut response = S3Response::new(dto::UploadPartCopyOutput {
        copy_part_result: Some(result),
        ..dto::UploadPartCopyOutput::default()
    });
    response.headers = meta::encryption_headers(&upload.meta);
    source.version_header(&mut response.headers);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn ranges_must_be_whole_and_within() {
        assert_eq!(range(None, 10).unwrap(), 0..10);
        assert_eq!(range(Some("bytes=2-4"), 10).unwrap(), 2..5);
        for bad in ["bytes=2-", "bytes=-2", "2-4", "bytes=4-2", "bytes=0-10", "bytes=+1-2"] {
            assert!(range(Some(bad), 10).is_err(), "{bad}");
        }
    }
}
