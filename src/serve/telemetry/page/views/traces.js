/** The latest traces, narrowed down by what is in the address. */

import { h, host } from '../dom.js';
import { ago, clock, count, duration, parseDuration } from '../format.js';
import { cell, List } from '../list.js';
import { choice, counted, empty, field, search, select, service } from '../parts.js';
import { href } from '../route.js';
import { setup } from '../setup.js';
import { View } from '../view.js';

/** How many are asked for at first, and more each time the end is reached. */
const PAGE = 200;
const MOST = 10_000;

/** @param {Record<string, string>} query */
const address = (query) => href('traces', [], query);

export class Traces extends View {
  title = 'Traces';
  #limit = PAGE;
  #total = 0;
  /** Of those in the list, in nanoseconds. */
  #slowest = 1;
  /** @type {any} */
  #stats = null;

  /** @param {import('../main.js').Context} context */
  constructor(context) {
    super(context);
    this.list = new List({
      label: 'Traces',
      name: 'traces',
      columns: [
        ['time', 'Time'],
        ['name', 'Trace'],
        ['took', 'Duration'],
        ['figure', 'Spans'],
        ['with', 'Services'],
        ['status', 'Status'],
      ],
      key: (/** @type {import('../api.js').TraceSummary} */ item) => item.id,
      row: (item) => this.#row(item),
      rowClass: (item) => (item.errors ? 'failed' : ''),
      open: (item) => this.context.go(href('trace', [item.id])),
      scrolled: () => this.#more(),
    });
    this.lists = [this.list];
  }

  async refresh() {
    const { api, names } = this.context;
    const { min, ...filter } = this.query;
    const least = min ? parseDuration(min) : null;
    await this.ask(
      async (signal) => {
        const [found] = await Promise.all([
          api.traces({ ...filter, min_duration: least === null ? undefined : Math.round(least), limit: this.#limit }, signal),
          names.refresh(signal),
        ]);
        return { found, stats: found.total === 0 ? await api.stats(signal) : null };
      },
      ({ found, stats }) => {
        this.#total = found.total;
        this.#stats = stats;
        this.#slowest = found.traces.reduce((most, trace) => Math.max(most, trace.duration), 1);
        names.seen(found.traces.flatMap((trace) => trace.services));
        this.list.set(found.traces);
      },
    );
  }

  back() {
    return this.filtered ? href('traces') : null;
  }

  #more() {
    if (!this.list.atEnd || this.list.items.length < this.#limit || this.#limit >= MOST) return;
    this.#limit = Math.min(MOST, this.#limit * 2);
    void this.refresh();
  }

  /** @param {string} name @param {boolean} [typed] */
  #set(name, typed = false) {
    return (value) => {
      this.#limit = PAGE;
      this.filter({ [name]: value }, address, typed);
    };
  }

  content() {
    const { service: name = '', name: operation = '', status = '', min = '', text = '', order = '' } = this.query;
    const shown = this.list.items.length;
    return [
      h(
        'div',
        { key: 'tools', class: 'tools', role: 'search', 'aria-label': 'Filter traces' },
        search('Search names and attributes', text, this.#set('text', true)),
        select('Service', name, [['', 'all services'], ...this.context.names.options()], this.#set('service')),
        field('Span name', 'name', operation, this.#set('name', true)),
        field('At least this long', 'min 100ms', min, this.#set('min', true), {
          'aria-invalid': min && parseDuration(min) === null ? 'true' : null,
        }),
        choice(
          'Status',
          status,
          [
            ['', 'all'],
            ['ok', 'ok'],
            ['error', 'error'],
          ],
          this.#set('status'),
        ),
        choice(
          'Order',
          order,
          [
            ['', 'newest'],
            ['slowest', 'slowest'],
          ],
          this.#set('order'),
        ),
        counted(this.loaded && (shown < this.#total ? `${count(shown)} of ${count(this.#total)}` : count(this.#total))),
      ),
      this.loaded && this.#body(),
    ];
  }

  #body() {
    if (this.list.items.length > 0) return host(this.list.element, 'list');
    if (!this.filtered) return setup('No traces yet', this.context.info, this.#stats);
    return empty(
      'No trace matches',
      h('p', null, h('a', { href: href('traces') }, 'Show all traces'), ' or loosen a filter. A name may contain * for anything.'),
    );
  }

  /** @param {import('../api.js').TraceSummary} trace */
  #row(trace) {
    const { colours } = this.context;
    const others = trace.services.filter((name) => name !== trace.service);
    const what = trace.resource || trace.name;
    return [
      h('span', { class: 'time', role: 'gridcell', title: ago(trace.start) }, clock(trace.start)),
      cell(
        'name',
        h(
          'a',
          { href: href('trace', [trace.id]), tabindex: -1 },
          service(colours, trace.service),
          h('span', { class: 'what' }, what || 'its root has not arrived'),
        ),
        trace.name && trace.name !== what ? h('small', null, trace.name) : null,
      ),
      cell(
        'took',
        h('span', { class: 'figure' }, duration(trace.duration)),
        h('i', { class: 'bar', style: { width: `${Math.max(1, (trace.duration / this.#slowest) * 100)}%` } }),
      ),
      cell('figure spans', count(trace.spans)),
      cell(
        'with',
        others.slice(0, 6).map((name) => h('i', { class: `swatch ${colours.of(name)}`, title: name })),
        others.length > 0 && h('small', null, others.length === 1 ? others[0] : `+${others.length}`),
      ),
      trace.errors ? cell('status bad', trace.errors === 1 ? 'error' : `${count(trace.errors)} errors`) : cell('status muted', 'ok'),
    ];
  }
}
