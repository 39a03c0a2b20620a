//! The addon `storage`: the cloud's storage classes, and volumes behind them.
//!
//! Owns their objects. A class of the cloud keeps the name of its provisioner, so classes that
//! charts bring work unchanged. Behind that name runs the local-path provisioner that kind brings,
//! once more, with all volumes in one folder that every node shares: a volume needs no node to be
//! made, and a pod finds its files on whichever node it starts again.
//!
//! The provisioner has the node's network and asks the API server on its own node: it needs no
//! pod network to start, and after a restart of the node the API answers as soon as the kubelet
//! knows of it. Its arguments and configuration follow
//! <https://github.com/rancher/local-path-provisioner#configuration>.

use k8s_openapi::api::admissionregistration::v1::{
    MatchCondition, MatchResources, NamedRuleWithOperations, ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding, ValidatingAdmissionPolicyBindingSpec,
    ValidatingAdmissionPolicySpec, Validation,
};
use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, Container, EnvVar, PodSpec, Toleration, Volume,
};
use k8s_openapi::api::storage::v1::StorageClass;
use serde_json::json;

use super::manifest::{Map, Part, map, mount, on_addon_node, requests, rule, words};
use super::{Addon, Inputs, NAMESPACE};
use crate::profile::{self, Profile};
use crate::tools::kube::Object;

/// Its name.
pub const NAME: &str = "storage";
/// Where every node sees the folder that all volumes are in.
pub const SHARED_FOLDER: &str = "/var/sandbox-volumes";
/// The manifest of a control-plane node that names the images of kind's own provisioner.
pub const NODE_MANIFEST: &str = "/kind/manifests/default-storage.yaml";
/// The class that kind makes.
pub const KIND_CLASS: &str = "standard";
/// The annotation that makes a class the one of claims that name none.
pub const DEFAULT_ANNOTATION: &str = "storageclass.kubernetes.io/is-default-class";

/// What runs as the provisioner's account.
const ACCOUNT: Part<'static> = Part {
    addon: NAME,
    namespace: NAMESPACE,
    name: "volume-provisioner",
    component: "provisioner",
};
/// Name of the policy that refuses what the real drivers refuse.
const POLICY: &str = "single-node-volumes.dev.sandbox";

/// Images of the provisioner and of the pods that make and remove folders for it. They come from
/// the node, which has them whatever made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvisionerImages {
    /// The provisioner.
    pub provisioner: String,
    /// A small image with a shell.
    pub helper: String,
}

impl ProvisionerImages {
    /// Takes the references out of [`NODE_MANIFEST`]: the provisioner is the container of that
    /// name, the helper the one in the template `helperPod.yaml`.
    #[must_use]
    pub fn parse(manifest: &str) -> Option<Self> {
        let after = |start: &str, marks: [&str; 2]| {
            let from = manifest.find(start)?;
            let image = images(&manifest[from..]).find(|i| marks.iter().any(|m| i.contains(m)))?;
            Some(image.to_owned())
        };
        Some(Self {
            provisioner: after("kind: Deployment", ["/local-path-provisioner:"; 2])?,
            helper: after("helperPod.yaml", ["/local-path-helper:", "busybox"])?,
        })
    }
}

/// Every image reference of a manifest, block or flow style, quoted or not.
fn images(manifest: &str) -> impl Iterator<Item = &str> {
    manifest.split("image:").skip(1).filter_map(|rest| {
        let value = rest.trim_start_matches(' ').trim_start_matches(['"', '\'']);
        value.split(['"', '\'', ',', '}', ' ', '\n', '\r']).next().filter(|image| !image.is_empty())
    })
}

/// The addon; `None` for a profile without classes of its own.
///
/// Its images are known only once there is a node, so here they have names of no image; profile
/// and node image decide about everything, and another node image means another cluster.
pub(super) fn addon(inputs: &Inputs<'_>) -> Option<Addon> {
    let profile = &inputs.settings.profile.value;
    let unknown = || "as the node has it".to_owned();
    let images = ProvisionerImages { provisioner: unknown(), helper: unknown() };
    (!profile.storage_classes.is_empty()).then(|| Addon::of(NAME, objects(profile, &images)))
}

/// Its objects; none for a profile without classes of its own, where kind's `standard` stays as
/// it is.
///
/// Beside them [`KIND_CLASS`] must lose its default annotation, which only works once kind has
/// made it: kind applies its own later than we do, and would set it again.
#[must_use]
pub fn objects(profile: &Profile, images: &ProvisionerImages) -> Vec<Object> {
    let classes = profile.storage_classes.iter();
    let mut objects: Vec<Object> = classes.map(|class| Object::of(&storage_class(class))).collect();
    let provisioners = profile.foreign_provisioners();
    if provisioners.is_empty() {
        return objects;
    }
    objects.insert(0, ACCOUNT.namespace());
    objects.push(ACCOUNT.account());
    objects.extend(permissions());
    objects.push(ACCOUNT.config_map(ACCOUNT.name, config(&images.helper)));
    for provisioner in provisioners {
        let name = workload_name(provisioner);
        let part = Part { name: &name, component: &name, ..ACCOUNT };
        objects.push(part.deployment(pod(provisioner, &images.provisioner)));
    }
    objects.extend(single_node_only(profile));
    objects
}

/// The name of a provisioner's Deployment: `ebs.csi.aws.com` → `ebs-csi-aws-com`.
fn workload_name(provisioner: &str) -> String {
    provisioner.replace(['.', '/'], "-")
}

fn storage_class(class: &profile::StorageClass) -> StorageClass {
    let mut metadata = ACCOUNT.global(&class.name);
    if class.default {
        metadata.annotations = Some(map(&[(DEFAULT_ANNOTATION, "true")]));
    }
    StorageClass {
        metadata,
        provisioner: class.provisioner.clone(),
        parameters: (!class.parameters.is_empty()).then(|| class.parameters.clone()),
        reclaim_policy: Some(class.reclaim_policy.word().to_owned()),
        volume_binding_mode: Some(class.binding_mode.word().to_owned()),
        allow_volume_expansion: class.allow_expansion.then_some(true),
        ..StorageClass::default()
    }
}

/// What the provisioner needs, without the leases and endpoints of a leader election.
fn permissions() -> Vec<Object> {
    let look = ["get", "list", "watch"];
    let change = ["get", "list", "watch", "create", "patch", "update", "delete"];
    let everywhere = vec![
        rule("", &["nodes", "persistentvolumeclaims"], &look),
        rule("", &["persistentvolumes"], &change),
        rule("", &["events"], &["create", "patch"]),
        rule("storage.k8s.io", &["storageclasses"], &look),
    ];
    let here = vec![
        rule("", &["pods"], &change),
        rule("", &["pods/log"], &["get"]),
        rule("", &["configmaps"], &look),
    ];
    let everywhere = ACCOUNT.cluster_role(everywhere);
    everywhere.into_iter().chain(ACCOUNT.role(here)).collect()
}

/// The provisioner's configuration, and how its helper makes and removes the folder of a volume.
///
/// The helper has the node's network and no token: it starts without waiting for either.
fn config(helper: &str) -> Map {
    let config = json!({ "sharedFileSystemPath": SHARED_FOLDER });
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": "helper-pod" },
        "spec": {
            "priorityClassName": "system-node-critical",
            "hostNetwork": true,
            "automountServiceAccountToken": false,
            "terminationGracePeriodSeconds": 0,
            "tolerations": [{ "operator": "Exists" }],
            "containers": [{
                "name": "helper-pod",
                "image": helper,
                "imagePullPolicy": "IfNotPresent",
            }],
        },
    });
    map(&[
        ("config.json", &config.to_string()),
        ("setup", "#!/bin/sh\nset -eu\nmkdir -m 0777 -p \"$VOL_DIR\"\n"),
        ("teardown", "#!/bin/sh\nset -eu\nrm -rf \"$VOL_DIR\"\n"),
        ("helperPod.yaml", &pod.to_string()),
    ])
}

fn pod(provisioner: &str, image: &str) -> PodSpec {
    let args = [
        "start",
        "--config=/etc/config/config.json",
        "--provisioner-name",
        provisioner,
        "--namespace",
        NAMESPACE,
        "--configmap-name",
        ACCOUNT.name,
        "--service-account-name",
        ACCOUNT.name,
    ];
    let env = [
        ("CONFIG_MOUNT_PATH", "/etc/config/"),
        // Instead of the cluster's address, which needs kube-proxy. kind's certificate names it.
        ("KUBERNETES_SERVICE_HOST", "127.0.0.1"),
        ("KUBERNETES_SERVICE_PORT", "6443"),
    ];
    let variable = |(name, value): (&str, &str)| EnvVar {
        name: name.to_owned(),
        value: Some(value.to_owned()),
        ..EnvVar::default()
    };
    let container = Container {
        name: "provisioner".to_owned(),
        image: Some(image.to_owned()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        args: Some(words(&args)),
        env: Some(env.into_iter().map(variable).collect()),
        resources: Some(requests("10m", "24Mi")),
        volume_mounts: Some(vec![mount("config", "/etc/config")]),
        ..Container::default()
    };
    let source =
        ConfigMapVolumeSource { name: ACCOUNT.name.to_owned(), ..ConfigMapVolumeSource::default() };
    let config =
        Volume { name: "config".to_owned(), config_map: Some(source), ..Volume::default() };
    PodSpec {
        // Also while the node is not ready: claims may come before it is.
        tolerations: Some(vec![Toleration {
            operator: Some("Exists".to_owned()),
            ..Toleration::default()
        }]),
        ..on_addon_node(PodSpec {
            service_account_name: Some(ACCOUNT.name.to_owned()),
            host_network: Some(true),
            priority_class_name: Some("system-cluster-critical".to_owned()),
            containers: vec![container],
            volumes: Some(vec![config]),
            ..PodSpec::default()
        })
    }
}

/// A policy for each provisioner that says no to a volume for several nodes, as its driver does.
/// Ours could make one, and the app would fail in the cloud only.
///
/// Volumes without a file system are left out, as EBS has some for several nodes, and so are
/// claims that name a volume of their own.
fn single_node_only(profile: &Profile) -> Vec<Object> {
    let mut objects = Vec::new();
    for provisioner in profile.foreign_provisioners() {
        let classes: Vec<&str> = profile
            .storage_classes
            .iter()
            .filter(|class| class.provisioner == provisioner)
            .map(|class| class.name.as_str())
            .collect();
        let name = format!("{}.{POLICY}", workload_name(provisioner));
        objects.push(Object::of(&policy(&name, provisioner, &classes)));
        objects.push(Object::of(&ValidatingAdmissionPolicyBinding {
            metadata: ACCOUNT.global(&name),
            spec: Some(ValidatingAdmissionPolicyBindingSpec {
                policy_name: Some(name),
                validation_actions: Some(words(&["Deny"])),
                ..ValidatingAdmissionPolicyBindingSpec::default()
            }),
        }));
    }
    objects
}

fn policy(name: &str, provisioner: &str, classes: &[&str]) -> ValidatingAdmissionPolicy {
    let condition =
        |name: &str, expression: String| MatchCondition { name: name.to_owned(), expression };
    let is_ours = format!(
        "has(object.spec.storageClassName) && object.spec.storageClassName in {}",
        json!(classes)
    );
    let has_files = "!has(object.spec.volumeMode) || object.spec.volumeMode == 'Filesystem'";
    let is_to_be_made = "!has(object.spec.volumeName) || object.spec.volumeName == ''";
    let claims = NamedRuleWithOperations {
        api_groups: Some(words(&[""])),
        api_versions: Some(words(&["v1"])),
        operations: Some(words(&["CREATE"])),
        resources: Some(words(&["persistentvolumeclaims"])),
        ..NamedRuleWithOperations::default()
    };
    ValidatingAdmissionPolicy {
        metadata: ACCOUNT.global(name),
        spec: Some(ValidatingAdmissionPolicySpec {
            failure_policy: Some("Fail".to_owned()),
            match_constraints: Some(MatchResources {
                resource_rules: Some(vec![claims]),
                ..MatchResources::default()
            }),
            match_conditions: Some(vec![
                condition("class", is_ours),
                condition("file-system", has_files.to_owned()),
                condition("to-be-made", is_to_be_made.to_owned()),
            ]),
            validations: Some(vec![Validation {
                expression:
                    "!has(object.spec.accessModes) || !object.spec.accessModes.exists(mode, \
                             mode in ['ReadWriteMany', 'ReadOnlyMany'])"
                        .to_owned(),
                message: Some(format!(
                    "{} are for one node at a time: use the access mode ReadWriteOnce",
                    product(provisioner)
                )),
                reason: Some("Invalid".to_owned()),
                ..Validation::default()
            }]),
            ..ValidatingAdmissionPolicySpec::default()
        }),
        ..ValidatingAdmissionPolicy::default()
    }
}

/// What people call the volumes of a provisioner.
fn product(provisioner: &str) -> String {
    match provisioner {
        "ebs.csi.aws.com" => "EBS volumes".to_owned(),
        "dobs.csi.digitalocean.com" => "DigitalOcean volumes".to_owned(),
        other => format!("volumes of {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> ProvisionerImages {
        ProvisionerImages { provisioner: "provisioner:1".into(), helper: "helper:1".into() }
    }

    fn of(profile: &str) -> Vec<Object> {
        objects(&Profile::named(profile).unwrap(), &parts())
    }

    fn text(objects: &[Object]) -> String {
        objects.iter().map(|object| object.value.to_string() + "\n").collect()
    }

    #[test]
    fn images_are_those_of_our_own_node() {
        let manifest = include_str!("../../images/node/rootfs/kind/manifests/default-storage.yaml");
        let images = ProvisionerImages::parse(manifest).unwrap();
        assert!(images.provisioner.starts_with("sandbox.local/local-path-provisioner:v"));
        assert!(images.helper.starts_with("sandbox.local/busybox:"), "{images:?}");
    }

    /// The shape of the manifest in `kindest/node`, kind 0.27 to 0.33
    /// (`pkg/build/nodeimage/const_storage.go`).
    #[test]
    fn images_are_those_of_the_published_node() {
        let manifest = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: local-path-provisioner\nspec:\n  \
                        template:\n    spec:\n      containers:\n        - name: local-path-provisioner\n          \
                        image: docker.io/kindest/local-path-provisioner:v20250214-acbabc1a\n          \
                        imagePullPolicy: IfNotPresent\n---\nkind: ConfigMap\ndata:\n  helperPod.yaml: |-\n    \
                        kind: Pod\n    spec:\n      containers:\n      - name: helper-pod\n        \
                        image: docker.io/kindest/local-path-helper:v20241212-8ac705d0\n        \
                        imagePullPolicy: IfNotPresent\n";
        let images = ProvisionerImages::parse(manifest).unwrap();
        assert_eq!(
            images.provisioner,
            "docker.io/kindest/local-path-provisioner:v20250214-acbabc1a"
        );
        assert_eq!(images.helper, "docker.io/kindest/local-path-helper:v20241212-8ac705d0");
    }

    #[test]
    fn a_manifest_without_a_provisioner_is_none() {
        let legacy = "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nprovisioner: \
                      kubernetes.io/host-path\n";
        assert_eq!(ProvisionerImages::parse(legacy), None);
        assert_eq!(ProvisionerImages::parse(""), None);
    }

    #[test]
    fn minimal_keeps_what_kind_makes() {
        assert!(of("minimal").is_empty());
    }

    #[test]
    fn eks_has_no_default_class() {
        let objects = of("eks");
        let text = text(&objects);
        assert!(!text.contains(DEFAULT_ANNOTATION), "{text}");
        let gp3 = objects.iter().find(|object| object.shown() == "storageclass gp3").unwrap();
        insta::assert_snapshot!(gp3.value, @r#"{"allowVolumeExpansion":true,"apiVersion":"storage.k8s.io/v1","kind":"StorageClass","metadata":{"labels":{"app.kubernetes.io/component":"provisioner","app.kubernetes.io/name":"storage","dev.sandbox/addon":"storage"},"name":"gp3"},"parameters":{"type":"gp3"},"provisioner":"ebs.csi.aws.com","reclaimPolicy":"Delete","volumeBindingMode":"WaitForFirstConsumer"}"#);
    }

    #[test]
    fn volumes_of_doks_are_made_at_once_and_one_class_is_the_default() {
        let objects = of("doks");
        let classes: Vec<_> =
            objects.iter().filter(|object| object.value["kind"] == "StorageClass").collect();
        assert_eq!(classes.len(), 4);
        for class in classes {
            assert_eq!(class.value["volumeBindingMode"], "Immediate");
            let default = class.value.pointer("/metadata/annotations").is_some();
            assert_eq!(default, class.value["metadata"]["name"] == "do-block-storage");
        }
    }

    #[test]
    fn k3s_uses_the_provisioner_that_kind_brings() {
        let objects = of("k3s-ec2");
        assert_eq!(objects.len(), 1);
        assert_eq!(objects[0].value["provisioner"], profile::LOCAL_PATH);
    }

    #[test]
    fn each_foreign_provisioner_has_a_deployment_that_must_be_ready() {
        let objects = of("eks");
        let deployment =
            objects.iter().find(|object| object.value["kind"] == "Deployment").unwrap();
        assert_eq!(deployment.value["metadata"]["name"], "ebs-csi-aws-com");
        assert_eq!(deployment.value["metadata"]["namespace"], NAMESPACE);
        let args = &deployment.value["spec"]["template"]["spec"]["containers"][0]["args"];
        assert!(args.as_array().unwrap().contains(&json!("ebs.csi.aws.com")), "{args}");
    }

    #[test]
    fn the_shared_folder_is_what_nodes_mount() {
        let config = config("helper:1");
        assert!(config["config.json"].contains(SHARED_FOLDER));
        assert!(config["helperPod.yaml"].contains(r#""image":"helper:1""#));
    }

    #[test]
    fn the_policy_names_the_classes_of_its_provisioner() {
        let objects = of("eks");
        let policy = objects
            .iter()
            .find(|object| object.value["kind"] == "ValidatingAdmissionPolicy")
            .unwrap();
        let class = policy.value.pointer("/spec/matchConditions/0/expression").unwrap();
        insta::assert_snapshot!(class, @r#""has(object.spec.storageClassName) && object.spec.storageClassName in [\"gp2\",\"gp3\"]""#);
        assert!(policy.value.to_string().contains("EBS volumes are for one node at a time"));
    }
}
