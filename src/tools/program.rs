//! This very program as an image: what `serve` runs in the cluster is the executable that is
//! running now, so there is nothing to pull and no version can be another.
//!
//! Owns what goes into the image: the executable and, when it is not a static one, the loader and
//! the libraries that it has loaded. They are taken from the process itself (`/proc/self/maps`),
//! under their own names, which are what a loader looks for since glibc 2.34. Must not know what is
//! served.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Context, Error, Kind, Result};

/// Name of the image, without its tag.
pub const REPOSITORY: &str = "docker.io/sandbox/program";
/// The label of such images.
pub const LABEL: &str = "dev.sandbox.program";
/// The folder in the image with everything in it.
const FOLDER: &str = "sandbox";
/// The executable as this process has it open, even when its file was replaced since.
const EXECUTABLE: &str = "/proc/self/exe";
/// The digest that was computed last, in the cache folder.
const REMEMBERED: &str = "program.json";
/// How much is read at once.
const PIECE: usize = 1024 * 1024;

/// The running program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Libraries to take along, by file name; empty when it needs none.
    libraries: BTreeMap<String, PathBuf>,
    /// Digest of all files, in hex.
    digest: String,
}

/// What was computed for which files.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Remembered {
    files: Vec<Stamp>,
    digest: String,
}

/// What tells that a file is still the same without reading it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl Program {
    /// The program that is running. Its digest is remembered in `cache`, as reading the whole
    /// executable takes longer than a whole `up` that has nothing to do.
    ///
    /// # Errors
    /// [`Kind::Machine`] when its files cannot be read.
    pub fn running(cache: &Path) -> Result<Self> {
        let unread = || "cannot read the running program's own files".to_owned();
        let maps = std::fs::read_to_string("/proc/self/maps").context(Kind::Machine, unread)?;
        let libraries = libraries(&maps);
        let files: Vec<PathBuf> =
            std::iter::once(PathBuf::from(EXECUTABLE)).chain(libraries.values().cloned()).collect();
        let stamps = files.iter().map(|file| stamp(file)).collect::<std::io::Result<Vec<_>>>();
        let stamps = stamps.context(Kind::Machine, unread)?;
        let place = cache.join(REMEMBERED);
        let known = std::fs::read(&place).ok();
        let known: Option<Remembered> = known.and_then(|text| serde_json::from_slice(&text).ok());
        if let Some(known) = known.filter(|known| known.files == stamps) {
            return Ok(Self { libraries, digest: known.digest });
        }
        let digest = digest(&files).context(Kind::Machine, unread)?;
        let known = Remembered { files: stamps, digest };
        // Not worth a failure: then it is computed again next time.
        let _ = std::fs::create_dir_all(cache)
            .and_then(|()| std::fs::write(&place, serde_json::to_vec(&known)?));
        Ok(Self { libraries, digest: known.digest })
    }

    /// The image's name and tag, which change with every other executable.
    #[must_use]
    pub fn reference(&self) -> String {
        format!("{REPOSITORY}:{}", &self.digest[..16])
    }

    /// What to run in the image; the arguments of `sandbox` follow.
    #[must_use]
    pub fn entrypoint(&self) -> Vec<String> {
        let executable = format!("/{FOLDER}/sandbox");
        let loader = self.libraries.keys().find(|name| name.starts_with("ld-"));
        match loader {
            // By name, so that it need not lie where the executable expects it.
            Some(loader) => vec![
                format!("/{FOLDER}/{loader}"),
                "--library-path".to_owned(),
                format!("/{FOLDER}"),
                executable,
            ],
            None => vec![executable],
        }
    }

    /// The image's only layer as a tar archive, piece by piece. Meant for a thread of its own.
    ///
    /// # Errors
    /// When a file cannot be read, or `sink` takes no more.
    pub fn write_layer(&self, sink: impl std::io::Write) -> std::io::Result<()> {
        let mut archive = tar::Builder::new(sink);
        // What programs expect of any root file system.
        for (folder, mode) in [("tmp", 0o1777), (FOLDER, 0o755)] {
            let mut header = header(tar::EntryType::Directory, mode, 0);
            archive.append_data(&mut header, format!("{folder}/"), std::io::empty())?;
        }
        let mut add = |name: &str, path: &Path| {
            let file = File::open(path)?;
            let mut header = header(tar::EntryType::Regular, 0o755, file.metadata()?.len());
            archive.append_data(&mut header, format!("{FOLDER}/{name}"), file)
        };
        add("sandbox", Path::new(EXECUTABLE))?;
        for (name, path) in &self.libraries {
            add(name, path)?;
        }
        archive.into_inner()?.flush()
    }
}

/// Without times and owners, so that the same files make the same layer.
fn header(kind: tar::EntryType, mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(0);
    header
}

fn stamp(path: &Path) -> std::io::Result<Stamp> {
    let data = std::fs::metadata(path)?;
    let changed = (data.mtime(), data.mtime_nsec());
    Ok(Stamp { device: data.dev(), inode: data.ino(), size: data.size(), changed })
}

fn digest(files: &[PathBuf]) -> std::io::Result<String> {
    let mut all = Sha256::new();
    let mut piece = vec![0; PIECE];
    for path in files {
        let mut file = File::open(path)?;
        loop {
            let read = file.read(&mut piece)?;
            if read == 0 {
                break;
            }
            all.update(&piece[..read]);
        }
    }
    Ok(format!("{:x}", all.finalize()))
}

/// The shared libraries of a process, by file name.
/// Source: proc(5), `/proc/pid/maps`: address, permissions, offset, device, inode, path.
fn libraries(maps: &str) -> BTreeMap<String, PathBuf> {
    let paths = maps.lines().filter_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let permissions = fields.nth(1)?;
        let path = Path::new(fields.nth(3)?);
        let name = path.file_name()?.to_str()?;
        let is_code = permissions.contains('x') && name.contains(".so");
        is_code.then(|| (name.to_owned(), path.to_owned()))
    });
    paths.collect()
}

impl Program {
    /// The layer as pieces that arrive while it is read.
    #[must_use]
    pub fn layer(&self) -> tokio::sync::mpsc::Receiver<bytes::Bytes> {
        let (sender, receiver) = tokio::sync::mpsc::channel(8);
        let program = self.clone();
        // A reader that goes away ends it; a file that cannot be read cuts the archive short, which
        // the engine refuses.
        tokio::task::spawn_blocking(move || program.write_layer(Pieces { sender }));
        receiver
    }
}

/// Sends what is written through a channel.
struct Pieces {
    sender: tokio::sync::mpsc::Sender<bytes::Bytes>,
}

impl std::io::Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let sent = self.sender.blocking_send(bytes::Bytes::copy_from_slice(bytes));
        sent.map(|()| bytes.len()).map_err(std::io::Error::other)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Refuses to make an image of a program that the nodes cannot run.
///
/// # Errors
/// [`Kind::Machine`] when the nodes have another architecture than this program.
pub fn runs_on(architecture: &str) -> Result<()> {
    let own = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    if cfg!(target_os = "linux") && architecture == own {
        return Ok(());
    }
    let system = std::env::consts::OS;
    Err(Error::new(
        Kind::Machine,
        format!(
            "the nodes are linux/{architecture}, but this program is for {system}/{own} and \
             cannot run on them"
        ),
    )
    .hint("leave out the addons `s3` and `telemetry`, which are this program itself"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_what_a_process_has_mapped_as_code() {
        let maps = "\
55d0-55d1 r-xp 00000000 fe:00 100 /usr/local/bin/sandbox
7f00-7f01 r--p 00000000 fe:00 101 /usr/lib/x86_64-linux-gnu/libc.so.6
7f01-7f02 r-xp 00001000 fe:00 101 /usr/lib/x86_64-linux-gnu/libc.so.6
7f03-7f04 r-xp 00001000 fe:00 102 /usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2
7f05-7f06 rw-p 00000000 00:00 0 
7f07-7f08 r-xp 00000000 00:00 0 [vdso]
";
        let found = libraries(maps);
        let names: Vec<&str> = found.keys().map(String::as_str).collect();
        assert_eq!(names, ["ld-linux-x86-64.so.2", "libc.so.6"]);
        let dynamic = Program { libraries: found, digest: "0123456789abcdef0".into() };
        let entry = dynamic.entrypoint().join(" ");
        assert_eq!(entry, "/sandbox/ld-linux-x86-64.so.2 --library-path /sandbox /sandbox/sandbox");
        assert_eq!(dynamic.reference(), "docker.io/sandbox/program:0123456789abcdef");
        let fixed = Program { libraries: BTreeMap::new(), ..dynamic };
        assert_eq!(fixed.entrypoint(), ["/sandbox/sandbox"]);
    }

    #[test]
    fn the_digest_is_remembered_and_the_layer_runs() {
        let cache = tempfile::tempdir().unwrap();
        let first = Program::running(cache.path()).unwrap();
        let remembered = cache.path().join(REMEMBERED);
        let text = std::fs::read_to_string(&remembered).unwrap();
        std::fs::write(&remembered, text.replace(&first.digest, "remembered-and-not-computed"))
            .unwrap();
        let again = Program::running(cache.path()).unwrap();
        assert_eq!(again.digest, "remembered-and-not-computed");
        std::fs::write(&remembered, "junk").unwrap();
        assert_eq!(Program::running(cache.path()).unwrap(), first);
    }

    #[test]
    fn a_layer_has_the_executable_and_its_libraries() {
        let cache = tempfile::tempdir().unwrap();
        let library = cache.path().join("libx.so.1");
        std::fs::write(&library, "a library").unwrap();
        let libraries = BTreeMap::from([("libx.so.1".to_owned(), library)]);
        let program = Program { libraries, digest: "0123456789abcdef".into() };
        let mut layer = Vec::new();
        program.write_layer(&mut layer).unwrap();
        let mut archive = tar::Archive::new(layer.as_slice());
        let entries = archive.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            format!("{:o} {}", entry.header().mode().unwrap(), entry.path().unwrap().display())
        });
        let names: Vec<String> = entries.collect();
        assert_eq!(
            names,
            ["1777 tmp/", "755 sandbox/", "755 sandbox/sandbox", "755 sandbox/libx.so.1"]
        );
    }

    #[test]
    fn a_program_of_another_architecture_is_no_use() {
        let error = runs_on("s390x").unwrap_err().to_string();
        assert!(
            error.starts_with("the nodes are linux/s390x, but this program is for "),
            "{error}"
        );
    }
}
