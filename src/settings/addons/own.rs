//! Options of the addons that are this very program: `s3` and `telemetry`.
//!
//! Owns their keys. What a bucket is made of is the server's own, so that both say it with the same
//! words.

use std::path::Path;

use jiff::SignedDuration;
use serde::Deserialize;

use super::Password;
use crate::error::{Error, Kind, Result};
use crate::serve::s3::config::{BucketConfig, Config, Key};

/// How much of telemetry is kept unless the settings say otherwise.
const MAX_BYTES: u64 = 256 * 1024 * 1024;
/// How long it is kept, in hours.
const MAX_AGE: i64 = 12;

/// Options of the mock S3.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct S3 {
    /// Buckets; made when absent, never removed.
    pub buckets: Vec<BucketConfig>,
    /// Access key. Default: `AKIASANDBOXSANDBOX00`.
    pub access_key: Option<String>,
    /// Secret key. Default: a random one.
    pub secret_key: Option<Password>,
    /// The region that it says it is in. Default: `us-east-1`.
    pub region: String,
    /// Keep data when the pod restarts. Default: true.
    pub persistence: bool,
    /// Port of 127.0.0.1. Default: 9000, or the next free one.
    pub host_port: Option<u16>,
}

impl Default for S3 {
    fn default() -> Self {
        Self {
            buckets: Vec::new(),
            access_key: None,
            secret_key: None,
            region: "us-east-1".to_owned(),
            persistence: true,
            host_port: None,
        }
    }
}

impl S3 {
    /// The server's configuration as JSON. Objects that are files, below `root`, are put into it.
    ///
    /// # Errors
    /// [`Kind::Settings`] when one of these cannot be read.
    pub fn config(&self, access_key: &str, secret_key: &str, root: &Path) -> Result<String> {
        let mut buckets = self.buckets.clone();
        for object in buckets.iter_mut().flat_map(|bucket| &mut bucket.objects) {
            object.inline(root).map_err(|why| {
                Error::new(Kind::Settings, format!("addons.s3: the object `{}`", object.key))
                    .because(why)
            })?;
        }
        let key = Key { access_key: access_key.to_owned(), secret_key: secret_key.to_owned() };
        let config = Config { keys: vec![key], buckets };
        serde_json::to_string(&config).map_err(|error| {
            Error::new(Kind::Unexpected, "S3's options are no JSON").because(error)
        })
    }
}

/// Options of the telemetry collector.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Telemetry {
    /// How much is kept, in bytes; the oldest goes first. Default: 268435456 (256 MiB).
    pub max_bytes: u64,
    /// How long it is kept. Default: `12h`.
    pub max_age: SignedDuration,
    /// Port of 127.0.0.1 for the page and for questions. Default: 8127, or the next free one.
    pub host_port: Option<u16>,
    /// Port of 127.0.0.1 for Datadog's clients (traces). Default: 8126, or the next free one.
    pub datadog_port: Option<u16>,
    /// Port of 127.0.0.1 for OTLP over HTTP. Default: 4318, or the next free one.
    pub otlp_port: Option<u16>,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            max_bytes: MAX_BYTES,
            max_age: SignedDuration::from_hours(MAX_AGE),
            host_port: None,
            datadog_port: None,
            otlp_port: None,
        }
    }
}
