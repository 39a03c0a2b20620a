//! Apps that never become ready: the cause is told in seconds, with the pod's last words.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::support::{Sandbox, get};

/// Far below the app's time-out of five minutes, far above what it takes.
const SOON: Duration = Duration::from_secs(60);

const CHART: &str = "apiVersion: v2\nname: faulty\nversion: 0.1.0\n";

const DEPLOYMENT: &str = r"
apiVersion: apps/v1
kind: Deployment
metadata: {name: faulty}
spec:
  selector: {matchLabels: {app: faulty}}
  template:
    metadata: {labels: {app: faulty}}
    spec:
      terminationGracePeriodSeconds: 0
      {{- with .Values.nodeSelector }}
      nodeSelector: {{ toJson . }}
      {{- end }}
      containers:
        - name: main
          image: {{ .Values.image | quote }}
          command: {{ toJson .Values.command }}
          {{- with .Values.envFrom }}
          envFrom: {{ toJson . }}
          {{- end }}
          {{- with .Values.readinessProbe }}
          readinessProbe: {{ toJson . }}
          {{- end }}
";

/// Each failure: its name, the values that cause it, and what must be told.
const FAILURES: [(&str, &str, &[&str]); 5] = [
    (
        "crash",
        r#"command: [sh, -c, "echo cannot find the database >&2; exit 3"]"#,
        &["3", "cannot find the database"],
    ),
    ("image", "image: registry.invalid/nothing:1", &["registry.invalid/nothing:1"]),
    ("scheduling", "nodeSelector: {pool: gpu}", &["node affinity/selector"]),
    ("config", "envFrom: [{secretRef: {name: not-there}}]", &["not-there"]),
    (
        "probe",
        "readinessProbe: {exec: {command: [cat, /not-ready]}, periodSeconds: 1}",
        &["/not-ready"],
    ),
];

fn write(sandbox: &Sandbox, values: &str) {
    let mut text = "image: debian:trixie-slim\ncommand: [sleep, infinity]\n".to_owned();
    for line in values.lines() {
        let key = line.split(':').next().unwrap();
        let kept: Vec<_> = text.lines().filter(|l| !l.starts_with(&format!("{key}:"))).collect();
        text = kept.join("\n");
        let _ = write!(text, "\n{line}\n");
    }
    std::fs::write(sandbox.dir.join("values.yaml"), text).unwrap();
}

#[test]
#[ignore = "needs docker and kind"]
fn each_way_to_fail_is_told_in_seconds_with_its_cause() {
    let sandbox = Sandbox::bare("faulty");
    let chart = sandbox.dir.join("chart/templates");
    std::fs::create_dir_all(&chart).unwrap();
    std::fs::write(sandbox.dir.join("chart/Chart.yaml"), CHART).unwrap();
    std::fs::write(chart.join("deployment.yaml"), DEPLOYMENT).unwrap();
    let settings = "images: [{ref: 'debian:trixie-slim'}]\n\
                    app: {chart: {path: chart, release: faulty, values: [values.yaml]}, \
                    unready-after: 5s}\n";
    std::fs::write(sandbox.dir.join("sandbox.yaml"), settings).unwrap();
    write(&sandbox, "");
    sandbox.run(&["up"]).code(0);
    for (name, values, told) in FAILURES {
        write(&sandbox, values);
        let since = Instant::now();
        let mut up = sandbox.run(&["up"]).code(6);
        let took = since.elapsed();
        eprintln!("   {name}: told after {:.1}s", took.as_secs_f64());
        assert!(took < SOON, "{name} took {took:?}");
        for text in told {
            up = up.says(text);
        }
    }
    write(&sandbox, "");
    sandbox.run(&["up"]).code(0);
    sandbox.down();
}

#[test]
#[ignore = "needs docker and kind"]
fn the_ingress_controller_takes_the_settings_it_is_given() {
    let sandbox = Sandbox::of_example("ingress", "hello");
    let file = sandbox.dir.join("sandbox.yaml");
    let mut text = std::fs::read_to_string(&file).unwrap();
    text.push_str("\naddons:\n  ingress-nginx:\n    config: {server-tokens: \"true\"}\n");
    std::fs::write(&file, text).unwrap();
    sandbox.run(&["up"]).code(0);
    let port = sandbox.http_port();
    let answer = get(port, "hello.localhost");
    assert!(answer.starts_with("Hello"), "{answer}");
    let conf = sandbox.kubectl(&[
        "-n",
        "ingress-nginx",
        "exec",
        "deploy/ingress-nginx-controller",
        "--",
        "grep",
        "server_tokens",
        "/etc/nginx/nginx.conf",
    ]);
    assert!(conf.contains("server_tokens on"), "{conf}");
    sandbox.down();
}
