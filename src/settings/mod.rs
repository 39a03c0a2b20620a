//! The settings in force, each with its origin.
//!
//! Owns what `sandbox.yaml`, profile, environment and flags mean together:
//! built-in < profile < file < environment < flag. Commands see only the result. Must not touch
//! Docker or the cluster.

pub mod addons;
pub mod checks;
pub mod file;
pub mod layers;
pub mod load;
pub mod name;
mod validate;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::catalogue::{Catalogue, Source};
use crate::env::{self, Env};
use crate::error::{Error, Kind, Result};
use crate::profile::Profile;
use crate::settings::addons::Addons;
use crate::settings::checks::Check;
use crate::settings::file::{AppImage, Entries, File, Mirror};
pub use crate::settings::layers::{Layered, Origin};
pub use crate::settings::name::Name;

/// Preferred port for plain HTTP when none is set.
pub const HTTP_PORT: u16 = 8080;
/// Preferred port for HTTPS when none is set.
pub const HTTPS_PORT: u16 = 8443;

/// What the command line says about settings.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--name`
    pub name: Option<String>,
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--profile`
    pub profile: Option<String>,
    /// `--images`
    pub images: Option<String>,
    /// `--http-port`
    pub http_port: Option<u16>,
    /// `--https-port`
    pub https_port: Option<u16>,
}

/// Everything a command needs to know, resolved.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The sandbox.
    pub name: Layered<Name>,
    /// Which cloud to answer like.
    pub profile: Layered<Profile>,
    /// Kubernetes version, such as `1.34.3`.
    pub kubernetes: Layered<String>,
    /// Where third-party images come from.
    pub source: Layered<Source>,
    /// Port for plain HTTP; absent = the first free one from [`HTTP_PORT`] on.
    pub http_port: Layered<Option<u16>>,
    /// Port for HTTPS; absent = the first free one from [`HTTPS_PORT`] on.
    pub https_port: Layered<Option<u16>>,
    /// The file that was read.
    pub file: Option<PathBuf>,
    /// Folder that paths in the file are relative to.
    pub root: PathBuf,
    /// Registry mirrors, by registry.
    pub mirrors: BTreeMap<String, Mirror>,
    /// The app's own images.
    pub images: Vec<AppImage>,
    /// The app, if there is one.
    pub app: Option<App>,
    /// Addons and their options.
    pub addons: Addons,
    /// Secrets for the app.
    pub secrets: Vec<Entries>,
    /// `ConfigMap`s for the app.
    pub config_maps: Vec<Entries>,
    /// The smoke tests.
    pub checks: Vec<Check>,
}

/// The app, with every default filled in.
#[derive(Debug, Clone)]
pub struct App {
    /// Folder of the chart.
    pub chart: PathBuf,
    /// Name of the Helm release.
    pub release: String,
    /// Namespace of the release.
    pub namespace: String,
    /// Value files, later ones win.
    pub values: Vec<PathBuf>,
    /// Values of `sandbox.yaml` itself, which win over all files.
    pub set: serde_json::Map<String, serde_json::Value>,
    /// How long the app may take to become ready.
    pub timeout: Duration,
    /// How long a running container may fail its readiness probe.
    pub unready_after: Duration,
}

impl Settings {
    /// Resolves all layers.
    ///
    /// # Errors
    /// [`Kind::Settings`] with every problem of the file at once, or [`Kind::Usage`] when a flag
    /// is wrong.
    pub fn resolve(flags: &Flags, env: &Env, cwd: &Path, catalogue: &Catalogue) -> Result<Self> {
        let path = match &flags.config {
            Some(path) if path.is_dir() => Some(path.join(load::FILE_NAME)),
            Some(path) => Some(path.clone()),
            None => load::find(cwd),
        };
        let file = path.as_deref().map(load::read).transpose()?.unwrap_or_default();
        Self::from_layers(flags, env, cwd, path, file, catalogue)
    }

    fn from_layers(
        flags: &Flags,
        env: &Env,
        cwd: &Path,
        path: Option<PathBuf>,
        file: File,
        catalogue: &Catalogue,
    ) -> Result<Self> {
        let root = path
            .as_deref()
            .and_then(Path::parent)
            .filter(|dir| !dir.as_os_str().is_empty())
            .map_or_else(|| cwd.to_owned(), |dir| cwd.join(dir));
        let shown = path.as_ref().map_or_else(String::new, |path| path.display().to_string());
        let in_file = || Origin::File(shown.clone());

        let folder = root.file_name().map(|name| name.to_string_lossy().into_owned());
        let own_name = Layered::built_in(Name::from_any(&folder.unwrap_or_default()))
            .or(parsed(file.name.as_deref(), Name::new, &in_file())?, in_file);
        let name = own_name
            .clone()
            .or(parsed(env.text(env::NAME), Name::new, &in_env(env::NAME))?, || in_env(env::NAME))
            .or(parsed(flags.name.as_deref(), Name::new, &flag("--name"))?, || flag("--name"));
        let profile = Layered::built_in(Profile::minimal())
            .or(parsed(file.profile.as_deref(), Profile::named, &in_file())?, in_file)
            .or(parsed(env.text(env::PROFILE), Profile::named, &in_env(env::PROFILE))?, || {
                in_env(env::PROFILE)
            })
            .or(parsed(flags.profile.as_deref(), Profile::named, &flag("--profile"))?, || {
                flag("--profile")
            });
        let source = Layered::built_in(Source::Auto)
            .or(parsed(file.source.as_deref(), Source::named, &in_file())?, in_file)
            .or(parsed(env.text(env::IMAGES), Source::named, &in_env(env::IMAGES))?, || {
                in_env(env::IMAGES)
            })
            .or(parsed(flags.images.as_deref(), Source::named, &flag("--images"))?, || {
                flag("--images")
            });
        let version = |asked: &str| catalogue.kubernetes(asked);
        let kubernetes = Layered::built_in(catalogue.kubernetes_version().to_owned())
            .or(parsed(file.kubernetes.as_deref(), version, &in_file())?, in_file);
        let http_port = Layered::built_in(None)
            .or(file.ports.http.map(Some), in_file)
            .or(flags.http_port.map(Some), || flag("--http-port"));
        let https_port = Layered::built_in(None)
            .or(file.ports.https.map(Some), in_file)
            .or(flags.https_port.map(Some), || flag("--https-port"));

        let app = file.app.as_ref().map(|app| App::resolve(app, &root, &own_name.value));
        let settings = Self {
            name,
            profile,
            kubernetes,
            source,
            http_port,
            https_port,
            file: path,
            mirrors: file.registry_mirrors,
            images: file.images,
            app,
            addons: file.addons,
            secrets: file.secrets,
            config_maps: file.config_maps,
            checks: file.checks,
            root,
        };
        validate::all(&settings)?;
        Ok(settings)
    }

    /// The name of the settings file for messages.
    #[must_use]
    pub fn shown(&self) -> String {
        self.file
            .as_ref()
            .map_or_else(|| load::FILE_NAME.to_owned(), |path| path.display().to_string())
    }

    /// The same settings for another sandbox on free ports, for a run that is taken down again.
    #[must_use]
    pub fn ephemeral(mut self, suffix: &str) -> Self {
        let mut stem = self.name.value.as_str().to_owned();
        stem.truncate(39 - suffix.len());
        self.name.value = Name::from_any(&format!("{stem}-{suffix}"));
        self.name.origin = Origin::Flag("--ephemeral");
        self.http_port = Layered { value: None, origin: Origin::Flag("--ephemeral") };
        self.https_port = Layered { value: None, origin: Origin::Flag("--ephemeral") };
        self
    }

    /// Every value with its origin, for `status --settings`.
    #[must_use]
    pub fn table(&self) -> Vec<(&'static str, String, &Origin)> {
        let port = |port: Option<u16>| port.map_or_else(|| "first free".into(), |p| p.to_string());
        vec![
            ("name", self.name.value.to_string(), &self.name.origin),
            ("profile", self.profile.value.name.clone(), &self.profile.origin),
            ("kubernetes", self.kubernetes.value.clone(), &self.kubernetes.origin),
            ("source", self.source.value.to_string(), &self.source.origin),
            ("ports.http", port(self.http_port.value), &self.http_port.origin),
            ("ports.https", port(self.https_port.value), &self.https_port.origin),
        ]
    }
}

impl App {
    /// `name` is the project's own name: another name for the sandbox does not rename what is in
    /// it.
    fn resolve(app: &file::App, root: &Path, name: &Name) -> Self {
        let release = app.chart.release.clone().unwrap_or_else(|| name.as_str().to_owned());
        let or = |given: Option<jiff::SignedDuration>, seconds| {
            given
                .and_then(|given| Duration::try_from(given).ok())
                .unwrap_or(Duration::from_secs(seconds))
        };
        Self {
            chart: root.join(&app.chart.path),
            namespace: app.chart.namespace.clone().unwrap_or_else(|| release.clone()),
            release,
            values: app.chart.values.iter().map(|path| root.join(path)).collect(),
            set: app.chart.set.clone(),
            timeout: or(app.timeout, 300),
            unready_after: or(app.unready_after, 60),
        }
    }
}

fn in_env(name: &'static str) -> Origin {
    Origin::Environment(name)
}

fn flag(name: &'static str) -> Origin {
    Origin::Flag(name)
}

/// Parses a value of one layer; the error says which layer it came from.
fn parsed<T>(
    text: Option<&str>,
    parse: impl Fn(&str) -> Result<T, String>,
    origin: &Origin,
) -> Result<Option<T>> {
    let kind = if matches!(origin, Origin::Flag(_)) { Kind::Usage } else { Kind::Settings };
    text.map(parse).transpose().map_err(|message| Error::new(kind, format!("{origin}: {message}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(flags: &Flags, env: &[(&str, &str)], file: &str) -> Result<Settings> {
        let catalogue = Catalogue::built_in();
        let file = load::parse(file, "sandbox.yaml")?;
        Settings::from_layers(
            flags,
            &Env::of(env),
            Path::new("/somewhere/My App"),
            None,
            file,
            &catalogue,
        )
    }

    #[test]
    fn flag_beats_environment_beats_file_beats_default() {
        let none = Flags::default();
        let flags = Flags { name: Some("f".into()), ..Flags::default() };
        let env = [("SANDBOX_NAME", "e")];
        let name = |s: Result<Settings>| s.unwrap().name.value.to_string();
        assert_eq!(name(resolve(&none, &[], "")), "my-app");
        assert_eq!(name(resolve(&none, &[], "name: y")), "y");
        assert_eq!(name(resolve(&none, &env, "name: y")), "e");
        assert_eq!(name(resolve(&flags, &env, "name: y")), "f");
    }

    #[test]
    fn an_unknown_profile_names_the_known_ones_and_where_it_was_set() {
        let error = resolve(&Flags::default(), &[("SANDBOX_PROFILE", "gke")], "").unwrap_err();
        assert_eq!(error.kind(), Kind::Settings);
        insta::assert_snapshot!(error, @"environment SANDBOX_PROFILE: there is no profile `gke`; there are: doks, eks, k3s-ec2, minimal");
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let text = "
app: {chart: {path: nowhere, values: [missing.yaml]}}
images: [{ref: 'A B'}, {ref: x, build: {context: gone}}]
checks: [{name: a}, {name: a, http: {url: 'ftp://x'}}]
";
        let error = resolve(&Flags::default(), &[], text).unwrap_err();
        insta::assert_snapshot!(error, @"
        sandbox.yaml: app.chart.path: there is no chart in `/somewhere/My App/nowhere` (no Chart.yaml)
        sandbox.yaml: app.chart.values[0]: no file `/somewhere/My App/missing.yaml`
        sandbox.yaml: images[0].ref: `A B` is no image reference
        sandbox.yaml: images[1].build.context: no folder `/somewhere/My App/gone`
        sandbox.yaml: checks[0]: `a` has no kind; give one of http, redis, postgres, s3, telemetry, tls, hpa, resource, certificate, volume, metrics
        sandbox.yaml: checks[1].http.url: `ftp://x` is no http(s) URL
        sandbox.yaml: checks[1].name: `a` is used twice
        ");
    }

    #[test]
    fn another_name_for_the_sandbox_does_not_rename_the_release() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("Chart.yaml"), "name: x").unwrap();
        let text = format!("name: studio\napp: {{chart: {{path: {:?}}}}}", dir.path());
        let settings = resolve(&Flags::default(), &[("SANDBOX_NAME", "other")], &text).unwrap();
        assert_eq!(settings.name.value.as_str(), "other");
        assert_eq!(settings.app.unwrap().release, "studio");
    }

    #[test]
    fn an_ephemeral_run_never_meets_the_developers_own_sandbox() {
        let settings = resolve(&Flags::default(), &[], "name: studio\nports: {http: 80}").unwrap();
        let other = settings.clone().ephemeral("t1a2");
        assert_ne!(other.name.value, settings.name.value);
        assert_eq!(other.http_port.value, None);
    }
}
