//! Whether recorded HTTP answers are what a check expects.
//!
//! Owns the meaning of every key of `expect:`. Must not touch the network.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use regex::Regex;
use reqwest::Url;
use serde_json::Value;

use crate::checks::text;
use crate::settings::checks::HttpExpect;

/// Longest piece of a foreign value that is quoted in a message, in characters.
const QUOTED: usize = 120;

/// One recorded answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// URL that was asked, after redirects.
    pub url: String,
    /// Status code.
    pub status: u16,
    /// Headers in the order they came, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as text.
    pub body: String,
    /// Whether the body was longer than what is read of it.
    pub cut: bool,
}

impl Answer {
    /// The first value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, v)| &**v)
    }
}

/// Says what holds of the answers, in a few words.
///
/// # Errors
/// One line that says what was expected and what came, of the first answer that does not fit.
pub fn judge(expect: &HttpExpect, answers: &[Answer]) -> Result<String, String> {
    weigh(expect, answers).map_err(|unfit| unfit.why)
}

/// The answer that does not fit and why.
#[derive(Debug)]
pub(super) struct Unfit {
    /// Which of the answers.
    pub(super) index: usize,
    /// What was expected and what came.
    pub(super) why: String,
}

/// Like [`judge`], and names the answer to show as evidence.
pub(super) fn weigh(expect: &HttpExpect, answers: &[Answer]) -> Result<String, Unfit> {
    let rules = Rules::new(expect).map_err(|why| Unfit { index: 0, why })?;
    let count = answers.len();
    if count == 0 {
        return Err(Unfit { index: 0, why: "no answer came".to_owned() });
    }
    for (index, answer) in answers.iter().enumerate() {
        rules.hold_for(answer).map_err(|why| {
            let of_many = format!("answer {} of {count}: {why}", index + 1);
            Unfit { index, why: if count > 1 { of_many } else { why } }
        })?;
    }
    let distinct = answers.iter().map(|answer| &answer.body).collect::<BTreeSet<_>>().len();
    let wanted = expect.distinct_bodies.unwrap_or(0) as usize;
    if distinct < wanted {
        let why = format!(
            "{distinct} different bod{} in {count} answer{}, expected at least {wanted}",
            if distinct == 1 { "y" } else { "ies" },
            if count == 1 { "" } else { "s" },
        );
        return Err(Unfit { index: count - 1, why });
    }
    let mut held = rules.told(&answers[0]);
    if count > 1 {
        let _ = write!(held, ", {count} answers");
        if wanted > 0 {
            let _ = write!(held, " with {distinct} different bodies");
        }
    }
    Ok(held)
}

/// The expectations of one answer, with patterns compiled once.
struct Rules<'a> {
    expect: &'a HttpExpect,
    headers: Vec<(&'a str, Regex)>,
    body: Option<Regex>,
}

impl<'a> Rules<'a> {
    fn new(expect: &'a HttpExpect) -> Result<Self, String> {
        let pattern = |pattern: &str| {
            Regex::new(pattern).map_err(|_| format!("`{pattern}` is no regular expression"))
        };
        Ok(Self {
            expect,
            headers: expect
                .headers
                .iter()
                .map(|(name, value)| Ok((name.as_str(), pattern(value)?)))
                .collect::<Result<_, String>>()?,
            body: expect.body.as_deref().map(pattern).transpose()?,
        })
    }

    fn hold_for(&self, answer: &Answer) -> Result<(), String> {
        self.status(answer)?;
        self.location(answer)?;
        for (name, pattern) in &self.headers {
            header(answer, name, pattern)?;
        }
        if let Some(pattern) = &self.body
            && !pattern.is_match(&answer.body)
        {
            return Err(format!("body does not match `{pattern}`, {}", beginning(answer)));
        }
        self.expect.json.as_ref().map_or(Ok(()), |wanted| json(answer, wanted))
    }

    fn status(&self, answer: &Answer) -> Result<(), String> {
        let status = answer.status;
        match (self.expect.status, &self.expect.location) {
            (None, Some(_)) if (300..400).contains(&status) => Ok(()),
            (None, Some(_)) => Err(format!("status {status}, expected a redirect (3xx)")),
            (wanted, _) if status == wanted.unwrap_or(200) => Ok(()),
            (wanted, _) => Err(format!("status {status}, expected {}", wanted.unwrap_or(200))),
        }
    }

    fn location(&self, answer: &Answer) -> Result<(), String> {
        let Some(wanted) = &self.expect.location else {
            return Ok(());
        };
        let Some(location) = answer.header("location") else {
            return Err(format!("no `location` header, expected `{wanted}`"));
        };
        // Servers may send it relative; both spellings lead to the same place.
        let base = Url::parse(&answer.url).ok();
        let full = |text: &str| base.as_ref().and_then(|base| base.join(text).ok());
        if location == wanted || full(location).is_some_and(|url| Some(url) == full(wanted)) {
            return Ok(());
        }
        Err(format!("leads to `{}`, expected `{wanted}`", text::line(location, QUOTED)))
    }

    fn told(&self, answer: &Answer) -> String {
        let mut held = format!("status {}", answer.status);
        if let Some(location) = &self.expect.location {
            let _ = write!(held, ", leads to `{location}`");
        }
        for (name, pattern) in &self.headers {
            let _ = write!(held, ", `{name}` matches `{pattern}`");
        }
        if let Some(pattern) = &self.body {
            let _ = write!(held, ", body matches `{pattern}`");
        }
        if self.expect.json.is_some() {
            held.push_str(", json as expected");
        }
        text::line(&held, 4 * QUOTED)
    }
}

fn header(answer: &Answer, name: &str, pattern: &Regex) -> Result<(), String> {
    let all = || answer.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
    if all().any(|(_, value)| pattern.is_match(value)) {
        return Ok(());
    }
    let came: Vec<String> = all().map(|(_, v)| format!("`{}`", text::line(v, QUOTED))).collect();
    Err(if came.is_empty() {
        format!("no `{name}` header, expected one that matches `{pattern}`")
    } else {
        format!("header `{name}` is {}, expected a match of `{pattern}`", came.join(" and "))
    })
}

fn beginning(answer: &Answer) -> String {
    let cut = if answer.cut { " (only the first MiB was read)" } else { "" };
    if answer.body.is_empty() {
        return "it is empty".to_owned();
    }
    format!("it begins with `{}`{cut}", text::line(&answer.body, QUOTED))
}

fn json(answer: &Answer, wanted: &Value) -> Result<(), String> {
    let came: Value = serde_json::from_str(&answer.body)
        .map_err(|error| format!("body is no JSON ({error}), {}", beginning(answer)))?;
    difference("$", wanted, &came, false).map_or(Ok(()), Err)
}

/// The first difference with its path. Maps may hold more than is wanted, except in lists.
fn difference(path: &str, wanted: &Value, came: &Value, whole: bool) -> Option<String> {
    match (wanted, came) {
        (Value::Object(wanted), Value::Object(came)) => {
            let missing = |key: &str, wanted: &Value| {
                format!("{} is missing, expected {}", at(path, key), quoted(wanted))
            };
            let differs = wanted.iter().find_map(|(key, wanted)| match came.get(key) {
                Some(came) => difference(&at(path, key), wanted, came, whole),
                None => Some(missing(key, wanted)),
            });
            let extra = || came.iter().find(|(key, _)| whole && !wanted.contains_key(*key));
            differs.or_else(|| {
                extra().map(|(key, v)| format!("{} is {}, expected none", at(path, key), quoted(v)))
            })
        }
        (Value::Array(wanted), Value::Array(came)) if wanted.len() != came.len() => {
            Some(format!("{path} is a list of {}, expected a list of {}", came.len(), wanted.len()))
        }
        (Value::Array(wanted), Value::Array(came)) => {
            wanted.iter().zip(came).enumerate().find_map(|(index, (wanted, came))| {
                difference(&format!("{path}[{index}]"), wanted, came, true)
            })
        }
        (wanted, came) if same(wanted, came) => None,
        (wanted, came) => Some(format!("{path} is {}, expected {}", quoted(came), quoted(wanted))),
    }
}

/// Equality in which 1 and 1.0 are the same number, as they are in JSON.
fn same(wanted: &Value, came: &Value) -> bool {
    wanted == came
        || matches!((wanted, came), (Value::Number(a), Value::Number(b))
            if (a.is_f64() || b.is_f64()) && a.as_f64() == b.as_f64())
}

fn at(path: &str, key: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    if !key.is_empty() && key.chars().all(plain) {
        format!("{path}.{key}")
    } else {
        format!("{path}[{}]", text::line(&Value::from(key).to_string(), QUOTED))
    }
}

fn quoted(value: &Value) -> String {
    text::line(&value.to_string(), QUOTED)
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
