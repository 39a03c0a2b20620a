//! `sandbox doctor` and `sandbox status` on a machine without a sandbox.

use std::net::TcpListener;

use serde_json::json;

use crate::support::{Answer, TestEnv};

/// Lines that are about the machine that runs the tests.
const MACHINE: &str = r"disk, memory and limits|fs\.inotify|^     cure: sysctl";

#[test]
fn everything_in_the_way_is_told_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().port();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let file = format!("name: hello\nports: {{http: {taken}, https: {free}}}\n");
    let env = TestEnv::with_settings(&file)
        .without_program("kind")
        .helm(Answer::to("version").prints("v3.19.0+g3d8990f\n"));
    env.engine.remove_image("docker.io/kindest/node:v1.34.3");
    let out = env.sandbox(&["doctor"]).with(&taken, "$TAKEN").with(&free, "$FREE");
    insta::assert_snapshot!(out.without_lines(MACHINE), @"
    ok   Docker engine 26.1.5 (amd64, cgroup v2)
    warn image docker.io/kindest/node:v1.34.3 is missing
         cure: images/build node
         cure: sandbox images pull
    ok   image registry.k8s.io/ingress-nginx/controller:v1.11.0
    BAD  `kind` is not on PATH
         cure: scripts/tools fetches or builds it and prints the folder to add to PATH
    BAD  `$DIR/bin/helm` is helm 3.19.0+g3d8990f; 4.0.0 or newer, below 5.0.0, is needed
         cure: scripts/tools fetches or builds it and prints the folder to put first on PATH
    BAD  port $TAKEN is taken by THIS-TEST (pid PID)
         cure: stop it, or choose another port: `ports:`
    ok   port $FREE is free
    --- exit code 4
    ");
    env.assert_untouched();
}

#[test]
fn without_an_engine_the_rest_is_told_all_the_same() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let file = format!("name: hello\nports: {{http: {free}, https: 1}}\n");
    let env = TestEnv::with_settings(&file);
    env.engine.stop();
    let out = env.sandbox(&["doctor"]).with(&free, "$FREE");
    assert_eq!(out.code(), Some(4));
    insta::assert_snapshot!(out.without_lines("^(ok|BAD|warn) +port 1 |cure: the next free"), @"
    BAD  no Docker engine answers at `unix://$DIR/docker.sock`: Socket not found: $DIR/docker.sock
         cure: start Docker; in a checkout, scripts/engine installs and starts one on Debian
    ok   kind at $DIR/bin/kind
    ok   helm at $DIR/bin/helm
    ok   port $FREE is free
    --- exit code 4
    ");
    env.assert_untouched();
}

#[test]
fn the_status_of_nothing_is_that_it_is_not_there() {
    let env = TestEnv::with_settings("name: hello\n");
    insta::assert_snapshot!(env.sandbox(&["status"]), @"
    sandbox        hello
    cluster        not there
    --- exit code 0
    ");
    env.assert_untouched();
}

#[test]
fn the_status_of_something_that_is_not_ours_says_why() {
    let env = TestEnv::with_settings("name: hello\n");
    env.engine.add_network("sandbox-hello", &json!({}));
    insta::assert_snapshot!(env.sandbox(&["status"]), @"
    sandbox        hello
    cluster        not ours: network `sandbox-hello` does not carry this sandbox's labels
    --- exit code 0
    ");
    env.assert_untouched();
}

#[test]
fn the_status_of_a_cluster_that_does_not_answer_says_so() {
    let env = TestEnv::with_settings("name: hello\n")
        .kind(Answer::to("create cluster").fails(1, "ERROR: no\n"));
    assert_eq!(env.sandbox(&["up"]).code(), Some(5));
    let network = env.engine.network_id("sandbox-hello");
    env.engine.add_node("sandbox-hello-control-plane", "sandbox-hello", &network);
    insta::assert_snapshot!(env.sandbox(&["status"]), @"
    sandbox        hello
    cluster        sandbox-hello (1 of 1 node(s) run)
    api server     does not answer
    --- exit code 0
    ");
}
