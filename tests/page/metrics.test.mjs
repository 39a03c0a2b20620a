import assert from 'node:assert/strict';

import { gauge } from './support/otlp.mjs';
import { stage } from './support/stage.mjs';

const scene = stage();

/** Ten points in the last five minutes. */
const series = (/** @type {number} */ base, /** @type {Record<string, string>} */ attributes) =>
  Array.from({ length: 10 }, (_, index) => ({
    value: base + index,
    at: Date.now() - 300_000 + index * 25_000,
    attributes,
  }));

scene('a metric is found and drawn, split by a tag', async ({ server, page, visit }) => {
  await server.send(
    'metrics',
    gauge('queue.wait', [...series(5, { queue: 'mail' }), ...series(50, { queue: 'export' })]),
  );
  await server.send('metrics', gauge('memory.used', series(1, {})));
  await visit('#/metrics');
  await page.getByRole('row', { name: /memory\.used/ }).waitFor();
  await page.getByLabel('Search metrics').fill('queue');
  await page.getByRole('row', { name: /memory\.used/ }).waitFor({ state: 'detached' });
  await page.getByRole('row', { name: /queue\.wait/ }).click();

  await page.getByRole('img', { name: /queue\.wait, average, 1 line/ }).waitFor();
  await page.getByLabel('Split by').selectOption('queue');
  await page.getByRole('img', { name: /queue\.wait, average, 2 lines of 20 points/ }).waitFor();
  assert.equal(await page.locator('.plot .point').count(), 20);
  const heights = await page
    .locator('.plot g:first-of-type .point')
    .evaluateAll((points) => points.map((point) => Number(point.getAttribute('cy'))));
  assert.deepEqual(
    heights,
    [...heights].sort((a, b) => b - a),
    'the line rises',
  );

  const table = page.getByRole('table', { name: /queue\.wait/ });
  assert.match(await table.getByRole('row', { name: /export/ }).innerText(), /59 ms\s+50 ms\s+54\.5 ms\s+59 ms/);
  assert.match(await table.getByRole('row', { name: /mail/ }).innerText(), /14 ms\s+5 ms\s+9\.50 ms\s+14 ms/);
  await page.getByLabel('Value').selectOption('max');
  await page.getByRole('img', { name: /queue\.wait, maximum/ }).waitFor();
  await page.reload();
  await page.getByRole('img', { name: /queue\.wait, maximum, 2 lines/ }).waitFor();
});

scene('the pointer reads a value', async ({ server, page, visit }) => {
  await server.send('metrics', gauge('steady', series(7, {})));
  await visit('#/metrics/steady');
  const plot = page.getByRole('img', { name: /steady/ });
  await plot.hover({ position: { x: 300, y: 100 } });
  await page.locator('.plot .cursor').waitFor({ state: 'attached' });
  const heading = await page.getByRole('columnheader').nth(1).innerText();
  assert.doesNotMatch(heading, /Last/);
});

scene('a metric without points in this time is not an error', async ({ page, visit }) => {
  await visit('#/metrics/nothing.like.it');
  await page.getByRole('heading', { name: 'No metrics yet' }).waitFor();
});
