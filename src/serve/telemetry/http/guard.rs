//! Who may ask: not a page of another web site.
//!
//! Owns the rule for `Host`, `Origin` and `Sec-Fetch-Site`. A page elsewhere can make a browser send
//! requests here, and can make its own name point here; both show in these headers.

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, StatusCode, Uri};

use crate::serve::local::is_local;

/// Why a request is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Foreign {
    /// The name is not ours.
    #[error("this host name is not served")]
    Host,
    /// The page is not ours.
    #[error("pages of other sites may not ask")]
    Origin,
}

impl Foreign {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::Host => StatusCode::MISDIRECTED_REQUEST,
            Self::Origin => StatusCode::FORBIDDEN,
        }
    }
}

/// Checks a request's headers.
pub(super) fn check(uri: &Uri, headers: &HeaderMap) -> Result<(), Foreign> {
    let named = headers.get(HOST).map(|host| host.to_str().map_err(|_| Foreign::Host));
    let host = match named {
        Some(host) => host?,
        // HTTP/2 has the name in the target.
        None => uri.authority().map_or("", http::uri::Authority::as_str),
    };
    if !host.is_empty() && !is_ours(host) {
        return Err(Foreign::Host);
    }
    if !is_fetched_here(uri, headers) {
        return Err(Foreign::Origin);
    }
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    let same = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    match same {
        Some(("http" | "https", origin)) if origin.eq_ignore_ascii_case(host) => Ok(()),
        _ => Err(Foreign::Origin),
    }
}

/// Whether a browser says that it asks for itself or for our own page, or nothing. A page elsewhere
/// may have a link to ours. Browsers send no `Origin` when a page elsewhere only loads something.
fn is_fetched_here(uri: &Uri, headers: &HeaderMap) -> bool {
    let header = |name: &str| headers.get(name).map(http::HeaderValue::as_bytes);
    match header("sec-fetch-site") {
        None | Some(b"same-origin" | b"none") => true,
        Some(_) => header("sec-fetch-mode") == Some(b"navigate") && uri.path() == "/",
    }
}

/// Names that nobody can register in the public DNS, among them those that container engines give
/// to their host.
fn is_ours(host: &str) -> bool {
    let name = without_port(host);
    let top = name.trim_end_matches('.').rsplit_once('.').map_or("", |(_, top)| top);
    is_local(name) || top.eq_ignore_ascii_case("internal")
}

fn without_port(host: &str) -> &str {
    if let Some(end) = host.find(']') {
        return host.get(..=end).unwrap_or(host);
    }
    host.split(':').next().unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(host: &str, origin: Option<&str>) -> Result<(), Foreign> {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        check(&Uri::from_static("/sandbox/v1/info"), &headers)
    }

    #[test]
    fn local_names_are_served() {
        for host in [
            "127.0.0.1:8127",
            "localhost",
            "telemetry.localhost:80",
            "[::1]:8127",
            "10.244.0.5:8127",
            "sandbox-telemetry",
            "sandbox-telemetry.sandbox.svc:8127",
            "sandbox-telemetry.sandbox.svc.cluster.local",
            "host.docker.internal",
        ] {
            assert_eq!(checked(host, None), Ok(()), "{host}");
            assert_eq!(checked(host, Some(&format!("http://{host}"))), Ok(()), "{host}");
        }
    }

    #[test]
    fn foreign_names_and_pages_are_not() {
        for host in ["evil.example.com", "localhost.evil.com", "127.0.0.1.evil.com:8127", "a.b"] {
            assert_eq!(checked(host, None), Err(Foreign::Host), "{host}");
        }
        for origin in ["http://evil.com", "null", "http://localhost:3000", "file://localhost"] {
            assert_eq!(checked("localhost:8127", Some(origin)), Err(Foreign::Origin), "{origin}");
        }
    }

    #[test]
    fn what_a_foreign_page_loads_is_refused_but_a_link_to_the_page_works() {
        for (site, mode, path, expected) in [
            ("cross-site", "no-cors", "/test/session/clear", Err(Foreign::Origin)),
            ("same-site", "no-cors", "/sandbox/v1/spans", Err(Foreign::Origin)),
            ("cross-site", "navigate", "/test/session/clear", Err(Foreign::Origin)),
            ("cross-site", "no-cors", "/", Err(Foreign::Origin)),
            ("cross-site", "navigate", "/", Ok(())),
            ("same-origin", "cors", "/sandbox/v1/spans", Ok(())),
            ("none", "navigate", "/sandbox/v1/spans", Ok(())),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in
                [("host", "localhost"), ("sec-fetch-site", site), ("sec-fetch-mode", mode)]
            {
                headers.insert(name, value.parse().unwrap());
            }
            assert_eq!(check(&Uri::from_static(path), &headers), expected, "{site} {mode} {path}");
        }
    }
}
