/** The names of the services, for the fields that filter by one. */

/** Between two times that all of them are asked for, in milliseconds. */
const FRESH = 30_000;

export class Names {
  /** @type {Set<string>} */
  #names = new Set();
  #asked = -Infinity;

  /** @param {import('./api.js').Api} api */
  constructor(api) {
    this.api = api;
  }

  /** @param {AbortSignal} signal */
  async refresh(signal) {
    if (performance.now() - this.#asked < FRESH) return;
    const { services } = await this.api.services('24h', signal);
    this.#asked = performance.now();
    this.#names = new Set(services.map((service) => service.name));
  }

  /** Names that came by otherwise. @param {string[]} names */
  seen(names) {
    for (const name of names) if (name) this.#names.add(name);
  }

  /** @returns {[string, string][]} */
  options() {
    return [...this.#names].sort().map((name) => [name, name]);
  }
}
