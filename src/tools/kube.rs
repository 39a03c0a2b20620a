//! The Kubernetes API of one sandbox.
//!
//! Owns the client, which is made from our own kubeconfig and never from the user's, the identity
//! of a cluster, and server-side apply. Must not decide what is applied.

mod dynamic;

use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, LogParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Context, Error, Kind, Result};
use crate::tools::ready;

pub use dynamic::ApiKind;

/// Field manager of everything that this program applies.
pub const MANAGER: &str = "sandbox";
/// Deadline of one request.
const REQUEST: Duration = Duration::from_secs(15);

/// One cluster, reached through our own kubeconfig.
#[derive(Clone)]
pub struct Cluster {
    client: kube::Client,
    ca_hash: String,
}

/// What makes a cluster this cluster and no other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Identity {
    /// SHA-256 of the certificate authority that the client trusts.
    pub ca: String,
    /// UID of the namespace `kube-system`.
    pub uid: String,
}

/// An object to apply, with what is needed to address it.
#[derive(Clone)]
pub struct Object {
    resource: ApiResource,
    /// The object as JSON.
    pub value: serde_json::Value,
}

impl Object {
    /// Any typed object.
    ///
    /// # Panics
    /// Never: typed objects are always JSON.
    pub fn of<K: k8s_openapi::Resource + Serialize>(object: &K) -> Self {
        let resource = ApiResource {
            group: K::GROUP.to_owned(),
            version: K::VERSION.to_owned(),
            api_version: K::API_VERSION.to_owned(),
            kind: K::KIND.to_owned(),
            plural: K::URL_PATH_SEGMENT.to_owned(),
        };
        let value = serde_json::to_value(object).expect("typed objects are JSON");
        Self { resource, value }
    }

    /// An object of a kind that no crate has types for; `apiVersion` and `kind` are added.
    ///
    /// # Panics
    /// When `object` is no JSON map, which is a mistake in the code that made it.
    #[must_use]
    pub fn custom(
        group: &str,
        version: &str,
        kind: &str,
        plural: &str,
        object: &serde_json::Value,
    ) -> Self {
        let mut value = object.clone();
        let map = value.as_object_mut().expect("objects are JSON maps");
        let api_version = format!("{group}/{version}");
        map.insert("apiVersion".to_owned(), api_version.clone().into());
        map.insert("kind".to_owned(), kind.into());
        let resource = ApiResource {
            group: group.to_owned(),
            version: version.to_owned(),
            api_version,
            kind: kind.to_owned(),
            plural: plural.to_owned(),
        };
        Self { resource, value }
    }

    fn text(&self, pointer: &str) -> &str {
        self.value.pointer(pointer).and_then(serde_json::Value::as_str).unwrap_or_default()
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.resource.kind
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    /// Its namespace; empty when it is in none.
    #[must_use]
    pub fn namespace(&self) -> &str {
        self.text("/metadata/namespace")
    }

    /// How to find it again.
    #[must_use]
    pub fn reference(&self) -> ObjectRef {
        ObjectRef {
            api_version: self.resource.api_version.clone(),
            kind: self.resource.kind.clone(),
            plural: self.resource.plural.clone(),
            namespace: self.namespace().to_owned(),
            name: self.name().to_owned(),
        }
    }

    /// `kind name` for messages.
    #[must_use]
    pub fn shown(&self) -> String {
        format!("{} {}", self.resource.kind.to_lowercase(), self.name())
    }
}

/// Without its content, which may be secret.
impl std::fmt::Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Object({} {})", self.shown(), self.namespace())
    }
}

/// An object's address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ObjectRef {
    /// Group and version.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// The kind in URLs.
    pub plural: String,
    /// Namespace; empty when it is in none.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl ObjectRef {
    fn resource(&self) -> ApiResource {
        let (group, version) = self.api_version.split_once('/').unwrap_or(("", &self.api_version));
        ApiResource {
            group: group.to_owned(),
            version: version.to_owned(),
            api_version: self.api_version.clone(),
            kind: self.kind.clone(),
            plural: self.plural.clone(),
        }
    }
}

impl Cluster {
    /// Connects with the kubeconfig of that text. Nothing is sent yet.
    ///
    /// # Errors
    /// [`Kind::Refused`] when the server is not on this machine, [`Kind::Cluster`] when the
    /// kubeconfig is broken.
    pub async fn connect(kubeconfig: &str) -> Result<Self> {
        let broken = || "the sandbox's kubeconfig is broken".to_owned();
        let parsed = Kubeconfig::from_yaml(kubeconfig).context(Kind::Cluster, broken)?;
        let mut config =
            kube::Config::from_custom_kubeconfig(parsed, &KubeConfigOptions::default())
                .await
                .context(Kind::Cluster, broken)?;
        let host = config.cluster_url.host().unwrap_or_default();
        if !["127.0.0.1", "[::1]", "::1", "localhost"].contains(&host) {
            return Err(Error::new(
                Kind::Refused,
                format!("the API server `{host}` is not on this machine"),
            ));
        }
        config.proxy_url = None;
        config.connect_timeout = Some(Duration::from_secs(5));
        config.read_timeout = None;
        let mut hash = Sha256::new();
        for certificate in config.root_cert.iter().flatten() {
            hash.update(certificate);
        }
        let client = kube::Client::try_from(config).context(Kind::Cluster, broken)?;
        Ok(Self { client, ca_hash: format!("{:x}", hash.finalize()) })
    }

    /// Connects with the kubeconfig at that path.
    ///
    /// # Errors
    /// As [`Cluster::connect`], and when the file cannot be read.
    pub async fn open(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .context(Kind::Cluster, || format!("cannot read `{}`", path.display()))?;
        Self::connect(&text).await
    }

    /// The same, but only when the cluster that answers is the known one: before anything in it is
    /// changed.
    ///
    /// # Errors
    /// As [`Cluster::open`] and [`Cluster::identity`], and [`Kind::Refused`] for another cluster.
    pub async fn open_known(path: &Path, known: Option<&Identity>) -> Result<Self> {
        let cluster = Self::open(path).await?;
        let found = cluster.identity().await?;
        if known == Some(&found) {
            return Ok(cluster);
        }
        Err(Error::new(
            Kind::Refused,
            "the cluster that answers is not the one this sandbox made; nothing was changed",
        )
        .hint("sandbox status"))
    }

    /// An API of one kind in one namespace.
    #[must_use]
    pub fn namespaced<K>(&self, namespace: &str) -> Api<K>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// An API of one kind in all namespaces, or of one that has none.
    #[must_use]
    pub fn all<K>(&self) -> Api<K>
    where
        K: kube::Resource,
        K::DynamicType: Default,
    {
        Api::all(self.client.clone())
    }

    /// Whether the API server says that it is ready.
    pub async fn is_ready(&self) -> bool {
        let Ok(request) = http::Request::get("/readyz").body(Vec::new()) else { return false };
        let answer =
            tokio::time::timeout(Duration::from_secs(2), self.client.request_text(request));
        matches!(answer.await, Ok(Ok(text)) if text == "ok")
    }

    /// The cluster's identity.
    ///
    /// # Errors
    /// [`Kind::Cluster`] when the API server does not answer.
    pub async fn identity(&self) -> Result<Identity> {
        let namespace: Namespace =
            self.get(&self.all(), "kube-system").await?.ok_or_else(|| {
                Error::new(Kind::Cluster, "the cluster has no namespace `kube-system`")
            })?;
        let uid = namespace.metadata.uid.unwrap_or_default();
        Ok(Identity { ca: self.ca_hash.clone(), uid })
    }

    /// Gets one object; absent when there is none of that name.
    ///
    /// # Errors
    /// [`Kind::Cluster`] when the API server does not answer.
    pub async fn get<K>(&self, api: &Api<K>, name: &str) -> Result<Option<K>>
    where
        K: Clone + DeserializeOwned + std::fmt::Debug,
    {
        let what = || format!("cannot read `{name}` from the cluster");
        request(api.get_opt(name), what).await
    }

    /// Applies one object; what others manage is left alone.
    ///
    /// # Errors
    /// [`Kind::Cluster`] with the API server's reason.
    pub async fn apply(&self, object: &Object) -> Result<()> {
        let api = self.api_of(&object.resource, object.namespace());
        let params = PatchParams::apply(MANAGER).force();
        let patch = Patch::Apply(&object.value);
        let what = || format!("cannot apply {}", object.shown());
        request(api.patch(object.name(), &params, &patch), what).await.map(|_| ())
    }

    /// Asks whether applying an object would work, webhooks included; nothing changes.
    ///
    /// # Errors
    /// [`Kind::Cluster`] with the reason why not.
    pub async fn try_apply(&self, object: &Object) -> Result<()> {
        let api = self.api_of(&object.resource, object.namespace());
        let params = PatchParams::apply(MANAGER).force().dry_run();
        let patch = Patch::Apply(&object.value);
        let what = || format!("cannot apply {}", object.shown());
        request(api.patch(object.name(), &params, &patch), what).await.map(|_| ())
    }

    fn api_of(&self, resource: &ApiResource, namespace: &str) -> Api<DynamicObject> {
        if namespace.is_empty() {
            Api::all_with(self.client.clone(), resource)
        } else {
            Api::namespaced_with(self.client.clone(), namespace, resource)
        }
    }

    /// Deletes one object with what it owns, if it still has that label: under its name may be
    /// somebody else's by now. One that is not there is no failure.
    ///
    /// # Errors
    /// [`Kind::Cluster`] with the API server's reason.
    pub async fn delete_labelled(&self, object: &ObjectRef, label: (&str, &str)) -> Result<()> {
        let api = self.api_of(&object.resource(), &object.namespace);
        let what = || format!("cannot delete {} {}", object.kind.to_lowercase(), object.name);
        let params = DeleteParams::background();
        let deleted = async {
            let found = match api.get_metadata_opt(&object.name).await {
                // Its kind itself may be gone.
                Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
                other => other?,
            };
            let labels = found.and_then(|found| found.metadata.labels).unwrap_or_default();
            if labels.get(label.0).map(String::as_str) != Some(label.1) {
                return Ok(());
            }
            match api.delete(&object.name, &params).await {
                Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
                other => other.map(|_| ()),
            }
        };
        request(deleted, what).await
    }

    /// Applies a definition of custom resources as the text that its maker wrote, and waits until
    /// the API server serves it.
    ///
    /// # Errors
    /// [`Kind::Cluster`] with the API server's reason.
    pub async fn define(&self, name: &str, yaml: &str) -> Result<()> {
        let what = || format!("cannot apply customresourcedefinition {name}");
        let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}");
        let applied = http::Request::patch(format!("{path}?fieldManager={MANAGER}&force=true"))
            .header(http::header::CONTENT_TYPE, "application/apply-patch+yaml")
            .body(yaml.as_bytes().to_vec())
            .context(Kind::Unexpected, what)?;
        request(self.client.request_text(applied), what).await?;
        let served = format!("definition {name}");
        ready::retry(&served, Kind::Cluster, REQUEST, || async {
            let found = self.raw(&path).await.map_err(|error| error.full())?;
            let conditions = found.pointer("/status/conditions").and_then(|list| list.as_array());
            let is_served = conditions.into_iter().flatten().any(|condition| {
                condition["type"] == "Established" && condition["status"] == "True"
            });
            if is_served { Ok(()) } else { Err("it is not established".to_owned()) }
        })
        .await
    }

    /// Gets anything by its path, as JSON.
    ///
    /// # Errors
    /// [`Kind::Cluster`] with the API server's reason.
    pub async fn raw(&self, path: &str) -> Result<serde_json::Value> {
        let what = || format!("cannot read {path}");
        let look = http::Request::get(path).body(Vec::new()).context(Kind::Unexpected, what)?;
        request(self.client.request(look), what).await
    }

    /// Asks a Service by way of the API server: what has no port on this machine is reached all the
    /// same. The answer is the status and the body, whatever they are.
    ///
    /// # Errors
    /// [`Kind::Cluster`] when nothing answers within `limit`.
    pub async fn ask_service(
        &self,
        service: (&str, &str, &str),
        request: (http::Method, &str),
        body: Vec<u8>,
        limit: Duration,
    ) -> Result<(u16, bytes::Bytes)> {
        let (namespace, name, port) = service;
        let (method, path) = request;
        let what = || format!("the service `{name}` does not answer");
        let path = format!("/api/v1/namespaces/{namespace}/services/{name}:{port}/proxy/{path}");
        let asked = http::Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(kube::client::Body::from(body))
            .context(Kind::Unexpected, what)?;
        let answered = async {
            let answer = self.client.send(asked).await?;
            let status = answer.status().as_u16();
            let body = http_body_util::BodyExt::collect(answer.into_body()).await?;
            Ok::<_, kube::Error>((status, body.to_bytes()))
        };
        let late = || {
            let message = format!("no answer within {}s", limit.as_secs());
            Error::new(Kind::Cluster, what()).because(Error::new(Kind::Cluster, message))
        };
        tokio::time::timeout(limit, answered)
            .await
            .map_err(|_| late())?
            .context(Kind::Cluster, what)
    }

    /// Applies objects: namespaces first, then the rest at once.
    ///
    /// # Errors
    /// The first failure.
    pub async fn apply_all(&self, objects: &[Object]) -> Result<()> {
        let (first, rest): (Vec<_>, Vec<_>) =
            objects.iter().partition(|object| object.resource.kind == "Namespace");
        for object in first {
            self.apply(object).await?;
        }
        futures::future::try_join_all(rest.into_iter().map(|object| self.apply(object))).await?;
        Ok(())
    }

    /// Changes one object by a merge patch.
    ///
    /// # Errors
    /// [`Kind::Cluster`] with the API server's reason.
    pub async fn merge<K>(&self, api: &Api<K>, name: &str, patch: &serde_json::Value) -> Result<()>
    where
        K: Clone + DeserializeOwned + std::fmt::Debug,
    {
        let what = || format!("cannot change `{name}`");
        let params = PatchParams { field_manager: Some(MANAGER.into()), ..PatchParams::default() };
        request(api.patch(name, &params, &Patch::Merge(patch)), what).await.map(|_| ())
    }

    /// The last lines of a container's log; empty when there are none to be had.
    pub async fn last_lines(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        previous: bool,
        lines: i64,
    ) -> String {
        let params = LogParams {
            container: Some(container.to_owned()),
            previous,
            tail_lines: Some(lines),
            ..LogParams::default()
        };
        let api: Api<Pod> = self.namespaced(namespace);
        tokio::time::timeout(REQUEST, api.logs(pod, &params))
            .await
            .ok()
            .and_then(Result::ok)
            .unwrap_or_default()
    }
}

/// Runs one request with a deadline.
async fn request<T>(
    call: impl Future<Output = Result<T, kube::Error>>,
    what: impl Fn() -> String,
) -> Result<T> {
    tokio::time::timeout(REQUEST, call)
        .await
        .map_err(|_| {
            Error::new(Kind::Cluster, what()).because(Error::new(
                Kind::Cluster,
                format!("the API server did not answer within {}s", REQUEST.as_secs()),
            ))
        })?
        .context(Kind::Cluster, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kubeconfig(server: &str) -> String {
        format!(
            "{{apiVersion: v1, kind: Config, current-context: c, clusters: [{{name: c, cluster: \
             {{server: '{server}'}}}}], users: [{{name: u, user: {{}}}}], contexts: [{{name: c, \
             context: {{cluster: c, user: u}}}}]}}"
        )
    }

    #[tokio::test]
    async fn a_server_elsewhere_is_refused() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let result = Cluster::connect(&kubeconfig("https://10.0.0.1:6443")).await;
        assert_eq!(result.err().map(|error| error.kind()), Some(Kind::Refused));
        assert!(Cluster::connect(&kubeconfig("https://127.0.0.1:6443")).await.is_ok());
    }
}
