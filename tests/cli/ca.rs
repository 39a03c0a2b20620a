//! What the program gives out of the sandbox's certificate authority.

use std::fs;
use std::path::Path;

use sandbox::settings::Name;
use sandbox::state::{Credentials, Place};
use sandbox::tools::x509;

use crate::support::TestEnv;

const SETTINGS: &str = "name: hello\n";

/// A machine on which the sandbox has an authority, and its certificate.
fn with_authority(settings: &str) -> (TestEnv, String) {
    let env = TestEnv::with_settings(settings);
    let name = Name::new("hello").unwrap();
    let credentials = Credentials::new(&name).unwrap();
    Place::new(env.path("state"), name).write_credentials(&credentials).unwrap();
    (env, credentials.ca_certificate().to_owned())
}

/// Another authority, as the roots that this machine trusts.
fn with_roots(env: TestEnv) -> (TestEnv, String) {
    let other = Credentials::new(&Name::new("company").unwrap()).unwrap();
    let roots = other.ca_certificate().to_owned();
    // Without a line break at the end, as some are.
    env.write("company.pem", roots.trim_end());
    let path = env.path("work/company.pem").display().to_string();
    (env.var("SSL_CERT_FILE", &path), roots)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn there_is_no_authority_before_up() {
    let env = TestEnv::with_settings(SETTINGS);
    insta::assert_snapshot!(env.sandbox(&["ca", "export", "--env", "--pkcs12", "x.p12"]), @"
    --- stderr
    error: sandbox `hello` has no certificate authority
    hint: sandbox up
    --- exit code 5
    ");
    env.assert_untouched();
    assert!(!env.path("work/x.p12").exists());
}

#[test]
fn the_certificate_goes_to_stdout_and_the_key_nowhere() {
    let (env, certificate) = with_authority(SETTINGS);
    // The public file comes back when it was lost.
    fs::remove_file(env.state("hello/ca.crt")).unwrap();
    let out = env.sandbox(&["ca", "export"]);
    assert_eq!((out.code(), out.stderr.as_str()), (Some(0), ""), "{out}");
    assert_eq!(out.stdout, certificate);
    assert_eq!(read(&env.state("hello/ca.crt")), certificate);
    let out = env.sandbox(&["ca", "export", "--json"]);
    let outcome = &out.json_lines()[0]["outcome"];
    assert_eq!(outcome["certificate"], *certificate);
    assert_eq!(outcome["fingerprint"], *x509::fingerprint(&certificate).unwrap());
    assert_eq!(outcome["file"], *env.state("hello/ca.crt").display().to_string());
    assert!(!out.stdout.contains("PRIVATE KEY"), "{out}");
    assert!(env.engine.calls().is_empty());
}

#[test]
fn the_variables_point_at_files_that_hold_the_roots_of_this_machine_too() {
    let (env, certificate) = with_authority(SETTINGS);
    let (env, roots) = with_roots(env);
    insta::assert_snapshot!(env.sandbox(&["ca", "export", "--env"]), @"
    export CURL_CA_BUNDLE='$DIR/state/hello/ca-bundle.crt'
    export SSL_CERT_FILE='$DIR/state/hello/ca-bundle.crt'
    export REQUESTS_CA_BUNDLE='$DIR/state/hello/ca-bundle.crt'
    export NODE_EXTRA_CA_CERTS='$DIR/state/hello/ca.crt'
    export JAVA_TOOL_OPTIONS='-Djavax.net.ssl.trustStore=$DIR/state/hello/truststore.p12 -Djavax.net.ssl.trustStoreType=PKCS12 -Djavax.net.ssl.trustStorePassword=changeit'
    --- exit code 0
    ");
    assert_eq!(read(&env.state("hello/ca-bundle.crt")), format!("{roots}{certificate}"));
    assert_eq!(trusted(&env.state("hello/truststore.p12")), 2);
    assert_eq!(trusted_after(&env, &["ca", "export", "--env"]), 2, "asked again");

    // In a shell that took the variables, our own bundle is not taken for the machine's roots.
    let bundle = env.state("hello/ca-bundle.crt").display().to_string();
    let before = read(&env.state("hello/ca-bundle.crt"));
    let env = env.var("SSL_CERT_FILE", &bundle);
    assert_eq!(env.sandbox(&["ca", "export", "--env"]).code(), Some(0));
    let after = read(&env.state("hello/ca-bundle.crt"));
    assert_eq!(after.matches(certificate.as_str()).count(), 1);
    assert!(before.contains(&roots) && !after.contains(&roots));
}

fn trusted_after(env: &TestEnv, args: &[&str]) -> usize {
    let truststore = env.state("hello/truststore.p12");
    let before = fs::read(&truststore).unwrap();
    assert_eq!(env.sandbox(args).code(), Some(0));
    assert_eq!(fs::read(&truststore).unwrap(), before, "it was written again for nothing");
    trusted(&truststore)
}

/// How many certificates a truststore has.
fn trusted(path: &Path) -> usize {
    let policy = p12_keystore::Pkcs12ImportPolicy::Strict;
    let bytes = fs::read(path).unwrap();
    p12_keystore::KeyStore::from_pkcs12(&bytes, "changeit", policy).unwrap().entries_len()
}

#[test]
fn the_variables_are_in_the_json_as_well() {
    let (env, _) = with_roots(with_authority(SETTINGS).0);
    let out = env.sandbox(&["ca", "export", "--env", "--json"]);
    let variables = &out.json_lines()[0]["outcome"]["env"];
    assert_eq!(variables["SSL_CERT_FILE"], *env.state("hello/ca-bundle.crt").display().to_string());
    assert_eq!(variables["NODE_EXTRA_CA_CERTS"], *env.state("hello/ca.crt").display().to_string());
}

#[test]
fn a_truststore_with_the_authority_alone_is_written_where_asked() {
    let (env, _) = with_authority(SETTINGS);
    insta::assert_snapshot!(env.sandbox(&["ca", "export", "--pkcs12", "trust.p12"]), @"
    $DIR/work/trust.p12
    --- exit code 0
    ");
    assert_eq!(trusted(&env.path("work/trust.p12")), 1);
    insta::assert_snapshot!(env.sandbox(&["ca", "export", "--pkcs12", "none/trust.p12"]), @"
    --- stderr
    error: cannot write `$DIR/work/none/trust.p12`
      caused by: No such file or directory (os error 2)
    --- exit code 4
    ");
}

#[test]
fn with_a_name_a_broken_file_is_no_hindrance() {
    let (env, certificate) = with_authority("nonsense: true\n");
    let out = env.sandbox(&["ca", "export", "--name", "hello"]);
    assert_eq!(out.stdout, certificate, "{out}");
}

#[test]
fn damaged_credentials_say_what_to_do_and_that_works() {
    let env = TestEnv::with_settings(SETTINGS);
    env.write_state("hello/credentials.json", "{\"format\": 1, \"ca\"");
    insta::assert_snapshot!(env.sandbox(&["ca", "export"]), @"
    --- stderr
    error: the credentials `$DIR/state/hello/credentials.json` are damaged
      caused by: EOF while parsing an object at line 1 column 18
    hint: sandbox down --name hello
    --- exit code 5
    ");
    assert_eq!(env.sandbox(&["down", "--name", "hello"]).code(), Some(0));
    assert_eq!(env.state_entries(), Vec::<String>::new());
}
