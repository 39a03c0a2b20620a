//! The command line itself.

use crate::support::TestEnv;

#[test]
fn the_help_lists_commands_and_exit_codes() {
    let env = TestEnv::new();
    insta::assert_snapshot!(env.sandbox(&["--help"]), @r#"
    A local Kind cluster that answers like EKS, DOKS or K3s on EC2

    Usage: sandbox [OPTIONS] <COMMAND>

    Commands:
      up          Make the cluster, install the addons and the app; run it again to apply changes
      test        Run the checks of sandbox.yaml
      down        Remove the cluster and everything that belongs to it, and prove that nothing is left
      status      Show the state of every part and where to click
      doctor      Look for everything on this machine that would get in the way
      load        Build the app's images, send changed layers to the nodes, restart what uses them
      kubeconfig  Print the path of the sandbox's own kubeconfig
      env         Print how to connect to Redis, Postgres and the rest: `eval "$(sandbox env)"`
      ca          The sandbox's own certificate authority
      images      The third-party images that a sandbox is made of
      open        Open the page that shows what the app does, and say where everything is
      telemetry   Ask what the app sent: traces, metrics and logs
      s3          Look into the mock S3, make it fail, move its clock
      serve       Run one of the sandbox's own servers here, without any cluster
      help        Print this message or the help of the given subcommand(s)

    Options:
          --name <NAME>        Name of the sandbox [default: `name:` in sandbox.yaml, else the folder's
                               name]
          --config <FILE>      The sandbox.yaml to use [default: looked for here and in the parent
                               folders]
          --profile <PROFILE>  Which cloud to answer like: `minimal`, `eks`, `doks` or `k3s-ec2`
          --images <SOURCE>    Where third-party images come from: `auto`, `registry` or `packages`
          --json               Print JSON lines on stdout instead of talk on stderr
      -q, --quiet              Say nothing but warnings and failures
      -h, --help               Print help
      -V, --version            Print version

    Exit codes:
        0  all is well
        1  something unexpected; please report it
        2  the command line is wrong
        3  sandbox.yaml, the chart or another input file is wrong
        4  this machine lacks something (see `sandbox doctor`)
        5  the cluster could not be made, reached or changed
        6  the app did not install or did not become ready
        7  at least one check failed
        8  the target is not provably ours, nothing was touched
        9  something is left after `down`
       10  another sandbox command is working on the same sandbox
      130  interrupted
    --- exit code 0
    "#);
    env.assert_untouched();
    assert!(env.engine.calls().is_empty());
}

#[test]
fn an_unknown_flag_is_named_with_the_nearest_one() {
    let env = TestEnv::new();
    insta::assert_snapshot!(env.sandbox(&["up", "--recreat"]), @"
    --- stderr
    error: unexpected argument '--recreat' found

      tip: a similar argument exists: '--recreate'

    Usage: sandbox up --recreate

    For more information, try '--help'.
    --- exit code 2
    ");
    env.assert_untouched();
}

#[test]
fn a_port_that_is_none_is_refused() {
    let env = TestEnv::new();
    insta::assert_snapshot!(env.sandbox(&["up", "--http-port", "80800"]), @"
    --- stderr
    error: invalid value '80800' for '--http-port <PORT>': 80800 is not in 1..=65535

    For more information, try '--help'.
    --- exit code 2
    ");
    env.assert_untouched();
}

#[test]
fn without_a_command_the_help_is_an_error() {
    let env = TestEnv::new();
    let out = env.sandbox(&[]);
    assert_eq!(out.code(), Some(2));
    assert!(out.stdout.is_empty() && out.stderr.contains("Commands:"), "{out}");
}

#[test]
fn quiet_and_json_exclude_each_other() {
    let env = TestEnv::new();
    let out = env.sandbox(&["status", "--json", "--quiet"]);
    assert_eq!(out.code(), Some(2));
    assert!(out.stderr.contains("cannot be used with"), "{out}");
}

#[test]
fn the_version_is_one_line() {
    let env = TestEnv::new();
    insta::assert_snapshot!(env.sandbox(&["--version"]), @"
    sandbox 0.1.0
    --- exit code 0
    ");
}
