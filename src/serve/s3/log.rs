//! The request log: one entry a request, kept in a ring bounded by bytes and
//! given to the sink as one line of JSON. It holds no secret and no signature.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;

/// The default size of the ring in bytes.
pub(crate) const RING_BYTES: usize = 4 * 1024 * 1024;
/// The longest text of an entry in bytes; longer ones are cut.
const MAX_TEXT: usize = 1024;

/// Where lines of the log go.
#[derive(Clone)]
pub struct LogSink(Arc<dyn Fn(&str) + Send + Sync>);

impl LogSink {
    /// A sink that calls `f` with each line, without line end.
    pub fn new(f: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(f))
    }

    /// A sink that drops all lines.
    #[must_use]
    pub fn none() -> Self {
        Self::new(|_| ())
    }

    pub(crate) fn line(&self, line: &str) {
        (self.0)(line);
    }
}

impl fmt::Debug for LogSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogSink")
    }
}

/// One request.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Entry {
    /// Counts up from 1; the cursor for `since`.
    pub(crate) id: u64,
    /// When the request began, on the server's clock.
    pub(crate) time: String,
    pub(crate) request_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) remote: String,
    pub(crate) method: String,
    pub(crate) operation: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bucket: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
    pub(crate) status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) duration_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) access_key: Option<String>,
    /// `verified`, `unverified` or `none`.
    pub(crate) signature: &'static str,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) presigned: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) host: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) user_agent: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) faults: Vec<&'static str>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Cuts a text at [`MAX_TEXT`].
pub(crate) fn short(text: &str) -> String {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

/// Which entries are asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    pub(crate) operation: Option<String>,
    pub(crate) bucket: Option<String>,
    pub(crate) prefix: Option<String>,
    /// As `404`, `4xx` or `error`.
    pub(crate) status: Option<String>,
    /// Only entries with a greater id.
    pub(crate) since: u64,
    pub(crate) max: usize,
}

impl Filter {
    fn matches(&self, entry: &Entry) -> bool {
        let same = |wanted: &Option<String>, got: Option<&str>| {
            wanted.as_deref().is_none_or(|w| got.is_some_and(|g| super::glob::matches(w, g)))
        };
        entry.id > self.since
            && same(&self.operation, Some(entry.operation))
            && same(&self.bucket, entry.bucket.as_deref())
            && self.prefix.as_deref().is_none_or(|prefix| {
                entry.key.as_deref().is_some_and(|key| key.starts_with(prefix))
            })
            && self.status.as_deref().is_none_or(|wanted| status_matches(wanted, entry.status))
    }
}

fn status_matches(wanted: &str, status: u16) -> bool {
    match wanted.strip_suffix("xx") {
        Some(class) => class == (status / 100).to_string(),
        None if wanted == "error" => status >= 400,
        None => wanted == status.to_string(),
    }
}

/// The ring.
#[derive(Debug)]
pub(crate) struct RequestLog {
    ring: Mutex<Ring>,
    limit: usize,
    news: watch::Sender<u64>,
    sink: LogSink,
}

#[derive(Debug, Default)]
struct Ring {
    entries: VecDeque<(Arc<Entry>, usize)>,
    bytes: usize,
    last: u64,
}

impl RequestLog {
    pub(crate) fn new(limit: usize, sink: LogSink) -> Self {
        Self { ring: Mutex::default(), limit, news: watch::Sender::new(0), sink }
    }

    /// Adds an entry, forgets the oldest beyond the limit and writes the line.
    pub(crate) fn add(&self, mut entry: Entry) {
        let id = {
            let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
            ring.last += 1;
            entry.id = ring.last;
            let size = 400
                + [&entry.bucket, &entry.key, &entry.error, &entry.access_key]
                    .iter()
                    .map(|text| text.as_ref().map_or(0, String::len))
                    .sum::<usize>()
                + entry.user_agent.len()
                + entry.host.len();
            let entry = Arc::new(entry.clone());
            ring.entries.push_back((entry, size));
            ring.bytes += size;
            while ring.bytes > self.limit
                && let Some((_, size)) = ring.entries.pop_front()
            {
                ring.bytes -= size;
            }
            ring.last
        };
        self.news.send_replace(id);
        if let Ok(line) = serde_json::to_string(&entry) {
            self.sink.line(&line);
        }
    }

    /// The newest entries that match, oldest first, and the cursor to go on from.
    pub(crate) fn find(&self, filter: &Filter) -> (Vec<Arc<Entry>>, u64) {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<_> = ring
            .entries
            .iter()
            .rev()
            .take_while(|(entry, _)| entry.id > filter.since)
            .filter(|(entry, _)| filter.matches(entry))
            .take(filter.max)
            .map(|(entry, _)| Arc::clone(entry))
            .collect();
        found.reverse();
        (found, ring.last)
    }

    /// As [`RequestLog::find`], but waits until something matches.
    pub(crate) async fn wait(&self, filter: &Filter, limit: Duration) -> (Vec<Arc<Entry>>, u64) {
        let mut news = self.news.subscribe();
        let until = tokio::time::Instant::now() + limit;
        loop {
            news.mark_unchanged();
            let found = self.find(filter);
            if !found.0.is_empty() {
                return found;
            }
            match tokio::time::timeout_at(until, news.changed()).await {
                Ok(Ok(())) => {}
                _ => return self.find(filter),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(operation: &'static str, key: &str, status: u16) -> Entry {
        Entry { operation, key: Some(key.into()), status, ..Entry::default() }
    }

    #[test]
    fn the_ring_is_bounded_and_filtered() {
        let log = RequestLog::new(10_000, LogSink::none());
        for n in 0..100 {
            log.add(entry("GetObject", &format!("k/{n}"), if n % 2 == 0 { 200 } else { 404 }));
        }
        let all = Filter { max: 1000, ..Filter::default() };
        let (entries, last) = log.find(&all);
        assert!(entries.len() < 30 && entries.len() > 10, "{}", entries.len());
        assert_eq!(last, 100);
        let errors = Filter { status: Some("4xx".into()), ..all.clone() };
        assert!(log.find(&errors).0.iter().all(|entry| entry.status == 404));
        let one = Filter { prefix: Some("k/99".into()), operation: Some("Get*".into()), ..all };
        assert_eq!(log.find(&one).0.len(), 1);
    }

    #[tokio::test]
    async fn waiting_ends_with_the_first_match() {
        let log = Arc::new(RequestLog::new(RING_BYTES, LogSink::none()));
        let filter = Filter { operation: Some("PutObject".into()), max: 10, ..Filter::default() };
        let waiting = Arc::clone(&log);
        let wanted = filter.clone();
        let task =
            tokio::spawn(async move { waiting.wait(&wanted, Duration::from_secs(60)).await });
        log.add(entry("GetObject", "a", 200));
        log.add(entry("PutObject", "b", 200));
        assert_eq!(task.await.unwrap().0.len(), 1);
        let none = Filter { operation: Some("X".into()), max: 10, ..Filter::default() };
        assert!(log.wait(&none, Duration::from_millis(1)).await.0.is_empty());
    }

    #[test]
    fn lines_are_json_without_what_is_absent() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        let sink = LogSink::new(move |line| kept.lock().unwrap().push(line.to_owned()));
        RequestLog::new(RING_BYTES, sink).add(entry("GetObject", "k", 200));
        let lines = lines.lock().unwrap();
        let line: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!(line["operation"], "GetObject");
        assert!(line.get("error").is_none());
    }
}
