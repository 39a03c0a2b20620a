//! Buckets and objects for a page and a command line: listing, download,
//! upload and removal without signatures.

use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use s3s::Body;
use serde_json::{Value, json};

use super::control::not_allowed;
use super::{Admin, Answer, Query, Refusal, json as answer};
use crate::serve::s3::auth::Caller;
use crate::serve::s3::checksum::Kind;
use crate::serve::s3::request::payload::{Expected, Payload, Received};
use crate::serve::s3::request::target::Target;
use crate::serve::s3::service::Service;
use crate::serve::s3::state::Request as Seen;
use crate::serve::s3::store::{ObjectEntry, ObjectQuery, VersionId, VersionSummary, Versioning};
use crate::serve::s3::time;

/// Headers of an object that a download has.
const SHOWN: [&str; 2] = ["content-type", "content-encoding"];

impl Admin {
    pub(super) fn buckets(&self) -> Response<Body> {
        let store = &self.state.store;
        let list: Vec<Value> = store
            .buckets("", "", usize::MAX)
            .into_iter()
            .map(|bucket| {
                let figures = store.bucket_figures(&bucket.name).unwrap_or_default();
                json!({
                    "name": bucket.name,
                    "created": time::iso8601(bucket.created.as_millisecond()),
                    "created_ms": bucket.created.as_millisecond(),
                    "region": bucket.region,
                    "versioning": match bucket.versioning {
                        Versioning::Unversioned => "off",
                        Versioning::Enabled => "on",
                        Versioning::Suspended => "suspended",
                    },
                    "object-lock": bucket.object_lock,
                    "objects": figures.objects,
                    "versions": figures.versions,
                    "bytes": figures.bytes,
                    "uploads": figures.uploads,
                })
            })
            .collect();
        answer(&json!({ "buckets": list }))
    }

    pub(super) fn objects(&self, bucket: &str, query: &Query) -> Answer {
        let text = |name: &str| query.get(name).unwrap_or_default().to_owned();
        let asked = ObjectQuery {
            prefix: text("prefix"),
            delimiter: text("delimiter"),
            start_after: text("start-after"),
            max_keys: query.number("max", 1000, 10_000)?,
        };
        let page = self.state.store.list_objects(bucket, &asked)?;
        let (mut objects, mut folders) = (Vec::new(), Vec::new());
        for entry in page.entries {
            match entry {
                ObjectEntry::Object(summary) => objects.push(self.shown(bucket, &summary)),
                ObjectEntry::Prefix(prefix) => folders.push(prefix),
            }
        }
        Ok(answer(&json!({
            "prefix": asked.prefix,
            "folders": folders,
            "objects": objects,
            "next": page.next,
        })))
    }

    fn shown(&self, bucket: &str, summary: &VersionSummary) -> Value {
        let meta = self.state.store.head(bucket, &summary.key, Some(summary.version_id));
        let meta = meta.map(|object| object.meta).unwrap_or_default();
        json!({
            "key": summary.key,
            "size": summary.size,
            "etag": summary.etag.to_string(),
            "modified": time::iso8601(summary.last_modified.as_millisecond()),
            "modified_ms": summary.last_modified.as_millisecond(),
            "content_type": meta.headers.get("content-type"),
            "metadata": meta.user,
            "tags": meta.tags,
            "storage_class": summary.storage_class.as_deref().unwrap_or("STANDARD"),
            "version": summary.version_id.to_string(),
        })
    }

    pub(super) async fn object(
        &self,
        method: &Method,
        query: &Query,
        request: Request<Body>,
    ) -> Answer {
        let (bucket, key) = (query.need("bucket")?, query.need("key")?);
        let version = match query.get("version") {
            None => None,
            Some(text) => {
                let id: Result<VersionId, _> = text.parse();
                Some(id.map_err(|error| Refusal::bad(error.to_string()))?)
            }
        };
        match *method {
            Method::GET | Method::HEAD => self.download(bucket, key, version),
            Method::DELETE => {
                let options = crate::serve::s3::store::DeleteOptions {
                    version,
                    bypass_governance: true,
                    ..crate::serve::s3::store::DeleteOptions::default()
                };
                let deleted = self.state.store.delete_object(bucket, key, options).await?;
                Ok(answer(&json!({
                    "changed": deleted.changed,
                    "delete-marker": deleted.delete_marker,
                    "version": deleted.version_id.map(|id| id.to_string()),
                })))
            }
            Method::PUT => self.upload(bucket, key, request).await,
            _ => Err(not_allowed()),
        }
    }

    fn download(&self, bucket: &str, key: &str, version: Option<VersionId>) -> Answer {
        let (object, reader) = self.state.store.get(bucket, key, version)?;
        let stream = reader.stream(0..reader.len())?;
        let body = http_body_util::StreamBody::new(futures::StreamExt::map(stream, |chunk| {
            chunk.map(http_body::Frame::data)
        }));
        let mut response = Response::new(Body::http_body_unsync(body));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(reader.len()));
        for name in SHOWN {
            if let Some(value) = object.meta.headers.get(name)
                && let Ok(value) = HeaderValue::from_bytes(value.as_bytes())
            {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        // What users stored must not run as a page of this server.
        let sandbox = HeaderValue::from_static("sandbox");
        headers.insert(header::CONTENT_SECURITY_POLICY, sandbox);
        let attachment = HeaderValue::from_static("attachment");
        headers.insert(header::CONTENT_DISPOSITION, attachment);
        if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", object.summary.etag)) {
            headers.insert(header::ETAG, tag);
        }
        Ok(response)
    }

    /// Writes an object by way of `PutObject`, so that it is like any other.
    async fn upload(&self, bucket: &str, key: &str, request: Request<Body>) -> Answer {
        let raw_path = format!(
            "/{bucket}/{}",
            percent_encoding::utf8_percent_encode(key, percent_encoding::NON_ALPHANUMERIC)
        );
        let received = Received::default();
        received.lock().wants_md5 = true;
        let mut seen = Seen {
            operation: "PutObject",
            target: Target {
                bucket: Some(bucket.to_owned()),
                key: Some(key.to_owned()),
                query: Vec::new(),
                raw_path: raw_path.clone(),
                ..Target::default()
            },
            caller: Caller { access_key: Some("admin".to_owned()), ..Caller::default() },
            received: received.clone(),
            ..Seen::default()
        };
        if let Some(kind) = request.headers().get(header::CONTENT_TYPE) {
            seen.headers.insert(header::CONTENT_TYPE, kind.clone());
        }
        let expected = Expected {
            length: http_body::Body::size_hint(request.body()).exact(),
            ..Expected::default()
        };
        let payload = Payload::new(request.into_body(), None, expected, received.clone());
        // It comes from this machine, and buckets with object lock ask for a checksum.
        received.lock().given = Some(Kind::Crc64Nvme);
        let payload = Body::http_body(payload);
        let service = Service::new(std::sync::Arc::clone(&self.state));
        service.put(seen, payload, &raw_path).await.map_err(|error| {
            let status = error.status_code().unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Refusal::new(status, error.message().unwrap_or(error.code().as_str()).to_owned())
        })
    }
}
