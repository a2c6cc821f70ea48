// The package in Chromium, as a page loads it.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { Proxy, Server, within } from '../integration/server.mjs';

const BUILD = fileURLToPath(new URL('../../dist/esm', import.meta.url));
const ARGS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking'];
const PAGE = `<!doctype html><meta charset="utf-8"><title>Antiphon</title>
<script type="module">import * as antiphon from '/antiphon/index.js'; window.antiphon = antiphon;</script>`;

let browser;
let pages;
let origin;

before(async () => {
  pages = http.createServer(async ({ url }, answer) => {
    if (url === '/') return answer.setHeader('content-type', 'text/html').end(PAGE);
    const file = path.join(BUILD, path.normalize(url.replace(/^\/antiphon/, '')));
    const text = await readFile(file).catch(() => undefined);
    if (text === undefined) answer.statusCode = 404;
    answer.setHeader('content-type', 'text/javascript').end(text);
  });
  pages.listen(0, '127.0.0.1');
  await once(pages, 'listening');
  origin = `http://127.0.0.1:${pages.address().port}`;
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ARGS });
});

after(async () => {
  await browser?.close();
  pages?.close();
});

async function page(t) {
  const context = await browser.newContext();
  t.after(() => context.close());
  const page = await context.newPage();
  await page.goto(origin);
  await page.waitForFunction(() => window.antiphon !== undefined);
  return page;
}

function config(more = '') {
  return `[[org]]\nname = "demo"\nopen = true\nallowed_origins = ["${origin}"]\n${more}`;
}

/** Connects in the page, as `exp`. */
function connect(page, options) {
  return page.evaluate(async (options) => {
    window.exp = await window.antiphon.connect({ backoffMin: 5, backoffMax: 50, ...options });
    return window.exp.identity;
  }, options);
}

test('the guide\'s programs, in two pages', async (t) => {
  const server = await Server.start(t, config());
  const [first, second] = [await page(t), await page(t)];
  await connect(first, { url: server.url });
  await connect(second, { url: server.url });
  await first.evaluate(async () => {
    const { exp } = window;
    const channel = exp.getChannel('testChannel');
    channel.listen('eventName', (payload, respond) => {
      if (payload && payload.text === 'hello?') respond('hi there!');
    });
    await channel.listen('another', () => {});
  });
  const responses = await second.evaluate(() => {
    const { exp } = window;
    const channel = exp.getChannel('testChannel');
    return channel.broadcast('eventName', { text : 'hello?' }, 2000);
  });
  assert.deepEqual(responses, ['hi there!']);
});

test('bytes and every script, to the page and back', async (t) => {
  const server = await Server.start(t, config());
  const tab = await page(t);
  await connect(tab, { url: server.url });
  const heard = await tab.evaluate(async () => {
    const channel = window.exp.getChannel('Grüße 世界 🎶');
    channel.listen('🎶', (payload, respond) => respond(payload));
    const [bytes] = await channel.broadcast('🎶', new Uint8Array([0, 127, 128, 255]), 60_000, { until: 1 });
    const [text] = await channel.broadcast('🎶', 'Grüße 世界 🎶', 60_000, { until: 1 });
    return [bytes instanceof Uint8Array, [...bytes], text];
  });
  assert.deepEqual(heard, [true, [0, 127, 128, 255], 'Grüße 世界 🎶']);
});

test('a device logs in from a page of another origin', async (t) => {
  const server = await Server.start(t, config('[[org.device]]\nuuid = "screen"\nsecret = "test-secret"\n'));
  const tab = await page(t);
  assert.equal(await connect(tab, { url: server.url, device: { uuid: 'screen', secret: 'test-secret' } }), 'screen');
  const error = await tab.evaluate(async (url) => {
    const error = await window.antiphon.connect({ url, device: { uuid: 'screen', secret: 'wrong' } }).catch((error) => error);
    return [error.name, error.status];
  }, server.url);
  assert.deepEqual(error, ['UnauthorizedError', 401]);
});

test('a page comes back after a break, with what was said meanwhile', async (t) => {
  const server = await Server.start(t, config());
  const proxy = await Proxy.start(t, server);
  const tab = await page(t);
  await connect(tab, { url: proxy.url });
  await tab.evaluate(async () => {
    window.heard = [];
    window.exp.on('offline', () => (window.wasOffline = true));
    await window.exp.getChannel('room').listen('message', (payload) => window.heard.push(payload));
  });
  await server.post('room', 1);
  await tab.waitForFunction(() => window.heard.length === 1);
  proxy.shut();
  await tab.waitForFunction(() => window.wasOffline);
  await server.post('room', 2);
  proxy.open();
  await tab.waitForFunction(() => window.heard.length === 2);
  await server.post('room', 3);
  await tab.waitForFunction(() => window.heard.length === 3);
  assert.deepEqual(await tab.evaluate(() => window.heard), [1, 2, 3]);
});

test('a refused token is told as such', async (t) => {
  const server = await Server.start(t, config());
  const tab = await page(t);
  const error = await within(
    tab.evaluate(async (url) => {
      const error = await window.antiphon.connect({ url, token: 'nobody-has-this-key' }).catch((error) => error);
      return [error.name, error.status];
    }, server.url),
    'the refusal',
  );
  assert.deepEqual(error, ['UnauthorizedError', 401]);
});

test('a page that is not let in is told what may be the reason', async (t) => {
  const server = await Server.start(t, '[[org]]\nname = "demo"\nopen = true\n');
  const tab = await page(t);
  const error = await tab.evaluate(async (url) => {
    const error = await window.antiphon.connect({ url, connectTimeout: 1000, backoffMin: 5 }).catch((error) => error);
    return [error.name, error.detail];
  }, server.url);
  assert.equal(error[0], 'ConnectTimeoutError');
  assert.match(error[1], /origin/);
});
