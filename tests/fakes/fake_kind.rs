//! Stands in for `kind` in the black-box tests: answers from the script named by `FAKE_KIND`.

mod script;

fn main() -> std::process::ExitCode {
    script::play("kind", "FAKE_KIND")
}
