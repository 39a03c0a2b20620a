//! Killed at any moment, run again, and it ends right.

use std::time::{Duration, Instant};

use crate::support::{Sandbox, docker, edit};

const CRASH: &str = "SANDBOX_TEST_CRASH";

/// Steps of `up` on the example, in the order in which they begin.
const STEPS: [&str; 14] = [
    "network",
    "build hello:dev",
    "cluster",
    "api",
    "load addons",
    "ingress-nginx",
    "cert-manager",
    "metrics-server",
    "app-config",
    "nodes",
    "load hello:dev",
    "install",
    "app",
    "routes",
];

fn killed(sandbox: &Sandbox, args: &[&str], point: &str) {
    let run = sandbox.run_with(args, CRASH, point);
    // No exit code: ended by a signal. A step that was not part of the plan ends well.
    assert!(run.code.is_none() || run.code == Some(0), "{point}: {run:?}");
}

#[test]
#[ignore = "needs docker and kind"]
fn killed_early_up_starts_over_and_killed_late_it_goes_on() {
    let sandbox = Sandbox::of_example("crash", "hello");
    killed(&sandbox, &["up"], "after:network");
    sandbox.run(&["up", "--dry-run"]).code(0);
    killed(&sandbox, &["up"], "after:api");
    let again = sandbox.run(&["up", "--dry-run"]).code(0);
    assert!(again.stdout.contains("an earlier `up` did not finish"), "{}", again.stdout);
    killed(&sandbox, &["up"], "after:routes");
    let plan = sandbox.run(&["up", "--dry-run"]).code(0);
    assert!(plan.stdout.contains("keep  cluster"), "{}", plan.stdout);
    edit(&sandbox.dir.join("values-local.yaml"), "Hello from", "Greetings from");
    killed(&sandbox, &["up"], "after:install");
    edit(&sandbox.dir.join("values-local.yaml"), "Greetings from", "Hello from");
    killed(&sandbox, &["up"], "before:install");
    sandbox.run(&["up"]).code(0);
    sandbox.run(&["test"]).code(0);
    // The same for `down`: what is left is ours, and the next `down` finishes.
    killed(&sandbox, &["down"], "after:nodes");
    sandbox.down();
}

#[test]
#[ignore = "needs docker and kind; an hour"]
fn long_killed_at_every_step_up_and_down_end_right() {
    for step in STEPS {
        for point in [format!("before:{step}"), format!("after:{step}")] {
            let sandbox = Sandbox::of_example("every", "hello");
            killed(&sandbox, &["up"], &point);
            sandbox.run(&["up"]).code(0);
            sandbox.run(&["test"]).code(0);
            sandbox.down();
            killed(&sandbox, &["up"], &point);
            sandbox.down();
        }
    }
}

#[test]
#[ignore = "needs docker and kind"]
fn an_ephemeral_test_leaves_nothing_even_when_interrupted() {
    let sandbox = Sandbox::of_example("eph", "hello");
    let nodes = || {
        let all = docker(&["ps", "-a", "--format", "{{.Names}}"]);
        all.lines().filter(|name| name.contains(&sandbox.name)).count()
    };
    let child = sandbox.start(&["test", "--ephemeral"]);
    let since = Instant::now();
    while nodes() == 0 {
        assert!(since.elapsed() < Duration::from_secs(120), "no node appeared");
        std::thread::sleep(Duration::from_millis(100));
    }
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    let talk = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{talk}");
    assert_eq!(nodes(), 0, "{talk}");

    let test = sandbox.run(&["test", "--ephemeral"]).code(0);
    assert!(test.stdout.ends_with("\n10 passed, 0 failed\n"), "{}", test.stdout);
    assert_eq!(nodes(), 0);
    sandbox.assert_gone();
}

/// A chart whose installation takes as long as its hook's Job, which waits for a file.
const SLOW_CHART: [(&str, &str); 3] = [
    ("chart/Chart.yaml", "apiVersion: v2\nname: slow\nversion: 0.1.0\n"),
    (
        "chart/templates/hook.yaml",
        "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: hook\n  annotations: \
         {helm.sh/hook: 'pre-install,pre-upgrade', helm.sh/hook-delete-policy: \
         'before-hook-creation,hook-succeeded'}\nspec:\n  template:\n    spec:\n      \
         restartPolicy: Never\n      terminationGracePeriodSeconds: 0\n      containers: [{name: h, \
         image: 'debian:trixie-slim', command: [sleep, '{{ .Values.seconds }}']}]\n",
    ),
    (
        "sandbox.yaml",
        "name: slow\nimages: [{ref: 'debian:trixie-slim'}]\n\
         app: {chart: {path: chart, values: [values.yaml]}}\n",
    ),
];

#[test]
#[ignore = "needs docker and kind"]
fn killed_inside_helm_the_release_is_recovered_and_its_orphan_ended() {
    let sandbox = Sandbox::bare("slow");
    std::fs::create_dir_all(sandbox.dir.join("chart/templates")).unwrap();
    for (path, text) in SLOW_CHART {
        std::fs::write(sandbox.dir.join(path), text).unwrap();
    }
    let seconds = |seconds: u32| {
        std::fs::write(sandbox.dir.join("values.yaml"), format!("seconds: {seconds}\n")).unwrap();
    };
    seconds(1);
    std::fs::write(sandbox.dir.join("empty.yaml"), "name: slow\n").unwrap();
    sandbox.run(&["up", "--config", "empty.yaml"]).code(0);
    for status in ["pending-install", "pending-upgrade"] {
        seconds(600);
        let mut child = sandbox.start(&["up"]);
        let since = Instant::now();
        let pending = format!("owner=helm,status={status}");
        let releases = ["-n", "slow", "get", "secrets", "-o", "name", "-l", &pending];
        while sandbox.kubectl(&releases).trim().is_empty() {
            assert!(since.elapsed() < Duration::from_secs(60), "no release is {status}");
            std::thread::sleep(Duration::from_millis(200));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        seconds(1);
        sandbox.run(&["up"]).code(0).says("was cut off");
        let deployed = "owner=helm,status=deployed";
        let releases = ["-n", "slow", "get", "secrets", "-o", "name", "-l", deployed];
        assert!(!sandbox.kubectl(&releases).trim().is_empty());
    }
    sandbox.down();
}
