/**
 * Where it all comes together: the frame around the views, the address bar, the keys, and when to
 * ask again.
 *
 * @typedef {object} Context what a view may use
 * @property {Api} api
 * @property {Colours} colours
 * @property {Names} names
 * @property {any} info what the server says about itself, once known
 * @property {(href: string, replace?: boolean) => void} go
 * @property {(href: string) => void} mark changes the address and nothing else
 * @property {(view: string) => string} last where one was on that view
 *
 * @typedef {import('./view.js').View} View
 */

import { Api } from './api.js';
import { Colours } from './colours.js';
import { h, host, render } from './dom.js';
import { Help } from './help.js';
import { Keys } from './keys.js';
import { Live } from './live.js';
import { Names } from './names.js';
import { icon } from './parts.js';
import { href, parse, START } from './route.js';
import { Theme } from './theme.js';
import { Logs } from './views/logs.js';
import { Metrics } from './views/metrics.js';
import { Objects } from './views/s3.js';
import { Sandbox } from './views/sandbox.js';
import { Services } from './views/services.js';
import { Traces } from './views/traces.js';
import { TraceView } from './views/trace.js';

/** @type {Record<string, new (context: Context) => View>} */
const VIEWS = {
  services: Services,
  traces: Traces,
  trace: TraceView,
  metrics: Metrics,
  logs: Logs,
  s3: Objects,
  sandbox: Sandbox,
};
/** @type {[string, string][]} */
const TABS = [
  ['services', 'Services'],
  ['traces', 'Traces'],
  ['metrics', 'Metrics'],
  ['logs', 'Logs'],
  ['s3', 'S3'],
  ['sandbox', 'Sandbox'],
];
/** @type {Record<import('./live.js').State, [string, string]>} */
const STATES = {
  live: ['Live', 'Live updates. Press to pause'],
  polling: ['Polling', 'Asking every two seconds. Press to pause'],
  paused: ['Paused', 'Paused. Press to go on'],
  offline: ['No answer', 'The server does not answer. Press to pause'],
};

/** Between two looks at what the server says about itself, in milliseconds. */
const LEARN = 10_000;

class Page {
  #root = /** @type {HTMLElement} */ (document.getElementById('page'));
  /** @type {View | null} */
  #view = null;
  #name = '';
  /** Views that were seen keep their place. @type {Map<string, View>} */
  #views = new Map();
  /** @type {Map<string, string>} */
  #addresses = new Map();
  #learnt = -Infinity;

  constructor() {
    this.theme = new Theme(() => this.#draw());
    this.help = new Help();
    const api = new Api((ok) => this.live.answered(ok));
    this.live = new Live(
      (told, lost) => api.stream(told, lost),
      () => this.#refresh(),
      () => this.#draw(),
    );
    /** @type {Context} */
    this.context = {
      api,
      colours: new Colours(),
      names: new Names(api),
      info: null,
      go: (address, replace) => this.#go(address, replace),
      mark: (address) => this.#mark(address),
      last: (view) => this.#addresses.get(view) ?? href(view),
    };
    const keys = new Keys({
      go: (view) => this.#go(href(view)),
      view: (key) => this.#view?.key(key) ?? false,
      page: {
        '/': () => this.#search(),
        '?': () => this.help.toggle(),
        p: () => this.live.toggle(),
        d: () => this.#toggleTheme(),
        Escape: () => this.#back(),
      },
    });
    addEventListener('keydown', (event) => keys.handle(event));
    addEventListener('hashchange', () => this.#arrive());
  }

  start() {
    this.#arrive();
    this.live.start();
  }

  /** What there is beside telemetry; a sandbox may come up later. */
  async #learn() {
    if (performance.now() - this.#learnt < LEARN) return;
    this.#learnt = performance.now();
    const info = await this.context.api.info().catch(() => null);
    const before = JSON.stringify(this.context.info);
    if (!info || JSON.stringify(info) === before) return;
    this.context.info = info;
    this.#draw();
    this.#view?.draw();
  }

  /** @param {string} address @param {boolean} [replace] */
  #go(address, replace = false) {
    if (!replace) {
      location.hash = address;
      return;
    }
    this.#mark(address);
    this.#arrive();
  }

  /** @param {string} address */
  #mark(address) {
    history.replaceState(null, '', address);
    this.#addresses.set(this.#name, address);
  }

  #back() {
    const address = this.#view?.back();
    if (address) this.#go(address);
  }

  #search() {
    /** @type {HTMLInputElement | null} */
    const field = this.#root.querySelector('[data-search]');
    field?.focus();
    field?.select();
  }

  #toggleTheme() {
    this.theme.toggle();
    this.#draw();
  }

  #arrive() {
    const route = parse(location.hash);
    const name = Object.hasOwn(VIEWS, route.view) ? route.view : START;
    const view = this.#views.get(name) ?? new VIEWS[name](this.context);
    if (view !== this.#view) this.#view?.leave();
    this.#views.set(name, view);
    this.#view = view;
    this.#name = name;
    this.#addresses.set(name, location.hash || href(name));
    view.route(route);
    this.#draw();
    void this.#refresh();
  }

  async #refresh() {
    const view = this.#view;
    await Promise.all([view?.refresh(), this.#learn()]);
    if (view === this.#view) this.#entitle();
  }

  #entitle() {
    document.title = `${this.#view?.title} · sandbox`;
  }

  #draw() {
    this.#entitle();
    const here = this.#name === 'trace' ? 'traces' : this.#name;
    const [state, meaning] = STATES[this.live.state];
    const dark = this.theme.dark;
    render(
      this.#root,
      h(
        'header',
        { key: 'top', class: 'top' },
        h('a', { class: 'brand', href: href('services') }, 'sandbox'),
        h(
          'nav',
          { class: 'tabs', 'aria-label': 'Views' },
          TABS.filter(([view]) => view !== 'sandbox' || this.context.info?.sandbox).map(([view, title]) =>
            h('a', { key: view, href: href(view), 'aria-current': view === here ? 'page' : null }, title),
          ),
        ),
        h(
          'div',
          { class: 'controls' },
          h(
            'button',
            {
              class: `live ${this.live.state}`,
              'aria-pressed': String(this.live.state === 'paused'),
              'aria-label': meaning,
              title: `${meaning} (p)`,
              onclick: () => this.live.toggle(),
            },
            h('i', { class: 'dot' }),
            h('span', null, state),
          ),
          h(
            'button',
            {
              class: 'bare',
              'aria-label': dark ? 'Switch to light' : 'Switch to dark',
              title: dark ? 'Light (d)' : 'Dark (d)',
              onclick: () => this.#toggleTheme(),
            },
            icon(dark ? 'light' : 'dark', ''),
          ),
          h(
            'button',
            { class: 'bare', 'aria-label': 'Help: keys', title: 'Keys (?)', onclick: () => this.help.toggle() },
            icon('help', ''),
          ),
        ),
      ),
      h('main', { key: 'main' }, this.#view && host(this.#view.element, this.#name)),
    );
  }
}

new Page().start();
