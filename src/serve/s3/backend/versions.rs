//! Versions as requests name them and answers show them.

use http::{HeaderName, HeaderValue, header};
use s3s::{S3Error, S3ErrorCode};

use super::store_error;
use crate::serve::s3::error::{invalid_argument, with, with_header};
use crate::serve::s3::state::Context;
use crate::serve::s3::store::{Object, StoreError, VersionId};
use crate::serve::s3::time;

/// A version id of a request.
pub(super) fn parse(text: &str) -> Result<VersionId, S3Error> {
    text.parse().map_err(|_| invalid_argument("versionId", text, "Invalid version id specified"))
}

/// The version in the query; none for the current one.
pub(super) fn asked(context: &Context) -> Result<Option<VersionId>, S3Error> {
    match context.target.param("versionId") {
        Some("") => Err(invalid_argument("versionId", "", "Version id cannot be the empty string")),
        Some(text) => parse(text).map(Some),
        None => Ok(None),
    }
}

/// The id that answers show; none in a bucket that never kept versions.
pub(super) fn shown(object: &Object) -> Option<String> {
    object.versioned.then(|| object.summary.version_id.to_string())
}

/// An error about an object, with what S3 says of delete markers: 404 when it
/// is the current version, 405 when it was `named`.
pub(super) fn error(error: StoreError, named: bool) -> S3Error {
    let StoreError::DeleteMarker { key, version_id, last_modified } = error else {
        return store_error(error);
    };
    let mut answer = if named {
        let error = with(S3ErrorCode::MethodNotAllowed.into(), "Method", "GET");
        let error = with(error, "ResourceType", "DeleteMarker");
        let date = time::http_date(last_modified.as_millisecond());
        let error = with_header(error, header::ALLOW, HeaderValue::from_static("DELETE"));
        match HeaderValue::from_str(&date) {
            Ok(date) => with_header(error, header::LAST_MODIFIED, date),
            Err(_) => error,
        }
    } else {
        with(S3ErrorCode::NoSuchKey.into(), "Key", &key)
    };
    let marker = HeaderName::from_static("x-amz-delete-marker");
    answer = with_header(answer, marker, HeaderValue::from_static("true"));
    match HeaderValue::from_str(&version_id.to_string()) {
        Ok(id) => with_header(answer, HeaderName::from_static("x-amz-version-id"), id),
        Err(_) => answer,
    }
}
