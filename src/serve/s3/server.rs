//! The two listeners and their connections: start, accept, stop in order. It
//! knows nothing of what is said on them.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::admin::Admin;
use super::auth::Keys;
use super::clock::{self, Clock};
use super::faults::Faults;
use super::log::{RING_BYTES, RequestLog};
use super::metrics::Metrics;
use super::options::{Addresses, Error, Options};
use super::service::Service;
use super::state::State;
use super::store::{self, Store};
use super::{lifecycle, seed};

/// The most connections of a listener at a time; more wait to be accepted.
const MAX_CONNECTIONS: usize = 2048;
/// The most bytes of a request's head.
const MAX_HEAD: usize = 64 * 1024;
/// How long a client may take for a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// How long requests may still run when the server stops.
const GRACE: Duration = Duration::from_secs(10);
/// How often lifecycle rules are run.
const LIFECYCLE_EVERY: Duration = Duration::from_secs(60);

/// Serves until `stop` is cancelled. `ready` is called once, when both ports
/// answer and the configuration is applied.
///
/// # Errors
///
/// [`Error`] when the store or a port cannot be opened, or the configuration
/// cannot be applied.
pub async fn serve(
    options: Options,
    stop: CancellationToken,
    ready: impl FnOnce(Addresses),
) -> Result<(), Error> {
    let state = Arc::new(open(&options).await?);
    for bucket in &options.config.buckets {
        seed::apply(&state, bucket).await?;
    }
    let (s3, s3_address) = listen(options.listen).await?;
    let (admin, admin_address) = listen(options.admin).await?;
    let addresses = Addresses { s3: s3_address, admin: admin_address };
    let service = Service::new(Arc::clone(&state));
    let control = Arc::new(Admin::new(Arc::clone(&state), addresses));
    ready(addresses);
    let answer_s3 = |stream, remote, permit, graceful: &GracefulShutdown| {
        talk_s3(service.clone(), stream, remote, permit, graceful);
    };
    let answer_admin = |stream, _, permit, graceful: &GracefulShutdown| {
        talk_admin(Arc::clone(&control), stream, permit, graceful);
    };
    tokio::join!(
        accept(s3, &stop, answer_s3),
        accept(admin, &stop, answer_admin),
        keep_lifecycle(&state, &stop),
    );
    Ok(())
}

async fn open(options: &Options) -> Result<State, Error> {
    let dir = options.dir.clone();
    let clock = store::Clock::default();
    let settings = store::Options {
        clock: clock.clone(),
        durability: options.durability,
        ..store::Options::default()
    };
    let opening = tokio::task::spawn_blocking(move || Store::open(&dir, settings));
    let store = opening
        .await
        .map_err(|_| Error::Interrupted)?
        .map_err(|source| Error::Store { dir: options.dir.clone(), source })?;
    Ok(State {
        store,
        clock: Clock::of(clock),
        keys: Keys::new(&options.config.keys),
        region: options.region.clone(),
        domains: options.all_domains(),
        faults: Faults::default(),
        metrics: Metrics::default(),
        log: RequestLog::new(RING_BYTES, options.log.clone()),
        lifecycle: tokio::sync::Mutex::new(()),
        started: clock::machine_now(),
    })
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let failed = |source| Error::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// Accepts connections until the end, then waits for those that are open.
async fn accept(
    listener: TcpListener,
    stop: &CancellationToken,
    talk: impl Fn(TcpStream, SocketAddr, OwnedSemaphorePermit, &GracefulShutdown),
) {
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let next = async {
            let permit = Arc::clone(&room).acquire_owned().await.ok()?;
            Some((listener.accept().await, permit))
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = next => accepted,
        };
        match accepted {
            Some((Ok((stream, remote)), permit)) => {
                let _ = stream.set_nodelay(true);
                talk(stream, remote, permit, &graceful);
            }
            // Out of file descriptors, say: a pause lets some be closed.
            Some((Err(_), _)) => tokio::time::sleep(Duration::from_millis(20)).await,
            None => break,
        }
    }
    drop(listener);
    let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
}

fn builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD)
        .auto_date_header(false);
    builder
}

fn talk_s3(
    service: Service,
    stream: TcpStream,
    remote: SocketAddr,
    permit: OwnedSemaphorePermit,
    graceful: &GracefulShutdown,
) {
    let answer = service_fn(move |request: http::Request<Incoming>| {
        let service = service.clone();
        async move { service.call(request.map(s3s::Body::from), Some(remote)).await }
    });
    let connection = graceful.watch(builder().serve_connection(TokioIo::new(stream), answer));
    tokio::spawn(async move {
        // A client that went away is nothing to report; the log has its requests.
        let _ = connection.await;
        drop(permit);
    });
}

fn talk_admin(
    admin: Arc<Admin>,
    stream: TcpStream,
    permit: OwnedSemaphorePermit,
    graceful: &GracefulShutdown,
) {
    let answer = service_fn(move |request: http::Request<Incoming>| {
        let admin = Arc::clone(&admin);
        async move { Ok::<_, Infallible>(admin.call(request.map(s3s::Body::from)).await) }
    });
    let connection = graceful.watch(builder().serve_connection(TokioIo::new(stream), answer));
    tokio::spawn(async move {
        let _ = connection.await;
        drop(permit);
    });
}

async fn keep_lifecycle(state: &State, stop: &CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LIFECYCLE_EVERY) => {}
        }
        // What fails is tried again, and seen by whoever writes.
        let _ = lifecycle::run(state).await;
    }
}
