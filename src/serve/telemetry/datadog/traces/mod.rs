//! Traces in the formats of the Datadog agent. Owns which endpoint has which
//! format. Must not know HTTP.

mod batch;
mod carried;
#[cfg(test)]
pub(super) mod encode;
mod json;
#[cfg(test)]
mod tests;
mod v04;
mod v05;
mod v07;

pub(crate) use batch::{Counted, Sink};
pub(super) use carried::from_json;

use super::msgpack::Error;
use crate::serve::telemetry::model::{Origin, Protocol};

/// How many bytes a body of JSON may have, which takes far more memory than
/// one of `MessagePack`.
const JSON: usize = 10 << 20;

/// An endpoint's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V01,
    V02,
    V03,
    V04,
    V05,
    V07,
}

/// How a body is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Msgpack,
    Json,
    /// A media type that says nothing: whichever it is.
    Unknown,
}

impl Version {
    /// The protocol that the store notes. What is older than v0.3 is noted as
    /// that, whose spans it has.
    pub(crate) fn protocol(self) -> Protocol {
        match self {
            Self::V01 | Self::V02 | Self::V03 => Protocol::DatadogV03,
            Self::V04 => Protocol::DatadogV04,
            Self::V05 => Protocol::DatadogV05,
            Self::V07 => Protocol::DatadogV07,
        }
    }

    /// Decodes a body and passes on its spans, all of them or none.
    ///
    /// # Errors
    ///
    /// The body is not in the format.
    pub(crate) fn decode(
        self,
        encoding: Encoding,
        bytes: &[u8],
        sender: &Origin<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<Counted, Error> {
        let is_json = match (self, encoding) {
            (Self::V05 | Self::V07, _) => false,
            (Self::V01, _) | (_, Encoding::Json) => true,
            (_, Encoding::Msgpack | Encoding::Unknown) => false,
        };
        if is_json && bytes.len() > JSON {
            return Err(Error::TooLarge);
        }
        match (self, encoding) {
            (Self::V05, _) => v05::decode(bytes, sender, sink),
            (Self::V07, _) => v07::decode(bytes, sender, sink),
            (Self::V01, _) => json::decode(bytes, true, sender, sink),
            (_, Encoding::Msgpack) => v04::decode(bytes, sender, sink),
            (_, Encoding::Json) => json::decode(bytes, false, sender, sink),
            (_, Encoding::Unknown) if bytes.len() > JSON => v04::decode(bytes, sender, sink),
            (_, Encoding::Unknown) => json::decode(bytes, false, sender, sink)
                .or_else(|_| v04::decode(bytes, sender, sink)),
        }
    }
}
