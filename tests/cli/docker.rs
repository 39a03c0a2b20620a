//! A Docker engine that is absent, far away, silent or broken.

use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

use crate::support::TestEnv;
use crate::support::docker::Trouble;

const SETTINGS: &str = "name: hello\n";

#[test]
fn no_engine_is_told_with_the_socket() {
    let env = TestEnv::with_settings(SETTINGS);
    env.engine.stop();
    insta::assert_snapshot!(env.sandbox(&["up"]), @"
    --- stderr
    error: no Docker engine answers at `unix://$DIR/docker.sock`
      caused by: Socket not found: $DIR/docker.sock
    hint: start Docker; in a checkout, scripts/engine installs and starts one on Debian
    --- exit code 4
    ");
    env.assert_untouched();
}

#[test]
fn a_socket_that_nobody_listens_on_is_told() {
    let env = TestEnv::with_settings(SETTINGS);
    env.engine.stop();
    // The file of a socket outlives its listener.
    drop(UnixListener::bind(env.path("docker.sock")).unwrap());
    insta::assert_snapshot!(env.sandbox(&["up"]), @"
    --- stderr
    error: no Docker engine answers at `unix://$DIR/docker.sock`
      caused by: Connection refused (os error 111)
    hint: start Docker; in a checkout, scripts/engine installs and starts one on Debian
    --- exit code 4
    ");
    env.assert_untouched();
}

#[test]
fn no_engine_is_told_by_every_command_that_needs_one() {
    let env = TestEnv::with_settings(SETTINGS);
    env.engine.stop();
    for command in [&["down"][..], &["status"], &["load"], &["images", "list"]] {
        let out = env.sandbox(command);
        assert_eq!(out.code(), Some(4), "{command:?}: {out}");
        assert!(out.stderr.contains("error: no Docker engine answers at `unix://"), "{out}");
    }
    env.assert_untouched();
}

#[test]
fn an_engine_of_another_machine_is_refused() {
    let env = TestEnv::with_settings(SETTINGS).var("DOCKER_HOST", "tcp://build.example.com:2375");
    insta::assert_snapshot!(env.sandbox(&["up"]), @"
    --- stderr
    error: DOCKER_HOST is `tcp://build.example.com:2375`: only an engine of this machine is used
    hint: unset DOCKER_HOST, or set it to unix:///path/to/docker.sock
    --- exit code 8
    ");
    env.assert_untouched();
}

#[test]
fn a_silent_engine_is_given_ten_seconds_and_the_call_is_named() {
    let env = TestEnv::with_settings(SETTINGS);
    env.engine.trouble("GET /info", Trouble::Hang);
    let since = Instant::now();
    insta::assert_snapshot!(env.sandbox(&["up"]), @"
    --- stderr
    error: no Docker engine answers at `unix://$DIR/docker.sock`
      caused by: the call `info` got no answer in 10s
    hint: start Docker; in a checkout, scripts/engine installs and starts one on Debian
    --- exit code 4
    ");
    let took = since.elapsed();
    assert!((Duration::from_secs(9)..Duration::from_secs(30)).contains(&took), "{took:?}");
    env.assert_untouched();
}

#[test]
fn an_engine_that_falls_silent_later_is_given_ten_seconds_too() {
    let env = TestEnv::with_settings(SETTINGS);
    env.engine.trouble("GET /containers/json", Trouble::Hang);
    insta::assert_snapshot!(env.sandbox(&["up"]), @"
    --- stderr
    error: docker did not list containers within 10s
    hint: sandbox doctor
    --- exit code 4
    ");
    env.assert_untouched();
}

#[test]
fn down_does_not_wait_for_ever_either() {
    let env = TestEnv::with_settings(SETTINGS);
    env.engine.trouble("GET /networks", Trouble::Hang);
    insta::assert_snapshot!(env.sandbox(&["down"]), @"
    --- stderr
    error: docker did not inspect network `sandbox-hello` within 10s
    hint: sandbox doctor
    --- exit code 4
    ");
    env.assert_untouched();
}

#[test]
fn an_engine_in_trouble_is_quoted() {
    let env = TestEnv::with_settings(SETTINGS);
    env.engine.trouble("GET /info", Trouble::Fail(500, "database is locked"));
    insta::assert_snapshot!(env.sandbox(&["up"]), @"
    --- stderr
    error: the Docker engine at `unix://$DIR/docker.sock` is in trouble
      caused by: Docker responded with status code 500: database is locked
    hint: look into its log, or start it again
    --- exit code 4
    ");
    env.assert_untouched();
}

#[test]
fn an_engine_that_fails_later_is_quoted_with_the_call() {
    let env = TestEnv::with_settings(SETTINGS);
    env.engine.trouble("GET /images/docker.io/kindest", Trouble::Fail(500, "layer does not exist"));
    insta::assert_snapshot!(env.sandbox(&["up"]), @"
    --- stderr
    error: docker failed to inspect image `docker.io/kindest/node:v1.34.3`
      caused by: Docker responded with status code 500: layer does not exist
    --- exit code 4
    ");
    env.assert_untouched();
}

#[test]
fn something_else_behind_the_socket_is_told() {
    let env = TestEnv::with_settings(SETTINGS);
    env.engine.trouble("GET /info", Trouble::Junk);
    insta::assert_snapshot!(env.sandbox(&["up"]), @"
    --- stderr
    error: no Docker engine answers at `unix://$DIR/docker.sock`
      caused by: invalid HTTP version parsed
    hint: start Docker; in a checkout, scripts/engine installs and starts one on Debian
    --- exit code 4
    ");
    env.assert_untouched();
}

#[test]
fn a_network_that_cannot_be_made_fails_with_the_engines_words() {
    let env = TestEnv::with_settings(SETTINGS);
    let full = "all predefined address pools have been fully subnetted";
    env.engine.trouble("POST /networks/create", Trouble::Fail(500, full));
    let out = env.sandbox(&["up"]);
    insta::assert_snapshot!(out, @"
    --- stderr
    [TIME] sandbox hello: profile minimal
    [TIME] … network: make the network
    [TIME] ✗ network (TIME): docker failed to create network `sandbox-hello`
    error: docker failed to create network `sandbox-hello`
      caused by: Docker responded with status code 500: all predefined address pools have been fully subnetted
    hint: evidence is in $DIR/work/.sandbox/diagnostics/hello-STAMP
    --- exit code 4
    ");
    assert_eq!(env.call_lines(), Vec::<String>::new());
    // The intent stays: it is what `down` removes.
    assert_eq!(env.record("hello")["phase"], "creating");
}
