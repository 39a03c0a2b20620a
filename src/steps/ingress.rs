//! Steps of the ingress controller.
//!
//! Owns applying it and waiting for it; what it consists of is in `addons`.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Event, Node, Pod};
use kube::runtime::watcher;

use super::Cx;
use super::app::blame;
use crate::addons::{self, ingress_nginx};
use crate::app::Parts;
use crate::app::cause::{self, Limits};
use crate::error::{Error, Kind, Result};
use crate::observe::ready_nodes;
use crate::plan::kind_config::node_count;
use crate::report::event::StepEvents;
use crate::settings::file::IngressNginx;
use crate::tools::kube::Object;
use crate::tools::ready::{self, Look};

/// How long the controller may take.
const DEADLINE: Duration = Duration::from_secs(180);

impl Cx<'_> {
    pub(super) async fn install_ingress(&self) -> Result<String> {
        let cluster = self.cluster().await?;
        let objects = self.ingress_objects()?;
        cluster.apply_all(&objects).await?;
        let hash = addons::hash(&objects);
        self.change_record(|record| {
            record.addons.insert(ingress_nginx::NAME.to_owned(), hash);
        })?;
        Ok(String::new())
    }

    fn ingress_objects(&self) -> Result<Vec<Object>> {
        let options: &IngressNginx =
            self.settings.addons.ingress_nginx.options().ok_or_else(|| {
                Error::new(Kind::Unexpected, "ingress-nginx is off, yet it was to be installed")
            })?;
        let image = options
            .image
            .as_ref()
            .unwrap_or(&self.world.catalogue.image("ingress-nginx").reference);
        Ok(ingress_nginx::objects(options, image))
    }

    pub(super) async fn ingress_ready(&self, events: &StepEvents) -> Result<String> {
        let cluster = self.cluster().await?;
        let namespace = ingress_nginx::NAME;
        let config = watcher::Config::default;
        let (deployments, one) =
            ready::watch::<Deployment>(cluster.namespaced(namespace), config());
        let (pods, two) = ready::watch::<Pod>(cluster.namespaced(namespace), config());
        let (happened, three) = ready::watch::<Event>(cluster.namespaced(namespace), config());
        let (nodes, four) = ready::watch::<Node>(cluster.all(), config());
        let wanted = node_count(&self.settings.profile.value);
        let limits = Limits { unready_after: DEADLINE };
        let mut persistence = blame::Persistence::default();
        let look = || {
            let deployments = owned(deployments.state());
            if deployments.is_empty() {
                return Look::Waiting("its deployment".to_owned());
            }
            let parts = Parts {
                deployments,
                pods: owned(pods.state()),
                events: owned(happened.state()),
                ..Parts::default()
            };
            let ready = ready_nodes(&nodes.state());
            let snapshot = parts.snapshot(ready >= wanted);
            persistence.look(cause::judge(&snapshot, &limits, jiff::Timestamp::now()))
        };
        let progress = |text: &str| events.progress(text);
        let changes = vec![one, two, three, four];
        let ended =
            ready::until("ingress-nginx", Kind::Cluster, DEADLINE, changes, look, progress).await?;
        match ended {
            None => Ok(String::new()),
            Some(cause) => {
                let what = "ingress-nginx did not start";
                Err(blame::told(&cluster, Kind::Cluster, what, &cause).await)
            }
        }
    }
}

/// The objects of a store as a list.
pub(super) fn owned<K: Clone>(state: Vec<Arc<K>>) -> Vec<K> {
    state.into_iter().map(Arc::unwrap_or_clone).collect()
}
