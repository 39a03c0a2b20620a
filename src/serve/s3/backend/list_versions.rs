//! Listings of versions. The XML is written here, as S3 has versions and delete
//! markers in one order, and `s3s` in two lists.
//!
//! Source: `ListObjectVersions` in the Amazon S3 API reference.

use s3s::dto;
use s3s::{S3Error, S3Response, S3Result};

use super::list::{Encoding, algorithm_name, class, limit, size, type_name};
use super::{store_error, versions as ids};
use crate::serve::s3::answer::Replaced;
use crate::serve::s3::error::{escape, invalid_argument};
use crate::serve::s3::state::{Context, State};
use crate::serve::s3::store::{VersionEntry, VersionId, VersionQuery, VersionSummary};
use crate::serve::s3::{OWNER_ID, OWNER_NAME, time};

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListVersionsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";

pub(super) async fn versions(
    state: &State,
    _: &Context,
    input: dto::ListObjectVersionsInput,
) -> S3Result<S3Response<dto::ListObjectVersionsOutput>> {
    let encoding = Encoding::read(input.encoding_type.as_ref())?;
    let max = limit("maxKeys", input.max_keys)?;
    let delimiter = input.delimiter.filter(|delimiter| !delimiter.is_empty());
    let query = VersionQuery {
        prefix: input.prefix.unwrap_or_default(),
        delimiter: delimiter.clone().unwrap_or_default(),
        key_marker: input.key_marker.unwrap_or_default(),
        version_id_marker: marker(input.version_id_marker.as_deref())?,
        max_keys: size(max),
    };
    if query.version_id_marker.is_some() && query.key_marker.is_empty() {
        return Err(invalid_argument(
            "version-id-marker",
            input.version_id_marker.as_deref().unwrap_or_default(),
            "A version-id marker cannot be specified without a key marker.",
        ));
    }
    let page = state.store.list_versions(&input.bucket, &query).map_err(store_error)?;
    let mut xml = String::from(HEAD);
    let mut put = |name: &str, value: &str| element(&mut xml, name, value);
    put("Name", &input.bucket);
    put("Prefix", &encoding.name(&query.prefix));
    put("KeyMarker", &encoding.name(&query.key_marker));
    put("VersionIdMarker", input.version_id_marker.as_deref().unwrap_or_default());
    if let Some((key, version)) = &page.next {
        put("NextKeyMarker", &encoding.name(key));
        // After a common prefix there is no version to go on from.
        if let Some(version) = version {
            put("NextVersionIdMarker", &version.to_string());
        }
    }
    put("MaxKeys", &max.to_string());
    if let Some(delimiter) = encoding.opt(delimiter.as_deref()) {
        put("Delimiter", &delimiter);
    }
    if encoding.shown().is_some() {
        put("EncodingType", "url");
    }
    put("IsTruncated", if page.next.is_some() { "true" } else { "false" });
    for entry in &page.entries {
        if let VersionEntry::Version(summary) = entry {
            version(&mut xml, summary, encoding);
        }
    }
    for entry in &page.entries {
        if let VersionEntry::Prefix(prefix) = entry {
            xml.push_str("<CommonPrefixes>");
            element(&mut xml, "Prefix", &encoding.name(prefix));
            xml.push_str("</CommonPrefixes>");
        }
    }
    xml.push_str("</ListVersionsResult>");
    let mut response = S3Response::new(dto::ListObjectVersionsOutput::default());
    response.extensions.insert(Replaced(xml));
    Ok(response)
}

fn marker(text: Option<&str>) -> Result<Option<VersionId>, S3Error> {
    text.filter(|text| !text.is_empty()).map(ids::parse).transpose()
}

fn element(xml: &mut String, name: &str, value: &str) {
    xml.push_str(&format!("<{name}>{}</{name}>", escape(value)));
}

fn version(xml: &mut String, summary: &VersionSummary, encoding: Encoding) {
    let kind = if summary.delete_marker { "DeleteMarker" } else { "Version" };
    xml.push_str(&format!("<{kind}>"));
    element(xml, "Key", &encoding.name(&summary.key));
    element(xml, "VersionId", &summary.version_id.to_string());
    element(xml, "IsLatest", if summary.is_latest { "true" } else { "false" });
    element(xml, "LastModified", &time::iso8601(summary.last_modified.as_millisecond()));
    if !summary.delete_marker {
        element(xml, "ETag", &format!("\"{}\"", summary.etag));
        if let Some((algorithm, over)) = summary.checksum {
            element(xml, "ChecksumAlgorithm", algorithm_name(algorithm).as_str());
            element(xml, "ChecksumType", type_name(over).as_str());
        }
        element(xml, "Size", &summary.size.to_string());
        element(xml, "StorageClass", &class(summary));
    }
    xml.push_str("<Owner>");
    element(xml, "ID", OWNER_ID);
    element(xml, "DisplayName", OWNER_NAME);
    xml.push_str(&format!("</Owner></{kind}>"));
}
