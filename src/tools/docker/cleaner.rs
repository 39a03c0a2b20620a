//! A container that lives for one moment, to remove files that this user may not.
//!
//! Owns making it, waiting for it and removing it. It sees one folder and no network.

use std::path::Path;
use std::time::Duration;

use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, InspectContainerOptions, RemoveContainerOptionsBuilder,
    StartContainerOptions, WaitContainerOptions,
};
use futures::StreamExt;

use super::{CHANGE, Docker, LOOK, absent};
use crate::error::{Error, Kind, Result};

/// How long removing files may take.
const REMOVE: Duration = Duration::from_secs(120);
/// Where the container sees the folder.
const INSIDE: &str = "/volumes";

/// The container to do it in.
#[derive(Debug, Clone)]
pub struct Cleaner<'a> {
    /// Its name.
    pub name: String,
    /// An image with `find`.
    pub image: &'a str,
    /// Labels that tell whose it is.
    pub labels: Vec<(String, String)>,
}

impl Docker {
    /// Removes everything in a folder of this machine, whoever it belongs to. The folder stays.
    ///
    /// # Errors
    /// [`Kind::Machine`] when the engine refuses, or a container of that name is there.
    pub async fn empty_folder(&self, cleaner: &Cleaner<'_>, folder: &Path) -> Result<()> {
        let body = ContainerCreateBody {
            image: Some(cleaner.image.to_owned()),
            labels: Some(cleaner.labels.iter().cloned().collect()),
            entrypoint: Some(vec!["find".to_owned()]),
            cmd: Some([INSIDE, "-mindepth", "1", "-delete"].map(str::to_owned).to_vec()),
            user: Some("0".to_owned()),
            host_config: Some(HostConfig {
                binds: Some(vec![format!("{}:{INSIDE}", folder.display())]),
                network_mode: Some("none".to_owned()),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let what = format!("empty `{}`", folder.display());
        let options = CreateContainerOptionsBuilder::default().name(&cleaner.name).build();
        let create = self.client.create_container(Some(options), body);
        let id = self.call(&what, CHANGE, create).await?.id;
        let work = async {
            self.client.start_container(&id, None::<StartContainerOptions>).await?;
            let mut end = self.client.wait_container(&id, None::<WaitContainerOptions>);
            // A code other than 0 is an error of the stream.
            end.next().await.transpose().map(|_| ())
        };
        let worked = self.call(&what, REMOVE, work).await;
        self.remove_cleaner(cleaner).await?;
        worked
    }

    /// Removes the container, also one that a killed command left. None there is no failure.
    ///
    /// # Errors
    /// [`Kind::Machine`] when the engine refuses, [`Kind::Refused`] when a container of that name
    /// is not ours.
    pub async fn remove_cleaner(&self, cleaner: &Cleaner<'_>) -> Result<()> {
        let name = &cleaner.name;
        let inspect = self.client.inspect_container(name, None::<InspectContainerOptions>);
        let found =
            self.call("look for a container", LOOK, async { absent(inspect.await) }).await?;
        let Some(found) = found else { return Ok(()) };
        let labels = found.config.and_then(|config| config.labels).unwrap_or_default();
        // The random id of the sandbox may be lost with its record; its name and folder are not.
        let mut owner = cleaner.labels.iter().filter(|(_, value)| !value.is_empty());
        if !owner.all(|(key, value)| labels.get(key) == Some(value)) {
            return Err(Error::new(
                Kind::Refused,
                format!("a container `{name}` exists and is not ours; nothing was touched"),
            ));
        }
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        let remove =
            async { absent(self.client.remove_container(name, Some(options)).await).map(|_| ()) };
        self.call("remove a container", CHANGE, remove).await
    }
}
