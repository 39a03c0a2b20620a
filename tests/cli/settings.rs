//! `sandbox.yaml`, environment and flags: what is wrong is told before anything is asked of
//! Docker.

use crate::support::TestEnv;
use crate::support::output::Output;

/// Runs `up` with this file and asserts that not even Docker was asked.
fn up(file: &str) -> Output {
    let env = TestEnv::with_settings(file);
    let out = env.sandbox(&["up"]);
    env.assert_untouched();
    assert_eq!(env.engine.calls(), Vec::<String>::new());
    out
}

#[test]
fn an_unknown_key_has_a_position_and_a_suggestion() {
    insta::assert_snapshot!(up("name: hello\nprofil: eks\n"), @"
    --- stderr
    error: $DIR/work/sandbox.yaml:2:1: there is no key `profil` here
    hint: did you mean `profile`?
    --- exit code 3
    ");
}

#[test]
fn an_unknown_key_without_a_near_one_lists_those_there_are() {
    insta::assert_snapshot!(up("name: hello\nports:\n  grpc: 1\n"), @"
    --- stderr
    error: $DIR/work/sandbox.yaml:3:3: there is no key `grpc` here
    hint: the keys here are: http, https
    --- exit code 3
    ");
}

#[test]
fn a_wrong_type_has_a_position() {
    insta::assert_snapshot!(up("name: hello\nports:\n  http: eighty\n"), @"
    --- stderr
    error: $DIR/work/sandbox.yaml:3:9: this is no whole number from 0 to 65535
    --- exit code 3
    ");
}

#[test]
fn a_port_out_of_range_has_a_position() {
    insta::assert_snapshot!(up("ports: {http: 80800}\n"), @"
    --- stderr
    error: $DIR/work/sandbox.yaml:1:15: this is no whole number from 0 to 65535
    --- exit code 3
    ");
}

#[test]
fn port_zero_is_no_port() {
    insta::assert_snapshot!(up("ports: {http: 0}\n"), @"
    --- stderr
    error: $DIR/work/sandbox.yaml: ports.http: 0 is no port; leave it out for any free one
    --- exit code 3
    ");
}

#[test]
fn a_map_where_a_list_belongs_has_a_position() {
    insta::assert_snapshot!(up("images:\n  hello: {}\n"), @"
    --- stderr
    error: $DIR/work/sandbox.yaml:2:3: a list (lines that begin with `- `, or `[…]`) is expected here
    --- exit code 3
    ");
}

#[test]
fn a_missing_key_is_named() {
    insta::assert_snapshot!(up("images:\n  - build: {}\n"), @"
    --- stderr
    error: $DIR/work/sandbox.yaml:2:5: the key `ref` is missing
    --- exit code 3
    ");
}

#[test]
fn a_key_given_twice_has_a_position() {
    insta::assert_snapshot!(up("name: a\nprofile: eks\nname: b\n"), @"
    --- stderr
    error: $DIR/work/sandbox.yaml:3:1: the key `name` is given twice
    --- exit code 3
    ");
}

#[test]
fn broken_yaml_has_a_position() {
    insta::assert_snapshot!(up("name: [x\nprofile: eks\n"), @"
    --- stderr
    error: $DIR/work/sandbox.yaml:1:7: text is expected here
    --- exit code 3
    ");
}

#[test]
fn a_tab_has_a_position() {
    insta::assert_snapshot!(up("ports:\n\thttp: 80\n"), @"
    --- stderr
    error: $DIR/work/sandbox.yaml:2:2: tabs disallowed within this context (block indentation)
    --- exit code 3
    ");
}

#[test]
fn a_file_that_is_a_list_is_refused() {
    insta::assert_snapshot!(up("- name: x\n"), @"
    --- stderr
    error: $DIR/work/sandbox.yaml:1:1: a map (lines of `key: value`) is expected here
    --- exit code 3
    ");
}

#[test]
fn a_duration_without_a_unit_has_a_position() {
    insta::assert_snapshot!(up("app:\n  timeout: soon\n  chart: {path: chart}\n"), @r#"
    --- stderr
    error: $DIR/work/sandbox.yaml:2:12: failed to parse input in the "friendly" duration format: expected duration to start with a unit value (a decimal integer) after an optional sign, but no integer was found
    --- exit code 3
    "#);
}

#[test]
fn a_missing_chart_is_named() {
    insta::assert_snapshot!(up("app:\n  chart:\n    path: chart\n    values: [local.yaml]\n"), @"
    --- stderr
    error: $DIR/work/sandbox.yaml: app.chart.path: there is no chart in `$DIR/work/chart` (no Chart.yaml)
    $DIR/work/sandbox.yaml: app.chart.values[0]: no file `$DIR/work/local.yaml`
    --- exit code 3
    ");
}

#[test]
fn a_missing_dockerfile_is_named() {
    let env = TestEnv::with_settings("images: [{ref: 'hello:dev', build: {context: app}}]\n");
    env.write("app/main.py", "");
    insta::assert_snapshot!(env.sandbox(&["up"]), @"
    --- stderr
    error: $DIR/work/sandbox.yaml: images[0].build.dockerfile: no file `$DIR/work/app/Dockerfile`
    --- exit code 3
    ");
    env.assert_untouched();
}

#[test]
fn an_invalid_name_in_the_file_is_told_with_the_rule() {
    insta::assert_snapshot!(up("name: My_App\n"), @"
    --- stderr
    error: $DIR/work/sandbox.yaml: `My_App` is no valid name: 1 to 40 lower-case letters, digits and `-`, not at the ends
    --- exit code 3
    ");
}

#[test]
fn an_invalid_name_on_the_command_line_is_wrong_usage() {
    let env = TestEnv::new();
    insta::assert_snapshot!(env.sandbox(&["up", "--name", "a/../b"]), @"
    --- stderr
    error: flag --name: `a/../b` is no valid name: 1 to 40 lower-case letters, digits and `-`, not at the ends
    --- exit code 2
    ");
    env.assert_untouched();
}

#[test]
fn an_unknown_profile_names_the_known_ones() {
    insta::assert_snapshot!(up("profile: gke\n"), @"
    --- stderr
    error: $DIR/work/sandbox.yaml: there is no profile `gke`; there are: doks, eks, k3s-ec2, minimal
    --- exit code 3
    ");
}

#[test]
fn an_unknown_kubernetes_version_says_what_there_is() {
    insta::assert_snapshot!(up("kubernetes: '1.29'\n"), @"
    --- stderr
    error: $DIR/work/sandbox.yaml: Kubernetes 1.29 is not in the catalogue; there is 1.34.3
    --- exit code 3
    ");
}

#[test]
fn an_unknown_image_source_in_the_environment_names_the_variable() {
    let env = TestEnv::new().var("SANDBOX_IMAGES", "internet");
    insta::assert_snapshot!(env.sandbox(&["up"]), @"
    --- stderr
    error: environment SANDBOX_IMAGES: `internet` is none of `auto`, `registry`, `packages`
    --- exit code 3
    ");
    env.assert_untouched();
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let env = TestEnv::new();
    insta::assert_snapshot!(env.sandbox(&["up", "--config", "other.yaml"]), @"
    --- stderr
    error: cannot read `other.yaml`
      caused by: No such file or directory (os error 2)
    --- exit code 3
    ");
    env.assert_untouched();
}

#[test]
fn all_problems_of_checks_are_told_at_once() {
    insta::assert_snapshot!(up("
checks:
  - name: a
    http: {url: 'http://x.localhost/', expect: {body: '['}}
  - name: b
    http: {url: 'ftp://x'}
  - name: b
    http: {url: 'http://x', times: 2, expect: {distinct-bodies: 3}}
  - name: c
    s3: {prefix: x/, at-least: 0}
  - name: d
    s3: {bucket: b, key: ''}
"), @"
    --- stderr
    error: $DIR/work/sandbox.yaml: checks[0].http.expect.body: `[`: unclosed character class
    $DIR/work/sandbox.yaml: checks[1].http.url: `ftp://x` is no http(s) URL
    $DIR/work/sandbox.yaml: checks[2].http.expect.distinct-bodies: 3 of 2 request(s) is impossible
    $DIR/work/sandbox.yaml: checks[2].name: `b` is used twice
    $DIR/work/sandbox.yaml: checks[3].s3.at-least: there are always 0 or more; give 1 or more, or `absent`
    $DIR/work/sandbox.yaml: checks[4].s3.key: it must not be empty
    --- exit code 3
    ");
}

#[test]
fn every_setting_is_shown_with_its_origin() {
    let env =
        TestEnv::with_settings("name: hello\nports: {http: 8000}\n").var("SANDBOX_PROFILE", "eks");
    let out = env.sandbox(&["status", "--settings", "--images", "packages"]);
    insta::assert_snapshot!(out, @"
    name           hello            $DIR/work/sandbox.yaml
    profile        eks              environment SANDBOX_PROFILE
    kubernetes     1.34.3           built in
    source         packages         flag --images
    ports.http     8000             $DIR/work/sandbox.yaml
    ports.https    first free       built in
    --- exit code 0
    ");
    env.assert_untouched();
    assert!(env.engine.calls().is_empty());
}

#[test]
fn a_flag_beats_the_environment_and_that_beats_the_file() {
    let env = TestEnv::with_settings("name: in-file\n").var("SANDBOX_NAME", "in-environment");
    let row = |args: &[&str]| {
        let out = env.sandbox(&[&["status", "--settings"], args].concat());
        out.stdout.lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(row(&[]), "name           in-environment   environment SANDBOX_NAME");
    assert_eq!(row(&["--name", "in-flag"]), "name           in-flag          flag --name");
}

#[test]
fn the_file_is_found_in_a_parent_folder_and_the_name_defaults_to_its_folder() {
    let env = TestEnv::with_settings("profile: eks\n");
    env.write("deep/er/nothing", "");
    let out = env.sandbox(&["status", "--settings", "--config", "../work"]);
    insta::assert_snapshot!(out, @"
    name           work             built in
    profile        eks              ../work/sandbox.yaml
    kubernetes     1.34.3           built in
    source         auto             built in
    ports.http     first free       built in
    ports.https    first free       built in
    --- exit code 0
    ");
}

#[test]
fn a_check_has_exactly_one_kind() {
    let file = "
name: hello
checks:
  - {name: none}
  - {name: two, redis: {}, postgres: {}}
  - {name: metrics, metrics: {}}
";
    insta::assert_snapshot!(up(file), @"
    --- stderr
    error: $DIR/work/sandbox.yaml: checks[0]: `none` has no kind; give one of http, redis, postgres, s3, telemetry, tls, hpa, resource, certificate, volume, metrics
    $DIR/work/sandbox.yaml: checks[1]: `two` has several kinds (redis, postgres); give exactly one
    --- exit code 3
    ");
}

#[test]
fn every_kind_of_check_has_its_rules() {
    let file = "
checks:
  - {name: a, redis: {command: [], url: 'http://redis'}}
  - {name: b, postgres: {database: shop, query: '', url: 'postgres://db/shop'}}
  - {name: c, tls: {host: 'https://a.localhost', port: 0}}
  - {name: d, hpa: {name: Web}}
  - {name: e, resource: {kind: deploy, name: web, absent: true, condition: Available}}
  - {name: f, resource: {kind: Deployment, name: web, field: {spec.replicas: 2}}}
  - {name: g, certificate: {issuer-kind: Cluster}}
  - {name: h, volume: {size: 1 GB}}
";
    insta::assert_snapshot!(up(file), @"
    --- stderr
    error: $DIR/work/sandbox.yaml: checks[0].redis.command: it is empty; leave it out for PING
    $DIR/work/sandbox.yaml: checks[0].redis.url: it begins with `http:`, not `redis:` or `rediss:`
    $DIR/work/sandbox.yaml: checks[1].postgres.query: it is empty; leave it out for `SELECT 1`
    $DIR/work/sandbox.yaml: checks[1].postgres.database: with `url` the database is part of it
    $DIR/work/sandbox.yaml: checks[2].tls.host: `https://a.localhost` is no host name
    $DIR/work/sandbox.yaml: checks[2].tls.port: 0 is no port
    $DIR/work/sandbox.yaml: checks[3].hpa.name: `Web` is no valid Kubernetes name
    $DIR/work/sandbox.yaml: checks[4].resource.kind: `deploy` is no kind; it is written as in manifests, such as `Deployment`
    $DIR/work/sandbox.yaml: checks[4].resource.absent: what is not there has neither a condition nor fields
    $DIR/work/sandbox.yaml: checks[5].resource.field: `spec.replicas` is no JSON pointer, such as `/spec/replicas`
    $DIR/work/sandbox.yaml: checks[6].certificate.issuer-kind: `Cluster` is neither `ClusterIssuer` nor `Issuer`
    $DIR/work/sandbox.yaml: checks[7].volume.size: `1 GB` is no size, such as `16Mi`
    --- exit code 3
    ");
}

#[test]
fn an_unknown_key_of_a_check_is_told_with_its_position() {
    insta::assert_snapshot!(up("checks:\n  - name: a\n    redsi: {}\n"), @"
    --- stderr
    error: $DIR/work/sandbox.yaml:3:5: there is no key `redsi` here
    hint: did you mean `redis`?
    --- exit code 3
    ");
    insta::assert_snapshot!(up("checks:\n  - name: a\n    redis: {form: host}\n"), @"
    --- stderr
    error: $DIR/work/sandbox.yaml:3:13: there is no key `form` here
    hint: did you mean `from`?
    --- exit code 3
    ");
    insta::assert_snapshot!(up("checks:\n  - name: a\n    redis: {from: pod}\n"), @"
    --- stderr
    error: $DIR/work/sandbox.yaml:3:19: `pod` is none of host, cluster
    --- exit code 3
    ");
    insta::assert_snapshot!(up("checks:\n  - name: a\n    metrics: {nodes: 3}\n"), @"
    --- stderr
    error: $DIR/work/sandbox.yaml:3:15: there is no key `nodes` here
    --- exit code 3
    ");
    insta::assert_snapshot!(up("checks:\n  - name: a\n    hpa: {at-least: -1, name: x}\n"), @"
    --- stderr
    error: $DIR/work/sandbox.yaml:3:21: this is no whole number
    --- exit code 3
    ");
    insta::assert_snapshot!(up("checks:\n  - name: a\n    hpa: {}\n"), @"
    --- stderr
    error: $DIR/work/sandbox.yaml:3:10: the key `name` is missing
    --- exit code 3
    ");
}

#[test]
fn a_password_in_a_url_is_not_repeated() {
    let out = up("checks: [{name: a, redis: {url: 'redis://:s3cret@['}}]\n");
    insta::assert_snapshot!(out, @"
    --- stderr
    error: $DIR/work/sandbox.yaml: checks[0].redis.url: it cannot be parsed; special characters are written as %XX
    --- exit code 3
    ");
}
