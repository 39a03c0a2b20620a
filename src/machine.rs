//! What this machine must offer before a cluster is made.
//!
//! Owns the thresholds and where the numbers are read. `up` refuses what cannot work before
//! anything is made; `doctor` tells everything at once. Changes nothing.

use crate::error::{Error, Kind, Result};
use crate::tools::docker::EngineInfo;

/// Disk that each node takes, in bytes: its own copy of the node image's `/var`, and logs.
const DISK_PER_NODE: u64 = 1_500_000_000;
/// Disk that must stay free, in bytes: etcd does not start again on a full disk.
const DISK_RESERVE: u64 = 1_000_000_000;
/// Memory of the control plane and of a worker, in bytes.
const MEMORY_CONTROL_PLANE: u64 = 1_200_000_000;
/// Memory of a worker, in bytes.
const MEMORY_WORKER: u64 = 400_000_000;
/// inotify instances that each node takes at least; below it, pods fail at random.
const INOTIFY_INSTANCES_PER_NODE: u64 = 64;
/// inotify instances that kind recommends.
/// Source: <https://kind.sigs.k8s.io/docs/user/known-issues/#pod-errors-due-to-too-many-open-files>.
const INOTIFY_INSTANCES_WANTED: u64 = 512;
/// inotify watches that kind recommends; same source.
const INOTIFY_WATCHES_WANTED: u64 = 524_288;

/// What this machine has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// Free bytes where Docker keeps its data; absent when it cannot be told.
    pub disk_free: Option<u64>,
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// `fs.inotify.max_user_instances`.
    pub inotify_instances: Option<u64>,
    /// `fs.inotify.max_user_watches`.
    pub inotify_watches: Option<u64>,
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// A cluster cannot work.
    Fatal,
    /// It may work.
    Warning,
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub what: String,
    /// What cures it.
    pub cure: String,
}

impl Machine {
    /// Reads the numbers.
    #[must_use]
    pub fn read(engine: &EngineInfo) -> Self {
        let number = |path: &str| std::fs::read_to_string(path).ok()?.trim().parse().ok();
        Self {
            disk_free: rustix::fs::statvfs(engine.root_dir.as_str())
                .ok()
                .map(|stat| stat.f_bavail.saturating_mul(stat.f_frsize)),
            memory: u64::try_from(engine.memory).ok().filter(|memory| *memory > 0),
            inotify_instances: number("/proc/sys/fs/inotify/max_user_instances"),
            inotify_watches: number("/proc/sys/fs/inotify/max_user_watches"),
        }
    }

    /// Everything that is not as a cluster of `nodes` nodes needs it.
    #[must_use]
    pub fn problems(&self, nodes: u64, engine: &EngineInfo) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut tell = |severity, what: String, cure: String| {
            problems.push(Problem { severity, what, cure });
        };
        let gb = |bytes: u64| {
            format!("{:.1} GB", u32::try_from(bytes / 100_000_000).map_or(0.0, f64::from) / 10.0)
        };
        let disk = DISK_RESERVE + nodes * DISK_PER_NODE;
        if let Some(free) = self.disk_free.filter(|free| *free < disk) {
            tell(
                Severity::Fatal,
                format!(
                    "{} are free in `{}`, {} are needed for {nodes} node(s)",
                    gb(free),
                    engine.root_dir,
                    gb(disk)
                ),
                "free some disk: docker system df, docker image prune".to_owned(),
            );
        }
        let memory = MEMORY_CONTROL_PLANE + nodes.saturating_sub(1) * MEMORY_WORKER;
        if let Some(has) = self.memory.filter(|has| *has < memory) {
            tell(
                Severity::Fatal,
                format!("there are {} of memory, {} are needed", gb(has), gb(memory)),
                "give Docker more memory, or use a profile with fewer nodes".to_owned(),
            );
        }
        let instances = nodes * INOTIFY_INSTANCES_PER_NODE;
        if let Some(has) = self.inotify_instances.filter(|has| *has < INOTIFY_INSTANCES_WANTED) {
            let severity = if has < instances { Severity::Fatal } else { Severity::Warning };
            tell(
                severity,
                format!(
                    "fs.inotify.max_user_instances is {has}: pods may fail with \"too many open files\""
                ),
                format!("sysctl -w fs.inotify.max_user_instances={INOTIFY_INSTANCES_WANTED}"),
            );
        }
        if let Some(has) = self.inotify_watches.filter(|has| *has < INOTIFY_WATCHES_WANTED) {
            tell(
                Severity::Warning,
                format!("fs.inotify.max_user_watches is {has}"),
                format!("sysctl -w fs.inotify.max_user_watches={INOTIFY_WATCHES_WANTED}"),
            );
        }
        if engine.rootless && engine.cgroup_version == "1" {
            tell(
                Severity::Fatal,
                "rootless Docker needs cgroup v2".to_owned(),
                "see https://kind.sigs.k8s.io/docs/user/rootless/".to_owned(),
            );
        }
        problems
    }
}

/// Refuses what cannot work; returns the rest as warnings.
///
/// # Errors
/// [`Kind::Machine`] with all fatal problems, each with its cure.
pub fn refuse_fatal(problems: Vec<Problem>) -> Result<Vec<Problem>> {
    let (fatal, rest): (Vec<_>, Vec<_>) =
        problems.into_iter().partition(|problem| problem.severity == Severity::Fatal);
    if fatal.is_empty() {
        return Ok(rest);
    }
    let what: Vec<_> = fatal.iter().map(|problem| problem.what.as_str()).collect();
    let error = Error::new(Kind::Machine, what.join("\n"));
    Err(fatal.iter().fold(error, |error, problem| error.hint(&problem.cure)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Machine = Machine {
        disk_free: Some(80_000_000_000),
        memory: Some(16_000_000_000),
        inotify_instances: Some(512),
        inotify_watches: Some(524_288),
    };

    fn engine() -> EngineInfo {
        EngineInfo {
            version: "26.1.5".into(),
            architecture: "amd64".into(),
            root_dir: "/var/lib/docker".into(),
            cgroup_version: "2".into(),
            cpus: 2,
            memory: 16_000_000_000,
            rootless: false,
        }
    }

    fn fatal(machine: Machine, nodes: u64) -> Option<Error> {
        refuse_fatal(machine.problems(nodes, &engine())).err()
    }

    #[test]
    fn a_good_machine_has_no_problems() {
        assert!(GOOD.problems(4, &engine()).is_empty());
    }

    #[test]
    fn a_nearly_full_disk_is_refused_with_the_numbers() {
        let error = fatal(Machine { disk_free: Some(2_100_000_000), ..GOOD }, 1).unwrap();
        assert_eq!(error.kind(), Kind::Machine);
        assert!(error.to_string().starts_with("2.1 GB are free in `/var/lib/docker`"), "{error}");
        assert!(!error.hints().is_empty());
    }

    #[test]
    fn low_inotify_limits_warn_and_too_low_ones_are_refused() {
        let low = Machine { inotify_instances: Some(128), ..GOOD };
        assert!(fatal(low, 1).is_none());
        assert_eq!(low.problems(1, &engine())[0].severity, Severity::Warning);
        let error = fatal(low, 4).unwrap();
        assert_eq!(error.hints(), ["sysctl -w fs.inotify.max_user_instances=512"]);
    }

    #[test]
    fn unknown_numbers_are_no_problem() {
        let unknown = Machine {
            disk_free: None,
            memory: None,
            inotify_instances: None,
            inotify_watches: None,
        };
        assert!(unknown.problems(4, &engine()).is_empty());
    }
}
