//! The checks that the sandbox has without being told: one for each thing it installed.
//!
//! Owns their names and what they promise. Pure: they are checks as a user could write them.

use std::collections::BTreeSet;

use crate::settings::checks::{
    Caller, Certificate, Check, Http, HttpExpect, Metrics, Postgres, Redis, S3, Telemetry, Tls,
    Volume,
};

/// What the sandbox has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each addon is there or not")]
pub struct BuiltIn {
    /// The ingress controller.
    pub ingress: bool,
    /// cert-manager with the sandbox's issuers.
    pub cert_manager: bool,
    /// Redis.
    pub redis: bool,
    /// Postgres.
    pub postgres: bool,
    /// S3.
    pub s3: bool,
    /// Telemetry.
    pub telemetry: bool,
    /// Of these, which have no port on this machine.
    pub unreachable: BTreeSet<String>,
    /// metrics-server.
    pub metrics_server: bool,
    /// Storage classes to try; one of each provisioner is enough.
    pub storage_classes: Vec<String>,
    /// Whether one storage class is the default one.
    pub default_class: bool,
    /// Hosts whose Ingress has TLS.
    pub hosts_with_tls: Vec<String>,
}

/// The checks of what is there.
#[must_use]
pub fn checks(facts: &BuiltIn) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut add = |name: String, check: Check| checks.push(Check { name, ..check });
    if facts.ingress {
        let expect = HttpExpect { status: Some(404), ..HttpExpect::default() };
        let url = "http://sandbox-check.localhost/".to_owned();
        let http = Some(Http { url, expect, ..Http::default() });
        add("ingress-nginx: answers".to_owned(), Check { http, ..Check::default() });
    }
    let callers = [("this machine", Caller::Host), ("a pod", Caller::Cluster)];
    let reaches =
        |from: Caller, name: &str| from != Caller::Host || !facts.unreachable.contains(name);
    let callers_of =
        |name: &'static str| callers.into_iter().filter(move |(_, from)| reaches(*from, name));
    for (who, from) in callers_of("redis").filter(|_| facts.redis) {
        let redis = Some(Redis { from, ..Redis::default() });
        add(format!("redis: answers from {who}"), Check { redis, ..Check::default() });
    }
    for (who, from) in callers_of("postgres").filter(|_| facts.postgres) {
        let postgres = Some(Postgres { from, ..Postgres::default() });
        add(format!("postgres: answers from {who}"), Check { postgres, ..Check::default() });
    }
    for (who, from) in callers_of("s3").filter(|_| facts.s3) {
        let s3 = Some(S3 { from, ..S3::default() });
        add(format!("s3: keeps an object from {who}"), Check { s3, ..Check::default() });
    }
    // Always asked from this machine.
    if facts.telemetry && reaches(Caller::Host, "telemetry") {
        for (who, from) in callers {
            let telemetry = Some(Telemetry { emit: true, from, ..Telemetry::default() });
            let name = format!("telemetry: a span arrives from {who}");
            add(name, Check { telemetry, ..Check::default() });
        }
    }
    if facts.cert_manager {
        let certificate = Certificate::default();
        let name = format!("cert-manager: {} issues a certificate", certificate.issuer);
        add(name, Check { certificate: Some(certificate), ..Check::default() });
    }
    if facts.metrics_server {
        let metrics = Some(Metrics {});
        let name = "metrics-server: every node has metrics".to_owned();
        add(name, Check { metrics, ..Check::default() });
    }
    if facts.default_class {
        let volume = Some(Volume::default());
        let name = "default storage class: a pod writes to its volume".to_owned();
        add(name, Check { volume, ..Check::default() });
    }
    for class in &facts.storage_classes {
        let volume = Some(Volume { class: Some(class.clone()), size: None });
        let name = format!("storage class {class}: a pod writes to its volume");
        add(name, Check { volume, ..Check::default() });
    }
    for host in &facts.hosts_with_tls {
        let tls = Some(Tls { host: host.clone(), ..Tls::default() });
        add(format!("tls: {host}"), Check { tls, ..Check::default() });
    }
    checks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> BuiltIn {
        BuiltIn {
            ingress: true,
            cert_manager: true,
            redis: true,
            postgres: true,
            s3: true,
            telemetry: true,
            unreachable: BTreeSet::new(),
            metrics_server: true,
            storage_classes: vec!["gp3".into()],
            default_class: true,
            hosts_with_tls: vec!["shop.localhost".into()],
        }
    }

    #[test]
    fn everything_installed_has_its_check() {
        let lines: Vec<String> = checks(&all())
            .iter()
            .map(|check| format!("{}: {}", check.kind().unwrap().key(), check.name))
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @"
        http: ingress-nginx: answers
        redis: redis: answers from this machine
        redis: redis: answers from a pod
        postgres: postgres: answers from this machine
        postgres: postgres: answers from a pod
        s3: s3: keeps an object from this machine
        s3: s3: keeps an object from a pod
        telemetry: telemetry: a span arrives from this machine
        telemetry: telemetry: a span arrives from a pod
        certificate: cert-manager: letsencrypt-prod issues a certificate
        metrics: metrics-server: every node has metrics
        volume: default storage class: a pod writes to its volume
        volume: storage class gp3: a pod writes to its volume
        tls: tls: shop.localhost
        ");
        assert!(checks(&BuiltIn::default()).is_empty());
    }

    #[test]
    fn what_has_no_port_here_is_asked_from_pods_alone() {
        let unreachable = BTreeSet::from(["redis".to_owned()]);
        let facts = BuiltIn { redis: true, unreachable, ..BuiltIn::default() };
        let names: Vec<String> = checks(&facts).into_iter().map(|check| check.name).collect();
        assert_eq!(names, ["redis: answers from a pod"]);
    }

    #[test]
    fn a_user_could_have_written_them() {
        let text = "
checks:
  - {name: 'redis: answers from a pod', redis: {from: cluster}}
  - {name: 'cert-manager: letsencrypt-prod issues a certificate', certificate: {}}
  - {name: 'storage class gp3: a pod writes to its volume', volume: {class: gp3}}
";
        let written = crate::settings::load::parse(text, "f").unwrap().checks;
        let built_in = checks(&all());
        assert!(written.iter().all(|check| built_in.contains(check)), "{built_in:#?}");
    }
}
