/**
 * A description of the page becomes the page: nodes that are still wanted stay, with their focus
 * and scroll position. Text only ever becomes a text node, so nothing that a span, a log line or an
 * object name contains can turn into markup.
 *
 * @typedef {{tag: string, svg: boolean, key: string | undefined, attrs: Record<string, any>,
 *   children: Child[]}} Element
 * @typedef {{host: HTMLElement, key: string | undefined}} Host a node that looks after itself
 * @typedef {Element | Host | string} Child
 * @typedef {Child | number | null | undefined | false | any[]} Content
 */

const SVG = 'http://www.w3.org/2000/svg';

/** What a node was last made of. @type {WeakMap<Node, Child[]>} */
const shown = new WeakMap();
/** @type {WeakMap<Node, Record<string, any>>} */
const given = new WeakMap();

/**
 * An HTML element. `key` tells siblings apart, `on…` takes a function, `style` an object of CSS
 * properties, everything else is an attribute (`true` is an empty one; `false` and `null` none).
 *
 * @param {string} tag
 * @param {Record<string, any> | null} [attrs]
 * @param {...Content} content
 * @returns {Element}
 */
export function h(tag, attrs, ...content) {
  const { key, ...rest } = attrs ?? {};
  return { tag, svg: false, key, attrs: rest, children: flat(content) };
}

/** An SVG element. @type {typeof h} */
export function svg(tag, attrs, ...content) {
  return { ...h(tag, attrs, ...content), svg: true };
}

/**
 * A place for an element that renders its own inside.
 *
 * @param {HTMLElement} element
 * @param {string} [key]
 * @returns {Host}
 */
export function host(element, key) {
  return { host: element, key };
}

/**
 * Makes `content` the whole inside of `parent`.
 *
 * @param {Node} parent
 * @param {...Content} content
 */
export function render(parent, ...content) {
  const focused = /** @type {HTMLElement | null} */ (document.activeElement);
  children(parent, flat(content));
  // Moving a node takes its focus away.
  if (focused !== document.activeElement && parent.contains(focused)) focused?.focus({ preventScroll: true });
}

/**
 * @param {Content[]} content
 * @returns {Child[]}
 */
function flat(content) {
  return content.flat(8).flatMap((child) => {
    if (child === null || child === undefined || child === false || child === '') return [];
    return [typeof child === 'number' ? String(child) : /** @type {Child} */ (child)];
  });
}

/**
 * @param {Node} parent
 * @param {Child[]} wanted
 */
function children(parent, wanted) {
  const before = shown.get(parent) ?? [];
  const nodes = [...parent.childNodes];
  /** @type {Map<string, Node[]>} */
  const reusable = new Map();
  before.forEach((child, index) => {
    const name = identity(child);
    const same = reusable.get(name);
    if (same) same.push(nodes[index]);
    else reusable.set(name, [nodes[index]]);
  });
  const result = wanted.map((child) => update(reusable.get(identity(child))?.shift(), child));
  const kept = new Set(result);
  for (const node of nodes) if (!kept.has(node)) node.remove();
  result.forEach((node, index) => {
    if (parent.childNodes[index] !== node) parent.insertBefore(node, parent.childNodes[index] ?? null);
  });
  shown.set(parent, wanted);
}

/** Children of one identity may take each other's node. @param {Child} child */
function identity(child) {
  if (typeof child === 'string') return '#text';
  if ('host' in child) return `#host ${child.key ?? ''}`;
  return `${child.tag} ${child.key ?? ''}`;
}

/**
 * @param {Node | undefined} node
 * @param {Child} child
 * @returns {Node}
 */
function update(node, child) {
  if (typeof child === 'string') {
    if (!node) return document.createTextNode(child);
    if (node.nodeValue !== child) node.nodeValue = child;
    return node;
  }
  if ('host' in child) return child.host;
  const element = /** @type {HTMLElement} */ (
    node ?? (child.svg ? document.createElementNS(SVG, child.tag) : document.createElement(child.tag))
  );
  // Options have to be there before a select can take its value.
  children(element, child.children);
  attributes(element, child.attrs);
  return element;
}

/**
 * @param {HTMLElement} element
 * @param {Record<string, any>} attrs
 */
function attributes(element, attrs) {
  const before = given.get(element) ?? {};
  for (const name of Object.keys(before)) {
    if (!(name in attrs)) attribute(element, name, null, before[name]);
  }
  for (const [name, value] of Object.entries(attrs)) attribute(element, name, value, before[name]);
  given.set(element, attrs);
}

/**
 * @param {HTMLElement} element
 * @param {string} name
 * @param {any} value
 * @param {any} before
 */
function attribute(element, name, value, before) {
  if (name.startsWith('on')) {
    if (value && typeof value !== 'function') throw new TypeError(`${name} wants a function`);
    /** @type {any} */ (element)[name] = value ?? null;
  } else if (name === 'style') {
    style(element, value ?? {}, before ?? {});
  } else if (name === 'value' || name === 'checked') {
    const field = /** @type {any} */ (element);
    if (field[name] !== value) field[name] = value ?? '';
  } else if (value !== before) {
    if (name === 'href' && value && !/^(#|\/|https?:)/.test(value)) throw new TypeError(`no link to ${value}`);
    if (value === null || value === undefined || value === false) element.removeAttribute(name);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
}

/**
 * Through the object model, as the content security policy forbids style attributes.
 *
 * @param {HTMLElement} element
 * @param {Record<string, string>} value
 * @param {Record<string, string>} before
 */
function style(element, value, before) {
  for (const name of Object.keys(before)) if (!(name in value)) element.style.removeProperty(name);
  for (const [name, text] of Object.entries(value)) {
    if (before[name] !== text) element.style.setProperty(name, text);
  }
}
