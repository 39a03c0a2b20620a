//! Answers on their way out: errors as XML, the headers that all answers
//! carry, and a body that counts, can be slowed down or cut, and reports when
//! it is over.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body::{Body as _, Frame, SizeHint};
use s3s::{Body, S3Error};
use tokio::time::{Instant, Sleep, sleep};

use super::error::Shown;

type StdError = Box<dyn std::error::Error + Send + Sync>;

/// The most bytes sent at once when the body is slowed down.
const SLOW_PIECE: usize = 16 * 1024;
/// The longest error that `s3s` gives.
const MAX_ERROR: usize = 64 * 1024;

/// Where an error happened, for its XML.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) resource: &'a str,
    pub(crate) request_id: &'a str,
    pub(crate) host_id: &'a str,
    pub(crate) bucket: Option<&'a str>,
    pub(crate) key: Option<&'a str>,
    pub(crate) is_head: bool,
}

/// The XML of an answer, where that of `s3s` is not as S3 writes it.
#[derive(Debug, Clone)]
pub(crate) struct Replaced(pub(crate) String);

/// The answer to a request that failed, and its code for the log.
pub(crate) fn of_error(error: &S3Error, place: &Place<'_>) -> (Response<Body>, String) {
    let status = error.status_code().unwrap_or(match error.code().as_str() {
        "NoSuchTagSet" | "NoSuchPublicAccessBlockConfiguration" | "NoSuchCORSConfiguration" => {
            StatusCode::NOT_FOUND
        }
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    });
    let mut headers = HeaderMap::new();
    let shown = Shown::of(error, &mut headers);
    finish(status, headers, shown, place)
}

/// Puts what `s3s` answered into the form of S3. Gives the code of an error.
pub(crate) async fn of_s3s(
    answer: Response<Body>,
    place: &Place<'_>,
) -> (Response<Body>, Option<String>) {
    let (mut parts, mut body) = answer.into_parts();
    // `s3s` takes no status from an operation.
    if let Some(status) = parts.extensions.get::<StatusCode>() {
        parts.status = *status;
    }
    if let Some(Replaced(xml)) = parts.extensions.remove::<Replaced>() {
        parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(xml.len()));
        body = Body::from(xml);
    }
    let status = parts.status;
    if status != StatusCode::NOT_MODIFIED && !status.is_client_error() && !status.is_server_error()
    {
        return (Response::from_parts(parts, body), None);
    }
    let bytes = body.store_all_limited(MAX_ERROR).await.unwrap_or_default();
    let mut headers = parts.headers;
    let shown = Shown::read(&String::from_utf8_lossy(&bytes), &mut headers);
    let (answer, code) = finish(status, headers, shown, place);
    (answer, Some(code))
}

fn finish(
    status: StatusCode,
    mut headers: HeaderMap,
    mut shown: Shown,
    place: &Place<'_>,
) -> (Response<Body>, String) {
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::CONTENT_TYPE);
    let add = |shown: &mut Shown, name: &str, value: Option<&str>| {
        if let Some(value) = value
            && !shown.extras.iter().any(|(have, _)| have == name)
        {
            shown.extras.push((name.to_owned(), value.to_owned()));
        }
    };
    match shown.code.as_str() {
        "NoSuchBucket"
        | "BucketNotEmpty"
        | "BucketAlreadyExists"
        | "BucketAlreadyOwnedByYou"
        | "InvalidBucketName"
        | "NoSuchBucketPolicy"
        | "NoSuchLifecycleConfiguration"
        | "NoSuchTagSet"
        | "NoSuchCORSConfiguration"
        | "NoSuchWebsiteConfiguration"
        | "ServerSideEncryptionConfigurationNotFoundError"
        | "OwnershipControlsNotFoundError"
        | "NoSuchPublicAccessBlockConfiguration"
        | "ObjectLockConfigurationNotFoundError"
        | "ReplicationConfigurationNotFoundError" => add(&mut shown, "BucketName", place.bucket),
        "NoSuchKey" | "NoSuchVersion" | "DeleteMarker" => add(&mut shown, "Key", place.key),
        _ => {}
    }
    let code = std::mem::take(&mut shown.code);
    let mut answer = if place.is_head || status == StatusCode::NOT_MODIFIED {
        Response::new(Body::empty())
    } else {
        shown.code.clone_from(&code);
        let xml = shown.xml(place.resource, place.request_id, place.host_id);
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(xml.len()));
        Response::new(Body::from(xml))
    };
    if status != StatusCode::NOT_MODIFIED {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    }
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    (answer, code)
}

/// What a fault does to a body.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spoil {
    pub(crate) cut_after: Option<u64>,
    pub(crate) bytes_per_second: Option<u64>,
}

/// Called once when a body is over, with the bytes sent and whether all were.
pub(crate) type Done = Box<dyn FnOnce(u64, bool) + Send + Sync>;

/// The body of an answer.
pub(crate) struct AnswerBody {
    inner: Body,
    sent: u64,
    spoil: Spoil,
    pending: Bytes,
    pause: Option<Pin<Box<Sleep>>>,
    done: Option<Done>,
}

impl AnswerBody {
    pub(crate) fn new(inner: Body, spoil: Spoil, done: Option<Done>) -> Self {
        Self { inner, sent: 0, spoil, pending: Bytes::new(), pause: None, done }
    }

    fn over(&mut self, whole: bool) {
        if let Some(done) = self.done.take() {
            done(self.sent, whole);
        }
    }

    /// The next piece, with the rest kept; and the pause that it needs.
    fn piece(&mut self) -> Bytes {
        let mut take = self.pending.len();
        if let Some(speed) = self.spoil.bytes_per_second {
            let most = usize::try_from(speed).unwrap_or(usize::MAX).clamp(1, SLOW_PIECE);
            take = take.min(most);
            let micros = (take as u64).saturating_mul(1_000_000) / speed.max(1);
            let pause = Duration::from_micros(micros);
            self.pause = Some(Box::pin(sleep(pause)));
        }
        if let Some(cut) = self.spoil.cut_after {
            take = take.min(usize::try_from(cut - self.sent.min(cut)).unwrap_or(usize::MAX));
        }
        self.sent += take as u64;
        self.pending.split_to(take)
    }
}

impl http_body::Body for AnswerBody {
    type Data = Bytes;
    type Error = StdError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StdError>>> {
        let this = &mut *self;
        if let Some(pause) = &mut this.pause {
            ready!(pause.as_mut().poll(cx));
            this.pause = None;
        }
        if this.spoil.cut_after.is_some_and(|cut| this.sent >= cut) {
            this.over(false);
            return Poll::Ready(Some(Err("the connection is cut by a fault rule".into())));
        }
        if this.pending.is_empty() {
            match ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => this.pending = data,
                    Err(frame) => return Poll::Ready(Some(Ok(frame))),
                },
                Some(Err(error)) => {
                    this.over(false);
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    this.over(true);
                    return Poll::Ready(None);
                }
            }
        }
        Poll::Ready(Some(Ok(Frame::data(this.piece()))))
    }

    fn is_end_stream(&self) -> bool {
        self.pending.is_empty() && self.spoil.cut_after.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let pending = self.pending.len() as u64;
        let inner = self.inner.size_hint();
        inner.exact().map_or_else(SizeHint::default, |n| SizeHint::with_exact(n + pending))
    }
}

impl Drop for AnswerBody {
    fn drop(&mut self) {
        let whole = self.pending.is_empty() && self.inner.is_end_stream();
        self.over(whole);
    }
}

/// Seconds since a moment, in milliseconds with a fraction.
pub(crate) fn millis_since(start: Instant) -> f64 {
    (start.elapsed().as_secs_f64() * 1_000_000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;
    use std::sync::{Arc, Mutex};

    fn place(is_head: bool) -> Place<'static> {
        Place {
            resource: "/b",
            request_id: "R",
            host_id: "H",
            bucket: Some("b"),
            key: None,
            is_head,
        }
    }

    #[tokio::test]
    async fn errors_name_the_bucket_and_heads_have_no_body() {
        let error = S3Error::new(s3s::S3ErrorCode::NoSuchBucket);
        let (answer, code) = of_error(&error, &place(false));
        assert_eq!((answer.status(), code.as_str()), (StatusCode::NOT_FOUND, "NoSuchBucket"));
        let text = answer.into_body().bytes().unwrap();
        assert!(String::from_utf8_lossy(&text).contains("<BucketName>b</BucketName>"));
        assert!(of_error(&error, &place(true)).0.into_body().bytes().unwrap().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_can_be_slow_and_report_their_end() {
        let seen = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&seen);
        let done: Done = Box::new(move |sent, whole| *kept.lock().unwrap() = Some((sent, whole)));
        let spoil = Spoil { bytes_per_second: Some(10), cut_after: None };
        let body = AnswerBody::new(Body::from(vec![0; 100]), spoil, Some(done));
        let start = Instant::now();
        assert_eq!(body.collect().await.unwrap().to_bytes().len(), 100);
        assert!(start.elapsed() >= Duration::from_secs(9));
        assert_eq!(*seen.lock().unwrap(), Some((100, true)));
    }

    #[tokio::test]
    async fn bodies_can_be_cut() {
        let spoil = Spoil { cut_after: Some(40), bytes_per_second: None };
        let mut body = AnswerBody::new(Body::from(vec![0; 100]), spoil, None);
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap().len(), 40);
        assert!(body.frame().await.unwrap().is_err());
    }
}
