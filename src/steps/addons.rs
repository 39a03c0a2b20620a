//! Steps of the addons: apply, wait, and remove what was turned off.
//!
//! Owns carrying out; what an addon consists of is in `crate::addons`.

use std::collections::BTreeSet;
use std::sync::PoisonError;
use std::time::Duration;

use k8s_openapi::api::core::v1::Node;
use kube::runtime::watcher;

use super::Cx;
use super::app::{Watches, blame};
use super::storage::demote_kind_class;
use crate::addons::{ADDON_LABEL, Addon, Probe, s3, storage};
use crate::app::Parts;
use crate::app::cause::{self, Limits};
use crate::error::{Error, Kind, Result};
use crate::observe::ready_nodes;
use crate::plan::kind_config::node_count;
use crate::report::event::StepEvents;
use crate::state::AddonStamp;
use crate::tools::kube::{Cluster, Object, ObjectRef};
use crate::tools::manifests;
use crate::tools::ready::{self, Look};

/// How long an addon's pods may take.
const DEADLINE: Duration = Duration::from_secs(180);
/// How long what is asked of it may take once its pods are ready.
const PROBE_DEADLINE: Duration = Duration::from_secs(90);
/// The pause between two tries of a probe: how late its success is noticed at most.
const PROBE_PAUSE: Duration = Duration::from_millis(50);

impl Cx<'_> {
    pub(super) async fn install_addon(&self, name: &str, events: &StepEvents) -> Result<String> {
        let addon = self.addons.iter().find(|addon| addon.name == name).ok_or_else(|| {
            Error::new(Kind::Unexpected, format!("there is no addon `{name}` to install"))
        })?;
        let cluster = self.cluster().await?;
        let before = self.apply_addon(&cluster, addon, events).await?;
        self.crash_point("amid", name);
        let named = async {
            // Only where there are some: everything else is left as kubeadm made it.
            if addon.aliases.is_empty() {
                return Ok(());
            }
            self.name_services(&cluster, &addon.aliases, events).await
        };
        tokio::try_join!(self.addon_ready(&cluster, addon, events), named)?;
        cluster.apply_all(&addon.last).await?;
        let now = references(addon);
        for object in before.iter().filter(|object| !now.contains(object)) {
            cluster.delete_labelled(object, (ADDON_LABEL, name)).await?;
        }
        let stamp = stamp(addon.hash(), now, addon);
        self.change_record(|record| {
            record.addons.insert(name.to_owned(), stamp);
        })?;
        *self.addons_at.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(jiff::Timestamp::now());
        Ok(String::new())
    }

    /// Applies it and returns what an earlier version of it consisted of.
    async fn apply_addon(
        &self,
        cluster: &Cluster,
        addon: &Addon,
        events: &StepEvents,
    ) -> Result<Vec<ObjectRef>> {
        let before = self.with_record(|record| record.addons.get(addon.name).cloned())?;
        let before = before.unwrap_or_default().objects;
        // The intent: whatever is made from here on is known to be ours, should this be cut off.
        let mut both: BTreeSet<ObjectRef> = before.iter().cloned().collect();
        both.extend(references(addon));
        let intent = stamp(String::new(), both.into_iter().collect(), addon);
        self.change_record(|record| {
            record.addons.insert(addon.name.to_owned(), intent);
        })?;
        for definitions in &addon.definitions {
            let set = definitions.set;
            events.progress(format!("definitions of {set}"));
            let known = &self.world.catalogue.manifests[set];
            let text = manifests::read(&self.world.cache()?, set, known).await?;
            let wanted = manifests::documents(&text).into_iter();
            let wanted = wanted.filter(|document| definitions.want(document.text));
            let defined = wanted.map(|document| cluster.define(document.name, document.text));
            futures::future::try_join_all(defined).await?;
        }
        if addon.name == storage::NAME {
            cluster.apply_all(&self.storage_objects().await?).await?;
            demote_kind_class(cluster).await?;
        } else {
            cluster.apply_all(&addon.objects).await?;
        }
        Ok(before)
    }

    async fn addon_ready(
        &self,
        cluster: &Cluster,
        addon: &Addon,
        events: &StepEvents,
    ) -> Result<()> {
        let workloads = addon.workloads();
        if !workloads.is_empty() {
            self.workloads_ready(cluster, addon.name, &workloads, events).await?;
        }
        let wanted = node_count(&self.settings.profile.value);
        let what = format!("{} to do its work", addon.name);
        let pause = PROBE_PAUSE;
        match &addon.probe {
            Probe::None => Ok(()),
            Probe::Create(object) => {
                events.progress("waiting for its webhook");
                ready::retry_each(&what, Kind::Cluster, PROBE_DEADLINE, pause, || async {
                    cluster.try_apply(object).await.map_err(|error| error.full())
                })
                .await
            }
            Probe::NodeMetrics => {
                events.progress("waiting for the first metrics");
                let path = "/apis/metrics.k8s.io/v1beta1/nodes";
                ready::retry_each(&what, Kind::Cluster, PROBE_DEADLINE, pause, || async {
                    let found = cluster.raw(path).await.map_err(|error| error.full())?;
                    let count = found["items"].as_array().map_or(0, Vec::len);
                    if count >= wanted { Ok(()) } else { Err(format!("{count} of {wanted} nodes")) }
                })
                .await
            }
        }
    }

    async fn workloads_ready(
        &self,
        cluster: &Cluster,
        name: &str,
        workloads: &[crate::app::Workload],
        events: &StepEvents,
    ) -> Result<()> {
        let namespaces: BTreeSet<&str> = workloads.iter().map(|w| w.namespace.as_str()).collect();
        let mut changes = Vec::new();
        let watches: Vec<Watches> =
            namespaces.iter().map(|ns| Watches::start(cluster, ns, &mut changes)).collect();
        let (nodes, joining) = ready::watch::<Node>(cluster.all(), watcher::Config::default());
        changes.push(joining);
        let wanted = node_count(&self.settings.profile.value);
        // A pod that was unready for long may be one that this very `up` has put right.
        let not_before = Some(jiff::Timestamp::now());
        let limits = Limits { unready_after: DEADLINE, not_before, looking_since: None };
        let mut persistence = blame::Persistence::default();
        let look = || {
            let mut parts = Parts::default();
            for watch in &watches {
                parts.add(watch.parts());
            }
            parts.keep(workloads);
            let missing = workloads.len().saturating_sub(parts.count());
            if missing > 0 {
                return Look::Waiting(format!("{missing} workload(s) to appear"));
            }
            let snapshot = parts.snapshot(ready_nodes(&nodes.state()) >= wanted);
            persistence.look(cause::judge(&snapshot, &limits, jiff::Timestamp::now()))
        };
        let progress = |text: &str| events.progress(text);
        match ready::until(name, Kind::Cluster, DEADLINE, changes, look, progress).await? {
            None => Ok(()),
            Some(cause) => {
                let what = format!("{name} did not start");
                Err(blame::told(cluster, Kind::Cluster, &what, &cause).await)
            }
        }
    }

    /// Deletes what an addon consisted of; namespaces stay, as others may be in them.
    pub(super) async fn remove_addon(&self, name: &str, events: &StepEvents) -> Result<String> {
        let cluster = self.cluster().await?;
        if name == s3::NAME {
            self.name_services(&cluster, &[], events).await?;
        }
        let stamp = self.with_record(|record| record.addons.get(name).cloned())?;
        let objects = stamp.unwrap_or_default().objects;
        for object in objects.iter().rev() {
            cluster.delete_labelled(object, (ADDON_LABEL, name)).await?;
        }
        self.change_record(|record| {
            record.addons.remove(name);
        })?;
        Ok(format!("{} object(s)", objects.len()))
    }
}

/// What may be deleted again.
fn references(addon: &Addon) -> Vec<ObjectRef> {
    let objects = addon.objects.iter().chain(&addon.last);
    // Others may be in a namespace, and with a definition everything of its kind would go.
    let kept = ["Namespace", "CustomResourceDefinition"];
    objects.filter(|object| !kept.contains(&object.kind())).map(Object::reference).collect()
}

fn stamp(hash: String, objects: Vec<ObjectRef>, addon: &Addon) -> AddonStamp {
    let manifests =
        addon.definitions.iter().map(|definitions| definitions.set.to_owned()).collect();
    AddonStamp { hash, objects, manifests }
}
