/** Dark or light: as the system has it until somebody chooses, which is remembered. */

const KEY = 'sandbox-theme';

export class Theme {
  #root = document.documentElement;
  #system = matchMedia('(prefers-color-scheme: dark)');

  /** @param {() => void} changed */
  constructor(changed) {
    const chosen = remembered();
    if (chosen) this.#root.dataset.theme = chosen;
    this.#system.addEventListener('change', changed);
  }

  get dark() {
    return (this.#root.dataset.theme ?? (this.#system.matches ? 'dark' : 'light')) === 'dark';
  }

  toggle() {
    const wanted = this.dark ? 'light' : 'dark';
    this.#root.dataset.theme = wanted;
    try {
      localStorage.setItem(KEY, wanted);
    } catch {
      // Storage may be forbidden; then the choice lasts as long as the page.
    }
  }
}

function remembered() {
  try {
    const value = localStorage.getItem(KEY);
    return value === 'dark' || value === 'light' ? value : null;
  } catch {
    return null;
  }
}
