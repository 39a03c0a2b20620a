//! Builds images through the engine's API, with BuildKit.
//!
//! Owns the build call and the packing of the context. Must not decide when to build.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::moby::buildkit::v1::StatusResponse;
use bollard::models::BuildInfoAux;
use bollard::query_parameters::{BuildImageOptionsBuilder, BuilderVersion};
use bytes::Bytes;
use futures::StreamExt;
use ignore::WalkBuilder;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use sha2::{Digest, Sha256};

use super::Docker;
use crate::error::{Context, Error, Kind, Result};

/// A build may take this long.
const BUILD_DEADLINE: Duration = Duration::from_secs(1800);
/// How many of a failed build's last lines are told.
const TAIL_LINES: usize = 15;

/// One image to build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildRequest {
    /// The name it gets.
    pub reference: String,
    /// Folder to build from.
    pub context: PathBuf,
    /// Dockerfile, relative to the context.
    pub dockerfile: PathBuf,
    /// Build arguments.
    pub args: Vec<(String, String)>,
    /// Stage to stop at.
    pub target: Option<String>,
    /// Network of `RUN` commands.
    pub network: Option<String>,
    /// Labels it gets.
    pub labels: Vec<(String, String)>,
}

impl BuildRequest {
    /// What the result depends on, as a hash: names, sizes, modes and times of the files, and the
    /// request itself. As cheap as listing the folder.
    ///
    /// # Errors
    /// [`Kind::Settings`] when the folder cannot be read.
    pub fn fingerprint(&self) -> Result<String> {
        use std::os::unix::fs::MetadataExt;
        let mut hash = Sha256::new();
        hash.update(format!("{self:?}"));
        for (path, metadata) in self.files()? {
            let stamp = (metadata.len(), metadata.mode(), metadata.mtime(), metadata.mtime_nsec());
            hash.update(format!("{}\0{stamp:?}\n", path.display()));
        }
        Ok(format!("{:x}", hash.finalize()))
    }

    /// The files of the context in a fixed order, without what `.dockerignore` leaves out.
    fn files(&self) -> Result<Vec<(PathBuf, std::fs::Metadata)>> {
        let read = || format!("cannot read the build context `{}`", self.context.display());
        let ignored = self.ignored().context(Kind::Settings, read)?;
        let mut files = Vec::new();
        let walk = WalkBuilder::new(&self.context)
            .standard_filters(false)
            .sort_by_file_name(Ord::cmp)
            .build();
        for entry in walk {
            let entry = entry.context(Kind::Settings, read)?;
            let metadata = entry.metadata().context(Kind::Settings, read)?;
            let relative = entry.path().strip_prefix(&self.context).unwrap_or(entry.path());
            let kept = relative == self.dockerfile || relative == Path::new(".dockerignore");
            let left_out =
                ignored.matched_path_or_any_parents(relative, metadata.is_dir()).is_ignore();
            if !metadata.is_dir() && (kept || !left_out) {
                files.push((relative.to_owned(), metadata));
            }
        }
        Ok(files)
    }

    fn ignored(&self) -> Result<Gitignore, ignore::Error> {
        let mut builder = GitignoreBuilder::new("");
        if let Ok(text) = std::fs::read_to_string(self.context.join(".dockerignore")) {
            for line in text.lines() {
                let line = line.trim();
                // Patterns of a .dockerignore start at the context's root.
                let rooted = match line.strip_prefix('!') {
                    Some(rest) => format!("!/{}", rest.trim_start_matches('/')),
                    None => format!("/{}", line.trim_start_matches('/')),
                };
                if !line.is_empty() && !line.starts_with('#') {
                    builder.add_line(None, &rooted)?;
                }
            }
        }
        builder.build()
    }

    /// The context as a tar.
    fn pack(&self) -> Result<Vec<u8>> {
        let read = || format!("cannot pack the build context `{}`", self.context.display());
        let mut tar = tar::Builder::new(Vec::new());
        tar.follow_symlinks(false);
        for (path, _) in self.files()? {
            tar.append_path_with_name(self.context.join(&path), &path)
                .context(Kind::Settings, read)?;
        }
        tar.into_inner().context(Kind::Settings, read)
    }
}

impl Docker {
    /// Builds an image; returns its id. `progress` gets the title of each build step.
    ///
    /// # Errors
    /// [`Kind::App`] with the build's last lines.
    pub async fn build(
        &self,
        request: &BuildRequest,
        mut progress: impl FnMut(String),
    ) -> Result<String> {
        let packed = {
            let request = request.clone();
            tokio::task::spawn_blocking(move || request.pack())
                .await
                .context(Kind::Unexpected, || "packing was cut off".to_owned())??
        };
        let args: HashMap<&str, &str> =
            request.args.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let labels: HashMap<&str, &str> =
            request.labels.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let dockerfile = request.dockerfile.to_string_lossy();
        let session = uuid::Uuid::new_v4().to_string();
        let mut options = BuildImageOptionsBuilder::default()
            .dockerfile(&dockerfile)
            .t(&request.reference)
            .buildargs(&args)
            .labels(&labels)
            .rm(true)
            .version(BuilderVersion::BuilderBuildKit)
            .session(&session);
        if let Some(target) = &request.target {
            options = options.target(target);
        }
        if let Some(network) = &request.network {
            options = options.networkmode(network);
        }
        let body = bollard::body_full(Bytes::from(packed));
        let mut log = BuildLog::default();
        let stream = self.client.build_image(options.build(), None, Some(body));
        let reading = async {
            let mut stream = std::pin::pin!(stream);
            while let Some(item) = stream.next().await {
                match item {
                    Ok(info) => {
                        if let Some(detail) = info.error_detail {
                            return Err(detail.message.unwrap_or_default());
                        }
                        if let Some(BuildInfoAux::BuildKit(status)) = info.aux {
                            log.take(status, &mut progress);
                        }
                    }
                    Err(error) => return Err(error.to_string()),
                }
            }
            Ok(())
        };
        let ended = tokio::time::timeout(BUILD_DEADLINE, reading)
            .await
            .unwrap_or_else(|_| Err(format!("not done within {}s", BUILD_DEADLINE.as_secs())));
        let shown = request.context.join(&request.dockerfile);
        if let Err(why) = ended {
            let told = Error::new(
                Kind::App,
                format!(
                    "image `{}` could not be built from `{}`",
                    request.reference,
                    shown.display()
                ),
            );
            let tail = log.tail();
            let why = Error::new(Kind::App, why);
            return Err(if tail.is_empty() {
                told.because(why)
            } else {
                told.because(Error::new(Kind::App, tail).because(why))
            });
        }
        let image = self.image(&request.reference).await?;
        image.map(|image| image.id).ok_or_else(|| {
            Error::new(Kind::App, format!("`{}` was built but is not there", request.reference))
        })
    }
}

/// What a build says, for progress and for the last lines of a failure.
#[derive(Debug, Default)]
struct BuildLog {
    lines: Vec<String>,
}

impl BuildLog {
    fn take(&mut self, status: StatusResponse, progress: &mut impl FnMut(String)) {
        for vertex in status.vertexes {
            let internal = vertex.name.starts_with("[internal]");
            if vertex.started.is_some() && vertex.completed.is_none() && !internal {
                progress(vertex.name);
            }
        }
        for log in status.logs {
            let text = String::from_utf8_lossy(&log.msg);
            self.lines.extend(text.lines().map(|line| line.trim_end().to_owned()));
        }
    }

    fn tail(&self) -> String {
        self.lines[self.lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(context: &Path) -> BuildRequest {
        BuildRequest {
            reference: "x:dev".into(),
            context: context.to_owned(),
            dockerfile: "Dockerfile".into(),
            args: vec![],
            target: None,
            network: None,
            labels: vec![],
        }
    }

    fn names(request: &BuildRequest) -> Vec<String> {
        let files = request.files().unwrap();
        files.into_iter().map(|(path, _)| path.display().to_string()).collect()
    }

    #[test]
    fn the_context_follows_dockerignore() {
        let dir = tempfile::tempdir().unwrap();
        for file in
            ["Dockerfile", "app.py", "node_modules/x.js", "keep.log", "drop.log", "a/drop.log"]
        {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, file).unwrap();
        }
        let ignore = "# comment\nnode_modules\n*.log\n!keep.log\nDockerfile\n";
        std::fs::write(dir.path().join(".dockerignore"), ignore).unwrap();
        let names = names(&request(dir.path()));
        assert_eq!(names, [".dockerignore", "Dockerfile", "a/drop.log", "app.py", "keep.log"]);
    }

    #[test]
    fn the_fingerprint_changes_with_a_file_and_not_without() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("Dockerfile"), "FROM scratch").unwrap();
        let request = request(dir.path());
        let before = request.fingerprint().unwrap();
        assert_eq!(request.fingerprint().unwrap(), before);
        std::fs::write(dir.path().join("Dockerfile"), "FROM scratch\n").unwrap();
        assert_ne!(request.fingerprint().unwrap(), before);
    }
}
