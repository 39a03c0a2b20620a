//! Two sandboxes at the same time, and things that only look like ours.

use crate::support::{Sandbox, docker};

#[test]
#[ignore = "needs docker and kind"]
fn two_sandboxes_run_at_the_same_time_on_different_ports() {
    let one = Sandbox::bare("one");
    let two = Sandbox::bare("two");
    let first = one.start(&["up"]);
    let second = two.start(&["up"]);
    for run in [first, second] {
        let output = run.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let ports = [one.http_port(), two.http_port()];
    assert_ne!(ports[0], ports[1]);
    one.down();
    let status = two.run(&["status"]).code(0);
    assert!(status.stdout.contains("ingress-nginx  ready"), "{}", status.stdout);
    two.down();
}

#[test]
#[ignore = "needs docker"]
fn a_foreign_cluster_of_our_name_is_left_alone() {
    let sandbox = Sandbox::bare("foreign");
    let cluster = format!("sandbox-{}", sandbox.name);
    let label = format!("io.x-k8s.kind.cluster={cluster}");
    let node = format!("{cluster}-control-plane");
    let run = ["run", "-d", "--name", &node, "--label", &label, "--entrypoint", "sleep"];
    docker(&[&run[..], &["debian:trixie-slim", "600"]].concat());
    let before = docker(&["inspect", "--format", "{{.Id}} {{.State.StartedAt}}", &node]);
    let up = sandbox.run(&["up"]);
    let down = sandbox.run(&["down"]);
    let after = docker(&["inspect", "--format", "{{.Id}} {{.State.StartedAt}}", &node]);
    docker(&["rm", "-f", &node]);
    up.code(8).says("is not provably ours");
    down.code(8).says("is not provably ours");
    assert_eq!(after, before);
}
