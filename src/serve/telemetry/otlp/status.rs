//! Errors as OTLP tells them: a `google.rpc.Status`, with the time to wait where there is one.
//! Source: <https://github.com/googleapis/googleapis/blob/master/google/rpc/status.proto>,
//! <https://github.com/googleapis/googleapis/blob/master/google/rpc/error_details.proto>.

use prost::Message;
use tonic::{Code, Status};

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct RpcStatus {
    /// gRPC's number.
    #[prost(int32, tag = "1")]
    pub(super) code: i32,
    /// What is wrong.
    #[prost(string, tag = "2")]
    pub(super) message: String,
    /// More of it.
    #[prost(message, repeated, tag = "3")]
    pub(super) details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Any {
    /// What it is.
    #[prost(string, tag = "1")]
    pub(super) type_url: String,
    /// Its bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub(super) value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, Copy, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, Copy, PartialEq, Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// A status that says when to come again. Without that, clients take "resource exhausted" for
/// final.
pub(super) fn retry_later(code: Code, message: &str, seconds: u64) -> Status {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    let info = RetryInfo { retry_delay: Some(Delay { seconds, nanos: 0 }) };
    let details = vec![Any {
        type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(),
        value: info.encode_to_vec(),
    }];
    let status = RpcStatus { code: code as i32, message: message.to_owned(), details };
    Status::with_details(code, message, status.encode_to_vec().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_to_wait_is_in_the_details() {
        let status = retry_later(Code::ResourceExhausted, "wait", 7);
        let told = RpcStatus::decode(status.details()).unwrap();
        assert_eq!((told.code, told.message.as_str()), (8, "wait"));
        let info = RetryInfo::decode(told.details[0].value.as_slice()).unwrap();
        assert_eq!(info.retry_delay, Some(Delay { seconds: 7, nanos: 0 }));
    }
}
