//! The addon `s3`: this very program, serving S3.
//!
//! Owns its objects and how it is connected to. Its address is one name for everybody,
//! `s3.localhost`: on this machine it is the loopback address, in pods the cluster's DNS has it as
//! the Service, on the same port. So a URL that a pod presigns works in a browser here. The
//! configuration lies in a Secret, as it holds the keys.

use k8s_openapi::api::core::v1::{
    Capabilities, Container, PodSecurityContext, PodSpec, Probe, SecurityContext,
};
use sha2::{Digest, Sha256};

use super::connection::Fact;
use super::manifest::{
    Part, data_volume, http_probe, mount, on_addon_node, port, requests, secret_volume,
    service_port, words, writable,
};
use super::names::Alias;
use super::{Addon, Image, Inputs, NAMESPACE};
use crate::error::Result;
use crate::settings::addons::S3;
use crate::state::Credentials;

/// Its name, which is that of its Service and its Secret, too.
pub const NAME: &str = "s3";
/// Its port in the cluster and on the node.
pub(super) const PORT: u16 = 9000;
/// The port for health, metrics and what `sandbox s3` asks.
pub(super) const ADMIN_PORT: u16 = 9001;
/// The Service for it. It is not a port of the other one, as the port on this machine, which that
/// one has, too, may be any.
pub const ADMIN: &str = "s3-admin";
/// The name for everybody.
const PUBLIC: &str = "s3.localhost";
/// The access key unless the settings say another; it looks like AWS' own.
const ACCESS_KEY: &str = "AKIASANDBOXSANDBOX00";

const PART: Part<'static> =
    Part { addon: NAME, namespace: NAMESPACE, name: NAME, component: "server" };

/// The addon; `None` when it is off.
///
/// # Errors
/// When an object to begin with cannot be read.
pub(super) fn addon(inputs: &Inputs<'_>, credentials: &mut Credentials) -> Result<Option<Addon>> {
    let Some(options) = inputs.settings.addons.s3.options() else { return Ok(None) };
    let given = options.secret_key.as_ref().map(|key| key.0.clone());
    let secret_key = given.unwrap_or_else(|| credentials.password(NAME));
    let access_key = options.access_key.as_deref().unwrap_or(ACCESS_KEY);
    let config = options.config(access_key, &secret_key, &inputs.settings.root)?;
    let secret =
        [("s3.json", config.as_str()), ("access-key", access_key), ("secret-key", &secret_key)];
    let public = inputs.ports.get(NAME).copied().unwrap_or(PORT);
    let mut ports = vec![service_port(NAME, i32::from(PORT), NAME)];
    if public != PORT {
        ports.push(service_port("public", i32::from(public), NAME));
    }
    let hash = format!("{:x}", Sha256::digest(&config));
    let objects = vec![
        PART.namespace(),
        PART.secret(NAME, &secret),
        PART.service_of(NAME, ports),
        PART.service_of(ADMIN, vec![service_port("admin", i32::from(ADMIN_PORT), "admin")]),
        PART.stateful_set(pod(options, inputs.program), &hash[..16]),
    ];
    Ok(Some(Addon {
        images: vec![Image::of_program(inputs.program)],
        facts: facts(options, access_key, &secret_key, inputs.ports.get(NAME).copied()),
        aliases: vec![Alias { name: PUBLIC.to_owned(), service: NAME.to_owned() }],
        ..Addon::of(NAME, objects)
    }))
}

fn pod(options: &S3, image: &str) -> PodSpec {
    let mut args = words(&["serve", "s3", "--bind", "0.0.0.0", "--dir", "/data"]);
    args.extend(words(&["--setup", "/config/s3.json", "--region", &options.region]));
    for domain in [PUBLIC, "s3.sandbox-system", "s3.sandbox-system.svc"] {
        args.extend(words(&["--domain", domain]));
    }
    args.extend(words(&["--domain", "s3.sandbox-system.svc.cluster.local"]));
    let ready = http_probe("/healthz", i32::from(ADMIN_PORT), 1);
    on_addon_node(PodSpec {
        termination_grace_period_seconds: Some(10),
        enable_service_links: Some(false),
        automount_service_account_token: Some(false),
        security_context: Some(PodSecurityContext {
            // The folder on the node is root's.
            run_as_user: Some(0),
            ..PodSecurityContext::default()
        }),
        containers: vec![Container {
            name: NAME.to_owned(),
            image: Some(image.to_owned()),
            image_pull_policy: Some("IfNotPresent".to_owned()),
            args: Some(args),
            ports: Some(vec![
                port(NAME, i32::from(PORT), true),
                port("admin", i32::from(ADMIN_PORT), false),
            ]),
            startup_probe: Some(Probe { failure_threshold: Some(60), ..ready.clone() }),
            readiness_probe: Some(Probe { period_seconds: Some(10), ..ready }),
            resources: Some(requests("50m", "32Mi")),
            volume_mounts: Some(vec![writable("data", "/data"), mount("config", "/config")]),
            security_context: Some(SecurityContext {
                allow_privilege_escalation: Some(false),
                read_only_root_filesystem: Some(true),
                capabilities: Some(Capabilities { drop: Some(words(&["ALL"])), add: None }),
                ..SecurityContext::default()
            }),
            ..Container::default()
        }],
        volumes: Some(vec![
            data_volume("data", NAME, options.persistence),
            secret_volume("config", NAME),
        ]),
        ..PodSpec::default()
    })
}

fn facts(options: &S3, access_key: &str, secret_key: &str, host_port: Option<u16>) -> Vec<Fact> {
    let service = format!("{NAME}.{NAMESPACE}.svc");
    let public = |port: u16| format!("http://{PUBLIC}:{port}");
    let cluster = public(host_port.unwrap_or(PORT));
    let mut facts = vec![
        Fact::differing("s3.endpoint", cluster, host_port.map(public))
            .variable("AWS_ENDPOINT_URL_S3"),
        Fact::differing("s3.internal-endpoint", format!("http://{service}:{PORT}"), None),
        Fact::differing("s3.host", &service, host_port.map(|_| PUBLIC.to_owned())),
        Fact::differing("s3.port", PORT.to_string(), host_port.map(|port| port.to_string())),
        Fact::same("s3.access-key", access_key).variable("AWS_ACCESS_KEY_ID"),
        Fact::same("s3.secret-key", secret_key).variable("AWS_SECRET_ACCESS_KEY").secret(),
        Fact::same("s3.region", &options.region).variable("AWS_REGION"),
    ];
    facts.extend(options.buckets.first().map(|bucket| Fact::same("s3.bucket", &bucket.name)));
    facts
}
