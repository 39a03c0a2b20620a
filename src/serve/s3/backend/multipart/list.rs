//! Listings of open uploads and of their parts.

use s3s::S3Response;
use s3s::dto::{self, MultipartUpload, Part};

use super::upload;
use crate::serve::s3::backend::Answer;
use crate::serve::s3::backend::list::{Encoding, algorithm_name, limit, type_name};
use crate::serve::s3::backend::{etag, kind, owner, store_error, timestamp};
use crate::serve::s3::checksum::set_checksum;
use crate::serve::s3::error::invalid_argument;
use crate::serve::s3::state::{Context, State};
use crate::serve::s3::store::{PartInfo, UploadEntry, UploadQuery, UploadSummary};

fn initiator() -> dto::Initiator {
    let owner = owner();
    dto::Initiator { display_name: owner.display_name, id: owner.id }
}

pub(in crate::serve::s3::backend) async fn uploads(
    state: &State,
    _: &Context,
    input: dto::ListMultipartUploadsInput,
) -> Answer<dto::ListMultipartUploadsOutput> {
    let encoding = Encoding::read(input.encoding_type.as_ref())?;
    let max = limit("max-uploads", input.max_uploads)?;
    let delimiter = input.delimiter.filter(|delimiter| !delimiter.is_empty());
    let key_marker = input.key_marker.clone().unwrap_or_default();
    // Without a key marker, an upload id marker is ignored.
    let id_marker = input.upload_id_marker.clone().filter(|_| !key_marker.is_empty());
    let upload_id_marker = match id_marker.as_deref().filter(|id| !id.is_empty()) {
        Some(id) => Some(
            id.parse()
                .map_err(|_| invalid_argument("upload-id-marker", id, "Invalid uploadId marker"))?,
        ),
        None => None,
    };
    let query = UploadQuery {
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: delimiter.clone().unwrap_or_default(),
        key_marker,
        upload_id_marker,
        max: usize::try_from(max).unwrap_or(0),
    };
    let page = state.store.list_uploads(&input.bucket, &query).map_err(store_error)?;
    let (mut list, mut prefixes) = (Vec::new(), Vec::new());
    for entry in page.entries {
        match entry {
            UploadEntry::Upload(summary) => list.push(entry_of(&summary, encoding)),
            UploadEntry::Prefix(prefix) => prefixes.push(prefix),
        }
    }
    let truncated = page.next.is_some();
    let (next_key, next_id) = match page.next {
        Some((key, id)) => (Some(encoding.name(&key)), id.map(|id| id.to_string())),
        None => (None, None),
    };
    Ok(S3Response::new(dto::ListMultipartUploadsOutput {
        bucket: Some(input.bucket),
        common_prefixes: Some(encoding.prefixes(&prefixes)),
        delimiter: delimiter.as_deref().map(|delimiter| encoding.name(delimiter)),
        encoding_type: encoding.shown(),
        is_truncated: Some(truncated),
        key_marker: Some(encoding.name(&query.key_marker)),
        max_uploads: Some(max),
        next_key_marker: next_key,
        next_upload_id_marker: next_id,
        prefix: Some(encoding.name(&query.prefix)),
        request_charged: None,
        upload_id_marker: Some(id_marker.unwrap_or_default()),
        uploads: Some(list),
    }))
}

fn entry_of(summary: &UploadSummary, encoding: Encoding) -> MultipartUpload {
    let class = summary.storage_class.clone().unwrap_or_else(|| "STANDARD".to_owned());
    MultipartUpload {
        checksum_algorithm: summary.checksum.map(|(algorithm, _)| algorithm_name(algorithm)),
        checksum_type: summary.checksum.map(|(_, over)| type_name(over)),
        initiated: Some(timestamp(summary.initiated)),
        initiator: Some(initiator()),
        key: Some(encoding.name(&summary.key)),
        owner: Some(owner()),
        storage_class: Some(class.into()),
        upload_id: Some(summary.id.to_string()),
    }
}

pub(in crate::serve::s3::backend) async fn parts(
    state: &State,
    _: &Context,
    input: dto::ListPartsInput,
) -> Answer<dto::ListPartsOutput> {
    let upload = upload(state, &input.bucket, &input.key, &input.upload_id)?;
    let max = limit("max-parts", input.max_parts)?;
    let marker = input.part_number_marker.unwrap_or(0);
    let after = u32::try_from(marker).map_err(|_| {
        invalid_argument(
            "part-number-marker",
            &marker.to_string(),
            "Argument part-number-marker must be an integer between 0 and 2147483647",
        )
    })?;
    let limit = usize::try_from(max).unwrap_or(0);
    let page = state
        .store
        .list_parts(&input.bucket, &input.key, upload.id, after, limit)
        .map_err(store_error)?;
    let next =
        page.parts.last().map_or(marker, |part| i32::try_from(part.number).unwrap_or(marker));
    let class = upload.meta.storage_class.clone().unwrap_or_else(|| "STANDARD".to_owned());
    Ok(S3Response::new(dto::ListPartsOutput {
        abort_date: None,
        abort_rule_id: None,
        bucket: Some(input.bucket),
        checksum_algorithm: upload.checksum.map(|(algorithm, _)| algorithm_name(algorithm)),
        checksum_type: upload.checksum.map(|(_, over)| type_name(over)),
        initiator: Some(initiator()),
        is_truncated: Some(page.truncated),
        key: Some(input.key),
        max_parts: Some(max),
        next_part_number_marker: Some(next),
        owner: Some(owner()),
        part_number_marker: Some(marker),
        parts: Some(page.parts.iter().map(part).collect()),
        request_charged: None,
        storage_class: Some(class.into()),
        upload_id: Some(input.upload_id),
    }))
}

fn part(info: &PartInfo) -> Part {
    let mut part = Part {
        e_tag: Some(etag(&info.etag)),
        last_modified: Some(timestamp(info.last_modified)),
        part_number: Some(i32::try_from(info.number).unwrap_or(i32::MAX)),
        size: Some(i64::try_from(info.size).unwrap_or(i64::MAX)),
        ..Part::default()
    };
    if let Some(checksum) = &info.checksum {
        set_checksum!(part, kind(checksum.algorithm), checksum.value.clone());
    }
    part
}
