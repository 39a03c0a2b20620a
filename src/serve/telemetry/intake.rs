//! What every intake handler is given: the store, the faults and the log.
//!
//! Knows no protocol.

use std::sync::Arc;

use super::faults::Faults;
use super::store::Store;

pub use crate::serve::Sink as LogSink;

/// Shared by all handlers.
#[derive(Clone)]
pub struct Intake {
    /// Where decoded telemetry goes.
    pub store: Arc<Store>,
    /// What is meant to go wrong.
    pub faults: Arc<Faults>,
    /// Where the server's own log lines go.
    pub log: LogSink,
    /// The port for Datadog's HTTP intake, 8126 unless bound elsewhere.
    pub apm_port: u16,
    /// The port for dogstatsd, 8125 unless bound elsewhere.
    pub dogstatsd_port: u16,
}
