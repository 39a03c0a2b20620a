import assert from 'node:assert/strict';

import { logs, trace } from './support/otlp.mjs';
import { stage } from './support/stage.mjs';

const scene = stage();

scene('a line leads to its trace', async ({ server, page, visit }) => {
  const sent = trace([
    { service: 'web', name: 'GET /orders' },
    { service: 'orders', name: 'load orders', parent: 'GET /orders' },
  ]);
  await server.send('traces', sent.body);
  await server.send(
    'logs',
    logs([
      { service: 'web', message: 'started' },
      { service: 'orders', message: 'loaded 12 orders', traceId: sent.id, spanId: sent.spanId('load orders') },
    ]),
  );
  await visit('#/logs');
  const line = page.getByRole('row', { name: /loaded 12 orders/ });
  await line.getByRole('link', { name: /Trace of this line/ }).click();
  await page.getByRole('heading', { name: /GET \/orders/ }).waitFor();
  await page.getByRole('complementary', { name: 'Span' }).getByText('load orders').first().waitFor();
  await page.getByRole('button', { name: 'Logs 1' }).click();
  await page.getByRole('grid', { name: 'Logs of the trace' }).getByText('loaded 12 orders').waitFor();
});

scene('level, service and words filter', async ({ server, page, visit }) => {
  await server.send(
    'logs',
    logs([
      { service: 'web', message: 'listening on port 8080', level: 'info' },
      { service: 'web', message: 'slow answer from orders', level: 'warn' },
      { service: 'orders', message: 'lost the database', level: 'error', attributes: { host: 'postgres-0' } },
      { service: 'orders', message: 'cache miss', level: 'debug' },
    ]),
  );
  await visit('#/logs');
  const rows = page.getByRole('grid', { name: 'Logs' }).locator('.row');
  const messages = async (/** @type {number} */ wanted) => {
    await page.waitForFunction((number) => document.querySelectorAll('.logs .row').length === number, wanted);
    return rows.locator('.message').allInnerTexts();
  };
  assert.deepEqual(await messages(4), [
    'listening on port 8080',
    'slow answer from orders',
    'lost the database',
    'cache miss',
  ]);
  await page.getByRole('button', { name: 'warn', exact: true }).click();
  assert.deepEqual(await messages(2), ['slow answer from orders', 'lost the database']);
  await page.getByLabel('Service', { exact: true }).selectOption('orders');
  assert.deepEqual(await messages(1), ['lost the database']);
  await page.waitForURL(/level=warn&service=orders|service=orders&level=warn/);
  await page.getByRole('button', { name: 'all', exact: true }).click();
  await page.getByLabel('Service', { exact: true }).selectOption('');
  assert.equal((await messages(4)).length, 4);
  await page.getByLabel('Search messages and attributes').fill('postgres-0');
  assert.deepEqual(await messages(1), ['lost the database']);
});

scene('an opened line shows all of it', async ({ server, page, visit }) => {
  await server.send(
    'logs',
    logs([{ service: 'web', message: 'first line\nsecond line', attributes: { user: 'ada' } }]),
  );
  await visit('#/logs');
  await page.getByRole('row', { name: /first line/ }).click();
  const pane = page.getByRole('complementary', { name: 'Log line' });
  assert.match(await pane.innerText(), /first line\nsecond line/);
  await pane.getByText('ada', { exact: true }).waitFor();
  await page.keyboard.press('Escape');
  await pane.waitFor({ state: 'detached' });
});

scene('follows what comes, until one scrolls back', async ({ server, page, visit }) => {
  const lines = Array.from({ length: 200 }, (_, index) => ({ service: 'web', message: `line ${index}` }));
  await server.send('logs', logs(lines));
  await visit('#/logs');
  const follow = page.getByRole('button', { name: 'Follow' });
  await page.getByRole('row', { name: /line 199/ }).waitFor();
  assert.equal(await follow.getAttribute('aria-pressed'), 'true');
  await server.send('logs', logs([{ service: 'web', message: 'the newest' }]));
  const newest = page.getByRole('row', { name: /the newest/ });
  await newest.waitFor();
  const list = page.getByRole('grid', { name: 'Logs' });
  const box = async () => (await newest.boundingBox())?.y ?? Infinity;
  assert.ok((await box()) < 800, 'the newest line is in sight');

  await list.evaluate((element) => element.scrollTo(0, 1000));
  await page.waitForFunction(() => document.querySelector('.toggle')?.getAttribute('aria-pressed') === 'false');
  const first = await list.evaluate((element) => element.scrollTop);
  await server.send('logs', logs([{ service: 'web', message: 'one more' }]));
  await page.getByRole('status').getByText('202').waitFor();
  assert.equal(await list.evaluate((element) => element.scrollTop), first, 'what one reads stays');
  await follow.click();
  await page.getByRole('row', { name: /one more/ }).waitFor();
});
