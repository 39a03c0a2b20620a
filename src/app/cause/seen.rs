//! What the cluster's events say about an object.
//!
//! Owns finding them and telling how old they are. Must not judge.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, Pod};

/// The newest event about an object that fits.
pub(super) fn newest<'a>(
    events: &'a [Event],
    (kind, namespace, name): (&str, &str, &str),
    fits: impl Fn(&Event) -> bool,
) -> Option<&'a Event> {
    events
        .iter()
        .filter(|event| {
            let object = &event.involved_object;
            object.kind.as_deref() == Some(kind)
                && object.name.as_deref() == Some(name)
                && object.namespace.as_deref().is_none_or(|ns| ns == namespace)
                && fits(event)
        })
        .max_by_key(|event| at(event))
}

/// The newest event of one pod (not of an earlier one of the same name) with one of the reasons.
pub(super) fn of_pod<'a>(events: &'a [Event], pod: &Pod, reasons: &[&str]) -> Option<&'a Event> {
    let metadata = &pod.metadata;
    let name = metadata.name.as_deref().unwrap_or_default();
    let namespace = metadata.namespace.as_deref().unwrap_or_default();
    newest(events, ("Pod", namespace, name), |event| {
        let same = match (&event.involved_object.uid, &metadata.uid) {
            (Some(event), Some(pod)) => event == pod,
            _ => true,
        };
        same && reasons.contains(&event.reason.as_deref().unwrap_or_default())
    })
}

/// When an event was seen last.
pub(super) fn at(event: &Event) -> Option<Timestamp> {
    let series = event.series.as_ref().and_then(|series| series.last_observed_time.as_ref());
    let last = event.last_timestamp.as_ref().map(|time| time.0);
    last.max(series.map(|time| time.0))
        .or_else(|| event.event_time.as_ref().map(|time| time.0))
        .or_else(|| event.first_timestamp.as_ref().map(|time| time.0))
        .or_else(|| event.metadata.creation_timestamp.as_ref().map(|time| time.0))
}

/// The text of an event.
pub(super) fn message(event: &Event) -> &str {
    event.message.as_deref().unwrap_or_default()
}
