//! `sandbox ca`: what programs need to trust the sandbox's certificates.
//!
//! Owns the variables that it prints. Must not print or write a private key, and must not change
//! what this machine trusts.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::Outcome;
use crate::env::Env;
use crate::error::{Context, Error, Kind, Result};
use crate::settings::Settings;
use crate::state::Place;
use crate::tools::{ca, x509};
use crate::world::World;

/// Where systems keep the certificates that they trust, as one file: Debian and Alpine, Fedora,
/// macOS.
const SYSTEM_ROOTS: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];
/// The variable with options for every Java program.
const JAVA: &str = "JAVA_TOOL_OPTIONS";

/// What was asked for.
#[derive(Debug)]
pub(super) struct Options {
    /// Variables for a shell instead of the certificate.
    pub(super) env: bool,
    /// Where to write a truststore.
    pub(super) pkcs12: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// [`Kind::Cluster`] when the sandbox has no certificate authority yet; [`Kind::Machine`] when a
/// file cannot be written.
pub(super) fn run(world: &World, settings: &Settings, options: &Options) -> Result<Outcome> {
    let place = world.place(&settings.name.value)?;
    let credentials = place.credentials()?.ok_or_else(|| {
        Error::new(
            Kind::Cluster,
            format!("sandbox `{}` has no certificate authority", settings.name.value),
        )
        .hint("sandbox up")
    })?;
    let certificate = credentials.ca_certificate();
    place.write_public(&place.ca_certificate(), certificate.as_bytes())?;
    let mut data = json!({
        "certificate": certificate,
        "fingerprint": x509::fingerprint(certificate)?,
        "file": place.ca_certificate(),
    });
    let mut text = certificate.to_owned();
    if let Some(file) = &options.pkcs12 {
        let path = world.cwd.join(file);
        std::fs::write(&path, ca::truststore(certificate)?)
            .context(Kind::Machine, || format!("cannot write `{}`", path.display()))?;
        text = format!("{}\n", path.display());
        data["pkcs12"] = json!(path);
    }
    if options.env {
        write_bundles(world, &place, certificate)?;
        let variables = variables(&place, &world.env);
        text = variables.iter().map(|(name, value)| exported(name, value)).collect();
        let values = variables.into_iter().map(|(name, value)| (name.to_owned(), value.into()));
        data["env"] = Value::Object(values.collect::<Map<_, _>>());
    }
    Ok(Outcome { text, data, bad_news: None })
}

/// Writes the roots of this machine together with the authority, for programs whose variable
/// replaces what they trust.
fn write_bundles(world: &World, place: &Place, certificate: &str) -> Result<()> {
    let candidates = roots_files(&world.env, place);
    let roots = candidates.iter().find_map(|path| {
        std::fs::read_to_string(path).ok().filter(|text| x509::all(text).next().is_some())
    });
    if roots.is_none() {
        world.events.warn(format!(
            "found no certificates that this machine trusts; `{}` holds only the sandbox's",
            place.ca_bundle().display()
        ));
    }
    let mut bundle = roots.unwrap_or_default();
    if !bundle.is_empty() && !bundle.ends_with('\n') {
        bundle.push('\n');
    }
    bundle.push_str(certificate);
    // A truststore never comes out the same twice, so it is as new as the bundle.
    let current = std::fs::read(place.ca_bundle()).is_ok_and(|there| there == bundle.as_bytes());
    if !current || !place.truststore().is_file() {
        place.write_public(&place.truststore(), &ca::truststore(&bundle)?)?;
        place.write_public(&place.ca_bundle(), bundle.as_bytes())?;
    }
    Ok(())
}

/// Where to look for the roots: what the user set comes first, unless it is a file of ours.
fn roots_files(env: &Env, place: &Place) -> Vec<PathBuf> {
    let own = env.path("SSL_CERT_FILE").filter(|path| !path.starts_with(place.root()));
    own.into_iter().chain(SYSTEM_ROOTS.map(PathBuf::from)).collect()
}

fn variables(place: &Place, env: &Env) -> Vec<(&'static str, String)> {
    let shown = |path: PathBuf| path.display().to_string();
    let bundle = shown(place.ca_bundle());
    vec![
        ("CURL_CA_BUNDLE", bundle.clone()),
        ("SSL_CERT_FILE", bundle.clone()),
        ("REQUESTS_CA_BUNDLE", bundle),
        ("NODE_EXTRA_CA_CERTS", shown(place.ca_certificate())),
        (JAVA, java_options(&place.truststore(), env.text(JAVA))),
    ]
}

/// The options for Java after those that are set already; of two that are the same, Java takes
/// the last.
fn java_options(truststore: &Path, set: Option<&str>) -> String {
    let path = truststore.display().to_string();
    // Java splits the variable at blanks outside of quotes.
    let path = if path.contains(char::is_whitespace) { format!("\"{path}\"") } else { path };
    let own = format!(
        "-Djavax.net.ssl.trustStore={path} -Djavax.net.ssl.trustStoreType=PKCS12 \
         -Djavax.net.ssl.trustStorePassword={}",
        ca::TRUSTSTORE_PASSWORD
    );
    match set {
        Some(set) if set.ends_with(&own) => set.to_owned(),
        Some(set) => format!("{set} {own}"),
        None => own,
    }
}

/// A line for a POSIX shell.
pub(super) fn exported(name: &str, value: &str) -> String {
    format!("export {name}='{}'\n", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Name;

    #[test]
    fn values_are_quoted_for_a_shell() {
        assert_eq!(exported("A", "/x y/$HOME"), "export A='/x y/$HOME'\n");
        assert_eq!(exported("A", "it's"), "export A='it'\\''s'\n");
    }

    #[test]
    fn options_for_java_are_added_once() {
        let first = java_options(Path::new("/s/t.p12"), Some("-Xmx1g"));
        assert_eq!(
            first,
            "-Xmx1g -Djavax.net.ssl.trustStore=/s/t.p12 -Djavax.net.ssl.trustStoreType=PKCS12 \
             -Djavax.net.ssl.trustStorePassword=changeit"
        );
        assert_eq!(java_options(Path::new("/s/t.p12"), Some(&first)), first);
        let blank = java_options(Path::new("/s t/t.p12"), None);
        assert!(blank.starts_with("-Djavax.net.ssl.trustStore=\"/s t/t.p12\" "), "{blank}");
    }

    #[test]
    fn roots_that_the_user_chose_come_first_and_ours_are_no_roots() {
        let place = Place::new("/state".into(), Name::new("hello").unwrap());
        let files = |value| roots_files(&Env::of(&[("SSL_CERT_FILE", value)]), &place);
        assert_eq!(files("/company.pem")[0], Path::new("/company.pem"));
        assert_eq!(files("/state/other/ca-bundle.crt"), SYSTEM_ROOTS.map(PathBuf::from));
        assert_eq!(files(""), SYSTEM_ROOTS.map(PathBuf::from));
    }
}
