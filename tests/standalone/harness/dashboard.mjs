// The public dashboard, as built, in a real browser; and its protocol by hand.

import assert from 'node:assert/strict';
import http from 'node:http';
import { once } from 'node:events';
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import bcrypt from 'bcryptjs';
import { chromium } from 'playwright-core';
import { connected, open } from './sockets.mjs';

const require = createRequire(import.meta.url);
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.png': 'image/png' };

/** The settings of `[socketio.admin]` that let `admin` in with `secret`, and more of that section. */
export function admin(more = '') {
  // As few rounds as bcrypt has: the tests are not to wait for it.
  const hash = bcrypt.hashSync('secret', 4);
  return `[socketio.admin]\nenabled = true\nauth = { username = "admin", password_hash = "${hash}" }\n${more}\n`;
}

export const SECRET = { username: 'admin', password: 'secret' };

/** A web server with the dashboard's files. */
export async function pages(t) {
  const directory = path.join(path.dirname(require.resolve('@socket.io/admin-ui/package.json')), 'ui/dist');
  const server = http.createServer(async (request, response) => {
    const file = path.join(directory, path.normalize(new URL(request.url, 'http://x').pathname.replace(/\/$/, '/index.html')));
    try {
      response.setHeader('Content-Type', TYPES[path.extname(file)] ?? 'application/octet-stream');
      response.end(await readFile(file));
    } catch {
      response.writeHead(404).end();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}`;
}

/** The dashboard in a browser. */
export class Dashboard {
  page;
  #url;

  static async open(t, url) {
    const dashboard = new Dashboard();
    const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
    const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'] });
    t.after(() => browser.close());
    dashboard.#url = url;
    dashboard.page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
    dashboard.page.setDefaultTimeout(10_000);
    // Fonts of other servers: nothing here depends on them.
    await dashboard.page.route((other) => other.origin !== url && other.hostname !== '127.0.0.1', (route) => route.abort());
    await dashboard.page.goto(url);
    return dashboard;
  }

  async logIn(server, password = 'secret') {
    const { page } = this;
    await page.getByLabel('Server URL').fill(server.url);
    await page.getByLabel('Username').fill('admin');
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Connect' }).click();
  }

  /** Waits until the dashboard says so at its top. */
  async says(status) {
    await this.page.locator('header').getByText(status, { exact: true }).first().waitFor();
  }

  async show(where) {
    await this.page.goto(`${this.#url}/#/${where}`);
  }

  /** The row of the table that has this text. */
  row(text) {
    return this.page.locator('main tbody tr').filter({ hasText: text });
  }

  /** Waits until there are so many rows with this text. */
  async rows(text, count) {
    const rows = this.row(text);
    if (count > 0) await rows.nth(count - 1).waitFor();
    await this.page.waitForFunction(
      ([text, count]) => [...document.querySelectorAll('main tbody tr')].filter((row) => row.innerText.includes(text)).length === count,
      [text, count],
    );
  }

  async screenshot(name) {
    const directory = process.env.SCREENSHOTS;
    if (!directory) return;
    await mkdir(directory, { recursive: true });
    await this.page.screenshot({ path: path.join(directory, `dashboard-${name}.png`) });
  }
}

/** A client that speaks the dashboard's protocol, connected, with all that it was told: lists by event. */
export async function watcher(t, server, options = {}) {
  const socket = open(t, `${server.url}${options.namespace ?? '/admin'}`, { auth: SECRET, ...options });
  const told = new Map();
  socket.onAny((event, ...values) => told.set(event, [...(told.get(event) ?? []), values]));
  await connected(socket);
  return { socket, told: (event) => told.get(event) ?? [], events: () => [...told.keys()] };
}

/** Waits until a condition holds. */
export async function until(condition, what) {
  for (let attempt = 0; !condition(); attempt++) {
    if (attempt === 500) assert.fail(`never: ${what ?? condition}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
