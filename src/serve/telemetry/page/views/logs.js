/** Log lines in the order of time, the newest at the end, which follows what comes. */

import { Details } from '../details.js';
import { h, host } from '../dom.js';
import { count } from '../format.js';
import { List } from '../list.js';
import { cells, COLUMNS, failed, opened } from '../loglines.js';
import { choice, counted, empty, pane, search, select } from '../parts.js';
import { href } from '../route.js';
import { setup } from '../setup.js';
import { View } from '../view.js';

/** How many are asked for at first, and more each time the beginning is reached. */
const PAGE = 500;
const MOST = 10_000;
/** @type {[string, string][]} */
const LEVELS = [
  ['', 'all'],
  ['info', 'info'],
  ['warn', 'warn'],
  ['error', 'error'],
];

/** @typedef {import('../api.js').Log} Log */

/** @param {Record<string, string>} query */
const address = (query) => href('logs', [], query);

export class Logs extends View {
  title = 'Logs';
  #limit = PAGE;
  #total = 0;
  #follow = true;
  /** The line that a link led to. */
  #wanted = '';
  /** @type {any} */
  #stats = null;
  /** @type {Log | null} */
  #open = null;

  /** @param {import('../main.js').Context} context */
  constructor(context) {
    super(context);
    this.details = new Details(() => this.draw());
    this.list = new List({
      label: 'Logs',
      name: 'logs',
      columns: COLUMNS,
      key: (/** @type {Log} */ log) => String(log.seq),
      row: (log) => cells(log, this.context.colours, true),
      rowClass: failed,
      open: (log) => this.#show(log),
      select: (log) => {
        this.#setFollow(false);
        if (this.#open) this.#show(log);
      },
      scrolled: () => this.#scrolled(),
    });
    this.lists = [this.list];
  }

  /** @param {import('../route.js').Route} route */
  route(route) {
    const { open = '', ...query } = route.query;
    this.#wanted = open;
    if (open) this.#follow = false;
    super.route({ ...route, query });
  }

  async refresh() {
    const { api, names } = this.context;
    const { trace, ...filter } = this.query;
    await this.ask(
      async (signal) => {
        const [found] = await Promise.all([api.logs({ ...filter, trace_id: trace, limit: this.#limit }, signal), names.refresh(signal)]);
        return { found, stats: found.total === 0 ? await api.stats(signal) : null };
      },
      ({ found, stats }) => {
        this.#total = found.total;
        this.#stats = stats;
        names.seen(found.logs.map((log) => log.service));
        this.list.set(found.logs.sort((a, b) => a.time - b.time || a.seq - b.seq));
      },
    );
    if (this.#wanted) this.#arrive();
    else if (this.#follow) this.list.toEnd();
  }

  #arrive() {
    const seq = this.#wanted;
    this.#wanted = '';
    this.#open = this.list.items.find((log) => String(log.seq) === seq) ?? null;
    this.draw();
    this.list.choose(seq);
    this.context.mark(address(this.query));
  }

  /** @param {string} key */
  key(key) {
    if (key === 'f') {
      this.#setFollow(!this.#follow);
      return true;
    }
    if (key === 'Escape' && this.#open) {
      this.#close();
      return true;
    }
    return super.key(key);
  }

  back() {
    return this.filtered ? href('logs') : null;
  }

  #scrolled() {
    if (this.list.element.scrollTop < 40 && this.list.items.length >= this.#limit && this.#limit < MOST) {
      this.#limit = Math.min(MOST, this.#limit * 2);
      void this.refresh();
    }
    if (this.#follow === this.list.atEnd) return;
    this.#follow = this.list.atEnd;
    this.draw();
  }

  /** @param {boolean} follow */
  #setFollow(follow) {
    this.#follow = follow;
    this.draw();
    if (follow) this.list.toEnd();
  }

  /** @param {Log} log */
  #show(log) {
    if (this.#open?.seq !== log.seq) this.details.reset();
    this.#open = log;
    this.#follow = false;
    this.draw();
  }

  #close() {
    this.#open = null;
    this.draw();
  }

  /** @param {string} name @param {boolean} [typed] */
  #set(name, typed = false) {
    return (value) => {
      this.#limit = PAGE;
      this.filter({ [name]: value }, address, typed);
    };
  }

  content() {
    const { text = '', level = '', service = '', trace = '' } = this.query;
    const shown = this.list.items.length;
    return [
      h(
        'div',
        { key: 'tools', class: 'tools', role: 'search', 'aria-label': 'Filter logs' },
        search('Search messages and attributes', text, this.#set('text', true)),
        choice('At least this level', level, LEVELS, this.#set('level')),
        select('Service', service, [['', 'all services'], ...this.context.names.options()], this.#set('service')),
        trace &&
          h(
            'button',
            { key: 'trace', class: 'chip', 'aria-label': 'No longer only of one trace', onclick: () => this.#set('trace')('') },
            `trace ${trace.slice(0, 8)}… ×`,
          ),
        h(
          'button',
          { key: 'follow', class: 'toggle', 'aria-pressed': String(this.#follow), onclick: () => this.#setFollow(!this.#follow) },
          'Follow',
        ),
        counted(this.loaded && (shown < this.#total ? `newest ${count(shown)} of ${count(this.#total)}` : count(this.#total))),
      ),
      this.loaded && this.#body(),
    ];
  }

  #body() {
    if (this.list.items.length === 0) {
      if (!this.filtered) return setup('No logs yet', this.context.info, this.#stats);
      return empty(
        'No line matches',
        h('p', null, h('a', { href: href('logs') }, 'Show all logs'), ' or loosen a filter. All words of a search have to be in a line.'),
      );
    }
    return h(
      'div',
      { key: 'body', class: this.#open ? 'split' : 'split alone' },
      host(this.list.element, 'list'),
      this.#open && pane('Log line', 'Log line', () => this.#close(), opened(this.#open, this.details, this.context.colours)),
    );
  }
}
