/** The keys, in a dialog. */

import { h, render } from './dom.js';
import { HELP } from './keys.js';
import { icon } from './parts.js';

export class Help {
  #dialog = document.createElement('dialog');

  constructor() {
    this.#dialog.setAttribute('aria-label', 'Keys');
    document.body.append(this.#dialog);
  }

  toggle() {
    if (this.#dialog.open) {
      this.#dialog.close();
      return;
    }
    render(
      this.#dialog,
      h(
        'header',
        null,
        h('h2', null, 'Keys'),
        h('button', { class: 'bare', 'aria-label': 'Close', onclick: () => this.#dialog.close() }, icon('close', '')),
      ),
      h(
        'dl',
        { class: 'keys' },
        HELP.map(([keys, meaning]) =>
          h(
            'div',
            { key: keys },
            h(
              'dt',
              null,
              keys.split(/ +/).map((key) => h('kbd', null, key)),
            ),
            h('dd', null, meaning),
          ),
        ),
      ),
    );
    this.#dialog.showModal();
  }
}
