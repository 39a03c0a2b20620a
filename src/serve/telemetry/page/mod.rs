//! The page that shows what arrived: static files, compiled in, and how they are served.
//!
//! Owns the list of files and their headers. Knows nothing of the store: the page in the browser
//! asks the query API itself. There is no build step, so the files are served as they are here.

use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LINK,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, StatusCode};
use sha2::{Digest, Sha256};

/// Only the page's own files run, style and show, and it talks to nothing but its own server; no
/// other page may put it into a frame. Telemetry is hostile, and this holds should an escape fail.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'; require-trusted-types-for 'script'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// A file of the page.
struct File {
    /// Path of the request.
    path: &'static str,
    content_type: &'static str,
    body: &'static [u8],
}

/// Files of this folder, each at `/page/` and its name.
macro_rules! files {
    ($($content_type:ident: $($name:literal)+;)+) => {
        &[$($(File {
            path: concat!("/page/", $name),
            content_type: $content_type,
            body: include_bytes!($name),
        },)+)+]
    };
}

const INDEX: File = File { path: "/", content_type: HTML, body: include_bytes!("index.html") };

const FILES: &[File] = files! {
    CSS: "style.css";
    SVG: "icon.svg";
    JS: "api.js" "colours.js" "details.js" "dom.js" "format.js" "help.js" "keys.js" "list.js"
        "live.js" "loglines.js" "main.js" "names.js" "parts.js" "plot.js" "route.js" "setup.js"
        "theme.js" "ticks.js" "tree.js" "view.js" "views/logs.js" "views/metrics.js" "views/s3.js"
        "views/sandbox.js" "views/services.js" "views/trace.js" "views/traces.js";
};

/// The page at `/` and its files below `/page/`, for GET and HEAD.
///
/// Every answer may be kept but is asked about again each time, so that a new version of the
/// program never runs with half of the old page.
pub(super) fn router() -> Router {
    let files = FILES.iter().fold(Router::new(), |router, file| {
        let tag: Arc<str> = tag(file.body).into();
        router.route(
            file.path,
            get(move |headers: HeaderMap| {
                let tag = Arc::clone(&tag);
                async move { answer(file, &tag, &headers) }
            }),
        )
    });
    let (tag, modules): (Arc<str>, Arc<str>) = (tag(INDEX.body).into(), modules().into());
    let index = move |headers: HeaderMap| {
        let (tag, modules) = (Arc::clone(&tag), Arc::clone(&modules));
        async move { ([(LINK, &*modules)], answer(&INDEX, &tag, &headers)).into_response() }
    };
    files.route(INDEX.path, get(index))
}

/// All modules as a header, so that the browser asks for them at once and does not learn of one
/// from the other.
fn modules() -> String {
    let modules = FILES.iter().filter(|file| file.content_type == JS);
    let links: Vec<String> =
        modules.map(|file| format!("<{}>; rel=modulepreload", file.path)).collect();
    links.join(", ")
}

fn answer(file: &'static File, tag: &str, asked: &HeaderMap) -> Response {
    let headers = [
        (ETAG, tag),
        (CACHE_CONTROL, "no-cache"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    if has(asked, tag) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, [(CONTENT_TYPE, file.content_type)], Bytes::from_static(file.body)).into_response()
}

/// Whether the browser has this very file (RFC 9110, 13.1.2).
fn has(asked: &HeaderMap, tag: &str) -> bool {
    asked
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|one| one.trim().trim_start_matches("W/"))
        .any(|one| one == tag || one == "*")
}

fn tag(body: &[u8]) -> String {
    let mut digits = hex::encode(Sha256::digest(body));
    digits.truncate(16);
    format!("\"{digits}\"")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use axum::body::Body;
    use http::Request;
    use http_body_util::BodyExt;
    use hyper::service::Service;
    use hyper_util::service::TowerToHyperService;

    use super::*;

    /// What the whole page may weigh, in bytes.
    const BUDGET: usize = 150 * 1024;

    async fn ask(path: &str, if_none_match: Option<&str>) -> Response {
        let mut request = Request::get(path);
        if let Some(tag) = if_none_match {
            request = request.header(IF_NONE_MATCH, tag);
        }
        let service = TowerToHyperService::new(router());
        service.call(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    fn on_disk(folder: &Path, prefix: &str, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.file_type().unwrap().is_dir() {
                on_disk(&entry.path(), &format!("{name}/"), found);
            } else if entry.path().extension() != Some("rs".as_ref()) {
                found.insert(name);
            }
        }
    }

    #[test]
    fn every_file_of_the_folder_is_served() {
        let mut there = BTreeSet::new();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/serve/telemetry/page");
        on_disk(&folder, "/page/", &mut there);
        there.remove("/page/index.html");
        let served: BTreeSet<String> = FILES.iter().map(|file| file.path.to_owned()).collect();
        assert_eq!(there, served);
    }

    #[test]
    fn stays_within_its_size() {
        let size: usize = FILES.iter().chain([&INDEX]).map(|file| file.body.len()).sum();
        assert!(size <= BUDGET, "{size} bytes");
    }

    #[tokio::test]
    async fn answers_with_type_and_policy() {
        for (path, content_type) in [("/", HTML), ("/page/main.js", JS), ("/page/style.css", CSS)] {
            let response = ask(path, None).await;
            assert_eq!(response.status(), StatusCode::OK, "{path}");
            assert_eq!(response.headers()[CONTENT_TYPE], content_type);
            assert_eq!(response.headers()[CONTENT_SECURITY_POLICY], POLICY);
            assert_eq!(response.headers()[X_CONTENT_TYPE_OPTIONS], "nosniff");
            let body = response.into_body().collect().await.unwrap().to_bytes();
            assert!(!body.is_empty());
        }
        assert_eq!(ask("/page/mod.rs", None).await.status(), StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn all_modules_are_asked_for_at_once() {
        let links = ask("/", None).await.headers()[LINK].to_str().unwrap().to_owned();
        assert!(links.contains("</page/views/trace.js>; rel=modulepreload"), "{links}");
        for link in links.split(", ") {
            let path = link.strip_prefix('<').unwrap().split('>').next().unwrap();
            assert_eq!(ask(path, None).await.headers()[CONTENT_TYPE], JS, "{path}");
        }
        assert!(!ask("/page/main.js", None).await.headers().contains_key(LINK));
    }

    #[tokio::test]
    async fn sends_nothing_that_the_browser_has() {
        let tag = ask("/", None).await.headers()[ETAG].to_str().unwrap().to_owned();
        let again = ask("/", Some(&format!("\"other\", W/{tag}"))).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(again.headers()[ETAG], tag);
        assert!(again.into_body().collect().await.unwrap().to_bytes().is_empty());
        assert_eq!(ask("/", Some("\"other\"")).await.status(), StatusCode::OK);
    }
}
