//! The kind `certificate`: a cert-manager issuer that issues.
//!
//! Owns the Certificate that is asked for, which is removed whatever happens, and whether what came
//! is of the sandbox's certificate authority.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::{DynamicObject, ListParams};
use kube::runtime::watcher;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::checks::context::Context;
use crate::checks::probe::Seen;
use crate::checks::{NAMESPACE, text};
use crate::error::Kind;
use crate::settings::checks::Certificate;
use crate::tools::kube::Cluster;
use crate::tools::pod::{self, Temporary};
use crate::tools::ready::{self, Look};

/// The API of cert-manager.
const API: &str = "cert-manager.io/v1";
/// How long cert-manager may take to note that it is done.
const SETTLING: Duration = Duration::from_secs(3);

/// Everything to ask for a certificate.
pub(super) struct Issue<'a> {
    certificate: &'a Certificate,
    ca: &'a str,
    namespace: &'a str,
    context: &'a Context<'a>,
}

/// A name for a certificate that nobody uses.
fn host(name: &str) -> String {
    format!("{name}.localhost")
}

impl<'a> Issue<'a> {
    /// Prepares the request.
    ///
    /// # Errors
    /// One line when the sandbox has no certificate authority.
    pub(super) fn new(
        certificate: &'a Certificate,
        context: &'a Context<'a>,
    ) -> Result<Self, String> {
        let ca = context.target.ca.as_deref().ok_or("this sandbox has no certificate authority")?;
        let own = certificate.issuer_kind == "Issuer";
        let namespace = if own { context.target.namespace.as_str() } else { NAMESPACE };
        Ok(Self { certificate, ca, namespace, context })
    }

    /// Asks for a certificate, waits for it until `end`, and removes it.
    pub(super) async fn attempt(&self, end: Instant) -> Seen {
        let Certificate { issuer, issuer_kind } = self.certificate;
        let asked = format!("a certificate of {issuer_kind} {issuer} in {}", self.namespace);
        let cluster = match self.context.workshop().await {
            Ok(cluster) => cluster,
            Err(why) => return Seen::nothing(asked, why),
        };
        let (verdict, seen) = match self.issue(cluster, end).await {
            Ok(verdict) => (verdict, String::new()),
            Err((why, seen)) => (Err(why), seen),
        };
        Seen { verdict, asked, came: seen }
    }

    async fn issue(
        &self,
        cluster: &Cluster,
        end: Instant,
    ) -> Result<Result<String, String>, (String, String)> {
        let told = |error: crate::error::Error| (text::told(&error), String::new());
        let kind = cluster.find_kind(Some(API), "Certificate").await.map_err(|_| {
            (
                "cert-manager is not installed: the cluster has no Certificates".to_owned(),
                String::new(),
            )
        })?;
        cluster.ensure_namespace(self.namespace).await.map_err(told)?;
        let name = pod::random_name("sandbox-check");
        let secrets: Api<Secret> = cluster.namespaced(self.namespace);
        let certificates = cluster.dynamic(&kind, self.namespace);
        pod::sweep(cluster, &certificates).await;
        let secret = Temporary::new(cluster, &secrets, &name);
        let certificate = Temporary::new(cluster, &certificates, &name);
        let wanted = wanted(self.certificate, &name, self.namespace);
        let wanted: DynamicObject =
            serde_json::from_value(wanted).map_err(|error| (error.to_string(), String::new()))?;
        let result = async {
            cluster.create(&certificates, &wanted).await.map_err(told)?;
            match issued(&secrets, &name, end).await {
                Some(chain) => {
                    settled(cluster, &certificates, &name, end).await;
                    Ok(judge(&chain, self.ca, &host(&name), &self.certificate.issuer))
                }
                None => Err(self.told(cluster, &certificates, &name).await),
            }
        }
        .await;
        // The Certificate first: cert-manager would make its Secret again.
        certificate.remove().await;
        secret.remove().await;
        result
    }

    /// Why nothing came, and the conditions that say so.
    async fn told(
        &self,
        cluster: &Cluster,
        certificates: &Api<DynamicObject>,
        name: &str,
    ) -> (String, String) {
        let value = |object: &DynamicObject| serde_json::to_value(object).unwrap_or_default();
        let certificate = cluster.get(certificates, name).await.ok().flatten();
        let certificate = certificate.as_ref().map(value).unwrap_or_default();
        let mut requests = Vec::new();
        if let Ok(kind) = cluster.find_kind(Some(API), "CertificateRequest").await {
            let api = cluster.dynamic(&kind, self.namespace);
            let all = cluster.list(&api, &ListParams::default()).await.unwrap_or_default();
            requests = all.iter().map(value).collect();
            requests.retain(|request| {
                let owners = request["metadata"]["ownerReferences"].as_array();
                owners.is_some_and(|owners| owners.iter().any(|owner| owner["name"] == name))
            });
        }
        let conditions = requests.iter().chain([&certificate]).map(|object| {
            format!(
                "{}: {:#}\n",
                object["kind"].as_str().unwrap_or_default(),
                object["status"]["conditions"]
            )
        });
        (why(&certificate, &requests), conditions.collect())
    }
}

fn wanted(certificate: &Certificate, name: &str, namespace: &str) -> Value {
    json!({
        "apiVersion": API,
        "kind": "Certificate",
        "metadata": {"name": name, "namespace": namespace, "labels": pod::labels()},
        "spec": {
            "secretName": name,
            "secretTemplate": {"labels": pod::labels()},
            "dnsNames": [host(name)],
            "privateKey": {"algorithm": "ECDSA", "size": 256},
            "issuerRef": {
                "group": "cert-manager.io",
                "kind": certificate.issuer_kind,
                "name": certificate.issuer,
            },
        },
    })
}

/// The certificate chain in the Secret, as soon as there is one.
async fn issued(secrets: &Api<Secret>, name: &str, end: Instant) -> Option<String> {
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let (store, changes) = ready::watch(secrets.clone(), config);
    let look = || {
        let secret = store.state().first().and_then(|secret| secret.data.clone());
        match secret.as_ref().and_then(|data| data.get("tls.crt")).filter(|crt| !crt.0.is_empty()) {
            Some(chain) => Look::Done(String::from_utf8_lossy(&chain.0).into_owned()),
            None => Look::Waiting(String::new()),
        }
    };
    let left = end.saturating_duration_since(Instant::now());
    ready::until("the certificate", Kind::Cluster, left, vec![changes], look, |_| ()).await.ok()
}

/// Waits until cert-manager has done all it does for the Certificate: what it still does would make
/// the removed Secret again.
async fn settled(cluster: &Cluster, api: &Api<DynamicObject>, name: &str, end: Instant) {
    let left = end.saturating_duration_since(Instant::now()).min(SETTLING);
    let ready = || async move {
        let found = cluster.get(api, name).await.ok().flatten();
        let found = found.map(|found| found.data).unwrap_or_default();
        let conditions = found["status"]["conditions"].as_array();
        let is = |kind: &str| {
            conditions.is_some_and(|all| {
                all.iter()
                    .any(|condition| condition["type"] == kind && condition["status"] == "True")
            })
        };
        if is("Ready") && !is("Issuing") { Ok(()) } else { Err(String::new()) }
    };
    let _ = ready::retry("the Certificate", Kind::Cluster, left, ready).await;
}

/// Whether the chain is good for the host and ends at the certificate authority.
fn judge(chain: &str, ca: &str, host: &str, issuer: &str) -> Result<String, String> {
    let read = |pem: &str| -> Vec<CertificateDer<'static>> {
        CertificateDer::pem_slice_iter(pem.as_bytes()).filter_map(Result::ok).collect()
    };
    let chain = read(chain);
    let (Some((leaf, between)), authorities) = (chain.split_first(), read(ca)) else {
        return Err("the Secret has no certificate that can be read".to_owned());
    };
    let by = issuer_of(leaf);
    let refused = |why: String| format!("the certificate is by {by}: {why}");
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(authorities);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|_| "the sandbox's certificate authority cannot be read".to_owned())?;
    let name = ServerName::try_from(host.to_owned()).map_err(|error| text::root(&error))?;
    match verifier.verify_server_cert(leaf, between, &name, &[], UnixTime::now()) {
        Ok(_) => Ok(format!("{issuer} issued a certificate by {by}")),
        Err(rustls::Error::InvalidCertificate(
            rustls::CertificateError::UnknownIssuer | rustls::CertificateError::BadSignature,
        )) => Err(refused("it is not of the sandbox's certificate authority".to_owned())),
        Err(error) => Err(refused(text::root(&error))),
    }
}

fn issuer_of(certificate: &CertificateDer<'_>) -> String {
    match x509_parser::parse_x509_certificate(certificate) {
        Ok((_, certificate)) if certificate.issuer() == certificate.subject() => {
            "itself".to_owned()
        }
        Ok((_, certificate)) => {
            format!("`{}`", text::line(&certificate.issuer().to_string(), 120))
        }
        Err(_) => "somebody".to_owned(),
    }
}

/// Why nothing came, in the words of the object that is nearest to the issuer.
fn why(certificate: &Value, requests: &[Value]) -> String {
    for (object, told) in
        requests.iter().rev().map(|r| (r, "the request")).chain([(certificate, "the Certificate")])
    {
        let Some(conditions) = object["status"]["conditions"].as_array() else { continue };
        let of = |kind: &str, status: &str| {
            conditions
                .iter()
                .find(|condition| condition["type"] == kind && condition["status"] == status)
        };
        let telling = of("Denied", "True").or_else(|| of("InvalidRequest", "True"));
        if let Some(condition) = telling.or_else(|| of("Ready", "False")) {
            let part = |key: &str| condition[key].as_str().unwrap_or_default();
            let message = part("message").replace('\n', " ");
            let state = if part("type") == "Ready" { "not ready" } else { part("type") };
            let shown =
                format!("{told} is {} ({}): {message}", state.to_lowercase(), part("reason"));
            return text::line(&shown, 512);
        }
    }
    "nothing came, and cert-manager says nothing about it; does its controller run?".to_owned()
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

    use super::*;

    fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    }

    fn leaf(host: &str, by: &CertifiedIssuer<'static, KeyPair>) -> String {
        let params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.signed_by(&KeyPair::generate().unwrap(), by).unwrap().pem()
    }

    #[test]
    fn only_a_chain_to_our_authority_counts() {
        let (ours, theirs) = (authority("sandbox"), authority("sandbox"));
        let ca = ours.pem();
        let told = |chain: &str, host: &str| {
            let (Ok(told) | Err(told)) = judge(chain, &ca, host, "letsencrypt-prod");
            told
        };
        let all = [
            told(&leaf("a.localhost", &ours), "a.localhost"),
            told(&leaf("a.localhost", &ours), "b.localhost"),
            told(&leaf("a.localhost", &theirs), "a.localhost"),
            told(&leaf("a.localhost", &authority("other")), "a.localhost"),
            told("nothing", "a.localhost"),
        ];
        insta::assert_snapshot!(all.join("\n"), @r#"
        letsencrypt-prod issued a certificate by `CN=sandbox`
        the certificate is by `CN=sandbox`: invalid peer certificate: certificate not valid for name "b.localhost"; certificate is only valid for DnsName("a.localhost")
        the certificate is by `CN=sandbox`: it is not of the sandbox's certificate authority
        the certificate is by `CN=other`: it is not of the sandbox's certificate authority
        the Secret has no certificate that can be read
        "#);
    }

    #[test]
    fn every_failure_has_its_own_words() {
        let of = |conditions: Value| json!({"status": {"conditions": conditions}});
        let issuing = of(json!([
            {"type": "Issuing", "status": "True", "reason": "DoesNotExist", "message": "Issuing"},
            {"type": "Ready", "status": "False", "reason": "DoesNotExist",
                "message": "Issuing certificate as Secret does not exist"},
        ]));
        let pending = of(json!([
            {"type": "Approved", "status": "True", "reason": "cert-manager.io"},
            {"type": "Ready", "status": "False", "reason": "Pending",
                "message": "Referenced \"ClusterIssuer\" not found: clusterissuer.cert-manager.io \"x\" not found"},
        ]));
        let denied = of(json!([
            {"type": "Ready", "status": "False", "reason": "Denied", "message": "denied"},
            {"type": "Denied", "status": "True", "reason": "Policy", "message": "not allowed"},
        ]));
        let told = [
            why(&issuing, &[pending]),
            why(&issuing, &[denied]),
            why(&issuing, &[]),
            why(&Value::Null, &[json!({})]),
        ];
        insta::assert_snapshot!(told.join("\n"), @r#"
        the request is not ready (Pending): Referenced "ClusterIssuer" not found: clusterissuer.cert-manager.io "x" not found
        the request is denied (Policy): not allowed
        the Certificate is not ready (DoesNotExist): Issuing certificate as Secret does not exist
        nothing came, and cert-manager says nothing about it; does its controller run?
        "#);
    }

    #[test]
    fn it_asks_the_issuer_for_a_name_of_its_own() {
        let wanted = wanted(&Certificate::default(), "sandbox-check-1", "sandbox-system");
        assert_eq!(wanted["spec"]["issuerRef"]["name"], "letsencrypt-prod");
        assert_eq!(wanted["spec"]["dnsNames"], json!(["sandbox-check-1.localhost"]));
        assert_eq!(wanted["spec"]["secretTemplate"]["labels"][pod::LABEL], "true");
    }
}
