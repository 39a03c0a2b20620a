//! Handshakes on loopback with servers that are good, and wrong in every way.

use rcgen::{CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::version::TLS12;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::tools::ca::{Authority, Leaf};

/// Far more than a handshake on loopback takes.
const PATIENCE: Duration = Duration::from_secs(20);

fn authority() -> Authority {
    Authority::new("hello").unwrap()
}

fn leaf(authority: &Authority, names: &[&str]) -> Leaf {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    authority.leaf(&names).unwrap()
}

/// Serves with that certificate until the test ends.
async fn serve(leaf: &Leaf) -> SocketAddr {
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    listen(leaf, builder.with_safe_default_protocol_versions().unwrap()).await
}

async fn listen(
    leaf: &Leaf,
    builder: rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier>,
) -> SocketAddr {
    let key = PrivateKeyDer::from_pem_slice(leaf.key.as_bytes()).unwrap();
    let chain = x509::all(&leaf.certificate).collect();
    let config = builder.with_no_client_auth().with_single_cert(chain, key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move { acceptor.accept(stream).await });
        }
    });
    address
}

/// Answers every connection with these bytes and keeps it open.
async fn plain(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(answer).await;
            kept.push(stream);
        }
    });
    address
}

async fn look(host: &str, address: SocketAddr, ca: &Authority) -> Result<String, String> {
    let within = Instant::now() + PATIENCE;
    attempt(host, address, ca.certificate(), &TlsExpect::default(), within).await
}

fn common_name(ca: &Authority) -> String {
    About::pem(ca.certificate()).unwrap().subject
}

#[tokio::test]
async fn a_good_server_is_described_in_one_line() {
    let ca = authority();
    let leaf = leaf(&ca, &["shop.localhost", "*.shop.localhost", "127.0.0.1"]);
    let address = serve(&leaf).await;
    let until = day(x509_ends(&leaf));
    for host in ["shop.localhost", "shop.localhost.", "api.shop.localhost", "127.0.0.1"] {
        assert_eq!(
            look(host, address, &ca).await.unwrap(),
            format!(
                "TLS 1.3, chain ends at `{}`, names shop.localhost, *.shop.localhost, 127.0.0.1, \
                 valid until {until}",
                common_name(&ca)
            )
        );
    }
}

fn x509_ends(leaf: &Leaf) -> Timestamp {
    About::pem(&leaf.certificate).unwrap().ends
}

#[tokio::test]
async fn the_version_that_was_agreed_on_is_told() {
    let ca = authority();
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_protocol_versions(&[&TLS12]).unwrap();
    let address = listen(&leaf(&ca, &["a.localhost"]), builder).await;
    let detail = look("a.localhost", address, &ca).await.unwrap();
    assert!(detail.starts_with("TLS 1.2, "), "{detail}");
}

#[tokio::test]
async fn a_certificate_for_other_names_is_refused_with_its_names() {
    let ca = authority();
    let address = serve(&leaf(&ca, &["a.localhost", "b.localhost"])).await;
    assert_eq!(
        look("c.localhost", address, &ca).await.unwrap_err(),
        "the certificate is not for `c.localhost`: it has the names a.localhost, b.localhost"
    );
    let many: Vec<String> = (0..9).map(|number| format!("n{number}.localhost")).collect();
    let address = serve(&ca.leaf(&many).unwrap()).await;
    let error = look("c.localhost", address, &ca).await.unwrap_err();
    assert!(error.ends_with("n5.localhost, 3 more"), "{error}");
}

#[tokio::test]
async fn another_authority_is_not_trusted_and_named() {
    let (ca, other) = (authority(), authority());
    let address = serve(&leaf(&other, &["a.localhost"])).await;
    assert_eq!(
        look("a.localhost", address, &ca).await.unwrap_err(),
        format!(
            "not trusted: issued by `{}`, which is not the sandbox's authority",
            common_name(&other)
        )
    );
}

#[tokio::test]
async fn an_authority_of_the_same_name_with_another_key_is_not_trusted() {
    let ca = authority();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, common_name(&ca));
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let forged = issue(&Issuer::new(params, key), |_| {});
    let address = serve(&forged).await;
    let error = look("a.localhost", address, &ca).await.unwrap_err();
    assert!(error.starts_with("not trusted: issued by"), "{error}");
}

/// A certificate for `a.localhost` after a change.
fn issue(issuer: &Issuer<'_, KeyPair>, change: impl FnOnce(&mut CertificateParams)) -> Leaf {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["a.localhost".to_owned()]).unwrap();
    change(&mut params);
    let certificate = params.signed_by(&key, issuer).unwrap();
    Leaf { certificate: certificate.pem(), key: key.serialize_pem() }
}

/// The same authority in the type of the library.
fn issuer(ca: &Authority) -> Issuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, common_name(ca));
    Issuer::new(params, KeyPair::from_pem(&ca.key()).unwrap())
}

#[tokio::test]
async fn a_certificate_out_of_its_time_is_refused_with_the_day() {
    let ca = authority();
    let expired = issue(&issuer(&ca), |params| {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 2, 3);
    });
    let address = serve(&expired).await;
    assert_eq!(
        look("a.localhost", address, &ca).await.unwrap_err(),
        "the certificate expired on 2021-02-03"
    );
    let early = issue(&issuer(&ca), |params| {
        params.not_before = rcgen::date_time_ymd(2999, 1, 1);
        params.not_after = rcgen::date_time_ymd(3000, 1, 1);
    });
    let address = serve(&early).await;
    assert_eq!(
        look("a.localhost", address, &ca).await.unwrap_err(),
        "the certificate is not valid before 2999-01-01"
    );
}

#[tokio::test]
async fn the_certificate_of_ingress_nginx_itself_is_known() {
    let fake = self_signed(NGINX_FAKE);
    let error = look("a.localhost", serve(&fake).await, &authority()).await.unwrap_err();
    assert_eq!(
        error,
        "not trusted: ingress-nginx has no certificate for `a.localhost` and answers with its own \
         (Kubernetes Ingress Controller Fake Certificate)"
    );
    let own = self_signed("my own\u{1b}[31m");
    let error = look("a.localhost", serve(&own).await, &authority()).await.unwrap_err();
    assert_eq!(error, r"not trusted: the certificate is signed by itself (`my own\u{1b}[31m`)");
}

fn self_signed(name: &str) -> Leaf {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["ingress.local".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    let certificate = params.self_signed(&key).unwrap();
    Leaf { certificate: certificate.pem(), key: key.serialize_pem() }
}

#[tokio::test]
async fn a_certificate_that_is_not_for_servers_is_refused() {
    let ca = authority();
    let client = issue(&issuer(&ca), |params| {
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    });
    let error = look("a.localhost", serve(&client).await, &ca).await.unwrap_err();
    assert_eq!(error, "the certificate is not for servers");
}

#[tokio::test]
async fn expectations_of_issuer_and_time_are_judged() {
    let ca = authority();
    let leaf = leaf(&ca, &["a.localhost"]);
    let address = serve(&leaf).await;
    let within = Instant::now() + PATIENCE;
    let with = async |issuer: Option<&str>, days: u64| {
        let valid_for = (days > 0).then(|| Duration::from_secs(days * 86_400));
        let expect = TlsExpect { issuer: issuer.map(str::to_owned), valid_for };
        attempt("a.localhost", address, ca.certificate(), &expect, within).await
    };
    assert!(with(Some("sandbox hello"), 300).await.is_ok());
    assert_eq!(
        with(Some("Let's Encrypt"), 0).await.unwrap_err(),
        format!(
            "issued by `{}`; expected an issuer with `Let's Encrypt` in its name",
            common_name(&ca)
        )
    );
    assert_eq!(
        with(None, 500).await.unwrap_err(),
        format!(
            "valid until {}, which is 395 days from now; expected at least 500 days",
            day(x509_ends(&leaf))
        )
    );
}

#[tokio::test]
async fn what_is_no_tls_server_is_told_apart() {
    let ca = authority();
    let address = plain(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let error = look("a.localhost", address, &ca).await.unwrap_err();
    assert_eq!(error, format!("not TLS: what {address} answers is another protocol"));

    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = look("a.localhost", closed, &ca).await.unwrap_err();
    assert_eq!(error, format!("connection refused: nothing listens on {closed}"));

    let silent = plain(b"").await;
    let within = Instant::now() + Duration::from_millis(100);
    let expect = TlsExpect::default();
    let error =
        attempt("a.localhost", silent, ca.certificate(), &expect, within).await.unwrap_err();
    assert_eq!(error, format!("timed out: {silent} did not finish the TLS handshake"));
}

#[tokio::test]
async fn nothing_is_asked_without_an_authority_or_a_name() {
    let address = SocketAddr::from(([127, 0, 0, 1], 1));
    let within = Instant::now() + PATIENCE;
    let expect = TlsExpect::default();
    let error = attempt("a.localhost", address, "junk", &expect, within).await.unwrap_err();
    assert_eq!(error, "no usable certificate authority: this is no certificate");
    let error = look("no host", address, &authority()).await.unwrap_err();
    assert_eq!(error, "`no host` is no host name");
}
