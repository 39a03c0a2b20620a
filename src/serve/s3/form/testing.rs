//! A form that comes in pieces, for tests and fuzzers.

use bytes::Bytes;
use futures::StreamExt as _;
use http_body::Frame;
use http_body_util::BodyExt as _;
use s3s::{Body, S3Error};

use super::fields::{Form, read};

/// Reads a form whose boundary is `XX` in pieces of so many bytes; fields, and the file when it is
/// whole.
///
/// # Errors
/// As [`read`].
pub(in super::super) async fn parse(
    bytes: &[u8],
    piece: usize,
) -> Result<(Form, Option<Bytes>), S3Error> {
    let pieces: Vec<_> = bytes
        .chunks(piece)
        .map(|part| Ok::<_, std::io::Error>(Frame::data(Bytes::copy_from_slice(part))))
        .collect();
    let stream = http_body_util::StreamBody::new(futures::stream::iter(pieces).fuse());
    let (form, file) = read(&mut Body::http_body_unsync(stream), b"XX").await?;
    Ok((form, file.collect().await.ok().map(http_body_util::Collected::to_bytes)))
}

/// Reads a text as the policy of a form, as it is and encoded.
#[cfg(fuzzing)]
pub(in super::super) fn policy(text: &str) {
    use base64::Engine as _;
    let _ = super::policy::PostPolicy::read(text);
    let _ = super::policy::PostPolicy::read(&base64::prelude::BASE64_STANDARD.encode(text));
}
