//! What must be there after a kill.

use std::collections::BTreeMap;
use std::path::Path;

use futures::TryStreamExt;
use sandbox::serve::s3::store::{Store, UploadQuery, VersionEntry, VersionQuery};

use crate::child::open;
use crate::content::origin;

/// A version: its id, the operation that wrote it (none for a delete marker) and
/// the one that tagged it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Version {
    id: String,
    origin: Option<u64>,
    tag: Option<u64>,
}

/// Versions of a key, newest first.
type Versions = Vec<Version>;

#[derive(Debug)]
struct Operation {
    kind: String,
    n: u64,
}

/// What was acknowledged, and what was begun and not acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Model {
    keys: BTreeMap<(String, String), Versions>,
    open: BTreeMap<(String, String), Operation>,
}

impl Model {
    /// Takes a line of the child; whether it acknowledges an operation.
    pub(crate) fn note(&mut self, line: &str) -> bool {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["op", "start", kind, bucket, key, n] => {
                let operation = Operation { kind: (*kind).to_owned(), n: n.parse().unwrap() };
                self.open.insert(((*bucket).to_owned(), (*key).to_owned()), operation);
                false
            }
            ["op", "done", kind, bucket, key, n, id] => {
                let place = ((*bucket).to_owned(), (*key).to_owned());
                self.open.remove(&place);
                let versions = self.keys.entry(place).or_default();
                apply(versions, kind, bucket, n.parse().unwrap(), id);
                true
            }
            // The test harness talks too.
            _ => false,
        }
    }

    /// Opens what the child left and compares; goes on from what is there.
    pub(crate) fn compare(&mut self, dir: &Path, round: u32) {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        let store = open(dir);
        let found = runtime.block_on(read_all(&store));
        let places = self.keys.keys().chain(found.keys()).chain(self.open.keys());
        for place in places.collect::<std::collections::BTreeSet<_>>() {
            let none = Versions::new();
            let expected = self.keys.get(place).unwrap_or(&none);
            let found = found.get(place).unwrap_or(&none);
            let open = self.open.get(place);
            let same = found == expected;
            let done = open.is_some_and(|open| is_done(expected, open, &place.0, found));
            assert!(
                same || done,
                "round {round}, {place:?}:\nacknowledged {expected:?}\nfound {found:?}\nopen {open:?}"
            );
        }
        self.keys = found;
        self.open.clear();
        runtime.block_on(abort_all(&store));
    }
}

/// Whether what was found is what the open operation makes of what was expected.
fn is_done(expected: &Versions, open: &Operation, bucket: &str, found: &Versions) -> bool {
    let id = match (open.kind.as_str(), bucket) {
        ("tag", _) => "tagged",
        ("delete", "plain") => "-",
        _ => found.first().map_or("-", |version| version.id.as_str()),
    };
    let mut then = expected.clone();
    apply(&mut then, &open.kind, bucket, open.n, id);
    &then == found
}

fn apply(versions: &mut Versions, kind: &str, bucket: &str, n: u64, id: &str) {
    match (kind, id) {
        ("tag", "tagged") => {
            if let Some(current) = versions.first_mut() {
                current.tag = Some(n);
            }
        }
        ("tag", _) => {}
        ("delete", "-") => versions.clear(),
        _ => {
            if bucket == "plain" {
                versions.clear();
            }
            let origin = (kind != "delete").then_some(n);
            versions.insert(0, Version { id: id.to_owned(), origin, tag: None });
        }
    }
}

/// All versions of all keys; each must be whole.
async fn read_all(store: &Store) -> BTreeMap<(String, String), Versions> {
    let mut all = BTreeMap::<_, Versions>::new();
    for bucket in store.buckets("", "", usize::MAX) {
        let query = VersionQuery { max_keys: usize::MAX, ..VersionQuery::default() };
        for entry in store.list_versions(&bucket.name, &query).unwrap().entries {
            let VersionEntry::Version(summary) = entry else { panic!("there is no delimiter") };
            let mut version =
                Version { id: summary.version_id.to_string(), origin: None, tag: None };
            if !summary.delete_marker {
                let got = store.get(&bucket.name, &summary.key, Some(summary.version_id));
                let (object, reader) = got.unwrap();
                let stream = reader.stream(0..reader.len()).unwrap();
                let chunks: Vec<bytes::Bytes> = stream.try_collect().await.unwrap();
                let origin = origin(&chunks.concat());
                assert!(origin.is_some(), "{summary:?} is not whole");
                version.origin = origin;
                version.tag = object.meta.tags.get("n").map(|n| n.parse().unwrap());
            }
            all.entry((bucket.name.clone(), summary.key)).or_default().push(version);
        }
    }
    all
}

/// Uploads that were under way are still there, and can be aborted.
async fn abort_all(store: &Store) {
    for bucket in store.buckets("", "", usize::MAX) {
        let query = UploadQuery { max: usize::MAX, ..UploadQuery::default() };
        for entry in store.list_uploads(&bucket.name, &query).unwrap().entries {
            let sandbox::serve::s3::store::UploadEntry::Upload(upload) = entry else {
                panic!("there is no delimiter")
            };
            store.abort_upload(&bucket.name, &upload.key, upload.id).await.unwrap();
        }
    }
    assert_eq!(store.figures().uploads, 0);
}
