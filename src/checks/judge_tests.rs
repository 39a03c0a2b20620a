use serde_json::json;

use super::*;

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
    Answer {
        url: "http://hello.localhost/start".into(),
        status,
        headers: headers.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
        body: body.into(),
        cut: false,
    }
}

fn with_body(body: &str) -> [Answer; 1] {
    [answer(200, &[], body)]
}

fn wants_json(value: Value) -> HttpExpect {
    HttpExpect { json: Some(value), ..HttpExpect::default() }
}

fn differs(wanted: Value, body: &str) -> String {
    judge(&wants_json(wanted), &with_body(body)).unwrap_err()
}

#[test]
fn the_status_is_200_unless_another_is_expected() {
    let expect = HttpExpect::default();
    assert_eq!(judge(&expect, &[answer(200, &[], "")]).unwrap(), "status 200");
    let why = judge(&expect, &[answer(503, &[], "")]).unwrap_err();
    assert_eq!(why, "status 503, expected 200");
    let expect = HttpExpect { status: Some(404), ..expect };
    assert_eq!(judge(&expect, &[answer(404, &[], "")]).unwrap(), "status 404");
    assert!(judge(&expect, &[answer(200, &[], "")]).is_err());
}

#[test]
fn no_answer_is_never_good() {
    assert!(judge(&HttpExpect::default(), &[]).is_err());
}

#[test]
fn a_header_matches_when_one_of_its_values_does_and_case_of_the_name_is_ignored() {
    let headers = [("Cache-Control".to_owned(), "no-(store|cache)".to_owned())].into();
    let expect = HttpExpect { headers, ..HttpExpect::default() };
    let both = [("cache-control", "private"), ("cache-control", "no-store")];
    assert_eq!(
        judge(&expect, &[answer(200, &both, "")]).unwrap(),
        "status 200, `Cache-Control` matches `no-(store|cache)`"
    );
    assert_eq!(
        judge(&expect, &[answer(200, &both[..1], "")]).unwrap_err(),
        "header `Cache-Control` is `private`, expected a match of `no-(store|cache)`"
    );
    assert_eq!(
        judge(&expect, &[answer(200, &[], "")]).unwrap_err(),
        "no `Cache-Control` header, expected one that matches `no-(store|cache)`"
    );
}

#[test]
fn the_body_contains_the_pattern_and_what_came_is_quoted_harmlessly() {
    let expect = HttpExpect { body: Some("hello from hello-\\w+".into()), ..HttpExpect::default() };
    assert!(judge(&expect, &with_body("well, hello from hello-abc!")).is_ok());
    assert_eq!(
        judge(&expect, &with_body("\u{1b}[2Jbye\nbye")).unwrap_err(),
        r"body does not match `hello from hello-\w+`, it begins with `\u{1b}[2Jbye\nbye`"
    );
    let why = judge(&expect, &with_body("")).unwrap_err();
    assert!(why.ends_with("it is empty"), "{why}");
    let cut = Answer { cut: true, ..answer(200, &[], "x") };
    assert!(judge(&expect, &[cut]).unwrap_err().contains("only the first MiB"));
}

#[test]
fn a_pattern_that_cannot_be_compiled_fails_the_check() {
    let expect = HttpExpect { body: Some("(".into()), ..HttpExpect::default() };
    assert_eq!(judge(&expect, &with_body("(")).unwrap_err(), "`(` is no regular expression");
}

#[test]
fn json_maps_may_hold_more_than_is_expected() {
    let expect = wants_json(json!({"status": "ok", "db": {"up": true}}));
    let body = r#"{"status": "ok", "db": {"up": true, "ms": 3}, "more": []}"#;
    assert_eq!(judge(&expect, &with_body(body)).unwrap(), "status 200, json as expected");
}

#[test]
fn the_first_json_difference_is_told_with_its_path() {
    let told = [
        (json!({"status": "ok"}), r#"{"status": "down"}"#, r#"$.status is "down", expected "ok""#),
        (json!({"a": {"b": 1}}), r#"{"a": {}}"#, "$.a.b is missing, expected 1"),
        (json!({"a": {"b": 1}}), r#"{"a": 1}"#, r#"$.a is 1, expected {"b":1}"#),
        (json!({"a.b": 1}), r#"{"a.b": 2}"#, r#"$["a.b"] is 2, expected 1"#),
        (json!({"a": [1, 2]}), r#"{"a": [1]}"#, "$.a is a list of 1, expected a list of 2"),
        (json!({"a": [1, 2]}), r#"{"a": [1, 3]}"#, "$.a[1] is 3, expected 2"),
        (json!({"a": null}), "{}", "$.a is missing, expected null"),
        (json!("ok"), "1", r#"$ is 1, expected "ok""#),
        (json!(1), r#""1""#, r#"$ is "1", expected 1"#),
    ];
    for (wanted, body, told) in told {
        assert_eq!(differs(wanted, body), told);
    }
}

#[test]
fn maps_in_lists_are_compared_exactly() {
    let body = r#"{"a": [{"b": 1, "c": 2}]}"#;
    assert_eq!(differs(json!({"a": [{"b": 1}]}), body), "$.a[0].c is 2, expected none");
    assert!(judge(&wants_json(json!({"a": [{"b": 1, "c": 2}]})), &with_body(body)).is_ok());
}

#[test]
fn numbers_are_compared_by_value_and_big_ones_exactly() {
    assert!(judge(&wants_json(json!({"n": 1})), &with_body(r#"{"n": 1.0}"#)).is_ok());
    assert!(judge(&wants_json(json!({"n": -1})), &with_body(r#"{"n": -1}"#)).is_ok());
    let big = json!({"n": 9_007_199_254_740_993_u64});
    assert!(judge(&wants_json(big), &with_body(r#"{"n": 9007199254740992}"#)).is_err());
}

#[test]
fn a_body_that_is_no_json_is_quoted() {
    let why = differs(json!({}), "<html>");
    assert!(why.starts_with("body is no JSON ("), "{why}");
    assert!(why.ends_with("it begins with `<html>`"), "{why}");
}

#[test]
fn a_location_may_be_sent_relative_or_whole() {
    let expect = HttpExpect { location: Some("/login".into()), ..HttpExpect::default() };
    for location in ["/login", "login", "http://hello.localhost/login"] {
        let answers = [answer(302, &[("location", location)], "")];
        assert_eq!(judge(&expect, &answers).unwrap(), "status 302, leads to `/login`");
    }
    let answers = [answer(302, &[("location", "https://hello.localhost/login")], "")];
    assert_eq!(
        judge(&expect, &answers).unwrap_err(),
        "leads to `https://hello.localhost/login`, expected `/login`"
    );
}

#[test]
fn a_location_asks_for_a_redirect_unless_a_status_is_given() {
    let expect = HttpExpect { location: Some("/login".into()), ..HttpExpect::default() };
    let to = [("location", "/login")];
    assert_eq!(
        judge(&expect, &[answer(200, &to, "")]).unwrap_err(),
        "status 200, expected a redirect (3xx)"
    );
    assert_eq!(
        judge(&expect, &[answer(308, &[], "")]).unwrap_err(),
        "no `location` header, expected `/login`"
    );
    let created = HttpExpect { status: Some(201), ..expect };
    assert!(judge(&created, &[answer(201, &to, "")]).is_ok());
    assert_eq!(judge(&created, &[answer(302, &to, "")]).unwrap_err(), "status 302, expected 201");
}

#[test]
fn every_one_of_many_answers_must_fit() {
    let answers = [answer(200, &[], "a"), answer(200, &[], "a"), answer(502, &[], "")];
    let why = judge(&HttpExpect::default(), &answers).unwrap_err();
    assert_eq!(why, "answer 3 of 3: status 502, expected 200");
    assert_eq!(weigh(&HttpExpect::default(), &answers).unwrap_err().index, 2);
    assert_eq!(judge(&HttpExpect::default(), &answers[..2]).unwrap(), "status 200, 2 answers");
}

#[test]
fn different_bodies_are_counted() {
    let expect = HttpExpect { distinct_bodies: Some(2), ..HttpExpect::default() };
    let [a, b] = [answer(200, &[], "from pod a"), answer(200, &[], "from pod b")];
    assert_eq!(
        judge(&expect, &[a.clone(), b, a.clone()]).unwrap(),
        "status 200, 3 answers with 2 different bodies"
    );
    assert_eq!(
        judge(&expect, &[a.clone(), a.clone()]).unwrap_err(),
        "1 different body in 2 answers, expected at least 2"
    );
    assert_eq!(
        judge(&expect, &[a]).unwrap_err(),
        "1 different body in 1 answer, expected at least 2"
    );
}
