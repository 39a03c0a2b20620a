//! The Kubernetes API of one sandbox.
//!
//! Owns the client, which is made from our own kubeconfig and never from the user's, the identity
//! of a cluster, and server-side apply. Must not decide what is applied.

use std::path::Path;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{Api, ApiResource, DynamicObject, LogParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Context, Error, Kind, Result};

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
#[derive(Debug, Clone)]
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

    fn text(&self, pointer: &str) -> &str {
        self.value.pointer(pointer).and_then(serde_json::Value::as_str).unwrap_or_default()
    }

    /// `kind name` for messages.
    #[must_use]
    pub fn shown(&self) -> String {
        format!("{} {}", self.resource.kind.to_lowercase(), self.text("/metadata/name"))
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
        let namespace = object.text("/metadata/namespace");
        let api: Api<DynamicObject> = if namespace.is_empty() {
            Api::all_with(self.client.clone(), &object.resource)
        } else {
            Api::namespaced_with(self.client.clone(), namespace, &object.resource)
        };
        let params = PatchParams::apply(MANAGER).force();
        let name = object.text("/metadata/name");
        let patch = Patch::Apply(&object.value);
        let what = || format!("cannot apply {}", object.shown());
        request(api.patch(name, &params, &patch), what).await.map(|_| ())
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
