//! One command in a pod of its own, for a look from inside the cluster.
//!
//! Owns making the pod and its Secret, waiting for its end, its output, and removing both whatever
//! happens. Must not decide what is run.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::{
    Container, EnvVar, EnvVarSource, KeyToPath, PersistentVolumeClaimVolumeSource, Pod, PodSpec,
    Secret, SecretKeySelector, SecretVolumeSource, Toleration, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::Api;
use kube::api::ListParams;
use kube::runtime::watcher;
use serde::de::DeserializeOwned;

use crate::error::{Error, Kind, Result};
use crate::tools::kube::Cluster;
use crate::tools::ready::{self, Look};

/// Label on everything that is made for a check and removed after it.
pub const LABEL: &str = "dev.sandbox/check";
/// Folder of the files in the pod.
pub const FILES: &str = "/sandbox";
/// Folder of the claimed volume in the pod.
pub const DATA: &str = "/data";
/// Name of the container.
const CONTAINER: &str = "check";
/// Label of the node that has the images of addons.
pub const NODE_LABEL: &str = "dev.sandbox/ingress";
/// Age from which something with our label is a leftover of a run that was killed.
const LEFTOVER: Duration = Duration::from_secs(3600);
/// How many lines of output are kept.
const LINES: i64 = 500;
/// How much longer than the caller waits the pod may exist.
const GRACE: Duration = Duration::from_secs(60);

/// What to run.
#[derive(Clone, Default)]
pub struct PodRun {
    /// The beginning of the pod's name; the rest is random.
    pub prefix: String,
    /// Namespace; made when absent.
    pub namespace: String,
    /// Image, which the control-plane node should have.
    pub image: String,
    /// Command; the image's own entrypoint is never used.
    pub command: Vec<String>,
    /// Arguments. Never secrets: everybody on the node can read them.
    pub args: Vec<String>,
    /// Environment, which may be secret: it reaches the pod by way of a Secret.
    pub env: BTreeMap<String, String>,
    /// Files in [`FILES`], name to text, by the same way.
    pub files: BTreeMap<String, String>,
    /// A claim in the same namespace whose volume is mounted at [`DATA`].
    pub claim: Option<String>,
    /// How long the pod may take, from now on.
    pub deadline: Duration,
}

impl std::fmt::Debug for PodRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PodRun")
            .field("prefix", &self.prefix)
            .field("image", &self.image)
            .field("env", &self.env.keys())
            .finish_non_exhaustive()
    }
}

/// How the command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Whether its exit code was 0.
    pub succeeded: bool,
    /// The last lines of what it wrote.
    pub output: String,
}

/// Runs the command and removes the pod again, also when the future is dropped.
///
/// # Errors
/// [`Kind::Cluster`] when the pod could not be made, or did not end in time: with what it was
/// waiting for.
pub async fn run(cluster: &Cluster, run: &PodRun) -> Result<Ended> {
    cluster.ensure_namespace(&run.namespace).await?;
    let pods: Api<Pod> = cluster.namespaced(&run.namespace);
    let secrets: Api<Secret> = cluster.namespaced(&run.namespace);
    let name = random_name(&run.prefix);
    let kept = Temporary::new(cluster, &secrets, &name);
    cluster.create(&secrets, &secret(run, &name)).await?;
    let temporary = Temporary::new(cluster, &pods, &name);
    let pod = cluster.create(&pods, &pod(run, &name)).await?;
    cluster.merge(&secrets, &name, &owned_by(&pod)).await?;
    let ended = end(cluster, run, &pods, &name).await;
    temporary.remove().await;
    kept.remove().await;
    ended
}

/// Removes what a killed run left: everything with our label that is older than an hour.
pub async fn sweep<K>(cluster: &Cluster, api: &Api<K>)
where
    K: kube::Resource + Clone + DeserializeOwned + std::fmt::Debug,
{
    let Ok(found) = cluster.list(api, &ListParams::default().labels(LABEL)).await else { return };
    let now = jiff::Timestamp::now();
    for object in found {
        let made = object.meta().creation_timestamp.as_ref();
        let age = made.and_then(|made| Duration::try_from(now.duration_since(made.0)).ok());
        if age.is_some_and(|age| age > LEFTOVER)
            && let Some(name) = &object.meta().name
        {
            let _ = cluster.remove(api, name).await;
        }
    }
}

/// A name that nothing else has.
#[must_use]
pub fn random_name(prefix: &str) -> String {
    let id = uuid::Uuid::new_v4().simple().to_string();
    format!("{prefix}-{}", &id[..8])
}

/// The label of what is made for a check, ready for metadata.
#[must_use]
pub fn labels() -> BTreeMap<String, String> {
    BTreeMap::from([(LABEL.to_owned(), "true".to_owned())])
}

/// An object that is removed in the end, also when its maker is dropped.
pub struct Temporary<K>
where
    K: Clone + DeserializeOwned + std::fmt::Debug + Send + Sync + 'static,
{
    cluster: Cluster,
    api: Api<K>,
    name: Option<String>,
}

impl<K> Temporary<K>
where
    K: Clone + DeserializeOwned + std::fmt::Debug + Send + Sync + 'static,
{
    /// Takes care of the object of that name, which need not be there yet.
    #[must_use]
    pub fn new(cluster: &Cluster, api: &Api<K>, name: &str) -> Self {
        Self { cluster: cluster.clone(), api: api.clone(), name: Some(name.to_owned()) }
    }

    /// Removes it. What cannot be removed now is swept by a later run.
    pub async fn remove(mut self) {
        if let Some(name) = self.name.clone() {
            let _ = self.cluster.remove(&self.api, &name).await;
            self.name = None;
        }
    }
}

impl<K> Drop for Temporary<K>
where
    K: Clone + DeserializeOwned + std::fmt::Debug + Send + Sync + 'static,
{
    fn drop(&mut self) {
        let (Some(name), Ok(runtime)) = (self.name.take(), tokio::runtime::Handle::try_current())
        else {
            return;
        };
        let (cluster, api) = (self.cluster.clone(), self.api.clone());
        runtime.spawn(async move {
            let _ = cluster.remove(&api, &name).await;
        });
    }
}

async fn end(cluster: &Cluster, run: &PodRun, pods: &Api<Pod>, name: &str) -> Result<Ended> {
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let (store, changes) = ready::watch(pods.clone(), config);
    let look = || match store.state().first() {
        Some(pod) => seen(pod),
        None => Look::Waiting("it is not there yet".to_owned()),
    };
    let what = format!("the end of pod {name}");
    let waited =
        ready::until(&what, Kind::Cluster, run.deadline, vec![changes], look, |_| ()).await;
    let output = cluster.last_lines(&run.namespace, name, CONTAINER, false, LINES).await;
    match waited {
        Ok(succeeded) => Ok(Ended { succeeded, output }),
        Err(error) => {
            let why = error.causes().join(": ");
            let limit = run.deadline.as_secs();
            let message = format!("the pod did not end within {limit}s: {why}");
            Err(Error::new(Kind::Cluster, message))
        }
    }
}

/// Whether the pod has ended, and how; else what it waits for.
fn seen(pod: &Pod) -> Look<bool> {
    let status = pod.status.clone().unwrap_or_default();
    match status.phase.as_deref() {
        Some("Succeeded") => return Look::Done(true),
        Some("Failed") => {
            let reason = status.reason.unwrap_or_default();
            // Evicted, over its deadline: then there is no output that would tell why.
            return if reason.is_empty() {
                Look::Done(false)
            } else {
                let message = status.message.unwrap_or_default();
                Look::Failed(
                    Error::new(Kind::Cluster, "the pod failed")
                        .because(Error::new(Kind::Cluster, format!("{reason}: {message}"))),
                )
            };
        }
        _ => {}
    }
    let unschedulable = status.conditions.into_iter().flatten().find_map(|condition| {
        (condition.type_ == "PodScheduled" && condition.status == "False")
            .then_some(condition.message)?
    });
    if let Some(message) = unschedulable {
        return Look::Waiting(format!("it is not scheduled: {message}"));
    }
    let waiting = status.container_statuses.into_iter().flatten().find_map(|container| {
        let waiting = container.state?.waiting?;
        let reason = waiting.reason.unwrap_or_default();
        Some(match waiting.message {
            Some(message) => format!("{reason}: {message}"),
            None => reason,
        })
    });
    Look::Waiting(waiting.unwrap_or_else(|| {
        let phase = status.phase.unwrap_or_else(|| "unknown".to_owned());
        format!("it is {}", phase.to_lowercase())
    }))
}

fn meta(name: &str, namespace: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        namespace: Some(namespace.to_owned()),
        labels: Some(labels()),
        ..ObjectMeta::default()
    }
}

fn secret(run: &PodRun, name: &str) -> Secret {
    let env = run.env.iter().map(|(key, value)| (format!("env.{key}"), value.clone()));
    let files = run.files.iter().map(|(key, value)| (format!("file.{key}"), value.clone()));
    Secret {
        metadata: meta(name, &run.namespace),
        string_data: Some(env.chain(files).collect()),
        ..Secret::default()
    }
}

/// A patch with which the Secret goes when the pod goes.
fn owned_by(pod: &Pod) -> serde_json::Value {
    let owner = OwnerReference {
        api_version: "v1".to_owned(),
        kind: "Pod".to_owned(),
        name: pod.metadata.name.clone().unwrap_or_default(),
        uid: pod.metadata.uid.clone().unwrap_or_default(),
        ..OwnerReference::default()
    };
    serde_json::json!({"metadata": {"ownerReferences": [owner]}})
}

fn pod(run: &PodRun, name: &str) -> Pod {
    let limit = (run.deadline + GRACE).as_secs();
    let mut spec = PodSpec {
        restart_policy: Some("Never".to_owned()),
        active_deadline_seconds: Some(i64::try_from(limit).unwrap_or(i64::MAX)),
        termination_grace_period_seconds: Some(0),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        node_selector: Some(BTreeMap::from([(NODE_LABEL.to_owned(), "true".to_owned())])),
        tolerations: Some(vec![Toleration {
            key: Some("node-role.kubernetes.io/control-plane".to_owned()),
            operator: Some("Exists".to_owned()),
            effect: Some("NoSchedule".to_owned()),
            ..Toleration::default()
        }]),
        ..PodSpec::default()
    };
    let (mut volumes, mut mounts) = (Vec::new(), Vec::new());
    let mut mount = |volume: Volume, path: &str, read_only: bool| {
        mounts.push(VolumeMount {
            name: volume.name.clone(),
            mount_path: path.to_owned(),
            read_only: Some(read_only),
            ..VolumeMount::default()
        });
        volumes.push(volume);
    };
    if !run.files.is_empty() {
        let item = |file: &String| KeyToPath {
            key: format!("file.{file}"),
            path: file.clone(),
            ..KeyToPath::default()
        };
        let source = SecretVolumeSource {
            secret_name: Some(name.to_owned()),
            items: Some(run.files.keys().map(item).collect()),
            ..SecretVolumeSource::default()
        };
        let name = "files".to_owned();
        mount(Volume { name, secret: Some(source), ..Volume::default() }, FILES, true);
    }
    if let Some(claim) = &run.claim {
        let source = PersistentVolumeClaimVolumeSource {
            claim_name: claim.clone(),
            ..PersistentVolumeClaimVolumeSource::default()
        };
        let name = "data".to_owned();
        let volume = Volume { name, persistent_volume_claim: Some(source), ..Volume::default() };
        mount(volume, DATA, false);
    }
    let variable = |key: &String| EnvVar {
        name: key.clone(),
        value_from: Some(EnvVarSource {
            secret_key_ref: Some(SecretKeySelector {
                name: name.to_owned(),
                key: format!("env.{key}"),
                ..SecretKeySelector::default()
            }),
            ..EnvVarSource::default()
        }),
        ..EnvVar::default()
    };
    spec.containers = vec![Container {
        name: CONTAINER.to_owned(),
        image: Some(run.image.clone()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        command: Some(run.command.clone()),
        args: Some(run.args.clone()),
        env: Some(run.env.keys().map(variable).collect()),
        volume_mounts: Some(mounts),
        ..Container::default()
    }];
    spec.volumes = Some(volumes);
    Pod { metadata: meta(name, &run.namespace), spec: Some(spec), ..Pod::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> PodRun {
        PodRun {
            prefix: "sandbox-check".into(),
            namespace: "sandbox-system".into(),
            image: "redis:test".into(),
            command: vec!["sh".into()],
            env: BTreeMap::from([("REDISCLI_AUTH".into(), "s3cr$t'\"".into())]),
            files: BTreeMap::from([("ca.crt".into(), "PEM".into())]),
            deadline: Duration::from_secs(30),
            ..PodRun::default()
        }
    }

    #[test]
    fn secrets_are_in_the_secret_only() {
        let run = example();
        let secret = serde_json::to_string(&secret(&run, "x")).unwrap();
        assert!(secret.contains("env.REDISCLI_AUTH") && secret.contains("s3cr$t"), "{secret}");
        let pod = serde_json::to_string(&pod(&run, "x")).unwrap();
        assert!(pod.contains("REDISCLI_AUTH") && !pod.contains("s3cr$t"), "{pod}");
        assert!(!format!("{run:?}").contains("s3cr$t"));
    }

    #[test]
    fn the_pod_runs_where_the_images_are_and_ends_by_itself() {
        let pod = pod(&example(), "x");
        assert_eq!(pod.metadata.labels.as_ref().unwrap()[LABEL], "true");
        let spec = pod.spec.unwrap();
        assert_eq!(spec.node_selector.unwrap()[NODE_LABEL], "true");
        assert_eq!(spec.restart_policy.as_deref(), Some("Never"));
        assert_eq!(spec.active_deadline_seconds, Some(90));
        assert_eq!(spec.volumes.unwrap().len(), 1);
        let container = &spec.containers[0];
        assert_eq!(container.image_pull_policy.as_deref(), Some("IfNotPresent"));
        assert_eq!(container.volume_mounts.as_ref().unwrap()[0].mount_path, FILES);
    }

    #[test]
    fn a_claim_is_mounted_for_writing() {
        let run = PodRun { claim: Some("c".into()), files: BTreeMap::new(), ..example() };
        let spec = pod(&run, "x").spec.unwrap();
        let mount = &spec.containers[0].volume_mounts.as_ref().unwrap()[0];
        assert_eq!((mount.mount_path.as_str(), mount.read_only), (DATA, Some(false)));
    }

    fn status(status: &serde_json::Value) -> String {
        let pod: Pod = serde_json::from_value(serde_json::json!({
            "metadata": {"name": "x"},
            "status": status,
        }))
        .unwrap();
        match seen(&pod) {
            Look::Done(succeeded) => format!("ended {succeeded}"),
            Look::Waiting(why) => format!("waiting: {why}"),
            Look::Failed(error) => format!("failed: {}", error.causes().join(": ")),
        }
    }

    #[test]
    fn what_the_pod_waits_for_is_told() {
        use serde_json::json;
        let pull = json!({"phase": "Pending", "containerStatuses": [{
            "name": "check", "image": "x", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"waiting": {"reason": "ErrImagePull", "message": "no such host"}},
        }]});
        let unbound = json!({"phase": "Pending", "conditions": [{
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": "pod has unbound immediate PersistentVolumeClaims",
        }]});
        let evicted = json!({"phase": "Failed", "reason": "DeadlineExceeded", "message": "Pod was active too long"});
        let all = [
            status(&json!({"phase": "Succeeded"})),
            status(&json!({"phase": "Failed"})),
            status(&json!({"phase": "Running"})),
            status(&json!({})),
            status(&pull),
            status(&unbound),
            status(&evicted),
        ];
        insta::assert_snapshot!(all.join("\n"), @"
        ended true
        ended false
        waiting: it is running
        waiting: it is unknown
        waiting: ErrImagePull: no such host
        waiting: it is not scheduled: pod has unbound immediate PersistentVolumeClaims
        failed: DeadlineExceeded: Pod was active too long
        ");
    }
}
