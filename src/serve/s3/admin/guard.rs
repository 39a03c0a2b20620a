//! Tells requests of a foreign web page from those of people and programs: by
//! `Host`, which a page that moved its own name here cannot choose, and by
//! `Origin` and `Sec-Fetch-Site`, which a browser sets.

use http::HeaderMap;

use crate::serve::local::is_local;
use crate::serve::s3::request::target::host_name;

/// Lets a request pass, or says why not.
pub(super) fn check(headers: &HeaderMap, domains: &[String]) -> Result<(), &'static str> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let host = text("host").unwrap_or_default();
    if !is_ours(host, domains) {
        return Err("the `Host` is not a name of this server");
    }
    if let Some(origin) = text("origin")
        && origin.split_once("://").map(|(_, rest)| rest) != Some(host)
    {
        return Err("requests of other web pages are refused");
    }
    match text("sec-fetch-site") {
        None | Some("same-origin" | "none") => Ok(()),
        Some(_) => Err("requests of other web pages are refused"),
    }
}

fn is_ours(host: &str, domains: &[String]) -> bool {
    let name = host_name(host).trim_end_matches('.').to_ascii_lowercase();
    is_local(&name) || domains.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v)))
            .collect()
    }

    #[test]
    fn foreign_pages_are_refused() {
        let domains = ["s3.mine.example".to_owned()];
        for (pairs, fine) in [
            (&[("host", "127.0.0.1:9001")][..], true),
            (&[("host", "[::1]:9001")], true),
            (&[("host", "s3.localhost:9001")], true),
            (&[("host", "s3.mine.example:9001")], true),
            (&[("host", "s3-admin.sandbox-system.svc:9001")], true),
            (&[("host", "s3-admin.sandbox-system.svc.cluster.local")], true),
            (&[("host", "s3:9001")], true),
            (&[("host", "evil.example:9001")], false),
            (&[], false),
            (&[("host", "localhost:9001"), ("origin", "http://localhost:9001")], true),
            (&[("host", "localhost:9001"), ("origin", "http://localhost:3000")], false),
            (&[("host", "localhost:9001"), ("origin", "null")], false),
            (&[("host", "localhost:9001"), ("sec-fetch-site", "cross-site")], false),
            (&[("host", "localhost:9001"), ("sec-fetch-site", "same-origin")], true),
        ] {
            assert_eq!(check(&headers(pairs), &domains).is_ok(), fine, "{pairs:?}");
        }
    }
}
