//! A mock of Amazon S3 that SDKs take for the real one: the protocol on top of
//! [`store`], a movable clock, fault rules and a request log. It stands alone:
//! nothing else of the program is used here.
//!
//! - `request`, `auth`, `form`: what comes in, before `s3s` sees it
//! - `service`, `handover`: the order of the steps of a request, and the step to `s3s`
//! - `backend`: the operations
//! - `answer`, `error`: what goes out
//! - `access`, `policy`, `cors`, `lifecycle`: the rules of buckets
//! - `faults`, `log`, `metrics`, `clock`, `admin`: what a test can do and see
//! - `config`, `seed`, `options`, `server`: how it is started

mod access;
mod admin;
mod answer;
mod auth;
mod backend;
mod checksum;
mod clock;
pub mod config;
mod cors;
mod error;
mod faults;
mod form;
#[cfg(fuzzing)]
pub mod fuzzing;
mod glob;
mod handover;
mod lifecycle;
mod log;
mod metrics;
mod operation;
mod options;
mod policy;
mod request;
mod seed;
mod server;
mod service;
#[cfg(test)]
mod service_tests;
mod state;
pub mod store;
#[cfg(any(test, fuzzing))]
mod testing;
mod time;

pub use auth::{DEFAULT_ACCESS_KEY, DEFAULT_SECRET_KEY};
pub use config::{
    BucketConfig, Config, ConfigError, CorsConfig, Key, LifecycleConfig, ObjectConfig,
};
pub use faults::{FaultKind, FaultRule, FaultStatus};
pub use log::LogSink;
pub use options::{Addresses, Error, Options};
pub use seed::SeedError;
pub use server::serve;

/// The account that owns everything.
pub const OWNER_ACCOUNT: &str = "123456789012";
/// Its canonical id.
const OWNER_ID: &str = "75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a";
/// Its name.
const OWNER_NAME: &str = "sandbox";
