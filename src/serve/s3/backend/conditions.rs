//! Conditional requests: the headers, and what they mean for reads, copies and
//! writes.
//!
//! Source: RFC 9110 section 13, and "Conditional requests" in the user guide.

use http::{HeaderValue, header};
use s3s::{S3Error, S3ErrorCode};

use crate::serve::s3::error::{not_implemented, with, with_header};
use crate::serve::s3::state::Context;
use crate::serve::s3::store::{Condition, ETagMatch, VersionSummary};
use crate::serve::s3::time;

/// The conditions of a read, or of the source of a copy.
#[derive(Debug, Default)]
pub(super) struct Conditions<'a> {
    if_match: Option<&'a str>,
    if_none_match: Option<&'a str>,
    if_modified_since: Option<i64>,
    if_unmodified_since: Option<i64>,
    copies: bool,
}

impl<'a> Conditions<'a> {
    /// The conditions of a read.
    pub(super) fn of_read(context: &'a Context) -> Self {
        Self::read(context, "", false)
    }

    /// The conditions on the source of a copy.
    pub(super) fn of_source(context: &'a Context) -> Self {
        Self::read(context, "x-amz-copy-source-", true)
    }

    fn read(context: &'a Context, prefix: &str, copies: bool) -> Self {
        let text = |name: &str| context.header(&format!("{prefix}{name}"));
        // A date that cannot be read counts as not given.
        let date = |name: &str| text(name).and_then(time::parse_http_date);
        Self {
            if_match: text("if-match"),
            if_none_match: text("if-none-match"),
            if_modified_since: date("if-modified-since"),
            if_unmodified_since: date("if-unmodified-since"),
            copies,
        }
    }

    /// Whether a version may be read.
    pub(super) fn check(&self, object: &VersionSummary) -> Result<(), S3Error> {
        let etag = object.etag.to_string();
        let modified = object.last_modified.as_second().saturating_mul(1000);
        let failed =
            |name: &str| Err(with(S3ErrorCode::PreconditionFailed.into(), "Condition", name));
        if let Some(list) = self.if_match {
            if !lists(list, &etag) {
                return failed("If-Match");
            }
        } else if self.if_unmodified_since.is_some_and(|since| modified > since) {
            return failed("If-Unmodified-Since");
        }
        let unchanged = if let Some(list) = self.if_none_match {
            lists(list, &etag).then_some("If-None-Match")
        } else {
            let since = self.if_modified_since;
            since.is_some_and(|since| modified <= since).then_some("If-Modified-Since")
        };
        match unchanged {
            Some(name) if self.copies => failed(name),
            Some(_) => {
                let error = S3Error::new(S3ErrorCode::NotModified);
                let tag = HeaderValue::from_str(&format!("\"{etag}\""));
                let date = HeaderValue::from_str(&time::http_date(modified));
                match (tag, date) {
                    (Ok(tag), Ok(date)) => Err(with_header(
                        with_header(error, header::ETAG, tag),
                        header::LAST_MODIFIED,
                        date,
                    )),
                    _ => Err(error),
                }
            }
            None => Ok(()),
        }
    }
}

/// Whether a list of tags has this one, or is `*`.
fn lists(list: &str, etag: &str) -> bool {
    list.split(',').map(bare).any(|tag| tag == "*" || tag == etag)
}

fn bare(tag: &str) -> &str {
    let tag = tag.trim();
    tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"')
}

/// The condition of a write.
pub(super) fn of_write(context: &Context) -> Result<Condition, S3Error> {
    let if_match = match context.header("if-match") {
        None => None,
        Some(list) if list.trim() == "*" => Some(ETagMatch::Any),
        // A tag of a foreign form is that of no object here.
        Some(list) => Some(ETagMatch::OneOf(
            list.split(',').filter_map(|tag| bare(tag).parse().ok()).collect(),
        )),
    };
    let if_none_match = match context.header("if-none-match") {
        None => None,
        Some(list) if list.trim() == "*" => Some(ETagMatch::Any),
        Some(_) => return Err(not_implemented("If-None-Match with an entity tag")),
    };
    Ok(Condition { if_match, if_none_match, if_current: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_tags_are_compared_without_quotes() {
        assert!(lists("\"a\", W/\"b\"", "b"));
        assert!(lists("*", "b"));
        assert!(lists("b", "b"));
        assert!(!lists("\"c\"", "b"));
    }
}
