//! Reads certificates: what they say, who signed them, when they end.
//!
//! Owns every detail of parsing X.509. Must not make certificates and must not store anything.

use std::time::Duration;

use jiff::Timestamp;
use rustls::RootCertStore;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ParsedCertificate;
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate, X509Name};

use crate::error::{Context, Error, Kind, Result};

/// What a certificate says about itself. Nothing of it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Common name of the subject, or else the whole name.
    pub subject: String,
    /// Common name of who issued it, or else the whole name.
    pub issuer: String,
    /// DNS names and IP addresses it is valid for.
    pub names: Vec<String>,
    /// When its validity begins.
    pub begins: Timestamp,
    /// When its validity ends.
    pub ends: Timestamp,
    /// The public key with its algorithm, DER.
    pub public_key: Vec<u8>,
}

impl About {
    /// Reads a certificate in PEM; the first one when there are several.
    ///
    /// # Errors
    /// [`Kind::Cluster`] when it is none.
    pub fn pem(text: &str) -> Result<Self> {
        Self::der(&first(text)?)
    }

    /// Reads a certificate in DER.
    ///
    /// # Errors
    /// [`Kind::Cluster`] when it is none.
    pub fn der(bytes: &[u8]) -> Result<Self> {
        let (_, parsed) = X509Certificate::from_der(bytes).context(Kind::Cluster, damaged)?;
        let validity = parsed.validity();
        let moment = |seconds| Timestamp::from_second(seconds).context(Kind::Cluster, damaged);
        Ok(Self {
            subject: name(parsed.subject()),
            issuer: name(parsed.issuer()),
            names: names(&parsed),
            begins: moment(validity.not_before.timestamp())?,
            ends: moment(validity.not_after.timestamp())?,
            public_key: parsed.public_key().raw.to_vec(),
        })
    }
}

/// All certificates of a text in PEM, in DER; what is no certificate is passed over.
pub fn all(pem: &str) -> impl Iterator<Item = CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).filter_map(std::result::Result::ok)
}

/// The certificates of a text in PEM, as what a chain may end at.
///
/// # Errors
/// [`Kind::Cluster`] when there is no certificate in it that may be trusted.
pub fn roots(pem: &str) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(all(pem));
    if added == 0 { Err(Error::new(Kind::Cluster, damaged())) } else { Ok(roots) }
}

/// Whether the authority signed the server certificate and both are valid at that moment.
#[must_use]
pub fn holds(authority: &str, certificate: &str, at: Timestamp) -> bool {
    let Ok(roots) = roots(authority) else { return false };
    let Ok(der) = first(certificate) else { return false };
    let Ok(parsed) = ParsedCertificate::try_from(&der) else { return false };
    let now = UnixTime::since_unix_epoch(since_epoch(at));
    let algorithms = default_provider().signature_verification_algorithms.all;
    verify_server_cert_signed_by_trust_anchor(&parsed, &roots, &[], now, algorithms).is_ok()
}

/// The SHA-256 of a certificate in PEM, as browsers and openssl show it: `AB:CD:…`.
///
/// # Errors
/// [`Kind::Cluster`] when it is none.
pub fn fingerprint(pem: &str) -> Result<String> {
    let digest = Sha256::digest(first(pem)?);
    let pairs: Vec<String> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
    Ok(pairs.join(":"))
}

/// The time from 1970 to a moment; nothing for moments before.
pub(super) fn since_epoch(moment: Timestamp) -> Duration {
    Duration::from_secs(u64::try_from(moment.as_second()).unwrap_or_default())
}

fn first(pem: &str) -> Result<CertificateDer<'static>> {
    CertificateDer::from_pem_slice(pem.as_bytes())
        .map_err(|error| Error::new(Kind::Cluster, damaged()).because(error.to_string()))
}

fn damaged() -> String {
    "this is no certificate".to_owned()
}

fn name(name: &X509Name<'_>) -> String {
    let common = name.iter_common_name().find_map(|part| part.as_str().ok());
    common.map_or_else(|| name.to_string(), str::to_owned)
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let shown = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => address(bytes),
        _ => None,
    };
    extension.value.general_names.iter().filter_map(shown).collect()
}

fn address(bytes: &[u8]) -> Option<String> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(std::net::Ipv4Addr::from(four).to_string());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|bytes| std::net::Ipv6Addr::from(bytes).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::ca::Authority;

    #[test]
    fn what_is_no_certificate_is_told_and_never_holds() {
        let authority = Authority::new("hello").unwrap();
        let empty = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for text in ["", "junk", empty, &authority.key()] {
            assert!(About::pem(text).is_err(), "{text}");
            assert!(roots(text).is_err(), "{text}");
            assert!(!holds(authority.certificate(), text, Timestamp::now()));
            assert!(!holds(text, authority.certificate(), Timestamp::now()));
        }
    }

    #[test]
    fn the_fingerprint_is_that_of_the_der() {
        let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let text = fingerprint(pem).unwrap();
        // printf '\0\0\0' | sha256sum
        assert!(text.starts_with("70:9E:80:C8:84:87:A2:41:"), "{text}");
        assert_eq!(text.len(), 32 * 3 - 1);
    }

    #[test]
    fn certificates_of_a_bundle_are_found_between_other_text() {
        let (one, two) = (Authority::new("one").unwrap(), Authority::new("two").unwrap());
        let bundle = format!("# one\n{}# two\n{}", one.certificate(), two.certificate());
        assert_eq!(all(&bundle).count(), 2);
        assert_eq!(roots(&bundle).unwrap().len(), 2);
    }
}
