//! OTLP over gRPC.

use std::sync::Arc;

use axum::middleware::map_response;
use http::HeaderValue;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{
    LogsService, LogsServiceServer,
};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::codec::CompressionEncoding;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status};

use super::super::faults::Struck;
use super::super::intake::Intake;
use super::super::model::Protocol;
use super::super::store::Counter;
use super::status::retry_later;
use super::{GRPC, LARGEST_GRPC_MESSAGE, Rejected, logs, metrics, traces};

const OUT_OF_RANGE: &str = "11";
const RESOURCE_EXHAUSTED: &str = "8";

/// All three services.
#[derive(Clone)]
struct Services {
    intake: Intake,
}

/// Serves until told to stop.
///
/// # Errors
/// When the listener breaks.
pub(in super::super) async fn serve(
    listener: TcpListener,
    intake: Intake,
    stop: CancellationToken,
) -> Result<(), tonic::transport::Error> {
    let services = Arc::new(Services { intake });
    let traces = TraceServiceServer::from_arc(Arc::clone(&services))
        .max_decoding_message_size(LARGEST_GRPC_MESSAGE)
        .accept_compressed(CompressionEncoding::Gzip)
        .send_compressed(CompressionEncoding::Gzip);
    let metrics = MetricsServiceServer::from_arc(Arc::clone(&services))
        .max_decoding_message_size(LARGEST_GRPC_MESSAGE)
        .accept_compressed(CompressionEncoding::Gzip)
        .send_compressed(CompressionEncoding::Gzip);
    let logs = LogsServiceServer::from_arc(services)
        .max_decoding_message_size(LARGEST_GRPC_MESSAGE)
        .accept_compressed(CompressionEncoding::Gzip)
        .send_compressed(CompressionEncoding::Gzip);
    let services = Routes::new(traces).add_service(metrics).add_service(logs);
    let services = services.into_axum_router().layer(map_response(as_collector));
    Server::builder()
        .initial_stream_window_size(4 << 20)
        .initial_connection_window_size(16 << 20)
        .add_routes(services.into())
        .serve_with_incoming_shutdown(
            TcpIncoming::from(listener).with_nodelay(Some(true)),
            stop.cancelled_owned(),
        )
        .await
}

/// To a message that is too large the Collector's gRPC library answers `RESOURCE_EXHAUSTED`, which
/// is final for clients; ours `OUT_OF_RANGE`, after which they try again.
async fn as_collector(mut response: axum::response::Response) -> axum::response::Response {
    if let Some(status) = response.headers_mut().get_mut(Status::GRPC_STATUS)
        && *status == *OUT_OF_RANGE
    {
        *status = HeaderValue::from_static(RESOURCE_EXHAUSTED);
    }
    response
}

impl Services {
    /// Counts a request, and lets a fault strike it. True when it is to be lost.
    async fn begin(&self, request: &impl Message) -> Result<bool, Status> {
        let counters = self.intake.store.counters();
        counters.add(GRPC, Counter::Requests, 1);
        counters.add(GRPC, Counter::Bytes, request.encoded_len() as u64);
        let Some(struck) = self.intake.faults.strike(GRPC) else { return Ok(false) };
        tokio::time::sleep(struck.latency).await;
        match status_of(&struck) {
            Some(status) => Err(status),
            None => Ok(struck.drop),
        }
    }

    fn count(&self, accepted: usize, rejected: &Rejected) {
        let counters = self.intake.store.counters();
        counters.add(GRPC, Counter::Accepted, accepted as u64);
        counters.add(GRPC, Counter::Malformed, rejected.count.cast_unsigned());
    }

    fn lost(&self) {
        self.intake.store.counters().add(GRPC, Counter::Dropped, 1);
    }
}

/// The gRPC status that means the same as an HTTP status.
/// Source: <https://grpc.github.io/grpc/core/md_doc_http-grpc-status-mapping.html>, and the OTLP
/// specification for 429.
fn status_of(struck: &Struck) -> Option<Status> {
    let code = match struck.status? {
        200..300 => return None,
        400 => Code::InvalidArgument,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 => Code::ResourceExhausted,
        502 | 503 => Code::Unavailable,
        504 => Code::DeadlineExceeded,
        _ => Code::Internal,
    };
    let message = if struck.body.is_empty() { "a fault was asked for" } else { &struck.body };
    Some(match struck.retry_after_s {
        Some(seconds) => retry_later(code, message, seconds),
        None => Status::new(code, message),
    })
}

#[tonic::async_trait]
impl TraceService for Services {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let request = request.into_inner();
        if self.begin(&request).await? {
            self.lost();
            return Ok(Response::new(ExportTraceServiceResponse::default()));
        }
        let (spans, rejected) = traces::spans(&request);
        self.count(spans.len(), &rejected);
        self.intake.store.add_spans(Protocol::OtlpGrpc, &spans);
        Ok(Response::new(trace_response(rejected)))
    }
}

#[tonic::async_trait]
impl MetricsService for Services {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let request = request.into_inner();
        if self.begin(&request).await? {
            self.lost();
            return Ok(Response::new(ExportMetricsServiceResponse::default()));
        }
        let (points, rejected) = metrics::points(&request);
        self.count(points.len(), &rejected);
        self.intake.store.add_points(Protocol::OtlpGrpc, &points);
        Ok(Response::new(metrics_response(rejected)))
    }
}

#[tonic::async_trait]
impl LogsService for Services {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let request = request.into_inner();
        if self.begin(&request).await? {
            self.lost();
            return Ok(Response::new(ExportLogsServiceResponse::default()));
        }
        let (logs, rejected) = logs::logs(&request);
        self.count(logs.len(), &rejected);
        self.intake.store.add_logs(Protocol::OtlpGrpc, &logs);
        Ok(Response::new(logs_response(rejected)))
    }
}

/// The answer; partial success is told only when something was rejected.
pub(super) fn trace_response(rejected: Rejected) -> ExportTraceServiceResponse {
    let partial_success = (rejected.count > 0).then_some(ExportTracePartialSuccess {
        rejected_spans: rejected.count,
        error_message: rejected.message,
    });
    ExportTraceServiceResponse { partial_success }
}

/// The same for metrics.
pub(super) fn metrics_response(rejected: Rejected) -> ExportMetricsServiceResponse {
    let partial_success = (rejected.count > 0).then_some(ExportMetricsPartialSuccess {
        rejected_data_points: rejected.count,
        error_message: rejected.message,
    });
    ExportMetricsServiceResponse { partial_success }
}

/// The same for logs.
pub(super) fn logs_response(rejected: Rejected) -> ExportLogsServiceResponse {
    let partial_success = (rejected.count > 0).then_some(ExportLogsPartialSuccess {
        rejected_log_records: rejected.count,
        error_message: rejected.message,
    });
    ExportLogsServiceResponse { partial_success }
}
