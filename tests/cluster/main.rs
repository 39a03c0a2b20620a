//! Tests on a real Docker engine with real Kind clusters; run by `scripts/test`.
//!
//! Each makes a sandbox of its own name, with a state folder of its own, and proves at the end
//! that nothing of it is left.

#![expect(clippy::disallowed_methods, reason = "tests start the program and real clients")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stderr, reason = "a long test says where it is")]

mod addons;
mod clouds;
mod crash;
mod failures;
mod lifecycle;
mod registry;
mod servers;
mod side_by_side;
mod support;
