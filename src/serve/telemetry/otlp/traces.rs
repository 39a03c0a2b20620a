//! OTLP spans.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{
    Span as Sent, span::Event as SentEvent, span::Link as SentLink,
};

use super::super::model::{Event, Link, Span, SpanKind, Status};
use super::{Rejected, attributes, origin, span_id, trace_id};

/// The spans of a request, and what had to be left out.
pub(super) fn spans(request: &ExportTraceServiceRequest) -> (Vec<Span<'_>>, Rejected) {
    let count = request
        .resource_spans
        .iter()
        .flat_map(|resource| &resource.scope_spans)
        .map(|scope| scope.spans.len())
        .sum();
    let mut spans = Vec::with_capacity(count);
    let mut rejected = Rejected::default();
    for resource in &request.resource_spans {
        for scope in &resource.scope_spans {
            let (origin, service) = origin(resource.resource.as_ref(), scope.scope.as_ref());
            for sent in &scope.spans {
                match span(sent) {
                    Ok(mut span) => {
                        span.service = service.into();
                        span.origin = std::sync::Arc::clone(&origin);
                        spans.push(span);
                    }
                    Err(reason) => rejected.add(reason),
                }
            }
        }
    }
    (spans, rejected)
}

fn span(sent: &Sent) -> Result<Span<'_>, &'static str> {
    let Some(trace_id) = trace_id(&sent.trace_id) else {
        return Err("a trace id must have 16 bytes that are not all zero");
    };
    let Some(own_id) = span_id(&sent.span_id) else {
        return Err("a span id must have 8 bytes that are not all zero");
    };
    let parent_id = match sent.parent_span_id.as_slice() {
        [] | [0, 0, 0, 0, 0, 0, 0, 0] => 0,
        parent => span_id(parent).ok_or("a parent span id must have 8 bytes")?,
    };
    let (code, message) =
        sent.status.as_ref().map_or((0, ""), |status| (status.code, status.message.as_str()));
    let status = usize::try_from(code).ok().and_then(|code| Status::ALL.get(code));
    let kind = usize::try_from(sent.kind).ok().and_then(|kind| SpanKind::ALL.get(kind));
    Ok(Span {
        trace_id,
        span_id: own_id,
        parent_id,
        name: sent.name.as_str().into(),
        resource: sent.name.as_str().into(),
        kind: kind.copied().unwrap_or_default(),
        start_ns: sent.start_time_unix_nano,
        duration_ns: sent.end_time_unix_nano.saturating_sub(sent.start_time_unix_nano),
        status: status.copied().unwrap_or_default(),
        status_message: message.into(),
        trace_state: sent.trace_state.as_str().into(),
        attributes: attributes(&sent.attributes),
        events: sent.events.iter().map(event).collect(),
        links: sent.links.iter().filter_map(link).collect(),
        ..Span::default()
    })
}

fn event(sent: &SentEvent) -> Event<'_> {
    Event {
        time_ns: sent.time_unix_nano,
        name: sent.name.as_str().into(),
        attributes: attributes(&sent.attributes),
    }
}

/// A link to nowhere is none; the span itself is kept.
fn link(sent: &SentLink) -> Option<Link<'_>> {
    Some(Link {
        trace_id: trace_id(&sent.trace_id)?,
        span_id: span_id(&sent.span_id)?,
        trace_state: sent.trace_state.as_str().into(),
        attributes: attributes(&sent.attributes),
        flags: sent.flags,
    })
}
