//! Deleting objects and versions.

use s3s::dto::{self, DeletedObject};
use s3s::{S3Error, S3ErrorCode, S3Response};

use super::Answer;
use super::{conditions, store_error, versions};
use crate::serve::s3::access::{self, Asked};
use crate::serve::s3::error::{Shown, not_implemented};
use crate::serve::s3::state::{Context, State};
use crate::serve::s3::store::{Condition, DeleteOptions, Deleted, ETagMatch, StoreError};

/// The most keys of one request.
const MAX_KEYS: usize = 1000;

pub(super) async fn delete_object(
    state: &State,
    context: &Context,
    input: dto::DeleteObjectInput,
) -> Answer<dto::DeleteObjectOutput> {
    if input.if_match_last_modified_time.is_some() || input.if_match_size.is_some() {
        return Err(not_implemented("x-amz-if-match-last-modified-time and x-amz-if-match-size"));
    }
    let version = versions::asked(context)?;
    let options = DeleteOptions {
        version,
        condition: conditions::of_write(context)?,
        bypass_governance: input.bypass_governance_retention.unwrap_or(false),
    };
    let deleted = remove(state, &input.bucket, &input.key, options).await?;
    let (delete_marker, version_id) = match &deleted {
        Some(deleted) => {
            (deleted.delete_marker.then_some(true), deleted.version_id.map(|id| id.to_string()))
        }
        None => (None, version.map(|id| id.to_string())),
    };
    Ok(S3Response::new(dto::DeleteObjectOutput {
        delete_marker,
        version_id,
        ..dto::DeleteObjectOutput::default()
    }))
}

/// Deleting what is not there is fine; nothing when it was not.
async fn remove(
    state: &State,
    bucket: &str,
    key: &str,
    options: DeleteOptions,
) -> Result<Option<Deleted>, S3Error> {
    let conditional = options.condition != Condition::default();
    match state.store.delete_object(bucket, key, options).await {
        Ok(deleted) => Ok(Some(deleted)),
        Err(StoreError::NoSuchVersion { .. } | StoreError::NoSuchKey(_)) if !conditional => {
            Ok(None)
        }
        Err(error) => Err(store_error(error)),
    }
}

pub(super) async fn delete_objects(
    state: &State,
    context: &Context,
    input: dto::DeleteObjectsInput,
) -> Answer<dto::DeleteObjectsOutput> {
    state.store.bucket(&input.bucket).map_err(store_error)?;
    let objects = input.delete.objects;
    if objects.is_empty() || objects.len() > MAX_KEYS {
        return Err(S3ErrorCode::MalformedXML.into());
    }
    let quiet = input.delete.quiet.unwrap_or(false);
    let bypass = input.bypass_governance_retention.unwrap_or(false);
    let (mut done, mut errors) = (Vec::new(), Vec::new());
    // All at once, as those that are in the same batch share a sync.
    let all = objects.iter().map(|object| one(state, context, &input.bucket, object, bypass));
    let results = futures::future::join_all(all).await;
    for (object, result) in objects.into_iter().zip(results) {
        match result {
            Ok(deleted) if !quiet => done.push(deleted),
            Ok(_) => {}
            Err(error) => {
                let shown = Shown::of(&error, &mut http::HeaderMap::new());
                errors.push(dto::Error {
                    code: Some(shown.code),
                    key: Some(object.key),
                    message: Some(shown.message),
                    version_id: object.version_id,
                });
            }
        }
    }
    Ok(S3Response::new(dto::DeleteObjectsOutput {
        deleted: Some(done),
        errors: Some(errors),
        request_charged: None,
    }))
}

async fn one(
    state: &State,
    context: &Context,
    bucket: &str,
    object: &dto::ObjectIdentifier,
    bypass_governance: bool,
) -> Result<DeletedObject, S3Error> {
    if object.key.is_empty() {
        return Err(S3ErrorCode::UserKeyMustBeSpecified.into());
    }
    let asked = object.version_id.as_deref().filter(|id| !id.is_empty());
    let right = Asked { operation: "DeleteObject", bucket, key: Some(&object.key), version: asked };
    access::check_other(state, context, right)?;
    let version = match asked {
        Some(id) => Some(id.parse().map_err(|_| S3Error::new(S3ErrorCode::NoSuchVersion))?),
        None => None,
    };
    let if_match = object.e_tag.as_ref().map(|tag| match tag.value() {
        "*" => ETagMatch::Any,
        tag => ETagMatch::OneOf(tag.parse().into_iter().collect()),
    });
    let condition = Condition { if_match, ..Condition::default() };
    let options = DeleteOptions { version, condition, bypass_governance };
    let deleted = remove(state, bucket, &object.key, options).await?;
    let mut answer = DeletedObject {
        key: Some(object.key.clone()),
        version_id: object.version_id.clone(),
        ..DeletedObject::default()
    };
    if let Some(deleted) = deleted.filter(|deleted| deleted.delete_marker) {
        answer.delete_marker = Some(true);
        answer.delete_marker_version_id = deleted.version_id.map(|id| id.to_string());
    }
    Ok(answer)
}
