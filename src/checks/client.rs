//! Which way a request leaves: to the sandbox's ingress or as it is written.
//!
//! Owns name resolution, trust and connection settings of checks. Must not follow redirects: the
//! next URL may need another way out.

use std::net::{Ipv4Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};

use crate::checks::Target;

/// A way out. URLs with the same one share a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Door {
    /// To 127.0.0.1, because the host is `localhost` or ends in `.localhost`. The port counts
    /// when the URL names none, or only the usual one of its scheme.
    ///
    /// Certificates are not verified here: ingress-nginx answers with its own self-signed one
    /// until the sandbox has a certificate authority.
    Sandbox(u16),
    /// To a loopback address written in the URL, past any proxy.
    Loopback,
    /// To wherever the URL says; certificates are verified.
    Elsewhere,
}

impl Door {
    /// Chooses the way for a URL.
    pub(super) fn of(url: &Url, target: &Target) -> Self {
        let host = url.host_str().unwrap_or_default();
        if is_localhost(host) {
            let secure = url.scheme() == "https";
            Self::Sandbox(if secure { target.https_port } else { target.http_port })
        } else if is_loopback(host) {
            Self::Loopback
        } else {
            Self::Elsewhere
        }
    }

    /// The address that a URL leads to, when it is not the one in the URL.
    pub(super) fn address(self, url: &Url) -> Option<SocketAddr> {
        match self {
            Self::Sandbox(port) => {
                Some(SocketAddr::from((Ipv4Addr::LOCALHOST, url.port().unwrap_or(port))))
            }
            Self::Loopback | Self::Elsewhere => None,
        }
    }

    /// Makes a client that opens a new connection for each request, so that requests are spread
    /// over replicas.
    ///
    /// # Errors
    /// When TLS cannot be set up, such as without any trusted certificate on this machine.
    pub(super) fn client(self) -> reqwest::Result<Client> {
        let builder = Client::builder()
            .user_agent(concat!("sandbox/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .pool_max_idle_per_host(0);
        match self {
            Self::Sandbox(port) => builder
                .no_proxy()
                .tls_danger_accept_invalid_certs(true)
                .dns_resolver(Ingress(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))),
            Self::Loopback => builder.no_proxy(),
            Self::Elsewhere => builder,
        }
        .build()
    }
}

/// Resolves every name to the ingress controller; a port in the URL still wins.
#[derive(Debug)]
struct Ingress(SocketAddr);

impl Resolve for Ingress {
    fn resolve(&self, _name: Name) -> Resolving {
        let addresses: Addrs = Box::new(std::iter::once(self.0));
        Box::pin(std::future::ready(Ok(addresses)))
    }
}

fn is_localhost(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    host == "localhost" || host.ends_with(".localhost")
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door(url: &str) -> (Door, Option<String>) {
        let url = Url::parse(url).unwrap();
        let door =
            Door::of(&url, &Target { http_port: 8080, https_port: 8443, ..Target::default() });
        (door, door.address(&url).map(|address| address.to_string()))
    }

    #[test]
    fn localhost_names_go_to_the_sandbox_and_nothing_else_does() {
        let to = |port, address: &str| (Door::Sandbox(port), Some(address.to_owned()));
        assert_eq!(door("http://hello.localhost/x"), to(8080, "127.0.0.1:8080"));
        assert_eq!(door("https://HELLO.localhost./"), to(8443, "127.0.0.1:8443"));
        assert_eq!(door("http://localhost"), to(8080, "127.0.0.1:8080"));
        assert_eq!(door("http://hello.localhost:9000/"), to(8080, "127.0.0.1:9000"));
        assert_eq!(door("http://127.0.0.1:9000/"), (Door::Loopback, None));
        assert_eq!(door("http://[::1]/"), (Door::Loopback, None));
        for other in ["https://localhost.example.com/", "http://notlocalhost/", "http://10.0.0.1/"]
        {
            assert_eq!(door(other), (Door::Elsewhere, None), "{other}");
        }
    }
}
