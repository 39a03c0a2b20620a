//! Addons: what the page about them says, an app that uses them all, and what goes wrong.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::{Sandbox, docker, edit};

/// What can be scaled away, and the checks that must notice.
const SERVICES: [(&str, &str, &[&str]); 7] = [
    ("ingress-nginx", "deployment/ingress-nginx-controller", &["ingress-nginx: answers"]),
    (
        "cert-manager",
        "deployment/cert-manager",
        &["cert-manager: letsencrypt-prod issues a certificate"],
    ),
    ("kube-system", "deployment/metrics-server", &["metrics-server: every node has metrics"]),
    (
        "sandbox-system",
        "statefulset/redis",
        &["redis: answers from this machine", "redis: answers from a pod"],
    ),
    (
        "sandbox-system",
        "statefulset/postgres",
        &["postgres: answers from this machine", "postgres: answers from a pod"],
    ),
    (
        "sandbox-system",
        "statefulset/s3",
        &["s3: keeps an object from this machine", "s3: keeps an object from a pod"],
    ),
    (
        "sandbox-system",
        "deployment/telemetry",
        &["telemetry: a span arrives from this machine", "telemetry: a span arrives from a pod"],
    ),
];

#[test]
#[ignore = "needs docker and kind"]
fn an_app_uses_all_of_them_and_each_check_goes_red_without_its_service() {
    let sandbox = Sandbox::of_example("addons", "services");
    sandbox.run(&["up"]).code(0);
    sandbox.run(&["test"]).code(0);
    let second = sandbox.run(&["up"]).code(0);
    assert!(second.stdout.starts_with("nothing to do"), "{}", second.stdout);
    let orders = count_orders(&sandbox);
    assert!(orders > 0, "a check made an order");

    scale_everything_away(&sandbox);
    let names: Vec<&str> =
        SERVICES.iter().flat_map(|(.., checks)| checks.iter().copied()).collect();
    let only: Vec<&str> = names.iter().flat_map(|name| ["--only", name]).collect();
    let red = sandbox.run(&[&["test"], only.as_slice()].concat()).code(7);
    for name in names {
        assert!(red.stdout.contains(&format!("FAIL  {name} (")), "{name}: {}", red.stdout);
    }
    // `up` puts right what somebody changed by hand, and no data is gone.
    sandbox.run(&["up"]).code(0);
    sandbox.run(&["test"]).code(0);
    assert!(count_orders(&sandbox) > orders);

    docker(&["restart", &format!("sandbox-{}-control-plane", sandbox.name)]);
    sandbox.run(&["up"]).code(0);
    sandbox.run(&["test"]).code(0);
    assert!(count_orders(&sandbox) > orders, "Postgres lost its data with its node");
    sandbox.down();
}

fn scale_everything_away(sandbox: &Sandbox) {
    for (namespace, workload, _) in SERVICES {
        sandbox.kubectl(&["-n", namespace, "scale", workload, "--replicas=0"]);
    }
    let end = Instant::now() + Duration::from_secs(60);
    for (namespace, workload, _) in SERVICES {
        let name = workload.split('/').next_back().unwrap();
        let pods = || {
            let all = sandbox.kubectl(&["-n", namespace, "get", "pods", "-o", "name"]);
            // Of a Deployment `name-hash-hash`, of a StatefulSet `name-0`.
            let hashed = |rest: &str| !rest.contains("webhook") && !rest.contains("cainjector");
            all.lines().any(|pod| pod.strip_prefix(&format!("pod/{name}-")).is_some_and(hashed))
        };
        while pods() {
            assert!(Instant::now() < end, "{workload} still has pods");
            std::thread::sleep(Duration::from_millis(250));
        }
    }
}

fn count_orders(sandbox: &Sandbox) -> u32 {
    let script = "psql \"$(sandbox env postgres.url)\" -Atc 'select count(*) from orders'";
    shell(sandbox, script).trim().parse().unwrap()
}

/// Runs a line of the documentation as a reader would type it; standard output and error.
#[track_caller]
fn shell(sandbox: &Sandbox, line: &str) -> String {
    let script = format!("set -euo pipefail\neval \"$(sandbox env)\"\n{line}");
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_sandbox")).parent().unwrap();
    #[expect(clippy::disallowed_methods, reason = "the program goes first on a reader's PATH")]
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("bash");
    let output = sandbox.dress(&mut command).args(["-c", &script]).env("PATH", path);
    let output = output.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{line}\n{}", text(&output.stderr));
    text(&output.stdout)
}

const PAGE: &str = include_str!("../../docs/addons.md");

#[test]
#[ignore = "needs docker and kind"]
fn the_page_about_them_is_true_and_a_kill_amid_each_is_survived() {
    let sandbox = Sandbox::bare("page");
    let settings = PAGE.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let file = sandbox.dir.join("sandbox.yaml");
    std::fs::write(&file, settings).unwrap();
    sandbox.run(&["up"]).code(0);
    for block in PAGE.split("```console\n").skip(1) {
        for command in block.split("```").next().unwrap().split("$ ").filter(|c| !c.is_empty()) {
            let (line, told) = command.split_once('\n').unwrap();
            eprintln!("   $ {line}");
            let came = shell(&sandbox, line).replace(&sandbox.name, "shop");
            assert_eq!(shape(&came), shape(told), "{line}\n{came}");
        }
    }
    // Each gets another option, so that it is installed again.
    let told = |key: &str| sandbox.run(&["env", key]).code(0).stdout;
    let password = told("postgres.password");
    edit(&file, "maxmemory: 64mb", "maxmemory: 65mb");
    edit(&file, "- reports", "- reports\n      - more");
    edit(&file, "addons:\n", "addons:\n  cert-manager: {issuers: [corp]}\n");
    edit(&file, "addons:\n", "addons:\n  ingress-nginx: {config: {server-tokens: \"false\"}}\n");
    for addon in ["ingress-nginx", "cert-manager", "redis", "postgres", "s3", "telemetry", "crds"] {
        // Only now, as those killed before may be ready by themselves until then.
        match addon {
            "s3" => edit(&file, "name: exports", "name: exports2"),
            "telemetry" => edit(&file, "telemetry: true", "telemetry: {max-age: 1h}"),
            "crds" => {
                edit(&file, "[monitoring.coreos.com]", "[dapr.io, secrets-store.csi.x-k8s.io]");
            }
            _ => {}
        }
        let killed = sandbox.run_with(&["up"], "SANDBOX_TEST_CRASH", &format!("amid:{addon}"));
        assert_eq!(killed.code, None, "{addon}: {}", killed.stderr);
    }
    sandbox.run(&["up"]).code(0);
    sandbox.run(&["test"]).code(0);
    assert_eq!(told("postgres.password"), password, "passwords stay what they were");
    assert_eq!(shell(&sandbox, "psql \"$(sandbox env postgres.more.url)\" -Atc 'select 1'"), "1\n");
    sandbox.kubectl(&["get", "clusterissuer", "corp"]);
    sandbox.kubectl(&["get", "secretproviderclasses.secrets-store.csi.x-k8s.io"]);
    an_addon_that_is_turned_off_goes(&sandbox);
    sandbox.down();
}

fn an_addon_that_is_turned_off_goes(sandbox: &Sandbox) {
    let file = sandbox.dir.join("sandbox.yaml");
    std::fs::write(&file, "addons: {cert-manager: false, redis: false, s3: false}\n").unwrap();
    sandbox.run(&["up"]).code(0);
    let left = sandbox.kubectl(&["get", "all,secrets", "-A", "-l", "dev.sandbox/addon=redis"]);
    assert_eq!(left, "");
    let dns = ["-n", "kube-system", "get", "configmap", "coredns", "-o", "yaml"];
    assert!(!sandbox.kubectl(&dns).contains("s3.localhost"), "its name stayed behind");
    let webhooks = "validatingwebhookconfigurations,mutatingwebhookconfigurations";
    assert_eq!(sandbox.kubectl(&["get", webhooks, "-o", "name"]), "");
}

/// A text without what differs from run to run: numbers are `0`, blanks one blank.
fn shape(text: &str) -> Vec<String> {
    let numbers = without_numbers(text);
    numbers.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

fn without_numbers(text: &str) -> String {
    let mut shaped = String::new();
    for c in text.chars() {
        match c {
            '0'..='9' if shaped.ends_with('0') => {}
            '0'..='9' => shaped.push('0'),
            other => shaped.push(other),
        }
    }
    shaped
}
