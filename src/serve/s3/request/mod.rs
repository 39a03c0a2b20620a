//! Reading requests: where they go and what their bodies are.

pub(crate) mod chunked;
pub(crate) mod idle;
pub(crate) mod payload;
pub(crate) mod target;
