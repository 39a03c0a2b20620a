//! The access keys that are known. It keeps the secrets and shows none.

use std::collections::HashMap;
use std::fmt;

use s3s::{S3Error, S3ErrorCode};
use serde::{Deserialize, Serialize};

use crate::serve::s3::error::with;

/// The access key whose secret is known when no keys are configured.
pub const DEFAULT_ACCESS_KEY: &str = "sandbox";
/// The secret of [`DEFAULT_ACCESS_KEY`].
pub const DEFAULT_SECRET_KEY: &str = "sandbox-secret";

/// An access key and its secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Key {
    /// The access key id, 1 to 128 characters.
    pub access_key: String,
    /// The secret access key.
    pub secret_key: String,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

/// All keys.
pub(crate) struct Keys {
    secrets: HashMap<String, String>,
    any: bool,
}

impl Keys {
    pub(crate) fn new(keys: &[Key]) -> Self {
        let any = keys.is_empty();
        let mut secrets: HashMap<_, _> =
            keys.iter().map(|key| (key.access_key.clone(), key.secret_key.clone())).collect();
        if any {
            secrets.insert(DEFAULT_ACCESS_KEY.to_owned(), DEFAULT_SECRET_KEY.to_owned());
        }
        Self { secrets, any }
    }

    /// Whether any access key is taken.
    pub(crate) fn takes_any(&self) -> bool {
        self.any
    }

    /// The secret; none when the key is taken without one.
    pub(crate) fn secret(&self, access_key: &str) -> Result<Option<&str>, S3Error> {
        match self.secrets.get(access_key) {
            Some(secret) => Ok(Some(secret)),
            None if self.any => Ok(None),
            None => Err(with(S3ErrorCode::InvalidAccessKeyId.into(), "AWSAccessKeyId", access_key)),
        }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("any", &self.any).finish_non_exhaustive()
    }
}
