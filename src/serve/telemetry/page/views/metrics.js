/** All metrics to search through, and one of them as lines over time, split by a tag. */

import { nth } from '../colours.js';
import { h, host, render } from '../dom.js';
import { ago, clock, count, formatter, number, plural } from '../format.js';
import { cell, List } from '../list.js';
import { counted, empty, range, rangeSelect, search, select } from '../parts.js';
import { momentAt, nearest, plot } from '../plot.js';
import { href } from '../route.js';
import { setup } from '../setup.js';
import { View } from '../view.js';

/** More lines than this cannot be told apart. */
const LINES = 10;
const HEIGHT = 300;

/** What can be asked of each kind, what is asked first in front. @type {Record<string, string[]>} */
const AGGREGATES = {
  gauge: ['avg', 'last', 'min', 'max'],
  count: ['rate', 'sum'],
  rate: ['rate', 'sum'],
  set: ['count', 'last'],
  other: ['p95', 'p50', 'p99', 'avg', 'min', 'max', 'rate', 'count', 'sum'],
};
/** @type {Record<string, string>} */
const NAMES = {
  avg: 'average',
  last: 'last',
  min: 'minimum',
  max: 'maximum',
  rate: 'per second',
  sum: 'sum',
  count: 'number of values',
  p50: 'p50',
  p95: 'p95',
  p99: 'p99',
};
/** Tags that every point has without listing them. */
const ALWAYS = ['service', 'env', 'version', 'host'];
/** In the address, as an empty filter is none; no tag is called so. */
const UNSPLIT = '-';

/** @typedef {import('../api.js').Metric} Metric */

export class Metrics extends View {
  title = 'Metrics';
  #name = '';
  /** @type {Metric[]} */
  #metrics = [];
  /** @type {import('../api.js').Series[] | null} */
  #series = null;
  #span = { from: 0, to: 1 };
  #width = 640;
  /** The moment under the pointer. @type {number | null} */
  #cursor = null;
  /** @type {any} */
  #stats = null;

  /** @param {import('../main.js').Context} context */
  constructor(context) {
    super(context);
    this.list = new List({
      label: 'Metrics',
      name: 'metrics',
      columns: [
        ['name', 'Metric'],
        ['kind', 'Kind'],
        ['figure', 'Points'],
      ],
      key: (/** @type {Metric} */ metric) => metric.name,
      row: (metric) => [
        cell('name', h('a', { href: this.#link(metric.name), tabindex: -1, title: metric.name }, metric.name)),
        cell('kind', metric.kind),
        cell('figure', count(metric.points)),
      ],
      open: (metric) => this.context.go(this.#link(metric.name)),
      select: (metric) => this.#name && this.context.go(this.#link(metric.name), true),
    });
    this.lists = [this.list];
    this.frame = document.createElement('div');
    this.frame.className = 'frame';
    this.frame.addEventListener('pointermove', (event) => {
      const x = event.clientX - this.frame.getBoundingClientRect().left;
      this.#cursor = momentAt(x, this.#width, this.#span.from, this.#span.to);
      this.draw();
    });
    this.frame.addEventListener('pointerleave', () => {
      this.#cursor = null;
      this.draw();
    });
    new ResizeObserver(([{ contentRect }]) => {
      if (contentRect.width < 1 || Math.abs(contentRect.width - this.#width) < 1) return;
      this.#width = contentRect.width;
      this.draw();
    }).observe(this.frame);
  }

  /** @param {import('../route.js').Route} route */
  route(route) {
    const name = route.path[0] ?? '';
    if (name !== this.#name) {
      this.#series = null;
      this.#cursor = null;
    }
    this.#name = name;
    this.list.selected = name || this.list.selected;
    this.title = name || 'Metrics';
    super.route(route);
  }

  async refresh() {
    const { api } = this.context;
    const [since, , seconds, step] = range(this.query.range);
    const name = this.#name;
    await this.ask(
      async (signal) => {
        const metrics = await api.metrics(since, signal);
        const metric = metrics.find((candidate) => candidate.name === name);
        const wanted = metric && { name, by: this.#by(metric), agg: this.#aggregate(metric), since, step: `${step}s` };
        return {
          metrics,
          drawn: wanted ? await api.metric(wanted, signal) : null,
          stats: metrics.length === 0 ? await api.stats(signal) : null,
        };
      },
      ({ metrics, drawn, stats }) => {
        this.#metrics = metrics;
        this.#series = drawn;
        this.#stats = stats;
        this.#span = { from: Date.now() - seconds * 1000, to: Date.now() };
        this.list.set(this.#found());
      },
    );
  }

  back() {
    return this.#name ? href('metrics', [], { q: this.query.q, range: this.query.range }) : null;
  }

  /** @param {string} name */
  #link(name) {
    return href('metrics', [name], { q: this.query.q, range: this.query.range });
  }

  /** Those with all the words in their name. */
  #found() {
    const words = (this.query.q ?? '').toLowerCase().split(/\s+/).filter(Boolean);
    return this.#metrics.filter((metric) => words.every((word) => metric.name.toLowerCase().includes(word)));
  }

  /** @param {Metric} metric */
  #aggregates(metric) {
    return AGGREGATES[metric.kind] ?? AGGREGATES.other;
  }

  /** @param {Metric} metric */
  #aggregate(metric) {
    const offered = this.#aggregates(metric);
    return offered.includes(this.query.agg) ? this.query.agg : offered[0];
  }

  /** Values have the metric's unit, numbers of values have none. @param {Metric} metric */
  #format(metric) {
    return this.#aggregate(metric) === 'count' ? number : formatter(metric.unit);
  }

  /** The tag that has a line for each of its values, if any. @param {Metric} metric */
  #by(metric) {
    const { by } = this.query;
    if (by === UNSPLIT) return '';
    return by || (metric.services.length > 1 ? 'service' : '');
  }

  /** @param {string} name */
  #set(name) {
    return (value) => this.filter({ [name]: value }, (query) => href('metrics', this.#name ? [this.#name] : [], query), name === 'q');
  }

  content() {
    return [
      h(
        'div',
        { key: 'tools', class: 'tools', role: 'search', 'aria-label': 'Find metrics' },
        search('Search metrics', this.query.q ?? '', (value) => {
          this.#set('q')(value);
          this.list.set(this.#found());
        }),
        rangeSelect(this.query.range, this.#set('range')),
        counted(this.loaded && plural(this.#found().length, 'metric')),
      ),
      this.loaded && this.#body(),
    ];
  }

  #body() {
    if (this.#metrics.length > 0) {
      return h(
        'div',
        { key: 'body', class: this.#name ? 'master chosen' : 'master' },
        host(this.list.element, 'list'),
        h('div', { key: 'detail', class: 'detail' }, this.#detail()),
      );
    }
    if (!this.#stats?.points?.stored) return setup('No metrics yet', this.context.info, this.#stats);
    return empty(
      `No metric in the ${range(this.query.range)[1]}`,
      h('p', null, h('a', { href: href('metrics', [], { range: '24h' }) }, 'Look at the last 24 hours')),
    );
  }

  #detail() {
    const metric = this.#metrics.find((candidate) => candidate.name === this.#name);
    if (!this.#name) return h('p', { key: 'hint', class: 'hint' }, 'Choose a metric to see it over time.');
    if (!metric) return empty('This metric is not here', h('p', null, `No point of it in the ${range(this.query.range)[1]}.`));
    const tags = [...new Set([...ALWAYS, ...metric.tags])];
    const lines = this.#lines(metric);
    const aggregate = this.#aggregate(metric);
    render(this.frame, this.#picture(metric, lines, aggregate));
    return [
      h('a', { key: 'back', class: 'narrow-only', href: this.back() }, 'All metrics'),
      h('h1', { key: 'name', class: 'mono' }, metric.name),
      h(
        'p',
        { key: 'facts', class: 'facts-line' },
        h('span', null, metric.kind),
        metric.unit && h('span', null, `in ${metric.unit}`),
        h('span', null, plural(metric.points, 'point')),
        h('span', null, `last ${ago(metric.seen)}`),
        metric.description && h('span', null, metric.description),
      ),
      h(
        'div',
        { key: 'choices', class: 'tools' },
        select(
          'Value',
          aggregate,
          this.#aggregates(metric).map((name) => [name, NAMES[name]]),
          this.#set('agg'),
        ),
        select(
          'Split by',
          this.#by(metric) || UNSPLIT,
          [[UNSPLIT, 'not split'], ...tags.map((tag) => /** @type {[string, string]} */ ([tag, `by ${tag}`]))],
          this.#set('by'),
        ),
      ),
      host(this.frame, 'frame'),
      this.#legend(metric, lines, aggregate),
    ];
  }

  /** @param {Metric} metric @returns {import('../plot.js').Line[]} */
  #lines(metric) {
    const services = this.#by(metric) === 'service';
    const series = [...(this.#series ?? [])].filter((line) => line.points.length > 0);
    series.sort((a, b) => peak(b.points) - peak(a.points));
    // In an order that stays, so that a line keeps its colour while it grows.
    const shown = series.slice(0, LINES).sort((a, b) => (a.name < b.name ? -1 : 1));
    return shown.map((line, index) => ({
      name: line.name || (this.#by(metric) ? `no ${this.#by(metric)}` : this.#name),
      colour: services ? this.context.colours.of(line.name) : nth(index),
      points: line.points,
    }));
  }

  /**
   * @param {Metric} metric
   * @param {import('../plot.js').Line[]} lines
   * @param {string} aggregate
   */
  #picture(metric, lines, aggregate) {
    if (!this.#series) return null;
    if (lines.length === 0) return h('p', { class: 'hint' }, 'No value in this time.');
    const points = lines.reduce((total, line) => total + line.points.length, 0);
    return plot({
      lines,
      ...this.#span,
      width: this.#width,
      height: HEIGHT,
      label: `${metric.name}, ${NAMES[aggregate]}, ${plural(lines.length, 'line')} of ${plural(points, 'point')}`,
      format: this.#format(metric),
      cursor: this.#cursor,
    });
  }

  /**
   * @param {Metric} metric
   * @param {import('../plot.js').Line[]} lines
   * @param {string} aggregate
   */
  #legend(metric, lines, aggregate) {
    if (lines.length === 0) return null;
    const more = (this.#series?.length ?? 0) - lines.length;
    const at = this.#cursor;
    const format = this.#format(metric);
    const titles = [this.#by(metric) || 'metric', at === null ? 'Last' : clock(at), 'Min', 'Mean', 'Max'];
    return h(
      'div',
      { key: 'legend' },
      h(
        'table',
        { class: 'plain-table legend-table' },
        h('caption', { class: 'hidden' }, `${metric.name}, ${NAMES[aggregate]}`),
        h(
          'thead',
          null,
          h(
            'tr',
            null,
            titles.map((title) => h('th', { scope: 'col' }, title)),
          ),
        ),
        h(
          'tbody',
          null,
          lines.map((line) => {
            const values = line.points.map(([, value]) => value);
            const shown = at === null ? values[values.length - 1] : (nearest(line.points, at)?.[1] ?? NaN);
            const mean = values.reduce((total, value) => total + value, 0) / values.length;
            return h(
              'tr',
              { key: line.name },
              h('th', { scope: 'row' }, h('i', { class: `swatch ${line.colour}` }), line.name),
              [shown, Math.min(...values), mean, Math.max(...values)].map((value) => h('td', null, format(value))),
            );
          }),
        ),
      ),
      more > 0 && h('p', { class: 'muted' }, `${plural(more, 'more line')} with smaller values not drawn`),
    );
  }
}

/** @param {[number, number][]} points */
function peak(points) {
  return points.reduce((most, [, value]) => Math.max(most, Math.abs(value)), 0);
}
