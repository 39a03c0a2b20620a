//! `sandbox up --dry-run`: the plan, and nothing but the plan.

use crate::support::{Answer, TestEnv};

#[test]
fn on_an_empty_machine_everything_is_planned() {
    let env = TestEnv::with_settings("name: hello\n");
    insta::assert_snapshot!(env.sandbox(&["up", "--dry-run"]), @"
    do    network: make the network
    do    cluster: create cluster sandbox-hello (profile minimal, 1 node(s))  (after network)
    do    api: wait for the API server  (after network)
    do    nodes: wait for the nodes  (after cluster, api)
    do    load addons: bring 5 addon image(s) to the node  (after network)
    do    ingress-nginx: install ingress-nginx  (after api, load addons)
    do    cert-manager: install cert-manager  (after api, load addons)
    do    metrics-server: install metrics-server  (after api, load addons)
    --- exit code 0
    ");
    env.assert_untouched();
}

#[test]
fn the_app_is_planned_beside_the_cluster() {
    let env = TestEnv::with_settings(
        "name: hello\nprofile: eks\nimages: [{ref: 'hello:dev', build: {context: app}}]\n\
         app: {chart: {path: chart}}\n",
    )
    .helm(Answer::to("template").prints(""));
    env.write("app/Dockerfile", "FROM scratch\n");
    env.write("chart/Chart.yaml", "name: hello\n");
    insta::assert_snapshot!(env.sandbox(&["up", "--dry-run"]), @"
    do    network: make the network
    do    cluster: create cluster sandbox-hello (profile eks, 4 node(s))  (after network)
    do    api: wait for the API server  (after network)
    do    nodes: wait for the nodes  (after cluster, api)
    do    load addons: bring 5 addon image(s) to the node  (after network)
    do    ingress-nginx: install ingress-nginx  (after api, load addons)
    do    cert-manager: install cert-manager  (after api, load addons)
    do    metrics-server: install metrics-server  (after api, load addons)
    do    storage: install storage  (after api)
    do    app-config: install app-config  (after api)
    do    build hello:dev: build hello:dev
    do    load hello:dev: bring hello:dev to the nodes  (after build hello:dev, network)
    do    install: install release hello into hello  (after load hello:dev, api, app-config)
    do    app: wait for the app  (after load hello:dev, api, app-config, install)
    do    routes: wait for the app's addresses  (after app, ingress-nginx)
    --- exit code 0
    ");
    env.assert_untouched();
}

#[test]
fn missing_images_are_pulled() {
    let env = TestEnv::with_settings("name: hello\n");
    env.engine.remove_image("docker.io/kindest/node:v1.34.3");
    env.engine.remove_image("registry.k8s.io/ingress-nginx/controller:v1.11.0");
    insta::assert_snapshot!(env.sandbox(&["up", "--dry-run"]), @"
    do    image node: pull docker.io/kindest/node:v1.34.3
    do    image ingress-nginx: pull registry.k8s.io/ingress-nginx/controller:v1.11.0
    do    network: make the network  (after image node, image ingress-nginx)
    do    cluster: create cluster sandbox-hello (profile minimal, 1 node(s))  (after network)
    do    api: wait for the API server  (after network)
    do    nodes: wait for the nodes  (after cluster, api)
    do    load addons: bring 5 addon image(s) to the node  (after image node, image ingress-nginx, network)
    do    ingress-nginx: install ingress-nginx  (after api, load addons)
    do    cert-manager: install cert-manager  (after api, load addons)
    do    metrics-server: install metrics-server  (after api, load addons)
    --- exit code 0
    ");
    env.assert_untouched();
}

#[test]
fn an_addon_that_is_off_is_not_planned() {
    let env = TestEnv::with_settings("name: hello\naddons: {ingress-nginx: false}\n");
    insta::assert_snapshot!(env.sandbox(&["up", "--dry-run"]), @"
    do    network: make the network
    do    cluster: create cluster sandbox-hello (profile minimal, 1 node(s))  (after network)
    do    api: wait for the API server  (after network)
    do    nodes: wait for the nodes  (after cluster, api)
    do    load addons: bring 4 addon image(s) to the node  (after network)
    do    cert-manager: install cert-manager  (after api, load addons)
    do    metrics-server: install metrics-server  (after api, load addons)
    --- exit code 0
    ");
    env.assert_untouched();
}

#[test]
fn with_json_the_plan_is_the_outcome() {
    let env = TestEnv::with_settings("name: hello\naddons: {ingress-nginx: false}\n");
    let out = env.sandbox(&["up", "--dry-run", "--json"]);
    let lines = out.json_lines();
    assert_eq!(lines.len(), 1, "{out}");
    assert_eq!(lines[0]["event"], "outcome");
    let steps = lines[0]["outcome"]["steps"].as_array().unwrap();
    let ids: Vec<_> = steps.iter().map(|step| step["id"].as_str().unwrap()).collect();
    assert_eq!(
        ids,
        ["network", "cluster", "api", "nodes", "load addons", "cert-manager", "metrics-server"]
    );
    assert_eq!(out.stderr, "");
    env.assert_untouched();
}
