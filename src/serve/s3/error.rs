//! Errors as S3 gives them: helpers that make them, and the XML that is sent.
//! It decides no status code that `s3s` knows, and never shows a cause from
//! inside the server.
//!
//! Source: "Error responses" in the Amazon S3 API reference.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use s3s::{S3Error, S3ErrorCode};

/// Elements of an error travel to the outer layer in headers of this prefix.
const EXTRA: &str = "x-sandbox-error-";

/// An error with a message.
pub(crate) fn fail(code: S3ErrorCode, message: impl Into<String>) -> S3Error {
    S3Error::with_message(code, message.into())
}

/// An error whose code `s3s` does not list.
pub(crate) fn custom(
    code: &'static str,
    status: StatusCode,
    message: impl Into<String>,
) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message.into());
    error.set_status_code(status);
    error
}

/// `InvalidArgument` with the argument's name and value.
pub(crate) fn invalid_argument(name: &str, value: &str, message: impl Into<String>) -> S3Error {
    let error = fail(S3ErrorCode::InvalidArgument, message);
    with(with(error, "ArgumentName", name), "ArgumentValue", value)
}

/// `NotImplemented` naming an operation or a header.
pub(crate) fn not_implemented(what: &str) -> S3Error {
    fail(
        S3ErrorCode::NotImplemented,
        format!(
            "A header or operation you provided implies functionality that is not implemented: {what}"
        ),
    )
}

/// Adds an element to an error's XML.
pub(crate) fn with(error: S3Error, element: &str, value: &str) -> S3Error {
    let encoded = utf8_percent_encode(value, NON_ALPHANUMERIC).to_string();
    let name = HeaderName::from_bytes(format!("{EXTRA}{element}").as_bytes());
    match (name, HeaderValue::from_str(&encoded)) {
        (Ok(name), Ok(value)) => with_header(error, name, value),
        _ => error,
    }
}

/// Adds a header to an error's answer.
pub(crate) fn with_header(mut error: S3Error, name: HeaderName, value: HeaderValue) -> S3Error {
    let mut headers = error.headers().cloned().unwrap_or_default();
    headers.insert(name, value);
    error.set_headers(headers);
    error
}

/// The names of elements that come in a fixed spelling.
const ELEMENTS: &[&str] = &[
    "Key",
    "BucketName",
    "ArgumentName",
    "ArgumentValue",
    "ActualObjectSize",
    "RangeRequested",
    "PartNumberRequested",
    "ActualPartCount",
    "UploadId",
    "VersionId",
    "Method",
    "ResourceType",
    "AllowedMethods",
    "Condition",
    "AWSAccessKeyId",
    "StringToSign",
    "SignatureProvided",
    "CanonicalRequest",
    "RequestTime",
    "ServerTime",
    "MaxAllowedSkewMilliseconds",
    "X-Amz-Expires",
    "Expires",
    "ProposedSize",
    "MinSizeAllowed",
    "MaxSizeAllowed",
    "ETag",
    "PartNumber",
    "Region",
    "Header",
    "ExpectedDigest",
    "CalculatedDigest",
    "Size",
    "MaxKeyLength",
    "ClientComputedContentSHA256",
    "S3ComputedContentSHA256",
    "LocationConstraint",
    "StorageClass",
    "additionalMessage",
    "TagKey",
    "TagValue",
    "HeadersNotSigned",
];

/// What an error's answer is made of.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) extras: Vec<(String, String)>,
}

impl Shown {
    /// Reads the answer of `s3s`; elements leave the headers.
    pub(crate) fn read(body: &str, headers: &mut HeaderMap) -> Self {
        let code = element(body, "Code").unwrap_or_else(|| "InternalError".to_owned());
        let message = element(body, "Message")
            .filter(|message| !message.is_empty())
            .unwrap_or_else(|| default_message(&code).to_owned());
        let mut shown = Self { code, message, extras: Vec::new() };
        shown.take_extras(headers);
        shown
    }

    /// Takes an error apart.
    pub(crate) fn of(error: &S3Error, headers: &mut HeaderMap) -> Self {
        let code = error.code().as_str().to_owned();
        let message =
            error.message().map_or_else(|| default_message(&code).to_owned(), str::to_owned);
        if let Some(more) = error.headers() {
            headers.extend(more.clone());
        }
        let mut shown = Self { code, message, extras: Vec::new() };
        shown.take_extras(headers);
        shown
    }

    fn take_extras(&mut self, headers: &mut HeaderMap) {
        for name in ELEMENTS {
            let header = format!("{EXTRA}{}", name.to_ascii_lowercase());
            if let Some(value) = headers.remove(header.as_str()) {
                let value = percent_decode_str(value.to_str().unwrap_or_default())
                    .decode_utf8_lossy()
                    .into_owned();
                self.extras.push(((*name).to_owned(), value));
            }
        }
        // What has no spelling is nobody's business outside.
        let rest: Vec<_> =
            headers.keys().filter(|name| name.as_str().starts_with(EXTRA)).cloned().collect();
        for name in rest {
            headers.remove(name);
        }
    }

    /// The XML of the answer.
    pub(crate) fn xml(&self, resource: &str, request_id: &str, host_id: &str) -> String {
        let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>");
        let fixed = [("Code", self.code.as_str()), ("Message", &self.message)];
        let tail = [("Resource", resource), ("RequestId", request_id), ("HostId", host_id)];
        let extras = self.extras.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in fixed.into_iter().chain(extras).chain(tail) {
            xml.push_str(&format!("<{name}>{}</{name}>", escape(value)));
        }
        xml.push_str("</Error>");
        xml
    }
}

/// Text for XML; characters that XML cannot carry become `U+FFFD`.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' => out.push(c),
            '\r' => out.push_str("&#13;"),
            c if (c as u32) < 0x20 || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

fn element(body: &str, name: &str) -> Option<String> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let text = text
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&amp;", "&");
    Some(text)
}

/// The message that S3 gives with a code.
pub(crate) fn default_message(code: &str) -> &'static str {
    match code {
        "AccessDenied" => "Access Denied",
        "BadDigest" => "The Content-MD5 you specified did not match what we received.",
        "BucketAlreadyExists" => {
            "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again."
        }
        "BucketAlreadyOwnedByYou" => {
            "Your previous request to create the named bucket succeeded and you already own it."
        }
        "BucketNotEmpty" => "The bucket you tried to delete is not empty",
        "EntityTooLarge" => "Your proposed upload exceeds the maximum allowed size",
        "EntityTooSmall" => "Your proposed upload is smaller than the minimum allowed size",
        "IncompleteBody" => "The request body terminated unexpectedly",
        "InternalError" => "We encountered an internal error. Please try again.",
        "InvalidAccessKeyId" => "The AWS Access Key Id you provided does not exist in our records.",
        "InvalidArgument" => "Invalid Argument",
        "InvalidBucketName" => "The specified bucket is not valid.",
        "InvalidDigest" => "The Content-MD5 you specified was invalid.",
        "InvalidPart" => {
            "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag."
        }
        "InvalidPartOrder" => {
            "The list of parts was not in ascending order. Parts must be ordered by part number."
        }
        "InvalidRange" => "The requested range is not satisfiable",
        "InvalidTag" => "The TagValue you have provided is invalid",
        "InvalidURI" => "Couldn't parse the specified URI.",
        "KeyTooLongError" => "Your key is too long",
        "MalformedXML" => {
            "The XML you provided was not well-formed or did not validate against our published schema"
        }
        "MaxMessageLengthExceeded" => "Your request was too big.",
        "MetadataTooLarge" => "Your metadata headers exceed the maximum allowed metadata size",
        "MethodNotAllowed" => "The specified method is not allowed against this resource.",
        "MissingContentLength" => "You must provide the Content-Length HTTP header.",
        "MissingRequestBodyError" => "Request Body is empty",
        "NoSuchBucket" => "The specified bucket does not exist",
        "NoSuchBucketPolicy" => "The bucket policy does not exist",
        "NoSuchCORSConfiguration" => "The CORS configuration does not exist",
        "NoSuchKey" => "The specified key does not exist.",
        "NoSuchLifecycleConfiguration" => "The lifecycle configuration does not exist",
        "NoSuchObjectLockConfiguration" => {
            "The specified object does not have a ObjectLock configuration"
        }
        "NoSuchPublicAccessBlockConfiguration" => {
            "The public access block configuration was not found"
        }
        "NoSuchTagSet" => "The TagSet does not exist",
        "NoSuchUpload" => {
            "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed."
        }
        "NoSuchVersion" => "The specified version does not exist.",
        "NoSuchWebsiteConfiguration" => {
            "The specified bucket does not have a website configuration"
        }
        "NotImplemented" => "A header you provided implies functionality that is not implemented",
        "ObjectLockConfigurationNotFoundError" => {
            "Object Lock configuration does not exist for this bucket"
        }
        "OwnershipControlsNotFoundError" => "The bucket ownership controls were not found",
        "PreconditionFailed" => "At least one of the pre-conditions you specified did not hold",
        "ReplicationConfigurationNotFoundError" => "The replication configuration was not found",
        "RequestTimeout" => {
            "Your socket connection to the server was not read from or written to within the timeout period. Idle connections will be closed."
        }
        "RequestTimeTooSkewed" => {
            "The difference between the request time and the current time is too large."
        }
        "ServerSideEncryptionConfigurationNotFoundError" => {
            "The server side encryption configuration was not found"
        }
        "ServiceUnavailable" => "Service is unable to handle request.",
        "SignatureDoesNotMatch" => {
            "The request signature we calculated does not match the signature you provided. Check your key and signing method."
        }
        "SlowDown" => "Please reduce your request rate.",
        "XAmzContentSHA256Mismatch" => {
            "The provided 'x-amz-content-sha256' header does not match what was computed."
        }
        _ => "The request could not be carried out.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_reach_the_xml_and_leave_the_headers() {
        let error = with(fail(S3ErrorCode::InvalidRange, "no"), "ActualObjectSize", "3");
        let mut headers = HeaderMap::new();
        let shown = Shown::of(&error, &mut headers);
        assert!(headers.is_empty());
        assert_eq!(
            shown.xml("/b/k<", "R", "H"),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>InvalidRange</Code>\
             <Message>no</Message><ActualObjectSize>3</ActualObjectSize>\
             <Resource>/b/k&lt;</Resource><RequestId>R</RequestId><HostId>H</HostId></Error>"
        );
    }

    #[test]
    fn an_element_without_spelling_goes_nowhere() {
        let mut headers = HeaderMap::new();
        let shown = Shown::of(&with(S3ErrorCode::AccessDenied.into(), "Odd", "x"), &mut headers);
        assert!(headers.is_empty() && shown.extras.is_empty());
    }

    #[test]
    fn what_s3s_wrote_is_read() {
        let body = "<Error><Code>MalformedXML</Code></Error>";
        let shown = Shown::read(body, &mut HeaderMap::new());
        assert_eq!(shown.code, "MalformedXML");
        assert!(shown.message.starts_with("The XML you provided"));
        let body = "<Error><Code>A</Code><Message>a &lt; &amp;gt;</Message></Error>";
        assert_eq!(Shown::read(body, &mut HeaderMap::new()).message, "a < &gt;");
    }

    #[test]
    fn every_element_that_is_used_has_its_spelling() {
        for name in ELEMENTS {
            let error = with(S3ErrorCode::AccessDenied.into(), name, "ü <");
            let shown = Shown::of(&error, &mut HeaderMap::new());
            assert_eq!(shown.extras, [((*name).to_owned(), "ü <".to_owned())]);
        }
    }
}
