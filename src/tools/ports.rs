//! Ports of this machine: which are free, and who holds the others.
//!
//! Owns looking at listening sockets. A port found free may be taken a moment later, so the
//! caller must still handle a refusal. Changes nothing.

use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::path::Path;

/// Whether a listener on 127.0.0.1 could take the port now.
#[must_use]
pub fn is_free(port: u16) -> bool {
    TcpListener::bind(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// The first free port from `from` on that is not in `taken`.
#[must_use]
pub fn first_free(from: u16, taken: &[u16]) -> Option<u16> {
    (from..u16::MAX).find(|port| !taken.contains(port) && is_free(*port))
}

/// Any free port, as the kernel gives it.
///
/// # Errors
/// What the kernel says when there is none.
pub fn any_free() -> std::io::Result<u16> {
    Ok(TcpListener::bind(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// The process that listens on the port, as `name (pid 123)`; absent when it cannot be told, for
/// example as it belongs to another user.
#[must_use]
pub fn holder(port: u16) -> Option<String> {
    let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .flat_map(|table| listening_inodes(&table, port))
        .collect();
    let wanted: Vec<String> = inodes.iter().map(|inode| format!("socket:[{inode}]")).collect();
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    processes.map(|entry| entry.path()).find_map(|process| {
        let pid: u32 = process.file_name()?.to_str()?.parse().ok()?;
        holds(&process, &wanted).then(|| {
            let name = std::fs::read_to_string(process.join("comm")).unwrap_or_default();
            format!("{} (pid {pid})", name.trim())
        })
    })
}

fn holds(process: &Path, wanted: &[String]) -> bool {
    let Ok(files) = std::fs::read_dir(process.join("fd")) else { return false };
    files
        .flatten()
        .filter_map(|file| std::fs::read_link(file.path()).ok())
        .any(|target| wanted.iter().any(|socket| target.as_os_str() == socket.as_str()))
}

/// Inodes of the sockets that listen on the port, out of the kernel's table: the second column is
/// `address:port` in hexadecimal, the fourth is `0A` for listening, the tenth is the inode.
fn listening_inodes(table: &str, port: u16) -> Vec<String> {
    let ending = format!(":{port:04X}");
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let listens = columns.get(3) == Some(&"0A") && columns.get(1)?.ends_with(&ending);
            listens.then(|| columns.get(9).map(|inode| (*inode).to_owned()))?
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_not_free_and_its_holder_is_this_process() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(!is_free(port));
        let holder = holder(port).unwrap();
        assert!(holder.ends_with(&format!("(pid {})", std::process::id())), "{holder}");
        assert_ne!(first_free(port, &[]), Some(port));
    }

    #[test]
    fn only_listening_sockets_of_that_port_count() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 x
   1: 0100007F:1F90 0100007F:D000 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 x
   2: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 x";
        assert_eq!(listening_inodes(table, 8080), ["4711"]);
    }
}
