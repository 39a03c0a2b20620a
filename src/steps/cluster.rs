//! Steps that make, start and reach the Kind cluster.
//!
//! Owns the network, the nodes and the kubeconfig.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::Node;
use kube::config::Kubeconfig;
use kube::runtime::watcher;
use serde_json::json;

use super::Cx;
use crate::addons;
use crate::error::{Context, Error, Kind, Result};
use crate::observe::{missing_labels, ready_nodes};
use crate::owner::{self, Owner};
use crate::plan::kind_config::{config_hash, kind_config, needs_volumes, node_count};
use crate::report::event::StepEvents;
use crate::state::{Phase, Ports, Record};
use crate::tools::kind::{self, Clash};
use crate::tools::kube::Cluster;
use crate::tools::ports;
use crate::tools::ready::{self, Look};

/// How long the API server may take from the start of `kind create`.
const API_DEADLINE: Duration = Duration::from_secs(300);
/// How long nodes may take to become ready after the cluster is made.
const NODES_DEADLINE: Duration = Duration::from_secs(180);
/// How often a cluster is tried to be made when something comes in between.
const ATTEMPTS: u32 = 5;
/// Where kubeadm puts the administrator's kubeconfig on a control-plane node.
const ADMIN_CONF: &str = "/etc/kubernetes/admin.conf";

impl Cx<'_> {
    /// Writes the intent, then makes the network that marks everything on it as ours.
    pub(super) async fn create_network(&self) -> Result<String> {
        let facts = self.facts()?;
        let name = &self.settings.name.value;
        let hash = config_hash(self.settings, &self.world.catalogue.image("node").reference);
        let mut intent = Record::intent(&self.settings.profile.value.name, &hash, facts.ports);
        intent.service_ports.clone_from(&facts.service_ports);
        if let Some(old) = &facts.record {
            // Still the same sandbox: what Docker was asked to make before a kill may appear
            // late, and has to be known as ours.
            intent.instance.clone_from(&old.instance);
            // What was built stays built, whatever happens to the cluster.
            intent.builds.clone_from(&old.builds);
        }
        self.place.write_record(&intent)?;
        let state = self.place.root().display().to_string();
        let labels = owner::labels(name, &intent.instance, &state);
        *self.record.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(intent);
        match self.docker.create_network(&name.network(), &labels).await {
            Ok(()) => Ok(String::new()),
            Err(error) => self.adopt_network(error).await,
        }
    }

    /// Goes on with a network that is there already, if it is ours and nothing is on it.
    async fn adopt_network(&self, error: Error) -> Result<String> {
        let name = &self.settings.name.value;
        let Some(network) = self.docker.network(&name.network()).await? else { return Err(error) };
        let state = self.place.root().display().to_string();
        let owner =
            self.with_record(|record| owner::of(name, &state, Some(record), Some(&network), &[]))?;
        if owner == Owner::Us { Ok("it was there".to_owned()) } else { Err(error) }
    }

    pub(super) async fn create_cluster(&self, events: &StepEvents) -> Result<String> {
        let program = self.kind.as_ref().ok_or_else(|| {
            Error::new(Kind::Unexpected, "the plan needs kind, which is not there")
        })?;
        let image = &self.world.catalogue.image("node").reference;
        let name = &self.settings.name.value;
        if needs_volumes(&self.settings.profile.value) {
            // Before Docker does, who would make it root's.
            self.place.make_volumes()?;
        }
        let services = addons::host_ports(&self.settings.addons);
        let mut asked = vec![self.settings.http_port.value, self.settings.https_port.value];
        asked.extend(services.iter().map(|(_, _, asked)| *asked));
        let may_choose = asked.iter().any(Option::is_none);
        for attempt in 1.. {
            let (ports, services) =
                self.with_record(|record| (record.ports, record.service_ports.clone()))?;
            let volumes = self.place.volumes();
            let config = kind_config(self.settings, image, ports, &services, &volumes);
            let progress = |title| events.progress(title);
            let created =
                program.create(&config, &name.network(), &self.place.dir(), progress).await;
            match created {
                Ok(()) => break,
                Err(error) if attempt < ATTEMPTS => match kind::clash(&error) {
                    Some(Clash::Port) if may_choose => {
                        events.progress("a port was taken meanwhile, trying others");
                        self.remove_nodes_made_so_far().await?;
                        self.choose_other_ports(ports)?;
                    }
                    Some(Clash::Name) => {
                        events.progress("a node of an earlier `up` appeared, starting over");
                        self.remove_nodes_made_so_far().await?;
                    }
                    _ => return Err(error),
                },
                Err(error) => return Err(error),
            }
        }
        self.change_record(|record| record.phase = Phase::Created)?;
        Ok(String::new())
    }

    /// Removes the nodes of a create that failed; the network, which shows that they are ours,
    /// stays.
    async fn remove_nodes_made_so_far(&self) -> Result<()> {
        let name = &self.settings.name.value;
        let (cluster, network) = (name.cluster(), name.network());
        let (nodes, network) =
            tokio::try_join!(self.docker.nodes(&cluster), self.docker.network(&network))?;
        let state = self.place.root().display().to_string();
        let owner = self.with_record(|record| {
            owner::of(name, &state, Some(record), network.as_ref(), &nodes)
        })?;
        if let Owner::Foreign(why) = owner {
            return Err(Error::new(Kind::Refused, why));
        }
        let removals = nodes.iter().map(|node| self.docker.remove_node(node));
        futures::future::try_join_all(removals).await.map(|_| ())
    }

    /// Chooses other ports where none were asked for.
    fn choose_other_ports(&self, taken: Ports) -> Result<()> {
        // Whoever else is choosing at this moment shall not choose the same again.
        let skip = 1 + u16::try_from(std::process::id() % 89).unwrap_or(0);
        let none = || "there is no free port on 127.0.0.1".to_owned();
        let next = |asked: Option<u16>, port: u16| match asked {
            Some(port) => Ok(port),
            None => ports::first_free(port.saturating_add(skip), &[])
                .ok_or_else(|| Error::new(Kind::Machine, none())),
        };
        let http = next(self.settings.http_port.value, taken.http)?;
        let https = next(self.settings.https_port.value, taken.https)?;
        let api = ports::any_free().context(Kind::Machine, none)?;
        let mut services = BTreeMap::new();
        for (name, port, asked) in addons::host_ports(&self.settings.addons) {
            services.insert(name.to_owned(), next(asked, port)?);
        }
        self.change_record(|record| {
            record.ports = Ports { http, https, api };
            record.service_ports = services;
        })
    }

    pub(super) async fn start_nodes(&self) -> Result<String> {
        let nodes = &self.facts()?.nodes;
        futures::future::try_join_all(nodes.iter().map(|node| self.docker.start_node(node)))
            .await?;
        Ok(String::new())
    }

    /// Takes the kubeconfig from the node as soon as kubeadm wrote it, waits until the API server
    /// answers, and remembers which cluster it is.
    pub(super) async fn reach_api(&self, events: &StepEvents) -> Result<String> {
        let name = self.settings.name.value.cluster();
        let node = format!("{name}-control-plane");
        events.progress("waiting for its kubeconfig");
        let what = "the kubeconfig of the cluster";
        let admin = ready::retry(what, Kind::Cluster, API_DEADLINE, || async {
            self.docker.read_file(&node, ADMIN_CONF).await.map_err(|error| error.to_string())
        })
        .await?;
        // Only now: creating may have had to choose another port.
        let port = self.with_record(|record| record.ports.api)?;
        let kubeconfig = own_kubeconfig(&admin, &name, port)?;
        events.progress("waiting for the API server");
        let cluster = Cluster::connect(&kubeconfig).await?;
        let identity = ready::retry("the API server", Kind::Cluster, API_DEADLINE, || async {
            if !cluster.is_ready().await {
                return Err("it does not say that it is ready".to_owned());
            }
            cluster.identity().await.map_err(|error| error.to_string())
        })
        .await?;
        self.check_identity(&identity)?;
        self.place.write_kubeconfig(&kubeconfig)?;
        self.change_record(|record| record.identity = Some(identity))?;
        Ok(format!("127.0.0.1:{port}"))
    }

    /// A cluster that was known before must still be the same one.
    fn check_identity(&self, found: &crate::tools::kube::Identity) -> Result<()> {
        let known = self.with_record(|record| record.identity.clone())?;
        match known {
            Some(known) if known != *found => Err(Error::new(
                Kind::Refused,
                "another cluster answers at this sandbox's port; nothing was changed",
            )),
            _ => Ok(()),
        }
    }

    pub(super) async fn nodes_ready(&self, events: &StepEvents) -> Result<String> {
        let cluster = self.cluster().await?;
        let wanted = node_count(&self.settings.profile.value);
        let (nodes, changes) = ready::watch::<Node>(cluster.all(), watcher::Config::default());
        let look = || {
            let state = nodes.state();
            let ready = ready_nodes(&state);
            if ready >= wanted && ready == state.len() {
                Look::Done(ready)
            } else {
                Look::Waiting(format!("{ready} of {wanted} ready"))
            }
        };
        let progress = |text: &str| events.progress(text);
        let what = "the nodes";
        let count =
            ready::until(what, Kind::Cluster, NODES_DEADLINE, vec![changes], look, progress)
                .await?;
        let state: Vec<Node> = nodes.state().iter().map(|node| Node::clone(node)).collect();
        self.label_nodes(&cluster, &state).await?;
        Ok(format!("{count} ready"))
    }

    /// Gives nodes the labels that their kubelets would refuse to register with. What is there
    /// already is not written again.
    async fn label_nodes(&self, cluster: &Cluster, nodes: &[Node]) -> Result<()> {
        let name = self.settings.name.value.cluster();
        let missing = missing_labels(&self.settings.profile.value, &name, nodes);
        let api = cluster.all::<Node>();
        let writes = missing.into_iter().map(|(node, labels)| {
            let (api, patch) = (&api, json!({ "metadata": { "labels": labels } }));
            async move { cluster.merge(api, &node, &patch).await }
        });
        futures::future::try_join_all(writes).await.map(|_| ())
    }

    /// Removes what an unfinished or unfit cluster left. Ownership was checked by the plan.
    pub(super) async fn remove_remains(&self) -> Result<String> {
        let facts = self.facts()?;
        let cluster = self.settings.name.value.cluster();
        let nodes = self.docker.nodes(&cluster).await?;
        let removals = nodes.iter().map(|node| self.docker.remove_node(node));
        futures::future::try_join_all(removals).await?;
        // Volumes stay until `down`: nodes may be gone without anybody having meant the data.
        if let Some(network) = &facts.network {
            self.docker.remove_network(network).await?;
        }
        Ok(format!("{} node(s)", nodes.len()))
    }
}

/// kubeadm's kubeconfig, pointed at the port of this machine and named as kind names its own.
fn own_kubeconfig(admin: &str, cluster: &str, port: u16) -> Result<String> {
    let broken = || "the cluster's kubeconfig cannot be read".to_owned();
    let mut config = Kubeconfig::from_yaml(admin).context(Kind::Cluster, broken)?;
    let context = format!("kind-{cluster}");
    for named in &mut config.clusters {
        named.name.clone_from(&context);
        if let Some(inner) = &mut named.cluster {
            inner.server = Some(format!("https://127.0.0.1:{port}"));
        }
    }
    for named in &mut config.auth_infos {
        named.name.clone_from(&context);
    }
    for named in &mut config.contexts {
        named.name.clone_from(&context);
        if let Some(inner) = &mut named.context {
            inner.cluster.clone_from(&context);
            inner.user = Some(context.clone());
        }
    }
    config.current_context = Some(context);
    // Through JSON values, as secrets print as redacted from the typed form in YAML libraries
    // that ask `Debug`.
    serde_saphyr::to_string(&config).context(Kind::Cluster, broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADMIN: &str = "
apiVersion: v1
kind: Config
clusters: [{name: x, cluster: {server: 'https://x-control-plane:6443', certificate-authority-data: Q0E=}}]
contexts: [{name: kubernetes-admin@x, context: {cluster: x, user: kubernetes-admin}}]
current-context: kubernetes-admin@x
users: [{name: kubernetes-admin, user: {client-certificate-data: Q0VSVA==, client-key-data: S0VZ}}]
";

    #[test]
    fn the_kubeconfig_points_here_and_keeps_its_keys() {
        let text = own_kubeconfig(ADMIN, "sandbox-hello", 40123).unwrap();
        let config = Kubeconfig::from_yaml(&text).unwrap();
        let cluster = config.clusters[0].cluster.as_ref().unwrap();
        assert_eq!(cluster.server.as_deref(), Some("https://127.0.0.1:40123"));
        assert_eq!(cluster.certificate_authority_data.as_deref(), Some("Q0E="));
        assert_eq!(config.current_context.as_deref(), Some("kind-sandbox-hello"));
        assert!(text.contains("S0VZ"), "{text}");
    }
}
