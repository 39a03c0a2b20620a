//! The kind `tls`: a handshake with the ingress controller, or another port of this machine.
//!
//! Owns where the handshake goes and whom it trusts. The handshake itself is in `tls`.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::time::Instant;

use crate::checks::Target;
use crate::checks::probe::Seen;
use crate::checks::tls::{self, TlsExpect};
use crate::settings::checks::Tls;

/// How long one handshake may take.
const LIMIT: Duration = Duration::from_secs(5);

/// Everything to shake hands.
pub(super) struct Handshake<'a> {
    host: &'a str,
    address: SocketAddr,
    ca: &'a str,
    expect: TlsExpect,
}

impl<'a> Handshake<'a> {
    /// Prepares the handshake.
    ///
    /// # Errors
    /// One line when the sandbox has no certificate authority.
    pub(super) fn new(tls: &'a Tls, target: &'a Target) -> Result<Self, String> {
        let ca = target.ca.as_deref().ok_or("this sandbox has no certificate authority")?;
        let port = tls.port.unwrap_or(target.https_port);
        let expect = TlsExpect {
            issuer: tls.issuer.clone(),
            valid_for: tls.valid_for.and_then(|time| Duration::try_from(time).ok()),
        };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Ok(Self { host: &tls.host, address, ca, expect })
    }

    /// Shakes hands once.
    pub(super) async fn attempt(&self, end: Instant) -> Seen {
        let end = end.min(Instant::now() + LIMIT);
        let verdict = tls::attempt(self.host, self.address, self.ca, &self.expect, end).await;
        let asked = format!("TLS handshake for {} (at {})", self.host, self.address);
        Seen { verdict, asked, came: String::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_certificate_authority_there_is_nobody_to_trust() {
        let tls = Tls { host: "a.localhost".into(), ..Tls::default() };
        let none = Target { https_port: 8443, ..Target::default() };
        let why = Handshake::new(&tls, &none).err().unwrap();
        assert_eq!(why, "this sandbox has no certificate authority");
        let some = Target { ca: Some("PEM".into()), ..none };
        let handshake = Handshake::new(&tls, &some).unwrap();
        assert_eq!(handshake.address.to_string(), "127.0.0.1:8443");
        let other = Tls { port: Some(9443), ..tls };
        assert_eq!(Handshake::new(&other, &some).unwrap().address.port(), 9443);
    }
}
