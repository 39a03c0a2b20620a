//! Claims for volumes that are not bound, and those that only seem to hang.

use super::*;

const UNBOUND: &str = "0/4 nodes are available: pod has unbound immediate PersistentVolumeClaims. \
                       preemption: 0/4 nodes are available: 4 Preemption is not helpful for \
                       scheduling.";

/// A pod that has no node and mounts the claim `data`; `status` is its own.
fn pod_with_claim(status: &str) -> String {
    pod(status).replace(
        "spec:\n",
        "spec:\n  volumes: [{name: d, persistentVolumeClaim: {claimName: data}}]\n",
    )
}

fn stuck() -> String {
    pod_with_claim(&unscheduled(UNBOUND))
}

/// A claim of phase Pending; `metadata` and `spec` are what it has beside.
fn claim(metadata: &str, spec: &str) -> String {
    format!(
        "kind: PersistentVolumeClaim\nmetadata: {{name: data, namespace: shop, {metadata}}}\nspec: \
         {{{spec}}}\nstatus: {{phase: Pending}}\n"
    )
}

fn class(name: &str, provisioner: &str, rest: &str) -> String {
    format!("kind: StorageClass\nmetadata: {{name: {name}}}\nprovisioner: {provisioner}\n{rest}")
}

const WAITS: &str = "volumeBindingMode: WaitForFirstConsumer\n";
const CHOSEN: &str = "annotations: {volume.kubernetes.io/selected-node: node-1}";

/// The classes of the profile `eks`, with kind's own.
fn eks() -> Vec<String> {
    let gp3 = format!("{WAITS}allowVolumeExpansion: true\n");
    vec![
        class("gp2", "ebs.csi.aws.com", WAITS),
        class("gp3", "ebs.csi.aws.com", &gp3),
        class("standard", "rancher.io/local-path", WAITS),
    ]
}

fn with(documents: &[String], classes: Vec<String>) -> Vec<String> {
    let mut all = vec![deployment("web", 0)];
    all.extend_from_slice(documents);
    all.extend(classes);
    all
}

fn of_claim(reason: &str, message: &str) -> String {
    event("PersistentVolumeClaim/data", reason, message, "2026-03-01T12:04:50Z")
}

#[test]
fn a_claim_without_a_class_where_none_is_the_default_names_the_cure() {
    let (cause, lasts) = failing(&with(&[stuck(), claim("", "")], eks()));
    assert_eq!((cause.kind, lasts), (CauseKind::Volume, 5));
    assert_eq!(
        cause.summary,
        "PersistentVolumeClaim `data` is not bound: it names no storage class, and none is the \
         default"
    );
    assert_eq!(
        cause.hints,
        [
            "EKS has no default class since 1.30; name one: `storageClassName: gp3` (there are: gp2, \
          gp3)"
        ]
    );
    assert_eq!(cause.object, "pod shop/web-new-abcde (deployment web)");
}

#[test]
fn a_claim_without_a_class_waits_for_the_default_one_to_be_filled_in() {
    let default = class("do-block-storage", "dobs.csi.digitalocean.com", "").replace(
        "{name: do-block-storage}",
        "{name: x, annotations: {storageclass.kubernetes.io/is-default-class: 'true'}}",
    );
    // Only the scheduler's own words remain, and for long enough to make a volume.
    let (cause, lasts) = failing(&with(&[stuck(), claim("", "")], vec![default]));
    assert_eq!((cause.kind, lasts), (CauseKind::Unschedulable, 60));
}

#[test]
fn a_class_that_does_not_exist_lists_those_that_do() {
    let (cause, _) = failing(&with(&[stuck(), claim("", "storageClassName: fast")], eks()));
    assert_eq!(
        cause.summary,
        "PersistentVolumeClaim `data` is not bound: its storage class `fast` does not exist"
    );
    assert_eq!(cause.hints, ["name one: `storageClassName: gp3` (there are: gp2, gp3)"]);
    let (cause, _) = failing(&with(&[stuck(), claim("", "storageClassName: fast")], vec![]));
    assert_eq!(cause.hints, ["make a storage class: there is none that works"]);
}

#[test]
fn a_missing_class_is_no_failure_while_another_part_of_the_app_is_coming_up() {
    let mut documents = with(&[stuck(), claim("", "storageClassName: fast")], eks());
    documents.push(deployment("operator", 0));
    documents.push(pod_of("operator", "new", "", &runs_since("2026-03-01T12:04:55Z")));
    assert!(matches!(state(&documents), State::Waiting(_)));
}

#[test]
fn a_volume_for_several_nodes_is_no_block_storage() {
    let spec = "storageClassName: gp3, accessModes: [ReadWriteMany]";
    let (cause, _) = failing(&with(&[stuck(), claim("", spec)], eks()));
    assert_eq!(
        cause.summary,
        "PersistentVolumeClaim `data` is not bound: it asks for ReadWriteMany, and volumes of \
         class `gp3` are for one node at a time"
    );
    assert!(cause.hints[0].contains("ReadWriteOnce"), "{:?}", cause.hints);
}

#[test]
fn a_provisioner_that_nobody_serves_is_told_when_the_volume_is_due() {
    let mut classes = eks();
    classes.push(class("old", "kubernetes.io/aws-ebs", ""));
    let waits = of_claim("ExternalProvisioning", "Waiting for a volume to be created");
    let spec = "storageClassName: old";
    let documents = with(&[stuck(), claim("", spec), waits], classes.clone());
    let (cause, lasts) = failing(&documents);
    assert_eq!(lasts, 10);
    assert_eq!(
        cause.summary,
        "PersistentVolumeClaim `data` is not bound: nobody serves `kubernetes.io/aws-ebs`, the \
         provisioner of its class `old`"
    );
    assert_eq!(
        cause.hints,
        [
            "give class `old` the provisioner `ebs.csi.aws.com`",
            "name one: `storageClassName: gp3` (there are: gp2, gp3)"
        ]
    );
    // Somebody has taken it up: it may take its time.
    let taken = of_claim("Provisioning", "External provisioner is provisioning volume");
    let mut documents = documents;
    documents.push(taken);
    assert_eq!(failing(&documents).1, 60);
}

#[test]
fn a_claim_that_waits_for_its_first_consumer_is_no_failure() {
    let waits = [pod_with_claim("phase: Pending\n"), claim("", "storageClassName: gp3")];
    assert!(matches!(state(&with(&waits, eks())), State::Waiting(_)));
    // What keeps the pod from a node is told, and not the claim.
    let message = "0/4 nodes are available: 4 Insufficient cpu.";
    let full = [pod_with_claim(&unscheduled(message)), claim("", "storageClassName: gp3")];
    let (cause, lasts) = failing(&with(&full, eks()));
    assert_eq!((cause.kind, lasts), (CauseKind::Unschedulable, 3));
}

#[test]
fn a_volume_that_is_being_made_is_no_failure_and_one_that_cannot_be_made_is() {
    // The scheduler says nothing of a pod whose volume is being made for the node it chose.
    let chosen = claim(CHOSEN, "storageClassName: gp3");
    let waits = of_claim("ExternalProvisioning", "Waiting for a volume to be created");
    let documents = with(&[pod_with_claim("phase: Pending\n"), chosen, waits], eks());
    assert!(matches!(state(&documents), State::Waiting(_)));
    let failed = of_claim("ProvisioningFailed", "failed to provision volume: no space left")
        .replace("12:04:50", "12:04:55");
    let mut documents = documents;
    documents.push(failed);
    let (cause, lasts) = failing(&documents);
    assert_eq!((cause.kind, lasts), (CauseKind::Volume, 10));
    assert!(cause.summary.ends_with("cannot be made: failed to provision volume: no space left"));
}

#[test]
fn the_events_of_an_earlier_claim_of_the_same_name_do_not_count() {
    let failed = of_claim("ProvisioningFailed", "storage class not found")
        .replace("namespace: shop}\nreason", "namespace: shop, uid: old}\nreason");
    let chosen = claim(&format!("uid: new, {CHOSEN}"), "storageClassName: gp3");
    let documents = with(&[pod_with_claim("phase: Pending\n"), chosen, failed.clone()], eks());
    assert!(matches!(state(&documents), State::Waiting(_)));
    let chosen = claim(&format!("uid: old, {CHOSEN}"), "storageClassName: gp3");
    let documents = with(&[pod_with_claim("phase: Pending\n"), chosen, failed], eks());
    assert_eq!(failing(&documents).0.kind, CauseKind::Volume);
}

#[test]
fn claims_for_volumes_made_by_hand_say_so() {
    let none = claim("", "storageClassName: ''");
    let (cause, _) = failing(&with(&[stuck(), none], eks()));
    assert!(cause.summary.contains("none fits"), "{}", cause.summary);
    let mut classes = eks();
    classes.push(class("manual", "kubernetes.io/no-provisioner", ""));
    let (cause, _) = failing(&with(&[stuck(), claim("", "storageClassName: manual")], classes));
    assert!(cause.summary.contains("class `manual` makes no volumes"), "{}", cause.summary);
}

#[test]
fn a_bound_claim_and_one_of_another_namespace_do_not_count() {
    let bound = claim("", "storageClassName: fast").replace("Pending", "Bound");
    let elsewhere = claim("", "storageClassName: fast").replace("shop", "other");
    for documents in [bound, elsewhere] {
        let (cause, lasts) = failing(&with(&[stuck(), documents], eks()));
        assert_eq!((cause.kind, lasts), (CauseKind::Unschedulable, 10));
    }
}

#[test]
fn the_claim_of_an_ephemeral_volume_is_named_after_its_pod() {
    let pod = stuck().replace(
        "persistentVolumeClaim: {claimName: data}",
        "ephemeral: {volumeClaimTemplate: {spec: {}}}",
    );
    let claim = claim("", "").replace("name: data", "name: web-new-abcde-d");
    let (cause, _) = failing(&with(&[pod, claim], eks()));
    assert!(cause.summary.contains("`web-new-abcde-d` is not bound"), "{}", cause.summary);
}
