//! What a command works with: the settings, the tools, the state folder and the reporter.
//!
//! Owns putting them together once. Must not decide anything.

use std::path::PathBuf;

use tokio_util::sync::CancellationToken;

use crate::catalogue::Catalogue;
use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::report::event::Events;
use crate::settings::Name;
use crate::state::Place;
use crate::tools::docker::Docker;
use crate::tools::helm::HelmTool;
use crate::tools::kind::KindTool;
use crate::tools::process;

/// Everything outside a command that it may use.
#[derive(Debug, Clone)]
pub struct World {
    /// The environment.
    pub env: Env,
    /// Working directory.
    pub cwd: PathBuf,
    /// The pinned list.
    pub catalogue: Catalogue,
    /// Where events go.
    pub events: Events,
    /// Cancelled by the first Ctrl-C or SIGTERM.
    pub cancel: CancellationToken,
}

impl World {
    /// The Docker engine.
    ///
    /// # Errors
    /// See [`Docker::connect`].
    pub fn docker(&self) -> Result<Docker> {
        Docker::connect(&self.env)
    }

    /// The state folder of a sandbox.
    ///
    /// # Errors
    /// [`Kind::Machine`] when there is no home to put it in.
    pub fn place(&self, name: &Name) -> Result<Place> {
        Ok(Place::new(self.state_root()?, name.clone()))
    }

    /// The folder for what can be had again: third-party manifests.
    ///
    /// # Errors
    /// [`Kind::Machine`] when there is no home to put it in.
    pub fn cache(&self) -> Result<PathBuf> {
        self.env.cache_dir().map(|dir| self.cwd.join(dir)).ok_or_else(|| {
            Error::new(Kind::Machine, "neither HOME nor XDG_CACHE_HOME is set")
                .hint("set XDG_CACHE_HOME to a folder of your own")
        })
    }

    /// The folder that holds the state of all sandboxes.
    ///
    /// # Errors
    /// [`Kind::Machine`] when there is no home to put it in.
    pub fn state_root(&self) -> Result<PathBuf> {
        self.env.state_dir().map(|dir| self.cwd.join(dir)).ok_or_else(|| {
            Error::new(Kind::Machine, "neither HOME nor XDG_STATE_HOME is set")
                .hint("set SANDBOX_STATE_DIR to a folder of your own")
        })
    }

    /// The program `kind`, of a version that works.
    ///
    /// # Errors
    /// [`Kind::Machine`] when it is missing or has another version.
    pub async fn kind(&self) -> Result<KindTool> {
        let path = self.find("kind")?;
        let tool = KindTool::new(path.clone(), self.env.for_children());
        self.check("kind", &path, &tool.version().await?)?;
        Ok(tool)
    }

    /// The program `helm`, of a version that works.
    ///
    /// # Errors
    /// [`Kind::Machine`] when it is missing or has another version.
    pub async fn helm(&self) -> Result<HelmTool> {
        let path = self.find("helm")?;
        let tool = HelmTool::new(path.clone(), self.env.for_children());
        self.check("helm", &path, &tool.version().await?)?;
        Ok(tool)
    }

    fn find(&self, program: &str) -> Result<PathBuf> {
        process::find(program, self.env.text("PATH"), &self.cwd)
    }

    fn check(&self, name: &str, path: &std::path::Path, version: &semver::Version) -> Result<()> {
        let tool = &self.catalogue.tools[name];
        if tool.accepts(version) {
            return Ok(());
        }
        Err(Error::new(
            Kind::Machine,
            format!(
                "`{}` is {name} {version}; {} or newer, below {}, is needed",
                path.display(),
                tool.minimum,
                tool.below
            ),
        )
        .hint("scripts/tools fetches or builds it and prints the folder to put first on PATH"))
    }
}
