/**
 * A list of any length of which only the rows in sight exist, all of the height that the style sheet
 * sets as `--row`. Owns scrolling and the selected row; what a row shows is the caller's.
 *
 * @template Item
 * @typedef {object} Options
 * @property {string} label what a screen reader calls it
 * @property {string} name the class that lays out its columns
 * @property {[string, string][]} columns class and heading of each column
 * @property {(item: Item) => string} key tells rows apart
 * @property {(item: Item) => import('./dom.js').Content[]} row the cells
 * @property {(item: Item) => string} [rowClass]
 * @property {(item: Item) => Record<string, any>} [rowAttrs] further attributes, such as a level
 * @property {(item: Item) => void} open a click or Enter
 * @property {(item: Item) => void} [select] the selected row became another
 * @property {(item: Item, key: string) => boolean} [keydown] whether the row used the key
 * @property {string} [role] `grid` unless said
 * @property {() => void} [scrolled]
 */

import { h, render } from './dom.js';

const OVERSCAN = 6;

/** A cell of a row. @param {string} name its class @param {...import('./dom.js').Content} content */
export function cell(name, ...content) {
  return h('span', { class: name, role: 'gridcell' }, content);
}

/** @template Item */
export class List {
  /** @type {Item[]} */
  items = [];
  /** @type {string | null} */
  selected = null;
  /** Kept, as an element that leaves the page forgets it. */
  #top = 0;
  #first = 0;
  #last = 0;
  #frame = 0;

  /** @param {Options<Item>} options */
  constructor(options) {
    this.options = options;
    this.element = document.createElement('div');
    this.element.className = `list ${options.name}`;
    this.element.addEventListener('scroll', () => {
      this.#top = this.element.scrollTop;
      options.scrolled?.();
      this.#soon();
    });
    new ResizeObserver(() => {
      if (this.element.clientHeight > 0) this.element.scrollTop = this.#top;
      this.#soon();
    }).observe(this.element);
  }

  get rowHeight() {
    return parseFloat(getComputedStyle(this.element).getPropertyValue('--row')) || 32;
  }

  /** Whether the last row is in sight. */
  get atEnd() {
    const { scrollTop, scrollHeight, clientHeight } = this.element;
    return scrollTop + clientHeight >= scrollHeight - 4;
  }

  toEnd() {
    this.element.scrollTop = this.element.scrollHeight;
    this.show();
  }

  /**
   * New contents. What one is reading stays where it is, unless it is the very beginning.
   *
   * @param {Item[]} items
   */
  set(items) {
    const height = this.rowHeight;
    const top = this.element.scrollTop;
    const index = Math.floor(top / height);
    const anchor = top > 0 && this.items[index] ? this.options.key(this.items[index]) : null;
    this.items = items;
    this.show();
    if (anchor === null) return;
    const now = items.findIndex((item) => this.options.key(item) === anchor);
    if (now >= 0 && now !== index) {
      this.element.scrollTop = top + (now - index) * height;
      this.show();
    }
  }

  /** @param {string} key */
  handle(key) {
    const page = Math.max(1, Math.floor(this.element.clientHeight / this.rowHeight) - 1);
    const item = this.current;
    if (item && this.options.keydown?.(item, key)) return true;
    if (key === 'j' || key === 'ArrowDown') return this.#move(1);
    if (key === 'k' || key === 'ArrowUp') return this.#move(-1);
    if (key === 'PageDown') return this.#move(page);
    if (key === 'PageUp') return this.#move(-page);
    if (key === 'Home') return this.#move(-this.items.length);
    if (key === 'End') return this.#move(this.items.length);
    if (key === 'Enter' && item) {
      this.options.open(item);
      return true;
    }
    return false;
  }

  /** @returns {Item | undefined} */
  get current() {
    return this.items.find((item) => this.options.key(item) === this.selected);
  }

  /** Selects a row and brings it into sight. @param {string | null} key */
  choose(key) {
    this.selected = key;
    const index = this.items.findIndex((item) => this.options.key(item) === key);
    if (index >= 0) this.#reveal(index);
    this.show();
  }

  /** @param {number} by */
  #move(by) {
    if (this.items.length === 0) return false;
    const now = this.items.findIndex((item) => this.options.key(item) === this.selected);
    const start = now < 0 ? (by > 0 ? -1 : this.items.length) : now;
    const index = Math.min(this.items.length - 1, Math.max(0, start + by));
    const item = this.items[index];
    // So that a screen reader says which row it is.
    this.element.focus({ preventScroll: true });
    this.choose(this.options.key(item));
    this.options.select?.(item);
    return true;
  }

  /** @param {number} index */
  #reveal(index) {
    const height = this.rowHeight;
    const head = this.#head();
    const { scrollTop, clientHeight } = this.element;
    const top = index * height;
    if (top < scrollTop) this.element.scrollTop = top;
    else if (top + height > scrollTop + clientHeight - head) {
      this.element.scrollTop = top + height - clientHeight + head;
    }
  }

  #head() {
    return /** @type {HTMLElement | null} */ (this.element.firstElementChild)?.offsetHeight ?? 0;
  }

  #soon() {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.show());
  }

  show() {
    const { options, items } = this;
    const height = this.rowHeight;
    const top = this.element.scrollTop;
    this.#first = Math.max(0, Math.min(items.length, Math.floor(top / height) - OVERSCAN));
    const visible = Math.ceil((this.element.clientHeight || 600) / height) + 2 * OVERSCAN;
    this.#last = Math.min(items.length, this.#first + visible);
    const element = this.element;
    element.setAttribute('role', options.role ?? 'grid');
    element.setAttribute('aria-label', options.label);
    element.setAttribute('aria-rowcount', String(items.length + 1));
    element.tabIndex = 0;
    const active = this.selected === null ? -1 : this.#position(this.selected);
    if (active < 0) element.removeAttribute('aria-activedescendant');
    else element.setAttribute('aria-activedescendant', `${options.name}-${active}`);
    render(
      element,
      h(
        'div',
        { class: 'head', role: 'row', 'aria-rowindex': 1 },
        options.columns.map(([name, title]) => h('span', { class: name, role: 'columnheader' }, title)),
      ),
      h(
        'div',
        { class: 'space', role: 'rowgroup', style: { height: `${items.length * height}px` } },
        items.slice(this.#first, this.#last).map((item, offset) => this.#row(item, this.#first + offset, height)),
      ),
    );
  }

  /** Only what is in sight can be the active descendant. @param {string} key */
  #position(key) {
    for (let index = this.#first; index < this.#last; index += 1) {
      if (this.options.key(this.items[index]) === key) return index;
    }
    return -1;
  }

  /**
   * @param {Item} item
   * @param {number} index
   * @param {number} height
   */
  #row(item, index, height) {
    const { options } = this;
    const key = options.key(item);
    return h(
      'div',
      {
        key,
        id: `${options.name}-${index}`,
        role: 'row',
        class: `row ${options.rowClass?.(item) ?? ''}`,
        'aria-rowindex': index + 2,
        'aria-selected': key === this.selected ? 'true' : 'false',
        style: { top: `${index * height}px` },
        onclick: (event) => this.#click(event, item),
        ...options.rowAttrs?.(item),
      },
      options.row(item),
    );
  }

  /**
   * @param {MouseEvent} event
   * @param {Item} item
   */
  #click(event, item) {
    // A link, a button or selected text in the row is meant itself.
    if (/** @type {Element} */ (event.target).closest('a, button')) return;
    if (String(getSelection())) return;
    this.selected = this.options.key(item);
    this.show();
    this.options.open(item);
  }
}
