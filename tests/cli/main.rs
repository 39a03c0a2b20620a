//! The program from the outside: a command line in, both streams and the exit code out.
//!
//! One module a command. Docker is a stub on a socket, kind and helm are stand-ins on PATH, and
//! each test has a home of its own: nothing here needs Docker, a cluster or the network.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

mod arguments;
mod ca;
mod docker;
mod doctor;
mod down;
mod dry_run;
mod env;
mod images;
mod interrupt;
mod json;
mod layers;
mod load;
mod settings;
mod state;
mod test;
mod tools;
mod up;

#[test]
fn no_file_was_forgotten() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli");
    let source = include_str!("main.rs");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(module) = name.strip_suffix(".rs").filter(|module| *module != "main") else {
            continue;
        };
        assert!(source.contains(&format!("\nmod {module};\n")), "tests/cli/{name} is not run");
    }
}
