//! Unix sockets that clients of any user of the node find by their path.
//!
//! Owns taking such a path. Must not know what comes through.

use std::fs::Permissions;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Takes the place of a socket that a process before this one left, and lets everybody write to it.
/// A server that lives keeps its open socket, but not the path.
///
/// # Errors
/// When the path cannot be taken.
pub fn listen<T>(path: &Path, bind: fn(PathBuf) -> std::io::Result<T>) -> std::io::Result<T> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = bind(path.to_owned())?;
    std::fs::set_permissions(path, Permissions::from_mode(0o777))?;
    Ok(socket)
}
