//! Decoder of `aws-chunked` bodies: chunk sizes, chunk signatures, trailers.
//! It holds at most one header line; data passes through. It does not judge
//! checksums, only the form and the chunk signatures.
//!
//! Source: "Signature Calculations for the Authorization Header: Transferring
//! Payload in Multiple Chunks" and "… with trailing headers" in the Amazon S3
//! API reference.

use bytes::{Buf, Bytes, BytesMut};
use sha2::{Digest, Sha256};

use crate::serve::s3::auth::sign::{self, hmac};

/// The longest chunk header or trailer line, in bytes.
const MAX_LINE: usize = 8 * 1024;
/// The most trailer lines.
const MAX_TRAILERS: usize = 16;
/// The least size in bytes of a signed chunk that is not the last.
const MIN_CHUNK: u64 = 8192;
const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// What is wrong with a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ChunkError {
    /// Not of the form that the reference gives.
    #[error("the chunked body is malformed")]
    Malformed,
    /// A chunk's or the trailer's signature is wrong.
    #[error("a chunk signature does not match")]
    Signature,
    /// A chunk other than the last is too small.
    #[error("a signed chunk other than the last has less than {MIN_CHUNK} bytes")]
    Size,
    /// The body ended early.
    #[error("the chunked body ended early")]
    Incomplete,
}

/// What is needed to check the signatures of chunks.
#[derive(Debug, Clone)]
pub(crate) struct ChunkSigner {
    pub(crate) key: [u8; 32],
    pub(crate) amz_date: String,
    pub(crate) scope: String,
    pub(crate) previous: String,
}

impl ChunkSigner {
    fn chunk(&self, data: &str) -> String {
        let text = format!(
            "AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}\n{}\n{EMPTY_SHA256}\n{data}",
            self.amz_date, self.scope, self.previous
        );
        hex::encode(hmac(&self.key, text.as_bytes()))
    }

    fn trailer(&self, lines: &[u8]) -> String {
        let text = format!(
            "AWS4-HMAC-SHA256-TRAILER\n{}\n{}\n{}\n{}",
            self.amz_date,
            self.scope,
            self.previous,
            sign::sha256_hex(lines)
        );
        hex::encode(hmac(&self.key, text.as_bytes()))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Size,
    Data { left: u64 },
    DataEnd { seen: usize },
    Trailer,
    Done,
}

/// The decoder. Feed it with [`Decoder::push`], then call [`Decoder::finish`].
#[derive(Debug)]
pub(crate) struct Decoder {
    state: State,
    line: BytesMut,
    /// Signed chunks carry signatures, whether or not they can be checked.
    signed: bool,
    last_size: u64,
    signer: Option<ChunkSigner>,
    chunk_signature: String,
    chunk_hash: Sha256,
    has_trailer: bool,
    trailers: Vec<(String, String)>,
    trailer_lines: Vec<u8>,
    trailer_signature: Option<String>,
}

impl Decoder {
    /// A decoder; `signed` when each chunk has a signature, which is checked
    /// if there is a `signer`; `has_trailer` when header lines follow.
    pub(crate) fn new(signed: bool, signer: Option<ChunkSigner>, has_trailer: bool) -> Self {
        Self {
            state: State::Size,
            line: BytesMut::new(),
            signed,
            last_size: MIN_CHUNK,
            signer,
            chunk_signature: String::new(),
            chunk_hash: Sha256::new(),
            has_trailer,
            trailers: Vec::new(),
            trailer_lines: Vec::new(),
            trailer_signature: None,
        }
    }

    /// Takes bytes off the wire and appends the payload to `out`.
    pub(crate) fn push(
        &mut self,
        mut input: Bytes,
        out: &mut Vec<Bytes>,
    ) -> Result<(), ChunkError> {
        while !input.is_empty() {
            match self.state {
                State::Size => {
                    if let Some(line) = self.take_line(&mut input)? {
                        self.begin_chunk(&line)?;
                    }
                }
                State::Data { left } => {
                    let take = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                    let data = input.split_to(take);
                    if self.signer.is_some() {
                        self.chunk_hash.update(&data);
                    }
                    out.push(data);
                    let left = left - take as u64;
                    self.state =
                        if left == 0 { State::DataEnd { seen: 0 } } else { State::Data { left } };
                    if left == 0 {
                        self.check_chunk()?;
                    }
                }
                State::DataEnd { seen } => {
                    let expected = if seen == 0 { b'\r' } else { b'\n' };
                    if input.get_u8() != expected {
                        return Err(ChunkError::Malformed);
                    }
                    self.state = if seen == 0 { State::DataEnd { seen: 1 } } else { State::Size };
                }
                State::Trailer => {
                    if let Some(line) = self.take_line(&mut input)? {
                        self.trailer_line(&line)?;
                    }
                }
                // Some clients end a body without trailer with one more line
                // end; anything else after the end is not a body.
                State::Done => {
                    if !matches!(input.get_u8(), b'\r' | b'\n') {
                        return Err(ChunkError::Malformed);
                    }
                }
            }
        }
        Ok(())
    }

    /// Says that no more bytes come, and returns the trailers.
    pub(crate) fn finish(&mut self) -> Result<Vec<(String, String)>, ChunkError> {
        match self.state {
            State::Done => {}
            // The last line end is missing from some clients' bodies.
            State::Trailer if self.line.is_empty() => {}
            _ => return Err(ChunkError::Incomplete),
        }
        if self.has_trailer
            && let Some(signer) = &self.signer
        {
            let given = self.trailer_signature.as_deref().ok_or(ChunkError::Signature)?;
            if !sign::same(given, &signer.trailer(&self.trailer_lines)) {
                return Err(ChunkError::Signature);
            }
        }
        Ok(std::mem::take(&mut self.trailers))
    }

    /// A whole line without its end, or nothing when more is needed.
    fn take_line(&mut self, input: &mut Bytes) -> Result<Option<Bytes>, ChunkError> {
        let end = memchr::memchr(b'\n', input);
        let take = end.map_or(input.len(), |at| at + 1);
        if self.line.len() + take > MAX_LINE {
            return Err(ChunkError::Malformed);
        }
        self.line.extend_from_slice(&input.split_to(take));
        if end.is_none() {
            return Ok(None);
        }
        let mut line = self.line.split().freeze();
        line.truncate(line.len() - 1);
        if line.last() != Some(&b'\r') {
            return Err(ChunkError::Malformed);
        }
        line.truncate(line.len() - 1);
        Ok(Some(line))
    }

    fn begin_chunk(&mut self, line: &[u8]) -> Result<(), ChunkError> {
        let line = std::str::from_utf8(line).map_err(|_| ChunkError::Malformed)?;
        let (size, extension) = line.split_once(';').map_or((line, None), |(a, b)| (a, Some(b)));
        if size.is_empty() || size.len() > 16 || !size.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(ChunkError::Malformed);
        }
        let size = u64::from_str_radix(size, 16).map_err(|_| ChunkError::Malformed)?;
        if self.signed {
            let signature = extension.and_then(|e| e.strip_prefix("chunk-signature="));
            signature.ok_or(ChunkError::Malformed)?.clone_into(&mut self.chunk_signature);
        }
        if size > 0 {
            if self.signed && self.last_size < MIN_CHUNK {
                return Err(ChunkError::Size);
            }
            self.last_size = size;
            self.state = State::Data { left: size };
            return Ok(());
        }
        self.check_chunk()?;
        // Without trailers one empty line is left.
        self.state = State::Trailer;
        Ok(())
    }

    fn check_chunk(&mut self) -> Result<(), ChunkError> {
        let Some(signer) = &mut self.signer else { return Ok(()) };
        let data = hex::encode(self.chunk_hash.finalize_reset());
        if !sign::same(&self.chunk_signature, &signer.chunk(&data)) {
            return Err(ChunkError::Signature);
        }
        signer.previous.clone_from(&self.chunk_signature);
        Ok(())
    }

    fn trailer_line(&mut self, line: &[u8]) -> Result<(), ChunkError> {
        if line.is_empty() {
            self.state = State::Done;
            return Ok(());
        }
        let line = std::str::from_utf8(line).map_err(|_| ChunkError::Malformed)?;
        let (name, value) = line.split_once(':').ok_or(ChunkError::Malformed)?;
        let name = name.trim().to_ascii_lowercase();
        let value = value.trim();
        if name == "x-amz-trailer-signature" {
            self.trailer_signature = Some(value.to_owned());
            return Ok(());
        }
        if !self.has_trailer || self.trailers.len() == MAX_TRAILERS {
            return Err(ChunkError::Malformed);
        }
        self.trailer_lines.extend_from_slice(format!("{name}:{value}\n").as_bytes());
        self.trailers.push((name, value.to_owned()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Decoded = (Vec<u8>, Vec<(String, String)>);

    fn decode(decoder: &mut Decoder, body: &[u8], piece: usize) -> Result<Decoded, ChunkError> {
        let mut out = Vec::new();
        for part in body.chunks(piece.max(1)) {
            decoder.push(Bytes::copy_from_slice(part), &mut out)?;
        }
        Ok((out.concat(), decoder.finish()?))
    }

    #[test]
    fn unsigned_chunks_and_a_trailer() {
        let body = b"5\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n";
        for piece in 1..body.len() {
            let (data, trailers) =
                decode(&mut Decoder::new(false, None, true), body, piece).unwrap();
            assert_eq!(data, b"hello world");
            assert_eq!(trailers, [("x-amz-checksum-crc32".to_owned(), "DUoRhQ==".to_owned())]);
        }
    }

    // The example of the reference: 66560 bytes `a` in two chunks.
    #[test]
    fn the_documented_signed_body_is_accepted_and_a_changed_one_is_not() {
        let scope =
            sign::Scope::parse("AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request").unwrap();
        let signer = ChunkSigner {
            key: scope.key("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
            amz_date: "20130524T000000Z".into(),
            scope: scope.text(),
            previous: "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9".into(),
        };
        let mut body = b"10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n".to_vec();
        body.resize(body.len() + 65536, b'a');
        body.extend(b"\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n");
        body.extend([b'a'; 1024]);
        body.extend(b"\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n");
        let mut decoder = Decoder::new(true, Some(signer.clone()), false);
        assert_eq!(decode(&mut decoder, &body, 1000).unwrap().0.len(), 66560);
        body[200] = b'b';
        let mut decoder = Decoder::new(true, Some(signer), false);
        assert_eq!(decode(&mut decoder, &body, 1000), Err(ChunkError::Signature));
    }

    #[test]
    fn malformed_and_short_bodies_are_refused() {
        for (body, error) in [
            (&b"x\r\n"[..], ChunkError::Malformed),
            (b"\r\n", ChunkError::Malformed),
            (b"5\nhello", ChunkError::Malformed),
            (b"5\r\nhelloXX", ChunkError::Malformed),
            (b"ffffffffffffffffff\r\n", ChunkError::Malformed),
            (b"5\r\nhel", ChunkError::Incomplete),
            (b"5\r\nhello\r\n", ChunkError::Incomplete),
            (b"0\r\n\r\nmore", ChunkError::Malformed),
        ] {
            let got = decode(&mut Decoder::new(false, None, false), body, 3);
            assert_eq!(got, Err(error), "{}", body.escape_ascii());
        }
        let long = vec![b'1'; 3 * MAX_LINE];
        let got = decode(&mut Decoder::new(false, None, false), &long, 100);
        assert_eq!(got, Err(ChunkError::Malformed));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(body in proptest::collection::vec(any::<u8>(), 0..400), piece in 1_usize..64, signed: bool, trailer: bool) {
            let mut decoder = Decoder::new(signed, None, trailer);
            let mut out = Vec::new();
            for part in body.chunks(piece) {
                if decoder.push(Bytes::copy_from_slice(part), &mut out).is_err() {
                    break;
                }
                prop_assert!(decoder.line.len() <= MAX_LINE);
            }
            let _ = decoder.finish();
            prop_assert!(out.iter().map(Bytes::len).sum::<usize>() <= body.len());
        }

        #[test]
        fn what_is_encoded_is_decoded(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..50), 0..8), piece in 1_usize..40) {
            let mut body = Vec::new();
            for chunk in &chunks {
                body.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
                body.extend(chunk);
                body.extend(b"\r\n");
            }
            body.extend(b"0\r\n\r\n");
            let (data, _) = decode(&mut Decoder::new(false, None, false), &body, piece).unwrap();
            prop_assert_eq!(data, chunks.concat());
        }
    }
}
