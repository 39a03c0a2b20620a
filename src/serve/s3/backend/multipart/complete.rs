//! Completing an upload: the rules for the list of parts, and the checksum of
//! the whole.

use s3s::dto::{self, CompletedPart};
use s3s::{S3Error, S3ErrorCode, S3Response};

use super::{part_kind, upload};
use crate::serve::s3::backend::Answer;
use crate::serve::s3::backend::{conditions, etag, kind, list, meta, store_error, write};
use crate::serve::s3::checksum::{self, Kind, set_checksum};
use crate::serve::s3::error::{fail, with};
use crate::serve::s3::lifecycle;
use crate::serve::s3::state::{Context, State};
use crate::serve::s3::store::{Checksum, ChecksumKind, Completion, ETag, PartInfo, Upload};

/// The least size of every part but the last: 5 MiB.
const MIN_PART: u64 = 5 * 1024 * 1024;

pub(in crate::serve::s3::backend) async fn complete(
    state: &State,
    context: &Context,
    input: dto::CompleteMultipartUploadInput,
) -> Answer<dto::CompleteMultipartUploadOutput> {
    let upload = upload(state, &input.bucket, &input.key, &input.upload_id)?;
    let condition = conditions::of_write(context)?;
    let listed = input.multipart_upload.and_then(|list| list.parts).unwrap_or_default();
    if listed.is_empty() || listed.len() > 10_000 {
        return Err(S3ErrorCode::MalformedXML.into());
    }
    let stored = state
        .store
        .list_parts(&input.bucket, &input.key, upload.id, 0, usize::MAX)
        .map_err(store_error)?
        .parts;
    let parts = choose(&upload, &listed, &stored, &input.upload_id)?;
    let size: u64 = parts.iter().map(|part| part.size).sum();
    if let Some(given) = context.header("x-amz-mp-object-size")
        && given.parse() != Ok(size)
    {
        let message = format!(
            "The provided 'x-amz-mp-object-size' header value {given} does not match what was computed: {size}"
        );
        return Err(fail(S3ErrorCode::InvalidRequest, message));
    }
    let whole = of_whole(&upload, &parts);
    compare(context, whole.as_ref())?;
    let completion = Completion {
        parts: parts.iter().map(|part| (part.number, part.etag)).collect(),
        checksum: whole.clone(),
        condition,
    };
    let written = state
        .store
        .complete_upload(&input.bucket, &input.key, upload.id, completion)
        .await
        .map_err(store_error)?;
    let host = context.header("host").unwrap_or_default();
    let mut output = dto::CompleteMultipartUploadOutput {
        location: Some(context.target.url(host)),
        e_tag: Some(etag(&written.etag)),
        version_id: write::version_id(&written),
        ..dto::CompleteMultipartUploadOutput::default()
    };
    let object = write::as_object(&input.key, &upload.meta, &written);
    output.expiration = lifecycle::expiration_header(&state.store, &input.bucket, &object);
    output.bucket = Some(input.bucket);
    output.key = Some(input.key);
    if let Some(whole) = whole {
        output.checksum_type = Some(list::type_name(whole.kind));
        set_checksum!(output, kind(whole.algorithm), whole.value);
    }
    let mut response = S3Response::new(output);
    response.headers = meta::encryption_headers(&upload.meta);
    Ok(response)
}

/// The stored parts that a list names, in its order.
fn choose(
    upload: &Upload,
    listed: &[CompletedPart],
    stored: &[PartInfo],
    id: &str,
) -> Result<Vec<PartInfo>, S3Error> {
    let mut parts: Vec<PartInfo> = Vec::with_capacity(listed.len());
    for part in listed {
        let number = part.part_number.ok_or(S3ErrorCode::MalformedXML)?;
        let number = super::number(number)?;
        if parts.last().is_some_and(|last| last.number >= number) {
            return Err(with(S3ErrorCode::InvalidPartOrder.into(), "UploadId", id));
        }
        let tag = part.e_tag.as_ref().ok_or(S3ErrorCode::MalformedXML)?.value();
        let found = stored.iter().find(|have| have.number == number);
        let found = found.filter(|have| tag.parse::<ETag>() == Ok(have.etag));
        let invalid = || {
            let error = with(S3ErrorCode::InvalidPart.into(), "UploadId", id);
            with(with(error, "PartNumber", &number.to_string()), "ETag", tag)
        };
        let found = found.ok_or_else(invalid)?;
        check_checksum(upload, part, found, number)
            .map_err(|error| error.unwrap_or_else(invalid))?;
        parts.push(found.clone());
    }
    let (_, all_but_last) = parts.split_last().ok_or(S3ErrorCode::MalformedXML)?;
    if let Some(small) = all_but_last.iter().find(|part| part.size < MIN_PART) {
        let error =
            with(S3ErrorCode::EntityTooSmall.into(), "ProposedSize", &small.size.to_string());
        let error = with(error, "MinSizeAllowed", &MIN_PART.to_string());
        let error = with(error, "PartNumber", &small.number.to_string());
        return Err(with(error, "ETag", &small.etag.to_string()));
    }
    Ok(parts)
}

fn value_of(part: &CompletedPart, kind: Kind) -> Option<&String> {
    match kind {
        Kind::Crc32 => part.checksum_crc32.as_ref(),
        Kind::Crc32c => part.checksum_crc32c.as_ref(),
        Kind::Crc64Nvme => part.checksum_crc64nvme.as_ref(),
        Kind::Sha1 => part.checksum_sha1.as_ref(),
        Kind::Sha256 => part.checksum_sha256.as_ref(),
    }
}

/// The checksum of a part in the list must be the stored one; a composite
/// checksum needs one for each. `Err(None)` is an invalid part.
fn check_checksum(
    upload: &Upload,
    part: &CompletedPart,
    stored: &PartInfo,
    number: u32,
) -> Result<(), Option<S3Error>> {
    let have = stored.checksum.as_ref();
    for kind in Kind::ALL {
        let Some(given) = value_of(part, kind) else { continue };
        let same =
            have.is_some_and(|have| super::kind(have.algorithm) == kind && have.value == *given);
        if !same {
            return Err(None);
        }
    }
    if let Some((announced, ChecksumKind::Composite)) = upload.checksum {
        let kind = super::kind(announced);
        if value_of(part, kind).is_none() {
            let message = format!(
                "The upload was created using a {} checksum. The complete request must include the checksum for each part. It was missing for part {number} in the request.",
                kind.name().to_lowercase()
            );
            return Err(Some(fail(S3ErrorCode::InvalidRequest, message)));
        }
    }
    Ok(())
}

/// The checksum of the object.
fn of_whole(upload: &Upload, parts: &[PartInfo]) -> Option<Checksum> {
    let wanted = part_kind(upload);
    let over = upload.checksum.map_or(ChecksumKind::FullObject, |(_, over)| over);
    let values: Option<Vec<_>> = parts
        .iter()
        .map(|part| {
            let have = part.checksum.as_ref()?;
            (kind(have.algorithm) == wanted).then(|| (have.value.clone(), part.size))
        })
        .collect();
    let value = match over {
        ChecksumKind::FullObject => checksum::full_object(wanted, &values?)?,
        ChecksumKind::Composite => checksum::composite(wanted, &values?)?,
    };
    Some(Checksum { algorithm: super::algorithm(wanted), kind: over, value })
}

/// Compares with what the client says of the whole.
fn compare(context: &Context, whole: Option<&Checksum>) -> Result<(), S3Error> {
    if let (Some(given), Some(whole)) = (context.header("x-amz-checksum-type"), whole)
        && given != list::type_name(whole.kind).as_str()
    {
        let message = format!(
            "The upload was created using the {} checksum mode. The complete request must use the same checksum mode.",
            list::type_name(whole.kind).as_str()
        );
        return Err(fail(S3ErrorCode::InvalidRequest, message));
    }
    for one in Kind::ALL {
        let Some(given) = context.header(one.header()) else { continue };
        let computed = whole.filter(|whole| kind(whole.algorithm) == one);
        let bare = |text: &str| text.split('-').next().unwrap_or_default().to_owned();
        if !computed.is_some_and(|whole| whole.value == given || bare(&whole.value) == given) {
            let message =
                format!("The {} you specified did not match the calculated checksum.", one.name());
            return Err(fail(S3ErrorCode::BadDigest, message));
        }
    }
    Ok(())
}
