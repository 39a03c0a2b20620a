use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::checks::{Service, Target};

/// A password that breaks URLs, shells and quoting.
const ODD: &str = "p@ss:/?#%41 '\"$(x)";

/// A server that speaks enough of Redis' protocol; it wants [`ODD`] first.
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

async fn serve(stream: TcpStream) {
    let mut stream = BufReader::new(stream);
    let mut known = false;
    while let Some(words) = words(&mut stream).await {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let reply = match words.as_slice() {
            ["AUTH", password] | ["AUTH", "default", password] if *password == ODD => {
                known = true;
                "+OK\r\n"
            }
            ["AUTH", ..] => "-WRONGPASS invalid username-password pair or user is disabled.\r\n",
            _ if !known => "-NOAUTH Authentication required.\r\n",
            ["SELECT", "2"] => "+OK\r\n",
            ["PING"] => "+PONG\r\n",
            ["GET", "none"] => "$-1\r\n",
            ["CONFIG", "GET", _] => "*2\r\n$10\r\nmaxmemory\u{1}\r\n$5\r\n256mb\r\n",
            ["DBSIZE"] => ":3\r\n",
            ["INFO"] => "$28\r\n# Replication\r\nrole:master\r\n\r\n",
            _ => "-ERR unknown command\r\n",
        };
        if stream.write_all(reply.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn words(stream: &mut BufReader<TcpStream>) -> Option<Vec<String>> {
    let mut words = Vec::new();
    for _ in 0..number(stream, '*').await? {
        let mut word = vec![0; number(stream, '$').await? + 2];
        stream.read_exact(&mut word).await.ok()?;
        word.truncate(word.len() - 2);
        words.push(String::from_utf8(word).ok()?);
    }
    Some(words)
}

async fn number(stream: &mut BufReader<TcpStream>, sign: char) -> Option<usize> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    line.trim_end().strip_prefix(sign)?.parse().ok()
}

fn target(port: u16, password: &str) -> Target {
    let service = Service {
        host_port: Some(port),
        cluster_host: "redis.sandbox-system.svc".into(),
        port: 6379,
        user: "default".into(),
        password: password.into(),
        image: "redis:test".into(),
        ..Service::default()
    };
    Target { services: [("redis".to_owned(), service)].into(), ..Target::default() }
}

async fn tried(redis: &Redis, target: &Target) -> Seen {
    let context = Context::new(target);
    let command = Command::new(redis, &context).unwrap();
    command.attempt(Instant::now() + Duration::from_secs(5)).await
}

fn command(words: &str, expect: Option<&str>) -> Redis {
    Redis {
        command: Some(words.split(' ').map(str::to_owned).collect()),
        expect: expect.map(str::to_owned),
        ..Redis::default()
    }
}

#[tokio::test]
async fn the_default_is_a_ping_with_the_services_password() {
    let target = target(server().await, ODD);
    let seen = tried(&Redis::default(), &target).await;
    assert_eq!(seen.verdict.unwrap(), "the reply is `PONG`");
    assert!(seen.asked.starts_with("PING (at 127.0.0.1:"), "{}", seen.asked);
}

#[tokio::test]
async fn every_reply_is_told_as_redis_cli_would() {
    let target = target(server().await, ODD);
    let told = async |words: &str, expect: Option<&str>| {
        let (Ok(told) | Err(told)) = tried(&command(words, expect), &target).await.verdict;
        told
    };
    let all = [
        told("GET none", Some("")).await,
        told("GET none", Some("x")).await,
        told("CONFIG GET maxmemory", Some("256mb")).await,
        told("CONFIG GET maxmemory", Some("1gb")).await,
        told("DBSIZE", Some("3")).await,
        told("INFO", Some("role:master")).await,
        told("PING", None).await,
        told("NONSENSE", None).await,
    ];
    insta::assert_snapshot!(all.join("\n"), @r#"
    the reply is ``
    the reply is ``, expected `x`
    the reply is `256mb`
    none of the 2 lines is `1gb`, the first is `maxmemory\u{1}`
    the reply is `3`
    the reply is `role:master`
    the reply is `PONG`
    ERR unknown command
    "#);
}

#[tokio::test]
async fn a_wrong_password_and_a_closed_port_are_told_without_the_password() {
    let port = server().await;
    let seen = tried(&Redis::default(), &target(port, "wrong")).await;
    let why = seen.verdict.unwrap_err();
    insta::assert_snapshot!(why, @"password authentication failed");
    let free = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let seen = tried(&Redis::default(), &target(port, "wrong")).await;
    insta::assert_snapshot!(seen.verdict.unwrap_err(), @"connection refused");
}

#[tokio::test]
async fn a_url_with_an_escaped_password_and_a_database_works() {
    let port = server().await;
    let escaped: String =
        percent_encoding::utf8_percent_encode(ODD, percent_encoding::NON_ALPHANUMERIC).collect();
    let redis =
        Redis { url: Some(format!("redis://:{escaped}@127.0.0.1:{port}/2")), ..Redis::default() };
    let seen = tried(&redis, &Target::default()).await;
    assert_eq!(seen.verdict.unwrap(), "the reply is `PONG`");
}

#[test]
fn in_a_pod_the_password_is_in_the_environment_only() {
    let mut target = target(1, ODD);
    target.services.get_mut("redis").unwrap().tls = true;
    target.ca = Some("PEM".into());
    let redis = Redis { from: Caller::Cluster, ..command("GET a b", None) };
    let context = Context::new(&target);
    let client = Command::new(&redis, &context).unwrap().client();
    assert_eq!(client.env["REDISCLI_AUTH"], ODD);
    insta::assert_snapshot!(client.argv.join(" "), @"redis-cli -e -h redis.sandbox-system.svc -p 6379 --user default --cacert /sandbox/ca.crt --sni redis.sandbox-system.svc --tls GET a b");
}
