//! Requests through the whole service, without a socket: the main paths once,
//! and anything at all without a panic.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::StreamExt as _;
use http::Request;
use proptest::prelude::*;
use s3s::Body;

use super::admin::Admin;
use super::options::Addresses;
use super::testing::TestServer;

const CONFIG: &str = "buckets:
- name: plain
  objects: [{key: seed, text: hello, content-type: text/plain}]
- name: open
  public: true
  objects: [{key: k, text: everyone}]
  cors: ['https://a.example']
- name: kept
  versioning: true
  lifecycle-days: 1
";

#[tokio::test]
async fn an_object_is_written_read_listed_and_deleted() {
    let server = TestServer::new(CONFIG).await;
    let put = server.ask("PUT", "/plain/a%20b", &[("x-amz-meta-who", "me")], "data").await;
    assert_eq!(put.status, 200, "{}", put.text());
    assert_eq!(put.headers["etag"], "\"8d777f385d3dfec8815d20f7496026dc\"");
    assert!(put.headers.contains_key("x-amz-checksum-crc64nvme"));
    let got = server.ask("GET", "/plain/a%20b", &[("range", "bytes=1-2")], "").await;
    assert_eq!((got.status.as_u16(), got.text().as_str()), (206, "at"));
    assert_eq!(got.headers["content-range"], "bytes 1-2/4");
    assert_eq!(got.headers["x-amz-meta-who"], "me");
    let list = server.ask("GET", "/plain?list-type=2&encoding-type=url", &[], "").await.text();
    assert!(list.contains("<Key>a%20b</Key>") && list.contains("<Key>seed</Key>"), "{list}");
    assert_eq!(server.ask("DELETE", "/plain/a%20b", &[], "").await.status, 204);
    let gone = server.ask("GET", "/plain/a%20b", &[], "").await;
    assert_eq!(gone.status, 404);
    assert!(
        gone.text().contains("<Code>NoSuchKey</Code>") && gone.text().contains("<Key>a b</Key>")
    );
}

#[tokio::test]
async fn a_completed_upload_says_where_the_object_is() {
    let server = TestServer::new(CONFIG).await;
    let path = "/plain/dir/a%20b";
    let begun = server.ask("POST", &format!("{path}?uploads"), &[], "").await.text();
    let id = begun.split("UploadId>").nth(1).unwrap().trim_end_matches("</");
    let part = format!("{path}?partNumber=1&uploadId={id}");
    let put = server.ask("PUT", &part, &[], "data").await;
    let list = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part></CompleteMultipartUpload>",
        put.headers["etag"].to_str().unwrap()
    );
    let done = server.ask("POST", &format!("{path}?uploadId={id}"), &[], list).await;
    let location = "<Location>http://localhost:9000/plain/dir/a%20b</Location>";
    assert!(done.text().contains(location), "{}", done.text());
}

#[tokio::test]
async fn bad_bodies_leave_nothing_behind() {
    let server = TestServer::new(CONFIG).await;
    for (headers, code) in [
        (&[("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==")][..], "BadDigest"),
        (&[("content-md5", "x")], "InvalidDigest"),
        (&[("x-amz-checksum-crc32", "AAAAAA==")], "BadDigest"),
        (&[("x-amz-checksum-crc32", "no")], "InvalidRequest"),
        (&[("x-amz-checksum-xxhash64", "AAAAAAAAAAA=")], "NotImplemented"),
        (&[("x-amz-checksum-sha512", "AAAA")], "NotImplemented"),
    ] {
        let put = server.ask("PUT", "/plain/bad", headers, "data").await;
        let status = if code == "NotImplemented" { 501 } else { 400 };
        assert_eq!(put.status, status, "{code}");
        assert!(put.text().contains(&format!("<Code>{code}</Code>")), "{}", put.text());
    }
    assert_eq!(server.ask("HEAD", "/plain/bad", &[], "").await.status, 404);
}

#[tokio::test]
async fn a_bulk_delete_needs_a_digest_that_can_be_verified() {
    let server = TestServer::new(CONFIG).await;
    let body = "<Delete><Object><Key>seed</Key></Object></Delete>";
    for headers in [
        &[][..],
        &[("x-amz-checksum-algorithm", "CRC32")],
        &[("x-amz-checksum-type", "FULL_OBJECT")],
        &[("x-amz-trailer", "")],
    ] {
        let got = server.ask("POST", "/plain?delete", headers, body).await;
        assert_eq!(got.status, 400, "{headers:?}: {}", got.text());
        assert!(got.text().contains("<Code>InvalidRequest</Code>"), "{}", got.text());
    }
    let got = server.ask("POST", "/plain?delete", &[("x-amz-checksum-sha512", "AA==")], body).await;
    assert_eq!(got.status, 501, "{}", got.text());
    assert_eq!(server.ask("HEAD", "/plain/seed", &[], "").await.status, 200);
}

#[tokio::test]
async fn everyone_reads_what_is_public_and_nothing_else() {
    let server = TestServer::new(CONFIG).await;
    let origin = [("origin", "https://a.example")];
    let got = server.anonymous("GET", "/open/k", &origin, "").await;
    assert_eq!((got.status.as_u16(), got.text().as_str()), (200, "everyone"));
    assert_eq!(got.headers["access-control-allow-origin"], "https://a.example");
    for (method, target) in [
        ("GET", "/plain/seed"),
        ("GET", "/open"),
        ("PUT", "/open/k"),
        ("GET", "/"),
        ("GET", "/open/none"),
    ] {
        let got = server.anonymous(method, target, &[], "").await;
        assert_eq!(got.status, 403, "{method} {target}: {}", got.text());
    }
    assert_eq!(server.anonymous("GET", "/nobody/k", &[], "").await.status, 404);
}

#[tokio::test]
async fn a_moved_clock_removes_what_is_old() {
    let server = TestServer::new(CONFIG).await;
    server.ask("PUT", "/kept/old", &[], "data").await;
    let state = &server.service.state;
    let report = super::lifecycle::run(state).await.unwrap();
    assert_eq!((report.expired, report.noncurrent), (0, 0));
    state.clock.set_offset(25 * 3_600_000);
    assert_eq!(super::lifecycle::run(state).await.unwrap().expired, 1);
    assert_eq!(server.ask("GET", "/kept/old", &[], "").await.status, 404);
    state.clock.set_offset(50 * 3_600_000);
    assert_eq!(super::lifecycle::run(state).await.unwrap().noncurrent, 1);
    state.clock.set_offset(100 * 3_600_000);
    assert_eq!(super::lifecycle::run(state).await.unwrap().delete_markers, 1);
    let versions = server.ask("GET", "/kept?versions", &[], "").await.text();
    assert!(!versions.contains("<Key>"), "{versions}");
}

#[tokio::test]
async fn faults_fail_the_requests_they_name() {
    let server = TestServer::new(CONFIG).await;
    let rule = r#"[{"operation":"GetObject","kind":"slow-down","times":1}]"#;
    server.service.state.faults.replace(serde_json::from_str(rule).unwrap()).unwrap();
    let slow = server.ask("GET", "/plain/seed", &[], "").await;
    assert_eq!(slow.status, 503);
    assert!(slow.text().contains("<Code>SlowDown</Code>"));
    assert_eq!(server.ask("GET", "/plain/seed", &[], "").await.status, 200);
}

#[tokio::test]
async fn a_bucket_is_made_in_one_step() {
    let server = TestServer::new(CONFIG).await;
    let commits = || server.service.state.store.log_figures().commits;
    let before = commits();
    assert_eq!(server.ask("PUT", "/fresh", &[], "").await.status, 200);
    assert_eq!(commits(), before + 1);
    for document in ["publicAccessBlock", "ownershipControls"] {
        let got = server.ask("GET", &format!("/fresh?{document}"), &[], "").await;
        assert_eq!(got.status, 200, "{document}: {}", got.text());
    }
}

#[tokio::test]
async fn a_body_is_heard_out_before_a_refusal() {
    let server = TestServer::new(CONFIG).await;
    let rule = r#"[{"key":"faulty","kind":"slow-down"}]"#;
    server.service.state.faults.replace(serde_json::from_str(rule).unwrap()).unwrap();
    for (method, target, name, value, status) in [
        ("PUT", "/plain/faulty", "x-extra", "1", 503),
        ("PUT", "/plain/k?renameObject", "x-extra", "1", 501),
        ("PUT", "/plain/k?torrent", "x-extra", "1", 405),
        ("PUT", "/plain/k", "content-md5", "x", 400),
        ("PUT", "/plain/k", "x-amz-not-signed", "1", 403),
        ("PUT", "/plain/k?delete=%FF", "x-extra", "1", 400),
        ("POST", "/plain", "content-type", "multipart/form-data", 400),
        ("PUT", "/plain/faulty", "expect", "100-continue", 503),
    ] {
        let pieces = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&pieces);
        let frames = futures::stream::iter(0..128).map(move |_| {
            seen.fetch_add(1, Ordering::Relaxed);
            Ok::<_, std::io::Error>(http_body::Frame::data(bytes::Bytes::from(vec![b'x'; 65536])))
        });
        let request = Request::builder()
            .method(method)
            .uri(target)
            .header("host", "localhost")
            .header("authorization", authorization())
            .header("x-amz-date", super::time::amz_date(super::clock::machine_now()))
            .header("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
            .header(name, value)
            .body(Body::http_body_unsync(http_body_util::StreamBody::new(frames)))
            .unwrap();
        let got = server.send(request).await;
        assert_eq!(got.status, status, "{target}: {}", got.text());
        let heard = if name == "expect" { 0 } else { 128 };
        assert_eq!(pieces.load(Ordering::Relaxed), heard, "{target} {name}");
    }
}

#[tokio::test]
async fn a_store_that_takes_no_writes_is_not_well() {
    let server = TestServer::new(CONFIG).await;
    let address = "127.0.0.1:1".parse().unwrap();
    let state = &server.service.state;
    let admin = Admin::new(state.clone(), Addresses { s3: address, admin: address });
    let health = || Request::get("/healthz").header("host", "localhost").body(Body::empty());
    assert_eq!(admin.call(health().unwrap()).await.status(), 200);
    state.store.fail("no space");
    let answer = admin.call(health().unwrap()).await;
    assert_eq!(answer.status(), 503);
    let text = answer.into_body().bytes().unwrap();
    assert!(String::from_utf8_lossy(&text).contains("no space"), "{text:?}");
    assert_eq!(server.ask("PUT", "/plain/k", &[], "data").await.status, 503);
    assert_eq!(server.ask("GET", "/plain/seed", &[], "").await.status, 200);
}

#[tokio::test]
async fn what_a_copy_does_not_find_is_named() {
    let server = TestServer::new(CONFIG).await;
    server.ask("PUT", "/kept/gone", &[], "data").await;
    server.ask("DELETE", "/kept/gone", &[], "").await;
    for (source, element) in [
        ("plain/none", "<Key>none</Key>"),
        ("kept/gone", "<Key>gone</Key>"),
        ("nobody/none", "<BucketName>nobody</BucketName>"),
    ] {
        let got = server.ask("PUT", "/plain/copy", &[("x-amz-copy-source", source)], "").await;
        assert_eq!(got.status, 404, "{source}");
        assert!(got.text().contains(element), "{}", got.text());
        assert!(!got.text().contains("copy</Key>"), "{}", got.text());
        let inner = got.headers.keys().find(|name| name.as_str().starts_with("x-sandbox"));
        assert_eq!(inner, None, "{source}");
    }
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let server = TestServer::new(CONFIG).await;
    let got = server.ask("PUT", "/plain?website", &[], "<x/>").await;
    assert_eq!(got.status, 501);
    assert!(got.text().contains("PutBucketWebsite"), "{}", got.text());
    assert_eq!(server.ask("POST", "/plain", &[], "").await.status, 405);
}

fn xml() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "LifecycleConfiguration",
        "Rule",
        "Filter",
        "And",
        "Prefix",
        "Tag",
        "Key",
        "Value",
        "Status",
        "Expiration",
        "Days",
        "Date",
        "CORSConfiguration",
        "CORSRule",
        "AllowedOrigin",
        "AllowedMethod",
        "Delete",
        "Object",
        "Tagging",
        "TagSet",
        "VersioningConfiguration",
        "CompleteMultipartUpload",
        "Part",
        "PartNumber",
        "ETag",
        "ObjectLockConfiguration",
    ]);
    let text =
        prop_oneof!["[a-zA-Z0-9*/:.-]{0,12}", Just("Enabled".to_owned()), Just("1".to_owned())];
    let leaf = (name.clone(), text).prop_map(|(name, text)| format!("<{name}>{text}</{name}>"));
    leaf.prop_recursive(4, 24, 4, move |inner| {
        (name.clone(), prop::collection::vec(inner, 0..4))
            .prop_map(|(name, inner)| format!("<{name}>{}</{name}>", inner.concat()))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_request_is_answered(
        requests in prop::collection::vec((
            prop::sample::select(vec!["GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "PATCH"]),
            "/(plain|kept|open|x)?(/[a-z%/]{0,8})?",
            "(list-type=2|versions|uploads|uploadId=[a-f0-9]{0,33}|partNumber=-?[0-9]{0,6}|delete|acl|max-keys=-?[0-9]{0,11}|prefix=%[0-9A-F]{2}|X-Amz-Signature=x|versionId=[a-z0-9]{0,33}|&){0,4}",
            prop::collection::vec((
                prop::sample::select(vec![
                    "range", "if-match", "x-amz-copy-source", "content-md5", "x-amz-tagging",
                    "x-amz-checksum-crc32", "x-amz-trailer", "x-amz-content-sha256", "expires",
                    "x-amz-decoded-content-length", "x-amz-object-lock-mode", "content-type",
                    "x-amz-server-side-encryption", "x-amz-copy-source-range", "host", "origin",
                ]),
                "[ -~]{0,40}",
            ), 0..4),
            prop::collection::vec(any::<u8>(), 0..200),
            any::<bool>(),
        ), 1..6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let server = TestServer::new(CONFIG).await;
            for (method, path, query, headers, body, signed) in requests {
                let target = format!("{path}?{query}");
                if target.parse::<http::Uri>().is_err() {
                    continue;
                }
                let headers: Vec<_> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
                let got = if signed {
                    server.ask(method, &target, &headers, body).await
                } else {
                    server.anonymous(method, &target, &headers, body).await
                };
                assert!(got.headers.contains_key("x-amz-request-id"));
                assert!(got.status != 500, "{method} {target} {headers:?}: {}", got.text());
            }
        });
    }

    #[test]
    fn any_document_is_taken_or_refused(document in xml(), noise in "[<>&a-z/ ]{0,6}") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let server = TestServer::new(CONFIG).await;
            for target in ["lifecycle", "cors", "tagging", "versioning", "object-lock", "encryption", "publicAccessBlock", "ownershipControls", "acl"] {
                for text in [document.clone(), format!("{noise}{document}")] {
                    let target = format!("/plain?{target}");
                    let got = server.ask("PUT", &target, &[("x-amz-checksum-crc64nvme", &super::checksum::of(super::checksum::Kind::Crc64Nvme, text.as_bytes()))], text.clone()).await;
                    assert!(got.status != 500, "{target} {text}: {}", got.text());
                    if got.status == 200 {
                        let back = server.ask("GET", &target, &[], "").await;
                        assert!(back.status != 500, "{target}: {}", back.text());
                    }
                }
            }
            let got = server.ask("POST", "/plain?delete", &[("content-md5", "x")], document).await;
            assert!(got.status != 500);
        });
    }
}

#[tokio::test]
async fn a_body_of_unknown_length_is_bounded() {
    let server = TestServer::new(CONFIG).await;
    let endless = futures::stream::repeat_with(|| {
        Ok::<_, std::io::Error>(http_body::Frame::data(bytes::Bytes::from(vec![b'x'; 65536])))
    });
    let request = Request::builder()
        .method("PUT")
        .uri("/plain?lifecycle")
        .header("host", "localhost")
        .header("authorization", authorization())
        .header("x-amz-date", super::time::amz_date(super::clock::machine_now()))
        .header("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
        .body(Body::http_body_unsync(http_body_util::StreamBody::new(endless)))
        .unwrap();
    let got = server.send(request).await;
    assert_eq!(got.status, 400, "{}", got.text());
}

fn authorization() -> String {
    let date = super::time::amz_date(super::clock::machine_now());
    format!(
        "AWS4-HMAC-SHA256 Credential=any/{}/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=0",
        &date[..8]
    )
}
