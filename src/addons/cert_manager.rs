//! The addon `cert-manager`: real certificates by a CA of the sandbox's own.
//!
//! Owns its objects and the issuers. They differ from upstream's on purpose: the webhook's
//! certificate is made here, so that nothing has to be injected before it works, there is one
//! instance of each part and thus no leader election, and probes look every second. Names of
//! workloads, issuers' Secrets and flags are upstream's:
//! <https://cert-manager.io/docs/cli/controller/>, <https://cert-manager.io/docs/configuration/ca/>.

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhook, MutatingWebhookConfiguration, RuleWithOperations, ServiceReference,
    ValidatingWebhook, ValidatingWebhookConfiguration, WebhookClientConfig,
};
use k8s_openapi::api::core::v1::{Container, PodSpec, Probe, SecurityContext};
use k8s_openapi::api::rbac::v1::PolicyRule;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use serde_json::{Value, json};

use super::manifest::{
    Part, env_field, http_probe, mount, on_addon_node, port, requests, rule, secret_volume, words,
};
use super::{ADDON_LABEL, Addon, Definitions, Image, Inputs, Probe as Ready};
use crate::error::Result;
use crate::settings::addons::CertManager;
use crate::state::Credentials;
use crate::tools::kube::Object;

/// Its name and namespace, as upstream has them.
const NAME: &str = "cert-manager";
/// The Secret with the CA's key pair, in the namespace where cluster issuers look.
const CA_SECRET: &str = "sandbox-ca";
/// The Secret with the webhook's certificate.
const WEBHOOK_TLS: &str = "sandbox-webhook-tls";
/// Issuers that are always there and sign by the sandbox's CA. The middle two are the names that
/// charts refer to, where in the cloud ACME does the work.
const ISSUERS: [&str; 3] = ["sandbox-ca", "letsencrypt-prod", "letsencrypt-staging"];
const CONTROLLER: Part<'static> =
    Part { addon: NAME, namespace: NAME, name: NAME, component: "controller" };
const WEBHOOK: Part<'static> =
    Part { addon: NAME, namespace: NAME, name: "cert-manager-webhook", component: "webhook" };
const INJECTOR: Part<'static> =
    Part { addon: NAME, namespace: NAME, name: "cert-manager-cainjector", component: "cainjector" };
const LOOK: [&str; 3] = ["get", "list", "watch"];

/// The addon; `None` when it is off.
///
/// # Errors
/// When the webhook's certificate cannot be made.
pub(super) fn addon(inputs: &Inputs<'_>, credentials: &mut Credentials) -> Result<Option<Addon>> {
    let Some(options) = inputs.settings.addons.cert_manager.options() else { return Ok(None) };
    let image = |part: &str| Image::of(inputs.catalogue, &format!("cert-manager-{part}"));
    let images = vec![image("controller"), image("webhook"), image("cainjector")];
    let host = |end: &str| format!("{}.{NAME}.{end}", WEBHOOK.name);
    let leaf =
        credentials.leaf("cert-manager-webhook", &[host("svc"), host("svc.cluster.local")])?;
    let tls = [("tls.crt", leaf.certificate.as_str()), ("tls.key", leaf.key.as_str())];
    let authority = [
        ("tls.crt", credentials.ca_certificate()),
        ("tls.key", credentials.ca_key()),
        ("ca.crt", credentials.ca_certificate()),
    ];
    let mut objects = vec![CONTROLLER.namespace()];
    objects.push(CONTROLLER.secret(CA_SECRET, &authority));
    objects.push(WEBHOOK.secret(WEBHOOK_TLS, &tls));
    objects.extend(controller(&images[0].reference));
    objects.extend(webhook(&images[1].reference, credentials.ca_certificate()));
    objects.extend(injector(&images[2].reference));
    Ok(Some(Addon {
        images,
        definitions: vec![Definitions::all(inputs.catalogue, NAME)],
        probe: Ready::Create(Box::new(example())),
        last: issuers(options),
        ..Addon::of(NAME, objects)
    }))
}

fn controller(image: &str) -> Vec<Object> {
    let args = [
        "--v=2",
        "--cluster-resource-namespace=$(POD_NAMESPACE)",
        "--leader-election-namespace=$(POD_NAMESPACE)",
        "--leader-elect=false",
        "--max-concurrent-challenges=60",
    ];
    let container = Container {
        ports: Some(vec![port("http-metrics", 9402, false)]),
        liveness_probe: Some(late(http_probe("/livez", 9403, 10))),
        resources: Some(requests("50m", "64Mi")),
        ..container("controller", image, &args)
    };
    let mut objects = vec![CONTROLLER.account()];
    objects.extend(CONTROLLER.cluster_role(controller_rules()));
    objects.push(CONTROLLER.deployment(pod(CONTROLLER.name, container, None)));
    objects
}

/// What issuing, Ingresses and ACME solvers need. Source: the tables of
/// <https://cert-manager.io/docs/devops-tips/> and the controller's own requests.
fn controller_rules() -> Vec<PolicyRule> {
    let all = ["get", "list", "watch", "create", "update", "patch", "delete"];
    let own = |kinds: &[&str]| -> Vec<String> {
        let parts = |kind: &&str| {
            [(*kind).to_owned(), format!("{kind}/status"), format!("{kind}/finalizers")]
        };
        kinds.iter().flat_map(parts).collect()
    };
    let certificates = own(&["certificates", "certificaterequests", "issuers", "clusterissuers"]);
    let acme = own(&["orders", "challenges"]);
    let refs = |list: &[String]| list.to_vec();
    let group = |group: &str, resources: Vec<String>| PolicyRule {
        resources: Some(resources),
        ..rule(group, &[], &all)
    };
    let approve = PolicyRule {
        resource_names: Some(words(&[
            "issuers.cert-manager.io/*",
            "clusterissuers.cert-manager.io/*",
        ])),
        ..rule("cert-manager.io", &["signers"], &["approve"])
    };
    vec![
        group("cert-manager.io", refs(&certificates)),
        group("acme.cert-manager.io", refs(&acme)),
        approve,
        rule("", &["secrets", "pods", "services"], &all),
        rule("", &["events"], &["create", "patch"]),
        rule("", &["serviceaccounts/token"], &["create"]),
        rule("networking.k8s.io", &["ingresses", "ingresses/finalizers"], &all),
        rule("coordination.k8s.io", &["leases"], &all),
    ]
}

fn webhook(image: &str, ca: &str) -> Vec<Object> {
    let args = [
        "--v=2",
        "--secure-port=10250",
        "--tls-cert-file=/tls/tls.crt",
        "--tls-private-key-file=/tls/tls.key",
    ];
    let container = Container {
        ports: Some(vec![port("https", 10250, false)]),
        readiness_probe: Some(http_probe("/healthz", 6080, 1)),
        liveness_probe: Some(late(http_probe("/livez", 6080, 10))),
        resources: Some(requests("20m", "32Mi")),
        volume_mounts: Some(vec![mount("tls", "/tls")]),
        ..container("webhook", image, &args)
    };
    let rules = vec![rule("authorization.k8s.io", &["subjectaccessreviews"], &["create"])];
    let mut objects = vec![WEBHOOK.account()];
    objects.extend(WEBHOOK.cluster_role(rules));
    objects.push(WEBHOOK.service(&[(443, "https")]));
    let volume = secret_volume("tls", WEBHOOK_TLS);
    objects.push(WEBHOOK.deployment(pod(WEBHOOK.name, container, Some(volume))));
    let client = |path: &str| WebhookClientConfig {
        ca_bundle: Some(ByteString(ca.as_bytes().to_vec())),
        service: Some(ServiceReference {
            name: WEBHOOK.name.to_owned(),
            namespace: NAME.to_owned(),
            path: Some(path.to_owned()),
            ..ServiceReference::default()
        }),
        ..WebhookClientConfig::default()
    };
    objects.push(Object::of(&MutatingWebhookConfiguration {
        metadata: WEBHOOK.global(WEBHOOK.name),
        webhooks: Some(vec![MutatingWebhook {
            name: "webhook.cert-manager.io".to_owned(),
            client_config: client("/mutate"),
            rules: Some(vec![on(&["cert-manager.io"], &["CREATE"], "certificaterequests")]),
            admission_review_versions: words(&["v1"]),
            side_effects: "None".to_owned(),
            failure_policy: Some("Fail".to_owned()),
            timeout_seconds: Some(10),
            ..MutatingWebhook::default()
        }]),
    }));
    let ours = ["cert-manager.io", "acme.cert-manager.io"];
    objects.push(Object::of(&ValidatingWebhookConfiguration {
        metadata: WEBHOOK.global(WEBHOOK.name),
        webhooks: Some(vec![ValidatingWebhook {
            name: "webhook.cert-manager.io".to_owned(),
            client_config: client("/validate"),
            rules: Some(vec![on(&ours, &["CREATE", "UPDATE"], "*/*")]),
            namespace_selector: Some(unless_disabled()),
            admission_review_versions: words(&["v1"]),
            side_effects: "None".to_owned(),
            failure_policy: Some("Fail".to_owned()),
            timeout_seconds: Some(10),
            ..ValidatingWebhook::default()
        }]),
    }));
    objects
}

fn on(groups: &[&str], operations: &[&str], resources: &str) -> RuleWithOperations {
    RuleWithOperations {
        api_groups: Some(words(groups)),
        api_versions: Some(words(&["v1"])),
        operations: Some(words(operations)),
        resources: Some(words(&[resources])),
        ..RuleWithOperations::default()
    }
}

/// Namespaces may opt out, as with upstream's own configuration.
fn unless_disabled() -> LabelSelector {
    LabelSelector {
        match_expressions: Some(vec![LabelSelectorRequirement {
            key: "cert-manager.io/disable-validation".to_owned(),
            operator: "NotIn".to_owned(),
            values: Some(words(&["true"])),
        }]),
        ..LabelSelector::default()
    }
}

fn injector(image: &str) -> Vec<Object> {
    let container = Container {
        resources: Some(requests("20m", "64Mi")),
        ..container("cainjector", image, &["--v=2", "--leader-elect=false"])
    };
    let change = ["get", "list", "watch", "update", "patch"];
    let webhooks = ["validatingwebhookconfigurations", "mutatingwebhookconfigurations"];
    let rules = vec![
        rule("cert-manager.io", &["certificates"], &LOOK),
        rule("", &["secrets"], &LOOK),
        rule("", &["events"], &["get", "create", "update", "patch"]),
        rule("admissionregistration.k8s.io", &webhooks, &change),
        rule("apiregistration.k8s.io", &["apiservices"], &change),
        rule("apiextensions.k8s.io", &["customresourcedefinitions"], &change),
    ];
    let mut objects = vec![INJECTOR.account()];
    objects.extend(INJECTOR.cluster_role(rules));
    objects.push(INJECTOR.deployment(pod(INJECTOR.name, container, None)));
    objects
}

fn container(component: &str, image: &str, args: &[&str]) -> Container {
    Container {
        name: format!("{NAME}-{component}"),
        image: Some(image.to_owned()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        args: Some(words(args)),
        env: Some(vec![env_field("POD_NAMESPACE", "metadata.namespace")]),
        security_context: Some(SecurityContext {
            run_as_user: Some(1000),
            run_as_non_root: Some(true),
            read_only_root_filesystem: Some(true),
            allow_privilege_escalation: Some(false),
            ..SecurityContext::default()
        }),
        ..Container::default()
    }
}

/// A liveness probe that leaves a busy machine time to start.
fn late(probe: Probe) -> Probe {
    Probe {
        initial_delay_seconds: Some(20),
        failure_threshold: Some(8),
        timeout_seconds: Some(10),
        ..probe
    }
}

fn pod(
    account: &str,
    container: Container,
    volume: Option<k8s_openapi::api::core::v1::Volume>,
) -> PodSpec {
    on_addon_node(PodSpec {
        service_account_name: Some(account.to_owned()),
        enable_service_links: Some(false),
        containers: vec![container],
        volumes: volume.map(|volume| vec![volume]),
        ..PodSpec::default()
    })
}

/// A Certificate that could be created, to learn whether the webhook works.
fn example() -> Object {
    custom(
        "Certificate",
        "certificates",
        &json!({
            "metadata": {"name": "sandbox-is-it-ready", "namespace": NAME},
            "spec": {
                "secretName": "sandbox-is-it-ready",
                "dnsNames": ["ready.localhost"],
                "issuerRef": {"name": "sandbox-ca", "kind": "ClusterIssuer"},
            },
        }),
    )
}

fn issuers(options: &CertManager) -> Vec<Object> {
    let issuer = |name: &str, spec: Value| {
        let labels = json!({ADDON_LABEL: NAME});
        let object = json!({"metadata": {"name": name, "labels": labels}, "spec": spec});
        custom("ClusterIssuer", "clusterissuers", &object)
    };
    let mut names: Vec<&str> = ISSUERS.to_vec();
    names.extend(options.issuers.iter().map(String::as_str));
    let mut objects: Vec<Object> = names
        .into_iter()
        .map(|name| issuer(name, json!({"ca": {"secretName": CA_SECRET}})))
        .collect();
    objects.push(issuer("selfsigned", json!({"selfSigned": {}})));
    objects
}

fn custom(kind: &str, plural: &str, object: &Value) -> Object {
    Object::custom("cert-manager.io", "v1", kind, plural, object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charts_find_the_issuers_they_name() {
        let options = CertManager { issuers: vec!["corp".to_owned()] };
        let issuers = issuers(&options);
        let names: Vec<&str> = issuers.iter().map(Object::name).collect();
        assert_eq!(
            names,
            ["sandbox-ca", "letsencrypt-prod", "letsencrypt-staging", "corp", "selfsigned"]
        );
        let text = issuers[1].value.to_string();
        assert!(text.contains(r#""ca":{"secretName":"sandbox-ca"}"#), "{text}");
        assert!(text.contains(r#""apiVersion":"cert-manager.io/v1""#), "{text}");
    }

    #[test]
    fn the_webhook_trusts_our_authority_from_the_start() {
        let text: String = webhook("x", "PEM").iter().map(|o| o.value.to_string()).collect();
        assert_eq!(text.matches("\"caBundle\":\"UEVN\"").count(), 2, "{text}");
    }
}
