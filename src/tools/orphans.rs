//! Children that outlived the program which started them.
//!
//! Owns finding and ending them. A kill -9 leaves the running `kind` or `helm` behind, which would
//! go on making what the next command removes, or hold a release that it wants to change. Whoever
//! calls this holds the lock of the sandbox, so no child of it can rightfully be running.

use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::error::Kind;
use crate::tools::ready;

/// Variable that marks every child of this program. A `helm` that the user runs with the
/// sandbox's kubeconfig does not have it.
pub(super) const MARK: &str = "SANDBOX_CHILD";
/// How long a killed child may take to be gone.
const DEADLINE: Duration = Duration::from_secs(10);

/// Ends every child that works with a file in `folder`, with its own children, and waits until
/// they are gone; returns how many there were.
pub async fn end_orphans(folder: &Path) -> usize {
    let found = orphans(folder);
    for pid in &found {
        // Gone already is as good.
        let _ = kill_process_group(*pid, Signal::KILL);
    }
    let gone = || async {
        let left = orphans(folder).len();
        if left == 0 { Ok(()) } else { Err(format!("{left} still run")) }
    };
    // Only a process that cannot be killed stays; everything goes on all the same.
    let _ = ready::retry("the end of an orphan", Kind::Cluster, DEADLINE, gone).await;
    found.len()
}

fn orphans(folder: &Path) -> Vec<Pid> {
    let own = std::process::id();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let read = |file: &str| std::fs::read(entry.path().join(file));
            let (line, env) = (read("cmdline").ok()?, read("environ").ok()?);
            let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
            let ours = pid != own && is_ours(&text(line), &text(env), folder);
            ours.then(|| Pid::from_raw(i32::try_from(pid).ok()?))?
        })
        .collect()
}

/// Whether a command line and an environment, as the kernel shows them, are of a child of ours
/// that works with a kubeconfig in that folder.
fn is_ours(line: &str, env: &str, folder: &Path) -> bool {
    let words: Vec<&str> = line.split('\0').collect();
    let marked = env.split('\0').any(|pair| pair.split('=').next() == Some(MARK));
    marked
        && words
            .windows(2)
            .any(|pair| pair[0] == "--kubeconfig" && Path::new(pair[1]).starts_with(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_marked_children_of_that_sandbox_are_orphans() {
        let (line, env) =
            ("helm\0--kubeconfig\0/s/a/kubeconfig\0upgrade\0", "A=1\0SANDBOX_CHILD=1");
        assert!(is_ours(line, env, Path::new("/s/a")));
        assert!(!is_ours(line, env, Path::new("/s/b")));
        assert!(!is_ours(line, env, Path::new("/s/a/kube")), "a folder is no prefix of a name");
        assert!(!is_ours(line, "A=SANDBOX_CHILD", Path::new("/s/a")), "the user's own helm");
    }
}
