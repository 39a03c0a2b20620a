/** Debian's Chromium, without a profile and without a word to anybody but the server. */

import { createRequire } from 'node:module';

// The modules are in a cache: there is no package folder in the checkout.
const { chromium } = createRequire(process.env.SANDBOX_PAGE_MODULES ?? import.meta.url)('playwright-core');

/** How long a test waits for something to appear, on a machine that does much else, in milliseconds. */
const PATIENCE = 30_000;

export function launch() {
  return chromium.launch({
    executablePath: process.env.SANDBOX_CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/**
 * A window of its own, with what went wrong in it.
 *
 * @param {import('playwright-core').Browser} browser
 * @param {import('playwright-core').BrowserContextOptions} [options]
 */
export async function open(browser, options = {}) {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 800 },
    colorScheme: 'light',
    ...options,
  });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  /** @type {string[]} */
  const problems = [];
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('console', (message) => {
    // A refused answer, such as 404 for what is not there, is part of the API.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      problems.push(message.text());
  });
  page.on('dialog', (dialog) => {
    problems.push(`a dialog says ${dialog.message()}`);
    void dialog.dismiss();
  });
  return { context, page, problems };
}
