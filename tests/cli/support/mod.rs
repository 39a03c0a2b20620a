//! What the black-box tests are written with.

pub(crate) mod docker;
pub(crate) mod env;
pub(crate) mod output;

pub(crate) use env::{Answer, TestEnv};
