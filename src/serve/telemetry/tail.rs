//! Follows the log files of containers, as the kubelet lays them out:
//! `NAMESPACE_POD_UID/CONTAINER/RESTART.log`, in CRI's format.
//!
//! Owns finding files, reading on after rotation, and joining partial lines. What a line says is
//! read elsewhere. Stands alone, so that a relay can run it on a node without a store.
//! Source: <https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md>.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use tokio_util::sync::CancellationToken;

use super::LogSink;

/// Between two looks at the files.
const PAUSE: Duration = Duration::from_millis(200);
/// Between two looks for new files, in looks at the files.
const SEARCH: u32 = 5;
/// Of what was there before the start, so many bytes of each file are read.
const HISTORY: u64 = 1 << 20;
/// Longer lines are cut, in bytes.
const LONGEST_LINE: usize = 256 << 10;
/// At one look, so many bytes of a file are read.
const AT_ONCE: usize = 4 << 20;
/// So many files are followed.
const MOST_FILES: usize = 2000;
/// So many lines are handed over at once.
const BATCH: usize = 1000;

/// One line of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Nanoseconds since 1970; 0 when not known.
    #[serde(default, deserialize_with = "number_or_text")]
    pub timestamp_ns: u64,
    /// `stdout` or `stderr`.
    #[serde(default)]
    pub stream: String,
    /// The line without its end.
    pub message: String,
    /// The pod's namespace.
    #[serde(default)]
    pub namespace: String,
    /// The pod.
    #[serde(default)]
    pub pod: String,
    /// The container in the pod.
    #[serde(default)]
    pub container: String,
    /// The node, which whoever follows the files knows.
    #[serde(default)]
    pub node: String,
}

impl Line {
    /// Whether both come from the same container.
    #[must_use]
    pub fn is_from_same(&self, other: &Self) -> bool {
        (&self.namespace, &self.pod, &self.container, &self.node)
            == (&other.namespace, &other.pod, &other.container, &other.node)
    }
}

fn number_or_text<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    let json = serde_json::Value::deserialize(from)?;
    let number = json.as_u64().or_else(|| json.as_str()?.parse().ok());
    number.ok_or_else(|| serde::de::Error::custom("`timestamp_ns` must be a number"))
}

/// Whose lines are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Skip {
    /// Namespaces.
    pub namespaces: Vec<String>,
    /// Beginnings of pods' names, in any namespace.
    pub pods: Vec<String>,
}

impl Skip {
    fn skips(&self, namespace: &str, pod: &str) -> bool {
        self.namespaces.iter().any(|skipped| skipped == namespace)
            || self.pods.iter().any(|begin| pod.starts_with(begin.as_str()))
    }
}

/// Follows the files below `folder` until told to stop; `sink` gets lines in order for each file.
/// It runs on a thread that may block.
pub async fn follow(
    folder: PathBuf,
    skip: Skip,
    sink: impl Fn(Vec<Line>) + Send + Sync + 'static,
    log: LogSink,
    stop: CancellationToken,
) {
    let mut follower = Some((Follower::new(folder, skip), sink));
    while let Some((mut state, sink)) = follower.take() {
        let looked = tokio::task::spawn_blocking(move || {
            state.look(&sink);
            (state, sink)
        });
        match looked.await {
            Ok(state) => follower = Some(state),
            Err(error) => log(&format!("following the logs of pods ended: {error}")),
        }
        if stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_none() {
            return;
        }
    }
}

struct Follower {
    folder: PathBuf,
    skip: Skip,
    files: HashMap<PathBuf, Followed>,
    looks: u32,
    /// Files that are there at the first search may be long; later ones are read from the begin.
    started: bool,
}

impl Follower {
    fn new(folder: PathBuf, skip: Skip) -> Self {
        Self { folder, skip, files: HashMap::new(), looks: 0, started: false }
    }

    fn look(&mut self, sink: &impl Fn(Vec<Line>)) {
        if self.looks.is_multiple_of(SEARCH) {
            self.search();
        }
        self.looks = self.looks.wrapping_add(1);
        let mut lines = Vec::new();
        for (path, file) in &mut self.files {
            // A file that cannot be read now is tried again at the next look.
            let _ = file.read_on(path, &mut |line| {
                lines.push(line);
                if lines.len() >= BATCH {
                    sink(std::mem::take(&mut lines));
                }
            });
        }
        if !lines.is_empty() {
            sink(lines);
        }
        self.files.retain(|path, _| path.exists());
    }

    fn search(&mut self) {
        for pod in folders(&self.folder) {
            let Some(name) = pod.file_name().and_then(|name| name.to_str()) else { continue };
            let mut parts = name.splitn(3, '_');
            let (Some(namespace), Some(pod_name)) = (parts.next(), parts.next()) else { continue };
            if self.skip.skips(namespace, pod_name) {
                continue;
            }
            for container in folders(&pod) {
                let container_name =
                    container.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                let label = Line {
                    namespace: namespace.to_owned(),
                    pod: pod_name.to_owned(),
                    container: container_name.to_owned(),
                    ..Line::default()
                };
                for path in logs(&container) {
                    if !self.files.contains_key(&path)
                        && self.files.len() < MOST_FILES
                        && let Ok(file) = Followed::open(&path, label.clone(), !self.started)
                    {
                        self.files.insert(path, file);
                    }
                }
            }
        }
        self.started = true;
    }
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn folders(folder: &Path) -> impl Iterator<Item = PathBuf> {
    entries(folder).filter(|path| path.is_dir())
}

/// `0.log`, `1.log`…, but nothing that was rotated away (`0.log.20261125-100000`).
fn logs(folder: &Path) -> impl Iterator<Item = PathBuf> {
    entries(folder).filter(|path| path.extension().is_some_and(|extension| extension == "log"))
}

/// A file that is followed.
struct Followed {
    file: File,
    inode: u64,
    offset: u64,
    label: Line,
    /// A line without its end.
    rest: Vec<u8>,
    /// Lines that the runtime split, by stream.
    partial: HashMap<String, String>,
    /// Whether the begin of the first line is missing.
    torn: bool,
}

impl Followed {
    fn open(path: &Path, label: Line, from_history: bool) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        let offset = if from_history { metadata.len().saturating_sub(HISTORY) } else { 0 };
        file.seek(SeekFrom::Start(offset))?;
        Ok(Self {
            file,
            inode: metadata.ino(),
            offset,
            label,
            rest: Vec::new(),
            partial: HashMap::new(),
            torn: offset > 0,
        })
    }

    /// Reads what is new, and goes over to the next file when this one was rotated away.
    fn read_on(&mut self, path: &Path, each: &mut impl FnMut(Line)) -> io::Result<()> {
        if self.read_to_end(each)? {
            return Ok(());
        }
        let now = std::fs::metadata(path)?;
        if now.ino() != self.inode || now.len() < self.offset {
            // What was written between the last look and the rotation.
            self.read_to_end(each)?;
            let next = Self::open(path, self.label.clone(), false)?;
            let partial = std::mem::take(&mut self.partial);
            *self = Self { partial, ..next };
            self.read_to_end(each)?;
        }
        Ok(())
    }

    /// Whether there may be more.
    fn read_to_end(&mut self, each: &mut impl FnMut(Line)) -> io::Result<bool> {
        let mut buffer = vec![0; 64 << 10];
        let mut taken = 0;
        loop {
            let read = self.file.read(&mut buffer)?;
            if read == 0 {
                return Ok(false);
            }
            taken += read;
            self.offset += read as u64;
            self.take(buffer.get(..read).unwrap_or_default(), each);
            if taken >= AT_ONCE {
                return Ok(true);
            }
        }
    }

    fn take(&mut self, mut bytes: &[u8], each: &mut impl FnMut(Line)) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (line, rest) = bytes.split_at(end);
            bytes = rest.get(1..).unwrap_or_default();
            let whole = std::mem::take(&mut self.rest);
            let torn = std::mem::take(&mut self.torn);
            if torn {
                continue;
            }
            if whole.is_empty() {
                self.line(line, each);
            } else {
                self.line(&[whole.as_slice(), line].concat(), each);
            }
        }
        let room = LONGEST_LINE.saturating_sub(self.rest.len());
        self.rest.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
    }

    fn line(&mut self, line: &[u8], each: &mut impl FnMut(Line)) {
        let line = String::from_utf8_lossy(line);
        let Some(parsed) = Cri::parse(&line) else { return };
        let joined = self.partial.remove(parsed.stream);
        let mut message = joined.unwrap_or_default();
        let mut room = LONGEST_LINE.saturating_sub(message.len()).min(parsed.message.len());
        while !parsed.message.is_char_boundary(room) {
            room -= 1;
        }
        message.push_str(parsed.message.get(..room).unwrap_or_default());
        if parsed.partial {
            self.partial.insert(parsed.stream.to_owned(), message);
            return;
        }
        each(Line {
            timestamp_ns: parsed.timestamp_ns,
            stream: parsed.stream.to_owned(),
            message,
            ..self.label.clone()
        });
    }
}

/// A line in CRI's format: time, stream, tags, message.
struct Cri<'l> {
    timestamp_ns: u64,
    stream: &'l str,
    partial: bool,
    message: &'l str,
}

impl<'l> Cri<'l> {
    fn parse(line: &'l str) -> Option<Self> {
        let mut parts = line.splitn(4, ' ');
        let stamp: Timestamp = parts.next()?.parse().ok()?;
        let stream = parts.next().filter(|stream| matches!(*stream, "stdout" | "stderr"))?;
        let partial = parts.next()?.split(':').any(|tag| tag == "P");
        let message = parts.next().unwrap_or_default();
        let timestamp_ns = u64::try_from(stamp.as_nanosecond()).unwrap_or(0);
        Some(Self { timestamp_ns, stream, partial, message })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Mutex;

    use super::*;

    struct Node {
        folder: tempfile::TempDir,
        follower: Follower,
    }

    impl Node {
        fn new(skip: Skip) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let follower = Follower::new(folder.path().to_owned(), skip);
            Self { folder, follower }
        }

        fn path(&self, pod: &str) -> PathBuf {
            let container = self.folder.path().join(pod).join("api");
            std::fs::create_dir_all(&container).unwrap();
            container.join("0.log")
        }

        fn write(&self, pod: &str, text: &str) {
            let path = self.path(pod);
            let mut file = File::options().append(true).create(true).open(path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }

        fn look(&mut self) -> Vec<Line> {
            let lines = Mutex::new(Vec::new());
            // Each look is a search too.
            self.follower.looks = 0;
            self.follower.look(&|more: Vec<Line>| lines.lock().unwrap().extend(more));
            lines.into_inner().unwrap()
        }

        fn messages(&mut self) -> Vec<String> {
            self.look().into_iter().map(|line| line.message).collect()
        }
    }

    const POD: &str = "shop_api-5d7_0b1c";
    const STAMP: &str = "2026-11-25T22:50:00.123456789Z";

    #[test]
    fn lines_have_the_labels_of_their_file() {
        let mut node = Node::new(Skip::default());
        node.write(POD, &format!("{STAMP} stderr F hello world\n{STAMP} stdout F \nnonsense\n"));
        let lines = node.look();
        let expected = Line {
            timestamp_ns: 1_795_647_000_123_456_789,
            stream: "stderr".into(),
            message: "hello world".into(),
            namespace: "shop".into(),
            pod: "api-5d7".into(),
            container: "api".into(),
            node: String::new(),
        };
        assert_eq!(lines[0], expected);
        assert_eq!((lines.len(), lines[1].message.as_str()), (2, ""));
        assert_eq!(node.messages(), Vec::<String>::new());
    }

    #[test]
    fn parts_of_a_line_are_joined_by_stream() {
        let mut node = Node::new(Skip::default());
        node.write(POD, &format!("{STAMP} stdout P a\n{STAMP} stderr F x\n{STAMP} std"));
        assert_eq!(node.messages(), ["x"]);
        node.write(POD, &format!("out P b\n{STAMP} stdout F c\n"));
        assert_eq!(node.messages(), ["abc"]);
    }

    #[test]
    fn rotation_loses_nothing() {
        let mut node = Node::new(Skip::default());
        node.write(POD, &format!("{STAMP} stdout F one\n"));
        assert_eq!(node.messages(), ["one"]);
        node.write(POD, &format!("{STAMP} stdout F two\n"));
        let path = node.path(POD);
        std::fs::rename(&path, path.with_extension("log.20261125-225000")).unwrap();
        node.write(POD, &format!("{STAMP} stdout F three\n"));
        assert_eq!(node.messages(), ["two", "three"]);
        std::fs::write(&path, format!("{STAMP} stdout F 4\n")).unwrap();
        assert_eq!(node.messages(), ["4"]);
    }

    #[test]
    fn long_lines_are_cut_and_long_files_are_read_from_their_last_part() {
        let mut node = Node::new(Skip::default());
        let long = "x".repeat(LONGEST_LINE * 2);
        node.write(POD, &format!("{STAMP} stdout F {long}\n{STAMP} stdout F end\n"));
        let messages = node.messages();
        assert!(messages[0].len() <= LONGEST_LINE);
        assert_eq!(messages[1], "end");
        let mut other = Node::new(Skip::default());
        let line = format!("{STAMP} stdout F {}\n", "y".repeat(1000));
        other.write(POD, &line.repeat(5000));
        let count = other.look().len();
        assert!((900..1100).contains(&count), "{count}");
    }

    #[test]
    fn our_own_pods_are_left_out() {
        let skip = Skip { namespaces: vec!["kube-system".into()], pods: vec!["sandbox-".into()] };
        let mut node = Node::new(skip);
        for pod in ["kube-system_dns_1", "shop_sandbox-telemetry_1", "nothing", POD] {
            node.write(pod, &format!("{STAMP} stdout F {pod}\n"));
        }
        assert_eq!(node.messages(), [POD]);
    }

    #[tokio::test]
    async fn following_ends_when_told() {
        let node = Node::new(Skip::default());
        node.write(POD, &format!("{STAMP} stdout F hello\n"));
        let (send, mut receive) = tokio::sync::mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let sink = move |lines: Vec<Line>| send.send(lines).unwrap();
        let log: LogSink = std::sync::Arc::new(|_| {});
        let folder = node.folder.path().to_owned();
        let task = tokio::spawn(follow(folder, Skip::default(), sink, log, stop.clone()));
        let lines = tokio::time::timeout(Duration::from_secs(10), receive.recv()).await;
        assert_eq!(lines.expect("the line was never read").unwrap()[0].message, "hello");
        stop.cancel();
        let ended = tokio::time::timeout(Duration::from_secs(10), task).await;
        ended.expect("following did not end").unwrap();
    }
}
