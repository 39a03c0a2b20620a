/** Names and values, one under the other: what a span, a log line or an object carries. */

import { h } from './dom.js';

/** Longer values are cut until somebody asks. */
const SHOWN = 2000;

export class Details {
  /** Values that are shown in full. @type {Set<string>} */
  #open = new Set();

  /** @param {() => void} changed */
  constructor(changed) {
    this.changed = changed;
  }

  /** Another thing is looked at. */
  reset() {
    this.#open.clear();
  }

  /**
   * A table with a heading; nothing when there is nothing to say.
   *
   * @param {string} title
   * @param {[string, unknown][]} entries
   */
  table(title, entries) {
    if (entries.length === 0) return null;
    return h(
      'section',
      { key: title, class: 'facts' },
      h('h3', null, title),
      h(
        'dl',
        null,
        entries.map(([name, value], index) => {
          const key = `${title} ${index} ${name}`;
          return h('div', { key }, h('dt', null, name), h('dd', null, this.#value(key, value)));
        }),
      ),
    );
  }

  /**
   * @param {string} key
   * @param {unknown} value
   */
  #value(key, value) {
    const text = asText(value);
    if (text.length <= SHOWN || this.#open.has(key)) return text;
    return [
      `${text.slice(0, SHOWN)}… `,
      h(
        'button',
        {
          class: 'plain',
          onclick: () => {
            this.#open.add(key);
            this.changed();
          },
        },
        `show all ${text.length} characters`,
      ),
    ];
  }
}

/** Strings as they are, everything else as JSON. @param {unknown} value */
export function asText(value) {
  if (typeof value === 'string') return value;
  if (value === null || value === undefined) return '';
  return typeof value === 'object' ? JSON.stringify(value, null, 1) : String(value);
}
