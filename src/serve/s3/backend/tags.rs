//! Tags: their limits, the header that carries them, and the operations on
//! those of objects.
//!
//! Source: "Categorizing your objects using tags" in the user guide.

use std::collections::BTreeMap;

use s3s::dto::{self, Tag, TagSet};
use s3s::{S3Error, S3ErrorCode, S3Response};

use super::Answer;
use super::{store_error, versions};
use crate::serve::s3::error::{custom, fail, invalid_argument, with};
use crate::serve::s3::request::target::read_query;
use crate::serve::s3::state::{Context, State};
use crate::serve::s3::store::ObjectUpdate;

/// The most tags of an object.
const MAX_OBJECT_TAGS: usize = 10;

fn check(key: &str, value: &str) -> Result<(), S3Error> {
    let invalid = |message: &str| {
        let error = fail(S3ErrorCode::InvalidTag, message);
        with(with(error, "TagKey", key), "TagValue", value)
    };
    if key.is_empty() || key.chars().count() > 128 {
        return Err(invalid("The TagKey you have provided is invalid"));
    }
    if value.chars().count() > 256 {
        return Err(invalid("The TagValue you have provided is invalid"));
    }
    if key.to_ascii_lowercase().starts_with("aws:") {
        return Err(invalid("System tags cannot be added/updated by requester"));
    }
    let allowed = |c: char| c.is_alphanumeric() || c == ' ' || "+-=._:/@".contains(c);
    if !key.chars().all(allowed) {
        return Err(invalid("The TagKey you have provided is invalid"));
    }
    if !value.chars().all(allowed) {
        return Err(invalid("The TagValue you have provided is invalid"));
    }
    Ok(())
}

fn collect(
    pairs: impl Iterator<Item = (String, String)>,
    most: usize,
) -> Result<BTreeMap<String, String>, S3Error> {
    let mut tags = BTreeMap::new();
    for (key, value) in pairs {
        check(&key, &value)?;
        if tags.insert(key, value).is_some() {
            let message = "Cannot provide multiple Tags with the same key";
            return Err(fail(S3ErrorCode::InvalidTag, message));
        }
        if tags.len() > most {
            let noun = if most == MAX_OBJECT_TAGS { "Object" } else { "Bucket" };
            let message = format!("{noun} tags cannot be greater than {most}");
            return Err(custom("BadRequest", http::StatusCode::BAD_REQUEST, message));
        }
    }
    Ok(tags)
}

/// Tags out of XML.
pub(super) fn of_set(set: &TagSet, most: usize) -> Result<BTreeMap<String, String>, S3Error> {
    let pairs: Option<Vec<_>> =
        set.iter().map(|tag| Some((tag.key.clone()?, tag.value.clone()?))).collect();
    collect(pairs.ok_or(S3ErrorCode::MalformedXML)?.into_iter(), most)
}

/// Tags out of `x-amz-tagging`.
pub(super) fn of_header(header: &str) -> Result<BTreeMap<String, String>, S3Error> {
    let pairs = read_query(header).map_err(|_| {
        invalid_argument("x-amz-tagging", header, "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.")
    })?;
    collect(pairs.into_iter(), MAX_OBJECT_TAGS)
}

pub(super) fn to_set(tags: &BTreeMap<String, String>) -> TagSet {
    tags.iter()
        .map(|(key, value)| Tag { key: Some(key.clone()), value: Some(value.clone()) })
        .collect()
}

pub(super) async fn get_object_tagging(
    state: &State,
    context: &Context,
    input: dto::GetObjectTaggingInput,
) -> Answer<dto::GetObjectTaggingOutput> {
    let version = versions::asked(context)?;
    let object = state
        .store
        .head(&input.bucket, &input.key, version)
        .map_err(|error| versions::error(error, version.is_some()))?;
    Ok(S3Response::new(dto::GetObjectTaggingOutput {
        tag_set: to_set(&object.meta.tags),
        version_id: versions::shown(&object),
    }))
}

pub(super) async fn put_object_tagging(
    state: &State,
    context: &Context,
    input: dto::PutObjectTaggingInput,
) -> Answer<dto::PutObjectTaggingOutput> {
    let tags = of_set(&input.tagging.tag_set, MAX_OBJECT_TAGS)?;
    let version_id = update(state, context, &input.bucket, &input.key, tags).await?;
    Ok(S3Response::new(dto::PutObjectTaggingOutput { version_id }))
}

pub(super) async fn delete_object_tagging(
    state: &State,
    context: &Context,
    input: dto::DeleteObjectTaggingInput,
) -> Answer<dto::DeleteObjectTaggingOutput> {
    let version_id = update(state, context, &input.bucket, &input.key, BTreeMap::new()).await?;
    Ok(S3Response::new(dto::DeleteObjectTaggingOutput { version_id }))
}

async fn update(
    state: &State,
    context: &Context,
    bucket: &str,
    key: &str,
    tags: BTreeMap<String, String>,
) -> Result<Option<String>, S3Error> {
    let version = versions::asked(context)?;
    let error = |error| versions::error(error, version.is_some());
    let object = state.store.head(bucket, key, version).map_err(error)?;
    let update = ObjectUpdate::Tags(tags);
    state.store.update_object(bucket, key, version, update).await.map_err(store_error)?;
    Ok(versions::shown(&object))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_and_limits_hold() {
        let tags = of_header("a=1&b=x%20y&c").unwrap();
        assert_eq!(tags["b"], "x y");
        assert_eq!(tags["c"], "");
        for bad in ["a=1&a=2", "=1", "aws:x=1", "a=%00", "a=%FF"] {
            assert!(of_header(bad).is_err(), "{bad}");
        }
        let eleven: Vec<_> = (0..11).map(|n| format!("k{n}=v")).collect();
        assert!(of_header(&eleven.join("&")).is_err());
        assert!(of_header(&format!("{}=v", "k".repeat(129))).is_err());
        assert!(of_header(&format!("k={}", "v".repeat(257))).is_err());
    }
}
