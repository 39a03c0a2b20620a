//! Sends images to nodes, layer by layer: only blobs that a node lacks travel.
//!
//! Owns the transfer: one export from the engine is read once and handed to all nodes at the same
//! time, without a file on disk. What goes over is an OCI layout, whose importer takes blobs that
//! are not in the archive from the node's content store; the older `docker save` layout, which
//! insists on all layers, is left out. Must not decide which image goes where.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use bytes::Bytes;
use futures::TryStreamExt;
use serde::Deserialize;
use tokio::sync::mpsc::{Sender, channel};
use tokio_util::io::{StreamReader, SyncIoBridge};

use crate::error::{Context, Error, Kind, Result};
use crate::tools::docker::Docker;

/// Size of the pieces in which a blob travels.
const PIECE: usize = 256 * 1024;
/// Pieces in flight for each node: the slowest node sets the pace, and memory stays small.
const IN_FLIGHT: usize = 8;
/// containerd's namespace for Kubernetes.
const NAMESPACE: &str = "k8s.io";

/// What one node got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The node.
    pub node: String,
    /// Bytes of blobs that were sent.
    pub bytes: u64,
    /// Bytes of blobs that the node had already.
    pub had: u64,
}

/// The images of a node: full name → digest of the image's configuration.
///
/// # Errors
/// [`Kind::Cluster`] when the node's container runtime does not answer.
pub async fn node_images(docker: &Docker, node: &str) -> Result<BTreeMap<String, String>> {
    let json = docker.exec(node, &["crictl", "images", "-o", "json"]).await?;
    parse_images(&json)
        .context(Kind::Cluster, || format!("`crictl images` in `{node}` gave no list"))
}

fn parse_images(json: &str) -> Result<BTreeMap<String, String>, serde_json::Error> {
    #[derive(Deserialize)]
    struct List {
        #[serde(default)]
        images: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        id: String,
        #[serde(rename = "repoTags", alias = "repo_tags", default)]
        tags: Vec<String>,
    }
    let list: List = serde_json::from_str(json)?;
    let named = list.images.into_iter().flat_map(|image| {
        let id = image.id;
        image.tags.into_iter().map(move |tag| (tag, id.clone()))
    });
    Ok(named.collect())
}

/// The full name of an image, as nodes know it: `hello:dev` is `docker.io/library/hello:dev`.
#[must_use]
pub fn full_name(reference: &str) -> String {
    let (first, rest) = reference.split_once('/').unwrap_or(("", reference));
    let is_host = first.contains(['.', ':']) || first == "localhost";
    let named = match (first, is_host) {
        (_, true) => reference.to_owned(),
        ("", _) => format!("docker.io/library/{rest}"),
        _ => format!("docker.io/{reference}"),
    };
    let after_slash = named.rsplit('/').next().unwrap_or_default();
    if after_slash.contains([':', '@']) { named } else { format!("{named}:latest") }
}

/// Sends images to all these nodes and checks on each that they arrived whole.
///
/// # Errors
/// [`Kind::Cluster`] naming the node and what is wrong there; a broken import leaves the node
/// without the image, never with half of it, and can simply be tried again.
pub async fn transfer(
    docker: &Docker,
    references: &[&str],
    nodes: &[String],
    progress: impl Fn(String),
) -> Result<Vec<Sent>> {
    let known =
        futures::future::try_join_all(nodes.iter().map(|node| known_blobs(docker, node))).await?;
    let (senders, receivers): (Vec<_>, Vec<_>) = nodes.iter().map(|_| channel(IN_FLIGHT)).unzip();
    let export = docker.export(references).map_err(std::io::Error::other);
    let reader = SyncIoBridge::new(StreamReader::new(Box::pin(export)));
    let split = tokio::task::spawn_blocking(move || Splitter::new(known, senders).split(reader));
    let imports = nodes.iter().zip(receivers).map(|(node, receiver)| {
        let command = ["ctr", "-n", NAMESPACE, "images", "import", "--snapshotter=overlayfs", "-"];
        async move { docker.exec_feed(node, &command, receiver).await }
    });
    progress(format!("{} image(s) to {} node(s)", references.len(), nodes.len()));
    let (split, imported) = tokio::join!(split, futures::future::join_all(imports));
    let split = split.context(Kind::Unexpected, || "splitting an image was cut off".to_owned())?;
    // A node's own complaint says more than that its pipe broke.
    for result in imported {
        result?;
    }
    let split = split.context(Kind::Machine, || {
        format!("could not read the engine's export of {}", references.join(", "))
    })?;
    progress("checking on every node".to_owned());
    let wanted = digests(&split.index, references)?;
    let checks = nodes.iter().map(|node| verify(docker, node, &wanted));
    futures::future::try_join_all(checks).await?;
    let sent = nodes.iter().zip(split.counts);
    Ok(sent.map(|(node, (bytes, had))| Sent { node: node.clone(), bytes, had }).collect())
}

async fn known_blobs(docker: &Docker, node: &str) -> Result<BTreeSet<String>> {
    let list = docker.exec(node, &["ctr", "-n", NAMESPACE, "content", "ls", "-q"]).await?;
    Ok(list.split_whitespace().map(|digest| digest.trim_start_matches("sha256:").into()).collect())
}

/// Checks that a node has these images with these manifest digests and all their blobs.
async fn verify(docker: &Docker, node: &str, wanted: &BTreeMap<String, String>) -> Result<()> {
    let list = docker.exec(node, &["ctr", "-n", NAMESPACE, "images", "check"]).await?;
    for (name, digest) in wanted {
        let line = list.lines().find(|line| line.split_whitespace().next() == Some(name));
        let whole = line.is_some_and(|line| line.contains(digest) && line.contains("complete"));
        if !whole {
            let found = line.map_or("it is not there", |line| line.trim());
            return Err(Error::new(
                Kind::Cluster,
                format!("image `{name}` did not arrive on `{node}`"),
            )
            .because(Error::new(Kind::Cluster, format!("wanted {digest}, found: {found}")))
            .hint("run `sandbox load` again: it sends what is missing"));
        }
    }
    Ok(())
}

/// Full name → manifest digest, out of the export's `index.json`.
fn digests(index: &[u8], references: &[&str]) -> Result<BTreeMap<String, String>> {
    #[derive(Deserialize)]
    struct Index {
        manifests: Vec<Manifest>,
    }
    #[derive(Deserialize)]
    struct Manifest {
        digest: String,
        #[serde(default)]
        annotations: BTreeMap<String, String>,
    }
    let index: Index = serde_json::from_slice(index).context(Kind::Machine, || {
        "the engine's export has no OCI index; Docker 25 or newer is needed".to_owned()
    })?;
    let named: BTreeMap<String, String> = index
        .manifests
        .into_iter()
        .filter_map(|manifest| {
            let name = manifest.annotations.get("io.containerd.image.name")?.clone();
            Some((name, manifest.digest))
        })
        .collect();
    let find = |reference: &&str| {
        let name = full_name(reference);
        named.get(&name).map(|digest| (name.clone(), digest.clone())).ok_or_else(|| {
            Error::new(Kind::Machine, format!("the engine's export does not name `{name}`"))
        })
    };
    references.iter().map(find).collect()
}

/// Splits one export into one archive for each node.
struct Splitter {
    known: Vec<BTreeSet<String>>,
    out: Vec<Sender<Bytes>>,
    counts: Vec<(u64, u64)>,
    index: Vec<u8>,
}

/// What came out of splitting.
struct Split {
    counts: Vec<(u64, u64)>,
    index: Vec<u8>,
}

impl Splitter {
    fn new(known: Vec<BTreeSet<String>>, out: Vec<Sender<Bytes>>) -> Self {
        let counts = vec![(0, 0); out.len()];
        Self { known, out, counts, index: Vec::new() }
    }

    fn split(mut self, export: impl Read) -> std::io::Result<Split> {
        let mut archive = tar::Archive::new(export);
        for entry in archive.entries()? {
            let mut entry = entry?;
            let path = entry.path()?.to_string_lossy().into_owned();
            let header = Bytes::copy_from_slice(entry.header().as_bytes());
            let size = entry.size();
            let nodes: Vec<usize> = if let Some(blob) = path.strip_prefix("blobs/sha256/") {
                if entry.header().entry_type().is_dir() {
                    Vec::new()
                } else {
                    self.lacking(blob, size)
                }
            } else if path == "index.json" || path == "oci-layout" {
                (0..self.out.len()).collect()
            } else {
                Vec::new()
            };
            self.forward(&nodes, &header);
            let padding = (512 - (size % 512)) % 512;
            let keep = path == "index.json";
            let mut left = size;
            while left > 0 {
                let mut piece = vec![0; PIECE.min(usize::try_from(left).unwrap_or(PIECE))];
                entry.read_exact(&mut piece)?;
                left -= piece.len() as u64;
                if keep {
                    self.index.extend_from_slice(&piece);
                }
                self.forward(&nodes, &Bytes::from(piece));
            }
            self.forward(&nodes, &Bytes::from(vec![0; usize::try_from(padding).unwrap_or(0)]));
        }
        let everyone: Vec<usize> = (0..self.out.len()).collect();
        self.forward(&everyone, &Bytes::from_static(&[0; 1024]));
        Ok(Split { counts: self.counts, index: self.index })
    }

    fn lacking(&mut self, blob: &str, size: u64) -> Vec<usize> {
        let mut nodes = Vec::new();
        for (node, known) in self.known.iter().enumerate() {
            let (sent, had) = &mut self.counts[node];
            if known.contains(blob) {
                *had += size;
            } else {
                *sent += size;
                nodes.push(node);
            }
        }
        nodes
    }

    fn forward(&self, nodes: &[usize], piece: &Bytes) {
        if piece.is_empty() {
            return;
        }
        for &node in nodes {
            // A node that stopped listening tells why by its exit code.
            let _ = self.out[node].blocking_send(piece.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        let files: [(&str, &[u8]); 5] = [
            ("blobs/sha256/aaa", b"old layer"),
            ("blobs/sha256/bbb", b"new layer"),
            ("index.json", br#"{"manifests":[{"digest":"sha256:bbb","annotations":{"io.containerd.image.name":"docker.io/library/hello:dev"}}]}"#),
            ("manifest.json", b"[]"),
            ("oci-layout", b"{}"),
        ];
        for (path, data) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(data.len() as u64);
            header.set_cksum();
            tar.append_data(&mut header, path, data).unwrap();
        }
        tar.into_inner().unwrap()
    }

    fn names(pieces: &[Bytes]) -> Vec<String> {
        let bytes = pieces.concat();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let entries = archive.entries().unwrap();
        entries.map(|entry| entry.unwrap().path().unwrap().display().to_string()).collect()
    }

    #[test]
    fn each_node_gets_only_what_it_lacks() {
        let (fresh, mut fresh_out) = channel(100);
        let (used, mut used_out) = channel(100);
        let known = vec![BTreeSet::new(), BTreeSet::from(["aaa".to_owned()])];
        let split = Splitter::new(known, vec![fresh, used]).split(layout().as_slice()).unwrap();
        assert_eq!(split.counts, [(18, 0), (9, 9)]);
        let drain = |out: &mut tokio::sync::mpsc::Receiver<Bytes>| {
            let mut pieces = Vec::new();
            while let Ok(piece) = out.try_recv() {
                pieces.push(piece);
            }
            names(&pieces)
        };
        let both = ["blobs/sha256/aaa", "blobs/sha256/bbb", "index.json", "oci-layout"];
        assert_eq!(drain(&mut fresh_out), both);
        assert_eq!(drain(&mut used_out), both[1..]);
        let wanted = digests(&split.index, &["hello:dev"]).unwrap();
        assert_eq!(wanted["docker.io/library/hello:dev"], "sha256:bbb");
        assert!(digests(&split.index, &["other:dev"]).is_err());
    }

    #[test]
    fn names_are_completed_as_nodes_do() {
        for (short, full) in [
            ("hello:dev", "docker.io/library/hello:dev"),
            ("hello", "docker.io/library/hello:latest"),
            ("a/b:1", "docker.io/a/b:1"),
            ("registry.k8s.io/x/y:v1", "registry.k8s.io/x/y:v1"),
            ("localhost:5000/x", "localhost:5000/x:latest"),
            ("127.0.0.1:5000/x:1", "127.0.0.1:5000/x:1"),
        ] {
            assert_eq!(full_name(short), full);
        }
    }

    #[test]
    fn a_runtimes_list_is_read() {
        let json = r#"{"images":[{"id":"sha256:1","repoTags":["docker.io/library/hello:dev"],"size":"5"},{"id":"sha256:2"}]}"#;
        let images = parse_images(json).unwrap();
        assert_eq!(images["docker.io/library/hello:dev"], "sha256:1");
        assert_eq!(images.len(), 1);
    }
}
