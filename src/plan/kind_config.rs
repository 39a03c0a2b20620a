//! The kind configuration of a sandbox.
//!
//! Owns how a profile becomes nodes. Pure.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::addons;
use crate::addons::manifest::NODE_LABEL;
use crate::addons::storage;
use crate::profile::{Profile, Worker};
use crate::settings::Settings;
use crate::state::Ports;
use crate::tools::kind::{ClusterConfig, Mount, Networking, Node, PortMapping};

/// What a cluster of one control plane does not need and waits for all the same: leader election
/// (up to 15 s after a restart), and a controller manager that asks the API server for no more
/// than 20 things a second, which is what most of its first seconds go into.
const SINGLE_CONTROL_PLANE: &str = "\
kind: ClusterConfiguration
controllerManager:
  extraArgs:
    leader-elect: \"false\"
    kube-api-qps: \"200\"
    kube-api-burst: \"400\"
scheduler:
  extraArgs:
    leader-elect: \"false\"
";

/// The loopback address: nothing of a sandbox is reachable from other machines.
const LOOPBACK: &str = "127.0.0.1";

/// The configuration for `kind create cluster`. `volumes` is the folder of this machine that holds
/// the volumes of all nodes; only profiles with provisioners of their own have it.
#[must_use]
pub fn kind_config(
    settings: &Settings,
    node_image: &str,
    ports: Ports,
    services: &BTreeMap<String, u16>,
    volumes: &Path,
) -> ClusterConfig {
    let profile = &settings.profile.value;
    let mut published = vec![(80, ports.http), (443, ports.https)];
    for (name, port, _) in addons::host_ports(&settings.addons) {
        published.extend(services.get(name).map(|host| (port, *host)));
    }
    let mut nodes = vec![control_plane(profile, node_image, &published)];
    nodes.extend(profile.workers().iter().map(|w| worker(node_image, w)));
    if needs_volumes(profile) {
        for node in &mut nodes {
            let container_path = storage::SHARED_FOLDER;
            node.extra_mounts.push(Mount { host_path: volumes.to_owned(), container_path });
        }
    }
    ClusterConfig {
        kind: "Cluster",
        api_version: "kind.x-k8s.io/v1alpha4",
        name: settings.name.value.cluster(),
        networking: Networking { api_server_address: LOOPBACK, api_server_port: ports.api },
        kubeadm_config_patches: vec![SINGLE_CONTROL_PLANE.to_owned()],
        nodes,
    }
}

/// A hash of what cannot be changed without making the cluster anew. Ports are left out: those of
/// the ingress are compared by themselves, and an addon works without one. So is the folder for
/// volumes, which is always beside the record.
#[must_use]
pub fn config_hash(settings: &Settings, node_image: &str) -> String {
    let ports = Ports { http: 0, https: 0, api: 0 };
    let config = kind_config(settings, node_image, ports, &BTreeMap::new(), Path::new(""));
    format!("{:x}", Sha256::digest(format!("{config:?}")))
}

/// How many nodes a profile has.
#[must_use]
pub fn node_count(profile: &Profile) -> usize {
    1 + profile.workers().len()
}

/// Whether the nodes of a profile share a folder of this machine for their volumes.
#[must_use]
pub fn needs_volumes(profile: &Profile) -> bool {
    !profile.foreign_provisioners().is_empty()
}

fn control_plane(profile: &Profile, image: &str, published: &[(u16, u16)]) -> Node {
    let mapping = |&(container_port, host_port): &(u16, u16)| PortMapping {
        container_port,
        host_port,
        listen_address: LOOPBACK,
        protocol: "TCP",
    };
    let own = &profile.control_plane;
    let mut labels = own.labels.clone();
    labels.insert(NODE_LABEL.to_owned(), "true".to_owned());
    let args = kubelet_args(own.provider_id.as_deref(), None);
    Node {
        role: "control-plane",
        image: image.to_owned(),
        labels,
        extra_mounts: Vec::new(),
        extra_port_mappings: published.iter().map(mapping).collect(),
        kubeadm_config_patches: registration("InitConfiguration", &[], &args).into_iter().collect(),
    }
}

fn worker(image: &str, worker: &Worker) -> Node {
    let args = kubelet_args(worker.provider_id.as_deref(), worker.max_pods);
    let patch = registration("JoinConfiguration", &worker.taints, &args);
    Node {
        role: "worker",
        image: image.to_owned(),
        labels: worker.labels.clone(),
        extra_mounts: Vec::new(),
        extra_port_mappings: Vec::new(),
        kubeadm_config_patches: patch.into_iter().collect(),
    }
}

/// A joining kubelet takes its configuration from the cluster, so what is its own alone has to be
/// an argument.
fn kubelet_args(provider_id: Option<&str>, max_pods: Option<u32>) -> Vec<String> {
    let id = provider_id.map(|id| format!("provider-id: \"{id}\""));
    let pods = max_pods.map(|pods| format!("max-pods: \"{pods}\""));
    id.into_iter().chain(pods).collect()
}

/// How a node registers: kind has no field for taints and arguments, but kubeadm has.
///
/// Arguments are a map in kubeadm's v1beta3, which kind writes up to Kubernetes 1.35, so this adds
/// to kind's own; in v1beta4 they are a list, and this would replace them.
fn registration(kind: &str, taints: &[String], args: &[String]) -> Option<String> {
    let list: Vec<String> = taints
        .iter()
        .filter_map(|taint| {
            let (pair, effect) = taint.rsplit_once(':')?;
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some(format!("{{key: \"{key}\", value: \"{value}\", effect: {effect}}}"))
        })
        .collect();
    if list.is_empty() && args.is_empty() {
        return None;
    }
    let mut patch = format!("kind: {kind}\nnodeRegistration:\n");
    if !list.is_empty() {
        let _ = writeln!(patch, "  taints: [{}]", list.join(", "));
    }
    if !args.is_empty() {
        let _ = writeln!(patch, "  kubeletExtraArgs: {{{}}}", args.join(", "));
    }
    Some(patch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;
    use crate::env::Env;
    use crate::settings::Flags;

    fn settings(profile: &str) -> Settings {
        let flags =
            Flags { name: Some("hello".into()), profile: Some(profile.into()), ..Flags::default() };
        let dir = std::path::Path::new("/nowhere");
        Settings::resolve(&flags, &Env::default(), dir, &Catalogue::built_in()).unwrap()
    }

    const PORTS: Ports = Ports { http: 8080, https: 8443, api: 6443 };

    #[test]
    fn minimal_is_one_node_on_loopback() {
        let config = kind_config(
            &settings("minimal"),
            "kindest/node:test",
            PORTS,
            &BTreeMap::new(),
            Path::new("/state/hello/volumes"),
        );
        insta::assert_snapshot!(config.to_yaml().unwrap(), @r#"
        kind: Cluster
        apiVersion: kind.x-k8s.io/v1alpha4
        name: sandbox-hello
        networking:
          apiServerAddress: "127.0.0.1"
          apiServerPort: 6443
        kubeadmConfigPatches:
        - |
          kind: ClusterConfiguration
          controllerManager:
            extraArgs:
              leader-elect: "false"
              kube-api-qps: "200"
              kube-api-burst: "400"
          scheduler:
            extraArgs:
              leader-elect: "false"
        nodes:
        - role: control-plane
          image: kindest/node:test
          labels:
            dev.sandbox/ingress: "true"
          extraPortMappings:
          - containerPort: 80
            hostPort: 8080
            listenAddress: "127.0.0.1"
            protocol: TCP
          - containerPort: 443
            hostPort: 8443
            listenAddress: "127.0.0.1"
            protocol: TCP
        "#);
    }

    fn shown(profile: &str) -> String {
        let volumes = Path::new("/state/hello/volumes");
        let config =
            kind_config(&settings(profile), "kindest/node:test", PORTS, &BTreeMap::new(), volumes);
        let yaml = config.to_yaml().unwrap();
        yaml.split_once("nodes:\n").unwrap().1.to_owned()
    }

    #[test]
    fn eks_is_a_control_plane_and_a_worker_in_each_zone() {
        insta::assert_snapshot!(shown("eks"), @r#"
        - role: control-plane
          image: kindest/node:test
          labels:
            dev.sandbox/ingress: "true"
          extraMounts:
          - hostPath: /state/hello/volumes
            containerPath: /var/sandbox-volumes
          extraPortMappings:
          - containerPort: 80
            hostPort: 8080
            listenAddress: "127.0.0.1"
            protocol: TCP
          - containerPort: 443
            hostPort: 8443
            listenAddress: "127.0.0.1"
            protocol: TCP
        - role: worker
          image: kindest/node:test
          labels:
            beta.kubernetes.io/instance-type: t3.large
            eks.amazonaws.com/capacityType: ON_DEMAND
            eks.amazonaws.com/nodegroup: workers
            eks.amazonaws.com/nodegroup-image: ami-0d1e2f3a4b5c6d7e8
            eks.amazonaws.com/sourceLaunchTemplateId: lt-0a9b8c7d6e5f40312
            eks.amazonaws.com/sourceLaunchTemplateVersion: "1"
            failure-domain.beta.kubernetes.io/region: us-east-1
            failure-domain.beta.kubernetes.io/zone: us-east-1a
            node.kubernetes.io/instance-type: t3.large
            topology.ebs.csi.aws.com/zone: us-east-1a
            topology.k8s.aws/zone-id: use1-az1
            topology.kubernetes.io/region: us-east-1
            topology.kubernetes.io/zone: us-east-1a
          extraMounts:
          - hostPath: /state/hello/volumes
            containerPath: /var/sandbox-volumes
          kubeadmConfigPatches:
          - |
            kind: JoinConfiguration
            nodeRegistration:
              kubeletExtraArgs: {provider-id: "aws:///us-east-1a/i-0a1f3c5e7092b4d61", max-pods: "35"}
        - role: worker
          image: kindest/node:test
          labels:
            beta.kubernetes.io/instance-type: t3.large
            eks.amazonaws.com/capacityType: ON_DEMAND
            eks.amazonaws.com/nodegroup: workers
            eks.amazonaws.com/nodegroup-image: ami-0d1e2f3a4b5c6d7e8
            eks.amazonaws.com/sourceLaunchTemplateId: lt-0a9b8c7d6e5f40312
            eks.amazonaws.com/sourceLaunchTemplateVersion: "1"
            failure-domain.beta.kubernetes.io/region: us-east-1
            failure-domain.beta.kubernetes.io/zone: us-east-1b
            node.kubernetes.io/instance-type: t3.large
            topology.ebs.csi.aws.com/zone: us-east-1b
            topology.k8s.aws/zone-id: use1-az2
            topology.kubernetes.io/region: us-east-1
            topology.kubernetes.io/zone: us-east-1b
          extraMounts:
          - hostPath: /state/hello/volumes
            containerPath: /var/sandbox-volumes
          kubeadmConfigPatches:
          - |
            kind: JoinConfiguration
            nodeRegistration:
              kubeletExtraArgs: {provider-id: "aws:///us-east-1b/i-0b2e4d6f81a3c5072", max-pods: "35"}
        - role: worker
          image: kindest/node:test
          labels:
            beta.kubernetes.io/instance-type: t3.large
            eks.amazonaws.com/capacityType: ON_DEMAND
            eks.amazonaws.com/nodegroup: workers
            eks.amazonaws.com/nodegroup-image: ami-0d1e2f3a4b5c6d7e8
            eks.amazonaws.com/sourceLaunchTemplateId: lt-0a9b8c7d6e5f40312
            eks.amazonaws.com/sourceLaunchTemplateVersion: "1"
            failure-domain.beta.kubernetes.io/region: us-east-1
            failure-domain.beta.kubernetes.io/zone: us-east-1c
            node.kubernetes.io/instance-type: t3.large
            topology.ebs.csi.aws.com/zone: us-east-1c
            topology.k8s.aws/zone-id: use1-az4
            topology.kubernetes.io/region: us-east-1
            topology.kubernetes.io/zone: us-east-1c
          extraMounts:
          - hostPath: /state/hello/volumes
            containerPath: /var/sandbox-volumes
          kubeadmConfigPatches:
          - |
            kind: JoinConfiguration
            nodeRegistration:
              kubeletExtraArgs: {provider-id: "aws:///us-east-1c/i-0c3d5f7192b4e6083", max-pods: "35"}
        "#);
    }

    #[test]
    fn doks_is_a_control_plane_and_three_workers_without_zones() {
        insta::assert_snapshot!(shown("doks"), @r#"
        - role: control-plane
          image: kindest/node:test
          labels:
            dev.sandbox/ingress: "true"
          extraMounts:
          - hostPath: /state/hello/volumes
            containerPath: /var/sandbox-volumes
          extraPortMappings:
          - containerPort: 80
            hostPort: 8080
            listenAddress: "127.0.0.1"
            protocol: TCP
          - containerPort: 443
            hostPort: 8443
            listenAddress: "127.0.0.1"
            protocol: TCP
        - role: worker
          image: kindest/node:test
          labels:
            beta.kubernetes.io/instance-type: s-2vcpu-4gb
            doks.digitalocean.com/managed: "true"
            doks.digitalocean.com/node-id: 3f1c2a84-6d1b-4a9e-9c55-0b7d1e2f3a41
            doks.digitalocean.com/node-pool: default
            doks.digitalocean.com/node-pool-id: 1d9b8e72-4c0a-4f8d-b633-f9a5c0d1e230
            doks.digitalocean.com/version: 1.34.3-do.0
            failure-domain.beta.kubernetes.io/region: nyc1
            node.kubernetes.io/instance-type: s-2vcpu-4gb
            region: nyc1
            topology.kubernetes.io/region: nyc1
          extraMounts:
          - hostPath: /state/hello/volumes
            containerPath: /var/sandbox-volumes
          kubeadmConfigPatches:
          - |
            kind: JoinConfiguration
            nodeRegistration:
              kubeletExtraArgs: {provider-id: "digitalocean://498213001"}
        - role: worker
          image: kindest/node:test
          labels:
            beta.kubernetes.io/instance-type: s-2vcpu-4gb
            doks.digitalocean.com/managed: "true"
            doks.digitalocean.com/node-id: 5b7d4e96-8f2c-4c1a-8e77-1c9f2a3b4d52
            doks.digitalocean.com/node-pool: default
            doks.digitalocean.com/node-pool-id: 1d9b8e72-4c0a-4f8d-b633-f9a5c0d1e230
            doks.digitalocean.com/version: 1.34.3-do.0
            failure-domain.beta.kubernetes.io/region: nyc1
            node.kubernetes.io/instance-type: s-2vcpu-4gb
            region: nyc1
            topology.kubernetes.io/region: nyc1
          extraMounts:
          - hostPath: /state/hello/volumes
            containerPath: /var/sandbox-volumes
          kubeadmConfigPatches:
          - |
            kind: JoinConfiguration
            nodeRegistration:
              kubeletExtraArgs: {provider-id: "digitalocean://498213002"}
        - role: worker
          image: kindest/node:test
          labels:
            beta.kubernetes.io/instance-type: s-2vcpu-4gb
            doks.digitalocean.com/managed: "true"
            doks.digitalocean.com/node-id: 7a9e60b8-a13d-4e3b-9a99-2e1b3c4d5e63
            doks.digitalocean.com/node-pool: default
            doks.digitalocean.com/node-pool-id: 1d9b8e72-4c0a-4f8d-b633-f9a5c0d1e230
            doks.digitalocean.com/version: 1.34.3-do.0
            failure-domain.beta.kubernetes.io/region: nyc1
            node.kubernetes.io/instance-type: s-2vcpu-4gb
            region: nyc1
            topology.kubernetes.io/region: nyc1
          extraMounts:
          - hostPath: /state/hello/volumes
            containerPath: /var/sandbox-volumes
          kubeadmConfigPatches:
          - |
            kind: JoinConfiguration
            nodeRegistration:
              kubeletExtraArgs: {provider-id: "digitalocean://498213003"}
        "#);
    }

    #[test]
    fn k3s_on_ec2_is_one_node_with_the_labels_of_its_instance() {
        insta::assert_snapshot!(shown("k3s-ec2"), @r#"
        - role: control-plane
          image: kindest/node:test
          labels:
            beta.kubernetes.io/instance-type: t3.large
            dev.sandbox/ingress: "true"
            egress.k3s.io/cluster: "true"
            failure-domain.beta.kubernetes.io/region: us-east-1
            failure-domain.beta.kubernetes.io/zone: us-east-1a
            node.kubernetes.io/instance-type: t3.large
            topology.kubernetes.io/region: us-east-1
            topology.kubernetes.io/zone: us-east-1a
          extraPortMappings:
          - containerPort: 80
            hostPort: 8080
            listenAddress: "127.0.0.1"
            protocol: TCP
          - containerPort: 443
            hostPort: 8443
            listenAddress: "127.0.0.1"
            protocol: TCP
          kubeadmConfigPatches:
          - |
            kind: InitConfiguration
            nodeRegistration:
              kubeletExtraArgs: {provider-id: "aws:///us-east-1a/i-0d4e6f8103b5c7a94"}
        "#);
    }

    #[test]
    fn taints_and_arguments_reach_the_kubelet() {
        let taints = ["pool=gpu:NoSchedule".into(), "only:NoExecute".into()];
        let args = kubelet_args(Some("aws:///a/i-1"), Some(17));
        insta::assert_snapshot!(registration("JoinConfiguration", &taints, &args).unwrap(), @r#"
        kind: JoinConfiguration
        nodeRegistration:
          taints: [{key: "pool", value: "gpu", effect: NoSchedule}, {key: "only", value: "", effect: NoExecute}]
          kubeletExtraArgs: {provider-id: "aws:///a/i-1", max-pods: "17"}
        "#);
        assert!(registration("JoinConfiguration", &[], &[]).is_none());
    }

    #[test]
    fn the_hash_follows_the_profile_and_not_the_ports() {
        let minimal = config_hash(&settings("minimal"), "n:1");
        assert_eq!(minimal, config_hash(&settings("minimal"), "n:1"));
        assert_ne!(minimal, config_hash(&settings("eks"), "n:1"));
        assert_ne!(minimal, config_hash(&settings("minimal"), "n:2"));
    }
}
