/**
 * Says when there is something new: told by the server's event stream or, while that does not
 * answer, by asking every two seconds. Silent while paused or while nobody looks.
 *
 * @typedef {'live' | 'polling' | 'paused' | 'offline'} State
 */

/** Between two looks when there is no stream, in milliseconds. */
const POLL = 2000;
/** Between two attempts at a stream. */
const RETRY = 5000;
/** Between two rounds of questions while the stream is busy. */
const QUIET = 700;
/** After this long something is asked all the same: times grow old, and a dead stream is silent. */
const STALE = 10_000;

export class Live {
  /** @type {State} */
  state = 'polling';
  /** @type {(() => void) | null} */
  #stop = null;
  #last = 0;
  #due = 0;
  #retry = 0;
  #poll = 0;

  /**
   * @param {(told: () => void, lost: () => void) => () => void} stream opens the event stream
   * @param {() => Promise<unknown>} changed asks again
   * @param {() => void} shown the state became another
   */
  constructor(stream, changed, shown) {
    this.stream = stream;
    this.changed = changed;
    this.shown = shown;
    // A browser has few connections to one server: a hidden page gives its own back.
    document.addEventListener('visibilitychange', () => {
      if (this.state === 'paused') return;
      this.#disconnect();
      if (document.hidden) return;
      this.#connect();
      this.#tell();
    });
  }

  start() {
    this.#become('polling');
    this.#connect();
    this.#schedulePoll();
  }

  toggle() {
    if (this.state === 'paused') {
      this.start();
      this.#tell();
      return;
    }
    this.#become('paused');
    this.#disconnect();
    clearTimeout(this.#poll);
    clearTimeout(this.#due);
    this.#due = 0;
  }

  /** How the last question went, whoever asked it. @param {boolean} ok */
  answered(ok) {
    if (this.state === 'paused') return;
    if (!ok) this.#become('offline');
    else if (this.state === 'offline') this.#become('polling');
  }

  #connect() {
    clearTimeout(this.#retry);
    this.#stop = this.stream(
      () => {
        this.#become('live');
        this.#tell();
      },
      () => {
        this.#disconnect();
        if (this.state === 'live') this.#become('polling');
        this.#retry = setTimeout(() => this.#connect(), RETRY);
      },
    );
  }

  #disconnect() {
    clearTimeout(this.#retry);
    this.#stop?.();
    this.#stop = null;
  }

  #schedulePoll() {
    clearTimeout(this.#poll);
    this.#poll = setTimeout(() => {
      if (this.state !== 'live' || Date.now() - this.#last > STALE) this.#tell();
      if (this.state !== 'paused') this.#schedulePoll();
    }, POLL);
  }

  /** One round of questions now, or as soon as the last one is long enough ago. */
  #tell() {
    if (this.#due || document.hidden) return;
    const wait = Math.max(0, this.#last + QUIET - Date.now());
    this.#due = setTimeout(async () => {
      try {
        await this.changed();
      } finally {
        this.#last = Date.now();
        this.#due = 0;
      }
    }, wait);
  }

  /** @param {State} state */
  #become(state) {
    if (this.state === state) return;
    this.state = state;
    this.shown();
  }
}
