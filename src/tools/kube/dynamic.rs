//! Kinds that are known only by name, and objects that are made for a moment.
//!
//! Owns the way from a kind to its API, and making and removing single objects. Must not decide
//! which.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, ListParams, PostParams};
use kube::core::GroupVersionKind;
use kube::discovery::{self, Discovery, Scope};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Cluster, MANAGER, request};
use crate::error::{Error, Kind, Result};

/// Where the objects of a kind are found.
#[derive(Debug, Clone)]
pub struct ApiKind {
    resource: ApiResource,
    namespaced: bool,
}

impl ApiKind {
    /// A kind that is known without asking.
    #[must_use]
    pub fn known(group: &str, version: &str, kind: &str, plural: &str, namespaced: bool) -> Self {
        let gvk = GroupVersionKind::gvk(group, version, kind);
        Self { resource: ApiResource::from_gvk_with_plural(&gvk, plural), namespaced }
    }

    /// Whether its objects are in namespaces.
    #[must_use]
    pub fn namespaced(&self) -> bool {
        self.namespaced
    }
}

impl Cluster {
    /// Asks the cluster for a kind; without an API, all are searched.
    ///
    /// # Errors
    /// [`Kind::Cluster`] when there is no such kind, when several APIs have it, or when the API
    /// server does not answer.
    pub async fn find_kind(&self, api_version: Option<&str>, kind: &str) -> Result<ApiKind> {
        let what = || format!("cannot find the kind `{kind}`");
        if let Some(api_version) = api_version {
            let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
            let gvk = GroupVersionKind::gvk(group, version, kind);
            let none = || format!("the cluster has no kind `{kind}` in `{api_version}`");
            let (resource, capabilities) =
                request(discovery::pinned_kind(&self.client, &gvk), none).await?;
            return Ok(ApiKind { resource, namespaced: capabilities.scope == Scope::Namespaced });
        }
        let all = request(Discovery::new(self.client.clone()).run_aggregated(), what).await?;
        let found: Vec<_> = all
            .groups_alphabetical()
            .into_iter()
            .filter_map(|group| group.recommended_kind(kind))
            .map(|(resource, capabilities)| ApiKind {
                resource,
                namespaced: capabilities.scope == Scope::Namespaced,
            })
            .collect();
        chosen(found, kind)
    }

    /// The API of a kind; the namespace counts only for kinds that are in one.
    #[must_use]
    pub fn dynamic(&self, kind: &ApiKind, namespace: &str) -> Api<DynamicObject> {
        if kind.namespaced {
            Api::namespaced_with(self.client.clone(), namespace, &kind.resource)
        } else {
            Api::all_with(self.client.clone(), &kind.resource)
        }
    }

    /// Gets one object of a kind as JSON; absent when there is none of that name.
    ///
    /// # Errors
    /// [`Kind::Cluster`] with the API server's reason.
    pub async fn get_value(
        &self,
        kind: &ApiKind,
        namespace: &str,
        name: &str,
    ) -> Result<Option<serde_json::Value>> {
        let object = self.get(&self.dynamic(kind, namespace), name).await?;
        Ok(object.map(|object| serde_json::to_value(object).unwrap_or_default()))
    }

    /// Makes one object.
    ///
    /// # Errors
    /// [`Kind::Cluster`] with the API server's reason.
    pub async fn create<K>(&self, api: &Api<K>, object: &K) -> Result<K>
    where
        K: kube::Resource + Clone + DeserializeOwned + Serialize + std::fmt::Debug,
    {
        let url = api.resource_url();
        let plural = url.rsplit('/').next().unwrap_or_default();
        let params = PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() };
        request(api.create(&params, object), || format!("cannot make an object of {plural}")).await
    }

    /// Removes one object without grace; one that is not there is no failure.
    ///
    /// # Errors
    /// [`Kind::Cluster`] with the API server's reason.
    pub async fn remove<K>(&self, api: &Api<K>, name: &str) -> Result<()>
    where
        K: Clone + DeserializeOwned + std::fmt::Debug,
    {
        let call = async {
            match api.delete(name, &DeleteParams::default().grace_period(0)).await {
                Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
                other => other.map(|_| ()),
            }
        };
        request(call, || format!("cannot remove `{name}`")).await
    }

    /// Lists objects, all or those with a label or field.
    ///
    /// # Errors
    /// [`Kind::Cluster`] with the API server's reason.
    pub async fn list<K>(&self, api: &Api<K>, params: &ListParams) -> Result<Vec<K>>
    where
        K: kube::Resource + Clone + DeserializeOwned + std::fmt::Debug,
    {
        let url = api.resource_url();
        let plural = url.rsplit('/').next().unwrap_or_default();
        let list = request(api.list(params), || format!("cannot list {plural}")).await?;
        Ok(list.items)
    }

    /// Makes a namespace unless it is there; one that is there is left as it is.
    ///
    /// # Errors
    /// [`Kind::Cluster`] with the API server's reason.
    pub async fn ensure_namespace(&self, name: &str) -> Result<()> {
        let api: Api<Namespace> = self.all();
        if self.get(&api, name).await?.is_some() {
            return Ok(());
        }
        let mut namespace = Namespace::default();
        namespace.metadata.name = Some(name.to_owned());
        namespace.metadata.labels = Some(BTreeMap::new());
        match self.create(&api, &namespace).await {
            // Another command was quicker.
            Err(error) => match self.get(&api, name).await {
                Ok(Some(_)) => Ok(()),
                _ => Err(error),
            },
            Ok(_) => Ok(()),
        }
    }
}

/// Chooses among the APIs that have a kind: Kubernetes' own ones count before others.
fn chosen(mut found: Vec<ApiKind>, kind: &str) -> Result<ApiKind> {
    let own = |found: &ApiKind| {
        let group = &found.resource.group;
        !group.contains('.') || group.ends_with(".k8s.io") && !group.ends_with(".x-k8s.io")
    };
    found.sort_by_key(|found| (!own(found), !found.resource.group.is_empty()));
    if let Some(first) = found.first()
        && (found.len() == 1 || own(first))
    {
        return Ok(first.clone());
    }
    if found.is_empty() {
        return Err(Error::new(Kind::Cluster, format!("the cluster has no kind `{kind}`")));
    }
    let all: Vec<&str> = found.iter().map(|found| found.resource.api_version.as_str()).collect();
    Err(Error::new(
        Kind::Cluster,
        format!("the kind `{kind}` is in several APIs ({}); set `api-version`", all.join(", ")),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(groups: &[&str]) -> Vec<ApiKind> {
        groups.iter().map(|group| ApiKind::known(group, "v1", "Thing", "things", true)).collect()
    }

    #[test]
    fn kinds_of_kubernetes_itself_count_first() {
        let group = |groups: &[&str]| chosen(found(groups), "Thing").unwrap().resource.group;
        assert_eq!(group(&["events.k8s.io", ""]), "");
        assert_eq!(group(&["acme.example.com", "apps"]), "apps");
        assert_eq!(group(&["acme.example.com"]), "acme.example.com");
    }

    #[test]
    fn an_unknown_or_ambiguous_kind_is_told() {
        let error = |groups: &[&str]| chosen(found(groups), "Thing").unwrap_err().to_string();
        insta::assert_snapshot!(error(&[]), @"the cluster has no kind `Thing`");
        insta::assert_snapshot!(error(&["b.example.com", "a.example.com"]), @"the kind `Thing` is in several APIs (b.example.com/v1, a.example.com/v1); set `api-version`");
    }
}
