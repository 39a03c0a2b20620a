/** The page's pure modules, called in the browser that they are written for. */

import assert from 'node:assert/strict';

import { stage } from './support/stage.mjs';

const scene = stage();

/** @param {import('playwright-core').Page} page @param {string} module @param {string} name @param {unknown[][]} calls */
function results(page, module, name, calls) {
  return page.evaluate(
    async ({ module, name, calls }) => {
      const exported = await import(`/page/${module}`);
      return calls.map((args) => exported[name](...args));
    },
    { module, name, calls },
  );
}

scene('durations have three digits and a unit', async ({ page, visit }) => {
  await visit('');
  const cases = [
    [0, '0 ns'],
    [999, '999 ns'],
    [1500, '1.50 µs'],
    [999_600, '1.00 ms'],
    [12_345_678, '12.3 ms'],
    [999_600_000, '1.00 s'],
    [59_960_000_000, '1 min'],
    [125_000_000_000, '2 min 5 s'],
    [3_599_900_000_000, '1 h'],
    [7_380_000_000_000, '2 h 3 min'],
    [-1500, '-1.50 µs'],
  ];
  const got = await results(
    page,
    'format.js',
    'duration',
    cases.map(([ns]) => [ns]),
  );
  assert.deepEqual(
    got,
    cases.map(([, text]) => text),
  );
});

scene('durations are understood as people type them', async ({ page, visit }) => {
  await visit('');
  const cases = [
    ['250', 250e6],
    ['1.5 s', 1.5e9],
    ['80us', 80e3],
    [' 2MIN ', 120e9],
    ['7ns', 7],
    ['', null],
    ['fast', null],
    ['-1', null],
    ['1e9', null],
  ];
  const got = await results(
    page,
    'format.js',
    'parseDuration',
    cases.map(([text]) => [text]),
  );
  assert.deepEqual(
    got,
    cases.map(([, ns]) => ns),
  );
});

scene('figures are short', async ({ page, visit }) => {
  await visit('');
  const cases = [
    [0, '0'],
    [0.0004, '4.0e-4'],
    [0.05, '0.05'],
    [12.34, '12.3'],
    [9999, '9999'],
    [12_345, '12.3k'],
    [3_400_000, '3.40M'],
    [-5, '-5'],
    [1e18, '1.00e+18'],
  ];
  assert.deepEqual(
    await results(
      page,
      'format.js',
      'number',
      cases.map(([value]) => [value]),
    ),
    cases.map(([, text]) => text),
  );
  const sizes = [
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.00 kB'],
    [1_234_567, '1.23 MB'],
    [999_999_999, '1.00 GB'],
  ];
  assert.deepEqual(
    await results(
      page,
      'format.js',
      'bytes',
      sizes.map(([value]) => [value]),
    ),
    sizes.map(([, text]) => text),
  );
});

scene('axes have round figures', async ({ page, visit }) => {
  await visit('');
  assert.deepEqual(
    await results(page, 'ticks.js', 'ticks', [
      [0, 100, 4],
      [0, 7, 4],
      [-3, 3, 3],
      [0, 0, 4],
    ]),
    [[0, 50, 100], [0, 2, 4, 6], [-2, 0, 2], [0]],
  );
  assert.deepEqual(await results(page, 'ticks.js', 'niceCeiling', [[0], [1], [7], [1234], [NaN]]), [1, 1, 8, 1500, 1]);
});

scene('an address is what it was made of', async ({ page, visit }) => {
  await visit('');
  const round = await page.evaluate(async () => {
    const { href, parse } = await import('/page/route.js');
    return parse(href('s3', ['a bucket', 'folder/with #?&%/'], { q: 'x=y&z', empty: '' }));
  });
  assert.deepEqual(round, { view: 's3', path: ['a bucket', 'folder/with #?&%/'], query: { q: 'x=y&z' } });
});

scene('a deep trace becomes rows without recursion', async ({ page, visit }) => {
  await visit('');
  const seen = await page.evaluate(async () => {
    const { tree, visible } = await import('/page/tree.js');
    const spans = Array.from({ length: 50_000 }, (_, index) => ({
      id: String(index),
      parent: index === 0 ? '' : String(index - 1),
      start: index,
      duration: 1,
      error: index === 49_999,
    }));
    const rows = tree(spans);
    return {
      rows: rows.length,
      deepest: rows[49_999].depth,
      below: rows[0].below,
      failed: rows[0].failed,
      folded: visible(rows, new Set(['1'])).length,
    };
  });
  assert.deepEqual(seen, { rows: 50_000, deepest: 49_999, below: 49_999, failed: true, folded: 2 });
});

scene('what stays keeps its node, its focus and its place', async ({ page, visit }) => {
  await visit('');
  const kept = await page.evaluate(async () => {
    const { h, render } = await import('/page/dom.js');
    const root = document.createElement('div');
    document.body.append(root);
    const show = (/** @type {string[]} */ names) =>
      render(
        root,
        names.map((name) => h('input', { key: name, 'aria-label': name })),
      );
    show(['a', 'b', 'c']);
    const b = /** @type {HTMLElement} */ (root.children[1]);
    b.focus();
    show(['x', 'b', 'a']);
    return {
      same: root.children[1] === b,
      focused: document.activeElement === b,
      names: [...root.children].map((item) => item.getAttribute('aria-label')),
    };
  });
  assert.deepEqual(kept, { same: true, focused: true, names: ['x', 'b', 'a'] });
});
