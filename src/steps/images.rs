//! Steps that pull, build and bring images to nodes.
//!
//! Owns which images go to which nodes.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Cx;
use crate::error::{Error, Kind, Result};
use crate::observe::build_request;
use crate::plan::kind_config::node_count;
use crate::report::event::StepEvents;
use crate::settings::file::Mirror;
use crate::state::{BuildStamp, LoadedImage, ProgramStamp};
use crate::tools::docker::{NodeState, Pull, split_tag};
use crate::tools::oci::{self, full_name};
use crate::tools::program::{self, Program};
use crate::tools::ready;

/// How long nodes may take until their container runtime answers.
const RUNTIME_DEADLINE: Duration = Duration::from_secs(240);
/// How old an image of another build of this program must be to be removed: longer than any
/// command takes that could still want to send it.
const PROGRAM_AGE: Duration = Duration::from_secs(3600);

/// Images, as reference and id in the engine, that some nodes lack, and those nodes.
type Lacking<'i> = (Vec<&'i (&'i str, String)>, Vec<String>);

/// Which nodes an image is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nodes {
    /// All of them.
    All,
    /// The one that carries the addons.
    Addons,
}

impl Cx<'_> {
    pub(super) async fn pull_image(&self, name: &str, events: &StepEvents) -> Result<String> {
        let image = self.world.catalogue.image(name);
        let (pull, mirror) =
            pull_of(&self.settings.mirrors, &image.reference, image.digest.as_deref());
        let pulled = self.docker.pull(&pull, &image.reference, |text| events.progress(text)).await;
        pulled.map_err(|error| {
            error
                .hint(format!("build it from packages instead: images/build {name}"))
                .hint("or name a mirror in sandbox.yaml: registry-mirrors:")
        })?;
        Ok(mirror.map_or_else(String::new, |mirror| format!("from {}", mirror.to)))
    }

    /// Makes an image of this program, unless the engine has it.
    pub(super) async fn pack_program(&self) -> Result<String> {
        let program = Program::running(&self.world.cache()?)?;
        let reference = program.reference();
        if self.docker.image(&reference).await?.is_some() {
            return Ok("unchanged".to_owned());
        }
        program::runs_on(&self.facts()?.engine.architecture)?;
        let entrypoint = serde_json::json!(program.entrypoint());
        let changes = vec![
            format!("ENTRYPOINT {entrypoint}"),
            format!("LABEL {}=true", program::LABEL),
            "USER 65532:65532".to_owned(),
        ];
        self.docker.import(&reference, program.layer(), changes).await?;
        self.docker.remove_others(program::LABEL, &reference, PROGRAM_AGE).await?;
        Ok(String::new())
    }

    /// Brings the image of this program to all nodes.
    pub(super) async fn load_program(
        &self,
        reference: &String,
        events: &StepEvents,
    ) -> Result<String> {
        let sent = self.load_images(std::slice::from_ref(reference), Nodes::All, events).await?;
        let command = Program::running(&self.world.cache()?)?.entrypoint();
        let stamp = ProgramStamp { image: reference.clone(), command };
        self.change_record(|record| record.program = Some(stamp))?;
        Ok(sent)
    }

    pub(super) async fn build_image(&self, index: usize, events: &StepEvents) -> Result<String> {
        let entry = &self.settings.images[index];
        let facts = &self.facts()?.images;
        let fact =
            facts.iter().find(|fact| fact.reference == entry.reference).ok_or_else(|| {
                Error::new(Kind::Unexpected, format!("`{}` was not looked at", entry.reference))
            })?;
        let (Some(build), Some(input)) = (&entry.build, &fact.input) else {
            return Err(Error::new(Kind::Unexpected, "an image without `build:` was to be built"));
        };
        let request = build_request(self.settings, &entry.reference, build);
        let id = self.docker.build(&request, |title| events.progress(title)).await?;
        let stamp = BuildStamp { input: input.clone(), image: id.clone() };
        // A fresh cluster's record may not be there yet: then the next `up` builds again, which
        // the engine's cache makes cheap.
        self.remember_build(&entry.reference, stamp).await?;
        let same = fact.engine.as_ref().is_some_and(|image| image.id == id);
        Ok(if same { "unchanged".to_owned() } else { String::new() })
    }

    async fn remember_build(&self, reference: &str, stamp: BuildStamp) -> Result<()> {
        let there = ready::retry("the record", Kind::Cluster, RUNTIME_DEADLINE, || async {
            self.with_record(|_| ()).map_err(|error| error.to_string())
        });
        there.await?;
        self.change_record(|record| {
            record.builds.insert(reference.to_owned(), stamp);
        })
    }

    /// Brings images to the nodes that lack them, as soon as their container runtimes answer,
    /// which is long before Kubernetes does.
    pub(super) async fn load_images(
        &self,
        references: &[String],
        which: Nodes,
        events: &StepEvents,
    ) -> Result<String> {
        let mut images = Vec::new();
        for reference in references {
            let image = self.docker.image(reference).await?.ok_or_else(|| {
                let message = format!("image `{reference}` is not in the Docker engine");
                Error::new(Kind::Machine, message)
            })?;
            images.push((reference.as_str(), image.id));
        }
        let nodes = self.nodes_with_runtime(which, events).await?;
        // Before it is our turn, as what is there already need not wait for what is being sent.
        if self.lacking(&images, &nodes).await?.is_none() {
            return Ok("already there".to_owned());
        }
        let _turn = self.transfer.lock().await;
        let Some((missing, lacking)) = self.lacking(&images, &nodes).await? else {
            return Ok("already there".to_owned());
        };
        let names: Vec<&str> = missing.iter().map(|(reference, _)| *reference).collect();
        let progress = |text| events.progress(text);
        let sent = oci::transfer(&self.docker, &names, &lacking, progress).await?;
        let there = oci::node_images(&self.docker, &lacking[0]).await?;
        for (reference, id) in missing {
            if let Some(node) = there.get(&full_name(reference)).filter(|node| *node != id).cloned()
            {
                let loaded = LoadedImage { engine: id.clone(), node };
                self.change_record(|record| {
                    record.loaded.insert((*reference).to_owned(), loaded);
                })?;
            }
        }
        let bytes: u64 = sent.iter().map(|sent| sent.bytes).sum();
        let had: u64 = sent.iter().map(|sent| sent.had).sum();
        Ok(format!(
            "sent {} to {} node(s), {} were there",
            in_units(bytes),
            sent.len(),
            in_units(had)
        ))
    }

    /// Which of these images are not on all of these nodes, and the nodes that lack one; `None` =
    /// all are everywhere.
    async fn lacking<'i>(
        &self,
        images: &'i [(&'i str, String)],
        nodes: &[String],
    ) -> Result<Option<Lacking<'i>>> {
        let there = nodes.iter().map(|node| oci::node_images(&self.docker, node));
        let there = futures::future::try_join_all(there).await?;
        let mut missing = Vec::new();
        let mut lacking = BTreeSet::new();
        for image in images {
            let (reference, id) = image;
            let wanted = self.with_record(|record| record.node_id(reference, id).to_owned())?;
            let name = full_name(reference);
            let pairs = nodes.iter().zip(&there);
            let without: Vec<String> = pairs
                .filter(|(_, has)| has.get(&name) != Some(&wanted))
                .map(|(node, _)| node.clone())
                .collect();
            if !without.is_empty() {
                missing.push(image);
                lacking.extend(without);
            }
        }
        Ok((!missing.is_empty()).then(|| (missing, lacking.into_iter().collect())))
    }

    /// Waits until the wanted nodes run and their container runtimes answer.
    async fn nodes_with_runtime(&self, which: Nodes, events: &StepEvents) -> Result<Vec<String>> {
        let cluster = self.settings.name.value.cluster();
        let wanted = match which {
            Nodes::Addons => 1,
            Nodes::All => node_count(&self.settings.profile.value),
        };
        events.progress("waiting for the nodes' container runtime");
        let nodes = ready::retry("the nodes", Kind::Cluster, RUNTIME_DEADLINE, || async {
            let mut nodes = self.docker.nodes(&cluster).await.map_err(|error| error.to_string())?;
            nodes.retain(|node| node.state == NodeState::Running);
            nodes.retain(|node| which == Nodes::All || node.role == "control-plane");
            let found = nodes.len();
            (found == wanted).then_some(nodes).ok_or(format!("{found} of {wanted} run"))
        })
        .await?;
        let answers = nodes.iter().map(|node| {
            let what = format!("the container runtime of `{}`", node.name);
            async move {
                ready::retry(&what, Kind::Cluster, RUNTIME_DEADLINE, || async {
                    let command = ["ctr", "-n", "k8s.io", "version"];
                    let answer = self.docker.exec(&node.name, &command).await;
                    answer.map(|_| ()).map_err(|error| error.to_string())
                })
                .await
            }
        });
        futures::future::try_join_all(answers).await?;
        Ok(nodes.into_iter().map(|node| node.name).collect())
    }
}

/// Where an image is pulled from, and through which mirror.
fn pull_of<'m>(
    mirrors: &'m std::collections::BTreeMap<String, Mirror>,
    reference: &str,
    digest: Option<&str>,
) -> (Pull, Option<&'m Mirror>) {
    let full = full_name(reference);
    let (repository, tag) = split_tag(&full);
    let (registry, path) = repository.split_once('/').unwrap_or(("", repository));
    let mirror = mirrors.get(registry);
    let own_digests = mirror.is_some_and(|mirror| mirror.own_digests);
    let repository = match mirror {
        Some(mirror) => format!("{}/{path}", mirror.to.trim_end_matches('/')),
        None => repository.to_owned(),
    };
    let digest = digest.filter(|_| !own_digests).map(str::to_owned);
    (Pull { repository, tag: tag.to_owned(), digest }, mirror)
}

/// Bytes for people, in decimal units.
pub(crate) fn in_units(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
    let value = bytes as f64;
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", value / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", value / 1e6),
        _ => format!("{:.1} GB", value / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_mirror_replaces_the_registry_and_keeps_the_pinned_digest() {
        let mirror = Mirror { to: "mirror.example.com:5000/hub/".into(), own_digests: false };
        let mirrors = BTreeMap::from([("docker.io".to_owned(), mirror)]);
        let (pull, _) = pull_of(&mirrors, "docker.io/kindest/node:v1.34.3", Some("sha256:1"));
        assert_eq!(pull.repository, "mirror.example.com:5000/hub/kindest/node");
        assert_eq!((pull.tag.as_str(), pull.digest.as_deref()), ("v1.34.3", Some("sha256:1")));
        let (pull, mirror) = pull_of(&mirrors, "registry.k8s.io/x/y:v1", None);
        assert_eq!(pull.repository, "registry.k8s.io/x/y");
        assert!(mirror.is_none());
    }

    #[test]
    fn a_mirror_of_own_builds_is_taken_by_tag() {
        let mirror = Mirror { to: "127.0.0.1:5000".into(), own_digests: true };
        let mirrors = BTreeMap::from([("docker.io".to_owned(), mirror)]);
        let (pull, _) = pull_of(&mirrors, "debian:trixie-slim", Some("sha256:1"));
        assert_eq!(pull.repository, "127.0.0.1:5000/library/debian");
        assert_eq!(pull.digest, None);
    }

    #[test]
    fn bytes_are_told_in_units() {
        assert_eq!(in_units(512), "512 B");
        assert_eq!(in_units(20_480), "20.5 kB");
        assert_eq!(in_units(144_000_000), "144.0 MB");
    }
}
