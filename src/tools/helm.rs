//! The `helm` program: its verbs and its output.
//!
//! Owns every call of `helm`. Each call that reaches a cluster carries our own kubeconfig.
//! Must not decide what is installed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use semver::Version;

use crate::error::{Error, Kind, Result};
use crate::settings::App;
use crate::tools::process::{Cmd, RunError};

/// How long rendering a chart may take.
const RENDER_DEADLINE: Duration = Duration::from_secs(60);

/// The `helm` program at a path, with the environment it may see.
#[derive(Debug, Clone)]
pub struct HelmTool {
    program: PathBuf,
    env: Vec<(String, OsString)>,
}

impl HelmTool {
    /// The program at that path.
    #[must_use]
    pub fn new(program: PathBuf, env: Vec<(String, OsString)>) -> Self {
        Self { program, env }
    }

    /// Where it is.
    #[must_use]
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Its version.
    ///
    /// # Errors
    /// [`Kind::Machine`] when it does not run or says something else.
    pub async fn version(&self) -> Result<Version> {
        let output = Cmd::new(&self.program, "ask helm for its version")
            .args(["version", "--short"])
            .env(self.env.clone())
            .deadline(Duration::from_secs(10))
            .run()
            .await?;
        parse_version(&output.stdout).ok_or_else(|| {
            let said = output.stdout.trim();
            Error::new(Kind::Machine, format!("`helm version` said `{said}`, which is no version"))
        })
    }

    /// Renders the chart without a cluster, as for one that has these API versions beside
    /// Kubernetes' own.
    ///
    /// # Errors
    /// [`Kind::Settings`] with helm's own message, which names template and line.
    pub async fn template(&self, app: &App, kubernetes: &str, apis: &[String]) -> Result<String> {
        let command = Cmd::new(&self.program, "render the chart")
            .args(["template", &app.release])
            .arg(&app.chart)
            .args(["--namespace", &app.namespace, "--kube-version", kubernetes])
            .args(apis.iter().flat_map(|version| ["--api-versions", version.as_str()]))
            .args(values(app))
            .env(self.env.clone())
            .deadline(RENDER_DEADLINE);
        let output = command.try_run(|_| ()).await.map_err(|error| {
            let told = Error::new(
                Kind::Settings,
                format!("chart `{}` does not render", app.chart.display()),
            );
            let hint = missing_dependency(&error)
                .then(|| format!("helm dependency build {}", app.chart.display()));
            let told = told.because(error);
            match hint {
                Some(hint) => told.hint(hint),
                None => told.hint("the cluster was not touched"),
            }
        })?;
        Ok(output.stdout)
    }

    /// Installs or upgrades the release without waiting: waiting is done by watching.
    ///
    /// # Errors
    /// [`Kind::App`] with helm's own message.
    pub async fn upgrade(&self, app: &App, kubeconfig: &Path) -> Result<()> {
        self.on_cluster("install the chart", kubeconfig, app.timeout)
            .args(["upgrade", "--install", &app.release])
            .arg(&app.chart)
            .args(["--namespace", &app.namespace, "--create-namespace"])
            .arg(format!("--timeout={}s", app.timeout.as_secs()))
            .args(values(app))
            .try_run(|_| ())
            .await
            .map(|_| ())
            .map_err(|error| {
                let webhook = silent_webhook(error.stderr());
                let message = format!("release `{}` could not be installed", app.release);
                let told = Error::new(Kind::App, message).because(error);
                match webhook {
                    Some(name) => told.hint(format!(
                        "the webhook `{name}` has to agree and does not answer: `sandbox status` \
                         shows what is not ready, `sandbox up` repairs addons"
                    )),
                    None => told,
                }
            })
    }

    /// Goes back to the last revision that was deployed.
    ///
    /// # Errors
    /// [`Kind::App`] with helm's own message.
    pub async fn rollback(&self, app: &App, kubeconfig: &Path) -> Result<()> {
        self.on_cluster("roll the release back", kubeconfig, app.timeout)
            .args(["rollback", &app.release, "--namespace", &app.namespace])
            .run()
            .await
            .map(|_| ())
    }

    /// Removes the release.
    ///
    /// # Errors
    /// [`Kind::App`] with helm's own message.
    pub async fn uninstall(&self, app: &App, kubeconfig: &Path) -> Result<()> {
        self.on_cluster("remove the release", kubeconfig, app.timeout)
            .args(["uninstall", &app.release, "--namespace", &app.namespace, "--ignore-not-found"])
            .run()
            .await
            .map(|_| ())
    }

    fn on_cluster(&self, purpose: &str, kubeconfig: &Path, deadline: Duration) -> Cmd {
        Cmd::new(&self.program, purpose)
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .env(self.env.clone())
            .deadline(deadline + Duration::from_secs(10))
    }
}

fn values(app: &App) -> impl Iterator<Item = OsString> {
    app.values.iter().flat_map(|path| [OsString::from("--values"), path.into()])
}

fn missing_dependency(error: &RunError) -> bool {
    error.stderr().contains("missing in charts/ directory")
}

/// The webhook that the API server could not ask, out of its refusal.
fn silent_webhook(stderr: &str) -> Option<String> {
    let (_, rest) = stderr.split_once("failed calling webhook \"")?;
    rest.split_once('"').map(|(name, _)| name.to_owned())
}

/// The version in `v4.0.5+g1b6053d`.
fn parse_version(stdout: &str) -> Option<Version> {
    Version::parse(stdout.trim().trim_start_matches('v')).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_that_does_not_answer_is_named() {
        let said = "Error: Internal error occurred: failed calling webhook \"webhook.cert-manager.io\": \
                    failed to call webhook: Post \"https://cert-manager-webhook.cert-manager.svc:443/validate?\
                    timeout=10s\": dial tcp 10.96.4.5:443: connect: connection refused";
        assert_eq!(silent_webhook(said).as_deref(), Some("webhook.cert-manager.io"));
        assert_eq!(silent_webhook("Error: chart requires kubeVersion"), None);
    }

    #[test]
    fn the_version_is_read_from_what_helm_says() {
        assert_eq!(parse_version("v4.0.5+g1b6053d\n").unwrap().patch, 5);
        assert_eq!(parse_version("v3.19.0+g3d8990f").unwrap().major, 3);
        assert!(parse_version("Error: unknown command").is_none());
    }
}
