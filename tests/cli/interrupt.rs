//! Ctrl-C: once to stop in order, twice to leave at once.

use std::time::{Duration, Instant};

use crate::support::docker::Trouble;
use crate::support::env::wait_until_gone;
use crate::support::output::BESIDE;
use crate::support::{Answer, TestEnv};

const SETTINGS: &str = "name: hello\n";

#[test]
fn an_interrupted_up_stops_kind_and_says_how_to_go_on() {
    let env = TestEnv::with_settings("name: stopped\n").kind(Answer::to("create cluster").hangs());
    let running = env.start(&["up"]);
    let call = env.wait_for_call("create cluster");
    running.interrupt();
    insta::assert_snapshot!(running.wait(), @"
    --- stderr
    [TIME] sandbox stopped: profile minimal
    [TIME] … network: make the network
    [TIME] ✓ network (TIME)
    [TIME] … cluster: create cluster sandbox-stopped (profile minimal, 1 node(s))
    [TIME] … api: wait for the API server
    [TIME] … load addons: bring 5 addon image(s) to the node
    error: interrupted
    hint: run the same command again to go on, or `sandbox down` to remove everything
    --- exit code 130
    ");
    wait_until_gone(call.pid);
    assert_eq!(env.record("stopped")["phase"], "creating");
    assert_eq!(env.temporary_entries(), Vec::<String>::new());
    assert_eq!(env.sandbox(&["down"]).code(), Some(0));
    assert_eq!(env.engine.inventory(), Vec::<String>::new());
}

#[test]
fn down_goes_on_after_the_first_interruption_and_leaves_at_the_second() {
    let env =
        TestEnv::with_settings(SETTINGS).kind(Answer::to("create cluster").fails(1, "ERROR: no\n"));
    assert_eq!(env.sandbox(&["up"]).code(), Some(5));
    env.engine.trouble("DELETE /networks", Trouble::Hang);
    let running = env.start(&["down"]);
    while !env.engine.changes().iter().any(|call| call.starts_with("DELETE")) {
        std::thread::sleep(Duration::from_millis(10));
    }
    running.interrupt();
    std::thread::sleep(Duration::from_millis(500));
    running.interrupt();
    let since = Instant::now();
    insta::assert_snapshot!(running.wait().without_lines(BESIDE), @"
    --- stderr
    [TIME] sandbox hello: down
    [TIME] … network: remove the network
    interrupted twice: leaving at once; run `sandbox down` to remove everything
    --- exit code 130
    ");
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    // The record is still there for the next `down`.
    assert_eq!(env.record("hello")["phase"], "creating");
}

#[test]
fn an_interrupted_rendering_leaves_nothing() {
    let env = TestEnv::with_settings("name: hello\napp: {chart: {path: chart}}\n")
        .helm(Answer::to("template").hangs());
    env.write("chart/Chart.yaml", "name: hello\n");
    let running = env.start(&["up"]);
    let call = env.wait_for_call("template");
    running.interrupt();
    let since = Instant::now();
    let out = running.wait();
    assert_eq!(out.code(), Some(130), "{out}");
    assert!(since.elapsed() < Duration::from_secs(10), "{:?}", since.elapsed());
    wait_until_gone(call.pid);
    env.assert_untouched();
}

#[test]
fn a_look_at_a_silent_engine_can_be_interrupted() {
    let env = TestEnv::with_settings(SETTINGS);
    env.engine.trouble("GET /info", Trouble::Hang);
    for command in ["status", "doctor", "up"] {
        let before = env.engine.calls().len();
        let running = env.start(&[command]);
        while env.engine.calls().len() == before {
            std::thread::sleep(Duration::from_millis(10));
        }
        running.interrupt();
        let since = Instant::now();
        let out = running.wait();
        assert_eq!(out.code(), Some(130), "{command}: {out}");
        assert!(since.elapsed() < Duration::from_secs(5), "{command}: {:?}", since.elapsed());
    }
    env.assert_untouched();
}
