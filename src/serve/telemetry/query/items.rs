//! Lists of spans and of log lines.

use serde_json::{Value as Json, json};

use super::super::store::{LogRow, Segment, Shared, SpanRow, Store, read};
use super::filter::{Filter, Order, Wait, read_page};
use super::params::Params;
use super::scan::{Place, select};
use super::{Answer, Question, Refusal, json as shape};

/// `GET /sandbox/v1/spans`.
#[derive(Debug)]
pub(super) struct Spans {
    filter: Filter,
    page: (usize, Order),
    wait: Wait,
}

/// `GET /sandbox/v1/logs`.
#[derive(Debug)]
pub(super) struct Logs {
    filter: Filter,
    page: (usize, Order),
    wait: Wait,
}

impl Spans {
    pub(super) fn read(mut params: Params, store: &Store) -> Result<Self, Refusal> {
        let mut filter = Filter::read(&mut params, store)?;
        filter.read_span(&mut params)?;
        let page = read_page(&mut params)?;
        let wait = Wait::read(&mut params)?;
        params.finish()?;
        Ok(Self { filter, page, wait })
    }
}

impl Logs {
    pub(super) fn read(mut params: Params, store: &Store) -> Result<Self, Refusal> {
        let mut filter = Filter::read(&mut params, store)?;
        filter.read_log(&mut params)?;
        let page = read_page(&mut params)?;
        let wait = Wait::read(&mut params)?;
        params.finish()?;
        Ok(Self { filter, page, wait })
    }
}

impl Question for Spans {
    fn wait(&self) -> &Wait {
        &self.wait
    }

    fn answer(&self, store: &Store) -> Answer {
        let segments = store.spans().segments();
        let (total, places) = select(&segments, &self.filter, self.page);
        let spans =
            told(&segments, places, |segment: &Segment<SpanRow>, row| shape::span(segment, row));
        Answer { total, met: self.wait.is_met(total), body: json!({ "spans": spans }) }
    }
}

impl Question for Logs {
    fn wait(&self) -> &Wait {
        &self.wait
    }

    fn answer(&self, store: &Store) -> Answer {
        let segments = store.logs().segments();
        let (total, places) = select(&segments, &self.filter, self.page);
        let logs =
            told(&segments, places, |segment: &Segment<LogRow>, row| shape::log(segment, row));
        Answer { total, met: self.wait.is_met(total), body: json!({ "logs": logs }) }
    }
}

/// The items at these places.
pub(super) fn told<R: super::super::store::Row>(
    segments: &[Shared<R>],
    places: Vec<Place>,
    tell: impl Fn(&Segment<R>, &R) -> Json,
) -> Vec<Json> {
    places
        .into_iter()
        .filter_map(|(at, place)| {
            let segment = read(segments.get(at)?);
            Some(tell(&segment, segment.rows().get(place as usize)?))
        })
        .collect()
}
