//! Objects, versions, conditions, locks.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use jiff::SignedDuration;

use super::support_tests::{Temp, bucket, md5, noise, read};
use crate::serve::s3::store::{
    Condition, DeleteOptions, Durability, ETagMatch, NewBucket, ObjectMeta, ObjectUpdate, Options,
    Retention, RetentionMode, Store, StoreError, VersionId, Versioning,
};

const LARGE: usize = 3_000_000;

#[tokio::test]
async fn what_was_written_is_there_after_a_restart() {
    let mut temp = Temp::new().await;
    let large = noise(LARGE, 1);
    let mut object = temp.object(b"small").await;
    object.meta.user.insert("colour".to_owned(), "blue".to_owned());
    let meta = object.meta.clone();
    temp.put_object("b", "small", object, Condition::default()).await.unwrap();
    temp.put("large", &large).await;
    temp.put("empty", b"").await;
    temp.put_config("b", "cors", Bytes::from_static(b"<CORS/>")).await.unwrap();
    let before = temp.figures();
    temp.reopen();
    assert_eq!(temp.figures(), before);
    assert_eq!((before.objects, before.bytes), (3, 5 + LARGE as u64));
    assert_eq!(temp.read("small", None).await, b"small");
    assert_eq!(temp.read("large", None).await, large);
    assert_eq!(temp.read("empty", None).await, b"");
    let head = temp.head("b", "small", None).unwrap();
    assert_eq!((head.meta, head.summary.etag), (meta, md5(b"small")));
    assert_eq!(temp.config("b", "cors").unwrap().unwrap(), "<CORS/>");
    assert_eq!(temp.bucket("b").unwrap().region, "eu-central-1");
}

#[tokio::test]
async fn ranges_are_exact_and_large_bodies_are_shared() {
    let temp = Temp::new().await;
    let large = noise(LARGE, 2);
    temp.put("large", &large).await;
    let (object, reader) = temp.get("b", "large", None).unwrap();
    for (start, end) in [(0, 1), (524_287, 524_290), (2_999_999, 3_000_000), (7, 7)] {
        let stream = reader.stream(start as u64..end as u64).unwrap();
        assert_eq!(stream.remaining(), (end - start) as u64);
        let chunks: Vec<Bytes> = stream.try_collect().await.unwrap();
        assert_eq!(chunks.concat(), &large[start..end]);
    }
    assert!(matches!(reader.stream(0..3_000_001), Err(StoreError::Range { .. })));

    let mut copy = temp.object(b"").await;
    copy.body = reader.share(0..reader.len()).unwrap();
    copy.etag = object.summary.etag;
    temp.put_object("b", "copy", copy, Condition::default()).await.unwrap();
    drop(reader);
    assert_eq!(temp.body_files(), 1);
    temp.delete("large", None).await;
    assert_eq!(temp.read("copy", None).await, large);
    temp.delete("copy", None).await;
    temp.await_body_files(0);
}

#[tokio::test]
async fn reading_goes_on_when_the_object_goes() {
    let temp = Temp::new().await;
    let large = noise(LARGE, 3);
    temp.put("k", &large).await;
    let (_, reader) = temp.get("b", "k", None).unwrap();
    let mut stream = reader.stream(0..reader.len()).unwrap();
    drop(reader);
    let mut found = stream.next().await.unwrap().unwrap().to_vec();
    temp.put("k", b"other").await;
    temp.delete("k", None).await;
    while let Some(chunk) = stream.next().await {
        found.extend_from_slice(&chunk.unwrap());
    }
    assert_eq!(found, large);
    drop(stream);
    temp.await_body_files(0);
}

#[tokio::test]
async fn nothing_is_left_of_a_body_that_is_not_used() {
    let temp = Temp::new().await;
    let body = temp.body(&noise(LARGE, 4)).await;
    assert_eq!(temp.body_files(), 1);
    drop(body);
    temp.await_body_files(0);
    let mut writer = temp.body_writer();
    writer.write(Bytes::from(noise(LARGE, 5))).await.unwrap();
    drop(writer);
    temp.await_body_files(0);
}

#[tokio::test]
async fn versions_follow_the_state_of_the_bucket() {
    let temp = Temp::new().await;
    assert_eq!(temp.put("k", b"1").await.version_id, VersionId::Null);
    temp.set_versioning("b", Versioning::Enabled).await.unwrap();
    let second = temp.put("k", b"2").await.version_id;
    assert_ne!(second, VersionId::Null);
    assert_eq!(temp.read("k", Some(VersionId::Null)).await, b"1");

    let marker = temp.delete("k", None).await;
    assert!(marker.delete_marker);
    assert!(matches!(temp.head("b", "k", None), Err(StoreError::DeleteMarker { .. })));
    assert!(matches!(
        temp.head("b", "k", marker.version_id),
        Err(StoreError::DeleteMarker { version_id, .. }) if Some(version_id) == marker.version_id
    ));
    assert_eq!(temp.read("k", Some(second)).await, b"2");

    temp.set_versioning("b", Versioning::Suspended).await.unwrap();
    assert_eq!(temp.put("k", b"3").await.version_id, VersionId::Null);
    assert_eq!(temp.read("k", None).await, b"3");
    assert_eq!(temp.figures().versions, 2, "the null version was replaced");
    let marker = temp.delete("k", None).await;
    assert_eq!(marker.version_id, Some(VersionId::Null));
    assert_eq!((temp.figures().versions, temp.figures().delete_markers), (1, 2));

    let gone = temp.delete("k", marker.version_id).await;
    assert!(gone.delete_marker && gone.changed);
    assert!(!temp.delete("k", marker.version_id).await.changed);
    assert!(matches!(
        temp.set_versioning("b", Versioning::Unversioned).await,
        Err(StoreError::InvalidBucketState(_))
    ));
}

#[tokio::test]
async fn of_many_writers_who_want_to_be_first_one_is() {
    let temp = Temp::new().await;
    let condition = Condition { if_none_match: Some(ETagMatch::Any), ..Condition::default() };
    let writes = (0..20).map(|n| {
        let (temp, condition) = (&temp, condition.clone());
        async move { temp.put_if("k", format!("{n}").as_bytes(), condition).await }
    });
    let results = futures::future::join_all(writes).await;
    let (won, lost): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 19));
    for error in lost {
        assert!(matches!(error, Err(StoreError::PreconditionFailed("If-None-Match"))), "{error:?}");
    }
    assert_eq!(won[0].as_ref().unwrap().etag, temp.head("b", "k", None).unwrap().summary.etag);
}

#[tokio::test]
async fn conditions_see_the_current_version() {
    let temp = Temp::new().await;
    let is = |bytes: &[u8]| Condition {
        if_match: Some(ETagMatch::OneOf(vec![md5(bytes)])),
        ..Condition::default()
    };
    let missing = temp.put_if("k", b"1", is(b"0")).await;
    assert!(matches!(missing, Err(StoreError::NoSuchKey(_))));
    let first = temp.put("k", b"1").await;
    let other = temp.put_if("k", b"2", is(b"0")).await;
    assert!(matches!(other, Err(StoreError::PreconditionFailed("If-Match"))));
    temp.put_if("k", b"2", is(b"1")).await.unwrap();
    let stale = Condition {
        if_current: Some(temp.head("b", "k", None).unwrap().summary.stamp - 1),
        ..Condition::default()
    };
    for condition in [is(b"1"), stale] {
        let options = DeleteOptions { condition, ..DeleteOptions::default() };
        let refused = temp.delete_object("b", "k", options).await;
        assert!(matches!(refused, Err(StoreError::PreconditionFailed(_))), "{refused:?}");
    }
    assert_eq!(first.version_id, VersionId::Null);
    let options = DeleteOptions { condition: is(b"2"), ..DeleteOptions::default() };
    assert!(temp.delete_object("b", "k", options).await.unwrap().changed);
}

#[tokio::test]
async fn locks_hold_until_their_time() {
    let mut temp = Temp::new().await;
    let locked = NewBucket { object_lock: true, ..bucket("locked") };
    temp.create_bucket(locked).await.unwrap();
    let mut object = temp.object(b"kept").await;
    let until = temp.clock().now() + SignedDuration::from_hours(24);
    object.meta.retention = Some(Retention { mode: RetentionMode::Governance, until });
    let written = temp.put_object("locked", "k", object, Condition::default()).await.unwrap();
    let version = Some(written.version_id);
    temp.update_object("locked", "k", version, ObjectUpdate::LegalHold(true)).await.unwrap();
    temp.reopen();

    let delete = |bypass_governance| DeleteOptions {
        version,
        bypass_governance,
        ..DeleteOptions::default()
    };
    let refused = temp.delete_object("locked", "k", delete(true)).await;
    assert!(matches!(refused, Err(StoreError::Locked { reason: "legal hold", .. })));
    temp.update_object("locked", "k", version, ObjectUpdate::LegalHold(false)).await.unwrap();
    let refused = temp.delete_object("locked", "k", delete(false)).await;
    assert!(matches!(refused, Err(StoreError::Locked { reason: "retention", .. })));
    let weaker = ObjectUpdate::Retention { value: None, bypass_governance: false };
    let refused = temp.update_object("locked", "k", version, weaker).await;
    assert!(matches!(refused, Err(StoreError::Locked { .. })));
    let marker = temp.delete_object("locked", "k", DeleteOptions::default()).await.unwrap();
    assert!(marker.delete_marker, "a delete marker removes nothing");

    temp.clock().advance(SignedDuration::from_hours(25));
    assert!(temp.delete_object("locked", "k", delete(false)).await.unwrap().changed);
    assert!(temp.set_versioning("locked", Versioning::Suspended).await.is_err());
}

#[tokio::test]
async fn tags_change_in_place() {
    let mut temp = Temp::new().await;
    let large = noise(LARGE, 6);
    for (key, bytes) in [("small", b"small".as_slice()), ("large", &large)] {
        temp.put(key, bytes).await;
        let before = temp.head("b", key, None).unwrap().summary;
        let tags = BTreeMap::from([("a".to_owned(), "1".to_owned())]);
        temp.update_object("b", key, None, ObjectUpdate::Tags(tags.clone())).await.unwrap();
        temp.reopen();
        let after = temp.head("b", key, None).unwrap();
        assert_eq!((after.meta.tags, after.summary.tag_count), (tags, 1));
        assert_eq!((after.summary.stamp, after.summary.etag), (before.stamp, before.etag));
        assert_eq!(temp.read(key, None).await, bytes);
    }
}

#[tokio::test]
async fn a_bucket_goes_only_when_empty() {
    let mut temp = Temp::new().await;
    let taken = temp.create_bucket(bucket("b")).await;
    assert!(matches!(taken, Err(StoreError::BucketAlreadyExists(_))));
    temp.put("k", b"1").await;
    assert!(matches!(temp.delete_bucket("b").await, Err(StoreError::BucketNotEmpty(_))));
    temp.delete("k", None).await;
    temp.delete_bucket("b").await.unwrap();
    temp.create_bucket(bucket("b")).await.unwrap();
    temp.put("other", b"2").await;
    temp.create_bucket(bucket("a")).await.unwrap();
    temp.reopen();
    let names = |prefix, after, max| -> Vec<String> {
        temp.buckets(prefix, after, max).into_iter().map(|bucket| bucket.name).collect()
    };
    assert_eq!(names("", "", 9), ["a", "b"]);
    assert_eq!(names("", "a", 9), ["b"]);
    assert_eq!(names("a", "", 9), ["a"]);
    assert_eq!(names("", "", 1), ["a"]);
    assert!(matches!(temp.head("b", "k", None), Err(StoreError::NoSuchKey(_))));
    assert_eq!(temp.read("other", None).await, b"2");
}

#[tokio::test]
async fn a_folder_has_one_user() {
    let temp = Temp::new().await;
    let second = Store::open(temp.dir.path(), Options::default());
    assert!(matches!(second, Err(StoreError::InUse(_))), "{second:?}");
}

#[tokio::test]
async fn the_log_is_compacted_and_nothing_is_lost() {
    let durability = Durability::Relaxed;
    let mut temp =
        Temp::with(Options { segment_size: 16 * 1024, durability, ..Options::default() }).await;
    temp.set_versioning("b", Versioning::Enabled).await.unwrap();
    let large = noise(100_000, 7);
    temp.put("kept/large", &large).await;
    let first = temp.put("kept/small", b"first").await.version_id;
    temp.put("kept/small", b"second").await;
    temp.put_config("b", "lifecycle", Bytes::from_static(b"<L/>")).await.unwrap();
    for n in 0..1500_u32 {
        let written = temp.put("busy", &noise(300, n)).await;
        temp.delete("busy", Some(written.version_id)).await;
    }
    let begin = std::time::Instant::now();
    while temp.log_figures().bytes > 100_000 {
        assert!(begin.elapsed().as_secs() < 20, "waiting for compaction: {:?}", temp.log_figures());
        tokio::task::yield_now().await;
    }
    for _ in 0..2 {
        assert_eq!(temp.read("kept/large", None).await, large);
        assert_eq!(temp.read("kept/small", Some(first)).await, b"first");
        assert_eq!(temp.read("kept/small", None).await, b"second");
        assert_eq!(temp.config("b", "lifecycle").unwrap().unwrap(), "<L/>");
        assert!(temp.head("b", "busy", None).is_err());
        temp.reopen();
    }
}

#[tokio::test]
async fn damaged_bytes_are_not_given_out() {
    let mut temp = Temp::new().await;
    temp.put("first", &[7; 1000]).await;
    temp.put("second", b"2").await;
    let log = temp.dir.path().join("log/0000000000000001.log");
    let mut bytes = std::fs::read(&log).unwrap();
    let at = bytes.windows(100).position(|window| window == [7; 100]).unwrap();
    bytes[at] = 8;
    std::fs::write(&log, &bytes).unwrap();
    let error = read(&temp, "b", "first", None).await.unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    let options = temp.options.clone();
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("log")).unwrap();
    std::fs::write(dir.path().join("log/0000000000000001.log"), &bytes).unwrap();
    let opened = Store::open(dir.path(), options);
    assert!(matches!(opened, Err(StoreError::Damaged { .. })), "{opened:?}");
    bytes[at] = 7;
    std::fs::write(&log, &bytes).unwrap();
    temp.reopen();
    assert_eq!(temp.read("first", None).await, [7; 1000]);
}

#[tokio::test]
async fn limits_are_kept() {
    let temp = Temp::new().await;
    for key in [String::new(), "k".repeat(1025)] {
        let refused = temp.put_if(&key, b"", Condition::default()).await;
        assert!(matches!(refused, Err(StoreError::KeyLength(_))));
    }
    let mut object = temp.object(b"").await;
    object.meta = ObjectMeta::default();
    object.meta.extra.insert("x".to_owned(), "x".repeat(17 << 20));
    let refused = temp.put_object("b", "k", object, Condition::default()).await;
    assert!(matches!(refused, Err(StoreError::TooLarge { .. })));
    let document = Bytes::from(vec![b'x'; (1 << 20) + 1]);
    assert!(matches!(
        temp.put_config("b", "policy", document).await,
        Err(StoreError::TooLarge { .. })
    ));
    temp.put("after", b"1").await;
}

#[tokio::test]
async fn a_bucket_has_its_documents_from_the_start() {
    let mut temp = Temp::new().await;
    let configs = |document| [("cors".to_owned(), document)].into();
    let large = NewBucket { configs: configs(vec![0; (1 << 20) + 1].into()), ..bucket("large") };
    let refused = temp.create_bucket(large).await;
    assert!(matches!(refused, Err(StoreError::TooLarge { .. })), "{refused:?}");
    let commits = temp.log_figures().commits;
    let new = NewBucket { configs: configs(Bytes::from_static(b"<CORS/>")), ..bucket("c") };
    temp.create_bucket(new).await.unwrap();
    assert_eq!(temp.log_figures().commits, commits + 1);
    temp.reopen();
    assert_eq!(temp.config("c", "cors").unwrap().unwrap(), "<CORS/>");
}
