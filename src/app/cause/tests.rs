//! One test a rule, and one for each alarm that must not be raised.

mod volumes;

use serde::de::DeserializeOwned;

use super::*;

/// When the snapshots are taken.
const NOW: &str = "2026-03-01T12:05:00Z";

/// The objects of a cluster.
#[derive(Default)]
struct World {
    deployments: Vec<Deployment>,
    stateful_sets: Vec<StatefulSet>,
    daemon_sets: Vec<DaemonSet>,
    jobs: Vec<Job>,
    pods: Vec<Pod>,
    events: Vec<Event>,
    claims: Vec<PersistentVolumeClaim>,
    classes: Vec<StorageClass>,
    nodes_join: bool,
    looking_since: Option<&'static str>,
}

fn parsed<T: DeserializeOwned>(yaml: &str) -> T {
    serde_saphyr::from_str(yaml).unwrap_or_else(|error| panic!("{error}\n{yaml}"))
}

impl World {
    /// Reads documents as `kubectl get -o yaml` prints them.
    fn of(documents: &[String]) -> Self {
        let mut world = Self::default();
        for yaml in documents {
            match yaml.trim_start().lines().next().unwrap_or_default() {
                "kind: Deployment" => world.deployments.push(parsed(yaml)),
                "kind: StatefulSet" => world.stateful_sets.push(parsed(yaml)),
                "kind: DaemonSet" => world.daemon_sets.push(parsed(yaml)),
                "kind: Job" => world.jobs.push(parsed(yaml)),
                "kind: Pod" => world.pods.push(parsed(yaml)),
                "kind: PersistentVolumeClaim" => world.claims.push(parsed(yaml)),
                "kind: StorageClass" => world.classes.push(parsed(yaml)),
                "kind: Event" => world.events.push(parsed(yaml)),
                other => panic!("unexpected {other}"),
            }
        }
        world
    }

    fn state(&self) -> State {
        let snapshot = Snapshot {
            deployments: &self.deployments,
            stateful_sets: &self.stateful_sets,
            daemon_sets: &self.daemon_sets,
            jobs: &self.jobs,
            pods: &self.pods,
            events: &self.events,
            claims: &self.claims,
            classes: &self.classes,
            nodes_ready: !self.nodes_join,
        };
        let limits = Limits {
            unready_after: Duration::from_secs(60),
            not_before: None,
            looking_since: self.looking_since.map(|at| at.parse().unwrap()),
        };
        judge(&snapshot, &limits, NOW.parse().unwrap())
    }
}

fn state(documents: &[String]) -> State {
    World::of(documents).state()
}

fn failing(documents: &[String]) -> (Cause, u64) {
    match state(documents) {
        State::Failing(cause, lasts) => (cause, lasts.as_secs()),
        other => panic!("expected failing, got {other:?}"),
    }
}

fn failed(documents: &[String]) -> Cause {
    match state(documents) {
        State::Failed(cause) => cause,
        other => panic!("expected failed, got {other:?}"),
    }
}

fn waiting(documents: &[String]) -> String {
    match state(documents) {
        State::Waiting(what) => what,
        other => panic!("expected waiting, got {other:?}"),
    }
}

/// A Deployment of one replica whose newest `ReplicaSet` is `<name>-new`.
fn deployment(name: &str, available: i32) -> String {
    format!(
        r#"kind: Deployment
metadata: {{name: {name}, namespace: shop, generation: 2}}
spec:
  replicas: 1
  selector: {{matchLabels: {{app: {name}}}}}
  template: {{metadata: {{labels: {{app: {name}}}}}}}
status:
  observedGeneration: 2
  replicas: 1
  updatedReplicas: 1
  availableReplicas: {available}
  conditions:
  - type: Progressing
    status: "True"
    reason: ReplicaSetUpdated
    message: ReplicaSet "{name}-new" is progressing.
"#
    )
}

/// A pod of a Deployment; `status` and what differs in the container are given.
fn pod_of(name: &str, hash: &str, container: &str, status: &str) -> String {
    let status = status.trim_end().replace('\n', "\n  ");
    format!(
        r"kind: Pod
metadata:
  name: {name}-{hash}-abcde
  namespace: shop
  creationTimestamp: 2026-03-01T12:04:40Z
  labels: {{app: {name}, pod-template-hash: {hash}}}
  ownerReferences:
  - {{apiVersion: apps/v1, kind: ReplicaSet, name: {name}-{hash}, uid: u1, controller: true}}
spec:
  containers:
  - name: web
    image: shop/web:nope
    {container}
status:
  {status}
"
    )
}

fn pod(status: &str) -> String {
    pod_of("web", "new", "imagePullPolicy: IfNotPresent", status)
}

fn waits_with(reason: &str, message: &str) -> String {
    let message = serde_json::to_string(message).unwrap();
    format!(
        r"phase: Pending
containerStatuses:
- name: web
  image: shop/web:nope
  imageID: ''
  ready: false
  restartCount: 0
  state: {{waiting: {{reason: {reason}, message: {message}}}}}
"
    )
}

/// A container that has ended `restarts` times before and waits for its next start.
fn crashed(restarts: i32, ended: &str, started: &str) -> String {
    format!(
        r"phase: Running
containerStatuses:
- name: web
  image: shop/web:nope
  imageID: ''
  ready: false
  restartCount: {restarts}
  state: {{waiting: {{reason: CrashLoopBackOff, message: back-off 10s restarting failed container}}}}
  lastState: {{terminated: {{{ended}, startedAt: {started}, finishedAt: {started}}}}}
"
    )
}

fn runs_since(started: &str) -> String {
    format!(
        r"phase: Running
containerStatuses:
- name: web
  image: shop/web:nope
  imageID: ''
  ready: false
  started: true
  restartCount: 0
  state: {{running: {{startedAt: {started}}}}}
"
    )
}

fn ready_since(since: &str) -> String {
    format!(
        "phase: Running\nconditions:\n- {{type: Ready, status: 'True', lastTransitionTime: {since}}}\n"
    )
}

fn unscheduled(message: &str) -> String {
    format!(
        "phase: Pending\nconditions:\n- type: PodScheduled\n  status: 'False'\n  reason: \
         Unschedulable\n  message: '{message}'\n"
    )
}

fn event(object: &str, reason: &str, message: &str, at: &str) -> String {
    let (kind, name) = object.split_once('/').unwrap();
    let message = serde_json::to_string(message).unwrap();
    format!(
        r"kind: Event
metadata: {{name: {name}.1, namespace: shop}}
involvedObject: {{kind: {kind}, name: {name}, namespace: shop}}
reason: {reason}
message: {message}
lastTimestamp: {at}
type: Warning
"
    )
}

const PULL: &str = "Back-off pulling image \"shop/web:nope\": ErrImagePull: failed to pull and \
                    unpack image \"docker.io/shop/web:nope\": failed to resolve image: \
                    docker.io/shop/web:nope: not found";

// ---- ready and waiting

#[test]
fn an_app_without_workloads_is_ready() {
    assert_eq!(state(&[]), State::Ready);
}

#[test]
fn a_deployment_is_ready_when_all_its_newest_pods_are() {
    assert_eq!(state(&[deployment("web", 1)]), State::Ready);
    assert_eq!(waiting(&[deployment("web", 0)]), "deployment web: 0 of 1 pods ready");
    let stale = deployment("web", 1).replace("observedGeneration: 2", "observedGeneration: 1");
    assert_eq!(waiting(&[stale]), "deployment web: not seen by its controller yet");
    let old =
        deployment("web", 1).replace("\n  replicas: 1\n  updated", "\n  replicas: 2\n  updated");
    assert_eq!(waiting(&[old]), "deployment web: 1 earlier pod still there");
    let rolling = deployment("web", 1).replace("updatedReplicas: 1", "updatedReplicas: 0");
    assert_eq!(waiting(&[rolling]), "deployment web: 0 of 1 pods made from the newest template");
    let none = deployment("web", 0).replace("replicas: 1", "replicas: 0");
    assert_eq!(state(&[none.replace("updatedReplicas: 1", "updatedReplicas: 0")]), State::Ready);
}

const DB: &str = r"kind: StatefulSet
metadata: {name: db, namespace: shop, generation: 3}
spec: {replicas: 2, serviceName: db, selector: {}, template: {}}
status: {observedGeneration: 3, replicas: 2, updatedReplicas: 2, availableReplicas: 2, updateRevision: db-2}
";

#[test]
fn a_stateful_set_waits_for_its_newest_revision_down_to_the_partition() {
    assert_eq!(state(&[DB.into()]), State::Ready);
    let one = DB.replace("availableReplicas: 2", "availableReplicas: 1");
    assert_eq!(waiting(&[one]), "statefulset db: 1 of 2 pods ready");
    let half = DB.replace("updatedReplicas: 2", "updatedReplicas: 1");
    assert!(
        waiting(std::slice::from_ref(&half)).ends_with("1 of 2 pods made from the newest template")
    );
    let partition = "replicas: 2, updateStrategy: {rollingUpdate: {partition: 1}}, service";
    assert_eq!(state(&[half.replace("replicas: 2, service", partition)]), State::Ready);
    let on_delete = "replicas: 2, updateStrategy: {type: OnDelete}, service";
    assert_eq!(state(&[half.replace("replicas: 2, service", on_delete)]), State::Ready);
}

#[test]
fn a_daemon_set_waits_for_every_node() {
    let agent = r"kind: DaemonSet
metadata: {name: agent, namespace: shop, generation: 1}
spec: {selector: {}, template: {}}
status: {observedGeneration: 1, desiredNumberScheduled: 2, updatedNumberScheduled: 2, numberAvailable: 1,
  currentNumberScheduled: 2, numberMisscheduled: 0, numberReady: 1}
";
    assert_eq!(waiting(&[agent.into()]), "daemonset agent: 1 of 2 pods ready");
    let ready = agent.replace("numberAvailable: 1", "numberAvailable: 2");
    assert_eq!(state(&[ready]), State::Ready);
}

const MIGRATE: &str = r"kind: Job
metadata: {name: migrate, namespace: shop, generation: 1}
spec: {template: {}}
status:
  conditions:
  - {type: Complete, status: 'True', reason: CompletionsReached, message: Reached expected number}
";

#[test]
fn a_job_waits_to_complete_and_jobs_of_others_do_not_count() {
    assert_eq!(state(&[MIGRATE.into()]), State::Ready);
    let running = MIGRATE.replace("'True'", "'False'");
    assert_eq!(waiting(std::slice::from_ref(&running)), "job migrate: not finished");
    let cron = running.replace(
        "generation: 1",
        "ownerReferences: [{apiVersion: batch/v1, kind: CronJob, name: c, uid: u, controller: true}]",
    );
    assert_eq!(state(&[cron]), State::Ready);
    let suspended = running.replace("spec: {", "spec: {suspend: true, ");
    assert_eq!(state(&[suspended]), State::Ready);
    let test = running.replace("generation: 1", "annotations: {helm.sh/hook: 'test'}");
    assert_eq!(state(&[test]), State::Ready);
}

#[test]
fn everything_that_is_waited_for_is_told_briefly() {
    let four = ["a", "b", "c", "d"].map(|name| deployment(name, 0));
    assert_eq!(
        waiting(&four),
        "deployment a: 0 of 1 pods ready; deployment b: 0 of 1 pods ready; and 2 more"
    );
}

#[test]
fn a_bare_pod_is_a_workload() {
    let bare = |status: &str| {
        format!("kind: Pod\nmetadata: {{name: lone, namespace: shop}}\nstatus: {{{status}}}\n")
    };
    assert_eq!(waiting(&[bare("phase: Running")]), "pod lone: not ready");
    assert_eq!(state(&[bare("phase: Succeeded")]), State::Ready);
}

// ---- images

#[test]
fn an_image_that_cannot_be_pulled_counts_after_three_seconds() {
    let (cause, lasts) =
        failing(&[deployment("web", 0), pod(&waits_with("ImagePullBackOff", PULL))]);
    assert_eq!(lasts, 3);
    assert_eq!(cause.kind, CauseKind::Image);
    assert_eq!(cause.object, "pod shop/web-new-abcde (deployment web)");
    assert_eq!(cause.container.as_deref(), Some("web"));
    assert_eq!(cause.summary, "image `shop/web:nope` cannot be pulled: not found");
    assert!(cause.hints[0].contains("`images:` in sandbox.yaml"), "{:?}", cause.hints);
    assert_eq!(cause.hints.len(), 1);
}

#[test]
fn the_first_failed_pull_is_no_failure_yet_and_the_same_trouble_as_the_next() {
    let at = |reason| failing(&[deployment("web", 0), pod(&waits_with(reason, PULL))]).0;
    let (first, next) = (at("ErrImagePull"), at("ImagePullBackOff"));
    assert_eq!((first.object, first.container), (next.object, next.container));
    assert_eq!((first.kind, next.kind), (CauseKind::Image, CauseKind::Image));
}

#[test]
fn why_a_pull_fails_is_told_in_words_that_help() {
    for (message, why) in [
        (
            "Head \"https://r.example.com/v2/x\": dial tcp: lookup r.example.com on 172.18.0.1:53: no such host",
            "no such host",
        ),
        (
            "pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed",
            "not found, or access denied",
        ),
        ("unexpected status from HEAD request to https://r/v2/x: 401 Unauthorized", "unauthorized"),
        (
            "x: no match for platform in manifest: not found",
            "it does not exist for this machine's CPU architecture",
        ),
        (
            "tls: failed to verify certificate: x509: certificate signed by unknown authority",
            "the registry's certificate is not trusted",
        ),
        ("failed to extract layer: something odd", "something odd"),
    ] {
        let (cause, _) =
            failing(&[deployment("web", 0), pod(&waits_with("ErrImagePull", message))]);
        assert_eq!(cause.summary, format!("image `shop/web:nope` cannot be pulled: {why}"));
    }
}

#[test]
fn an_event_tells_why_when_the_status_does_not() {
    let told =
        "Failed to pull image \"shop/web:nope\": rpc error: code = NotFound desc = x: not found";
    let back_off = waits_with("ImagePullBackOff", "Back-off pulling image \"shop/web:nope\"");
    let seen = event("Pod/web-new-abcde", "Failed", told, "2026-03-01T12:04:50Z");
    let (cause, _) = failing(&[deployment("web", 0), pod(&back_off), seen]);
    assert!(cause.summary.ends_with("cannot be pulled: not found"), "{}", cause.summary);
    let (cause, _) = failing(&[deployment("web", 0), pod(&back_off)]);
    assert!(cause.summary.ends_with("cannot be pulled"), "{}", cause.summary);
}

#[test]
fn what_no_time_can_cure_counts_at_once() {
    let cause = failed(&[deployment("web", 0), pod(&waits_with("InvalidImageName", "x"))]);
    assert_eq!(cause.summary, "`shop/web:nope` is no image name");
    let cause = failed(&[deployment("web", 0), pod(&waits_with("ErrImageNeverPull", "x"))]);
    assert!(cause.summary.contains("is not on the node"), "{}", cause.summary);
}

#[test]
fn a_pull_policy_that_ignores_loaded_images_is_pointed_out() {
    let pod = pod_of("web", "new", "imagePullPolicy: Always", &waits_with("ErrImagePull", PULL));
    let (cause, _) = failing(&[deployment("web", 0), pod]);
    assert!(cause.hints[1].contains("set it to IfNotPresent"), "{:?}", cause.hints);
}

// ---- configuration

#[test]
fn a_missing_secret_is_named() {
    let status = waits_with("CreateContainerConfigError", "secret \"db\" not found");
    let (cause, lasts) = failing(&[deployment("web", 0), pod(&status)]);
    assert_eq!((cause.kind, lasts), (CauseKind::Config, 5));
    assert_eq!(cause.summary, "secret `db` does not exist, and the container needs it");
    assert!(cause.hints[0].contains("make the secret `db`"), "{:?}", cause.hints);
}

#[test]
fn a_missing_secret_may_still_be_made_by_a_job_for_half_a_minute() {
    let status = waits_with("CreateContainerConfigError", "secret \"db\" not found");
    let job = MIGRATE.replace("'True'", "'False'");
    let young = pod(&status);
    let what = waiting(&[deployment("web", 0), young.clone(), job.clone()]);
    assert!(what.contains("job migrate"), "{what}");
    let old = young.replace("12:04:40Z", "12:04:20Z");
    assert_eq!(failing(&[deployment("web", 0), old, job]).0.kind, CauseKind::Config);
}

#[test]
fn a_container_that_cannot_be_started_says_why() {
    for (reason, message, why, hint) in [
        (
            "CreateContainerConfigError",
            "couldn't find key password in Secret shop/db",
            "couldn't find key password in Secret shop/db",
            "add the key",
        ),
        (
            "CreateContainerConfigError",
            "container has runAsNonRoot and image will run as root (pod: \"web\")",
            "container has runAsNonRoot and image will run as root (pod: \"web\")",
            "runAsUser",
        ),
        (
            "RunContainerError",
            "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: \"serve\": executable file not found in $PATH: unknown",
            "exec: \"serve\": executable file not found in $PATH",
            "ENTRYPOINT",
        ),
    ] {
        let (cause, lasts) = failing(&[deployment("web", 0), pod(&waits_with(reason, message))]);
        assert_eq!((cause.kind, lasts), (CauseKind::Config, 5));
        assert_eq!(cause.summary, format!("the container cannot be started: {why}"));
        assert!(cause.hints[0].contains(hint), "{:?}", cause.hints);
    }
}

#[test]
fn a_start_error_between_two_tries_is_still_a_start_error() {
    let ended = "exitCode: 128, reason: StartError, message: 'exec: \"x\": executable file not found in $PATH: unknown'";
    let (cause, _) = failing(&[deployment("web", 0), pod(&crashed(2, ended, NOW))]);
    assert_eq!(cause.kind, CauseKind::Config);
}

const MOUNTING: &str = "phase: Pending
conditions:
- {type: PodReadyToStartContainers, status: 'False'}
containerStatuses:
- {name: web, image: x, imageID: '', ready: false, restartCount: 0, state: {waiting: {reason: ContainerCreating}}}
";

fn mount_fails(message: &str) -> [String; 3] {
    let seen = event("Pod/web-new-abcde", "FailedMount", message, "2026-03-01T12:04:50Z");
    [deployment("web", 0), pod(MOUNTING), seen]
}

#[test]
fn a_config_map_that_cannot_be_mounted_is_named() {
    let message = "MountVolume.SetUp failed for volume \"c\" : configmap \"web\" not found";
    let (cause, lasts) = failing(&mount_fails(message));
    assert_eq!((cause.kind, lasts), (CauseKind::Config, 5));
    assert_eq!(cause.summary, "configmap `web` does not exist, and the pod mounts it");
}

#[test]
fn another_mount_failure_is_quoted() {
    let message = "MountVolume.NewMounter initialization failed for volume \"pvc-1\" : path \"/data\" does not exist";
    let (cause, _) = failing(&mount_fails(message));
    assert_eq!(cause.kind, CauseKind::Volume);
    assert_eq!(cause.summary, "a volume cannot be mounted: path \"/data\" does not exist");
}

#[test]
fn a_mount_that_succeeded_since_or_cannot_yet_is_no_failure() {
    let message = "MountVolume.SetUp failed for volume \"c\" : configmap \"web\" not found";
    let mut cured = mount_fails(message);
    cured[1] = cured[1].replace("status: 'False'", "status: 'True'");
    waiting(&cured);
    let root_ca = message.replace("\"web\"", "\"kube-root-ca.crt\"");
    waiting(&mount_fails(&root_ca));
}

// ---- crashes

#[test]
fn a_crash_loop_says_how_the_container_ends_and_wants_its_log() {
    let status = crashed(1, "exitCode: 3, reason: Error", "2026-03-01T12:04:45Z");
    let cause = failed(&[deployment("web", 0), pod(&status)]);
    assert_eq!(cause.kind, CauseKind::Crash);
    assert_eq!(cause.summary, "the container ended with exit code 3, 2 times so far");
    assert_eq!(
        cause.wants_logs,
        Some(LogOf {
            namespace: "shop".into(),
            pod: "web-new-abcde".into(),
            container: "web".into(),
            previous: true,
        })
    );
}

#[test]
fn the_ways_to_end_are_told_apart() {
    for (ended, told) in [
        ("exitCode: 137, reason: OOMKilled", "used more memory than its limit"),
        ("exitCode: 139, reason: Error", "ended by SIGSEGV (exit code 139)"),
        ("exitCode: 0, reason: Completed", "ended with exit code 0"),
        (
            "exitCode: 1, reason: Error, message: \"no DATABASE_URL\\n\\e[0m\"",
            ": no DATABASE_URL [0m",
        ),
    ] {
        let status = crashed(3, ended, "2026-03-01T12:04:45Z");
        let limits = "resources: {limits: {memory: 64Mi}}";
        let cause = failed(&[deployment("web", 0), pod_of("web", "new", limits, &status)]);
        assert!(cause.summary.contains(told), "{}", cause.summary);
        if ended.contains("OOM") {
            assert_eq!(cause.hints, ["raise `resources.limits.memory`, which is 64Mi"]);
        }
    }
}

fn app_and_db(db_ready: Option<&str>, web: &str) -> Vec<String> {
    let db = db_ready.map_or_else(
        || pod_of("db", "new", "", "phase: Pending"),
        |since| pod_of("db", "new", "", &ready_since(since)),
    );
    vec![deployment("web", 0), pod(web), deployment("db", i32::from(db_ready.is_some())), db]
}

#[test]
fn a_crash_is_excused_while_the_database_is_starting() {
    let status = crashed(2, "exitCode: 1, reason: Error", "2026-03-01T12:04:45Z");
    assert!(waiting(&app_and_db(None, &status)).contains("deployment db"));
}

#[test]
fn a_crash_is_excused_until_it_is_tried_again_with_the_database() {
    let before = crashed(2, "exitCode: 1, reason: Error", "2026-03-01T12:04:45Z");
    waiting(&app_and_db(Some("2026-03-01T12:04:50Z"), &before));
    let after = crashed(3, "exitCode: 1, reason: Error", "2026-03-01T12:04:55Z");
    assert_eq!(failed(&app_and_db(Some("2026-03-01T12:04:50Z"), &after)).kind, CauseKind::Crash);
}

#[test]
fn a_crash_counts_when_the_database_fails_too_or_after_five_restarts() {
    let status = crashed(2, "exitCode: 1, reason: Error", "2026-03-01T12:04:45Z");
    let mut both = app_and_db(None, &status);
    both[3] = pod_of("db", "new", "", &waits_with("ErrImagePull", PULL));
    // The image explains the crash.
    assert_eq!(failing(&both).0.object, "pod shop/db-new-abcde (deployment db)");
    both[3] = pod_of("db", "new", "", &status);
    assert_eq!(failed(&both).kind, CauseKind::Crash);
    let certain = crashed(5, "exitCode: 1, reason: Error", "2026-03-01T12:04:45Z");
    assert_eq!(failed(&app_and_db(None, &certain)).kind, CauseKind::Crash);
}

#[test]
fn one_crash_and_a_container_that_runs_again_are_no_failure() {
    let once = "phase: Running
containerStatuses:
- {name: web, image: x, imageID: '', ready: false, restartCount: 0, state: {terminated: {exitCode: 1}}}
";
    waiting(&[deployment("web", 0), pod(once)]);
    let again = runs_since("2026-03-01T12:04:58Z")
        .replace("restartCount: 0", "restartCount: 2\n  lastState: {terminated: {exitCode: 1}}");
    waiting(&[deployment("web", 0), pod(&again)]);
}

#[test]
fn a_container_that_its_probe_kills_is_told_so() {
    let status = crashed(2, "exitCode: 143, reason: Error", "2026-03-01T12:04:30Z");
    let name = "Pod/web-new-abcde";
    let unhealthy = "Liveness probe failed: HTTP probe failed with statuscode: 500";
    let killing = "Container web failed liveness probe, will be restarted";
    let cause = failed(&[
        deployment("web", 0),
        pod(&status),
        event(name, "Unhealthy", unhealthy, "2026-03-01T12:04:40Z"),
        event(name, "Killing", killing, "2026-03-01T12:04:40Z"),
    ]);
    assert_eq!(
        cause.summary,
        "the container is restarted because its liveness probe fails: HTTP probe failed with \
         statuscode: 500"
    );
    let earlier = event(name, "Killing", killing, "2026-03-01T12:04:20Z");
    assert_eq!(failed(&[deployment("web", 0), pod(&status), earlier]).kind, CauseKind::Crash);
}

// ---- scheduling

const NO_CPU: &str = "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are \
                      available: 1 No preemption victims found for incoming pod.";

#[test]
fn the_scheduler_is_quoted_with_a_hint_that_fits() {
    for (message, hint) in [
        (NO_CPU, "resources.requests"),
        ("0/1 nodes are available: 1 node(s) had untolerated taint(s).", "toleration"),
        (
            "0/1 nodes are available: 1 node(s) did not match Pod node affinity/selector.",
            "nodeSelector",
        ),
        (
            "0/1 nodes are available: 1 node(s) did not match pod topology spread constraints.",
            "ScheduleAnyway",
        ),
        (
            "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.",
            "kubectl get pvc",
        ),
        ("0/1 nodes are available: persistentvolumeclaim \"d\" not found.", "same namespace"),
    ] {
        let (cause, lasts) = failing(&[deployment("web", 0), pod(&unscheduled(message))]);
        assert_eq!(cause.kind, CauseKind::Unschedulable);
        assert_eq!(lasts, if message.contains("unbound") { 10 } else { 3 });
        assert!(cause.hints[0].contains(hint), "{message}: {:?}", cause.hints);
    }
    let (cause, _) = failing(&[deployment("web", 0), pod(&unscheduled(NO_CPU))]);
    assert_eq!(cause.summary, "no node takes the pod: 0/1 nodes are available: 1 Insufficient cpu");
}

#[test]
fn a_pod_without_a_node_is_fine_while_nodes_join() {
    let mut world = World::of(&[deployment("web", 0), pod(&unscheduled(NO_CPU))]);
    world.nodes_join = true;
    assert!(matches!(world.state(), State::Waiting(_)));
    let taint = "0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }.";
    waiting(&[deployment("web", 0), pod(&unscheduled(taint))]);
}

// ---- probes

const READINESS: &str = "readinessProbe: {initialDelaySeconds: 10, httpGet: {path: /, port: 80}}";

fn unready_since(started: &str, container: &str) -> Vec<String> {
    let told = "Readiness probe failed: Get \"http://10.0.0.1:80/\": dial tcp 10.0.0.1:80: connect: \
                connection refused";
    vec![
        deployment("web", 0),
        pod_of("web", "new", container, &runs_since(started)),
        event("Pod/web-new-abcde", "Unhealthy", told, "2026-03-01T12:04:59Z"),
    ]
}

#[test]
fn a_container_that_stays_unready_counts_after_its_delay_and_the_limit() {
    waiting(&unready_since("2026-03-01T12:03:51Z", READINESS));
    let cause = failed(&unready_since("2026-03-01T12:03:50Z", READINESS));
    assert_eq!(cause.kind, CauseKind::Probe);
    assert_eq!(
        cause.summary,
        "the container runs, but its readiness probe fails: Get \"http://10.0.0.1:80/\": dial tcp \
         10.0.0.1:80: connect: connection refused"
    );
    assert!(cause.hints[0].contains("0.0.0.0"));
    assert!(!cause.wants_logs.unwrap().previous);
}

#[test]
fn a_pod_from_before_anybody_looked_must_fail_for_a_moment() {
    let documents = unready_since("2026-03-01T12:03:50Z", READINESS);
    let look = |since| World { looking_since: Some(since), ..World::of(&documents) }.state();
    let State::Failing(cause, lasts) = look("2026-03-01T12:04:41Z") else { panic!("not failing") };
    assert_eq!((cause.kind, lasts.as_secs()), (CauseKind::Probe, 3));
    assert!(matches!(look("2026-03-01T12:04:40Z"), State::Failed(_)));
}

#[test]
fn a_startup_probe_gets_the_time_it_asks_for() {
    let slow = "startupProbe: {periodSeconds: 10, failureThreshold: 12}";
    let starting = |started: &str| -> Vec<String> {
        unready_since(started, slow)
            .iter()
            .map(|d| d.replace("started: true", "started: false"))
            .collect()
    };
    waiting(&starting("2026-03-01T12:02:30Z"));
    let cause = failed(&starting("2026-03-01T12:02:00Z"));
    assert!(cause.summary.contains("startup probe fails"), "{}", cause.summary);
}

#[test]
fn an_unready_container_has_time_to_recover_once_the_database_is_there() {
    let with_db = |since: &str| {
        let mut all = unready_since("2026-03-01T12:00:00Z", READINESS);
        all.extend(app_and_db(Some(since), "phase: Pending").split_off(2));
        all
    };
    waiting(&with_db("2026-03-01T12:04:55Z"));
    assert_eq!(failed(&with_db("2026-03-01T12:04:45Z")).kind, CauseKind::Probe);
}

// ---- jobs and controllers

#[test]
fn a_failed_job_is_told_with_how_its_last_pod_ended() {
    let failed_job =
        MIGRATE.replace("Complete", "Failed").replace("CompletionsReached", "BackoffLimitExceeded");
    let pod = pod("phase: Failed
containerStatuses:
- {name: web, image: x, imageID: '', ready: false, restartCount: 0, state: {terminated: {exitCode: 4, reason: Error}}}
").replace("kind: ReplicaSet, name: web-new", "kind: Job, name: migrate");
    let cause = failed(&[failed_job.clone(), pod]);
    assert_eq!(cause.kind, CauseKind::Job);
    assert_eq!(cause.object, "pod shop/web-new-abcde (job migrate)");
    assert_eq!(
        cause.summary,
        "the job has failed: container `web` ended with exit code 4 (BackoffLimitExceeded)"
    );
    assert!(cause.wants_logs.is_some());
    let cause = failed(&[failed_job]);
    assert_eq!(cause.summary, "the job has failed: BackoffLimitExceeded");
}

const QUOTA: &str = "Error creating: pods \"web-new-x\" is forbidden: exceeded quota: small, \
                     requested: cpu=1, used: cpu=0, limited: cpu=500m";

#[test]
fn pods_that_may_not_be_created_are_told() {
    let none = deployment("web", 0).replace("updatedReplicas: 1", "updatedReplicas: 0");
    let refused = event("ReplicaSet/web-new", "FailedCreate", QUOTA, "2026-03-01T12:04:50Z");
    let (cause, lasts) = failing(&[none.clone(), refused]);
    assert_eq!((cause.kind, lasts), (CauseKind::Admission, 5));
    assert_eq!(cause.object, "shop/web-new (deployment web)");
    assert_eq!(
        cause.summary,
        "pods may not be created: exceeded quota: small, requested: cpu=1, used: cpu=0, limited: \
         cpu=500m"
    );
    assert!(cause.hints[0].contains("ResourceQuota"));
    let condition = format!(
        "{none}  - {{type: ReplicaFailure, status: 'True', reason: FailedCreate, message: '{QUOTA}'}}\n"
    );
    assert_eq!(failing(&[condition]).0.kind, CauseKind::Admission);
}

#[test]
fn a_refusal_that_is_over_is_forgotten() {
    let refused = event("ReplicaSet/web-new", "FailedCreate", QUOTA, "2026-03-01T12:04:30Z");
    waiting(&[deployment("web", 0), pod("phase: Pending"), refused.clone()]);
    let made = event("ReplicaSet/web-new", "SuccessfulCreate", "x", "2026-03-01T12:04:31Z");
    waiting(&[deployment("web", 0), refused, made]);
}

// ---- who is blamed

#[test]
fn pods_of_an_earlier_replica_set_and_dying_pods_are_not_blamed() {
    let broken = waits_with("ImagePullBackOff", PULL);
    let old = pod_of("web", "old", "", &broken);
    waiting(&[deployment("web", 0), old.clone(), pod("phase: Pending")]);
    let dying = pod(&broken).replace(
        "  namespace: shop\n",
        "  namespace: shop\n  deletionTimestamp: 2026-03-01T12:04:59Z\n",
    );
    waiting(&[deployment("web", 0), dying]);
    // Without a word from the controller, the youngest revision is the newest.
    let silent = deployment("web", 0).replace("web-new", "");
    let older = old.replace("12:04:40Z", "11:00:00Z");
    waiting(&[silent.clone(), older.clone(), pod("phase: Pending")]);
    let new_broken = [silent, older.replace(&broken, ""), pod(&broken)];
    assert_eq!(failing(&new_broken).0.object, "pod shop/web-new-abcde (deployment web)");
}

#[test]
fn nobody_is_blamed_before_the_controller_has_seen_the_change() {
    let stale = deployment("web", 0).replace("observedGeneration: 2", "observedGeneration: 1");
    waiting(&[stale, pod(&waits_with("ImagePullBackOff", PULL))]);
}

#[test]
fn an_earlier_pod_that_blocks_a_stateful_set_is_named_with_the_way_out() {
    let db = DB.replace("availableReplicas: 2", "availableReplicas: 1");
    let old = pod(&waits_with("ImagePullBackOff", PULL))
        .replace("kind: ReplicaSet, name: web-new", "kind: StatefulSet, name: db")
        .replace("pod-template-hash: new", "controller-revision-hash: db-1");
    let (cause, lasts) = failing(&[db, old]);
    assert_eq!(lasts, 10);
    assert!(cause.hints[0].contains("`kubectl delete pod -n shop web-new-abcde`"));
}
