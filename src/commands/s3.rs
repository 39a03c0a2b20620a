//! `sandbox s3`: a look into the mock S3, and its faults and clock.
//!
//! Owns how answers look. Objects go over S3 itself, control over the server's own port, which only
//! the cluster reaches.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use futures::TryStreamExt;
use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::telemetry::without_nulls;
use super::{Outcome, interruptible, recorded};
use crate::addons::{NAMESPACE, s3};
use crate::cli::{ClockCommand, End, Fault, FaultKind, FaultsCommand, LogFilter, Place, S3Command};
use crate::desired::connections;
use crate::error::{Context, Error, Kind, Result};
use crate::report;
use crate::settings::Settings;
use crate::state::{self, Record};
use crate::tools::kube::Cluster;
use crate::tools::s3::{Access, S3};
use crate::world::World;

/// How long a question to the server's own port may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Entries of one page of a listing.
const PAGE: usize = 1000;

/// Runs the command.
///
/// # Errors
/// [`Kind::Cluster`] when the sandbox has no S3 or it refuses, [`Kind::Usage`] when a place makes
/// no sense.
pub(super) async fn run(
    world: &World,
    settings: &Settings,
    command: &S3Command,
) -> Result<Outcome> {
    interruptible(&world.cancel, carry_out(world, settings, command)).await
}

async fn carry_out(world: &World, settings: &Settings, command: &S3Command) -> Result<Outcome> {
    match command {
        S3Command::Ls { place: None, .. } => {
            let answer = control(world, settings, Method::GET, "buckets", None).await?;
            Ok(Outcome { text: buckets(&answer), data: answer, bad_news: None })
        }
        S3Command::Ls { place: Some(place), recursive } => {
            list(world, &client(world, settings)?, place, *recursive).await
        }
        S3Command::Cp { from, to } => copy(&client(world, settings)?, from, to).await,
        S3Command::Rm { place, recursive } => {
            remove(&client(world, settings)?, place, *recursive).await
        }
        S3Command::Cat { place } => {
            let to = End::File("-".into());
            copy(&client(world, settings)?, &End::Object(place.clone()), &to).await
        }
        S3Command::Log(filter) => {
            let answer = control(world, settings, Method::GET, &log_query(filter), None).await?;
            Ok(Outcome { text: log(&answer), data: answer, bad_news: None })
        }
        S3Command::Faults { command } => {
            match command {
                None => {}
                Some(FaultsCommand::Add(fault)) => {
                    let fault = fault_json(fault);
                    control(world, settings, Method::POST, "faults", Some(&fault)).await?;
                }
                Some(FaultsCommand::Clear) => {
                    control(world, settings, Method::DELETE, "faults", None).await?;
                }
            }
            let answer = control(world, settings, Method::GET, "faults", None).await?;
            Ok(Outcome { text: lines(&answer, "no faults"), data: answer, bad_news: None })
        }
        S3Command::Clock { command } => {
            let answer = match command {
                None => control(world, settings, Method::GET, "clock", None).await?,
                Some(ClockCommand::Advance { by }) => {
                    let by = json!({ "advance": format!("{}s", by.as_secs()) });
                    control(world, settings, Method::PUT, "clock", Some(&by)).await?
                }
                Some(ClockCommand::Reset) => {
                    control(world, settings, Method::DELETE, "clock", None).await?
                }
            };
            Ok(Outcome { text: clock(&answer), data: answer, bad_news: None })
        }
    }
}

/// The record of a sandbox that is up and has S3.
fn with_s3(world: &World, settings: &Settings) -> Result<(state::Place, Record)> {
    let name = &settings.name.value;
    let (place, record) = recorded(world, settings)?;
    if !record.addons.contains_key("s3") {
        return Err(Error::new(Kind::Cluster, format!("sandbox `{name}` has no S3"))
            .hint("add `addons: {s3: true}` to sandbox.yaml, then `sandbox up`"));
    }
    Ok((place, record))
}

fn client(world: &World, settings: &Settings) -> Result<S3> {
    let (place, record) = with_s3(world, settings)?;
    let facts = connections(world, settings, &place, &record)?;
    let find = |key: &str| facts.iter().find(|fact| fact.key == key);
    let text = |key: &str| find(key).map(|fact| fact.cluster.clone()).unwrap_or_default();
    let endpoint = find("s3.endpoint").and_then(|fact| fact.host.clone()).ok_or_else(|| {
        let message = "the cluster was made without a port of this machine for S3";
        Error::new(Kind::Cluster, message).hint("sandbox up --recreate")
    })?;
    let access = Access {
        endpoint,
        region: text("s3.region"),
        access_key: text("s3.access-key"),
        secret_key: text("s3.secret-key"),
        virtual_host: false,
    };
    S3::new(access, false)
}

/// Asks the server's own port.
async fn control(
    world: &World,
    settings: &Settings,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<Value> {
    let (place, record) = with_s3(world, settings)?;
    let cluster = Cluster::open_known(&place.kubeconfig(), record.identity.as_ref()).await?;
    let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
    let path = format!("sandbox/v1/{path}");
    let service = (NAMESPACE, s3::ADMIN, "admin");
    let (status, text) = cluster.ask_service(service, (method, &path), body, PATIENCE).await?;
    let json: Value = serde_json::from_slice(&text).unwrap_or_default();
    if (200..300).contains(&status) {
        return Ok(json);
    }
    let why = json["error"].as_str().or(json["message"].as_str()).map_or_else(
        || String::from_utf8_lossy(&text[..text.len().min(300)]).into_owned(),
        str::to_owned,
    );
    Err(Error::new(Kind::Cluster, format!("S3 refused ({status})"))
        .because(Error::new(Kind::Cluster, why)))
}

async fn list(world: &World, client: &S3, place: &Place, recursive: bool) -> Result<Outcome> {
    let delimiter = (!recursive).then_some("/");
    let mut after: Option<String> = None;
    let mut all = Vec::new();
    loop {
        let page =
            client.list(&place.bucket, &place.key, delimiter, after.as_deref(), PAGE).await?;
        for prefix in &page.prefixes {
            world.events.line(format!("{:>12}  {:<24}  {}", "", "", shown(prefix)));
            all.push(json!({ "prefix": prefix }));
        }
        for object in &page.objects {
            let key = shown(&object.key);
            world.events.line(format!("{:>12}  {:<24}  {key}", object.size, object.modified));
            all.push(json!({
                "key": object.key, "size": object.size, "modified": object.modified,
            }));
        }
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    Ok(Outcome { text: String::new(), data: json!({ "objects": all }), bad_news: None })
}

async fn copy(client: &S3, from: &End, to: &End) -> Result<Outcome> {
    let told = |what: String| Outcome {
        data: json!({ "copied": what }),
        text: String::new(),
        bad_news: None,
    };
    match (from, to) {
        (End::File(file), End::Object(place)) => {
            let place = named(place, file)?;
            put(client, file, &place).await?;
            Ok(told(format!("s3://{}/{}", place.bucket, place.key)))
        }
        (End::Object(place), End::File(file)) => {
            get(client, place, file).await?;
            Ok(told(file.display().to_string()))
        }
        (End::Object(from), End::Object(to)) => {
            let missing = || no_such_object(from);
            let object = client.get(&from.bucket, &from.key).await?.ok_or_else(missing)?;
            let size = object.size();
            let body = reqwest::Body::wrap_stream(object.stream().map_err(std::io::Error::other));
            client.put(&to.bucket, &to.key, body, size).await?;
            Ok(told(format!("s3://{}/{}", to.bucket, to.key)))
        }
        (End::File(_), End::File(_)) => Err(Error::new(Kind::Usage, "both ends are files")
            .hint("an object is written `s3://BUCKET/KEY`")),
    }
}

/// A place without a key, or that ends in `/`, takes the file's own name.
fn named(place: &Place, file: &Path) -> Result<Place> {
    if !place.key.is_empty() && !place.key.ends_with('/') {
        return Ok(place.clone());
    }
    let name = file.file_name().and_then(|name| name.to_str()).filter(|name| *name != "-");
    let name = name.ok_or_else(|| {
        Error::new(Kind::Usage, "the object needs a name").hint("s3://BUCKET/KEY")
    })?;
    Ok(Place { bucket: place.bucket.clone(), key: format!("{}{name}", place.key) })
}

fn no_such_object(place: &Place) -> Error {
    Error::new(Kind::Usage, format!("there is no `s3://{}/{}`", place.bucket, place.key))
        .hint(format!("sandbox s3 ls -r {}", place.bucket))
}

async fn put(client: &S3, file: &Path, place: &Place) -> Result<()> {
    let unread = || format!("cannot read `{}`", file.display());
    if file == Path::new("-") {
        // S3 wants to know the size first.
        let read = tokio::task::spawn_blocking(|| {
            let mut bytes = Vec::new();
            std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
        });
        let bytes = read.await.context(Kind::Unexpected, unread)?;
        let bytes = bytes.context(Kind::Machine, unread)?;
        return client.put(&place.bucket, &place.key, bytes, None).await;
    }
    let opened = tokio::fs::File::open(file).await.context(Kind::Usage, unread)?;
    let size = opened.metadata().await.context(Kind::Machine, unread)?.len();
    let stream = tokio_util::io::ReaderStream::with_capacity(opened, 256 * 1024);
    let body = reqwest::Body::wrap_stream(stream);
    client.put(&place.bucket, &place.key, body, Some(size)).await
}

async fn get(client: &S3, place: &Place, file: &Path) -> Result<()> {
    let unwritten = || format!("cannot write `{}`", file.display());
    let missing = || no_such_object(place);
    let object = client.get(&place.bucket, &place.key).await?.ok_or_else(missing)?;
    let mut pieces = Box::pin(object.stream());
    if file == Path::new("-") {
        while let Some(piece) = pieces.try_next().await? {
            report::data(&piece).context(Kind::Machine, unwritten)?;
        }
        return Ok(());
    }
    let name = place.key.rsplit('/').next().unwrap_or(&place.key);
    let file = if file.is_dir() { file.join(name) } else { file.to_owned() };
    let mut to = tokio::fs::File::create(&file).await.context(Kind::Usage, unwritten)?;
    while let Some(piece) = pieces.try_next().await? {
        to.write_all(&piece).await.context(Kind::Machine, unwritten)?;
    }
    to.flush().await.context(Kind::Machine, unwritten)
}

async fn remove(client: &S3, place: &Place, recursive: bool) -> Result<Outcome> {
    let mut removed = 0_u64;
    if recursive {
        loop {
            let page = client.list(&place.bucket, &place.key, None, None, PAGE).await?;
            if page.objects.is_empty() {
                break;
            }
            for object in &page.objects {
                client.delete(&place.bucket, &object.key).await?;
                removed += 1;
            }
        }
    } else {
        if place.key.is_empty() {
            return Err(Error::new(Kind::Usage, "name an object, or use --recursive")
                .hint(format!("sandbox s3 rm --recursive {}", place.bucket)));
        }
        if client.get(&place.bucket, &place.key).await?.is_none() {
            return Err(no_such_object(place));
        }
        client.delete(&place.bucket, &place.key).await?;
        removed = 1;
    }
    let text = format!("{removed} object(s) removed\n");
    Ok(Outcome { text, data: json!({ "removed": removed }), bad_news: None })
}

/// Keys are somebody else's text: nothing in them may steer a terminal.
fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn buckets(answer: &Value) -> String {
    let buckets = answer["buckets"].as_array().into_iter().flatten();
    buckets
        .map(|bucket| {
            format!(
                "{:>8} object(s)  {:>12} bytes  {}\n",
                bucket["objects"].as_u64().unwrap_or_default(),
                bucket["bytes"].as_u64().unwrap_or_default(),
                shown(bucket["name"].as_str().unwrap_or_default())
            )
        })
        .collect()
}

fn log_query(filter: &LogFilter) -> String {
    let mut query = format!("log?max={}", filter.limit);
    let texts = [
        ("operation", filter.operation.clone()),
        ("bucket", filter.bucket.clone()),
        ("prefix", filter.key.clone()),
        ("status", filter.status.map(|status| status.to_string())),
    ];
    for (key, value) in texts {
        if let Some(value) = value {
            query.push_str(&format!("&{key}={}", utf8_percent_encode(&value, NON_ALPHANUMERIC)));
        }
    }
    query
}

fn log(answer: &Value) -> String {
    lines(&answer["entries"], "no requests")
}

fn lines(list: &Value, none: &str) -> String {
    let items = list.as_array().cloned().unwrap_or_default();
    if items.is_empty() {
        return format!("{none}\n");
    }
    items.iter().map(|item| format!("{}\n", shown(&item.to_string()))).collect()
}

fn clock(answer: &Value) -> String {
    let mut text = String::new();
    for (key, value) in answer.as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text.push_str(&format!("{key:<10} {}\n", shown(&value)));
    }
    text
}

fn fault_json(fault: &Fault) -> Value {
    let chosen = &fault.kind;
    let kind = match chosen {
        FaultKind { latency: Some(_), .. } => "latency",
        FaultKind { error: Some(_), .. } => "error",
        FaultKind { slow: Some(_), .. } => "slow-body",
        FaultKind { .. } => "cut",
    };
    without_nulls(json!({
        "operation": fault.operation, "bucket": fault.bucket, "key": fault.key,
        "probability": fault.probability, "times": fault.times, "kind": kind,
        "ms": chosen.latency.map(|latency| latency.as_millis()),
        "code": chosen.error, "bytes-per-second": chosen.slow,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::s3::FaultRule;

    fn fault(kind: FaultKind) -> Fault {
        let operation = "Get*".to_owned();
        Fault { operation, bucket: None, key: None, probability: 0.5, times: Some(3), kind }
    }

    #[test]
    fn every_fault_is_one_that_the_server_knows() {
        let none = FaultKind { latency: None, error: None, cut: false, slow: None };
        let kinds = [
            FaultKind { latency: Some(Duration::from_millis(20)), ..none.clone() },
            FaultKind { error: Some("SlowDown".into()), ..none.clone() },
            FaultKind { slow: Some(1000), ..none.clone() },
            FaultKind { cut: true, ..none },
        ];
        for kind in kinds {
            let sent = fault_json(&fault(kind));
            let known: Result<FaultRule, _> = serde_json::from_value(sent.clone());
            assert!(known.is_ok(), "{sent}: {known:?}");
        }
    }

    #[test]
    fn a_file_gives_its_name_to_an_object_that_has_none() {
        let place: Place = "s3://uploads/in/".parse().unwrap();
        assert_eq!(named(&place, Path::new("/tmp/a.txt")).unwrap().key, "in/a.txt");
        let whole: Place = "uploads/b.txt".parse().unwrap();
        assert_eq!(named(&whole, Path::new("a.txt")).unwrap().key, "b.txt");
        assert!(named(&"s3://uploads".parse().unwrap(), Path::new("-")).is_err());
    }

    #[test]
    fn filters_are_part_of_the_question() {
        let filter = LogFilter {
            operation: Some("Put*".into()),
            status: Some(500),
            limit: 5,
            ..LogFilter::default()
        };
        assert_eq!(log_query(&filter), "log?max=5&operation=Put%2A&status=500");
    }
}
