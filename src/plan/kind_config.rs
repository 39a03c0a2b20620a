//! The kind configuration of a sandbox.
//!
//! Owns how a profile becomes nodes. Pure.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::addons;
use crate::addons::manifest::NODE_LABEL;
use crate::profile::{Profile, Worker};
use crate::settings::Settings;
use crate::state::Ports;
use crate::tools::kind::{ClusterConfig, Networking, Node, PortMapping};

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

/// The configuration for `kind create cluster`.
#[must_use]
pub fn kind_config(
    settings: &Settings,
    node_image: &str,
    ports: Ports,
    services: &BTreeMap<String, u16>,
) -> ClusterConfig {
    let mut published = vec![(80, ports.http), (443, ports.https)];
    for (name, port, _) in addons::host_ports(&settings.addons) {
        published.extend(services.get(name).map(|host| (port, *host)));
    }
    let mut nodes = vec![control_plane(node_image, &published)];
    nodes.extend(settings.profile.value.workers().iter().map(|w| worker(node_image, w)));
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
/// the ingress are compared by themselves, and an addon works without one.
#[must_use]
pub fn config_hash(settings: &Settings, node_image: &str) -> String {
    let config =
        kind_config(settings, node_image, Ports { http: 0, https: 0, api: 0 }, &BTreeMap::new());
    format!("{:x}", Sha256::digest(format!("{config:?}")))
}

/// How many nodes a profile has.
#[must_use]
pub fn node_count(profile: &Profile) -> usize {
    1 + profile.workers().len()
}

fn control_plane(image: &str, published: &[(u16, u16)]) -> Node {
    let mapping = |&(container_port, host_port): &(u16, u16)| PortMapping {
        container_port,
        host_port,
        listen_address: LOOPBACK,
        protocol: "TCP",
    };
    Node {
        role: "control-plane",
        image: image.to_owned(),
        labels: BTreeMap::from([(NODE_LABEL.to_owned(), "true".to_owned())]),
        extra_port_mappings: published.iter().map(mapping).collect(),
        kubeadm_config_patches: Vec::new(),
    }
}

fn worker(image: &str, worker: &Worker) -> Node {
    Node {
        role: "worker",
        image: image.to_owned(),
        labels: worker.labels.clone(),
        extra_port_mappings: Vec::new(),
        kubeadm_config_patches: taints(&worker.taints).into_iter().collect(),
    }
}

/// kind has no field for taints; the kubelet registers with them when kubeadm is told.
fn taints(taints: &[String]) -> Option<String> {
    let list: Vec<String> = taints
        .iter()
        .filter_map(|taint| {
            let (pair, effect) = taint.rsplit_once(':')?;
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some(format!("{{key: \"{key}\", value: \"{value}\", effect: {effect}}}"))
        })
        .collect();
    (!list.is_empty()).then(|| {
        let list = list.join(", ");
        format!("kind: JoinConfiguration\nnodeRegistration:\n  taints: [{list}]\n")
    })
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
        let config =
            kind_config(&settings("minimal"), "kindest/node:test", PORTS, &BTreeMap::new());
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

    #[test]
    fn eks_is_a_control_plane_and_a_worker_in_each_zone() {
        let config = kind_config(&settings("eks"), "kindest/node:test", PORTS, &BTreeMap::new());
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
        - role: worker
          image: kindest/node:test
          labels:
            beta.kubernetes.io/instance-type: t3.large
            eks.amazonaws.com/capacityType: ON_DEMAND
            eks.amazonaws.com/nodegroup: workers
            failure-domain.beta.kubernetes.io/region: us-east-1
            failure-domain.beta.kubernetes.io/zone: us-east-1a
            node.kubernetes.io/instance-type: t3.large
            topology.kubernetes.io/region: us-east-1
            topology.kubernetes.io/zone: us-east-1a
        - role: worker
          image: kindest/node:test
          labels:
            beta.kubernetes.io/instance-type: t3.large
            eks.amazonaws.com/capacityType: ON_DEMAND
            eks.amazonaws.com/nodegroup: workers
            failure-domain.beta.kubernetes.io/region: us-east-1
            failure-domain.beta.kubernetes.io/zone: us-east-1b
            node.kubernetes.io/instance-type: t3.large
            topology.kubernetes.io/region: us-east-1
            topology.kubernetes.io/zone: us-east-1b
        - role: worker
          image: kindest/node:test
          labels:
            beta.kubernetes.io/instance-type: t3.large
            eks.amazonaws.com/capacityType: ON_DEMAND
            eks.amazonaws.com/nodegroup: workers
            failure-domain.beta.kubernetes.io/region: us-east-1
            failure-domain.beta.kubernetes.io/zone: us-east-1c
            node.kubernetes.io/instance-type: t3.large
            topology.kubernetes.io/region: us-east-1
            topology.kubernetes.io/zone: us-east-1c
        "#);
    }

    #[test]
    fn taints_reach_the_kubelet() {
        let patch = taints(&["pool=gpu:NoSchedule".into(), "only:NoExecute".into()]).unwrap();
        assert!(patch.contains(r#"{key: "pool", value: "gpu", effect: NoSchedule}"#), "{patch}");
        assert!(patch.contains(r#"{key: "only", value: "", effect: NoExecute}"#), "{patch}");
        assert!(taints(&[]).is_none());
    }

    #[test]
    fn the_hash_follows_the_profile_and_not_the_ports() {
        let minimal = config_hash(&settings("minimal"), "n:1");
        assert_eq!(minimal, config_hash(&settings("minimal"), "n:1"));
        assert_ne!(minimal, config_hash(&settings("eks"), "n:1"));
        assert_ne!(minimal, config_hash(&settings("minimal"), "n:2"));
    }
}
