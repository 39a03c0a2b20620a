//! How a server is started, where it listens, and why it could not.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::Serialize;

use super::config::Config;
use super::log::LogSink;
use super::seed::SeedError;
use super::store::{Durability, StoreError};

/// Options of [`super::serve`].
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder of the data; made when missing.
    pub dir: PathBuf,
    /// Where S3 is spoken. Default: `127.0.0.1:9000`.
    pub listen: SocketAddr,
    /// Where health, metrics and the control API are. Default: `127.0.0.1:9001`.
    pub admin: SocketAddr,
    /// More base names under which the first label of a host is a bucket.
    /// `s3.localhost` and `localhost` are always among them.
    pub domains: Vec<String>,
    /// The region of buckets that are made without one. Default: `us-east-1`.
    pub region: String,
    /// When a write is acknowledged. Default: when it is on disk.
    pub durability: Durability,
    /// Keys, buckets and objects.
    pub config: Config,
    /// Where the access log goes: one line of JSON a request. Default: nowhere.
    pub log: LogSink,
}

impl Options {
    /// The defaults for a folder.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        Self {
            dir,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9000)),
            admin: SocketAddr::from((Ipv4Addr::LOCALHOST, 9001)),
            domains: Vec::new(),
            region: "us-east-1".to_owned(),
            durability: Durability::default(),
            config: Config::default(),
            log: LogSink::none(),
        }
    }

    /// All base names, longest first, in lower case.
    pub(crate) fn all_domains(&self) -> Vec<String> {
        let mut all: Vec<String> = ["s3.localhost", "localhost"]
            .into_iter()
            .chain(self.domains.iter().map(String::as_str))
            .map(|domain| domain.trim_matches('.').to_ascii_lowercase())
            .filter(|domain| !domain.is_empty())
            .collect();
        all.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        all.dedup();
        all
    }
}

/// Where a server listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Addresses {
    /// S3.
    pub s3: SocketAddr,
    /// Health, metrics and the control API.
    pub admin: SocketAddr,
}

/// Why a server could not be started or had to stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address cannot be listened on.
    #[error("could not listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The store cannot be opened.
    #[error("could not open the data in {}", dir.display())]
    Store {
        /// The folder.
        dir: PathBuf,
        /// Why not.
        source: StoreError,
    },
    /// The configuration cannot be applied.
    #[error("could not apply the configuration")]
    Seed(#[from] SeedError),
    /// Opening the store was interrupted.
    #[error("opening the data was interrupted")]
    Interrupted,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_are_longest_first_and_unique() {
        let options = Options {
            domains: ["s3.sandbox-system.svc", "LOCALHOST.", ""].map(str::to_owned).to_vec(),
            ..Options::new(PathBuf::new())
        };
        assert_eq!(options.all_domains(), ["s3.sandbox-system.svc", "s3.localhost", "localhost"]);
    }
}
