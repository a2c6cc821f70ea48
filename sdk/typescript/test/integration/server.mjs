// The server as it is shipped, with a configuration of the test's own, and a proxy to break connections with.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';

const WAIT_MS = 20_000;

/** The org that asks for no credentials, and lets any page in. */
export const OPEN = '[[org]]\nname = "demo"\nopen = true\nallowed_origins = ["*"]\n';

/** Waits for a promise, and says what it waited for when it does not come. */
export async function within(promise, what, milliseconds = WAIT_MS) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come within ${milliseconds} ms`)), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export class Server {
  url;
  #directory;
  #listen = '127.0.0.1:0';
  #process;
  #said = '';

  /** A server with this configuration (TOML), gone when the test `t` is over. */
  static async start(t, config = OPEN) {
    const server = new Server();
    server.#directory = await mkdtemp(path.join(tmpdir(), 'antiphon-sdk-'));
    t.after(() => server.stop());
    await writeFile(path.join(server.#directory, 'antiphon.toml'), config);
    await server.restart();
    return server;
  }

  /** Starts it where it was, with what it had stored. */
  async restart() {
    const config = path.join(this.#directory, 'antiphon.toml');
    const args = ['serve', '--config', config, '--data-dir', path.join(this.#directory, 'data'), '--listen', this.#listen];
    this.#process = spawn(binary(), args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process.stderr.on('data', (text) => (this.#said += text));
    const lines = createInterface({ input: this.#process.stdout });
    const url = new Promise((resolve, reject) => {
      lines.on('line', (line) => {
        const match = /listening on (http:\/\/[\d.]+:\d+)/.exec(line);
        if (match) resolve(match[1]);
      });
      this.#process.once('error', reject);
      this.#process.once('exit', () => reject(new Error(`the server ended before it listened:\n${this.#said}`)));
    });
    this.url = await within(url, 'word that the server listens');
    this.#listen = new URL(this.url).host;
  }

  /** Publishes over HTTP, as somebody else. */
  async post(channel, payload, query = '') {
    const url = `${this.url}/v1/channels/${encodeURIComponent(channel)}${query}`;
    const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(payload) });
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  }

  /** Ends it as a crash does. */
  async kill() {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await within(exited, 'the end of the server');
  }

  async stop() {
    await this.kill();
    await rm(this.#directory, { recursive: true, force: true });
    if (/panicked/.test(this.#said)) throw new Error(`the server panicked:\n${this.#said}`);
  }
}

/** Stands between clients and the server. */
export class Proxy {
  url;
  #server;
  #listener;
  #sockets = new Set();
  #accepts = true;
  /** How many connections it has had. */
  count = 0;

  static async start(t, server) {
    const proxy = new Proxy();
    proxy.#server = new URL(server.url);
    proxy.#listener = net.createServer((socket) => proxy.#accept(socket));
    proxy.#listener.listen(0, '127.0.0.1');
    await once(proxy.#listener, 'listening');
    proxy.url = `http://127.0.0.1:${proxy.#listener.address().port}`;
    t.after(() => proxy.stop());
    return proxy;
  }

  #accept(socket) {
    if (!this.#accepts) return socket.destroy();
    this.count += 1;
    const onward = net.connect(Number(this.#server.port), this.#server.hostname);
    for (const end of [socket, onward]) {
      this.#sockets.add(end);
      end.on('error', () => {});
      end.on('close', () => {
        this.#sockets.delete(end);
        socket.destroy();
        onward.destroy();
      });
    }
    socket.pipe(onward).pipe(socket);
  }

  /** Breaks all connections. */
  cut() {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Breaks them, and takes none until `open`. */
  shut() {
    this.#accepts = false;
    this.cut();
  }

  open() {
    this.#accepts = true;
  }

  stop() {
    this.shut();
    this.#listener.close();
  }
}

/** Collects what comes, for who waits for so much of it. */
export class Collector {
  all = [];
  #waiting = [];

  take = (value) => {
    this.all.push(value);
    this.#waiting = this.#waiting.filter(({ isEnough, resolve }) => {
      if (!isEnough(this.all)) return true;
      resolve(this.all);
      return false;
    });
  };

  count(count, what = `${count} of them`) {
    return this.until((all) => all.length >= count, what);
  }

  until(isEnough, what) {
    if (isEnough(this.all)) return Promise.resolve(this.all);
    return within(new Promise((resolve) => this.#waiting.push({ isEnough, resolve })), what).catch((error) => {
      throw new Error(`${error.message}; there are ${this.all.length}`);
    });
  }
}

/** The next event of a client. */
export function next(exp, event) {
  return within(
    new Promise((resolve) => {
      const listener = exp.on(event, (value) => {
        listener.cancel();
        resolve(value);
      });
    }),
    `the event ${event}`,
  );
}

export function binary() {
  const binary = process.env.ANTIPHON_BIN;
  if (!binary) throw new Error('set ANTIPHON_BIN to the binary of the server');
  return path.resolve(binary);
}
