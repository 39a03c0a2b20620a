//! What must come before what on disk, and what is left when a call fails.

use std::time::{Duration, SystemTime};

use bytes::Bytes;

use super::support_tests::{Temp, noise};
use crate::serve::s3::store::disk::watch::Watch;
use crate::serve::s3::store::{Condition, Durability, Options, Store, StoreError};

const FIRST: &str = "log/0000000000000001.log";

#[tokio::test]
async fn the_end_of_the_log_is_durable_before_anything_follows_from_it() {
    let mut temp = Temp::new().await;
    temp.put("k", &noise(70_000, 1)).await;
    temp.close();
    let first = std::fs::File::options().write(true).open(temp.dir.path().join(FIRST)).unwrap();
    first.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    let unused = temp.dir.path().join("bodies/00000000000000ff");
    std::fs::write(&unused, "that no record names").unwrap();

    let watch = Watch::of(temp.dir.path());
    let sync = format!("sync {FIRST}");
    watch.fail(Some(&sync));
    assert!(Store::open(temp.dir.path(), temp.options.clone()).is_err());
    assert!(unused.exists());
    watch.fail(None);
    temp.reopen();
    let steps = [sync.as_str(), "sync log", "remove bodies/00000000000000ff"];
    let [log, names, removed] = steps.map(|step| watch.position(step).unwrap());
    assert!(log < removed && names < removed, "{:?}", watch.steps());
    let written = first.metadata().unwrap().modified().unwrap();
    assert_ne!(written, SystemTime::UNIX_EPOCH, "pages that are clean may not be on disk");
    assert_eq!(temp.read("k", None).await, noise(70_000, 1));
}

#[tokio::test]
async fn a_segment_that_could_not_be_removed_leaves_no_gap() {
    let relaxed =
        Options { durability: Durability::Relaxed, segment_size: 4096, ..Options::default() };
    let mut temp = Temp::with(relaxed).await;
    let watch = Watch::of(temp.dir.path());
    let step = format!("remove {FIRST}");
    watch.fail(Some(&step));
    for n in 0..40 {
        temp.put("k", &noise(1000, n)).await;
    }
    watch.wait_for(&format!("failed {step}"));
    for n in 0..40 {
        temp.put("k", &noise(1000, n)).await;
    }
    temp.reopen();
    watch.fail(None);
    for n in 0..41 {
        temp.put("k", &noise(1000, n)).await;
    }
    watch.wait_for(&step);
    temp.reopen();
    assert_eq!(temp.read("k", None).await, noise(1000, 40));
}

#[tokio::test]
async fn a_segment_that_could_not_be_made_is_not_the_last_one() {
    let mut temp = Temp::with(Options { segment_size: 4096, ..Options::default() }).await;
    let watch = Watch::of(temp.dir.path());
    watch.fail(Some("sync log"));
    for n in 0..8 {
        temp.put(&n.to_string(), &noise(1000, n)).await;
    }
    temp.close();
    watch.fail(None);
    let second = temp.dir.path().join("log/0000000000000002.log");
    assert_ne!(std::fs::metadata(&second).unwrap().len(), 0);
    // The end of what was being written is torn, as is what came after the new
    // segment's own frame.
    let first = std::fs::File::options().write(true).open(temp.dir.path().join(FIRST)).unwrap();
    first.set_len(first.metadata().unwrap().len() - 3).unwrap();
    let mut bytes = std::fs::read(&second).unwrap();
    bytes.extend_from_slice(b"S3L\x01torn");
    std::fs::write(&second, bytes).unwrap();

    for _ in 0..2 {
        temp.reopen();
        for n in 0..7 {
            assert_eq!(temp.read(&n.to_string(), None).await, noise(1000, n));
        }
        assert!(matches!(temp.head("b", "7", None), Err(StoreError::NoSuchKey(_))));
        temp.put("next", b"next").await;
    }
}

#[tokio::test]
async fn nothing_more_is_kept_after_a_sync_that_failed() {
    let mut temp = Temp::new().await;
    temp.put("k", b"before").await;
    let mut open = temp.body_writer();
    open.write(Bytes::from(noise(70_000, 1))).await.unwrap();
    let finished = temp.object(&noise(70_000, 2)).await;
    let watch = Watch::of(temp.dir.path());
    watch.fail(Some(&format!("sync {FIRST}")));
    let failed = temp.put_if("k", &noise(70_000, 3), Condition::default()).await;
    assert!(matches!(failed, Err(StoreError::Io { .. })), "{failed:?}");
    watch.fail(None);
    assert!(temp.failure().is_some());

    let refused = temp.put_object("b", "k", finished, Condition::default()).await;
    assert!(matches!(refused, Err(StoreError::ReadOnly(_))), "{refused:?}");
    let refused = open.write(Bytes::from(noise(2_000_000, 4))).await;
    assert!(matches!(refused, Err(StoreError::ReadOnly(_))), "{refused:?}");
    drop(open);
    let refused = temp.body_writer().write(Bytes::from(noise(70_000, 5))).await;
    assert!(matches!(refused, Err(StoreError::ReadOnly(_))), "{refused:?}");
    // The record of the third may be on disk, and names it.
    temp.await_body_files(1);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(temp.body_files(), 1);
    assert_eq!(temp.read("k", None).await, b"before");
    temp.reopen();
    temp.put("k", b"after").await;
    temp.await_body_files(0);
}
