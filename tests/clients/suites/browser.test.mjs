// A page in Chromium, with each generation of the client, over each way to connect; and the newest as the server gives it.

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { CLIENTS, SIO4 } from '../harness/clients.mjs';
import { servePages } from '../harness/pages.mjs';
import { REFERENCE, TestServer } from '../harness/server.mjs';

const CHROMIUM = process.env.CHROMIUM;
const ARGS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run', '--disable-component-update'];
// What is closed while it upgrades, and the poll of a client that the server has said good-bye to.
const HARMLESS = /WebSocket is closed before the connection is established|status of 400/;
const CHECKS = 11;
const ALL_MS = 60_000;

describe('a page in Chromium', { skip: !CHROMIUM && 'CHROMIUM names no browser' }, () => {
  let pages;
  let server;
  let browser;

  before(async () => {
    const bundle = fileURLToPath(new URL('../node_modules/sio4/dist/socket.io.js', import.meta.url));
    pages = await servePages();
    // The first generations send cookies along unasked, which takes a server that names its origins.
    server = await TestServer.start({ serve_client: bundle, cors_origin: pages.url, cors_credentials: true });
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGS });
  });
  after(async () => {
    await browser?.close();
    pages?.close();
    await server?.kill();
  });

  for (const [i, client] of CLIENTS.entries()) {
    test(client.name, () => check(client, `/sio${i + 1}.js`));
  }
  test(`${SIO4.name}, served by the server`, () => check(SIO4, `${server.url}/socket.io/socket.io.js`));

  async function check(client, bundle) {
    const ways = waysOf(client);
    const page = await browser.newPage({ viewport: { width: 960, height: 700 } });
    const errors = [];
    page.on('pageerror', (error) => errors.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error' && !HARMLESS.test(message.text())) errors.push(message.text());
    });
    const query = new URLSearchParams({ server: server.url, client: bundle, name: client.name, ways: ways.join() });
    await page.goto(`${pages.url}/?${query}`);
    await page.locator('body[data-state]').waitFor({ timeout: ALL_MS });
    await picture(page, client);
    const results = await page.evaluate(() => window.results);
    assert.deepEqual(results.failed, []);
    assert.equal(results.passed, CHECKS * ways.length);
    assert.deepEqual(errors, []);
    await page.close();
  }
});

function waysOf(client) {
  const ways = ['polling', 'websocket', 'upgrade'];
  // Before 3.0 there was a way for browsers that cannot ask another origin.
  if (client.revision === 3) ways.push('jsonp');
  // The reference has the first generation get non-ASCII text wrong.
  return REFERENCE && client === CLIENTS[0] ? ['websocket', 'upgrade'] : ways;
}

/** Takes one into the directory that SCREENSHOTS names, if it does. */
async function picture(page, client) {
  const directory = process.env.SCREENSHOTS;
  if (!directory) return;
  await mkdir(directory, { recursive: true });
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: path.join(directory, `${client.name.replaceAll(' ', '-')}-${colorScheme}.png`) });
  }
}
