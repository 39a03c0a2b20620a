//! `sandbox serve`: one of the sandbox's own servers, until it is told to stop.
//!
//! Owns turning flags into options and the lines on stdout: first where it listens, then its log.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::Outcome;
use crate::addons::NAMESPACE;
use crate::cli::{Port, ServeCommand, ServeRelay, ServeS3, ServeTelemetry};
use crate::env;
use crate::error::{Context, Error, Kind, Result};
use crate::report::event::{Event, Events};
use crate::serve::relay::{self, From, Route};
use crate::serve::telemetry::tail;
use crate::serve::{Sink, health, s3, telemetry};
use crate::tools::plain;
use crate::world::World;

/// Lines of a log that may wait to be written; what comes then is left out, so that a reader that
/// is slow or gone costs no memory.
const WAITING: usize = 10_000;

/// Runs the command; it ends with Ctrl-C or SIGTERM.
///
/// # Errors
/// [`Kind::Machine`] when it cannot listen or use its folder, [`Kind::Settings`] when its
/// configuration is wrong.
pub(super) async fn run(world: &World, command: &ServeCommand, quiet: bool) -> Result<Outcome> {
    let sink = sink(&world.events, quiet);
    match command {
        ServeCommand::S3(flags) => serve_s3(world, flags, sink).await?,
        ServeCommand::Telemetry(flags) => serve_telemetry(world, flags, sink).await?,
        ServeCommand::Relay(flags) => serve_relay(world, flags, &sink).await?,
    }
    Ok(Outcome::default())
}

fn sink(events: &Events, quiet: bool) -> Sink {
    if quiet {
        return Arc::new(|_: &str| {});
    }
    let turns = Arc::new(Semaphore::new(WAITING));
    let events = events.clone();
    Arc::new(move |line: &str| {
        if let Ok(turn) = Arc::clone(&turns).try_acquire_owned() {
            events.send(Event::Line { text: line.to_owned(), turn: Some(Arc::new(turn)) });
        }
    })
}

/// The first line: where it listens, which tells what a port 0 became.
fn listening(events: &Events, addresses: &impl serde::Serialize) {
    events.line(json!({ "listening": addresses }).to_string());
}

async fn serve_s3(world: &World, flags: &ServeS3, sink: Sink) -> Result<()> {
    let config = match &flags.setup {
        None => s3::Config::default(),
        Some(path) => read_config(&world.cwd.join(path))?,
    };
    let options = s3::Options {
        dir: world.cwd.join(&flags.dir),
        listen: (flags.bind, flags.port).into(),
        admin: (flags.bind, flags.admin_port).into(),
        domains: flags.domain.clone(),
        region: flags.region.clone(),
        config,
        durability: s3::store::Durability::default(),
        log: s3::LogSink::new(move |line| sink(line)),
    };
    let events = world.events.clone();
    let ready = move |addresses: s3::Addresses| listening(&events, &addresses);
    let served = s3::serve(options, world.cancel.clone(), ready);
    served.await.context(Kind::Machine, || "S3 cannot be served".to_owned())
}

/// Reads the server's own configuration; JSON is YAML.
fn read_config(path: &Path) -> Result<s3::Config> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .context(Kind::Settings, || format!("cannot read `{shown}`"))?;
    let mut config: s3::Config = serde_saphyr::from_str(&text)
        .map_err(|error| Error::new(Kind::Settings, format!("`{shown}`: {error}")))?;
    let root = path.parent().unwrap_or(Path::new("."));
    for object in config.buckets.iter_mut().flat_map(|bucket| &mut bucket.objects) {
        object.inline(root).map_err(|why| {
            Error::new(Kind::Settings, format!("`{shown}`: the object `{}`", object.key))
                .because(why)
        })?;
    }
    Ok(config)
}

async fn serve_telemetry(world: &World, flags: &ServeTelemetry, sink: Sink) -> Result<()> {
    let at = |port: Port| match port {
        Port::Off => None,
        Port::On(port) => Some(SocketAddr::from((flags.bind, port))),
    };
    let options = telemetry::Options {
        query: at(flags.port),
        apm: at(flags.apm_port),
        dogstatsd: at(flags.dogstatsd_port),
        otlp_grpc: at(flags.otlp_grpc_port),
        otlp_http: at(flags.otlp_http_port),
        health: at(flags.health_port),
        sockets: flags.sockets.as_ref().map(|folder| world.cwd.join(folder)),
        pod_logs: flags.pod_logs.clone(),
        pod_logs_skip: skipped(),
        node: world.env.text(env::NODE_NAME).unwrap_or_default().to_owned(),
        limits: telemetry::Limits { bytes: flags.max_bytes, age: flags.max_age },
        s3: flags.s3.clone(),
        sandbox: None,
        log: sink,
    };
    let events = world.events.clone();
    let ready = move |addresses: telemetry::Addresses| listening(&events, &addresses);
    let served = telemetry::serve(options, world.cancel.clone(), ready);
    served.await.context(Kind::Machine, || "telemetry cannot be served".to_owned())
}

/// Pods whose lines are not the app's.
fn skipped() -> tail::Skip {
    tail::Skip {
        namespaces: [
            "kube-system",
            "local-path-storage",
            "cert-manager",
            "ingress-nginx",
            NAMESPACE,
        ]
        .map(str::to_owned)
        .to_vec(),
        pods: Vec::new(),
    }
}

/// The ports of the collector that a relay stands for.
const RELAYED: [u16; 3] = [8126, 4317, 4318];
/// Batches of lines that wait for the collector.
const BATCHES: usize = 16;
/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The pause before it is tried again.
const PAUSE: Duration = Duration::from_secs(1);
/// Where a relay says that it is ready.
const HEALTH: u16 = 5555;
/// Its port for Datadog's metrics.
const DOGSTATSD: u16 = 8125;

async fn serve_relay(world: &World, flags: &ServeRelay, sink: &Sink) -> Result<()> {
    let to = |port: u16| format!("{}:{port}", flags.to);
    let mut routes: Vec<Route> = RELAYED
        .iter()
        .map(|&port| Route { from: From::Tcp((flags.bind, port).into()), to: to(port) })
        .collect();
    routes.push(Route { from: From::Udp((flags.bind, DOGSTATSD).into()), to: to(DOGSTATSD) });
    if let Some(folder) = &flags.sockets {
        let [apm, dogstatsd] = ["apm.socket", "dsd.socket"].map(|name| folder.join(name));
        routes.push(Route { from: From::UnixStream(apm), to: to(RELAYED[0]) });
        routes.push(Route { from: From::UnixDatagram(dogstatsd), to: to(DOGSTATSD) });
    }
    let unserved = || "the relay cannot serve".to_owned();
    let health = TcpListener::bind((flags.bind, HEALTH)).await.context(Kind::Machine, unserved)?;
    let health = health::serve(health, world.cancel.clone());
    let logs = node_logs(world, flags, sink);
    let events = world.events.clone();
    let ready = move |addresses: Vec<SocketAddr>| {
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        listening(&events, &addresses);
    };
    let relayed = relay::relay(&routes, sink, world.cancel.clone(), ready);
    let relayed = async { relayed.await.context(Kind::Machine, unserved) };
    let health = async { health.await.context(Kind::Machine, unserved) };
    let logs = async {
        logs.await;
        Ok(())
    };
    tokio::try_join!(relayed, health, logs).map(|_| ())
}

/// Sends the lines of this node's pods to the collector, for as long as it is told to.
async fn node_logs(world: &World, flags: &ServeRelay, sink: &Sink) {
    let Some(folder) = flags.pod_logs.clone() else { return };
    let node = world.env.text(env::NODE_NAME).unwrap_or_default().to_owned();
    let (sender, mut lines) = tokio::sync::mpsc::channel::<Vec<tail::Line>>(BATCHES);
    // Waits for room, so that a collector that is away costs no memory: the files keep the lines.
    let hand_on = move |batch: Vec<tail::Line>| drop(sender.blocking_send(batch));
    let stop = world.cancel.clone();
    let followed = tail::follow(folder, skipped(), hand_on, Arc::clone(sink), stop.clone());
    let url = format!("http://{}/sandbox/v1/intake/logs", flags.logs_to);
    let client = plain::client().timeout(PATIENCE).build();
    let sent = async {
        let Ok(client) = client else { return };
        while let Some(mut batch) = lines.recv().await {
            for line in &mut batch {
                line.node.clone_from(&node);
            }
            let body = serde_json::to_vec(&batch).unwrap_or_default();
            loop {
                let sent = client
                    .post(&url)
                    .header(http::header::CONTENT_TYPE, "application/json")
                    .body(body.clone())
                    .send()
                    .await;
                // Refused is as good as taken: it would be refused again.
                if sent.is_ok_and(|answer| !answer.status().is_server_error()) {
                    break;
                }
                if stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_none() {
                    return;
                }
            }
        }
    };
    tokio::join!(followed, sent);
}
