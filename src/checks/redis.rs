//! The kind `redis`: one command and its reply.
//!
//! Owns the client on this machine, the one in a pod, and what a good reply is. Passwords are never
//! part of a URL or of arguments.

use std::collections::BTreeMap;

use ::redis::aio::MultiplexedConnection;
use ::redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ErrorKind, IntoConnectionInfo as _,
    RedisConnectionInfo, RedisError, TlsCertificates, Value,
};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

use crate::checks::context::Context;
use crate::checks::endpoint::Endpoint;
use crate::checks::probe::Seen;
use crate::checks::{script, text};
use crate::settings::checks::{Caller, Redis};

/// Redis' own port.
const PORT: u16 = 6379;
/// How long one try may take.
const LIMIT: Duration = Duration::from_secs(5);
/// How much of a reply is repeated in one line, in characters.
const SHOWN: usize = 120;

/// Everything to send one command.
pub(super) struct Command<'a> {
    words: Vec<&'a str>,
    expect: Option<&'a str>,
    from: Caller,
    endpoint: Endpoint,
    context: &'a Context<'a>,
}

impl<'a> Command<'a> {
    /// Prepares the command.
    ///
    /// # Errors
    /// One line when there is no such server.
    pub(super) fn new(redis: &'a Redis, context: &'a Context<'a>) -> Result<Self, String> {
        let url = redis.url.as_deref();
        let endpoint = Endpoint::of("redis", PORT, url, redis.from, context.target)?;
        if endpoint.tls && context.target.ca.is_none() {
            return Err("TLS needs a certificate authority, which this sandbox has not".to_owned());
        }
        let (words, expect) = match &redis.command {
            Some(words) => (words.iter().map(String::as_str).collect(), redis.expect.as_deref()),
            None => (vec!["PING"], Some(redis.expect.as_deref().unwrap_or("PONG"))),
        };
        Ok(Self { words, expect, from: redis.from, endpoint, context })
    }

    /// Sends the command once from this machine, or until `end` from a pod.
    pub(super) async fn attempt(&self, end: Instant) -> Seen {
        let words = self.words.join(" ");
        let endpoint = self.endpoint.shown();
        let (reply, from) = match self.from {
            Caller::Host => {
                let end = end.min(Instant::now() + LIMIT);
                let late = Err(format!("no answer within {}s", LIMIT.as_secs()));
                (timeout_at(end, self.ask()).await.unwrap_or(late), "this machine")
            }
            Caller::Cluster => (script::ask(self.context, self.client(), end).await, "a pod"),
        };
        let asked = text::line(&format!("{words} (at {endpoint}, from {from})"), SHOWN * 2);
        match reply {
            Ok(reply) => Seen { verdict: judge(&reply, self.expect), asked, came: reply },
            Err(why) => Seen::nothing(asked, why),
        }
    }

    async fn ask(&self) -> Result<String, String> {
        let mut connection = self.connect().await.map_err(|error| said(&error))?;
        let mut command = ::redis::cmd(self.words.first().copied().unwrap_or_default());
        for word in self.words.iter().skip(1) {
            command.arg(word);
        }
        let reply: Value =
            command.query_async(&mut connection).await.map_err(|error| said(&error))?;
        Ok(shown(&reply).join("\n"))
    }

    async fn connect(&self) -> Result<MultiplexedConnection, RedisError> {
        let Endpoint { host, port, user, password, database, tls, .. } = &self.endpoint;
        let mut settings = RedisConnectionInfo::default()
            .set_skip_set_lib_name()
            .set_db(database.parse().unwrap_or_default());
        if !user.is_empty() {
            settings = settings.set_username(user);
        }
        if !password.is_empty() {
            settings = settings.set_password(password);
        }
        let host = host.clone();
        let address = if *tls {
            ConnectionAddr::TcpTls { host, port: *port, insecure: false, tls_params: None }
        } else {
            ConnectionAddr::Tcp(host, *port)
        };
        let info = address.into_connection_info()?.set_redis_settings(settings);
        let client = if *tls {
            let root_cert = self.context.target.ca.clone().map(String::into_bytes);
            Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert })?
        } else {
            Client::open(info)?
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(LIMIT))
            .set_response_timeout(Some(LIMIT));
        client.get_multiplexed_async_connection_with_config(&config).await
    }

    /// The client in a pod.
    fn client(&self) -> script::Client {
        let Endpoint { host, port, user, password, database, tls, image } = &self.endpoint;
        let mut argv = vec!["redis-cli".to_owned(), "-e".to_owned()];
        let mut option = |name: &str, value: &str| argv.extend([name.to_owned(), value.to_owned()]);
        option("-h", host);
        option("-p", &port.to_string());
        if !user.is_empty() && !password.is_empty() {
            option("--user", user);
        }
        if !database.is_empty() {
            option("-n", database);
        }
        if *tls {
            option("--cacert", &script::ca_file());
            option("--sni", host);
            argv.push("--tls".to_owned());
        }
        argv.extend(self.words.iter().map(|&word| word.to_owned()));
        let mut env = BTreeMap::new();
        if !password.is_empty() {
            env.insert("REDISCLI_AUTH".to_owned(), password.clone());
        }
        let expect = self.expect.map(str::to_owned);
        script::Client { argv, env, expect, lines: true, image: image.clone() }
    }
}

/// What a failure says, in one line.
fn said(error: &RedisError) -> String {
    if error.kind() == ErrorKind::AuthenticationFailed {
        return "password authentication failed".to_owned();
    }
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => text::line(&format!("{code} {detail}"), 512),
        _ => text::root(error),
    }
}

/// A reply as `redis-cli` writes it: one line for each item.
fn shown(reply: &Value) -> Vec<String> {
    let flat = |items: &[Value]| items.iter().flat_map(shown).collect();
    match reply {
        Value::Nil => vec![String::new()],
        Value::Int(number) => vec![number.to_string()],
        Value::BulkString(bytes) => vec![String::from_utf8_lossy(bytes).into_owned()],
        Value::SimpleString(text) => vec![text.clone()],
        Value::Okay => vec!["OK".to_owned()],
        Value::Array(items) | Value::Set(items) => flat(items),
        other => vec![format!("{other:?}")],
    }
}

/// Whether the reply, or one line of it, is as expected.
fn judge(reply: &str, expect: Option<&str>) -> Result<String, String> {
    let is = |expect: &str| reply == expect || reply.lines().any(|line| line == expect);
    match expect {
        Some(expect) if is(expect) => Ok(format!("the reply is `{}`", text::line(expect, SHOWN))),
        None => Ok(format!("the reply is `{}`", text::line(reply, SHOWN))),
        Some(expect) => {
            let expect = text::line(expect, SHOWN);
            let lines = reply.lines().count();
            let first = text::line(reply.lines().next().unwrap_or_default(), SHOWN);
            Err(if lines > 1 {
                format!("none of the {lines} lines is `{expect}`, the first is `{first}`")
            } else {
                format!("the reply is `{first}`, expected `{expect}`")
            })
        }
    }
}

#[cfg(test)]
#[path = "redis_tests.rs"]
mod tests;
