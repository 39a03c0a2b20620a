//! Copies of objects. Bytes are shared in the store, and read only where the
//! copy needs a checksum or tag that the source does not have.

use std::ops::Range;

use futures::StreamExt as _;
use http::HeaderName;
use md5::{Digest as _, Md5};
use s3s::dto::{self, CopySource};
use s3s::{S3Error, S3ErrorCode, S3Response};

use super::Answer;
use super::conditions::{self, Conditions};
use super::{algorithm, etag, kind, meta, store_error, timestamp, versions, write};
use crate::serve::s3::access::{self, Asked};
use crate::serve::s3::checksum::{Hasher, Kind, set_checksum};
use crate::serve::s3::error::{fail, invalid_argument, not_implemented};
use crate::serve::s3::state::{Context, State};
use crate::serve::s3::store::{
    BodyReader, Checksum, ChecksumKind, ETag, NewObject, Object, ObjectMeta,
};

/// The largest source of a copy in one request: 5 GiB.
const MAX_SOURCE: u64 = 5 << 30;

/// The source of a copy.
pub(super) struct Source {
    pub(super) object: Object,
    pub(super) reader: BodyReader,
    bucket: String,
    key: String,
    version: Option<String>,
}

/// Finds the source of a copy and checks the conditions on it.
pub(super) fn source(
    state: &State,
    context: &Context,
    asked: &CopySource,
) -> Result<Source, S3Error> {
    let CopySource::Bucket { bucket, key, version_id } = asked else {
        return Err(not_implemented("a copy source that is an access point"));
    };
    access::owner(context, "x-amz-source-expected-bucket-owner")?;
    let asked =
        Asked { operation: "GetObject", bucket, key: Some(key), version: version_id.as_deref() };
    access::check_other(state, context, asked)?;
    let version = version_id.as_deref().map(versions::parse).transpose()?;
    let (object, reader) = state.store.get(bucket, key, version).map_err(|error| {
        let error = versions::error(error, version.is_some());
        if *error.code() == S3ErrorCode::MethodNotAllowed {
            let message = "The source of a copy request may not specifically refer to a delete marker by version id.";
            return fail(S3ErrorCode::InvalidRequest, message);
        }
        error
    })?;
    meta::check_key(context, &object.meta, "x-amz-copy-source-server-side-encryption-customer-")?;
    Conditions::of_source(context).check(&object.summary)?;
    let version = versions::shown(&object);
    Ok(Source { object, reader, bucket: bucket.to_string(), key: key.to_string(), version })
}

impl Source {
    /// The header that says which version was copied.
    pub(super) fn version_header(&self, headers: &mut http::HeaderMap) {
        if let Some(version) = &self.version {
            meta::put(headers, "x-amz-copy-source-version-id", version);
        }
    }
}

/// Tag and checksum of some bytes of a source.
pub(super) async fn digest(
    reader: &BodyReader,
    range: Range<u64>,
    kind: Kind,
) -> Result<(ETag, Checksum), S3Error> {
    let mut stream = reader.stream(range).map_err(store_error)?;
    let (mut md5, mut hasher) = (Md5::new(), Hasher::new(kind));
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(store_error)?;
        md5.update(&chunk);
        hasher.update(&chunk);
    }
    let checksum = Checksum {
        algorithm: algorithm(kind),
        kind: ChecksumKind::FullObject,
        value: hasher.finish(),
    };
    Ok((ETag::of_md5(md5.finalize().into()), checksum))
}

/// A directive of a copy; whether it is `REPLACE`.
fn replaces(context: &Context, name: &str) -> Result<bool, S3Error> {
    match context.header(name) {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(other) => Err(invalid_argument(
            name,
            other,
            format!(
                "Unknown {} directive.",
                if name.contains("tagging") { "tagging" } else { "metadata" }
            ),
        )),
    }
}

pub(super) async fn copy_object(
    state: &State,
    context: &Context,
    input: dto::CopyObjectInput,
) -> Answer<dto::CopyObjectOutput> {
    let bucket = state.store.bucket(&input.bucket).map_err(store_error)?;
    let source = source(state, context, &input.copy_source)?;
    if source.object.summary.size > MAX_SOURCE {
        let message = "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120";
        return Err(fail(S3ErrorCode::InvalidRequest, message));
    }
    let replace = replaces(context, "x-amz-metadata-directive")?;
    let replace_tags = replaces(context, "x-amz-tagging-directive")?;
    refuse_no_change(context, &source, &input, replace)?;
    let mut new = meta::of_request(state, context, &bucket, input.metadata.clone())?;
    inherit(&source.object.meta, &mut new, replace, replace_tags, context);
    let (tag, checksum) = digests(context, &source).await?;
    new.checksum = Some(checksum);
    let body = source.reader.share(0..source.reader.len()).map_err(store_error)?;
    let object = NewObject { meta: new.clone(), etag: tag, body, last_modified: None };
    let condition = conditions::of_write(context)?;
    let written = state
        .store
        .put_object(&input.bucket, &input.key, object, condition)
        .await
        .map_err(store_error)?;
    let mut result = dto::CopyObjectResult {
        e_tag: Some(etag(&written.etag)),
        last_modified: Some(timestamp(written.last_modified)),
        ..dto::CopyObjectResult::default()
    };
    if let Some(checksum) = &new.checksum {
        result.checksum_type = Some("FULL_OBJECT".to_owned().into());
        set_checksum!(result, kind(checksum.algorithm), checksum.value.clone());
    }
    let mut response = S3Response::new(dto::CopyObjectOutput {
        copy_object_result: Some(result),
        version_id: write::version_id(&written),
        ..dto::CopyObjectOutput::default()
    });
    response.headers = meta::encryption_headers(&new);
    source.version_header(&mut response.headers);
    Ok(response)
}

/// A copy of an object onto itself must change something.
fn refuse_no_change(
    context: &Context,
    source: &Source,
    input: &dto::CopyObjectInput,
    replace: bool,
) -> Result<(), S3Error> {
    let itself = source.bucket == input.bucket && source.key == input.key;
    let changes = replace
        || !source.object.summary.is_latest
        || context.headers.keys().map(HeaderName::as_str).any(|name| {
            matches!(
                name,
                "x-amz-storage-class"
                    | "x-amz-website-redirect-location"
                    | "x-amz-checksum-algorithm"
            ) || name.starts_with("x-amz-server-side-encryption")
        });
    if itself && !changes {
        let message = "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.";
        return Err(fail(S3ErrorCode::InvalidRequest, message));
    }
    Ok(())
}

/// Takes over what a copy keeps of its source.
fn inherit(
    source: &ObjectMeta,
    new: &mut ObjectMeta,
    replace: bool,
    replace_tags: bool,
    context: &Context,
) {
    if !replace {
        let redirect = "x-amz-website-redirect-location";
        let kept = |name: &String| !name.starts_with("x-amz-");
        new.headers.retain(|name, _| name.starts_with("x-amz-"));
        let from = source.headers.iter().filter(|(name, _)| kept(name));
        new.headers.extend(from.map(|(name, value)| (name.clone(), value.clone())));
        if context.header(redirect).is_none() {
            new.headers.remove(redirect);
        }
        new.user.clone_from(&source.user);
    }
    if !replace_tags {
        new.tags.clone_from(&source.tags);
    }
    // The parts of the source are no parts of the copy.
    new.parts.clear();
}

/// Tag and checksum of the whole source.
async fn digests(context: &Context, source: &Source) -> Result<(ETag, Checksum), S3Error> {
    let asked = match context.header("x-amz-checksum-algorithm") {
        Some(name) => Some(Kind::parse(name).ok_or_else(|| {
            fail(S3ErrorCode::InvalidRequest, "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")
        })?),
        None => None,
    };
    let have = source.object.meta.checksum.clone();
    let wanted =
        asked.or(have.as_ref().map(|have| kind(have.algorithm))).unwrap_or(Kind::Crc64Nvme);
    let tag = source.object.summary.etag;
    match have {
        Some(have)
            if kind(have.algorithm) == wanted
                && have.kind == ChecksumKind::FullObject
                && tag.parts.is_none() =>
        {
            Ok((tag, have))
        }
        _ => digest(&source.reader, 0..source.reader.len(), wanted).await,
    }
}
