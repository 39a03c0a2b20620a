//! The addon `telemetry`: this very program, serving as the Datadog agent and OpenTelemetry
//! collector of every node.
//!
//! Owns its objects. One pod has the store. It is on the node of the addons, where it takes the
//! agent's ports itself; on all other nodes a relay takes them and hands everything on, so that
//! `status.hostIP` and the sockets work wherever a pod runs, and every question has one place to
//! ask. Ports and paths are those of Datadog's chart and of the OpenTelemetry specification:
//! <https://docs.datadoghq.com/containers/kubernetes/apm/>,
//! <https://opentelemetry.io/docs/specs/otlp/>.

use k8s_openapi::api::apps::v1::{DaemonSet, DaemonSetSpec};
use k8s_openapi::api::core::v1::{
    Affinity, Capabilities, Container, ContainerPort, HostPathVolumeSource, NodeAffinity,
    NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PodSpec, Probe, SecurityContext,
    ServicePort, Toleration, Volume,
};

use super::connection::{Fact, LOOPBACK};
use super::manifest::{
    NODE_LABEL, Part, env_field, http_probe, mount, on_addon_node, port, requests, service_port,
    words, writable,
};
use super::{Addon, Image, Inputs, NAMESPACE};
use crate::settings::addons::Telemetry;
use crate::tools::kube::Object;

/// Its name, which is that of its Service for questions, too.
pub const NAME: &str = "telemetry";
/// The port for questions and for the page.
pub(super) const PORT: u16 = 8127;
/// The name of the port for Datadog's clients on this machine.
pub(super) const DATADOG: &str = "datadog";
/// The port of Datadog's agent for traces.
pub(super) const DATADOG_PORT: u16 = 8126;
/// The name of the port for OTLP over HTTP on this machine.
pub(super) const OTLP: &str = "otlp";
/// The port for OTLP over HTTP.
pub(super) const OTLP_PORT: u16 = 4318;
/// Datadog's port for metrics, over UDP.
const DOGSTATSD_PORT: i32 = 8125;
/// The port for OTLP over gRPC.
const OTLP_GRPC_PORT: i32 = 4317;
/// The port for probes, as of Datadog's agent.
const HEALTH_PORT: i32 = 5555;
/// Where Datadog's clients look for the agent's sockets, on the node and in pods.
const SOCKETS: &str = "/var/run/datadog";
/// Where the node has the logs of all pods.
const POD_LOGS: &str = "/var/log/pods";
/// The Services under the names that charts use.
const AGENT: &str = "datadog-agent";
const COLLECTOR: &str = "otel-collector";

const PART: Part<'static> =
    Part { addon: NAME, namespace: NAMESPACE, name: NAME, component: "server" };
const RELAY: Part<'static> =
    Part { addon: NAME, namespace: NAMESPACE, name: "telemetry-relay", component: "relay" };

/// The addon; `None` when it is off.
pub(super) fn addon(inputs: &Inputs<'_>) -> Option<Addon> {
    let options = inputs.settings.addons.telemetry.options()?;
    let s3 = inputs.settings.addons.s3.options().is_some();
    let mut objects = vec![PART.namespace()];
    objects.extend(services());
    objects.push(PART.deployment(server(options, inputs, s3)));
    if !inputs.settings.profile.value.workers().is_empty() {
        objects.push(relay(inputs));
    }
    let facts = facts(inputs);
    let images = vec![Image::of_program(inputs.program)];
    Some(Addon { images, facts, ..Addon::of(NAME, objects) })
}

fn services() -> [Object; 3] {
    let dogstatsd = ServicePort {
        protocol: Some("UDP".to_owned()),
        ..service_port("dogstatsd", DOGSTATSD_PORT, "dogstatsd")
    };
    let otlp = vec![
        service_port("otlp-grpc", OTLP_GRPC_PORT, "otlp-grpc"),
        service_port("otlp-http", i32::from(OTLP_PORT), "otlp-http"),
    ];
    // The agent takes OTLP as well.
    let mut agent = vec![service_port("apm", i32::from(DATADOG_PORT), "apm"), dogstatsd];
    agent.extend(otlp.clone());
    [
        PART.service_of(NAME, vec![service_port("query", i32::from(PORT), "query")]),
        PART.service_of(AGENT, agent),
        PART.service_of(COLLECTOR, otlp),
    ]
}

/// The ports that pods find on their node.
fn ports() -> Vec<ContainerPort> {
    vec![
        port("apm", i32::from(DATADOG_PORT), true),
        ContainerPort {
            protocol: Some("UDP".to_owned()),
            ..port("dogstatsd", DOGSTATSD_PORT, true)
        },
        port("otlp-grpc", OTLP_GRPC_PORT, true),
        port("otlp-http", i32::from(OTLP_PORT), true),
    ]
}

fn server(options: &Telemetry, inputs: &Inputs<'_>, s3: bool) -> PodSpec {
    let mut args = words(&["serve", "telemetry", "--bind", "0.0.0.0", "--sockets", SOCKETS]);
    args.extend(words(&["--pod-logs", POD_LOGS, "--max-bytes", &options.max_bytes.to_string()]));
    args.extend(words(&["--max-age", &format!("{}s", options.max_age.as_secs())]));
    if s3 {
        let admin =
            format!("http://{}.{NAMESPACE}.svc:{}", super::s3::ADMIN, super::s3::ADMIN_PORT);
        args.extend(words(&["--s3", &admin]));
    }
    let mut ports = ports();
    ports.push(port("query", i32::from(PORT), true));
    on_addon_node(pod(inputs, args, ports))
}

fn relay(inputs: &Inputs<'_>) -> Object {
    let mut args = words(&["serve", "relay", "--bind", "0.0.0.0", "--sockets", SOCKETS]);
    args.extend(words(&["--pod-logs", POD_LOGS, "--to", &format!("{AGENT}.{NAMESPACE}.svc")]));
    args.extend(words(&["--logs-to", &format!("{NAME}.{NAMESPACE}.svc:{PORT}")]));
    let elsewhere = NodeSelectorRequirement {
        key: NODE_LABEL.to_owned(),
        operator: "DoesNotExist".to_owned(),
        values: None,
    };
    let required = NodeSelector {
        node_selector_terms: vec![NodeSelectorTerm {
            match_expressions: Some(vec![elsewhere]),
            ..NodeSelectorTerm::default()
        }],
    };
    let node_affinity = NodeAffinity {
        required_during_scheduling_ignored_during_execution: Some(required),
        ..NodeAffinity::default()
    };
    let spec = PodSpec {
        affinity: Some(Affinity { node_affinity: Some(node_affinity), ..Affinity::default() }),
        // An agent is on every node, whatever its taints.
        tolerations: Some(vec![Toleration {
            operator: Some("Exists".to_owned()),
            ..Toleration::default()
        }]),
        ..pod(inputs, args, ports())
    };
    Object::of(&DaemonSet {
        metadata: RELAY.meta(),
        spec: Some(DaemonSetSpec {
            selector: RELAY.selector(),
            template: RELAY.template(spec, ""),
            ..DaemonSetSpec::default()
        }),
        ..DaemonSet::default()
    })
}

fn pod(inputs: &Inputs<'_>, args: Vec<String>, mut ports: Vec<ContainerPort>) -> PodSpec {
    let ready = http_probe("/ready", HEALTH_PORT, 1);
    ports.push(port("health", HEALTH_PORT, false));
    let folder = |name: &str, path: &str| Volume {
        name: name.to_owned(),
        host_path: Some(HostPathVolumeSource {
            path: path.to_owned(),
            type_: Some("DirectoryOrCreate".to_owned()),
        }),
        ..Volume::default()
    };
    PodSpec {
        termination_grace_period_seconds: Some(5),
        enable_service_links: Some(false),
        automount_service_account_token: Some(false),
        containers: vec![Container {
            name: NAME.to_owned(),
            image: Some(inputs.program.to_owned()),
            image_pull_policy: Some("IfNotPresent".to_owned()),
            args: Some(args),
            env: Some(vec![env_field("NODE_NAME", "spec.nodeName")]),
            ports: Some(ports),
            startup_probe: Some(Probe { failure_threshold: Some(60), ..ready.clone() }),
            readiness_probe: Some(Probe { period_seconds: Some(10), ..ready }),
            resources: Some(requests("20m", "32Mi")),
            volume_mounts: Some(vec![writable("sockets", SOCKETS), mount("pod-logs", POD_LOGS)]),
            security_context: Some(SecurityContext {
                // The folders for sockets and logs are root's.
                run_as_user: Some(0),
                allow_privilege_escalation: Some(false),
                read_only_root_filesystem: Some(true),
                capabilities: Some(Capabilities { drop: Some(words(&["ALL"])), add: None }),
                ..SecurityContext::default()
            }),
            ..Container::default()
        }],
        volumes: Some(vec![folder("sockets", SOCKETS), folder("pod-logs", POD_LOGS)]),
        ..PodSpec::default()
    }
}

fn facts(inputs: &Inputs<'_>) -> Vec<Fact> {
    let within = |service: &str| format!("{service}.{NAMESPACE}.svc");
    let local = |name: &str| inputs.ports.get(name).copied();
    let url = |host: &str, port: u16| format!("http://{host}:{port}");
    let here = |name: &str| local(name).map(|port| url(LOOPBACK, port));
    vec![
        Fact::differing(
            "telemetry.host",
            within(AGENT),
            local(DATADOG).map(|_| LOOPBACK.to_owned()),
        )
        .variable("DD_AGENT_HOST"),
        Fact::differing("telemetry.apm-url", url(&within(AGENT), DATADOG_PORT), here(DATADOG))
            .variable("DD_TRACE_AGENT_URL"),
        Fact::differing(
            "telemetry.otlp-grpc",
            format!("http://{}:{OTLP_GRPC_PORT}", within(COLLECTOR)),
            None,
        ),
        Fact::differing("telemetry.otlp-http", url(&within(COLLECTOR), OTLP_PORT), here(OTLP))
            .variable("OTEL_EXPORTER_OTLP_ENDPOINT"),
        Fact::differing("telemetry.url", url(&within(NAME), PORT), here(NAME)),
    ]
}
