//! The state folder: locks, damaged records, and runs that were killed.

use rustix::fs::{FlockOperation, flock};

use crate::support::output::BESIDE;
use crate::support::{Answer, TestEnv};

const SETTINGS: &str = "name: hello\n";

#[test]
fn a_sandbox_in_use_is_told_with_who_uses_it() {
    let env = TestEnv::with_settings(SETTINGS);
    env.write_state("hello.lock", "sandbox up (pid 4711)");
    let file = std::fs::File::open(env.state("hello.lock")).unwrap();
    flock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
    insta::assert_snapshot!(env.sandbox(&["up"]), @"
    --- stderr
    error: sandbox `hello` is in use by `sandbox up (pid PID)`
    hint: wait for it to end, or use another name with --name
    --- exit code 10
    ");
    for command in ["down", "load"] {
        assert_eq!(env.sandbox(&[command]).code(), Some(10), "{command}");
    }
    assert!(env.engine.calls().is_empty());
    // Another sandbox is not in the way.
    assert_eq!(env.sandbox(&["up", "--dry-run", "--name", "other"]).code(), Some(0));
}

#[test]
fn a_lock_of_a_process_that_died_is_no_lock() {
    let env = TestEnv::with_settings(SETTINGS);
    env.write_state("hello.lock", "sandbox up (pid 1)");
    assert_eq!(env.sandbox(&["up", "--dry-run"]).code(), Some(0));
    env.assert_untouched();
}

#[test]
fn a_damaged_record_says_what_to_do_and_that_works() {
    let env = TestEnv::with_settings(SETTINGS);
    env.write_state("hello/record.json", "{\"format\": 1, \"inst");
    insta::assert_snapshot!(env.sandbox(&["up"]), @"
    --- stderr
    error: the record `$DIR/state/hello/record.json` is damaged
      caused by: EOF while parsing a string at line 1 column 19
    hint: sandbox down --name hello
    --- exit code 5
    ");
    assert!(env.engine.changes().is_empty());
    assert_eq!(env.sandbox(&["status"]).code(), Some(5));
    insta::assert_snapshot!(env.sandbox(&["down", "--name", "hello"]).without_lines(BESIDE), @"
    sandbox hello is gone: 0 node(s), 0 volume(s), 0 network(s) removed; nothing is left
    --- stderr
    [TIME] sandbox hello: down
    [TIME] … state: remove the record and the kubeconfig
    [TIME] ✓ state (TIME)
    --- exit code 0
    ");
    assert_eq!(env.state_entries(), Vec::<String>::new());
}

#[test]
fn a_record_of_a_newer_version_is_left_alone() {
    let env = TestEnv::with_settings(SETTINGS);
    let record = serde_json::json!({
        "format": 99, "instance": "0123", "phase": "created", "profile": "minimal",
        "config": "x", "ports": { "http": 1, "https": 2, "api": 3 }, "identity": null, "app": null,
    });
    env.write_state("hello/record.json", &record.to_string());
    insta::assert_snapshot!(env.sandbox(&["up"]), @"
    --- stderr
    error: sandbox `hello` was made by a newer version of this program
    hint: use that version
    --- exit code 5
    ");
    assert!(env.engine.changes().is_empty());
    assert_eq!(env.record("hello"), record);
}

#[test]
fn a_state_folder_that_cannot_be_made_is_named() {
    let env = TestEnv::with_settings(SETTINGS).var("SANDBOX_STATE_DIR", "/proc/none");
    insta::assert_snapshot!(env.sandbox(&["up"]), @"
    --- stderr
    error: cannot make the state folder `/proc/none`
      caused by: No such file or directory (os error 2)
    --- exit code 4
    ");
    assert!(env.engine.changes().is_empty());
}

#[test]
fn without_a_home_the_variable_to_set_is_named() {
    let env = TestEnv::with_settings(SETTINGS).var("SANDBOX_STATE_DIR", "").var("HOME", "");
    insta::assert_snapshot!(env.sandbox(&["up"]), @"
    --- stderr
    error: neither HOME nor XDG_STATE_HOME is set
    hint: set SANDBOX_STATE_DIR to a folder of your own
    --- exit code 4
    ");
    assert!(env.engine.changes().is_empty());
}

#[test]
fn a_kill_after_the_network_is_finished_by_the_next_run() {
    let env = TestEnv::with_settings(SETTINGS).var("SANDBOX_TEST_CRASH", "after:network");
    let out = env.sandbox(&["up"]);
    assert_eq!(out.signal(), Some(9), "{out}");
    assert_eq!(env.engine.inventory(), ["network sandbox-hello"]);
    let env = env.var("SANDBOX_TEST_CRASH", "");
    insta::assert_snapshot!(env.sandbox(&["up", "--dry-run"]), @"
    do    remains: remove what is left: an earlier `up` did not finish
    do    network: make the network  (after remains)
    do    cluster: create cluster sandbox-hello (profile minimal, 1 node(s))  (after network)
    do    api: wait for the API server  (after network)
    do    nodes: wait for the nodes  (after cluster, api)
    do    load addons: bring 5 addon image(s) to the node  (after network)
    do    ingress-nginx: install ingress-nginx  (after api, load addons)
    do    cert-manager: install cert-manager  (after api, load addons)
    do    metrics-server: install metrics-server  (after api, load addons)
    --- exit code 0
    ");
    insta::assert_snapshot!(env.sandbox(&["down"]).without_lines(BESIDE), @"
    sandbox hello is gone: 0 node(s), 0 volume(s), 1 network(s) removed; nothing is left
    --- stderr
    [TIME] sandbox hello: down
    [TIME] … network: remove the network
    [TIME] ✓ network (TIME)
    [TIME] … state: remove the record and the kubeconfig
    [TIME] ✓ state (TIME)
    --- exit code 0
    ");
    assert_eq!(env.engine.inventory(), Vec::<String>::new());
    assert_eq!(env.state_entries(), Vec::<String>::new());
}

#[test]
fn a_kill_before_the_network_leaves_nothing() {
    let env = TestEnv::with_settings(SETTINGS).var("SANDBOX_TEST_CRASH", "before:network");
    assert_eq!(env.sandbox(&["up"]).signal(), Some(9));
    assert_eq!(env.engine.inventory(), Vec::<String>::new());
    let env = env.var("SANDBOX_TEST_CRASH", "");
    assert_eq!(env.sandbox(&["down"]).code(), Some(0));
    assert_eq!(env.state_entries(), Vec::<String>::new());
}

#[test]
fn a_kill_at_any_step_of_down_is_finished_by_the_next_down() {
    for step in ["nodes", "network", "images", "state"] {
        for when in ["before", "after"] {
            let env = TestEnv::with_settings(SETTINGS)
                .kind(Answer::to("create cluster").fails(1, "ERROR: no\n"));
            assert_eq!(env.sandbox(&["up"]).code(), Some(5));
            let network = env.engine.network_id("sandbox-hello");
            env.engine.add_node("sandbox-hello-control-plane", "sandbox-hello", &network);
            let env = env.var("SANDBOX_TEST_CRASH", &format!("{when}:{step}"));
            assert_eq!(env.sandbox(&["down"]).signal(), Some(9), "{when}:{step}");
            let env = env.var("SANDBOX_TEST_CRASH", "");
            let out = env.sandbox(&["down"]);
            assert_eq!(out.code(), Some(0), "{when}:{step}: {out}");
            assert_eq!(env.engine.inventory(), Vec::<String>::new(), "{when}:{step}");
            assert_eq!(env.state_entries(), Vec::<String>::new(), "{when}:{step}");
        }
    }
}

#[test]
fn there_is_no_kubeconfig_before_up() {
    let env = TestEnv::with_settings(SETTINGS);
    insta::assert_snapshot!(env.sandbox(&["kubeconfig"]), @"
    --- stderr
    error: sandbox `hello` has no kubeconfig
    hint: sandbox up
    --- exit code 5
    ");
    env.assert_untouched();
}

#[test]
fn the_kubeconfig_is_a_path_or_its_content() {
    let env = TestEnv::with_settings(SETTINGS);
    env.write_state("hello/kubeconfig", "apiVersion: v1\n");
    insta::assert_snapshot!(env.sandbox(&["kubeconfig"]), @"
    $DIR/state/hello/kubeconfig
    --- exit code 0
    ");
    insta::assert_snapshot!(env.sandbox(&["kubeconfig", "--raw"]), @"
    apiVersion: v1
    --- exit code 0
    ");
    assert!(env.engine.calls().is_empty());
}
