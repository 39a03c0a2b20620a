/** One trace: its spans as a waterfall, what each of them carries, and its logs. */

import { Details } from '../details.js';
import { h, host } from '../dom.js';
import { count, dateTime, duration, plural, roundDuration } from '../format.js';
import { cell, List } from '../list.js';
import { cells, COLUMNS, failed, known, levelClass, opened } from '../loglines.js';
import { choice, copy, empty, pane, problem, service } from '../parts.js';
import { href } from '../route.js';
import { ticks } from '../ticks.js';
import { extent, tree, visible } from '../tree.js';
import { View } from '../view.js';

/** @typedef {import('../tree.js').Row} Row */
/** @typedef {import('../api.js').Log} Log */
/** @typedef {import('../api.js').Trace} Trace */

/** Deeper spans are not moved further to the right. */
const DEEPEST = 24;
/** Events of a span that are marked on its bar. */
const MARKS = 50;
/** Of a title only the beginning can be in sight. */
const TITLE = 300;
/** Log lines that are shown with a span. */
const LINES = 50;

export class TraceView extends View {
  title = 'Trace';
  #id = '';
  /** @type {Trace | null} */
  #trace = null;
  /** All of them, folded or not. @type {Row[]} */
  #rows = [];
  /** @type {Set<string>} */
  #folded = new Set();
  #extent = { from: 0, to: 1 };
  /** @type {Row | null} */
  #open = null;
  /** @type {Log | null} */
  #openLog = null;

  /** @param {import('../main.js').Context} context */
  constructor(context) {
    super(context);
    this.details = new Details(() => this.draw());
    this.spans = new List({
      label: 'Spans',
      name: 'spans',
      role: 'treegrid',
      columns: [
        ['name', 'Span'],
        ['line', ''],
        ['figure', 'Duration'],
      ],
      key: (/** @type {Row} */ row) => row.key,
      row: (row) => this.#row(row),
      rowClass: (row) => (row.span.error ? 'failed' : ''),
      rowAttrs: (row) => ({
        'aria-level': row.depth + 1,
        'aria-expanded': row.below > 0 ? String(!this.#folded.has(row.key)) : null,
      }),
      open: (row) => this.#show(row),
      select: (row) => this.#open && this.#show(row),
      keydown: (row, key) => this.#fold(row, key),
    });
    this.logs = new List({
      label: 'Logs of the trace',
      name: 'logs',
      columns: COLUMNS,
      key: (/** @type {Log} */ log) => String(log.seq),
      row: (log) => cells(log, this.context.colours, false),
      rowClass: failed,
      open: (log) => this.#showLog(log),
      select: (log) => this.#openLog && this.#showLog(log),
    });
    this.lists = [this.spans, this.logs];
  }

  /** @param {import('../route.js').Route} route */
  route(route) {
    const id = route.path[0] ?? '';
    if (id !== this.#id) {
      this.#id = id;
      this.loaded = false;
      this.#trace = null;
      this.#rows = [];
      this.#folded.clear();
      this.#close();
    } else if (route.query.span) {
      this.#reveal(route.query.span);
    }
    super.route(route);
  }

  async refresh() {
    await this.ask(
      async (signal) => ({ trace: await this.context.api.trace(this.#id, signal) }),
      ({ trace }) => trace && this.#take(trace),
    );
  }

  /** @param {Trace} trace */
  #take(trace) {
    const grown = trace.spans.length !== this.#trace?.spans.length;
    this.#trace = trace;
    this.logs.set(trace.logs);
    if (!grown) return;
    // Keys are places in the answer, so what is open has to be found again by its id.
    const folded = new Set(this.#rows.filter((row) => this.#folded.has(row.key)).map((row) => row.span.id));
    this.#rows = tree(trace.spans);
    this.#folded = new Set(this.#rows.filter((row) => folded.has(row.span.id)).map((row) => row.key));
    this.#extent = extent(trace.spans);
    this.title = trace.spans.length > 0 ? spanTitle(this.#rows[0].span) : 'Trace';
    this.spans.set(visible(this.#rows, this.#folded));
    this.#reveal(this.#open?.span.id ?? this.query.span);
  }

  /** Opens a span that is known by its id. @param {string | undefined} id */
  #reveal(id) {
    const row = this.#rows.find((candidate) => candidate.span.id === id);
    this.#open = row ?? null;
    if (!row) return;
    this.draw();
    this.spans.choose(row.key);
  }

  /** @param {string} key */
  key(key) {
    if (key === 'Escape' && (this.#open || this.#openLog)) {
      this.#shut();
      return true;
    }
    return (this.query.tab === 'logs' ? this.logs : this.spans).handle(key);
  }

  back() {
    return this.context.last('traces');
  }

  #close() {
    this.#open = null;
    this.#openLog = null;
    this.details.reset();
  }

  #shut() {
    this.#close();
    this.#remember();
    this.draw();
  }

  /** @param {Row} row */
  #show(row) {
    if (this.#open !== row) this.details.reset();
    this.#open = row;
    this.#remember();
    this.draw();
  }

  /** @param {Log} log */
  #showLog(log) {
    this.details.reset();
    this.#openLog = log;
    this.draw();
  }

  /** The address leads back to what is open, without a step in the history. */
  #remember() {
    this.query = { ...this.query, span: this.#open?.span.id ?? '' };
    this.context.mark(href('trace', [this.#id], this.query));
  }

  /** @param {Row} row @param {string} key */
  #fold(row, key) {
    const fold = key === 'h' || key === 'ArrowLeft';
    if (!fold && key !== 'l' && key !== 'ArrowRight') return false;
    if (fold && (row.below === 0 || this.#folded.has(row.key)) && row.parent !== null) {
      this.spans.choose(row.parent);
      return true;
    }
    if (row.below > 0) this.#setFolded(row, fold);
    return true;
  }

  /** @param {Row} row @param {boolean} fold */
  #setFolded(row, fold) {
    if (fold) this.#folded.add(row.key);
    else this.#folded.delete(row.key);
    this.spans.set(visible(this.#rows, this.#folded));
  }

  content() {
    return this.#trace ? this.#content(this.#trace) : this.loaded && this.#absent();
  }

  #absent() {
    return empty(
      'This trace is not here',
      h('p', null, 'It has not arrived yet, or it made room for newer ones. It appears as soon as one of its spans is received.'),
      h('p', null, h('a', { href: href('traces') }, 'All traces')),
    );
  }

  /** @param {Trace} trace */
  #content(trace) {
    const logs = this.query.tab === 'logs';
    return [
      this.#heading(trace),
      h(
        'div',
        { key: 'body', class: this.#open || this.#openLog ? 'split' : 'split alone' },
        logs ? this.#logList(trace) : h('div', { key: 'spans', class: 'stack' }, this.#axis(), host(this.spans.element, 'list')),
        logs ? this.#openLog && this.#logPane(this.#openLog) : this.#open && this.#spanPane(this.#open),
      ),
    ];
  }

  /** @param {Trace} trace */
  #heading(trace) {
    const { colours } = this.context;
    const root = this.#rows[0]?.span;
    return h(
      'div',
      { key: 'heading', class: 'heading' },
      h('h1', null, root ? [service(colours, root.service), ' ', spanTitle(root).slice(0, TITLE)] : trace.id),
      h(
        'p',
        { class: 'facts-line' },
        h('span', null, duration(trace.duration)),
        h('span', null, plural(trace.spans.length, 'span')),
        trace.errors > 0 ? h('span', { class: 'bad' }, plural(trace.errors, 'error')) : null,
        trace.missing > 0 ? h('span', { class: 'warn' }, `${plural(trace.missing, 'parent')} not received`) : null,
        h('span', null, dateTime(trace.start)),
        h('span', { class: 'id' }, h('code', null, trace.id), copy(trace.id, 'Copy the trace id')),
      ),
      h(
        'div',
        { class: 'tools' },
        choice(
          'Show',
          this.query.tab ?? '',
          [
            ['', `Spans ${count(trace.spans.length)}`],
            ['logs', `Logs ${count(trace.logs.length)}`],
          ],
          (tab) => this.context.go(href('trace', [this.#id], { tab }), true),
        ),
        h(
          'span',
          { class: 'legend' },
          trace.services.slice(0, 12).map((name) => service(colours, name)),
        ),
      ),
    );
  }

  /** @param {Trace} trace */
  #logList(trace) {
    if (trace.logs.length > 0) return host(this.logs.element, 'logs');
    return empty(
      'No logs of this trace',
      h(
        'p',
        null,
        'A log line belongs to a trace when it carries its id: switch on log correlation in the client library (OTEL_PYTHON_LOG_CORRELATION=true, DD_LOGS_INJECTION=true), or log a trace_id field.',
      ),
    );
  }

  #axis() {
    const { from, to } = this.#extent;
    const length = to - from;
    return h(
      'div',
      { class: 'axis', 'aria-hidden': 'true' },
      h(
        'div',
        { class: 'scale' },
        ticks(0, length, 4).map((at) => h('span', { key: String(at), style: { left: `${(at / length) * 100}%` } }, roundDuration(at))),
      ),
    );
  }

  /** @param {Row} row */
  #row(row) {
    const { span } = row;
    const folded = this.#folded.has(row.key);
    const { from, to } = this.#extent;
    const share = (value) => Math.min(100, Math.max(0, (value / (to - from)) * 100));
    const left = share(span.start - from);
    const width = share(Math.max(0, span.duration));
    return [
      h(
        'span',
        { class: 'name', role: 'gridcell', style: { 'padding-left': `${Math.min(row.depth, DEEPEST) * 14}px` } },
        row.below > 0
          ? h(
              'button',
              {
                class: 'fold',
                tabindex: -1,
                'aria-label': folded ? `Unfold ${count(row.below)}` : 'Fold',
                onclick: () => this.#setFolded(row, !folded),
              },
              folded ? '+' : '−',
            )
          : h('i', { class: 'fold' }),
        service(this.context.colours, span.service),
        h('span', { class: 'what' }, spanTitle(span)),
        span.error ? h('strong', { class: 'mark' }, 'error') : folded && row.failed ? h('strong', { class: 'mark' }, 'error below') : null,
        folded ? h('small', null, `+${count(row.below)}`) : null,
        row.orphan ? h('small', { title: `Its parent ${span.parent} has not arrived` }, 'parent missing') : null,
      ),
      cell(
        'line',
        h('i', { class: `span-bar ${this.context.colours.of(span.service)}`, style: { left: `${left}%`, width: `${width}%` } }),
        span.events
          .slice(0, MARKS)
          .map((event) => h('i', { class: 'event-mark', title: event.name, style: { left: `${share(event.at - from)}%` } })),
      ),
      cell('figure', duration(span.duration)),
    ];
  }

  /** @param {Row} row */
  #spanPane({ span }) {
    const { name, kind, type, env, version, protocol } = span;
    const logs = (this.#trace?.logs ?? []).filter((log) => log.span === span.id);
    return pane(
      'Span',
      spanTitle(span),
      () => this.#shut(),
      h(
        'p',
        { class: 'pane-line' },
        service(this.context.colours, span.service),
        h('span', null, duration(span.duration)),
        h('span', { class: 'muted' }, `after ${duration(span.start)}`),
        span.error && h('strong', { class: 'mark' }, 'error'),
      ),
      span.message && problem(span.message.slice(0, 2000)),
      this.details.table('Attributes', span.attributes),
      span.events.map((event, index) =>
        this.details.table(`Event ${index + 1}: ${event.name}`, [['after', duration(event.at)], ...event.attributes]),
      ),
      this.#links(span),
      logs.length > 0 &&
        h(
          'section',
          { key: 'logs', class: 'facts' },
          h('h3', null, 'Logs'),
          logs
            .slice(0, LINES)
            .map((log) => h('p', { class: 'log-line' }, h('span', { class: levelClass(log) }, log.level), ' ', log.message.slice(0, 500))),
        ),
      this.details.table('Span', known({ name, kind, type, env, version, 'span id': span.id, 'parent id': span.parent, protocol })),
      this.details.table('Resource', span.resourceAttributes),
      h('p', null, h('a', { href: href('traces', [], { service: span.service, name }) }, 'Traces with such a span')),
    );
  }

  /** @param {import('../api.js').Span} span */
  #links(span) {
    if (span.links.length === 0) return null;
    return h(
      'section',
      { key: 'links', class: 'facts' },
      h('h3', null, 'Links'),
      span.links.map((link) => h('p', null, h('a', { href: href('trace', [link.trace], { span: link.span }) }, link.trace))),
    );
  }

  /** @param {Log} log */
  #logPane(log) {
    return pane('Log line', 'Log line', () => this.#shut(), opened({ ...log, trace: '' }, this.details, this.context.colours));
  }
}

/** @param {import('../api.js').Span} span */
function spanTitle(span) {
  return span.resource || span.name || 'without a name';
}
