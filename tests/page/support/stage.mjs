/** A server and a browser for the tests of one file; each test has an empty store and a new window. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { launch, open } from './browser.mjs';
import { Server } from './server.mjs';

/** In milliseconds. */
const LIMIT = 300_000;

/**
 * @typedef {object} Scene
 * @property {Server} server
 * @property {import('playwright-core').Page} page
 * @property {(hash: string) => Promise<void>} visit
 * @property {import('node:test').TestContext} t
 */

/** @param {() => Promise<string[]> | string[]} [flags] further flags of the server */
export function stage(flags = () => []) {
  /** @type {Server} */
  let server;
  /** @type {import('playwright-core').Browser} */
  let browser;
  before(async () => {
    server = await Server.start(await flags());
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  /**
   * @param {string} name
   * @param {(scene: Scene) => Promise<void>} play
   * @param {import('playwright-core').BrowserContextOptions} [options] of the window
   */
  return (name, play, options) =>
    test(name, { timeout: LIMIT }, async (t) => {
      await server.clear();
      const { context, page, problems } = await open(browser, options);
      const visit = async (/** @type {string} */ hash) => {
        await page.goto(`${server.url}/${hash}`);
      };
      try {
        await play({ server, page, visit, t });
        assert.deepEqual(problems, [], 'the console is silent');
      } finally {
        await context.close();
      }
    });
}
