import assert from 'node:assert/strict';

import { logs, trace } from './support/otlp.mjs';
import { stage } from './support/stage.mjs';

const scene = stage();

/** A request through three services; its database fails. */
function checkout() {
  return trace([
    { service: 'shop', name: 'POST /checkout', duration: 120, error: true, attributes: { 'http.route': '/checkout' } },
    { service: 'orders', name: 'place order', parent: 'POST /checkout', start: 10, duration: 100, error: true },
    {
      service: 'postgres',
      name: 'INSERT orders',
      parent: 'place order',
      start: 30,
      duration: 60,
      error: true,
      message: 'deadlock detected',
      attributes: { 'db.system': 'postgresql', 'db.rows': 0 },
      events: [{ name: 'exception', attributes: { 'exception.type': 'DeadlockDetected' } }],
    },
    { service: 'orders', name: 'format receipt', parent: 'POST /checkout', start: 112, duration: 4 },
  ]);
}

const hello = () => trace([{ service: 'hello', name: 'GET /hello', duration: 3 }]);

scene('a trace is opened from the list and its spans are nested', async ({ server, page, visit }) => {
  await server.send('traces', checkout().body);
  await visit('#/traces');
  const row = page.getByRole('row', { name: /POST \/checkout/ });
  await row.waitFor();
  assert.match(await row.innerText(), /120 ms/);
  assert.match(await row.innerText(), /3 errors/);
  await row.click();

  const spans = page.getByRole('treegrid', { name: 'Spans' });
  await spans.getByRole('row', { name: /INSERT orders/ }).waitFor();
  const levels = await spans
    .getByRole('row')
    .evaluateAll((rows) =>
      rows.slice(1).map((item) => [item.getAttribute('aria-level'), item.querySelector('.what')?.textContent]),
    );
  assert.deepEqual(levels, [
    ['1', 'POST /checkout'],
    ['2', 'place order'],
    ['3', 'INSERT orders'],
    ['2', 'format receipt'],
  ]);
});

scene('bars stand where the spans are in time', async ({ server, page, visit }) => {
  const sent = checkout();
  await server.send('traces', sent.body);
  await visit(`#/trace/${sent.id}`);
  await page.getByRole('row', { name: /INSERT orders/ }).waitFor();
  const bars = await page
    .locator('.span-bar')
    .evaluateAll((items) => items.map((item) => [item.style.left, item.style.width].map(parseFloat)));
  const near = (/** @type {number[]} */ bar, /** @type {number} */ from, /** @type {number} */ length) => {
    assert.ok(Math.abs(bar[0] - (from / 120) * 100) < 0.1, `${bar} begins at ${from} of 120 ms`);
    assert.ok(Math.abs(bar[1] - (length / 120) * 100) < 0.1, `${bar} takes ${length} of 120 ms`);
  };
  near(bars[0], 0, 120);
  near(bars[1], 10, 100);
  near(bars[2], 30, 60);
  near(bars[3], 112, 4);
});

scene('a span shows what it carries, its events and its logs', async ({ server, page, visit }) => {
  const sent = checkout();
  await server.send('traces', sent.body);
  await server.send(
    'logs',
    logs([
      {
        service: 'postgres',
        message: 'transaction aborted',
        level: 'error',
        traceId: sent.id,
        spanId: sent.spanId('INSERT orders'),
      },
    ]),
  );
  await visit(`#/trace/${sent.id}`);
  await page.getByRole('row', { name: /INSERT orders/ }).click();
  const pane = page.getByRole('complementary', { name: 'Span' });
  for (const text of [
    'deadlock detected',
    'db.system',
    'postgresql',
    'exception.type',
    'DeadlockDetected',
    'transaction aborted',
    'service.version',
  ]) {
    await pane.getByText(text).first().waitFor();
  }
  assert.ok(page.url().includes(sent.spanId('INSERT orders')), 'the address leads to the span');
  await page.reload();
  await pane.getByText('postgresql').waitFor();
});

scene('spans fold', async ({ server, page, visit }) => {
  const sent = checkout();
  await server.send('traces', sent.body);
  await visit(`#/trace/${sent.id}`);
  const parent = page.getByRole('row', { name: /place order/ });
  await parent.getByRole('button', { name: 'Fold' }).click();
  await page.getByRole('row', { name: /INSERT orders/ }).waitFor({ state: 'detached' });
  assert.equal(await parent.getAttribute('aria-expanded'), 'false');
  await parent.getByRole('button', { name: 'Unfold 1' }).click();
  await page.getByRole('row', { name: /INSERT orders/ }).waitFor();
});

scene('filters narrow the list and are in the address', async ({ server, page, visit }) => {
  await server.send('traces', checkout().body);
  await server.send('traces', hello().body);
  await visit('#/traces');
  const shop = page.getByRole('row', { name: /POST \/checkout/ });
  const other = page.getByRole('row', { name: /GET \/hello/ });
  await shop.waitFor();
  await other.waitFor();

  await page.getByRole('button', { name: 'error', exact: true }).click();
  await other.waitFor({ state: 'detached' });
  await shop.waitFor();
  await page.waitForURL(/status=error/);

  await page.getByRole('button', { name: 'all', exact: true }).click();
  await other.waitFor();
  await page.getByLabel('At least this long').fill('50ms');
  await other.waitFor({ state: 'detached' });
  await page.getByLabel('At least this long').fill('');
  await other.waitFor();

  await page.getByLabel('Service', { exact: true }).selectOption('hello');
  await shop.waitFor({ state: 'detached' });
  await page.reload();
  await other.waitFor();
  assert.equal(await shop.count(), 0, 'the filter survives a reload');

  await page.getByLabel('Service', { exact: true }).selectOption('');
  await page.getByLabel('Search names and attributes').fill('deadlock');
  await page.getByRole('heading', { name: 'No trace matches' }).or(shop).waitFor();
  await page.getByLabel('Search names and attributes').fill('no such thing');
  await page.getByRole('heading', { name: 'No trace matches' }).waitFor();
  await page.getByRole('link', { name: 'Show all traces' }).click();
  await shop.waitFor();
  await other.waitFor();
});

scene('a new trace appears without a reload, unless paused', async ({ server, page, visit }) => {
  await server.send('traces', hello().body);
  await visit('#/traces');
  await page.getByRole('row', { name: /GET \/hello/ }).waitFor();
  await page.getByRole('button', { name: /Live updates/ }).waitFor();
  await page.evaluate(() => {
    document.body.dataset.same = 'yes';
  });
  await server.send('traces', checkout().body);
  await page.getByRole('row', { name: /POST \/checkout/ }).waitFor();
  assert.equal(await page.evaluate(() => document.body.dataset.same), 'yes', 'it is the same page');

  await page.getByRole('button', { name: /Live updates/ }).click();
  await page.getByRole('button', { name: /Paused/ }).waitFor();
  await server.send('traces', trace([{ service: 'late', name: 'GET /late' }]).body);
  // Longer than any of the page's intervals.
  await page.waitForTimeout(3000);
  assert.equal(await page.getByRole('row', { name: /GET \/late/ }).count(), 0);
  await page.getByRole('button', { name: /Paused/ }).click();
  await page.getByRole('row', { name: /GET \/late/ }).waitFor();
});

scene('polls when there is no event stream', async ({ server, page, visit }) => {
  await page.route('**/sandbox/v1/stream', (route) => route.abort());
  await visit('#/traces');
  await page.getByRole('button', { name: /Asking every two seconds/ }).waitFor();
  await page.getByRole('heading', { name: 'No traces yet' }).waitFor();
  await server.send('traces', hello().body);
  await page.getByRole('row', { name: /GET \/hello/ }).waitFor();
});

scene('says so when the server is gone, and finds it again', async ({ server, page, visit }) => {
  await visit('#/traces');
  await page.getByRole('heading', { name: 'No traces yet' }).waitFor();
  await page.context().setOffline(true);
  await page.getByRole('button', { name: /does not answer/ }).waitFor();
  await page.context().setOffline(false);
  await server.send('traces', hello().body);
  await page.getByRole('row', { name: /GET \/hello/ }).waitFor();
});

scene('an empty page tells what to set', async ({ server, page, visit }) => {
  for (const view of ['services', 'traces', 'metrics', 'logs']) {
    await visit(`#/${view}`);
    await page.getByText('OTEL_EXPORTER_OTLP_ENDPOINT').first().waitFor();
    const text = await page.locator('main').innerText();
    assert.match(text, /DD_AGENT_HOST=/);
    assert.ok(text.includes(server.otlp.split(':').pop() ?? ''), `${view} names the port that is in use`);
  }
});

scene('thousands of spans stay a few rows', async ({ server, page, visit }) => {
  const spans = Array.from({ length: 5000 }, (_, index) => ({
    service: 'batch',
    name: `step ${index}`,
    parent: index === 0 ? undefined : `step ${Math.floor((index - 1) / 4)}`,
    start: index,
  }));
  const sent = trace(spans);
  await server.send('traces', sent.body);
  await visit(`#/trace/${sent.id}`);
  const list = page.getByRole('treegrid', { name: 'Spans' });
  await list.getByRole('row', { name: /step 0 / }).waitFor();
  assert.equal(await list.getAttribute('aria-rowcount'), '5001');
  assert.ok((await list.getByRole('row').count()) < 100);
  await list.focus();
  await page.keyboard.press('End');
  await page.waitForFunction(
    () => document.querySelector('.spans [aria-selected="true"]')?.getAttribute('aria-rowindex') === '5001',
  );
});
