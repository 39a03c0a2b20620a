//! Images in the engine: look, pull, import, tag, export, tidy.
//!
//! Owns the engine's image calls. Must not know about nodes.

use std::collections::HashMap;
use std::time::Duration;

use bollard::query_parameters::{
    CreateImageOptionsBuilder, ListImagesOptionsBuilder, RemoveImageOptionsBuilder,
    TagImageOptionsBuilder,
};
use bytes::Bytes;
use futures::{Stream, StreamExt};

use super::{CHANGE, Docker, LOOK, absent};
use crate::error::{Context, Error, Kind, Result};

/// A pull without any progress for this long has failed.
const PULL_SILENCE: Duration = Duration::from_secs(60);
/// How long importing one layer of some hundred megabytes may take.
const IMPORT: Duration = Duration::from_secs(180);

/// What the engine knows of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageInfo {
    /// Digest of its configuration (or of its manifest, under Docker's containerd store).
    pub id: String,
    /// Architecture in Go's words, such as `amd64`.
    pub architecture: String,
    /// Size in bytes.
    pub size: i64,
    /// Labels.
    pub labels: HashMap<String, String>,
    /// `name@sha256:…` under which registries know it.
    pub repo_digests: Vec<String>,
}

/// Where to pull from, and what must come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pull {
    /// Name without tag, such as `mirror.example.com/library/debian`.
    pub repository: String,
    /// Tag.
    pub tag: String,
    /// Digest that must come; absent = whatever the tag is.
    pub digest: Option<String>,
}

impl Docker {
    /// Looks at one image; absent when the engine has none of that name.
    ///
    /// # Errors
    /// [`Kind::Machine`] when the engine does not answer.
    pub async fn image(&self, reference: &str) -> Result<Option<ImageInfo>> {
        let call = async { absent(self.client.inspect_image(reference).await) };
        let found = self.call(&format!("inspect image `{reference}`"), LOOK, call).await?;
        Ok(found.map(|image| ImageInfo {
            id: image.id.unwrap_or_default(),
            architecture: image.architecture.unwrap_or_default(),
            size: image.size.unwrap_or_default(),
            labels: image.config.and_then(|config| config.labels).unwrap_or_default(),
            repo_digests: image.repo_digests.unwrap_or_default(),
        }))
    }

    /// Pulls an image and gives it the name `reference`. The engine checks every digest.
    ///
    /// # Errors
    /// [`Kind::Machine`] when the registry does not have it or goes silent.
    pub async fn pull(
        &self,
        pull: &Pull,
        reference: &str,
        mut progress: impl FnMut(String),
    ) -> Result<()> {
        let version = pull.digest.as_deref().unwrap_or(&pull.tag);
        let joint = if pull.digest.is_some() { "@" } else { ":" };
        let source = format!("{}{joint}{version}", pull.repository);
        let failed = |why: String| {
            Error::new(Kind::Machine, format!("could not pull `{source}`"))
                .because(Error::new(Kind::Machine, why))
        };
        let options =
            CreateImageOptionsBuilder::default().from_image(&pull.repository).tag(version).build();
        let mut stream = self.client.create_image(Some(options), None, None);
        loop {
            let next = tokio::time::timeout(PULL_SILENCE, stream.next())
                .await
                .map_err(|_| failed(format!("no progress for {}s", PULL_SILENCE.as_secs())))?;
            let Some(item) = next else { break };
            let item = item.map_err(|error| failed(error.to_string()))?;
            if let Some(detail) = item.error_detail {
                return Err(failed(detail.message.unwrap_or_default()));
            }
            if let (Some(status), Some(id)) = (item.status, item.id) {
                progress(format!("{id} {}", status.to_lowercase()));
            }
        }
        if source != reference {
            self.tag(&source, reference).await?;
        }
        Ok(())
    }

    /// Makes an image of one layer. `changes` are lines of a Dockerfile that need no file, such as
    /// `ENTRYPOINT ["/x"]`.
    ///
    /// # Errors
    /// [`Kind::Machine`] when the engine does not take it.
    pub async fn import(
        &self,
        reference: &str,
        layer: tokio::sync::mpsc::Receiver<Bytes>,
        changes: Vec<String>,
    ) -> Result<()> {
        let (repository, tag) = split_tag(reference);
        let options = CreateImageOptionsBuilder::default()
            .from_src("-")
            .repo(repository)
            .tag(tag)
            .changes(changes)
            .build();
        let pieces = futures::stream::unfold(layer, |mut layer| async {
            layer.recv().await.map(|piece| (piece, layer))
        });
        let body = bollard::body_stream(pieces);
        let imported = async {
            let mut told = self.client.create_image(Some(options), Some(body), None);
            while let Some(item) = told.next().await {
                item?;
            }
            Ok(())
        };
        self.call(&format!("import image `{reference}`"), IMPORT, imported).await
    }

    /// Removes the images of a label but the one of that reference, unless they are in use or
    /// younger than `age`: another command may be about to use those.
    ///
    /// # Errors
    /// [`Kind::Machine`] when the engine does not answer.
    pub async fn remove_others(&self, label: &str, reference: &str, age: Duration) -> Result<()> {
        let filters = HashMap::from([("label", vec![label.to_owned()])]);
        let options = ListImagesOptionsBuilder::default().filters(&filters).build();
        let images = self.call("list images", LOOK, self.client.list_images(Some(options))).await?;
        let kept = short_name(reference);
        let oldest = jiff::Timestamp::now().as_second() - i64::try_from(age.as_secs()).unwrap_or(0);
        let old = images.into_iter().filter(|image| image.created < oldest);
        let others = old.flat_map(|image| image.repo_tags);
        for name in others.filter(|name| short_name(name) != kept) {
            let options = RemoveImageOptionsBuilder::default().build();
            // One that is in use stays.
            let _ = self.client.remove_image(&name, Some(options), None).await;
        }
        Ok(())
    }

    /// Gives an image another name.
    ///
    /// # Errors
    /// [`Kind::Machine`] when there is no such image.
    pub async fn tag(&self, image: &str, reference: &str) -> Result<()> {
        let (repository, tag) = split_tag(reference);
        let options = TagImageOptionsBuilder::default().repo(repository).tag(tag).build();
        let what = format!("tag `{image}` as `{reference}`");
        self.call(&what, CHANGE, self.client.tag_image(image, Some(options))).await
    }

    /// The images as one tar stream: an OCI layout (Docker 25 and newer).
    pub fn export(&self, references: &[&str]) -> impl Stream<Item = Result<Bytes>> + use<> {
        let shown = references.join(", ");
        self.client.export_images(references).map(move |chunk| {
            chunk.context(Kind::Machine, || format!("docker failed to export {shown}"))
        })
    }

    /// Removes images that lost their name and carry the label `label=value`; returns how many.
    ///
    /// # Errors
    /// [`Kind::Machine`] when the engine does not answer. An image still in use is left.
    pub async fn remove_dangling(&self, label: &str, value: &str) -> Result<usize> {
        let filters = HashMap::from([
            ("dangling", vec!["true".to_owned()]),
            ("label", vec![format!("{label}={value}")]),
        ]);
        let options = ListImagesOptionsBuilder::default().filters(&filters).build();
        let images = self.call("list images", LOOK, self.client.list_images(Some(options))).await?;
        let mut removed = 0;
        for image in images {
            let options = RemoveImageOptionsBuilder::default().build();
            removed +=
                usize::from(self.client.remove_image(&image.id, Some(options), None).await.is_ok());
        }
        Ok(removed)
    }
}

/// The name as the engine lists it: without the registry that is meant when none is named.
fn short_name(reference: &str) -> &str {
    let short = reference.strip_prefix("docker.io/").unwrap_or(reference);
    short.strip_prefix("library/").unwrap_or(short)
}

/// Splits `host:5000/name:tag`; no tag means `latest`.
#[must_use]
pub fn split_tag(reference: &str) -> (&str, &str) {
    match reference.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, tag),
        _ => (reference, "latest"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_no_tag() {
        assert_eq!(split_tag("debian:trixie-slim"), ("debian", "trixie-slim"));
        assert_eq!(split_tag("localhost:5000/x/y"), ("localhost:5000/x/y", "latest"));
        assert_eq!(split_tag("localhost:5000/x:1"), ("localhost:5000/x", "1"));
    }
}
