//! Steps that take a sandbox down, and the proof that nothing is left.
//!
//! Owns removal. What may be removed was decided by `owner` and the plan.

use super::{Cx, Observed};
use crate::error::{Error, Kind, Result};
use crate::owner::{self, NAME_LABEL};
use crate::state::{Phase, Place};
use crate::tools::docker::{Cleaner, Docker};

impl Cx<'_> {
    pub(super) async fn remove_nodes(&self) -> Result<String> {
        let Observed::Down { nodes, .. } = self.observed else {
            return Err(Error::new(Kind::Unexpected, "a step of `down` ran in a plan of `up`"));
        };
        // The intent first: a kill from here on is finished by the next `up` or `down`.
        if self.with_record(|_| ()).is_ok() {
            self.change_record(|record| record.phase = Phase::Removing)?;
        }
        let removals = nodes.iter().map(|node| self.docker.remove_node(node));
        let failures: Vec<Error> =
            futures::future::join_all(removals).await.into_iter().filter_map(Result::err).collect();
        match failures.into_iter().next() {
            Some(error) => Err(error),
            None => Ok(String::new()),
        }
    }

    /// Removes what pods stored. It belongs to whoever they ran as, so another user than root needs
    /// the engine's help for it.
    pub(super) async fn remove_volumes(&self) -> Result<String> {
        let folder = self.place.volumes();
        if !folder.exists() {
            return Ok(String::new());
        }
        let name = &self.settings.name.value;
        let state = self.place.root().display().to_string();
        let instance = self.with_record(|record| record.instance.clone()).unwrap_or_default();
        let cleaner = Cleaner {
            name: format!("{}-cleaner", name.cluster()),
            image: &self.world.catalogue.image("node").reference,
            labels: owner::labels(name, &instance, &state),
        };
        // One that an earlier command left when it was killed.
        self.docker.remove_cleaner(&cleaner).await?;
        if self.place.remove_volumes()? {
            return Ok(String::new());
        }
        let cure = format!("sudo rm -rf {}", folder.display());
        self.docker.empty_folder(&cleaner, &folder).await.map_err(|error| error.hint(cure))?;
        if self.place.remove_volumes()? {
            return Ok("with the engine's help".to_owned());
        }
        let message = format!("`{}` cannot be removed", folder.display());
        Err(Error::new(Kind::Leftovers, message))
    }

    pub(super) async fn remove_network(&self) -> Result<String> {
        if let Observed::Down { network: Some(network), .. } = self.observed {
            self.docker.remove_network(network).await?;
        }
        Ok(String::new())
    }

    pub(super) async fn remove_old_builds(&self) -> Result<String> {
        let name = self.settings.name.value.as_str();
        let removed = self.docker.remove_dangling(NAME_LABEL, name).await?;
        Ok(if removed == 0 { "none".to_owned() } else { format!("{removed} image(s)") })
    }

    pub(super) fn remove_state(&self) -> Result<String> {
        self.place.remove()?;
        Ok(String::new())
    }
}

/// Looks again and lists everything of this sandbox that still exists.
///
/// # Errors
/// [`Kind::Machine`] when the engine does not answer.
pub async fn leftovers(docker: &Docker, place: &Place, volumes: &[String]) -> Result<Vec<String>> {
    let name = place.name();
    let (cluster, network) = (name.cluster(), name.network());
    let (nodes, network, volumes) = tokio::try_join!(
        docker.nodes(&cluster),
        docker.network(&network),
        docker.existing_volumes(volumes)
    )?;
    let mut left: Vec<String> =
        nodes.into_iter().map(|node| format!("container {}", node.name)).collect();
    left.extend(network.map(|network| format!("network {}", network.name)));
    left.extend(volumes.into_iter().map(|volume| format!("volume {volume}")));
    if place.dir().exists() {
        left.push(format!("folder {}", place.dir().display()));
    }
    Ok(left)
}
