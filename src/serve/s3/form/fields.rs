//! Reading `multipart/form-data`: the fields before the file are kept, at most
//! 20 KB of them as in S3, and the file passes through. What follows the file
//! is dropped.
//!
//! Source: RFC 7578.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http_body::Frame;
use http_body_util::BodyExt as _;
use memchr::memmem;
use s3s::{Body, S3Error, S3ErrorCode};

use super::malformed;
use crate::serve::s3::request::payload::broken_off;

/// The most bytes before the file.
const MAX_BEFORE_FILE: usize = 20 * 1024;
/// The most fields.
const MAX_FIELDS: usize = 100;

type StdError = Box<dyn std::error::Error + Send + Sync>;

/// The fields of a form; names in lower case.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in super::super) struct Form {
    pub(super) fields: Vec<(String, String)>,
    pub(super) file_name: String,
}

impl Form {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// The boundary out of `Content-Type`.
pub(super) fn boundary(content_type: &str) -> Option<Vec<u8>> {
    let (_, parameters) = content_type.split_once(';')?;
    let value = parameters.split(';').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"'))
    })?;
    ((1..=70).contains(&value.len())).then(|| value.as_bytes().to_vec())
}

/// Reads the fields up to the file, which takes the body with it.
pub(super) async fn read(body: &mut Body, boundary: &[u8]) -> Result<(Form, FileBody), S3Error> {
    let mut buffer = BytesMut::from(&b"\r\n"[..]);
    let delimiter = [b"\r\n--", boundary].concat();
    let mut form = Form::default();
    let mut ended = false;
    loop {
        match step(&mut buffer, &delimiter, &mut form)? {
            Step::File => {
                let inner = std::mem::take(body);
                return Ok((form, FileBody { inner, buffer, delimiter, state: State::File }));
            }
            Step::Field => continue,
            Step::More if ended => return Err(malformed()),
            Step::More => {}
        }
        if buffer.len() > MAX_BEFORE_FILE {
            let message = "Your POST request fields preceding the upload file were too large.";
            return Err(super::fail(S3ErrorCode::MaxPostPreDataLengthExceededError, message));
        }
        match body.frame().await {
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    buffer.extend_from_slice(&data);
                }
            }
            Some(Err(error)) => return Err(broken_off(&error)),
            None => ended = true,
        }
    }
}

enum Step {
    More,
    Field,
    File,
}

/// Takes one part's head, and its value when it is a field, off the buffer.
fn step(buffer: &mut BytesMut, delimiter: &[u8], form: &mut Form) -> Result<Step, S3Error> {
    let Some(start) = memmem::find(buffer, delimiter) else { return Ok(Step::More) };
    let head = start + delimiter.len();
    match buffer.get(head..head + 2) {
        None => return Ok(Step::More),
        Some(b"--") => {
            let message = "POST requires exactly one file upload per request.";
            return Err(super::invalid_argument("file", "0", message));
        }
        Some(b"\r\n") => {}
        Some(_) => return Err(malformed()),
    }
    let Some(end) = memmem::find(&buffer[head..], b"\r\n\r\n").map(|at| head + at) else {
        return Ok(Step::More);
    };
    let part = Part::read(&buffer[head + 2..end.max(head + 2)])?;
    let value = end + 4;
    if part.name == "file" {
        form.file_name = part.file_name;
        buffer.advance(value);
        return Ok(Step::File);
    }
    let Some(length) = memmem::find(&buffer[value..], delimiter) else { return Ok(Step::More) };
    let text = std::str::from_utf8(&buffer[value..value + length]).map_err(|_| malformed())?;
    if form.fields.len() == MAX_FIELDS {
        return Err(malformed());
    }
    // A policy would be held against one of the values, and the other taken.
    if form.get(&part.name).is_some() {
        let message = format!("The form has more than one field '{}'.", part.name);
        return Err(super::invalid_argument(&part.name, text, message));
    }
    form.fields.push((part.name, text.to_owned()));
    buffer.advance(value + length);
    Ok(Step::Field)
}

struct Part {
    name: String,
    file_name: String,
}

impl Part {
    fn read(head: &[u8]) -> Result<Self, S3Error> {
        let head = std::str::from_utf8(head).map_err(|_| malformed())?;
        let mut part = Self { name: String::new(), file_name: String::new() };
        for line in head.split("\r\n") {
            let Some((name, value)) = line.split_once(':') else { continue };
            if name.eq_ignore_ascii_case("content-disposition") {
                part.name = quoted(value, "name").unwrap_or_default().to_ascii_lowercase();
                let file = quoted(value, "filename").unwrap_or_default();
                // Some browsers send the whole path.
                file.rsplit(['/', '\\']).next().unwrap_or_default().clone_into(&mut part.file_name);
            }
        }
        if part.name.is_empty() { Err(malformed()) } else { Ok(part) }
    }
}

/// The value of `name="…"` among the parameters of a header.
fn quoted(header: &str, wanted: &str) -> Option<String> {
    let (_, mut rest) = header.split_once(';')?;
    loop {
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let (value, tail) = if let Some(open) = after.strip_prefix('"') {
            let mut value = String::new();
            let mut chars = open.char_indices();
            let mut end = open.len();
            while let Some((at, c)) = chars.next() {
                match c {
                    '"' => {
                        end = at + 1;
                        break;
                    }
                    '\\' => value.extend(chars.next().map(|(_, c)| c)),
                    c => value.push(c),
                }
            }
            (value, open.get(end..).unwrap_or_default())
        } else {
            let end = after.find(';').unwrap_or(after.len());
            (after[..end].trim().to_owned(), &after[end..])
        };
        if name.trim().trim_start_matches(';').trim().eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = tail;
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    File,
    After,
    Ended,
}

/// The bytes of the file.
pub(super) struct FileBody {
    inner: Body,
    buffer: BytesMut,
    delimiter: Vec<u8>,
    state: State,
}

impl FileBody {
    /// What surely belongs to the file.
    fn ready(&mut self) -> Option<Bytes> {
        if self.state != State::File {
            return None;
        }
        if let Some(end) = memmem::find(&self.buffer, &self.delimiter) {
            self.state = State::After;
            let data = self.buffer.split_to(end).freeze();
            self.buffer.clear();
            return (!data.is_empty()).then_some(data);
        }
        let keep = self.delimiter.len() - 1;
        let sure = self.buffer.len().saturating_sub(keep);
        (sure > 0).then(|| self.buffer.split_to(sure).freeze())
    }
}

impl http_body::Body for FileBody {
    type Data = Bytes;
    type Error = StdError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StdError>>> {
        let this = &mut *self;
        loop {
            if let Some(data) = this.ready() {
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            if this.state == State::Ended {
                return Poll::Ready(None);
            }
            match ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    if let (Ok(data), State::File) = (frame.into_data(), this.state) {
                        this.buffer.extend_from_slice(&data);
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None if this.state == State::After => this.state = State::Ended,
                None => {
                    this.state = State::Ended;
                    return Poll::Ready(Some(Err("the form ended within the file".into())));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    use super::super::testing::parse;

    const FORM: &[u8] = b"--XX\r\nContent-Disposition: form-data; name=\"Key\"\r\n\r\nuser/${filename}\r\n\
        --XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"C:\\\\a\\\\b.txt\"\r\nContent-Type: text/plain\r\n\r\n\
        some\r\n--XY text\r\n--XX\r\nContent-Disposition: form-data; name=\"submit\"\r\n\r\nUpload\r\n--XX--\r\n";

    const TWICE: &[u8] = b"--XX\r\nContent-Disposition: form-data; name=\"acl\"\r\n\r\nprivate\r\n\
        --XX\r\nContent-Disposition: form-data; name=\"ACL\"\r\n\r\npublic-read\r\n--XX--\r\n";

    #[tokio::test]
    async fn fields_and_file_are_read_in_pieces_of_any_size() {
        for piece in 1..80 {
            let (form, file) = parse(FORM, piece).await.unwrap();
            assert_eq!(form.get("key"), Some("user/${filename}"));
            assert_eq!(form.file_name, "b.txt");
            assert_eq!(file.unwrap(), "some\r\n--XY text", "{piece}");
        }
    }

    #[tokio::test]
    async fn broken_forms_are_refused() {
        for (bytes, code) in [
            (&b""[..], "MalformedPOSTRequest"),
            (b"--XX--\r\n", "InvalidArgument"),
            (b"--XX\r\n\r\nvalue\r\n--XX--", "MalformedPOSTRequest"),
            (TWICE, "InvalidArgument"),
            (&b"x".repeat(30_000), "MaxPostPreDataLengthExceeded"),
        ] {
            let error = parse(bytes, 1000).await.unwrap_err();
            assert!(error.code().as_str().starts_with(code), "{error:?}");
        }
        let within = memmem::find(FORM, b"--XY").unwrap();
        let (_, file) = parse(&FORM[..within], 50).await.unwrap();
        assert!(file.is_none());
    }

    #[test]
    fn boundaries_are_found() {
        assert_eq!(boundary("multipart/form-data; boundary=\"a b\"").unwrap(), b"a b");
        assert_eq!(boundary("multipart/form-data"), None);
        assert_eq!(boundary("multipart/form-data; boundary="), None);
    }

    proptest! {
        #[test]
        fn any_form_is_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300), cut in 0_usize..300) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let _ = parse(&bytes, 7).await;
                let mut changed = FORM.to_vec();
                let at = cut % changed.len();
                changed.splice(at..at, bytes.iter().copied());
                let _ = parse(&changed, 11).await;
            });
        }
    }
}
