//! A store in a temporary folder.

use bytes::Bytes;
use futures::TryStreamExt;
use jiff::Timestamp;
use md5::{Digest, Md5};
use tempfile::TempDir;

use crate::serve::s3::store::{
    Body, Clock, Condition, DeleteOptions, Deleted, ETag, NewBucket, NewObject, ObjectMeta,
    Options, Store, StoreError, VersionId, Written,
};

pub(super) const START: &str = "2026-01-01T00:00:00Z";

pub(super) struct Temp {
    pub(super) dir: TempDir,
    pub(super) options: Options,
    store: Option<Store>,
}

impl std::ops::Deref for Temp {
    type Target = Store;

    fn deref(&self) -> &Store {
        self.store.as_ref().unwrap()
    }
}

impl Temp {
    /// A store with an unversioned bucket `b`, whose clock stands still.
    pub(super) async fn new() -> Self {
        Self::with(Options::default()).await
    }

    pub(super) async fn with(options: Options) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let start: Timestamp = START.parse().unwrap();
        let options = Options { clock: Clock::frozen(start), ..options };
        let store = Store::open(dir.path(), options.clone()).unwrap();
        let temp = Self { dir, options, store: Some(store) };
        temp.create_bucket(bucket("b")).await.unwrap();
        temp
    }

    pub(super) fn close(&mut self) {
        self.store = None;
    }

    /// Closes the store and opens it again.
    pub(super) fn reopen(&mut self) {
        self.close();
        self.store = Some(Store::open(self.dir.path(), self.options.clone()).unwrap());
    }

    pub(super) async fn body(&self, bytes: &[u8]) -> Body {
        let mut writer = self.body_writer();
        for chunk in bytes.chunks(10_000) {
            writer.write(Bytes::copy_from_slice(chunk)).await.unwrap();
        }
        writer.finish().await.unwrap()
    }

    pub(super) async fn object(&self, bytes: &[u8]) -> NewObject {
        let (meta, body) = (ObjectMeta::default(), self.body(bytes).await);
        NewObject { meta, etag: md5(bytes), body, last_modified: None }
    }

    pub(super) async fn put(&self, key: &str, bytes: &[u8]) -> Written {
        self.put_if(key, bytes, Condition::default()).await.unwrap()
    }

    pub(super) async fn put_if(
        &self,
        key: &str,
        bytes: &[u8],
        condition: Condition,
    ) -> Result<Written, StoreError> {
        self.put_object("b", key, self.object(bytes).await, condition).await
    }

    pub(super) async fn delete(&self, key: &str, version: Option<VersionId>) -> Deleted {
        let options = DeleteOptions { version, ..DeleteOptions::default() };
        self.delete_object("b", key, options).await.unwrap()
    }

    pub(super) async fn read(&self, key: &str, version: Option<VersionId>) -> Vec<u8> {
        read(self, "b", key, version).await.unwrap()
    }

    pub(super) fn body_files(&self) -> usize {
        std::fs::read_dir(self.dir.path().join("bodies")).unwrap().count()
    }

    /// Waits until the folder of bodies has so many files.
    pub(super) fn await_body_files(&self, count: usize) {
        let begin = std::time::Instant::now();
        while self.body_files() != count {
            let waited = begin.elapsed().as_secs();
            assert!(waited < 10, "{} body files, waiting for {count}", self.body_files());
            std::thread::yield_now();
        }
    }
}

pub(super) async fn read(
    store: &Store,
    bucket: &str,
    key: &str,
    version: Option<VersionId>,
) -> Result<Vec<u8>, StoreError> {
    let (object, reader) = store.get(bucket, key, version)?;
    assert_eq!(object.summary.size, reader.len());
    let chunks: Vec<Bytes> = reader.stream(0..reader.len())?.try_collect().await?;
    Ok(chunks.concat())
}

pub(super) fn bucket(name: &str) -> NewBucket {
    NewBucket { name: name.to_owned(), region: "eu-central-1".to_owned(), ..NewBucket::default() }
}

pub(super) fn md5(bytes: &[u8]) -> ETag {
    ETag::of_md5(Md5::digest(bytes).into())
}

/// Bytes that differ from place to place.
pub(super) fn noise(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[1]
    };
    (0..len).map(step).collect()
}
