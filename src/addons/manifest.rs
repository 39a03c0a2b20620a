//! Building blocks of addons' objects: what all of them have in common.
//!
//! Owns names, labels, placement and the shape of the usual objects. Must not know any addon.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::apps::v1::{
    Deployment, DeploymentSpec, DeploymentStrategy, StatefulSet, StatefulSetSpec,
};
use k8s_openapi::api::core::v1::{
    ConfigMap, ContainerPort, EmptyDirVolumeSource, EnvVar, EnvVarSource, ExecAction,
    HTTPGetAction, HostPathVolumeSource, Namespace, ObjectFieldSelector, PodSpec, PodTemplateSpec,
    Probe, ResourceRequirements, Secret, SecretKeySelector, SecretVolumeSource, Service,
    ServiceAccount, ServicePort, ServiceSpec, Toleration, Volume, VolumeMount,
};
use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::ADDON_LABEL;
use crate::tools::kube::Object;
pub use crate::tools::pod::NODE_LABEL;

/// Annotation that makes a pod new when its configuration is.
const CONFIG_ANNOTATION: &str = "dev.sandbox/config";

/// Labels or data.
pub(super) type Map = BTreeMap<String, String>;

/// A map of pairs.
pub(super) fn map(pairs: &[(&str, &str)]) -> Map {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// A list of words.
pub(super) fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// One addon's component: where it is and what it is called.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'a> {
    /// The addon.
    pub(super) addon: &'a str,
    /// Its namespace.
    pub(super) namespace: &'a str,
    /// The name of its objects.
    pub(super) name: &'a str,
    /// What it does there.
    pub(super) component: &'a str,
}

impl Part<'_> {
    /// What selects its pods.
    pub(super) fn labels(&self) -> Map {
        map(&[
            ("app.kubernetes.io/name", self.addon),
            ("app.kubernetes.io/component", self.component),
        ])
    }

    /// Metadata of an object of another name in its namespace.
    pub(super) fn named(&self, name: &str) -> ObjectMeta {
        let mut labels = self.labels();
        labels.insert(ADDON_LABEL.to_owned(), self.addon.to_owned());
        ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(self.namespace.to_owned()),
            labels: Some(labels),
            ..ObjectMeta::default()
        }
    }

    /// Metadata of an object of its own name.
    pub(super) fn meta(&self) -> ObjectMeta {
        self.named(self.name)
    }

    /// Metadata of an object that is in no namespace.
    pub(super) fn global(&self, name: &str) -> ObjectMeta {
        ObjectMeta { namespace: None, ..self.named(name) }
    }

    /// The namespace itself.
    pub(super) fn namespace(&self) -> Object {
        let metadata = self.global(self.namespace);
        Object::of(&Namespace { metadata, ..Namespace::default() })
    }

    /// Its service account.
    pub(super) fn account(&self) -> Object {
        Object::of(&ServiceAccount { metadata: self.meta(), ..ServiceAccount::default() })
    }

    fn subject(&self) -> Vec<Subject> {
        vec![Subject {
            kind: "ServiceAccount".to_owned(),
            name: self.name.to_owned(),
            namespace: Some(self.namespace.to_owned()),
            ..Subject::default()
        }]
    }

    /// What its service account may do in all namespaces.
    pub(super) fn cluster_role(&self, rules: Vec<PolicyRule>) -> [Object; 2] {
        let metadata = self.global(self.name);
        let role = ClusterRole { metadata, rules: Some(rules), ..ClusterRole::default() };
        [Object::of(&role), self.may("ClusterRole", self.name)]
    }

    /// What its service account may do in its own namespace.
    pub(super) fn role(&self, rules: Vec<PolicyRule>) -> [Object; 2] {
        let role = Role { metadata: self.meta(), rules: Some(rules) };
        let binding = RoleBinding {
            metadata: self.meta(),
            role_ref: role_ref("Role", self.name),
            subjects: Some(self.subject()),
        };
        [Object::of(&role), Object::of(&binding)]
    }

    /// Gives its service account a role in all namespaces.
    pub(super) fn may(&self, kind: &str, role: &str) -> Object {
        let name =
            if role == self.name { role.to_owned() } else { format!("{}:{role}", self.name) };
        Object::of(&ClusterRoleBinding {
            metadata: self.global(&name),
            role_ref: role_ref(kind, role),
            subjects: Some(self.subject()),
        })
    }

    /// A Secret of that name.
    pub(super) fn secret(&self, name: &str, data: &[(&str, &str)]) -> Object {
        let bytes = |text: &str| ByteString(text.as_bytes().to_vec());
        let data = data.iter().map(|(key, text)| ((*key).to_owned(), bytes(text))).collect();
        Object::of(&Secret { metadata: self.named(name), data: Some(data), ..Secret::default() })
    }

    /// A `ConfigMap` of that name.
    pub(super) fn config_map(&self, name: &str, data: Map) -> Object {
        let metadata = self.named(name);
        Object::of(&ConfigMap { metadata, data: Some(data), ..ConfigMap::default() })
    }

    /// A Service of its own name: pairs of port and the name of the container's port.
    pub(super) fn service(&self, ports: &[(i32, &str)]) -> Object {
        let ports = ports.iter().map(|&(port, name)| service_port(name, port, name));
        self.service_of(self.name, ports.collect())
    }

    /// A Service of that name in front of its pods.
    pub(super) fn service_of(&self, name: &str, ports: Vec<ServicePort>) -> Object {
        Object::of(&Service {
            metadata: self.named(name),
            spec: Some(ServiceSpec {
                selector: Some(self.labels()),
                ports: Some(ports),
                ..ServiceSpec::default()
            }),
            ..Service::default()
        })
    }

    /// The template of its pods, which are made new when `config` differs.
    pub(super) fn template(&self, pod: PodSpec, config: &str) -> PodTemplateSpec {
        let annotations = (!config.is_empty()).then(|| map(&[(CONFIG_ANNOTATION, config)]));
        PodTemplateSpec {
            metadata: Some(ObjectMeta {
                labels: Some(self.labels()),
                annotations,
                ..ObjectMeta::default()
            }),
            spec: Some(pod),
        }
    }

    /// What selects its pods, for a workload.
    pub(super) fn selector(&self) -> LabelSelector {
        LabelSelector { match_labels: Some(self.labels()), ..LabelSelector::default() }
    }

    /// A Deployment of one pod; the old pod goes first, as two cannot share host ports or data.
    pub(super) fn deployment(&self, pod: PodSpec) -> Object {
        Object::of(&Deployment {
            metadata: self.meta(),
            spec: Some(DeploymentSpec {
                replicas: Some(1),
                selector: self.selector(),
                strategy: Some(DeploymentStrategy {
                    type_: Some("Recreate".to_owned()),
                    ..DeploymentStrategy::default()
                }),
                template: self.template(pod, ""),
                ..DeploymentSpec::default()
            }),
            ..Deployment::default()
        })
    }

    /// A `StatefulSet` of one pod, which is made new when `config` differs.
    pub(super) fn stateful_set(&self, pod: PodSpec, config: &str) -> Object {
        Object::of(&StatefulSet {
            metadata: self.meta(),
            spec: Some(StatefulSetSpec {
                replicas: Some(1),
                selector: self.selector(),
                service_name: Some(self.name.to_owned()),
                // A pod that does not start is replaced by one of a new template; with the
                // default it would be waited for.
                pod_management_policy: Some("Parallel".to_owned()),
                template: self.template(pod, config),
                ..StatefulSetSpec::default()
            }),
            ..StatefulSet::default()
        })
    }
}

fn role_ref(kind: &str, name: &str) -> RoleRef {
    RoleRef {
        api_group: "rbac.authorization.k8s.io".to_owned(),
        kind: kind.to_owned(),
        name: name.to_owned(),
    }
}

/// A rule of a role.
pub(super) fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> PolicyRule {
    PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(words(resources)),
        verbs: words(verbs),
        ..PolicyRule::default()
    }
}

/// A pod on the node that carries the addons.
pub(super) fn on_addon_node(pod: PodSpec) -> PodSpec {
    PodSpec {
        node_selector: Some(map(&[(NODE_LABEL, "true")])),
        tolerations: Some(vec![Toleration {
            key: Some("node-role.kubernetes.io/control-plane".to_owned()),
            operator: Some("Exists".to_owned()),
            effect: Some("NoSchedule".to_owned()),
            ..Toleration::default()
        }]),
        ..pod
    }
}

/// An environment variable out of the pod's own fields.
pub(super) fn env_field(name: &str, path: &str) -> EnvVar {
    let field_path = path.to_owned();
    let field_ref = Some(ObjectFieldSelector { field_path, ..ObjectFieldSelector::default() });
    EnvVar {
        name: name.to_owned(),
        value_from: Some(EnvVarSource { field_ref, ..EnvVarSource::default() }),
        ..EnvVar::default()
    }
}

/// An environment variable out of a Secret.
pub(super) fn env_secret(name: &str, secret: &str, key: &str) -> EnvVar {
    let selector = SecretKeySelector {
        name: secret.to_owned(),
        key: key.to_owned(),
        ..SecretKeySelector::default()
    };
    let source = EnvVarSource { secret_key_ref: Some(selector), ..EnvVarSource::default() };
    EnvVar { name: name.to_owned(), value_from: Some(source), ..EnvVar::default() }
}

/// A TCP port of a container; `host` = also a port of the node.
pub(super) fn port(name: &str, number: i32, host: bool) -> ContainerPort {
    ContainerPort {
        name: Some(name.to_owned()),
        container_port: number,
        host_port: host.then_some(number),
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    }
}

/// A port of a Service that leads to the port of that name of a container.
pub(super) fn service_port(name: &str, port: i32, target: &str) -> ServicePort {
    ServicePort {
        name: Some(name.to_owned()),
        port,
        target_port: Some(IntOrString::String(target.to_owned())),
        ..ServicePort::default()
    }
}

/// A probe over plain HTTP every `period` seconds.
pub(super) fn http_probe(path: &str, port: i32, period: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::Int(port),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period),
        timeout_seconds: Some(1),
        ..Probe::default()
    }
}

/// A probe by a command every `period` seconds.
pub(super) fn exec_probe(command: &str, period: i32) -> Probe {
    Probe {
        exec: Some(ExecAction { command: Some(words(&["/bin/sh", "-c", command])) }),
        period_seconds: Some(period),
        timeout_seconds: Some(5),
        ..Probe::default()
    }
}

/// What a container asks for: CPU and memory.
pub(super) fn requests(cpu: &str, memory: &str) -> ResourceRequirements {
    let quantity = |text: &str| Quantity(text.to_owned());
    ResourceRequirements {
        requests: Some(BTreeMap::from([
            ("cpu".to_owned(), quantity(cpu)),
            ("memory".to_owned(), quantity(memory)),
        ])),
        ..ResourceRequirements::default()
    }
}

/// A read-only mount.
pub(super) fn mount(volume: &str, path: &str) -> VolumeMount {
    VolumeMount {
        name: volume.to_owned(),
        mount_path: path.to_owned(),
        read_only: Some(true),
        ..VolumeMount::default()
    }
}

/// A mount to write to.
pub(super) fn writable(volume: &str, path: &str) -> VolumeMount {
    VolumeMount { read_only: None, ..mount(volume, path) }
}

/// A volume out of a Secret.
pub(super) fn secret_volume(name: &str, secret: &str) -> Volume {
    let source = SecretVolumeSource {
        secret_name: Some(secret.to_owned()),
        default_mode: Some(0o444),
        ..SecretVolumeSource::default()
    };
    Volume { name: name.to_owned(), secret: Some(source), ..Volume::default() }
}

/// A volume that goes with the pod.
pub(super) fn scratch_volume(name: &str) -> Volume {
    let empty_dir = Some(EmptyDirVolumeSource::default());
    Volume { name: name.to_owned(), empty_dir, ..Volume::default() }
}

/// A volume for data: on the node, where it outlives the pod, or only as long as the pod.
pub(super) fn data_volume(name: &str, addon: &str, persistent: bool) -> Volume {
    if !persistent {
        return scratch_volume(name);
    }
    let source = HostPathVolumeSource {
        path: format!("/var/lib/sandbox/{addon}"),
        type_: Some("DirectoryOrCreate".to_owned()),
    };
    Volume { name: name.to_owned(), host_path: Some(source), ..Volume::default() }
}
