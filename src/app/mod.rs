//! The app: what the rendered chart contains and what must become ready.
//!
//! Owns reading a rendered chart. Rendering and installing are done by `tools::helm`; why an app
//! does not become ready is told by `cause`. Must not touch the cluster.

pub mod cause;
mod parts;
pub mod settle;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::error::{Context, Error, Kind, Result};
use crate::settings::App;

pub use parts::Parts;

/// Something that must become ready.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Workload {
    /// `Deployment`, `StatefulSet`, `DaemonSet` or `Job`.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Images of its containers.
    pub images: Vec<String>,
}

/// An address that an Ingress rule serves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Route {
    /// Host name.
    pub host: String,
    /// Path.
    pub path: String,
    /// Whether the Ingress terminates TLS for the host.
    pub tls: bool,
    /// Whether the certificate comes from cert-manager or the controller, not from the chart.
    #[serde(default)]
    pub signed: bool,
}

/// The kind of what asks for a volume, in [`Rendered::kinds`].
pub const VOLUME_CLAIM: &str = "/PersistentVolumeClaim";

/// A rendered chart, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// What must become ready.
    pub workloads: Vec<Workload>,
    /// What the Ingresses serve.
    pub routes: Vec<Route>,
    /// What everything in it is, as `group/Kind`, with what its templates make.
    pub kinds: BTreeSet<String>,
    /// Addons that it brings itself.
    pub brought: BTreeSet<String>,
}

impl Rendered {
    /// Reads what `helm template` wrote.
    ///
    /// # Errors
    /// [`Kind::Settings`] when a document is no Kubernetes object, naming its template.
    pub fn read(manifest: &str, namespace: &str) -> Result<Self> {
        let mut workloads = Vec::new();
        let mut routes = BTreeSet::new();
        let mut kinds = BTreeSet::new();
        let mut brought = BTreeSet::new();
        for document in documents(manifest) {
            let shown = document.source.unwrap_or("the rendered chart");
            let value: Option<Value> = serde_saphyr::from_str(document.text).map_err(|error| {
                // Its text shows the place already; its source would tell it again.
                Error::new(Kind::Settings, format!("`{shown}` does not render to YAML"))
                    .because(error.to_string())
            })?;
            let Some(value) = value.filter(|value| !value.is_null()) else { continue };
            let kind = text(&value, "/kind");
            if kind.is_empty() || text(&value, "/apiVersion").is_empty() {
                return Err(Error::new(
                    Kind::Settings,
                    format!("`{shown}` renders to something without `apiVersion` and `kind`"),
                ));
            }
            let group = text(&value, "/apiVersion").split_once('/').map_or("", |(group, _)| group);
            kinds.insert(format!("{group}/{kind}"));
            if value.pointer("/spec/volumeClaimTemplates/0").is_some() {
                kinds.insert(VOLUME_CLAIM.to_owned());
            }
            // What only runs for a moment is a client.
            if ["Deployment", "StatefulSet", "DaemonSet"].contains(&kind) {
                let images = images(&value, &["/spec/template/spec/containers"]);
                brought.extend(images.iter().filter_map(|i| brings(i)).map(str::to_owned));
            }
            match kind {
                "Deployment" | "StatefulSet" | "DaemonSet" | "Job" if !is_hook(&value) => {
                    workloads.push(workload(&value, kind, namespace));
                }
                "Ingress" => routes.extend(self::routes(&value)),
                _ => {}
            }
        }
        Ok(Self { workloads, routes: routes.into_iter().collect(), kinds, brought })
    }
}

/// The addon whose software an image is, by the names under which it is published.
fn brings(image: &str) -> Option<&'static str> {
    let name = image.split('@').next()?.rsplit('/').next()?.split(':').next()?;
    match name {
        "cert-manager-controller" => Some("cert-manager"),
        "metrics-server" => Some("metrics-server"),
        "redis" | "valkey" | "redis-stack" | "redis-stack-server" => Some("redis"),
        "postgres" | "postgresql" => Some("postgres"),
        // Both would want the node's ports.
        "agent" if image.contains("datadog") => Some("telemetry"),
        _ => None,
    }
}

struct Document<'a> {
    source: Option<&'a str>,
    text: &'a str,
}

/// Splits at `---` lines; helm names each template in a comment.
fn documents(manifest: &str) -> Vec<Document<'_>> {
    let mut documents = Vec::new();
    let mut rest = manifest;
    while !rest.is_empty() {
        let end = rest.find("\n---").map_or(rest.len(), |at| at + 1);
        let (text, after) = rest.split_at(end);
        let text = text.strip_prefix("---").unwrap_or(text);
        let source = text.lines().find_map(|line| line.strip_prefix("# Source: "));
        if text.lines().any(|line| !line.trim().is_empty() && !line.starts_with('#')) {
            documents.push(Document { source, text });
        }
        rest = after;
    }
    documents
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn is_hook(value: &Value) -> bool {
    value.pointer("/metadata/annotations/helm.sh~1hook").is_some()
}

/// The images of a workload's containers.
fn images(value: &Value, containers: &[&str]) -> BTreeSet<String> {
    let lists = containers.iter().filter_map(|pointer| value.pointer(pointer)?.as_array());
    lists.flatten().map(|container| text(container, "/image").to_owned()).collect()
}

fn workload(value: &Value, kind: &str, namespace: &str) -> Workload {
    let own = text(value, "/metadata/namespace");
    let containers = ["/spec/template/spec/initContainers", "/spec/template/spec/containers"];
    let images = images(value, &containers);
    Workload {
        kind: kind.to_owned(),
        namespace: if own.is_empty() { namespace } else { own }.to_owned(),
        name: text(value, "/metadata/name").to_owned(),
        images: images.into_iter().collect(),
    }
}

fn routes(ingress: &Value) -> Vec<Route> {
    let list = |value: &Value, pointer: &str| {
        value.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let annotations = ingress.pointer("/metadata/annotations").and_then(Value::as_object);
    let issued = annotations.is_some_and(|all| {
        let names =
            ["cert-manager.io/cluster-issuer", "cert-manager.io/issuer", "kubernetes.io/tls-acme"];
        names.iter().any(|name| all.contains_key(*name))
    });
    let tls = list(ingress, "/spec/tls");
    let signed = issued || tls.iter().all(|tls| text(tls, "/secretName").is_empty());
    let secured: Vec<String> = tls
        .iter()
        .flat_map(|tls| list(tls, "/hosts"))
        .filter_map(|host| Some(host.as_str()?.to_owned()))
        .collect();
    let rules = list(ingress, "/spec/rules").into_iter();
    rules
        .flat_map(|rule| {
            let host = text(&rule, "/host").to_owned();
            let tls = secured.contains(&host);
            let paths = list(&rule, "/http/paths");
            paths
                .iter()
                .map(|path| Route {
                    host: host.clone(),
                    path: text(path, "/path").to_owned(),
                    tls,
                    signed,
                })
                .collect::<Vec<_>>()
        })
        .collect()
}

/// A hash of everything that decides what gets installed: chart, value files, names, version.
///
/// # Errors
/// [`Kind::Settings`] when a file cannot be read.
pub fn input_hash(app: &App, kubernetes: &str) -> Result<String> {
    let mut hash = Sha256::new();
    hash.update(format!("{}\0{}\0{kubernetes}\n", app.release, app.namespace));
    let mut files = Vec::new();
    collect(&app.chart, &mut files)?;
    files.extend(app.values.iter().cloned());
    for path in files {
        let bytes = std::fs::read(&path)
            .context(Kind::Settings, || format!("cannot read `{}`", path.display()))?;
        // Value files by their place in the list: where they lie does not matter.
        let name = path.strip_prefix(&app.chart).unwrap_or(Path::new("values"));
        hash.update(format!("{}\0{}\n", name.display(), bytes.len()));
        hash.update(bytes);
    }
    Ok(format!("{:x}", hash.finalize()))
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let read = || format!("cannot read `{}`", dir.display());
    let mut entries: Vec<PathBuf> = std::fs::read_dir(dir)
        .context(Kind::Settings, read)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .context(Kind::Settings, read)?;
    entries.sort();
    for path in entries {
        if path.is_dir() { collect(&path, files)? } else { files.push(path) }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"---
# Source: hello/templates/configmap.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: hello}
data:
  text: |
    --- not a document
---
# Source: hello/templates/deployment.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: hello}
spec:
  template:
    spec:
      initContainers: [{name: i, image: "busybox:1"}]
      containers: [{name: c, image: "hello:dev"}]
---
# Source: hello/templates/job.yaml
apiVersion: batch/v1
kind: Job
metadata: {name: hook, annotations: {"helm.sh/hook": pre-install}}
---
# Source: hello/templates/empty.yaml
---
# Source: hello/templates/ingress.yaml
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: hello}
spec:
  tls: [{hosts: [s.localhost]}]
  rules:
    - {host: hello.localhost, http: {paths: [{path: /, pathType: Prefix}]}}
    - {host: s.localhost, http: {paths: [{path: /api, pathType: Prefix}]}}
"#;

    #[test]
    fn workloads_and_routes_are_read() {
        let rendered = Rendered::read(MANIFEST, "apps").unwrap();
        assert_eq!(rendered.workloads.len(), 1, "hooks are helm's to wait for");
        assert!(rendered.kinds.contains("networking.k8s.io/Ingress"));
        let workload = &rendered.workloads[0];
        assert_eq!((workload.namespace.as_str(), workload.name.as_str()), ("apps", "hello"));
        assert_eq!(workload.images, ["busybox:1", "hello:dev"]);
        let routes: Vec<_> =
            rendered.routes.iter().map(|r| (r.host.as_str(), r.path.as_str(), r.tls)).collect();
        assert_eq!(routes, [("hello.localhost", "/", false), ("s.localhost", "/api", true)]);
    }

    #[test]
    fn software_that_the_chart_brings_is_known_by_its_image() {
        assert_eq!(brings("docker.io/bitnami/redis:8.2.1-debian-12-r0"), Some("redis"));
        assert_eq!(brings("localhost:5000/postgresql@sha256:1"), Some("postgres"));
        assert_eq!(brings("example.com/my-redis-exporter:1"), None);
    }

    #[test]
    fn something_that_is_no_object_names_its_template() {
        let error =
            Rendered::read("---\n# Source: x/templates/a.yaml\nfoo: bar\n", "x").unwrap_err();
        assert!(error.to_string().contains("x/templates/a.yaml"), "{error}");
    }

    #[test]
    fn the_hash_follows_chart_and_values() {
        let dir = tempfile::tempdir().unwrap();
        let chart = dir.path().join("chart");
        std::fs::create_dir(&chart).unwrap();
        std::fs::write(chart.join("Chart.yaml"), "name: x").unwrap();
        std::fs::write(dir.path().join("v.yaml"), "a: 1").unwrap();
        let app = App {
            chart,
            release: "x".into(),
            namespace: "x".into(),
            values: vec![dir.path().join("v.yaml")],
            set: serde_json::Map::new(),
            timeout: std::time::Duration::from_secs(1),
            unready_after: std::time::Duration::from_secs(1),
        };
        let before = input_hash(&app, "1.34.3").unwrap();
        assert_eq!(input_hash(&app, "1.34.3").unwrap(), before);
        std::fs::write(dir.path().join("v.yaml"), "a: 2").unwrap();
        assert_ne!(input_hash(&app, "1.34.3").unwrap(), before);
    }
}
