//! The log cut off at any byte: what a crash leaves when it was being written.

use std::path::Path;

use proptest::prelude::*;

use super::support_tests::{Temp, noise, read};
use crate::serve::s3::store::{Condition, Durability, Options, Store, StoreError, Versioning};

/// Copies a store's folder with the log cut to `len` bytes.
fn copy(from: &Path, to: &Path, len: usize) {
    for folder in ["log", "bodies"] {
        std::fs::create_dir_all(to.join(folder)).unwrap();
        for entry in std::fs::read_dir(from.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let target = to.join(folder).join(path.file_name().unwrap());
            std::fs::copy(&path, &target).unwrap();
        }
    }
    let log = std::fs::File::options().write(true).open(to.join("log/0000000000000001.log"));
    log.unwrap().set_len(len as u64).unwrap();
}

fn relaxed() -> Options {
    Options { durability: Durability::Relaxed, ..Options::default() }
}

#[tokio::test]
async fn wherever_the_log_ends_every_object_is_whole() {
    let temp = Temp::new().await;
    temp.set_versioning("b", Versioning::Enabled).await.unwrap();
    let log = temp.dir.path().join("log/0000000000000001.log");
    let size = || usize::try_from(std::fs::metadata(&log).unwrap().len()).unwrap();
    // After which length of the log each write was acknowledged.
    let mut written = Vec::new();
    let begin = size();
    for n in 0..12_u32 {
        let bytes = noise(if n % 4 == 3 { 70_000 } else { 50 }, n);
        let id = temp.put("k", &bytes).await.version_id;
        written.push((size(), id, bytes));
    }
    let end = size();
    let step = (end - begin) / 60;
    for len in (begin..=end).step_by(step).chain(written.iter().map(|(at, _, _)| *at)) {
        let cut = tempfile::tempdir().unwrap();
        copy(temp.dir.path(), cut.path(), len);
        let store = Store::open(cut.path(), relaxed()).unwrap();
        let mut bodies = 0;
        for (at, id, bytes) in &written {
            let found = read(&store, "b", "k", Some(*id)).await;
            if *at <= len {
                assert_eq!(&found.unwrap(), bytes, "cut at {len}");
                bodies += usize::from(bytes.len() > 50);
            } else {
                let missing = matches!(
                    found,
                    Err(StoreError::NoSuchVersion { .. } | StoreError::NoSuchKey(_))
                );
                assert!(missing, "cut at {len}: {found:?}");
            }
        }
        let files = std::fs::read_dir(cut.path().join("bodies")).unwrap().count();
        assert_eq!(files, bodies, "files without an object are removed");
        // What comes next is not mixed up with what was cut off.
        let next = temp.object(b"next").await;
        let (meta, etag) = (next.meta, next.etag);
        let mut writer = store.body_writer();
        writer.write(bytes::Bytes::from_static(b"next")).await.unwrap();
        let body = writer.finish().await.unwrap();
        let next = crate::serve::s3::store::NewObject { meta, etag, body, last_modified: None };
        store.put_object("b", "k", next, Condition::default()).await.unwrap();
        drop(store);
        let store = Store::open(cut.path(), relaxed()).unwrap();
        assert_eq!(read(&store, "b", "k", None).await.unwrap(), b"next");
    }
}

#[tokio::test]
async fn a_body_that_is_gone_is_told() {
    let mut temp = Temp::new().await;
    temp.put("k", &noise(70_000, 1)).await;
    let path = temp.dir.path().join("bodies").join(format!("{:016x}", 1));
    std::fs::File::options().write(true).open(&path).unwrap().set_len(69_999).unwrap();
    let copied = tempfile::tempdir().unwrap();
    let log = std::fs::metadata(temp.dir.path().join("log/0000000000000001.log")).unwrap().len();
    copy(temp.dir.path(), copied.path(), usize::try_from(log).unwrap());
    let opened = Store::open(copied.path(), Options::default());
    assert!(matches!(opened, Err(StoreError::Damaged { .. })), "{opened:?}");
    std::fs::write(&path, noise(70_000, 1)).unwrap();
    temp.reopen();
    assert_eq!(temp.read("k", None).await, noise(70_000, 1));
}

#[tokio::test]
async fn a_segment_that_was_about_to_be_used_is_removed() {
    let mut temp = Temp::new().await;
    temp.put("k", b"1").await;
    let log = temp.dir.path().join("log");
    for (number, content) in [(2, &b""[..]), (3, &b"S3L\x01torn"[..])] {
        std::fs::write(log.join(format!("{number:016x}.log")), content).unwrap();
    }
    // The end of the segment before them is torn.
    let first = log.join("0000000000000001.log");
    let mut bytes = std::fs::read(&first).unwrap();
    bytes.extend_from_slice(b"S3L");
    std::fs::write(&first, bytes).unwrap();
    temp.reopen();
    assert_eq!(std::fs::read_dir(&log).unwrap().count(), 1);
    temp.put("l", b"2").await;
    temp.reopen();
    assert_eq!(temp.read("k", None).await, b"1");
    assert_eq!(temp.read("l", None).await, b"2");
}

#[tokio::test]
async fn a_missing_segment_is_told() {
    let options = Options { segment_size: 4096, ..relaxed() };
    let temp = Temp::with(options.clone()).await;
    temp.set_versioning("b", Versioning::Enabled).await.unwrap();
    for n in 0..20 {
        temp.put("k", &noise(1000, n)).await;
    }
    let copied = tempfile::tempdir().unwrap();
    copy(temp.dir.path(), copied.path(), 4096);
    let opened = Store::open(copied.path(), options.clone());
    assert!(matches!(opened, Err(StoreError::Damaged { .. })), "cut off: {opened:?}");
    std::fs::remove_file(copied.path().join("log/0000000000000001.log")).unwrap();
    std::fs::remove_file(copied.path().join("log/0000000000000003.log")).unwrap();
    let opened = Store::open(copied.path(), options);
    assert!(matches!(opened, Err(StoreError::Damaged { .. })), "missing: {opened:?}");
}

/// A changed byte is found, or cuts off what was not synced after it; no object
/// is ever another one than was written.
#[test]
fn a_changed_byte_never_gives_other_objects() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let temp = runtime.block_on(Temp::with(relaxed()));
    runtime.block_on(async {
        for n in 0..10 {
            temp.put(&format!("{n}"), &noise(40, n)).await;
        }
    });
    let log = std::fs::read(temp.dir.path().join("log/0000000000000001.log")).unwrap();
    let config = ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() };
    proptest!(config, |(at in 0..log.len(), byte in any::<u8>())| {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("log")).unwrap();
        let mut changed = log.clone();
        changed[at] = byte;
        std::fs::write(dir.path().join("log/0000000000000001.log"), changed).unwrap();
        match Store::open(dir.path(), relaxed()) {
            Err(error) => prop_assert!(matches!(error, StoreError::Damaged { .. }), "{}", error),
            Ok(store) => for n in 0..10 {
                if let Ok(bytes) = runtime.block_on(read(&store, "b", &format!("{n}"), None)) {
                    prop_assert_eq!(bytes, noise(40, n));
                }
            }
        }
    });
}
