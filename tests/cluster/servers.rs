//! The sandbox's own servers in a cluster: an app that uses them, faults that its checks notice, and
//! exporters that are set up wrongly.

use crate::support::Sandbox;

/// The check that a whole request is one trace.
const TRACE: &str = "one request is one trace over both worlds";
/// The check that a receipt can be read with a presigned URL.
const RECEIPT: &str = "a presigned URL is good on this machine";
/// How an exporter can be set up wrongly, as values of the example's chart.
const WRONG: [(&str, &str); 4] = [
    ("a wrong host", "{env: local, host: 192.0.2.1}"),
    ("a wrong port", "{env: local, port: 1}"),
    ("no environment", "{env: \"\"}"),
    ("nothing sampled", "{env: local, sampleRatio: 0}"),
];

#[test]
#[ignore = "needs docker and kind"]
fn an_app_is_seen_and_what_is_wrong_with_its_storage_or_telemetry_is_noticed() {
    let sandbox = Sandbox::of_example("servers", "services");
    sandbox.run(&["up"]).code(0);
    sandbox.run(&["test"]).code(0);

    the_store_fails_and_recovers(&sandbox);
    a_week_passes(&sandbox);
    what_arrived_is_told(&sandbox);

    let values = sandbox.dir.join("values-local.yaml");
    let right = std::fs::read_to_string(&values).unwrap();
    for (what, wrong) in WRONG {
        eprintln!("   {what}");
        let changed = right.replace("telemetry: {env: local}", &format!("telemetry: {wrong}"));
        assert_ne!(changed, right);
        std::fs::write(&values, changed).unwrap();
        sandbox.run(&["up"]).code(0);
        let red = sandbox.run(&["test", "--only", TRACE]).code(7);
        assert!(red.stdout.contains(&format!("FAIL  {TRACE} (")), "{what}: {}", red.stdout);
    }
    std::fs::write(&values, right).unwrap();
    sandbox.run(&["up"]).code(0);
    sandbox.run(&["test", "--only", TRACE]).code(0);
    sandbox.down();
}

fn the_store_fails_and_recovers(sandbox: &Sandbox) {
    let fault = ["s3", "faults", "add", "--operation", "GetObject", "--error", "InternalError"];
    sandbox.run(&fault).code(0);
    let red = sandbox.run(&["test", "--only", RECEIPT]).code(7);
    assert!(red.stdout.contains(&format!("FAIL  {RECEIPT} (")), "{}", red.stdout);
    let log = sandbox.run(&["s3", "log", "--operation", "GetObject", "--status", "500"]).code(0);
    assert!(log.stdout.contains("GetObject"), "{}", log.stdout);
    sandbox.run(&["s3", "faults", "clear"]).code(0);
    sandbox.run(&["test", "--only", RECEIPT]).code(0);
}

fn a_week_passes(sandbox: &Sandbox) {
    let listed = || sandbox.run(&["s3", "ls", "--recursive", "receipts"]).code(0).stdout;
    assert!(listed().contains("orders/"), "{}", listed());
    sandbox.run(&["s3", "clock", "advance", "200h"]).code(0);
    assert_eq!(listed(), "");
    sandbox.run(&["s3", "clock", "reset"]).code(0);
}

fn what_arrived_is_told(sandbox: &Sandbox) {
    let told = |args: &[&str]| sandbox.run(&[&["telemetry"], args].concat()).code(0).stdout;
    let services = told(&["services"]);
    assert!(services.contains("orders-api") && services.contains("orders-files"), "{services}");
    let traces = told(&["traces", "--service", "orders-files"]);
    let id = traces.lines().next().and_then(|line| line.split_whitespace().nth(1)).unwrap();
    assert!(told(&["traces", id]).contains("orders-files"), "{traces}");
    assert!(told(&["logs", "--service", "orders-api"]).lines().count() > 0);
    let places = sandbox.run(&["open", "--print"]).code(0).stdout;
    assert!(places.starts_with("page   http://127.0.0.1:"), "{places}");
}
