//! The sandbox's own servers, which run in the cluster out of this very executable, and alone on any
//! machine.
//!
//! Owns what they have in common. Each server stands alone: nothing here uses the rest of the
//! program, and it hears of the environment through its options only. Must not print: lines for
//! people and machines go to a [`Sink`].

pub mod health;
mod local;
pub mod relay;
pub mod s3;
pub mod telemetry;
pub mod unix;

use std::sync::Arc;

/// Takes one line of a server's log, without its end.
pub type Sink = Arc<dyn Fn(&str) + Send + Sync>;
