//! A loopback HTTP server for tests that answers exactly what it is told to.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::checks::Target;
use crate::settings::checks::{Check, Http};

/// What the server does with one request.
pub(super) enum Reply {
    /// Sends these bytes and closes the connection.
    Raw(String),
    /// Sends these bytes and then nothing for ever.
    Hang(String),
}

/// A running server; it ends with the test.
pub(super) struct Server {
    pub(super) port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Starts a server; `reply` gets the number of the request, from 1, and its head and body.
    pub(super) async fn start(
        reply: impl Fn(usize, &str) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, reply) = (Arc::clone(&requests), Arc::new(reply));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&seen), Arc::clone(&reply)));
            }
        });
        Self { port, requests }
    }

    /// A target whose ingress is this server, for both schemes.
    pub(super) fn target(&self) -> Target {
        Target { http_port: self.port, https_port: self.port, ..Target::default() }
    }

    /// Everything that was received, in order.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve<R: Fn(usize, &str) -> Reply>(
    mut stream: TcpStream,
    seen: Arc<Mutex<Vec<String>>>,
    reply: Arc<R>,
) {
    let mut buffer = vec![0; 64 * 1024];
    let read = stream.read(&mut buffer).await.unwrap_or(0);
    let request = String::from_utf8_lossy(&buffer[..read]).into_owned();
    let number = {
        let mut seen = seen.lock().unwrap();
        seen.push(request.clone());
        seen.len()
    };
    match reply(number, &request) {
        Reply::Raw(bytes) => {
            let _ = stream.write_all(bytes.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        Reply::Hang(bytes) => {
            let _ = stream.write_all(bytes.as_bytes()).await;
            tokio::time::sleep(Duration::from_secs(3600)).await;
        }
    }
}

/// A well-formed answer.
pub(super) fn answer(status: u16, headers: &str, body: &str) -> Reply {
    let length = body.len();
    Reply::Raw(format!(
        "HTTP/1.1 {status} Some Reason\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    ))
}

/// A request without any expectation but status 200.
pub(super) fn http(url: &str) -> Http {
    Http { url: url.into(), ..Http::default() }
}

/// A check that is tried for a second.
pub(super) fn check(name: &str, http: Http) -> Check {
    let within = Some(jiff::SignedDuration::from_secs(1));
    Check { name: name.into(), http: Some(http), within, ..Check::default() }
}
