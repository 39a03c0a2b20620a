import assert from 'node:assert/strict';

import { stage } from './support/stage.mjs';

const scene = stage();
/** Of all files together, in bytes. */
const BUDGET = 150 * 1024;

scene('is small, asks nobody else and needs no inline code', async ({ server, page, visit, t }) => {
  /** @type {Map<string, number>} */
  const sizes = new Map();
  /** @type {string[]} */
  const foreign = [];
  page.on('response', async (response) => {
    const url = new URL(response.url());
    if (url.origin !== server.url) foreign.push(url.href);
    if (url.pathname === '/' || url.pathname.startsWith('/page/'))
      sizes.set(url.pathname, (await response.body()).length);
  });
  await visit('#/services');
  await page.getByRole('heading', { name: 'Nothing has arrived yet' }).waitFor();
  await page.waitForLoadState('load');
  const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  t.diagnostic(`${sizes.size} files, ${total} bytes`);
  assert.deepEqual(foreign, []);
  assert.ok(sizes.size > 10, 'the files were seen');
  assert.ok(total <= BUDGET, `${total} bytes`);

  const response = await fetch(server.url);
  const policy = response.headers.get('content-security-policy') ?? '';
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe/);
  await response.text();
});

scene('how long it takes to load (a figure, not a test)', async ({ page, visit, t }) => {
  const times = [];
  for (let round = 0; round < 5; round += 1) {
    await visit(`?round=${round}#/services`);
    await page.getByRole('heading', { name: 'Nothing has arrived yet' }).waitFor();
    const shown = await page.evaluate(() => {
      const paint = performance.getEntriesByName('first-contentful-paint')[0];
      return Math.round(paint?.startTime ?? performance.now());
    });
    times.push(shown);
  }
  times.sort((a, b) => a - b);
  t.diagnostic(`first contentful paint after ${times[2]} ms (median of ${times.join(', ')})`);
});

scene('the sandbox is a view when there is one', async ({ server, page, visit }) => {
  await visit('#/services');
  await page.getByRole('heading', { name: 'Nothing has arrived yet' }).waitFor();
  await server.put('sandbox', {
    name: 'shop',
    profile: 'doks',
    addresses: { apm: '127.0.0.1:8128', otlp_http: '127.0.0.1:4319' },
    urls: [{ name: 'app', url: 'http://shop.localhost:8080/' }],
    parts: [{ name: 'redis', kind: 'addon', state: 'starting', detail: 'waits for its volume' }],
    checks: [{ name: 'the cart survives', state: 'failed', detail: 'status 500', duration_ms: 31 }],
  });
  await page.reload();
  // The ports are those of the user's machine, and metrics over UDP have none there.
  await page.getByText('OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4319').waitFor();
  await page.getByText(/DD_TRACE_AGENT_PORT=8128$/).waitFor();
  await page.getByRole('link', { name: 'Sandbox', exact: true }).click();
  await page.getByRole('heading', { name: 'shop' }).waitFor();
  const text = await page.locator('main').innerText();
  for (const wanted of ['doks', 'redis', 'waits for its volume', 'the cart survives', 'status 500', '1 of 1 failed']) {
    assert.ok(text.includes(wanted), `${wanted} in ${text}`);
  }
  assert.equal(
    await page.getByRole('link', { name: 'http://shop.localhost:8080/' }).getAttribute('href'),
    'http://shop.localhost:8080/',
  );
});
