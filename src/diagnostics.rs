//! Evidence of a failure, saved before anything is deleted.
//!
//! Owns the diagnostics folder, `.sandbox/diagnostics/<time>/` beside `sandbox.yaml`: state of
//! nodes and pods, events, last log lines. Secrets are never part of it: only the named kinds of
//! object are written. Must not change the cluster.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{Event, Node, Pod};
use kube::api::ListParams;

use crate::error::{Context, Kind, Result};
use crate::settings::Settings;
use crate::state::Place;
use crate::tools::kube::Cluster;
use crate::world::World;

/// Lines kept of each container's log.
const LOG_LINES: i64 = 200;
/// How long gathering may take in all.
const DEADLINE: std::time::Duration = std::time::Duration::from_secs(20);

/// Saves what can be learned and returns the folder. What cannot be learned is noted there.
///
/// # Errors
/// [`Kind::Machine`] when the folder cannot be written.
pub async fn save(world: &World, settings: &Settings, place: &Place) -> Result<PathBuf> {
    let base = settings.root.join(".sandbox");
    let stamp = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S%.3fZ").to_string();
    let folder = base.join("diagnostics").join(format!("{}-{stamp}", settings.name.value));
    fs::create_dir_all(&folder)
        .context(Kind::Machine, || format!("cannot make `{}`", folder.display()))?;
    // The folder lies in the user's repository and is none of its business.
    fs::write(base.join(".gitignore"), "*\n")
        .context(Kind::Machine, || format!("cannot write into `{}`", base.display()))?;
    let gathered = tokio::time::timeout(DEADLINE, gather(world, settings, place, &folder)).await;
    match gathered {
        Ok(Ok(())) => {}
        Ok(Err(error)) => add(&folder, "incomplete.txt", &format!("{error}\n"))?,
        Err(_) => add(&folder, "incomplete.txt", "the cluster did not answer in time\n")?,
    }
    Ok(folder)
}

/// Adds one file to a diagnostics folder.
///
/// # Errors
/// [`Kind::Machine`] when it cannot be written.
pub fn add(folder: &Path, name: &str, text: &str) -> Result<()> {
    let path = folder.join(name);
    fs::write(&path, text).context(Kind::Machine, || format!("cannot write `{}`", path.display()))
}

async fn gather(world: &World, settings: &Settings, place: &Place, folder: &Path) -> Result<()> {
    let docker = world.docker()?;
    let mut nodes = String::new();
    for node in docker.nodes(&settings.name.value.cluster()).await? {
        let _ = writeln!(nodes, "{} {} {:?}", node.name, node.role, node.state);
    }
    add(folder, "containers.txt", &nodes)?;
    let cluster = Cluster::open(&place.kubeconfig()).await?;
    let list = ListParams::default();
    let read = || "cannot read the cluster".to_owned();
    let nodes = cluster.all::<Node>().list(&list).await.context(Kind::Cluster, read)?;
    add(folder, "nodes.txt", &nodes.items.iter().map(node_line).collect::<String>())?;
    let events = cluster.all::<Event>().list(&list).await.context(Kind::Cluster, read)?;
    add(folder, "events.txt", &events.items.iter().map(event_line).collect::<String>())?;
    let pods = cluster.all::<Pod>().list(&list).await.context(Kind::Cluster, read)?;
    add(folder, "pods.txt", &pods.items.iter().map(pod_line).collect::<String>())?;
    let skipped = ["kube-system", "kube-node-lease", "kube-public"];
    for pod in &pods.items {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        if skipped.contains(&namespace) {
            continue;
        }
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
        for container in containers.map(|container| container.name.as_str()) {
            for (previous, suffix) in [(false, ""), (true, ".previous")] {
                let log = cluster.last_lines(namespace, name, container, previous, LOG_LINES).await;
                if !log.is_empty() {
                    let file = format!("{namespace}.{name}.{container}{suffix}.log");
                    add(folder, &file, &log)?;
                }
            }
        }
    }
    Ok(())
}

fn node_line(node: &Node) -> String {
    let name = node.metadata.name.as_deref().unwrap_or_default();
    let ready = crate::observe::node_is_ready(node);
    format!("{name} ready={ready}\n")
}

fn event_line(event: &Event) -> String {
    let time = event.last_timestamp.as_ref().map(|time| time.0.to_string()).unwrap_or_default();
    let about = &event.involved_object;
    format!(
        "{time} {} {}/{} {}: {}\n",
        event.type_.as_deref().unwrap_or_default(),
        about.namespace.as_deref().unwrap_or_default(),
        about.name.as_deref().unwrap_or_default(),
        event.reason.as_deref().unwrap_or_default(),
        event.message.as_deref().unwrap_or_default().replace('\n', " "),
    )
}

fn pod_line(pod: &Pod) -> String {
    let meta = &pod.metadata;
    let status = pod.status.clone().unwrap_or_default();
    let mut line = format!(
        "{}/{} {}\n",
        meta.namespace.as_deref().unwrap_or_default(),
        meta.name.as_deref().unwrap_or_default(),
        status.phase.unwrap_or_default()
    );
    for container in status.container_statuses.unwrap_or_default() {
        let waiting = container.state.and_then(|state| state.waiting);
        let reason = waiting.map_or_else(String::new, |waiting| {
            let message = waiting.message.unwrap_or_default();
            format!(" {}: {message}", waiting.reason.unwrap_or_default())
        });
        let _ = writeln!(
            line,
            "  {} ready={} restarts={} image={}{reason}",
            container.name, container.ready, container.restart_count, container.image
        );
    }
    line
}
