//! A request that is about to be sent, and what a redirect makes of it.
//!
//! Owns how a check's request is built and changed on the way. Must not touch the network.

use std::net::SocketAddr;

use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};

use crate::checks::judge::Answer;
use crate::checks::text;
use crate::settings::checks::Http;

/// Longest request line that is shown, in characters.
const SHOWN: usize = 512;

/// One request on the way; redirects change it.
#[derive(Debug, Clone)]
pub(super) struct Request {
    /// The method.
    pub(super) method: Method,
    /// Where to.
    pub(super) url: Url,
    /// Headers besides those that every client sends.
    pub(super) headers: HeaderMap,
    /// The body.
    pub(super) body: Option<String>,
}

impl Request {
    /// Builds the first request of a check.
    ///
    /// # Errors
    /// One line when URL, method or a header cannot be sent.
    pub(super) fn new(http: &Http) -> Result<Self, String> {
        let method = http.method.as_deref().unwrap_or("GET");
        let mut headers = HeaderMap::new();
        for (name, value) in &http.headers {
            let odd = || format!("request header `{name}` cannot be sent");
            let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| odd())?;
            headers.append(key, HeaderValue::from_str(value).map_err(|_| odd())?);
        }
        Ok(Self {
            method: Method::from_bytes(method.as_bytes())
                .map_err(|_| format!("`{method}` is no HTTP method"))?,
            url: Url::parse(&http.url)
                .map_err(|error| format!("`{}` cannot be parsed: {error}", http.url))?,
            headers,
            body: http.body.clone(),
        })
    }

    /// Method and URL, with the address when that is another than in the URL.
    pub(super) fn shown(&self, address: Option<SocketAddr>) -> String {
        let line = format!("{} {}", self.method, self.url);
        let line = text::line(&line, SHOWN);
        address.map_or_else(|| line.clone(), |address| format!("{line} (at {address})"))
    }

    /// The request that an answer leads to, as browsers do it; absent when it leads nowhere.
    pub(super) fn redirected(&self, answer: &Answer) -> Option<Self> {
        if !matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
            return None;
        }
        let url = self.url.join(answer.header("location")?).ok()?;
        if !matches!(url.scheme(), "http" | "https") {
            return None;
        }
        let mut next = Self { url, ..self.clone() };
        let becomes_get = match answer.status {
            301 | 302 => self.method == Method::POST,
            303 => self.method != Method::HEAD,
            _ => false,
        };
        if becomes_get {
            next.method = Method::GET;
            next.body = None;
            next.headers.remove(CONTENT_TYPE);
            next.headers.remove(CONTENT_LENGTH);
        }
        if next.url.host_str() != self.url.host_str() {
            for private in [AUTHORIZATION, COOKIE, HOST] {
                next.headers.remove(private);
            }
        }
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str) -> Request {
        let headers = [("Authorization", "x"), ("Content-Type", "text/plain"), ("X-Kept", "y")];
        let http = Http {
            url: "http://a.localhost/start".into(),
            method: Some(method.into()),
            headers: headers.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            body: Some("body".into()),
            times: None,
            expect: crate::settings::checks::HttpExpect::default(),
        };
        Request::new(&http).unwrap()
    }

    fn leads(status: u16, to: &str) -> Answer {
        let headers = vec![("location".into(), to.into())];
        Answer { status, headers, ..Answer::default() }
    }

    #[test]
    fn a_post_becomes_a_get_except_where_the_status_forbids_it() {
        for (method, status, becomes) in [
            ("POST", 302, "GET"),
            ("PUT", 302, "PUT"),
            ("PUT", 303, "GET"),
            ("HEAD", 303, "HEAD"),
            ("POST", 307, "POST"),
            ("POST", 308, "POST"),
        ] {
            let next = request(method).redirected(&leads(status, "/next")).unwrap();
            assert_eq!(next.method.as_str(), becomes, "{method} {status}");
            assert_eq!(next.body.is_some(), next.headers.contains_key(CONTENT_TYPE));
            assert_eq!(next.url.as_str(), "http://a.localhost/next");
        }
    }

    #[test]
    fn credentials_stay_with_the_host_they_are_for() {
        let same = request("GET").redirected(&leads(302, "https://a.localhost/x")).unwrap();
        assert!(same.headers.contains_key(AUTHORIZATION));
        let other = request("GET").redirected(&leads(302, "//b.localhost/x")).unwrap();
        assert!(!other.headers.contains_key(AUTHORIZATION));
        assert!(other.headers.contains_key("x-kept"));
    }

    #[test]
    fn an_answer_that_leads_nowhere_is_the_last_one() {
        for answer in [leads(200, "/x"), leads(304, "/x"), leads(302, "ftp://x/")] {
            assert!(request("GET").redirected(&answer).is_none());
        }
        assert!(request("GET").redirected(&Answer { status: 302, ..Answer::default() }).is_none());
    }

    #[test]
    fn what_cannot_be_sent_is_told() {
        let mut http = Http {
            url: "http://x/".into(),
            method: Some("A B".into()),
            headers: std::collections::BTreeMap::new(),
            body: None,
            times: None,
            expect: crate::settings::checks::HttpExpect::default(),
        };
        assert_eq!(Request::new(&http).unwrap_err(), "`A B` is no HTTP method");
        http.method = None;
        http.headers.insert("X-A".into(), "a\nb".into());
        assert_eq!(Request::new(&http).unwrap_err(), "request header `X-A` cannot be sent");
    }
}
