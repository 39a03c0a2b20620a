//! One command at a time for each sandbox.
//!
//! Owns the lock file. The kernel frees the lock when its holder dies, however it dies, so there
//! is never a stale lock to remove by hand.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use rustix::fs::{FlockOperation, flock};

use super::{Place, make_private_dir};
use crate::error::{Context, Error, Kind, Result};

/// The right to change one sandbox, until it is dropped.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    file: File,
}

impl Lock {
    /// Takes the lock.
    ///
    /// # Errors
    /// [`Kind::Busy`] naming who has it.
    pub fn take(place: &Place, command: &str) -> Result<Self> {
        make_private_dir(place.root())?;
        let path = place.root().join(format!("{}.lock", place.name()));
        let failed = || format!("cannot lock `{}`", path.display());
        loop {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&path)
                .context(Kind::Machine, failed)?;
            if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
                return Err(busy(place, &mut file));
            }
            // The last holder may have removed the file between our open and our lock.
            let ours = file.metadata().map(|metadata| metadata.ino()).ok();
            let there = fs::metadata(&path).map(|metadata| metadata.ino()).ok();
            if ours == there {
                let told = format!("{command} (pid {})", std::process::id());
                file.set_len(0)
                    .and_then(|()| file.rewind())
                    .and_then(|()| file.write_all(told.as_bytes()))
                    .context(Kind::Machine, failed)?;
                return Ok(Self { path, file });
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Removed while still locked, so that nobody can lock a file that is about to go.
        let _ = fs::remove_file(&self.path);
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

fn busy(place: &Place, file: &mut File) -> Error {
    let mut holder = String::new();
    let _ = file.read_to_string(&mut holder);
    let holder = if holder.is_empty() { "another command".to_owned() } else { holder };
    Error::new(Kind::Busy, format!("sandbox `{}` is in use by `{holder}`", place.name()))
        .hint("wait for it to end, or use another name with --name")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Name;

    #[test]
    fn the_second_is_told_who_the_first_is_and_nothing_is_left() {
        let root = tempfile::tempdir().unwrap();
        let place = Place::new(root.path().to_owned(), Name::new("x").unwrap());
        let first = Lock::take(&place, "sandbox up").unwrap();
        let error = Lock::take(&place, "sandbox down").unwrap_err();
        assert_eq!(error.kind(), Kind::Busy);
        assert!(error.to_string().contains("sandbox up (pid"), "{error}");
        drop(first);
        drop(Lock::take(&place, "sandbox down").unwrap());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }
}
