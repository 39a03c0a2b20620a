//! The profile `eks`: nodes, zones and an app that spreads over them.

use crate::support::{Sandbox, edit};

#[test]
#[ignore = "needs docker and kind"]
fn three_zones_with_one_node_each_and_an_app_spread_over_them() {
    let sandbox = Sandbox::of_example("eks", "hello");
    edit(&sandbox.dir.join("sandbox.yaml"), "profile: minimal", "profile: eks");
    sandbox.run(&["up"]).code(0);
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
    sandbox.run(&["test"]).code(0);
    // The control plane of an EKS cluster takes no pods.
    let nodes = sandbox.kubectl(&[
        "-n",
        "hello",
        "get",
        "pods",
        "-o",
        "jsonpath={range .items[*]}{.spec.nodeName}{\"\\n\"}{end}",
    ]);
    assert!(!nodes.is_empty() && !nodes.contains("control-plane"), "{nodes}");
    let second = sandbox.run(&["up"]).code(0);
    assert!(second.stdout.starts_with("nothing to do"), "{}", second.stdout);
    sandbox.down();
}
