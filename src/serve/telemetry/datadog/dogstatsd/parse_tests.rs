//! The `DogStatsD` line format: what clients send, what is malformed, and that
//! whatever is written comes back.

use proptest::prelude::*;

use super::parse::{Kind, Line, Malformed, Metric, Status, line, tags};

fn metric(text: &str) -> Metric<'_> {
    match line(text) {
        Ok(Line::Metric(metric)) => metric,
        other => panic!("`{text}` gave {other:?}"),
    }
}

#[test]
fn a_metric_has_name_value_and_type() {
    let got = metric("page.views:1|c");
    assert_eq!((got.name, got.kind, got.rate, got.tags), ("page.views", Kind::Count, 1.0, ""));
    assert_eq!(got.values().collect::<Vec<_>>(), [1.0]);
    assert_eq!(metric("t:-0.5|ms").kind, Kind::Timing);
    assert_eq!(metric("t:1e3|h").values().collect::<Vec<_>>(), [1000.0]);
}

#[test]
fn optional_fields_come_in_any_order() {
    let got = metric(
        "q:7|g|T1700000000|#env:dev,,a|c:ci-0ab,in-42|e:it-false,cn-app|card:low|@0.5|z:new",
    );
    assert_eq!(got.timestamp, Some(1_700_000_000));
    assert_eq!(tags(got.tags).collect::<Vec<_>>(), ["env:dev", "a"]);
    assert_eq!(got.origin.local, Some("ci-0ab,in-42"));
    assert_eq!(got.origin.external, Some("it-false,cn-app"));
    assert_eq!(got.origin.cardinality, Some("low"));
    assert!((got.rate - 0.5).abs() < f64::EPSILON);
}

#[test]
fn values_may_be_packed_but_not_those_of_a_set() {
    assert_eq!(metric("d:1:2.5::3|d|@0.1").values().collect::<Vec<_>>(), [1.0, 2.5, 3.0]);
    let set = metric("users:a:b|s");
    assert_eq!(set.member(), Some("a:b"));
    assert_eq!(set.values().count(), 0);
    assert_eq!(metric("n:1|c").member(), None);
}

#[test]
fn what_is_malformed_says_why() {
    let cases = [
        ("", Malformed::Shape),
        ("hello", Malformed::Shape),
        ("a|c", Malformed::Shape),
        (":1|c", Malformed::Shape),
        ("a:|c", Malformed::Shape),
        ("a:1|x", Malformed::Type),
        ("a:1|", Malformed::Type),
        ("a:x|c", Malformed::Value),
        ("a:NaN|g", Malformed::Value),
        ("a:inf|g", Malformed::Value),
        ("a::|c", Malformed::Value),
        ("a:1:x|c", Malformed::Value),
        ("a:1|c|@0", Malformed::Rate),
        ("a:1|c|@x", Malformed::Rate),
        ("a:1|c|T0", Malformed::Timestamp),
        ("a:1|c|Tx", Malformed::Timestamp),
        ("_e{5,4}:title|tex", Malformed::Event),
        ("_e{0,0}:|", Malformed::Event),
        ("_e{99999999999999999999,1}:a|b", Malformed::Event),
        ("_e{1,1}:\u{e4}|b", Malformed::Event),
        ("_sc||0", Malformed::Check),
        ("_sc|a|9", Malformed::Check),
        ("_sc|a", Malformed::Check),
    ];
    for (text, why) in cases {
        assert_eq!(line(text), Err(why), "`{text}`");
    }
}

#[test]
fn an_event_is_cut_by_its_lengths() {
    let text = "_e{6,11}:a|b\\nc|one\\ntwo: 3|d:1700000000|h:web-1|k:deploy|p:low|s:ci|t:error|#env:dev|c:ci-0";
    let Ok(Line::Event(event)) = line(text) else { panic!("not an event") };
    assert_eq!((event.title.as_ref(), event.text.as_ref()), ("a|b\nc", "one\ntwo: 3"));
    assert_eq!((event.timestamp, event.host), (Some(1_700_000_000), Some("web-1")));
    assert_eq!((event.aggregation_key, event.source_type), (Some("deploy"), Some("ci")));
    assert_eq!((event.priority, event.alert_type, event.tags), ("low", "error", "env:dev"));
    assert_eq!(event.origin.local, Some("ci-0"));
    let Ok(Line::Event(event)) = line("_e{1,1}:a|b|p:huge|d:x") else { panic!("not an event") };
    assert_eq!((event.priority, event.alert_type, event.timestamp), ("normal", "info", None));
}

#[test]
fn a_service_check_has_a_status() {
    let Ok(Line::Check(check)) = line("_sc|db.up|2|d:17|h:web-1|#env:dev|m:no route|c:ci-0") else {
        panic!("not a check");
    };
    assert_eq!(
        (check.name, check.status, check.status.name()),
        ("db.up", Status::Critical, "critical")
    );
    assert_eq!(
        (check.timestamp, check.host, check.message),
        (Some(17), Some("web-1"), Some("no route"))
    );
    assert_eq!((check.tags, check.origin.local), ("env:dev", Some("ci-0")));
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Count),
        Just(Kind::Gauge),
        Just(Kind::Timing),
        Just(Kind::Histogram),
        Just(Kind::Distribution),
    ]
}

proptest! {
    #[test]
    fn what_is_written_comes_back(
        name in "[a-zA-Z][a-zA-Z0-9._]{0,40}",
        kind in kind(),
        values in proptest::collection::vec(-1e300_f64..1e300, 1..6),
        rate in 0.001_f64..1.0,
        tags_in in proptest::collection::vec("[a-z]{1,8}:[a-zA-Z0-9./_-]{0,12}", 0..5),
        timestamp in proptest::option::of(1_i64..i64::MAX),
        container in proptest::option::of("ci-[0-9a-f]{64}"),
    ) {
        let packed: Vec<String> = values.iter().map(f64::to_string).collect();
        let mut text = format!("{name}:{}|{}|@{rate}", packed.join(":"), kind.symbol());
        if !tags_in.is_empty() {
            text += &format!("|#{}", tags_in.join(","));
        }
        if let Some(container) = &container {
            text += &format!("|c:{container}");
        }
        if let Some(timestamp) = timestamp {
            text += &format!("|T{timestamp}");
        }
        let got = metric(&text);
        prop_assert_eq!(got.name, name);
        prop_assert_eq!(got.kind, kind);
        prop_assert_eq!(got.values().collect::<Vec<_>>(), values);
        prop_assert_eq!(got.rate.to_bits(), rate.to_bits());
        prop_assert_eq!(tags(got.tags).collect::<Vec<_>>(), tags_in);
        prop_assert_eq!(got.timestamp, timestamp);
        prop_assert_eq!(got.origin.local, container.as_deref());
    }

    #[test]
    fn events_come_back(title in "[^\\\\\n]{1,20}", text in "[^\\\\\n]{0,40}") {
        let written = format!("_e{{{},{}}}:{title}|{text}|t:warning", title.len(), text.len());
        let Ok(Line::Event(event)) = line(&written) else { panic!("`{written}` is not an event") };
        prop_assert_eq!(event.title.as_ref(), title);
        prop_assert_eq!(event.text.as_ref(), text);
        prop_assert_eq!(event.alert_type, "warning");
    }

    #[test]
    fn arbitrary_text_never_panics(text in "(_e\\{|_sc\\|)?\\PC{0,80}") {
        // Whatever the answer is, it is one.
        prop_assert!(matches!(line(&text), Ok(_) | Err(_)));
    }
}
