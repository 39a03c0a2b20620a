//! The end of a body whose sender has gone quiet: a peer that vanished says
//! nothing, and what it holds would be held for ever.
//!
//! Source: `RequestTimeout` in "List of error codes" of the Amazon S3 API
//! reference.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use s3s::Body;
use tokio::time::{Sleep, sleep};

/// How long a client may send nothing in the middle of a body. S3 waits for about
/// 20 s; a debugger or a machine that is busy gets a little more here.
pub(crate) const IDLE: Duration = Duration::from_secs(60);

type StdError = Box<dyn std::error::Error + Send + Sync>;

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
#[error("nothing came for {} s", IDLE.as_secs())]
pub(crate) struct Quiet;

/// The body, which ends with [`Quiet`] when nothing comes for [`IDLE`].
pub(crate) fn timed(body: Body) -> Body {
    Body::http_body(Timed { inner: body, timer: None })
}

struct Timed {
    inner: Body,
    /// Runs only while somebody waits for the next frame.
    timer: Option<Pin<Box<Sleep>>>,
}

impl http_body::Body for Timed {
    type Data = Bytes;
    type Error = StdError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StdError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(cx) {
            this.timer = None;
            return Poll::Ready(frame);
        }
        let timer = this.timer.get_or_insert_with(|| Box::pin(sleep(IDLE)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Some(Err(Quiet.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::s3::testing::TestServer;

    /// So many bytes, each after a pause.
    struct Slow {
        pause: Duration,
        left: u64,
        timer: Pin<Box<Sleep>>,
    }

    impl Slow {
        fn body(pause: Duration, left: u64) -> Body {
            Body::http_body(Self { pause, left, timer: Box::pin(sleep(pause)) })
        }
    }

    impl http_body::Body for Slow {
        type Data = Bytes;
        type Error = StdError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, StdError>>> {
            if self.left == 0 {
                return Poll::Ready(None);
            }
            ready!(self.timer.as_mut().poll(cx));
            self.left -= 1;
            self.timer = Box::pin(sleep(self.pause));
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x")))))
        }

        fn size_hint(&self) -> SizeHint {
            SizeHint::with_exact(self.left)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_sender_that_goes_quiet_is_given_up() {
        let server = TestServer::new("buckets: [{name: plain}]").await;
        for (method, target, kind) in [
            ("PUT", "/plain/k", "text/plain"),
            ("PUT", "/plain?tagging", "text/xml"),
            ("POST", "/plain", "multipart/form-data; boundary=XX"),
        ] {
            let body = Slow::body(2 * IDLE, 10);
            let got = server.stream(method, target, &[("content-type", kind)], body).await;
            assert_eq!(got.status, 400, "{method} {target}: {}", got.text());
            assert!(got.text().contains("<Code>RequestTimeout</Code>"), "{}", got.text());
        }
        assert_eq!(server.ask("HEAD", "/plain/k", &[], "").await.status, 404);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_sender_is_heard_out() {
        let server = TestServer::new("buckets: [{name: plain}]").await;
        let body = Slow::body(IDLE * 9 / 10, 10);
        let got = server.stream("PUT", "/plain/k", &[], body).await;
        assert_eq!(got.status, 200, "{}", got.text());
        assert_eq!(server.ask("GET", "/plain/k", &[], "").await.text(), "xxxxxxxxxx");
    }
}
