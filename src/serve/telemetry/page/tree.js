/**
 * The spans of a trace as the rows of a waterfall. Pure, without recursion, and at peace with what
 * arrives in practice: parents that never came, ids that come twice, spans that are their own
 * ancestors.
 *
 * @typedef {import('./api.js').Span} Span
 * @typedef {object} Row
 * @property {Span} span
 * @property {string} key
 * @property {number} depth 0 is a root
 * @property {number} below how many spans are under it
 * @property {boolean} orphan it names a parent that is not here
 * @property {boolean} failed it or, below it, another span failed
 * @property {string | null} parent the key of the row above it in the tree
 */

/**
 * @param {Span[]} spans
 * @returns {Row[]} every span once, parents before children, siblings by time
 */
export function tree(spans) {
  const order = spans.map((_, index) => index).sort((a, b) => spans[a].start - spans[b].start || a - b);
  /** @type {Map<string, number>} */
  const byId = new Map();
  for (const index of order) if (!byId.has(spans[index].id)) byId.set(spans[index].id, index);
  /** @type {Map<number, number[]>} */
  const below = new Map();
  /** @type {number[]} */
  const roots = [];
  for (const index of order) {
    const parent = spans[index].parent ? byId.get(spans[index].parent) : undefined;
    if (parent === undefined || parent === index) roots.push(index);
    else if (below.has(parent)) below.get(parent)?.push(index);
    else below.set(parent, [index]);
  }
  /** @type {Row[]} */
  const rows = [];
  const seen = new Set();
  for (const root of [...roots, ...order]) walk(root);
  sum(rows);
  return rows;

  /** @param {number} root */
  function walk(root) {
    /** @type {[number, number, string | null][]} */
    const open = [[root, 0, null]];
    for (let next = open.pop(); next; next = open.pop()) {
      const [index, depth, parent] = next;
      if (seen.has(index)) continue;
      seen.add(index);
      const span = spans[index];
      const key = String(index);
      const orphan = depth === 0 && Boolean(span.parent);
      rows.push({ span, key, depth, below: 0, orphan, failed: span.error, parent });
      const children = below.get(index) ?? [];
      for (let at = children.length - 1; at >= 0; at -= 1) open.push([children[at], depth + 1, key]);
    }
  }
}

/** Adds up from the leaves. @param {Row[]} rows */
function sum(rows) {
  const byKey = new Map(rows.map((row) => [row.key, row]));
  for (let at = rows.length - 1; at >= 0; at -= 1) {
    const row = rows[at];
    const parent = row.parent === null ? undefined : byKey.get(row.parent);
    if (!parent) continue;
    parent.below += 1 + row.below;
    parent.failed ||= row.failed;
  }
}

/**
 * The rows that are left when some are folded.
 *
 * @param {Row[]} rows
 * @param {Set<string>} folded keys of rows whose children are hidden
 */
export function visible(rows, folded) {
  if (folded.size === 0) return rows;
  /** @type {Row[]} */
  const left = [];
  for (let at = 0; at < rows.length; at += 1) {
    left.push(rows[at]);
    if (folded.has(rows[at].key)) at += rows[at].below;
  }
  return left;
}

/**
 * From the first start to the last end, in nanoseconds since the trace began.
 *
 * @param {Span[]} spans
 */
export function extent(spans) {
  let from = Infinity;
  let to = -Infinity;
  for (const span of spans) {
    from = Math.min(from, span.start);
    to = Math.max(to, span.start + Math.max(0, span.duration));
  }
  return spans.length === 0 ? { from: 0, to: 1 } : { from, to: Math.max(to, from + 1) };
}
