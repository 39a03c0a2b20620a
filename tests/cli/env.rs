//! `sandbox env`, and facts in what the user writes.

use sandbox::settings::Name;
use sandbox::state::{AddonStamp, Credentials, Place, Ports, Record};

use crate::support::{Answer, TestEnv};

const SETTINGS: &str = "\
name: hello
addons:
  redis: {password: 'it''s $x', tls: true}
  postgres: {databases: [shop], password: root, users: [{name: shop, password: p/w}]}
";

/// A machine with the record of a sandbox; `services` have ports on this machine.
fn up(settings: &str, services: &[(&str, u16)]) -> TestEnv {
    let env = TestEnv::with_settings(settings);
    let place = Place::new(env.path("state"), Name::new("hello").unwrap());
    let mut record = Record::intent("minimal", "x", Ports { http: 8080, https: 8443, api: 1 });
    record.service_ports = services.iter().map(|&(name, port)| (name.to_owned(), port)).collect();
    for addon in ["redis", "postgres"] {
        let stamp = AddonStamp { hash: "installed".to_owned(), ..AddonStamp::default() };
        record.addons.insert(addon.to_owned(), stamp);
    }
    place.write_record(&record).unwrap();
    let credentials = Credentials::new(&Name::new("hello").unwrap()).unwrap();
    place.write_credentials(&credentials).unwrap();
    env
}

/// What was said, with paths and times made the same for every run.
fn stderr(shown: &str) -> String {
    let said = shown.split("--- stderr\n").nth(1).unwrap_or_default();
    said.split("--- exit code").next().unwrap_or_default().to_owned()
}

#[test]
fn before_up_there_is_nothing_to_connect_to() {
    let env = TestEnv::with_settings(SETTINGS);
    insta::assert_snapshot!(env.sandbox(&["env"]), @"
    --- stderr
    error: sandbox `hello` is not up
    hint: sandbox up
    --- exit code 5
    ");
}

#[test]
fn a_shell_and_pods_get_what_each_can_reach() {
    let env = up(SETTINGS, &[("redis", 16379), ("postgres", 15432)]);
    insta::assert_snapshot!(env.sandbox(&["env"]), @r"
    export KUBECONFIG='$DIR/state/hello/kubeconfig'
    export SANDBOX_CA='$DIR/state/hello/ca.crt'
    export SANDBOX_HTTP_PORT='8080'
    export SANDBOX_HTTPS_PORT='8443'
    export REDIS_HOST='127.0.0.1'
    export REDIS_PORT='16379'
    export REDIS_PASSWORD='it'\''s $x'
    export REDIS_URL='rediss://:it%27s%20%24x@127.0.0.1:16379/0'
    export PGHOST='127.0.0.1'
    export PGPORT='15432'
    export PGSSLMODE='require'
    export PGUSER='shop'
    export PGPASSWORD='p/w'
    export PGDATABASE='shop'
    export DATABASE_URL='postgres://shop:p%2Fw@127.0.0.1:15432/shop?sslmode=require'
    --- exit code 0
    ");
    insta::assert_snapshot!(env.sandbox(&["env", "--cluster"]), @r"
    export REDIS_HOST='redis.sandbox-system.svc'
    export REDIS_PORT='6379'
    export REDIS_PASSWORD='it'\''s $x'
    export REDIS_URL='rediss://:it%27s%20%24x@redis.sandbox-system.svc:6379/0'
    export PGHOST='postgres.sandbox-system.svc'
    export PGPORT='5432'
    export PGSSLMODE='require'
    export PGUSER='shop'
    export PGPASSWORD='p/w'
    export PGDATABASE='shop'
    export DATABASE_URL='postgres://shop:p%2Fw@postgres.sandbox-system.svc:5432/shop?sslmode=require'
    --- exit code 0
    ");
    insta::assert_snapshot!(env.sandbox(&["env", "postgres.admin-url"]), @"
    postgres://postgres:root@127.0.0.1:15432/postgres?sslmode=require
    --- exit code 0
    ");
}

#[test]
fn without_a_port_on_this_machine_there_is_no_value_for_it() {
    let env = up(SETTINGS, &[("redis", 16379)]);
    insta::assert_snapshot!(env.sandbox(&["env", "postgres.url"]), @"
    --- stderr
    error: `postgres.url` is not to be had from this machine
    hint: sandbox up --recreate (the cluster was made without this port)
    --- exit code 5
    ");
    let out = env.sandbox(&["env"]);
    assert!(!out.stdout.contains("DATABASE_URL"), "{out}");
}

#[test]
fn what_is_only_asked_for_is_not_there_yet() {
    let env = up(SETTINGS, &[]);
    let place = Place::new(env.path("state"), Name::new("hello").unwrap());
    let mut record = place.record().unwrap().unwrap();
    record.addons.get_mut("redis").unwrap().hash.clear();
    record.addons.remove("postgres");
    place.write_record(&record).unwrap();
    let out = env.sandbox(&["env", "--cluster"]);
    assert!(!out.stdout.contains("REDIS") && !out.stdout.contains("PG"), "{out}");
}

#[test]
fn an_unknown_fact_is_told_with_those_there_are() {
    let env = up("name: hello\naddons: {redis: {password: ''}}\n", &[]);
    insta::assert_snapshot!(env.sandbox(&["env", "redis.urll"]), @"
    --- stderr
    error: there is no `redis.urll`
    hint: there are: redis.host, redis.port, redis.password, redis.url, redis.tls, ca.configmap, ca.certificate
    --- exit code 2
    ");
}

#[test]
fn a_fact_that_does_not_exist_is_told_with_its_position_before_anything_is_made() {
    let env = TestEnv::with_settings(
        "name: hello\naddons: {redis: true}\n\
         app: {chart: {path: chart, values: [local.yaml]}}\n",
    );
    env.write("chart/Chart.yaml", "name: hello\n");
    env.write("local.yaml", "a: 1\nurl: ${redis.uri}\n");
    insta::assert_snapshot!(env.sandbox(&["up"]), @"
    --- stderr
    error: $DIR/work/local.yaml:2:6: there is no `${redis.uri}`; there are: redis.host, redis.port, redis.password, redis.url, redis.tls
    --- exit code 3
    ");
    env.write("local.yaml", "url: ${postgres.url}\n");
    insta::assert_snapshot!(env.sandbox(&["up"]), @"
    --- stderr
    error: $DIR/work/local.yaml:1:6: `${postgres.url}`: the addon `postgres` is off
    --- exit code 3
    ");
    env.assert_untouched();
    let env = TestEnv::with_settings(
        "name: hello\nsecrets: [{name: x, namespace: y, data: {URL: '${redis.url}'}}]\n",
    );
    insta::assert_snapshot!(env.sandbox(&["up"]), @"
    --- stderr
    error: $DIR/work/sandbox.yaml: secrets[0].data.URL: `${redis.url}`: the addon `redis` is off
    --- exit code 3
    ");
    env.assert_untouched();
}

#[test]
fn wrong_options_are_told_with_their_position_before_anything_is_made() {
    let cases = [
        "addons: {redis: {maxmemory-policy: lru}}",
        "addons: {redis: {maxmemory: lots}}",
        "addons: {redis: {host-port: 70000}}",
        "addons: {postgres: {databases: [{owner: x}]}}",
        "addons: {postgres: {databases: [a, a], init: [no.sql]}}",
        "addons: {metrics-server: {port: 1}}",
        "addons: {crds: some}",
        "addons: {crds: [monitoring.coreos.io]}",
        "addons: {cert-manger: true}",
        "secrets: [{name: Not_A_Name, data: {'a b': x}}]",
    ];
    let told: Vec<String> = cases
        .iter()
        .map(|case| {
            let env = TestEnv::with_settings(&format!("name: hello\n{case}\n"));
            let out = env.sandbox(&["up"]);
            assert_eq!(out.code(), Some(3), "{case}: {out}");
            env.assert_untouched();
            stderr(&out.to_string())
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    error: $DIR/work/sandbox.yaml:2:36: `lru` is none of noeviction, allkeys-lru, allkeys-lfu, allkeys-random, volatile-lru, volatile-lfu, volatile-random, volatile-ttl

    error: $DIR/work/sandbox.yaml:2:29: `lots` is no amount of memory such as `256mb`

    error: $DIR/work/sandbox.yaml:2:29: this is no whole number from 0 to 65535

    error: $DIR/work/sandbox.yaml:2:34: the key `name` is missing

    error: $DIR/work/sandbox.yaml: addons.postgres.init[0]: no file `$DIR/work/no.sql`
    $DIR/work/sandbox.yaml: addons.postgres.databases[1].name: `a` is used twice

    error: $DIR/work/sandbox.yaml:2:27: there is no key `port` here

    error: $DIR/work/sandbox.yaml:2:10: `auto`, `true`, `false` or a list of API groups is expected here, not string "some"

    error: $DIR/work/sandbox.yaml: addons.crds[0]: nothing is known of `monitoring.coreos.io`; there are: dapr.io, elbv2.k8s.aws, external-secrets.io, generators.external-secrets.io, keda.sh, monitoring.coreos.com, secrets-store.csi.x-k8s.io, snapshot.storage.k8s.io

    error: $DIR/work/sandbox.yaml:2:10: there is no key `cert-manger` here
    hint: did you mean `cert-manager`?

    error: $DIR/work/sandbox.yaml: secrets[0].name: `Not_A_Name` is no Kubernetes name
    $DIR/work/sandbox.yaml: secrets[0].data: `a b` is no key; letters, digits, `-`, `_`, `.` are
    "#);
}

#[test]
fn what_the_chart_brings_itself_is_left_out_and_that_is_said() {
    let chart = "---\n# Source: hello/charts/redis/templates/redis.yaml\napiVersion: apps/v1\n\
                 kind: StatefulSet\nmetadata: {name: hello-redis-master}\nspec: {template: {spec: \
                 {containers: [{name: redis, image: 'docker.io/bitnami/redis:8.2.1'}]}}}\n";
    let with = |settings: &str| {
        let settings = format!("name: hello\naddons: {{redis: true}}\n{settings}");
        let env = TestEnv::with_settings(&settings).helm(Answer::to("template").prints(chart));
        env.write("chart/Chart.yaml", "name: hello\n");
        env
    };
    let env = with("app: {chart: {path: chart}}\n");
    insta::assert_snapshot!(env.sandbox(&["up", "--dry-run"]), @"
    do    network: make the network
    do    cluster: create cluster sandbox-hello (profile minimal, 1 node(s))  (after network)
    do    api: wait for the API server  (after network)
    do    nodes: wait for the nodes  (after cluster, api)
    do    load addons: bring 5 addon image(s) to the node  (after network)
    do    ingress-nginx: install ingress-nginx  (after api, load addons)
    do    cert-manager: install cert-manager  (after api, load addons)
    do    metrics-server: install metrics-server  (after api, load addons)
    do    app-config: install app-config  (after api)
    do    install: install release hello into hello  (after api, app-config)
    do    app: wait for the app  (after api, app-config, install)
    do    routes: wait for the app's addresses  (after app, ingress-nginx)
    --- stderr
    [TIME] ! the chart brings its own redis, so the sandbox's is left out (`addons: {redis: false}` says so, too)
    --- exit code 0
    ");
    // With a reason to be there it stays, and that is said, too.
    let env = with("app: {chart: {path: chart, set: {url: '${redis.url}'}}}\n");
    let out = env.sandbox(&["up", "--dry-run"]);
    assert!(out.stdout.contains("redis: install redis"), "{out}");
    insta::assert_snapshot!(stderr(&out.to_string()), @"[TIME] ! the chart brings its own redis; the sandbox's is there as well, as the settings refer to `${redis.…}`");
}
