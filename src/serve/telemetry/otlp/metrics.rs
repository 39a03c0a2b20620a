//! OTLP metrics.

use std::sync::Arc;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, ExponentialHistogramDataPoint, HistogramDataPoint, Metric,
    NumberDataPoint, SummaryDataPoint, metric::Data, number_data_point::Value as Number,
};

use super::super::model::{Measure, MetricKind, Origin, Point};
use super::{Rejected, attributes, origin};

/// `DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK`: the stream is there, a value is not.
const NO_VALUE: u32 = 1;

/// The measurements of a request, and what had to be left out.
pub(super) fn points(request: &ExportMetricsServiceRequest) -> (Vec<Point<'_>>, Rejected) {
    let mut reading = Reading { points: Vec::new(), rejected: Rejected::default() };
    for resource in &request.resource_metrics {
        for scope in &resource.scope_metrics {
            let (origin, service) = origin(resource.resource.as_ref(), scope.scope.as_ref());
            for metric in &scope.metrics {
                reading.metric(metric, &origin, service);
            }
        }
    }
    (reading.points, reading.rejected)
}

struct Reading<'a> {
    points: Vec<Point<'a>>,
    rejected: Rejected,
}

impl<'a> Reading<'a> {
    fn metric(&mut self, metric: &'a Metric, origin: &Arc<Origin<'a>>, service: &'a str) {
        let Some(data) = &metric.data else {
            self.rejected.add("a metric must have data");
            return;
        };
        let like = Point {
            name: metric.name.as_str().into(),
            service: service.into(),
            unit: metric.unit.as_str().into(),
            description: metric.description.as_str().into(),
            weight: 1.0,
            origin: Arc::clone(origin),
            ..Point::default()
        };
        let begin = self.points.len();
        match data {
            Data::Gauge(gauge) => {
                for sent in &gauge.data_points {
                    self.number(&like, sent);
                }
            }
            Data::Sum(sum) => {
                let cumulative = is_cumulative(sum.aggregation_temporality);
                // A total that goes up and down is a level, of which the last counts.
                let level = cumulative && !sum.is_monotonic;
                let like = Point {
                    kind: if level { MetricKind::Gauge } else { MetricKind::Count },
                    cumulative,
                    monotonic: sum.is_monotonic,
                    ..like
                };
                for sent in &sum.data_points {
                    self.number(&like, sent);
                }
            }
            Data::Histogram(histogram) => {
                let cumulative = is_cumulative(histogram.aggregation_temporality);
                let like = Point { kind: MetricKind::Histogram, cumulative, ..like };
                for sent in &histogram.data_points {
                    self.histogram(&like, sent);
                }
            }
            Data::ExponentialHistogram(histogram) => {
                let cumulative = is_cumulative(histogram.aggregation_temporality);
                let like = Point { kind: MetricKind::Histogram, cumulative, ..like };
                for sent in &histogram.data_points {
                    self.exponential(&like, sent);
                }
            }
            Data::Summary(summary) => {
                let like = Point { kind: MetricKind::Summary, ..like };
                for sent in &summary.data_points {
                    self.summary(&like, sent);
                }
            }
        }
        if metric.name.is_empty() {
            for _ in self.points.drain(begin..) {
                self.rejected.add("a metric must have a name");
            }
        }
    }

    fn number(&mut self, like: &Point<'a>, sent: &'a NumberDataPoint) {
        if sent.flags & NO_VALUE != 0 {
            return;
        }
        let value = match sent.value {
            Some(Number::AsDouble(number)) => Measure::Number(number),
            Some(Number::AsInt(number)) => Measure::Int(number),
            None => return self.rejected.add("a data point must have a value"),
        };
        let times = (sent.start_time_unix_nano, sent.time_unix_nano);
        self.push(like, value, times, &sent.attributes);
    }

    fn histogram(&mut self, like: &Point<'a>, sent: &'a HistogramDataPoint) {
        if sent.flags & NO_VALUE != 0 {
            return;
        }
        let (bounds, counts) = (&sent.explicit_bounds, &sent.bucket_counts);
        if !counts.is_empty() && counts.len() != bounds.len() + 1 {
            return self.rejected.add("a histogram must have one bucket more than bounds");
        }
        let value = Measure::Buckets {
            count: sent.count,
            sum: sent.sum,
            min: sent.min,
            max: sent.max,
            bounds: bounds.clone(),
            counts: counts.clone(),
        };
        let times = (sent.start_time_unix_nano, sent.time_unix_nano);
        self.push(like, value, times, &sent.attributes);
    }

    fn exponential(&mut self, like: &Point<'a>, sent: &'a ExponentialHistogramDataPoint) {
        if sent.flags & NO_VALUE != 0 {
            return;
        }
        let buckets = |side: &Option<_>| {
            let side: &Option<
                opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets,
            > = side;
            side.as_ref().map_or((0, Vec::new()), |side| (side.offset, side.bucket_counts.clone()))
        };
        let value = Measure::Exponential {
            count: sent.count,
            sum: sent.sum,
            min: sent.min,
            max: sent.max,
            scale: sent.scale,
            zero_count: sent.zero_count,
            zero_threshold: sent.zero_threshold,
            positive: buckets(&sent.positive),
            negative: buckets(&sent.negative),
        };
        let times = (sent.start_time_unix_nano, sent.time_unix_nano);
        self.push(like, value, times, &sent.attributes);
    }

    fn summary(&mut self, like: &Point<'a>, sent: &'a SummaryDataPoint) {
        if sent.flags & NO_VALUE != 0 {
            return;
        }
        let values = sent.quantile_values.iter().map(|one| (one.quantile, one.value)).collect();
        let value = Measure::Quantiles { count: sent.count, sum: sent.sum, values };
        let times = (sent.start_time_unix_nano, sent.time_unix_nano);
        self.push(like, value, times, &sent.attributes);
    }

    /// Keeps one value of the metric that `like` describes; times are its start and its own.
    fn push(
        &mut self,
        like: &Point<'a>,
        value: Measure<'a>,
        (start_ns, time_ns): (u64, u64),
        sent: &'a [KeyValue],
    ) {
        let tags = attributes(sent);
        self.points.push(Point { value, time_ns, start_ns, tags, ..like.clone() });
    }
}

fn is_cumulative(temporality: i32) -> bool {
    temporality == AggregationTemporality::Cumulative as i32
}
