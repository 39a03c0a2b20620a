//! The kind `volume`: a claim whose volume a pod can write and read.
//!
//! Owns the claim, which is removed whatever happens, and why it came to nothing.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Event, PersistentVolumeClaim, PersistentVolumeClaimSpec, VolumeResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::ListParams;
use serde_json::Value;
use tokio::time::Instant;

use crate::checks::context::Context;
use crate::checks::probe::Seen;
use crate::checks::{NAMESPACE, Target, text};
use crate::settings::checks::Volume;
use crate::tools::kube::Cluster;
use crate::tools::pod::{self, PodRun, Temporary};

/// What the pod does; the file is new for each run.
const SCRIPT: &str = r#"
cd "$1" && echo "$2" >sandbox-check && sync && [ "$(cat sandbox-check)" = "$2" ] &&
    rm sandbox-check
"#;

/// Makes the claim and the pod, and waits until `end`.
pub(super) async fn attempt(volume: &Volume, context: &Context<'_>, end: Instant) -> Seen {
    let class = volume.class.as_deref().unwrap_or("the default class");
    let size = volume.size.as_deref().unwrap_or("16Mi");
    let asked = format!("a volume of {size} from {class}");
    match write(volume, size, context, end).await {
        Ok(()) => {
            let held = format!("a pod wrote to a volume of {class}");
            Seen { verdict: Ok(held), asked, came: String::new() }
        }
        Err((why, seen)) => Seen { verdict: Err(why), asked, came: seen },
    }
}

/// An image with a shell.
fn image(target: &Target) -> Option<String> {
    let services = target.services.values().map(|service| &service.image);
    target.probe_image.iter().chain(services).find(|image| !image.is_empty()).cloned()
}

async fn write(
    volume: &Volume,
    size: &str,
    context: &Context<'_>,
    end: Instant,
) -> Result<(), (String, String)> {
    let only = |why: String| (why, String::new());
    let told = |error: crate::error::Error| only(text::told(&error));
    let image = image(context.target)
        .ok_or_else(|| only("this sandbox has no image with a shell".to_owned()))?;
    let cluster = context.workshop().await.map_err(only)?;
    cluster.ensure_namespace(NAMESPACE).await.map_err(told)?;
    let claims: Api<PersistentVolumeClaim> = cluster.namespaced(NAMESPACE);
    let name = pod::random_name("sandbox-check");
    let temporary = Temporary::new(cluster, &claims, &name);
    cluster.create(&claims, &claim(volume, size, &name)).await.map_err(told)?;
    let run = PodRun {
        prefix: "sandbox-check".to_owned(),
        namespace: NAMESPACE.to_owned(),
        image,
        command: ["sh", "-c", SCRIPT, "check"].map(str::to_owned).to_vec(),
        args: vec![pod::DATA.to_owned(), name.clone()],
        env: BTreeMap::new(),
        files: BTreeMap::new(),
        claim: Some(name.clone()),
        deadline: end.saturating_duration_since(Instant::now()),
    };
    let result = match pod::run(cluster, &run).await {
        Ok(ended) if ended.succeeded => Ok(()),
        Ok(ended) => {
            let output = text::line(&ended.output.trim().replace('\n', "; "), 512);
            Err((format!("the pod cannot write to its volume: {output}"), ended.output))
        }
        Err(error) => {
            let (claim, events) = look(cluster, &claims, &name).await;
            let seen = events.iter().map(|event| format!("{}\n", line(event))).collect();
            Err((why(&text::told(&error), &claim, &events), seen))
        }
    };
    temporary.remove().await;
    result
}

fn claim(volume: &Volume, size: &str, name: &str) -> PersistentVolumeClaim {
    PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(NAMESPACE.to_owned()),
            labels: Some(pod::labels()),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
            storage_class_name: volume.class.clone(),
            resources: Some(VolumeResourceRequirements {
                requests: Some([("storage".to_owned(), Quantity(size.to_owned()))].into()),
                ..VolumeResourceRequirements::default()
            }),
            ..PersistentVolumeClaimSpec::default()
        }),
        ..PersistentVolumeClaim::default()
    }
}

/// The claim and its events, the newest last.
async fn look(
    cluster: &Cluster,
    claims: &Api<PersistentVolumeClaim>,
    name: &str,
) -> (Value, Vec<Value>) {
    let claim = cluster.get(claims, name).await.ok().flatten();
    let events: Api<Event> = cluster.namespaced(NAMESPACE);
    let about = ListParams::default().fields(&format!("involvedObject.name={name}"));
    let mut events = cluster.list(&events, &about).await.unwrap_or_default();
    events.sort_by_key(|event| event.last_timestamp.as_ref().map(|time| time.0));
    let value = |event: &Event| serde_json::to_value(event).unwrap_or_default();
    let claim = claim.map(|claim| serde_json::to_value(claim).unwrap_or_default());
    (claim.unwrap_or_default(), events.iter().map(value).collect())
}

fn line(event: &Value) -> String {
    let part = |key: &str| event[key].as_str().unwrap_or_default();
    text::line(&format!("{}: {}", part("reason"), part("message").replace('\n', " ")), 512)
}

/// Why there is no volume that can be written.
fn why(pod: &str, claim: &Value, events: &[Value]) -> String {
    let phase = claim["status"]["phase"].as_str().unwrap_or("unknown");
    if phase == "Bound" {
        return format!("the volume is there, but {pod}");
    }
    if claim["spec"]["storageClassName"].as_str().is_none_or(str::is_empty) {
        return "the cluster has no default storage class, and the claim names none".to_owned();
    }
    let warning = events.iter().rev().find(|event| event["type"] == "Warning");
    match warning.or(events.last()) {
        Some(event) => format!("the claim is {}: {}", phase.to_lowercase(), line(event)),
        None => format!("the claim is {}: {pod}", phase.to_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::checks::Service;

    #[test]
    fn every_failure_has_its_own_words() {
        let pod = "the pod did not end within 30s: it is not scheduled";
        let claim = |class: Value, phase: &str| json!({"spec": {"storageClassName": class}, "status": {"phase": phase}});
        let event = |kind: &str, reason: &str, message: &str| json!({"type": kind, "reason": reason, "message": message});
        let failed =
            event("Warning", "ProvisioningFailed", "storageclass.storage.k8s.io \"gp4\" not found");
        let waits = event("Normal", "ExternalProvisioning", "Waiting for a volume");
        let told = [
            why(pod, &claim(Value::Null, "Pending"), &[event("Normal", "FailedBinding", "no")]),
            why(pod, &claim(json!("gp4"), "Pending"), &[failed, waits.clone()]),
            why(pod, &claim(json!("gp3"), "Pending"), &[waits]),
            why(pod, &claim(json!("gp3"), "Pending"), &[]),
            why(pod, &claim(json!("gp3"), "Bound"), &[]),
        ];
        insta::assert_snapshot!(told.join("\n"), @r#"
        the cluster has no default storage class, and the claim names none
        the claim is pending: ProvisioningFailed: storageclass.storage.k8s.io "gp4" not found
        the claim is pending: ExternalProvisioning: Waiting for a volume
        the claim is pending: the pod did not end within 30s: it is not scheduled
        the volume is there, but the pod did not end within 30s: it is not scheduled
        "#);
    }

    #[test]
    fn the_claim_is_as_small_as_asked_and_marked() {
        let class = Some("gp3".to_owned());
        let claim = claim(&Volume { class, size: None }, "16Mi", "x");
        let claim = serde_json::to_value(claim).unwrap();
        assert_eq!(claim["spec"]["resources"]["requests"]["storage"], "16Mi");
        assert_eq!(claim["spec"]["storageClassName"], "gp3");
        assert_eq!(claim["metadata"]["labels"][pod::LABEL], "true");
        let plain = super::claim(&Volume::default(), "16Mi", "x");
        assert_eq!(plain.spec.unwrap().storage_class_name, None);
    }

    #[test]
    fn any_image_with_a_shell_will_do() {
        let redis = Service { image: "redis:test".into(), ..Service::default() };
        let mut target =
            Target { services: [("redis".to_owned(), redis)].into(), ..Target::default() };
        assert_eq!(image(&target).as_deref(), Some("redis:test"));
        target.probe_image = Some("shell:test".into());
        assert_eq!(image(&target).as_deref(), Some("shell:test"));
        assert_eq!(image(&Target::default()), None);
    }
}
