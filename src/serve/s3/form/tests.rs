//! Forms through the whole service.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::serve::s3::testing::{Got, TestServer};
use crate::serve::s3::{clock, time};

const CONFIG: &str = "buckets: [{name: plain}, {name: kept, versioning: true, object-lock: true}]";

/// Posts a form with these fields, its policy allowing each of them.
async fn post(server: &TestServer, host: &str, path: &str, fields: &[(&str, &str)]) -> Got {
    let date = time::amz_date(clock::machine_now());
    let credential = format!("any/{}/us-east-1/s3/aws4_request", &date[..8]);
    let mut all = vec![
        ("x-amz-algorithm", "AWS4-HMAC-SHA256"),
        ("x-amz-credential", &credential),
        ("x-amz-date", &date),
    ];
    all.extend(fields);
    let names = all.iter().map(|(name, _)| *name).chain(["bucket"]);
    let conditions: Vec<_> = names.map(|name| format!(r#"["starts-with","${name}",""]"#)).collect();
    let policy = format!(
        r#"{{"expiration":"2099-01-01T00:00:00Z","conditions":[{}]}}"#,
        conditions.join(",")
    );
    let policy = STANDARD.encode(policy);
    all.extend([("policy", policy.as_str()), ("x-amz-signature", "0")]);
    let mut body = String::new();
    for (name, value) in all {
        body.push_str(&format!(
            "--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        ));
    }
    body.push_str(
        "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\
        Content-Type: text/html\r\n\r\ndata\r\n--XX--\r\n",
    );
    let request = http::Request::builder()
        .method("POST")
        .uri(path)
        .header("host", host)
        .header("content-type", "multipart/form-data; boundary=XX")
        .header("content-length", body.len());
    server.send(request.body(s3s::Body::from(body)).unwrap()).await
}

#[tokio::test]
async fn the_location_is_the_url_of_the_object() {
    let server = TestServer::new(CONFIG).await;
    let fields = [("key", "dir/a b"), ("success_action_status", "201")];
    for (host, path, location) in [
        ("localhost:9000", "/plain", "http://localhost:9000/plain/dir/a%20b"),
        ("plain.s3.localhost:9000", "/", "http://plain.s3.localhost:9000/dir/a%20b"),
    ] {
        let got = post(&server, host, path, &fields).await;
        assert_eq!(got.status, 201, "{}", got.text());
        assert_eq!(got.headers["location"], location);
        assert!(got.text().contains(&format!("<Location>{location}</Location>")), "{}", got.text());
    }
}

#[tokio::test]
async fn the_type_is_a_field_and_not_that_of_the_file() {
    let server = TestServer::new(CONFIG).await;
    for (fields, kind) in [
        (&[("key", "k")][..], "binary/octet-stream"),
        (&[("key", "k"), ("Content-Type", "text/css")], "text/css"),
    ] {
        let got = post(&server, "localhost", "/plain", fields).await;
        assert_eq!(got.status, 204, "{}", got.text());
        assert_eq!(server.ask("HEAD", "/plain/k", &[], "").await.headers["content-type"], kind);
    }
}

#[tokio::test]
async fn a_form_locks_without_a_digest() {
    let server = TestServer::new(CONFIG).await;
    let fields = [("key", "k"), ("x-amz-object-lock-legal-hold", "ON")];
    let got = post(&server, "localhost", "/kept", &fields).await;
    assert_eq!(got.status, 204, "{}", got.text());
    let head = server.ask("HEAD", "/kept/k", &[], "").await;
    assert_eq!(head.headers["x-amz-object-lock-legal-hold"], "ON");
}
