//! Multipart uploads.

use futures::TryStreamExt;

use super::support_tests::{Temp, bucket, md5, noise};
use crate::serve::s3::store::{
    Checksum, ChecksumAlgorithm, ChecksumKind, Completion, Condition, ETagMatch, NewPart,
    NewUpload, StoreError, Upload, UploadEntry, UploadQuery,
};

async fn begin(temp: &Temp, key: &str) -> Upload {
    let mut new = NewUpload::default();
    new.meta.storage_class = Some("GLACIER".to_owned());
    temp.create_upload("b", key, new).await.unwrap()
}

async fn part(temp: &Temp, upload: &Upload, number: u32, bytes: &[u8]) {
    let body = temp.body(bytes).await;
    let part = NewPart { etag: md5(bytes), checksum: None, body };
    temp.put_part("b", &upload.key, upload.id, number, part).await.unwrap();
}

#[tokio::test]
async fn parts_become_an_object_without_being_copied() {
    let mut temp = Temp::new().await;
    let upload = begin(&temp, "k").await;
    let (one, two) = (noise(300_000, 1), noise(10, 2));
    part(&temp, &upload, 1, b"replaced").await;
    part(&temp, &upload, 7, &two).await;
    part(&temp, &upload, 1, &one).await;
    part(&temp, &upload, 9, b"not wanted").await;
    temp.await_body_files(3);
    temp.reopen();
    assert_eq!((temp.figures().parts, temp.figures().part_bytes), (3, 300_020));
    let page = temp.list_parts("b", "k", upload.id, 0, 2).unwrap();
    assert_eq!(page.parts.iter().map(|part| part.number).collect::<Vec<_>>(), [1, 7]);
    assert!(page.truncated);
    assert_eq!(page.upload, upload);

    let checksum = Checksum {
        algorithm: ChecksumAlgorithm::Crc64Nvme,
        kind: ChecksumKind::FullObject,
        value: "AAAAAAAAAAA=".to_owned(),
    };
    let completion = Completion {
        parts: vec![(1, md5(&one)), (7, md5(&two))],
        checksum: Some(checksum.clone()),
        condition: Condition::default(),
    };
    let written = temp.complete_upload("b", "k", upload.id, completion.clone()).await.unwrap();
    let digests = [md5(&one).md5, md5(&two).md5].concat();
    assert_eq!(written.etag.to_string(), format!("{}-2", md5(&digests)));
    temp.await_body_files(2);
    for _ in 0..2 {
        assert_eq!(temp.read("k", None).await, [one.clone(), two.clone()].concat());
        let object = temp.head("b", "k", None).unwrap();
        assert_eq!(object.meta.checksum.as_ref(), Some(&checksum));
        assert_eq!(object.summary.storage_class.as_deref(), Some("GLACIER"));
        assert_eq!(
            object.meta.parts.iter().map(|part| part.size).collect::<Vec<_>>(),
            [300_000, 10]
        );
        assert_eq!((temp.figures().uploads, temp.figures().parts), (0, 0));
        temp.reopen();
    }
    let again = temp.complete_upload("b", "k", upload.id, completion).await;
    assert!(matches!(again, Err(StoreError::NoSuchUpload(_))));

    let (_, reader) = temp.get("b", "k", None).unwrap();
    let across: Vec<_> = reader.stream(299_999..300_002).unwrap().try_collect().await.unwrap();
    assert_eq!(across.concat(), [&one[299_999..], &two[..2]].concat());
    let upload = begin(&temp, "copy").await;
    let body = reader.share(299_999..300_002).unwrap();
    let new = NewPart { etag: md5(&across.concat()), checksum: None, body };
    temp.put_part("b", "copy", upload.id, 1, new).await.unwrap();
    let parts = vec![(1, md5(&across.concat()))];
    let completion = Completion { parts, ..Completion::default() };
    temp.complete_upload("b", "copy", upload.id, completion).await.unwrap();
    assert_eq!(temp.read("copy", None).await, across.concat());
}

#[tokio::test]
async fn wrong_completions_leave_the_upload_open() {
    let temp = Temp::new().await;
    temp.put("k", b"there").await;
    let upload = begin(&temp, "k").await;
    part(&temp, &upload, 1, b"1").await;
    part(&temp, &upload, 2, b"2").await;
    let (one, two) = ((1, md5(b"1")), (2, md5(b"2")));
    let refused =
        [vec![], vec![two, one], vec![one, one], vec![(1, md5(b"2"))], vec![one, (3, md5(b"3"))]];
    for parts in refused {
        let completion = Completion { parts, ..Completion::default() };
        let result = temp.complete_upload("b", "k", upload.id, completion).await;
        assert!(matches!(result, Err(StoreError::InvalidPart(_))), "{result:?}");
    }
    let condition = Condition { if_none_match: Some(ETagMatch::Any), ..Condition::default() };
    let completion = Completion { parts: vec![one, two], checksum: None, condition };
    let result = temp.complete_upload("b", "k", upload.id, completion).await;
    assert!(matches!(result, Err(StoreError::PreconditionFailed(_))), "{result:?}");
    assert!(matches!(temp.delete_bucket("b").await, Err(StoreError::BucketNotEmpty(_))));
    let number = temp.put_part(
        "b",
        "k",
        upload.id,
        10_001,
        NewPart { etag: md5(b""), checksum: None, body: temp.body(b"").await },
    );
    assert!(matches!(number.await, Err(StoreError::PartNumber(10_001))));
    temp.abort_upload("b", "k", upload.id).await.unwrap();
    temp.await_body_files(0);
    let again = temp.abort_upload("b", "k", upload.id).await;
    assert!(matches!(again, Err(StoreError::NoSuchUpload(_))));
    assert_eq!(temp.read("k", None).await, b"there");
}

#[tokio::test]
async fn uploads_are_listed_by_key_then_age() {
    let mut temp = Temp::new().await;
    temp.create_bucket(bucket("other")).await.unwrap();
    let mut expected = Vec::new();
    for key in ["a", "dir/x", "dir/y", "z", "z", "z"] {
        expected.push((key.to_owned(), begin(&temp, key).await.id));
    }
    temp.reopen();
    for max in 1..8 {
        let mut found = Vec::new();
        let mut query = UploadQuery { max, ..UploadQuery::default() };
        loop {
            let page = temp.list_uploads("b", &query).unwrap();
            assert!(page.entries.len() <= max);
            found.extend(page.entries.into_iter().map(|entry| match entry {
                UploadEntry::Upload(upload) => (upload.key, upload.id),
                UploadEntry::Prefix(prefix) => panic!("{prefix}"),
            }));
            let Some((key, id)) = page.next else { break };
            (query.key_marker, query.upload_id_marker) = (key, id);
        }
        assert_eq!(found, expected, "pages of {max}");
    }
    let delimiter = "/".to_owned();
    let query = UploadQuery { delimiter, max: 2, ..UploadQuery::default() };
    let page = temp.list_uploads("b", &query).unwrap();
    assert_eq!(page.next, Some(("dir/".to_owned(), None)));
    let query = UploadQuery { key_marker: "dir/".to_owned(), max: 9, ..query };
    assert_eq!(temp.list_uploads("b", &query).unwrap().entries.len(), 3);
    assert!(temp.list_uploads("other", &query).unwrap().entries.is_empty());
}
