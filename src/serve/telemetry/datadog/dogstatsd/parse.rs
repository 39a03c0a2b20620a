//! Parses one `DogStatsD` line: a metric, an event or a service check. Owns
//! the datagram format up to protocol v1.3 and borrows from the line. Must not
//! know what becomes of the values.
//!
//! Format: <https://docs.datadoghq.com/developers/dogstatsd/datagram_shell/>

use std::borrow::Cow;

/// Why a line is none of the three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    /// Not `name:value|type`.
    #[error("not `name:value|type`")]
    Shape,
    /// A type that is none of c, g, ms, h, s, d.
    #[error("unknown metric type")]
    Type,
    /// A value that is no finite number.
    #[error("value is not a finite number")]
    Value,
    /// A sample rate that is no number above zero.
    #[error("sample rate is not a number above 0")]
    Rate,
    /// A timestamp that is no number of seconds above zero.
    #[error("timestamp is not a number above 0")]
    Timestamp,
    /// An event whose lengths do not fit its text.
    #[error("event lengths do not fit")]
    Event,
    /// A service check without name or with an unknown status.
    #[error("service check without a name or with an unknown status")]
    Check,
}

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Line<'a> {
    Metric(Metric<'a>),
    Event(Event<'a>),
    Check(Check<'a>),
}

/// What a metric counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Count,
    Gauge,
    Timing,
    Histogram,
    Set,
    Distribution,
}

impl Kind {
    /// The letters of the datagram.
    #[cfg(test)]
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Self::Count => "c",
            Self::Gauge => "g",
            Self::Timing => "ms",
            Self::Histogram => "h",
            Self::Set => "s",
            Self::Distribution => "d",
        }
    }
}

/// Where a line comes from, as the client says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Origin<'a> {
    /// `c:`, a container id or `in-<inode>`.
    pub(crate) local: Option<&'a str>,
    /// `e:`, what the admission controller wrote into `DD_EXTERNAL_ENV`.
    pub(crate) external: Option<&'a str>,
    /// `card:`, the tag cardinality asked for.
    pub(crate) cardinality: Option<&'a str>,
}

impl<'a> Origin<'a> {
    fn take(&mut self, field: &'a str) -> bool {
        if let Some(value) = field.strip_prefix("c:") {
            self.local = Some(value);
        } else if let Some(value) = field.strip_prefix("e:") {
            self.external = Some(value);
        } else if let Some(value) = field.strip_prefix("card:") {
            self.cardinality = Some(value);
        } else {
            return false;
        }
        true
    }
}

/// A metric with one value or several packed ones.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Metric<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: Kind,
    /// The text of the values: one member for a set, else numbers joined by
    /// colons, each of them known to be finite.
    raw: &'a str,
    /// The share of events that the client sends; 1 unless said.
    pub(crate) rate: f64,
    /// Tags joined by commas.
    pub(crate) tags: &'a str,
    pub(crate) origin: Origin<'a>,
    /// Unix seconds, where the client aggregated itself.
    pub(crate) timestamp: Option<i64>,
}

impl<'a> Metric<'a> {
    /// The numbers; none for a set.
    pub(crate) fn values(&self) -> impl Iterator<Item = f64> + use<'a> {
        let raw = if self.kind == Kind::Set { "" } else { self.raw };
        raw.split(':').filter_map(|value| value.parse().ok())
    }

    /// The member of a set.
    pub(crate) fn member(&self) -> Option<&'a str> {
        (self.kind == Kind::Set).then_some(self.raw)
    }
}

/// An event, with the escaped line breaks of title and text undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event<'a> {
    pub(crate) title: Cow<'a, str>,
    pub(crate) text: Cow<'a, str>,
    pub(crate) timestamp: Option<i64>,
    pub(crate) host: Option<&'a str>,
    pub(crate) aggregation_key: Option<&'a str>,
    /// `normal` unless said.
    pub(crate) priority: &'a str,
    pub(crate) source_type: Option<&'a str>,
    /// `info` unless said.
    pub(crate) alert_type: &'a str,
    pub(crate) tags: &'a str,
    pub(crate) origin: Origin<'a>,
}

/// A service check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Check<'a> {
    pub(crate) name: &'a str,
    pub(crate) status: Status,
    pub(crate) timestamp: Option<i64>,
    pub(crate) host: Option<&'a str>,
    pub(crate) message: Option<&'a str>,
    pub(crate) tags: &'a str,
    pub(crate) origin: Origin<'a>,
}

/// The four states of a service check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Ok,
    Warning,
    Critical,
    Unknown,
}

impl Status {
    /// The state in words.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Unknown => "unknown",
        }
    }

    /// The number that is sent.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }
}

/// Parses one line without its line break.
///
/// # Errors
///
/// Says in which way the line is malformed. Unknown optional fields are none,
/// as newer clients send more of them.
pub(crate) fn line(text: &str) -> Result<Line<'_>, Malformed> {
    if text.starts_with("_e{") {
        event(text).map(Line::Event)
    } else if text.starts_with("_sc|") {
        check(text).map(Line::Check)
    } else {
        metric(text).map(Line::Metric)
    }
}

/// The tags of a line, empty ones left out.
pub(crate) fn tags(joined: &str) -> impl Iterator<Item = &str> {
    joined.split(',').filter(|tag| !tag.is_empty())
}

fn metric(text: &str) -> Result<Metric<'_>, Malformed> {
    let (name_and_value, rest) = text.split_once('|').ok_or(Malformed::Shape)?;
    let (name, raw) = name_and_value.split_once(':').ok_or(Malformed::Shape)?;
    if name.is_empty() || raw.is_empty() {
        return Err(Malformed::Shape);
    }
    let (symbol, rest) = match rest.split_once('|') {
        Some((symbol, rest)) => (symbol, Some(rest)),
        None => (rest, None),
    };
    let kind = match symbol {
        "c" => Kind::Count,
        "g" => Kind::Gauge,
        "ms" => Kind::Timing,
        "h" => Kind::Histogram,
        "s" => Kind::Set,
        "d" => Kind::Distribution,
        _ => return Err(Malformed::Type),
    };
    if kind != Kind::Set {
        finite(raw)?;
    }
    let mut metric =
        Metric { name, kind, raw, rate: 1.0, tags: "", origin: Origin::default(), timestamp: None };
    for field in rest.into_iter().flat_map(|rest| rest.split('|')) {
        if let Some(tags) = field.strip_prefix('#') {
            metric.tags = tags;
        } else if let Some(rate) = field.strip_prefix('@') {
            metric.rate = rate
                .parse()
                .ok()
                .filter(|rate: &f64| rate.is_finite() && *rate > 0.0)
                .ok_or(Malformed::Rate)?;
        } else if let Some(seconds) = field.strip_prefix('T') {
            let seconds = seconds.parse().ok().filter(|seconds| *seconds > 0);
            metric.timestamp = Some(seconds.ok_or(Malformed::Timestamp)?);
        } else {
            metric.origin.take(field);
        }
    }
    Ok(metric)
}

/// Whether there is a number, and nothing but finite ones. Empty places
/// between colons are passed over, as the agent does.
fn finite(raw: &str) -> Result<(), Malformed> {
    let mut any = false;
    for value in raw.split(':').filter(|value| !value.is_empty()) {
        match value.parse::<f64>() {
            Ok(number) if number.is_finite() => any = true,
            _ => return Err(Malformed::Value),
        }
    }
    if any { Ok(()) } else { Err(Malformed::Value) }
}

fn event(text: &str) -> Result<Event<'_>, Malformed> {
    let (head, body) = text.split_once("}:").ok_or(Malformed::Event)?;
    let lengths = head.strip_prefix("_e{").ok_or(Malformed::Event)?;
    let (title, text) = lengths.split_once(',').ok_or(Malformed::Event)?;
    let title_len: usize = title.parse().map_err(|_| Malformed::Event)?;
    let text_len: usize = text.parse().map_err(|_| Malformed::Event)?;
    // Lengths are bytes; a cut inside a character is malformed too.
    let (title, rest) = body.split_at_checked(title_len).ok_or(Malformed::Event)?;
    let rest = rest.strip_prefix('|').ok_or(Malformed::Event)?;
    let (text, rest) = rest.split_at_checked(text_len).ok_or(Malformed::Event)?;
    if title.is_empty() {
        return Err(Malformed::Event);
    }
    let mut event = Event {
        title: unescape(title),
        text: unescape(text),
        timestamp: None,
        host: None,
        aggregation_key: None,
        priority: "normal",
        source_type: None,
        alert_type: "info",
        tags: "",
        origin: Origin::default(),
    };
    for field in rest.split('|').skip(1) {
        if let Some(tags) = field.strip_prefix('#') {
            event.tags = tags;
        } else if !event.origin.take(field) {
            event_field(&mut event, field);
        }
    }
    Ok(event)
}

/// A field that cannot be read is passed over: the agent keeps the event.
fn event_field<'a>(event: &mut Event<'a>, field: &'a str) {
    let Some((key, value)) = field.split_once(':') else { return };
    match (key, value) {
        ("d", seconds) => event.timestamp = seconds.parse().ok(),
        ("h", host) => event.host = Some(host),
        ("k", key) => event.aggregation_key = Some(key),
        ("p", "low" | "normal") => event.priority = value,
        ("s", source) => event.source_type = Some(source),
        ("t", "success" | "info" | "warning" | "error") => event.alert_type = value,
        _ => {}
    }
}

fn check(text: &str) -> Result<Check<'_>, Malformed> {
    let mut fields = text.split('|').skip(1);
    let name = fields.next().filter(|name| !name.is_empty()).ok_or(Malformed::Check)?;
    let status = match fields.next() {
        Some("0") => Status::Ok,
        Some("1") => Status::Warning,
        Some("2") => Status::Critical,
        Some("3") => Status::Unknown,
        _ => return Err(Malformed::Check),
    };
    let mut check = Check {
        name,
        status,
        timestamp: None,
        host: None,
        message: None,
        tags: "",
        origin: Origin::default(),
    };
    for field in fields {
        if let Some(tags) = field.strip_prefix('#') {
            check.tags = tags;
        } else if !check.origin.take(field) {
            match field.split_once(':') {
                Some(("d", seconds)) => check.timestamp = seconds.parse().ok(),
                Some(("h", host)) => check.host = Some(host),
                Some(("m", message)) => check.message = Some(message),
                _ => {}
            }
        }
    }
    Ok(check)
}

fn unescape(text: &str) -> Cow<'_, str> {
    if text.contains("\\n") { text.replace("\\n", "\n").into() } else { text.into() }
}
