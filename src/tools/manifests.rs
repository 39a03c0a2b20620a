//! Manifest sets in the cache, and the way there when they are missing.
//!
//! Owns reading, downloading and splitting them. Every byte is checked against the catalogue.
//! Must not decide which set is needed, or send it anywhere.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Client;
use sha2::{Digest, Sha256};

use crate::catalogue::{JOINT, ManifestSet};
use crate::error::{Context, Error, Kind, Result};

/// How long one file may take; the largest has less than a megabyte.
const DOWNLOAD: Duration = Duration::from_secs(60);

/// One document of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Document<'a> {
    /// What it is, such as `CustomResourceDefinition`.
    pub kind: &'a str,
    /// Its name, such as `certificates.cert-manager.io`.
    pub name: &'a str,
    /// The document itself.
    pub text: &'a str,
}

impl<'a> Document<'a> {
    /// The API group that a definition adds to: what follows its plural name.
    #[must_use]
    pub fn group(&self) -> Option<&'a str> {
        if self.kind != "CustomResourceDefinition" {
            return None;
        }
        self.name.split_once('.').map(|(_, group)| group)
    }
}

/// The text of a set: from the cache, else downloaded into it. Definitions come without their
/// conversion webhooks, as the program that would serve them is not there.
///
/// # Errors
/// [`Kind::Machine`] when it is neither there nor to be had, or its checksum is not the
/// catalogue's.
pub async fn read(cache: &Path, name: &str, set: &ManifestSet) -> Result<String> {
    let file = path(cache, name, set);
    let missing = match cached(&file, set).await {
        Ok(text) => return Ok(without_conversion(&text)),
        Err(why) => why,
    };
    let text = download(name, set).await.map_err(|error| {
        // The file that is wrong or missing comes first: with it there is no need to download.
        Error::new(
            Kind::Machine,
            format!("the definitions of `{name}` {} are not here", set.version),
        )
        .because(Error::new(Kind::Machine, missing).because(error))
        .hint(format!("images/manifests {name}"))
    })?;
    write(&file, &text).context(Kind::Machine, || format!("cannot write `{}`", file.display()))?;
    Ok(without_conversion(&text))
}

/// Whether the cache has a set, whole and right.
pub async fn is_cached(cache: &Path, name: &str, set: &ManifestSet) -> bool {
    cached(&path(cache, name, set), set).await.is_ok()
}

fn path(cache: &Path, name: &str, set: &ManifestSet) -> PathBuf {
    cache.join("manifests").join(set.file_name(name))
}

async fn cached(file: &Path, set: &ManifestSet) -> Result<String, String> {
    let bytes = tokio::fs::read(file)
        .await
        .map_err(|error| format!("cannot read `{}`: {error}", file.display()))?;
    verified(bytes, set).map_err(|why| format!("`{}`: {why}", file.display()))
}

/// Splits a manifest into its documents; those that hold only comments are left out.
///
/// Kind and name are read by their place in the text: a full parse of the largest set takes half a
/// second in the dev profile, this three milliseconds.
#[must_use]
pub fn documents(manifest: &str) -> Vec<Document<'_>> {
    let is_comment = |line: &str| line.trim().is_empty() || line.starts_with('#') || line == "---";
    // The line end before a joint belongs to the document.
    manifest
        .split_inclusive("\n---\n")
        .map(|text| text.strip_suffix("---\n").unwrap_or(text))
        .map(|text| text.strip_prefix("---\n").unwrap_or(text))
        .filter(|text| !text.lines().all(is_comment))
        .map(|text| Document {
            kind: text.lines().find_map(|line| value(line, "kind")).unwrap_or_default(),
            name: below(text, "metadata", "name").unwrap_or_default(),
            text,
        })
        .collect()
}

/// The value of a key in a mapping that is not indented.
fn below<'a>(text: &'a str, mapping: &str, key: &str) -> Option<&'a str> {
    let lines = text.lines().skip_while(|line| line.strip_suffix(':') != Some(mapping)).skip(1);
    let mut inside = lines.take_while(|line| line.starts_with(' ')).peekable();
    let first = indent(inside.peek()?);
    inside.find_map(|line| if indent(line) == first { value(&line[first..], key) } else { None })
}

fn value<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let value = line.strip_prefix(key)?.strip_prefix(':')?.trim();
    Some(value.trim_matches(['"', '\'']))
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Leaves out `spec.conversion`, so that versions of a kind differ in name only.
fn without_conversion(manifest: &str) -> String {
    let mut inside = false;
    let kept = manifest.split_inclusive('\n').filter(|line| {
        inside = line.trim_end() == "  conversion:" || (inside && indent(line) > 2);
        !inside
    });
    kept.collect()
}

/// The text, when its checksum is the catalogue's; else what is wrong.
fn verified(bytes: Vec<u8>, set: &ManifestSet) -> Result<String, String> {
    let sum = format!("{:x}", Sha256::digest(&bytes));
    if sum != set.sha256 {
        return Err(format!("its checksum is {sum}, the catalogue says {}", set.sha256));
    }
    String::from_utf8(bytes).map_err(|error| error.to_string())
}

async fn download(name: &str, set: &ManifestSet) -> Result<String> {
    let urls = set
        .urls()
        .ok_or_else(|| Error::new(Kind::Machine, format!("`{name}` has no address to download")))?;
    let client = Client::builder()
        .user_agent(concat!("sandbox/", env!("CARGO_PKG_VERSION")))
        .timeout(DOWNLOAD)
        .build()
        .context(Kind::Machine, || "cannot set up TLS".to_owned())?;
    let files = urls.iter().map(|url| fetch(&client, url));
    let files = futures::future::try_join_all(files).await?;
    verified(files.join(JOINT).into_bytes(), set)
        .map_err(|why| Error::new(Kind::Machine, format!("what was downloaded is not it: {why}")))
}

async fn fetch(client: &Client, url: &str) -> Result<String> {
    let get = async { client.get(url).send().await?.error_for_status()?.text().await };
    get.await.context(Kind::Machine, || format!("cannot download `{url}`"))
}

/// In one rename, so that nobody reads half of it.
fn write(file: &Path, text: &str) -> std::io::Result<()> {
    let folder = file.parent().unwrap_or(file);
    std::fs::create_dir_all(folder)?;
    let mut scratch = tempfile::NamedTempFile::new_in(folder)?;
    std::io::Write::write_all(&mut scratch, text.as_bytes())?;
    scratch.persist(file)?;
    Ok(())
}

#[cfg(test)]
mod tests;
