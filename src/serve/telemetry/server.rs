//! Binds everything, wires it together and runs it until told to stop.
//!
//! Owns listeners and their life. What is served is elsewhere.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use tokio::net::{TcpListener, UdpSocket, UnixDatagram, UnixListener};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::faults::Faults;
use super::http::{self, Server, Sessions};
use super::intake::Intake;
use super::options::{Addresses, Error, Options};
use super::store::{Store, now_ns};
use super::{datadog, lines, otlp, page, tail};
use crate::serve::unix;

/// How long open requests may take when the server stops.
const GRACE: Duration = Duration::from_secs(2);
/// Between two looks for what is too old.
const AGEING: Duration = Duration::from_secs(10);
/// The admin API of the mock S3 must answer in this time.
const PROXY_LIMIT: Duration = Duration::from_secs(60);

type Tasks = JoinSet<Result<(), Error>>;

/// Serves until `stop` is cancelled. `ready` is told the addresses once all listeners are bound.
///
/// # Errors
/// When an address cannot be bound, or a listener breaks.
pub async fn serve(
    options: Options,
    stop: CancellationToken,
    ready: impl FnOnce(Addresses),
) -> Result<(), Error> {
    let bound = Bound::new(&options).await?;
    let addresses = bound.addresses()?;
    let store = Arc::new(Store::new(options.limits));
    let port = |address: Option<SocketAddr>, usual| address.map_or(usual, |a| a.port());
    let intake = Intake {
        store: Arc::clone(&store),
        faults: Arc::new(Faults::default()),
        log: Arc::clone(&options.log),
        apm_port: port(addresses.apm, 8126),
        dogstatsd_port: port(addresses.dogstatsd, 8125),
    };
    let server = Arc::new(Server {
        intake: intake.clone(),
        addresses: addresses.clone(),
        started_ns: now_ns(),
        s3: options.s3.as_deref().map(s3_url).transpose()?,
        client: reqwest::Client::builder()
            .no_proxy()
            // Plain HTTP only: where this runs there may be no certificates to trust.
            .tls_certs_only(Vec::<reqwest::Certificate>::new())
            .timeout(PROXY_LIMIT)
            .build()
            .map_err(Error::Client)?,
        sandbox: options.sandbox.clone(),
        put_sandbox: Mutex::default(),
        sessions: Sessions::default(),
    });
    let mut tasks = Tasks::new();
    bound.serve(&mut tasks, &server, &stop);
    tasks.spawn(age(Arc::clone(&store), stop.clone()));
    if let Some(folder) = options.pod_logs.clone() {
        let (node, skip) = (options.node.clone(), options.pod_logs_skip.clone());
        let (stop, log) = (stop.clone(), Arc::clone(&options.log));
        let keep = move |mut lines: Vec<tail::Line>| {
            for line in &mut lines {
                line.node.clone_from(&node);
            }
            lines::keep(&store, &lines);
        };
        tasks.spawn(async move {
            tail::follow(folder, skip, keep, log, stop).await;
            Ok(())
        });
    }
    ready(addresses.clone());
    let result = run(&mut tasks, &stop).await;
    stop.cancel();
    for path in [addresses.apm_socket, addresses.dsd_socket].into_iter().flatten() {
        let _ = std::fs::remove_file(path);
    }
    result
}

/// Waits for the first failure, or for the end.
async fn run(tasks: &mut Tasks, stop: &CancellationToken) -> Result<(), Error> {
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            ended = tasks.join_next() => match ended {
                Some(Ok(Ok(()))) => {}
                Some(Ok(Err(error))) => return Err(error),
                Some(Err(error)) => {
                    return Err(Error::Serve { purpose: "a listener", source: error.into() });
                }
                None => return Ok(()),
            },
        }
    }
    let all = async { while tasks.join_next().await.is_some() {} };
    // Who keeps a connection open must not keep the server alive.
    let _ = tokio::time::timeout(GRACE, all).await;
    tasks.abort_all();
    Ok(())
}

async fn age(store: Arc<Store>, stop: CancellationToken) -> Result<(), Error> {
    while stop.run_until_cancelled(tokio::time::sleep(AGEING)).await.is_some() {
        store.evict_aged();
    }
    Ok(())
}

fn s3_url(text: &str) -> Result<reqwest::Url, Error> {
    text.parse().map_err(|_| Error::S3(text.to_owned()))
}

/// Every listener.
struct Bound {
    apm: Option<TcpListener>,
    dogstatsd: Option<UdpSocket>,
    otlp_grpc: Option<TcpListener>,
    otlp_http: Option<TcpListener>,
    health: Option<TcpListener>,
    query: Option<TcpListener>,
    sockets: Option<(PathBuf, UnixListener, UnixDatagram)>,
}

impl Bound {
    async fn new(options: &Options) -> Result<Self, Error> {
        let dogstatsd = match options.dogstatsd {
            None => None,
            Some(address) => Some(
                UdpSocket::bind(address)
                    .await
                    .map_err(|source| refused(address, "dogstatsd", source))?,
            ),
        };
        Ok(Self {
            apm: tcp(options.apm, "Datadog's HTTP intake").await?,
            dogstatsd,
            otlp_grpc: tcp(options.otlp_grpc, "OTLP over gRPC").await?,
            otlp_http: tcp(options.otlp_http, "OTLP over HTTP").await?,
            health: tcp(options.health, "health").await?,
            query: tcp(options.query, "questions and the page").await?,
            sockets: options.sockets.as_deref().map(sockets).transpose()?,
        })
    }

    fn addresses(&self) -> Result<Addresses, Error> {
        let tcp = |listener: &Option<TcpListener>| {
            let address = listener.as_ref().map(TcpListener::local_addr).transpose();
            address.map_err(|source| Error::Serve { purpose: "a listener", source: source.into() })
        };
        let udp = self.dogstatsd.as_ref().map(UdpSocket::local_addr).transpose();
        let folder = self.sockets.as_ref().map(|(folder, ..)| folder);
        Ok(Addresses {
            apm: tcp(&self.apm)?,
            dogstatsd: udp
                .map_err(|source| Error::Serve { purpose: "dogstatsd", source: source.into() })?,
            otlp_grpc: tcp(&self.otlp_grpc)?,
            otlp_http: tcp(&self.otlp_http)?,
            health: tcp(&self.health)?,
            query: tcp(&self.query)?,
            apm_socket: folder.map(|folder| folder.join(APM_SOCKET)),
            dsd_socket: folder.map(|folder| folder.join(DSD_SOCKET)),
        })
    }

    fn serve(self, tasks: &mut Tasks, server: &Arc<Server>, stop: &CancellationToken) {
        let intake = &server.intake;
        let apm = http::faulty(datadog::router(intake.clone()), intake.clone());
        if let Some(listener) = self.apm {
            let apm = apm.clone().merge(http::test_agent(Arc::clone(server)));
            serve_http(tasks, "Datadog's HTTP intake", listener, apm, stop);
        }
        if let Some((_, listener, datagrams)) = self.sockets {
            // No web page reaches a socket, and what clients say as `Host` there is up to them.
            let apm = apm.merge(http::test_agent_on_socket(Arc::clone(server)));
            serve_http(tasks, "Datadog's HTTP intake", listener, apm, stop);
            let (intake, stop) = (intake.clone(), stop.clone());
            tasks.spawn(async move {
                datadog::dogstatsd_unix(datagrams, intake, stop).await;
                Ok(())
            });
        }
        if let Some(socket) = self.dogstatsd {
            let (intake, stop) = (intake.clone(), stop.clone());
            tasks.spawn(async move {
                datadog::dogstatsd_udp(socket, intake, stop).await;
                Ok(())
            });
        }
        if let Some(listener) = self.otlp_grpc {
            let (intake, stop) = (intake.clone(), stop.clone());
            tasks.spawn(async move {
                otlp::serve_grpc(listener, intake, stop).await.map_err(|source| Error::Serve {
                    purpose: "OTLP over gRPC",
                    source: source.into(),
                })
            });
        }
        if let Some(listener) = self.otlp_http {
            let router = http::faulty(otlp::router(intake.clone()), intake.clone());
            serve_http(tasks, "OTLP over HTTP", listener, router, stop);
        }
        if let Some(listener) = self.health {
            serve_http(tasks, "health", listener, http::health(), stop);
        }
        if let Some(listener) = self.query {
            let guarded = http::guarded(http::router(Arc::clone(server)).merge(page::router()));
            let router = http::health().fallback_service(guarded);
            serve_http(tasks, "questions and the page", listener, router, stop);
        }
    }
}

/// The names that Datadog's clients look for.
const APM_SOCKET: &str = "apm.socket";
const DSD_SOCKET: &str = "dsd.socket";

fn serve_http<L>(
    tasks: &mut Tasks,
    purpose: &'static str,
    listener: L,
    router: Router,
    stop: &CancellationToken,
) where
    L: Listener,
    L::Addr: std::fmt::Debug,
{
    let stop = stop.clone();
    tasks.spawn(async move {
        axum::serve(listener, router)
            .with_graceful_shutdown(stop.cancelled_owned())
            .await
            .map_err(|source| Error::Serve { purpose, source: source.into() })
    });
}

async fn tcp(
    address: Option<SocketAddr>,
    purpose: &'static str,
) -> Result<Option<TcpListener>, Error> {
    let Some(address) = address else { return Ok(None) };
    let listener = TcpListener::bind(address).await;
    listener.map(Some).map_err(|source| refused(address, purpose, source))
}

fn refused(address: SocketAddr, purpose: &'static str, source: std::io::Error) -> Error {
    Error::Listen { address: address.to_string(), purpose, source }
}

/// Makes the folder and both sockets. Apps run as any user, so everybody may write to them.
fn sockets(folder: &Path) -> Result<(PathBuf, UnixListener, UnixDatagram), Error> {
    std::fs::create_dir_all(folder)
        .map_err(|source| Error::Folder { path: folder.to_owned(), source })?;
    let fail = |path: &Path, purpose| {
        let address = path.display().to_string();
        move |source| Error::Listen { address, purpose, source }
    };
    let (apm, dsd) = (folder.join(APM_SOCKET), folder.join(DSD_SOCKET));
    let listener = unix::listen(&apm, UnixListener::bind);
    let listener = listener.map_err(fail(&apm, "Datadog's HTTP intake"))?;
    let datagrams = unix::listen(&dsd, UnixDatagram::bind);
    let datagrams = datagrams.map_err(fail(&dsd, "dogstatsd"))?;
    Ok((folder.to_owned(), listener, datagrams))
}
