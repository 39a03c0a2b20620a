//! The process environment, read once and passed on as a value.
//!
//! Owns every variable this program looks at. Nothing else reads the environment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

/// Folder for state (records, kubeconfigs); default `$XDG_STATE_HOME/sandbox`.
pub const STATE_DIR: &str = "SANDBOX_STATE_DIR";
/// Folder for what can be made again (tools, manifests); default `$XDG_CACHE_HOME/sandbox`. The
/// scripts of a checkout use the same.
pub const CACHE_DIR: &str = "SANDBOX_CACHE";
/// Where the catalogue's images come from: `auto`, `registry` or `packages`.
pub const IMAGES: &str = "SANDBOX_IMAGES";
/// Name of the sandbox; beats `name:` in `sandbox.yaml`.
pub const NAME: &str = "SANDBOX_NAME";
/// Profile; beats `profile:` in `sandbox.yaml`.
pub const PROFILE: &str = "SANDBOX_PROFILE";
/// Folder of the checkout this program runs from; set by `scripts/sandbox`.
pub const CHECKOUT: &str = "SANDBOX_CHECKOUT";
/// The node that a server runs on; in the cluster its pod says so.
pub const NODE_NAME: &str = "NODE_NAME";
/// What a check that runs in a pod is to look at; holds keys.
pub const PROBE: &str = "SANDBOX_PROBE";
/// Name of the step to die in (as if by kill -9), for the crash tests: `before:STEP` or
/// `after:STEP`.
#[cfg(debug_assertions)]
pub const CRASH: &str = "SANDBOX_TEST_CRASH";

/// A snapshot of the environment.
#[derive(Debug, Clone, Default)]
pub struct Env(BTreeMap<String, OsString>);

impl Env {
    /// Reads the environment of this process.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    #[must_use]
    pub fn from_process() -> Self {
        Self(
            std::env::vars_os()
                .filter_map(|(key, value)| Some((key.into_string().ok()?, value)))
                .collect(),
        )
    }

    /// Makes an environment from pairs, for tests.
    #[must_use]
    pub fn of(pairs: &[(&str, &str)]) -> Self {
        Self(pairs.iter().map(|(k, v)| ((*k).to_owned(), OsString::from(v))).collect())
    }

    /// The value as text; empty and non-UTF-8 values count as absent.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str()).filter(|value| !value.is_empty())
    }

    /// The value as a path; empty values count as absent.
    #[must_use]
    pub fn path(&self, key: &str) -> Option<PathBuf> {
        self.0.get(key).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    /// What children may see: enough to find programs and the engine, and nothing that points a
    /// tool at another cluster or carries cloud credentials.
    #[must_use]
    pub fn for_children(&self) -> Vec<(String, OsString)> {
        const KEPT: [&str; 20] = [
            "PATH",
            CACHE_DIR,
            "HOME",
            "USER",
            "LANG",
            "TMPDIR",
            "XDG_CACHE_HOME",
            "XDG_CONFIG_HOME",
            "XDG_DATA_HOME",
            "XDG_RUNTIME_DIR",
            "DOCKER_HOST",
            "DOCKER_CERT_PATH",
            "DOCKER_TLS_VERIFY",
            "HTTP_PROXY",
            "HTTPS_PROXY",
            "NO_PROXY",
            "http_proxy",
            "https_proxy",
            "no_proxy",
            "SSL_CERT_FILE",
        ];
        self.0
            .iter()
            .filter(|(key, _)| KEPT.contains(&key.as_str()) || key.starts_with("FAKE_"))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    }

    /// The folder that holds one folder for each sandbox.
    #[must_use]
    pub fn state_dir(&self) -> Option<PathBuf> {
        self.path(STATE_DIR)
            .or_else(|| self.path("XDG_STATE_HOME").map(|dir| dir.join("sandbox")))
            .or_else(|| self.path("HOME").map(|home| home.join(".local/state/sandbox")))
    }

    /// The folder for what can be made again, shared with the scripts of a checkout.
    #[must_use]
    pub fn cache_dir(&self) -> Option<PathBuf> {
        self.path(CACHE_DIR)
            .or_else(|| self.path("XDG_CACHE_HOME").map(|dir| dir.join("sandbox")))
            .or_else(|| self.path("HOME").map(|home| home.join(".cache/sandbox")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_never_see_kubeconfig_or_credentials() {
        let env = Env::of(&[
            ("PATH", "/bin"),
            ("KUBECONFIG", "/prod"),
            ("AWS_SECRET_ACCESS_KEY", "x"),
            ("HELM_KUBECONTEXT", "prod"),
        ]);
        let names: Vec<_> = env.for_children().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["PATH"]);
    }

    #[test]
    fn the_state_folder_prefers_its_own_variable() {
        let env = Env::of(&[("SANDBOX_STATE_DIR", "/s"), ("HOME", "/home/x")]);
        assert_eq!(env.state_dir(), Some(PathBuf::from("/s")));
        let env = Env::of(&[("HOME", "/home/x")]);
        assert_eq!(env.state_dir(), Some(PathBuf::from("/home/x/.local/state/sandbox")));
    }

    #[test]
    fn the_cache_is_where_the_scripts_have_it() {
        let env = Env::of(&[("SANDBOX_CACHE", "/c"), ("XDG_CACHE_HOME", "/x"), ("HOME", "/h")]);
        assert_eq!(env.cache_dir(), Some(PathBuf::from("/c")));
        let env = Env::of(&[("XDG_CACHE_HOME", "/x"), ("HOME", "/h")]);
        assert_eq!(env.cache_dir(), Some(PathBuf::from("/x/sandbox")));
        let env = Env::of(&[("HOME", "/h")]);
        assert_eq!(env.cache_dir(), Some(PathBuf::from("/h/.cache/sandbox")));
    }
}
