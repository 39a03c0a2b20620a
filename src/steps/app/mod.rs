//! Steps of the app: install the chart, wait for it, restart it, reach it.
//!
//! Owns carrying out; why an app is not ready is decided by `crate::app::cause`.

pub(super) mod blame;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Node, PersistentVolumeClaim, Pod};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::ListParams;
use kube::runtime::reflector::Store;
use kube::runtime::watcher;
use serde_json::json;

use super::Cx;
use crate::app::cause::{self, Limits};
use crate::app::{Parts, Route, Workload, settle};
use crate::error::{Context, Error, Kind, Result};
use crate::observe::{ready_nodes, stale};
use crate::plan::Recovery;
use crate::plan::facts::ImageFact;
use crate::plan::kind_config::node_count;
use crate::report::event::StepEvents;
use crate::settings::App;
use crate::state::AppStamp;
use crate::tools::helm::HelmTool;
use crate::tools::kube::Cluster;
use crate::tools::oci::full_name;
use crate::tools::ready::{self, Changes, Look};
use crate::tools::route;

/// How long old pods are waited for once the new ones are ready.
const LEAVING: Duration = Duration::from_secs(10);
/// How long the ingress controller may take to serve a new rule.
const ROUTES_DEADLINE: Duration = Duration::from_secs(60);
/// Annotation that makes pods new when an image of the same name is.
const IMAGE_ANNOTATION: &str = "dev.sandbox/images";

impl Cx<'_> {
    fn app(&self) -> Result<&App> {
        let app = self.settings.app.as_ref();
        app.ok_or_else(|| Error::new(Kind::Unexpected, "the plan needs an app, there is none"))
    }

    fn helm(&self) -> Result<&HelmTool> {
        let helm = self.helm.as_ref();
        helm.ok_or_else(|| Error::new(Kind::Unexpected, "the plan needs helm, which is not there"))
    }

    pub(super) async fn recover_release(
        &self,
        how: Recovery,
        events: &StepEvents,
    ) -> Result<String> {
        let (app, helm) = (self.app()?, self.helm()?);
        self.cluster().await?;
        events.warn(format!("an earlier installation of release `{}` was cut off", app.release));
        let kubeconfig = self.place.kubeconfig();
        match how {
            Recovery::Uninstall => helm.uninstall(app, &kubeconfig).await?,
            Recovery::RollBack => helm.rollback(app, &kubeconfig).await?,
        }
        Ok(String::new())
    }

    pub(super) async fn install_app(&self) -> Result<String> {
        let (app, helm) = (self.app()?, self.helm()?);
        self.cluster().await?;
        helm.upgrade(app, &self.place.kubeconfig()).await?;
        let rendered = self.rendered.as_ref().ok_or_else(|| {
            Error::new(Kind::Unexpected, "a chart was installed that was not rendered")
        })?;
        let stamp = AppStamp {
            input: self.app_input.clone().unwrap_or_default(),
            release: app.release.clone(),
            namespace: app.namespace.clone(),
            workloads: rendered.workloads.clone(),
            routes: rendered.routes.clone(),
            kinds: rendered.kinds.clone(),
            brought: rendered.brought.clone(),
        };
        self.change_record(|record| record.app = Some(stamp))?;
        Ok(format!("{} workload(s)", rendered.workloads.len()))
    }

    /// What the app consists of: as rendered now, else as remembered.
    fn parts(&self) -> Result<(Vec<Workload>, Vec<Route>)> {
        if let Some(rendered) = &self.rendered {
            return Ok((rendered.workloads.clone(), rendered.routes.clone()));
        }
        let remembered = self.with_record(|record| {
            record.app.as_ref().map(|app| (app.workloads.clone(), app.routes.clone()))
        })?;
        Ok(remembered.unwrap_or_default())
    }

    /// Waits until every workload is ready, or until it is clear why one never will be.
    pub(super) async fn app_ready(&self, events: &StepEvents) -> Result<String> {
        let app = self.app()?;
        let cluster = self.cluster().await?;
        let (workloads, _) = self.parts()?;
        let mut namespaces: BTreeSet<String> =
            workloads.iter().map(|workload| workload.namespace.clone()).collect();
        namespaces.insert(app.namespace.clone());
        let mut changes = Vec::new();
        let watches: Vec<Watches> =
            namespaces.iter().map(|ns| Watches::start(&cluster, ns, &mut changes)).collect();
        let (nodes, joining) = ready::watch::<Node>(cluster.all(), watcher::Config::default());
        let (classes, new_class) =
            ready::watch::<StorageClass>(cluster.all(), watcher::Config::default());
        changes.extend([joining, new_class]);
        let wanted = node_count(&self.settings.profile.value);
        let not_before = *self.addons_at.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let limits = Limits {
            unready_after: app.unready_after,
            not_before,
            looking_since: Some(Timestamp::now()),
        };
        let mut persistence = blame::Persistence::default();
        let mut leaving = Leaving::default();
        let look = || {
            let mut seen = Parts { classes: owned(classes.state()), ..Parts::default() };
            for watch in &watches {
                seen.add(watch.parts());
            }
            seen.keep(&workloads);
            let missing = workloads.len().saturating_sub(seen.count());
            if missing > 0 {
                return Look::Waiting(format!("{missing} workload(s) to appear"));
            }
            let ready = ready_nodes(&nodes.state());
            let snapshot = seen.snapshot(ready >= wanted);
            match persistence.look(cause::judge(&snapshot, &limits, Timestamp::now())) {
                Look::Done(None) => match settle::unsettled(&seen.pods, Timestamp::now()) {
                    Some(what) => Look::Waiting(what),
                    None => leaving.look(&seen.pods),
                },
                other => other,
            }
        };
        let what = format!("release `{}`", app.release);
        let progress = |text: &str| events.progress(text);
        let ended = ready::until(&what, Kind::App, app.timeout, changes, look, progress).await;
        match ended {
            Ok(None) => Ok(format!("{} workload(s) ready", workloads.len())),
            Ok(Some(cause)) => {
                let message = format!("{what} does not become ready");
                Err(blame::told(&cluster, Kind::App, &message, &cause).await)
            }
            Err(error) => Err(error.hint("sandbox status").hint(format!(
                "kubectl --kubeconfig \"$(sandbox kubeconfig)\" -n {} get pods,events",
                app.namespace
            ))),
        }
    }

    /// Restarts the workloads whose pods run an older image of the same name.
    pub(super) async fn restart_app(&self, references: &[String]) -> Result<String> {
        let app = self.app()?;
        let cluster = self.cluster().await?;
        let pods = cluster
            .namespaced::<Pod>(&app.namespace)
            .list(&ListParams::default())
            .await
            .context(Kind::Cluster, || "cannot list pods".to_owned())?;
        let facts = futures::future::try_join_all(references.iter().map(|reference| async {
            let engine = self.docker.image(reference).await?;
            let id = engine.as_ref().map(|image| image.id.clone()).unwrap_or_default();
            let node_id = Some(self.with_record(|record| record.node_id(reference, &id).into())?);
            let reference = reference.clone();
            Ok::<_, Error>(ImageFact { reference, engine, node_id, input: None })
        }))
        .await?;
        let stale = stale(&facts, &pods.items);
        let (workloads, _) = self.parts()?;
        let mut restarted = Vec::new();
        for workload in &workloads {
            let uses: Vec<String> = facts
                .iter()
                .filter(|fact| stale.contains(&fact.reference) && uses(workload, &fact.reference))
                .filter_map(|fact| Some(format!("{}={}", fact.reference, fact.engine.as_ref()?.id)))
                .collect();
            if !uses.is_empty() {
                restart(&cluster, workload, &uses.join(",")).await?;
                restarted.push(workload.name.clone());
            }
        }
        Ok(if restarted.is_empty() {
            "nothing runs an old one".into()
        } else {
            restarted.join(", ")
        })
    }

    /// Waits until every Ingress rule is served through the ports of this machine.
    pub(super) async fn routes_answer(&self, events: &StepEvents) -> Result<String> {
        let (_, routes) = self.parts()?;
        let ports = self.with_record(|record| record.ports)?;
        let concrete = routes.iter().filter(|route| !route.host.contains('*')).collect::<Vec<_>>();
        for (done, route) in concrete.iter().enumerate() {
            events.progress(format!("{} ({done} of {})", route.host, concrete.len()));
            let what = format!("an answer at `{}{}`", route.host, route.path);
            ready::retry(&what, Kind::App, ROUTES_DEADLINE, || route::probe(ports.http, route))
                .await
                .map_err(|error| {
                    error.hint("does the Ingress name the class `nginx` and an existing Service?")
                })?;
        }
        Ok(format!("{} address(es)", concrete.len()))
    }
}

fn uses(workload: &Workload, reference: &str) -> bool {
    let name = full_name(reference);
    workload.images.iter().any(|image| full_name(image) == name)
}

async fn restart(cluster: &Cluster, workload: &Workload, images: &str) -> Result<()> {
    let patch = json!({"spec": {"template": {"metadata": {"annotations": {
        IMAGE_ANNOTATION: images
    }}}}});
    let (namespace, name) = (&workload.namespace, &workload.name);
    match workload.kind.as_str() {
        "Deployment" => {
            cluster.merge::<Deployment>(&cluster.namespaced(namespace), name, &patch).await
        }
        "StatefulSet" => {
            cluster.merge::<StatefulSet>(&cluster.namespaced(namespace), name, &patch).await
        }
        "DaemonSet" => {
            cluster.merge::<DaemonSet>(&cluster.namespaced(namespace), name, &patch).await
        }
        // The pods of a Job cannot be made new; the next `up` with a changed chart runs it again.
        _ => Ok(()),
    }
}

/// Old pods that are ready to go but still answer: for a moment requests may reach them.
#[derive(Default)]
struct Leaving {
    since: Option<Instant>,
}

impl Leaving {
    /// Waits until they are gone, or for as long as is sensible: a pod may take its time to end.
    fn look<T>(&mut self, pods: &[Pod]) -> Look<Option<T>> {
        let count = pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_some()).count();
        let since = *self.since.get_or_insert_with(Instant::now);
        if count == 0 || since.elapsed() >= LEAVING {
            return Look::Done(None);
        }
        Look::Waiting(format!("{count} old pod(s) to go"))
    }
}

/// The watches of one namespace.
pub(super) struct Watches {
    deployments: Store<Deployment>,
    stateful_sets: Store<StatefulSet>,
    daemon_sets: Store<DaemonSet>,
    jobs: Store<Job>,
    pods: Store<Pod>,
    events: Store<Event>,
    claims: Store<PersistentVolumeClaim>,
}

impl Watches {
    pub(super) fn start(
        cluster: &Cluster,
        namespace: &str,
        changes: &mut Vec<Changes<'static>>,
    ) -> Self {
        let config = watcher::Config::default;
        let (deployments, one) = ready::watch(cluster.namespaced(namespace), config());
        let (stateful_sets, two) = ready::watch(cluster.namespaced(namespace), config());
        let (daemon_sets, three) = ready::watch(cluster.namespaced(namespace), config());
        let (jobs, four) = ready::watch(cluster.namespaced(namespace), config());
        let (pods, five) = ready::watch(cluster.namespaced(namespace), config());
        let (events, six) = ready::watch(cluster.namespaced(namespace), config());
        let (claims, seven) = ready::watch(cluster.namespaced(namespace), config());
        changes.extend([one, two, three, four, five, six, seven]);
        Self { deployments, stateful_sets, daemon_sets, jobs, pods, events, claims }
    }

    /// What is there now.
    pub(super) fn parts(&self) -> Parts {
        Parts {
            deployments: owned(self.deployments.state()),
            stateful_sets: owned(self.stateful_sets.state()),
            daemon_sets: owned(self.daemon_sets.state()),
            jobs: owned(self.jobs.state()),
            pods: owned(self.pods.state()),
            events: owned(self.events.state()),
            claims: owned(self.claims.state()),
            classes: Vec::new(),
        }
    }
}

/// The objects of a store as a list.
fn owned<K: Clone>(state: Vec<Arc<K>>) -> Vec<K> {
    state.into_iter().map(Arc::unwrap_or_clone).collect()
}
