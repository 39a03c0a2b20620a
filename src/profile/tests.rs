//! What each profile promises.

use super::*;

fn profile(name: &str) -> Profile {
    Profile::named(name).unwrap()
}

fn all() -> Vec<Profile> {
    EMBEDDED.iter().map(|(name, _)| profile(name)).collect()
}

#[test]
fn every_embedded_profile_parses_and_leaves_no_placeholder() {
    for profile in all() {
        assert!(!profile.description.is_empty());
        let shown = format!("{:?}", profile.workers());
        assert!(!shown.contains("${"), "{shown}");
    }
}

#[test]
fn every_name_and_value_is_a_label_that_kubernetes_takes() {
    let fine = |text: &str| {
        text.len() <= 63 && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    for profile in all() {
        let workers = profile.workers().into_iter().flat_map(|w| [w.labels, w.api_labels]);
        let first =
            [profile.control_plane.labels.clone(), profile.control_plane.api_labels.clone()];
        for (key, value) in first.into_iter().chain(workers).flatten() {
            let name = key.rsplit('/').next().unwrap();
            assert!(fine(name) && fine(&value), "{key}={value} in {}", profile.name);
        }
    }
}

/// Source: kubelet `--node-labels` and `k8s.io/kubelet/pkg/apis` `IsKubeletLabel`.
#[test]
fn the_kubelet_takes_every_label_that_nodes_register_with() {
    let known = [
        "kubernetes.io/hostname",
        "kubernetes.io/arch",
        "kubernetes.io/os",
        "beta.kubernetes.io/instance-type",
        "node.kubernetes.io/instance-type",
        "failure-domain.beta.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/region",
        "topology.kubernetes.io/zone",
        "topology.kubernetes.io/region",
    ];
    for profile in all() {
        let workers = profile.workers().into_iter().map(|worker| worker.labels);
        for (key, _) in workers.chain([profile.control_plane.labels.clone()]).flatten() {
            let domain = key.split('/').next().unwrap();
            let foreign = ["kubernetes.io", "k8s.io"]
                .iter()
                .all(|own| domain != *own && !domain.ends_with(&format!(".{own}")));
            assert!(foreign || known.contains(&key.as_str()), "{key} in {}", profile.name);
        }
    }
}

#[test]
fn eks_has_one_worker_in_each_of_three_zones() {
    let workers = profile("eks").workers();
    let zones: Vec<_> =
        workers.iter().map(|w| w.labels["topology.kubernetes.io/zone"].as_str()).collect();
    assert_eq!(zones, ["us-east-1a", "us-east-1b", "us-east-1c"]);
    for worker in &workers {
        let zone = &worker.labels["topology.kubernetes.io/zone"];
        assert_eq!(worker.labels["topology.ebs.csi.aws.com/zone"], *zone);
        assert_eq!(worker.labels["failure-domain.beta.kubernetes.io/zone"], *zone);
        assert_eq!(worker.labels["topology.kubernetes.io/region"], "us-east-1");
        assert!(worker.provider_id.as_ref().unwrap().starts_with(&format!("aws:///{zone}/i-")));
        assert_eq!(worker.max_pods, Some(35));
    }
}

#[test]
fn eks_has_every_label_of_a_managed_node_group() {
    let worker = &profile("eks").workers()[0];
    let keys: Vec<&str> = worker.labels.keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "beta.kubernetes.io/instance-type",
            "eks.amazonaws.com/capacityType",
            "eks.amazonaws.com/nodegroup",
            "eks.amazonaws.com/nodegroup-image",
            "eks.amazonaws.com/sourceLaunchTemplateId",
            "eks.amazonaws.com/sourceLaunchTemplateVersion",
            "failure-domain.beta.kubernetes.io/region",
            "failure-domain.beta.kubernetes.io/zone",
            "node.kubernetes.io/instance-type",
            "topology.ebs.csi.aws.com/zone",
            "topology.k8s.aws/zone-id",
            "topology.kubernetes.io/region",
            "topology.kubernetes.io/zone",
        ]
    );
}

#[test]
fn doks_has_three_nodes_of_one_region_and_no_zone() {
    let workers = profile("doks").workers();
    assert_eq!(workers.len(), 3);
    let mut ids: Vec<&String> = Vec::new();
    for worker in &workers {
        assert!(worker.labels.keys().all(|key| !key.contains("zone")), "{:?}", worker.labels);
        assert_eq!(worker.labels["region"], "nyc1");
        assert_eq!(worker.labels["topology.kubernetes.io/region"], "nyc1");
        assert_eq!(worker.labels["doks.digitalocean.com/managed"], "true");
        ids.push(&worker.labels["doks.digitalocean.com/node-id"]);
        ids.push(worker.provider_id.as_ref().unwrap());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 6, "each node has its own ids");
}

#[test]
fn the_version_label_of_doks_is_the_version_that_runs() {
    let catalogue = crate::catalogue::Catalogue::built_in();
    let tag = catalogue.image("node").reference.rsplit(":v").next().unwrap();
    let worker = &profile("doks").workers()[0];
    assert_eq!(worker.labels["doks.digitalocean.com/version"], format!("{tag}-do.0"));
}

#[test]
fn one_node_profiles_have_the_control_plane_take_all_pods() {
    assert!(Profile::minimal().workers().is_empty());
    let k3s = profile("k3s-ec2");
    assert!(k3s.workers().is_empty());
    let labels = &k3s.control_plane.labels;
    assert_eq!(labels["topology.kubernetes.io/zone"], "us-east-1a");
    assert!(labels.keys().all(|key| !key.contains("eks.") && !key.contains("ebs.")));
}

#[test]
fn labels_for_the_api_go_by_the_names_that_kind_gives() {
    let names = |name: &str| -> Vec<String> {
        profile(name).api_labels().into_iter().map(|(node, _)| node).collect()
    };
    assert_eq!(names("eks"), ["worker", "worker2", "worker3"]);
    assert_eq!(names("k3s-ec2"), ["control-plane"]);
    assert!(names("minimal").is_empty() && names("doks").is_empty());
    let (_, labels) = &profile("eks").api_labels()[0];
    assert!(labels.contains_key("k8s.io/cloud-provider-aws"));
}

#[test]
fn default_classes_are_those_of_the_cloud() {
    let default = |name: &str| -> Vec<String> {
        let classes = profile(name).storage_classes.into_iter();
        classes.filter(|class| class.default).map(|class| class.name).collect()
    };
    assert!(default("eks").is_empty(), "EKS has none since 1.30");
    assert_eq!(default("doks"), ["do-block-storage"]);
    assert_eq!(default("k3s-ec2"), ["local-path"]);
    assert!(profile("minimal").storage_classes.is_empty());
}

#[test]
fn only_provisioners_that_kind_does_not_bring_are_foreign() {
    assert_eq!(profile("eks").foreign_provisioners(), ["ebs.csi.aws.com"]);
    assert_eq!(profile("doks").foreign_provisioners(), ["dobs.csi.digitalocean.com"]);
    assert!(profile("k3s-ec2").foreign_provisioners().is_empty());
    assert!(profile("minimal").foreign_provisioners().is_empty());
}
