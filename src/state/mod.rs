//! What is remembered about a sandbox between two commands.
//!
//! Owns the state folder: one folder for each sandbox with its record, its credentials and
//! its kubeconfig, all 0600 and replaced in one rename. The record is written before an effect (intent) and after it
//! (result), so that a kill at any moment leaves something that the next command understands.
//! Docker's labels win when the two disagree. Must not touch Docker or the cluster.

mod credentials;
mod lock;
mod scratch;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::app::Workload;
use crate::error::{Context, Error, Kind, Result};
use crate::settings::Name;
use crate::tools::kube::{Identity, ObjectRef};

pub use credentials::Credentials;
pub use lock::Lock;
pub use scratch::Scratch;

/// Version of the record's format.
const FORMAT: u32 = 1;

/// The state folder of one sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    root: PathBuf,
    name: Name,
}

/// How far the cluster of a sandbox is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Being made: what is there may be half of it.
    Creating,
    /// Made once, completely.
    Created,
    /// Being removed.
    Removing,
}

/// What is remembered about a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Record {
    format: u32,
    /// Random id of this sandbox; also the label of everything it owns in Docker.
    pub instance: String,
    /// How far it is.
    pub phase: Phase,
    /// Profile it was made with.
    pub profile: String,
    /// Hash of the kind configuration it was made with, without ports.
    pub config: String,
    /// Ports on 127.0.0.1.
    pub ports: Ports,
    /// The cluster's identity, once the API server answered.
    pub identity: Option<Identity>,
    /// Images built from a folder: reference → what it was built from and what came out.
    #[serde(default)]
    pub builds: BTreeMap<String, BuildStamp>,
    /// Images that were brought to nodes: reference → its ids here and there.
    #[serde(default)]
    pub loaded: BTreeMap<String, LoadedImage>,
    /// The app as it was last installed.
    pub app: Option<AppStamp>,
    /// Ports of 127.0.0.1 that lead to addons, by addon.
    #[serde(default)]
    pub service_ports: BTreeMap<String, u16>,
    /// The build of this very program that the nodes have, which need not be the one that runs now.
    #[serde(default)]
    pub program: Option<ProgramStamp>,
    /// Addons as they were last installed.
    #[serde(default, rename = "installed")]
    pub addons: BTreeMap<String, AddonStamp>,
    /// Keys that a newer version of this program wrote.
    #[serde(flatten)]
    unknown: BTreeMap<String, serde_json::Value>,
}

/// Ports on 127.0.0.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    /// Plain HTTP of the ingress controller.
    pub http: u16,
    /// HTTPS of the ingress controller.
    pub https: u16,
    /// The API server.
    pub api: u16,
}

/// A build of this program as an image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramStamp {
    /// The image.
    pub image: String,
    /// How the program is called in it.
    pub command: Vec<String>,
}

/// What an image was built from and what came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildStamp {
    /// Fingerprint of the build's input.
    pub input: String,
    /// Id of the image.
    pub image: String,
}

/// One image under its two ids. Docker's classic store and the nodes name an image by its
/// configuration; Docker's containerd store names it by its manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadedImage {
    /// Id in the Docker engine.
    pub engine: String,
    /// Id on the nodes.
    pub node: String,
}

/// An addon as it was last installed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct AddonStamp {
    /// Hash of everything that was applied; empty while it is being applied.
    pub hash: String,
    /// What was applied, to be deleted when the addon is turned off.
    pub objects: Vec<ObjectRef>,
    /// Manifest sets that were applied; they stay, as data would go with them.
    pub manifests: Vec<String>,
}

/// The app as it was last installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppStamp {
    /// Hash of chart, values and versions.
    pub input: String,
    /// Name of the Helm release.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
    /// What must become ready.
    pub workloads: Vec<Workload>,
    /// Addresses of its Ingress rules.
    pub routes: Vec<crate::app::Route>,
    /// What everything in it is, as `group/Kind`.
    #[serde(default)]
    pub kinds: BTreeSet<String>,
    /// Addons that it brings itself.
    #[serde(default)]
    pub brought: BTreeSet<String>,
}

impl Record {
    /// The id that nodes have for an image which the engine knows by `engine`.
    #[must_use]
    pub fn node_id<'a>(&'a self, reference: &str, engine: &'a str) -> &'a str {
        self.loaded
            .get(reference)
            .filter(|loaded| loaded.engine == engine)
            .map_or(engine, |loaded| &loaded.node)
    }

    /// A record of a cluster that is about to be made.
    #[must_use]
    pub fn intent(profile: &str, config: &str, ports: Ports) -> Self {
        Self {
            format: FORMAT,
            instance: uuid::Uuid::new_v4().simple().to_string(),
            phase: Phase::Creating,
            profile: profile.to_owned(),
            config: config.to_owned(),
            ports,
            identity: None,
            builds: BTreeMap::new(),
            loaded: BTreeMap::new(),
            app: None,
            service_ports: BTreeMap::new(),
            program: None,
            addons: BTreeMap::new(),
            unknown: BTreeMap::new(),
        }
    }
}

impl Place {
    /// The state folder of that sandbox below `root`.
    #[must_use]
    pub fn new(root: PathBuf, name: Name) -> Self {
        Self { root, name }
    }

    /// The sandbox it belongs to.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The folder that holds one folder for each sandbox.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of this sandbox.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        self.root.join(self.name.as_str())
    }

    /// The kubeconfig of this sandbox.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.dir().join("kubeconfig")
    }

    /// The folder that all nodes keep their volumes in, for profiles that have one.
    #[must_use]
    pub fn volumes(&self) -> PathBuf {
        self.dir().join("volumes")
    }

    /// Makes the folder for volumes; one that is there already is fine.
    ///
    /// # Errors
    /// [`Kind::Machine`] when it cannot be made.
    pub fn make_volumes(&self) -> Result<()> {
        let folder = self.volumes();
        make_private_dir(&self.dir())?;
        fs::create_dir_all(&folder)
            .context(Kind::Machine, || format!("cannot make the folder `{}`", folder.display()))
    }

    /// Removes the folder for volumes as far as the rights of this user go; `false` when what pods
    /// wrote belongs to somebody else.
    ///
    /// # Errors
    /// [`Kind::Leftovers`] when it cannot be removed for another reason.
    pub fn remove_volumes(&self) -> Result<bool> {
        use std::io::ErrorKind;
        let folder = self.volumes();
        match fs::remove_dir_all(&folder) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(false),
            Err(error) => {
                let message = format!("cannot remove `{}`", folder.display());
                Err(Error::new(Kind::Leftovers, message).because(error))
            }
        }
    }

    fn record_path(&self) -> PathBuf {
        self.dir().join("record.json")
    }

    /// Reads the record; absent when there is none.
    ///
    /// # Errors
    /// [`Kind::Cluster`] when it is damaged or was written by a newer version.
    pub fn record(&self) -> Result<Option<Record>> {
        let path = self.record_path();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(Error::new(Kind::Machine, format!("cannot read `{}`", path.display()))
                    .because(error));
            }
        };
        let cure = format!("sandbox down --name {}", self.name);
        let record: Record = serde_json::from_str(&text).map_err(|error| {
            Error::new(Kind::Cluster, format!("the record `{}` is damaged", path.display()))
                .because(error)
                .hint(&cure)
        })?;
        if record.format > FORMAT {
            return Err(Error::new(
                Kind::Cluster,
                format!("sandbox `{}` was made by a newer version of this program", self.name),
            )
            .hint("use that version"));
        }
        Ok(Some(record))
    }

    /// Writes the record: on disk, whole, before this returns.
    ///
    /// # Errors
    /// [`Kind::Machine`] when the state folder cannot be written.
    pub fn write_record(&self, record: &Record) -> Result<()> {
        let text = serde_json::to_string_pretty(record)
            .context(Kind::Unexpected, || "the record is no JSON".to_owned())?;
        self.write(&self.record_path(), text.as_bytes())
    }

    /// Writes the kubeconfig: on disk, whole, readable by its owner alone.
    ///
    /// # Errors
    /// [`Kind::Machine`] when the state folder cannot be written.
    pub fn write_kubeconfig(&self, text: &str) -> Result<()> {
        self.write(&self.kubeconfig(), text.as_bytes())
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let failed = || format!("cannot write `{}`", path.display());
        make_private_dir(&self.dir())?;
        let scratch = path.with_extension("new");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&scratch)
            .context(Kind::Machine, failed)?;
        file.write_all(bytes)
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&scratch, path))
            .and_then(|()| File::open(self.dir())?.sync_all())
            .context(Kind::Machine, failed)
    }

    /// Removes the folder of this sandbox.
    ///
    /// # Errors
    /// [`Kind::Leftovers`] when it cannot be removed.
    pub fn remove(&self) -> Result<()> {
        drop(Scratch::of(self));
        match fs::remove_dir_all(self.dir()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::new(
                Kind::Leftovers,
                format!("cannot remove `{}`", self.dir().display()),
            )
            .because(error)),
            _ => Ok(()),
        }
    }

    /// The names of all sandboxes that have a folder below `root`.
    #[must_use]
    pub fn all(root: &Path) -> Vec<Name> {
        let entries = fs::read_dir(root).into_iter().flatten().flatten();
        let mut names: Vec<Name> = entries
            .filter(|entry| entry.path().is_dir())
            .filter_map(|entry| Name::new(entry.file_name().to_str()?).ok())
            .collect();
        names.sort();
        names
    }
}

fn make_private_dir(dir: &Path) -> Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .context(Kind::Machine, || format!("cannot make the state folder `{}`", dir.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn place(root: &Path) -> Place {
        Place::new(root.to_owned(), Name::new("hello").unwrap())
    }

    #[test]
    fn a_record_comes_back_as_it_was_and_is_private() {
        let root = tempfile::tempdir().unwrap();
        let place = place(root.path());
        assert_eq!(place.record().unwrap(), None);
        let ports = Ports { http: 8080, https: 8443, api: 6443 };
        let record = Record::intent("eks", "abc", ports);
        place.write_record(&record).unwrap();
        assert_eq!(place.record().unwrap(), Some(record));
        let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(place.record_path()), 0o600);
        assert_eq!(mode(place.dir()), 0o700);
        assert_eq!(Place::all(root.path()), [Name::new("hello").unwrap()]);
        place.remove().unwrap();
        place.remove().unwrap();
        assert_eq!(place.record().unwrap(), None);
    }

    #[test]
    fn an_image_is_known_by_the_id_it_got_on_the_nodes() {
        let mut record = Record::intent("eks", "x", Ports { http: 1, https: 2, api: 3 });
        assert_eq!(record.node_id("a", "sha256:1"), "sha256:1");
        let loaded = LoadedImage { engine: "sha256:1".into(), node: "sha256:9".into() };
        record.loaded.insert("a".into(), loaded);
        assert_eq!(record.node_id("a", "sha256:1"), "sha256:9");
        assert_eq!(record.node_id("a", "sha256:2"), "sha256:2", "built again since");
    }

    #[test]
    fn a_damaged_or_newer_record_is_no_panic_and_says_what_to_do() {
        let root = tempfile::tempdir().unwrap();
        let place = place(root.path());
        let newer = serde_json::to_string(&Record {
            format: 99,
            ..Record::intent("eks", "x", Ports { http: 1, https: 2, api: 3 })
        })
        .unwrap();
        for text in ["", "{", "[]", newer.as_str()] {
            place.write(&place.record_path(), text.as_bytes()).unwrap();
            let error = place.record().unwrap_err();
            assert!(!error.hints().is_empty(), "{text}");
        }
    }
}
