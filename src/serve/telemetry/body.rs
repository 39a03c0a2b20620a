//! Request bodies: read within a limit, and decompressed within it.
//!
//! Owns limits alone; knows no protocol.

use std::io::Read;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use http_body_util::BodyExt;

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BodyError {
    /// It is larger than allowed, as sent or when decompressed.
    #[error("the body is too large")]
    TooLarge,
    /// It is compressed in an unknown way.
    #[error("the content encoding is not supported")]
    Encoding,
    /// It is not compressed as it says.
    #[error("the body cannot be decompressed")]
    Malformed,
    /// The client went away.
    #[error("the body is not complete")]
    Aborted,
}

/// What is too large is read on to this many times the limit, as a client that is still sending
/// would see a broken connection in place of the answer.
const PATIENCE: usize = 4;

/// Reads a body as it is sent, up to `limit` bytes.
///
/// # Errors
/// When it is too large or ends early.
pub(super) async fn read(mut body: Body, limit: usize) -> Result<Bytes, BodyError> {
    let mut bytes = BytesMut::new();
    let mut length = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| BodyError::Aborted)?;
        let Ok(data) = frame.into_data() else { continue };
        length = length.saturating_add(data.len());
        if length <= limit {
            bytes.extend_from_slice(&data);
        } else if length > limit.saturating_mul(PATIENCE) {
            break;
        } else {
            bytes = BytesMut::new();
        }
    }
    if length > limit { Err(BodyError::TooLarge) } else { Ok(bytes.freeze()) }
}

/// Decompresses a body as its `Content-Encoding` says: gzip, deflate, zstd, or not at all.
///
/// # Errors
/// When that is not possible, or gives more than `limit` bytes.
pub(super) fn decompress(
    headers: &HeaderMap,
    body: Bytes,
    limit: usize,
) -> Result<Bytes, BodyError> {
    let encoding = match headers.get(CONTENT_ENCODING).map(http::HeaderValue::to_str) {
        None => return Ok(body),
        Some(Ok(encoding)) => encoding.trim().to_ascii_lowercase(),
        Some(Err(_)) => return Err(BodyError::Encoding),
    };
    match encoding.as_str() {
        "" | "identity" => Ok(body),
        "gzip" | "x-gzip" => bounded(flate2::read::MultiGzDecoder::new(&body[..]), limit),
        "deflate" => bounded(flate2::read::ZlibDecoder::new(&body[..]), limit),
        "zstd" => {
            let decoder = ruzstd::decoding::StreamingDecoder::new(&body[..])
                .map_err(|_| BodyError::Malformed)?;
            bounded(decoder, limit)
        }
        _ => Err(BodyError::Encoding),
    }
}

fn bounded(reader: impl Read, limit: usize) -> Result<Bytes, BodyError> {
    let mut bytes = Vec::new();
    let read = reader.take(limit as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|_| BodyError::Malformed)?;
    if bytes.len() > limit {
        return Err(BodyError::TooLarge);
    }
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Bytes {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap().into()
    }

    fn encoded(encoding: &str) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_ENCODING, encoding.parse().unwrap())])
    }

    #[test]
    fn bodies_are_decompressed_as_they_say() {
        let plain = Bytes::from_static(b"hello");
        assert_eq!(decompress(&encoded("gzip"), gzip(b"hello"), 10), Ok(plain.clone()));
        assert_eq!(decompress(&encoded("identity"), plain.clone(), 10), Ok(plain.clone()));
        assert_eq!(decompress(&HeaderMap::new(), plain.clone(), 10), Ok(plain.clone()));
        let unknown = decompress(&encoded("br"), plain.clone(), 10);
        assert_eq!(unknown, Err(BodyError::Encoding));
        for encoding in ["gzip", "deflate", "zstd"] {
            let broken = decompress(&encoded(encoding), plain.clone(), 10);
            assert_eq!(broken, Err(BodyError::Malformed), "{encoding}");
        }
    }

    #[test]
    fn a_bomb_does_not_go_off() {
        let bomb = gzip(&vec![0; 10 << 20]);
        assert!(bomb.len() < 20_000);
        assert_eq!(decompress(&encoded("gzip"), bomb, 1 << 20), Err(BodyError::TooLarge));
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_limit() {
        assert_eq!(read(Body::from("12345"), 5).await, Ok(Bytes::from_static(b"12345")));
        assert_eq!(read(Body::from("12345"), 4).await, Err(BodyError::TooLarge));
    }
}
