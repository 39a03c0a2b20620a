//! What the tests of this module share.

use std::sync::Arc;
use std::time::Duration;

use crate::serve::telemetry::faults::Faults;
use crate::serve::telemetry::intake::Intake;
use crate::serve::telemetry::store::{Limits, Store};

/// An intake with an empty store, whose log goes nowhere.
pub(super) fn intake() -> Intake {
    let limits = Limits { bytes: 64 << 20, age: Duration::from_secs(3600) };
    Intake {
        store: Arc::new(Store::new(limits)),
        faults: Arc::new(Faults::default()),
        log: Arc::new(|_| {}),
        apm_port: 8126,
        dogstatsd_port: 8125,
    }
}
