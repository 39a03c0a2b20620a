//! Why a pod's claim for a volume is not bound.
//!
//! Owns the judgement over claims and storage classes. That a claim waits for its pod to be given
//! a node, or that its volume is being made, is no failure.

use std::time::Duration;

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::api::storage::v1::StorageClass;

use crate::app::cause::pod::About;
use crate::app::cause::workload::{name, namespace};
use crate::app::cause::{CauseKind, Finding, Scene, Symptom, one_line, pod, seen};

/// How long a claim may ask for what is not there: a chart may make the class a moment later.
const WRONG: Duration = Duration::from_secs(5);
/// How long nobody may feel responsible for a claim.
const UNSERVED: Duration = Duration::from_secs(10);
/// How long making a volume may fail; who makes it tries again by itself.
const REFUSED: Duration = Duration::from_secs(10);

/// The annotation that makes a class the one of claims that name none.
const DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";
/// The annotation with the node for which a volume is to be made.
const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
/// Provisioners that a sandbox can have.
const SERVED: [&str; 3] = ["ebs.csi.aws.com", "dobs.csi.digitalocean.com", "rancher.io/local-path"];
/// Not a provisioner: volumes of such a class are made by hand.
const BY_HAND: &str = "kubernetes.io/no-provisioner";

/// What the claims of a pod that has no node say.
#[derive(Debug)]
pub(super) enum Verdict {
    /// All are bound, or wait for the pod and not the other way round.
    Fine,
    /// A volume is being made.
    InProgress,
    /// A claim will not be bound.
    Wrong(Box<Finding>),
}

/// Judges the claims of a pod that has no node yet.
pub(super) fn verdict(about: &About<'_>, scene: &Scene<'_>) -> Verdict {
    let mut in_progress = false;
    for claim in claims(about.pod, scene.snapshot.claims) {
        match judge(claim, about, scene) {
            Verdict::Fine => {}
            Verdict::InProgress => in_progress = true,
            wrong @ Verdict::Wrong(_) => return wrong,
        }
    }
    if in_progress { Verdict::InProgress } else { Verdict::Fine }
}

/// The claims that a pod mounts and that exist.
fn claims<'a>(
    pod: &'a Pod,
    all: &'a [PersistentVolumeClaim],
) -> impl Iterator<Item = &'a PersistentVolumeClaim> {
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    volumes.filter_map(|volume| {
        let claim = match (&volume.persistent_volume_claim, &volume.ephemeral) {
            (Some(source), _) => source.claim_name.clone(),
            (None, Some(_)) => format!("{}-{}", name(&pod.metadata), volume.name),
            (None, None) => return None,
        };
        all.iter().find(|object| {
            name(&object.metadata) == claim
                && namespace(&object.metadata) == namespace(&pod.metadata)
        })
    })
}

fn judge(claim: &PersistentVolumeClaim, about: &About<'_>, scene: &Scene<'_>) -> Verdict {
    let phase = claim.status.as_ref().and_then(|status| status.phase.as_deref());
    match phase {
        Some("Bound") => return Verdict::Fine,
        Some("Lost") => {
            let hint = "delete the claim and install again; its data is gone".to_owned();
            return wrong(claim, about, WRONG, "its volume is gone", vec![hint], None);
        }
        _ => {}
    }
    let spec = claim.spec.as_ref();
    let classes = scene.snapshot.classes;
    let class = match spec.and_then(|spec| spec.storage_class_name.as_deref()) {
        Some("") => return without_class(claim, about),
        None if classes.iter().any(is_default) => return Verdict::InProgress,
        None => return no_default(claim, about, scene),
        Some(class) => class,
    };
    let Some(class) = classes.iter().find(|known| name(&known.metadata) == class) else {
        let why = format!("its storage class `{class}` does not exist");
        let hint = name_one(classes);
        // The chart may bring the class itself.
        return wrong(claim, about, WRONG, &why, vec![hint], Some(symptom(about, scene)));
    };
    let modes = spec.and_then(|spec| spec.access_modes.as_deref()).unwrap_or_default();
    let shared =
        modes.iter().find(|mode| matches!(mode.as_str(), "ReadWriteMany" | "ReadOnlyMany"));
    if let Some(mode) = shared
        && SERVED.contains(&class.provisioner.as_str())
    {
        let why = format!(
            "it asks for {mode}, and volumes of class `{}` are for one node at a time",
            name(&class.metadata)
        );
        let hint =
            "use the access mode ReadWriteOnce, here and in the cloud: block storage cannot \
                    be shared"
                .to_owned();
        return wrong(claim, about, WRONG, &why, vec![hint], None);
    }
    let waits = class.volume_binding_mode.as_deref() == Some("WaitForFirstConsumer");
    let annotations = claim.metadata.annotations.as_ref();
    if waits && !annotations.is_some_and(|all| all.contains_key(SELECTED_NODE)) {
        return Verdict::Fine;
    }
    provisioning(claim, class, about, scene)
}

/// What has become of a claim that a provisioner should serve by now, told by its events.
fn provisioning(
    claim: &PersistentVolumeClaim,
    class: &StorageClass,
    about: &About<'_>,
    scene: &Scene<'_>,
) -> Verdict {
    let (provisioner, class_name) = (class.provisioner.as_str(), name(&class.metadata));
    if provisioner == BY_HAND {
        let why = format!("class `{class_name}` makes no volumes, and none of its own fits");
        let hint = format!(
            "make a PersistentVolume of that class, or use another one: {}",
            name_one(scene.snapshot.classes)
        );
        return wrong(claim, about, WRONG, &why, vec![hint], None);
    }
    let object = ("PersistentVolumeClaim", namespace(&claim.metadata), name(&claim.metadata));
    let newest = |reasons: &[&str]| {
        seen::newest(scene.snapshot.events, object, |event| {
            // Not of an earlier claim of the same name.
            let same = match (&event.involved_object.uid, &claim.metadata.uid) {
                (Some(event), Some(claim)) => event == claim,
                _ => true,
            };
            same && reasons.contains(&event.reason.as_deref().unwrap_or_default())
        })
    };
    let taken = newest(&["Provisioning", "ProvisioningSucceeded", "ProvisioningFailed"]);
    if let Some(event) = taken {
        if event.reason.as_deref() != Some("ProvisioningFailed") {
            return Verdict::InProgress;
        }
        let message = one_line(seen::message(event));
        let why = format!("its volume cannot be made: {message}");
        let hint = format!("`kubectl describe storageclass {class_name}` shows what is asked for");
        return wrong(claim, about, REFUSED, &why, vec![hint], None);
    }
    if newest(&["ExternalProvisioning"]).is_none() || SERVED.contains(&provisioner) {
        return Verdict::InProgress;
    }
    let why = format!("nobody serves `{provisioner}`, the provisioner of its class `{class_name}`");
    let mut hints = vec![name_one(scene.snapshot.classes)];
    if provisioner == "kubernetes.io/aws-ebs" {
        hints.insert(0, format!("give class `{class_name}` the provisioner `ebs.csi.aws.com`"));
    }
    wrong(claim, about, UNSERVED, &why, hints, None)
}

fn without_class(claim: &PersistentVolumeClaim, about: &About<'_>) -> Verdict {
    let why =
        "it asks for a volume that is there already (`storageClassName: \"\"`), and none fits";
    let hint = "make a PersistentVolume, or leave `storageClassName` out".to_owned();
    wrong(claim, about, WRONG, why, vec![hint], None)
}

fn no_default(claim: &PersistentVolumeClaim, about: &About<'_>, scene: &Scene<'_>) -> Verdict {
    let classes = scene.snapshot.classes;
    let eks = classes.iter().any(|class| class.provisioner == "ebs.csi.aws.com");
    let cure = name_one(classes);
    let hint = if eks { format!("EKS has no default class since 1.30; {cure}") } else { cure };
    let why = "it names no storage class, and none is the default";
    wrong(claim, about, WRONG, why, vec![hint], Some(symptom(about, scene)))
}

/// `name one: …`, with a class that works first.
fn name_one(classes: &[StorageClass]) -> String {
    // Kind's own class is not there in the cloud.
    let theirs = |class: &&StorageClass| name(&class.metadata) != "standard";
    let only_kinds = !classes.iter().any(|class| theirs(&class));
    let mut known: Vec<&StorageClass> = classes
        .iter()
        .filter(|class| only_kinds || theirs(class))
        .filter(|class| SERVED.contains(&class.provisioner.as_str()))
        .collect();
    known.sort_by_key(|class| name(&class.metadata));
    let names: Vec<&str> = known.iter().map(|class| name(&class.metadata)).collect();
    // `gp3` rather than `gp2`, and a default rather than any other.
    let best = known.iter().find(|class| is_default(class)).or_else(|| {
        let expandable = |class: &&&StorageClass| class.allow_volume_expansion == Some(true);
        known.iter().find(expandable).or(known.first())
    });
    match best {
        None => "make a storage class: there is none that works".to_owned(),
        Some(best) => format!(
            "name one: `storageClassName: {}` (there are: {})",
            name(&best.metadata),
            names.join(", ")
        ),
    }
}

fn is_default(class: &StorageClass) -> bool {
    let annotations = class.metadata.annotations.as_ref();
    annotations.and_then(|all| all.get(DEFAULT)).is_some_and(|value| value == "true")
}

/// Another part of the app may still make what is missing.
fn symptom(about: &About<'_>, scene: &Scene<'_>) -> Symptom {
    let tried_at = about.pod.metadata.creation_timestamp.as_ref().map(|time| time.0);
    Symptom { tried_at, certain: pod::is_old(about.pod, scene.now) }
}

fn wrong(
    claim: &PersistentVolumeClaim,
    about: &About<'_>,
    lasts: Duration,
    why: &str,
    hints: Vec<String>,
    symptom: Option<Symptom>,
) -> Verdict {
    let summary = format!("PersistentVolumeClaim `{}` is not bound: {why}", name(&claim.metadata));
    let cause = about.cause(CauseKind::Volume, summary, hints);
    Verdict::Wrong(Box::new(Finding { cause, lasts, symptom }))
}
