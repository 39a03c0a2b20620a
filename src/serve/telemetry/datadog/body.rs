//! Receives bodies. Owns the limits of size and time, and decompression up to
//! a limit. Must not know what is inside.

use std::io::Read;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::{answer, sender};
use axum::response::Response;

/// The agent's `max_request_bytes`: 25 MiB.
pub(crate) const LIMIT: usize = 25 << 20;
/// The agent's `receiver_timeout`.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(5);

/// Why there is no body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// It is larger than allowed, as sent or decompressed.
    #[error("payload-too-large")]
    TooLarge,
    /// It did not come in time.
    #[error("timeout")]
    Timeout,
    /// The connection broke.
    #[error("unexpected-eof")]
    Broken,
    /// `Content-Encoding` is not one that is known.
    #[error("unsupported content encoding: `{0}`")]
    Encoding(String),
    /// It is not what `Content-Encoding` says.
    #[error("body is not valid {0}")]
    Compressed(&'static str),
}

impl Error {
    /// The answer to it.
    pub(crate) fn answer(&self) -> Response {
        match self {
            Self::TooLarge => answer::too_large(),
            Self::Timeout => answer::timeout(),
            Self::Encoding(_) => {
                answer::refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, &self.to_string())
            }
            Self::Broken | Self::Compressed(_) => {
                answer::refuse(StatusCode::BAD_REQUEST, &self.to_string())
            }
        }
    }
}

/// Reads a body as it was sent, at most `limit` bytes.
///
/// # Errors
///
/// It is too large, too slow, or broke off.
pub(crate) async fn receive(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, Error> {
    let announced = sender::text(headers, header::CONTENT_LENGTH.as_str()).parse::<usize>();
    if announced.is_ok_and(|length| length > limit) {
        return Err(Error::TooLarge);
    }
    match tokio::time::timeout(TIMEOUT, Limited::new(body, limit).collect()).await {
        Err(_) => Err(Error::Timeout),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Error::TooLarge),
        Ok(Err(_)) => Err(Error::Broken),
    }
}

/// Undoes `Content-Encoding`, up to `limit` bytes.
///
/// # Errors
///
/// The encoding is unknown, the body is not of it, or more would come out.
pub(crate) fn decompress(headers: &HeaderMap, body: &Bytes, limit: usize) -> Result<Bytes, Error> {
    let encoding = sender::text(headers, header::CONTENT_ENCODING.as_str()).trim();
    match encoding.to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(body.clone()),
        "gzip" => read(MultiGzDecoder::new(&body[..]), limit, "gzip"),
        "deflate" => read(ZlibDecoder::new(&body[..]), limit, "deflate"),
        // The second is Datadog's own name for the first.
        "zstd" | "zstd1" => zstd(body, limit),
        _ => Err(Error::Encoding(encoding.to_owned())),
    }
}

fn read(decoder: impl Read, limit: usize, name: &'static str) -> Result<Bytes, Error> {
    let mut plain = Vec::new();
    let one_more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    decoder.take(one_more).read_to_end(&mut plain).map_err(|_| Error::Compressed(name))?;
    if plain.len() > limit { Err(Error::TooLarge) } else { Ok(plain.into()) }
}

/// Clients compress with windows of some megabytes; a frame that asks for one
/// larger than what may come out is refused before it gets memory.
fn zstd(body: &[u8], limit: usize) -> Result<Bytes, Error> {
    let window = zstd_window(body).ok_or(Error::Compressed("zstd"))?;
    if window > u64::try_from(limit).unwrap_or(u64::MAX).max(8 << 20) {
        return Err(Error::TooLarge);
    }
    let decoder = ruzstd::decoding::StreamingDecoder::new(body);
    read(decoder.map_err(|_| Error::Compressed("zstd"))?, limit, "zstd")
}

/// The memory that a frame asks for (RFC 8878, section 3.1.1.1).
fn zstd_window(body: &[u8]) -> Option<u64> {
    let frame = body.strip_prefix(&[0x28, 0xb5, 0x2f, 0xfd])?;
    let (descriptor, rest) = frame.split_first()?;
    let single_segment = descriptor & 0x20 != 0;
    if !single_segment {
        let window = *rest.first()?;
        let base = 1_u64 << (10 + (window >> 3));
        return Some(base + base / 8 * u64::from(window & 7));
    }
    let dictionary = [0, 1, 2, 4][usize::from(descriptor & 3)];
    let size = rest.get(dictionary..)?;
    Some(match descriptor >> 6 {
        0 => u64::from(*size.first()?),
        1 => u64::from(u16::from_le_bytes(*size.first_chunk()?)) + 256,
        2 => u64::from(u32::from_le_bytes(*size.first_chunk()?)),
        _ => u64::from_le_bytes(*size.first_chunk()?),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn encoded(encoding: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_ENCODING, encoding.parse().unwrap());
        headers
    }

    fn zeros(encoding: &str, len: usize) -> Bytes {
        let plain = vec![0; len];
        let level = flate2::Compression::default();
        match encoding {
            "gzip" => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
                encoder.write_all(&plain).unwrap();
                encoder.finish().unwrap().into()
            }
            "deflate" => {
                let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
                encoder.write_all(&plain).unwrap();
                encoder.finish().unwrap().into()
            }
            _ => {
                let level = ruzstd::encoding::CompressionLevel::Fastest;
                ruzstd::encoding::compress_to_vec(&plain[..], level).into()
            }
        }
    }

    #[test]
    fn every_encoding_is_undone_up_to_the_limit() {
        for encoding in ["gzip", "deflate", "zstd", "zstd1", "GZIP"] {
            let body = zeros(&encoding.to_lowercase(), 100_000);
            let plain = decompress(&encoded(encoding), &body, 100_000).unwrap();
            assert_eq!(plain.len(), 100_000, "{encoding}");
            let bomb = decompress(&encoded(encoding), &body, 99_999);
            assert_eq!(bomb, Err(Error::TooLarge), "{encoding}");
        }
        let body = Bytes::from_static(b"plain");
        assert_eq!(decompress(&HeaderMap::new(), &body, 5), Ok(body));
    }

    #[test]
    fn what_is_not_compressed_so_is_refused() {
        let body = Bytes::from_static(b"plain");
        for encoding in ["gzip", "deflate", "zstd"] {
            let error = decompress(&encoded(encoding), &body, 100).unwrap_err();
            assert_eq!(error.answer().status(), StatusCode::BAD_REQUEST, "{encoding}");
        }
        let error = decompress(&encoded("br"), &body, 100).unwrap_err();
        assert_eq!(error.answer().status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }

    #[test]
    fn a_frame_that_asks_for_much_memory_is_refused() {
        let body = Bytes::from_static(&[0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xf8, 0, 0, 0]);
        assert_eq!(zstd_window(&body), Some(1 << 41));
        assert_eq!(decompress(&encoded("zstd"), &body, 100), Err(Error::TooLarge));
        assert_eq!(zstd_window(&[0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 1]), Some(1 << 24));
    }

    #[tokio::test]
    async fn a_body_above_the_limit_is_refused() {
        let body = Body::from(vec![0; 11]);
        let refused = receive(&HeaderMap::new(), body, 10).await;
        assert_eq!(refused, Err(Error::TooLarge));
        let body = Body::from(vec![0; 10]);
        assert_eq!(receive(&HeaderMap::new(), body, 10).await.unwrap().len(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_a_timeout() {
        let never = futures::stream::pending::<Result<Bytes, std::io::Error>>();
        let refused = receive(&HeaderMap::new(), Body::from_stream(never), 10).await;
        assert_eq!(refused, Err(Error::Timeout));
    }
}
