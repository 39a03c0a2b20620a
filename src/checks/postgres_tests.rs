use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::checks::{Service, Target};

/// A password that breaks URLs, shells and quoting.
const ODD: &str = "p@ss:/?#%41 '\"$(x)";

/// A server that speaks enough of Postgres' protocol; it wants [`ODD`] in clear text.
async fn server() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    port
}

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[tag], length.to_be_bytes().as_slice(), body].concat()
}

/// A row description of one text column and a row with that value.
fn rows(value: Option<&str>) -> Vec<u8> {
    let column = [b"\0\x01v\0".as_slice(), &[0; 4], &[0; 2], &[0, 0, 0, 25], &[255; 6], &[0; 2]];
    let mut row = vec![0, 1];
    match value {
        None => row.extend([255; 4]),
        Some(value) => {
            row.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
            row.extend(value.as_bytes());
        }
    }
    [message(b'T', &column.concat()), message(b'D', &row), message(b'C', b"SELECT 1\0")].concat()
}

fn error(code: &str, text: &str) -> Vec<u8> {
    message(b'E', format!("SFATAL\0VFATAL\0C{code}\0M{text}\0\0").as_bytes())
}

async fn serve(mut stream: TcpStream) -> Option<()> {
    let ready = message(b'Z', b"I");
    let length = stream.read_u32().await.ok()?;
    let mut start = vec![0; length as usize - 4];
    stream.read_exact(&mut start).await.ok()?;
    let start = String::from_utf8_lossy(&start[4..]).into_owned();
    if !start.contains("database\0shop\0") {
        let none = error("3D000", "database \"nowhere\" does not exist");
        return stream.write_all(&none).await.ok();
    }
    stream.write_all(&message(b'R', &[0, 0, 0, 3])).await.ok()?;
    if body(&mut stream).await? != format!("{ODD}\0") {
        let wrong = error("28P01", "password authentication failed for user \"shop\"");
        return stream.write_all(&wrong).await.ok();
    }
    stream.write_all(&[message(b'R', &[0; 4]), ready.clone()].concat()).await.ok()?;
    loop {
        let reply = match body(&mut stream).await?.trim_end_matches('\0') {
            "SELECT 1" => rows(Some("1")),
            "SELECT true" => rows(Some("t")),
            "SELECT null" => rows(None),
            "SELECT nothing" => message(b'C', b"SELECT 0\0"),
            _ => error("42601", "syntax error at or near \"SELEC\""),
        };
        stream.write_all(&[reply, ready.clone()].concat()).await.ok()?;
    }
}

async fn body(stream: &mut TcpStream) -> Option<String> {
    stream.read_u8().await.ok()?;
    let length = stream.read_u32().await.ok()?;
    let mut body = vec![0; length as usize - 4];
    stream.read_exact(&mut body).await.ok()?;
    String::from_utf8(body).ok()
}

fn target(port: u16, password: &str) -> Target {
    let service = Service {
        host_port: Some(port),
        cluster_host: "postgres.sandbox-system.svc".into(),
        port: 5432,
        user: "shop".into(),
        password: password.into(),
        database: "shop".into(),
        image: "postgres:test".into(),
        ..Service::default()
    };
    Target { services: [("postgres".to_owned(), service)].into(), ..Target::default() }
}

async fn tried(postgres: &Postgres, target: &Target) -> String {
    let context = Context::new(target);
    let query = Query::new(postgres, &context).unwrap();
    let seen = query.attempt(Instant::now() + Duration::from_secs(5)).await;
    match seen.verdict {
        Ok(held) => format!("ok: {held}"),
        Err(why) => why,
    }
}

fn query(query: &str, expect: Option<&str>) -> Postgres {
    Postgres {
        query: Some(query.to_owned()),
        expect: expect.map(str::to_owned),
        ..Postgres::default()
    }
}

#[tokio::test]
async fn every_result_is_told_as_psql_would() {
    let target = target(server().await, ODD);
    let all = [
        tried(&Postgres::default(), &target).await,
        tried(&query("SELECT true", Some("t")), &target).await,
        tried(&query("SELECT true", Some("f")), &target).await,
        tried(&query("SELECT null", Some("")), &target).await,
        tried(&query("SELECT nothing", None), &target).await,
        tried(&query("SELECT nothing", Some("1")), &target).await,
        tried(&query("SELEC 1", None), &target).await,
    ];
    insta::assert_snapshot!(all.join("\n"), @r#"
    ok: the result is `1`
    ok: the result is `t`
    the result is `t`, expected `f`
    ok: the result is ``
    ok: the query works
    there are no rows, expected `1`
    syntax error at or near "SELEC"
    "#);
}

#[tokio::test]
async fn what_keeps_a_client_out_is_told() {
    let port = server().await;
    let nowhere = Postgres { database: Some("nowhere".into()), ..Postgres::default() };
    let free = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let closed = free.local_addr().unwrap().port();
    drop(free);
    let all = [
        tried(&Postgres::default(), &target(port, "wrong")).await,
        tried(&nowhere, &target(port, ODD)).await,
        tried(&Postgres::default(), &target(closed, ODD)).await,
    ];
    insta::assert_snapshot!(all.join("\n"), @r#"
    password authentication failed for user "shop"
    database "nowhere" does not exist
    connection refused
    "#);
}

#[tokio::test]
async fn a_url_with_an_escaped_password_works() {
    let port = server().await;
    let escaped: String =
        percent_encoding::utf8_percent_encode(ODD, percent_encoding::NON_ALPHANUMERIC).collect();
    let url = Some(format!("postgres://shop:{escaped}@127.0.0.1:{port}/shop"));
    let postgres = Postgres { url, ..Postgres::default() };
    assert_eq!(tried(&postgres, &Target::default()).await, "ok: the result is `1`");
}

#[test]
fn tls_needs_a_certificate_to_trust() {
    let url = Some("postgres://x/y?sslmode=verify-full".to_owned());
    let postgres = Postgres { url, ..Postgres::default() };
    let told = |ca: Option<&str>| {
        let target = Target { ca: ca.map(str::to_owned), ..Target::default() };
        let context = Context::new(&target);
        Query::new(&postgres, &context).err()
    };
    let none = told(None).unwrap();
    assert_eq!(none, "TLS needs a certificate authority, which this sandbox has not");
    let broken = told(Some("PEM")).unwrap();
    assert_eq!(broken, "the sandbox's certificate authority cannot be read");
    let ca = rcgen::generate_simple_self_signed(vec!["ca".into()]).unwrap();
    assert_eq!(told(Some(&ca.cert.pem())), None);
}

#[test]
fn in_a_pod_the_password_is_in_the_environment_only() {
    let mut target = target(1, ODD);
    target.services.get_mut("postgres").unwrap().tls = true;
    let ca = rcgen::generate_simple_self_signed(vec!["ca".into()]).unwrap();
    target.ca = Some(ca.cert.pem());
    let postgres = Postgres { from: Caller::Cluster, ..query("SELECT 'x'", None) };
    let context = Context::new(&target);
    let client = Query::new(&postgres, &context).unwrap().client();
    assert_eq!(client.env["PGPASSWORD"], ODD);
    assert_eq!(client.env["PGSSLMODE"], "verify-full");
    assert_eq!(client.env["PGSSLROOTCERT"], "/sandbox/ca.crt");
    let argv = client.argv.join(" ");
    assert!(!argv.contains("p@ss") && argv.ends_with("-c SELECT 'x'"), "{argv}");
}
