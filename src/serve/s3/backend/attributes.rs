//! `GetObjectAttributes`.

use s3s::dto::{self, GetObjectAttributesParts, ObjectPart};
use s3s::{S3ErrorCode, S3Response};

use super::Answer;
use super::{etag, kind, list, meta, timestamp, versions};
use crate::serve::s3::checksum::set_checksum;
use crate::serve::s3::error::{fail, invalid_argument};
use crate::serve::s3::state::{Context, State};
use crate::serve::s3::store::{Checksum, Object, PartInfo};

const KNOWN: [&str; 5] = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"];

pub(super) async fn get_object_attributes(
    state: &State,
    context: &Context,
    input: dto::GetObjectAttributesInput,
) -> Answer<dto::GetObjectAttributesOutput> {
    let values = context.headers.get_all("x-amz-object-attributes");
    let asked: Vec<String> = values
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(',').map(|one| one.trim().to_owned()))
        .filter(|one| !one.is_empty())
        .collect();
    if let Some(odd) = asked.iter().find(|name| !KNOWN.contains(&name.as_str())) {
        return Err(invalid_argument(
            "x-amz-object-attributes",
            odd,
            "Invalid attribute name specified.",
        ));
    }
    if asked.is_empty() {
        let message = "The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty";
        return Err(fail(S3ErrorCode::InvalidRequest, message));
    }
    let version = versions::asked(context)?;
    let object = state
        .store
        .head(&input.bucket, &input.key, version)
        .map_err(|error| versions::error(error, version.is_some()))?;
    meta::check_key(context, &object.meta, "x-amz-server-side-encryption-customer-")?;
    super::conditions::Conditions::of_read(context).check(&object.summary)?;
    let wants = |name: &str| asked.iter().any(|one| one == name);
    let class = object.meta.storage_class.clone().unwrap_or_else(|| "STANDARD".to_owned());
    let output = dto::GetObjectAttributesOutput {
        checksum: object.meta.checksum.as_ref().filter(|_| wants("Checksum")).map(checksum),
        e_tag: wants("ETag").then(|| etag(&object.summary.etag)),
        last_modified: Some(timestamp(object.summary.last_modified)),
        object_parts: parts(context, &object).filter(|_| wants("ObjectParts")),
        object_size: wants("ObjectSize")
            .then(|| i64::try_from(object.summary.size).unwrap_or(i64::MAX)),
        storage_class: wants("StorageClass").then(|| class.into()),
        version_id: versions::shown(&object),
        ..dto::GetObjectAttributesOutput::default()
    };
    Ok(S3Response::new(output))
}

fn checksum(checksum: &Checksum) -> dto::Checksum {
    let mut out = dto::Checksum {
        checksum_type: Some(list::type_name(checksum.kind)),
        ..dto::Checksum::default()
    };
    set_checksum!(out, kind(checksum.algorithm), checksum.value.clone());
    out
}

/// The parts of an object that was uploaded in parts.
fn parts(context: &Context, object: &Object) -> Option<GetObjectAttributesParts> {
    let all = &object.meta.parts;
    if all.is_empty() {
        return None;
    }
    let number = |name: &str| context.header(name).and_then(|text| text.parse::<u32>().ok());
    let after = number("x-amz-part-number-marker").unwrap_or(0);
    let max = number("x-amz-max-parts").unwrap_or(1000).min(1000);
    let mut page: Vec<&PartInfo> = all.iter().filter(|part| part.number > after).collect();
    let truncated = page.len() > max as usize;
    page.truncate(max as usize);
    let to_i32 = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
    let next = page.last().map_or(after, |part| part.number);
    // Without checksums of their own, S3 gives only how many there are.
    let listed = all.iter().any(|part| part.checksum.is_some());
    Some(GetObjectAttributesParts {
        is_truncated: Some(truncated),
        max_parts: Some(to_i32(max)),
        next_part_number_marker: Some(to_i32(next)),
        part_number_marker: Some(to_i32(after)),
        parts: listed.then(|| page.into_iter().map(part).collect()),
        total_parts_count: Some(i32::try_from(all.len()).unwrap_or(i32::MAX)),
    })
}

fn part(info: &PartInfo) -> ObjectPart {
    let mut part = ObjectPart {
        part_number: Some(i32::try_from(info.number).unwrap_or(i32::MAX)),
        size: Some(i64::try_from(info.size).unwrap_or(i64::MAX)),
        ..ObjectPart::default()
    };
    if let Some(checksum) = &info.checksum {
        set_checksum!(part, kind(checksum.algorithm), checksum.value.clone());
    }
    part
}
