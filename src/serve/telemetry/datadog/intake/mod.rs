//! What Datadog's own HTTP intake takes, decoded: logs, metrics, checks.

pub(super) mod checks;
pub(super) mod logs;
pub(super) mod series;
pub(super) mod sketches;
#[cfg(test)]
mod tests;

use super::msgpack::Error;
use crate::serve::telemetry::model::{Attribute, Log, Point, Value};

/// How many items are passed on at once.
const BATCH: usize = 1024;
/// How many bytes of items are held before they are passed on.
const HELD: usize = 16 << 20;
/// How many bytes the items of a body may take together: a body may give the
/// same tags to very many points.
const MOST: usize = 1 << 30;

/// Takes decoded points.
pub(super) type Points<'s> = dyn FnMut(&[Point<'_>]) + 's;
/// Takes decoded logs.
pub(super) type Logs<'s> = dyn FnMut(&[Log<'_>]) + 's;

/// What an item takes, with the text that the store copies of it.
trait Weight {
    fn weight(&self) -> usize;
}

impl Weight for Point<'_> {
    fn weight(&self) -> usize {
        size_of::<Self>() + self.name.len() + attributes(&self.tags)
    }
}

impl Weight for Log<'_> {
    fn weight(&self) -> usize {
        size_of::<Self>() + self.message.len() + attributes(&self.attributes)
    }
}

fn attributes(all: &[Attribute<'_>]) -> usize {
    let text = |(key, value): &Attribute<'_>| match value {
        Value::Str(value) => key.len() + value.len(),
        _ => key.len(),
    };
    size_of_val(all) + all.iter().map(text).sum::<usize>()
}

/// Runs `decode` once to see whether the whole body is well-formed, and then
/// again to pass its items on in batches. So a body is taken as a whole or not
/// at all, without holding all of its items. `decode` may end early when it is
/// told `false`, as then there is too much.
fn whole<T: Weight>(
    mut sink: impl FnMut(&[T]),
    decode: impl Fn(&mut dyn FnMut(T) -> bool) -> Result<(), Error>,
) -> Result<u64, Error> {
    let (mut count, mut total) = (0, 0_usize);
    decode(&mut |item| {
        count += 1;
        total = total.saturating_add(item.weight());
        total <= MOST
    })?;
    if total > MOST {
        return Err(Error::TooLarge);
    }
    let (mut batch, mut held) = (Vec::new(), 0);
    decode(&mut |item| {
        held += item.weight();
        batch.push(item);
        if batch.len() == BATCH || held >= HELD {
            sink(&batch);
            batch.clear();
            held = 0;
        }
        true
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
