//! Reading objects: which bytes, under which conditions.
//!
//! Source: `GetObject` and `HeadObject` in the Amazon S3 API reference.

use std::ops::Range;
use std::pin::Pin;
use std::task::{Context as Poller, Poll};

use bytes::Bytes;
use futures::Stream;
use http::StatusCode;
use s3s::dto::{self, StreamingBlob};
use s3s::stream::{ByteStream, RemainingLength};
use s3s::{S3Error, S3ErrorCode, S3Response};

use super::Answer;
use super::conditions::Conditions;
use super::{meta, store_error, versions};
use crate::serve::s3::error::{custom, fail, invalid_argument, with};
use crate::serve::s3::state::{Context, State};
use crate::serve::s3::store::{BodyStream, Object};
type StdError = Box<dyn std::error::Error + Send + Sync>;

/// The bytes of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Slice {
    range: Range<u64>,
    partial: bool,
    /// Index of the part that was asked for.
    part: Option<usize>,
}

/// Reads `Range`. Nothing when there is none that S3 would heed.
pub(super) fn parse_range(header: &str, size: u64) -> Option<Result<Range<u64>, ()>> {
    let spec = header.trim().strip_prefix("bytes=")?;
    let (first, last) = spec.split_once('-')?;
    let (first, last) = (first.trim(), last.trim());
    let number = |text: &str| -> Option<u64> {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse().unwrap_or(u64::MAX))
    };
    if first.is_empty() {
        let count = number(last)?;
        if count == 0 || size == 0 {
            return Some(Err(()));
        }
        return Some(Ok(size.saturating_sub(count)..size));
    }
    let start = number(first)?;
    let end = if last.is_empty() { u64::MAX } else { number(last)? };
    if end < start {
        return None;
    }
    if start >= size {
        return Some(Err(()));
    }
    Some(Ok(start..end.saturating_add(1).min(size)))
}

fn slice(context: &Context, object: &Object) -> Result<Slice, S3Error> {
    let size = object.summary.size;
    let range = context.header("range");
    if let Some(number) = context.target.param("partNumber") {
        if range.is_some() {
            let message = "Cannot specify both Range header and partNumber query parameter.";
            return Err(fail(S3ErrorCode::InvalidRequest, message));
        }
        return part(number, object);
    }
    match range.and_then(|range| parse_range(range, size)) {
        None => Ok(Slice { range: 0..size, partial: false, part: None }),
        Some(Ok(range)) => Ok(Slice { range, partial: true, part: None }),
        Some(Err(())) => {
            let error =
                with(S3ErrorCode::InvalidRange.into(), "RangeRequested", range.unwrap_or_default());
            Err(with(error, "ActualObjectSize", &size.to_string()))
        }
    }
}

fn part(number: &str, object: &Object) -> Result<Slice, S3Error> {
    let wanted: u32 = number
        .parse()
        .ok()
        .filter(|n| (1..=10_000).contains(n))
        .ok_or_else(|| super::multipart::bad_number(number))?;
    let parts = &object.meta.parts;
    if parts.is_empty() && wanted == 1 {
        let size = object.summary.size;
        return Ok(Slice { range: 0..size, partial: size > 0, part: None });
    }
    // Parts are counted as they lie, whatever numbers they were uploaded with.
    let index = wanted as usize - 1;
    let Some(part) = parts.get(index) else {
        let error = custom(
            "InvalidPartNumber",
            StatusCode::RANGE_NOT_SATISFIABLE,
            "The requested partnumber is not satisfiable",
        );
        let error = with(error, "ActualPartCount", &parts.len().max(1).to_string());
        return Err(with(error, "PartNumberRequested", number));
    };
    let start: u64 = parts[..index].iter().map(|part| part.size).sum();
    Ok(Slice { range: start..start + part.size, partial: true, part: Some(index) })
}

/// A body whose length is known.
struct Sized(BodyStream);

impl Stream for Sized {
    type Item = Result<Bytes, StdError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.0).poll_next(cx).map_err(Into::into)
    }
}

impl ByteStream for Sized {
    fn remaining_length(&self) -> RemainingLength {
        usize::try_from(self.0.remaining())
            .map_or_else(|_| RemainingLength::unknown(), RemainingLength::new_exact)
    }
}

/// What the two operations share: the checks, and all headers.
fn look(
    state: &State,
    context: &Context,
    object: &Object,
) -> Result<(Slice, http::HeaderMap), S3Error> {
    meta::check_key(context, &object.meta, "x-amz-server-side-encryption-customer-")?;
    Conditions::of_read(context).check(&object.summary)?;
    let slice = slice(context, object)?;
    let mut headers = meta::describe(state, context, object)?;
    let length = slice.range.end - slice.range.start;
    meta::put(&mut headers, "content-length", &length.to_string());
    if slice.partial {
        let last = slice.range.end.saturating_sub(1);
        let text = format!("bytes {}-{last}/{}", slice.range.start, object.summary.size);
        meta::put(&mut headers, "content-range", &text);
    }
    let parts = &object.meta.parts;
    if context.target.param("partNumber").is_some() && !parts.is_empty() {
        meta::put(&mut headers, "x-amz-mp-parts-count", &parts.len().to_string());
    }
    if context
        .header("x-amz-checksum-mode")
        .is_some_and(|mode| mode.eq_ignore_ascii_case("enabled"))
    {
        let checksum = match slice.part {
            Some(index) => parts[index].checksum.as_ref(),
            None if slice.range == (0..object.summary.size) => object.meta.checksum.as_ref(),
            None => None,
        };
        if let Some(checksum) = checksum {
            meta::checksum_headers(&mut headers, checksum);
        }
    }
    Ok((slice, headers))
}

fn user(object: &Object) -> Option<dto::Metadata> {
    let user = &object.meta.user;
    (!user.is_empty()).then(|| user.clone().into_iter().collect())
}

fn check_mode(context: &Context) -> Result<(), S3Error> {
    match context.header("x-amz-checksum-mode") {
        Some(mode) if !mode.eq_ignore_ascii_case("enabled") => Err(invalid_argument(
            "x-amz-checksum-mode",
            mode,
            "The x-amz-checksum-mode header is invalid",
        )),
        _ => Ok(()),
    }
}

pub(super) async fn get_object(
    state: &State,
    context: &Context,
    input: dto::GetObjectInput,
) -> Answer<dto::GetObjectOutput> {
    check_mode(context)?;
    let version = versions::asked(context)?;
    let (object, reader) = state
        .store
        .get(&input.bucket, &input.key, version)
        .map_err(|error| versions::error(error, version.is_some()))?;
    let (slice, headers) = look(state, context, &object)?;
    let stream = reader.stream(slice.range.clone()).map_err(store_error)?;
    let output = dto::GetObjectOutput {
        body: Some(StreamingBlob::new(Sized(stream))),
        metadata: user(&object),
        ..dto::GetObjectOutput::default()
    };
    let status = if slice.partial { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let mut response = S3Response::new(output);
    response.extensions.insert(status);
    response.headers = headers;
    Ok(response)
}

pub(super) async fn head_object(
    state: &State,
    context: &Context,
    input: dto::HeadObjectInput,
) -> Answer<dto::HeadObjectOutput> {
    check_mode(context)?;
    let version = versions::asked(context)?;
    let object = state
        .store
        .head(&input.bucket, &input.key, version)
        .map_err(|error| versions::error(error, version.is_some()))?;
    let (slice, headers) = look(state, context, &object)?;
    let output =
        dto::HeadObjectOutput { metadata: user(&object), ..dto::HeadObjectOutput::default() };
    let status = if slice.partial { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let mut response = S3Response::new(output);
    response.extensions.insert(status);
    response.headers = headers;
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::parse_range;
    use proptest::prelude::*;

    #[test]
    fn ranges_are_read_as_s3_reads_them() {
        for (header, expected) in [
            ("bytes=0-4", Some(Ok(0..5))),
            ("bytes=5-", Some(Ok(5..10))),
            ("bytes=-3", Some(Ok(7..10))),
            ("bytes=-30", Some(Ok(0..10))),
            ("bytes=5-99999999999999999999", Some(Ok(5..10))),
            ("bytes=10-", Some(Err(()))),
            ("bytes=-0", Some(Err(()))),
            ("bytes=4-2", None),
            ("bytes=0-1,3-4", None),
            ("bytes=a-b", None),
            ("lines=1-2", None),
        ] {
            assert_eq!(parse_range(header, 10), expected, "{header}");
        }
        assert_eq!(parse_range("bytes=0-", 0), Some(Err(())));
    }

    proptest! {
        #[test]
        fn any_range_is_within_the_body(header in "(bytes=)?[0-9-]{0,30}", size: u64) {
            if let Some(Ok(range)) = parse_range(&header, size) {
                prop_assert!(range.start < range.end && range.end <= size);
            }
        }
    }
}
