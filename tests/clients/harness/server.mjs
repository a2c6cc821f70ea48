// The servers under test, as processes that can be asked to end, killed and started again.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createInterface } from 'node:readline';
import { within } from './deadline.mjs';

const STARTS_MS = 20_000;
const here = (file) => fileURLToPath(new URL(file, import.meta.url));

/** Whether the reference implementation stands in for the server. */
export const REFERENCE = process.env.REFERENCE === '1';

/** A process that says on standard output what it does, a line each. */
class Process {
  url;
  /** The program and its arguments. */
  command;
  #environment;
  #process;
  #lines = [];
  #waiting = new Set();

  constructor(command, environment) {
    this.command = command;
    this.#environment = environment;
  }

  /** The first line for which `find` gives something, whether it has come or is to come: what `find` gave. */
  line(find, what, ms) {
    for (const line of this.#lines) {
      const found = find(line);
      if (found !== undefined) return Promise.resolve(found);
    }
    let waiting;
    const found = new Promise((resolve) => {
      waiting = (line) => {
        const found = find(line);
        if (found !== undefined) resolve(found);
      };
      this.#waiting.add(waiting);
    });
    return within(found, what, ms).finally(() => this.#waiting.delete(waiting));
  }

  /** Each line so far. */
  get lines() {
    return this.#lines;
  }

  async spawn() {
    const [program, ...args] = this.command;
    const env = { ...process.env, ...this.#environment };
    this.#lines = [];
    this.#process = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
    createInterface({ input: this.#process.stdout }).on('line', (line) => {
      this.#lines.push(line);
      for (const waiting of [...this.#waiting]) waiting(line);
    });
    const listening = (line) => /listening\W+(?:on )?(http:\/\/[\d.]+:\d+)/.exec(line)?.[1];
    const ended = new Promise((_, reject) => {
      this.#process.once('error', reject);
      this.#process.once('exit', (code, signal) => reject(new Error(`the server ended before it listened: ${code ?? signal}`)));
    });
    // It may well end later on.
    ended.catch(() => {});
    this.url = await Promise.race([this.line(listening, 'word that the server listens', STARTS_MS), ended]);
  }

  get port() {
    return Number(new URL(this.url).port);
  }

  get pid() {
    return this.#process.pid;
  }

  signal(name) {
    this.#process.kill(name);
  }

  /** Ends it as a user would who wants it gone at once. */
  async kill() {
    await this.#end('SIGKILL');
  }

  /** Asks it to end, and waits until it has. */
  async terminate() {
    await this.#end('SIGTERM');
  }

  async #end(signal) {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, 'exit');
    this.#process.kill(signal);
    await within(exited, `end of the server after ${signal}`);
  }
}

/** The test server (`server/`), or its twin. README.md says what it does. */
export class TestServer extends Process {
  #settings;

  static async start(settings = {}) {
    const server = new TestServer(settings);
    await server.spawn();
    return server;
  }

  constructor(settings) {
    const program = REFERENCE ? [process.execPath, here('../reference/server.mjs')] : [needed('TEST_SERVER')];
    super([...program, JSON.stringify(settings)]);
    this.#settings = settings;
  }

  /** Starts it where it was, with what it had stored. */
  async restart() {
    this.command.splice(-1, 1, JSON.stringify({ ...this.#settings, port: this.port }));
    await this.spawn();
  }

  /** Why the server says that this socket is gone. */
  reason(id, namespace = '/') {
    const find = (line) => {
      const { disconnected } = JSON.parse(line);
      if (disconnected?.id === id && disconnected.namespace === namespace) return disconnected.reason;
      return undefined;
    };
    return this.line(find, `word of why ${id} is gone`);
  }
}

/** How often the conformance server pings in our tests, and how long it waits: longer than in the official suites. */
export const PING_INTERVAL_MS = 300;
export const PING_TIMEOUT_MS = 1000;

/** The conformance example, or its twin. */
export class ConformanceServer extends Process {
  static async start({ eio3 = true } = {}) {
    const command = REFERENCE ? [process.execPath, here('../reference/conformance.mjs')] : [needed('CONFORMANCE')];
    const server = new ConformanceServer(command, {
      PORT: '0',
      PING_INTERVAL_MS: String(PING_INTERVAL_MS),
      PING_TIMEOUT_MS: String(PING_TIMEOUT_MS),
      EIO3: eio3 ? '1' : '0',
    });
    await server.spawn();
    return server;
  }
}

function needed(variable) {
  const value = process.env[variable];
  if (!value) throw new Error(`${variable} must name the program; run.mjs sets it`);
  return value;
}
