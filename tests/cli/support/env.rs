//! A machine for one test: home, state folder, PATH and Docker engine of its own.
//!
//! Owns running the program. Nothing of the real environment reaches it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::docker::Engine;
use super::output::Output;

/// How long a run may take: far more than the longest deadline that the tests reach.
const DEADLINE: Duration = Duration::from_secs(90);
/// Pause between two looks at something that is waited for.
const PAUSE: Duration = Duration::from_millis(10);

/// The machine.
pub(crate) struct TestEnv {
    dir: TempDir,
    /// The Docker engine.
    pub(crate) engine: Engine,
    variables: BTreeMap<String, String>,
    kind: Vec<Answer>,
    helm: Vec<Answer>,
}

/// What a stand-in does when it is called with these words among its arguments.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    words: Vec<String>,
    stdout: String,
    stderr: String,
    code: u8,
    hang: bool,
    junk: bool,
}

/// One call of a stand-in.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// `kind` or `helm`, and the arguments.
    pub(crate) line: String,
    /// What came on standard input.
    pub(crate) stdin: String,
    /// Process number.
    pub(crate) pid: u64,
    /// Names of the variables in its environment.
    pub(crate) variables: Vec<String>,
}

impl Answer {
    /// The answer to calls with these words, in this order, among their arguments.
    pub(crate) fn to(words: &str) -> Self {
        Self { words: words.split_whitespace().map(str::to_owned).collect(), ..Self::default() }
    }

    /// Writes to standard output.
    pub(crate) fn prints(self, text: &str) -> Self {
        Self { stdout: text.to_owned(), ..self }
    }

    /// Writes to standard error and ends with that code.
    pub(crate) fn fails(self, code: u8, text: &str) -> Self {
        Self { stderr: text.to_owned(), code, ..self }
    }

    /// Never ends by itself.
    pub(crate) fn hangs(self) -> Self {
        Self { hang: true, ..self }
    }

    /// Writes bytes that are no text first.
    pub(crate) fn junk(self) -> Self {
        Self { junk: true, ..self }
    }

    fn json(&self) -> Value {
        json!({
            "words": self.words,
            "stdout": self.stdout,
            "stderr": self.stderr,
            "code": self.code,
            "hang": self.hang,
            "junk": self.junk,
        })
    }
}

impl TestEnv {
    /// A machine with everything: kind and helm of a good version, an engine with the
    /// catalogue's images.
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        for folder in ["home", "bin", "tmp", "work"] {
            fs::create_dir(dir.path().join(folder)).expect("a folder can be made");
        }
        let bin = dir.path().join("bin");
        symlink(env!("CARGO_BIN_EXE_fake-kind"), bin.join("kind")).expect("a link can be made");
        symlink(env!("CARGO_BIN_EXE_fake-helm"), bin.join("helm")).expect("a link can be made");
        let engine = Engine::start(&dir.path().join("docker.sock"));
        engine.add_image("docker.io/kindest/node:v1.34.3", "amd64");
        for image in sandbox::catalogue::Catalogue::built_in().images.values() {
            engine.add_image(&image.reference, "amd64");
        }
        let path = |name: &str| dir.path().join(name).display().to_string();
        let variables = [
            ("HOME", path("home")),
            ("PATH", path("bin")),
            ("TMPDIR", path("tmp")),
            ("SANDBOX_STATE_DIR", path("state")),
            ("DOCKER_HOST", format!("unix://{}", path("docker.sock"))),
            ("CI", "1".to_owned()),
            ("FAKE_KIND", path("kind.json")),
            ("FAKE_HELM", path("helm.json")),
            ("FAKE_LOG", path("calls.log")),
        ];
        Self {
            engine,
            variables: variables.map(|(name, value)| (name.to_owned(), value)).into(),
            kind: vec![Answer::to("version").prints("kind v0.31.0 go1.26.1 linux/amd64\n")],
            helm: vec![Answer::to("version --short").prints("v4.0.5+g1b6053d\n")],
            dir,
        }
    }

    /// The same with this `sandbox.yaml` in the working folder.
    pub(crate) fn with_settings(text: &str) -> Self {
        let env = Self::new();
        env.write("sandbox.yaml", text);
        env
    }

    /// Sets a variable; an empty value removes it.
    pub(crate) fn var(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self.variables.retain(|_, value| !value.is_empty());
        self
    }

    /// Adds an answer of `kind`, which counts before the earlier ones.
    pub(crate) fn kind(mut self, answer: Answer) -> Self {
        self.kind.push(answer);
        self
    }

    /// Adds an answer of `helm`, which counts before the earlier ones.
    pub(crate) fn helm(mut self, answer: Answer) -> Self {
        self.helm.push(answer);
        self
    }

    /// Takes a program off the PATH.
    pub(crate) fn without_program(self, name: &str) -> Self {
        fs::remove_file(self.path("bin").join(name)).expect("the link can be removed");
        self
    }

    /// A path on the machine.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    /// A path below the state folder.
    pub(crate) fn state(&self, path: &str) -> PathBuf {
        self.path("state").join(path)
    }

    /// Writes a file below the working folder.
    pub(crate) fn write(&self, path: &str, text: &str) {
        write(&self.path("work").join(path), text);
    }

    /// Writes a file below the state folder.
    pub(crate) fn write_state(&self, path: &str, text: &str) {
        write(&self.state(path), text);
    }

    /// What is in the state folder.
    pub(crate) fn state_entries(&self) -> Vec<String> {
        entries(&self.path("state"))
    }

    /// What is in the folder for temporary files.
    pub(crate) fn temporary_entries(&self) -> Vec<String> {
        entries(&self.path("tmp"))
    }

    /// The record of a sandbox.
    pub(crate) fn record(&self, name: &str) -> Value {
        let path = self.state(name).join("record.json");
        let text = fs::read_to_string(path).expect("there is a record");
        serde_json::from_str(&text).expect("the record is JSON")
    }

    /// Runs the program to its end.
    pub(crate) fn sandbox(&self, args: &[&str]) -> Output {
        self.start(args).wait()
    }

    /// Starts the program.
    #[expect(clippy::disallowed_methods, reason = "the one place that runs the program")]
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        let script = |answers: &[Answer]| {
            Value::from(answers.iter().map(Answer::json).collect::<Vec<_>>()).to_string()
        };
        write(&self.path("kind.json"), &script(&self.kind));
        write(&self.path("helm.json"), &script(&self.helm));
        let mut child = Command::new(env!("CARGO_BIN_EXE_sandbox"))
            .args(args)
            .current_dir(self.path("work"))
            .env_clear()
            .envs(&self.variables)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program can be started");
        let stdout = reader(child.stdout.take());
        let stderr = reader(child.stderr.take());
        let words = vec![(self.dir.path().display().to_string(), "$DIR".to_owned())];
        Running { child, stdout, stderr, words, command: args.join(" ") }
    }

    /// The calls of the stand-ins so far, in order.
    pub(crate) fn calls(&self) -> Vec<Call> {
        let text = fs::read_to_string(self.path("calls.log")).unwrap_or_default();
        text.lines().map(|line| call(line, &self.dir.path().display().to_string())).collect()
    }

    /// The calls of the stand-ins as lines, without asking for a version.
    pub(crate) fn call_lines(&self) -> Vec<String> {
        let is_version = |line: &String| line.ends_with(" version") || line.ends_with(" --short");
        self.calls().into_iter().map(|call| call.line).filter(|line| !is_version(line)).collect()
    }

    /// Waits for a call that contains this text.
    pub(crate) fn wait_for_call(&self, text: &str) -> Call {
        let since = Instant::now();
        loop {
            let found = self.calls().into_iter().find(|call| call.line.contains(text));
            if let Some(call) = found {
                return call;
            }
            assert!(since.elapsed() < DEADLINE, "no call with `{text}`: {:?}", self.call_lines());
            std::thread::sleep(PAUSE);
        }
    }

    /// Asserts that nothing was changed: in the engine, by a stand-in, on disk.
    pub(crate) fn assert_untouched(&self) {
        assert_eq!(self.engine.changes(), Vec::<String>::new(), "the engine was changed");
        let reads = |line: &String| line.starts_with("helm template ");
        let calls: Vec<String> =
            self.call_lines().into_iter().filter(|line| !reads(line)).collect();
        assert_eq!(calls, Vec::<String>::new(), "kind or helm was called");
        assert_eq!(self.state_entries(), Vec::<String>::new(), "the state folder was changed");
        assert_eq!(self.temporary_entries(), Vec::<String>::new(), "a temporary file is left");
        assert_eq!(entries(&self.path("home")), Vec::<String>::new(), "the home was changed");
    }
}

/// The program while it runs.
#[must_use = "a run that nobody waits for is left behind"]
pub(crate) struct Running {
    child: Child,
    stdout: JoinHandle<String>,
    stderr: JoinHandle<String>,
    words: Vec<(String, String)>,
    command: String,
}

impl Running {
    /// Sends Ctrl-C.
    pub(crate) fn interrupt(&self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a child has a number"), Signal::INT).expect("it runs");
    }

    /// Kills the program, and nothing else.
    pub(crate) fn kill(&self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a child has a number"), Signal::KILL).expect("it runs");
    }

    /// Waits for the end, but not for ever.
    pub(crate) fn wait(mut self) -> Output {
        let since = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                break status;
            }
            if since.elapsed() > DEADLINE {
                let _ = self.child.kill();
                let _ = self.child.wait();
                let stderr = self.stderr.join().unwrap_or_default();
                panic!("`sandbox {}` did not end within {DEADLINE:?}:\n{stderr}", self.command);
            }
            std::thread::sleep(PAUSE);
        };
        let text = |thread: JoinHandle<String>| thread.join().expect("a reader does not panic");
        Output::new(text(self.stdout), text(self.stderr), status, self.words)
    }
}

/// Whether a process still runs; one that ended and that nobody asked for does not.
pub(crate) fn runs(pid: u64) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().next());
    !matches!(state, Some("Z" | "X") | None)
}

/// Waits until a process has ended.
pub(crate) fn wait_until_gone(pid: u64) {
    let since = Instant::now();
    while runs(pid) {
        assert!(since.elapsed() < Duration::from_secs(20), "process {pid} still runs");
        std::thread::sleep(PAUSE);
    }
}

fn reader(stream: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    let mut stream = stream.expect("the stream is piped");
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn call(line: &str, dir: &str) -> Call {
    let value: Value = serde_json::from_str(line).expect("the log is JSON lines");
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let list = |key: &str| -> Vec<String> {
        let items = value[key].as_array().into_iter().flatten();
        items.filter_map(|item| Some(item.as_str()?.to_owned())).collect()
    };
    Call {
        line: format!("{} {}", text("program"), list("args").join(" ")).replace(dir, "$DIR"),
        stdin: text("stdin"),
        pid: value["pid"].as_u64().unwrap_or_default(),
        variables: list("variables"),
    }
}

fn entries(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn write(path: &Path, text: &str) {
    let folder = path.parent().expect("a file is in a folder");
    fs::create_dir_all(folder).expect("a folder can be made");
    fs::write(path, text).expect("a file can be written");
}
