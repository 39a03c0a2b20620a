//! The page about addons is kept true: what it says exists, and what exists is said.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::env::Env;
use crate::settings::{Flags, Name, load};

const PAGE: &str = include_str!("../../docs/addons.md");

fn settings(text: &str) -> Settings {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(load::FILE_NAME), text).unwrap();
    std::fs::write(dir.path().join("Chart.yaml"), "name: x").unwrap();
    let catalogue = Catalogue::built_in();
    Settings::resolve(&Flags::default(), &Env::default(), dir.path(), &catalogue).unwrap()
}

fn blocks() -> impl Iterator<Item = &'static str> {
    PAGE.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap())
}

/// The addons of the page's example.
fn example() -> (Vec<Addon>, Vec<Fact>) {
    let mut credentials = Credentials::new(&Name::new("shop").unwrap()).unwrap();
    let settings = settings(blocks().next().unwrap());
    let ports = host_ports(&settings.addons);
    let ports = ports.into_iter().map(|(name, port, _)| (name.to_owned(), port)).collect();
    let inputs = Inputs {
        settings: &settings,
        catalogue: &Catalogue::built_in(),
        ports: &ports,
        hosts: &[],
        kinds: &BTreeSet::new(),
        brought: &BTreeSet::new(),
        program: "docker.io/sandbox/program:test",
    };
    let addons = all(&inputs, &mut credentials).unwrap();
    let facts = facts(&addons, &credentials);
    (addons, facts)
}

#[test]
fn every_addon_has_its_section() {
    let (addons, _) = example();
    for addon in addons.iter().filter(|addon| addon.name != app_config::NAME) {
        let heading = format!("\n## {}\n", addon.name);
        let section = PAGE.split(&heading).nth(1);
        let section = section.unwrap_or_else(|| panic!("{} has no section", addon.name));
        let section = section.split("\n## ").next().unwrap();
        for part in ["**What:**", "**Differs", "**Off:**", "**Connect:**"] {
            assert!(section.contains(part), "{}: {part} is missing", addon.name);
        }
    }
}

#[test]
fn every_fact_is_on_the_page_and_every_one_on_the_page_is_a_fact() {
    let (_, facts) = example();
    let facts: BTreeSet<&str> = facts.iter().map(|fact| fact.key.as_str()).collect();
    let told: BTreeSet<&str> = PAGE
        .split("${")
        .skip(1)
        .map(|rest| rest.split('}').next().unwrap())
        .filter(|key| key.contains('.'))
        .collect();
    assert_eq!(told.difference(&facts).collect::<Vec<_>>(), Vec::<&&str>::new(), "not offered");
    // Of a family one is enough.
    let family = |key: &str| key.starts_with("postgres.users.") || key.ends_with("s.url");
    let missing: Vec<_> = facts
        .difference(&told)
        .filter(|key| !family(key) && **key != "postgres.shop.url")
        .collect();
    assert!(missing.is_empty(), "not told: {missing:?}");
}

#[test]
fn every_option_and_version_on_the_page_is_right() {
    for block in blocks() {
        load::parse(block, "docs/addons.md").unwrap_or_else(|error| panic!("{error}\n{block}"));
    }
    let catalogue = Catalogue::built_in();
    let versions = BTreeMap::from([
        ("ingress-nginx", "the controller v1.11.0"),
        ("cert-manager-controller", "cert-manager 1.21.2"),
        ("metrics-server", "metrics-server 0.9.0"),
        ("redis", "Redis 8.0"),
        ("postgres", "PostgreSQL 17"),
    ]);
    for (image, told) in versions {
        assert!(PAGE.contains(told), "{told}");
        let version = told.rsplit(' ').next().unwrap().trim_start_matches('v');
        let reference = &catalogue.image(image).reference;
        let tag = reference.rsplit(':').next().unwrap().trim_start_matches('v');
        assert!(tag.starts_with(version), "{told}: the catalogue has {reference}");
    }
}

#[test]
fn every_object_can_be_found_by_its_addon() {
    let (addons, _) = example();
    for addon in &addons {
        for object in addon.objects.iter().chain(&addon.last) {
            let label = object.value.pointer("/metadata/labels/dev.sandbox~1addon");
            assert_eq!(label.and_then(|l| l.as_str()), Some(addon.name), "{}", object.shown());
        }
    }
}

#[test]
fn making_the_objects_again_gives_the_same() {
    let mut credentials = Credentials::new(&Name::new("shop").unwrap()).unwrap();
    let settings =
        settings("addons: {redis: {tls: true}, postgres: true, s3: true, telemetry: true}");
    let inputs = Inputs {
        settings: &settings,
        catalogue: &Catalogue::built_in(),
        ports: &BTreeMap::new(),
        hosts: &["a.localhost".to_owned()],
        kinds: &BTreeSet::new(),
        brought: &BTreeSet::new(),
        program: "docker.io/sandbox/program:test",
    };
    let hashes = |credentials: &mut Credentials| -> Vec<String> {
        all(&inputs, credentials).unwrap().iter().map(Addon::hash).collect()
    };
    assert_eq!(hashes(&mut credentials), hashes(&mut credentials));
}

#[test]
fn what_the_app_brings_itself_is_left_out() {
    let mut credentials = Credentials::new(&Name::new("shop").unwrap()).unwrap();
    let settings = settings("addons: {redis: true}");
    let inputs = Inputs {
        settings: &settings,
        catalogue: &Catalogue::built_in(),
        ports: &BTreeMap::new(),
        hosts: &[],
        kinds: &BTreeSet::new(),
        brought: &BTreeSet::from(["redis".to_owned()]),
        program: "docker.io/sandbox/program:test",
    };
    let addons = all(&inputs, &mut credentials).unwrap();
    assert!(addons.iter().all(|addon| addon.name != "redis"));
}

#[test]
fn no_service_has_a_port_twice_whatever_port_this_machine_has_for_it() {
    let settings = settings("addons: {redis: {tls: true}, postgres: true, s3: true}");
    let mut credentials = Credentials::new(&Name::new("shop").unwrap()).unwrap();
    for host_port in 8990..9010 {
        let ports =
            ["redis", "postgres", "s3"].map(|name| (name.to_owned(), host_port)).into_iter();
        let inputs = Inputs {
            settings: &settings,
            catalogue: &Catalogue::built_in(),
            ports: &ports.collect(),
            hosts: &[],
            kinds: &BTreeSet::new(),
            brought: &BTreeSet::new(),
            program: "docker.io/sandbox/program:test",
        };
        let addons = all(&inputs, &mut credentials).unwrap();
        for object in addons.iter().flat_map(|addon| &addon.objects) {
            let Some(ports) = object.value["spec"]["ports"].as_array() else { continue };
            let numbers: BTreeSet<_> = ports
                .iter()
                .map(|port| (port["protocol"].as_str(), port["port"].as_u64()))
                .collect();
            assert_eq!(numbers.len(), ports.len(), "{host_port}: {}", object.value);
        }
    }
}
