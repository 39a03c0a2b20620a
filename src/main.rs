//! The executable: hands arguments, environment and folder to the library.

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    // Only fails when a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cwd = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(sandbox::run(
            std::env::args_os().collect(),
            sandbox::env::Env::from_process(),
            cwd,
        )),
        Err(_) => ExitCode::FAILURE,
    }
}
