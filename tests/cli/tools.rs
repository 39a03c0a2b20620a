//! `kind` and `helm`: missing, of another version, or something else of that name.

use crate::support::{Answer, TestEnv};

const SETTINGS: &str = "name: hello\n";
const WITH_CHART: &str = "name: hello\napp: {chart: {path: chart}}\n";

fn with_chart() -> TestEnv {
    let env = TestEnv::with_settings(WITH_CHART);
    env.write("chart/Chart.yaml", "apiVersion: v2\nname: hello\nversion: 0.1.0\n");
    env
}

#[test]
fn a_missing_kind_is_told_before_anything_is_made() {
    let env = TestEnv::with_settings(SETTINGS).without_program("kind");
    insta::assert_snapshot!(env.sandbox(&["up"]), @"
    --- stderr
    [TIME] sandbox hello: profile minimal
    error: `kind` is not on PATH
    hint: scripts/tools fetches or builds it and prints the folder to add to PATH
    --- exit code 4
    ");
    env.assert_untouched();
}

#[test]
fn a_kind_that_is_too_old_is_told_with_its_path() {
    let env = TestEnv::with_settings(SETTINGS)
        .kind(Answer::to("version").prints("kind v0.26.0 go1.23.4 linux/amd64\n"));
    insta::assert_snapshot!(env.sandbox(&["up"]), @"
    --- stderr
    [TIME] sandbox hello: profile minimal
    error: `$DIR/bin/kind` is kind 0.26.0; 0.27.0 or newer, below 1.0.0, is needed
    hint: scripts/tools fetches or builds it and prints the folder to put first on PATH
    --- exit code 4
    ");
    env.assert_untouched();
}

#[test]
fn a_kind_that_fails_is_quoted() {
    let env = TestEnv::with_settings(SETTINGS)
        .kind(Answer::to("version").fails(126, "kind: cannot execute binary file\n"));
    insta::assert_snapshot!(env.sandbox(&["up"]), @"
    --- stderr
    [TIME] sandbox hello: profile minimal
    error: failed to ask kind for its version
      caused by: `kind version` exited with code 126: kind: cannot execute binary file
    --- exit code 4
    ");
    env.assert_untouched();
}

#[test]
fn a_kind_that_hangs_when_asked_for_its_version_is_given_ten_seconds() {
    let env = TestEnv::with_settings(SETTINGS).kind(Answer::to("version").hangs());
    insta::assert_snapshot!(env.sandbox(&["up"]), @"
    --- stderr
    [TIME] sandbox hello: profile minimal
    error: failed to ask kind for its version
      caused by: `kind version` did not end within 10s
    --- exit code 4
    ");
    env.assert_untouched();
}

#[test]
fn a_missing_helm_is_told_before_anything_is_made() {
    let env = with_chart().without_program("helm");
    insta::assert_snapshot!(env.sandbox(&["up"]), @"
    --- stderr
    error: `helm` is not on PATH
    hint: scripts/tools fetches or builds it and prints the folder to add to PATH
    --- exit code 4
    ");
    env.assert_untouched();
}

#[test]
fn a_helm_that_is_too_old_is_told_with_its_path() {
    let env = with_chart().helm(Answer::to("version").prints("v3.19.0+g3d8990f\n"));
    insta::assert_snapshot!(env.sandbox(&["up"]), @"
    --- stderr
    error: `$DIR/bin/helm` is helm 3.19.0+g3d8990f; 4.0.0 or newer, below 5.0.0, is needed
    hint: scripts/tools fetches or builds it and prints the folder to put first on PATH
    --- exit code 4
    ");
    env.assert_untouched();
}

#[test]
fn a_helm_that_says_something_else_is_quoted() {
    let env = with_chart().helm(Answer::to("version").prints("Helm the ship steers itself\n"));
    insta::assert_snapshot!(env.sandbox(&["up"]), @"
    --- stderr
    error: `helm version` said `Helm the ship steers itself`, which is no version
    --- exit code 4
    ");
    env.assert_untouched();
}

#[test]
fn a_helm_that_writes_junk_is_no_panic() {
    let env = with_chart().helm(Answer::to("version").junk());
    let out = env.sandbox(&["up"]);
    assert_eq!(out.code(), Some(4), "{out}");
    assert!(out.stderr.contains("which is no version"), "{out}");
    env.assert_untouched();
}

#[test]
fn helm_is_not_needed_without_a_chart() {
    let env = TestEnv::with_settings(SETTINGS)
        .without_program("helm")
        .kind(Answer::to("create cluster").fails(1, "ERROR: stop here\n"));
    let out = env.sandbox(&["up"]);
    assert!(out.stderr.contains("ERROR: stop here"), "{out}");
}

#[test]
fn a_chart_that_does_not_render_is_told_before_anything_is_made() {
    let env = with_chart().helm(Answer::to("template").fails(
        1,
        "Error: execution error at (hello/templates/app.yaml:7:14): image.tag is required\n",
    ));
    insta::assert_snapshot!(env.sandbox(&["up"]), @"
    --- stderr
    error: chart `$DIR/work/chart` does not render
      caused by: `helm template hello $DIR/work/chart --namespace hello --kube-version 1.34.3 --api-versions cert-manager.io/v1 --api-versions cert-manager.io/v1/Certificate --api-versions cert-manager.io/v1/Issuer --api-versions cert-manager.io/v1/ClusterIssuer --api-versions metrics.k8s.io/v1beta1` exited with code 1: Error: execution error at (hello/templates/app.yaml:7:14): image.tag is required
    hint: the cluster was not touched
    --- exit code 3
    ");
    assert_eq!(env.call_lines().len(), 1);
    env.assert_untouched();
}

#[test]
fn a_chart_without_its_dependencies_is_told_with_the_command_to_get_them() {
    let env = with_chart().helm(Answer::to("template").fails(
        1,
        "Error: An error occurred while checking for chart dependencies. You may need to run \
         `helm dependency build` to fetch missing dependencies: found in Chart.yaml, but missing \
         in charts/ directory: redis\n",
    ));
    insta::assert_snapshot!(env.sandbox(&["up"]), @"
    --- stderr
    error: chart `$DIR/work/chart` does not render
      caused by: `helm template hello $DIR/work/chart --namespace hello --kube-version 1.34.3 --api-versions cert-manager.io/v1 --api-versions cert-manager.io/v1/Certificate --api-versions cert-manager.io/v1/Issuer --api-versions cert-manager.io/v1/ClusterIssuer --api-versions metrics.k8s.io/v1beta1` exited with code 1: Error: An error occurred while checking for chart dependencies. You may need to run `helm dependency build` to fetch missing dependencies: found in Chart.yaml, but missing in charts/ directory: redis
    hint: helm dependency build $DIR/work/chart
    --- exit code 3
    ");
    env.assert_untouched();
}

#[test]
fn a_chart_that_renders_to_no_object_names_the_template() {
    let manifest = "---\n# Source: hello/templates/notes.yaml\nhello: there\n";
    let env = with_chart().helm(Answer::to("template").prints(manifest));
    insta::assert_snapshot!(env.sandbox(&["up"]), @"
    --- stderr
    error: `hello/templates/notes.yaml` renders to something without `apiVersion` and `kind`
    --- exit code 3
    ");
    env.assert_untouched();
}

#[test]
fn a_chart_that_renders_to_no_yaml_names_the_template() {
    let manifest = "---\n# Source: hello/templates/app.yaml\napiVersion: v1\nkind: [\n";
    let env = with_chart().helm(Answer::to("template").prints(manifest));
    insta::assert_snapshot!(env.sandbox(&["up"]), @"
    --- stderr
    error: `hello/templates/app.yaml` does not render to YAML
      caused by: error: line 4 column 7: unclosed bracket '['
       --> <input>:4:7
        |
      2 | # Source: hello/templates/app.yaml
      3 | apiVersion: v1
      4 | kind: [
        |       ^ unclosed bracket '['
    --- exit code 3
    ");
    env.assert_untouched();
}
