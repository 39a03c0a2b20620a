//! Hands on what arrives on a node to a server elsewhere in the cluster: TCP connections, datagrams
//! and Unix sockets, byte by byte.
//!
//! Owns the forwarding. Must not understand what is forwarded: the server behind it does.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, lookup_host};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Sink, unix};

/// How long connecting to the server may take.
const CONNECT: Duration = Duration::from_secs(5);
/// The pause before a name is looked up again, or a socket that failed is used again.
const PAUSE: Duration = Duration::from_millis(250);
/// The largest datagram there is.
const DATAGRAM: usize = 64 * 1024;

/// What to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    /// TCP connections to this address.
    Tcp(SocketAddr),
    /// UDP datagrams to this address.
    Udp(SocketAddr),
    /// Connections to a Unix socket of this path, handed on over TCP.
    UnixStream(PathBuf),
    /// Datagrams to a Unix socket of this path, handed on over UDP.
    UnixDatagram(PathBuf),
}

/// One thing to hand on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Where it arrives.
    pub from: From,
    /// Where it goes: `host:port`, looked up for every connection.
    pub to: String,
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An address or a path cannot be listened on.
    #[error("cannot listen on `{place}`")]
    Listen {
        /// What was to be listened on.
        place: String,
        /// Why not.
        source: std::io::Error,
    },
}

/// Forwards until `stop`. `ready` is called once everything is listened on, with the addresses in
/// the order of the routes, which tell what a port 0 became.
///
/// # Errors
/// When something cannot be listened on. A server that is away is no failure: connections are
/// closed and datagrams dropped until it is back, as if the agent of the node restarted.
pub async fn relay(
    routes: &[Route],
    sink: &Sink,
    stop: CancellationToken,
    ready: impl FnOnce(Vec<SocketAddr>),
) -> Result<(), Error> {
    let mut tasks = JoinSet::new();
    let mut addresses = Vec::new();
    for route in routes {
        let to: Arc<str> = route.to.as_str().into();
        let sink = Arc::clone(sink);
        match &route.from {
            From::Tcp(address) => {
                let listener = TcpListener::bind(address).await;
                let listener = listener.map_err(|error| unheard(address, error))?;
                addresses.extend(listener.local_addr().ok());
                tasks.spawn(async move {
                    loop {
                        match listener.accept().await {
                            Ok((client, _)) => drop(tokio::spawn(carry(client, Arc::clone(&to)))),
                            Err(error) => pause(&sink, &error).await,
                        }
                    }
                });
            }
            From::UnixStream(path) => {
                let listener = unix::listen(path, UnixListener::bind);
                let listener = listener.map_err(|error| unheard(&path.display(), error))?;
                tasks.spawn(async move {
                    loop {
                        match listener.accept().await {
                            Ok((client, _)) => drop(tokio::spawn(carry(client, Arc::clone(&to)))),
                            Err(error) => pause(&sink, &error).await,
                        }
                    }
                });
            }
            From::Udp(address) => {
                let socket = UdpSocket::bind(address).await;
                let socket = socket.map_err(|error| unheard(address, error))?;
                addresses.extend(socket.local_addr().ok());
                tasks.spawn(async move { datagrams(&to, &sink, Datagrams::Udp(socket)).await });
            }
            From::UnixDatagram(path) => {
                let socket = unix::listen(path, UnixDatagram::bind);
                let socket = socket.map_err(|error| unheard(&path.display(), error))?;
                tasks.spawn(async move { datagrams(&to, &sink, Datagrams::Unix(socket)).await });
            }
        }
    }
    ready(addresses);
    stop.cancelled().await;
    tasks.shutdown().await;
    for route in routes {
        if let From::UnixStream(path) | From::UnixDatagram(path) = &route.from {
            let _ = std::fs::remove_file(path);
        }
    }
    Ok(())
}

fn unheard(place: &impl ToString, source: std::io::Error) -> Error {
    Error::Listen { place: place.to_string(), source }
}

/// Carries both directions of one connection until one side ends it.
async fn carry(mut client: impl AsyncRead + AsyncWrite + Unpin, to: Arc<str>) {
    let server = tokio::time::timeout(CONNECT, TcpStream::connect(to.as_ref())).await;
    if let Ok(Ok(mut server)) = server {
        let _ = server.set_nodelay(true);
        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
    }
}

/// Where datagrams come from.
enum Datagrams {
    Udp(UdpSocket),
    Unix(UnixDatagram),
}

impl Datagrams {
    async fn receive(&self, piece: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Udp(socket) => socket.recv(piece).await,
            Self::Unix(socket) => socket.recv(piece).await,
        }
    }
}

/// Hands on datagrams for ever.
async fn datagrams(to: &str, sink: &Sink, from: Datagrams) {
    let mut piece = vec![0; DATAGRAM];
    loop {
        let server = match reach(to).await {
            Ok(server) => server,
            Err(error) => {
                pause(sink, &error).await;
                continue;
            }
        };
        loop {
            let size = match from.receive(&mut piece).await {
                Ok(size) => size,
                Err(error) => {
                    pause(sink, &error).await;
                    continue;
                }
            };
            match server.send(&piece[..size]).await {
                Ok(_) => {}
                // What came before found nobody at its port; the next one may.
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
                // Anything else may be an address that is not the server's any more.
                Err(_) => break,
            }
        }
    }
}

async fn reach(to: &str) -> std::io::Result<UdpSocket> {
    let mut found = lookup_host(to).await?;
    let address = found.next().ok_or_else(|| std::io::Error::from(ErrorKind::NotFound))?;
    let any: SocketAddr =
        if address.is_ipv4() { ([0; 4], 0).into() } else { ([0_u16; 8], 0).into() };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(address).await?;
    Ok(socket)
}

async fn pause(sink: &Sink, error: &std::io::Error) {
    sink(&format!("{}", serde_json::json!({ "relay": error.to_string() })));
    tokio::time::sleep(PAUSE).await;
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixStream;
    use tokio::sync::oneshot;

    use super::*;

    const LOCAL: &str = "127.0.0.1:0";
    const SOON: Duration = Duration::from_secs(10);

    /// A relay of these routes; ends with the returned token.
    async fn started(routes: Vec<Route>) -> (Vec<SocketAddr>, CancellationToken) {
        let stop = CancellationToken::new();
        let (told, ready) = oneshot::channel();
        let token = stop.clone();
        tokio::spawn(async move {
            let sink: Sink = Arc::new(|_: &str| {});
            let ready = |addresses| drop(told.send(addresses));
            relay(&routes, &sink, token, ready).await.unwrap();
        });
        (ready.await.unwrap(), stop)
    }

    async fn echo() -> SocketAddr {
        let server = TcpListener::bind(LOCAL).await.unwrap();
        let address = server.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = server.accept().await {
                let mut said = Vec::new();
                client.read_to_end(&mut said).await.unwrap();
                client.write_all(&said).await.unwrap();
            }
        });
        address
    }

    #[tokio::test]
    async fn connections_are_carried_both_ways_until_each_side_is_done() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("apm.socket");
        // A socket file that nobody listens on any more is no hindrance.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let to = echo().await.to_string();
        let routes = vec![
            Route { from: From::Tcp(LOCAL.parse().unwrap()), to: to.clone() },
            Route { from: From::UnixStream(path.clone()), to },
        ];
        let (addresses, stop) = started(routes).await;
        let mut said = String::new();
        let mut client = TcpStream::connect(addresses[0]).await.unwrap();
        client.write_all(b"over tcp").await.unwrap();
        client.shutdown().await.unwrap();
        client.read_to_string(&mut said).await.unwrap();
        let mut client = UnixStream::connect(&path).await.unwrap();
        client.write_all(b", over a socket").await.unwrap();
        client.shutdown().await.unwrap();
        client.read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "over tcp, over a socket");
        stop.cancel();
    }

    #[tokio::test]
    async fn datagrams_of_both_kinds_arrive_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dsd.socket");
        let server = UdpSocket::bind(LOCAL).await.unwrap();
        let to = server.local_addr().unwrap().to_string();
        let routes = vec![
            Route { from: From::Udp(LOCAL.parse().unwrap()), to: to.clone() },
            Route { from: From::UnixDatagram(path.clone()), to },
        ];
        let (addresses, stop) = started(routes).await;
        let mut piece = vec![0; DATAGRAM];
        let client = UdpSocket::bind(LOCAL).await.unwrap();
        let large = vec![b'x'; 30_000];
        client.send_to(&large, addresses[0]).await.unwrap();
        let size = tokio::time::timeout(SOON, server.recv(&mut piece)).await.unwrap().unwrap();
        assert_eq!(piece[..size], large);
        let client = UnixDatagram::unbound().unwrap();
        client.send_to(b"a.count:1|c", &path).await.unwrap();
        let size = tokio::time::timeout(SOON, server.recv(&mut piece)).await.unwrap().unwrap();
        assert_eq!(&piece[..size], b"a.count:1|c");
        stop.cancel();
    }

    #[tokio::test]
    async fn a_server_that_is_away_ends_connections_and_nothing_else() {
        let gone = TcpListener::bind(LOCAL).await.unwrap();
        let to = gone.local_addr().unwrap();
        drop(gone);
        let route = Route { from: From::Tcp(LOCAL.parse().unwrap()), to: to.to_string() };
        let (addresses, stop) = started(vec![route]).await;
        let mut client = TcpStream::connect(addresses[0]).await.unwrap();
        let mut said = Vec::new();
        let read = tokio::time::timeout(SOON, client.read_to_end(&mut said)).await.unwrap();
        assert_eq!(read.unwrap_or(0), 0);
        let server = TcpListener::bind(to).await.unwrap();
        let mut client = TcpStream::connect(addresses[0]).await.unwrap();
        let (mut carried, _) = tokio::time::timeout(SOON, server.accept()).await.unwrap().unwrap();
        client.write_all(b"back").await.unwrap();
        client.shutdown().await.unwrap();
        carried.read_to_end(&mut said).await.unwrap();
        assert_eq!(said, b"back");
        stop.cancel();
    }

    #[tokio::test]
    async fn what_cannot_be_listened_on_is_named() {
        let taken = TcpListener::bind(LOCAL).await.unwrap();
        let address = taken.local_addr().unwrap();
        let route = Route { from: From::Tcp(address), to: "127.0.0.1:1".to_owned() };
        let heard = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&heard);
        let sink: Sink = Arc::new(move |line: &str| lines.lock().unwrap().push(line.to_owned()));
        let error = relay(&[route], &sink, CancellationToken::new(), |_| ()).await.unwrap_err();
        assert_eq!(error.to_string(), format!("cannot listen on `{address}`"));
        assert!(heard.lock().unwrap().is_empty());
    }
}
