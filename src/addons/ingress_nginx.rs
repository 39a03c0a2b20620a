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

use k8s_openapi::api::core::v1::{
    Capabilities, Container, ExecAction, Lifecycle, LifecycleHandler, PodSpec, Probe,
    SecurityContext,
};
use k8s_openapi::api::networking::v1::{IngressClass, IngressClassSpec};

use super::manifest::{Part, env_field, http_probe, on_addon_node, port, requests, rule, words};
use super::{Addon, Image, Inputs};
use crate::error::Result;
use crate::settings::addons::IngressNginx;
use crate::state::Credentials;
use crate::tools::kube::Object;

/// Name of everything here, its namespace included.
pub const NAME: &str = "ingress-nginx";
/// Name of the controller's Deployment, as upstream has it.
const CONTROLLER: &str = "ingress-nginx-controller";
/// The ingress class it serves.
const CLASS: &str = "nginx";
/// The Secret with the certificate for hosts that no Ingress brings one for.
const DEFAULT_TLS: &str = "sandbox-default-tls";
/// Port of the controller's health and metrics.
const HEALTH_PORT: i32 = 10254;
/// The controller and what belongs to it.
const PART: Part<'static> =
    Part { addon: NAME, namespace: NAME, name: NAME, component: "controller" };

/// The addon; `None` when it is off.
///
/// # Errors
/// When its certificate cannot be made.
pub(super) fn addon(inputs: &Inputs<'_>, credentials: &mut Credentials) -> Result<Option<Addon>> {
    let Some(options) = inputs.settings.addons.ingress_nginx.options() else { return Ok(None) };
    let image = match &options.image {
        Some(own) => Image::named(own),
        None => Image::of(inputs.catalogue, "ingress-nginx"),
    };
    // Names one by one, as TLS libraries take no `*.localhost`.
    let mut names: Vec<String> = inputs.hosts.to_vec();
    names.push("localhost".to_owned());
    let leaf = credentials.leaf(NAME, &names)?;
    let tls = [("tls.crt", leaf.certificate.as_str()), ("tls.key", leaf.key.as_str())];
    let mut objects = objects(options, &image.reference);
    objects.push(PART.secret(DEFAULT_TLS, &tls));
    Ok(Some(Addon { images: vec![image], ..Addon::of(NAME, objects) }))
}

/// All its objects but the Secret.
fn objects(options: &IngressNginx, image: &str) -> Vec<Object> {
    let core = ["configmaps", "endpoints", "nodes", "pods", "secrets", "namespaces", "services"];
    let look = ["get", "list", "watch"];
    let everywhere = vec![
        rule("", &core, &look),
        rule("coordination.k8s.io", &["leases"], &["list", "watch"]),
        rule("networking.k8s.io", &["ingresses", "ingressclasses"], &look),
        rule("networking.k8s.io", &["ingresses/status"], &["update"]),
        rule("discovery.k8s.io", &["endpointslices"], &look),
        rule("", &["events"], &["create", "patch"]),
    ];
    let lease = rule("coordination.k8s.io", &["leases"], &["get", "create", "update"]);
    let controller = Part { name: CONTROLLER, ..PART };
    let class = IngressClass {
        metadata: PART.global(CLASS),
        spec: Some(IngressClassSpec {
            controller: Some("k8s.io/ingress-nginx".to_owned()),
            ..IngressClassSpec::default()
        }),
    };
    let mut objects = vec![PART.namespace(), PART.account(), Object::of(&class)];
    objects.extend(PART.cluster_role(everywhere));
    objects.extend(PART.role(vec![lease]));
    objects.push(PART.config_map(CONTROLLER, options.config.clone()));
    // Under upstream's name, for charts and tests that talk to the controller from inside the
    // cluster. No load balancer: from outside it is reached by the host ports.
    objects.push(controller.service(&[(80, "http"), (443, "https")]));
    objects.push(controller.deployment(pod(image)));
    objects
}

fn pod(image: &str) -> PodSpec {
    on_addon_node(PodSpec {
        service_account_name: Some(NAME.to_owned()),
        termination_grace_period_seconds: Some(30),
        containers: vec![controller(image)],
        ..PodSpec::default()
    })
}

fn controller(image: &str) -> Container {
    let default_tls = format!("--default-ssl-certificate=$(POD_NAMESPACE)/{DEFAULT_TLS}");
    let args = [
        "/nginx-ingress-controller",
        "--election-id=ingress-nginx-leader",
        "--controller-class=k8s.io/ingress-nginx",
        "--ingress-class=nginx",
        "--configmap=$(POD_NAMESPACE)/ingress-nginx-controller",
        &default_tls,
        // The address under which Ingresses are reached, which their status then shows.
        "--publish-status-address=127.0.0.1",
    ];
    let stop = ExecAction { command: Some(words(&["/wait-shutdown"])) };
    Container {
        name: "controller".to_owned(),
        image: Some(image.to_owned()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        args: Some(words(&args)),
        env: Some(vec![
            env_field("POD_NAME", "metadata.name"),
            env_field("POD_NAMESPACE", "metadata.namespace"),
        ]),
        ports: Some(vec![
            port("http", 80, true),
            port("https", 443, true),
            port("metrics", HEALTH_PORT, false),
        ]),
        readiness_probe: Some(http_probe("/healthz", HEALTH_PORT, 1)),
        liveness_probe: Some(Probe {
            initial_delay_seconds: Some(20),
            failure_threshold: Some(5),
            ..http_probe("/healthz", HEALTH_PORT, 10)
        }),
        lifecycle: Some(Lifecycle {
            pre_stop: Some(LifecycleHandler { exec: Some(stop), ..LifecycleHandler::default() }),
            ..Lifecycle::default()
        }),
        resources: Some(requests("100m", "90Mi")),
        security_context: Some(SecurityContext {
            run_as_user: Some(101),
            run_as_non_root: Some(true),
            // Ports below 1024 are bound by a file capability, which needs this.
            allow_privilege_escalation: Some(true),
            capabilities: Some(Capabilities {
                drop: Some(words(&["ALL"])),
                add: Some(words(&["NET_BIND_SERVICE"])),
            }),
            ..SecurityContext::default()
        }),
        ..Container::default()
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

    /// The controller's nginx compares the times of updates in whole seconds: of two within one
    /// second it may never see the later, and a replica gets no requests until something else
    /// changes. Upstream's default of 0.3 updates a second keeps them apart.
    #[test]
    fn updates_of_endpoints_are_no_more_frequent_than_upstream_has_them() {
        assert!(!rendered().contains("--sync-rate-limit"));
    }

    #[test]
    fn options_reach_the_config_map_and_change_the_hash() {
        let config = crate::addons::manifest::map(&[("proxy-body-size", "8m")]);
        let options = IngressNginx { config, image: None };
        let objects = objects(&options, "controller:test");
        let text: String = objects.iter().map(|object| object.value.to_string()).collect();
        assert!(text.contains(r#""proxy-body-size":"8m""#));
        let plain = super::objects(&IngressNginx::default(), "controller:test");
        assert_ne!(super::super::hash(&objects), super::super::hash(&plain));
    }
}
