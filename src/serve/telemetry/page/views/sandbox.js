/** The sandbox that this runs in: its parts, its checks, where to click. */

import { asText } from '../details.js';
import { h } from '../dom.js';
import { ago, duration } from '../format.js';
import { empty } from '../parts.js';
import { View } from '../view.js';

/** What each word means for the eye; any other word is shown as it is. */
const STATES = new Map([
  ['ready', 'good'],
  ['passed', 'good'],
  ['failed', 'bad'],
  ['starting', 'warn'],
  ['running', 'warn'],
]);
/** Keys with a place of their own. */
const KNOWN = ['name', 'profile', 'updated_ms', 'parts', 'checks', 'urls'];

export class Sandbox extends View {
  title = 'Sandbox';
  /** @type {any} */
  #sandbox = null;

  /** @param {import('../main.js').Context} context */
  constructor(context) {
    super(context);
    this.element.classList.add('page');
  }

  async refresh() {
    await this.ask(
      async (signal) => ({ sandbox: await this.context.api.sandbox(signal) }),
      ({ sandbox }) => {
        this.#sandbox = sandbox;
      },
    );
  }

  content() {
    if (!this.loaded) return null;
    const sandbox = this.#sandbox;
    if (sandbox === null) {
      return empty(
        'Not in a sandbox',
        h(
          'p',
          null,
          'This collector runs by itself. In a cluster made by ',
          h('code', null, 'sandbox up'),
          ' its parts and checks are shown here.',
        ),
      );
    }
    const rest = Object.entries(sandbox).filter(([name]) => !KNOWN.includes(name));
    return [
      h('h1', { key: 'name' }, asText(sandbox.name) || 'Sandbox'),
      h(
        'p',
        { key: 'facts', class: 'facts-line' },
        sandbox.profile && h('span', null, `profile ${asText(sandbox.profile)}`),
        sandbox.updated_ms && h('span', null, `as of ${ago(Number(sandbox.updated_ms))}`),
      ),
      urls(rows(sandbox.urls)),
      h(
        'div',
        { key: 'tables', class: 'tables' },
        table('Checks', rows(sandbox.checks), 'run them with `sandbox test`'),
        table('Parts', rows(sandbox.parts), 'nothing is reported'),
      ),
      rest.length > 0 &&
        h(
          'section',
          { key: 'rest', class: 'facts' },
          h('h2', null, 'More'),
          h(
            'dl',
            null,
            rest.map(([name, value]) => h('div', { key: name }, h('dt', null, name), h('dd', null, asText(value)))),
          ),
        ),
    ];
  }
}

/** @param {any[]} entries */
function urls(entries) {
  const usable = entries.filter((entry) => /^https?:\/\//.test(String(entry.url)));
  if (usable.length === 0) return null;
  return h(
    'ul',
    { key: 'urls', class: 'urls' },
    usable.map(({ name, url }) =>
      h(
        'li',
        { key: url },
        name && h('span', { class: 'muted' }, asText(name)),
        h('a', { href: String(url), rel: 'noreferrer', target: '_blank' }, String(url)),
      ),
    ),
  );
}

/**
 * @param {string} title
 * @param {any[]} entries
 * @param {string} none
 */
function table(title, entries, none) {
  const bad = entries.filter((entry) => STATES.get(entry.state) === 'bad').length;
  return h(
    'section',
    { key: title },
    h('h2', null, title, h('small', null, bad > 0 ? `${bad} of ${entries.length} failed` : entries.length > 0 && `${entries.length}`)),
    entries.length === 0
      ? h('p', { class: 'muted' }, `None: ${none}.`)
      : h(
          'ul',
          { class: 'states' },
          entries.map((entry, index) =>
            h(
              'li',
              { key: `${index} ${entry.name}` },
              h('span', { class: `state ${STATES.get(entry.state) ?? 'muted'}` }, asText(entry.state)),
              h('b', null, asText(entry.name)),
              h(
                'small',
                null,
                [asText(entry.kind), Number.isFinite(entry.duration_ms) ? duration(entry.duration_ms * 1e6) : '']
                  .filter(Boolean)
                  .join(' · '),
              ),
              entry.detail && h('p', null, asText(entry.detail)),
            ),
          ),
        ),
  );
}

/** @param {unknown} value @returns {any[]} */
function rows(value) {
  return Array.isArray(value) ? value.filter((entry) => entry !== null && typeof entry === 'object') : [];
}
