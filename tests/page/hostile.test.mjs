import assert from 'node:assert/strict';

import { gauge, logs, trace } from './support/otlp.mjs';
import { stage } from './support/stage.mjs';

const scene = stage();

const MARKUP = '<img src=x onerror="document.body.dataset.owned=1"><script>document.body.dataset.owned=1</script>';
const RIGHT_TO_LEFT = '\u202egnp.exe\u2066 שלום \u0000\u0007';
const LONG = 'w'.repeat(100_000);

scene('markup in telemetry is text', async ({ server, page, visit }) => {
  const sent = trace([
    {
      service: MARKUP,
      name: `${MARKUP} root`,
      error: true,
      message: MARKUP,
      attributes: { [MARKUP]: MARKUP, url: 'javascript:document.body.dataset.owned=1' },
      events: [{ name: MARKUP, attributes: { [MARKUP]: MARKUP } }],
    },
  ]);
  await server.send('traces', sent.body);
  await server.send('logs', logs([{ service: MARKUP, message: MARKUP, level: 'error', traceId: sent.id }]));
  await server.send(
    'metrics',
    gauge(MARKUP, [{ value: 1, at: Date.now() - 5000, attributes: { [MARKUP]: MARKUP } }], MARKUP),
  );
  await server.put('sandbox', {
    name: MARKUP,
    urls: [{ name: MARKUP, url: 'javascript:document.body.dataset.owned=1' }],
    parts: [{ name: MARKUP, state: MARKUP, detail: MARKUP }, null, 7],
    checks: 'none',
    [MARKUP]: { [MARKUP]: [MARKUP] },
  });
  const span = sent.spanId(`${MARKUP} root`);
  const views = [
    '#/services',
    '#/traces',
    `#/trace/${sent.id}?span=${span}`,
    `#/trace/${sent.id}?tab=logs`,
    '#/metrics',
    `#/metrics/${encodeURIComponent(MARKUP)}`,
    '#/logs',
    '#/sandbox',
    `#/traces?text=${encodeURIComponent(MARKUP)}`,
  ];
  for (const view of views) {
    await visit(view);
    await page
      .locator('main')
      .getByText(/<img src=x|No trace matches/)
      .locator('visible=true')
      .first()
      .waitFor();
    const made = await page.evaluate(() => ({
      owned: document.body.dataset.owned,
      images: document.querySelectorAll('img').length,
      scripts: document.querySelectorAll('script').length,
      links: [...document.querySelectorAll('a')].filter((link) => !/^https?:$/.test(link.protocol)).length,
    }));
    assert.deepEqual(made, { owned: undefined, images: 0, scripts: 1, links: 0 }, view);
  }
});

scene('very long and right-to-left texts stay in their place', async ({ server, page, visit }) => {
  const sent = trace([{ service: RIGHT_TO_LEFT, name: LONG, attributes: { long: LONG, turned: RIGHT_TO_LEFT } }]);
  await server.send('traces', sent.body);
  await server.send(
    'logs',
    logs([
      { service: 'web', message: LONG, traceId: sent.id },
      { service: RIGHT_TO_LEFT, message: RIGHT_TO_LEFT },
    ]),
  );
  for (const view of ['#/services', '#/traces', `#/trace/${sent.id}`, '#/logs']) {
    await visit(view);
    await page
      .locator('main')
      .getByText(/שלום|w{50}/)
      .locator('visible=true')
      .first()
      .waitFor();
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), view);
    const heights = await page
      .locator('.row')
      .evaluateAll((rows) => rows.map((row) => row.getBoundingClientRect().height));
    assert.equal(new Set(heights).size, 1, `${view}: rows of ${heights}`);
  }
  await visit(`#/trace/${sent.id}?span=${sent.spanId(LONG)}`);
  const pane = page.getByRole('complementary', { name: 'Span' });
  await pane
    .getByRole('button', { name: /show all 100000 characters/ })
    .first()
    .click();
  await page.waitForFunction(
    (length) => [...document.querySelectorAll('dd')].some((item) => item.textContent?.length === length),
    LONG.length,
  );
});

scene('spans that are their own ancestors are shown once each', async ({ server, page, visit }) => {
  const sent = trace([
    { service: 'web', name: 'one', parent: 'two' },
    { service: 'web', name: 'two', parent: 'one' },
    { service: 'web', name: 'three', parent: 'three' },
    { service: 'web', name: 'four', parent: 'never sent' },
  ]);
  await server.send('traces', sent.body);
  await visit(`#/trace/${sent.id}`);
  await page.getByRole('row', { name: /four/ }).waitFor();
  const names = await page.locator('.spans .row .what').allInnerTexts();
  assert.deepEqual([...names].sort(), ['four', 'one', 'three', 'two']);
});

scene('a nonsensical address is no dead end', async ({ page, visit }) => {
  for (const hash of [
    '#/__proto__',
    '#/constructor/x?y',
    '#/trace/%E0%A4%A',
    '#/trace/zz',
    '#/traces?limit=-1',
    '#/metrics/%00?agg=x&by=%27',
    '#/s3/../..?q=%FF',
    '#////',
    '#?#?',
  ]) {
    await visit(hash);
    await page.locator('main .view').first().waitFor();
    await page.getByRole('link', { name: 'Logs', exact: true }).click();
    await page.waitForURL(/#\/logs$/);
  }
});
