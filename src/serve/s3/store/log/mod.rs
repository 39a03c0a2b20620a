//! The log: segments of checksummed frames. Owns their form on disk and knows
//! nothing of buckets or objects.

mod frame;
mod frames;
mod segment;

pub(super) use frame::{HEADER, MAX_BODY, MAX_HEAD, encode};
pub(super) use frames::{Frame, Frames};
pub(super) use segment::{Segment, Slot};
