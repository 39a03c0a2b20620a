//! `sandbox down`: removes what is ours, says what is left, touches nothing else.

use serde_json::json;

use crate::support::docker::Trouble;
use crate::support::output::BESIDE;
use crate::support::{Answer, TestEnv};

const SETTINGS: &str = "name: hello\n";

/// A sandbox whose `up` failed half-way, with one node.
fn half_made() -> TestEnv {
    let env =
        TestEnv::with_settings(SETTINGS).kind(Answer::to("create cluster").fails(1, "ERROR: no\n"));
    assert_eq!(env.sandbox(&["up"]).code(), Some(5));
    let network = env.engine.network_id("sandbox-hello");
    env.engine.add_node("sandbox-hello-control-plane", "sandbox-hello", &network);
    env
}

#[test]
fn nothing_there_is_no_failure() {
    let env = TestEnv::with_settings(SETTINGS);
    insta::assert_snapshot!(env.sandbox(&["down"]).without_lines(BESIDE), @"
    sandbox hello: there is nothing of it
    --- exit code 0
    ");
    env.assert_untouched();
}

#[test]
fn a_kind_cluster_of_that_name_that_is_not_ours_is_left_alone() {
    let env = TestEnv::with_settings(SETTINGS);
    let network = env.engine.add_network("kind", &json!({}));
    env.engine.add_node("sandbox-hello-control-plane", "sandbox-hello", &network);
    insta::assert_snapshot!(env.sandbox(&["down"]).without_lines(BESIDE), @"
    --- stderr
    error: `sandbox-hello` is not provably ours; nothing was touched
      caused by: node `sandbox-hello-control-plane` is not on the network of this sandbox
    hint: to remove it all the same: kind delete cluster --name sandbox-hello; docker network rm sandbox-hello
    --- exit code 8
    ");
    env.assert_untouched();
}

#[test]
fn nodes_go_first_and_the_record_goes_last() {
    let env = half_made();
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
    assert_eq!(
        env.engine.changes()[1..],
        ["DELETE /containers/container2", "DELETE /networks/network1"]
    );
    assert_eq!(env.engine.inventory(), Vec::<String>::new());
    assert_eq!(env.state_entries(), Vec::<String>::new());
}

#[test]
fn what_pods_stored_goes_once_no_node_can_write_to_it() {
    let env = half_made();
    let stored = env.state("hello").join("volumes/pvc-1_shop_data");
    std::fs::create_dir_all(&stored).unwrap();
    std::fs::write(stored.join("file"), "x").unwrap();
    let told = env.sandbox(&["down"]).without_lines(BESIDE).to_string();
    let at = |text: &str| told.find(text).unwrap_or_else(|| panic!("{text} is missing: {told}"));
    assert!(at("✓ nodes") < at("… volumes: remove what pods stored"), "{told}");
    assert!(at("✓ volumes") < at("… state"), "{told}");
    assert_eq!(env.state_entries(), Vec::<String>::new());
    // This user's own rights were enough.
    assert!(env.engine.changes().iter().all(|call| !call.contains("cleaner")));
}

#[test]
fn without_its_record_a_sandbox_is_still_removed() {
    let env = half_made();
    std::fs::remove_dir_all(env.state("hello")).unwrap();
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
}

#[test]
fn without_sandbox_yaml_a_name_is_enough() {
    let env = half_made();
    env.write("sandbox.yaml", "nonsense: [\n");
    assert_eq!(env.sandbox(&["down"]).code(), Some(3));
    assert_eq!(env.engine.inventory().len(), 3);
    let out = env.sandbox(&["down", "--name", "hello"]);
    assert_eq!(out.code(), Some(0), "{out}");
    assert_eq!(env.engine.inventory(), Vec::<String>::new());
}

#[test]
fn all_means_every_sandbox_of_this_state_folder_and_no_other() {
    let env = half_made();
    env.engine.add_network("kind", &json!({}));
    let out = env.sandbox(&["down", "--all", "--name", "elsewhere"]);
    assert_eq!(out.code(), Some(0), "{out}");
    assert_eq!(env.engine.inventory(), ["network kind"]);
    assert_eq!(env.state_entries(), Vec::<String>::new());
}

#[test]
fn a_node_that_cannot_be_removed_is_told_and_the_record_stays() {
    let env = half_made();
    let busy = "removal of container is already in progress";
    env.engine.trouble("DELETE /containers", Trouble::Fail(409, busy));
    insta::assert_snapshot!(env.sandbox(&["down"]).without_lines(BESIDE), @"
    --- stderr
    [TIME] sandbox hello: down
    [TIME] … nodes: remove 1 node(s) and their volumes
    [TIME] ✗ nodes (TIME): docker failed to remove node `sandbox-hello-control-plane`
    error: docker failed to remove node `sandbox-hello-control-plane`
      caused by: Docker responded with status code 409: removal of container is already in progress
    --- exit code 4
    ");
    assert_eq!(env.record("hello")["phase"], "removing");
    insta::assert_snapshot!(env.sandbox(&["up", "--dry-run"]), @"
    do    remains: remove what is left: an earlier `down` did not finish
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
}

#[test]
fn a_network_that_others_use_is_told_and_the_record_stays() {
    let env = half_made();
    let busy = "network sandbox-hello has active endpoints";
    env.engine.trouble("DELETE /networks", Trouble::Fail(403, busy));
    insta::assert_snapshot!(env.sandbox(&["down"]).without_lines(BESIDE), @"
    --- stderr
    [TIME] sandbox hello: down
    [TIME] … nodes: remove 1 node(s) and their volumes
    [TIME] ✓ nodes (TIME)
    [TIME] … network: remove the network
    [TIME] ✗ network (TIME): docker failed to remove network `sandbox-hello`
    error: docker failed to remove network `sandbox-hello`
      caused by: Docker responded with status code 403: network sandbox-hello has active endpoints
    --- exit code 4
    ");
    assert_eq!(env.record("hello")["phase"], "removing");
}

#[test]
fn with_all_a_failure_keeps_nobody_else_standing() {
    let env = half_made();
    assert_eq!(env.sandbox(&["up", "--name", "other"]).code(), Some(5));
    let network = env.engine.network_id("sandbox-hello");
    env.engine.trouble(&format!("DELETE /networks/{network}"), Trouble::Fail(403, "in use"));
    let out = env.sandbox(&["down", "--all"]).without_lines(r"\] [….✓✗] ");
    insta::assert_snapshot!(out, @"
    --- stderr
    [TIME] sandbox hello: down
    [TIME] ! hello: docker failed to remove network `sandbox-hello`
    [TIME] sandbox other: down
    error: docker failed to remove network `sandbox-hello`
      caused by: Docker responded with status code 403: in use
    --- exit code 4
    ");
    assert_eq!(env.engine.inventory(), ["network sandbox-hello"]);
    assert_eq!(env.state_entries(), ["hello"]);
}
