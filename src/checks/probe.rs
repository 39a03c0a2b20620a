//! A check made ready to be tried: one variant a kind.
//!
//! Owns which kind is tried how. Must not retry: that is the runner's.

use std::time::Duration;

use tokio::time::Instant;

use crate::checks::certificate::Issue;
use crate::checks::context::Context;
use crate::checks::handshake::Handshake;
use crate::checks::postgres::Query;
use crate::checks::redis::Command;
use crate::checks::{Evidence, hpa, http, metrics, resource, s3, telemetry, text, volume};
use crate::settings::checks::{CheckKind, Hpa, Resource, Volume};

/// How long an attempt may take that begins shortly before the deadline: one that is cut short
/// would hide what the one before it had found.
const LEAST: Duration = Duration::from_secs(5);
/// How much of what was seen is shown.
const SHOWN: usize = 4 * 1024;

/// What came of one attempt.
#[derive(Debug)]
pub(super) struct Attempt {
    /// What held, or what was expected and what came.
    pub(super) verdict: Result<String, String>,
    /// What did not hold.
    pub(super) evidence: Option<Evidence>,
}

/// What came, judged, before it is known whether it is worth showing.
#[derive(Debug)]
pub(super) struct Seen {
    /// What held, or what was expected and what came.
    pub(super) verdict: Result<String, String>,
    /// What was asked, and whom.
    pub(super) asked: String,
    /// What came.
    pub(super) came: String,
}

impl Seen {
    /// Nothing came.
    pub(super) fn nothing(asked: impl Into<String>, why: impl Into<String>) -> Self {
        Self { verdict: Err(why.into()), asked: asked.into(), came: String::new() }
    }
}

/// Everything to try one check.
pub(super) enum Probe<'a> {
    Http(Box<http::Probe<'a>>),
    Redis(Command<'a>),
    Postgres(Box<Query<'a>>),
    S3(Box<s3::Look<'a>>),
    Telemetry(Box<telemetry::Question<'a>>),
    Tls(Handshake<'a>),
    Hpa(&'a Hpa, &'a Context<'a>),
    Resource(&'a Resource, &'a Context<'a>),
    Certificate(Issue<'a>),
    Volume(&'a Volume, &'a Context<'a>),
    Metrics(&'a Context<'a>),
}

impl<'a> Probe<'a> {
    /// Prepares a check.
    ///
    /// # Errors
    /// One line when it can never hold; no attempt could do better.
    pub(super) fn new(kind: CheckKind<'a>, context: &'a Context<'a>) -> Result<Self, String> {
        Ok(match kind {
            CheckKind::Http(http) => Self::Http(Box::new(http::Probe::new(http, context.target)?)),
            CheckKind::Redis(redis) => Self::Redis(Command::new(redis, context)?),
            CheckKind::Postgres(postgres) => {
                Self::Postgres(Box::new(Query::new(postgres, context)?))
            }
            CheckKind::S3(s3) => Self::S3(Box::new(s3::Look::new(s3, context)?)),
            CheckKind::Telemetry(telemetry) => {
                Self::Telemetry(Box::new(telemetry::Question::new(telemetry, context)?))
            }
            CheckKind::Tls(tls) => Self::Tls(Handshake::new(tls, context.target)?),
            CheckKind::Hpa(hpa) => Self::Hpa(hpa, context),
            CheckKind::Resource(resource) => Self::Resource(resource, context),
            CheckKind::Certificate(certificate) => {
                Self::Certificate(Issue::new(certificate, context)?)
            }
            CheckKind::Volume(volume) => Self::Volume(volume, context),
            CheckKind::Metrics(_) => Self::Metrics(context),
        })
    }

    /// Tries once. The attempt ends at `deadline`, but has a few seconds at least.
    pub(super) async fn attempt(&mut self, deadline: Instant) -> Attempt {
        let end = deadline.max(Instant::now() + LEAST);
        let seen = match self {
            Self::Http(probe) => return probe.attempt(deadline).await,
            Self::Redis(command) => command.attempt(end).await,
            Self::Postgres(query) => query.attempt(end).await,
            Self::S3(look) => look.attempt(end).await,
            Self::Telemetry(question) => question.attempt(end).await,
            Self::Tls(handshake) => handshake.attempt(end).await,
            Self::Hpa(hpa, context) => hpa::attempt(hpa, context).await,
            Self::Resource(resource, context) => resource::attempt(resource, context).await,
            Self::Certificate(issue) => issue.attempt(end).await,
            Self::Volume(volume, context) => volume::attempt(volume, context, end).await,
            Self::Metrics(context) => metrics::attempt(context).await,
        };
        let Seen { verdict, asked, came } = seen;
        let evidence =
            verdict.is_err().then(|| Evidence::Seen { asked, seen: text::block(&came, SHOWN) });
        Attempt { verdict, evidence }
    }
}
