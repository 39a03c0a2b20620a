//! What must stay secret about a sandbox and be the same at every `up`: the key of its
//! certificate authority, the certificates it issued to backing services, generated passwords.
//!
//! Owns `credentials.json` (0600) and what is made of its public half beside it: `ca.crt`,
//! `ca-bundle.crt` and `truststore.p12`. Changes stay in memory until they are written. Must not
//! show a secret: none of them reaches `Debug`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Place, make_private_dir};
use crate::error::{Context, Error, Kind, Result};
use crate::settings::Name;
use crate::tools::ca::{Authority, Leaf, needs_renewal};
use crate::tools::x509;

/// Version of the file's format.
const FORMAT: u32 = 1;
/// Characters of a generated password: 24 of 62 are 142 bits, and none needs quoting anywhere.
const PASSWORD_LENGTH: usize = 24;
const PASSWORD_ALPHABET: &[u8; 62] =
    b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
/// The secrets of a sandbox.
const FILE: &str = "credentials.json";

/// The secrets of a sandbox.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Credentials {
    format: u32,
    ca: Pair,
    /// Certificates of backing services.
    #[serde(default)]
    leaves: BTreeMap<String, Issued>,
    /// Generated passwords.
    #[serde(default)]
    passwords: BTreeMap<String, String>,
    /// Keys that a newer version of this program wrote.
    #[serde(flatten)]
    unknown: BTreeMap<String, serde_json::Value>,
}

/// A certificate and its key, PEM.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Pair {
    certificate: String,
    key: String,
}

/// A certificate that the authority issued.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Issued {
    sans: Vec<String>,
    certificate: String,
    key: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("format", &self.format)
            .field("leaves", &self.leaves.keys())
            .field("passwords", &self.passwords.keys())
            .finish_non_exhaustive()
    }
}

impl Credentials {
    /// Makes a new certificate authority for the sandbox, and nothing else yet.
    ///
    /// # Errors
    /// [`Kind::Unexpected`] when a key cannot be made.
    pub fn new(name: &Name) -> Result<Self> {
        let authority = Authority::new(name.as_str())?;
        let ca = Pair { certificate: authority.certificate().to_owned(), key: authority.key() };
        Ok(Self {
            format: FORMAT,
            ca,
            leaves: BTreeMap::new(),
            passwords: BTreeMap::new(),
            unknown: BTreeMap::new(),
        })
    }

    /// The certificate of the authority, PEM, for everybody.
    #[must_use]
    pub fn ca_certificate(&self) -> &str {
        &self.ca.certificate
    }

    /// The private key of the authority, PEM (PKCS#8).
    #[must_use]
    pub fn ca_key(&self) -> &str {
        &self.ca.key
    }

    /// The password of that name; made when there is none yet: 24 letters and digits.
    pub fn password(&mut self, name: &str) -> String {
        self.passwords.entry(name.to_owned()).or_insert_with(new_password).clone()
    }

    /// The server certificate of that name; made when there is none yet, or when the one there is
    /// for other names, is near its end or is not by this authority.
    ///
    /// # Errors
    /// [`Kind::Settings`] when a name cannot stand in a certificate.
    pub fn leaf(&mut self, name: &str, sans: &[String]) -> Result<Leaf> {
        self.leaf_at(name, sans, Timestamp::now())
    }

    fn leaf_at(&mut self, name: &str, sans: &[String], now: Timestamp) -> Result<Leaf> {
        if let Some(kept) = self.leaves.get(name)
            && self.still_good(kept, sans, now)
        {
            return Ok(Leaf { certificate: kept.certificate.clone(), key: kept.key.clone() });
        }
        let leaf = Authority::from_pem(&self.ca.certificate, &self.ca.key)?.leaf(sans)?;
        let issued = Issued {
            sans: sans.to_vec(),
            certificate: leaf.certificate.clone(),
            key: leaf.key.clone(),
        };
        self.leaves.insert(name.to_owned(), issued);
        Ok(leaf)
    }

    fn still_good(&self, kept: &Issued, sans: &[String], now: Timestamp) -> bool {
        kept.sans.iter().collect::<BTreeSet<_>>() == sans.iter().collect::<BTreeSet<_>>()
            && !needs_renewal(&kept.certificate, now)
            && x509::holds(&self.ca.certificate, &kept.certificate, now)
    }
}

/// Random bytes of the operating system's generator, as letters and digits.
fn new_password() -> String {
    let mut password = String::new();
    while password.len() < PASSWORD_LENGTH {
        let bytes = uuid::Uuid::new_v4().into_bytes();
        // Bytes 6 and 8 hold the version of the UUID; from 248 on some characters would be more
        // likely than others.
        let random = bytes.iter().enumerate().filter(|(index, _)| !matches!(index, 6 | 8));
        let usable = random.filter(|(_, byte)| **byte < 248);
        let missing = PASSWORD_LENGTH - password.len();
        let characters = usable.map(|(_, byte)| PASSWORD_ALPHABET[usize::from(byte % 62)]);
        password.extend(characters.take(missing).map(char::from));
    }
    password
}

impl Place {
    fn credentials_path(&self) -> PathBuf {
        self.dir().join(FILE)
    }

    /// The certificate of the sandbox's authority, PEM.
    #[must_use]
    pub fn ca_certificate(&self) -> PathBuf {
        self.dir().join("ca.crt")
    }

    /// The roots of this machine and the sandbox's authority, PEM.
    #[must_use]
    pub fn ca_bundle(&self) -> PathBuf {
        self.dir().join("ca-bundle.crt")
    }

    /// The same for Java, PKCS#12.
    #[must_use]
    pub fn truststore(&self) -> PathBuf {
        self.dir().join("truststore.p12")
    }

    /// Reads the secrets; absent when there are none.
    ///
    /// # Errors
    /// [`Kind::Cluster`] when they are damaged or were written by a newer version.
    pub fn credentials(&self) -> Result<Option<Credentials>> {
        /// Read first: the rest of a newer file may look different.
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }

        let path = self.credentials_path();
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(Error::new(Kind::Machine, format!("cannot read `{}`", path.display()))
                    .because(error));
            }
        };
        let damaged = || {
            Error::new(Kind::Cluster, format!("the credentials `{}` are damaged", path.display()))
        };
        let cure = format!("sandbox down --name {}", self.name());
        let head: Head =
            serde_json::from_str(&text).map_err(|error| damaged().because(error).hint(&cure))?;
        if head.format > FORMAT {
            return Err(Error::new(
                Kind::Cluster,
                format!("sandbox `{}` was made by a newer version of this program", self.name()),
            )
            .hint("use that version"));
        }
        let credentials: Credentials =
            serde_json::from_str(&text).map_err(|error| damaged().because(error).hint(&cure))?;
        Authority::from_pem(&credentials.ca.certificate, &credentials.ca.key)
            .map_err(|error| damaged().because(error).hint(&cure))?;
        Ok(Some(credentials))
    }

    /// Writes the secrets, readable by their owner alone, and the authority's certificate for
    /// everybody: on disk, whole, before this returns.
    ///
    /// # Errors
    /// [`Kind::Machine`] when the state folder cannot be written.
    pub fn write_credentials(&self, credentials: &Credentials) -> Result<()> {
        let text = serde_json::to_string_pretty(credentials)
            .context(Kind::Unexpected, || "the credentials are no JSON".to_owned())?;
        self.write(&self.credentials_path(), text.as_bytes())?;
        self.write_public(&self.ca_certificate(), credentials.ca_certificate().as_bytes())?;
        Ok(())
    }

    /// Writes a file of this folder that holds no secret (0644), whole, unless it is already so.
    /// Two commands may do so at the same time. Says whether it had to be written.
    ///
    /// # Errors
    /// [`Kind::Machine`] when the state folder cannot be written.
    pub fn write_public(&self, path: &std::path::Path, bytes: &[u8]) -> Result<bool> {
        if fs::read(path).is_ok_and(|there| there == bytes) {
            return Ok(false);
        }
        let failed = || format!("cannot write `{}`", path.display());
        make_private_dir(&self.dir())?;
        let mut scratch = tempfile::Builder::new()
            .permissions(fs::Permissions::from_mode(0o644))
            .tempfile_in(self.dir())
            .context(Kind::Machine, failed)?;
        scratch
            .write_all(bytes)
            .and_then(|()| scratch.as_file().sync_all())
            .context(Kind::Machine, failed)?;
        scratch.persist(path).context(Kind::Machine, failed)?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use jiff::SignedDuration;

    use super::*;

    fn place(root: &Path) -> Place {
        Place::new(root.to_owned(), name())
    }

    fn name() -> Name {
        Name::new("hello").unwrap()
    }

    fn sans(list: &[&str]) -> Vec<String> {
        list.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn credentials_come_back_as_they_were_and_only_the_certificate_is_public() {
        let root = tempfile::tempdir().unwrap();
        let place = place(root.path());
        assert_eq!(place.credentials().unwrap(), None);
        let mut credentials = Credentials::new(&name()).unwrap();
        let password = credentials.password("redis");
        let leaf = credentials.leaf("redis", &sans(&["redis.svc"])).unwrap();
        place.write_credentials(&credentials).unwrap();
        let mut again = place.credentials().unwrap().unwrap();
        assert_eq!(again, credentials);
        assert_eq!(again.password("redis"), password);
        assert_eq!(again.leaf("redis", &sans(&["redis.svc"])).unwrap(), leaf);
        assert_eq!(again, credentials, "nothing was made anew");
        let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(place.credentials_path()), 0o600);
        assert_eq!(mode(place.ca_certificate()), 0o644);
        assert_eq!(mode(place.dir()), 0o700);
        let public = fs::read_to_string(place.ca_certificate()).unwrap();
        assert_eq!(public, credentials.ca_certificate());
        assert!(!place.write_public(&place.ca_certificate(), public.as_bytes()).unwrap());
        assert_eq!(fs::read_dir(place.dir()).unwrap().count(), 2, "no scratch file is left");
    }

    #[test]
    fn a_leaf_is_made_anew_when_names_authority_or_time_ask_for_it() {
        let mut credentials = Credentials::new(&name()).unwrap();
        let now = Timestamp::now();
        let both = sans(&["a", "b"]);
        let first = credentials.leaf_at("x", &both, now).unwrap();
        let turned = credentials.leaf_at("x", &sans(&["b", "a"]), now).unwrap();
        assert_eq!(turned, first, "the order of names does not matter");
        assert_ne!(credentials.leaf_at("y", &both, now).unwrap(), first, "each has its own");
        let other = credentials.leaf_at("x", &sans(&["a"]), now).unwrap();
        assert_ne!(other, first);
        let ends = crate::tools::ca::expires(&other.certificate).unwrap();
        let days = |days: i64| SignedDuration::from_hours(days * 24);
        let early = credentials.leaf_at("x", &sans(&["a"]), ends - days(31)).unwrap();
        assert_eq!(early, other);
        let late = credentials.leaf_at("x", &sans(&["a"]), ends - days(29)).unwrap();
        assert_ne!(late, other);
        credentials.ca = Credentials::new(&name()).unwrap().ca;
        let by_new_ca = credentials.leaf_at("x", &sans(&["a"]), now).unwrap();
        assert_ne!(by_new_ca, late);
        assert!(x509::holds(credentials.ca_certificate(), &by_new_ca.certificate, now));
    }

    #[test]
    fn passwords_are_long_random_and_kept_by_name() {
        let mut credentials = Credentials::new(&name()).unwrap();
        let password = credentials.password("redis");
        assert_eq!(password.len(), PASSWORD_LENGTH);
        assert!(password.chars().all(|c| c.is_ascii_alphanumeric()), "{password}");
        assert_eq!(credentials.password("redis"), password);
        assert_ne!(credentials.password("postgres"), password);
        let many: String = (0..200).map(|_| new_password()).collect();
        let used: BTreeSet<u8> = many.bytes().collect();
        assert_eq!(used, PASSWORD_ALPHABET.iter().copied().collect(), "every character occurs");
    }

    #[test]
    fn secrets_stay_out_of_debug_output() {
        let mut credentials = Credentials::new(&name()).unwrap();
        let password = credentials.password("redis");
        credentials.leaf("redis-tls", &sans(&["redis.svc"])).unwrap();
        credentials.unknown.insert("later".into(), "secret of a later version".into());
        let text = format!("{credentials:?} {credentials:#?}");
        for secret in [password.as_str(), "PRIVATE KEY", "secret of a later version"] {
            assert!(!text.contains(secret), "{text}");
        }
        assert!(text.contains("redis-tls"), "{text}");
    }

    #[test]
    fn what_a_newer_version_added_is_kept() {
        let root = tempfile::tempdir().unwrap();
        let place = place(root.path());
        let credentials = Credentials::new(&name()).unwrap();
        let mut value = serde_json::to_value(&credentials).unwrap();
        value["tokens"] = serde_json::json!({ "x": 1 });
        make_private_dir(&place.dir()).unwrap();
        fs::write(place.credentials_path(), value.to_string()).unwrap();
        let read = place.credentials().unwrap().unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), value);
    }

    #[test]
    fn damaged_or_newer_credentials_are_no_panic_and_say_what_to_do() {
        let root = tempfile::tempdir().unwrap();
        let place = place(root.path());
        let good = serde_json::to_value(Credentials::new(&name()).unwrap()).unwrap();
        let other = serde_json::to_value(Credentials::new(&name()).unwrap()).unwrap();
        let with = |edit: &dyn Fn(&mut serde_json::Value)| {
            let mut value = good.clone();
            edit(&mut value);
            value.to_string()
        };
        let damaged = [
            String::new(),
            "{".to_owned(),
            "[]".to_owned(),
            with(&|value| value["ca"]["key"] = "".into()),
            with(&|value| value["ca"]["certificate"] = "x".into()),
            with(&|value| value["ca"]["key"] = other["ca"]["key"].clone()),
        ];
        make_private_dir(&place.dir()).unwrap();
        for text in damaged {
            fs::write(place.credentials_path(), &text).unwrap();
            let error = place.credentials().unwrap_err();
            assert!(error.to_string().ends_with("are damaged"), "{error}: {text}");
            assert_eq!(error.hints(), ["sandbox down --name hello"], "{text}");
            assert!(!error.causes().join(" ").contains("PRIVATE"), "{:?}", error.causes());
        }
        fs::write(place.credentials_path(), r#"{"format": 99, "ca": "elsewhere"}"#).unwrap();
        assert_eq!(place.credentials().unwrap_err().hints(), ["use that version"]);
    }
}
