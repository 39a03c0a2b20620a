//! Waiting: by watches, with a deadline, a reason and a name for what was waited for.
//!
//! Owns the loop that turns watches into a verdict. What counts as ready is decided by a pure
//! function of the caller. Must not poll what can be watched.

use std::fmt::Debug;
use std::time::Duration;

use futures::stream::{BoxStream, StreamExt, select_all};
use kube::Api;
use kube::runtime::reflector::{self, Store};
use kube::runtime::{WatchStreamExt, watcher};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, MissedTickBehavior};

use crate::error::{Error, Kind, Result};

/// How often time itself is a reason to look again, for conditions that must persist.
const TICK: Duration = Duration::from_millis(250);

/// What a look at the watched objects came to.
#[derive(Debug)]
pub enum Look<T> {
    /// It is as wanted.
    Done(T),
    /// Not yet; the reason is told when time runs out.
    Waiting(String),
    /// It will not become as wanted.
    Failed(Error),
}

/// A watch: something changed.
pub type Changes<'a> = BoxStream<'a, ()>;

/// Watches a kind of object; the store always holds the newest state, and each change is one
/// item of the stream. A broken watch starts again by itself.
#[must_use]
pub fn watch<K>(api: Api<K>, config: watcher::Config) -> (Store<K>, Changes<'static>)
where
    K: kube::Resource + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
    K::DynamicType: Default + Eq + std::hash::Hash + Clone + Send + Sync,
{
    let (store, writer) = reflector::store();
    let stream = watcher(api, config).default_backoff().reflect(writer).map(|_| ()).boxed();
    (store, stream)
}

/// Looks at each change, and now and then, until it is done, failed or too late.
///
/// # Errors
/// What the look failed with, or `kind` and "… was not ready within …" with the last reason.
pub async fn until<T>(
    what: &str,
    kind: Kind,
    deadline: Duration,
    changes: Vec<Changes<'_>>,
    mut look: impl FnMut() -> Look<T>,
    mut progress: impl FnMut(&str),
) -> Result<T> {
    let end = Instant::now() + deadline;
    let mut changes = select_all(changes);
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = String::new();
    loop {
        match look() {
            Look::Done(value) => return Ok(value),
            Look::Failed(error) => return Err(error),
            Look::Waiting(reason) => {
                if reason != last {
                    progress(&reason);
                    last = reason;
                }
            }
        }
        tokio::select! {
            Some(()) = changes.next() => {}
            _ = tick.tick() => {}
            () = tokio::time::sleep_until(end) => {
                let message = format!("{what} was not ready within {}s", deadline.as_secs());
                return Err(Error::new(kind, message).because(Error::new(kind, last)));
            }
        }
    }
}

/// Tries something again until it works, with growing pauses.
///
/// # Errors
/// `kind` and "… within …" with the last reason, when time runs out.
pub async fn retry<T, F: Future<Output = Result<T, String>>>(
    what: &str,
    kind: Kind,
    deadline: Duration,
    attempt: impl FnMut() -> F,
) -> Result<T> {
    retry_each(what, kind, deadline, Duration::from_millis(200), attempt).await
}

/// As [`retry`], with pauses that never grow longer than `longest`.
///
/// # Errors
/// As [`retry`].
pub async fn retry_each<T, F: Future<Output = Result<T, String>>>(
    what: &str,
    kind: Kind,
    deadline: Duration,
    longest: Duration,
    mut attempt: impl FnMut() -> F,
) -> Result<T> {
    let end = Instant::now() + deadline;
    let mut pause = Duration::from_millis(25);
    loop {
        let reason = match attempt().await {
            Ok(value) => return Ok(value),
            Err(reason) => reason,
        };
        if Instant::now() + pause > end {
            let message = format!("{what} did not happen within {}s", deadline.as_secs());
            return Err(Error::new(kind, message).because(Error::new(kind, reason)));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(longest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn running_out_of_time_names_the_last_reason() {
        let result = until::<()>(
            "ingress-nginx",
            Kind::Cluster,
            Duration::from_secs(3),
            vec![],
            || Look::Waiting("0 of 1 pods ready".into()),
            |_| (),
        );
        let error = result.await.unwrap_err();
        assert_eq!(error.to_string(), "ingress-nginx was not ready within 3s");
        assert_eq!(error.causes(), ["0 of 1 pods ready"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_looked_at_at_once() {
        let changes = futures::stream::iter([(), ()]).boxed();
        let mut looks = 0;
        let look = || {
            looks += 1;
            if looks == 3 { Look::Done(looks) } else { Look::Waiting(String::new()) }
        };
        let since = Instant::now();
        let hour = Duration::from_secs(3600);
        let done = until("x", Kind::Cluster, hour, vec![changes], look, |_| ()).await.unwrap();
        assert_eq!(done, 3);
        assert!(since.elapsed() < TICK * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn retrying_ends_with_the_last_reason() {
        let error = retry::<(), _>("a thing", Kind::Cluster, Duration::from_secs(1), || async {
            Err("connection refused".to_owned())
        });
        assert_eq!(error.await.unwrap_err().causes(), ["connection refused"]);
    }
}
