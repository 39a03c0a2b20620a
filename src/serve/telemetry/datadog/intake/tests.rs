//! The intake's shapes: what clients send, and that whatever is encoded comes
//! back.

use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

use super::logs::{Defaults, decode, text_of};
use super::{checks, nanoseconds, series, sketches};
use crate::serve::telemetry::model::{Level, Log, Measure, MetricKind, Origin, Point, Value};

/// Runs `check` on all logs of a body.
fn logs(body: &[u8], query: &str, check: impl FnOnce(&[Log<'_>])) {
    let mut check = Some(check);
    let defaults = Defaults::from_query(query);
    let mut sink = |logs: &[Log<'_>]| check.take().expect("one batch")(logs);
    decode(body, &defaults, &Origin::default(), &mut sink).unwrap();
}

#[test]
fn a_log_entry_says_who_what_and_when() {
    let body = br#"[{"message": "no stock", "ddsource": "python", "ddtags": "env:dev,version:2, team:a",
        "hostname": "web-1", "service": "shop", "status": "warning", "timestamp": 1700000000123,
        "dd": {"trace_id": "6b076a3e00000000a1190e2b35c2e5d3", "span_id": "16"}, "order": {"id": 7}}]"#;
    logs(body, "", |logs| {
        let [log] = logs else { panic!("{logs:?}") };
        assert_eq!((log.message.as_ref(), log.source.as_ref()), ("no stock", "python"));
        assert_eq!((log.service.as_ref(), log.level), ("shop", Level::Warn));
        assert_eq!(log.time_ns, 1_700_000_000_123_000_000);
        assert_eq!(log.trace_id, 0x6b07_6a3e_0000_0000_a119_0e2b_35c2_e5d3);
        assert_eq!(log.span_id, 16);
        let origin = &log.origin;
        assert_eq!((origin.env.as_ref(), origin.version.as_ref()), ("dev", "2"));
        assert_eq!(origin.host, "web-1");
        let team = log.attributes.iter().find(|(key, _)| key == "team").unwrap();
        assert_eq!(text_of(&team.1), "a");
        let order = Value::Map(vec![("id".into(), Value::Int(7))]);
        assert!(log.attributes.contains(&("order".into(), order)));
    });
}

#[test]
fn what_a_request_says_is_for_all_its_entries() {
    let body = br#"{"msg": "x", "dd.trace_id": "12", "dd.span_id": "34", "dd.service": "api"}"#;
    logs(body, "ddsource=go&ddtags=env%3Adev&service=shop&hostname=h", |logs| {
        let [log] = logs else { panic!("{logs:?}") };
        assert_eq!((log.message.as_ref(), log.source.as_ref()), ("x", "go"));
        assert_eq!((log.service.as_ref(), log.origin.env.as_ref()), ("api", "dev"));
        assert_eq!((log.trace_id, log.span_id, log.origin.host.as_ref()), (12, 34, "h"));
    });
    logs(b"line one\n\nline two\n", "service=shop", |logs| {
        let messages: Vec<&str> = logs.iter().map(|log| log.message.as_ref()).collect();
        assert_eq!(messages, ["line one", "line two"]);
        assert_eq!(logs[0].service, "shop");
    });
}

#[test]
fn times_are_taken_in_several_forms() {
    for (time, nanoseconds) in [
        ("1700000000", 1_700_000_000_000_000_000),
        ("1700000000.5", 1_700_000_000_500_000_000),
        ("1700000000500", 1_700_000_000_500_000_000),
        ("\"2023-11-14T22:13:20Z\"", 1_700_000_000_000_000_000),
        ("\"1700000000\"", 1_700_000_000_000_000_000),
        ("\"yesterday\"", 0),
        ("-5", 0),
        ("null", 0),
    ] {
        let body = format!("{{\"message\": \"x\", \"timestamp\": {time}}}");
        logs(body.as_bytes(), "", |logs| assert_eq!(logs[0].time_ns, nanoseconds, "{time}"));
    }
    assert_eq!((nanoseconds(f64::NAN), nanoseconds(-1.0)), (0, 0));
}

#[test]
fn a_body_is_taken_whole_or_not_at_all() {
    let body = br#"[{"message": "good"}, {"message": "also good"}, 7]"#;
    let mut never = |_: &[Log<'_>]| panic!("a part was taken");
    assert!(decode(body, &Defaults::default(), &Origin::default(), &mut never).is_err());
}

fn points(body: &[u8], check: impl FnOnce(&[Point<'_>])) {
    let mut check = Some(check);
    let mut sink = |points: &[Point<'_>]| check.take().expect("one batch")(points);
    series::json_series(body, &Origin::default(), &mut sink).unwrap();
}

#[test]
fn series_of_both_versions_are_read() {
    let v2 = br#"{"series": [{"metric": "a", "type": 1, "points": [{"timestamp": 1700000000, "value": 2.5}],
        "tags": ["env:dev", "service:shop", "canary"], "unit": "byte", "interval": 10,
        "resources": [{"type": "host", "name": "web-1"}, {"type": "pod", "name": "p"}]}]}"#;
    points(v2, |points| {
        let [point] = points else { panic!("{points:?}") };
        assert_eq!((point.name.as_ref(), point.kind), ("a", MetricKind::Count));
        assert_eq!((point.value.clone(), point.unit.as_ref()), (Measure::Number(2.5), "byte"));
        assert_eq!((point.service.as_ref(), point.origin.env.as_ref()), ("shop", "dev"));
        assert_eq!((point.origin.host.as_ref(), point.interval_ns), ("web-1", 10_000_000_000));
        assert_eq!(point.time_ns, 1_700_000_000_000_000_000);
        assert!(point.origin.attributes.contains(&("pod".into(), Value::Str("p".into()))));
        assert!(point.tags.contains(&("canary".into(), Value::Null)));
    });
    let v1 = br#"{"series": [{"metric": "a", "type": "rate", "points": [[1700000000, "1.5"], [1700000010, 2]],
        "host": "h", "tags": null}]}"#;
    points(v1, |points| {
        let values: Vec<_> = points.iter().map(|point| point.value.clone()).collect();
        assert_eq!(values, [Measure::Number(1.5), Measure::Number(2.0)]);
        assert_eq!((points[0].kind, points[0].origin.host.as_ref()), (MetricKind::Rate, "h"));
    });
    let distribution = br#"{"series": [{"metric": "d", "points": [[1700000000, [1, 2, 3]]]}]}"#;
    points(distribution, |points| {
        assert_eq!(points[0].kind, MetricKind::Distribution);
        assert_eq!(points[0].value, Measure::Samples(vec![1.0, 2.0, 3.0]));
    });
}

#[test]
fn checks_and_events_are_logs() {
    let mut taken = 0;
    let mut sink = |logs: &[Log<'_>]| {
        taken += 1;
        let [log] = logs else { panic!("{logs:?}") };
        assert_eq!((log.source.as_ref(), log.level), ("service_check", Level::Error));
        assert_eq!((log.origin.host.as_ref(), log.origin.env.as_ref()), ("h", "dev"));
    };
    let run = br#"{"check": "up", "status": 2, "host_name": "h", "tags": ["env:dev"]}"#;
    checks::check_runs(run, &Origin::default(), &mut sink).unwrap();
    assert_eq!(taken, 1);
    let mut sink = |logs: &[Log<'_>]| {
        taken += 1;
        assert_eq!((logs[0].source.as_ref(), logs[0].message.as_ref()), ("event", "t\nx"));
    };
    let event = br#"{"title": "t", "text": "x", "alert_type": "error"}"#;
    checks::events(event, &Origin::default(), &mut sink).unwrap();
    assert_eq!(taken, 2);
}

/// Every point has the tags of its series, which the store copies each time.
#[test]
fn tags_that_are_given_to_many_points_count_as_often() {
    let read = |points: usize, sink: &mut dyn FnMut(&[Point<'_>])| {
        let tag = "x".repeat(1 << 16);
        let one = SeriesPoint { value: 1.0, timestamp: 1 };
        let metric = "a".to_owned();
        let series =
            Series { metric, tags: vec![tag], points: vec![one; points], kind: 1, interval: 0 };
        let bytes = Payload { series: vec![series] }.encode_to_vec();
        series::protobuf_series(&bytes, &Origin::default(), sink)
    };
    let mut largest = 0;
    assert_eq!(read(1000, &mut |points| largest = largest.max(points.len())), Ok(1000));
    assert!(largest <= 256, "{largest} points of 64 KiB were passed on at once");
    let mut never = |_: &[Point<'_>]| panic!("too much was passed on");
    assert_eq!(read(17_000, &mut never), Err(super::Error::TooLarge));
}

#[derive(Clone, PartialEq, Message)]
struct Payload {
    #[prost(message, repeated, tag = "1")]
    series: Vec<Series>,
}

#[derive(Clone, PartialEq, Message)]
struct Series {
    #[prost(string, tag = "2")]
    metric: String,
    #[prost(string, repeated, tag = "3")]
    tags: Vec<String>,
    #[prost(message, repeated, tag = "4")]
    points: Vec<SeriesPoint>,
    #[prost(int32, tag = "5")]
    kind: i32,
    #[prost(int64, tag = "8")]
    interval: i64,
}

#[derive(Clone, PartialEq, Message)]
struct SeriesPoint {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Sketches {
    #[prost(message, repeated, tag = "1")]
    sketches: Vec<Sketch>,
}

#[derive(Clone, PartialEq, Message)]
struct Sketch {
    #[prost(string, tag = "1")]
    metric: String,
    #[prost(string, tag = "2")]
    host: String,
    #[prost(string, repeated, tag = "4")]
    tags: Vec<String>,
    #[prost(message, repeated, tag = "7")]
    dogsketches: Vec<Dogsketch>,
}

#[derive(Clone, PartialEq, Message)]
struct Dogsketch {
    #[prost(int64, tag = "1")]
    ts: i64,
    #[prost(int64, tag = "2")]
    cnt: i64,
    #[prost(double, tag = "3")]
    min: f64,
    #[prost(double, tag = "4")]
    max: f64,
    #[prost(double, tag = "6")]
    sum: f64,
    #[prost(sint32, repeated, tag = "7")]
    k: Vec<i32>,
    #[prost(uint32, repeated, tag = "8")]
    n: Vec<u32>,
}

#[test]
fn a_sketch_becomes_buckets() {
    // 1.0 lies in the agent's bin 1338, whose bounds are within 2 % of it.
    let sketch = Dogsketch {
        ts: 9,
        cnt: 6,
        min: -1.0,
        max: 1.0,
        sum: 2.0,
        k: vec![-1338, 0, 1338],
        n: vec![1, 2, 3],
    };
    let payload = Sketches {
        sketches: vec![Sketch {
            metric: "latency".into(),
            host: "h".into(),
            tags: vec!["env:dev".into()],
            dogsketches: vec![sketch],
        }],
    };
    let mut sink = |points: &[Point<'_>]| {
        let [point] = points else { panic!("{points:?}") };
        assert_eq!((point.name.as_ref(), point.kind), ("latency", MetricKind::Distribution));
        assert_eq!((point.time_ns, point.origin.host.as_ref()), (9_000_000_000, "h"));
        let Measure::Buckets { count, sum, bounds, counts, .. } = &point.value else {
            panic!("{:?}", point.value);
        };
        assert_eq!((*count, *sum, &counts[..]), (6, Some(2.0), &[0, 1, 0, 2, 0, 3, 0][..]));
        assert!((bounds[1] + 1.0).abs() < 0.02 && bounds[3] == 0.0, "{bounds:?}");
        assert!((bounds[5] - 1.0).abs() < 0.02, "{bounds:?}");
    };
    sketches::decode(&payload.encode_to_vec(), &Origin::default(), &mut sink).unwrap();
}

proptest! {
    #[test]
    fn protobuf_series_come_back(
        all in vec(("[a-z]{1,9}", vec("[a-z]{1,4}:[a-z]{1,4}", 0..3), vec((any::<i32>(), 0_i64..1 << 33), 0..4), 0..4), 0..4)
    ) {
        let payload = Payload {
            series: all
                .iter()
                .map(|(metric, tags, points, kind)| Series {
                    metric: metric.clone(),
                    tags: tags.clone(),
                    points: points
                        .iter()
                        .map(|(value, timestamp)| SeriesPoint { value: f64::from(*value), timestamp: *timestamp })
                        .collect(),
                    kind: *kind,
                    interval: 10,
                })
                .collect(),
        };
        let mut got = Vec::new();
        let mut sink = |points: &[Point<'_>]| {
            for point in points {
                let tags: Vec<String> =
                    point.tags.iter().map(|(key, value)| format!("{key}:{}", text_of(value))).collect();
                let Measure::Number(value) = point.value else { panic!("{:?}", point.value) };
                got.push((point.name.to_string(), tags, value, point.time_ns, point.kind));
            }
        };
        series::protobuf_series(&payload.encode_to_vec(), &Origin::default(), &mut sink).unwrap();
        let mut expected = Vec::new();
        for (metric, tags, points, kind) in all {
            let kind = match kind {
                1 => MetricKind::Count,
                2 => MetricKind::Rate,
                _ => MetricKind::Gauge,
            };
            for (value, timestamp) in points {
                let time = u64::try_from(timestamp).unwrap() * 1_000_000_000;
                expected.push((metric.clone(), tags.clone(), f64::from(value), time, kind));
            }
        }
        prop_assert_eq!(got, expected);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        let origin = Origin::default();
        let mut count = 0;
        let mut points = |points: &[Point<'_>]| count += points.len();
        let _ = series::json_series(&bytes, &origin, &mut points);
        let _ = series::protobuf_series(&bytes, &origin, &mut points);
        let _ = sketches::decode(&bytes, &origin, &mut points);
        prop_assert!(count <= 3 * bytes.len());
        let mut logs = |logs: &[Log<'_>]| count += logs.len();
        let _ = decode(&bytes, &Defaults::default(), &origin, &mut logs);
        let _ = checks::events(&bytes, &origin, &mut logs);
    }
}
