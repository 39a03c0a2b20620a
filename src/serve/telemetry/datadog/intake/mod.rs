//! What Datadog's own HTTP intake takes, decoded: logs, metrics, checks.

pub(super) mod checks;
pub(super) mod logs;
pub(super) mod series;
pub(super) mod sketches;
#[cfg(test)]
mod tests;

use super::msgpack::Error;
use crate::serve::telemetry::model::{Log, Point};

/// How many items are passed on at once.
const BATCH: usize = 1024;

/// Takes decoded points.
pub(super) type Points<'s> = dyn FnMut(&[Point<'_>]) + 's;
/// Takes decoded logs.
pub(super) type Logs<'s> = dyn FnMut(&[Log<'_>]) + 's;

/// Runs `decode` once to see whether the whole body is well-formed, and then
/// again to pass its items on in batches. So a body is taken as a whole or not
/// at all, without holding all of its items.
fn whole<T>(
    mut sink: impl FnMut(&[T]),
    decode: impl Fn(&mut dyn FnMut(T)) -> Result<(), Error>,
) -> Result<u64, Error> {
    let mut count = 0;
    decode(&mut |_| count += 1)?;
    let mut batch = Vec::new();
    decode(&mut |item| {
        batch.push(item);
        if batch.len() == BATCH {
            sink(&batch);
            batch.clear();
        }
    })?;
    if !batch.is_empty() {
        sink(&batch);
    }
    Ok(count)
}

fn json(error: &serde_json::Error) -> Error {
    if error.is_eof() { Error::Short } else { Error::Json(error.to_string()) }
}

/// Unix seconds, perhaps with a fraction or in milliseconds, as nanoseconds.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "what is negative or too large becomes the bound, as casts of floats do"
)]
fn nanoseconds(time: f64) -> u64 {
    // No time before the year 5138 is that large in seconds.
    let unit = if time > 1e11 { 1_000_000 } else { 1_000_000_000 };
    // The whole part apart, as a float has not the digits for nanoseconds.
    let whole = (time.trunc() as u64).saturating_mul(unit);
    whole.saturating_add((time.fract() * unit as f64) as u64)
}
