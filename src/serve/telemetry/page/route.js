/**
 * The address bar: `#/traces?service=web` is where somebody is and what they filter by, so that
 * every view can be linked to. Pure.
 *
 * @typedef {{view: string, path: string[], query: Record<string, string>}} Route
 */

/** Where one arrives without an address. */
export const START = 'services';

/**
 * @param {string} hash
 * @returns {Route}
 */
export function parse(hash) {
  const [path, query = ''] = split(hash.replace(/^#\/?/, ''), '?');
  const [view, ...rest] = path.split('/').map(decode);
  return { view: view || START, path: rest, query: Object.fromEntries(new URLSearchParams(query)) };
}

/**
 * The address of a view. Empty and missing filters are left out.
 *
 * @param {string} view
 * @param {string[]} [path]
 * @param {Record<string, string | null | undefined>} [query]
 */
export function href(view, path = [], query = {}) {
  const wanted = Object.entries(query).filter(([, value]) => value);
  const search = new URLSearchParams(/** @type {[string, string][]} */ (wanted)).toString();
  const place = [view, ...path.map(encodeURIComponent)].join('/');
  return `#/${place}${search ? `?${search}` : ''}`;
}

/** @param {string} text @param {string} at */
function split(text, at) {
  const index = text.indexOf(at);
  return index < 0 ? [text] : [text.slice(0, index), text.slice(index + 1)];
}

/** An address that somebody mistyped is no reason to stop. @param {string} text */
function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
