//! The body of a request, checked as it flows: declared length, SHA-256 of the
//! signature, `Content-MD5`, checksums in headers and trailers. It keeps no
//! data; what it found is in [`Received`], for the operation and the answer.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use md5::{Digest as _, Md5};
use s3s::{Body as Incoming, S3Error, S3ErrorCode};
use sha2::Digest as _;
use sha2::Sha256;

use super::chunked::{ChunkError, Decoder};
use super::idle::Quiet;
use crate::serve::s3::checksum::{self, Hasher, Kind};
use crate::serve::s3::error::{custom, fail, not_implemented, with};

/// The largest object of one request: 5 GiB.
pub(crate) const MAX_OBJECT: u64 = 5 << 30;

type StdError = Box<dyn std::error::Error + Send + Sync>;

/// What a body turned out to be. Shared between the stream and the operation.
#[derive(Debug, Clone, Default)]
pub(crate) struct Received(Arc<Mutex<Found>>);

/// The findings about a body.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The kind of checksum to compute, also when the client gave no value.
    pub(crate) wanted: Option<Kind>,
    /// Whether the MD5 is to be computed.
    pub(crate) wants_md5: bool,
    /// The kind that the client gave a value for.
    pub(crate) given: Option<Kind>,
    /// The checksum of the whole body.
    pub(crate) checksum: Option<(Kind, String)>,
    /// The MD5 of the whole body.
    pub(crate) md5: Option<[u8; 16]>,
    /// Payload bytes so far.
    pub(crate) bytes: u64,
    /// Why the body is not good.
    pub(crate) failure: Option<S3Error>,
    /// What was not read of it.
    pub(crate) rest: Option<Incoming>,
}

impl Received {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Found> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a body is checked against.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    pub(crate) sha256: Option<String>,
    pub(crate) md5: Option<[u8; 16]>,
    /// The length of the payload in bytes, when the client said it.
    pub(crate) length: Option<u64>,
    pub(crate) checksum: Option<(Kind, Option<String>)>,
    /// The least and most bytes that a form's policy allows.
    pub(crate) limits: Option<(u64, u64)>,
}

impl Expected {
    /// Reads the headers that describe the body. `of_body` is false for
    /// operations whose checksum headers are about something else.
    pub(crate) fn read(headers: &HeaderMap, of_body: bool) -> Result<Self, S3Error> {
        let mut expected = Self::default();
        if let Some(unknown) = headers.keys().find(|name| is_unknown_checksum(name.as_str())) {
            return Err(not_implemented(unknown.as_str()));
        }
        if let Some(value) = headers.get("content-md5") {
            let bytes = STANDARD.decode(value.as_bytes()).ok();
            let md5 = bytes.and_then(|bytes| <[u8; 16]>::try_from(bytes).ok());
            expected.md5 = Some(md5.ok_or(S3ErrorCode::InvalidDigest)?);
        }
        if of_body {
            expected.checksum = declared(headers)?;
        }
        Ok(expected)
    }

    /// As [`Expected::read`], of the file in a form, which says no length. `limits`
    /// are those of its policy.
    pub(crate) fn of_form(
        headers: &HeaderMap,
        limits: Option<(u64, u64)>,
    ) -> Result<Self, S3Error> {
        let (least, most) = limits.unwrap_or((0, MAX_OBJECT));
        let limits = Some((least, most.min(MAX_OBJECT)));
        Ok(Self { limits, ..Self::read(headers, true)? })
    }
}

/// Whether a header has a value that nothing here would verify.
fn is_unknown_checksum(name: &str) -> bool {
    name.strip_prefix("x-amz-checksum-").is_some_and(|kind| {
        !matches!(kind, "algorithm" | "type" | "mode") && Kind::of_header(name).is_none()
    })
}

fn declared(headers: &HeaderMap) -> Result<Option<(Kind, Option<String>)>, S3Error> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let mut all = Vec::new();
    for kind in Kind::ALL {
        if let Some(value) = headers.get(kind.header()) {
            let value = value.to_str().ok().filter(|value| checksum::decode(kind, value).is_some());
            let value = value.ok_or_else(|| {
                let message = format!("Value for {} header is invalid.", kind.header());
                fail(S3ErrorCode::InvalidRequest, message)
            })?;
            all.push((kind, Some(value.to_owned())));
        }
    }
    for name in text("x-amz-trailer").unwrap_or_default().split(',').map(str::trim) {
        if let Some(kind) = Kind::of_header(name) {
            all.push((kind, None));
        } else if !name.is_empty() {
            let message = "The value specified in the x-amz-trailer header is not supported";
            return Err(fail(S3ErrorCode::InvalidRequest, message));
        }
    }
    if all.len() > 1 {
        let message =
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.";
        return Err(fail(S3ErrorCode::InvalidRequest, message));
    }
    let found = all.pop();
    if let Some(named) = text("x-amz-sdk-checksum-algorithm") {
        let kind = Kind::parse(named).ok_or_else(|| {
            fail(S3ErrorCode::InvalidRequest, "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")
        })?;
        match &found {
            Some((given, _)) if *given == kind => {}
            Some(_) => {
                let message = "Value for x-amz-sdk-checksum-algorithm header is invalid.";
                return Err(fail(S3ErrorCode::InvalidRequest, message));
            }
            None if headers.contains_key("content-md5") => {}
            None => {
                let message = "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.";
                return Err(fail(S3ErrorCode::InvalidRequest, message));
            }
        }
    }
    Ok(found)
}

/// The body that an operation reads. It ends with an error when it is not as
/// declared, so that nothing is stored.
pub(crate) struct Payload {
    inner: Incoming,
    decoder: Option<Decoder>,
    ready: std::collections::VecDeque<Bytes>,
    expected: Expected,
    received: Received,
    hashes: Option<Hashes>,
    ended: bool,
}

#[derive(Default)]
struct Hashes {
    sha256: Option<Sha256>,
    md5: Option<Md5>,
    checksum: Option<(Kind, Hasher)>,
}

impl Payload {
    pub(crate) fn new(
        inner: Incoming,
        decoder: Option<Decoder>,
        expected: Expected,
        received: Received,
    ) -> Self {
        received.lock().given = expected.checksum.as_ref().map(|(kind, _)| *kind);
        let ready = std::collections::VecDeque::new();
        Self { inner, decoder, ready, expected, received, hashes: None, ended: false }
    }

    /// Hashes are chosen when the first byte is asked for, as the operation
    /// may want one that the client did not give.
    fn hashes(&mut self) -> &mut Hashes {
        self.hashes.get_or_insert_with(|| {
            let found = self.received.lock();
            let kind = self.expected.checksum.as_ref().map(|(kind, _)| *kind).or(found.wanted);
            Hashes {
                sha256: self.expected.sha256.is_some().then(Sha256::new),
                md5: (found.wants_md5 || self.expected.md5.is_some()).then(Md5::new),
                checksum: kind.map(|kind| (kind, Hasher::new(kind))),
            }
        })
    }

    fn take(&mut self, data: &[u8]) -> Result<(), S3Error> {
        let hashes = self.hashes();
        if let Some(sha) = &mut hashes.sha256 {
            sha.update(data);
        }
        if let Some(md5) = &mut hashes.md5 {
            md5.update(data);
        }
        if let Some((_, hasher)) = &mut hashes.checksum {
            hasher.update(data);
        }
        let mut found = self.received.lock();
        found.bytes = found.bytes.saturating_add(data.len() as u64);
        match (self.expected.length, self.expected.limits) {
            (Some(length), _) if found.bytes > length => Err(incomplete()),
            (_, Some((_, most))) if found.bytes > most => {
                let error = with(
                    S3ErrorCode::EntityTooLarge.into(),
                    "ProposedSize",
                    &found.bytes.to_string(),
                );
                Err(with(error, "MaxSizeAllowed", &most.to_string()))
            }
            _ => Ok(()),
        }
    }

    fn end(&mut self) -> Result<(), S3Error> {
        let trailers = match &mut self.decoder {
            Some(decoder) => decoder.finish().map_err(chunk_error)?,
            None => Vec::new(),
        };
        self.hashes();
        let hashes = self.hashes.take().unwrap_or_default();
        let mut found = self.received.lock();
        if self.expected.length.is_some_and(|length| length != found.bytes) {
            return Err(incomplete());
        }
        if let Some((least, _)) = self.expected.limits.filter(|(least, _)| found.bytes < *least) {
            let error =
                with(S3ErrorCode::EntityTooSmall.into(), "ProposedSize", &found.bytes.to_string());
            return Err(with(error, "MinSizeAllowed", &least.to_string()));
        }
        if let (Some(sha), Some(expected)) = (hashes.sha256, &self.expected.sha256) {
            let computed = hex::encode(sha.finalize());
            if computed != *expected {
                let error = custom(
                    "XAmzContentSHA256Mismatch",
                    http::StatusCode::BAD_REQUEST,
                    "The provided 'x-amz-content-sha256' header does not match what was computed.",
                );
                let error = with(error, "ClientComputedContentSHA256", expected);
                return Err(with(error, "S3ComputedContentSHA256", &computed));
            }
        }
        if let Some(md5) = hashes.md5 {
            let md5: [u8; 16] = md5.finalize().into();
            if let Some(expected) = self.expected.md5.filter(|expected| *expected != md5) {
                let error =
                    with(S3ErrorCode::BadDigest.into(), "ExpectedDigest", &hex::encode(expected));
                return Err(with(error, "CalculatedDigest", &STANDARD.encode(md5)));
            }
            found.md5 = Some(md5);
        }
        if let Some((kind, hasher)) = hashes.checksum {
            let computed = hasher.finish();
            if let Some((_, declared)) = &self.expected.checksum {
                let in_trailer = trailers.iter().find(|(name, _)| name == kind.header());
                let value = declared.as_ref().or(in_trailer.map(|(_, value)| value));
                let value = value.ok_or_else(malformed_trailer)?;
                if checksum::decode(kind, value).is_none() {
                    let message =
                        format!("Value for {} trailing header is invalid.", kind.header());
                    return Err(fail(S3ErrorCode::InvalidRequest, message));
                }
                if *value != computed {
                    let message = format!(
                        "The {} you specified did not match the calculated checksum.",
                        kind.name()
                    );
                    return Err(fail(S3ErrorCode::BadDigest, message));
                }
            }
            found.checksum = Some((kind, computed));
        }
        Ok(())
    }

    fn broken(&mut self, error: S3Error) -> StdError {
        self.ended = true;
        let text = error.to_string();
        self.received.lock().failure.get_or_insert(error);
        text.into()
    }
}

fn malformed_trailer() -> S3Error {
    custom(
        "MalformedTrailerError",
        http::StatusCode::BAD_REQUEST,
        "The request contained trailing data that was not well-formed or did not conform to our published schema.",
    )
}

fn incomplete() -> S3Error {
    fail(
        S3ErrorCode::IncompleteBody,
        "You did not provide the number of bytes specified by the Content-Length HTTP header",
    )
}

/// What is said of a body that ended with an error of the connection.
pub(crate) fn broken_off(error: &StdError) -> S3Error {
    if error.is::<Quiet>() { S3ErrorCode::RequestTimeout.into() } else { incomplete() }
}

fn chunk_error(error: ChunkError) -> S3Error {
    match error {
        ChunkError::Incomplete => incomplete(),
        ChunkError::Signature => S3ErrorCode::SignatureDoesNotMatch.into(),
        ChunkError::Size => custom(
            "InvalidChunkSizeError",
            http::StatusCode::BAD_REQUEST,
            "Only the last chunk is allowed to have a size less than 8192 bytes",
        ),
        ChunkError::Malformed => fail(
            S3ErrorCode::IncompleteBody,
            "The request body is not a well-formed aws-chunked body",
        ),
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = StdError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StdError>>> {
        let this = &mut *self;
        loop {
            if let Some(data) = this.ready.pop_front() {
                if data.is_empty() {
                    continue;
                }
                return Poll::Ready(Some(match this.take(&data) {
                    Ok(()) => Ok(Frame::data(data)),
                    Err(error) => Err(this.broken(error)),
                }));
            }
            if this.ended {
                return Poll::Ready(None);
            }
            match ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    let Some(decoder) = &mut this.decoder else {
                        this.ready.push_back(data);
                        continue;
                    };
                    let mut out = Vec::new();
                    let result = decoder.push(data, &mut out);
                    this.ready.extend(out);
                    if let Err(error) = result {
                        return Poll::Ready(Some(Err(this.broken(chunk_error(error)))));
                    }
                }
                Some(Err(error)) => {
                    return Poll::Ready(Some(Err(this.broken(broken_off(&error)))));
                }
                None => {
                    this.ended = true;
                    if let Err(error) = this.end() {
                        return Poll::Ready(Some(Err(this.broken(error))));
                    }
                    return Poll::Ready(None);
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended && self.ready.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        self.expected.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

impl Drop for Payload {
    /// Leaves what was not read, so that a client that is still sending can be
    /// heard out before it gets its error.
    fn drop(&mut self) {
        if !self.ended {
            self.received.lock().rest = Some(std::mem::take(&mut self.inner));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_form_brings_more_than_the_largest_object() {
        let limits = |policy| Expected::of_form(&HeaderMap::new(), policy).unwrap().limits;
        assert_eq!(limits(None), Some((0, MAX_OBJECT)));
        assert_eq!(limits(Some((1, 10))), Some((1, 10)));
        assert_eq!(limits(Some((1, u64::MAX))), Some((1, MAX_OBJECT)));
    }
}
