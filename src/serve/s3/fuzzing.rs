//! What a fuzzer may send to the mock S3, and what must hold whatever it sends; only there in
//! builds for fuzzing.

#![expect(clippy::unwrap_used, reason = "a broken promise is a panic here")]
#![expect(clippy::missing_panics_doc, reason = "a panic is what a fuzzer looks for")]

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Uri};
use tokio::runtime::Runtime;

use super::checksum::{self, Kind};
use super::config::Config;
use super::form::testing::{parse, policy};
use super::policy::Policy;
use super::request::chunked::Decoder;
use super::testing::TestServer;

const CONFIG: &str = "buckets:
- {name: plain, objects: [{key: seed, text: hello, content-type: text/plain}]}
- {name: open, public: true, objects: [{key: k, text: everyone}], cors: ['https://a.example']}
- {name: kept, versioning: true, lifecycle-days: 1}
";

/// After so many inputs a server starts anew, as what it stores grows.
const INPUTS: usize = 500;

/// Documents that are put to buckets and objects.
const DOCUMENTS: [(&str, &str); 13] = [
    ("PUT", "/plain?lifecycle"),
    ("PUT", "/plain?cors"),
    ("PUT", "/plain?tagging"),
    ("PUT", "/plain?versioning"),
    ("PUT", "/plain?object-lock"),
    ("PUT", "/plain?encryption"),
    ("PUT", "/plain?publicAccessBlock"),
    ("PUT", "/plain?ownershipControls"),
    ("PUT", "/plain?acl"),
    ("PUT", "/plain?policy"),
    ("PUT", "/plain/seed?tagging"),
    ("POST", "/plain?delete"),
    ("PUT", "/new"),
];

thread_local! {
    static RUNTIME: Runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    static SERVER: RefCell<(usize, Option<Rc<TestServer>>)> = const { RefCell::new((0, None)) };
}

fn with_server<T>(run: impl AsyncFnOnce(&TestServer) -> T) -> T {
    RUNTIME.with(|runtime| {
        runtime.block_on(async {
            let known = SERVER.with_borrow_mut(|(inputs, server)| {
                *inputs += 1;
                server.take_if(|_| *inputs % INPUTS == 0);
                server.clone()
            });
            let server = match known {
                Some(server) => server,
                None => Rc::new(TestServer::new(CONFIG).await),
            };
            SERVER.with_borrow_mut(|(_, kept)| *kept = Some(Rc::clone(&server)));
            run(&server).await
        })
    })
}

/// A request as text: `METHOD TARGET`, lines of headers, an empty line, a body. One that begins
/// with `!` is sent without a signature. Every request has an answer, and none is 500.
pub fn request(input: &[u8]) {
    let (head, body) = split(input, b"\n\n");
    let Ok(head) = std::str::from_utf8(head) else { return };
    let mut lines = head.lines();
    let first = lines.next().unwrap_or_default();
    let (anonymous, first) = first.strip_prefix('!').map_or((false, first), |rest| (true, rest));
    let Some((method, target)) = first.split_once(' ') else { return };
    if method.parse::<Method>().is_err() || target.parse::<Uri>().is_err() {
        return;
    }
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name, value.trim()))
        .filter(|(name, value)| {
            name.parse::<HeaderName>().is_ok_and(|name| name != http::header::CONTENT_LENGTH)
                && value.parse::<HeaderValue>().is_ok()
        })
        .collect();
    let body = Bytes::copy_from_slice(body);
    with_server(async |server| {
        let got = if anonymous {
            server.anonymous(method, target, &headers, body).await
        } else {
            server.ask(method, target, &headers, body).await
        };
        assert!(got.headers.contains_key("x-amz-request-id"), "no request id");
        assert_ne!(got.status, 500, "{}", got.text());
    });
}

/// The first byte says which document the rest is. What is taken can be read back.
pub fn document(input: &[u8]) {
    let Some((first, document)) = input.split_first() else { return };
    let (method, target) = DOCUMENTS[usize::from(*first) % DOCUMENTS.len()];
    let sum = checksum::of(Kind::Crc64Nvme, document);
    let headers = [("x-amz-checksum-crc64nvme", sum.as_str())];
    let document = Bytes::copy_from_slice(document);
    with_server(async |server| {
        let got = server.ask(method, target, &headers, document).await;
        assert_ne!(got.status, 500, "{method} {target}: {}", got.text());
        if got.status == 200 && method == "PUT" && target.contains('?') {
            let back = server.ask("GET", target, &[], "").await;
            assert_ne!(back.status, 500, "GET {target}: {}", back.text());
        }
    });
}

/// An `aws-chunked` body comes out the same however it was cut, and never grows.
pub fn chunked(input: &[u8]) {
    let Some((first, body)) = input.split_first() else { return };
    let (signed, trailer) = (first & 1 > 0, first & 2 > 0);
    let decode = |piece: usize| {
        let mut decoder = Decoder::new(signed, None, trailer);
        let mut out = Vec::new();
        for part in body.chunks(piece) {
            decoder.push(Bytes::copy_from_slice(part), &mut out)?;
        }
        decoder.finish().map(|trailers| (out.concat(), trailers))
    };
    let whole = decode(body.len().max(1));
    assert_eq!(whole, decode(usize::from(first >> 2) + 1));
    if let Ok((data, _)) = whole {
        assert!(data.len() <= body.len());
    }
}

/// A form of a browser, whose boundary is `XX`.
pub fn form(input: &[u8]) {
    let read = async |piece| match parse(input, piece).await {
        Ok(read) => Ok(read),
        Err(error) => Err(error.code().as_str().to_owned()),
    };
    RUNTIME.with(|runtime| {
        runtime.block_on(async { assert_eq!(read(input.len().max(1)).await, read(7).await) });
    });
}

/// Bucket policies, policies of forms, and the server's own configuration.
pub fn rules(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(policy) = Policy::parse(text, "b") {
        policy.verdict(true, "s3:GetObject", "arn:aws:s3:::b/k");
    }
    policy(text);
    let _ = Config::parse(text);
}

fn split<'a>(bytes: &'a [u8], at: &[u8]) -> (&'a [u8], &'a [u8]) {
    let found = memchr::memmem::find(bytes, at);
    found.map_or((bytes, &[][..]), |place| (&bytes[..place], &bytes[place + at.len()..]))
}
