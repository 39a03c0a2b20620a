//! What a request is aimed at: bucket, key and query, out of `Host` and path.
//! It judges neither names nor rights.
//!
//! Source: "Virtual hosting of general purpose buckets" in the user guide.

use std::net::IpAddr;

use percent_encoding::percent_decode_str;
use s3s::{S3Error, S3ErrorCode};

use crate::serve::s3::auth::sign::encode_path;
use crate::serve::s3::error::fail;

/// The most query parameters.
const MAX_PARAMETERS: usize = 100;

/// What a request is aimed at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) bucket: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) query: Vec<(String, String)>,
    /// The path in path style, as encoded by the client.
    pub(crate) raw_path: String,
    /// Whether the bucket stands in `Host`.
    pub(crate) virtual_host: bool,
}

impl Target {
    /// Reads `Host`, path and query. `domains` are the names under which a
    /// first label is a bucket, longest first.
    pub(crate) fn read(
        host: Option<&str>,
        path: &str,
        query: Option<&str>,
        domains: &[String],
    ) -> Result<Self, S3Error> {
        let of_host = host.and_then(|host| bucket_of_host(host, domains));
        let virtual_host = of_host.is_some();
        let raw_path = of_host.map_or_else(|| path.to_owned(), |bucket| format!("/{bucket}{path}"));
        let rest = raw_path.strip_prefix('/').ok_or(S3ErrorCode::InvalidURI)?;
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        let part = |text: &str| -> Result<Option<String>, S3Error> {
            let text = decode(text).ok_or(S3ErrorCode::InvalidURI)?;
            Ok((!text.is_empty()).then_some(text))
        };
        let (bucket, key) = (part(bucket)?, part(key)?);
        if bucket.is_none() && key.is_some() {
            return Err(S3ErrorCode::InvalidURI.into());
        }
        let query = read_query(query.unwrap_or_default())?;
        Ok(Self { bucket, key, query, raw_path, virtual_host })
    }

    /// The URL of the object for who reaches the server under the name `host`.
    pub(crate) fn url(&self, host: &str) -> String {
        let mut url = format!("http://{host}");
        let bucket = self.bucket.as_deref().filter(|_| !self.virtual_host);
        for part in bucket.into_iter().chain(self.key.as_deref()) {
            url.push('/');
            url.push_str(&encode_path(part));
        }
        url
    }

    /// The first value of a query parameter.
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

fn decode(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// Query parameters, decoded; a `+` is a space, as forms write it.
pub(crate) fn read_query(query: &str) -> Result<Vec<(String, String)>, S3Error> {
    let mut pairs = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        if pairs.len() == MAX_PARAMETERS {
            return Err(fail(S3ErrorCode::InvalidURI, "There are too many query parameters."));
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let read = |text: &str| decode(&text.replace('+', " ")).ok_or(S3ErrorCode::InvalidURI);
        pairs.push((read(name)?, read(value)?));
    }
    Ok(pairs)
}

/// `Host` without its port.
pub(crate) fn host_name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.ends_with(':') => {
            name
        }
        _ => host,
    }
}

fn bucket_of_host(host: &str, domains: &[String]) -> Option<String> {
    let name = host_name(host).trim_end_matches('.').to_ascii_lowercase();
    if name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() || domains.contains(&name) {
        return None;
    }
    domains.iter().find_map(|domain| {
        let bucket = name.strip_suffix(domain.as_str())?.strip_suffix('.')?;
        (!bucket.is_empty() && !bucket.contains('/')).then(|| bucket.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn domains() -> Vec<String> {
        ["s3.sandbox-system", "s3.localhost", "localhost"].map(str::to_owned).to_vec()
    }

    fn aimed(host: &str, path: &str) -> (Option<String>, Option<String>) {
        let target = Target::read(Some(host), path, None, &domains()).unwrap();
        (target.bucket, target.key)
    }

    #[test]
    fn buckets_come_from_the_host_or_the_path() {
        let of = |b: &str, k: &str| {
            (
                Some(b.to_owned()).filter(|b| !b.is_empty()),
                Some(k.to_owned()).filter(|k| !k.is_empty()),
            )
        };
        for (host, path, bucket, key) in [
            ("127.0.0.1:9000", "/b/k", "b", "k"),
            ("[::1]:9000", "/b", "b", ""),
            ("s3.localhost:9000", "/b/", "b", ""),
            ("b.s3.localhost:9000", "/k/l", "b", "k/l"),
            ("B.S3.localhost", "/", "b", ""),
            ("a.b.s3.localhost", "/k", "a.b", "k"),
            ("b.localhost", "/k", "b", "k"),
            ("b.s3.sandbox-system", "/k", "b", "k"),
            ("elsewhere.example", "/b/k", "b", "k"),
            ("localhost", "/", "", ""),
            ("localhost", "/b//k%20%C3%A9/", "b", "/k é/"),
        ] {
            assert_eq!(aimed(host, path), of(bucket, key), "{host}{path}");
        }
    }

    #[test]
    fn a_url_leads_back_to_the_object() {
        for (host, path, url) in [
            ("localhost:9000", "/b/dir/a%20b", "http://localhost:9000/b/dir/a%20b"),
            ("b.s3.localhost:9000", "/dir/k%C3%A9", "http://b.s3.localhost:9000/dir/k%C3%A9"),
            ("b.localhost", "/b/k", "http://b.localhost/b/k"),
        ] {
            let target = Target::read(Some(host), path, None, &domains()).unwrap();
            assert_eq!(target.url(host), url);
        }
    }

    #[test]
    fn queries_are_decoded() {
        let target = Target::read(None, "/b", Some("prefix=a+b%2F&delete&x=1=2"), &[]).unwrap();
        assert_eq!(target.param("prefix"), Some("a b/"));
        assert_eq!(target.param("delete"), Some(""));
        assert_eq!(target.param("x"), Some("1=2"));
    }

    proptest! {
        #[test]
        fn any_target_is_survived(host in "\\PC{0,40}", path in "/\\PC{0,60}", query in "\\PC{0,80}") {
            let _ = Target::read(Some(&host), &path, Some(&query), &domains());
        }
    }
}
