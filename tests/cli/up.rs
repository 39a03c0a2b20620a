//! `sandbox up`: what it refuses before it makes anything, and what it leaves when it fails.

use std::collections::BTreeSet;
use std::net::TcpListener;

use serde_json::json;

use crate::support::env::{Call, runs};
use crate::support::output::BESIDE;
use crate::support::{Answer, TestEnv};

const SETTINGS: &str = "name: hello\n";

/// What kind writes when a node does not start.
const KIND_FAILS: &str = "\
Creating cluster \"sandbox-hello\" ...
 • Ensuring node image (docker.io/kindest/node:v1.34.3) 🖼  ...
 ✓ Ensuring node image (docker.io/kindest/node:v1.34.3) 🖼
 • Preparing nodes 📦  ...
 ✗ Preparing nodes 📦
ERROR: failed to create cluster: could not find a log line that matches \"Reached target\"
";

#[test]
fn a_taken_port_is_told_with_its_holder() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let env = TestEnv::with_settings(&format!("name: hello\nports: {{http: {port}}}\n"));
    let out = env.sandbox(&["up"]).with(&port, "$PORT");
    assert!(out.stderr.contains(&format!("(pid {})", std::process::id())), "{out}");
    insta::assert_snapshot!(out, @"
    --- stderr
    error: port $PORT of 127.0.0.1 is taken by THIS-TEST (pid PID)
    hint: stop it, or choose another: --http-port, --https-port, `ports:`, an addon's `host-port:`
    --- exit code 4
    ");
    env.assert_untouched();
}

#[test]
fn a_port_that_a_container_holds_is_told_with_the_containers_name() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let env = TestEnv::with_settings(SETTINGS);
    env.engine.add_publisher("other-app", port);
    let out = env.sandbox(&["up", "--https-port", &port.to_string()]).with(&port, "$PORT");
    insta::assert_snapshot!(out, @"
    --- stderr
    error: port $PORT of 127.0.0.1 is taken by container `other-app`
    hint: stop it, or choose another: --http-port, --https-port, `ports:`, an addon's `host-port:`
    --- exit code 4
    ");
    env.assert_untouched();
}

#[test]
fn an_app_image_that_is_not_there_is_told_with_two_ways_out() {
    let env = TestEnv::with_settings("name: hello\nimages: [{ref: 'hello:dev'}]\n");
    insta::assert_snapshot!(env.sandbox(&["up"]), @"
    --- stderr
    error: image `hello:dev` is not in the Docker engine
    hint: build it: docker build -t hello:dev …
    hint: or let the sandbox build it: add `build:` to its entry in sandbox.yaml
    --- exit code 4
    ");
    env.assert_untouched();
}

#[test]
fn an_app_image_for_another_architecture_is_refused() {
    let env = TestEnv::with_settings("name: hello\nimages: [{ref: 'hello:dev'}]\n");
    env.engine.add_image("hello:dev", "arm64");
    insta::assert_snapshot!(env.sandbox(&["up"]), @"
    --- stderr
    error: image `hello:dev` is for arm64, the nodes are amd64
    hint: docker build --platform linux/amd64 -t hello:dev …
    --- exit code 4
    ");
    env.assert_untouched();
}

#[test]
fn without_a_registry_a_missing_node_image_is_told_with_its_recipe() {
    let env = TestEnv::with_settings("name: hello\nsource: packages\n");
    insta::assert_snapshot!(env.sandbox(&["up"]), @"
    --- stderr
    error: image `docker.io/kindest/node:v1.34.3` is not in the Docker engine
    hint: images/build node
    --- exit code 4
    ");
    env.assert_untouched();
}

#[test]
fn a_kind_cluster_of_that_name_that_is_not_ours_is_left_alone() {
    let env = TestEnv::with_settings(SETTINGS);
    let network = env.engine.add_network("kind", &json!({}));
    env.engine.add_node("sandbox-hello-control-plane", "sandbox-hello", &network);
    insta::assert_snapshot!(env.sandbox(&["up", "--recreate"]), @"
    --- stderr
    error: `sandbox-hello` exists and is not provably ours; nothing was touched
      caused by: node `sandbox-hello-control-plane` is not on the network of this sandbox
    hint: use another name: --name NAME, or `name:` in sandbox.yaml
    hint: or remove it yourself: kind delete cluster --name sandbox-hello; docker network rm sandbox-hello
    --- exit code 8
    ");
    env.assert_untouched();
}

#[test]
fn a_network_of_that_name_that_is_not_ours_is_left_alone() {
    let env = TestEnv::with_settings(SETTINGS);
    env.engine.add_network("sandbox-hello", &json!({}));
    insta::assert_snapshot!(env.sandbox(&["up"]), @"
    --- stderr
    error: `sandbox-hello` exists and is not provably ours; nothing was touched
      caused by: network `sandbox-hello` does not carry this sandbox's labels
    hint: use another name: --name NAME, or `name:` in sandbox.yaml
    hint: or remove it yourself: kind delete cluster --name sandbox-hello; docker network rm sandbox-hello
    --- exit code 8
    ");
    env.assert_untouched();
}

#[test]
fn a_sandbox_of_another_user_is_left_alone() {
    let env = TestEnv::with_settings(SETTINGS);
    let labels = json!({
        "dev.sandbox.name": "hello",
        "dev.sandbox.instance": "0123",
        "dev.sandbox.state": "/home/other/.local/state/sandbox",
    });
    let network = env.engine.add_network("sandbox-hello", &labels);
    env.engine.add_node("sandbox-hello-control-plane", "sandbox-hello", &network);
    insta::assert_snapshot!(env.sandbox(&["up"]), @"
    --- stderr
    error: `sandbox-hello` exists and is not provably ours; nothing was touched
      caused by: network `sandbox-hello` belongs to the state folder `/home/other/.local/state/sandbox`
    hint: use another name: --name NAME, or `name:` in sandbox.yaml
    hint: or remove it yourself: kind delete cluster --name sandbox-hello; docker network rm sandbox-hello
    --- exit code 8
    ");
    env.assert_untouched();
}

#[test]
fn a_kind_that_fails_leaves_an_intent_and_the_next_runs_start_over_or_clean_up() {
    let env = TestEnv::with_settings(SETTINGS)
        .kind(Answer::to("create cluster").fails(1, KIND_FAILS))
        .var("KUBECONFIG", "/somewhere/production")
        .var("AWS_SECRET_ACCESS_KEY", "secret");

    insta::assert_snapshot!(env.sandbox(&["up"]), @r#"
    --- stderr
    [TIME] sandbox hello: profile minimal
    [TIME] … network: make the network
    [TIME] ✓ network (TIME)
    [TIME] … cluster: create cluster sandbox-hello (profile minimal, 1 node(s))
    [TIME] … api: wait for the API server
    [TIME] … load addons: bring 5 addon image(s) to the node
    [TIME] ✗ cluster (TIME): could not create cluster `sandbox-hello`
    error: could not create cluster `sandbox-hello`
      caused by: ERROR: failed to create cluster: could not find a log line that matches "Reached target"
      caused by: `kind create cluster --name sandbox-hello --config - --retain --kubeconfig $DIR/state/hello/TMP/config` exited with code 1
    hint: run the same command again: it starts over from what is there
    hint: `sandbox doctor` looks for the usual causes
    hint: evidence is in $DIR/work/.sandbox/diagnostics/hello-STAMP
    --- exit code 5
    "#);
    let call = env.wait_for_call("create cluster");
    let words = "kind create cluster --name sandbox-hello --config - --retain --kubeconfig $DIR/";
    assert!(call.line.starts_with(words), "{}", call.line);
    assert_eq!(env.call_lines().len(), 1);
    assert_eq!(env.engine.changes(), ["POST /networks/create"]);
    assert_eq!(env.record("hello")["phase"], "creating");
    assert_eq!(env.temporary_entries(), Vec::<String>::new());
    assert!(call.stdin.contains("name: sandbox-hello\n"), "{}", call.stdin);
    for secret in ["KUBECONFIG", "AWS_SECRET_ACCESS_KEY"] {
        assert!(!call.variables.contains(&secret.to_owned()), "kind sees {secret}");
    }

    // A node that came up after kind had given up.
    let network = env.engine.network_id("sandbox-hello");
    env.engine.add_node("sandbox-hello-control-plane", "sandbox-hello", &network);
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
    sandbox hello is gone: 1 node(s), 1 volume(s), 1 network(s) removed; nothing is left
    --- stderr
    [TIME] sandbox hello: down
    [TIME] … nodes: remove 1 node(s) and their volumes
    [TIME] ✓ nodes (TIME)
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
fn a_second_up_removes_the_remains_before_it_makes_anything() {
    let env =
        TestEnv::with_settings(SETTINGS).kind(Answer::to("create cluster").fails(1, KIND_FAILS));
    assert_eq!(env.sandbox(&["up"]).code(), Some(5));
    let first = env.record("hello")["instance"].clone();
    let network = env.engine.network_id("sandbox-hello");
    env.engine.add_node("sandbox-hello-control-plane", "sandbox-hello", &network);
    assert_eq!(env.sandbox(&["up"]).code(), Some(5));
    assert_eq!(
        env.engine.changes(),
        [
            "POST /networks/create",
            "DELETE /containers/container2",
            "DELETE /networks/network1",
            "POST /networks/create",
        ]
    );
    // Still the same sandbox, so that what Docker was asked for before is known as ours.
    assert_eq!(env.record("hello")["instance"], first);
    assert_eq!(env.engine.inventory(), ["network sandbox-hello"]);
}

#[test]
fn quiet_leaves_only_the_failure() {
    let env =
        TestEnv::with_settings(SETTINGS).kind(Answer::to("create cluster").fails(1, KIND_FAILS));
    let out = env.sandbox(&["up", "--quiet"]).without_lines(r"^warning: fs\.inotify");
    insta::assert_snapshot!(out, @r#"
    --- stderr
    error: could not create cluster `sandbox-hello`
      caused by: ERROR: failed to create cluster: could not find a log line that matches "Reached target"
      caused by: `kind create cluster --name sandbox-hello --config - --retain --kubeconfig $DIR/state/hello/TMP/config` exited with code 1
    hint: run the same command again: it starts over from what is there
    hint: `sandbox doctor` looks for the usual causes
    hint: evidence is in $DIR/work/.sandbox/diagnostics/hello-STAMP
    --- exit code 5
    "#);
}

#[test]
fn ports_that_were_taken_meanwhile_are_replaced_by_others() {
    let clash = "ERROR: failed to create cluster: docker: Error response from daemon: driver \
                 failed programming external connectivity: Bind for 127.0.0.1:8080 failed: port \
                 is already allocated\n";
    let env =
        TestEnv::with_settings("name: clash\n").kind(Answer::to("create cluster").fails(1, clash));
    let out = env.sandbox(&["up"]);
    assert_eq!(out.code(), Some(5), "{out}");
    let hosts = |call: &Call| -> Vec<String> {
        let lines = call.stdin.lines().filter(|line| line.contains("hostPort:"));
        lines.map(str::to_owned).collect()
    };
    let tried: BTreeSet<Vec<String>> =
        env.calls().iter().filter(|call| call.line.contains("create")).map(hosts).collect();
    assert_eq!(tried.len(), 5, "{tried:?}");
}

#[test]
fn a_create_of_the_same_name_by_someone_else_goes_on() {
    let other = TestEnv::with_settings("name: twice\n").kind(Answer::to("create cluster").hangs());
    let running = other.start(&["up"]);
    let call = other.wait_for_call("create cluster");
    let env = TestEnv::with_settings("name: twice\n");
    assert_eq!(env.sandbox(&["down"]).code(), Some(0));
    assert!(runs(call.pid), "the create of another state folder was ended");
    running.interrupt();
    assert_eq!(running.wait().code(), Some(130));
}

#[test]
fn a_create_that_outlived_its_program_is_ended_by_down() {
    let env = TestEnv::with_settings("name: orphan\n").kind(Answer::to("create cluster").hangs());
    let running = env.start(&["up"]);
    let call = env.wait_for_call("create cluster");
    running.kill();
    assert_eq!(running.wait().signal(), Some(9));
    assert!(runs(call.pid));
    let out = env.sandbox(&["down"]);
    assert_eq!(out.code(), Some(0), "{out}");
    assert!(!runs(call.pid));
    assert_eq!(env.engine.inventory(), Vec::<String>::new());
    assert_eq!(env.state_entries(), Vec::<String>::new());
    assert_eq!(env.temporary_entries(), Vec::<String>::new());
}
