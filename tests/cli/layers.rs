//! The shape of the code: dependencies point downwards only, and doors stay where they are.

use std::path::{Path, PathBuf};

/// Modules from the top down; each may use only what stands below it. Modules of one line may use
/// each other.
const LAYERS: [&[&str]; 9] = [
    &["commands"],
    &["cli"],
    &["steps", "diagnostics"],
    &["observe", "desired"],
    &["plan", "machine", "world"],
    &["addons", "checks"],
    &["state", "owner", "app", "tools"],
    &["report", "settings", "profile", "catalogue"],
    &["env", "error", "serve"],
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every source file, with its path below `src` and its text without unit tests.
fn all() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    sources(&root, &mut found);
    found
        .into_iter()
        .filter(|path| !path.to_string_lossy().ends_with("tests.rs"))
        .map(|path| {
            let name = path.strip_prefix(&root).unwrap().display().to_string();
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned();
            (name, code)
        })
        .collect()
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

#[test]
fn dependencies_point_downwards_only() {
    let mut wrong = Vec::new();
    for (file, code) in all() {
        let module = file.split(['/', '.']).next().unwrap();
        let Some(own) = layer(module) else { continue };
        for rest in code.split("crate::").skip(1) {
            let used: String =
                rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
            if layer(&used).is_some_and(|layer| layer < own) {
                wrong.push(format!("{file} uses {used}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_module_has_its_layer() {
    for (file, _) in all() {
        let module = file.split(['/', '.']).next().unwrap();
        assert!(["lib", "main"].contains(&module) || layer(module).is_some(), "{file}");
    }
}

#[test]
fn only_the_report_prints() {
    for (file, code) in all() {
        let prints = ["println!", "print!(", "io::stdout()", "io::stderr()"];
        let found = prints.iter().any(|word| code.contains(word));
        assert!(!found || file.starts_with("report/"), "{file} prints");
    }
}

#[test]
fn every_file_says_what_it_is_for_and_stays_readable() {
    for (file, code) in all() {
        assert!(code.starts_with("//! "), "{file} has no module documentation");
        let lines = code.lines().count();
        assert!(lines <= 600, "{file} has {lines} lines: split it by concept");
    }
}
