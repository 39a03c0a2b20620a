//! How what a metric measured is packed.

use super::super::model::Measure;
use super::codec::{Reader, Writer};

const NUMBER: u64 = 0;
const INT: u64 = 1;
const SAMPLES: u64 = 2;
const MEMBERS: u64 = 3;
const BUCKETS: u64 = 4;
const EXPONENTIAL: u64 = 5;
const QUANTILES: u64 = 6;

pub(super) fn write(measure: &Measure<'_>, writer: &mut Writer<'_>) {
    match measure {
        Measure::Number(number) => {
            writer.number(NUMBER);
            writer.double(*number);
        }
        Measure::Int(number) => {
            writer.number(INT);
            writer.int(*number);
        }
        Measure::Samples(samples) => {
            writer.number(SAMPLES);
            doubles(samples, writer);
        }
        Measure::Members(members) => {
            writer.number(MEMBERS);
            writer.number(members.len() as u64);
            for member in members {
                writer.text(member);
            }
        }
        Measure::Buckets { count, sum, min, max, bounds, counts: in_each } => {
            writer.number(BUCKETS);
            writer.number(*count);
            for number in [sum, min, max] {
                optional(*number, writer);
            }
            doubles(bounds, writer);
            counts(in_each, writer);
        }
        Measure::Exponential {
            count,
            sum,
            min,
            max,
            scale,
            zero_count,
            zero_threshold,
            positive,
            negative,
        } => {
            writer.number(EXPONENTIAL);
            writer.number(*count);
            for number in [sum, min, max] {
                optional(*number, writer);
            }
            writer.int(i64::from(*scale));
            writer.number(*zero_count);
            writer.double(*zero_threshold);
            for (offset, in_each) in [positive, negative] {
                writer.int(i64::from(*offset));
                counts(in_each, writer);
            }
        }
        Measure::Quantiles { count, sum, values } => {
            writer.number(QUANTILES);
            writer.number(*count);
            writer.double(*sum);
            writer.number(values.len() as u64);
            for (quantile, value) in values {
                writer.double(*quantile);
                writer.double(*value);
            }
        }
    }
}

pub(super) fn read<'s>(reader: &mut Reader<'s>) -> Measure<'s> {
    match reader.number() {
        INT => Measure::Int(reader.int()),
        SAMPLES => Measure::Samples(read_doubles(reader)),
        MEMBERS => {
            let length = reader.length();
            Measure::Members((0..length).map(|_| reader.text().into()).collect())
        }
        BUCKETS => Measure::Buckets {
            count: reader.number(),
            sum: read_optional(reader),
            min: read_optional(reader),
            max: read_optional(reader),
            bounds: read_doubles(reader),
            counts: read_counts(reader),
        },
        EXPONENTIAL => Measure::Exponential {
            count: reader.number(),
            sum: read_optional(reader),
            min: read_optional(reader),
            max: read_optional(reader),
            scale: read_i32(reader),
            zero_count: reader.number(),
            zero_threshold: reader.double(),
            positive: (read_i32(reader), read_counts(reader)),
            negative: (read_i32(reader), read_counts(reader)),
        },
        QUANTILES => {
            let (count, sum) = (reader.number(), reader.double());
            let length = reader.length();
            let values = (0..length).map(|_| (reader.double(), reader.double())).collect();
            Measure::Quantiles { count, sum, values }
        }
        _ => Measure::Number(reader.double()),
    }
}

fn doubles(numbers: &[f64], writer: &mut Writer<'_>) {
    writer.number(numbers.len() as u64);
    for number in numbers {
        writer.double(*number);
    }
}

fn read_doubles(reader: &mut Reader<'_>) -> Vec<f64> {
    let length = reader.length();
    (0..length).map(|_| reader.double()).collect()
}

fn counts(numbers: &[u64], writer: &mut Writer<'_>) {
    writer.number(numbers.len() as u64);
    for number in numbers {
        writer.number(*number);
    }
}

fn read_counts(reader: &mut Reader<'_>) -> Vec<u64> {
    let length = reader.length();
    (0..length).map(|_| reader.number()).collect()
}

fn optional(number: Option<f64>, writer: &mut Writer<'_>) {
    writer.number(u64::from(number.is_some()));
    if let Some(number) = number {
        writer.double(number);
    }
}

fn read_optional(reader: &mut Reader<'_>) -> Option<f64> {
    (reader.number() == 1).then(|| reader.double())
}

fn read_i32(reader: &mut Reader<'_>) -> i32 {
    i32::try_from(reader.int()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::symbols::Symbols;
    use super::*;

    #[test]
    fn every_measure_is_read_as_written() {
        let (sum, min, max) = (Some(1.5), None, Some(f64::INFINITY));
        let exponential = Measure::Exponential {
            count: u64::MAX,
            sum,
            min,
            max,
            scale: i32::MIN,
            zero_count: 3,
            zero_threshold: 0.25,
            positive: (-7, vec![0, 1, u64::MAX]),
            negative: (i32::MAX, vec![]),
        };
        let all = [
            Measure::Number(-0.5),
            Measure::Int(i64::MIN),
            Measure::Samples(vec![1.0, 2.5]),
            Measure::Members(vec!["a".into(), "".into()]),
            Measure::Buckets { count: 3, sum, min, max, bounds: vec![1.0], counts: vec![1, 2] },
            exponential,
            Measure::Quantiles { count: 2, sum: 3.0, values: vec![(0.5, 1.0), (0.99, 2.0)] },
        ];
        for measure in all {
            let (mut bytes, mut symbols) = (Vec::new(), Symbols::new());
            write(&measure, &mut Writer { bytes: &mut bytes, symbols: &mut symbols });
            assert_eq!(read(&mut Reader::new(&bytes, &symbols)), measure);
        }
    }
}
