//! The trace formats: what the real tracer sent, that whatever is encoded
//! comes back, and that nothing a sender writes takes much memory.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::msgpack::Error;
use super::encode::{Chunks, v04, v05, v07};
use super::{Counted, Encoding, Version};
use crate::serve::telemetry::model::{
    Attribute, Event, Link, Origin, Span, SpanKind, Status, Text, Value,
};

/// What was decoded, without what it borrows.
fn decode(version: Version, encoding: Encoding, bytes: &[u8]) -> Result<Vec<Span<'static>>, Error> {
    let mut all = Vec::new();
    let sender = Origin::default();
    version
        .decode(encoding, bytes, &sender, &mut |spans| all.extend(spans.iter().map(owned)))
        .map(|_| all)
}

fn text(text: &Text<'_>) -> Text<'static> {
    text.clone().into_owned().into()
}

fn attributes(all: &[Attribute<'_>]) -> Vec<Attribute<'static>> {
    all.iter().map(|(key, one)| (text(key), value(one))).collect()
}

fn value(one: &Value<'_>) -> Value<'static> {
    match one {
        Value::Str(one) => Value::Str(text(one)),
        Value::Bool(one) => Value::Bool(*one),
        Value::Int(one) => Value::Int(*one),
        Value::Double(one) => Value::Double(*one),
        Value::Bytes(bytes) => Value::Bytes(bytes.to_vec().into()),
        Value::Array(items) => Value::Array(items.iter().map(value).collect()),
        Value::Map(entries) => Value::Map(attributes(entries)),
        Value::Null => Value::Null,
    }
}

fn owned(span: &Span<'_>) -> Span<'static> {
    let event = |event: &Event<'_>| Event {
        time_ns: event.time_ns,
        name: text(&event.name),
        attributes: attributes(&event.attributes),
    };
    let link = |link: &Link<'_>| Link {
        trace_id: link.trace_id,
        span_id: link.span_id,
        trace_state: text(&link.trace_state),
        attributes: attributes(&link.attributes),
        flags: link.flags,
    };
    let origin = &span.origin;
    Span {
        trace_id: span.trace_id,
        span_id: span.span_id,
        parent_id: span.parent_id,
        service: text(&span.service),
        name: text(&span.name),
        resource: text(&span.resource),
        span_type: text(&span.span_type),
        kind: span.kind,
        start_ns: span.start_ns,
        duration_ns: span.duration_ns,
        status: span.status,
        status_message: text(&span.status_message),
        trace_state: text(&span.trace_state),
        attributes: attributes(&span.attributes),
        events: span.events.iter().map(event).collect(),
        links: span.links.iter().map(link).collect(),
        origin: Arc::new(Origin {
            env: text(&origin.env),
            version: text(&origin.version),
            host: text(&origin.host),
            container_id: text(&origin.container_id),
            language: text(&origin.language),
            tracer_version: text(&origin.tracer_version),
            attributes: attributes(&origin.attributes),
            ..Origin::default()
        }),
    }
}

fn attribute<'s>(span: &'s Span<'static>, key: &str) -> &'s Value<'static> {
    let found = span.attributes.iter().find(|(known, _)| known == key);
    &found.unwrap_or_else(|| panic!("no attribute `{key}`")).1
}

#[test]
fn ddtrace_v05_is_read() {
    let bytes = include_bytes!("../fixtures/ddtrace-v0.5.msgpack");
    let spans = decode(Version::V05, Encoding::Msgpack, bytes).unwrap();
    let [root, query] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!((root.service.as_ref(), root.name.as_ref()), ("shop", "web.request"));
    assert_eq!((root.resource.as_ref(), root.span_type.as_ref()), ("GET /cart", "web"));
    assert_eq!(root.trace_id, 0x6b07_6a3e_0000_0000_a119_3b53_c82b_fad3);
    assert_eq!((root.span_id, root.parent_id), (3_331_942_312_848_047_783, 0));
    assert_eq!((root.start_ns, root.duration_ns), (1_795_648_062_035_841_150, 1_759_071));
    assert_eq!((root.origin.env.as_ref(), root.origin.version.as_ref()), ("dev", "1.2"));
    assert_eq!(attribute(root, "cart.total"), &Value::Double(12.5));
    assert_eq!(attribute(root, "http.method"), &Value::Str("GET".into()));
    assert_eq!(root.links[0].trace_id, (1 << 64) + 5);
    assert_eq!(root.links[0].span_id, 7);
    assert_eq!(root.events[0].name, "cache.miss");
    assert!(root.events[0].attributes.contains(&("f".into(), Value::Double(1.5))));

    // Only the first span carries the upper half of the trace id.
    assert_eq!((query.trace_id, query.parent_id), (root.trace_id, root.span_id));
    assert_eq!((query.kind, query.status), (SpanKind::Client, Status::Error));
    assert_eq!(query.status_message, "bad row");
    assert_eq!((query.origin.env.as_ref(), query.origin.version.as_ref()), ("dev", ""));
}

#[test]
fn ddtrace_v04_with_events_is_read() {
    let bytes = include_bytes!("../fixtures/ddtrace-v0.4-events.msgpack");
    let spans = decode(Version::V04, Encoding::Msgpack, bytes).unwrap();
    let [root, query] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!(root.trace_id & u128::from(u64::MAX), 6_575_676_096_747_127_478);
    assert_eq!(query.trace_id, root.trace_id);
    let link = &root.links[0];
    assert_eq!((link.trace_id, link.span_id, link.flags), ((1 << 64) + 5, 7, 1 << 31));
    let mut got = root.events[0].attributes.clone();
    got.sort_by(|(a, _), (b, _)| a.cmp(b));
    let list = Value::Array(vec![Value::Str("x".into()), Value::Str("y".into())]);
    assert_eq!(
        got,
        [
            ("b".into(), Value::Bool(true)),
            ("f".into(), Value::Double(1.5)),
            ("key".into(), Value::Str("a".into())),
            ("l".into(), list),
            ("n".into(), Value::Int(1)),
        ]
    );
}

#[test]
fn json_is_read_on_the_older_endpoints() {
    let body = br#"[[{"trace_id": 18446744073709551615, "span_id": 2, "parent_id": 1, "name": "n",
        "service": "s", "resource": "r", "type": null, "start": 5, "duration": 7, "error": 1,
        "meta": {"env": "dev", "_dd.p.tid": "1"}, "metrics": {"m": 1}, "meta_struct": {"b": "AQI="},
        "span_events": [{"name": "e", "time_unix_nano": 3, "attributes": {"k": {"type": 4,
            "array_value": {"values": [{"type": 2, "int_value": 9}]}}}}],
        "span_links": [{"trace_id": 1, "trace_id_high": 2, "span_id": 3}], "newer": {}}], null]"#;
    for (version, encoding) in [
        (Version::V02, Encoding::Json),
        (Version::V03, Encoding::Json),
        (Version::V04, Encoding::Unknown),
    ] {
        let spans = decode(version, encoding, body).unwrap();
        let [span] = &spans[..] else { panic!("{spans:?}") };
        assert_eq!(span.trace_id, (1 << 64) + u128::from(u64::MAX));
        assert_eq!((span.start_ns, span.duration_ns, span.status), (5, 7, Status::Error));
        assert_eq!(attribute(span, "m"), &Value::Double(1.0));
        assert_eq!(attribute(span, "b"), &Value::Bytes(vec![1, 2].into()));
        assert_eq!(span.events[0].attributes[0].1, Value::Array(vec![Value::Int(9)]));
        assert_eq!(span.links[0].trace_id, (2 << 64) + 1);
    }
    let flat = br#"[{"trace_id": 1, "span_id": 2}, {"trace_id": 3, "span_id": 4}]"#;
    assert_eq!(decode(Version::V01, Encoding::Json, flat).unwrap().len(), 2);
    assert_eq!(decode(Version::V03, Encoding::Json, b""), Err(Error::Short));
    assert!(matches!(decode(Version::V03, Encoding::Json, b"{}"), Err(Error::Json(_))));
}

#[test]
fn a_media_type_that_says_nothing_may_be_msgpack() {
    let bytes = v04(&[vec![Span { span_id: 1, ..Span::default() }]]);
    assert_eq!(decode(Version::V04, Encoding::Unknown, &bytes).unwrap().len(), 1);
}

#[test]
fn indices_and_lengths_of_v05_are_checked() {
    let read = |bytes: &[u8]| decode(Version::V05, Encoding::Msgpack, bytes);
    let span = |service: u8| {
        let mut bytes = vec![0x92, 0x91, 0xa0, 0x91, 0x91, 0x9c, service, 0, 0, 1, 1, 0, 0, 0, 0];
        bytes.extend([0x80, 0x80, 0]);
        bytes
    };
    assert_eq!(read(&span(0)).unwrap().len(), 1);
    assert_eq!(read(&span(1)), Err(Error::Index(1)));
    assert_eq!(read(&[0x93]), Err(Error::Elements { expected: 2, found: 3 }));
    let short_span = [0x92, 0x91, 0xa0, 0x91, 0x91, 0x9b];
    assert_eq!(read(&short_span), Err(Error::Elements { expected: 12, found: 11 }));
    assert_eq!(read(&[0x92, 0xdd, 255, 255, 255, 255, 0xa0]), Err(Error::Short));
    assert_eq!(read(&[]), Err(Error::Short));
}

#[test]
fn v07_says_things_once_for_a_chunk() {
    let mut bytes = vec![0x82, 0xa3, b'e', b'n', b'v', 0xa1, b'd'];
    bytes.extend([0xa6, b'c', b'h', b'u', b'n', b'k', b's', 0x91, 0x84]);
    bytes.extend([0xa5, b's', b'p', b'a', b'n', b's', 0x92]);
    for id in [1, 2] {
        bytes.extend([0x81, 0xa7, b's', b'p', b'a', b'n', b'_', b'i', b'd', id]);
    }
    bytes.extend([0xa8, b'p', b'r', b'i', b'o', b'r', b'i', b't', b'y', 2]);
    bytes.extend([0xa6, b'o', b'r', b'i', b'g', b'i', b'n', 0xa3, b'r', b'u', b'm']);
    bytes.extend([0xa4, b't', b'a', b'g', b's', 0x81, 0xa9]);
    bytes.extend(b"_dd.p.tid");
    bytes.extend([0xa1, b'f']);
    let spans = decode(Version::V07, Encoding::Msgpack, &bytes).unwrap();
    let [first, second] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!(attribute(first, "_sampling_priority_v1"), &Value::Double(2.0));
    assert_eq!(attribute(first, "_dd.origin"), &Value::Str("rum".into()));
    assert_eq!((first.trace_id, second.trace_id), (0xf << 64, 0xf << 64));
    assert_eq!((second.attributes.len(), second.origin.env.as_ref()), (0, "d"));
}

/// A payload whose decoded form is too large to hold is read twice; what comes
/// out is the same, and nothing when its end is broken.
#[test]
fn a_large_payload_is_passed_on_in_pieces() {
    let tags = (0..12).map(|_| ("k".into(), Value::Str("v".into())));
    let tid = ("_dd.p.tid".into(), Value::Str("5".into()));
    let attributes: Vec<_> = tags.chain([tid]).collect();
    let span =
        |span_id| Span { trace_id: 7, span_id, attributes: attributes.clone(), ..Span::default() };
    let one = v04(&[(1..=100).map(span).collect()]);
    // The header of 400 chunks, and the one chunk as often.
    let mut bytes = vec![0xdc, 0x01, 0x90];
    for _ in 0..400 {
        bytes.extend(&one[1..]);
    }
    let (mut calls, mut ids) = (0, 0_u64);
    let mut count = |spans: &[Span<'_>]| {
        calls += 1;
        for span in spans {
            ids += span.span_id;
            assert_eq!(span.trace_id, (5 << 64) + 7);
        }
    };
    let sender = Origin::default();
    let counted = Version::V04.decode(Encoding::Msgpack, &bytes, &sender, &mut count).unwrap();
    assert_eq!(counted, Counted { traces: 400, spans: 40_000 });
    assert_eq!(ids, 400 * (100 * 101 / 2));
    assert!(calls > 1, "it was held in one piece");
    let broken = &bytes[..bytes.len() - 1];
    let mut never = |_: &[Span<'_>]| panic!("a part of a broken payload was passed on");
    let error = Version::V04.decode(Encoding::Msgpack, broken, &sender, &mut never);
    assert_eq!(error, Err(Error::Short));
}

#[test]
fn a_span_of_endless_attributes_is_too_large() {
    let mut bytes = vec![0x91, 0x91, 0x81, 0xa4, b'm', b'e', b't', b'a', 0xdf, 0, 4, 0, 0];
    bytes.resize(bytes.len() + (4 << 17), 0xa0);
    assert_eq!(decode(Version::V04, Encoding::Msgpack, &bytes), Err(Error::TooLarge));
}

#[test]
fn events_and_json_in_tags_are_bounded() {
    let mut bytes = vec![0x91, 0x91, 0x81, 0xab];
    bytes.extend(b"span_events");
    bytes.extend([0xdc, 0x4e, 0x20]);
    bytes.resize(bytes.len() + 20_000, 0x80);
    assert_eq!(decode(Version::V04, Encoding::Msgpack, &bytes), Err(Error::TooLarge));

    let json = |count: usize| {
        let one = r#"{"name": "e", "time_unix_nano": 1}"#;
        let attributes =
            vec![("events".into(), Value::Str(format!("[{}]", vec![one; count].join(",")).into()))];
        v04(&[vec![Span { attributes, ..Span::default() }]])
    };
    let events =
        |count| decode(Version::V04, Encoding::Msgpack, &json(count)).unwrap()[0].events.len();
    assert_eq!((events(1000), events(3000)), (1000, 0));
}

/// Every span names the same long string, which the store copies each time.
#[test]
fn a_string_that_is_named_often_counts_as_often() {
    let read = |spans: u32, sink: &mut dyn FnMut(&[Span<'_>])| {
        let mut bytes = vec![0x92, 0x93, 0xa0, 0xa1, b'k', 0xdb, 0, 1, 0, 0];
        bytes.resize(bytes.len() + (1 << 16), b'x');
        bytes.extend([0x91, 0xdd]);
        bytes.extend(spans.to_be_bytes());
        for _ in 0..spans {
            bytes.extend([0x9c, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0x81, 1, 2, 0x80, 0]);
        }
        Version::V05.decode(Encoding::Msgpack, &bytes, &Origin::default(), sink)
    };
    let mut largest = 0;
    let counted = read(2000, &mut |spans| largest = largest.max(spans.len())).unwrap();
    assert_eq!(counted.spans, 2000);
    assert!(largest <= 512, "{largest} spans of 64 KiB were passed on at once");
    let mut never = |_: &[Span<'_>]| panic!("too much was passed on");
    assert_eq!(read(17_000, &mut never), Err(Error::TooLarge));
}

fn short() -> impl Strategy<Value = Text<'static>> {
    "[a-z.é_-]{0,12}".prop_map(Into::into)
}

fn scalar() -> impl Strategy<Value = Value<'static>> {
    prop_oneof![
        short().prop_map(Value::Str),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (-1e300_f64..1e300).prop_map(Value::Double),
    ]
}

fn event() -> impl Strategy<Value = Event<'static>> {
    let value = prop_oneof![scalar(), vec(scalar(), 0..4).prop_map(Value::Array)];
    (any::<u64>(), short(), vec((short(), value), 0..4))
        .prop_map(|(time_ns, name, attributes)| Event { time_ns, name, attributes })
}

fn link() -> impl Strategy<Value = Link<'static>> {
    let attributes = vec((short(), short().prop_map(Value::Str)), 0..3);
    (any::<u128>(), any::<u64>(), short(), any::<u32>(), attributes).prop_map(
        |(trace_id, span_id, trace_state, flags, attributes)| Link {
            trace_id,
            span_id,
            trace_state,
            attributes,
            flags,
        },
    )
}

/// Attributes as they come back: `meta`, `metrics`, then `meta_struct`.
fn tags() -> impl Strategy<Value = Vec<Attribute<'static>>> {
    let key = || "[a-z]{1,8}".prop_map(Text::from);
    let meta = vec((key(), short().prop_map(Value::Str)), 0..5);
    let metrics = vec((key(), (-1e300_f64..1e300).prop_map(Value::Double)), 0..5);
    (meta, metrics).prop_map(|(mut meta, metrics)| {
        meta.retain(|(key, _)| !matches!(key.as_ref(), "env" | "version" | "events"));
        meta.extend(metrics);
        meta
    })
}

/// A span that every format can carry.
fn span() -> impl Strategy<Value = Span<'static>> {
    let ids = (any::<u64>(), any::<u64>(), any::<u64>());
    let texts = (short(), short(), short(), short());
    let times = (0..=i64::MAX.cast_unsigned(), 0..=i64::MAX.cast_unsigned(), any::<bool>());
    (ids, texts, times, tags()).prop_map(
        |(ids, texts, (start_ns, duration_ns, failed), attributes)| Span {
            trace_id: u128::from(ids.0),
            span_id: ids.1,
            parent_id: ids.2,
            service: texts.0,
            name: texts.1,
            resource: texts.2,
            span_type: texts.3,
            start_ns,
            duration_ns,
            status: if failed { Status::Error } else { Status::Unset },
            attributes,
            ..Span::default()
        },
    )
}

/// A span with what only v0.4 has a place for.
fn rich_span() -> impl Strategy<Value = Span<'static>> {
    let bytes = vec(any::<u8>(), 0..10).prop_map(|bytes| Value::Bytes(bytes.into()));
    let structs = vec(("[a-z]{1,8}".prop_map(Text::from), bytes), 0..2);
    (span(), structs, vec(event(), 0..3), vec(link(), 0..3)).prop_map(
        |(mut span, structs, events, links)| {
            span.attributes.extend(structs);
            Span { events, links, ..span }
        },
    )
}

fn flat(chunks: &Chunks<'static>, env: &'static str) -> Vec<Span<'static>> {
    let origin = Arc::new(Origin { env: env.into(), ..Origin::default() });
    let with = |span: &Span<'static>| Span { origin: Arc::clone(&origin), ..span.clone() };
    chunks.iter().flatten().map(with).collect()
}

proptest! {
    #[test]
    fn what_is_encoded_comes_back(chunks in vec(vec(span(), 0..4), 0..4)) {
        let got = decode(Version::V05, Encoding::Msgpack, &v05(&chunks)).unwrap();
        prop_assert_eq!(got, flat(&chunks, ""));
    }

    #[test]
    fn what_is_encoded_with_events_and_links_comes_back(
        chunks in vec(vec(rich_span(), 0..4), 0..4),
    ) {
        let got = decode(Version::V04, Encoding::Msgpack, &v04(&chunks)).unwrap();
        prop_assert_eq!(got, flat(&chunks, ""));
        let mut got = decode(Version::V07, Encoding::Msgpack, &v07(&chunks, "dev")).unwrap();
        for span in &mut got {
            prop_assert_eq!(span.origin.language.as_ref(), "python");
            let origin = Origin { env: span.origin.env.clone(), ..Origin::default() };
            span.origin = Arc::new(origin);
        }
        prop_assert_eq!(got, flat(&chunks, "dev"));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..300)) {
        for version in [Version::V01, Version::V03, Version::V04, Version::V05, Version::V07] {
            for encoding in [Encoding::Msgpack, Encoding::Json, Encoding::Unknown] {
                let spans = decode(version, encoding, &bytes).unwrap_or_default();
                prop_assert!(spans.len() <= bytes.len());
            }
        }
    }

    #[test]
    fn damaged_payloads_never_panic(
        chunks in vec(vec(rich_span(), 0..3), 0..3),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        for (version, mut bytes) in
            [(Version::V04, v04(&chunks)), (Version::V05, v05(&[])), (Version::V07, v07(&chunks, "d"))]
        {
            let place = place.index(bytes.len());
            bytes[place] = byte;
            let spans = decode(version, Encoding::Msgpack, &bytes).unwrap_or_default();
            prop_assert!(spans.len() <= bytes.len());
        }
    }
}
