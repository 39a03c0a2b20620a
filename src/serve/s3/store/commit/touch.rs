//! Which changes may share a batch. A change is decided on what is applied, so
//! two changes of one thing must not be in the same batch: the later one waits
//! for the next, and so does whatever comes after it and touches the same.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::sync::LazyLock;

use super::super::version::{UploadId, VersionId};

static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// What a change reads or writes, as hashes; two things with the same hash only
/// wait for each other needlessly.
#[derive(Debug)]
pub(in super::super) struct Touches(Vec<(u64, Kind)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Together with others of this kind.
    Shared,
    /// Alone.
    Alone,
}

impl Touches {
    /// The bucket itself, and all that is in it.
    pub(in super::super) fn bucket(bucket: &str) -> Self {
        Self(vec![(hash((bucket,)), Kind::Alone)])
    }

    /// A key in a bucket: its versions, and which of them is the current one.
    pub(in super::super) fn key(bucket: &str, key: &str) -> Self {
        Self(vec![(hash((bucket,)), Kind::Shared), (hash((bucket, key)), Kind::Alone)])
    }

    /// One version of a key, for changes that ask for it by its id and care for no
    /// other one.
    pub(in super::super) fn version(bucket: &str, key: &str, id: VersionId) -> Self {
        Self(vec![
            (hash((bucket,)), Kind::Shared),
            (hash((bucket, key)), Kind::Shared),
            (hash((bucket, key, id)), Kind::Alone),
        ])
    }

    /// One part of an upload.
    pub(in super::super) fn part(bucket: &str, upload: UploadId, number: u32) -> Self {
        Self(vec![
            (hash((bucket,)), Kind::Shared),
            (hash(upload), Kind::Shared),
            (hash((upload, number)), Kind::Alone),
        ])
    }

    /// An upload and its parts.
    pub(in super::super) fn upload(bucket: &str, upload: UploadId) -> Self {
        Self(vec![(hash((bucket,)), Kind::Shared), (hash(upload), Kind::Alone)])
    }

    /// Together with `other`.
    pub(in super::super) fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }
}

/// What the changes of a batch touch, and those that wait.
#[derive(Debug, Default)]
pub(super) struct Touched(HashMap<u64, Kind>);

impl Touched {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether a change may go on; it is noted in any case.
    pub(super) fn admit(&mut self, touches: &Touches) -> bool {
        let free = touches.0.iter().all(|(hash, kind)| match self.0.get(hash) {
            None => true,
            Some(other) => (*kind, *other) == (Kind::Shared, Kind::Shared),
        });
        for &(hash, kind) in &touches.0 {
            let noted = self.0.entry(hash).or_insert(kind);
            if kind == Kind::Alone {
                *noted = kind;
            }
        }
        free
    }
}

fn hash(what: impl Hash) -> u64 {
    HASHER.hash_one(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_of_one_thing_wait_for_each_other() {
        let mut touched = Touched::default();
        assert!(touched.admit(&Touches::key("b", "1")));
        assert!(touched.admit(&Touches::key("b", "2")));
        assert!(!touched.admit(&Touches::key("b", "1")));
        assert!(!touched.admit(&Touches::bucket("b")));
        assert!(!touched.admit(&Touches::key("b", "3")), "nothing overtakes the bucket's change");
        assert!(touched.admit(&Touches::key("other", "1")));
    }

    #[test]
    fn versions_of_one_key_go_together() {
        let mut touched = Touched::default();
        let version = |number| Touches::version("b", "k", VersionId::Id(number));
        assert!(touched.admit(&version(1)));
        assert!(touched.admit(&version(2)));
        assert!(touched.admit(&Touches::version("b", "k", VersionId::Null)));
        assert!(touched.admit(&Touches::version("b", "other", VersionId::Id(2))));
        assert!(!touched.admit(&version(2)));
        assert!(!touched.admit(&Touches::key("b", "k")));
        assert!(!touched.admit(&version(3)), "nothing overtakes the key's change");
    }

    #[test]
    fn parts_of_one_upload_go_together() {
        let mut touched = Touched::default();
        let id = UploadId(1);
        assert!(touched.admit(&Touches::part("b", id, 1)));
        assert!(touched.admit(&Touches::part("b", id, 2)));
        assert!(!touched.admit(&Touches::part("b", id, 2)));
        assert!(!touched.admit(&Touches::upload("b", id)));
    }
}
