//! The kind `postgres`: one query and the first value of its result.
//!
//! Owns the client on this machine, the one in a pod, and what a good result is. Passwords are
//! never part of a URL or of arguments.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::{Instant, timeout_at};
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Config, Error, NoTls, SimpleQueryMessage, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::checks::context::Context;
use crate::checks::endpoint::Endpoint;
use crate::checks::probe::Seen;
use crate::checks::{script, text};
use crate::settings::checks::{Caller, Postgres};

/// Postgres' own port.
const PORT: u16 = 5432;
/// How long one try may take.
const LIMIT: Duration = Duration::from_secs(5);
/// How much of a value is repeated in one line, in characters.
const SHOWN: usize = 120;

/// Everything to send one query.
pub(super) struct Query<'a> {
    sql: &'a str,
    expect: Option<&'a str>,
    from: Caller,
    endpoint: Endpoint,
    tls: Option<ClientConfig>,
    context: &'a Context<'a>,
}

impl<'a> Query<'a> {
    /// Prepares the query.
    ///
    /// # Errors
    /// One line when there is no such server, or no certificate to trust it by.
    pub(super) fn new(postgres: &'a Postgres, context: &'a Context<'a>) -> Result<Self, String> {
        let url = postgres.url.as_deref();
        let mut endpoint = Endpoint::of("postgres", PORT, url, postgres.from, context.target)?;
        if let Some(database) = &postgres.database {
            endpoint.database.clone_from(database);
        }
        if endpoint.user.is_empty() {
            "postgres".clone_into(&mut endpoint.user);
        }
        let tls = if endpoint.tls { Some(trust(context.target.ca.as_deref())?) } else { None };
        Ok(Self {
            sql: postgres.query.as_deref().unwrap_or("SELECT 1"),
            expect: postgres.expect.as_deref(),
            from: postgres.from,
            endpoint,
            tls,
            context,
        })
    }

    /// Sends the query once from this machine, or until `end` from a pod.
    pub(super) async fn attempt(&self, end: Instant) -> Seen {
        let endpoint = self.endpoint.shown();
        let (result, from) = match self.from {
            Caller::Host => {
                let end = end.min(Instant::now() + LIMIT);
                let late = Err(format!("no answer within {}s", LIMIT.as_secs()));
                (timeout_at(end, self.ask()).await.unwrap_or(late), "this machine")
            }
            Caller::Cluster => {
                let reply = script::ask(self.context, self.client(), end).await;
                (reply.map(Some), "a pod")
            }
        };
        let asked = text::line(&format!("{} (at {endpoint}, from {from})", self.sql), SHOWN * 4);
        match result {
            Ok(value) => {
                let verdict = judge(value.as_deref(), self.expect);
                Seen { verdict, asked, came: value.unwrap_or_default() }
            }
            Err(why) => Seen::nothing(asked, why),
        }
    }

    /// The first column of the first row; absent when there are no rows.
    async fn ask(&self) -> Result<Option<String>, String> {
        let first = match self.tls.clone() {
            Some(tls) => self.through(MakeRustlsConnect::new(tls)).await,
            None => self.through(NoTls).await,
        };
        first.map_err(|error| said(&error))
    }

    /// Asks over a connection which is driven here and not in the background, so that nothing is
    /// left of it when this future is dropped.
    async fn through<T: MakeTlsConnect<Socket>>(&self, tls: T) -> Result<Option<String>, Error> {
        let (client, connection) = self.config().connect(tls).await?;
        tokio::select! {
            rows = client.simple_query(self.sql) => rows.map(|rows| first(&rows)),
            Err(error) = connection => Err(error),
        }
    }

    fn config(&self) -> Config {
        let Endpoint { host, port, user, password, database, tls, .. } = &self.endpoint;
        let mut config = Config::new();
        config
            .host(host)
            .port(*port)
            .user(user)
            .application_name("sandbox")
            .ssl_mode(if *tls { SslMode::Require } else { SslMode::Disable })
            .connect_timeout(LIMIT);
        if !password.is_empty() {
            config.password(password);
        }
        if !database.is_empty() {
            config.dbname(database);
        }
        config
    }

    /// The client in a pod.
    fn client(&self) -> script::Client {
        let Endpoint { host, port, user, password, database, tls, image } = &self.endpoint;
        let argv =
            ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-F", script::COLUMN, "-R", script::ROW];
        let mut argv: Vec<String> = argv.map(str::to_owned).to_vec();
        argv.extend(["-c".to_owned(), self.sql.to_owned()]);
        let mut env = BTreeMap::new();
        let mut set = |name: &str, value: &str| env.insert(name.to_owned(), value.to_owned());
        set("PGHOST", host);
        set("PGPORT", &port.to_string());
        set("PGUSER", user);
        set("PGAPPNAME", "sandbox");
        set("PGCONNECT_TIMEOUT", &LIMIT.as_secs().to_string());
        set("PGSSLMODE", if *tls { "verify-full" } else { "disable" });
        if *tls {
            set("PGSSLROOTCERT", &script::ca_file());
        }
        if !password.is_empty() {
            set("PGPASSWORD", password);
        }
        if !database.is_empty() {
            set("PGDATABASE", database);
        }
        let expect = self.expect.map(str::to_owned);
        script::Client { argv, env, expect, lines: false, image: image.clone() }
    }
}

/// A TLS configuration that trusts the sandbox's certificate authority alone.
fn trust(ca: Option<&str>) -> Result<ClientConfig, String> {
    let ca = ca.ok_or("TLS needs a certificate authority, which this sandbox has not")?;
    let broken = || "the sandbox's certificate authority cannot be read".to_owned();
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca.as_bytes()) {
        let certificate = certificate.map_err(|_| broken())?;
        roots.add(certificate).map_err(|_| broken())?;
    }
    if roots.is_empty() {
        return Err(broken());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| text::root(&error))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// What a failure says, in one line.
fn said(error: &Error) -> String {
    match error.as_db_error() {
        Some(said) => text::line(said.message(), 512),
        None => text::root(error),
    }
}

/// The first column of the first row, as text; null is empty.
fn first(rows: &[SimpleQueryMessage]) -> Option<String> {
    rows.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => {
            let value = if row.is_empty() { None } else { row.get(0) };
            Some(value.unwrap_or_default().to_owned())
        }
        _ => None,
    })
}

fn judge(value: Option<&str>, expect: Option<&str>) -> Result<String, String> {
    let shown = |text: &str| text::line(text, SHOWN);
    match (value, expect) {
        (Some(value), None) => Ok(format!("the result is `{}`", shown(value))),
        (None, None) => Ok("the query works".to_owned()),
        (Some(value), Some(expect)) if value == expect => {
            Ok(format!("the result is `{}`", shown(value)))
        }
        (Some(value), Some(expect)) => {
            Err(format!("the result is `{}`, expected `{}`", shown(value), shown(expect)))
        }
        (None, Some(expect)) => Err(format!("there are no rows, expected `{}`", shown(expect))),
    }
}

#[cfg(test)]
#[path = "postgres_tests.rs"]
mod tests;
