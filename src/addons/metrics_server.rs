//! The addon `metrics-server`: figures for `kubectl top` and for HPAs.
//!
//! Owns its objects. They differ from upstream's in the placement, in probes that look every
//! second, and in trusting the kubelets' self-signed certificates, as kind's are. Arguments follow
//! <https://github.com/kubernetes-sigs/metrics-server#configuration>.

use k8s_openapi::api::core::v1::{Container, PodSpec, Probe, SecurityContext};
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::{
    APIService, APIServiceSpec, ServiceReference,
};

use super::manifest::{Part, on_addon_node, port, requests, rule, scratch_volume, words, writable};
use super::{Addon, Image, Inputs, Probe as Ready};
use crate::tools::kube::Object;

/// Its name, as upstream has it.
const NAME: &str = "metrics-server";
/// Where it lives, as upstream has it.
const NAMESPACE: &str = "kube-system";
const PORT: i32 = 10250;
const PART: Part<'static> =
    Part { addon: NAME, namespace: NAMESPACE, name: NAME, component: "server" };
/// The shortest that it accepts. There are no figures before the second look.
const RESOLUTION: &str = "--metric-resolution=10s";

/// The addon; `None` when it is off.
pub(super) fn addon(inputs: &Inputs<'_>) -> Option<Addon> {
    inputs.settings.addons.metrics_server.options()?;
    let image = Image::of(inputs.catalogue, NAME);
    let look = ["get", "list", "watch"];
    let rules = vec![
        rule("", &["nodes/metrics"], &["get"]),
        rule("", &["pods", "nodes", "namespaces", "configmaps"], &look),
    ];
    let mut objects = vec![PART.account()];
    objects.extend(PART.cluster_role(rules));
    objects.push(PART.may("ClusterRole", "system:auth-delegator"));
    objects.push(PART.service(&[(443, "https")]));
    objects.push(PART.deployment(pod(&image.reference)));
    objects.push(Object::of(&api_service()));
    objects.push(reader());
    Some(Addon { images: vec![image], probe: Ready::NodeMetrics, ..Addon::of(NAME, objects) })
}

/// What `kubectl top` may see for those who may view.
fn reader() -> Object {
    use k8s_openapi::api::rbac::v1::ClusterRole;
    let mut metadata = PART.global("system:aggregated-metrics-reader");
    if let Some(labels) = &mut metadata.labels {
        for role in ["admin", "edit", "view"] {
            let label = format!("rbac.authorization.k8s.io/aggregate-to-{role}");
            labels.insert(label, "true".to_owned());
        }
    }
    let rules = vec![rule("metrics.k8s.io", &["pods", "nodes"], &["get", "list", "watch"])];
    Object::of(&ClusterRole { metadata, rules: Some(rules), ..ClusterRole::default() })
}

fn api_service() -> APIService {
    APIService {
        metadata: PART.global("v1beta1.metrics.k8s.io"),
        spec: Some(APIServiceSpec {
            group: Some("metrics.k8s.io".to_owned()),
            group_priority_minimum: 100,
            version: Some("v1beta1".to_owned()),
            version_priority: 100,
            insecure_skip_tls_verify: Some(true),
            service: Some(ServiceReference {
                name: Some(NAME.to_owned()),
                namespace: Some(NAMESPACE.to_owned()),
                ..ServiceReference::default()
            }),
            ..APIServiceSpec::default()
        }),
        ..APIService::default()
    }
}

fn pod(image: &str) -> PodSpec {
    let args = [
        "--cert-dir=/tmp",
        "--secure-port=10250",
        "--kubelet-preferred-address-types=InternalIP",
        "--kubelet-use-node-status-port",
        "--kubelet-insecure-tls",
        RESOLUTION,
        "--kubelet-request-timeout=5s",
    ];
    on_addon_node(PodSpec {
        service_account_name: Some(NAME.to_owned()),
        priority_class_name: Some("system-cluster-critical".to_owned()),
        containers: vec![Container {
            name: NAME.to_owned(),
            image: Some(image.to_owned()),
            image_pull_policy: Some("IfNotPresent".to_owned()),
            args: Some(words(&args)),
            ports: Some(vec![port("https", PORT, false)]),
            readiness_probe: Some(https("/readyz", 1)),
            liveness_probe: Some(Probe { initial_delay_seconds: Some(20), ..https("/livez", 10) }),
            resources: Some(requests("50m", "64Mi")),
            volume_mounts: Some(vec![writable("tmp", "/tmp")]),
            security_context: Some(SecurityContext {
                run_as_user: Some(1000),
                run_as_non_root: Some(true),
                read_only_root_filesystem: Some(true),
                allow_privilege_escalation: Some(false),
                ..SecurityContext::default()
            }),
            ..Container::default()
        }],
        volumes: Some(vec![scratch_volume("tmp")]),
        ..PodSpec::default()
    })
}

fn https(path: &str, period: i32) -> Probe {
    let mut probe = super::manifest::http_probe(path, PORT, period);
    if let Some(get) = &mut probe.http_get {
        get.scheme = Some("HTTPS".to_owned());
    }
    probe
}
