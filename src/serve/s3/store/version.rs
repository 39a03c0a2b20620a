//! Names of versions and uploads, and of the `ETag`. Owns their text forms.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The id of a version: `null`, or 32 hexadecimal digits that say nothing to a
/// client. <https://docs.aws.amazon.com/AmazonS3/latest/userguide/versioning-workflows.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum VersionId {
    /// The version written while versioning was off or suspended.
    Null,
    /// A version written while versioning was on.
    Id(u128),
}

/// A text that is neither `null` nor a version id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a version id")]
pub struct InvalidVersionId(String);

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Id(id) => write!(f, "{id:032x}"),
        }
    }
}

impl FromStr for VersionId {
    type Err = InvalidVersionId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "null" {
            return Ok(Self::Null);
        }
        hex128(text).map(Self::Id).ok_or_else(|| InvalidVersionId(text.to_owned()))
    }
}

/// The id of an open multipart upload: 32 hexadecimal digits. Ids of the same
/// key are in the order in which the uploads were begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UploadId(pub(super) u128);

/// A text that is not an upload id: to a client, an upload that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an upload id")]
pub struct InvalidUploadId(String);

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl FromStr for UploadId {
    type Err = InvalidUploadId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        hex128(text).map(Self).ok_or_else(|| InvalidUploadId(text.to_owned()))
    }
}

/// An entity tag: an MD5 digest, with `-N` behind it for an object of N parts.
/// Its text has no quotes.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ETag {
    /// The digest.
    pub md5: [u8; 16],
    /// How many parts; `None` when not uploaded in parts.
    pub parts: Option<NonZeroU32>,
}

/// A text that is not an `ETag` of the store's kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an entity tag")]
pub struct InvalidETag(String);

impl ETag {
    /// The tag of a body uploaded at once.
    #[must_use]
    pub fn of_md5(md5: [u8; 16]) -> Self {
        Self { md5, parts: None }
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.md5))?;
        match self.parts {
            Some(parts) => write!(f, "-{parts}"),
            None => Ok(()),
        }
    }
}

impl FromStr for ETag {
    type Err = InvalidETag;

    /// Takes the text with or without double quotes.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidETag(text.to_owned());
        let bare = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text);
        let (digest, parts) = match bare.split_once('-') {
            Some((digest, parts)) => (digest, Some(parts.parse().map_err(|_| invalid())?)),
            None => (bare, None),
        };
        let md5 = hex128(digest).ok_or_else(invalid)?.to_be_bytes();
        Ok(Self { md5, parts })
    }
}

impl Serialize for ETag {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ETag {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

fn hex128(text: &str) -> Option<u128> {
    let plain = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
    plain.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_go_round() {
        for text in ["null", "0123456789abcdef0123456789abcdef"] {
            assert_eq!(text.parse::<VersionId>().unwrap().to_string(), text);
        }
        for text in ["d41d8cd98f00b204e9800998ecf8427e", "00000000000000000000000000000001-12"] {
            assert_eq!(text.parse::<ETag>().unwrap().to_string(), text);
            assert_eq!(format!("\"{text}\"").parse::<ETag>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn foreign_texts_are_refused() {
        for text in
            ["", "nul", "+123456789abcdef0123456789abcdef", "ä123456789abcdef0123456789abcde"]
        {
            assert!(text.parse::<VersionId>().is_err(), "{text}");
            assert!(text.parse::<ETag>().is_err(), "{text}");
            assert!(text.parse::<UploadId>().is_err(), "{text}");
        }
        assert!("d41d8cd98f00b204e9800998ecf8427e-0".parse::<ETag>().is_err());
    }
}
