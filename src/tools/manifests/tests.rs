use super::*;

const TWO: &str = "\
---
# generated
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  annotations:
    name: not this
  name: widgets.example.com
spec:
  group: example.com

---
---
# nothing

---
kind: ConfigMap
metadata:
    labels: {}
    name: \"plain\"
";

fn set(text: &str, url: Option<String>) -> ManifestSet {
    ManifestSet {
        version: semver::Version::new(1, 2, 3),
        package: "example.com/widgets".to_owned(),
        licence: "Apache-2.0".to_owned(),
        url,
        sha256: format!("{:x}", Sha256::digest(text)),
        files: vec!["crds/one.yaml".to_owned(), "crds/two.yaml".to_owned()],
    }
}

fn put(cache: &Path, text: &str) {
    let folder = cache.join("manifests");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("widgets-1.2.3.yaml"), text).unwrap();
}

#[test]
fn documents_are_split_with_kind_name_and_group() {
    let documents = documents(TWO);
    let told: Vec<_> = documents.iter().map(|one| (one.kind, one.name, one.group())).collect();
    let definition = ("CustomResourceDefinition", "widgets.example.com", Some("example.com"));
    assert_eq!(told, [definition, ("ConfigMap", "plain", None)]);
    assert!(documents[0].text.starts_with("# generated\napiVersion:"));
    assert!(documents[0].text.ends_with("group: example.com\n\n"));
    for document in documents {
        serde_saphyr::from_str::<serde_json::Value>(document.text).unwrap();
    }
}

#[test]
fn conversion_webhooks_are_left_out() {
    let text = "\
spec:
  group: example.com
  conversion:
    strategy: Webhook
    webhook:
      conversionReviewVersions:
      - v1
  names:
    kind: Widget
      conversion: of a value
";
    let kept =
        "spec:\n  group: example.com\n  names:\n    kind: Widget\n      conversion: of a value\n";
    assert_eq!(without_conversion(text), kept);
}

#[tokio::test]
async fn what_the_cache_has_is_taken_when_its_checksum_is_right() {
    let cache = tempfile::tempdir().unwrap();
    put(cache.path(), TWO);
    assert_eq!(read(cache.path(), "widgets", &set(TWO, None)).await.unwrap(), TWO);
}

#[tokio::test]
async fn a_wrong_checksum_is_told_with_the_command_that_cures_it() {
    let cache = tempfile::tempdir().unwrap();
    put(cache.path(), "kind: Changed\n");
    assert!(!is_cached(cache.path(), "widgets", &set(TWO, None)).await);
    let error = read(cache.path(), "widgets", &set(TWO, None)).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Machine);
    assert_eq!(error.to_string(), "the definitions of `widgets` 1.2.3 are not here");
    let causes = error.causes();
    assert!(causes[0].contains("its checksum is "), "{causes:?}");
    assert!(causes[1].contains("has no address"), "{causes:?}");
    assert_eq!(error.hints(), ["images/manifests widgets"]);
}

#[tokio::test]
async fn a_missing_file_is_told_with_its_path() {
    let cache = tempfile::tempdir().unwrap();
    let error = read(cache.path(), "widgets", &set(TWO, None)).await.unwrap_err();
    let path = cache.path().join("manifests/widgets-1.2.3.yaml").display().to_string();
    assert!(error.causes()[0].contains(&path), "{:?}", error.causes());
}

/// Serves two files, each to whoever asks for it.
async fn server(one: &'static str, two: &'static str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 2048];
            let read = stream.read(&mut request).await.unwrap();
            let request = String::from_utf8_lossy(&request[..read]);
            let body = match request.split(' ').nth(1) {
                Some("/v1.2.3/crds/one.yaml") => one,
                Some("/v1.2.3/crds/two.yaml") => two,
                other => panic!("asked for {other:?}"),
            };
            let head = format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all((head + body).as_bytes()).await.unwrap();
        }
    });
    format!("http://{address}/v${{version}}/${{file}}")
}

#[tokio::test]
async fn what_is_missing_is_downloaded_checked_and_kept() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cache = tempfile::tempdir().unwrap();
    let url = server("kind: One\n", "kind: Two\n").await;
    let whole = "kind: One\n\n---\nkind: Two\n";
    let set = set(whole, Some(url));
    assert_eq!(read(cache.path(), "widgets", &set).await.unwrap(), whole);
    let without_server = ManifestSet { url: None, ..set };
    assert_eq!(read(cache.path(), "widgets", &without_server).await.unwrap(), whole);
    assert!(is_cached(cache.path(), "widgets", &without_server).await);
}

#[tokio::test]
async fn a_download_with_another_checksum_is_refused_and_not_kept() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cache = tempfile::tempdir().unwrap();
    let url = server("kind: One\n", "kind: Evil\n").await;
    let set = set("kind: One\n\n---\nkind: Two\n", Some(url));
    let error = read(cache.path(), "widgets", &set).await.unwrap_err();
    assert!(error.causes()[1].contains("is not it: its checksum is"), "{:?}", error.causes());
    assert!(!cache.path().join("manifests").exists());
}
