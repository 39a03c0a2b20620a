//! `--json`: one object a line on standard output and nothing anywhere else.

use serde_json::json;

use crate::support::{Answer, TestEnv};

const SETTINGS: &str = "name: hello\n";

#[test]
fn an_outcome_is_the_last_line() {
    let env = TestEnv::with_settings(SETTINGS);
    let out = env.sandbox(&["down", "--json"]);
    let nothing = json!({
        "name": "hello",
        "removed": { "nodes": [], "volumes": [], "network": false },
        "left": [],
    });
    let outcome = json!({ "event": "outcome", "outcome": { "sandboxes": [nothing] } });
    assert_eq!(out.json_lines(), [outcome]);
    assert_eq!((out.stderr.as_str(), out.code()), ("", Some(0)));
}

#[test]
fn a_failure_has_message_causes_hints_and_code() {
    let env = TestEnv::with_settings("profil: eks\n");
    let out = env.sandbox(&["up", "--json"]);
    insta::assert_snapshot!(out, @r#"
    {"error":{"causes":[],"code":3,"hints":["did you mean `profile`?"],"message":"$DIR/work/sandbox.yaml:1:1: there is no key `profil` here"},"event":"failed"}
    --- exit code 3
    "#);
    assert_eq!(out.json_lines().len(), 1);
}

#[test]
fn what_happens_is_told_as_events() {
    let env = TestEnv::with_settings(SETTINGS)
        .kind(Answer::to("create cluster").fails(1, "ERROR: no such luck\n"));
    let out = env.sandbox(&["up", "--json"]);
    let lines = out.json_lines();
    let told: Vec<String> = lines
        .iter()
        .filter(|line| !["warning", "step-progress"].contains(&line["event"].as_str().unwrap()))
        .map(|line| format!("{} {}", line["event"].as_str().unwrap(), line["step"]))
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    started null
    step-started "network"
    step-done "network"
    step-started "cluster"
    step-started "api"
    step-started "load addons"
    step-failed "cluster"
    failed null
    "#);
    let error = &lines.last().unwrap()["error"];
    assert_eq!(error["code"], 5);
    assert_eq!(error["message"], "could not create cluster `sandbox-hello`");
    assert_eq!(out.stderr, "");
    assert_eq!(out.code(), Some(5));
}

#[test]
fn settings_are_data_too() {
    let env = TestEnv::with_settings(SETTINGS);
    let out = env.sandbox(&["status", "--settings", "--json"]);
    let lines = out.json_lines();
    assert_eq!(lines[0]["outcome"]["name"]["value"], "hello");
    assert_eq!(lines[0]["outcome"]["profile"]["origin"]["layer"], "built-in");
    assert_eq!(lines.len(), 1);
}
