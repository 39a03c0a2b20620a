//! How many datagrams the kernel dropped because a socket's buffer was full.
//! Owns reading that from `/proc/net/udp`.

use std::fs;
use std::os::fd::AsFd;

/// The kernel's count for one UDP socket.
#[derive(Debug)]
pub(super) struct Drops {
    inode: u64,
    seen: u64,
}

impl Drops {
    /// Counts from now on; `None` where the socket cannot be told.
    pub(super) fn of(socket: impl AsFd) -> Option<Self> {
        let inode = rustix::fs::fstat(socket).ok()?.st_ino;
        let mut drops = Self { inode, seen: 0 };
        drops.more();
        Some(drops)
    }

    /// How many there were since the last time.
    pub(super) fn more(&mut self) -> u64 {
        let tables = ["/proc/net/udp", "/proc/net/udp6"];
        let count =
            tables.iter().find_map(|table| find(&fs::read_to_string(table).ok()?, self.inode));
        let count = count.unwrap_or(self.seen);
        let more = count.saturating_sub(self.seen);
        self.seen = count;
        more
    }
}

/// The last column of the line whose tenth is the inode.
fn find(table: &str, inode: u64) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let mut columns = line.split_ascii_whitespace();
        let its = columns.nth(9)?.parse::<u64>().ok()?;
        (its == inode).then(|| columns.last()?.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
 1234: 0100007F:1FBD 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4242 2 0000000000000000 17
 1235: 00000000:1FBE 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4243 2 0000000000000000 0
";

    #[test]
    fn a_socket_is_found_by_its_inode() {
        assert_eq!(find(TABLE, 4242), Some(17));
        assert_eq!(find(TABLE, 4243), Some(0));
        assert_eq!(find(TABLE, 1), None);
    }

    #[test]
    fn drops_of_a_full_buffer_are_counted() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let client = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect(socket.local_addr().unwrap()).unwrap();
        let mut drops = Drops::of(&socket).unwrap();
        assert_eq!(drops.more(), 0);
        rustix::net::sockopt::set_socket_recv_buffer_size(&socket, 4096).unwrap();
        for _ in 0..100 {
            client.send(&[0; 1000]).unwrap();
        }
        socket.set_nonblocking(true).unwrap();
        let mut buffer = [0; 2000];
        let received = std::iter::from_fn(|| socket.recv(&mut buffer).ok()).count();
        assert_eq!(u64::try_from(received).unwrap() + drops.more(), 100);
    }
}
