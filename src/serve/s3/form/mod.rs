//! Browser uploads: `POST` of a form to a bucket. It reads the fields, checks
//! policy and signature, and hands the file on as a `PutObject`.
//!
//! Source: "Browser-Based Uploads Using POST" in the Amazon S3 API reference.

mod fields;
mod policy;
#[cfg(any(test, fuzzing))]
pub(super) mod testing;
#[cfg(test)]
mod tests;

use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::{Body, S3Error, S3ErrorCode};

use self::fields::Form;
use self::policy::PostPolicy;
use super::access;
use super::answer::Place;
use super::auth::sign::{Scope, hmac, same};
use super::auth::{Caller, Checked, version2};
use super::error::{escape, fail, invalid_argument, with};
use super::log::{Entry, short};
use super::request::payload::{Expected, Payload};
use super::service::{Outcome, Service, note_caller};
use super::state::Request as Seen;
use super::time;

/// Handles a form.
///
/// # Errors
///
/// As S3: `MalformedPOSTRequest`, `InvalidArgument`, `AccessDenied` when the
/// policy is not fulfilled, `EntityTooLarge`, and those of `PutObject`.
pub(super) async fn post(
    service: &Service,
    body: &mut Body,
    mut seen: Seen,
    place: &Place<'_>,
    entry: &mut Entry,
) -> Result<Outcome, S3Error> {
    let kind = seen.header("content-type").unwrap_or_default();
    let boundary = fields::boundary(kind).ok_or_else(malformed)?;
    let (form, file) = fields::read(body, &boundary).await?;
    *body = Body::http_body_unsync(file);
    let key = form.get("key").filter(|key| !key.is_empty()).ok_or_else(|| {
        invalid_argument("key", "", "Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields.")
    })?;
    let key = key.replace("${filename}", &form.file_name);
    if key.len() > 1024 {
        return Err(S3ErrorCode::KeyTooLongError.into());
    }
    let checked = authenticate(service, &form)?;
    note_caller(entry, &checked);
    seen.caller = checked.caller;
    entry.key = Some(short(&key));
    let bucket = seen.target.bucket.clone().unwrap_or_default();
    let limits = match form.get("policy") {
        Some(encoded) => {
            let policy = PostPolicy::read(encoded)?;
            policy.check(&form, &bucket, &key, service.state.clock.now())?
        }
        None => None,
    };
    seen.target.raw_path = format!("/{bucket}/{}", utf8_percent_encode(&key, NON_ALPHANUMERIC));
    seen.target.key = Some(key.clone());
    seen.target.query.clear();
    let location = seen.target.url(seen.header("host").unwrap_or_default());
    access::check(&service.state, &seen)?;
    as_headers(&form, &mut seen)?;
    let expected = Expected::of_form(&seen.headers, limits)?;
    seen.received.lock().wants_md5 = true;
    let payload = Payload::new(std::mem::take(body), None, expected, seen.received.clone());
    let outcome = service.operate(seen, Body::http_body(payload), place).await?;
    Ok(reply(outcome, &form, &location, &bucket, &key))
}

fn malformed() -> S3Error {
    fail(
        S3ErrorCode::MalformedPOSTRequest,
        "The body of your POST request is not well-formed multipart/form-data.",
    )
}

/// Who signed the policy; nobody when there is none.
fn authenticate(service: &Service, form: &Form) -> Result<Checked, S3Error> {
    let need = |name: &str| {
        form.get(name).ok_or_else(|| {
            let message = format!("Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the fields.");
            invalid_argument(name, "", message)
        })
    };
    if let Some(signature) = form.get("signature") {
        let (access_key, policy) = (need("awsaccesskeyid")?, need("policy")?);
        return version2::check_form(access_key, policy, signature, &service.state.keys);
    }
    let Some(signature) = form.get("x-amz-signature") else { return Ok(Checked::default()) };
    let policy = need("policy")?;
    let algorithm = need("x-amz-algorithm")?;
    if algorithm != "AWS4-HMAC-SHA256" {
        return Err(invalid_argument(
            "x-amz-algorithm",
            algorithm,
            "Only AWS4-HMAC-SHA256 is supported",
        ));
    }
    let credential = need("x-amz-credential")?;
    let scope =
        Scope::parse(credential).filter(|scope| scope.service == "s3").ok_or_else(|| {
            invalid_argument("x-amz-credential", credential, "The credential is malformed")
        })?;
    let date = need("x-amz-date")?;
    if time::parse_amz_date(date).is_none() || !date.starts_with(&scope.date) {
        return Err(invalid_argument(
            "x-amz-date",
            date,
            "The date is malformed or not that of the credential",
        ));
    }
    let secret = service.state.keys.secret(&scope.access_key)?;
    let verified = secret.is_some();
    if let Some(secret) = secret {
        let computed = hex::encode(hmac(&scope.key(secret), policy.as_bytes()));
        if !same(&computed, signature) {
            let error = S3Error::new(S3ErrorCode::SignatureDoesNotMatch);
            let error = with(error, "AWSAccessKeyId", &scope.access_key);
            return Err(with(error, "StringToSign", policy));
        }
    }
    let caller = Caller { access_key: Some(scope.access_key), verified, presigned: true };
    Ok(Checked { caller, signer: None })
}

/// Puts the fields in the place of a request's headers.
fn as_headers(form: &Form, seen: &mut Seen) -> Result<(), S3Error> {
    let origin = seen.headers.remove(header::ORIGIN);
    seen.headers.clear();
    if let Some(origin) = origin {
        seen.headers.insert(header::ORIGIN, origin);
    }
    for (name, value) in &form.fields {
        let taken = match name.as_str() {
            "acl" => "x-amz-acl",
            "tagging" | "policy" | "key" | "file" | "bucket" => continue,
            "content-type"
            | "cache-control"
            | "content-disposition"
            | "content-encoding"
            | "content-md5"
            | "expires" => name.as_str(),
            name if name.starts_with("x-amz-meta-") => name,
            name if name.starts_with("x-amz-checksum-")
                || name.starts_with("x-amz-server-side-encryption")
                || name.starts_with("x-amz-object-lock-")
                || matches!(
                    name,
                    "x-amz-storage-class" | "x-amz-website-redirect-location" | "x-amz-acl"
                ) =>
            {
                name
            }
            _ => continue,
        };
        let name = HeaderName::from_bytes(taken.as_bytes());
        let value = HeaderValue::from_bytes(value.as_bytes());
        let (Ok(name), Ok(value)) = (name, value) else {
            return Err(invalid_argument(taken, "", "The field cannot be a header"));
        };
        seen.headers.insert(name, value);
    }
    if let Some(tags) = form.get("tagging") {
        let tags = policy::tagging_header(tags).ok_or(S3ErrorCode::MalformedXML)?;
        if let Ok(value) = HeaderValue::from_str(&tags) {
            seen.headers.insert(HeaderName::from_static("x-amz-tagging"), value);
        }
    }
    super::service::check_headers(&seen.headers)
}

/// The answer that the form asked for.
fn reply(mut outcome: Outcome, form: &Form, location: &str, bucket: &str, key: &str) -> Outcome {
    let (answer, failed) = outcome.parts();
    if failed {
        return outcome;
    }
    let headers = answer.headers();
    let etag =
        headers.get(header::ETAG).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let mut headers = headers.clone();
    headers.remove(header::CONTENT_LENGTH);
    let redirect = form.get("success_action_redirect").or_else(|| form.get("redirect"));
    let redirect = redirect.filter(|url| url.starts_with("http://") || url.starts_with("https://"));
    let status = form.get("success_action_status").unwrap_or_default();
    let mut body = Body::empty();
    let code = if let Some(url) = redirect {
        let joint = if url.contains('?') { '&' } else { '?' };
        let to = format!(
            "{url}{joint}bucket={}&key={}&etag={}",
            encode(bucket),
            encode(key),
            encode(&etag)
        );
        if let Ok(to) = HeaderValue::from_str(&to) {
            headers.insert(header::LOCATION, to);
        }
        StatusCode::SEE_OTHER
    } else {
        if let Ok(to) = HeaderValue::from_str(location) {
            headers.insert(header::LOCATION, to);
        }
        match status {
            "200" => StatusCode::OK,
            "201" => {
                let xml = format!(
                    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<PostResponse><Location>{}</Location><Bucket>{}</Bucket><Key>{}</Key><ETag>{}</ETag></PostResponse>",
                    escape(location),
                    escape(bucket),
                    escape(key),
                    escape(&etag)
                );
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
                body = Body::from(xml);
                StatusCode::CREATED
            }
            _ => StatusCode::NO_CONTENT,
        }
    };
    let mut answer = Response::new(body);
    *answer.status_mut() = code;
    *answer.headers_mut() = headers;
    Outcome::new(answer)
}
