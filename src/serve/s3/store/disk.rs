//! The calls whose order makes a crash harmless: syncs and removals. Tests look
//! at their order and make them fail.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use super::error::StoreError;

/// Makes the bytes of a file durable.
pub(super) fn sync(file: &File, path: &Path) -> Result<(), StoreError> {
    #[cfg(test)]
    watch::step("sync", path)?;
    file.sync_data().map_err(StoreError::io("sync", path))
}

/// Makes the names within a folder durable.
pub(super) fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    let handle = File::open(dir).map_err(StoreError::io("open", dir))?;
    sync_names(&handle, dir)
}

/// As [`sync_dir`], of a folder that is open.
pub(super) fn sync_names(handle: &File, dir: &Path) -> Result<(), StoreError> {
    #[cfg(test)]
    watch::step("sync", dir)?;
    handle.sync_all().map_err(StoreError::io("sync", dir))
}

/// Removes a file, which may be gone already.
pub(super) fn remove(path: &Path) -> Result<(), StoreError> {
    #[cfg(test)]
    watch::step("remove", path)?;
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(StoreError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// What tests see of the calls on a store's folder.
#[cfg(test)]
pub(super) mod watch {
    use std::path::{Path, PathBuf};
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use super::super::error::StoreError;

    /// Those of all tests that are running.
    static WATCHED: Mutex<Vec<Watched>> = Mutex::new(Vec::new());

    struct Watched {
        dir: PathBuf,
        steps: Vec<String>,
        failing: Option<String>,
    }

    /// Watches a folder until it is dropped.
    pub(in super::super) struct Watch(PathBuf);

    impl Watch {
        pub(in super::super) fn of(dir: &Path) -> Self {
            let dir = dir.to_owned();
            watched().push(Watched { dir: dir.clone(), steps: Vec::new(), failing: None });
            Self(dir)
        }

        /// The steps so far, as `sync log/N.log`, and `failed sync log/N.log`.
        pub(in super::super) fn steps(&self) -> Vec<String> {
            self.with(|watched| watched.steps.clone())
        }

        /// The place of a step among the steps so far.
        pub(in super::super) fn position(&self, step: &str) -> Option<usize> {
            self.steps().iter().position(|other| other == step)
        }

        pub(in super::super) fn wait_for(&self, step: &str) {
            let begin = std::time::Instant::now();
            while self.position(step).is_none() {
                assert!(begin.elapsed().as_secs() < 20, "waiting for `{step}`");
                std::thread::yield_now();
            }
        }

        /// Lets a step fail from now on, or none.
        pub(in super::super) fn fail(&self, step: Option<&str>) {
            self.with(|watched| watched.failing = step.map(str::to_owned));
        }

        fn with<T>(&self, look: impl FnOnce(&mut Watched) -> T) -> T {
            let mut all = watched();
            look(all.iter_mut().find(|watched| watched.dir == self.0).unwrap())
        }
    }

    impl Drop for Watch {
        fn drop(&mut self) {
            watched().retain(|watched| watched.dir != self.0);
        }
    }

    /// Notes a step, and fails when it shall.
    pub(super) fn step(what: &'static str, path: &Path) -> Result<(), StoreError> {
        for watched in watched().iter_mut() {
            let Ok(within) = path.strip_prefix(&watched.dir) else { continue };
            let step = format!("{what} {}", within.display());
            if watched.failing.as_ref() == Some(&step) {
                watched.steps.push(format!("failed {step}"));
                return Err(StoreError::io(what, path)(std::io::Error::other("told to fail")));
            }
            watched.steps.push(step);
        }
        Ok(())
    }

    fn watched() -> MutexGuard<'static, Vec<Watched>> {
        WATCHED.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
