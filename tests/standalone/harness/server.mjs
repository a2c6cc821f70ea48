// The server as it is shipped, with a configuration of the test's own, on a data directory of its own.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { within } from '../../clients/harness/deadline.mjs';

const STARTS_MS = 20_000;

export class Server {
  url;
  #directory;
  #listen = '127.0.0.1:0';
  #args;
  #environment;
  #process;
  #said = '';

  /** A server with this configuration (TOML), gone when the test `t` is over, if there is one. Without any it has the open org `demo`. */
  static async start(t, config = '', { args = [], environment = {} } = {}) {
    const server = new Server();
    server.#directory = await mkdtemp(path.join(tmpdir(), 'antiphon-standalone-'));
    t?.after(() => server.stop());
    const file = path.join(server.#directory, 'antiphon.toml');
    await writeFile(file, config);
    server.#args = ['serve', '--config', file, '--data-dir', path.join(server.#directory, 'data'), ...args];
    server.#environment = environment;
    await server.restart();
    return server;
  }

  /** What it would say of a configuration that it cannot be started with. */
  static async refusal(t, config) {
    const directory = await mkdtemp(path.join(tmpdir(), 'antiphon-standalone-'));
    t.after(() => rm(directory, { recursive: true, force: true }));
    const file = path.join(directory, 'antiphon.toml');
    await writeFile(file, config);
    const checked = spawn(binary(), ['check-config', file], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    checked.stderr.on('data', (text) => (said += text));
    const [code] = await within(once(checked, 'close'), 'end of check-config');
    if (code === 0) throw new Error('the configuration was taken');
    return said;
  }

  /** Starts it where it was, with what it had stored. */
  async restart() {
    const args = [...this.#args, '--listen', this.#listen];
    const env = { ...process.env, RUST_BACKTRACE: '1', ...this.#environment };
    this.#process = spawn(binary(), args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process.stderr.on('data', (text) => (this.#said += text));
    const lines = createInterface({ input: this.#process.stdout });
    const url = new Promise((resolve, reject) => {
      lines.on('line', (line) => {
        const match = /listening on (http:\/\/[\d.]+:\d+)/.exec(line);
        if (match) resolve(match[1]);
      });
      this.#process.once('error', reject);
      this.#process.once('exit', (code, signal) => {
        reject(new Error(`the server ended before it listened: ${code ?? signal}\n${this.#said}`));
      });
    });
    this.url = await within(url, 'word that the server listens', STARTS_MS);
    this.#listen = new URL(this.url).host;
  }

  get host() {
    return new URL(this.url).host;
  }

  get dataDirectory() {
    return path.join(this.#directory, 'data');
  }

  /** What it logged. */
  get said() {
    return this.#said;
  }

  /** Ends it as a crash does. */
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

  async stop() {
    await this.kill();
    await rm(this.#directory, { recursive: true, force: true });
    // A handler that panics is caught; the log tells all the same.
    if (/panicked/.test(this.#said)) throw new Error(`the server panicked:\n${this.#said}`);
  }
}

function binary() {
  const binary = process.env.ANTIPHON_BIN;
  if (!binary) throw new Error('set ANTIPHON_BIN to the binary');
  return path.resolve(binary);
}
