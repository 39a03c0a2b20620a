use super::*;
use crate::checks::testing::{Server, answer, http};
use crate::checks::{Target, TelemetryService};
use crate::state::ProgramStamp;

/// A telemetry server that is at item 5 and has one line.
async fn server() -> Server {
    let respond = |_, request: &str| {
        let body = if request.contains("/stats") {
            r#"{"seq": 5}"#
        } else {
            r#"{"logs": [{"message": "order taken"}]}"#
        };
        answer(200, "", body)
    };
    Server::start(respond).await
}

/// The parameters with which lines were asked for.
async fn asked_for_lines(wanted: &Telemetry) -> Vec<(String, String)> {
    let server = server().await;
    let program = ProgramStamp { image: String::new(), command: Vec::new() };
    let (port, otlp_url) = (Some(server.port), String::new());
    let telemetry = Some(TelemetryService { port, otlp_port: None, otlp_url, program });
    let target = Target { telemetry, ..server.target() };
    let context = Context::new(&target);
    let question = Question::new(wanted, &context).unwrap();
    let seen = question.attempt(Instant::now() + Duration::from_secs(10)).await;
    assert_eq!(seen.verdict, Ok("logged: order taken".to_owned()));
    let requests = server.requests();
    let request = requests.iter().find(|request| request.contains("/logs?")).unwrap();
    let query = request.split_once('?').unwrap().1.split(' ').next().unwrap();
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn value<'a>(asked: &'a [(String, String)], key: &str) -> Vec<&'a str> {
    asked.iter().filter(|(known, _)| known == key).map(|(_, value)| value.as_str()).collect()
}

#[tokio::test]
async fn a_line_must_have_been_written_since_the_checks_began() {
    let log = Some(Log::default());
    let wanted = Telemetry { log: log.clone(), ..Telemetry::default() };
    let asked = asked_for_lines(&wanted).await;
    assert_eq!(value(&asked, "after"), ["5"]);
    let [since] = value(&asked, "since")[..] else { panic!("{asked:?}") };
    let ago: u64 = since.strip_suffix("ms").unwrap().parse().unwrap();
    assert!((1000..10_000).contains(&ago), "{since}");

    let request = Some(http("http://hello.localhost/"));
    let wanted = Telemetry { request, log: log.clone(), ..Telemetry::default() };
    let asked = asked_for_lines(&wanted).await;
    assert!(value(&asked, "since")[0].ends_with("ms"), "{asked:?}");

    let since = Some(jiff::SignedDuration::from_mins(1));
    let asked = asked_for_lines(&Telemetry { log, since, ..Telemetry::default() }).await;
    assert_eq!((value(&asked, "after"), value(&asked, "since")), (vec!["0"], vec!["60s"]));
}
