/** How each service is doing: traffic, failures, latency, and what failed last. */

import { h, host } from '../dom.js';
import { ago, clock, count, duration, percent, plural, rate } from '../format.js';
import { cell, List } from '../list.js';
import { empty, rangeSelect, range, service } from '../parts.js';
import { sparkline } from '../plot.js';
import { href } from '../route.js';
import { setup } from '../setup.js';
import { View } from '../view.js';

/** Rows of each of the short lists beside the table. */
const SHORT = 6;

export class Services extends View {
  title = 'Services';
  /** @type {import('../api.js').TraceSummary[]} */
  #failed = [];
  /** @type {import('../api.js').Log[]} */
  #complaints = [];
  /** @type {any} */
  #stats = null;

  /** @param {import('../main.js').Context} context */
  constructor(context) {
    super(context);
    this.element.classList.add('flowing');
    this.list = new List({
      label: 'Services',
      name: 'services',
      columns: [
        ['name', 'Service'],
        ['figure', 'Requests/s'],
        ['figure', 'Errors'],
        ['figure', 'p50'],
        ['figure', 'p95'],
        ['shape', 'Requests'],
        ['calls', 'Calls'],
        ['seen', 'Last seen'],
      ],
      key: (/** @type {import('../api.js').Service} */ item) => item.name,
      row: (item) => this.#row(item),
      open: (item) => this.context.go(href('traces', [], { service: item.name })),
    });
    this.lists = [this.list];
  }

  async refresh() {
    const { api } = this.context;
    const [since] = range(this.query.range);
    await this.ask(
      (signal) =>
        Promise.all([
          api.services(since, signal),
          api.traces({ since, limit: SHORT, status: 'error' }, signal),
          api.logs({ since, limit: SHORT, level: 'error' }, signal),
          api.stats(signal),
        ]),
      ([{ services }, { traces }, { logs }, stats]) => {
        this.#failed = traces;
        this.#complaints = logs;
        this.#stats = stats;
        this.list.set(services);
      },
    );
  }

  content() {
    return [
      h(
        'div',
        { key: 'tools', class: 'tools' },
        this.#summary(),
        rangeSelect(this.query.range, (value) => this.filter({ range: value }, (query) => href('services', [], query))),
      ),
      this.loaded && this.#body(),
    ];
  }

  #stored() {
    return ['spans', 'points', 'logs'].map((kind) => /** @type {[string, number]} */ ([kind, this.#stats?.[kind]?.stored ?? 0]));
  }

  #summary() {
    const all = this.list.items;
    const requests = sum(all, 'requests');
    const figures = [
      ['services', count(all.length)],
      ['requests/s', rate(sum(all, 'rate'))],
      ['errors', requests ? percent(sum(all, 'errors') / requests) : '–'],
      ...this.#stored().map(([kind, stored]) => [kind, count(stored)]),
    ];
    return h(
      'dl',
      { class: 'summary' },
      figures.map(([name, value]) => h('div', { key: name }, h('dt', null, name), h('dd', null, value))),
    );
  }

  #body() {
    if (this.list.items.length > 0) {
      return h('div', { key: 'body', class: 'columns' }, host(this.list.element, 'list'), this.#aside());
    }
    if (this.#stored().every(([, stored]) => stored === 0)) {
      return setup('Nothing has arrived yet', this.context.info, this.#stats);
    }
    return empty(
      `Quiet: nothing in the ${range(this.query.range)[1]}`,
      h('p', null, 'There is older telemetry. ', h('a', { href: href('services', [], { range: '24h' }) }, 'Look at the last 24 hours')),
    );
  }

  #aside() {
    return h(
      'div',
      { class: 'side' },
      this.#short(
        'Failed traces',
        href('traces', [], { status: 'error' }),
        this.#failed.map((trace) => ({
          key: trace.id,
          to: href('trace', [trace.id]),
          name: trace.service,
          what: trace.resource || trace.name || trace.id,
          when: `${clock(trace.start)} · ${duration(trace.duration)} · ${plural(trace.errors, 'failed span')}`,
        })),
      ),
      this.#short(
        'Error logs',
        href('logs', [], { level: 'error' }),
        this.#complaints.map((log) => ({
          key: String(log.seq),
          to: href('logs', [], { level: 'error', open: String(log.seq) }),
          name: log.service || log.source,
          what: log.message.slice(0, 200),
          when: clock(log.time),
        })),
      ),
      this.#received(),
    );
  }

  /**
   * @param {string} title
   * @param {string} all
   * @param {{key: string, to: string, name: string, what: string, when: string}[]} entries
   */
  #short(title, all, entries) {
    const { colours } = this.context;
    return [
      h('h2', null, title, h('a', { href: all, 'aria-label': `All ${title.toLowerCase()}` }, 'all')),
      entries.length === 0
        ? h('p', { class: 'muted' }, 'None.')
        : h(
            'ul',
            { class: 'short-list' },
            entries.map(({ key, to, name, what, when }) =>
              h(
                'li',
                { key },
                h('a', { href: to }, service(colours, name), h('span', { class: 'what' }, what)),
                h('span', { class: 'muted' }, when),
              ),
            ),
          ),
    ];
  }

  /** What the collector took in and what it could not use. */
  #received() {
    const endpoints = Object.entries(this.#stats?.endpoints ?? {}).filter(([, figures]) => figures.requests > 0);
    if (endpoints.length === 0) return null;
    return [
      h('h2', null, 'Received by'),
      h(
        'table',
        { class: 'plain-table', 'aria-label': 'Received by' },
        h(
          'thead',
          null,
          h(
            'tr',
            null,
            ['Endpoint', 'Requests', 'Items', 'Refused'].map((title) => h('th', { scope: 'col' }, title)),
          ),
        ),
        h(
          'tbody',
          null,
          endpoints.map(([name, figures]) => {
            const refused = (figures.malformed ?? 0) + (figures.dropped ?? 0);
            return h(
              'tr',
              { key: name },
              h('th', { scope: 'row' }, name),
              h('td', null, count(figures.requests)),
              h('td', null, count(figures.accepted ?? 0)),
              h('td', { class: refused ? 'bad' : '' }, count(refused)),
            );
          }),
        ),
      ),
    ];
  }

  /** @param {import('../api.js').Service} item */
  #row(item) {
    const share = item.requests > 0 ? item.errors / item.requests : 0;
    const idle = item.requests > 0 ? '' : 'idle';
    const tags = [...item.envs, ...item.versions].join(' ');
    return [
      cell(
        'name',
        h('a', { href: href('traces', [], { service: item.name }), tabindex: -1 }, service(this.context.colours, item.name)),
        tags && h('small', null, tags),
      ),
      cell(`figure rate ${idle}`, idle ? '–' : rate(item.rate)),
      cell(`figure errors ${idle} ${share > 0 ? 'bad' : ''}`, idle ? '–' : percent(share)),
      cell('figure p50', duration(item.p50)),
      cell('figure p95', duration(item.p95)),
      cell('shape', sparkline(item.buckets, `${plural(item.requests, 'request')}, ${count(item.errors)} failed`)),
      cell('calls', item.calls.join(', ')),
      cell('seen', ago(item.seen)),
    ];
  }
}

/** @param {any[]} items @param {string} name */
function sum(items, name) {
  return items.reduce((total, item) => total + item[name], 0);
}
