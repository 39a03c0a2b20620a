//! Names that nobody can register in the public DNS: a web page cannot move its own name here and
//! then ask under one of them.
//!
//! Owns the rule that the servers' guards share. What else a server answers to is its own matter.

use std::net::IpAddr;

/// Whether a host name without its port is an address, a single word, `localhost` or below it, or
/// that of a Service in a cluster.
pub(super) fn is_local(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    if name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
        return true;
    }
    let labels: Vec<&str> = name.trim_end_matches('.').split('.').collect();
    match labels.as_slice() {
        [one] => !one.is_empty(),
        [.., "localhost" | "svc"] | [.., "svc", "cluster", "local"] => true,
        _ => false,
    }
}
