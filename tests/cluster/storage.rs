//! Storage classes of the clouds, and the volumes behind them.

use crate::support::Sandbox;

/// A claim of one access mode, without a class.
fn claim(name: &str, mode: &str) -> String {
    format!(
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{name: {name}}}\nspec: \
         {{accessModes: [{mode}], resources: {{requests: {{storage: 1Gi}}}}}}\n"
    )
}

#[test]
#[ignore = "needs docker and kind"]
fn a_volume_of_doks_is_made_before_any_pod_and_goes_with_the_sandbox() {
    let sandbox = Sandbox::bare("doks");
    std::fs::write(sandbox.dir.join("sandbox.yaml"), "profile: doks\n").unwrap();
    sandbox.run(&["up"]).code(0);
    let file = sandbox.dir.join("claim.yaml");
    std::fs::write(&file, claim("data", "ReadWriteOnce")).unwrap();
    sandbox.kubectl(&["apply", "-f", file.to_str().unwrap()]);
    let bound = "--for=jsonpath={.status.phase}=Bound";
    sandbox.kubectl(&["wait", bound, "pvc/data", "--timeout=60s"]);
    let class = "jsonpath={.spec.storageClassName}";
    assert_eq!(sandbox.kubectl(&["get", "pvc", "data", "-o", class]), "do-block-storage");
    let zones = ["get", "nodes", "-l", "topology.kubernetes.io/zone", "-o", "name"];
    assert_eq!(sandbox.kubectl(&zones), "", "a region of DigitalOcean has no zones");
    sandbox.down();
    sandbox.assert_gone();
}
