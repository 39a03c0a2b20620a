//! The addon `redis`: one real Redis.
//!
//! Owns its configuration and how it is connected to. The configuration lies in a Secret, as it
//! holds the password. Source of the directives: <https://redis.io/docs/latest/operate/oss_and_stack/management/config/>.

use k8s_openapi::api::core::v1::{Capabilities, Container, PodSpec, Probe, SecurityContext};
use sha2::{Digest, Sha256};

use super::connection::{Fact, LOOPBACK, in_url};
use super::manifest::{
    Part, data_volume, env_secret, exec_probe, mount, on_addon_node, port, requests, secret_volume,
    words, writable,
};
use super::{Addon, Image, Inputs, NAMESPACE};
use crate::error::Result;
use crate::settings::addons::Redis;
use crate::state::Credentials;

/// Its name, which is that of its Service and its Secret, too.
pub(super) const NAME: &str = "redis";
/// Its port in the cluster and on the node.
pub(super) const PORT: u16 = 6379;
const PART: Part<'static> =
    Part { addon: NAME, namespace: NAMESPACE, name: NAME, component: "server" };
/// Runs as the image's own user, once the folder for data is theirs.
const START: &str = "chown 999:999 /data && exec setpriv --reuid=999 --regid=999 --clear-groups \
                     redis-server /config/redis.conf";

/// The addon; `None` when it is off.
///
/// # Errors
/// When its certificate cannot be made.
pub(super) fn addon(inputs: &Inputs<'_>, credentials: &mut Credentials) -> Result<Option<Addon>> {
    let Some(options) = inputs.settings.addons.redis.options() else { return Ok(None) };
    let image = Image::of(inputs.catalogue, NAME);
    let given = options.password.as_ref().map(|password| password.0.clone());
    let password = given.unwrap_or_else(|| credentials.password(NAME));
    let mut secret =
        vec![("redis.conf", config(options, &password)), ("password", password.clone())];
    if options.tls {
        let leaf = credentials.leaf(NAME, &service_names(NAME))?;
        secret.push(("tls.crt", leaf.certificate));
        secret.push(("tls.key", leaf.key));
        secret.push(("ca.crt", credentials.ca_certificate().to_owned()));
    }
    let pairs: Vec<(&str, &str)> = secret.iter().map(|(key, text)| (*key, text.as_str())).collect();
    let mut hash = Sha256::new();
    for (_, text) in &pairs {
        hash.update(text);
    }
    let objects = vec![
        PART.namespace(),
        PART.secret(NAME, &pairs),
        PART.service(&[(i32::from(PORT), NAME)]),
        PART.stateful_set(pod(options, &image.reference), &format!("{:x}", hash.finalize())[..16]),
    ];
    let facts = facts(options, &password, inputs.ports.get(NAME).copied());
    Ok(Some(Addon { images: vec![image], facts, ..Addon::of(NAME, objects) }))
}

/// Names under which a service of ours is reached, for its certificate.
pub(super) fn service_names(service: &str) -> Vec<String> {
    let within = format!("{service}.{NAMESPACE}");
    vec![
        service.to_owned(),
        within.clone(),
        format!("{within}.svc"),
        format!("{within}.svc.cluster.local"),
        "localhost".to_owned(),
        "127.0.0.1".to_owned(),
    ]
}

fn config(options: &Redis, password: &str) -> String {
    let mut lines = vec!["dir /data".to_owned(), "protected-mode no".to_owned()];
    if options.tls {
        lines.push("port 0".to_owned());
        lines.push(format!("tls-port {PORT}"));
        lines.push("tls-cert-file /config/tls.crt".to_owned());
        lines.push("tls-key-file /config/tls.key".to_owned());
        lines.push("tls-ca-cert-file /config/ca.crt".to_owned());
        lines.push("tls-auth-clients no".to_owned());
    } else {
        lines.push(format!("port {PORT}"));
    }
    if !password.is_empty() {
        lines.push(format!("requirepass {}", quoted(password)));
    }
    if let Some(limit) = &options.maxmemory {
        lines.push(format!("maxmemory {}", limit.as_str()));
    }
    lines.push(format!("maxmemory-policy {}", options.maxmemory_policy.name()));
    lines.push("save \"\"".to_owned());
    lines.push(format!("appendonly {}", if options.persistence { "yes" } else { "no" }));
    lines.join("\n") + "\n"
}

/// A text as Redis' configuration takes it: anything but letters and digits by its number.
fn quoted(text: &str) -> String {
    let bytes = text.bytes().map(|byte| {
        if byte.is_ascii_alphanumeric() {
            char::from(byte).to_string()
        } else {
            format!("\\x{byte:02x}")
        }
    });
    format!("\"{}\"", bytes.collect::<String>())
}

fn pod(options: &Redis, image: &str) -> PodSpec {
    let tls = if options.tls { " --tls --cacert /config/ca.crt" } else { "" };
    let ping = format!("redis-cli -h localhost{tls} ping | grep -q PONG");
    on_addon_node(PodSpec {
        // A shell takes no SIGTERM for its own; Redis, which took its place, writes what it has.
        termination_grace_period_seconds: Some(10),
        enable_service_links: Some(false),
        containers: vec![Container {
            name: NAME.to_owned(),
            image: Some(image.to_owned()),
            image_pull_policy: Some("IfNotPresent".to_owned()),
            command: Some(words(&["/bin/sh", "-ec", START])),
            env: Some(vec![env_secret("REDISCLI_AUTH", NAME, "password")]),
            ports: Some(vec![port(NAME, i32::from(PORT), true)]),
            startup_probe: Some(Probe { failure_threshold: Some(60), ..exec_probe(&ping, 1) }),
            readiness_probe: Some(exec_probe(&ping, 10)),
            resources: Some(requests("50m", "32Mi")),
            volume_mounts: Some(vec![writable("data", "/data"), mount("config", "/config")]),
            security_context: Some(SecurityContext {
                capabilities: Some(Capabilities {
                    drop: Some(words(&["ALL"])),
                    add: Some(words(&["CHOWN", "SETUID", "SETGID", "DAC_OVERRIDE"])),
                }),
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

fn facts(options: &Redis, password: &str, host_port: Option<u16>) -> Vec<Fact> {
    let service = format!("{NAME}.{NAMESPACE}.svc");
    let scheme = if options.tls { "rediss" } else { "redis" };
    let user = if password.is_empty() { String::new() } else { format!(":{}@", in_url(password)) };
    let url = |host: &str, port: u16| format!("{scheme}://{user}{host}:{port}/0");
    let local = |of: &dyn Fn(u16) -> String| host_port.map(of);
    vec![
        Fact::differing("redis.host", &service, local(&|_| LOOPBACK.into())).variable("REDIS_HOST"),
        Fact::differing("redis.port", PORT.to_string(), local(&|port| port.to_string()))
            .variable("REDIS_PORT"),
        Fact::same("redis.password", password).variable("REDIS_PASSWORD").secret(),
        Fact::differing("redis.url", url(&service, PORT), local(&|port| url(LOOPBACK, port)))
            .variable("REDIS_URL")
            .secret(),
        Fact::same("redis.tls", options.tls.to_string()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::addons::MaxmemoryPolicy;

    #[test]
    fn options_become_directives() {
        let options = Redis {
            tls: true,
            maxmemory_policy: MaxmemoryPolicy::AllkeysLru,
            persistence: false,
            ..Redis::default()
        };
        insta::assert_snapshot!(config(&options, "p\" #\n"), @r#"
        dir /data
        protected-mode no
        port 0
        tls-port 6379
        tls-cert-file /config/tls.crt
        tls-key-file /config/tls.key
        tls-ca-cert-file /config/ca.crt
        tls-auth-clients no
        requirepass "p\x22\x20\x23\x0a"
        maxmemory-policy allkeys-lru
        save ""
        appendonly no
        "#);
    }

    #[test]
    fn the_password_is_nowhere_in_the_pod() {
        let text = serde_json::to_string(&pod(&Redis::default(), "x")).unwrap();
        assert!(!text.contains("requirepass") && !text.contains("\"value\""), "{text}");
    }

    #[test]
    fn urls_are_for_pods_and_for_this_machine() {
        let options = Redis { tls: true, ..Redis::default() };
        let facts = facts(&options, "a/b", Some(16379));
        let url = facts.iter().find(|fact| fact.key == "redis.url").unwrap();
        assert_eq!(url.cluster, "rediss://:a%2Fb@redis.sandbox-system.svc:6379/0");
        assert_eq!(url.host.as_deref(), Some("rediss://:a%2Fb@127.0.0.1:16379/0"));
    }

    #[test]
    fn without_a_password_there_is_none_in_the_url() {
        let facts = facts(&Redis::default(), "", None);
        assert_eq!(facts[3].cluster, "redis://redis.sandbox-system.svc:6379/0");
    }
}
