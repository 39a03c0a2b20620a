//! `sandbox serve telemetry`: takes in Datadog and OpenTelemetry telemetry, keeps it in memory and
//! answers questions about it.
//!
//! Owns nothing itself. `model` is what both worlds have in common, `datadog`, `otlp` and `tail`
//! bring it in, `store` keeps it, `query` finds it, `http` and `page` show it, and `server` wires
//! them together. Nothing here uses the rest of the program.

mod body;
mod datadog;
pub mod faults;
#[cfg(fuzzing)]
pub mod fuzzing;
mod http;
pub mod intake;
mod lines;
pub mod model;
mod options;
mod otlp;
mod page;
mod query;
mod server;
pub mod store;
pub mod tail;

pub use intake::LogSink;
pub use options::{Addresses, Error, Options};
pub use server::serve;
pub use store::Limits;

#[cfg(test)]
mod tests;
