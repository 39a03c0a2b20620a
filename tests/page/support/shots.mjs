/** Pictures of every view, light and dark, wide and narrow, for people to look at. */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { launch, open } from './browser.mjs';
import { gauge, logs, trace } from './otlp.mjs';
import { Server } from './server.mjs';

const WIDTHS = [1280, 390];
const SCHEMES = /** @type {const} */ (['light', 'dark']);
/** How much there is to see. */
const REQUESTS = 150;
const ROUTES = ['GET /', 'GET /products/{id}', 'POST /cart', 'POST /checkout', 'GET /orders'];

const folder = process.argv[2];
await mkdir(folder, { recursive: true });
const server = await Server.start();
const browser = await launch();
try {
  await server.clear();
  await shoot({ empty: '#/services' });
  await shoot(await fill());
} finally {
  await browser.close();
  await server.stop();
}

/** A shop's quarter of an hour. @returns {Promise<Record<string, string>>} the views with their addresses */
async function fill() {
  const now = Date.now();
  let failed = { id: '', span: '' };
  for (let index = 0; index < REQUESTS; index += 1) {
    const route = ROUTES[index % ROUTES.length];
    const error = index % 23 === 0;
    const length = 12 + ((index * 37) % 190);
    const sent = trace(
      [
        {
          service: 'web',
          name: route,
          duration: length,
          error,
          attributes: { 'http.route': route.split(' ')[1], 'http.response.status_code': error ? 500 : 200 },
        },
        {
          service: 'orders',
          name: 'handle',
          kind: 2,
          parent: route,
          start: length * 0.06,
          duration: length * 0.85,
          error,
        },
        { service: 'redis', name: 'GET cart', parent: 'handle', start: length * 0.1, duration: length * 0.05 },
        {
          service: 'postgres',
          name: 'SELECT id, total FROM orders WHERE id = $1',
          parent: 'handle',
          start: length * 0.2,
          duration: length * 0.5,
          error,
          message: error ? 'connection refused: postgres:5432' : '',
          attributes: { 'db.system': 'postgresql', 'db.rows': 12 },
          events: error
            ? [
                {
                  name: 'exception',
                  attributes: { 'exception.type': 'OperationalError', 'exception.message': 'connection refused' },
                },
              ]
            : [],
        },
        { service: 's3', name: 'PutObject receipts', parent: 'handle', start: length * 0.72, duration: length * 0.15 },
      ],
      now - 890_000 + (index * 890_000) / REQUESTS,
    );
    if (error) failed = { id: sent.id, span: sent.spanId('SELECT id, total FROM orders WHERE id = $1') };
    await server.send('traces', sent.body);
    await server.send(
      'logs',
      logs([
        {
          service: 'orders',
          message: error ? 'lost the database while loading an order' : `handled ${route} in ${length} ms`,
          level: error ? 'error' : 'info',
          traceId: sent.id,
        },
      ]),
    );
  }
  for (const [service, base] of /** @type {[string, number][]} */ ([
    ['web', 40],
    ['orders', 25],
  ])) {
    const points = Array.from({ length: 90 }, (_, index) => ({
      value: base + 15 * Math.sin(index / 9 + base),
      at: now - 890_000 + index * 9_800,
    }));
    await server.send('metrics', gauge('http.server.active_requests', points, service));
    await server.send('metrics', gauge('process.memory.usage', points, service));
  }
  await server.put('sandbox', {
    name: 'shop',
    profile: 'eks',
    updated_ms: now,
    urls: [{ name: 'app', url: 'http://shop.localhost:8080/' }],
    parts: [
      { name: 'ingress-nginx', kind: 'addon', state: 'ready' },
      { name: 'orders', kind: 'app', state: 'failed', detail: 'exits with code 1: DATABASE_URL is not set' },
    ],
    checks: [
      { name: 'the service is healthy', state: 'passed', detail: 'status 200', duration_ms: 31 },
      {
        name: 'a request is one trace',
        state: 'failed',
        detail: 'the span postgres.query is missing',
        duration_ms: 10_031,
      },
    ],
  });
  return {
    services: '#/services',
    traces: '#/traces',
    trace: `#/trace/${failed.id}`,
    span: `#/trace/${failed.id}?span=${failed.span}`,
    'trace-logs': `#/trace/${failed.id}?tab=logs`,
    metrics: '#/metrics/http.server.active_requests',
    logs: '#/logs',
    s3: '#/s3',
    sandbox: '#/sandbox',
  };
}

/** @param {Record<string, string>} views */
async function shoot(views) {
  for (const width of WIDTHS) {
    for (const colorScheme of SCHEMES) {
      const { context, page } = await open(browser, {
        viewport: { width, height: width < 600 ? 844 : 800 },
        colorScheme,
      });
      for (const [name, hash] of Object.entries(views)) {
        await page.goto(`${server.url}/${hash}`);
        await page.locator('main').getByText(/\S/).locator('visible=true').first().waitFor();
        await page.waitForTimeout(500);
        const file = join(folder, `${name}-${width}-${colorScheme}.png`);
        await page.screenshot({ path: file });
        process.stderr.write(`${file}\n`);
      }
      await context.close();
    }
  }
}
