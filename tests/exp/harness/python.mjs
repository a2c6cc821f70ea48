// The SDK as a program on Python 2.7 uses it: `python/driver.py` does what it is told.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { within } from '../../clients/harness/deadline.mjs';

const DRIVER = fileURLToPath(new URL('../python/driver.py', import.meta.url));
// The SDK waits a second here and there, and each answer waits for that.
const LONG_MS = 20_000;

/** Why there is no such program, if there is none. */
export const MISSING = process.env.EXP_PYTHON ? undefined : 'there is no Python 2.7 with exp-sdk: set EXP_PYTHON and EXP_PYTHONPATH';

export class PythonSdk {
  name = 'Python 2.7';
  language = 'Python';
  #process;
  #answers = new Map();
  #asked = 0;

  static async start() {
    const python = new PythonSdk();
    const env = { ...process.env, PYTHONPATH: process.env.EXP_PYTHONPATH, PYTHONDONTWRITEBYTECODE: '1', PYTHONUNBUFFERED: '1' };
    python.#process = spawn(process.env.EXP_PYTHON, [DRIVER], { env, stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = createInterface({ input: python.#process.stdout });
    lines.on('line', (line) => {
      const { id, ...answer } = JSON.parse(line);
      python.#answers.get(id)?.(answer);
      python.#answers.delete(id);
    });
    python.#process.on('exit', (code) => {
      for (const answer of python.#answers.values()) answer({ error: { name: 'Exit', message: `Python ended with ${code}` } });
    });
    return python;
  }

  async ask(command, members = {}, ms = LONG_MS) {
    const id = ++this.#asked;
    const answered = new Promise((resolve) => this.#answers.set(id, resolve));
    this.#process.stdin.write(`${JSON.stringify({ id, do: command, ...members })}\n`);
    const { value, error } = await within(answered, `answer of Python to ${command}`, ms);
    if (error) throw Object.assign(new Error(error.message), error);
    return value;
  }

  open(t, host, options) {
    return new PythonExp(t, this, { host, ...options });
  }

  stop() {
    this.#process.kill('SIGKILL');
  }
}

class PythonExp {
  #python;
  #started;
  #exp;

  constructor(t, python, { apiKey, allowPairing, ...options }) {
    this.#python = python;
    const named = { ...options, ...(apiKey && { api_key: apiKey }), ...(allowPairing && { allow_pairing: true }) };
    this.#started = python.ask('start', { options: named }).then((exp) => (this.#exp = exp));
    this.#started.catch(() => {});
    t.after(() => this.stop());
  }

  async #ask(command, members, ms) {
    await this.#started;
    return this.#python.ask(command, { exp: this.#exp, ...members }, ms);
  }

  online() {
    return this.#ask('online');
  }

  async offline() {
    return this.#ask('offline');
  }

  async fatal() {
    const error = await this.#started.then(
      () => assert.fail('it was let in'),
      (error) => error,
    );
    assert.equal(error.name, 'AuthenticationError');
    return error.message;
  }

  auth() {
    return this.#ask('auth');
  }

  async listen(channel, event, ms) {
    const listener = await this.#ask('listen', { channel, event, ...(ms && { timeout: ms / 1000 }) });
    return {
      next: async () => {
        const { broadcast, payload, message } = await this.#ask('wait', { listener });
        return { payload, name: message.name, message, respond: (payload) => this.#ask('respond', { broadcast, payload }) };
      },
      count: () => this.#ask('count', { listener }),
      cancel: () => this.#ask('cancel', { listener }),
    };
  }

  broadcast(channel, event, payload, timeout) {
    return this.#ask('broadcast', { channel, event, payload, timeout: timeout && timeout / 1000 });
  }

  fling(channel, payload, timeout) {
    // What the others' convenience comes to.
    return this.broadcast(channel, 'fling', payload, timeout);
  }

  post(path, payload, query) {
    return this.#ask('post', { path, payload, query });
  }

  async stop() {
    if (this.#exp === undefined) return;
    const exp = this.#exp;
    this.#exp = undefined;
    await this.#python.ask('stop', { exp }).catch(() => {});
  }
}
