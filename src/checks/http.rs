//! One attempt at an HTTP check: sends the requests and records the answers.
//!
//! Owns time limits, following redirects and how much of an answer is read. Whether the answers
//! are good is decided in `judge`. Must not retry.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Client, Response};
use tokio::time::{Instant, timeout_at};

use crate::checks::client::Door;
use crate::checks::judge::{Answer, weigh};
use crate::checks::probe::Attempt;
use crate::checks::request::Request;
use crate::checks::text::root;
use crate::checks::{Evidence, Exchange, Target, text};
use crate::settings::checks::Http;

/// How long one request may take, with its redirects.
const REQUEST_LIMIT: Duration = Duration::from_secs(5);
/// How many redirects are followed.
const REDIRECTS: usize = 10;
/// How much of a body is read.
const BODY_LIMIT: usize = 1024 * 1024;
/// How much of a body is shown.
const BODY_SHOWN: usize = 4 * 1024;
/// How much of a header is shown, in characters.
const HEADER_SHOWN: usize = 512;

/// Everything to send the requests of one check.
#[derive(Debug)]
pub(super) struct Probe<'a> {
    http: &'a Http,
    first: Request,
    target: &'a Target,
    clients: HashMap<Door, Client>,
    request_limit: Duration,
}

/// An exchange that did not come to an end.
struct Broken {
    why: String,
    request: String,
    answer: Option<Answer>,
}

impl<'a> Probe<'a> {
    /// Prepares the requests.
    ///
    /// # Errors
    /// One line when URL, method or a header cannot be sent; no later attempt could do better.
    pub(super) fn new(http: &'a Http, target: &'a Target) -> Result<Self, String> {
        let first = Request::new(http)?;
        let clients = HashMap::new();
        Ok(Self { http, first, target, clients, request_limit: REQUEST_LIMIT })
    }

    /// Sets how long one request may take.
    #[cfg(test)]
    pub(super) fn limited_to(mut self, request_limit: Duration) -> Self {
        self.request_limit = request_limit;
        self
    }

    /// Sends all requests of the check, one after the other, and judges the answers.
    ///
    /// The attempt ends at `deadline`, except that its first request always has its full time:
    /// an attempt that is cut short would hide what the one before it had found.
    pub(super) async fn attempt(&mut self, deadline: Instant) -> Attempt {
        let end = deadline.max(Instant::now() + self.request_limit);
        let times = self.http.times.unwrap_or(1).max(1);
        let mut requests = Vec::new();
        let mut answers = Vec::new();
        for nth in 1..=times {
            let until = end.min(Instant::now() + self.request_limit);
            match self.exchange(until).await {
                Ok((request, answer)) => {
                    requests.push(request);
                    answers.push(answer);
                }
                Err(broken) => {
                    let of_many = format!("request {nth} of {times}: {}", broken.why);
                    return Attempt {
                        verdict: Err(if times > 1 { of_many } else { broken.why }),
                        evidence: Some(evidence(broken.request, broken.answer.as_ref())),
                    };
                }
            }
        }
        match weigh(&self.http.expect, &answers) {
            Ok(held) => Attempt { verdict: Ok(held), evidence: None },
            Err(unfit) => Attempt {
                verdict: Err(unfit.why),
                evidence: Some(evidence(
                    requests.swap_remove(unfit.index),
                    answers.get(unfit.index),
                )),
            },
        }
    }

    /// Sends one request and follows where it leads.
    async fn exchange(&mut self, until: Instant) -> Result<(String, Answer), Broken> {
        let expect = &self.http.expect;
        let redirect_expected = expect.location.is_some()
            || expect.status.is_some_and(|status| (300..400).contains(&status));
        let mut request = self.first.clone();
        for _ in 0..=REDIRECTS {
            let (shown, answer) = self.send(&request, until).await?;
            match request.redirected(&answer) {
                Some(next) if !redirect_expected => request = next,
                _ => return Ok((shown, answer)),
            }
        }
        let why = format!("more than {REDIRECTS} redirects");
        Err(Broken { why, request: self.first.shown(None), answer: None })
    }

    async fn send(
        &mut self,
        request: &Request,
        until: Instant,
    ) -> Result<(String, Answer), Broken> {
        let door = Door::of(&request.url, self.target);
        let shown = request.shown(door.address(&request.url));
        let broken = |why: String| Broken { why, request: shown.clone(), answer: None };
        let client = self.client(door).map_err(|error| broken(root(&error)))?;
        let mut sending = client
            .request(request.method.clone(), request.url.clone())
            .headers(request.headers.clone());
        if let Some(body) = &request.body {
            sending = sending.body(body.clone());
        }
        let mut response = match timeout_at(until, sending.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) if error.is_connect() => {
                return Err(broken(format!("cannot connect: {}", root(&error))));
            }
            Ok(Err(error)) => return Err(broken(format!("no answer: {}", root(&error)))),
            Err(_) => return Err(broken(format!("no answer within {:?}", self.request_limit))),
        };
        let mut answer = Answer {
            url: request.url.to_string(),
            status: response.status().as_u16(),
            headers: readable(response.headers()),
            ..Answer::default()
        };
        match self.read(&mut response, &mut answer, until).await {
            Ok(()) => Ok((shown, answer)),
            Err(why) => Err(Broken { why, request: shown, answer: Some(answer) }),
        }
    }

    fn client(&mut self, door: Door) -> reqwest::Result<Client> {
        if let Some(client) = self.clients.get(&door) {
            return Ok(client.clone());
        }
        let client = door.client()?;
        self.clients.insert(door, client.clone());
        Ok(client)
    }

    /// Reads the body; what came before a failure is kept.
    async fn read(
        &self,
        response: &mut Response,
        answer: &mut Answer,
        until: Instant,
    ) -> Result<(), String> {
        let mut body = Vec::new();
        let read = loop {
            match timeout_at(until, response.chunk()).await {
                Ok(Ok(Some(chunk))) => body.extend_from_slice(&chunk),
                Ok(Ok(None)) => break Ok(()),
                Ok(Err(error)) => {
                    break Err(format!("body ends after {} bytes: {}", body.len(), root(&error)));
                }
                Err(_) => {
                    let limit = self.request_limit;
                    break Err(format!("body has not ended within {limit:?}"));
                }
            }
            if body.len() > BODY_LIMIT {
                body.truncate(BODY_LIMIT);
                answer.cut = true;
                break Ok(());
            }
        };
        answer.body = String::from_utf8_lossy(&body).into_owned();
        read
    }
}

fn readable(headers: &HeaderMap) -> Vec<(String, String)> {
    let value = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    headers.iter().map(|(name, v)| (name.to_string(), value(v.as_bytes()))).collect()
}

fn evidence(request: String, answer: Option<&Answer>) -> Evidence {
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in answer.into_iter().flat_map(|answer| &answer.headers) {
        let value = text::line(value, HEADER_SHOWN);
        headers
            .entry(text::line(name, HEADER_SHOWN))
            .and_modify(|all| {
                let _ = write!(all, ", {value}");
            })
            .or_insert(value);
    }
    Evidence::Exchange(Exchange {
        request,
        status: answer.map(|answer| answer.status),
        headers,
        body: answer.map(|answer| text::block(&answer.body, BODY_SHOWN)).unwrap_or_default(),
    })
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
