//! The plan of `up` for what may be found: a table of facts and the steps they lead to.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::{LazyLock, Mutex};

use super::*;
use crate::addons::{self, Addon, Inputs};
use crate::env::Env;
use crate::settings::{Flags, Name, load};
use crate::state::{AddonStamp, AppStamp, Credentials, Ports, Record};
use crate::tools::docker::{EngineInfo, NodeInfo};
use crate::tools::kube::ObjectRef;

const PORTS: Ports = Ports { http: 8080, https: 8443, api: 6443 };

fn settings(text: &str) -> Settings {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(load::FILE_NAME), text).unwrap();
    std::fs::write(dir.path().join("Chart.yaml"), "name: x").unwrap();
    let catalogue = Catalogue::built_in();
    Settings::resolve(&Flags::default(), &Env::default(), dir.path(), &catalogue).unwrap()
}

const WITH_APP: &str = "name: hello\nimages: [{ref: 'hello:dev'}]\napp: {chart: {path: .}}\n";

fn image(id: &str) -> ImageInfo {
    ImageInfo {
        id: id.into(),
        architecture: "amd64".into(),
        size: 1,
        labels: HashMap::from([(RECIPE_LABEL.to_owned(), "x".to_owned())]),
        repo_digests: vec![],
    }
}

/// An empty machine that has every image.
fn nothing() -> Facts {
    Facts {
        engine: EngineInfo {
            version: "26".into(),
            architecture: "amd64".into(),
            root_dir: "/".into(),
            cgroup_version: "2".into(),
            cpus: 2,
            memory: 1,
            rootless: false,
        },
        record: None,
        owner: Owner::Nobody,
        network: None,
        nodes: vec![],
        catalogue: Catalogue::built_in()
            .images
            .into_keys()
            .map(|name| (name, Some(image("c"))))
            .collect(),
        images: vec![ImageFact {
            reference: "hello:dev".into(),
            engine: Some(image("sha256:1")),
            node_id: Some("sha256:1".into()),
            input: None,
        }],
        node_images: BTreeMap::new(),
        ports: PORTS,
        service_ports: BTreeMap::new(),
        taken: BTreeMap::new(),
        api: Api::Silent,
        inside: None,
    }
}

/// Everything is as it should be.
fn complete(settings: &Settings) -> Facts {
    let catalogue = Catalogue::built_in();
    let node_image = &catalogue.image("node").reference;
    let mut record = Record::intent("minimal", &config_hash(settings, node_image), PORTS);
    record.phase = Phase::Created;
    let addons = addons(settings);
    for addon in &addons {
        let stamp = AddonStamp { hash: addon.hash(), ..AddonStamp::default() };
        record.addons.insert(addon.name.to_owned(), stamp);
    }
    let workloads = addons.iter().flat_map(Addon::workloads);
    record.app = Some(AppStamp {
        input: "a".into(),
        release: "hello".into(),
        namespace: "hello".into(),
        workloads: vec![],
        routes: vec![],
        kinds: BTreeSet::new(),
        brought: BTreeSet::new(),
    });
    let node = NodeInfo {
        id: "1".into(),
        name: "sandbox-hello-control-plane".into(),
        cluster: "sandbox-hello".into(),
        role: "control-plane".into(),
        state: NodeState::Running,
        networks: vec![],
        volumes: vec![],
        ports: vec![],
    };
    let on_node = BTreeMap::from([(full_name("hello:dev"), "sha256:1".to_owned())]);
    Facts {
        record: Some(record),
        owner: Owner::Us,
        node_images: BTreeMap::from([(node.name.clone(), on_node)]),
        nodes: vec![node],
        api: Api::Ours,
        inside: Some(Inside {
            nodes_ready: true,
            present: BTreeSet::new(),
            ready_workloads: workloads.map(|w| format!("{}/{}", w.namespace, w.name)).collect(),
            release: Some(("deployed".into(), 1)),
            release_deployed_once: true,
            app_ready: true,
            stale: vec![],
        }),
        ..nothing()
    }
}

/// The addons, as objects that are the same each time.
fn addons(settings: &Settings) -> Vec<Addon> {
    static CREDENTIALS: LazyLock<Mutex<Credentials>> =
        LazyLock::new(|| Mutex::new(Credentials::new(&Name::new("hello").unwrap()).unwrap()));
    let inputs = Inputs {
        settings,
        catalogue: &Catalogue::built_in(),
        ports: &BTreeMap::new(),
        hosts: &[],
        kinds: &BTreeSet::new(),
        brought: &BTreeSet::new(),
        program: "docker.io/sandbox/program:test",
    };
    addons::all(&inputs, &mut CREDENTIALS.lock().unwrap()).unwrap()
}

fn try_plan(settings: &Settings, facts: &Facts, input: &str, recreate: bool) -> Result<Plan> {
    let addons = addons(settings);
    let kinds = BTreeSet::new();
    let wanted = Wanted { addons: &addons, app_input: Some(input), kinds: &kinds, recreate };
    up(settings, &Catalogue::built_in(), facts, &wanted)
}

fn plan(settings: &Settings, facts: &Facts) -> Plan {
    try_plan(settings, facts, "a", false).unwrap()
}

fn ids(plan: &Plan) -> Vec<&str> {
    plan.steps.iter().map(|step| step.id.as_str()).collect()
}

fn inside(facts: &mut Facts) -> &mut Inside {
    facts.inside.as_mut().unwrap()
}

#[test]
fn when_all_is_as_it_should_be_there_is_nothing_to_do() {
    let settings = settings(WITH_APP);
    let plan = plan(&settings, &complete(&settings));
    assert_eq!(ids(&plan), Vec::<&str>::new());
    let kept = ["cluster", "ingress-nginx", "cert-manager", "metrics-server", "app-config"];
    for what in kept.iter().chain(&["image hello:dev", "release hello"]) {
        assert!(plan.kept.iter().any(|kept| kept.starts_with(what)), "{what}: {:?}", plan.kept);
    }
}

#[test]
fn building_sending_and_installing_do_not_wait_for_kind_to_be_done() {
    let settings = settings(WITH_APP);
    let plan = plan(&settings, &nothing());
    let needs = |id: &str| &plan.steps.iter().find(|step| step.id == id).unwrap().needs;
    for step in ["api", "load hello:dev", "load addons", "ingress-nginx", "install"] {
        assert!(!needs(step).contains(&"cluster".to_owned()), "{step} waits for kind");
    }
    assert_eq!(needs("install"), &["load hello:dev", "api", "app-config"]);
}

#[test]
fn every_need_is_a_step_that_comes_before() {
    let settings = settings(WITH_APP);
    for facts in [nothing(), complete(&settings)] {
        let plan = plan(&settings, &facts);
        for (index, step) in plan.steps.iter().enumerate() {
            for need in &step.needs {
                assert!(plan.steps[..index].iter().any(|s| s.id == *need), "{need}");
            }
        }
    }
}

#[test]
fn half_a_cluster_is_made_anew_and_what_was_built_stays() {
    let settings = settings(WITH_APP);
    for phase in [Phase::Creating, Phase::Removing] {
        let mut facts = complete(&settings);
        facts.record.as_mut().unwrap().phase = phase;
        assert_eq!(ids(&plan(&settings, &facts))[..2], ["remains", "network"], "{phase:?}");
    }
    let mut lost = complete(&settings);
    lost.record = None;
    assert_eq!(ids(&plan(&settings, &lost))[0], "remains");
}

#[test]
fn a_whole_cluster_that_does_not_fit_is_only_replaced_when_asked() {
    let settings = settings(WITH_APP);
    let mut facts = complete(&settings);
    facts.record.as_mut().unwrap().config = "other".into();
    let error = try_plan(&settings, &facts, "a", false).unwrap_err();
    assert!(error.hints()[0].starts_with("sandbox up --recreate"), "{:?}", error.hints());
    assert_eq!(try_plan(&settings, &facts, "a", true).unwrap().steps[0].id, "remains");
}

#[test]
fn a_pull_comes_before_anything_is_removed_or_made() {
    let settings = settings(WITH_APP);
    let mut facts = complete(&settings);
    facts.record.as_mut().unwrap().phase = Phase::Creating;
    facts.catalogue.insert("node".into(), None);
    let plan = plan(&settings, &facts);
    let remains = plan.steps.iter().find(|step| step.id == "remains").unwrap();
    assert_eq!(remains.needs, ["image node"]);
}

#[test]
fn a_new_image_of_the_same_name_is_sent_and_its_pods_restart() {
    let settings = settings(WITH_APP);
    let mut facts = complete(&settings);
    facts.images[0].engine = Some(image("sha256:2"));
    facts.images[0].node_id = Some("sha256:2".into());
    assert_eq!(ids(&plan(&settings, &facts)), ["load hello:dev", "restart", "app", "routes"]);
}

#[test]
fn a_changed_chart_is_installed_and_nothing_else() {
    let settings = settings(WITH_APP);
    let plan = try_plan(&settings, &complete(&settings), "b", false).unwrap();
    assert_eq!(ids(&plan), ["install", "app", "routes"]);
}

#[test]
fn a_release_that_was_cut_off_is_recovered_first() {
    let settings = settings(WITH_APP);
    let table = [
        ("pending-install", false, Recovery::Uninstall),
        ("pending-upgrade", true, Recovery::RollBack),
        ("pending-rollback", true, Recovery::RollBack),
    ];
    for (status, once, how) in table {
        let mut facts = complete(&settings);
        inside(&mut facts).release = Some((status.into(), 2));
        inside(&mut facts).release_deployed_once = once;
        let plan = plan(&settings, &facts);
        assert_eq!(plan.steps[0].action, Action::RecoverRelease(how), "{status}");
        assert!(plan.steps[1].needs.contains(&"recover".to_owned()));
    }
}

#[test]
fn an_app_that_is_not_ready_is_waited_for_without_a_write() {
    let settings = settings(WITH_APP);
    let mut facts = complete(&settings);
    inside(&mut facts).app_ready = false;
    assert_eq!(ids(&plan(&settings, &facts)), ["app", "routes"]);
}

#[test]
fn stopped_nodes_are_started() {
    let settings = settings(WITH_APP);
    let mut facts = complete(&settings);
    facts.nodes[0].state = NodeState::Stopped;
    facts.node_images.clear();
    facts.api = Api::Silent;
    facts.inside = None;
    assert_eq!(ids(&plan(&settings, &facts))[..3], ["start", "api", "nodes"]);
}

#[test]
fn with_source_packages_an_image_from_elsewhere_does_not_do() {
    let settings = settings("name: hello\nsource: packages\n");
    let mut facts = nothing();
    facts.catalogue.get_mut("node").unwrap().as_mut().unwrap().labels.clear();
    let error = try_plan(&settings, &facts, "a", false).unwrap_err();
    assert_eq!(error.hints(), ["images/build node"]);
    assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join("images/build").is_file());
}

#[test]
fn an_addon_that_was_turned_off_is_removed_and_definitions_stay() {
    let settings = settings(WITH_APP);
    let mut facts = complete(&settings);
    let record = facts.record.as_mut().unwrap();
    record.addons.insert("redis".into(), AddonStamp::default());
    record.addons.insert("crds".into(), AddonStamp::default());
    assert_eq!(ids(&plan(&settings, &facts)), ["remove redis"]);
}

#[test]
fn an_addon_whose_installation_was_cut_off_is_installed_again() {
    let settings = settings(WITH_APP);
    let mut facts = complete(&settings);
    facts.record.as_mut().unwrap().addons.get_mut("cert-manager").unwrap().hash.clear();
    let plan = plan(&settings, &facts);
    assert_eq!(ids(&plan), ["load addons", "cert-manager"]);
}

#[test]
fn an_addon_that_is_not_ready_is_repaired() {
    let settings = settings(WITH_APP);
    let mut facts = complete(&settings);
    inside(&mut facts).ready_workloads.remove("cert-manager/cert-manager-webhook");
    let plan = plan(&settings, &facts);
    assert_eq!(ids(&plan), ["cert-manager"]);
    assert_eq!(plan.steps[0].title, "repair cert-manager");
}

#[test]
fn what_pods_need_from_their_first_moment_is_ready_before_the_chart() {
    let settings =
        settings("name: hello\napp: {chart: {path: .}}\naddons: {redis: true, postgres: true}\n");
    let plan = plan(&settings, &nothing());
    let install = plan.steps.iter().find(|step| step.id == "install").unwrap();
    assert_eq!(install.needs, ["api", "app-config", "redis", "postgres"]);
}

#[test]
fn an_app_that_is_not_ready_is_given_its_services_first() {
    let settings = settings("name: hello\napp: {chart: {path: .}}\naddons: {redis: true}\n");
    let mut facts = complete(&settings);
    inside(&mut facts).app_ready = false;
    inside(&mut facts).ready_workloads.remove("sandbox-system/redis");
    let plan = plan(&settings, &facts);
    let app = plan.steps.iter().find(|step| step.id == "app").unwrap();
    assert_eq!(app.needs, ["redis"]);
}

#[test]
fn what_was_deleted_with_its_namespace_is_made_again_before_the_chart() {
    let settings = settings(WITH_APP);
    let mut facts = complete(&settings);
    let stamp = facts.record.as_mut().unwrap().addons.get_mut("app-config").unwrap();
    stamp.objects.push(ObjectRef {
        api_version: "v1".into(),
        kind: "Secret".into(),
        plural: "secrets".into(),
        namespace: "hello".into(),
        name: "keys".into(),
    });
    inside(&mut facts).release = None;
    assert_eq!(ids(&plan(&settings, &facts))[..2], ["app-config", "install"]);
    inside(&mut facts).present.insert("Secret hello/keys".into());
    assert_eq!(ids(&plan(&settings, &facts))[0], "install");
}

#[test]
fn the_chart_waits_until_what_it_now_brings_itself_is_gone() {
    let settings = settings(WITH_APP);
    let mut facts = complete(&settings);
    facts.record.as_mut().unwrap().addons.insert("redis".into(), AddonStamp::default());
    let plan = try_plan(&settings, &facts, "b", false).unwrap();
    let install = plan.steps.iter().find(|step| step.id == "install").unwrap();
    assert!(install.needs.contains(&"remove redis".to_owned()), "{:?}", install.needs);
}

#[test]
fn an_addon_without_its_port_is_a_reason_only_when_a_new_cluster_is_allowed() {
    let settings = settings(&format!("{WITH_APP}addons: {{s3: true}}\n"));
    let mut facts = complete(&settings);
    assert_eq!(ids(&try_plan(&settings, &facts, "a", false).unwrap()), Vec::<&str>::new());
    assert_eq!(try_plan(&settings, &facts, "a", true).unwrap().steps[0].id, "remains");
    facts.record.as_mut().unwrap().service_ports.insert("s3".into(), 9000);
    assert_eq!(ids(&try_plan(&settings, &facts, "a", true).unwrap()), Vec::<&str>::new());
}

#[test]
fn the_collector_comes_after_the_release_that_had_an_agent_of_its_own() {
    let settings = settings(&format!("{WITH_APP}addons: {{telemetry: true}}\n"));
    let mut facts = complete(&settings);
    let record = facts.record.as_mut().unwrap();
    record.addons.remove("telemetry");
    let order = |facts: &Facts| {
        let plan = try_plan(&settings, facts, "other", false).unwrap();
        let at = |id: &str| plan.steps.iter().position(|step| step.id == id).unwrap();
        for (index, step) in plan.steps.iter().enumerate() {
            for need in &step.needs {
                assert!(at(need) < index, "{}: {need}", step.id);
            }
        }
        let needs = |id: &str, other: &str| plan.steps[at(id)].needs.contains(&other.to_owned());
        (needs("telemetry", "install"), needs("install", "telemetry"), needs("app", "telemetry"))
    };
    assert_eq!(order(&facts), (false, true, true));
    let app = facts.record.as_mut().unwrap().app.as_mut().unwrap();
    app.brought.insert("telemetry".into());
    assert_eq!(order(&facts), (true, false, true));
}
