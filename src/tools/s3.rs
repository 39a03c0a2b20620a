//! A client of the sandbox's S3: what the checks and `sandbox s3` ask of it.
//!
//! Owns addresses and requests. Every request is presigned, as nothing else needs less code. Must
//! not decide what an answer is worth.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, TryStreamExt};
use jiff::{SignedDuration, Timestamp};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Method, Response, StatusCode, Url};
use rusty_s3::actions::ListObjectsV2;
use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle};
use tokio::sync::OnceCell;

use crate::error::{Context, Error, Kind, Result};
use crate::tools::plain;

/// How long the signature of a request is valid, and so how late it may begin.
const VALID: Duration = Duration::from_secs(300);
/// Clocks this near to each other are the same.
const NEAR: SignedDuration = SignedDuration::from_secs(60);
/// How long a request may take until its answer begins.
const PATIENCE: Duration = Duration::from_secs(30);
/// How much of an error's text is shown, in characters.
const SHOWN: usize = 300;

/// How a server is reached.
#[derive(Clone, PartialEq, Eq)]
pub struct Access {
    /// Its address, such as `http://s3.localhost:9000`.
    pub endpoint: String,
    /// The region that requests are signed for.
    pub region: String,
    /// Access key.
    pub access_key: String,
    /// Secret key.
    pub secret_key: String,
    /// Buckets as part of the host name, not of the path.
    pub virtual_host: bool,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// One client of one server.
#[derive(Debug, Clone)]
pub struct S3 {
    access: Access,
    endpoint: Url,
    credentials: Credentials,
    http: reqwest::Client,
    /// How far the server's clock is ahead of ours, once it was asked.
    ahead: Arc<OnceCell<SignedDuration>>,
}

/// One object of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written, as S3 says it.
    pub modified: String,
}

/// One page of a listing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Objects.
    pub objects: Vec<Listed>,
    /// What the keys that a delimiter cut off begin with.
    pub prefixes: Vec<String>,
    /// Where the next page begins; absent = this is the last one.
    pub next: Option<String>,
}

/// An object's content and what it says of itself.
#[derive(Debug)]
pub struct Object {
    /// Content type.
    pub content_type: String,
    /// Its answer, whose body is still to come.
    response: Response,
}

impl Object {
    /// Its size in bytes, if the server says it.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.response.content_length()
    }

    /// Its content, piece by piece.
    pub fn stream(self) -> impl Stream<Item = Result<Bytes>> {
        let failed = || "the object was cut off".to_owned();
        self.response
            .bytes_stream()
            .map_err(move |error| Error::new(Kind::Cluster, failed()).because(error.without_url()))
    }

    /// Its first bytes, at most `limit`.
    ///
    /// # Errors
    /// [`Kind::Cluster`] when the server hangs up.
    pub async fn beginning(self, limit: usize) -> Result<Vec<u8>> {
        let mut pieces = Box::pin(self.stream());
        let mut bytes = Vec::new();
        while bytes.len() < limit
            && let Some(piece) = pieces.try_next().await?
        {
            bytes.extend_from_slice(&piece[..piece.len().min(limit - bytes.len())]);
        }
        Ok(bytes)
    }
}

impl S3 {
    /// Makes a client; nothing is sent yet. `*.localhost` is this machine, whatever its resolver
    /// says, unless `in_cluster`.
    ///
    /// # Errors
    /// [`Kind::Settings`] when the address is no URL.
    pub fn new(access: Access, in_cluster: bool) -> Result<Self> {
        let wrong = || format!("`{}` is no address of an S3 server", access.endpoint);
        let endpoint = Url::parse(&access.endpoint).context(Kind::Settings, wrong)?;
        let mut http = plain::client().read_timeout(PATIENCE);
        if !in_cluster && endpoint.host_str().is_some_and(|host| host.ends_with(".localhost")) {
            let port = endpoint.port_or_known_default().unwrap_or(80);
            http = http.dns_resolver(Loopback(port));
        }
        let http = http.build().context(Kind::Unexpected, wrong)?;
        let credentials = Credentials::new(&access.access_key, &access.secret_key);
        Ok(Self { access, endpoint, credentials, http, ahead: Arc::default() })
    }

    /// The time on the server's clock, which a signature goes by and a test may have moved.
    async fn now(&self) -> Timestamp {
        let ask = || async {
            let answer = self.http.get(self.endpoint.clone()).send().await.ok();
            let date = answer.as_ref().and_then(|answer| answer.headers().get(http::header::DATE));
            let date = date.and_then(|date| date.to_str().ok());
            let date = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
            let ahead = date.map(|date| date.timestamp().duration_since(Timestamp::now()));
            // What is within a minute are ordinary clocks.
            ahead.filter(|ahead| ahead.abs() > NEAR).unwrap_or_default()
        };
        let now = Timestamp::now();
        now.checked_add(*self.ahead.get_or_init(ask).await).unwrap_or(now)
    }

    fn bucket(&self, name: &str) -> Result<Bucket> {
        let style = if self.access.virtual_host { UrlStyle::VirtualHost } else { UrlStyle::Path };
        let region = self.access.region.clone();
        Bucket::new(self.endpoint.clone(), style, name.to_owned(), region)
            .context(Kind::Usage, || format!("`{name}` is no name of a bucket"))
    }

    async fn send(&self, method: Method, url: Url, body: reqwest::Body) -> Result<Response> {
        let what = format!("S3 does not answer at `{}`", self.access.endpoint);
        let sent = self.http.request(method, url).body(body).send().await;
        // The URL is signed.
        sent.map_err(|error| Error::new(Kind::Cluster, what).because(error.without_url()))
    }

    /// An answer that is a success, or nothing when there is no such thing.
    async fn found(what: &str, response: Response) -> Result<Option<Response>> {
        match response.status() {
            status if status.is_success() => Ok(Some(response)),
            StatusCode::NOT_FOUND => {
                let text = response.text().await.unwrap_or_default();
                // Without a body (HEAD) it is the object, as the bucket was named by us.
                if text.is_empty() || text.contains("<Code>NoSuchKey</Code>") {
                    return Ok(None);
                }
                Err(refused(what, StatusCode::NOT_FOUND, &text))
            }
            status => Err(refused(what, status, &response.text().await.unwrap_or_default())),
        }
    }

    async fn done(what: &str, response: Response) -> Result<Response> {
        match response.status() {
            status if status.is_success() => Ok(response),
            status => Err(refused(what, status, &response.text().await.unwrap_or_default())),
        }
    }

    /// Makes a bucket.
    ///
    /// # Errors
    /// [`Kind::Cluster`] with S3's reason.
    pub async fn create_bucket(&self, bucket: &str) -> Result<()> {
        let known = self.bucket(bucket)?;
        let url = known.create_bucket(&self.credentials).sign_with_time(VALID, &self.now().await);
        let answer = self.send(Method::PUT, url, "".into()).await?;
        Self::done(&format!("make the bucket `{bucket}`"), answer).await.map(|_| ())
    }

    /// Removes an empty bucket.
    ///
    /// # Errors
    /// [`Kind::Cluster`] with S3's reason.
    pub async fn delete_bucket(&self, bucket: &str) -> Result<()> {
        let known = self.bucket(bucket)?;
        let url = known.delete_bucket(&self.credentials).sign_with_time(VALID, &self.now().await);
        let answer = self.send(Method::DELETE, url, "".into()).await?;
        Self::done(&format!("remove the bucket `{bucket}`"), answer).await.map(|_| ())
    }

    /// Writes an object. `size` is needed when the body is a stream.
    ///
    /// # Errors
    /// [`Kind::Cluster`] with S3's reason.
    pub async fn put(
        &self,
        bucket: &str,
        key: &str,
        body: impl Into<reqwest::Body>,
        size: Option<u64>,
    ) -> Result<()> {
        let known = self.bucket(bucket)?;
        let url =
            known.put_object(Some(&self.credentials), key).sign_with_time(VALID, &self.now().await);
        let mut request = self.http.put(url).body(body);
        if let Some(size) = size {
            request = request.header(http::header::CONTENT_LENGTH, size);
        }
        let what = format!("S3 does not answer at `{}`", self.access.endpoint);
        let answer = request.send().await;
        let answer =
            answer.map_err(|error| Error::new(Kind::Cluster, what).because(error.without_url()))?;
        Self::done(&format!("write `{bucket}/{key}`"), answer).await.map(|_| ())
    }

    /// Reads an object; absent when there is none.
    ///
    /// # Errors
    /// [`Kind::Cluster`] with S3's reason.
    pub async fn get(&self, bucket: &str, key: &str) -> Result<Option<Object>> {
        let known = self.bucket(bucket)?;
        let now = self.now().await;
        let url = known.get_object(Some(&self.credentials), key).sign_with_time(VALID, &now);
        let answer = self.send(Method::GET, url, "".into()).await?;
        let found = Self::found(&format!("read `{bucket}/{key}`"), answer).await?;
        Ok(found.map(|response| {
            let content_type = response.headers().get(http::header::CONTENT_TYPE);
            let content_type = content_type.and_then(|value| value.to_str().ok());
            Object { content_type: content_type.unwrap_or_default().to_owned(), response }
        }))
    }

    /// Removes an object; one that is not there is no failure.
    ///
    /// # Errors
    /// [`Kind::Cluster`] with S3's reason.
    pub async fn delete(&self, bucket: &str, key: &str) -> Result<()> {
        let known = self.bucket(bucket)?;
        let url = known
            .delete_object(Some(&self.credentials), key)
            .sign_with_time(VALID, &self.now().await);
        let answer = self.send(Method::DELETE, url, "".into()).await?;
        Self::done(&format!("remove `{bucket}/{key}`"), answer).await.map(|_| ())
    }

    /// One page of what is in a bucket, at most `limit` entries (up to 1000).
    ///
    /// # Errors
    /// [`Kind::Cluster`] with S3's reason.
    pub async fn list(
        &self,
        bucket: &str,
        prefix: &str,
        delimiter: Option<&str>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page> {
        let known = self.bucket(bucket)?;
        let mut ask = known.list_objects_v2(Some(&self.credentials));
        ask.with_prefix(prefix);
        ask.with_max_keys(limit.clamp(1, 1000));
        if let Some(delimiter) = delimiter {
            ask.with_delimiter(delimiter);
        }
        if let Some(after) = after {
            ask.with_continuation_token(after);
        }
        let answer =
            self.send(Method::GET, ask.sign_with_time(VALID, &self.now().await), "".into()).await?;
        let what = format!("list `{bucket}`");
        let text = Self::done(&what, answer).await?.text().await;
        let text = text.context(Kind::Cluster, || format!("S3 does not {what} to the end"))?;
        let parsed = ListObjectsV2::parse_response(&text);
        let parsed = parsed.context(Kind::Cluster, || format!("S3's answer to {what} is odd"))?;
        let listed = parsed.contents.into_iter().map(|found| Listed {
            key: found.key,
            size: found.size,
            modified: found.last_modified,
        });
        Ok(Page {
            objects: listed.collect(),
            prefixes: parsed.common_prefixes.into_iter().map(|found| found.prefix).collect(),
            next: parsed.next_continuation_token,
        })
    }
}

/// S3's code and message out of its XML, which the server escapes.
fn refused(what: &str, status: StatusCode, text: &str) -> Error {
    let part = |tag: &str| {
        let begin = text.split_once(&format!("<{tag}>"))?.1;
        Some(begin.split_once(&format!("</{tag}>"))?.0.chars().take(SHOWN).collect::<String>())
    };
    let code = part("Code").unwrap_or_else(|| status.to_string());
    let why = part("Message").map_or(code.clone(), |message| format!("{code}: {message}"));
    Error::new(Kind::Cluster, format!("S3 did not {what}")).because(Error::new(Kind::Cluster, why))
}

/// Every name is this machine.
#[derive(Debug)]
struct Loopback(u16);

impl Resolve for Loopback {
    fn resolve(&self, _name: Name) -> Resolving {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.0));
        let addresses: Addrs = Box::new(std::iter::once(address));
        Box::pin(std::future::ready(Ok(addresses)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_tells_code_and_message() {
        let xml = "<?xml version=\"1.0\"?><Error><Code>NoSuchBucket</Code><Message>The specified \
                   bucket does not exist</Message></Error>";
        let error = refused("list `x`", StatusCode::NOT_FOUND, xml);
        assert_eq!(error.to_string(), "S3 did not list `x`");
        assert_eq!(error.causes(), ["NoSuchBucket: The specified bucket does not exist"]);
        let odd = refused("list `x`", StatusCode::BAD_GATEWAY, "<html>");
        assert_eq!(odd.causes(), ["502 Bad Gateway"]);
    }

    #[test]
    fn secrets_are_not_shown() {
        let access = Access {
            endpoint: "http://s3.localhost:9000".into(),
            region: "us-east-1".into(),
            access_key: "AKIA".into(),
            secret_key: "hidden".into(),
            virtual_host: false,
        };
        let client = S3::new(access, false).unwrap();
        assert!(!format!("{client:?}").contains("hidden"), "{client:?}");
    }
}
