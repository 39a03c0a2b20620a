//! Decides and writes every change: one thread takes all changes that wait, puts
//! them into one batch, makes it durable with one sync, applies it and answers.
//! While it syncs, the next batch gathers.

mod batch;
pub(super) mod buckets;
pub(super) mod objects;
mod touch;
pub(super) mod uploads;
mod worker;

pub(super) use batch::Batch;
pub(super) use touch::Touches;
pub(super) use worker::{Committer, Job, Submitter};
