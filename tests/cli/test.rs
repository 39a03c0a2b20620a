//! `sandbox test` before there is a sandbox, and in one of its own that fails.

use crate::support::output::BESIDE;
use crate::support::{Answer, TestEnv};

const SETTINGS: &str = "\
name: hello
addons: {ingress-nginx: false}
checks: [{name: it answers, http: {url: 'http://hello.localhost/'}}]
";

#[test]
fn without_checks_there_is_nothing_to_run() {
    let off = "addons: {ingress-nginx: false, cert-manager: false, metrics-server: false}";
    let env = TestEnv::with_settings(&format!("name: hello\n{off}\n"));
    insta::assert_snapshot!(env.sandbox(&["test"]), @"
    --- stderr
    error: there are no checks to run
    hint: add `checks:` to sandbox.yaml
    --- exit code 3
    ");
    env.assert_untouched();
}

#[test]
fn before_up_there_is_nothing_to_test() {
    let env = TestEnv::with_settings(SETTINGS);
    insta::assert_snapshot!(env.sandbox(&["test"]), @"
    --- stderr
    error: sandbox `hello` is not up
    hint: sandbox up
    hint: or `sandbox test --ephemeral` for a sandbox of its own
    --- exit code 5
    ");
    env.assert_untouched();
}

#[test]
fn an_unknown_check_is_named_with_the_known_ones() {
    let env = TestEnv::with_settings(SETTINGS);
    insta::assert_snapshot!(env.sandbox(&["test", "--only", "it answer"]), @"
    --- stderr
    error: there is no check `it answer`
    hint: did you mean `it answers`?
    hint: the checks are: `it answers`, `cert-manager: letsencrypt-prod issues a certificate`, `metrics-server: every node has metrics`
    --- exit code 2
    ");
    env.assert_untouched();
}

#[test]
fn a_sandbox_of_its_own_is_removed_when_it_cannot_be_made() {
    let env = TestEnv::with_settings(SETTINGS)
        .kind(Answer::to("create cluster").fails(1, "ERROR: no such luck\n"));
    insta::assert_snapshot!(env.sandbox(&["test", "--ephemeral"]).without_lines(BESIDE), @"
    --- stderr
    [TIME] sandbox hello-tID: profile minimal
    [TIME] … network: make the network
    [TIME] ✓ network (TIME)
    [TIME] … cluster: create cluster sandbox-hello-tID (profile minimal, 1 node(s))
    [TIME] … api: wait for the API server
    [TIME] … load addons: bring 4 addon image(s) to the node
    [TIME] ✗ cluster (TIME): could not create cluster `sandbox-hello-tID`
    [TIME] sandbox hello-tID: down
    [TIME] … network: remove the network
    [TIME] ✓ network (TIME)
    [TIME] … state: remove the record and the kubeconfig
    [TIME] ✓ state (TIME)
    error: could not create cluster `sandbox-hello-tID`
      caused by: ERROR: no such luck
      caused by: `kind create cluster --name sandbox-hello-tID --config - --retain --kubeconfig $DIR/state/hello-tID/TMP/config` exited with code 1
    hint: run the same command again: it starts over from what is there
    hint: `sandbox doctor` looks for the usual causes
    hint: evidence is in $DIR/work/.sandbox/diagnostics/hello-tID-STAMP
    --- exit code 5
    ");
    assert_eq!(env.engine.inventory(), Vec::<String>::new());
    assert_eq!(env.state_entries(), Vec::<String>::new());
}

#[test]
fn a_sandbox_of_its_own_is_removed_after_an_interruption() {
    let env = TestEnv::with_settings(SETTINGS).kind(Answer::to("create cluster").hangs());
    let running = env.start(&["test", "--ephemeral"]);
    let call = env.wait_for_call("create cluster");
    running.interrupt();
    let out = running.wait();
    assert_eq!(out.code(), Some(130), "{out}");
    crate::support::env::wait_until_gone(call.pid);
    assert_eq!(env.engine.inventory(), Vec::<String>::new());
    assert_eq!(env.state_entries(), Vec::<String>::new());
}
