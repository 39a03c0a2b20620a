//! Stands in for `helm` in the black-box tests: answers from the script named by `FAKE_HELM`.

mod script;

fn main() -> std::process::ExitCode {
    script::play("helm", "FAKE_HELM")
}
