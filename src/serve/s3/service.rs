//! The way of a request through the server: aim, fault rules, signature,
//! rights, body, operation, answer, log. Each step is in a module of its own;
//! this one holds the order.
//!
//! `s3s` turns what arrives here into typed operations and back. Signatures,
//! chunked bodies, virtual hosts and forms are handled before it, as they have
//! to follow the movable clock, take unknown keys and stream; errors after it,
//! as it gives less in them than S3.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body as _;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, S3Error, S3ErrorCode};
use tokio::time::Instant;

use super::answer::{self, AnswerBody, Done, Place, Spoil};
use super::auth::{self, Checked, Parts};
use super::backend::{self, Backend, config};
use super::checksum::Kind;
use super::error::{custom, fail, invalid_argument, not_implemented, with};
use super::faults::{CutAfter, Fault};
use super::handover::{for_s3s, hoisted};
use super::log::{Entry, short};
use super::operation::{self, Asked, Resolved};
use super::request::chunked::Decoder;
use super::request::idle;
use super::request::payload::{Expected, MAX_OBJECT, Payload, Received};
use super::request::target::Target;
use super::state::{Context, Request as Seen, State};
use super::{access, cors, form, time};

/// The most bytes of headers that S3 takes for user metadata and the rest.
const MAX_HEADERS: usize = 16 * 1024;
/// The largest body of an operation that is read whole: a list of 1000 keys.
const MAX_XML: usize = 2 * 1024 * 1024;
/// How much is read of a body that an operation did not want.
const HEARD_OUT: usize = 16 * 1024 * 1024;

/// Says that the connection shall be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut by a fault rule")]
pub(crate) struct Cut;

/// The S3 service of a server.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) state: Arc<State>,
    inner: S3Service,
}

/// What an answer says of a request.
pub(super) struct Outcome {
    answer: Response<Body>,
    code: Option<String>,
}

impl Service {
    pub(crate) fn new(state: Arc<State>) -> Self {
        let mut builder = S3ServiceBuilder::new(Backend(Arc::clone(&state)));
        let mut limits = s3s::config::S3Config::default();
        limits.xml_max_body_size = MAX_XML;
        builder.set_config(Arc::new(s3s::config::StaticConfigProvider::new(Arc::new(limits))));
        Self { state, inner: builder.build() }
    }

    /// Answers a request.
    ///
    /// # Errors
    ///
    /// [`Cut`] when a fault rule wants the connection closed.
    pub(crate) async fn call(
        &self,
        request: Request<Body>,
        remote: Option<SocketAddr>,
    ) -> Result<Response<AnswerBody>, Cut> {
        let start = Instant::now();
        let request = request.map(idle::timed);
        let request_id = hex::encode_upper(&uuid::Uuid::new_v4().as_bytes()[..8]);
        let mut entry = self.entry(&request, &request_id, remote);
        let method = request.method().clone();
        let path = request.uri().path().to_owned();
        let host_id =
            base64::engine::general_purpose::STANDARD.encode(uuid::Uuid::new_v4().as_bytes());
        let host = entry.host.clone();
        let aimed = Target::read(
            Some(host.as_str()).filter(|host| !host.is_empty()),
            request.uri().path(),
            request.uri().query(),
            &self.state.domains,
        );
        let (target, aim_error) = match aimed {
            Ok(target) => (target, None),
            Err(error) => (Target::default(), Some(error)),
        };
        entry.bucket = target.bucket.as_deref().map(short);
        entry.key = target.key.as_deref().map(short);
        let is_form = is_form(&request);
        let resolved = operation::resolve(&Asked {
            method: &method,
            has_bucket: target.bucket.is_some(),
            has_key: target.key.is_some(),
            query: &target.query,
            copies: request.headers().contains_key("x-amz-copy-source"),
            is_form,
        });
        entry.operation = match resolved {
            Resolved::Known(name) | Resolved::Missing(name) => name,
            Resolved::NotAllowed(_) if method == Method::OPTIONS => "OptionsObject",
            Resolved::NotAllowed(_) => "Unknown",
        };
        let fault = self.state.faults.decide(
            entry.operation,
            target.bucket.as_deref().unwrap_or_default(),
            target.key.as_deref().unwrap_or_default(),
        );
        if !fault.names.is_empty() {
            self.state.metrics.count_fault();
            entry.faults.clone_from(&fault.names);
        }
        let resource = target.raw_path.clone();
        let resource = if resource.is_empty() { path } else { resource };
        let (bucket, key) = (target.bucket.clone(), target.key.clone());
        let place = Place {
            resource: &resource,
            request_id: &request_id,
            host_id: &host_id,
            bucket: bucket.as_deref(),
            key: key.as_deref(),
            is_head: method == Method::HEAD,
        };
        let received = Received::default();
        let (head, mut body) = request.into_parts();
        if fault.cut.is_some() && matches!(method, Method::PUT | Method::POST | Method::DELETE) {
            tokio::time::sleep(fault.latency).await;
            entry.error = Some("ConnectionClosed".to_owned());
            entry.duration_ms = answer::millis_since(start);
            self.state.log.add(entry);
            return Err(Cut);
        }
        let cors = bucket.as_deref().and_then(|bucket| {
            head.headers.get(header::ORIGIN)?;
            let config = config::cors(&self.state.store, bucket);
            cors::actual(config.as_ref(), &method, &head.headers)
        });
        let handled = if let Some(error) = aim_error {
            Err(error)
        } else {
            let seen = Seen {
                operation: entry.operation,
                target,
                headers: head.headers.clone(),
                received: received.clone(),
                ..Seen::default()
            };
            let asked = (&head, &mut body);
            Box::pin(self.handle(asked, seen, resolved, &fault, &place, &mut entry)).await
        };
        // Who waits for a word before sending sends nothing after an error.
        if handled.is_err() && !head.headers.contains_key(header::EXPECT) {
            received.lock().rest.get_or_insert(body);
            hear_out(&received).await;
        }
        let Outcome { mut answer, code } = handled.unwrap_or_else(|error| {
            let (answer, code) = answer::of_error(&error, &place);
            Outcome { answer, code: Some(code) }
        });
        entry.error = code;
        if let Some(cors) = cors {
            answer.headers_mut().extend(cors);
        }
        self.send(answer, &place, &fault, received, entry, start)
    }

    /// The log's entry, as far as it is known at once.
    fn entry(&self, request: &Request<Body>, id: &str, remote: Option<SocketAddr>) -> Entry {
        Entry {
            time: time::iso8601(self.state.clock.now()),
            request_id: id.to_owned(),
            remote: remote.map(|remote| remote.to_string()).unwrap_or_default(),
            method: short(request.method().as_str()),
            operation: "Unknown",
            signature: "none",
            host: text(request.headers(), "host"),
            user_agent: text(request.headers(), "user-agent"),
            ..Entry::default()
        }
    }

    /// The order of the steps. What they leave of the body stays in its place.
    async fn handle(
        &self,
        (head, body): (&http::request::Parts, &mut Body),
        mut seen: Seen,
        resolved: Resolved,
        fault: &Fault,
        place: &Place<'_>,
        entry: &mut Entry,
    ) -> Result<Outcome, S3Error> {
        if !fault.latency.is_zero() {
            tokio::time::sleep(fault.latency).await;
        }
        if let Some((code, status)) = &fault.error {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let mut error = S3Error::new(
                S3ErrorCode::from_bytes(code.as_bytes()).unwrap_or(S3ErrorCode::InternalError),
            );
            error.set_message(super::error::default_message(code));
            error.set_status_code(status);
            return Err(error);
        }
        check_headers(&seen.headers)?;
        if head.method == Method::OPTIONS {
            return self.preflight(&seen);
        }
        if entry.operation == "PostObject" {
            return form::post(self, body, seen, place, entry).await;
        }
        let checked = {
            let parts = Parts {
                method: &head.method,
                path: head.uri.path(),
                resource: &seen.target.raw_path,
                query: &seen.target.query,
                headers: &seen.headers,
            };
            auth::check(&parts, &self.state.keys, &self.state.clock)?
        };
        note_caller(entry, &checked);
        seen.caller = checked.caller.clone();
        if checked.caller.presigned {
            hoisted(&mut seen);
        }
        match resolved {
            Resolved::Known(_) => {}
            Resolved::Missing(name) => return Err(not_implemented(name)),
            Resolved::NotAllowed(kind) => {
                let error =
                    with(S3ErrorCode::MethodNotAllowed.into(), "Method", head.method.as_str());
                return Err(with(error, "ResourceType", kind));
            }
        }
        access::check(&self.state, &seen)?;
        let payload = Self::payload(&seen, checked, body)?;
        self.operate(seen, payload, place).await
    }

    fn preflight(&self, seen: &Seen) -> Result<Outcome, S3Error> {
        let bucket = seen.target.bucket.as_deref().ok_or(S3ErrorCode::MethodNotAllowed)?;
        self.state.store.bucket(bucket).map_err(backend::store_error)?;
        let config = config::cors(&self.state.store, bucket);
        let headers = cors::preflight(config.as_ref(), &seen.headers)?;
        let mut answer = Response::new(Body::empty());
        *answer.headers_mut() = headers;
        Ok(Outcome { answer, code: None })
    }

    /// The body as the operation shall see it.
    fn payload(seen: &Seen, checked: Checked, body: &mut Body) -> Result<Body, S3Error> {
        // Completing an upload, the checksum is that of the object.
        let of_body = seen.operation != "CompleteMultipartUpload";
        let mut expected = Expected::read(&seen.headers, of_body)?;
        let mut decoder = None;
        let declared = seen.header("x-amz-content-sha256").unwrap_or("UNSIGNED-PAYLOAD");
        let chunked = match declared {
            "UNSIGNED-PAYLOAD" => None,
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => Some((false, true)),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => Some((true, false)),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => Some((true, true)),
            hash if hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
                expected.sha256 = Some(hash.to_ascii_lowercase());
                None
            }
            other if other.starts_with("STREAMING-AWS4-ECDSA") => {
                return Err(not_implemented("Signature Version 4A"));
            }
            other => {
                return Err(invalid_argument(
                    "x-amz-content-sha256",
                    other,
                    "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.",
                ));
            }
        };
        if let Some((signed, trailer)) = chunked {
            let length = seen.header("x-amz-decoded-content-length").and_then(|v| v.parse().ok());
            expected.length = Some(length.ok_or(S3ErrorCode::MissingContentLength)?);
            let signer = checked.signer.filter(|_| signed);
            decoder = Some(Decoder::new(signed, signer, trailer));
        } else {
            expected.length = body.size_hint().exact();
        }
        let streams = matches!(seen.operation, "PutObject" | "UploadPart");
        let said = seen.headers.contains_key(header::CONTENT_LENGTH) || chunked.is_some();
        if streams && (expected.length.is_none() || !said) {
            return Err(S3ErrorCode::MissingContentLength.into());
        }
        if !streams {
            let too_long = expected.length.is_some_and(|length| length > MAX_XML as u64);
            if too_long {
                return Err(S3ErrorCode::MaxMessageLengthExceeded.into());
            }
            expected.limits = Some((0, MAX_XML as u64));
        }
        if let Some(length) = expected.length.filter(|length| *length > MAX_OBJECT) {
            let error =
                with(S3ErrorCode::EntityTooLarge.into(), "ProposedSize", &length.to_string());
            return Err(with(error, "MaxSizeAllowed", &MAX_OBJECT.to_string()));
        }
        seen.received.lock().wants_md5 = streams;
        let body = std::mem::take(body);
        Ok(Body::http_body(Payload::new(body, decoder, expected, seen.received.clone())))
    }

    /// Has `s3s` and the operation answer.
    pub(super) async fn operate(
        &self,
        seen: Seen,
        payload: Body,
        place: &Place<'_>,
    ) -> Result<Outcome, S3Error> {
        let needs_digest = matches!(
            seen.operation,
            "DeleteObjects"
                | "PutObjectLockConfiguration"
                | "PutObjectRetention"
                | "PutObjectLegalHold"
        );
        if needs_digest {
            let has = |name: &str| seen.header(name).is_some();
            let digested = has("content-md5")
                || has("x-amz-trailer")
                || Kind::ALL.into_iter().any(|kind| has(kind.header()));
            if !digested {
                let message =
                    "Missing required header for this request: Content-MD5 OR x-amz-checksum-*";
                return Err(fail(S3ErrorCode::InvalidRequest, message));
            }
        }
        let context = Context(Arc::new(seen));
        let request = for_s3s(&context, payload)?;
        let anonymous = context.caller.access_key.is_none();
        let answer = self.inner.call(request).await;
        if context.header("expect").is_none() {
            hear_out(&context.received).await;
        }
        if let Some(error) = context.received.lock().failure.take() {
            return Err(error);
        }
        let answer = answer.map_err(|_| S3Error::new(S3ErrorCode::InternalError))?;
        let (mut answer, code) = answer::of_s3s(answer, place).await;
        if context.operation == "GetObjectAttributes" && code.is_none() {
            answer = bare_tag(answer);
        }
        if anonymous
            && code.as_deref() == Some("NoSuchKey")
            && !access::may_list(&self.state, &context)
        {
            return Err(S3ErrorCode::AccessDenied.into());
        }
        Ok(Outcome { answer, code })
    }

    /// Carries out an operation without signature and log, for the control API.
    pub(super) async fn put(
        &self,
        seen: Seen,
        payload: Body,
        resource: &str,
    ) -> Result<Response<Body>, S3Error> {
        let (bucket, key) = (seen.target.bucket.clone(), seen.target.key.clone());
        let place = Place {
            resource,
            request_id: "",
            host_id: "",
            bucket: bucket.as_deref(),
            key: key.as_deref(),
            is_head: false,
        };
        Ok(self.operate(seen, payload, &place).await?.answer)
    }

    /// Puts the headers on that all answers have, and the body under the log.
    fn send(
        &self,
        answer: Response<Body>,
        place: &Place<'_>,
        fault: &Fault,
        received: Received,
        mut entry: Entry,
        start: Instant,
    ) -> Result<Response<AnswerBody>, Cut> {
        let state = Arc::clone(&self.state);
        entry.status = answer.status().as_u16();
        let whole = answer.body().size_hint().exact();
        let log: Done = Box::new(move |sent, whole| {
            entry.bytes_in = received.lock().bytes;
            entry.bytes_out = sent;
            entry.duration_ms = answer::millis_since(start);
            if !whole && entry.error.is_none() {
                entry.error = Some("ConnectionClosed".to_owned());
            }
            state.metrics.count(
                entry.operation,
                entry.status,
                entry.bytes_in,
                sent,
                start.elapsed(),
            );
            state.log.add(entry);
        });
        let is_empty = whole == Some(0);
        if fault.cut.is_some() && is_empty {
            log(0, false);
            return Err(Cut);
        }
        let cut_after = fault.cut.map(|cut| {
            let most = whole.map_or(u64::MAX, |n| n.saturating_sub(1));
            match cut {
                CutAfter::Half => whole.unwrap_or_default() / 2,
                CutAfter::Bytes(bytes) => bytes.min(most),
            }
        });
        let spoil = Spoil { cut_after, bytes_per_second: fault.bytes_per_second };
        let (mut parts, body) = answer.into_parts();
        let mut put = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                parts.headers.insert(name, value);
            }
        };
        put(HeaderName::from_static("x-amz-request-id"), place.request_id);
        put(HeaderName::from_static("x-amz-id-2"), place.host_id);
        put(header::SERVER, "AmazonS3");
        put(header::DATE, &time::http_date(self.state.clock.now()));
        Ok(Response::from_parts(parts, AnswerBody::new(body, spoil, Some(log))))
    }
}

impl Outcome {
    pub(super) fn new(answer: Response<Body>) -> Self {
        Self { answer, code: None }
    }

    pub(super) fn parts(&mut self) -> (&mut Response<Body>, bool) {
        let failed = self.code.is_some();
        (&mut self.answer, failed)
    }
}

/// In this one answer S3 writes the tag without quotes.
fn bare_tag(answer: Response<Body>) -> Response<Body> {
    let (mut parts, body) = answer.into_parts();
    let text = String::from_utf8_lossy(&body.bytes().unwrap_or_default()).into_owned();
    let text = text
        .replace("<ETag>&quot;", "<ETag>")
        .replace("&quot;</ETag>", "</ETag>")
        .replace("<ETag>\"", "<ETag>")
        .replace("\"</ETag>", "</ETag>");
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(text))
}

/// Reads on, within limits, what an operation left of a body: a client that is
/// sending would otherwise see a reset connection in place of the answer.
async fn hear_out(received: &Received) {
    let rest = received.lock().rest.take();
    let Some(mut rest) = rest else { return };
    let read = async {
        let mut left = HEARD_OUT;
        while let Some(Ok(frame)) = http_body_util::BodyExt::frame(&mut rest).await {
            let length = frame.data_ref().map_or(0, bytes::Bytes::len);
            match left.checked_sub(length) {
                Some(less) => left = less,
                None => break,
            }
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(5), read).await;
}

/// Notes in the log who called.
pub(super) fn note_caller(entry: &mut Entry, checked: &Checked) {
    entry.access_key = checked.caller.access_key.as_deref().map(short);
    entry.presigned = checked.caller.presigned;
    entry.signature = match (&checked.caller.access_key, checked.caller.verified) {
        (None, _) => "none",
        (Some(_), true) => "verified",
        (Some(_), false) => "unverified",
    };
}

fn text(headers: &HeaderMap, name: &str) -> String {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.map(short).unwrap_or_default()
}

fn is_form(request: &Request<Body>) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    *request.method() == Method::POST
        && kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("multipart/form-data"))
}

pub(super) fn check_headers(headers: &HeaderMap) -> Result<(), S3Error> {
    let size: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if size > MAX_HEADERS {
        return Err(custom(
            "RequestHeaderSectionTooLarge",
            StatusCode::BAD_REQUEST,
            "Your request header section exceeds the maximum allowed request header section size.",
        ));
    }
    let user: usize = headers
        .iter()
        .filter_map(|(name, value)| {
            let name = name.as_str().strip_prefix("x-amz-meta-")?;
            Some(name.len() + value.len())
        })
        .sum();
    if user > 2048 {
        let error = with(S3ErrorCode::MetadataTooLarge.into(), "Size", &user.to_string());
        return Err(with(error, "MaxSizeAllowed", "2048"));
    }
    Ok(())
}
