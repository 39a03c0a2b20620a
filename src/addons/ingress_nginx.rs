//! The addon `ingress-nginx`: the real controller behind the ports of 127.0.0.1.
//!
//! Owns its objects. They differ from upstream's own on purpose: the probes look every second
//! (upstream waits ten before the first look), there is no admission webhook and so no Jobs that
//! make its certificate, the pod is pinned to the node that owns the host ports, and it takes them
//! by `hostPort`. Snippet annotations stay off, as upstream has them.
//!
//! Arguments and permissions follow the controller's own documentation,
//! <https://kubernetes.github.io/ingress-nginx/user-guide/cli-arguments/> and
//! <https://kubernetes.github.io/ingress-nginx/deploy/rbac/>.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy};
use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMap, Container, ContainerPort, EnvVar, EnvVarSource, ExecAction,
    HTTPGetAction, Lifecycle, LifecycleHandler, Namespace, ObjectFieldSelector, PodSpec,
    PodTemplateSpec, Probe, ResourceRequirements, SecurityContext, Service, ServiceAccount,
    ServicePort, ServiceSpec, Toleration,
};
use k8s_openapi::api::networking::v1::{IngressClass, IngressClassSpec};
use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::ADDON_LABEL;
use crate::settings::file::IngressNginx;
use crate::tools::kube::Object;

/// Name of everything here, its namespace included.
pub const NAME: &str = "ingress-nginx";
/// Name of the controller's Deployment, as upstream has it.
pub const CONTROLLER: &str = "ingress-nginx-controller";
/// The ingress class it serves.
pub const CLASS: &str = "nginx";
/// Label of the node that owns the host ports.
pub const NODE_LABEL: &str = "dev.sandbox/ingress";
/// Port of the controller's health and metrics.
const HEALTH_PORT: i32 = 10254;

/// All its objects.
#[must_use]
pub fn objects(options: &IngressNginx, image: &str) -> Vec<Object> {
    vec![
        Object::of(&Namespace { metadata: meta(NAME, false), ..Namespace::default() }),
        Object::of(&ServiceAccount { metadata: meta(NAME, true), ..ServiceAccount::default() }),
        Object::of(&cluster_role()),
        Object::of(&ClusterRoleBinding {
            metadata: meta(NAME, false),
            role_ref: role_ref("ClusterRole"),
            subjects: Some(vec![account()]),
        }),
        Object::of(&role()),
        Object::of(&RoleBinding {
            metadata: meta(NAME, true),
            role_ref: role_ref("Role"),
            subjects: Some(vec![account()]),
        }),
        Object::of(&IngressClass {
            metadata: meta(CLASS, false),
            spec: Some(IngressClassSpec {
                controller: Some("k8s.io/ingress-nginx".to_owned()),
                ..IngressClassSpec::default()
            }),
        }),
        Object::of(&ConfigMap {
            metadata: meta(CONTROLLER, true),
            data: Some(options.config.clone()),
            ..ConfigMap::default()
        }),
        Object::of(&service()),
        Object::of(&deployment(image)),
    ]
}

fn labels() -> BTreeMap<String, String> {
    BTreeMap::from([
        ("app.kubernetes.io/name".to_owned(), NAME.to_owned()),
        ("app.kubernetes.io/component".to_owned(), "controller".to_owned()),
    ])
}

fn meta(name: &str, namespaced: bool) -> ObjectMeta {
    let mut labels = labels();
    labels.insert(ADDON_LABEL.to_owned(), NAME.to_owned());
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: namespaced.then(|| NAME.to_owned()),
        labels: Some(labels),
        ..ObjectMeta::default()
    }
}

fn role_ref(kind: &str) -> RoleRef {
    RoleRef {
        api_group: "rbac.authorization.k8s.io".to_owned(),
        kind: kind.to_owned(),
        name: NAME.to_owned(),
    }
}

fn account() -> Subject {
    Subject {
        kind: "ServiceAccount".to_owned(),
        name: NAME.to_owned(),
        namespace: Some(NAME.to_owned()),
        ..Subject::default()
    }
}

fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> PolicyRule {
    let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(owned(resources)),
        verbs: owned(verbs),
        ..PolicyRule::default()
    }
}

fn cluster_role() -> ClusterRole {
    let core = ["configmaps", "endpoints", "nodes", "pods", "secrets", "namespaces", "services"];
    let look = ["get", "list", "watch"];
    ClusterRole {
        metadata: meta(NAME, false),
        rules: Some(vec![
            rule("", &core, &look),
            rule("coordination.k8s.io", &["leases"], &["list", "watch"]),
            rule("networking.k8s.io", &["ingresses", "ingressclasses"], &look),
            rule("networking.k8s.io", &["ingresses/status"], &["update"]),
            rule("discovery.k8s.io", &["endpointslices"], &look),
            rule("", &["events"], &["create", "patch"]),
        ]),
        ..ClusterRole::default()
    }
}

fn role() -> Role {
    let lease = rule("coordination.k8s.io", &["leases"], &["get", "create", "update"]);
    Role { metadata: meta(NAME, true), rules: Some(vec![lease]) }
}

/// The Service under upstream's name, for charts and tests that talk to the controller from
/// inside the cluster. No load balancer: from outside it is reached by the host ports.
fn service() -> Service {
    let port = |name: &str, port: i32| ServicePort {
        name: Some(name.to_owned()),
        port,
        target_port: Some(IntOrString::String(name.to_owned())),
        ..ServicePort::default()
    };
    Service {
        metadata: meta(CONTROLLER, true),
        spec: Some(ServiceSpec {
            selector: Some(labels()),
            ports: Some(vec![port("http", 80), port("https", 443)]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

fn deployment(image: &str) -> Deployment {
    Deployment {
        metadata: meta(CONTROLLER, true),
        spec: Some(DeploymentSpec {
            replicas: Some(1),
            selector: LabelSelector { match_labels: Some(labels()), ..LabelSelector::default() },
            // Two pods cannot have the same host ports.
            strategy: Some(DeploymentStrategy {
                type_: Some("Recreate".to_owned()),
                ..DeploymentStrategy::default()
            }),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta { labels: Some(labels()), ..ObjectMeta::default() }),
                spec: Some(pod(image)),
            },
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    }
}

fn pod(image: &str) -> PodSpec {
    PodSpec {
        service_account_name: Some(NAME.to_owned()),
        node_selector: Some(BTreeMap::from([(NODE_LABEL.to_owned(), "true".to_owned())])),
        tolerations: Some(vec![Toleration {
            key: Some("node-role.kubernetes.io/control-plane".to_owned()),
            operator: Some("Exists".to_owned()),
            effect: Some("NoSchedule".to_owned()),
            ..Toleration::default()
        }]),
        termination_grace_period_seconds: Some(30),
        containers: vec![controller(image)],
        ..PodSpec::default()
    }
}

fn controller(image: &str) -> Container {
    let field = |name: &str, path: &str| EnvVar {
        name: name.to_owned(),
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector {
                field_path: path.to_owned(),
                ..ObjectFieldSelector::default()
            }),
            ..EnvVarSource::default()
        }),
        ..EnvVar::default()
    };
    let port = |name: &str, number: i32, host: bool| ContainerPort {
        name: Some(name.to_owned()),
        container_port: number,
        host_port: host.then_some(number),
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    };
    let args = [
        "/nginx-ingress-controller",
        "--election-id=ingress-nginx-leader",
        "--controller-class=k8s.io/ingress-nginx",
        "--ingress-class=nginx",
        "--configmap=$(POD_NAMESPACE)/ingress-nginx-controller",
        // The address under which Ingresses are reached, which their status then shows.
        "--publish-status-address=127.0.0.1",
        // Routes appear this much sooner; upstream's default of 0.3 syncs a second protects
        // large clusters.
        "--sync-rate-limit=3",
    ];
    Container {
        name: "controller".to_owned(),
        image: Some(image.to_owned()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        args: Some(args.iter().map(|&arg| arg.to_owned()).collect()),
        env: Some(vec![
            field("POD_NAME", "metadata.name"),
            field("POD_NAMESPACE", "metadata.namespace"),
        ]),
        ports: Some(vec![
            port("http", 80, true),
            port("https", 443, true),
            port("metrics", HEALTH_PORT, false),
        ]),
        readiness_probe: Some(Probe { failure_threshold: Some(3), ..health(1) }),
        liveness_probe: Some(Probe {
            initial_delay_seconds: Some(20),
            failure_threshold: Some(5),
            ..health(10)
        }),
        lifecycle: Some(Lifecycle {
            pre_stop: Some(LifecycleHandler {
                exec: Some(ExecAction { command: Some(vec!["/wait-shutdown".to_owned()]) }),
                ..LifecycleHandler::default()
            }),
            ..Lifecycle::default()
        }),
        resources: Some(ResourceRequirements {
            requests: Some(BTreeMap::from([
                ("cpu".to_owned(), Quantity("100m".to_owned())),
                ("memory".to_owned(), Quantity("90Mi".to_owned())),
            ])),
            ..ResourceRequirements::default()
        }),
        security_context: Some(SecurityContext {
            run_as_user: Some(101),
            run_as_non_root: Some(true),
            // Ports below 1024 are bound by a file capability, which needs this.
            allow_privilege_escalation: Some(true),
            capabilities: Some(Capabilities {
                drop: Some(vec!["ALL".to_owned()]),
                add: Some(vec!["NET_BIND_SERVICE".to_owned()]),
            }),
            ..SecurityContext::default()
        }),
        ..Container::default()
    }
}

fn health(period: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some("/healthz".to_owned()),
            port: IntOrString::Int(HEALTH_PORT),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period),
        timeout_seconds: Some(1),
        ..Probe::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered() -> String {
        objects(&IngressNginx::default(), "controller:test")
            .iter()
            .map(|object| object.value.to_string())
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn there_are_no_jobs_and_no_webhooks() {
        let text = rendered();
        assert!(!text.contains("\"Job\"") && !text.contains("WebhookConfiguration"), "{text}");
    }

    #[test]
    fn readiness_is_noticed_within_a_second() {
        let pod = pod("x");
        let probe = pod.containers[0].readiness_probe.clone().unwrap();
        assert_eq!((probe.initial_delay_seconds, probe.period_seconds), (None, Some(1)));
    }

    #[test]
    fn options_reach_the_config_map_and_change_the_hash() {
        let config = BTreeMap::from([("proxy-body-size".to_owned(), "8m".to_owned())]);
        let options = IngressNginx { config, image: None };
        let objects = objects(&options, "controller:test");
        let text: String = objects.iter().map(|object| object.value.to_string()).collect();
        assert!(text.contains(r#""proxy-body-size":"8m""#));
        let plain = super::objects(&IngressNginx::default(), "controller:test");
        assert_ne!(super::super::hash(&objects), super::super::hash(&plain));
    }
}
