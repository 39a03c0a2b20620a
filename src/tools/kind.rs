//! The `kind` program: its configuration file, its verbs, its output.
//!
//! Owns every call of `kind`. Must not decide what a cluster should be like.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use semver::Version;
use serde::Serialize;

use crate::error::{Context, Error, Kind, Result};
use crate::tools::process::Cmd;

/// How long `kind create cluster` may take.
const CREATE_DEADLINE: Duration = Duration::from_secs(600);

/// kind's cluster configuration, as far as it is used here.
/// Source: `kind.x-k8s.io/v1alpha4`, <https://kind.sigs.k8s.io/docs/user/configuration/>.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterConfig {
    /// Always `Cluster`.
    pub kind: &'static str,
    /// Always `kind.x-k8s.io/v1alpha4`.
    pub api_version: &'static str,
    /// Name of the cluster.
    pub name: String,
    /// Where the API server listens.
    pub networking: Networking,
    /// Patches of kubeadm's configuration, for all nodes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kubeadm_config_patches: Vec<String>,
    /// The nodes.
    pub nodes: Vec<Node>,
}

/// Where the API server listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Networking {
    /// Address on the host.
    pub api_server_address: &'static str,
    /// Port on the host.
    pub api_server_port: u16,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    /// `control-plane` or `worker`.
    pub role: &'static str,
    /// Node image.
    pub image: String,
    /// Labels set by the kubelet.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Folders of the host that this node sees.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extra_mounts: Vec<Mount>,
    /// Ports of the host that lead to this node.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extra_port_mappings: Vec<PortMapping>,
    /// Patches of kubeadm's configuration for this node.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kubeadm_config_patches: Vec<String>,
}

/// A folder of the host that a node sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Mount {
    /// Folder on the host.
    pub host_path: PathBuf,
    /// Folder in the node.
    pub container_path: &'static str,
}

/// A port of the host that leads to a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PortMapping {
    /// Port in the node.
    pub container_port: u16,
    /// Port on the host.
    pub host_port: u16,
    /// Address on the host: kind's own default is 0.0.0.0.
    pub listen_address: &'static str,
    /// Always `TCP`.
    pub protocol: &'static str,
}

impl ClusterConfig {
    /// The file that `kind create cluster --config -` reads.
    ///
    /// # Errors
    /// [`Kind::Unexpected`] when it cannot be written as YAML.
    pub fn to_yaml(&self) -> Result<String> {
        serde_saphyr::to_string(self)
            .context(Kind::Unexpected, || "cannot write kind's configuration".to_owned())
    }
}

/// The `kind` program at a path, with the environment it may see.
#[derive(Debug, Clone)]
pub struct KindTool {
    program: PathBuf,
    env: Vec<(String, OsString)>,
}

impl KindTool {
    /// The program at that path.
    #[must_use]
    pub fn new(program: PathBuf, env: Vec<(String, OsString)>) -> Self {
        Self { program, env }
    }

    /// Where it is.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Its version.
    ///
    /// # Errors
    /// [`Kind::Machine`] when it does not run or says something else.
    pub async fn version(&self) -> Result<Version> {
        let output = Cmd::new(&self.program, "ask kind for its version")
            .arg("version")
            .env(self.env.clone())
            .deadline(Duration::from_secs(10))
            .run()
            .await?;
        parse_version(&output.stdout).ok_or_else(|| {
            let said = output.stdout.trim();
            Error::new(Kind::Machine, format!("`kind version` said `{said}`, which is no version"))
        })
    }

    /// Makes a cluster on that Docker network; `progress` gets each step's title.
    ///
    /// kind's own kubeconfig goes to a throw-away file in `folder`: the user's is never touched,
    /// and the path tells whose create it is. kind is not told to wait, as it would do so in a busy loop and take running out of time for success.
    ///
    /// # Errors
    /// [`Kind::Cluster`] with kind's last words.
    pub async fn create(
        &self,
        config: &ClusterConfig,
        network: &str,
        folder: &Path,
        mut progress: impl FnMut(String) + Send,
    ) -> Result<()> {
        let scratch = tempfile::tempdir_in(folder).context(Kind::Machine, || {
            format!("cannot make a temporary folder in `{}`", folder.display())
        })?;
        let mut said = Vec::new();
        Cmd::new(&self.program, "create the cluster")
            .args(["create", "cluster", "--name", &config.name, "--config", "-"])
            // Nodes are kept on failure, so that their logs can be saved first.
            .arg("--retain")
            .arg("--kubeconfig")
            .arg(scratch.path().join("config"))
            .env(self.env.clone())
            .with("KIND_EXPERIMENTAL_DOCKER_NETWORK", network)
            .stdin(config.to_yaml()?)
            .deadline(CREATE_DEADLINE)
            .try_run(|line| {
                if let Some(title) = parse_progress(line) {
                    progress(title);
                } else {
                    said.push(line.to_owned());
                }
            })
            .await
            .map(|_| ())
            .map_err(|error| {
                let message = format!("could not create cluster `{}`", config.name);
                let told = Error::new(Kind::Cluster, message);
                let told = match reason(&said) {
                    Some(reason) => {
                        let brief = Error::new(Kind::Cluster, error.brief());
                        told.because(Error::new(Kind::Cluster, reason).because(brief))
                    }
                    None => told.because(error),
                };
                told.hint("run the same command again: it starts over from what is there")
                    .hint("`sandbox doctor` looks for the usual causes")
            })
    }
}

/// What a cluster that could not be made ran into, when trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clash {
    /// Something else took a port first.
    Port,
    /// A node of that name appeared: an earlier create that was cut off had asked Docker for it.
    Name,
}

/// Whether a failure of [`KindTool::create`] is one that trying again can help.
#[must_use]
pub fn clash(error: &Error) -> Option<Clash> {
    let causes = error.causes();
    let says =
        |texts: &[&str]| causes.iter().any(|cause| texts.iter().any(|text| cause.contains(text)));
    if says(&["port is already allocated", "address already in use"]) {
        Some(Clash::Port)
    } else if says(&["already exist for a cluster", "is already in use by container"]) {
        Some(Clash::Name)
    } else {
        None
    }
}

/// The one line that says why: Docker's own, else kind's.
fn reason(said: &[String]) -> Option<String> {
    let docker = said.iter().find(|line| line.contains("Error response from daemon"));
    let kind = said.iter().find(|line| line.starts_with("ERROR"));
    docker.or(kind).map(|line| line.trim().to_owned())
}

/// The version in `kind v0.31.0 go1.26.1 linux/amd64`.
fn parse_version(stdout: &str) -> Option<Version> {
    let word = stdout.split_whitespace().find(|word| word.starts_with('v'))?;
    Version::parse(word.trim_start_matches('v')).ok()
}

/// The title in kind's lines, ` • Preparing nodes 📦  ...` and ` ✓ Preparing nodes 📦`.
fn parse_progress(line: &str) -> Option<String> {
    let title = line.trim_start().strip_prefix('•')?;
    let words: Vec<&str> =
        title.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric)).collect();
    Some(words.join(" ").to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_what_kind_says() {
        let version = parse_version("kind v0.31.0 go1.26.1 linux/amd64\n").unwrap();
        assert_eq!(version, Version::new(0, 31, 0));
        let dev = parse_version("kind v0.32.0-alpha+4ca1ba1 go1.26.1 linux/amd64").unwrap();
        assert_eq!(dev.minor, 32);
        assert!(parse_version("bash: kind: command not found").is_none());
    }

    #[test]
    fn progress_lines_become_titles() {
        assert_eq!(parse_progress(" • Preparing nodes 📦 📦  ..."), Some("preparing nodes".into()));
        assert_eq!(parse_progress(" ✓ Preparing nodes 📦"), None);
        assert_eq!(parse_progress("ERROR: failed to create cluster"), None);
    }
}
