//! AWS SDK for Rust with its defaults: endpoint, keys and region come from the
//! environment. Prints a line for each check and a closing line; exits with 1
//! when one failed.

use std::fmt::Debug;
use std::process::ExitCode;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata};
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketVersioningStatus, ChecksumMode, CompletedMultipartUpload, CompletedPart, Delete,
    ObjectIdentifier, Tag, Tagging, VersioningConfiguration,
};

const PART: usize = 5 * 1024 * 1024;
const NAME: &str = "dir/a b+ü.txt";

type Check = Result<(), Box<dyn std::error::Error>>;

struct Suite {
    client: Client,
    bucket: String,
    other: String,
}

fn equal<T: PartialEq + Debug>(got: T, want: T, what: &str) -> Check {
    if got == want { Ok(()) } else { Err(format!("{what}: expected {want:?}, got {got:?}").into()) }
}

/// The call must fail with this code.
fn refused<T, E: ProvideErrorMetadata>(answer: Result<T, E>, code: &str) -> Check {
    match answer {
        Ok(_) => Err(format!("expected {code}, got success").into()),
        Err(error) => equal(error.code().unwrap_or_default(), code, "error code"),
    }
}

fn presigning() -> Result<PresigningConfig, Box<dyn std::error::Error>> {
    Ok(PresigningConfig::expires_in(Duration::from_secs(60))?)
}

impl Suite {
    async fn put(&self, bucket: &str, key: &str, body: &'static str) -> Check {
        let body = ByteStream::from_static(body.as_bytes());
        self.client.put_object().bucket(bucket).key(key).body(body).send().await?;
        Ok(())
    }

    async fn read(&self, key: &str) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
        let got = self.client.get_object().bucket(&self.bucket).key(key).send().await?;
        Ok(got.body.collect().await?.to_vec())
    }

    async fn create_buckets(&self) -> Check {
        for bucket in [&self.bucket, &self.other] {
            self.client.create_bucket().bucket(bucket).send().await?;
        }
        let listed = self.client.list_buckets().prefix(&self.bucket).send().await?;
        equal(listed.buckets().len(), 2, "number of buckets")
    }

    async fn put_get_head(&self) -> Check {
        let put = self.client.put_object().bucket(&self.bucket).key(NAME);
        put.body(ByteStream::from_static(b"hello"))
            .content_type("text/plain")
            .metadata("who", "rust")
            .send()
            .await?;
        equal(self.read(NAME).await?, b"hello".to_vec(), "body")?;
        let head = self.client.head_object().bucket(&self.bucket).key(NAME).send().await?;
        equal(head.content_type(), Some("text/plain"), "Content-Type")?;
        let who = head.metadata().and_then(|all| all.get("who")).map(String::as_str);
        equal(who, Some("rust"), "metadata")?;
        equal(head.e_tag(), Some("\"5d41402abc4b2a76b9719d911017c592\""), "ETag")
    }

    async fn default_checksum(&self) -> Check {
        let body = ByteStream::from_static(b"123456789");
        let put = self.client.put_object().bucket(&self.bucket).key("sum").body(body);
        equal(put.send().await?.checksum_crc32(), Some("y/Q5Jg=="), "checksum of PUT")?;
        let head = self.client.head_object().bucket(&self.bucket).key("sum");
        let head = head.checksum_mode(ChecksumMode::Enabled).send().await?;
        equal(head.checksum_crc32(), Some("y/Q5Jg=="), "checksum of HEAD")
    }

    async fn read_range(&self) -> Check {
        let get = self.client.get_object().bucket(&self.bucket).key("sum");
        let got = get.range("bytes=2-4").send().await?;
        equal(got.content_range(), Some("bytes 2-4/9"), "Content-Range")?;
        equal(got.body.collect().await?.to_vec(), b"345".to_vec(), "body")
    }

    async fn list_pages(&self) -> Check {
        for number in 0..25 {
            self.put(&self.bucket, &format!("page/{number:02}"), "x").await?;
        }
        let list = self.client.list_objects_v2().bucket(&self.bucket).prefix("page/");
        let mut pages = list.into_paginator().page_size(10).send();
        let mut sizes = Vec::new();
        while let Some(page) = pages.next().await {
            sizes.push(page?.contents().len());
        }
        equal(sizes, vec![10, 10, 5], "sizes of pages")?;
        let list = self.client.list_objects_v2().bucket(&self.bucket).delimiter("/");
        equal(list.send().await?.common_prefixes().len(), 2, "number of common prefixes")
    }

    async fn multipart(&self) -> Check {
        let create = self.client.create_multipart_upload().bucket(&self.bucket).key("big");
        let made = create.send().await?;
        let id = made.upload_id().unwrap_or_default();
        let mut parts = Vec::new();
        for number in 1..=4 {
            let body = ByteStream::from(vec![b'0' + u8::try_from(number)?; PART]);
            let part = self.client.upload_part().bucket(&self.bucket).key("big");
            let part = part.upload_id(id).part_number(number).body(body).send().await?;
            let done = CompletedPart::builder().part_number(number);
            let done = done.set_e_tag(part.e_tag).set_checksum_crc32(part.checksum_crc32);
            parts.push(done.build());
        }
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = self.client.complete_multipart_upload().bucket(&self.bucket).key("big");
        complete.upload_id(id).multipart_upload(parts).send().await?;
        let got = self.read("big").await?;
        equal(got.len(), 4 * PART, "length")?;
        equal((got[0], got[4 * PART - 1]), (b'1', b'4'), "first and last byte")
    }

    async fn copy(&self) -> Check {
        let source = format!("{}/dir/a%20b%2B%C3%BC.txt", self.bucket);
        let copy = self.client.copy_object().bucket(&self.other).key("copied");
        copy.copy_source(source).send().await?;
        let head = self.client.head_object().bucket(&self.other).key("copied").send().await?;
        let who = head.metadata().and_then(|all| all.get("who")).map(String::as_str);
        equal(who, Some("rust"), "metadata")
    }

    async fn tagging(&self) -> Check {
        let tag = Tag::builder().key("a").value("1").build()?;
        let tagging = Tagging::builder().tag_set(tag).build()?;
        let put = self.client.put_object_tagging().bucket(&self.bucket).key("sum");
        put.tagging(tagging).send().await?;
        let get = self.client.get_object_tagging().bucket(&self.bucket).key("sum");
        equal(get.send().await?.tag_set().len(), 1, "number of tags")
    }

    async fn versioning(&self) -> Check {
        let enabled = BucketVersioningStatus::Enabled;
        let enabled = VersioningConfiguration::builder().status(enabled).build();
        let put = self.client.put_bucket_versioning().bucket(&self.other);
        put.versioning_configuration(enabled).send().await?;
        let body = ByteStream::from_static(b"1");
        let first = self.client.put_object().bucket(&self.other).key("v").body(body).send().await?;
        self.put(&self.other, "v", "2").await?;
        let marker = self.client.delete_object().bucket(&self.other).key("v").send().await?;
        equal(marker.delete_marker(), Some(true), "DeleteMarker")?;
        let get = || self.client.get_object().bucket(&self.other).key("v");
        refused(get().send().await, "NoSuchKey")?;
        let old = get().set_version_id(first.version_id).send().await?;
        equal(old.body.collect().await?.to_vec(), b"1".to_vec(), "old version")
    }

    async fn presigned_get(&self) -> Check {
        let get = self.client.get_object().bucket(&self.bucket).key("sum");
        let url = get.presigned(presigning()?).await?.uri().to_owned();
        let answer = reqwest::get(&url).await?;
        equal(answer.status().as_u16(), 200, "status")?;
        equal(answer.text().await?, "123456789".to_owned(), "body")?;
        let tampered = reqwest::get(url.replace("/sum", "/up")).await?;
        equal(tampered.status().as_u16(), 403, "status for another key")
    }

    async fn presigned_put(&self) -> Check {
        let put = self.client.put_object().bucket(&self.bucket).key("up");
        let signed = put.presigned(presigning()?).await?;
        let mut request = reqwest::Client::new().put(signed.uri());
        for (name, value) in signed.headers() {
            request = request.header(name, value);
        }
        equal(request.body("data").send().await?.status().as_u16(), 200, "status")?;
        equal(self.read("up").await?, b"data".to_vec(), "body")
    }

    async fn conditional_put(&self) -> Check {
        let put = || {
            let body = ByteStream::from_static(b"1");
            self.client.put_object().bucket(&self.bucket).key("once").if_none_match("*").body(body)
        };
        put().send().await?;
        refused(put().send().await, "PreconditionFailed")
    }

    async fn error_classes(&self) -> Check {
        let get = self.client.get_object().bucket(&self.bucket).key("missing").send().await;
        let error = get.err().ok_or("expected NoSuchKey, got success")?.into_service_error();
        equal(error.is_no_such_key(), true, "NoSuchKey")?;
        let head = self.client.head_object().bucket(&self.bucket).key("missing").send().await;
        let error = head.err().ok_or("expected NotFound, got success")?.into_service_error();
        equal(error.is_not_found(), true, "NotFound")?;
        let delete = self.client.delete_bucket().bucket(&self.bucket).send().await;
        refused(delete, "BucketNotEmpty")
    }

    async fn delete_all(&self) -> Check {
        for bucket in [&self.bucket, &self.other] {
            let listed = self.client.list_object_versions().bucket(bucket).send().await?;
            let versions = listed.versions().iter().map(|v| (v.key(), v.version_id()));
            let markers = listed.delete_markers().iter().map(|m| (m.key(), m.version_id()));
            let mut objects = Delete::builder();
            for (key, version) in versions.chain(markers) {
                let object = ObjectIdentifier::builder().key(key.unwrap_or_default());
                objects = objects.objects(object.set_version_id(version.map(Into::into)).build()?);
            }
            self.client.delete_objects().bucket(bucket).delete(objects.build()?).send().await?;
            self.client.delete_bucket().bucket(bucket).send().await?;
        }
        refused(self.client.head_bucket().bucket(&self.bucket).send().await, "NotFound")
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let prefix = std::env::var("S3_BUCKET_PREFIX").unwrap_or_else(|_| "sdk".to_owned());
    let http = aws_smithy_http_client::Builder::new().build_http();
    let settings = aws_config::from_env().http_client(http).load().await;
    let bucket = format!("{prefix}-rust");
    let suite = Suite { client: Client::new(&settings), other: format!("{bucket}-copy"), bucket };
    let (mut passed, mut failed) = (0, 0);
    macro_rules! run {
        ($($check:ident)*) => {$(
            match suite.$check().await {
                Ok(()) => {
                    passed += 1;
                    println!("ok {}", stringify!($check));
                }
                Err(error) => {
                    failed += 1;
                    let said = DisplayErrorContext(error.as_ref()).to_string();
                    println!("FAIL {}: {}", stringify!($check), said.replace('\n', " "));
                }
            }
        )*};
    }
    run!(create_buckets put_get_head default_checksum read_range list_pages multipart copy tagging
        versioning presigned_get presigned_put conditional_put error_classes delete_all);
    println!("{passed} passed, {failed} failed, 0 skipped");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
