//! Questions to the sandbox's own telemetry.
//!
//! Owns the requests. Must not know what is asked.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use crate::error::{Context, Error, Kind, Result};
use crate::tools::plain;

/// How long an answer may take beyond what the question itself waits for.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much of a refusal is shown, in characters.
const SHOWN: usize = 300;

/// A client of the telemetry server at one port of this machine.
#[derive(Debug, Clone)]
pub struct Telemetry {
    base: String,
    http: reqwest::Client,
}

impl Telemetry {
    /// Makes a client; nothing is sent yet.
    ///
    /// # Errors
    /// [`Kind::Unexpected`] when no client can be made.
    pub fn new(port: u16) -> Result<Self> {
        let http = plain::client().build();
        let http = http.context(Kind::Unexpected, || "cannot make an HTTP client".to_owned())?;
        Ok(Self { base: format!("http://127.0.0.1:{port}"), http })
    }

    /// Where it is, for people.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.base
    }

    /// Asks for `path` below `/sandbox/v1/`; parameters may come several times.
    ///
    /// # Errors
    /// [`Kind::Cluster`] when there is no answer, or a refusal, with the server's reason.
    pub async fn ask(&self, path: &str, parameters: &[(&str, String)]) -> Result<Value> {
        self.call(Method::GET, path, parameters, None, PATIENCE).await
    }

    /// The same for a question that waits for up to `wait` by itself.
    ///
    /// # Errors
    /// As [`Telemetry::ask`].
    pub async fn ask_waiting(
        &self,
        path: &str,
        parameters: &[(&str, String)],
        wait: Duration,
    ) -> Result<Value> {
        self.call(Method::GET, path, parameters, None, wait + PATIENCE).await
    }

    /// Changes something.
    ///
    /// # Errors
    /// As [`Telemetry::ask`].
    pub async fn tell(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        self.call(method, path, &[], body, PATIENCE).await
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        parameters: &[(&str, String)],
        body: Option<&Value>,
        limit: Duration,
    ) -> Result<Value> {
        let mut url = self.url(path)?;
        if !parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(parameters);
        }
        let mut request = self.http.request(method, url).timeout(limit);
        if let Some(body) = body {
            request = request
                .header(http::header::CONTENT_TYPE, "application/json")
                .body(body.to_string());
        }
        let silent = || format!("the telemetry does not answer at `{}`", self.base);
        let answer = request.send().await.context(Kind::Cluster, silent)?;
        let status = answer.status();
        let text = answer.text().await.context(Kind::Cluster, silent)?;
        let json: Value = serde_json::from_str(&text).unwrap_or_default();
        if status.is_success() {
            return Ok(json);
        }
        let why = json["error"].as_str().unwrap_or(&text);
        let why: String = why.chars().take(SHOWN).collect();
        Err(Error::new(Kind::Cluster, format!("the telemetry refused `{path}` ({status})"))
            .because(Error::new(Kind::Cluster, why)))
    }

    fn url(&self, path: &str) -> Result<reqwest::Url> {
        let text = format!("{}/sandbox/v1/{path}", self.base);
        reqwest::Url::parse(&text).context(Kind::Unexpected, || format!("`{text}` is no URL"))
    }
}
