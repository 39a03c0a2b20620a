//! The server's clock, which a test can move. It owns the offset to the
//! machine's time and when that was changed; it moves nothing else.
//!
//! Clients go on signing with the machine's time. So that a URL signed before
//! the clock was moved expires, and one signed after it does not, the clock
//! remembers each move and can say what it showed at a given machine time.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::SignedDuration;

use super::store;

/// How many moves are remembered. Older ones are taken for the oldest known.
const MOVES: usize = 256;

/// How far a client's clock may be off, in milliseconds: 15 minutes as in S3
/// (error `RequestTimeTooSkewed`).
pub(crate) const MAX_SKEW_MS: i64 = 15 * 60 * 1000;

/// A clock with a movable offset. All times are milliseconds since 1970.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    /// The clock of the store, which moves along.
    store: store::Clock,
    offset: AtomicI64,
    moves: RwLock<Vec<Move>>,
}

#[derive(Debug, Clone, Copy)]
struct Move {
    at: i64,
    before: i64,
}

/// The machine's time.
pub(crate) fn machine_now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

impl Clock {
    /// A clock that moves `store` along.
    pub(crate) fn of(store: store::Clock) -> Self {
        Self { store, ..Self::default() }
    }

    /// What the clock shows.
    pub(crate) fn now(&self) -> i64 {
        machine_now().saturating_add(self.offset()).max(0)
    }

    /// How far the clock is ahead of the machine's time.
    pub(crate) fn offset(&self) -> i64 {
        self.offset.load(Ordering::Relaxed)
    }

    /// Sets the offset to the machine's time at once.
    #[cfg(test)]
    pub(crate) fn set_offset(&self, offset: i64) {
        self.set_offset_from(offset, machine_now());
    }

    /// Sets the offset at the beginning of the machine's next second. Signatures are dated to the
    /// second, so it is clear of each whether it was made before the move or after it.
    pub(crate) async fn move_to(&self, offset: i64) {
        let begin = (machine_now() / 1000 + 1) * 1000;
        while let Ok(left @ 1..) = u64::try_from(begin - machine_now()) {
            tokio::time::sleep(Duration::from_millis(left)).await;
        }
        self.set_offset_from(offset, begin);
    }

    fn set_offset_from(&self, offset: i64, at: i64) {
        let mut moves = self.moves.write().unwrap_or_else(PoisonError::into_inner);
        self.store.set_offset(SignedDuration::from_millis(offset));
        let before = self.offset.swap(offset, Ordering::Relaxed);
        if before == offset {
            return;
        }
        if moves.len() == MOVES {
            moves.remove(0);
        }
        moves.push(Move { at, before });
    }

    /// What the clock showed when the machine's time was `machine`.
    pub(crate) fn shown_at(&self, machine: i64) -> i64 {
        let moves = self.moves.read().unwrap_or_else(PoisonError::into_inner);
        let offset = moves.iter().find(|m| machine < m.at).map_or(self.offset(), |m| m.before);
        machine.saturating_add(offset)
    }

    /// The moment on this clock at which a request dated `dated` was signed:
    /// clients use the machine's time, or this clock's when they correct
    /// theirs by the `Date` of an answer.
    pub(crate) fn signed_at(&self, dated: i64) -> i64 {
        let now = self.now();
        let mapped = self.shown_at(dated);
        let corrected = dated > machine_now().saturating_add(MAX_SKEW_MS);
        if corrected && (dated - now).abs() <= (mapped - now).abs() { dated } else { mapped }
    }

    /// Whether a request dated `dated` is too far from both clocks.
    pub(crate) fn is_skewed(&self, dated: i64) -> bool {
        let off = |now: i64| now.saturating_sub(dated).saturating_abs() > MAX_SKEW_MS;
        off(machine_now()) && off(self.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    #[test]
    fn a_url_signed_before_the_move_is_old_and_one_signed_after_it_is_new() {
        let clock = Clock::default();
        let signed = machine_now() - 1;
        clock.set_offset(25 * HOUR);
        assert!(clock.now() - clock.signed_at(signed) >= 25 * HOUR);
        assert!(clock.now() - clock.signed_at(machine_now() + 1) < HOUR);
    }

    #[tokio::test]
    async fn what_was_signed_in_the_same_second_is_told_apart() {
        let clock = Clock::default();
        let to_the_second = |at: i64| at / 1000 * 1000;
        let before = to_the_second(machine_now());
        clock.move_to(25 * HOUR).await;
        let after = to_the_second(machine_now());
        assert!(clock.now() - clock.signed_at(before) >= 25 * HOUR);
        assert!(clock.now() - clock.signed_at(after) < HOUR);
        let before = to_the_second(machine_now());
        clock.move_to(0).await;
        let after = to_the_second(machine_now());
        assert!(clock.signed_at(before) - clock.now() >= 24 * HOUR);
        assert!((clock.signed_at(after) - clock.now()).abs() < HOUR);
    }

    #[test]
    fn a_client_that_took_over_the_date_is_believed() {
        let clock = Clock::default();
        clock.set_offset(25 * HOUR);
        let now = clock.now();
        assert_eq!(clock.signed_at(now), now);
        assert!(!clock.is_skewed(now));
        assert!(!clock.is_skewed(machine_now()));
        assert!(clock.is_skewed(machine_now() + 2 * HOUR));
    }

    #[test]
    fn moves_are_bounded() {
        let clock = Clock::default();
        for offset in 0..1000 {
            clock.set_offset(offset);
        }
        assert!(clock.moves.read().unwrap().len() <= MOVES);
        assert_eq!(clock.offset(), 999);
    }
}
