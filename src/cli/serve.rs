//! `sandbox serve`: its words.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::SignedDuration;

/// What to serve.
#[derive(Debug, Subcommand)]
pub enum ServeCommand {
    /// A mock S3
    S3(ServeS3),
    /// A collector for traces, metrics and logs of Datadog's and OpenTelemetry's clients, with a page
    Telemetry(ServeTelemetry),
    /// Hand on what arrives on a node to the collector (runs in the cluster)
    #[command(hide = true)]
    Relay(ServeRelay),
}

/// Options of the mock S3.
#[derive(Debug, Clone, Args)]
pub struct ServeS3 {
    /// Folder for the objects; made when absent
    #[arg(long, value_name = "FOLDER", default_value = "s3-data")]
    pub dir: PathBuf,
    /// Port for S3; 0 = any free one
    #[arg(long, value_name = "PORT", default_value_t = 9000)]
    pub port: u16,
    /// Port for health, metrics and control; 0 = any free one
    #[arg(long, value_name = "PORT", default_value_t = 9001)]
    pub admin_port: u16,
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub bind: IpAddr,
    /// A name below which buckets are host names, beside `s3.localhost`; several may be given
    #[arg(long, value_name = "NAME")]
    pub domain: Vec<String>,
    /// The region that it says it is in
    #[arg(long, value_name = "REGION", default_value = "us-east-1")]
    pub region: String,
    /// Keys and buckets to begin with, as JSON or YAML
    #[arg(long, value_name = "FILE")]
    pub setup: Option<PathBuf>,
}

/// Options of the collector.
#[derive(Debug, Clone, Args)]
pub struct ServeTelemetry {
    /// Port for the page and for questions; 0 = any free one
    #[arg(long, value_name = "PORT", default_value = "8127")]
    pub port: Port,
    /// Port for Datadog's traces, logs and metrics over HTTP, or `off`
    #[arg(long, value_name = "PORT", default_value = "8126")]
    pub apm_port: Port,
    /// UDP port for Datadog's metrics, or `off`
    #[arg(long, value_name = "PORT", default_value = "8125")]
    pub dogstatsd_port: Port,
    /// Port for OTLP over gRPC, or `off`
    #[arg(long, value_name = "PORT", default_value = "4317")]
    pub otlp_grpc_port: Port,
    /// Port for OTLP over HTTP, or `off`
    #[arg(long, value_name = "PORT", default_value = "4318")]
    pub otlp_http_port: Port,
    /// Port for `/live` and `/ready`, or `off`
    #[arg(long, value_name = "PORT", default_value = "5555")]
    pub health_port: Port,
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub bind: IpAddr,
    /// Folder for the sockets `apm.socket` and `dsd.socket`
    #[arg(long, value_name = "FOLDER")]
    pub sockets: Option<PathBuf>,
    /// Folder with the logs of a node's pods, to be collected too
    #[arg(long, value_name = "FOLDER")]
    pub pod_logs: Option<PathBuf>,
    /// How much is kept, in bytes; the oldest goes first
    #[arg(long, value_name = "BYTES", default_value_t = 256 * 1024 * 1024)]
    pub max_bytes: u64,
    /// How long it is kept
    #[arg(long, value_name = "TIME", default_value = "12h", value_parser = duration)]
    pub max_age: Duration,
    /// Address of a mock S3's control port, whose buckets the page shows
    #[arg(long, value_name = "URL")]
    pub s3: Option<String>,
}

/// Options of the relay.
#[derive(Debug, Clone, Args)]
pub struct ServeRelay {
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub bind: IpAddr,
    /// Folder for the sockets
    #[arg(long, value_name = "FOLDER")]
    pub sockets: Option<PathBuf>,
    /// Folder with the logs of the node's pods
    #[arg(long, value_name = "FOLDER")]
    pub pod_logs: Option<PathBuf>,
    /// Host of the collector
    #[arg(long, value_name = "HOST")]
    pub to: String,
    /// Host and port of the collector for logs
    #[arg(long, value_name = "HOST:PORT")]
    pub logs_to: String,
}

/// A port, any free one (0), or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// Do not listen.
    Off,
    /// Listen there; 0 = any free one.
    On(u16),
}

impl FromStr for Port {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            number => number.parse().map(Self::On).map_err(|_| "a port, 0 or `off`".to_owned()),
        }
    }
}

/// A length of time such as `90s`, `12h` or `1d`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let parsed: Result<SignedDuration, _> = text.parse();
    parsed
        .ok()
        .and_then(|duration| Duration::try_from(duration).ok())
        .ok_or_else(|| "a length of time such as `90s` or `12h`".to_owned())
}
