//! The profiles of the clouds: nodes, zones, storage classes, and an app that uses them.

use crate::support::Sandbox;

#[test]
#[ignore = "needs docker and kind"]
fn on_eks_an_app_spreads_over_three_zones_and_a_pod_moves_with_its_volume() {
    let sandbox = Sandbox::of_example("eks", "services");
    let config = ["--config", "sandbox-eks.yaml"];
    let run = |args: &[&str]| sandbox.run(&[&config, args].concat());
    run(&["up"]).code(0);
    let zones = sandbox.kubectl(&[
        "get",
        "nodes",
        "-l",
        "eks.amazonaws.com/nodegroup=workers",
        "-o",
        "jsonpath={range .items[*]}{.metadata.labels.topology\\.kubernetes\\.io/zone}{\"\\n\"}{end}",
    ]);
    let mut zones: Vec<_> = zones.lines().collect();
    zones.sort_unstable();
    assert_eq!(zones, ["us-east-1a", "us-east-1b", "us-east-1c"]);
    run(&["test"]).code(0);
    let nodes = pods(&sandbox, "app.kubernetes.io/name=orders");
    // The control plane of an EKS cluster takes no pods.
    assert!(!nodes.is_empty() && !nodes.contains("control-plane"), "{nodes}");
    a_pod_moves_with_its_volume(&sandbox);
    let second = run(&["up"]).code(0);
    assert!(second.stdout.starts_with("nothing to do"), "{}", second.stdout);
    a_claim_without_a_class_gets_none(&sandbox);
    sandbox.down();
}

/// The nodes of the app's pods with that label.
fn pods(sandbox: &Sandbox, label: &str) -> String {
    let columns = "jsonpath={range .items[*]}{.spec.nodeName}{\"\\n\"}{end}";
    sandbox.kubectl(&["-n", "orders", "get", "pods", "-l", label, "-o", columns])
}

fn a_pod_moves_with_its_volume(sandbox: &Sandbox) {
    let files = "app.kubernetes.io/component=files";
    let before = pods(sandbox, files);
    sandbox.kubectl(&["cordon", before.trim()]);
    sandbox.kubectl(&["-n", "orders", "delete", "pod", "-l", files]);
    let ready = ["-n", "orders", "rollout", "status", "deployment/orders-files", "--timeout=60s"];
    sandbox.kubectl(&ready);
    assert_ne!(pods(sandbox, files), before);
    let read = ["-n", "orders", "exec", "deploy/orders-files", "--", "cat", "/data/smoke.txt"];
    assert_eq!(sandbox.kubectl(&read), "still here");
    sandbox.kubectl(&["uncordon", before.trim()]);
}

/// EKS has no default class since 1.30.
fn a_claim_without_a_class_gets_none(sandbox: &Sandbox) {
    claim(sandbox, "classless");
    // The API server would have filled in a default one when it took the claim.
    let class = "jsonpath={.spec.storageClassName}";
    assert_eq!(sandbox.kubectl(&["get", "pvc", "classless", "-o", class]), "");
}

/// Makes a claim that names no class.
fn claim(sandbox: &Sandbox, name: &str) {
    let text = format!(
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{name: {name}}}\nspec: \
         {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Gi}}}}}}\n"
    );
    let file = sandbox.dir.join("claim.yaml");
    std::fs::write(&file, text).unwrap();
    sandbox.kubectl(&["apply", "-f", file.to_str().unwrap()]);
}

#[test]
#[ignore = "needs docker and kind"]
fn on_doks_the_app_gets_the_default_class_and_volumes_are_made_before_any_pod() {
    let sandbox = Sandbox::of_example("doks", "services");
    let run = |args: &[&str]| sandbox.run(&[&["--profile", "doks"], args].concat());
    run(&["up"]).code(0);
    run(&["test"]).code(0);
    let class = "jsonpath={.items[*].spec.storageClassName}";
    assert_eq!(sandbox.kubectl(&["-n", "orders", "get", "pvc", "-o", class]), "do-block-storage");
    claim(&sandbox, "data");
    sandbox.kubectl(&["wait", "--for=jsonpath={.status.phase}=Bound", "pvc/data", "--timeout=60s"]);
    let zones = ["get", "nodes", "-l", "topology.kubernetes.io/zone", "-o", "name"];
    assert_eq!(sandbox.kubectl(&zones), "", "a region of DigitalOcean has no zones");
    sandbox.down();
}

#[test]
#[ignore = "needs docker and kind"]
fn another_profile_replaces_the_cluster_only_when_asked_and_brings_the_app_along() {
    let sandbox = Sandbox::of_example("k3s", "hello");
    sandbox.run(&["up"]).code(0);
    let k3s = ["--profile", "k3s-ec2"];
    sandbox.run(&[&k3s[..], &["up"]].concat()).code(5).says("sandbox up --recreate");
    sandbox.run(&[&k3s[..], &["up", "--recreate"]].concat()).code(0);
    sandbox.run(&[&k3s[..], &["test"]].concat()).code(0);
    let default = "jsonpath={.items[?(@.metadata.annotations.storageclass\\.kubernetes\\.io/\
                   is-default-class==\"true\")].metadata.name}";
    assert_eq!(sandbox.kubectl(&["get", "storageclasses", "-o", default]), "local-path");
    sandbox.down();
}
