//! Handing a request on to `s3s`: what it shall see of it, and what is kept back
//! since it was dealt with before or is read by the operations themselves.

use http::{HeaderName, HeaderValue, Method, Request, Uri, header};
use http_body::Body as _;
use s3s::{Body, S3Error, S3ErrorCode};

use super::auth::sign::canonical_query;
use super::state::{Context, Request as Seen};

/// Takes headers that a presigned URL carries as parameters for headers; but
/// no checksums, as SDKs put that of an empty body there and S3 ignores it.
pub(crate) fn hoisted(seen: &mut Seen) {
    const AUTH: [&str; 8] = [
        "x-amz-algorithm",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-expires",
        "x-amz-signedheaders",
        "x-amz-signature",
        "x-amz-security-token",
        "x-amz-content-sha256",
    ];
    for (name, value) in &seen.target.query {
        let name = name.to_ascii_lowercase();
        if !name.starts_with("x-amz-")
            || AUTH.contains(&name.as_str())
            || name == "x-amz-sdk-checksum-algorithm"
            || name.starts_with("x-amz-checksum-")
        {
            continue;
        }
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value.as_bytes()))
            && !seen.headers.contains_key(&name)
        {
            seen.headers.insert(name, value);
        }
    }
}

/// Headers that are done with, or that the operations read themselves since
/// `s3s` is stricter about them than S3.
const KEPT_BACK: &[&str] = &[
    "authorization",
    "x-amz-date",
    "x-amz-content-sha256",
    "x-amz-security-token",
    "x-amz-trailer",
    "x-amz-decoded-content-length",
    "x-amz-copy-source-if-match",
    "x-amz-copy-source-if-none-match",
    "x-amz-copy-source-if-modified-since",
    "x-amz-copy-source-if-unmodified-since",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    "range",
    "expires",
    "transfer-encoding",
    "host",
];

/// Query parameters that `s3s` shall not see.
fn of_auth(name: &str) -> bool {
    name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("x-amz-"))
        || matches!(
            name,
            "Signature" | "AWSAccessKeyId" | "Expires" | "response-expires" | "events"
        )
}

/// The request for `s3s`.
pub(crate) fn for_s3s(context: &Context, payload: Body) -> Result<Request<Body>, S3Error> {
    let target = &context.target;
    let mut uri = target.raw_path.clone();
    for (at, (name, value)) in target.query.iter().filter(|(name, _)| !of_auth(name)).enumerate() {
        uri.push(if at == 0 { '?' } else { '&' });
        uri.push_str(&canonical_query(&[(name.clone(), value.clone())]));
    }
    let uri: Uri = uri.parse().map_err(|_| S3Error::new(S3ErrorCode::InvalidURI))?;
    let method = match context.operation {
        "PostObject" => Method::PUT,
        operation => method_of(operation),
    };
    let mut request = Request::new(payload);
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    let mut headers = context.headers.clone();
    for name in KEPT_BACK {
        headers.remove(*name);
    }
    // `s3s` would refuse them; it reads metadata alone as UTF-8.
    let beyond_ascii = context.headers.iter().filter(|(name, value)| {
        !name.as_str().starts_with("x-amz-meta-") && value.to_str().is_err()
    });
    for (name, _) in beyond_ascii {
        headers.remove(name);
    }
    // `s3s` would read a form here.
    if context.operation == "CreateMultipartUpload" || request.method() == Method::POST {
        headers.remove(header::CONTENT_TYPE);
    }
    if let Some(length) = request.body().size_hint().exact() {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    *request.headers_mut() = headers;
    request.extensions_mut().insert(context.clone());
    Ok(request)
}

fn method_of(operation: &str) -> Method {
    match operation {
        "HeadBucket" | "HeadObject" => Method::HEAD,
        "DeleteObjects" | "CreateMultipartUpload" | "CompleteMultipartUpload" => Method::POST,
        "AbortMultipartUpload" => Method::DELETE,
        "CreateBucket" | "CopyObject" | "UploadPart" | "UploadPartCopy" => Method::PUT,
        name if name.starts_with("Put") => Method::PUT,
        name if name.starts_with("Delete") => Method::DELETE,
        _ => Method::GET,
    }
}
