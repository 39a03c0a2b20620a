import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after } from 'node:test';

import { stage } from './support/stage.mjs';

const HOSTILE = '<b onmouseover=alert(1)>.html';
const OBJECTS = [
  ['readme.txt', 12],
  ['photos/2026/one.jpg', 2_400_000],
  ['photos/2026/two.jpg', 999],
  ['photos/cover.png', 48_000],
  [HOSTILE, 3],
];

/** The admin API of a mock S3 with one bucket; the real one has tests of its own. */
const admin = createServer((request, response) => {
  const url = new URL(request.url ?? '', 'http://localhost');
  const answer = (/** @type {unknown} */ body) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(body));
  };
  if (url.pathname === '/sandbox/v1/buckets') {
    answer({
      buckets: [{ name: 'uploads', created_ms: Date.now() - 60_000, objects: OBJECTS.length, bytes: 2_449_014 }],
    });
  } else if (url.pathname === '/sandbox/v1/buckets/uploads/objects') {
    const prefix = url.searchParams.get('prefix') ?? '';
    const found = OBJECTS.filter(([key]) => String(key).startsWith(prefix));
    const below = (/** @type {string | number} */ key) => String(key).slice(prefix.length);
    const folders = new Set(
      found.filter(([key]) => below(key).includes('/')).map(([key]) => `${prefix}${below(key).split('/')[0]}/`),
    );
    answer({
      prefix,
      folders: [...folders],
      objects: found
        .filter(([key]) => !below(key).includes('/'))
        .map(([key, size]) => ({
          key,
          size,
          modified_ms: Date.now(),
          etag: '"abc"',
          content_type: 'text/plain',
          metadata: { owner: 'ada' },
        })),
      next: null,
    });
  } else if (url.pathname === '/sandbox/v1/object') {
    response.setHeader('content-disposition', 'attachment');
    response.end(`content of ${url.searchParams.get('bucket')}/${url.searchParams.get('key')}`);
  } else {
    response.statusCode = 404;
    response.end('{}');
  }
});
after(() => admin.close());

const scene = stage(async () => {
  await new Promise((resolve) => admin.listen(0, '127.0.0.1', () => resolve(null)));
  const { port } = /** @type {import('node:net').AddressInfo} */ (admin.address());
  return ['--s3', `http://127.0.0.1:${port}`];
});

scene('buckets, folders and objects are walked through', async ({ page, visit }) => {
  await visit('#/s3');
  const bucket = page.getByRole('row', { name: /uploads/ });
  assert.match(await bucket.innerText(), /5 objects/);
  await bucket.click();
  await page.getByRole('row', { name: /readme\.txt/ }).waitFor();
  await page.getByRole('row', { name: /photos\// }).click();
  await page.getByRole('row', { name: /cover\.png/ }).waitFor();
  await page.getByRole('row', { name: /2026\// }).click();
  const photo = page.getByRole('row', { name: /one\.jpg/ });
  assert.match(await photo.innerText(), /2\.40 MB/);
  await page.getByRole('navigation', { name: 'Where in S3' }).getByRole('link', { name: 'photos' }).click();
  await page.getByRole('row', { name: /cover\.png/ }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('row', { name: /readme\.txt/ }).waitFor();
  await page.getByLabel('Names that begin with').fill('read');
  await page.getByRole('row', { name: /photos\// }).waitFor({ state: 'detached' });
});

scene('an object is looked at and downloaded', async ({ page, visit }) => {
  await visit('#/s3/uploads/photos%2F');
  await page.getByRole('row', { name: /cover\.png/ }).click();
  const pane = page.getByRole('complementary', { name: 'Object' });
  for (const text of ['photos/cover.png', '48,000 bytes', 'text/plain', 'ada'])
    await pane.getByText(text, { exact: true }).waitFor();
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    pane.getByRole('link', { name: 'Download cover.png' }).click(),
  ]);
  assert.equal(download.suggestedFilename(), 'cover.png');
  const stream = await download.createReadStream();
  let text = '';
  for await (const part of stream) text += part;
  assert.equal(text, 'content of uploads/photos/cover.png');
});

scene('a hostile key is text', async ({ page, visit }) => {
  await visit('#/s3/uploads');
  await page.getByRole('row', { name: HOSTILE }).click();
  await page.getByRole('complementary', { name: 'Object' }).getByText(HOSTILE).first().waitFor();
  assert.equal(await page.locator('[onmouseover]').count(), 0);
});
