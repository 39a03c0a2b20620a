/** Small things that several views are built from. Each is a pure description. */

import { h, svg } from './dom.js';

/** @typedef {import('./dom.js').Content} Content */

/**
 * Times that can be looked at: value, label, seconds, step of a plot in seconds.
 *
 * @type {[string, string, number, number][]}
 */
const RANGES = [
  ['5m', 'last 5 min', 300, 5],
  ['15m', 'last 15 min', 900, 10],
  ['1h', 'last hour', 3600, 30],
  ['6h', 'last 6 hours', 21_600, 180],
  ['24h', 'last 24 hours', 86_400, 600],
];
const USUAL = RANGES[1];

/** @param {string | undefined} value one that is offered; otherwise it is a quarter of an hour */
export function range(value) {
  return RANGES.find(([name]) => name === value) ?? USUAL;
}

/** @param {string | undefined} value @param {(value: string) => void} changed */
export function rangeSelect(value, changed) {
  const options = RANGES.map(([name, title]) => /** @type {[string, string]} */ ([name, title]));
  return select('Time range', range(value)[0], options, (name) => changed(name === USUAL[0] ? '' : name));
}

/**
 * The field that `/` goes to.
 *
 * @param {string} label
 * @param {string} value
 * @param {(value: string) => void} changed
 */
export function search(label, value, changed) {
  return field(label, label, value, changed, { type: 'search', class: 'search', 'data-search': true });
}

/**
 * @param {string} label
 * @param {string} placeholder
 * @param {string} value
 * @param {(value: string) => void} changed
 * @param {Record<string, any>} [more] attributes
 */
export function field(label, placeholder, value, changed, more) {
  return h('input', {
    key: label,
    class: 'short',
    'aria-label': label,
    placeholder,
    autocomplete: 'off',
    spellcheck: 'false',
    value,
    oninput: typed(changed),
    ...more,
  });
}

/**
 * How much of it is shown, for whoever cannot see how the list changed.
 *
 * @param {import('./dom.js').Content} text
 */
export function counted(text) {
  return h('span', { key: 'count', class: 'count', role: 'status' }, text);
}

/**
 * @param {string} label
 * @param {string} value
 * @param {[string, string][]} options value and what it is called
 * @param {(value: string) => void} changed
 */
export function select(label, value, options, changed) {
  const known = options.some(([name]) => name === value);
  const all = known ? options : [...options, /** @type {[string, string]} */ ([value, value])];
  return h(
    'select',
    { key: label, 'aria-label': label, value, onchange: typed(changed) },
    all.map(([name, title]) => h('option', { key: name, value: name }, title)),
  );
}

/**
 * One of a few, all in sight.
 *
 * @param {string} label
 * @param {string} value
 * @param {[string, string][]} options
 * @param {(value: string) => void} changed
 */
export function choice(label, value, options, changed) {
  return h(
    'div',
    { key: label, class: 'choice', role: 'group', 'aria-label': label },
    options.map(([name, title]) => h('button', { key: name, 'aria-pressed': String(name === value), onclick: () => changed(name) }, title)),
  );
}

/** A service with its colour. @param {import('./colours.js').Colours} colours @param {string} name */
export function service(colours, name) {
  return h('span', { class: `service ${colours.of(name)}` }, h('i', { class: 'swatch' }), h('b', null, name || 'no service'));
}

/** A drawing; without a label it only decorates. @param {string} name @param {string} label */
export function icon(name, label) {
  return svg(
    'svg',
    {
      class: 'icon',
      viewBox: '0 0 16 16',
      width: 16,
      height: 16,
      ...(label ? { role: 'img', 'aria-label': label } : { 'aria-hidden': 'true' }),
    },
    svg('path', { d: ICONS[name] }),
  );
}

/** Strokes on a field of 16 by 16. @type {Record<string, string>} */
const ICONS = {
  dark: 'M13 9.5A5.5 5.5 0 0 1 6.5 3 5.5 5.5 0 1 0 13 9.5Z',
  light: 'M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6ZM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1',
  help: 'M5.7 5.8a2.3 2.3 0 1 1 3.4 2c-.8.4-1.1.9-1.1 1.7M8 12v.4',
  close: 'M4 4l8 8M12 4l-8 8',
  folder: 'M2 4.5h4l1.5 1.5H14v6.5H2Z',
  file: 'M4 2h5l3 3v9H4ZM9 2v3h3',
};

/**
 * What stands in for a list without rows.
 *
 * @param {string} title
 * @param {...Content} content
 */
export function empty(title, ...content) {
  return h('div', { key: 'empty', class: 'empty' }, h('h2', null, title), content);
}

/**
 * Lines to copy.
 *
 * @param {string} label
 * @param {string} text
 */
export function snippet(label, text) {
  return h(
    'figure',
    { class: 'snippet' },
    h('figcaption', null, label, copy(text, `Copy: ${label}`)),
    h('pre', { tabindex: 0, role: 'group', 'aria-label': label }, text),
  );
}

/** @param {string} text @param {string} label */
export function copy(text, label) {
  return h(
    'button',
    {
      class: 'plain',
      'aria-label': label,
      onclick: async (event) => {
        const button = /** @type {HTMLButtonElement} */ (event.currentTarget);
        const done = await navigator.clipboard?.writeText(text).then(
          () => true,
          () => false,
        );
        button.dataset.done = done ? 'copied' : 'not allowed';
        setTimeout(() => delete button.dataset.done, 1500);
      },
    },
    'copy',
  );
}

/** @param {string} message */
export function problem(message) {
  return h('p', { key: 'problem', class: 'problem', role: 'alert' }, message);
}

/** Of a heading only the beginning can be in sight. */
const TITLE = 200;

/**
 * The sheet beside a list that shows one of its rows.
 *
 * @param {string} label
 * @param {string} heading
 * @param {() => void} close
 * @param {...Content} content
 */
export function pane(label, heading, close, ...content) {
  return h(
    'aside',
    { key: 'pane', class: 'pane', 'aria-label': label, tabindex: 0 },
    h(
      'header',
      null,
      h('h2', null, heading.slice(0, TITLE)),
      h('button', { class: 'bare', 'aria-label': 'Close', onclick: close }, icon('close', '')),
    ),
    content,
  );
}

/** @param {(value: string) => void} changed */
function typed(changed) {
  return (event) => changed(/** @type {HTMLInputElement} */ (event.target).value);
}
