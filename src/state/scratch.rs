//! A folder for files that a command gives to its children and that hold secrets.
//!
//! Owns that it is private, of a known name and gone when its command is; what a killed command
//! left is removed by the next one. Its holder has the sandbox's lock.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Place, make_private_dir};
use crate::error::Result;

/// The folder; gone when this value is.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// The folder's path. It is made when it is first written to.
    #[must_use]
    pub fn of(place: &Place) -> Self {
        let scratch = Self(place.root().join(format!(".{}.scratch", place.name())));
        scratch.remove();
        scratch
    }

    /// The folder, made when it is not there yet.
    ///
    /// # Errors
    /// When the state folder cannot be written.
    pub fn dir(&self) -> Result<&Path> {
        make_private_dir(&self.0)?;
        Ok(&self.0)
    }

    fn remove(&self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.remove();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Name;

    #[test]
    fn it_is_gone_with_its_holder_and_so_is_what_a_killed_one_left() {
        let root = tempfile::tempdir().unwrap();
        let place = Place::new(root.path().join("state"), Name::new("hello").unwrap());
        let left = Scratch::of(&place).dir().unwrap().to_owned();
        assert!(!left.exists());
        fs::create_dir_all(&left).unwrap();
        fs::write(left.join("secret"), "x").unwrap();
        let scratch = Scratch::of(&place);
        assert!(!left.exists());
        scratch.dir().unwrap();
        assert!(left.exists());
        drop(scratch);
        assert!(!left.exists());
    }
}
