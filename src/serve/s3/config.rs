//! The configuration of a server: access keys, and what shall be there at the
//! start. It is read strictly and checked here; `seed` applies it.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

pub use super::auth::Key;

/// The longest configuration in bytes.
const MAX_TEXT: usize = 4 * 1024 * 1024;
/// The largest file that becomes part of the configuration, in bytes.
const MAX_INLINE: u64 = 512 * 1024;

/// The configuration, from a file in YAML or JSON. Unknown names are errors.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// The access keys that are known. Default: none, and then any access key
    /// is taken; the signature is compared only for the default pair.
    pub keys: Vec<Key>,
    /// Buckets that shall be there.
    pub buckets: Vec<BucketConfig>,
}

/// A bucket that shall be there. What is there already is kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BucketConfig {
    /// The name, by the rules of S3.
    pub name: String,
    /// The region. Default: the server's.
    #[serde(default)]
    pub region: Option<String>,
    /// Whether versions are kept. Default: no.
    #[serde(default)]
    pub versioning: bool,
    /// Whether object lock is on, which needs versions. Default: no.
    #[serde(default)]
    pub object_lock: bool,
    /// In short: objects, noncurrent versions and unfinished uploads are removed
    /// after so many days. Default: never.
    #[serde(default)]
    pub lifecycle_days: Option<u32>,
    /// Lifecycle rules. Default: none.
    #[serde(default)]
    pub lifecycle: Vec<LifecycleConfig>,
    /// CORS rules. Default: none.
    #[serde(default)]
    pub cors: Vec<CorsConfig>,
    /// Whether everyone may read all objects. Default: no.
    #[serde(default)]
    pub public: bool,
    /// Tags of the bucket. Default: none.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Objects that are written unless their key is there. Default: none.
    #[serde(default)]
    pub objects: Vec<ObjectConfig>,
}

/// A lifecycle rule in short.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct LifecycleConfig {
    /// The rule's name. Default: `rule-1` and so on.
    pub id: Option<String>,
    /// Only keys that begin so. Default: all.
    pub prefix: String,
    /// Only objects with these tags. Default: all.
    pub tags: BTreeMap<String, String>,
    /// Objects are removed after so many days.
    pub days: Option<i32>,
    /// Versions are removed so many days after they stopped being current.
    pub noncurrent_days: Option<i32>,
    /// Uploads are given up after so many days.
    pub abort_multipart_days: Option<i32>,
    /// Delete markers with nothing behind them are removed. Default: no.
    pub expired_delete_markers: bool,
}

/// A CORS rule. In place of it, a text is the one origin of a rule that allows
/// everything else.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CorsConfig {
    /// Origins, each with at most one `*`.
    pub origins: Vec<String>,
    /// Methods. Default: all that S3 knows.
    pub methods: Vec<String>,
    /// Headers that a request may have. Default: all.
    pub headers: Vec<String>,
    /// Headers that a page may read. Default: `ETag`.
    pub expose: Vec<String>,
    /// How long a browser may keep the answer. Default: not said.
    pub max_age_seconds: Option<i32>,
}

impl CorsConfig {
    fn of_origins(origins: Vec<String>) -> Self {
        Self {
            origins,
            methods: super::cors::METHODS.map(str::to_owned).to_vec(),
            headers: vec!["*".to_owned()],
            expose: vec!["ETag".to_owned()],
            max_age_seconds: None,
        }
    }
}

impl<'de> Deserialize<'de> for CorsConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CorsVisitor)
    }
}

/// Takes a text or a mapping, and says what is wrong with either.
struct CorsVisitor;

impl<'de> Visitor<'de> for CorsVisitor {
    type Value = CorsConfig;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an origin or a CORS rule")
    }

    fn visit_str<E: de::Error>(self, origin: &str) -> Result<CorsConfig, E> {
        Ok(CorsConfig::of_origins(vec![origin.to_owned()]))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<CorsConfig, A::Error> {
        const FIELDS: &[&str] = &["origins", "methods", "headers", "expose", "max-age-seconds"];
        let mut rule = CorsConfig::of_origins(Vec::new());
        let mut has_origins = false;
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "origins" => {
                    rule.origins = map.next_value()?;
                    has_origins = true;
                }
                "methods" => rule.methods = map.next_value()?,
                "headers" => rule.headers = map.next_value()?,
                "expose" => rule.expose = map.next_value()?,
                "max-age-seconds" => rule.max_age_seconds = map.next_value()?,
                other => return Err(de::Error::unknown_field(other, FIELDS)),
            }
        }
        if has_origins { Ok(rule) } else { Err(de::Error::missing_field("origins")) }
    }
}

/// An object that is written at the start. One of `text`, `base64` and `file`
/// says its bytes; none of them makes it empty.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ObjectConfig {
    /// The key.
    pub key: String,
    /// The bytes as text.
    #[serde(default)]
    pub text: Option<String>,
    /// The bytes in base64.
    #[serde(default)]
    pub base64: Option<String>,
    /// A file with the bytes, relative to the working directory.
    #[serde(default)]
    pub file: Option<PathBuf>,
    /// The content type. Default: `binary/octet-stream`.
    #[serde(default)]
    pub content_type: Option<String>,
    /// User metadata, names without `x-amz-meta-`. Default: none.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// It is too large.
    #[error("the configuration has more than {MAX_TEXT} bytes")]
    TooLarge,
    /// It is not of the right form.
    #[error("the configuration cannot be read: {0}")]
    Malformed(String),
}

impl Config {
    /// Reads a configuration in YAML or JSON.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] with line and column.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        if text.len() > MAX_TEXT {
            return Err(ConfigError::TooLarge);
        }
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        serde_saphyr::from_str(text).map_err(|error| ConfigError::Malformed(error.to_string()))
    }
}

impl BucketConfig {
    /// Checks what the types do not.
    ///
    /// # Errors
    ///
    /// What is wrong, in one sentence.
    pub fn check(&self) -> Result<(), String> {
        if !s3s::path::check_bucket_name(&self.name) {
            return Err(format!(
                "`{}` is no name for a bucket: 3 to 63 lower-case letters, digits, `-` and `.`",
                self.name
            ));
        }
        if self.object_lock && !self.versioning {
            return Err("`object-lock` needs `versioning: true`".to_owned());
        }
        if self.lifecycle_days == Some(0) {
            return Err("`lifecycle-days` must be at least 1".to_owned());
        }
        for rule in &self.lifecycle {
            rule.check()?;
        }
        for rule in &self.cors {
            let known = |method: &String| super::cors::METHODS.contains(&method.as_str());
            if rule.origins.is_empty() || rule.origins.iter().any(String::is_empty) {
                return Err("a CORS rule needs origins that are not empty".to_owned());
            }
            if rule.methods.is_empty() || !rule.methods.iter().all(known) {
                return Err("the methods of CORS are GET, PUT, POST, DELETE and HEAD".to_owned());
            }
        }
        let mut keys = std::collections::BTreeSet::new();
        for object in &self.objects {
            object.check()?;
            if !keys.insert(&object.key) {
                return Err(format!("the object `{}` is given twice", object.key));
            }
        }
        Ok(())
    }
}

impl LifecycleConfig {
    fn check(&self) -> Result<(), String> {
        let spans = [self.days, self.noncurrent_days, self.abort_multipart_days];
        if spans.iter().flatten().any(|days| *days < 1) {
            return Err("the days of a lifecycle rule must be at least 1".to_owned());
        }
        if spans.iter().all(Option::is_none) && !self.expired_delete_markers {
            return Err("a lifecycle rule needs `days`, `noncurrent-days`, `abort-multipart-days` or `expired-delete-markers`".to_owned());
        }
        if self.abort_multipart_days.is_some() && !self.tags.is_empty() {
            return Err(
                "uploads have no tags: give `abort-multipart-days` a rule of its own".to_owned()
            );
        }
        Ok(())
    }
}

impl ObjectConfig {
    fn check(&self) -> Result<(), String> {
        if self.key.is_empty() || self.key.len() > 1024 {
            return Err("the key of an object has 1 to 1024 bytes".to_owned());
        }
        let given = [self.text.is_some(), self.base64.is_some(), self.file.is_some()];
        if given.iter().filter(|given| **given).count() > 1 {
            return Err(format!(
                "give the object `{}` one of `text`, `base64` and `file`",
                self.key
            ));
        }
        if let Some(encoded) = &self.base64
            && STANDARD.decode(encoded.split_whitespace().collect::<String>()).is_err()
        {
            return Err(format!("the `base64` of the object `{}` is none", self.key));
        }
        Ok(())
    }

    /// Reads `file`, relative to `root` and at most 512 KiB, and puts its bytes
    /// in its place.
    ///
    /// # Errors
    ///
    /// What is wrong, in one sentence.
    pub fn inline(&mut self, root: &Path) -> Result<(), String> {
        self.check()?;
        let Some(file) = &self.file else { return Ok(()) };
        let path = root.join(file);
        let failed = |error: std::io::Error| format!("could not read {}: {error}", path.display());
        let mut bytes = Vec::new();
        let open = std::fs::File::open(&path).map_err(failed)?;
        open.take(MAX_INLINE + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > MAX_INLINE {
            return Err(format!("{} has more than {MAX_INLINE} bytes", path.display()));
        }
        self.base64 = Some(STANDARD.encode(bytes));
        self.file = None;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn yaml_and_json_are_read_strictly() {
        let yaml = "keys: [{access-key: a, secret-key: b}]\nbuckets:\n- name: exports\n  versioning: true\n  lifecycle: [{days: 7, prefix: tmp/}]\n  cors: [{origins: ['*']}]\n  objects: [{key: k, text: hello}]\n";
        let config = Config::parse(yaml).unwrap();
        assert_eq!(config.buckets[0].lifecycle[0].days, Some(7));
        assert_eq!(config.buckets[0].cors[0].methods.len(), 5);
        let json = r#"{"buckets":[{"name":"b","public":true}]}"#;
        assert!(Config::parse(json).unwrap().buckets[0].public);
        assert!(Config::parse("").unwrap().keys.is_empty());
        for bad in [
            "bucket: []",
            "buckets: [{nam: b}]",
            "buckets: [{}]",
            "keys: [{access-key: a}]",
            "buckets: [{name: b, cors: [{origin: x}]}]",
            "buckets: [{name: b, cors: [1]}]",
        ] {
            assert!(Config::parse(bad).is_err(), "{bad}");
        }
        assert!(!format!("{:?}", config.keys).contains("\"b\""));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let yaml = "buckets:\n- name: exports\n  lifecycle-days: 1\n  cors: ['https://a.example', {origins: [x], methods: [GET]}]\n";
        let config = Config::parse(yaml).unwrap();
        let cors = &config.buckets[0].cors;
        assert_eq!((cors[0].methods.len(), cors[1].methods.len()), (5, 1));
        let again = Config::parse(&serde_json::to_string(&config).unwrap()).unwrap();
        assert_eq!(again, config);
    }

    #[test]
    fn buckets_are_checked() {
        let checked = |yaml: &str| {
            let config = Config::parse(&format!("buckets: [{yaml}]")).unwrap();
            config.buckets[0].check()
        };
        assert_eq!(checked("{name: abc, versioning: true, object-lock: true}"), Ok(()));
        for bad in [
            "{name: Abc}",
            "{name: abc, object-lock: true}",
            "{name: abc, lifecycle-days: 0}",
            "{name: abc, lifecycle: [{days: 0}]}",
            "{name: abc, lifecycle: [{}]}",
            "{name: abc, cors: ['']}",
            "{name: abc, cors: [{origins: [x], methods: [BREW]}]}",
            "{name: abc, objects: [{key: ''}]}",
            "{name: abc, objects: [{key: a}, {key: a}]}",
            "{name: abc, objects: [{key: a, text: b, base64: ''}]}",
        ] {
            assert!(checked(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn files_become_part_of_the_configuration() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a"), "hello").unwrap();
        let mut object =
            ObjectConfig { key: "k".into(), file: Some("a".into()), ..ObjectConfig::default() };
        object.inline(dir.path()).unwrap();
        assert_eq!((object.base64.as_deref(), &object.file), (Some("aGVsbG8="), &None));
        let mut missing =
            ObjectConfig { key: "k".into(), file: Some("b".into()), ..ObjectConfig::default() };
        assert!(missing.inline(dir.path()).unwrap_err().contains("could not read"));
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "\\PC{0,120}") {
            let _ = Config::parse(&text);
        }
    }
}
