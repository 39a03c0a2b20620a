//! The addon `crds`: custom resources that are accepted, so that charts which use them apply.
//!
//! Owns which API groups are known and where their schemas come from. Nothing acts on these
//! resources: an `ExternalSecret` stays as it was applied. Where the maker's own definitions can
//! be had they are used; for the others anything is accepted, which is said.

use std::collections::BTreeSet;

use serde_json::json;

use super::{ADDON_LABEL, Addon, Definitions, Inputs};
use crate::settings::addons::Crds;
use crate::tools::kube::Object;

/// Its name.
pub const NAME: &str = "crds";

/// API groups with the catalogue's manifest set that defines them.
const DEFINED: [(&str, &str); 6] = [
    ("monitoring.coreos.com", "prometheus-operator"),
    ("external-secrets.io", "external-secrets"),
    ("generators.external-secrets.io", "external-secrets"),
    ("keda.sh", "keda"),
    ("dapr.io", "dapr"),
    ("snapshot.storage.k8s.io", "volume-snapshot"),
];

/// The version of each group that charts ask for.
const VERSIONS: [(&str, &str); 8] = [
    ("monitoring.coreos.com", "monitoring.coreos.com/v1"),
    ("external-secrets.io", "external-secrets.io/v1"),
    ("generators.external-secrets.io", "generators.external-secrets.io/v1alpha1"),
    ("keda.sh", "keda.sh/v1alpha1"),
    ("dapr.io", "dapr.io/v1alpha1"),
    ("snapshot.storage.k8s.io", "snapshot.storage.k8s.io/v1"),
    ("elbv2.k8s.aws", "elbv2.k8s.aws/v1beta1"),
    ("secrets-store.csi.x-k8s.io", "secrets-store.csi.x-k8s.io/v1"),
];

/// Resources of which anything is accepted: group, version, kind, plural, whether in a namespace.
/// Sources: <https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/targetgroupbinding/spec/>,
/// <https://secrets-store-csi-driver.sigs.k8s.io/concepts>.
const PERMISSIVE: [(&str, &str, &str, &str, bool); 4] = [
    ("elbv2.k8s.aws", "v1beta1", "TargetGroupBinding", "targetgroupbindings", true),
    ("elbv2.k8s.aws", "v1beta1", "IngressClassParams", "ingressclassparams", false),
    ("secrets-store.csi.x-k8s.io", "v1", "SecretProviderClass", "secretproviderclasses", true),
    (
        "secrets-store.csi.x-k8s.io",
        "v1",
        "SecretProviderClassPodStatus",
        "secretproviderclasspodstatuses",
        true,
    ),
];

/// API versions of the groups that are accepted whatever the chart has.
pub(super) fn api_versions(crds: &Crds) -> Vec<&'static str> {
    let wanted = |group: &str| match crds {
        Crds::All => true,
        Crds::Groups(groups) => groups.iter().any(|of| of == group),
        Crds::Auto | Crds::Off => false,
    };
    VERSIONS.into_iter().filter(|(group, _)| wanted(group)).map(|(_, version)| version).collect()
}

/// The addon; `None` when nothing is to be accepted.
pub(super) fn addon(inputs: &Inputs<'_>) -> Option<Addon> {
    let used = |group: &str| -> BTreeSet<String> {
        let kinds = inputs.kinds.iter().filter_map(|kind| kind.split_once('/'));
        kinds.filter(|(of, _)| *of == group).map(|(_, kind)| kind.to_owned()).collect()
    };
    // All of a group, or only the kinds that the chart has: defining takes the API server its time.
    let wanted = |group: &str| match &inputs.settings.addons.crds {
        Crds::All => None,
        Crds::Groups(groups) if groups.iter().any(|of| of == group) => None,
        Crds::Groups(_) | Crds::Off => Some(BTreeSet::new()),
        Crds::Auto => Some(used(group)),
    };
    let mut definitions: Vec<Definitions> = Vec::new();
    for (group, set) in DEFINED {
        let kinds = wanted(group);
        if kinds.as_ref().is_some_and(BTreeSet::is_empty) {
            continue;
        }
        match definitions.iter_mut().find(|known| known.set == set) {
            Some(known) => {
                known.kinds = known.kinds.take().zip(kinds).map(|(a, b)| &a | &b);
            }
            None => {
                definitions.push(Definitions { kinds, ..Definitions::all(inputs.catalogue, set) });
            }
        }
    }
    let objects: Vec<Object> = PERMISSIVE
        .iter()
        .filter(|(group, _, kind, ..)| wanted(group).is_none_or(|kinds| kinds.contains(*kind)))
        .map(|crd| accept_anything(*crd))
        .collect();
    if definitions.is_empty() && objects.is_empty() {
        return None;
    }
    Some(Addon { definitions, ..Addon::of(NAME, objects) })
}

/// A definition without a schema.
fn accept_anything(
    (group, version, kind, plural, namespaced): (&str, &str, &str, &str, bool),
) -> Object {
    let any = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let definition = json!({
        "metadata": {"name": format!("{plural}.{group}"), "labels": {ADDON_LABEL: NAME}},
        "spec": {
            "group": group,
            "scope": if namespaced { "Namespaced" } else { "Cluster" },
            "names": {
                "kind": kind, "plural": plural, "singular": kind.to_lowercase(),
                "listKind": format!("{kind}List"),
            },
            "versions": [{
                "name": version, "served": true, "storage": true,
                "schema": {"openAPIV3Schema": any},
                "subresources": {"status": {}},
            }],
        },
    });
    Object::custom(
        "apiextensions.k8s.io",
        "v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        &definition,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;
    use crate::settings::addons::KNOWN_GROUPS;

    #[test]
    fn every_manifest_set_is_in_the_catalogue() {
        let catalogue = Catalogue::built_in();
        for (group, set) in DEFINED {
            assert!(catalogue.manifests.contains_key(set), "{group}: {set}");
        }
    }

    #[test]
    fn every_group_that_can_be_asked_for_is_defined() {
        let mut groups: BTreeSet<&str> = DEFINED.iter().map(|(group, _)| *group).collect();
        groups.extend(PERMISSIVE.iter().map(|(group, ..)| *group));
        assert_eq!(groups, KNOWN_GROUPS.into_iter().collect());
    }

    #[test]
    fn what_has_no_schema_accepts_anything() {
        let text = accept_anything(PERMISSIVE[0]).value.to_string();
        assert!(text.contains("targetgroupbindings.elbv2.k8s.aws"), "{text}");
        assert!(text.contains("preserve-unknown-fields"), "{text}");
    }
}
