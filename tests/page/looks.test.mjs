import assert from 'node:assert/strict';

import { gauge, logs, trace } from './support/otlp.mjs';
import { stage } from './support/stage.mjs';

const scene = stage();
const PHONE = { viewport: { width: 390, height: 844 } };

/** @param {import('./support/server.mjs').Server} server */
async function fill(server) {
  const sent = trace([
    {
      service: 'storefront-web',
      name: 'GET /a/rather/long/path/to/a/product/with-a-long-name-42',
      duration: 250,
      error: true,
    },
    {
      service: 'orders',
      name: 'SELECT something FROM a_table WHERE it_is_long = $1',
      parent: 'GET /a/rather/long/path/to/a/product/with-a-long-name-42',
      attributes: { 'url.full': `http://shop.localhost/${'x'.repeat(300)}` },
    },
  ]);
  await server.send('traces', sent.body);
  await server.send(
    'logs',
    logs([{ service: 'storefront-web', level: 'error', message: `failed ${'y'.repeat(400)}`, traceId: sent.id }]),
  );
  await server.send(
    'metrics',
    gauge('a.metric.with.quite.a.long.name.that.goes.on', [
      { value: 1, at: Date.now() - 60_000 },
      { value: 2, at: Date.now() - 30_000 },
    ]),
  );
  await server.put('sandbox', {
    name: 'shop',
    profile: 'eks',
    urls: [{ name: 'app', url: 'http://shop.localhost:8080/' }],
    parts: [{ name: 'orders', kind: 'app', state: 'failed', detail: 'exits with code 1' }],
    checks: [{ name: 'answers', state: 'passed', duration_ms: 12 }],
  });
  return [
    ['#/services', /storefront-web/],
    ['#/traces', /storefront-web/],
    [`#/trace/${sent.id}`, /SELECT something/],
    [`#/trace/${sent.id}?span=${sent.spanId('SELECT something FROM a_table WHERE it_is_long = $1')}`, /url\.full/],
    [`#/trace/${sent.id}?tab=logs`, /failed y/],
    ['#/metrics', /a\.metric/],
    ['#/metrics/a.metric.with.quite.a.long.name.that.goes.on', /gauge/],
    ['#/logs', /failed y/],
    ['#/s3', /No mock S3 here/],
    ['#/sandbox', /exits with code 1/],
  ];
}

/** @param {import('playwright-core').Page} page @param {RegExp | string} text */
async function shown(page, text) {
  await page.locator('main').getByText(text).locator('visible=true').first().waitFor();
}

scene(
  'nothing is wider than a phone',
  async ({ server, page, visit }) => {
    for (const [hash, text] of await fill(server)) {
      await visit(hash);
      await shown(page, text);
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(width <= 390, `${hash} is ${width} wide`);
      const wide = await page
        .locator('main button, main input, main select, main a')
        .evaluateAll((items) =>
          items
            .filter((item) => item.getBoundingClientRect().right > 391 && item.checkVisibility())
            .map((item) => item.outerHTML.slice(0, 80)),
        );
      assert.deepEqual(wide, [], `${hash}: controls out of sight`);
    }
  },
  PHONE,
);

scene(
  'a span can be opened and closed on a phone',
  async ({ server, page, visit }) => {
    const [, , [hash]] = await fill(server);
    await visit(String(hash));
    await page.getByRole('row', { name: /SELECT something/ }).click();
    const pane = page.getByRole('complementary', { name: 'Span' });
    await pane.getByText('url.full').waitFor();
    await pane.getByRole('button', { name: 'Close' }).click();
    await pane.waitFor({ state: 'detached' });
  },
  PHONE,
);

scene('every control has a name', async ({ server, page, visit }) => {
  const session = await page.context().newCDPSession(page);
  const controls = new Set([
    'button',
    'link',
    'textbox',
    'searchbox',
    'combobox',
    'checkbox',
    'grid',
    'treegrid',
    'dialog',
    'img',
    'complementary',
    'navigation',
    'table',
  ]);
  for (const [hash, text] of await fill(server)) {
    await visit(hash);
    await shown(page, text);
    const { nodes } = await session.send('Accessibility.getFullAXTree');
    const found = nodes.filter((node) => !node.ignored && controls.has(node.role?.value));
    assert.ok(found.length > 8, `${hash} has controls`);
    const nameless = found.filter((node) => !node.name?.value?.trim());
    assert.deepEqual(
      nameless.map((node) => node.role?.value),
      [],
      `${hash}: controls without a name`,
    );
  }
});

scene(
  'dark as the system has it, light when asked for, and it stays',
  async ({ page, visit }) => {
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await visit('#/traces');
    await page.getByRole('button', { name: 'Switch to light' }).waitFor();
    const dark = await ground();
    await page.getByRole('button', { name: 'Switch to light' }).click();
    const light = await ground();
    assert.notEqual(dark, light);
    await page.reload();
    await page.getByRole('button', { name: 'Switch to dark' }).waitFor();
    assert.equal(await ground(), light);
  },
  { colorScheme: 'dark' },
);

for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
  scene(
    `text has contrast in the ${colorScheme}`,
    async ({ server, page, visit }) => {
      for (const [hash, text] of await fill(server)) {
        await visit(hash);
        await shown(page, text);
        assert.deepEqual(await page.evaluate(faint), [], `${hash}: contrast below 4.5`);
      }
    },
    { colorScheme },
  );
}

/** Runs in the page: texts whose contrast to what is behind them is below WCAG's AA. */
function faint() {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  if (!canvas) throw new Error('no canvas');
  const rgb = (/** @type {string} */ colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (/** @type {number[]} */ colour) => {
    const [r, g, b] = colour.slice(0, 3).map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (/** @type {Element | null} */ element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgb(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!element?.checkVisibility() || !node.nodeValue?.trim() || element instanceof SVGElement) continue;
    const [a, b] = [luminance(rgb(getComputedStyle(element).color)), luminance(behind(element))].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < 4.5) found.push(`${node.nodeValue.slice(0, 30)}: ${contrast.toFixed(2)}`);
  }
  return found;
}
