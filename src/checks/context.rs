//! What all checks of one run share: the target and one client of the cluster.
//!
//! Owns connecting once, when a check needs it. Must not know the kinds.

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Secret};
use tokio::sync::OnceCell;
use tokio::time::Instant;

use crate::checks::{NAMESPACE, Target, telemetry, text};
use crate::tools::kube::Cluster;
use crate::tools::pod;
use crate::tools::telemetry::Telemetry;

/// One run of checks.
pub(super) struct Context<'a> {
    /// The sandbox.
    pub(super) target: &'a Target,
    cluster: OnceCell<Cluster>,
    swept: OnceCell<()>,
    telemetry_start: OnceCell<Start>,
}

/// Where new telemetry begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Start {
    /// The number of the last item before it.
    pub(super) seq: u64,
    /// When it was asked for.
    pub(super) at: Instant,
}

impl<'a> Context<'a> {
    /// Begins a run; nothing is connected yet.
    pub(super) fn new(target: &'a Target) -> Self {
        Self {
            target,
            cluster: OnceCell::new(),
            swept: OnceCell::new(),
            telemetry_start: OnceCell::new(),
        }
    }

    /// How far the telemetry was when the checks began.
    pub(super) async fn telemetry_start(&self, client: &Telemetry) -> Result<Start, String> {
        self.telemetry_start.get_or_try_init(|| telemetry::now(client)).await.copied()
    }

    /// The cluster, to look at.
    pub(super) async fn cluster(&self) -> Result<&Cluster, String> {
        let path = self.target.kubeconfig.as_ref().ok_or("this sandbox has no kubeconfig")?;
        let open = || async { Cluster::open(path).await.map_err(|error| text::told(&error)) };
        self.cluster.get_or_try_init(open).await
    }

    /// The cluster, to make something in: what killed runs left there is removed first.
    pub(super) async fn workshop(&self) -> Result<&Cluster, String> {
        let cluster = self.cluster().await?;
        let sweep = || async {
            pod::sweep::<Pod>(cluster, &cluster.namespaced(NAMESPACE)).await;
            pod::sweep::<Secret>(cluster, &cluster.namespaced(NAMESPACE)).await;
            pod::sweep::<PersistentVolumeClaim>(cluster, &cluster.namespaced(NAMESPACE)).await;
        };
        self.swept.get_or_init(sweep).await;
        Ok(cluster)
    }
}
