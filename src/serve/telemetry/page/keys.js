/**
 * From a key press to what it means. Knows two-key combinations (`g t`) and leaves everything to
 * the browser that is typed into a field or held with a modifier.
 */

/** Where `g` and a letter lead. @type {Record<string, string>} */
const PLACES = { s: 'services', t: 'traces', m: 'metrics', l: 'logs', o: 's3', b: 'sandbox' };

/** For the help, in its order. @type {[string, string][]} */
export const HELP = [
  ['/', 'search'],
  ['j  k', 'next, previous row'],
  ['Enter', 'open'],
  ['Esc', 'back, close, leave a field'],
  ['h  l', 'fold, unfold a span'],
  ['g s', 'services'],
  ['g t', 'traces'],
  ['g m', 'metrics'],
  ['g l', 'logs'],
  ['g o', 'S3 objects'],
  ['g b', 'sandbox'],
  ['f', 'follow the logs'],
  ['p', 'pause, go on'],
  ['d', 'dark, light'],
  ['?', 'this help'],
];

/** What scrolls a pane that has the focus. */
const SCROLLS = /^(Arrow(Up|Down)|Page(Up|Down)|Home|End)$/;

/** How long `g` waits for its letter, in milliseconds. */
const PATIENCE = 1500;

export class Keys {
  #since = -Infinity;

  /**
   * @param {object} actions
   * @param {(view: string) => void} actions.go
   * @param {(key: string) => boolean} actions.view what the view makes of a key
   * @param {Record<string, () => void>} actions.page keys that mean the same everywhere
   */
  constructor(actions) {
    this.actions = actions;
  }

  /** @param {KeyboardEvent} event */
  handle(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const target = /** @type {HTMLElement} */ (event.target);
    if (target.closest('dialog')) return;
    if (target.matches('input, select, textarea')) {
      if (event.key === 'Escape') target.blur();
      return;
    }
    // A button or a link is pressed by Enter itself.
    if (event.key === 'Enter' && target.matches('a, button, summary')) return;
    if (SCROLLS.test(event.key) && target.closest('.pane')) return;
    if (this.#meaning(event.key)) event.preventDefault();
  }

  /** @param {string} key */
  #meaning(key) {
    const place = performance.now() - this.#since < PATIENCE ? PLACES[key] : undefined;
    this.#since = -Infinity;
    if (place) {
      this.actions.go(place);
      return true;
    }
    if (key === 'g') {
      this.#since = performance.now();
      return true;
    }
    if (this.actions.view(key)) return true;
    const action = Object.hasOwn(this.actions.page, key) ? this.actions.page[key] : undefined;
    action?.();
    return action !== undefined;
  }
}
