//! The kind `s3`: what is in a bucket, or that the server works at all.
//!
//! Owns what is asked and judged. The same code runs on this machine and in a pod, there in this
//! very program's own image. Keys are never part of arguments.

use std::time::Duration;

use regex::Regex;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};

use crate::checks::context::Context;
use crate::checks::probe::Seen;
use crate::checks::{program, text};
use crate::error::Error;
use crate::settings::checks::{Caller, S3};
use crate::tools::pod;
use crate::tools::s3::{Access, S3 as Client};

/// How long one try may take.
const LIMIT: Duration = Duration::from_secs(10);
/// How much of an object is read.
const READ: usize = 1024 * 1024;
/// How much of it is shown, in characters.
const SHOWN: usize = 200;
/// The longest pause between two tries in a pod.
const PAUSE: Duration = Duration::from_millis(500);

/// Everything to look into a bucket.
pub(super) struct Look<'a> {
    s3: &'a S3,
    access: Access,
    bucket: Option<String>,
    context: &'a Context<'a>,
}

/// What a pod is told.
#[derive(Serialize, Deserialize)]
struct Order {
    s3: S3,
    endpoint: String,
    region: String,
    access_key: String,
    secret_key: String,
    bucket: Option<String>,
    seconds: u64,
}

/// What a pod answers, as the last line of its output.
#[derive(Serialize, Deserialize)]
struct Report {
    verdict: Result<String, String>,
    came: String,
}

impl<'a> Look<'a> {
    /// Prepares it.
    ///
    /// # Errors
    /// One line when this sandbox has no S3.
    pub(super) fn new(s3: &'a S3, context: &'a Context<'a>) -> Result<Self, String> {
        let missing = "this sandbox has no S3; turn on `addons.s3`";
        let own = context.target.s3.as_ref().ok_or(missing)?;
        let mut access = own.access.clone();
        if s3.from == Caller::Cluster {
            access.virtual_host = true;
        } else if !own.reachable {
            return Err("S3 has no port on this machine; use `from: cluster`".to_owned());
        }
        let bucket = s3.bucket.clone().or_else(|| own.bucket.clone());
        Ok(Self { s3, access, bucket, context })
    }

    /// Looks once from this machine, or until `end` from a pod.
    pub(super) async fn attempt(&self, end: Instant) -> Seen {
        let from = if self.s3.from == Caller::Cluster { "a pod" } else { "this machine" };
        let asked = format!("{} (at {}, from {from})", self.asked(), self.access.endpoint);
        let asked = text::line(&asked, SHOWN * 2);
        let (verdict, came) = match self.s3.from {
            Caller::Host => {
                let end = end.min(Instant::now() + LIMIT);
                let look = look(&self.access, self.s3, self.bucket.as_deref(), false);
                let late =
                    || (Err(format!("no answer within {}s", LIMIT.as_secs())), String::new());
                timeout_at(end, look).await.unwrap_or_else(|_| late())
            }
            Caller::Cluster => match self.in_pod(end).await {
                Ok(report) => (report.verdict, report.came),
                Err(why) => (Err(why), String::new()),
            },
        };
        Seen { verdict, asked, came }
    }

    fn asked(&self) -> String {
        let bucket = self.bucket.as_deref().unwrap_or("a bucket of its own");
        match (&self.s3.key, &self.s3.prefix) {
            (Some(key), _) => format!("{bucket}/{key}"),
            (None, Some(prefix)) => format!("{bucket}/{prefix}*"),
            (None, None) => format!("write, list, read and remove in {bucket}"),
        }
    }

    async fn in_pod(&self, end: Instant) -> Result<Report, String> {
        let own = self.context.target.s3.as_ref().ok_or("this sandbox has no S3")?;
        let left = end.saturating_duration_since(Instant::now());
        let Access { endpoint, region, access_key, secret_key, .. } = self.access.clone();
        let order = Order {
            s3: self.s3.clone(),
            endpoint,
            region,
            access_key,
            secret_key,
            bucket: self.bucket.clone(),
            seconds: left.as_secs(),
        };
        let output = program::probe(&own.program, self.context, "s3", &order, left).await?;
        let last = output.trim_end().lines().last().unwrap_or_default();
        serde_json::from_str(last)
            .map_err(|_| format!("the pod did not say: {}", text::line(&output, SHOWN * 2)))
    }
}

/// What a pod does: it tries until it holds or its time is up, and answers in one line.
///
/// # Errors
/// One line when the order cannot be read.
pub async fn probe(order: &str) -> Result<String, String> {
    let order: Order = serde_json::from_str(order).map_err(|error| error.to_string())?;
    let Order { s3, endpoint, region, access_key, secret_key, bucket, seconds } = order;
    let access = Access { endpoint, region, access_key, secret_key, virtual_host: true };
    let end = Instant::now() + Duration::from_secs(seconds);
    loop {
        let late = (Err(format!("no answer within {}s", LIMIT.as_secs())), String::new());
        let look = look(&access, &s3, bucket.as_deref(), true);
        let until = (Instant::now() + LIMIT).max(end);
        let (verdict, came) = timeout_at(until, look).await.unwrap_or(late);
        if verdict.is_ok() || Instant::now() + PAUSE >= end {
            let report = Report { verdict, came };
            return serde_json::to_string(&report).map_err(|error| error.to_string());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

type Verdict = Result<String, String>;

async fn look(
    access: &Access,
    s3: &S3,
    bucket: Option<&str>,
    in_cluster: bool,
) -> (Verdict, String) {
    let mut came = String::new();
    let verdict = async {
        let client = Client::new(access.clone(), in_cluster).map_err(|error| told(&error))?;
        match (&s3.key, &s3.prefix, bucket) {
            (Some(key), _, Some(bucket)) => object(&client, s3, bucket, key, &mut came).await,
            (None, Some(prefix), Some(bucket)) => {
                below(&client, s3, bucket, prefix, &mut came).await
            }
            (None, None, bucket) => round_trip(&client, bucket).await,
            (_, _, None) => Err("name a bucket: this sandbox's S3 has none of its own".to_owned()),
        }
    };
    let verdict = verdict.await;
    (verdict, came)
}

async fn object(client: &Client, s3: &S3, bucket: &str, key: &str, came: &mut String) -> Verdict {
    let found = client.get(bucket, key).await.map_err(|error| told(&error))?;
    let Some(found) = found else {
        let verdict = if s3.absent { Ok } else { Err };
        return verdict(format!("there is no `{bucket}/{key}`"));
    };
    if s3.absent {
        return Err(format!("`{bucket}/{key}` is there"));
    }
    let kind = found.content_type.clone();
    if let Some(pattern) = &s3.content_type
        && !Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(&kind))
    {
        return Err(format!("its content type is `{kind}`, which does not match `{pattern}`"));
    }
    let bytes = found.beginning(READ).await.map_err(|error| told(&error))?;
    let body = String::from_utf8_lossy(&bytes);
    came.push_str(&text::block(&body, SHOWN * 10));
    if let Some(pattern) = &s3.body
        && !Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(&body))
    {
        let begins = text::line(&body, SHOWN);
        return Err(format!("it does not match `{pattern}`, it begins with `{begins}`"));
    }
    Ok(format!("`{bucket}/{key}` is there, {} bytes read", bytes.len()))
}

async fn below(client: &Client, s3: &S3, bucket: &str, prefix: &str, came: &mut String) -> Verdict {
    let wanted = if s3.absent { 1 } else { s3.at_least.unwrap_or(1) as usize };
    let mut count = 0;
    let mut after = None;
    while count < wanted {
        let listed = client.list(bucket, prefix, None, after.as_deref(), 1000).await;
        let page = listed.map_err(|error| told(&error))?;
        for object in &page.objects {
            came.push_str(&format!("{} ({} bytes)\n", text::line(&object.key, SHOWN), object.size));
        }
        count += page.objects.len();
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let found = format!("{count} object(s) at `{bucket}/{prefix}`");
    match (s3.absent, count) {
        (true, 0) => Ok(format!("nothing is at `{bucket}/{prefix}`")),
        (true, _) => Err(format!("there are {found}")),
        (false, count) if count >= wanted => Ok(found),
        (false, _) => Err(format!("{found}, expected {wanted} at least")),
    }
}

/// Writes, lists, reads and removes an object, in a bucket that is made for it when there is none.
async fn round_trip(client: &Client, bucket: Option<&str>) -> Verdict {
    let name = pod::random_name("sandbox-check");
    let own = bucket.is_none();
    let bucket = bucket.unwrap_or(&name);
    if own {
        client.create_bucket(bucket).await.map_err(|error| told(&error))?;
    }
    let key = format!(".sandbox/{name}");
    let verdict = write_and_read(client, bucket, &key, &name).await;
    let removed = async {
        client.delete(bucket, &key).await?;
        if own { client.delete_bucket(bucket).await } else { Ok(()) }
    };
    let removed: Result<(), Error> = removed.await;
    let held = verdict?;
    removed.map_err(|error| told(&error))?;
    Ok(held)
}

async fn write_and_read(client: &Client, bucket: &str, key: &str, content: &str) -> Verdict {
    let written = client.put(bucket, key, content.to_owned(), None).await;
    written.map_err(|error| told(&error))?;
    let listed = client.list(bucket, key, None, None, 10).await.map_err(|error| told(&error))?;
    if !listed.objects.iter().any(|object| object.key == key) {
        return Err("an object that was just written is not listed".to_owned());
    }
    let found = client.get(bucket, key).await.map_err(|error| told(&error))?;
    let found = found.ok_or("an object that was just written is not there")?;
    let bytes = found.beginning(READ).await.map_err(|error| told(&error))?;
    if bytes != content.as_bytes() {
        return Err("an object came back with another content".to_owned());
    }
    Ok("an object was written, listed, read and removed".to_owned())
}

fn told(error: &Error) -> String {
    text::told(error)
}
