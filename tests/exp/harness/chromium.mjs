// The SDK as a web page uses it: its bundle in a browser, on a page of another origin than the server's.

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { within } from '../../clients/harness/deadline.mjs';
import { Mailbox } from './mailbox.mjs';

const file = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));
const FILES = {
  '/': [file('page/index.html'), 'text/html; charset=utf-8'],
  '/page.js': [file('page/page.js'), 'text/javascript; charset=utf-8'],
  '/exp-sdk.js': [file('node_modules/exp-sdk/dist/exp-sdk-5.0.0.min.js'), 'text/javascript; charset=utf-8'],
};
const ARGS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run', '--disable-component-update'];

export class ChromiumSdk {
  name = 'JavaScript in Chromium';
  language = 'JavaScript';
  /** Where the pages are, which is what an org has to allow. */
  origin;
  /** What went wrong in pages that nobody caught. */
  errors = [];
  #browser;
  #server;
  #idle = [];
  #tests = new Map();

  static async start() {
    const sdk = new ChromiumSdk();
    sdk.#server = createServer(async (request, response) => {
      const [path, type] = FILES[new URL(request.url, 'http://page').pathname] ?? [];
      if (!path) return response.writeHead(404).end();
      return response.writeHead(200, { 'content-type': type }).end(await readFile(path));
    });
    sdk.#server.listen(0, '127.0.0.1');
    await once(sdk.#server, 'listening');
    sdk.origin = `http://127.0.0.1:${sdk.#server.address().port}`;
    sdk.#browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ARGS });
    return sdk;
  }

  /** An SDK that is logging in, on a page that all of a test's are on. They are stopped when the test is over. */
  open(t, host, options) {
    if (!this.#tests.has(t)) {
      const page = this.#idle.pop() ?? this.#newPage();
      this.#tests.set(t, page);
      t.after(() => this.#idle.push(page));
    }
    return new PageExp(t, this.#tests.get(t), { host, ...options });
  }

  async stop() {
    await this.#browser.close();
    this.#server.close();
  }

  async #newPage() {
    // A browser has few connections to a host, and pages share them unless they are of different visitors.
    const context = await this.#browser.newContext();
    const page = await context.newPage();
    page.on('pageerror', (error) => this.errors.push(error.message));
    const boxes = new Boxes();
    await page.exposeFunction('happened', (what) => boxes.take(what));
    await page.goto(this.origin);
    return { page, boxes };
  }
}

class PageExp {
  #exp;

  constructor(t, page, options) {
    this.#exp = page.then(async ({ page, boxes }) => {
      const number = await page.evaluate((options) => window.sdk.start(options), options);
      return { page, boxes, number };
    });
    this.#exp.catch(() => {});
    t.after(() => this.stop());
  }

  /** Waits until it has happened once more: `online`, `offline`, `update` or `error`. Gives what it came with. */
  async happens(event, ms) {
    const { boxes, number } = await this.#exp;
    return boxes.event(number, event).next(ms);
  }

  /** How often it has happened, beyond what was waited for. */
  async count(event) {
    const { boxes, number } = await this.#exp;
    return boxes.event(number, event).size;
  }

  online() {
    return this.happens('online');
  }

  async fatal() {
    await this.happens('error');
    return this.#ask('refusal');
  }

  auth() {
    return this.#ask('auth');
  }

  async listen(channel, event, ms) {
    const listening = this.#ask('listen', channel, event);
    const listener = await (ms ? within(listening, 'word that it listens', ms) : listening);
    const broadcasts = (await this.#exp).boxes.listener(listener);
    return {
      next: async (ms) => {
        const { broadcast, ...heard } = await broadcasts.next(ms);
        return { ...heard, respond: (payload) => this.#ask('respond', broadcast, payload) };
      },
      count: () => broadcasts.size,
      cancel: () => this.#ask('cancel', listener),
    };
  }

  broadcast(channel, event, payload, timeout) {
    return this.#ask('broadcast', channel, event, payload, timeout);
  }

  fling(channel, payload, timeout) {
    return this.#ask('fling', channel, payload, timeout);
  }

  post(path, body, query) {
    return this.#ask('post', path, body, query);
  }

  stop() {
    return this.#ask('stop');
  }

  async #ask(name, ...values) {
    const { page, number } = await this.#exp;
    const answer = page.evaluate(([name, values]) => outcome(window.sdk[name](...values)), [name, [number, ...values]]);
    const { value, error } = await within(answer, `answer of the page to ${name}`);
    if (error) throw Object.assign(new Error(error.message), error);
    return value;
  }
}

/** What a page has told, of each SDK and each listener. */
class Boxes {
  #boxes = new Map();

  event(exp, event) {
    return this.#box(`event \`${event}\` of SDK ${exp}`);
  }

  listener(listener) {
    return this.#box(`broadcast to listener ${listener}`);
  }

  take({ exp, event, listener, value }) {
    (event === undefined ? this.listener(listener) : this.event(exp, event)).put(value);
  }

  #box(what) {
    if (!this.#boxes.has(what)) this.#boxes.set(what, new Mailbox(what));
    return this.#boxes.get(what);
  }
}
