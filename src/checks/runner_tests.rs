use super::*;
use crate::checks::testing::{Reply, Server, answer, check, http};
use crate::report::event::Event;

fn events(receiver: &mut tokio::sync::mpsc::UnboundedReceiver<Event>) -> Vec<String> {
    let mut all = Vec::new();
    while let Ok(event) = receiver.try_recv() {
        all.push(match event {
            Event::StepStarted { step, .. } => format!("started {step}"),
            Event::StepDone { step, detail, .. } => format!("done {step}: {detail}"),
            Event::StepFailed { step, message, .. } => format!("failed {step}: {message}"),
            Event::StepProgress { text, .. } => text,
            other => panic!("unexpected {other:?}"),
        });
    }
    all
}

#[tokio::test]
async fn a_check_is_tried_again_until_it_holds() {
    let server = Server::start(|number, _| match number {
        1 => Reply::Raw(String::new()),
        2 => answer(503, "", ""),
        _ => answer(200, "", ""),
    })
    .await;
    let (sender, mut receiver) = Events::channel();
    let checks = [check("healthy", http("http://hello.localhost/"))];
    let results = run(&checks, &server.target(), &sender).await;
    assert!(results[0].passed, "{results:?}");
    assert_eq!((results[0].attempts, results[0].detail.as_str()), (3, "status 200"));
    assert!(results[0].took >= Duration::from_millis(250));
    let events = events(&mut receiver);
    assert_eq!(events[0], "started check: healthy");
    assert_eq!(events[2], "attempt 2: status 503, expected 200");
    assert_eq!(events[3], "done check: healthy: status 200");
}

#[tokio::test]
async fn a_check_fails_with_its_last_attempt_when_its_time_is_up() {
    let server = Server::start(|_, _| answer(503, "", "no endpoints")).await;
    let (sender, mut receiver) = Events::channel();
    let mut never = check("never", http("http://hello.localhost/"));
    never.within = Some(jiff::SignedDuration::from_millis(400));
    let started = Instant::now();
    let results = run(&[never.clone()], &server.target(), &sender).await;
    assert!(started.elapsed() < Duration::from_secs(2));
    assert!(!results[0].passed);
    assert!(results[0].attempts >= 2);
    let Some(Evidence::Exchange(exchange)) = &results[0].evidence else { panic!("{results:?}") };
    assert_eq!(exchange.body, "no endpoints");
    let events = events(&mut receiver);
    assert_eq!(events.last().unwrap(), "failed check: never: status 503, expected 200");

    never.within = Some(jiff::SignedDuration::ZERO);
    let results = run(&[never], &server.target(), &sender).await;
    assert_eq!(results[0].attempts, 1);
}

#[tokio::test]
async fn checks_run_side_by_side_and_results_keep_their_order() {
    let server = Server::start(|_, request| match request {
        r if r.starts_with("GET /slow") => answer(503, "", ""),
        _ => answer(200, "", ""),
    })
    .await;
    let (sender, _receiver) = Events::channel();
    let mut checks: Vec<_> =
        (0..8).map(|n| check(&format!("slow {n}"), http("http://a.localhost/slow"))).collect();
    checks.push(check("quick", http("http://a.localhost/")));
    let started = Instant::now();
    let results = run(&checks, &server.target(), &sender).await;
    assert!(started.elapsed() < Duration::from_secs(4), "one after the other takes 8 s");
    let names: Vec<_> = results.iter().map(|result| result.name.as_str()).collect();
    assert_eq!(names, checks.iter().map(|check| check.name.as_str()).collect::<Vec<_>>());
    assert_eq!(results.iter().filter(|result| result.passed).count(), 1);
}

#[tokio::test]
async fn what_can_never_be_sent_is_not_tried_again() {
    let (sender, mut receiver) = Events::channel();
    let mut odd = check("odd", http("http://hello.localhost/"));
    odd.http.as_mut().unwrap().method = Some("A B".into());
    let none = Check { http: None, ..odd.clone() };
    let results =
        run(&[odd, none], &Target { http_port: 1, https_port: 1, ..Target::default() }, &sender)
            .await;
    assert_eq!(results[0].detail, "`A B` is no HTTP method");
    assert_eq!(results[1].detail, "it has no kind, or more than one");
    assert!(results.iter().all(|result| !result.passed && result.attempts == 0));
    assert_eq!(events(&mut receiver).len(), 4);
}

#[tokio::test]
async fn a_dropped_run_sends_nothing_more() {
    let server = Server::start(|_, _| answer(503, "", "")).await;
    let (sender, _receiver) = Events::channel();
    let checks = [check("never", http("http://hello.localhost/"))];
    let target = server.target();
    let cut = tokio::time::timeout(Duration::from_millis(150), run(&checks, &target, &sender));
    assert!(cut.await.is_err());
    let sent = server.requests().len();
    sleep(Duration::from_millis(400)).await;
    assert_eq!(server.requests().len(), sent);
}

#[test]
fn a_run_may_be_spawned() {
    fn is_send<T: Send>(_: T) {}
    let (sender, _receiver) = Events::channel();
    is_send(run(&[], &Target { http_port: 1, https_port: 1, ..Target::default() }, &sender));
}
