//! All rows of one kind: a queue of segments, of which the last one grows.
//!
//! Owns receipt and eviction of one kind. Readers take the list of segments and then one segment at
//! a time, so a question never holds up receipt for longer than one segment takes to look through.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::super::model::Protocol;
use super::segment::{Row, Segment};

/// A segment that several may look at.
pub(crate) type Shared<R> = Arc<RwLock<Segment<R>>>;

/// When a segment is full.
#[derive(Debug, Clone, Copy)]
pub(super) struct Full {
    pub(super) bytes: u64,
    pub(super) age_ns: u64,
}

#[derive(Debug)]
struct Entry<R> {
    segment: Shared<R>,
    rows: u64,
    bytes: u64,
    first_ns: u64,
    last_ns: u64,
}

/// Figures of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Items that are there now.
    pub stored: u64,
    /// Bytes that they take, about.
    pub bytes: u64,
    /// Items that had to go for a limit.
    pub evicted: u64,
    /// Items that ever came in.
    pub received: u64,
}

#[derive(Debug)]
pub(crate) struct Table<R> {
    segments: Mutex<VecDeque<Entry<R>>>,
    stored: AtomicU64,
    bytes: AtomicU64,
    evicted: AtomicU64,
    received: AtomicU64,
}

impl<R: Row> Table<R> {
    pub(super) fn new() -> Self {
        Self {
            segments: Mutex::new(VecDeque::new()),
            stored: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            evicted: AtomicU64::new(0),
            received: AtomicU64::new(0),
        }
    }

    /// Keeps items; they get the next numbers of `seq`.
    pub(super) fn add(
        &self,
        items: &[R::Item<'_>],
        protocol: Protocol,
        now_ns: u64,
        seq: &AtomicU64,
        full: Full,
    ) {
        if items.is_empty() {
            return;
        }
        let mut segments = self.lock();
        let count = items.len() as u64;
        let mut number = seq.fetch_add(count, Ordering::SeqCst);
        let mut rest = items;
        while !rest.is_empty() {
            let active = active(&mut segments, now_ns, full);
            let mut segment = write(&active.segment);
            let mut last_origin = None;
            let mut taken = 0;
            for item in rest {
                number += 1;
                segment.push(item, (number, now_ns, protocol), &mut last_origin);
                taken += 1;
                if segment.bytes() as u64 >= full.bytes {
                    break;
                }
            }
            let after = segment.bytes() as u64;
            drop(segment);
            let before = std::mem::replace(&mut active.bytes, after);
            active.rows += taken as u64;
            active.last_ns = now_ns;
            self.bytes.fetch_add(after.saturating_sub(before), Ordering::Relaxed);
            rest = rest.get(taken..).unwrap_or_default();
        }
        self.stored.fetch_add(count, Ordering::Relaxed);
        self.received.fetch_add(count, Ordering::Relaxed);
    }

    /// When the last item came into the oldest segment, with which that item would go.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.lock().front().map(|entry| entry.last_ns)
    }

    /// Lets the oldest segment go.
    pub(super) fn evict_oldest(&self) {
        let gone = self.lock().pop_front();
        self.forget(gone.as_ref());
    }

    /// Lets segments go that have nothing younger than `oldest_ns`.
    pub(super) fn evict_before(&self, oldest_ns: u64) {
        let mut segments = self.lock();
        while segments.front().is_some_and(|entry| entry.last_ns < oldest_ns) {
            let gone = segments.pop_front();
            self.forget(gone.as_ref());
        }
    }

    fn forget(&self, gone: Option<&Entry<R>>) {
        let Some(gone) = gone else { return };
        self.evicted.fetch_add(gone.rows, Ordering::Relaxed);
        self.stored.fetch_sub(gone.rows, Ordering::Relaxed);
        self.bytes.fetch_sub(gone.bytes, Ordering::Relaxed);
    }

    /// Lets everything go, which does not count as eviction; how much it was.
    pub(super) fn clear(&self) -> u64 {
        let mut segments = self.lock();
        let rows = segments.iter().map(|entry| entry.rows).sum();
        let bytes = segments.iter().map(|entry| entry.bytes).sum();
        segments.clear();
        self.stored.fetch_sub(rows, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        rows
    }

    pub(super) fn figures(&self) -> Figures {
        Figures {
            stored: self.stored.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            evicted: self.evicted.load(Ordering::Relaxed),
            received: self.received.load(Ordering::Relaxed),
        }
    }

    /// The segments, oldest first.
    pub(crate) fn segments(&self) -> Vec<Shared<R>> {
        self.lock().iter().map(|entry| Arc::clone(&entry.segment)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Entry<R>>> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The segment that grows, a new one when the last is full.
fn active<R: Row>(segments: &mut VecDeque<Entry<R>>, now_ns: u64, full: Full) -> &mut Entry<R> {
    let grows = segments.back().is_some_and(|last| {
        last.bytes < full.bytes && now_ns.saturating_sub(last.first_ns) < full.age_ns
    });
    if !grows {
        if let Some(last) = segments.back_mut() {
            let mut segment = write(&last.segment);
            segment.seal();
        }
        segments.push_back(Entry {
            segment: Arc::new(RwLock::new(Segment::new())),
            rows: 0,
            bytes: 0,
            first_ns: now_ns,
            last_ns: now_ns,
        });
    }
    let last = segments.len() - 1;
    &mut segments[last]
}

/// Looks at a segment.
pub(crate) fn read<R>(segment: &Shared<R>) -> RwLockReadGuard<'_, Segment<R>> {
    segment.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<R>(segment: &Shared<R>) -> RwLockWriteGuard<'_, Segment<R>> {
    segment.write().unwrap_or_else(PoisonError::into_inner)
}
