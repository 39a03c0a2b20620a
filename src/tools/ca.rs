//! The certificate authority of one sandbox: makes it and signs with it.
//!
//! Owns what its certificates say, and the truststore for Java. The authority signs leaves directly and nothing else
//! (path length 0), as cert-manager does with it. Must not keep anything: where keys are stored
//! is decided in `state`.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use p12_keystore::{Certificate, KeyStore, KeyStoreEntry};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, date_time_ymd,
};

use crate::error::{Context, Error, Kind, Result};
use crate::tools::x509::{self, About};

/// How long an authority is valid.
const AUTHORITY_LASTS: SignedDuration = SignedDuration::from_hours(10 * 365 * 24);
/// How long a leaf is valid. Safari and Chrome accept 825 days at most, even below an authority
/// that the user added; public authorities issue for 398 days at most.
const LEAF_LASTS: SignedDuration = SignedDuration::from_hours(397 * 24);
/// How far in the past validity begins: clocks of containers and machines differ.
const BACKDATED: SignedDuration = SignedDuration::from_hours(24);
/// What must be left of a leaf's time for it to be used again.
const RENEWED_BEFORE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Longest common name of a subject (X.520).
const LONGEST_COMMON_NAME: usize = 64;

/// The password of every truststore: the one that Java itself uses. It protects nothing, as there
/// are only public certificates inside.
pub const TRUSTSTORE_PASSWORD: &str = "changeit";

/// A certificate authority with its key.
pub struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, both PEM; the key is PKCS#8.
#[derive(Clone, PartialEq, Eq)]
pub struct Leaf {
    /// The certificate alone, without the authority's.
    pub certificate: String,
    /// Its private key.
    pub key: String,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

impl fmt::Debug for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leaf").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

impl Authority {
    /// Makes a new authority. A random word in its name keeps it apart from earlier ones of the
    /// same sandbox wherever people add it to a list of trusted ones.
    ///
    /// # Errors
    /// [`Kind::Unexpected`] when a key cannot be made.
    pub fn new(sandbox: &str) -> Result<Self> {
        let failed = || "cannot make a certificate authority".to_owned();
        let id = uuid::Uuid::new_v4().simple().to_string();
        let params = authority_params(&format!("sandbox {sandbox} ({})", &id[..8]));
        let key = KeyPair::generate().context(Kind::Unexpected, failed)?;
        let certificate = params.self_signed(&key).context(Kind::Unexpected, failed)?.pem();
        Ok(Self { certificate, issuer: Issuer::new(params, key) })
    }

    /// Takes up an authority that was made before.
    ///
    /// # Errors
    /// [`Kind::Cluster`] when either text is no PEM of the right sort or they are no pair.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self> {
        let failed = || "the certificate authority is damaged".to_owned();
        let pair = KeyPair::from_pem(key).context(Kind::Cluster, failed)?;
        let about = About::pem(certificate).context(Kind::Cluster, failed)?;
        if about.public_key != pair.subject_public_key_info() {
            return Err(Error::new(Kind::Cluster, failed())
                .because("its key does not belong to its certificate"));
        }
        let params = authority_params(&about.subject);
        Ok(Self { certificate: certificate.to_owned(), issuer: Issuer::new(params, pair) })
    }

    /// Its certificate as PEM, for everybody.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Its private key as PEM (PKCS#8).
    #[must_use]
    pub fn key(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// Issues a certificate for a server with these DNS names and IP addresses.
    ///
    /// # Errors
    /// [`Kind::Settings`] when a name cannot stand in a certificate.
    pub fn leaf(&self, sans: &[String]) -> Result<Leaf> {
        self.leaf_at(sans, Timestamp::now())
    }

    fn leaf_at(&self, sans: &[String], now: Timestamp) -> Result<Leaf> {
        let failed = || format!("cannot issue a certificate for {}", sans.join(", "));
        if sans.is_empty() {
            return Err(Error::new(Kind::Unexpected, "a certificate needs a name"));
        }
        let mut params = CertificateParams::new(sans.to_vec()).context(Kind::Settings, failed)?;
        params.distinguished_name = DistinguishedName::new();
        let common = sans.iter().find(|name| name.len() <= LONGEST_COMMON_NAME);
        params
            .distinguished_name
            .push(DnType::CommonName, common.map_or("sandbox", String::as_str));
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        set_validity(&mut params, now, LEAF_LASTS);
        let key = KeyPair::generate().context(Kind::Unexpected, failed)?;
        let certificate = params.signed_by(&key, &self.issuer).context(Kind::Settings, failed)?;
        Ok(Leaf { certificate: certificate.pem(), key: key.serialize_pem() })
    }
}

/// What the certificate of an authority says; the same for the same name, so that an authority
/// taken up from PEM signs as it did when it was made.
fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_validity(&mut params, Timestamp::now(), AUTHORITY_LASTS);
    params
}

fn set_validity(params: &mut CertificateParams, now: Timestamp, lasts: SignedDuration) {
    let begins = now - BACKDATED;
    let epoch = date_time_ymd(1970, 1, 1);
    params.not_before = epoch + x509::since_epoch(begins);
    params.not_after = epoch + x509::since_epoch(begins + lasts);
}

/// When the validity of a certificate in PEM ends.
///
/// # Errors
/// [`Kind::Cluster`] when it is no certificate.
pub fn expires(certificate: &str) -> Result<Timestamp> {
    Ok(About::pem(certificate)?.ends)
}

/// Whether a certificate in PEM should be made anew: it ends within 30 days, or is none.
#[must_use]
pub fn needs_renewal(certificate: &str, now: Timestamp) -> bool {
    expires(certificate).map_or(true, |ends| ends < now + RENEWED_BEFORE)
}

/// Makes a PKCS#12 truststore for Java out of all certificates of a text in PEM. Its password is
/// [`TRUSTSTORE_PASSWORD`].
///
/// # Errors
/// [`Kind::Cluster`] when there is no certificate in it.
pub fn truststore(pem: &str) -> Result<Vec<u8>> {
    let mut store = KeyStore::new();
    // Certificates that cannot be parsed are left out: Java would not read them either.
    let certificates = x509::all(pem).filter_map(|der| Certificate::from_der(&der).ok());
    for (index, certificate) in certificates.enumerate() {
        store.add_entry(&format!("trusted-{index}"), KeyStoreEntry::Certificate(certificate));
    }
    let failed = || "cannot make a truststore".to_owned();
    if store.entries_len() == 0 {
        return Err(Error::new(Kind::Cluster, failed()).because("there is no certificate for it"));
    }
    store.writer(TRUSTSTORE_PASSWORD).write().context(Kind::Unexpected, failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn an_authority_taken_up_again_signs_as_it_did() {
        let made = Authority::new("hello").unwrap();
        let again = Authority::from_pem(made.certificate(), &made.key()).unwrap();
        assert_eq!(again.certificate(), made.certificate());
        assert_eq!(again.key(), made.key());
        for authority in [&made, &again] {
            let leaf = authority.leaf(&names(&["a.localhost", "127.0.0.1", "::1"])).unwrap();
            assert!(x509::holds(made.certificate(), &leaf.certificate, Timestamp::now()));
            let about = About::pem(&leaf.certificate).unwrap();
            assert_eq!(about.names, ["a.localhost", "127.0.0.1", "::1"]);
            assert_eq!(about.subject, "a.localhost");
            assert_eq!(about.issuer, About::pem(made.certificate()).unwrap().subject);
            assert!(leaf.key.starts_with("-----BEGIN PRIVATE KEY-----"));
        }
    }

    #[test]
    fn two_authorities_of_one_sandbox_are_not_the_same() {
        let (one, two) = (Authority::new("hello").unwrap(), Authority::new("hello").unwrap());
        let subject = |authority: &Authority| About::pem(authority.certificate()).unwrap().subject;
        assert!(subject(&one).starts_with("sandbox hello ("));
        assert_ne!(subject(&one), subject(&two));
        let leaf = one.leaf(&names(&["x"])).unwrap();
        assert!(!x509::holds(two.certificate(), &leaf.certificate, Timestamp::now()));
        let error = Authority::from_pem(one.certificate(), &two.key()).unwrap_err();
        assert_eq!(error.causes(), ["its key does not belong to its certificate"]);
    }

    #[test]
    fn an_authority_says_what_it_may_do() {
        let authority = Authority::new(&"n".repeat(40)).unwrap();
        let about = About::pem(authority.certificate()).unwrap();
        assert!(about.subject.len() <= LONGEST_COMMON_NAME, "{}", about.subject);
        let der = x509::all(authority.certificate()).next().unwrap();
        let (_, parsed) = x509_parser::parse_x509_certificate(&der).unwrap();
        let constraints = parsed.basic_constraints().unwrap().unwrap();
        assert!(constraints.critical && constraints.value.ca);
        assert_eq!(constraints.value.path_len_constraint, Some(0));
        let usage = parsed.key_usage().unwrap().unwrap();
        assert!(usage.critical && usage.value.key_cert_sign() && usage.value.crl_sign());
        assert!(parsed.iter_extensions().any(|found| found.oid.to_id_string() == "2.5.29.14"));
        assert!(about.begins < Timestamp::now() - SignedDuration::from_hours(23));
        let years = (about.ends - about.begins).total(jiff::Unit::Hour).unwrap() / 24.0 / 365.0;
        assert!((9.9..10.1).contains(&years), "{years}");
    }

    #[test]
    fn a_leaf_is_for_servers_and_lasts_no_longer_than_browsers_accept() {
        let authority = Authority::new("hello").unwrap();
        let leaf = authority.leaf(&names(&["*.hello.localhost"])).unwrap();
        let der = x509::all(&leaf.certificate).next().unwrap();
        assert_eq!(x509::all(&leaf.certificate).count(), 1, "the leaf alone");
        let (_, parsed) = x509_parser::parse_x509_certificate(&der).unwrap();
        assert!(!parsed.is_ca());
        assert!(parsed.extended_key_usage().unwrap().unwrap().value.server_auth);
        assert!(parsed.key_usage().unwrap().unwrap().value.digital_signature());
        assert!(parsed.iter_extensions().any(|found| found.oid.to_id_string() == "2.5.29.35"));
        let validity = parsed.validity();
        let days = (validity.not_after.timestamp() - validity.not_before.timestamp()) / 86_400;
        assert!(days <= 825, "{days}");
    }

    #[test]
    fn a_leaf_is_renewed_a_month_before_its_end() {
        let authority = Authority::new("hello").unwrap();
        let leaf = authority.leaf(&names(&["x"])).unwrap();
        let ends = expires(&leaf.certificate).unwrap();
        let days = |days: i64| SignedDuration::from_hours(days * 24);
        assert!(!needs_renewal(&leaf.certificate, ends - days(31)));
        assert!(needs_renewal(&leaf.certificate, ends - days(29)));
        assert!(needs_renewal("", Timestamp::now()));
    }

    #[test]
    fn names_that_fit_no_certificate_are_refused() {
        let authority = Authority::new("hello").unwrap();
        let error = authority.leaf(&names(&["grüße.localhost"])).unwrap_err();
        assert_eq!(error.to_string(), "cannot issue a certificate for grüße.localhost");
        assert!(authority.leaf(&[]).is_err());
        let long = "a".repeat(60) + ".hello.localhost";
        let leaf = authority.leaf(std::slice::from_ref(&long)).unwrap();
        assert_eq!(About::pem(&leaf.certificate).unwrap().names, [long]);
    }

    #[test]
    fn keys_stay_out_of_debug_output() {
        let authority = Authority::new("hello").unwrap();
        let leaf = authority.leaf(&names(&["x"])).unwrap();
        let text = format!("{authority:?} {leaf:?}");
        assert!(!text.contains("PRIVATE KEY"), "{text}");
    }

    #[test]
    fn a_truststore_has_every_certificate_and_opens_with_its_password() {
        let (one, two) = (Authority::new("one").unwrap(), Authority::new("two").unwrap());
        let pem = format!("{}{}", one.certificate(), two.certificate());
        let bytes = truststore(&pem).unwrap();
        let policy = p12_keystore::Pkcs12ImportPolicy::Strict;
        let store = KeyStore::from_pkcs12(&bytes, TRUSTSTORE_PASSWORD, policy).unwrap();
        assert_eq!(store.entries_len(), 2, "each is marked as trusted");
        assert!(KeyStore::from_pkcs12(&bytes, "other", policy).is_err());
        assert!(truststore("junk").is_err());
    }
}
