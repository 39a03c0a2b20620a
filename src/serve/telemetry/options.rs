//! What the server is told, and where it then listens.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use super::intake::LogSink;
use super::store::Limits;
use super::tail::Skip;

/// What the server is told. A listener whose address is `None` is left out; port 0 takes a free one.
#[derive(Clone)]
pub struct Options {
    /// Datadog's HTTP intake. Default 127.0.0.1:8126.
    pub apm: Option<SocketAddr>,
    /// dogstatsd, UDP. Default 127.0.0.1:8125.
    pub dogstatsd: Option<SocketAddr>,
    /// OTLP over gRPC. Default 127.0.0.1:4317.
    pub otlp_grpc: Option<SocketAddr>,
    /// OTLP over HTTP. Default 127.0.0.1:4318.
    pub otlp_http: Option<SocketAddr>,
    /// Health, `/live` and `/ready`. Default 127.0.0.1:5555.
    pub health: Option<SocketAddr>,
    /// Questions and the page. Default 127.0.0.1:8127.
    pub query: Option<SocketAddr>,
    /// Where `apm.socket` and `dsd.socket` are made. Default: nowhere.
    pub sockets: Option<PathBuf>,
    /// How much is kept.
    pub limits: Limits,
    /// The mock S3's admin API, for the page (`http://host:port`).
    pub s3: Option<String>,
    /// A JSON file about the sandbox, for the page.
    pub sandbox: Option<PathBuf>,
    /// The folder of container logs that is followed, usually `/var/log/pods`. Default: none.
    pub pod_logs: Option<PathBuf>,
    /// Whose lines are left out of them.
    pub pod_logs_skip: Skip,
    /// The node's name, put on the lines of container logs.
    pub node: String,
    /// Takes the server's own log lines.
    pub log: LogSink,
}

impl Default for Options {
    fn default() -> Self {
        let local = |port| Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        Self {
            apm: local(8126),
            dogstatsd: local(8125),
            otlp_grpc: local(4317),
            otlp_http: local(4318),
            health: local(5555),
            query: local(8127),
            sockets: None,
            limits: Limits::default(),
            s3: None,
            sandbox: None,
            pod_logs: None,
            pod_logs_skip: Skip::default(),
            node: String::new(),
            log: Arc::new(|_| {}),
        }
    }
}

/// Where the server listens.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Addresses {
    /// Datadog's HTTP intake.
    pub apm: Option<SocketAddr>,
    /// dogstatsd, UDP.
    pub dogstatsd: Option<SocketAddr>,
    /// OTLP over gRPC.
    pub otlp_grpc: Option<SocketAddr>,
    /// OTLP over HTTP.
    pub otlp_http: Option<SocketAddr>,
    /// Health.
    pub health: Option<SocketAddr>,
    /// Questions and the page.
    pub query: Option<SocketAddr>,
    /// Datadog's HTTP intake on a Unix socket.
    pub apm_socket: Option<PathBuf>,
    /// dogstatsd on a Unix socket.
    pub dsd_socket: Option<PathBuf>,
}

/// Why the server cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An address is taken or not allowed.
    #[error("could not listen on `{address}` for {purpose}")]
    Listen {
        /// The address or path.
        address: String,
        /// What was to be served there.
        purpose: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// The folder for sockets cannot be made.
    #[error("could not make the folder `{path}`")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The mock S3's address is none.
    #[error("`{0}` is no address of a mock S3")]
    S3(String),
    /// The HTTP client cannot be made.
    #[error("could not make an HTTP client")]
    Client(#[source] reqwest::Error),
    /// A listener broke.
    #[error("serving {purpose} failed")]
    Serve {
        /// What was served.
        purpose: &'static str,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
