// The server as it is shipped, on TLS, with a configuration of the test's own.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { within } from '../../clients/harness/deadline.mjs';
import { shared } from './authority.mjs';

const STARTS_MS = 20_000;

export class Server {
  /** Where it speaks TLS. */
  port;
  /** Where it does not, if anywhere. */
  plainPort;
  directory;
  #process;
  #said = '';
  #waiting = [];

  /**
   * A server, gone when the test `t` is over. `tls` is what `[tls]` has besides its address, in TOML; without it, the certificate of
   * localhost. `top` comes before all sections, `rest` after.
   */
  static async start(t, { tls, top = '', rest = '', port = 0, plainPort = 0, files } = {}) {
    const server = new Server();
    server.directory = await mkdtemp(path.join(tmpdir(), 'antiphon-tls-'));
    t.after(() => server.stop());
    const { localhost } = files ?? shared();
    const certificate = `certificate_file = ${text(localhost.certFile)}\nkey_file = ${text(localhost.keyFile)}\n`;
    const sections = `[tls]\nlisten = ["127.0.0.1:${port}"]\n${tls ?? certificate}\n${rest}`;
    await writeFile(server.#file, `${top}\nlisten = ["127.0.0.1:${plainPort}"]\n${sections}`);
    await server.restart();
    return server;
  }

  get #file() {
    return path.join(this.directory, 'antiphon.toml');
  }

  /** Starts it with what it had stored. */
  async restart() {
    const args = ['serve', '--config', this.#file, '--data-dir', path.join(this.directory, 'data')];
    this.#process = spawn(binary(), args, { env: { ...process.env, RUST_BACKTRACE: '1' }, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process.stderr.on('data', (text) => {
      this.#said += text;
      this.#waiting = this.#waiting.filter(({ pattern, resolve }) => !pattern.test(this.#said) || resolve());
    });
    const lines = createInterface({ input: this.#process.stdout });
    const listening = new Promise((resolve, reject) => {
      lines.on('line', (line) => {
        const match = /listening on (https?):\/\/[\d.]+:(\d+)/.exec(line);
        if (match?.[1] === 'http') this.plainPort = Number(match[2]);
        if (match?.[1] === 'https') resolve(Number(match[2]));
      });
      this.#process.once('error', reject);
      this.#process.once('exit', (code, signal) => {
        reject(new Error(`the server ended before it listened: ${code ?? signal}\n${this.#said}`));
      });
    });
    this.port = await within(listening, 'word that the server listens', STARTS_MS);
  }

  get url() {
    return `https://localhost:${this.port}`;
  }

  get plainUrl() {
    return `http://127.0.0.1:${this.plainPort}`;
  }

  get host() {
    return `localhost:${this.port}`;
  }

  get said() {
    return this.#said;
  }

  /** Waits until it has logged something. */
  says(pattern, ms = 15_000) {
    const said = new Promise((resolve) => {
      if (pattern.test(this.#said)) resolve();
      else this.#waiting.push({ pattern, resolve });
    });
    return within(said, () => `line like ${pattern} in\n${this.#said}\n`, ms);
  }

  /** Forgets what it has logged until here. */
  hush() {
    this.#said = '';
  }

  reload() {
    this.#process.kill('SIGHUP');
  }

  async kill() {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const exited = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await within(exited, 'end of the server');
  }

  async stop() {
    await this.kill();
    await rm(this.directory, { recursive: true, force: true });
    if (/panicked/.test(this.#said)) throw new Error(`the server panicked:\n${this.#said}`);
  }
}

/** A text as TOML has it. */
export function text(value) {
  return JSON.stringify(value);
}

export function binary() {
  const binary = process.env.ANTIPHON_BIN;
  if (!binary) throw new Error('set ANTIPHON_BIN to the binary');
  return path.resolve(binary);
}
