//! Listings of objects.
//!
//! Source: `ListObjectsV2` and `ListObjects` in the Amazon S3 API reference.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::{self, CommonPrefix};
use s3s::{S3Error, S3Response};

use super::Answer;
use super::{etag, kind, owner, store_error, timestamp};
use crate::serve::s3::error::invalid_argument;
use crate::serve::s3::state::{Context, State};
use crate::serve::s3::store::{
    ChecksumAlgorithm, ChecksumKind, ObjectEntry, ObjectQuery, VersionSummary,
};

/// The most entries of one page.
const MAX_KEYS: i32 = 1000;
/// What `encoding-type=url` leaves as it is.
const KEPT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/').remove(b'*');

/// A continuation token: says nothing to a client.
pub(super) fn token(after: &str) -> String {
    URL_SAFE_NO_PAD.encode(after)
}

pub(super) fn read_token(token: &str) -> Result<String, S3Error> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok().filter(|bytes| !bytes.is_empty());
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(|| {
        invalid_argument(
            "continuation-token",
            token,
            "The continuation token provided is incorrect",
        )
    })
}

/// How names are written in an answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Encoding {
    url: bool,
}

impl Encoding {
    pub(super) fn read(asked: Option<&dto::EncodingType>) -> Result<Self, S3Error> {
        match asked.map(dto::EncodingType::as_str) {
            None | Some("") => Ok(Self { url: false }),
            Some("url") => Ok(Self { url: true }),
            Some(other) => Err(invalid_argument(
                "encoding-type",
                other,
                "Invalid Encoding Method specified in Request",
            )),
        }
    }

    pub(super) fn name(self, text: &str) -> String {
        if self.url { utf8_percent_encode(text, KEPT).to_string() } else { text.to_owned() }
    }

    pub(super) fn opt(self, text: Option<&str>) -> Option<String> {
        text.map(|text| self.name(text))
    }

    pub(super) fn shown(self) -> Option<dto::EncodingType> {
        self.url.then(|| "url".to_owned().into())
    }

    pub(super) fn prefixes(self, prefixes: &[String]) -> Vec<CommonPrefix> {
        prefixes.iter().map(|p| CommonPrefix { prefix: Some(self.name(p)) }).collect()
    }
}

/// How many entries are asked for.
pub(super) fn limit(name: &str, asked: Option<i32>) -> Result<i32, S3Error> {
    match asked {
        None => Ok(MAX_KEYS),
        Some(n) if n < 0 => {
            let message = format!("Argument {name} must be an integer between 0 and 2147483647");
            Err(invalid_argument(name, &n.to_string(), message))
        }
        Some(n) => Ok(n.min(MAX_KEYS)),
    }
}

pub(super) fn size(limit: i32) -> usize {
    usize::try_from(limit).unwrap_or(0)
}

pub(super) fn algorithm_name(algorithm: ChecksumAlgorithm) -> dto::ChecksumAlgorithm {
    dto::ChecksumAlgorithm::from_static(kind(algorithm).name())
}

pub(super) fn type_name(kind: ChecksumKind) -> dto::ChecksumType {
    dto::ChecksumType::from_static(match kind {
        ChecksumKind::FullObject => "FULL_OBJECT",
        ChecksumKind::Composite => "COMPOSITE",
    })
}

fn object(summary: &VersionSummary, encoding: Encoding, with_owner: bool) -> dto::Object {
    dto::Object {
        checksum_algorithm: summary.checksum.map(|(algorithm, _)| vec![algorithm_name(algorithm)]),
        checksum_type: summary.checksum.map(|(_, kind)| type_name(kind)),
        e_tag: Some(etag(&summary.etag)),
        key: Some(encoding.name(&summary.key)),
        last_modified: Some(timestamp(summary.last_modified)),
        owner: with_owner.then(owner),
        restore_status: None,
        size: Some(i64::try_from(summary.size).unwrap_or(i64::MAX)),
        storage_class: Some(class(summary).into()),
    }
}

pub(super) fn class(summary: &VersionSummary) -> String {
    summary.storage_class.clone().unwrap_or_else(|| "STANDARD".to_owned())
}

struct Page {
    contents: Vec<dto::Object>,
    prefixes: Vec<String>,
    next: Option<String>,
}

fn page(
    state: &State,
    bucket: &str,
    query: &ObjectQuery,
    encoding: Encoding,
    with_owner: bool,
) -> Result<Page, S3Error> {
    let page = state.store.list_objects(bucket, query).map_err(store_error)?;
    let (mut contents, mut prefixes) = (Vec::new(), Vec::new());
    for entry in page.entries {
        match entry {
            ObjectEntry::Object(summary) => contents.push(object(&summary, encoding, with_owner)),
            ObjectEntry::Prefix(prefix) => prefixes.push(prefix),
        }
    }
    Ok(Page { contents, prefixes, next: page.next })
}

pub(super) async fn objects(
    state: &State,
    _: &Context,
    input: dto::ListObjectsInput,
) -> Answer<dto::ListObjectsOutput> {
    let encoding = Encoding::read(input.encoding_type.as_ref())?;
    let max = limit("maxKeys", input.max_keys)?;
    let delimiter = input.delimiter.filter(|delimiter| !delimiter.is_empty());
    let query = ObjectQuery {
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: delimiter.clone().unwrap_or_default(),
        start_after: input.marker.clone().unwrap_or_default(),
        max_keys: size(max),
    };
    let page = page(state, &input.bucket, &query, encoding, true)?;
    let next = page.next.as_deref().filter(|_| delimiter.is_some());
    Ok(S3Response::new(dto::ListObjectsOutput {
        name: Some(input.bucket),
        prefix: Some(encoding.name(&query.prefix)),
        marker: Some(encoding.name(&query.start_after)),
        max_keys: Some(max),
        is_truncated: Some(page.next.is_some()),
        next_marker: encoding.opt(next),
        contents: Some(page.contents),
        common_prefixes: Some(encoding.prefixes(&page.prefixes)),
        delimiter: encoding.opt(delimiter.as_deref()),
        encoding_type: encoding.shown(),
        request_charged: None,
    }))
}

pub(super) async fn objects_v2(
    state: &State,
    _: &Context,
    input: dto::ListObjectsV2Input,
) -> Answer<dto::ListObjectsV2Output> {
    let encoding = Encoding::read(input.encoding_type.as_ref())?;
    let max = limit("maxKeys", input.max_keys)?;
    let delimiter = input.delimiter.filter(|delimiter| !delimiter.is_empty());
    let start_after = match &input.continuation_token {
        Some(token) => read_token(token)?,
        None => input.start_after.clone().unwrap_or_default(),
    };
    let query = ObjectQuery {
        prefix: input.prefix.clone().unwrap_or_default(),
        delimiter: delimiter.clone().unwrap_or_default(),
        start_after,
        max_keys: size(max),
    };
    let page = page(state, &input.bucket, &query, encoding, input.fetch_owner.unwrap_or(false))?;
    let count = page.contents.len() + page.prefixes.len();
    Ok(S3Response::new(dto::ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: Some(encoding.name(&query.prefix)),
        max_keys: Some(max),
        key_count: Some(i32::try_from(count).unwrap_or(i32::MAX)),
        continuation_token: input.continuation_token,
        is_truncated: Some(page.next.is_some()),
        next_continuation_token: page.next.as_deref().map(token),
        contents: Some(page.contents),
        common_prefixes: Some(encoding.prefixes(&page.prefixes)),
        delimiter: encoding.opt(delimiter.as_deref()),
        encoding_type: encoding.shown(),
        start_after: encoding.opt(input.start_after.as_deref()),
        request_charged: None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back_and_others_are_refused() {
        assert_eq!(read_token(&token("a/ü")).unwrap(), "a/ü");
        assert!(read_token("").is_err());
        assert!(read_token("%%").is_err());
    }

    #[test]
    fn names_are_encoded_when_asked() {
        let url = Encoding { url: true };
        assert_eq!(url.name("a b/c+d\u{1}é"), "a%20b/c%2Bd%01%C3%A9");
        assert_eq!(Encoding { url: false }.name("a b"), "a b");
    }

    #[test]
    fn limits_are_cut_and_checked() {
        assert_eq!(limit("maxKeys", Some(5000)).unwrap(), 1000);
        assert_eq!(limit("maxKeys", Some(0)).unwrap(), 0);
        assert!(limit("maxKeys", Some(-1)).is_err());
    }
}
