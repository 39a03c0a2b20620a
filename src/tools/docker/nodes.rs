//! Node containers and their network.
//!
//! Owns the engine's container and network calls. Who owns a container is decided in
//! `crate::owner`.

use std::collections::HashMap;
use std::io::Read;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecResults};
use bollard::models::{ContainerSummary, NetworkCreateRequest};
use bollard::query_parameters::{
    DownloadFromContainerOptionsBuilder, InspectNetworkOptions, ListContainersOptionsBuilder,
    ListVolumesOptions, RemoveContainerOptionsBuilder, StartContainerOptions,
};
use bytes::Bytes;
use futures::StreamExt;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc::Receiver;

use super::{CHANGE, Docker, LOOK, absent};
use crate::error::{Context, Error, Kind, Result};

/// The label under which kind names the cluster of a node.
const KIND_CLUSTER: &str = "io.x-k8s.kind.cluster";
/// The label under which kind names the role of a node.
const KIND_ROLE: &str = "io.x-k8s.kind.role";
/// How long removing one node may take.
const REMOVE: Duration = Duration::from_secs(120);

/// One node container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeInfo {
    /// Container id.
    pub id: String,
    /// Container name, which is the node's name too.
    pub name: String,
    /// Name of the kind cluster.
    pub cluster: String,
    /// `control-plane`, `worker` or another of kind's roles.
    pub role: String,
    /// Whether it runs.
    pub state: NodeState,
    /// The networks it is on, as (name, id). A container that was never started has no id yet.
    pub networks: Vec<(String, String)>,
    /// Names of its volumes.
    pub volumes: Vec<String>,
    /// Ports on the host that lead to it.
    pub ports: Vec<PublishedPort>,
}

/// A port on the host that leads to a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishedPort {
    /// Port in the container.
    pub container: u16,
    /// Port on the host.
    pub host: u16,
}

/// Whether a node container runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeState {
    /// It runs.
    Running,
    /// It is frozen.
    Paused,
    /// It does not run.
    Stopped,
}

/// One network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkInfo {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: HashMap<String, String>,
    /// Names of the containers on it.
    pub containers: Vec<String>,
}

impl Docker {
    /// All node containers of the kind cluster of that name, whoever made them.
    ///
    /// # Errors
    /// [`Kind::Machine`] when the engine does not answer.
    pub async fn nodes(&self, cluster: &str) -> Result<Vec<NodeInfo>> {
        let filters = HashMap::from([("label", vec![format!("{KIND_CLUSTER}={cluster}")])]);
        self.containers(&filters).await
    }

    /// All containers that publish a port, for telling who holds one.
    ///
    /// # Errors
    /// [`Kind::Machine`] when the engine does not answer.
    pub async fn publishers(&self) -> Result<Vec<NodeInfo>> {
        let mut containers = self.containers(&HashMap::new()).await?;
        containers.retain(|container| !container.ports.is_empty());
        Ok(containers)
    }

    async fn containers(&self, filters: &HashMap<&str, Vec<String>>) -> Result<Vec<NodeInfo>> {
        let options = ListContainersOptionsBuilder::default().all(true).filters(filters).build();
        let call = self.client.list_containers(Some(options));
        let mut nodes: Vec<NodeInfo> =
            self.call("list containers", LOOK, call).await?.into_iter().map(node).collect();
        nodes.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(nodes)
    }

    /// Starts a stopped node.
    ///
    /// # Errors
    /// [`Kind::Machine`] when it does not start.
    pub async fn start_node(&self, node: &NodeInfo) -> Result<()> {
        let call = self.client.start_container(&node.id, None::<StartContainerOptions>);
        self.call(&format!("start node `{}`", node.name), CHANGE, call).await
    }

    /// Removes a node with its volumes, running or not. One that is gone already is no failure.
    ///
    /// # Errors
    /// [`Kind::Machine`] when the engine refuses.
    pub async fn remove_node(&self, node: &NodeInfo) -> Result<()> {
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        let call = async {
            absent(self.client.remove_container(&node.id, Some(options)).await).map(|_| ())
        };
        self.call(&format!("remove node `{}`", node.name), REMOVE, call).await
    }

    /// Names of those volumes that still exist.
    ///
    /// # Errors
    /// [`Kind::Machine`] when the engine does not answer.
    pub async fn existing_volumes(&self, names: &[String]) -> Result<Vec<String>> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let call = self.client.list_volumes(None::<ListVolumesOptions>);
        let volumes = self.call("list volumes", LOOK, call).await?.volumes.unwrap_or_default();
        Ok(volumes.into_iter().map(|v| v.name).filter(|name| names.contains(name)).collect())
    }

    /// Looks at a network; absent when there is none of that name.
    ///
    /// # Errors
    /// [`Kind::Machine`] when the engine does not answer.
    pub async fn network(&self, name: &str) -> Result<Option<NetworkInfo>> {
        let inspect = self.client.inspect_network(name, None::<InspectNetworkOptions>);
        let call = async { absent(inspect.await) };
        let found = self.call(&format!("inspect network `{name}`"), LOOK, call).await?;
        Ok(found.map(|network| NetworkInfo {
            id: network.id.unwrap_or_default(),
            name: network.name.unwrap_or_default(),
            labels: network.labels.unwrap_or_default(),
            containers: network
                .containers
                .unwrap_or_default()
                .into_values()
                .filter_map(|container| container.name)
                .collect(),
        }))
    }

    /// Makes a bridge network with labels.
    ///
    /// # Errors
    /// [`Kind::Machine`] when the engine refuses, for example as no address range is free.
    pub async fn create_network(&self, name: &str, labels: &[(String, String)]) -> Result<()> {
        let request = NetworkCreateRequest {
            name: name.to_owned(),
            driver: Some("bridge".to_owned()),
            labels: Some(labels.iter().cloned().collect()),
            options: Some(HashMap::from([(
                "com.docker.network.bridge.enable_ip_masquerade".to_owned(),
                "true".to_owned(),
            )])),
            ..NetworkCreateRequest::default()
        };
        let call = self.client.create_network(request);
        self.call(&format!("create network `{name}`"), CHANGE, call).await.map(|_| ())
    }

    /// Removes a network. One that is gone already is no failure.
    ///
    /// # Errors
    /// [`Kind::Machine`] when the engine refuses, for example as a container is on it.
    pub async fn remove_network(&self, network: &NetworkInfo) -> Result<()> {
        let call = async { absent(self.client.remove_network(&network.id).await).map(|_| ()) };
        self.call(&format!("remove network `{}`", network.name), CHANGE, call).await
    }

    /// Reads one file of a node; cheaper than running a command there.
    ///
    /// # Errors
    /// [`Kind::Machine`] when there is no such node or file yet.
    pub async fn read_file(&self, node: &str, path: &str) -> Result<String> {
        let options = DownloadFromContainerOptionsBuilder::default().path(path).build();
        let mut stream = self.client.download_from_container(node, Some(options));
        let read = async {
            let mut packed = Vec::new();
            while let Some(chunk) = stream.next().await {
                packed.extend_from_slice(&chunk?);
            }
            Ok(packed)
        };
        let what = format!("read `{path}` of `{node}`");
        let packed = self.call(&what, LOOK, read).await?;
        let mut text = String::new();
        let mut archive = tar::Archive::new(packed.as_slice());
        if let Some(entry) = archive.entries().ok().and_then(|mut entries| entries.next()) {
            entry
                .and_then(|mut entry| entry.read_to_string(&mut text))
                .context(Kind::Machine, || format!("docker sent a broken `{path}`"))?;
        }
        Ok(text)
    }

    /// Runs a command in a node and returns its standard output.
    ///
    /// # Errors
    /// [`Kind::Cluster`] with the command's standard error when it fails.
    pub async fn exec(&self, node: &str, command: &[&str]) -> Result<String> {
        let (exec, results) = self.start_exec(node, command, false).await?;
        let StartExecResults::Attached { output, .. } = results else {
            return Err(Error::new(Kind::Unexpected, "docker did not attach to a command"));
        };
        let read = read_all(output);
        let what = format!("run `{}` in `{node}`", command.join(" "));
        let (stdout, stderr) = self.call(&what, CHANGE, async { Ok(read.await) }).await?;
        self.exit_of(&exec, node, command, &stderr).await?;
        Ok(stdout)
    }

    /// Runs a command in a node that reads its standard input from `input` until that ends.
    ///
    /// # Errors
    /// [`Kind::Cluster`] with the command's standard error when it fails.
    pub async fn exec_feed(
        &self,
        node: &str,
        command: &[&str],
        input: Receiver<Bytes>,
    ) -> Result<String> {
        let (exec, results) = self.start_exec(node, command, true).await?;
        let StartExecResults::Attached { output, input: pipe } = results else {
            return Err(Error::new(Kind::Unexpected, "docker did not attach to a command"));
        };
        // A command that ends early closes the pipe; its exit code says why.
        let ((), (stdout, stderr)) = tokio::join!(feed(pipe, input), read_all(output));
        self.exit_of(&exec, node, command, &stderr).await?;
        Ok(stdout)
    }

    async fn start_exec(
        &self,
        node: &str,
        command: &[&str],
        stdin: bool,
    ) -> Result<(String, StartExecResults)> {
        let options = CreateExecOptions {
            attach_stdin: Some(stdin),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(command.iter().map(|&word| word.to_owned()).collect()),
            ..CreateExecOptions::default()
        };
        let what = format!("prepare `{}` in `{node}`", command.join(" "));
        let created = self.call(&what, LOOK, self.client.create_exec(node, options)).await?;
        let started = self.call(&what, LOOK, self.client.start_exec(&created.id, None)).await?;
        Ok((created.id, started))
    }

    async fn exit_of(&self, exec: &str, node: &str, command: &[&str], stderr: &str) -> Result<()> {
        let ended = self.call("inspect a command", LOOK, self.client.inspect_exec(exec)).await?;
        match ended.exit_code {
            Some(0) => Ok(()),
            code => {
                let code = code.map_or_else(|| "no exit code".into(), |c| format!("code {c}"));
                let shown = command.join(" ");
                let told =
                    Error::new(Kind::Cluster, format!("`{shown}` in `{node}` ended with {code}"));
                Err(told.because(Error::new(Kind::Cluster, stderr.trim().to_owned())))
            }
        }
    }
}

async fn feed(mut pipe: std::pin::Pin<Box<dyn AsyncWrite + Send>>, mut input: Receiver<Bytes>) {
    let mut open = true;
    // Drained even when nobody reads any more, so that the sender never hangs.
    while let Some(chunk) = input.recv().await {
        open = open && pipe.write_all(&chunk).await.is_ok();
    }
    let _ = pipe.shutdown().await;
}

async fn read_all(
    mut output: impl futures::Stream<Item = Result<LogOutput, bollard::errors::Error>> + Unpin,
) -> (String, String) {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    while let Some(Ok(chunk)) = output.next().await {
        match chunk {
            LogOutput::StdErr { message } => stderr.extend_from_slice(&message),
            other => stdout.extend_from_slice(&other.into_bytes()),
        }
    }
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (text(stdout), text(stderr))
}

fn node(container: ContainerSummary) -> NodeInfo {
    use bollard::models::ContainerSummaryStateEnum as State;
    let mut labels = container.labels.unwrap_or_default();
    let networks = container.network_settings.and_then(|settings| settings.networks);
    let published = container.ports.unwrap_or_default();
    NodeInfo {
        id: container.id.unwrap_or_default(),
        name: container
            .names
            .unwrap_or_default()
            .first()
            .map(|name| name.trim_start_matches('/').to_owned())
            .unwrap_or_default(),
        cluster: labels.remove(KIND_CLUSTER).unwrap_or_default(),
        role: labels.remove(KIND_ROLE).unwrap_or_default(),
        state: match container.state {
            Some(State::RUNNING) => NodeState::Running,
            Some(State::PAUSED) => NodeState::Paused,
            _ => NodeState::Stopped,
        },
        networks: networks
            .unwrap_or_default()
            .into_iter()
            .map(|(name, network)| (name, network.network_id.unwrap_or_default()))
            .collect(),
        volumes: container
            .mounts
            .unwrap_or_default()
            .into_iter()
            .filter_map(|mount| mount.name)
            .collect(),
        ports: published
            .into_iter()
            .filter_map(|port| {
                Some(PublishedPort { container: port.private_port, host: port.public_port? })
            })
            .collect(),
    }
}
