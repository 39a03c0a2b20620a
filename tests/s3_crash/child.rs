//! The process that works until it is killed.

use std::io::Write;
use std::path::Path;

use bytes::Bytes;
use md5::{Digest, Md5};
use sandbox::serve::s3::store::{
    Completion, Condition, DeleteOptions, ETag, NewBucket, NewObject, NewPart, NewUpload,
    ObjectMeta, ObjectUpdate, Options, Store, StoreError, Versioning,
};

use crate::content::{Random, body};

/// Keys are worked on by one task each, so that their order is known.
const TASKS: u64 = 8;
const KEYS: u64 = 6;

#[test]
#[ignore = "started by the other tests, as a process of its own"]
fn works_until_killed() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    // Run by hand there is nothing to do.
    let Some((round, dir)) = line.trim_end().split_once(' ') else { return };
    let round: u64 = round.parse().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let store = open(Path::new(dir));
        for (name, versioning) in [("plain", None), ("versions", Some(Versioning::Enabled))] {
            let bucket = NewBucket { name: name.to_owned(), ..NewBucket::default() };
            match store.create_bucket(bucket).await {
                Ok(_) | Err(StoreError::BucketAlreadyExists(_)) => {}
                Err(error) => panic!("{error}"),
            }
            if let Some(versioning) = versioning {
                store.set_versioning(name, versioning).await.unwrap();
            }
        }
        let tasks = (0..TASKS).map(|task| tokio::spawn(work(store.clone(), round, task)));
        futures::future::join_all(tasks).await;
    });
}

/// Small segments, so that the log is compacted all the time.
pub(crate) fn open(dir: &Path) -> Store {
    Store::open(dir, Options { segment_size: 128 << 10, ..Options::default() }).unwrap()
}

async fn work(store: Store, round: u64, task: u64) {
    let mut random = Random::new(round << 8 | task);
    for count in 0.. {
        let n = round << 40 | count << 8 | task;
        let bucket = if random.below(2) == 0 { "plain" } else { "versions" };
        let key = format!("key-{task}-{}", random.below(KEYS));
        let operation = ["put", "put", "put", "multipart", "delete", "tag"]
            [usize::try_from(random.below(6)).unwrap()];
        say(&format!("start {operation} {bucket} {key} {n}"));
        let id = perform(&store, operation, bucket, &key, n).await;
        say(&format!("done {operation} {bucket} {key} {n} {id}"));
    }
}

/// Gives the id of the version that was written, or `-`.
async fn perform(store: &Store, operation: &str, bucket: &str, key: &str, n: u64) -> String {
    match operation {
        "put" => {
            let bytes = body(n);
            let (meta, etag) = (ObjectMeta::default(), md5(&bytes));
            let body = write(store, &bytes).await;
            let object = NewObject { meta, etag, body, last_modified: None };
            let put = store.put_object(bucket, key, object, Condition::default()).await;
            put.unwrap().version_id.to_string()
        }
        "multipart" => {
            let bytes = body(n);
            let (one, two) = bytes.split_at(bytes.len() / 2);
            let upload = store.create_upload(bucket, key, NewUpload::default()).await.unwrap();
            let mut parts = Vec::new();
            for (number, bytes) in [(1, one), (2, two)] {
                let (etag, body) = (md5(bytes), write(store, bytes).await);
                let part = NewPart { etag, checksum: None, body };
                store.put_part(bucket, key, upload.id, number, part).await.unwrap();
                parts.push((number, etag));
            }
            let completion = Completion { parts, ..Completion::default() };
            let done = store.complete_upload(bucket, key, upload.id, completion).await;
            done.unwrap().version_id.to_string()
        }
        "delete" => {
            let deleted = store.delete_object(bucket, key, DeleteOptions::default()).await;
            deleted.unwrap().version_id.map_or_else(|| "-".to_owned(), |id| id.to_string())
        }
        _ => {
            let tags = [("n".to_owned(), n.to_string())].into();
            match store.update_object(bucket, key, None, ObjectUpdate::Tags(tags)).await {
                Ok(_) => "tagged".to_owned(),
                Err(StoreError::NoSuchKey(_) | StoreError::DeleteMarker { .. }) => "-".to_owned(),
                Err(error) => panic!("{error}"),
            }
        }
    }
}

async fn write(store: &Store, bytes: &[u8]) -> sandbox::serve::s3::store::Body {
    let mut writer = store.body_writer();
    for chunk in bytes.chunks(50_000) {
        writer.write(Bytes::copy_from_slice(chunk)).await.unwrap();
    }
    writer.finish().await.unwrap()
}

fn md5(bytes: &[u8]) -> ETag {
    ETag::of_md5(Md5::digest(bytes).into())
}

/// One line in one write; fails, and with it the process, when nobody reads.
fn say(line: &str) {
    std::io::stdout().lock().write_all(format!("op {line}\n").as_bytes()).unwrap();
}
