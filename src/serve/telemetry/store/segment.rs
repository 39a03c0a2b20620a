//! A segment: some megabytes of rows with their own texts and indexes.
//!
//! Owns the layout in memory. A segment only grows, and goes as a whole when it is the oldest, so
//! nothing in it is ever removed and texts need no reference counts.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::model::{Origin, Protocol};
use super::codec::{Reader, Writer};
use super::symbols::{Symbol, Symbols};

/// No row.
pub(super) const NONE: u32 = u32::MAX;

/// What every row has.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    /// Place among all items of all kinds, in order of receipt.
    pub(crate) seq: u64,
    /// Nanoseconds since 1970.
    pub(crate) received_ns: u64,
    /// The item's own time, nanoseconds since 1970.
    pub(crate) time_ns: u64,
    pub(crate) service: Symbol,
    pub(crate) name: Symbol,
    pub(crate) origin: u32,
    /// Where its packed part begins.
    pub(super) blob: u32,
    /// The row before it with the same lower half of the trace id, or [`NONE`].
    pub(super) previous: u32,
    pub(crate) protocol: Protocol,
}

/// A kind of item, as it is stored.
pub(crate) trait Row: Sized + Send + Sync + 'static {
    /// The item as decoders give it.
    type Item<'a>;

    /// Its service, name, own time and origin.
    fn header<'i>(item: &'i Self::Item<'_>) -> Header<'i>;

    /// Packs the rest.
    fn pack(item: &Self::Item<'_>, head: Head, writer: Writer<'_>) -> Self;

    /// What every row has.
    fn head(&self) -> &Head;

    /// The trace it belongs to, 0 for none.
    fn trace(&self) -> u128 {
        0
    }
}

/// What the indexes need of an item.
pub(crate) struct Header<'i> {
    pub(super) service: &'i str,
    pub(super) name: &'i str,
    pub(super) time_ns: u64,
    pub(super) trace_id: u128,
    pub(super) origin: &'i Origin<'i>,
    /// Tells whether it is the same origin as the last item's, without looking inside.
    pub(super) origin_at: usize,
}

/// An origin, interned.
#[derive(Debug, PartialEq, Eq, Hash, Clone)]
struct StoredOrigin {
    fields: [Symbol; 9],
    attributes: Box<[u8]>,
}

/// Rows with their texts and indexes.
#[derive(Debug)]
pub(crate) struct Segment<R> {
    pub(super) symbols: Symbols,
    origins: Vec<Arc<StoredOrigin>>,
    origin_numbers: HashMap<Arc<StoredOrigin>, u32>,
    pub(super) rows: Vec<R>,
    blob: Vec<u8>,
    /// The rows of each service and name, oldest first.
    pairs: HashMap<(Symbol, Symbol), Vec<u32>>,
    /// The last row of each trace, by the lower half of its id.
    traces: HashMap<u64, u32>,
    origin_bytes: usize,
}

impl<R: Row> Segment<R> {
    pub(super) fn new() -> Self {
        Self {
            symbols: Symbols::new(),
            origins: Vec::new(),
            origin_numbers: HashMap::new(),
            rows: Vec::new(),
            blob: Vec::new(),
            pairs: HashMap::new(),
            traces: HashMap::new(),
            origin_bytes: 0,
        }
    }

    /// Keeps an item. `last_origin` is remembered between calls for the same segment.
    pub(super) fn push(
        &mut self,
        item: &R::Item<'_>,
        (seq, received_ns, protocol): (u64, u64, Protocol),
        last_origin: &mut Option<(usize, u32)>,
    ) {
        let header = R::header(item);
        let Ok(place) = u32::try_from(self.rows.len()) else { return };
        let Ok(blob) = u32::try_from(self.blob.len()) else { return };
        let origin = match *last_origin {
            Some((at, number)) if at == header.origin_at => number,
            _ => {
                let number = self.origin_number(header.origin);
                *last_origin = Some((header.origin_at, number));
                number
            }
        };
        let service = self.symbols.intern(header.service);
        let name = self.symbols.intern(header.name);
        let trace = low_half(header.trace_id);
        let previous = match trace {
            0 => NONE,
            _ => self.traces.insert(trace, place).unwrap_or(NONE),
        };
        let time_ns = if header.time_ns == 0 { received_ns } else { header.time_ns };
        let head =
            Head { seq, received_ns, time_ns, service, name, origin, blob, previous, protocol };
        let writer = Writer { bytes: &mut self.blob, symbols: &mut self.symbols };
        self.rows.push(R::pack(item, head, writer));
        self.pairs.entry((service, name)).or_default().push(place);
    }

    fn origin_number(&mut self, origin: &Origin<'_>) -> u32 {
        let fields = [
            &origin.env,
            &origin.version,
            &origin.host,
            &origin.container_id,
            &origin.language,
            &origin.tracer_version,
            &origin.session,
            &origin.scope_name,
            &origin.scope_version,
        ]
        .map(|text| self.symbols.intern(text));
        let mut bytes = Vec::new();
        Writer { bytes: &mut bytes, symbols: &mut self.symbols }.attributes(&origin.attributes);
        let stored = StoredOrigin { fields, attributes: bytes.into() };
        if let Some(number) = self.origin_numbers.get(&stored) {
            return *number;
        }
        let number = u32::try_from(self.origins.len()).unwrap_or(NONE);
        self.origin_bytes += stored.attributes.len() + 128;
        let stored = Arc::new(stored);
        self.origins.push(Arc::clone(&stored));
        self.origin_numbers.insert(stored, number);
        number
    }

    /// Bytes that it takes, about.
    pub(super) fn bytes(&self) -> usize {
        // A place in a list for each row, a place in a table for each trace and each list.
        self.rows.len() * (size_of::<R>() + 4)
            + self.traces.len() * 20
            + self.pairs.len() * 64
            + self.blob.len()
            + self.symbols.bytes()
            + self.origin_bytes
    }

    /// Gives back memory that was reserved for growth.
    pub(super) fn seal(&mut self) {
        self.symbols.shrink();
        self.rows.shrink_to_fit();
        self.blob.shrink_to_fit();
        self.traces.shrink_to_fit();
        for list in self.pairs.values_mut() {
            list.shrink_to_fit();
        }
    }

    /// The rows.
    pub(crate) fn rows(&self) -> &[R] {
        &self.rows
    }

    /// A text of this segment.
    pub(crate) fn text(&self, symbol: Symbol) -> &str {
        self.symbols.get(symbol)
    }

    /// The number of a text in this segment, when some row has it.
    pub(crate) fn symbol(&self, text: &str) -> Option<Symbol> {
        self.symbols.find(text)
    }

    /// Every service and name with its rows, oldest first.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = ((Symbol, Symbol), &[u32])> {
        self.pairs.iter().map(|(pair, rows)| (*pair, rows.as_slice()))
    }

    /// The rows of a service and name, oldest first.
    pub(crate) fn of_pair(&self, service: Symbol, name: Symbol) -> &[u32] {
        self.pairs.get(&(service, name)).map_or(&[], Vec::as_slice)
    }

    /// The rows whose trace id has this lower half, newest first.
    pub(crate) fn of_trace(&self, lower: u64) -> impl Iterator<Item = u32> {
        let last = self.traces.get(&lower).copied().filter(|_| lower != 0);
        std::iter::successors(last, |place| {
            let row = self.rows.get(*place as usize)?;
            Some(row.head().previous).filter(|previous| *previous != NONE)
        })
    }

    /// Where a row's packed part begins.
    pub(super) fn packed(&self, head: &Head) -> Reader<'_> {
        Reader::new(self.blob.get(head.blob as usize..).unwrap_or_default(), &self.symbols)
    }

    /// Who sent a row, without the attributes.
    pub(crate) fn origin_fields(&self, number: u32) -> OriginFields<'_> {
        let fields = self.origins.get(number as usize).map_or([0; 9], |origin| origin.fields);
        let [env, version, host, _, language, _, session, ..] =
            fields.map(|symbol| self.text(symbol));
        OriginFields { env, version, host, language, session }
    }

    /// Who sent a row.
    pub(crate) fn origin(&self, number: u32) -> Origin<'_> {
        let Some(stored) = self.origins.get(number as usize) else { return Origin::default() };
        let [
            env,
            version,
            host,
            container_id,
            language,
            tracer_version,
            session,
            scope_name,
            scope_version,
        ] = stored.fields.map(|symbol| self.text(symbol).into());
        Origin {
            env,
            version,
            host,
            container_id,
            language,
            tracer_version,
            session,
            scope_name,
            scope_version,
            attributes: Reader::new(&stored.attributes, &self.symbols).attributes(),
        }
    }

    /// The attributes of who sent a row.
    pub(super) fn origin_attributes(&self, number: u32) -> Reader<'_> {
        let bytes = self.origins.get(number as usize).map_or(&[][..], |origin| &origin.attributes);
        Reader::new(bytes, &self.symbols)
    }

    /// How many origins there are.
    pub(crate) fn origin_count(&self) -> usize {
        self.origins.len()
    }
}

/// Who sent an item, by the fields that filters know.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OriginFields<'s> {
    pub(crate) env: &'s str,
    pub(crate) version: &'s str,
    pub(crate) host: &'s str,
    pub(crate) language: &'s str,
    pub(crate) session: &'s str,
}

/// The half that both worlds have.
pub(crate) fn low_half(trace_id: u128) -> u64 {
    u64::try_from(trace_id & u128::from(u64::MAX)).unwrap_or(0)
}

/// The half that a 64-bit id lacks.
pub(crate) fn high_half(trace_id: u128) -> u64 {
    low_half(trace_id >> 64)
}
