//! Runs other programs: status checked, output kept, deadline kept, children never left behind.
//!
//! Owns the start of every child. Each runs in a process group of its own, so that Ctrl-C
//! reaches this program first and it decides how the child ends. Must not know which program it
//! runs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

use crate::error::{Error, Kind, Result};
use crate::tools::orphans::MARK;

/// How much of a child's standard error is kept for messages, in lines.
const TAIL_LINES: usize = 12;
/// How long a child may take to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(3);

/// A child to run.
#[derive(Debug, Clone)]
pub struct Cmd {
    program: PathBuf,
    purpose: String,
    args: Vec<OsString>,
    env: Vec<(String, OsString)>,
    stdin: Vec<u8>,
    deadline: Duration,
}

/// What a child that ended well wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Why a child did not do what it was run for.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// It could not be started.
    #[error("cannot start `{command}`")]
    Start {
        /// The command, quoted for a shell.
        command: String,
        /// Why.
        source: std::io::Error,
    },
    /// It ended with a failure.
    #[error("`{command}` {status}{}", tail(stderr))]
    Failed {
        /// The command, quoted for a shell.
        command: String,
        /// Exit code or signal, in words.
        status: String,
        /// The last lines of its standard error.
        stderr: String,
    },
    /// It did not end in time.
    #[error("`{command}` did not end within {}s{}", deadline.as_secs(), tail(stderr))]
    Deadline {
        /// The command, quoted for a shell.
        command: String,
        /// How long it was given.
        deadline: Duration,
        /// The last lines of its standard error.
        stderr: String,
    },
}

impl RunError {
    /// What happened, without the child's own words.
    #[must_use]
    pub fn brief(&self) -> String {
        match self {
            RunError::Failed { command, status, .. } => format!("`{command}` {status}"),
            other => other.to_string(),
        }
    }

    /// What the child wrote to standard error, last lines.
    #[must_use]
    pub fn stderr(&self) -> &str {
        match self {
            RunError::Start { .. } => "",
            RunError::Failed { stderr, .. } | RunError::Deadline { stderr, .. } => stderr,
        }
    }
}

fn tail(stderr: &str) -> String {
    if stderr.is_empty() { String::new() } else { format!(": {stderr}") }
}

impl Cmd {
    /// A child; `purpose` completes "failed to …".
    pub fn new(program: impl Into<PathBuf>, purpose: impl Into<String>) -> Self {
        Self {
            program: program.into(),
            purpose: purpose.into(),
            args: Vec::new(),
            env: Vec::new(),
            stdin: Vec::new(),
            deadline: Duration::from_secs(60),
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<I: IntoIterator<Item = S>, S: Into<OsString>>(mut self, args: I) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets the whole environment: nothing is inherited.
    #[must_use]
    pub fn env(mut self, env: Vec<(String, OsString)>) -> Self {
        self.env = env;
        self
    }

    /// Adds one variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// What the child reads from standard input; default nothing.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// How long the child may take; default 60 s.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The command as one could paste it into a shell.
    #[must_use]
    pub fn shown(&self) -> String {
        let program = self.program.file_name().unwrap_or(self.program.as_os_str());
        std::iter::once(program)
            .chain(self.args.iter().map(OsString::as_os_str))
            .map(|word| quoted(&word.to_string_lossy()))
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Runs the child to its end.
    ///
    /// # Errors
    /// [`Kind::Machine`] with the [`RunError`] as its cause. When the returned future is dropped,
    /// the child and all its children get SIGTERM.
    pub async fn run(&self) -> Result<Output> {
        self.watch(|_| ()).await
    }

    /// Runs the child and hands on each line of its standard error as it comes.
    ///
    /// # Errors
    /// As [`Cmd::run`].
    pub async fn watch(&self, on_line: impl FnMut(&str) + Send) -> Result<Output> {
        self.try_run(on_line).await.map_err(|error| {
            Error::new(Kind::Machine, format!("failed to {}", self.purpose)).because(error)
        })
    }

    /// Runs the child; the plain error, for callers that look into it.
    ///
    /// # Errors
    /// See [`RunError`].
    pub async fn try_run(&self, on_line: impl FnMut(&str) + Send) -> Result<Output, RunError> {
        let command = self.shown();
        let start = |source| RunError::Start { command: command.clone(), source };
        let mut child = self.spawn().map_err(start)?;
        let group = Group::of(&child);
        let mut stdout = Vec::new();
        let mut lines = Vec::new();
        let ended = tokio::time::timeout(
            self.deadline,
            self.attend(&mut child, &mut stdout, &mut lines, on_line),
        )
        .await;
        let stderr = last(&lines);
        match ended {
            Ok(Ok(status)) => {
                group.ended();
                if status.success() {
                    let stdout = String::from_utf8_lossy(&stdout).into_owned();
                    Ok(Output { stdout, stderr: lines.join("\n") })
                } else {
                    Err(RunError::Failed { command, status: in_words(status), stderr })
                }
            }
            Ok(Err(source)) => Err(RunError::Start { command, source }),
            Err(_) => {
                group.signal(Signal::TERM);
                if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
                    group.signal(Signal::KILL);
                    let _ = child.wait().await;
                }
                group.ended();
                Err(RunError::Deadline { command, deadline: self.deadline, stderr })
            }
        }
    }

    /// Starts the child for the user to keep: it may outlive this program. One that has not ended
    /// by the deadline is taken for well.
    ///
    /// # Errors
    /// [`RunError::Start`], and [`RunError::Failed`] when it ends badly before the deadline.
    pub async fn leave(&self) -> Result<(), RunError> {
        let command = self.shown();
        let start = |source| RunError::Start { command: command.clone(), source };
        let mut child = self
            .command()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(start)?;
        match tokio::time::timeout(self.deadline, child.wait()).await {
            Ok(ended) => {
                let status = ended.map_err(start)?;
                if status.success() {
                    return Ok(());
                }
                let (status, stderr) = (in_words(status), String::new());
                Err(RunError::Failed { command, status, stderr })
            }
            Err(_) => Ok(()),
        }
    }

    fn spawn(&self) -> std::io::Result<Child> {
        self.command()
            .env(MARK, std::process::id().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that starts children")]
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .process_group(0);
        command
    }

    /// Feeds and reads the child until it ends. All pipes at once, so none can fill up.
    async fn attend(
        &self,
        child: &mut Child,
        stdout: &mut Vec<u8>,
        lines: &mut Vec<String>,
        mut on_line: impl FnMut(&str) + Send,
    ) -> std::io::Result<ExitStatus> {
        let mut stdin = child.stdin.take();
        let out = child.stdout.take();
        let err = child.stderr.take();
        let feed = async {
            if let Some(pipe) = stdin.as_mut() {
                // A child that does not read its input is judged by its exit status.
                let _ = pipe.write_all(&self.stdin).await;
            }
            drop(stdin.take());
        };
        let read = async {
            match out {
                Some(mut pipe) => pipe.read_to_end(stdout).await.map(|_| ()),
                None => Ok(()),
            }
        };
        let talk = async {
            if let Some(pipe) = err {
                let mut reader = BufReader::new(pipe);
                let mut line = Vec::new();
                while reader.read_until(b'\n', &mut line).await? > 0 {
                    let text = String::from_utf8_lossy(&line);
                    let text = text.trim_end();
                    on_line(text);
                    lines.push(text.to_owned());
                    line.clear();
                }
            }
            Ok::<(), std::io::Error>(())
        };
        let ((), read, talk) = tokio::join!(feed, read, talk);
        read?;
        talk?;
        child.wait().await
    }
}

/// The process group of a child; dropped before the child ended, it gets SIGTERM.
struct Group {
    pid: Option<Pid>,
    ended: std::sync::atomic::AtomicBool,
}

impl Group {
    fn of(child: &Child) -> Self {
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Self { pid, ended: std::sync::atomic::AtomicBool::new(false) }
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid {
            // The group may be gone already, which is what is wanted.
            let _ = kill_process_group(pid, signal);
        }
    }

    fn ended(&self) {
        self.ended.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.ended.load(std::sync::atomic::Ordering::Relaxed) {
            self.signal(Signal::TERM);
        }
    }
}

fn in_words(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with code {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended in an unknown way".to_owned(),
    }
}

fn last(lines: &[String]) -> String {
    let from = lines.len().saturating_sub(TAIL_LINES);
    lines[from..].join("\n")
}

/// A word of a POSIX shell, quoted where it is needed.
#[must_use]
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Finds a program on the PATH of the given environment.
///
/// # Errors
/// [`Kind::Machine`] when it is not there.
pub fn find(program: &str, path: Option<&str>, cwd: &Path) -> Result<PathBuf> {
    which::which_in(program, path, cwd).map_err(|_| {
        Error::new(Kind::Machine, format!("`{program}` is not on PATH"))
            .hint("scripts/tools fetches or builds it and prints the folder to add to PATH")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Cmd {
        Cmd::new("/bin/sh", "run a script").arg("-c").arg(script)
    }

    #[tokio::test]
    async fn output_is_kept_and_lines_are_handed_on() {
        let mut seen = Vec::new();
        let output = sh("echo out; echo one >&2; echo two >&2")
            .watch(|line| seen.push(line.to_owned()))
            .await
            .unwrap();
        assert_eq!(output.stdout, "out\n");
        assert_eq!(seen, ["one", "two"]);
    }

    #[tokio::test]
    async fn a_failure_tells_command_code_and_last_words() {
        let error = sh("echo because >&2; exit 3").run().await.unwrap_err();
        assert_eq!(error.to_string(), "failed to run a script");
        let causes = error.causes();
        assert!(causes[0].contains("exited with code 3: because"), "{causes:?}");
        assert!(causes[0].starts_with("`sh -c 'echo because"), "{causes:?}");
    }

    #[tokio::test]
    async fn nothing_is_inherited() {
        let output = sh("echo ${HOME-none}").run().await.unwrap();
        assert_eq!(output.stdout, "none\n");
    }

    #[tokio::test]
    async fn standard_input_larger_than_a_pipe_does_not_block() {
        let output = Cmd::new("/bin/cat", "copy").stdin(vec![b'x'; 300_000]).run().await.unwrap();
        assert_eq!(output.stdout.len(), 300_000);
    }

    #[tokio::test]
    async fn a_child_past_its_deadline_is_ended_with_its_children() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().display().to_string();
        let error = sh(&format!("(sleep 2; echo late > {path}) & echo waiting >&2; wait"))
            .deadline(Duration::from_millis(300))
            .try_run(|_| ())
            .await
            .unwrap_err();
        assert!(error.to_string().contains("did not end within"), "{error}");
        assert_eq!(error.stderr(), "waiting");
        // The grandchild held the pipe; that the call came back shows that it is gone.
        assert_eq!(std::fs::read_to_string(file.path()).unwrap(), "");
    }

    #[tokio::test]
    async fn what_is_left_to_the_user_lives_on() {
        let folder = tempfile::tempdir().unwrap();
        let (go, done) = (folder.path().join("go"), folder.path().join("done"));
        let script = format!(
            "until [ -e {} ]; do sleep 0.02; done; : > {}; exit 3",
            go.display(),
            done.display()
        );
        let soon = Duration::from_millis(50);
        sh(&script).deadline(soon).leave().await.unwrap();
        std::fs::write(&go, "").unwrap();
        tokio::time::timeout(Duration::from_secs(10), async {
            while !done.exists() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
        .expect("it was ended");
        let error = sh("exit 3").leave().await.unwrap_err();
        assert!(error.to_string().contains("exited with code 3"), "{error}");
    }

    #[tokio::test]
    async fn a_missing_program_is_named() {
        let error = Cmd::new("/nowhere/kind", "create a cluster").run().await.unwrap_err();
        assert!(error.causes()[0].contains("cannot start `kind`"));
    }
}
