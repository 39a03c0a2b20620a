//! Plain HTTP to the sandbox's own servers.
//!
//! Owns what all such clients have in common. It runs in images without any certificate, too, where
//! an ordinary client could not even be made.

use reqwest::{Certificate, Client, ClientBuilder};

/// A client for plain HTTP, past any proxy.
pub fn client() -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("sandbox/", env!("CARGO_PKG_VERSION")))
        .no_proxy()
        .tls_certs_only(Vec::<Certificate>::new())
}
