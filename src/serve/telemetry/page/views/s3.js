/** Buckets of the mock S3, their folders and their objects. */

import { Details } from '../details.js';
import { h, host } from '../dom.js';
import { bytes, count, dateTime, plural } from '../format.js';
import { cell, List } from '../list.js';
import { known } from '../loglines.js';
import { counted, empty, icon, pane, search } from '../parts.js';
import { href } from '../route.js';
import { View } from '../view.js';

/** How many are asked for at first, and more each time the end is reached. */
const PAGE = 500;
const MOST = 10_000;
/** What is known of an object and has a line of its own. */
const SHOWN = ['key', 'size', 'modified', 'modified_ms', 'metadata'];

/**
 * A folder, an object or a bucket.
 *
 * @typedef {{key: string, name: string, folder: boolean, size: number, modified: number, item: any}} Entry
 */

export class Objects extends View {
  title = 'S3';
  #bucket = '';
  /** The folder, with its last slash. */
  #prefix = '';
  #limit = PAGE;
  #more = false;
  #absent = false;
  /** @type {Entry | null} */
  #open = null;

  /** @param {import('../main.js').Context} context */
  constructor(context) {
    super(context);
    this.details = new Details(() => this.draw());
    this.list = new List({
      label: 'Buckets and objects',
      name: 'objects',
      columns: [
        ['name', 'Name'],
        ['figure size', 'Size'],
        ['modified', 'Modified'],
        ['get', ''],
      ],
      key: (/** @type {Entry} */ entry) => entry.key,
      row: (entry) => this.#row(entry),
      open: (entry) => this.#enter(entry),
      select: (entry) => {
        if (this.#open && !entry.folder) this.#enter(entry);
      },
      scrolled: () => {
        if (!this.list.atEnd || !this.#more || this.#limit >= MOST) return;
        this.#limit = Math.min(MOST, this.#limit * 2);
        void this.refresh();
      },
    });
    this.lists = [this.list];
  }

  /** @param {import('../route.js').Route} route */
  route(route) {
    const [bucket = '', prefix = ''] = route.path;
    if (bucket !== this.#bucket || prefix !== this.#prefix) {
      this.#bucket = bucket;
      this.#prefix = prefix;
      this.#open = null;
      this.#limit = PAGE;
      this.list.selected = null;
      this.list.set([]);
      this.loaded = false;
    }
    this.title = [bucket, prefix].filter(Boolean).join('/') || 'S3';
    super.route(route);
  }

  get #search() {
    return this.query.q ?? '';
  }

  async refresh() {
    await this.ask(
      async (signal) => ({ entries: await (this.#bucket ? this.#objects(signal) : this.#buckets(signal)) }),
      ({ entries }) => {
        this.#absent = entries === null;
        this.list.set(entries ?? []);
      },
    );
  }

  /** @param {AbortSignal} signal @returns {Promise<Entry[] | null>} */
  async #buckets(signal) {
    const body = await this.context.api.buckets(signal);
    if (body === null) return null;
    const word = this.#search.toLowerCase();
    return (body.buckets ?? [])
      .filter((item) => String(item.name).toLowerCase().includes(word))
      .map((item) => ({ key: `b ${item.name}`, name: String(item.name), folder: true, size: item.bytes, modified: item.created_ms, item }));
  }

  /** @param {AbortSignal} signal @returns {Promise<Entry[]>} */
  async #objects(signal) {
    const body = await this.context.api.objects(this.#bucket, { prefix: this.#prefix + this.#search, max: this.#limit }, signal);
    this.#more = Boolean(body.next);
    const short = (key) => (key.startsWith(this.#prefix) ? key.slice(this.#prefix.length) : key);
    return [
      ...(body.folders ?? []).map((key) => ({ key: `f ${key}`, name: short(key), folder: true, size: NaN, modified: NaN, item: { key } })),
      ...(body.objects ?? []).map((item) => ({
        key: `o ${item.key}`,
        name: short(String(item.key)),
        folder: false,
        size: item.size,
        modified: item.modified_ms,
        item,
      })),
    ];
  }

  /** @param {string} key */
  key(key) {
    if (key === 'Escape' && this.#open) {
      this.#close();
      return true;
    }
    return super.key(key);
  }

  back() {
    if (!this.#bucket) return null;
    if (!this.#prefix) return href('s3');
    const parent = this.#prefix.replace(/[^/]*\/?$/, '');
    return href('s3', parent ? [this.#bucket, parent] : [this.#bucket]);
  }

  #close() {
    this.#open = null;
    this.draw();
  }

  /** @param {Entry} entry */
  #link(entry) {
    return this.#bucket ? href('s3', [this.#bucket, entry.item.key]) : href('s3', [entry.name]);
  }

  /** @param {Entry} entry */
  #enter(entry) {
    if (entry.folder) {
      this.context.go(this.#link(entry));
      return;
    }
    this.details.reset();
    this.#open = entry;
    this.list.selected = entry.key;
    this.draw();
  }

  content() {
    const shown = this.list.items.length;
    const place = [this.#bucket, this.#prefix].filter(Boolean);
    return [
      h(
        'div',
        { key: 'tools', class: 'tools' },
        this.#crumbs(),
        search(this.#bucket ? 'Names that begin with' : 'Search buckets', this.#search, (q) =>
          this.filter({ q }, (query) => href('s3', place, query), true),
        ),
        counted(this.loaded && !this.#absent && `${this.#more ? 'first ' : ''}${this.#bucket ? count(shown) : plural(shown, 'bucket')}`),
      ),
      this.loaded && this.#body(),
    ];
  }

  #crumbs() {
    const steps = this.#prefix.split('/').filter(Boolean);
    let path = '';
    return h(
      'nav',
      { key: 'crumbs', class: 'crumbs', 'aria-label': 'Where in S3' },
      h('a', { href: href('s3') }, 'Buckets'),
      this.#bucket && h('a', { href: href('s3', [this.#bucket]) }, this.#bucket),
      steps.map((step) => {
        path += `${step}/`;
        return h('a', { key: path, href: href('s3', [this.#bucket, path]) }, step);
      }),
    );
  }

  #body() {
    if (this.#absent) {
      return empty(
        'No mock S3 here',
        h(
          'p',
          null,
          'Add ',
          h('code', null, 's3: {buckets: [{name: uploads}]}'),
          ' under ',
          h('code', null, 'addons:'),
          ' in sandbox.yaml and run ',
          h('code', null, 'sandbox up'),
          '. Its objects are then listed here.',
        ),
      );
    }
    if (this.list.items.length === 0) {
      if (this.#search) return empty('Nothing begins with this', h('p', null, 'Names are compared as they are, capitals included.'));
      return this.#bucket
        ? empty('Nothing in here', h('p', null, 'An object shows up as soon as it is written.'))
        : empty(
            'No buckets yet',
            h('p', null, 'Point the app at the mock S3 with AWS_ENDPOINT_URL_S3 and create one, or list buckets in sandbox.yaml.'),
          );
    }
    return h(
      'div',
      { key: 'body', class: this.#open ? 'split' : 'split alone' },
      host(this.list.element, 'list'),
      this.#open && this.#pane(this.#open),
    );
  }

  /** @param {Entry} entry */
  #row(entry) {
    const what = entry.folder ? (this.#bucket ? 'Folder' : 'Bucket') : 'Object';
    return [
      cell(
        'name',
        icon(entry.folder ? 'folder' : 'file', what),
        entry.folder ? h('a', { href: this.#link(entry), tabindex: -1 }, entry.name) : h('span', { class: 'what' }, entry.name),
        !this.#bucket && Number.isFinite(entry.item.objects) && h('small', null, plural(entry.item.objects, 'object')),
      ),
      cell('figure size', Number.isFinite(entry.size) && bytes(entry.size)),
      cell('modified', Number.isFinite(entry.modified) && dateTime(entry.modified).slice(0, 19)),
      cell('get', !entry.folder && this.#download(entry, 'plain')),
    ];
  }

  /** @param {Entry} entry @param {string} name */
  #download(entry, name) {
    const file = entry.name.split('/').pop() || 'object';
    return h(
      'a',
      {
        class: name,
        download: file,
        href: this.context.api.download(this.#bucket, String(entry.item.key)),
        'aria-label': `Download ${entry.name}`,
      },
      'download',
    );
  }

  /** @param {Entry} entry */
  #pane(entry) {
    const { item } = entry;
    const rest = Object.entries(item).filter(([name, value]) => !SHOWN.includes(name) && value !== null);
    return pane(
      'Object',
      entry.name,
      () => this.#close(),
      h('p', null, this.#download(entry, 'button')),
      this.details.table('Object', [
        ...known({ key: String(item.key), size: `${count(item.size)} bytes`, modified: dateTime(item.modified_ms) }),
        .../** @type {[string, unknown][]} */ (rest),
      ]),
      this.details.table('Metadata', Object.entries(item.metadata ?? {})),
    );
  }
}
