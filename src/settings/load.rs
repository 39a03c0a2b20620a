//! Finds `sandbox.yaml` and parses it strictly, with positions and suggestions.
//!
//! Owns the way from a path to a [`File`]. Must not resolve layers.

use std::path::{Path, PathBuf};

use crate::error::{Context, Error, Kind, Result};
use crate::settings::file::File;

/// The name of the file that is looked for.
pub const FILE_NAME: &str = "sandbox.yaml";

/// Looks for `sandbox.yaml` in `from` and its parents.
#[must_use]
pub fn find(from: &Path) -> Option<PathBuf> {
    from.ancestors().map(|dir| dir.join(FILE_NAME)).find(|path| path.is_file())
}

/// Reads and parses one file.
///
/// # Errors
/// [`Kind::Settings`] when the file cannot be read, with its path, or parsed, with the position.
pub fn read(path: &Path) -> Result<File> {
    let text = std::fs::read_to_string(path)
        .context(Kind::Settings, || format!("cannot read `{}`", path.display()))?;
    parse(&text, &path.display().to_string())
}

/// Parses the text of a file; `shown` is its name in messages.
///
/// # Errors
/// [`Kind::Settings`] with the position and, for an unknown key, the key that was meant.
pub fn parse(text: &str, shown: &str) -> Result<File> {
    if text.trim().is_empty() {
        return Ok(File::default());
    }
    serde_saphyr::from_str(text).map_err(|error| {
        let place = error
            .location()
            .map_or_else(String::new, |at| format!(":{}:{}", at.line(), at.column()));
        let what = plain(&error);
        let mut told = Error::new(Kind::Settings, format!("{shown}{place}: {what}"));
        if let Some(hint) = suggestion(&what) {
            told = told.hint(hint);
        }
        told
    })
}

/// The parser's message without its snippet and position, which are told elsewhere.
fn plain(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let first = text.lines().next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(first);
    let place = regex::Regex::new(r"(^line \d+ column \d+: )|( at line \d+,? column \d+$)");
    place.map_or_else(|_| first.to_owned(), |place| place.replace_all(first, "").into_owned())
}

/// "did you mean" out of a message like ``unknown field `x`, expected one of `a`, `b` ``.
fn suggestion(message: &str) -> Option<String> {
    let rest = &message[message.find("unknown field")?..];
    let mut quoted = rest.split('`').skip(1).step_by(2);
    let wrong = quoted.next()?;
    let known: Vec<&str> = quoted.collect();
    let near = known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(wrong, name), *name))
        .min()
        .filter(|(distance, _)| *distance <= 1 + wrong.len() / 3);
    match near {
        Some((_, name)) => Some(format!("did you mean `{name}`?")),
        None if known.is_empty() => None,
        None => Some(format!("the keys here are: {}", known.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails(text: &str) -> String {
        let error = parse(text, "sandbox.yaml").unwrap_err();
        format!("{error}\n{}", error.hints().join("\n"))
    }

    #[test]
    fn an_unknown_key_has_a_position_and_a_suggestion() {
        insta::assert_snapshot!(fails("name: x\nprofil: eks\n"), @"");
    }

    #[test]
    fn a_nested_unknown_key_is_found_too() {
        insta::assert_snapshot!(fails("addons:\n  ingress-nginx:\n    confg: {}\n"), @"");
    }

    #[test]
    fn a_wrong_type_has_a_position() {
        insta::assert_snapshot!(fails("ports:\n  http: eighty\n"), @"");
    }

    #[test]
    fn broken_yaml_has_a_position() {
        insta::assert_snapshot!(fails("name: [x\n"), @"");
    }

    #[test]
    fn an_addon_is_on_off_or_has_options() {
        let off = parse("addons: {ingress-nginx: false}", "f").unwrap();
        assert!(off.addons.ingress_nginx.options().is_none());
        for on in ["addons: {ingress-nginx: true}", "addons: {ingress-nginx: {}}", "name: x"] {
            assert!(parse(on, "f").unwrap().addons.ingress_nginx.options().is_some(), "{on}");
        }
    }

    #[test]
    fn an_empty_file_is_all_defaults() {
        assert!(parse("# nothing yet\n", "f").is_ok());
        assert!(parse("", "f").is_ok());
    }
}
