//! One attempt at a TLS check: a handshake, and what is to be told about the certificate.
//!
//! Owns what counts as good: trusted by the authority given and by no other, made for the name
//! that was asked for, valid now. Must not send data over the connection, must not trust anything
//! for the sake of looking at it, and must not retry.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, ProtocolVersion, SignatureScheme,
};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use crate::checks::text;
use crate::tools::x509::{self, About};

/// How much of a name in a certificate is shown, in characters.
const NAME_SHOWN: usize = 100;
/// How many names of a certificate are shown.
const NAMES_SHOWN: usize = 6;
/// The certificate that ingress-nginx answers with when it has none for a host.
const NGINX_FAKE: &str = "Kubernetes Ingress Controller Fake Certificate";

/// What a good certificate must be beyond trusted, made for the name and valid.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TlsExpect {
    /// What the common name of its issuer contains.
    pub(super) issuer: Option<String>,
    /// How long it is still valid at least.
    pub(super) valid_for: Option<Duration>,
}

/// Shakes hands with the server at `address` in the name of `host` and says in one line what the
/// certificate is, or what is wrong with it. Only chains that end at a certificate of `ca_pem` are
/// trusted.
pub(super) async fn attempt(
    host: &str,
    address: SocketAddr,
    ca_pem: &str,
    expect: &TlsExpect,
    within: Instant,
) -> Result<String, String> {
    let host = host.strip_suffix('.').unwrap_or(host);
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| format!("`{}` is no host name", text::line(host, NAME_SHOWN)))?;
    let seen = Arc::new(Witness::new(ca_pem)?);
    let config = config(&seen)?;
    let stream = match timeout_at(within, TcpStream::connect(address)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            return Err(format!("connection refused: nothing listens on {address}"));
        }
        Ok(Err(error)) => return Err(format!("cannot connect to {address}: {error}")),
        Err(_) => return Err(format!("timed out: cannot connect to {address}")),
    };
    let handshake = TlsConnector::from(Arc::new(config)).connect(name, stream);
    let mut stream = match timeout_at(within, handshake).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(failure(&error, host, address, &seen)),
        Err(_) => return Err(format!("timed out: {address} did not finish the TLS handshake")),
    };
    let version = stream.get_ref().1.protocol_version();
    // A server that does not wait for the good-bye is no failure.
    let _ = timeout_at(within, stream.shutdown()).await;
    let chain = seen.chain();
    let leaf = chain.first().ok_or("the server showed no certificate")?;
    judge(leaf, expect, Timestamp::now())?;
    Ok(format!(
        "{}, chain ends at {}, names {}, valid until {}",
        version_name(version),
        shown(&end(&chain, ca_pem)),
        names(leaf),
        day(leaf.ends),
    ))
}

fn config(seen: &Arc<Witness>) -> Result<ClientConfig, String> {
    let verifier: Arc<dyn ServerCertVerifier> = Arc::<Witness>::clone(seen);
    Ok(ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("cannot set up TLS: {error}"))?
        // Nothing is trusted here that rustls itself would not: see `Witness`.
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}

/// The verifier of rustls, which also remembers what it was shown, so that a certificate that is
/// refused can still be described.
struct Witness {
    judge: Arc<WebPkiServerVerifier>,
    chain: Mutex<Vec<CertificateDer<'static>>>,
}

impl Witness {
    fn new(ca_pem: &str) -> Result<Self, String> {
        let unusable = |why: &dyn fmt::Display| format!("no usable certificate authority: {why}");
        let roots = x509::roots(ca_pem).map_err(|error| unusable(&error))?;
        let provider = Arc::new(default_provider());
        let judge = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| unusable(&error))?;
        Ok(Self { judge, chain: Mutex::default() })
    }

    /// What the server showed, the leaf first. What cannot be read is left out.
    fn chain(&self) -> Vec<About> {
        let chain = self.chain.lock().unwrap_or_else(PoisonError::into_inner);
        chain.iter().filter_map(|der| About::der(der).ok()).collect()
    }
}

impl fmt::Debug for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Witness").finish_non_exhaustive()
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let chain = std::iter::once(end_entity).chain(intermediates);
        *self.chain.lock().unwrap_or_else(PoisonError::into_inner) =
            chain.map(|der| der.clone().into_owned()).collect();
        let judge = &self.judge;
        judge.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.judge.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.judge.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.judge.supported_verify_schemes()
    }
}

/// Whether a trusted certificate is also what was expected.
fn judge(leaf: &About, expect: &TlsExpect, now: Timestamp) -> Result<(), String> {
    if let Some(issuer) = &expect.issuer
        && !leaf.issuer.contains(issuer.as_str())
    {
        return Err(format!(
            "issued by {}; expected an issuer with `{issuer}` in its name",
            shown(&leaf.issuer)
        ));
    }
    if let Some(least) = expect.valid_for {
        let left = leaf.ends.duration_since(now);
        let least = SignedDuration::try_from(least).unwrap_or(SignedDuration::MAX);
        if left < least {
            return Err(format!(
                "valid until {}, which is {} from now; expected at least {}",
                day(leaf.ends),
                span(left),
                span(least)
            ));
        }
    }
    Ok(())
}

/// A handshake that failed, in words.
fn failure(error: &io::Error, host: &str, address: SocketAddr, seen: &Witness) -> String {
    let chain = seen.chain();
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match (cause, chain.first()) {
        (Some(rustls::Error::InvalidCertificate(why)), Some(leaf)) => {
            refused(why, host, &chain, leaf)
        }
        (Some(rustls::Error::InvalidMessage(_)), _) => {
            format!("not TLS: what {address} answers is another protocol")
        }
        (Some(rustls::Error::AlertReceived(alert)), _) => {
            format!("the server refused the handshake for `{host}`: {alert:?}")
        }
        (Some(other), _) => format!("the TLS handshake failed: {other}"),
        (None, _)
            if matches!(
                error.kind(),
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
            ) =>
        {
            format!("not TLS, or no certificate: {address} closed the connection in the handshake")
        }
        (None, _) => format!("the TLS handshake failed: {error}"),
    }
}

/// A certificate that was refused, in words.
fn refused(why: &CertificateError, host: &str, chain: &[About], leaf: &About) -> String {
    if chain.iter().any(|shown| shown.subject == NGINX_FAKE) {
        return format!(
            "not trusted: ingress-nginx has no certificate for `{host}` and answers with its own \
             ({NGINX_FAKE})"
        );
    }
    match why {
        CertificateError::UnknownIssuer if leaf.issuer == leaf.subject => {
            format!("not trusted: the certificate is signed by itself ({})", shown(&leaf.subject))
        }
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            let issuer = chain.last().map_or(&leaf.issuer, |last| &last.issuer);
            format!(
                "not trusted: issued by {}, which is not the sandbox's authority",
                shown(issuer)
            )
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("the certificate is not for `{host}`: it has the names {}", names(leaf))
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            let ends = chain.iter().map(|shown| shown.ends).min().unwrap_or(leaf.ends);
            format!("the certificate expired on {}", day(ends))
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            let begins = chain.iter().map(|shown| shown.begins).max().unwrap_or(leaf.begins);
            format!("the certificate is not valid before {}", day(begins))
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "the certificate is not for servers".to_owned()
        }
        other => format!("the certificate is not good: {other}"),
    }
}

/// The common name of the authority at which a trusted chain ends.
fn end(chain: &[About], ca_pem: &str) -> String {
    let mut authorities = x509::all(ca_pem).filter_map(|der| About::der(&der).ok());
    let signed = |authority: &About| chain.iter().any(|shown| shown.issuer == authority.subject);
    let found = authorities.find(signed).map(|authority| authority.subject);
    found.or_else(|| chain.last().map(|last| last.issuer.clone())).unwrap_or_default()
}

fn names(about: &About) -> String {
    if about.names.is_empty() {
        return "(none)".to_owned();
    }
    let mut list: Vec<String> =
        about.names.iter().take(NAMES_SHOWN).map(|name| text::line(name, NAME_SHOWN)).collect();
    if about.names.len() > NAMES_SHOWN {
        list.push(format!("{} more", about.names.len() - NAMES_SHOWN));
    }
    list.join(", ")
}

/// A name out of a certificate, safe to show.
fn shown(name: &str) -> String {
    format!("`{}`", text::line(name, NAME_SHOWN))
}

fn day(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%d").to_string()
}

/// Days, or hours when it is less than two days.
fn span(duration: SignedDuration) -> String {
    let hours = duration.as_hours();
    if hours < 48 { format!("{hours} h") } else { format!("{} days", hours / 24) }
}

fn version_name(version: Option<ProtocolVersion>) -> &'static str {
    match version {
        Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
        Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
        _ => "TLS",
    }
}

#[cfg(test)]
#[path = "tls_tests.rs"]
mod tests;
