// The server under test: one that runs already (ANTIPHON_URL), or the binary (ANTIPHON_BIN), which can be killed.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';

export class Server {
  #binary;
  #dataDir;
  #process;
  #listen = '127.0.0.1:0';
  url;

  /** The server that the environment names, running. */
  static async start() {
    const server = new Server();
    server.#binary = process.env.ANTIPHON_BIN;
    if (process.env.ANTIPHON_URL) {
      server.url = process.env.ANTIPHON_URL.replace(/\/$/, '');
    } else if (server.#binary) {
      server.#dataDir = await mkdtemp(path.join(tmpdir(), 'antiphon-browser-'));
      await server.#spawn();
    } else {
      throw new Error('set ANTIPHON_BIN to the binary, or ANTIPHON_URL to a server that runs');
    }
    return server;
  }

  /** Whether it is ours to kill. */
  get killable() {
    return !process.env.ANTIPHON_URL;
  }

  async kill() {
    const exited = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await exited;
  }

  /** Starts it again where it was, with what it had stored. */
  async restart() {
    await this.#spawn();
  }

  async stop() {
    if (!this.#process) return;
    if (this.#process.exitCode === null && this.#process.signalCode === null) await this.kill();
    await rm(this.#dataDir, { recursive: true, force: true });
  }

  async #spawn() {
    const args = ['serve', '--listen', this.#listen, '--data-dir', this.#dataDir];
    this.#process = spawn(this.#binary, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const lines = createInterface({ input: this.#process.stdout });
    const url = await new Promise((resolve, reject) => {
      lines.on('line', (line) => {
        const match = /listening on (http:\/\/([\d.]+:\d+))/.exec(line);
        if (match) resolve(match[1]);
      });
      this.#process.once('error', reject);
      this.#process.once('exit', (code, signal) => {
        reject(new Error(`the server ended before it listened: ${code ?? signal}`));
      });
    });
    this.url = url;
    this.#listen = new URL(url).host;
  }
}
