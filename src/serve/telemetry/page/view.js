/** What all views have in common: asking, showing what went wrong, filters in the address. */

import { Latest } from './api.js';
import { render } from './dom.js';
import { problem } from './parts.js';

/** A filter counts when the typing has stopped for this long, in milliseconds. */
const TYPING = 250;

/** @typedef {import('./dom.js').Content} Content */

export class View {
  /** Of the window. */
  title = '';
  element = document.createElement('section');
  /** The filters. @type {Record<string, string>} */
  query = {};
  /** Whether an answer has come since the address named something else. */
  loaded = false;
  /** @type {import('./list.js').List<any>[]} */
  lists = [];
  #latest = new Latest();
  #problem = '';
  #typing = 0;

  /** @param {import('./main.js').Context} context */
  constructor(context) {
    this.context = context;
    this.element.className = 'view';
  }

  /** What there is to see. @returns {Content} */
  content() {
    return null;
  }

  /** Asks the server again. */
  async refresh() {}

  /** The address became another one of this view. @param {import('./route.js').Route} route */
  route(route) {
    this.query = route.query;
    this.draw();
  }

  /** Whether the key meant something here. @param {string} key */
  key(key) {
    return this.lists[0]?.handle(key) ?? false;
  }

  /** Where Escape leads. @returns {string | null} */
  back() {
    return null;
  }

  /** Another view comes into sight. */
  leave() {
    clearTimeout(this.#typing);
    this.#latest.cancel();
  }

  /**
   * @template T
   * @param {(signal: AbortSignal) => Promise<T>} question
   * @param {(answer: T) => void} take
   */
  async ask(question, take) {
    try {
      const answer = await this.#latest.ask(question);
      if (answer === undefined) return;
      this.#problem = '';
      this.loaded = true;
      take(answer);
    } catch (error) {
      this.#problem = String(/** @type {Error} */ (error).message);
    }
    this.draw();
  }

  /**
   * Puts a change of the filters into the address `to` gives, from where it comes back.
   *
   * @param {Record<string, string>} change
   * @param {(query: Record<string, string>) => string} to
   * @param {boolean} [typed] waits until the typing stops
   */
  filter(change, to, typed = false) {
    this.query = { ...this.query, ...change };
    this.draw();
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => this.context.go(to(this.query), true), typed ? TYPING : 0);
  }

  get filtered() {
    return Object.values(this.query).some(Boolean);
  }

  draw() {
    render(this.element, this.#problem && problem(this.#problem), this.content());
    for (const list of this.lists) list.show();
  }
}
