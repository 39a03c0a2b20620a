//! Gathers decoded spans on their way to the store. Owns that a payload is
//! taken as a whole or not at all, and how much memory its decoded form may
//! take meanwhile. Must not know a wire format.

use std::borrow::Cow;
use std::sync::Arc;

use super::super::msgpack::Error;
use super::carried;
use crate::serve::telemetry::model::{
    Attribute, Origin, Span, SpanKind, Status, TRACE_ID_UPPER, Text, Value,
};

/// Takes decoded spans.
pub(crate) type Sink<'s> = dyn FnMut(&[Span<'_>]) + 's;

/// How many bytes of decoded spans are held before they are passed on, with
/// the text that the store copies of them: a payload may name the same long
/// string in every span.
const HELD: usize = 32 << 20;
/// How many chunks, and how many spans, a payload may have. A real span takes
/// some fifty bytes, so one of 25 MiB stays below.
const MOST: u64 = 1_000_000;
/// How many bytes of text the spans of a payload may name together.
const TEXT: usize = 1 << 30;
/// How many attributes one span may have.
const ATTRIBUTES: usize = 100_000;
/// How many bytes of JSON inside `meta` are read of one payload.
const CARRIED: usize = 16 << 20;
/// How many of one tag.
const CARRIED_ONCE: usize = 64 << 10;
/// How many different senders of a payload are remembered.
const ORIGINS: usize = 16;

/// What a payload had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counted {
    /// Trace chunks.
    pub(crate) traces: u64,
    /// Spans.
    pub(crate) spans: u64,
}

enum Mode<'s, 'p> {
    /// Keep everything, as long as it is not too much.
    Collect,
    /// It was too much: go on only to see whether the rest is well-formed.
    Validate,
    /// It is known to be well-formed: pass on in pieces.
    Stream(&'s mut Sink<'p>),
}

/// Runs `decode` and passes on what it found, once it is known that all of the
/// payload is well-formed. A payload whose decoded form is large is decoded
/// twice rather than held.
pub(crate) fn whole<'a>(
    sink: &mut Sink<'_>,
    mut decode: impl FnMut(&mut Batch<'a, '_, '_>) -> Result<(), Error>,
) -> Result<Counted, Error> {
    let mut first = Batch::new(Mode::Collect);
    decode(&mut first)?;
    let counted = first.counted;
    if matches!(first.mode, Mode::Collect) {
        if !first.spans.is_empty() {
            sink(&first.spans);
        }
        return Ok(counted);
    }
    let mut second = Batch::new(Mode::Stream(sink));
    decode(&mut second)?;
    second.pass_on();
    Ok(counted)
}

/// Spans of one payload.
pub(crate) struct Batch<'a, 's, 'p> {
    spans: Vec<Span<'a>>,
    bytes: usize,
    text: usize,
    mode: Mode<'s, 'p>,
    counted: Counted,
    /// Where the spans of the current chunk begin.
    chunk: usize,
    /// The upper half of the chunk's trace id.
    upper: u64,
}

impl<'a, 's, 'p> Batch<'a, 's, 'p> {
    fn new(mode: Mode<'s, 'p>) -> Self {
        let counted = Counted::default();
        Self { spans: Vec::new(), bytes: 0, text: 0, mode, counted, chunk: 0, upper: 0 }
    }

    pub(crate) fn begin_chunk(&mut self) -> Result<(), Error> {
        self.counted.traces += 1;
        if self.counted.traces > MOST {
            return Err(Error::TooLarge);
        }
        self.chunk = self.spans.len();
        self.upper = 0;
        Ok(())
    }

    /// One span; `upper` is the upper half of the trace id where it has it,
    /// `inner` how much hangs on the span beyond its own attributes.
    fn push(
        &mut self,
        span: Span<'a>,
        upper: Option<u64>,
        inner: usize,
        text: usize,
    ) -> Result<(), Error> {
        if let Some(upper) = upper {
            self.upper = upper;
        }
        let items = span.attributes.len() + inner;
        self.bytes += size_of::<Span<'_>>() + items * size_of::<Attribute<'_>>();
        self.bytes += text;
        self.text = self.text.saturating_add(text);
        self.counted.spans += 1;
        if self.counted.spans > MOST || self.text > TEXT {
            return Err(Error::TooLarge);
        }
        self.spans.push(span);
        if self.bytes >= HELD {
            self.end_chunk();
            self.pass_on();
        }
        Ok(())
    }

    /// Gives all spans of the chunk the upper half of their trace id, which
    /// one of them carries.
    pub(crate) fn end_chunk(&mut self) {
        if self.upper != 0 {
            let upper = u128::from(self.upper) << 64;
            for span in self.spans.iter_mut().skip(self.chunk) {
                if span.trace_id >> 64 == 0 {
                    span.trace_id |= upper;
                }
            }
        }
    }

    fn pass_on(&mut self) {
        match &mut self.mode {
            Mode::Collect => self.mode = Mode::Validate,
            Mode::Validate => {}
            Mode::Stream(sink) => {
                if !self.spans.is_empty() {
                    sink(&self.spans);
                }
            }
        }
        self.spans.clear();
        self.bytes = 0;
        self.chunk = 0;
    }
}

/// Finds the sender of a span among those of its payload, so that spans with
/// the same one share it.
pub(crate) struct Origins<'a> {
    payload: Origin<'a>,
    known: Vec<Arc<Origin<'a>>>,
    next: usize,
    /// How many bytes of JSON inside `meta` may still be read.
    carried: usize,
    /// How many bytes of text a new sender takes.
    text: usize,
}

impl<'a> Origins<'a> {
    pub(crate) fn new(payload: Origin<'a>) -> Self {
        let text = |(key, value): &Attribute<'_>| match value {
            Value::Str(value) => key.len() + value.len(),
            _ => key.len(),
        };
        let text = payload.attributes.iter().map(text).sum();
        Self { payload, known: Vec::new(), next: 0, carried: CARRIED, text }
    }

    /// The sender with these own words, or the payload's where there are none,
    /// and how many attributes and bytes of text it has if it is a new one.
    fn of(
        &mut self,
        env: &Text<'a>,
        version: &Text<'a>,
        host: &Text<'a>,
    ) -> (Arc<Origin<'a>>, usize, usize) {
        let env = if env.is_empty() { &self.payload.env } else { env };
        let version = if version.is_empty() { &self.payload.version } else { version };
        let host = if host.is_empty() { &self.payload.host } else { host };
        let same = |known: &&Arc<Origin<'a>>| {
            known.env == *env && known.version == *version && known.host == *host
        };
        if let Some(known) = self.known.iter().find(same) {
            return (Arc::clone(known), 0, 0);
        }
        let origin = Arc::new(Origin {
            env: env.clone(),
            version: version.clone(),
            host: host.clone(),
            ..self.payload.clone()
        });
        if self.known.len() < ORIGINS {
            self.known.push(Arc::clone(&origin));
        } else {
            self.next = (self.next + 1) % ORIGINS;
            if let Some(place) = self.known.get_mut(self.next) {
                *place = Arc::clone(&origin);
            }
        }
        let attributes = origin.attributes.len() + 8;
        (origin, attributes, self.text)
    }

    /// Whether so much JSON may be read yet.
    fn carry(&mut self, text: &str) -> bool {
        let left = self.carried.checked_sub(text.len());
        self.carried = left.unwrap_or(self.carried);
        left.is_some() && text.len() <= CARRIED_ONCE
    }
}

/// One span while its fields are read.
#[derive(Debug, Default)]
pub(crate) struct Draft<'a> {
    pub(crate) span: Span<'a>,
    upper: Option<u64>,
    env: Text<'a>,
    version: Text<'a>,
    host: Text<'a>,
    /// Links and events as JSON.
    links: Text<'a>,
    events: Text<'a>,
    /// How many links, events, and values in them there are.
    pub(crate) inner: usize,
    /// Bytes of the text of its attributes.
    text: usize,
}

impl<'a> Draft<'a> {
    /// The span is to get about this many more attributes.
    pub(crate) fn expect(&mut self, attributes: usize) -> Result<(), Error> {
        self.room(attributes)?;
        self.span.attributes.reserve(attributes);
        Ok(())
    }

    fn room(&self, more: usize) -> Result<(), Error> {
        let fits = self.span.attributes.len() + more <= ATTRIBUTES;
        if fits { Ok(()) } else { Err(Error::TooLarge) }
    }

    /// An entry of `meta`. Some of them are what the model has a place for;
    /// all of them stay attributes too.
    pub(crate) fn meta(&mut self, key: Text<'a>, value: Text<'a>) -> Result<(), Error> {
        self.room(1)?;
        self.text += key.len() + value.len();
        match key.as_ref() {
            "env" => self.env.clone_from(&value),
            "version" => self.version.clone_from(&value),
            "span.kind" => self.span.kind = SpanKind::from_name(&value.to_ascii_lowercase()),
            "_dd.hostname" => self.host.clone_from(&value),
            "error.message" | "error.msg" => self.span.status_message.clone_from(&value),
            "_dd.span_links" => self.links.clone_from(&value),
            "events" => self.events.clone_from(&value),
            TRACE_ID_UPPER => self.upper = u64::from_str_radix(&value, 16).ok(),
            _ => {}
        }
        self.span.attributes.push((key, Value::Str(value)));
        Ok(())
    }

    /// An entry of `metrics`.
    pub(crate) fn metric(&mut self, key: Text<'a>, value: f64) -> Result<(), Error> {
        self.room(1)?;
        self.text += key.len();
        self.span.attributes.push((key, Value::Double(value)));
        Ok(())
    }

    /// An entry of `meta_struct`: `MessagePack` inside.
    pub(crate) fn meta_struct(&mut self, key: Text<'a>, value: Cow<'a, [u8]>) -> Result<(), Error> {
        self.room(1)?;
        self.span.attributes.push((key, Value::Bytes(value)));
        Ok(())
    }

    pub(crate) fn set_start(&mut self, start: i64) {
        self.span.start_ns = u64::try_from(start).unwrap_or(0);
    }

    pub(crate) fn set_duration(&mut self, duration: i64) {
        self.span.duration_ns = u64::try_from(duration).unwrap_or(0);
    }

    pub(crate) fn set_error(&mut self, error: i32) {
        self.span.status = if error == 0 { Status::Unset } else { Status::Error };
    }

    /// Whether there is an attribute of this name.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.span.attributes.iter().any(|(known, _)| known == key)
    }

    /// The span is complete.
    ///
    /// # Errors
    ///
    /// The payload has too many.
    pub(crate) fn finish(
        mut self,
        origins: &mut Origins<'a>,
        batch: &mut Batch<'a, '_, '_>,
    ) -> Result<(), Error> {
        // An item of JSON takes some eight bytes.
        if !self.links.is_empty() && origins.carry(&self.links) {
            carried::links(&self.links, &mut self.span.links);
            self.inner += self.links.len() / 8;
        }
        if !self.events.is_empty() && origins.carry(&self.events) {
            carried::events(&self.events, &mut self.span.events);
            self.inner += self.events.len() / 8;
        }
        let (origin, added, text) = origins.of(&self.env, &self.version, &self.host);
        self.span.origin = origin;
        let span = &self.span;
        let names = [&span.service, &span.name, &span.resource, &span.span_type];
        let text = text + self.text + names.iter().map(|name| name.len()).sum::<usize>();
        batch.push(self.span, self.upper, self.inner + added, text)
    }
}
