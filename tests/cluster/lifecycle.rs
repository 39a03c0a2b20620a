//! The whole life of a sandbox with an app: what the README promises, in order.

use crate::support::{Sandbox, docker, edit, get, volumes};

#[test]
#[ignore = "needs docker and kind"]
fn an_app_comes_up_is_tested_changed_reloaded_and_goes() {
    let volumes_before = volumes();
    let sandbox = Sandbox::of_example("life", "hello");
    let up = sandbox.run(&["up"]).code(0);
    assert!(up.stdout.contains("is up"), "{}", up.stdout);
    let port = sandbox.http_port();
    assert!(get(port, "hello.localhost").starts_with("Hello from the sandbox"));
    assert!(sandbox.kubectl(&["get", "nodes"]).contains("Ready"));
    only_loopback(&sandbox);
    the_kubeconfig_is_private(&sandbox);

    a_second_up_writes_nothing(&sandbox);
    checks_pass(&sandbox);
    a_changed_source_is_served_and_only_its_layer_travels(&sandbox, port);
    a_wrong_tag_fails_soon_and_says_why(&sandbox);
    a_failing_check_has_its_code_and_evidence(&sandbox);
    a_stopped_node_is_started_again(&sandbox);

    sandbox.down();
    assert_eq!(volumes(), volumes_before, "volumes were left behind");
}

fn only_loopback(sandbox: &Sandbox) {
    let node = format!("sandbox-{}-control-plane", sandbox.name);
    let ports = docker(&["port", &node]);
    assert!(!ports.is_empty());
    for line in ports.lines() {
        assert!(line.contains("-> 127.0.0.1:"), "{line}");
    }
}

fn the_kubeconfig_is_private(sandbox: &Sandbox) {
    use std::os::unix::fs::PermissionsExt;
    let path = sandbox.run(&["kubeconfig"]).code(0).stdout;
    let mode = std::fs::metadata(path.trim()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// Every object of what the sandbox and the app made, with its resource version: any write would
/// change one.
fn versions(sandbox: &Sandbox) -> String {
    let columns = "custom-columns=K:.kind,N:.metadata.namespace,M:.metadata.name,\
                   V:.metadata.resourceVersion";
    let kinds = "deployments,services,ingresses,configmaps,secrets,serviceaccounts,pods,roles,\
                 rolebindings,clusterroles,clusterrolebindings,ingressclasses,namespaces,nodes";
    let all = sandbox.kubectl(&["get", kinds, "-A", "-o", columns, "--no-headers"]);
    // A node's own heartbeat changes it now and then.
    let ours = all.lines().filter(|line| !line.starts_with("Node "));
    ours.collect::<Vec<_>>().join("\n")
}

fn a_second_up_writes_nothing(sandbox: &Sandbox) {
    let before = versions(sandbox);
    let second = sandbox.run(&["up"]).code(0);
    assert!(second.stdout.starts_with("nothing to do"), "{}", second.stdout);
    assert_eq!(versions(sandbox), before);
    assert!(before.contains("hello") && before.contains("ingress-nginx-controller"), "{before}");
}

fn checks_pass(sandbox: &Sandbox) {
    let report = sandbox.dir.join("report.xml");
    let test = sandbox.run(&["test", "--junit", report.to_str().unwrap()]).code(0);
    assert!(test.stdout.ends_with("\n10 passed, 0 failed\n"), "{}", test.stdout);
    let report = std::fs::read_to_string(report).unwrap();
    assert!(report.contains("tests=\"10\"") && report.contains("failures=\"0\""), "{report}");
    let one = sandbox.run(&["test", "--only", "both replicas answer"]).code(0);
    assert!(one.stdout.ends_with("1 passed, 0 failed\n"), "{}", one.stdout);
}

fn a_changed_source_is_served_and_only_its_layer_travels(sandbox: &Sandbox, port: u16) {
    let source = sandbox.dir.join("app/server.py");
    edit(&source, ", from {", ", now from {");
    let load = sandbox.run(&["load"]).code(0);
    let sent = load.stderr.lines().find(|line| line.contains("✓ load hello:dev")).unwrap();
    let (_, rest) = sent.split_once("sent ").unwrap();
    assert!(rest.contains(" kB to 1 node(s)"), "more than one small layer was sent: {sent}");
    let answer = get(port, "hello.localhost");
    assert!(answer.starts_with("Hello from the sandbox, now from"), "{answer}");
    let again = sandbox.run(&["load"]).code(0);
    assert_eq!(again.stdout, "nothing to do\n");
    edit(&source, ", now from {", ", from {");
    sandbox.run(&["load"]).code(0);
}

fn a_wrong_tag_fails_soon_and_says_why(sandbox: &Sandbox) {
    let values = sandbox.dir.join("values-local.yaml");
    edit(&values, "tag: dev", "tag: nope");
    sandbox.run(&["up"]).code(6).says("image `hello:nope` cannot be pulled").says("evidence is in");
    edit(&values, "tag: nope", "tag: dev");
    sandbox.run(&["up"]).code(0);
}

fn a_failing_check_has_its_code_and_evidence(sandbox: &Sandbox) {
    let file = sandbox.dir.join("sandbox.yaml");
    edit(&file, "json: {status: ok}", "json: {status: better}");
    let before = folders(sandbox);
    let test = sandbox.run(&["test"]).code(7);
    assert!(test.stdout.contains("FAIL  the service is healthy"), "{}", test.stdout);
    assert!(test.stdout.contains("9 passed, 1 failed"), "{}", test.stdout);
    let new: Vec<_> = folders(sandbox).into_iter().filter(|f| !before.contains(f)).collect();
    let evidence = std::fs::read_to_string(new[0].join("checks.json")).unwrap();
    assert!(evidence.contains("/healthz") && evidence.contains("ok"), "{evidence}");
    assert!(new[0].join("pods.txt").is_file() && new[0].join("events.txt").is_file());
    edit(&file, "json: {status: better}", "json: {status: ok}");
}

fn folders(sandbox: &Sandbox) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(sandbox.dir.join(".sandbox/diagnostics"));
    entries.map(|list| list.flatten().map(|entry| entry.path()).collect()).unwrap_or_default()
}

fn a_stopped_node_is_started_again(sandbox: &Sandbox) {
    let node = format!("sandbox-{}-control-plane", sandbox.name);
    docker(&["stop", &node]);
    let status = sandbox.run(&["status"]).code(0);
    assert!(status.stdout.contains("0 of 1 node(s) run"), "{}", status.stdout);
    sandbox.run(&["up"]).code(0).says("start 1 stopped node");
    sandbox.run(&["test"]).code(0);
}
