//! `sandbox images`.

use crate::support::TestEnv;
use crate::support::docker::Trouble;

#[test]
fn each_image_is_listed_with_where_it_came_from() {
    let env = TestEnv::new();
    env.engine.add_built_image("docker.io/kindest/node:v1.34.3");
    insta::assert_snapshot!(env.sandbox(&["images", "list"]), @"
    base                     registry  docker.io/library/debian:trixie-slim
    cert-manager-cainjector  registry  quay.io/jetstack/cert-manager-cainjector:v1.21.2
    cert-manager-controller  registry  quay.io/jetstack/cert-manager-controller:v1.21.2
    cert-manager-webhook     registry  quay.io/jetstack/cert-manager-webhook:v1.21.2
    ingress-nginx            registry  registry.k8s.io/ingress-nginx/controller:v1.11.0
    metrics-server           registry  registry.k8s.io/metrics-server/metrics-server:v0.9.0
    node                     packages  docker.io/kindest/node:v1.34.3
    postgres                 registry  docker.io/library/postgres:17.11
    redis                    registry  docker.io/library/redis:8.0.2

    definitions of other people's kinds:
    cert-manager             missing   github.com/cert-manager/cert-manager@v1.21.2
    dapr                     missing   github.com/dapr/dapr@v1.14.0
    external-secrets         missing   github.com/external-secrets/external-secrets@v1.3.2
    keda                     missing   github.com/kedacore/keda/v2@v2.21.0
    prometheus-operator      missing   github.com/prometheus-operator/prometheus-operator@v0.85.0
    volume-snapshot          missing   github.com/kubernetes-csi/external-snapshotter/client/v8@v8.7.0
    --- exit code 0
    ");
    env.assert_untouched();
}

#[test]
fn outside_a_checkout_nothing_can_be_built() {
    let env = TestEnv::new();
    insta::assert_snapshot!(env.sandbox(&["images", "build"]), @"
    --- stderr
    error: images are built from the recipes of a checkout
    hint: in a checkout: images/build --all
    --- exit code 4
    ");
    env.assert_untouched();
}

#[test]
fn a_registry_that_refuses_is_quoted_with_the_ways_around_it() {
    let env = TestEnv::with_settings("name: hello\n");
    env.engine.remove_image("docker.io/kindest/node:v1.34.3");
    let limit = "toomanyrequests: You have reached your pull rate limit";
    env.engine.trouble("POST /images/create", Trouble::Fail(500, limit));
    let out = env.sandbox(&["up"]);
    insta::assert_snapshot!(out, @"
    --- stderr
    [TIME] sandbox hello: profile minimal
    [TIME] … image node: pull docker.io/kindest/node:v1.34.3
    [TIME] ✗ image node (TIME): could not pull `docker.io/kindest/node@sha256:08497ee19eace7b4b5348db5c6a1591d7752b164530a36f855cb0f2bdcbadd48`
    error: could not pull `docker.io/kindest/node@sha256:08497ee19eace7b4b5348db5c6a1591d7752b164530a36f855cb0f2bdcbadd48`
      caused by: Docker responded with status code 500: toomanyrequests: You have reached your pull rate limit
    hint: build it from packages instead: images/build node
    hint: or name a mirror in sandbox.yaml: registry-mirrors:
    hint: evidence is in $DIR/work/.sandbox/diagnostics/hello-STAMP
    --- exit code 4
    ");
    assert_eq!(env.call_lines(), Vec::<String>::new());
    assert_eq!(env.engine.inventory(), Vec::<String>::new());
}
