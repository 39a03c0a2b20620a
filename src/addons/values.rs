//! The values that the app's chart gets, with the addons' facts filled in.
//!
//! Owns which files need filling and the messages about what cannot be. Writes only into the
//! folder that it is given, for its owner alone, as facts may be secret.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::connection::{Fact, Unknown, fill_tree, refers};
use crate::error::{Context, Error, Kind, Result};
use crate::settings::App;
use crate::state::Scratch;

/// The value files to give to helm, in order: the app's own where they refer to no fact, filled
/// copies in `folder` where they do, and last what `sandbox.yaml` itself sets.
///
/// # Errors
/// [`Kind::Settings`] with file and position when a fact does not exist or a file is no YAML.
pub fn files(app: &App, shown: &str, facts: &[Fact], folder: &Scratch) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for (index, path) in app.values.iter().enumerate() {
        let text = std::fs::read_to_string(path)
            .context(Kind::Settings, || format!("cannot read `{}`", path.display()))?;
        if !refers(&text) {
            files.push(path.clone());
            continue;
        }
        let tree: Value = serde_saphyr::from_str(&text)
            .context(Kind::Settings, || format!("`{}` is no YAML", path.display()))?;
        let filled = fill_tree(&tree, facts).map_err(|unknown| {
            let place = position(&text, &unknown);
            Error::new(Kind::Settings, format!("{}{place}: {}", path.display(), unknown.told()))
        })?;
        files.push(write(folder.dir()?, &format!("{index}.yaml"), &filled)?);
    }
    if !app.set.is_empty() {
        let filled = fill_tree(&Value::Object(app.set.clone()), facts).map_err(|unknown| {
            Error::new(Kind::Settings, format!("{shown}: app.chart.set: {}", unknown.told()))
        })?;
        files.push(write(folder.dir()?, "set.yaml", &filled)?);
    }
    Ok(files)
}

fn position(text: &str, unknown: &Unknown) -> String {
    let Some(at) = text.find(&format!("${{{}}}", unknown.key)) else { return String::new() };
    let before = &text[..at];
    let line = before.matches('\n').count() + 1;
    let column = at - before.rfind('\n').map_or(0, |end| end + 1) + 1;
    format!(":{line}:{column}")
}

/// JSON is YAML.
fn write(folder: &Path, name: &str, values: &Value) -> Result<PathBuf> {
    let path = folder.join(name);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    file.as_mut()
        .map_err(|error| std::io::Error::new(error.kind(), error.to_string()))
        .and_then(|file| file.write_all(values.to_string().as_bytes()))
        .context(Kind::Machine, || format!("cannot write `{}`", path.display()))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Name;
    use crate::state::Place;

    fn app(values: &str) -> (tempfile::TempDir, App) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("v.yaml"), values).unwrap();
        let app = App {
            chart: dir.path().into(),
            release: "x".into(),
            namespace: "x".into(),
            values: vec![dir.path().join("v.yaml")],
            set: serde_json::Map::new(),
            timeout: std::time::Duration::from_secs(1),
            unready_after: std::time::Duration::from_secs(1),
        };
        (dir, app)
    }

    fn scratch(dir: &Path) -> Scratch {
        Scratch::of(&Place::new(dir.to_owned(), Name::new("x").unwrap()))
    }

    fn facts() -> Vec<Fact> {
        vec![Fact::same("redis.url", "redis://x\"y: z"), Fact::same("redis.port", "6379")]
    }

    #[test]
    fn a_file_that_refers_to_nothing_is_given_as_it_is() {
        let (dir, app) = app("a: ${HOME}\n");
        let files = files(&app, "sandbox.yaml", &facts(), &scratch(dir.path())).unwrap();
        assert_eq!(files, app.values);
    }

    #[test]
    fn facts_are_filled_in_whatever_characters_they_have() {
        let (dir, mut app) = app("redis: {url: '${redis.url}'}\n");
        app.set.insert("port".into(), "${redis.port}".into());
        let scratch = scratch(dir.path());
        let files = files(&app, "sandbox.yaml", &facts(), &scratch).unwrap();
        let read = |index: usize| std::fs::read_to_string(&files[index]).unwrap();
        assert_eq!(read(0), r#"{"redis":{"url":"redis://x\"y: z"}}"#);
        assert_eq!(read(1), r#"{"port":6379}"#);
    }

    #[test]
    fn what_does_not_exist_is_told_with_its_position() {
        let (dir, app) = app("a: 1\nredis: {url: '${redis.uri}'}\n");
        let error = files(&app, "sandbox.yaml", &facts(), &scratch(dir.path())).unwrap_err();
        let text = error.to_string();
        assert!(
            text.ends_with(
                "v.yaml:2:15: there is no `${redis.uri}`; there are: redis.url, redis.port"
            ),
            "{text}"
        );
    }
}
