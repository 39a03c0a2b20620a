use super::*;
use crate::checks::testing::{Reply, Server, answer, http};
use crate::settings::checks::HttpExpect;

/// A limit that no good answer on loopback needs.
const SOON: Duration = Duration::from_millis(300);

async fn attempt(http: &Http, target: &Target) -> Attempt {
    let mut probe = Probe::new(http, target).unwrap().limited_to(SOON);
    probe.attempt(Instant::now() + Duration::from_secs(5)).await
}

async fn failure(http: &Http, target: &Target) -> (String, Exchange) {
    let Attempt { verdict, evidence } = attempt(http, target).await;
    let Some(Evidence::Exchange(exchange)) = evidence else { panic!("no exchange") };
    (verdict.unwrap_err(), exchange)
}

#[tokio::test]
async fn the_host_header_stays_as_written() {
    let server = Server::start(|_, request| match request {
        r if r.contains("\r\nhost: hello.localhost\r\n") => answer(200, "", "right"),
        _ => answer(404, "", "default backend"),
    })
    .await;
    let good = attempt(&http("http://hello.localhost/x?y=1"), &server.target()).await;
    assert_eq!(good.verdict.unwrap(), "status 200");
    assert!(good.evidence.is_none());
    assert!(server.requests()[0].starts_with("GET /x?y=1 HTTP/1.1\r\n"));

    let (why, evidence) = failure(&http("http://other.localhost/"), &server.target()).await;
    assert_eq!(why, "status 404, expected 200");
    assert_eq!(
        evidence.request,
        format!("GET http://other.localhost/ (at 127.0.0.1:{})", server.port)
    );
    assert_eq!((evidence.status, evidence.body.as_str()), (Some(404), "default backend"));
    assert_eq!(evidence.headers["content-length"], "15");
}

#[tokio::test]
async fn a_port_in_the_url_is_kept() {
    let server = Server::start(|_, _| answer(200, "", "")).await;
    let nowhere = Target { http_port: 1, https_port: 1, ..Target::default() };
    let url = format!("http://hello.localhost:{}/", server.port);
    assert!(attempt(&http(&url), &nowhere).await.verdict.is_ok());
    let host = format!("\r\nhost: hello.localhost:{}\r\n", server.port);
    assert!(server.requests()[0].contains(&host));
}

#[tokio::test]
async fn method_headers_and_body_are_sent() {
    let server = Server::start(|_, _| answer(200, "", "")).await;
    let mut post = http("http://hello.localhost/");
    post.method = Some("POST".into());
    post.headers.insert("X-Test".into(), "yes".into());
    post.body = Some("the body".into());
    assert!(attempt(&post, &server.target()).await.verdict.is_ok());
    let request = &server.requests()[0];
    assert!(request.starts_with("POST / "), "{request}");
    assert!(request.contains("\r\nx-test: yes\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\nthe body"), "{request}");
}

#[tokio::test]
async fn redirects_are_followed_across_hosts_unless_they_are_expected() {
    let server = Server::start(|_, request| match request {
        r if r.contains("host: new.localhost\r\n") => answer(200, "", "moved"),
        _ => answer(301, "Location: http://new.localhost/there\r\n", ""),
    })
    .await;
    let mut old = http("http://old.localhost/");
    old.expect.body = Some("moved".into());
    assert!(attempt(&old, &server.target()).await.verdict.is_ok());

    old.expect =
        HttpExpect { location: Some("http://new.localhost/there".into()), ..HttpExpect::default() };
    let held = attempt(&old, &server.target()).await.verdict.unwrap();
    assert_eq!(held, "status 301, leads to `http://new.localhost/there`");
    old.expect = HttpExpect { status: Some(301), ..HttpExpect::default() };
    assert_eq!(attempt(&old, &server.target()).await.verdict.unwrap(), "status 301");
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn a_redirect_loop_ends() {
    let server = Server::start(|_, _| answer(302, "Location: /again\r\n", "")).await;
    let (why, _) = failure(&http("http://hello.localhost/"), &server.target()).await;
    assert_eq!(why, "more than 10 redirects");
    assert_eq!(server.requests().len(), 11);
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up() {
    let server = Server::start(|_, _| Reply::Hang(String::new())).await;
    let (why, evidence) = failure(&http("http://hello.localhost/"), &server.target()).await;
    assert_eq!(why, "no answer within 300ms");
    assert_eq!(evidence.status, None);
}

#[tokio::test]
async fn what_came_of_a_broken_body_is_evidence() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf an an";
    let server = Server::start(|_, _| Reply::Raw(head.into())).await;
    let (why, evidence) = failure(&http("http://hello.localhost/"), &server.target()).await;
    assert!(why.starts_with("body ends after 10 bytes: "), "{why}");
    assert_eq!((evidence.status, evidence.body.as_str()), (Some(200), "half an an"));

    let server = Server::start(|_, _| Reply::Hang(head.into())).await;
    let (why, evidence) = failure(&http("http://hello.localhost/"), &server.target()).await;
    assert_eq!(why, "body has not ended within 300ms");
    assert_eq!(evidence.body, "half an an");
}

#[tokio::test]
async fn nobody_listening_is_told() {
    let server = Server::start(|_, _| answer(200, "", "")).await;
    let free = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let target = Target { http_port: port, ..server.target() };
    let (why, evidence) = failure(&http("http://hello.localhost/"), &target).await;
    assert_eq!(why, "cannot connect: connection refused");
    assert!(evidence.request.contains(&format!("127.0.0.1:{port}")));
}

#[tokio::test]
async fn an_endless_body_is_read_to_the_limit_and_shown_even_shorter() {
    let server = Server::start(|_, _| answer(200, "", &"x".repeat(2 * BODY_LIMIT))).await;
    let mut long = http("http://hello.localhost/");
    let Attempt { verdict, .. } = attempt(&long, &server.target()).await;
    assert!(verdict.is_ok());
    long.expect.body = Some("y".into());
    let (why, evidence) = failure(&long, &server.target()).await;
    assert!(why.contains("only the first MiB was read"), "{why}");
    assert!(evidence.body.len() <= BODY_SHOWN);
}

#[tokio::test]
async fn each_request_has_its_own_connection_and_different_bodies_are_seen() {
    let server = Server::start(|number, _| answer(200, "", &format!("pod {}", number % 2))).await;
    let mut many = http("http://hello.localhost/");
    many.times = Some(6);
    many.expect.distinct_bodies = Some(2);
    let held = attempt(&many, &server.target()).await.verdict.unwrap();
    assert_eq!(held, "status 200, 6 answers with 2 different bodies");
    assert_eq!(server.requests().len(), 6);
    many.expect.distinct_bodies = Some(3);
    let (why, _) = failure(&many, &server.target()).await;
    assert_eq!(why, "2 different bodies in 6 answers, expected at least 3");
}

#[tokio::test]
async fn the_answer_that_does_not_fit_is_the_evidence() {
    let server = Server::start(|number, _| match number {
        2 => answer(502, "", "\u{1b}[2Jbad"),
        _ => answer(200, "", "good"),
    })
    .await;
    let mut many = http("http://hello.localhost/");
    many.times = Some(3);
    let (why, evidence) = failure(&many, &server.target()).await;
    assert_eq!(why, "answer 2 of 3: status 502, expected 200");
    assert_eq!(evidence.body, r"\u{1b}[2Jbad");
}
