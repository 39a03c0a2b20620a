//! The Docker engine: the one client, and what is true of every call.
//!
//! Owns the connection, deadlines and the wording of failures; images, builds, nodes and the
//! cleaner have a file each. Must not decide what belongs to a sandbox.

mod build;
mod cleaner;
mod images;
mod nodes;

use std::time::Duration;

use bollard::API_DEFAULT_VERSION;

use crate::env::Env;
use crate::error::{Error, Kind, Result};

pub use build::BuildRequest;
pub use cleaner::Cleaner;
pub use images::{ImageInfo, Pull, split_tag};
pub use nodes::{NetworkInfo, NodeInfo, NodeState, PublishedPort};

/// Deadline of calls that only look.
const LOOK: Duration = Duration::from_secs(10);
/// Deadline of calls that change something small.
const CHANGE: Duration = Duration::from_secs(60);
/// Where the engine listens unless `DOCKER_HOST` says otherwise.
const DEFAULT_HOST: &str = "unix:///var/run/docker.sock";

/// The Docker engine of this machine.
#[derive(Debug, Clone)]
pub struct Docker {
    client: bollard::Docker,
    host: String,
}

/// What the engine says of itself.
#[derive(Debug, Clone)]
pub struct EngineInfo {
    /// Version, such as `26.1.5`.
    pub version: String,
    /// Architecture in Go's words, such as `amd64`.
    pub architecture: String,
    /// Folder of the engine's data.
    pub root_dir: String,
    /// `1` or `2`.
    pub cgroup_version: String,
    /// Processors.
    pub cpus: i64,
    /// Memory in bytes.
    pub memory: i64,
    /// Whether the engine runs without root.
    pub rootless: bool,
}

impl Docker {
    /// Connects to the engine. Nothing is sent yet.
    ///
    /// # Errors
    /// [`Kind::Refused`] when `DOCKER_HOST` names another machine, [`Kind::Machine`] when the
    /// address makes no sense.
    pub fn connect(env: &Env) -> Result<Self> {
        let host = env.text("DOCKER_HOST").unwrap_or(DEFAULT_HOST).to_owned();
        let Some(path) = host.strip_prefix("unix://") else {
            return Err(Error::new(
                Kind::Refused,
                format!("DOCKER_HOST is `{host}`: only an engine of this machine is used"),
            )
            .hint("unset DOCKER_HOST, or set it to unix:///path/to/docker.sock"));
        };
        let client = bollard::Docker::connect_with_unix(path, 600, API_DEFAULT_VERSION)
            .map_err(|error| unreachable_engine(&host).because(error))?;
        Ok(Self { client, host })
    }

    /// What the engine says of itself; the first call, so its failure explains itself.
    ///
    /// # Errors
    /// [`Kind::Machine`] when no engine answers.
    pub async fn info(&self) -> Result<EngineInfo> {
        let info = tokio::time::timeout(LOOK, self.client.info())
            .await
            .map_err(|_| {
                unreachable_engine(&self.host)
                    .because(Error::new(Kind::Machine, "the call `info` got no answer in 10s"))
            })?
            .map_err(|error| match error {
                bollard::errors::Error::DockerResponseServerError { .. } => {
                    let host = &self.host;
                    Error::new(
                        Kind::Machine,
                        format!("the Docker engine at `{host}` is in trouble"),
                    )
                    .because(error)
                    .hint("look into its log, or start it again")
                }
                error => unreachable_engine(&self.host).because(innermost(&error)),
            })?;
        let options = info.security_options.unwrap_or_default();
        let architecture = match info.architecture.as_deref() {
            Some("x86_64") => "amd64".to_owned(),
            Some("aarch64") => "arm64".to_owned(),
            other => other.unwrap_or("unknown").to_owned(),
        };
        Ok(EngineInfo {
            version: info.server_version.unwrap_or_default(),
            architecture,
            root_dir: info.docker_root_dir.unwrap_or_default(),
            cgroup_version: info.cgroup_version.map(|v| v.to_string()).unwrap_or_default(),
            cpus: info.ncpu.unwrap_or_default(),
            memory: info.mem_total.unwrap_or_default(),
            rootless: options.iter().any(|option| option.contains("rootless")),
        })
    }

    /// Runs one call with a deadline; a failure names the call.
    async fn call<T>(
        &self,
        what: &str,
        deadline: Duration,
        call: impl Future<Output = Result<T, bollard::errors::Error>>,
    ) -> Result<T> {
        match tokio::time::timeout(deadline, call).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => {
                Err(Error::new(Kind::Machine, format!("docker failed to {what}")).because(error))
            }
            Err(_) => Err(Error::new(
                Kind::Machine,
                format!("docker did not {what} within {}s", deadline.as_secs()),
            )
            .hint("sandbox doctor")),
        }
    }
}

fn unreachable_engine(host: &str) -> Error {
    Error::new(Kind::Machine, format!("no Docker engine answers at `{host}`"))
        .hint("start Docker; in a checkout, scripts/engine installs and starts one on Debian")
}

/// The first cause: the HTTP client's own layers above it mean nothing to people.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

/// Turns the engine's "no such …" into nothing.
fn absent<T>(
    result: Result<T, bollard::errors::Error>,
) -> Result<Option<T>, bollard::errors::Error> {
    match result {
        Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
        other => other.map(Some),
    }
}
