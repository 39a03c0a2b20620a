//! The clock of the store: real time plus an offset, or standing still. Every
//! time that the store writes comes from here, so that lifecycle rules and
//! presigned addresses can be tried out without waiting.

use std::sync::{Arc, RwLock};

use jiff::{SignedDuration, Timestamp};

/// A movable clock; clones share one setting. Starts at real time. The setting
/// is not stored.
#[derive(Clone, Debug, Default)]
pub struct Clock(Arc<RwLock<Setting>>);

#[derive(Clone, Copy, Debug)]
enum Setting {
    Offset(SignedDuration),
    Frozen(Timestamp),
}

impl Default for Setting {
    fn default() -> Self {
        Self::Offset(SignedDuration::ZERO)
    }
}

impl Clock {
    /// A clock that stands still.
    #[must_use]
    pub fn frozen(at: Timestamp) -> Self {
        Self(Arc::new(RwLock::new(Setting::Frozen(at))))
    }

    /// The time now, at the end of what can be represented when the offset goes
    /// beyond it.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match self.setting() {
            Setting::Offset(offset) => plus(Timestamp::now(), offset),
            Setting::Frozen(at) => at,
        }
    }

    /// How far the clock is from real time.
    #[must_use]
    pub fn offset(&self) -> SignedDuration {
        match self.setting() {
            Setting::Offset(offset) => offset,
            Setting::Frozen(at) => at.duration_since(Timestamp::now()),
        }
    }

    /// Lets the clock run at this distance from real time.
    pub fn set_offset(&self, offset: SignedDuration) {
        self.set(Setting::Offset(offset));
    }

    /// Makes the clock stand still.
    pub fn freeze(&self, at: Timestamp) {
        self.set(Setting::Frozen(at));
    }

    /// Moves the clock, forwards or backwards, running or not.
    pub fn advance(&self, by: SignedDuration) {
        let next = match self.setting() {
            Setting::Offset(offset) => Setting::Offset(offset.saturating_add(by)),
            Setting::Frozen(at) => Setting::Frozen(plus(at, by)),
        };
        self.set(next);
    }

    fn setting(&self) -> Setting {
        *self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn set(&self, setting: Setting) {
        *self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner) = setting;
    }
}

fn plus(at: Timestamp, by: SignedDuration) -> Timestamp {
    let end = if by.is_negative() { Timestamp::MIN } else { Timestamp::MAX };
    at.checked_add(by).unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_moves_and_stands_still() {
        let at: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let clock = Clock::frozen(at);
        assert_eq!(clock.now(), at);
        clock.advance(SignedDuration::from_hours(25));
        assert_eq!(clock.now().to_string(), "2026-01-02T01:00:00Z");
        clock.set_offset(SignedDuration::from_hours(-1));
        assert!(clock.now() < Timestamp::now());
        clock.set_offset(SignedDuration::MAX);
        assert_eq!(clock.now(), Timestamp::MAX);
    }
}
