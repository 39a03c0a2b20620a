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
        let (what, hint) = in_words(error.without_snippet());
        let told = Error::new(Kind::Settings, format!("{shown}{place}: {what}"));
        match hint {
            Some(hint) => told.hint(hint),
            None => told,
        }
    })
}

/// What is wrong, in words for people who never saw the parser, and what was meant.
fn in_words(error: &serde_saphyr::Error) -> (String, Option<String>) {
    use serde_saphyr::Error as E;
    match error {
        E::SerdeUnknownField { field, expected, .. } => {
            (format!("there is no key `{field}` here"), suggestion(field, expected))
        }
        E::SerdeMissingField { field, .. } => (format!("the key `{field}` is missing"), None),
        E::SerdeUnknownVariant { variant, expected, .. } => {
            (format!("`{variant}` is none of {}", expected.join(", ")), None)
        }
        E::DuplicateMappingKey { key: Some(key), .. } => {
            (format!("the key `{key}` is given twice"), None)
        }
        E::InvalidScalar { ty, .. } => (format!("this is {}", not_a(ty)), None),
        E::Unexpected { expected, .. } => {
            (format!("{} is expected here", kind_in_words(expected)), None)
        }
        E::SerdeInvalidType { unexpected, expected, .. }
        | E::SerdeInvalidValue { unexpected, expected, .. } => {
            (format!("{expected} is expected here, not {unexpected}"), None)
        }
        other => (plain(other), None),
    }
}

/// What a value is not, by the parser's name of the type.
fn not_a(ty: &str) -> String {
    match ty {
        "u16" => "no whole number from 0 to 65535".to_owned(),
        "u32" => "no whole number".to_owned(),
        "boolean" => "neither `true` nor `false`".to_owned(),
        other => format!("no {other}"),
    }
}

/// What should be there, by the parser's name of it.
fn kind_in_words(name: &str) -> &str {
    match name {
        "sequence start" => "a list (lines that begin with `- `, or `[…]`)",
        "mapping start" => "a map (lines of `key: value`)",
        "string scalar" => "text",
        other => other,
    }
}

/// The parser's own message without its position, which is told elsewhere.
fn plain(error: &serde_saphyr::Error) -> String {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(first);
    let place = regex::Regex::new(r"(^line \d+ column \d+: )|( at line \d+,? column \d+$)");
    place.map_or_else(|_| first.to_owned(), |place| place.replace_all(first, "").into_owned())
}

/// "did you mean" for an unknown key, or the keys that there are.
fn suggestion(wrong: &str, known: &[&str]) -> Option<String> {
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
        insta::assert_snapshot!(fails("name: x\nprofil: eks\n"), @"
        sandbox.yaml:2:1: there is no key `profil` here
        did you mean `profile`?
        ");
    }

    #[test]
    fn a_nested_unknown_key_is_found_too() {
        insta::assert_snapshot!(fails("addons:\n  ingress-nginx:\n    confg: {}\n"), @"
        sandbox.yaml:3:5: there is no key `confg` here
        did you mean `config`?
        ");
    }

    #[test]
    fn a_wrong_type_has_a_position() {
        insta::assert_snapshot!(fails("ports:\n  http: eighty\n"), @"sandbox.yaml:2:9: this is no whole number from 0 to 65535");
    }

    #[test]
    fn a_switch_is_true_or_false() {
        let text = "registry-mirrors: {docker.io: {to: x, own-digests: maybe}}";
        insta::assert_snapshot!(fails(text), @"sandbox.yaml:1:52: this is neither `true` nor `false`");
    }

    #[test]
    fn broken_yaml_has_a_position() {
        insta::assert_snapshot!(fails("name: [x\n"), @"sandbox.yaml:1:7: text is expected here");
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
    fn every_yaml_block_of_the_documentation_is_a_valid_file() {
        let blocks = ["settings", "images", "addons", "profiles"]
            .map(|page| {
                let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
                std::fs::read_to_string(docs.join(format!("{page}.md"))).unwrap()
            })
            .into_iter()
            .flat_map(|page| {
                let blocks = page.split("```yaml\n").skip(1);
                blocks.map(|rest| rest.split("```").next().unwrap().to_owned()).collect::<Vec<_>>()
            });
        for block in blocks {
            parse(&block, "docs").unwrap_or_else(|error| panic!("{error}\nin:\n{block}"));
        }
    }

    #[test]
    fn an_empty_file_is_all_defaults() {
        assert!(parse("# nothing yet\n", "f").is_ok());
        assert!(parse("", "f").is_ok());
    }
}
