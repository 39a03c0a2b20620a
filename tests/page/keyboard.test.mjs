import assert from 'node:assert/strict';

import { logs, trace } from './support/otlp.mjs';
import { stage } from './support/stage.mjs';

const scene = stage();

scene('everything is reached by keys alone', async ({ server, page, visit }) => {
  const first = trace([
    { service: 'web', name: 'GET /first' },
    { service: 'orders', name: 'read', parent: 'GET /first', attributes: { 'row.count': 3 } },
  ]);
  await server.send('traces', first.body);
  await server.send('traces', trace([{ service: 'web', name: 'GET /second' }]).body);
  await visit('');
  const keys = async (/** @type {string[]} */ ...names) => {
    for (const name of names) await page.keyboard.press(name);
  };
  const chosen = page.locator('[aria-selected="true"]');
  await page.getByRole('row', { name: /^orders/ }).waitFor();

  await keys('g', 't');
  await page.getByRole('row', { name: /GET \/first/ }).waitFor();
  await keys('j');
  await chosen.getByText('GET /second').waitFor();
  await keys('j');
  await chosen.getByText('GET /first').waitFor();
  await keys('k', 'j', 'Enter');
  await page.getByRole('heading', { name: /GET \/first/ }).waitFor();
  await page.getByRole('row', { name: /read/ }).waitFor();

  await keys('j', 'h');
  await page.getByRole('row', { name: /read/ }).waitFor({ state: 'detached' });
  await keys('l', 'j', 'Enter');
  const sheet = page.getByRole('complementary', { name: 'Span' });
  await sheet.getByText('row.count').waitFor();
  // In the sheet these keys scroll it, and what it shows stays.
  await sheet.focus();
  await keys('Home', 'ArrowUp', 'PageUp');
  await sheet.getByText('row.count').waitFor();
  assert.ok(await sheet.evaluate((element) => element === document.activeElement));
  await keys('Escape');
  await sheet.waitFor({ state: 'detached' });
  await keys('Escape');
  await chosen.getByText('GET /first').waitFor();

  await keys('/');
  assert.equal(
    await page.evaluate(() => document.activeElement?.getAttribute('aria-label')),
    'Search names and attributes',
  );
  await page.keyboard.type('second');
  await page.getByRole('row', { name: /GET \/first/ }).waitFor({ state: 'detached' });
  await keys('Escape', 'j', 'Enter');
  await page.getByRole('heading', { name: /GET \/second/ }).waitFor();
  await keys('Escape');
  await page.waitForURL(/text=second/);
  await keys('Escape');
  await page.getByRole('row', { name: /GET \/first/ }).waitFor();

  for (const [key, place] of [
    ['m', 'metrics'],
    ['l', 'logs'],
    ['o', 's3'],
    ['b', 'sandbox'],
    ['s', 'services'],
  ]) {
    await keys('g', key);
    await page.waitForURL(new RegExp(`#/${place}$`));
  }
});

scene('help, pause, theme and follow have a key', async ({ server, page, visit }) => {
  await server.send('logs', logs([{ service: 'web', message: 'hello' }]));
  await visit('#/logs');
  await page.getByRole('row', { name: /hello/ }).waitFor();
  await page.keyboard.press('?');
  const help = page.getByRole('dialog', { name: 'Keys' });
  await help.getByText('next, previous row').waitFor();
  await page.keyboard.press('Escape');
  await help.waitFor({ state: 'hidden' });
  await page.keyboard.press('p');
  await page.getByRole('button', { name: /Paused/ }).waitFor();
  await page.keyboard.press('p');
  await page.getByRole('button', { name: /Live updates/ }).waitFor();
  await page.keyboard.press('f');
  await page.getByRole('button', { name: 'Follow', pressed: false }).waitFor();
  await page.keyboard.press('d');
  await page.getByRole('button', { name: 'Switch to light' }).waitFor();
});

scene('focus is visible, and Tab reaches every control', async ({ server, page, visit }) => {
  await server.send('traces', trace([{ service: 'web', name: 'GET /' }]).body);
  await visit('#/traces');
  await page.getByRole('row', { name: /GET \// }).waitFor();
  const seen = new Set();
  for (let step = 0; step < 40; step += 1) {
    await page.keyboard.press('Tab');
    const { name, outline } = await page.evaluate(() => {
      const element = document.activeElement ?? document.body;
      const name = element.getAttribute('aria-label') ?? element.textContent ?? '';
      return {
        // After the last control comes the page itself.
        name: element === document.body ? '' : name,
        outline: getComputedStyle(element).outlineStyle,
      };
    });
    if (!name) continue;
    assert.notEqual(outline, 'none', `${name} shows its focus`);
    seen.add(name);
  }
  for (const name of [
    'Services',
    'Search names and attributes',
    'Service',
    'Span name',
    'At least this long',
    'slowest',
    'Traces',
    'Help: keys',
    'Switch to dark',
  ]) {
    assert.ok(seen.has(name), `${name} among ${[...seen].join(', ')}`);
  }
});
