//! A sandbox for one test: own name, own folders, removed whatever happens.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// A sandbox for one test.
pub(crate) struct Sandbox {
    pub(crate) name: String,
    pub(crate) dir: PathBuf,
    state: PathBuf,
    _root: tempfile::TempDir,
}

/// What a run of the program came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Asserts the exit code and returns itself.
    #[track_caller]
    pub(crate) fn code(self, wanted: i32) -> Self {
        assert_eq!(self.code, Some(wanted), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Asserts that standard error contains a text.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "{text:?} is missing in:\n{}", self.stderr);
        self
    }
}

fn ran(output: &Output) -> Ran {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

impl Sandbox {
    /// A sandbox with a copy of an example in its folder.
    pub(crate) fn of_example(name: &str, example: &str) -> Self {
        let sandbox = Self::bare(name);
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(example);
        copy(&source, &sandbox.dir);
        sandbox
    }

    /// A sandbox with an empty folder.
    pub(crate) fn bare(name: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("project");
        std::fs::create_dir(&dir).unwrap();
        let state = root.path().join("state");
        let name = format!("{name}-{}", std::process::id());
        eprintln!("-- {name}");
        Self { name, dir, state, _root: root }
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sandbox"));
        self.dress(command.args(args));
        command
    }

    /// Gives a command the sandbox's folders and name.
    pub(crate) fn dress<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command
            .current_dir(&self.dir)
            .env("SANDBOX_STATE_DIR", &self.state)
            .env("SANDBOX_NAME", &self.name)
            .env("CI", "1")
            .stdin(Stdio::null())
    }

    /// Runs the program in the sandbox's folder.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        eprintln!("   sandbox {}", args.join(" "));
        ran(&self.command(args).output().unwrap())
    }

    /// Runs the program with one more variable.
    pub(crate) fn run_with(&self, args: &[&str], name: &str, value: &str) -> Ran {
        eprintln!("   {name}={value} sandbox {}", args.join(" "));
        ran(&self.command(args).env(name, value).output().unwrap())
    }

    /// Starts the program and returns while it runs.
    pub(crate) fn start(&self, args: &[&str]) -> Child {
        eprintln!("   sandbox {} &", args.join(" "));
        let mut command = self.command(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// The outcome of a run with `--json`.
    pub(crate) fn outcome(&self, args: &[&str]) -> serde_json::Value {
        let run = self.run(&[args, &["--json"]].concat()).code(0);
        let last = run.stdout.lines().last().unwrap_or_default();
        serde_json::from_str::<serde_json::Value>(last).unwrap()["outcome"].clone()
    }

    /// Runs `kubectl` on this sandbox through `sandbox kubeconfig`.
    pub(crate) fn kubectl(&self, args: &[&str]) -> String {
        let kubeconfig = self.run(&["kubeconfig"]).code(0).stdout;
        let output = Command::new("kubectl")
            .args(["--kubeconfig", kubeconfig.trim()])
            .args(args)
            .output()
            .unwrap();
        let ran = ran(&output);
        assert_eq!(ran.code, Some(0), "kubectl {args:?}: {}", ran.stderr);
        ran.stdout
    }

    /// The port of 127.0.0.1 for plain HTTP.
    pub(crate) fn http_port(&self) -> u16 {
        let outcome = self.outcome(&["up"]);
        u16::try_from(outcome["ports"]["http"].as_u64().unwrap()).unwrap()
    }

    /// Takes it down and asserts that Docker and the state folder know nothing of it any more.
    pub(crate) fn down(&self) {
        self.run(&["down"]).code(0);
        self.assert_gone();
    }

    /// Asserts that Docker and the state folder know nothing of it.
    #[track_caller]
    pub(crate) fn assert_gone(&self) {
        let cluster = format!("sandbox-{}", self.name);
        assert_eq!(docker(&["ps", "-aq", "--filter", &format!("name={cluster}")]), "");
        assert_eq!(docker(&["network", "ls", "-q", "--filter", &format!("name={cluster}")]), "");
        let left: Vec<_> = std::fs::read_dir(&self.state)
            .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
            .unwrap_or_default();
        assert!(left.is_empty(), "left in the state folder: {left:?}");
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let status = self.run(&["status"]);
            eprintln!("{}{}", status.stdout, status.stderr);
        }
        // Whatever the test did: nothing may stay. A test that cares asserts it before.
        let _ = self.run(&["down"]);
    }
}

/// Runs `docker` and returns what it printed.
#[track_caller]
pub(crate) fn docker(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output().unwrap();
    assert!(
        output.status.success(),
        "docker {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Names of all anonymous volumes.
pub(crate) fn volumes() -> Vec<String> {
    docker(&["volume", "ls", "-q"]).lines().map(str::to_owned).collect()
}

/// One request to 127.0.0.1 with a Host header; the answer's body.
pub(crate) fn get(port: u16, host: &str) -> String {
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "10"])
        .args(["--header", &format!("Host: {host}")])
        .arg(format!("http://127.0.0.1:{port}/"))
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { text(&output.stdout) } else { text(&output.stderr) }
}

/// Changes a text file; the text to replace must be there.
#[track_caller]
pub(crate) fn edit(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from:?} is not in {}", path.display());
    std::fs::write(path, text.replace(from, to)).unwrap();
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
