/**
 * Which colour a service has: the same name keeps its own on every view of a visit. The style sheet
 * decides what that colour is in the light and in the dark.
 */

const COLOURS = 10;
/** A store full of names must not make the table grow without end. */
const REMEMBERED = 1000;

export class Colours {
  /** @type {Map<string, number>} */
  #taken = new Map();

  /**
   * The class that sets `--colour`. As long as there are colours left no two names share one.
   *
   * @param {string} name
   */
  of(name) {
    let index = this.#taken.get(name);
    if (index === undefined) {
      index = hash(name) % COLOURS;
      const used = new Set(this.#taken.values());
      for (let step = 0; used.has(index) && step < COLOURS; step += 1) index = (index + 1) % COLOURS;
      if (this.#taken.size < REMEMBERED) this.#taken.set(name, index);
    }
    return nth(index);
  }
}

/** The class of the n-th line of a plot. @param {number} index */
export function nth(index) {
  return `c${index % COLOURS}`;
}

/** @param {string} text */
function hash(text) {
  let value = 2166136261;
  for (const char of text) value = Math.imul(value ^ (char.codePointAt(0) ?? 0), 16777619);
  return value >>> 0;
}
