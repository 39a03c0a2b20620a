//! What a request says about an object, and how an answer says it again.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use md5::{Digest as _, Md5};
use s3s::dto::{Metadata, ServerSideEncryptionConfiguration};
use s3s::{S3Error, S3ErrorCode};

use super::{acl, config, kind, lock, tags};
use crate::serve::s3::error::{custom, fail, invalid_argument};
use crate::serve::s3::state::{Context, State};
use crate::serve::s3::store::{BucketInfo, Checksum, ChecksumKind, Object, ObjectMeta};
use crate::serve::s3::{lifecycle, time};

/// The type of an object that was written without one.
const DEFAULT_TYPE: &str = "binary/octet-stream";
const SSE: &str = "x-amz-server-side-encryption";
const SSE_KEY: &str = "x-amz-server-side-encryption-aws-kms-key-id";
const SSE_CONTEXT: &str = "x-amz-server-side-encryption-context";
const SSE_BUCKET_KEY: &str = "x-amz-server-side-encryption-bucket-key-enabled";
const SSEC_ALGORITHM: &str = "x-amz-server-side-encryption-customer-algorithm";
const SSEC_MD5: &str = "x-amz-server-side-encryption-customer-key-md5";
/// The key that KMS makes for an account.
const DEFAULT_KMS_KEY: &str = "alias/aws/s3";

/// Content headers that are kept as they are.
const KEPT: [&str; 5] = [
    "cache-control",
    "content-disposition",
    "content-language",
    "expires",
    "x-amz-website-redirect-location",
];

const CLASSES: [&str; 11] = [
    "STANDARD",
    "REDUCED_REDUNDANCY",
    "STANDARD_IA",
    "ONEZONE_IA",
    "INTELLIGENT_TIERING",
    "GLACIER",
    "DEEP_ARCHIVE",
    "OUTPOSTS",
    "GLACIER_IR",
    "SNOW",
    "EXPRESS_ONEZONE",
];

/// What a request that writes says about the object.
pub(super) fn of_request(
    state: &State,
    context: &Context,
    bucket: &BucketInfo,
    user: Option<Metadata>,
) -> Result<ObjectMeta, S3Error> {
    let mut meta = ObjectMeta::default();
    content_headers(context, &mut meta.headers);
    meta.user = user
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect();
    if let Some(header) = context.header("x-amz-tagging") {
        meta.tags = tags::of_header(header)?;
    }
    meta.storage_class = storage_class(context)?;
    encryption(state, context, &bucket.name, &mut meta)?;
    if let Some(acl) = acl::of_write(state, context, &bucket.name)? {
        meta.extra.insert(config::ACL.to_owned(), acl);
    }
    lock::of_write(state, context, bucket, &mut meta)?;
    Ok(meta)
}

/// The content headers of a request.
pub(super) fn content_headers(context: &Context, headers: &mut BTreeMap<String, String>) {
    let mut keep = |name: &str, value: String| {
        if !value.is_empty() {
            headers.insert(name.to_owned(), value);
        }
    };
    keep("content-type", context.header("content-type").unwrap_or(DEFAULT_TYPE).to_owned());
    for name in KEPT {
        keep(name, context.header(name).unwrap_or_default().to_owned());
    }
    // `aws-chunked` is about the request alone.
    let encodings: Vec<_> = context
        .header("content-encoding")
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|one| !one.is_empty() && !one.eq_ignore_ascii_case("aws-chunked"))
        .collect();
    keep("content-encoding", encodings.join(","));
}

/// The storage class; none for the standard one.
pub(super) fn storage_class(context: &Context) -> Result<Option<String>, S3Error> {
    let Some(class) = context.header("x-amz-storage-class") else { return Ok(None) };
    if !CLASSES.contains(&class) {
        return Err(fail(
            S3ErrorCode::InvalidStorageClass,
            "The storage class you specified is not valid",
        ));
    }
    Ok((class != "STANDARD").then(|| class.to_owned()))
}

/// What a request says about encryption, or the bucket for it. Nothing is
/// encrypted; the headers come back, and a customer's key is asked for.
pub(super) fn encryption(
    state: &State,
    context: &Context,
    bucket: &str,
    meta: &mut ObjectMeta,
) -> Result<(), S3Error> {
    let customer = customer_key(context, "x-amz-server-side-encryption-customer-")?;
    let asked = context.header(SSE);
    if let Some(md5) = customer {
        if asked.is_some() {
            return Err(invalid_argument(
                SSE,
                asked.unwrap_or_default(),
                "Server Side Encryption with Customer provided key is incompatible with the encryption method specified",
            ));
        }
        meta.headers.insert(SSEC_ALGORITHM.to_owned(), "AES256".to_owned());
        meta.headers.insert(SSEC_MD5.to_owned(), md5);
        return Ok(());
    }
    let (algorithm, key, bucket_key) = if let Some(algorithm) = asked {
        (algorithm.to_owned(), None, None)
    } else {
        let default: Option<ServerSideEncryptionConfiguration> =
            config::load(&state.store, bucket, config::ENCRYPTION)?;
        let rule = default.and_then(|config| config.rules.into_iter().next());
        let bucket_key = rule.as_ref().and_then(|rule| rule.bucket_key_enabled);
        match rule.and_then(|rule| rule.apply_server_side_encryption_by_default) {
            Some(default) => {
                let algorithm = default.sse_algorithm.as_str().to_owned();
                (algorithm, default.kms_master_key_id, bucket_key)
            }
            None => ("AES256".to_owned(), None, None),
        }
    };
    let key = context.header(SSE_KEY).map(str::to_owned).or(key);
    match algorithm.as_str() {
        "AES256" if context.header(SSE_KEY).is_some() => {
            return Err(invalid_argument(
                SSE,
                "AES256",
                "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms",
            ));
        }
        "AES256" => {}
        "aws:kms" | "aws:kms:dsse" => {
            let key = key.unwrap_or_else(|| DEFAULT_KMS_KEY.to_owned());
            let arn = if key.starts_with("arn:") {
                key
            } else {
                let prefix = if key.starts_with("alias/") { "" } else { "key/" };
                format!(
                    "arn:aws:kms:{}:{}:{prefix}{key}",
                    state.region,
                    super::super::OWNER_ACCOUNT
                )
            };
            meta.headers.insert(SSE_KEY.to_owned(), arn);
            if let Some(context) = context.header(SSE_CONTEXT) {
                meta.headers.insert(SSE_CONTEXT.to_owned(), context.to_owned());
            }
            if context.header(SSE_BUCKET_KEY).map_or(bucket_key == Some(true), |v| v == "true") {
                meta.headers.insert(SSE_BUCKET_KEY.to_owned(), "true".to_owned());
            }
        }
        other => {
            return Err(custom(
                "InvalidEncryptionAlgorithmError",
                StatusCode::BAD_REQUEST,
                format!(
                    "The encryption request that you specified is not valid. The valid value is AES256, not {other}."
                ),
            ));
        }
    }
    meta.headers.insert(SSE.to_owned(), algorithm);
    Ok(())
}

/// The MD5 of a customer's key in a request's headers of this prefix.
pub(super) fn customer_key(context: &Context, prefix: &str) -> Result<Option<String>, S3Error> {
    let header = |name: &str| context.header(&format!("{prefix}{name}"));
    let (algorithm, key, md5) = (header("algorithm"), header("key"), header("key-md5"));
    if algorithm.is_none() && key.is_none() && md5.is_none() {
        return Ok(None);
    }
    let name = format!("{prefix}algorithm");
    let wrong = |value: &str, message: &str| invalid_argument(&name, value, message);
    let algorithm = algorithm.ok_or_else(|| wrong("", "Requests specifying Server Side Encryption with Customer provided keys must provide a valid encryption algorithm."))?;
    if algorithm != "AES256" {
        return Err(custom(
            "InvalidEncryptionAlgorithmError",
            StatusCode::BAD_REQUEST,
            "The Encryption request you specified is not valid. Supported value: AES256.",
        ));
    }
    let key = key.ok_or_else(|| wrong(algorithm, "Requests specifying Server Side Encryption with Customer provided keys must provide an appropriate secret key."))?;
    let bytes = STANDARD.decode(key).ok().filter(|bytes| bytes.len() == 32);
    let bytes = bytes.ok_or_else(|| {
        wrong(algorithm, "The secret key was invalid for the specified algorithm.")
    })?;
    let computed = STANDARD.encode(Md5::digest(&bytes));
    match md5 {
        Some(given) if given == computed => Ok(Some(computed)),
        Some(_) => Err(wrong(
            algorithm,
            "The calculated MD5 hash of the key did not match the hash that was provided.",
        )),
        None => Err(wrong(
            algorithm,
            "Requests specifying Server Side Encryption with Customer provided keys must provide the client calculated MD5 of the secret key.",
        )),
    }
}

/// Checks that a request has the key that an object was written with.
pub(super) fn check_key(context: &Context, meta: &ObjectMeta, prefix: &str) -> Result<(), S3Error> {
    let given = customer_key(context, prefix)?;
    match (meta.headers.get(SSEC_MD5), given) {
        (None, None) => Ok(()),
        (Some(kept), Some(given)) if *kept == given => Ok(()),
        (Some(_), Some(_)) => Err(S3ErrorCode::AccessDenied.into()),
        (Some(_), None) => Err(fail(
            S3ErrorCode::InvalidRequest,
            "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.",
        )),
        (None, Some(_)) => Err(fail(
            S3ErrorCode::InvalidRequest,
            "The encryption parameters are not applicable to this object.",
        )),
    }
}

/// The headers about encryption that an answer has.
pub(super) fn encryption_headers(meta: &ObjectMeta) -> HeaderMap {
    let names = [SSE, SSE_KEY, SSE_CONTEXT, SSE_BUCKET_KEY, SSEC_ALGORITHM, SSEC_MD5];
    let mut headers = HeaderMap::new();
    for name in names {
        if let Some(value) = meta.headers.get(name) {
            put(&mut headers, name, value);
        }
    }
    headers
}

/// Adds a header, unless its value cannot be one.
pub(super) fn put(headers: &mut HeaderMap, name: &str, value: &str) {
    let name = HeaderName::from_bytes(name.as_bytes());
    let value = HeaderValue::from_bytes(value.as_bytes());
    if let (Ok(name), Ok(value)) = (name, value) {
        headers.insert(name, value);
    }
}

/// The headers of a checksum.
pub(super) fn checksum_headers(headers: &mut HeaderMap, checksum: &Checksum) {
    put(headers, kind(checksum.algorithm).header(), &checksum.value);
    let over = match checksum.kind {
        ChecksumKind::FullObject => "FULL_OBJECT",
        ChecksumKind::Composite => "COMPOSITE",
    };
    put(headers, "x-amz-checksum-type", over);
}

/// The headers of `GetObject` and `HeadObject`, but for those about the body.
pub(super) fn describe(
    state: &State,
    context: &Context,
    object: &Object,
) -> Result<HeaderMap, S3Error> {
    let (meta, summary) = (&object.meta, &object.summary);
    let mut headers = HeaderMap::new();
    for (name, value) in &meta.headers {
        if name != SSE_CONTEXT {
            put(&mut headers, name, value);
        }
    }
    put(&mut headers, "etag", &format!("\"{}\"", summary.etag));
    let modified = summary.last_modified.as_millisecond();
    put(&mut headers, "last-modified", &time::http_date(modified));
    put(&mut headers, "accept-ranges", "bytes");
    if object.versioned {
        put(&mut headers, "x-amz-version-id", &summary.version_id.to_string());
    }
    if let Some(class) = &meta.storage_class {
        put(&mut headers, "x-amz-storage-class", class);
    }
    if !meta.tags.is_empty() {
        put(&mut headers, "x-amz-tagging-count", &meta.tags.len().to_string());
    }
    if let Some(retention) = &meta.retention {
        put(&mut headers, "x-amz-object-lock-mode", lock::mode(retention.mode));
        let until = time::iso8601(retention.until.as_millisecond());
        put(&mut headers, "x-amz-object-lock-retain-until-date", &until);
    }
    if let Some(hold) = meta.legal_hold {
        put(&mut headers, "x-amz-object-lock-legal-hold", if hold { "ON" } else { "OFF" });
    }
    if summary.is_latest
        && let Some(bucket) = &context.target.bucket
        && let Some(expiration) = lifecycle::expiration_header(&state.store, bucket, object)
    {
        put(&mut headers, "x-amz-expiration", &expiration);
    }
    for (parameter, name) in [
        ("response-content-type", "content-type"),
        ("response-content-language", "content-language"),
        ("response-expires", "expires"),
        ("response-cache-control", "cache-control"),
        ("response-content-disposition", "content-disposition"),
        ("response-content-encoding", "content-encoding"),
    ] {
        if let Some(value) = context.target.param(parameter) {
            let value = HeaderValue::from_bytes(&latin1(parameter, value)?);
            if let Ok(value) = value {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
    Ok(headers)
}

/// A parameter as the bytes of a header.
fn latin1(parameter: &str, value: &str) -> Result<Vec<u8>, S3Error> {
    let bytes: Result<_, _> = value.chars().map(u8::try_from).collect();
    bytes.map_err(|_| {
        let message = "Header value cannot be represented using ISO-8859-1.";
        invalid_argument(parameter, value, message)
    })
}

#[cfg(test)]
mod tests {
    use crate::serve::s3::testing::TestServer;

    const CONFIG: &str = "buckets: [{name: plain, objects: [{key: k, text: hello}]}]";

    #[tokio::test]
    async fn headers_beyond_ascii_come_back_as_they_were() {
        let server = TestServer::new(CONFIG).await;
        let kept = [
            ("content-disposition", "attachment; filename=\"größe.txt\""),
            ("cache-control", "no-cache, x=日本"),
            ("x-amz-meta-name", "größe"),
        ];
        let mut sent = kept.to_vec();
        sent.push(("x-amz-tagging", "größe=1"));
        let put = server.ask("PUT", "/plain/new", &sent, "data").await;
        assert_eq!(put.status, 200, "{}", put.text());
        let got = server.ask("GET", "/plain/new", &[], "").await;
        for (name, value) in &kept[..2] {
            assert_eq!(got.headers[*name].as_bytes(), value.as_bytes());
        }
        let tags = server.ask("GET", "/plain/new?tagging", &[], "").await.text();
        assert!(tags.contains("<Key>größe</Key>"), "{tags}");
        let put = server.ask("PUT", "/plain/new", &[("if-match", "\"größe\"")], "x").await;
        assert_eq!(put.status, 412, "{}", put.text());
    }

    #[tokio::test]
    async fn overrides_are_latin_1_or_refused() {
        let server = TestServer::new(CONFIG).await;
        let ask = async |value: &str| {
            let target = format!("/plain/k?response-content-disposition={value}");
            server.ask("GET", &target, &[], "").await
        };
        let got = ask("gr%C3%B6%C3%9Fe").await;
        assert_eq!(got.headers["content-disposition"].as_bytes(), b"gr\xf6\xdfe");
        let refused = ask("%E6%97%A5").await;
        assert_eq!(refused.status, 400);
        let text = refused.text();
        assert!(text.contains("cannot be represented using ISO-8859-1."), "{text}");
        assert!(
            text.contains("<ArgumentName>response-content-disposition</ArgumentName>"),
            "{text}"
        );
    }
}
