// The SDK as a program on Node uses it, in the process of the test.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { within } from '../../clients/harness/deadline.mjs';
import { Mailbox } from './mailbox.mjs';

// The SDK makes buffers as Node did when it was written.
process.noDeprecation = true;
const EXP = createRequire(import.meta.url)('exp-sdk');

export class NodeSdk {
  name = 'JavaScript on Node';
  language = 'JavaScript';

  static async start() {
    return new NodeSdk();
  }

  /** An SDK that is logging in. It is stopped when the test is over. */
  open(t, host, options) {
    return NodeExp.open(t, EXP.start({ host, ...options }));
  }

  stop() {}
}

class NodeExp {
  /** The SDK itself. */
  exp;
  #happened = new Map();
  #stopped = false;

  static open(t, exp) {
    const open = new NodeExp();
    open.exp = exp;
    for (const event of ['online', 'offline', 'error', 'update']) {
      const mailbox = new Mailbox(`event \`${event}\``);
      open.#happened.set(event, mailbox);
      exp.on(event, (value) => mailbox.put(value));
    }
    // Whoever wants to know of it asks for it.
    exp.getAuth().catch(() => {});
    t.after(() => open.stop());
    return open;
  }

  /** Waits until it has happened once more: `online`, `offline`, `update` or `error`. Gives what it came with. */
  happens(event, ms) {
    return this.#happened.get(event).next(ms);
  }

  /** How often it has happened, beyond what was waited for. */
  count(event) {
    return this.#happened.get(event).size;
  }

  online() {
    return this.happens('online');
  }

  /** Why it cannot be used: what it says to whoever logs in with bad credentials. */
  async fatal() {
    // The event comes without its reason, as all that goes through the SDK's events comes as JSON.
    await this.happens('error');
    return this.exp.getAuth().then(
      () => assert.fail('it was let in'),
      (error) => error.message,
    );
  }

  auth() {
    return within(this.exp.getAuth(), 'authentication');
  }

  get isConnected() {
    return this.exp.isConnected;
  }

  /** Listens on a channel, `{ name, system, consumer }`, for an event, or for all events. */
  async listen({ name, ...flags }, event, ms) {
    const mailbox = new Mailbox(`broadcast ${event ?? ''} on ${name}`);
    const hear = (payload, respond, message) => mailbox.put({ payload, name: message.name, message, respond });
    const channel = this.exp.getChannel(name, flags);
    const asked = event === undefined ? channel.listen(hear) : channel.listen(event, hear);
    const listener = await within(asked, 'word that it listens', ms);
    return { next: (ms) => mailbox.next(ms), count: () => mailbox.size, cancel: async () => listener.cancel() };
  }

  broadcast({ name, ...flags }, event, payload, timeout) {
    return outcome(this.exp.getChannel(name, flags).broadcast(event, payload, timeout));
  }

  fling({ name, ...flags }, payload, timeout) {
    return outcome(this.exp.getChannel(name, flags).fling(payload, timeout));
  }

  /** A request of the application's own, with the SDK's token. */
  post(path, body, query) {
    return outcome(this.exp.post(path, body, query));
  }

  async stop() {
    if (this.#stopped) return;
    this.#stopped = true;
    this.exp.stop();
  }
}

async function outcome(promise) {
  try {
    return await within(promise, 'answer');
  } catch ({ name, message, code, status }) {
    throw Object.assign(new Error(message), { name, code, status });
  }
}
