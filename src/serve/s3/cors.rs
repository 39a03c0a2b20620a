//! CORS: which headers an answer gets, and preflight requests. It reads the
//! rules of a bucket and changes none.
//!
//! Source: "Using cross-origin resource sharing (CORS)" in the user guide.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use s3s::dto::{CORSConfiguration, CORSRule};
use s3s::{S3Error, S3ErrorCode};

use super::error::{fail, with};
use super::glob;

/// The methods that a rule may allow.
pub(crate) const METHODS: [&str; 5] = ["GET", "PUT", "POST", "DELETE", "HEAD"];

/// What a browser asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) origin: &'a str,
    pub(crate) method: &'a str,
    pub(crate) headers: Option<&'a str>,
}

fn allows(rule: &CORSRule, asked: &Asked<'_>) -> bool {
    let origin = rule.allowed_origins.iter().any(|origin| glob::matches(origin, asked.origin));
    let method = rule.allowed_methods.iter().any(|method| method == asked.method);
    let headers = requested(asked).all(|name| {
        rule.allowed_headers
            .iter()
            .flatten()
            .any(|allowed| glob::matches(&allowed.to_ascii_lowercase(), &name))
    });
    origin && method && headers
}

fn requested(asked: &Asked<'_>) -> impl Iterator<Item = String> {
    let names = asked.headers.unwrap_or_default();
    names.split(',').map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty())
}

/// The headers of the first rule that allows what is asked.
pub(crate) fn headers(config: &CORSConfiguration, asked: &Asked<'_>) -> Option<HeaderMap> {
    let rule = config.cors_rules.iter().find(|rule| allows(rule, asked))?;
    let mut headers = HeaderMap::new();
    let mut put = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    let any = rule.allowed_origins.iter().any(|origin| origin == "*");
    put("access-control-allow-origin", if any { "*" } else { asked.origin });
    put("access-control-allow-methods", &rule.allowed_methods.join(", "));
    if !any {
        put("access-control-allow-credentials", "true");
    }
    let names: Vec<_> = requested(asked).collect();
    if !names.is_empty() {
        put("access-control-allow-headers", &names.join(", "));
    }
    if let Some(exposed) = rule.expose_headers.as_ref().filter(|list| !list.is_empty()) {
        put("access-control-expose-headers", &exposed.join(", "));
    }
    if let Some(seconds) = rule.max_age_seconds {
        put("access-control-max-age", &seconds.to_string());
    }
    put("vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method");
    Some(headers)
}

/// Answers a preflight request.
///
/// # Errors
///
/// As S3: `BadRequest` without `Origin` or method, `AccessForbidden` when there
/// are no rules or none allows it.
pub(crate) fn preflight(
    config: Option<&CORSConfiguration>,
    request: &HeaderMap,
) -> Result<HeaderMap, S3Error> {
    let text = |name: &str| request.get(name).and_then(|value| value.to_str().ok());
    let bad = |message: &str| {
        super::error::custom("BadRequest", StatusCode::BAD_REQUEST, message.to_owned())
    };
    let origin = text("origin")
        .filter(|origin| !origin.is_empty())
        .ok_or_else(|| bad("Insufficient information. Origin request header needed."))?;
    let method = text("access-control-request-method")
        .filter(|method| METHODS.contains(method))
        .ok_or_else(|| bad("Invalid Access-Control-Request-Method"))?;
    let forbidden = |message: &str| {
        let error =
            super::error::custom("AccessForbidden", StatusCode::FORBIDDEN, message.to_owned());
        with(with(error, "Method", method), "ResourceType", "OBJECT")
    };
    let config =
        config.ok_or_else(|| forbidden("CORSResponse: CORS is not enabled for this bucket."))?;
    let asked = Asked { origin, method, headers: text("access-control-request-headers") };
    headers(config, &asked).ok_or_else(|| {
        forbidden("CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.")
    })
}

/// The headers for an answer to a request that is no preflight.
pub(crate) fn actual(
    config: Option<&CORSConfiguration>,
    method: &Method,
    request: &HeaderMap,
) -> Option<HeaderMap> {
    let origin = request.get("origin")?.to_str().ok()?;
    headers(config?, &Asked { origin, method: method.as_str(), headers: None })
}

/// Whether a configuration may be stored.
///
/// # Errors
///
/// `InvalidRequest` or `MalformedXML`, as S3.
pub(crate) fn check(config: &CORSConfiguration) -> Result<(), S3Error> {
    if config.cors_rules.is_empty() || config.cors_rules.len() > 100 {
        return Err(S3ErrorCode::MalformedXML.into());
    }
    for rule in &config.cors_rules {
        if rule.allowed_origins.is_empty() || rule.allowed_methods.is_empty() {
            return Err(S3ErrorCode::MalformedXML.into());
        }
        let stars = |text: &String| text.matches('*').count() > 1;
        if let Some(method) = rule.allowed_methods.iter().find(|m| !METHODS.contains(&m.as_str())) {
            let message = format!(
                "Found unsupported HTTP method in CORS config. Unsupported method is {method}"
            );
            return Err(fail(S3ErrorCode::InvalidRequest, message));
        }
        if let Some(origin) = rule.allowed_origins.iter().find(|origin| stars(origin)) {
            let message =
                format!("AllowedOrigin \"{origin}\" can not have more than one wildcard.");
            return Err(fail(S3ErrorCode::InvalidRequest, message));
        }
        if let Some(header) = rule.allowed_headers.iter().flatten().find(|header| stars(header)) {
            let message =
                format!("AllowedHeader \"{header}\" can not have more than one wildcard.");
            return Err(fail(S3ErrorCode::InvalidRequest, message));
        }
        if rule.expose_headers.iter().flatten().any(|header| header.contains('*')) {
            let message = "ExposeHeader contains wildcard. We currently do not support wildcard for ExposeHeader.";
            return Err(fail(S3ErrorCode::InvalidRequest, message));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(origin: &str, method: &str, header: &str) -> CORSConfiguration {
        let rule = CORSRule {
            allowed_origins: vec![origin.into()],
            allowed_methods: vec![method.into()],
            allowed_headers: Some(vec![header.into()]),
            expose_headers: Some(vec!["ETag".into()]),
            max_age_seconds: Some(60),
            ..CORSRule::default()
        };
        CORSConfiguration { cors_rules: vec![rule] }
    }

    fn request(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
            })
            .collect()
    }

    #[test]
    fn a_preflight_is_answered_by_the_first_rule_that_allows_it() {
        let config = config("https://*.example.com", "PUT", "x-amz-*");
        let asked = request(&[
            ("origin", "https://a.example.com"),
            ("access-control-request-method", "PUT"),
            ("access-control-request-headers", "X-Amz-Date"),
        ]);
        let headers = preflight(Some(&config), &asked).unwrap();
        assert_eq!(headers["access-control-allow-origin"], "https://a.example.com");
        assert_eq!(headers["access-control-allow-headers"], "x-amz-date");
        assert_eq!(headers["access-control-max-age"], "60");
        assert!(actual(Some(&config), &Method::PUT, &asked).is_some());
        assert!(actual(Some(&config), &Method::GET, &asked).is_none());
    }

    #[test]
    fn what_no_rule_allows_is_forbidden() {
        let config = config("https://a.example.com", "PUT", "x-amz-date");
        for (origin, method, header, code) in [
            ("https://b.example.com", "PUT", "", "AccessForbidden"),
            ("https://a.example.com", "GET", "", "AccessForbidden"),
            ("https://a.example.com", "PUT", "content-type", "AccessForbidden"),
            ("https://a.example.com", "BREW", "", "BadRequest"),
            ("", "PUT", "", "BadRequest"),
        ] {
            let asked = request(&[
                ("origin", origin),
                ("access-control-request-method", method),
                ("access-control-request-headers", header),
            ]);
            let error = preflight(Some(&config), &asked).unwrap_err();
            assert_eq!(error.code().as_str(), code, "{origin} {method} {header}");
        }
        let asked = request(&[("origin", "x"), ("access-control-request-method", "GET")]);
        assert_eq!(preflight(None, &asked).unwrap_err().code().as_str(), "AccessForbidden");
    }

    #[test]
    fn configurations_are_checked() {
        assert!(check(&config("*", "GET", "*")).is_ok());
        assert!(check(&config("**", "GET", "*")).is_err());
        assert!(check(&config("*", "BREW", "*")).is_err());
        assert!(check(&CORSConfiguration::default()).is_err());
    }
}
