// The SDK as a program on Node uses it, and all that its listeners are told, kept until it is asked for.

import { createRequire } from 'node:module';
import { within } from '../../clients/harness/deadline.mjs';
import { Mailbox } from '../../exp/harness/mailbox.mjs';

const require = createRequire(import.meta.url);
export const PubNub = require('pubnub');

/** What a listener has a function for. */
const EVENTS = ['message', 'presence', 'signal', 'objects', 'messageAction', 'file'];
/** What clients tell and ask in the background is not to come between. */
const OPTIONS = { ssl: false, restore: false, suppressLeaveEvents: false, heartbeatInterval: 0 };

export class Client {
  /** The SDK itself. */
  pubnub;
  #events = new Map(EVENTS.map((event) => [event, new Mailbox(event)]));
  #statuses = new Map();

  /** A client that is gone when the test is over. */
  static open(t, server, { publishKey, subscribeKey }, { userId, ...options }) {
    const client = new Client();
    client.pubnub = new PubNub({ origin: server.host, publishKey, subscribeKey, userId, ...OPTIONS, ...options });
    const listener = { status: (status) => client.#status(status.category ?? status.operation).put(status) };
    for (const [event, mailbox] of client.#events) listener[event] = (value) => mailbox.put(value);
    client.pubnub.addListener(listener);
    t.after(() => client.close());
    return client;
  }

  /** Subscribes, and waits until the SDK says that it is connected: what it said. */
  subscribe(...channels) {
    return this.subscribeTo({ channels });
  }

  /** The same with all that the SDK takes. */
  async subscribeTo(options) {
    const connected = this.status('PNConnectedCategory');
    this.pubnub.subscribe(options);
    return connected;
  }

  /** The next status of this category, or of this operation where it has no category. */
  status(name, ms) {
    return this.#status(name).next(ms);
  }

  /** The oldest event of this kind that has not been taken. */
  next(event, ms) {
    return this.#events.get(event).next(ms);
  }

  /** As many as that, in the order in which they came. */
  async nextOnes(event, count) {
    const got = [];
    while (got.length < count) got.push(await this.next(event));
    return got;
  }

  /** How many there are of this kind that nobody has taken. */
  left(event) {
    return this.#events.get(event).size;
  }

  /** Asks the SDK for something, by the name of the function: what it gives, or throws `Failed`. */
  async ask(name, ...values) {
    const path = name.split('.');
    const of = path.slice(0, -1).reduce((object, part) => object[part], this.pubnub);
    try {
      return await within(of[path.at(-1)](...values), `answer to ${name}`);
    } catch (error) {
      const { status } = error;
      if (!status) throw error;
      // What the SDK does not even send has no status of HTTP.
      throw status.statusCode || status.errorData ? new Failed(name, status) : new Error(`${name}: ${error.message} (${status.message})`);
    }
  }

  close() {
    this.pubnub.removeAllListeners();
    this.pubnub.disconnect();
  }

  #status(name) {
    if (!this.#statuses.has(name)) this.#statuses.set(name, new Mailbox(`status ${name}`));
    return this.#statuses.get(name);
  }
}

/** What the SDK says of a call that failed: the status of HTTP, what it makes of it, and what was answered. */
export class Failed extends Error {
  statusCode;
  category;
  answer;

  constructor(name, { statusCode, category, errorData }) {
    const answer = errorData instanceof Error ? errorData.response?.text : errorData;
    super(`${name} failed with ${statusCode} ${category}: ${answer ? JSON.stringify(answer) : errorData?.message}`);
    this.statusCode = statusCode;
    this.category = category;
    this.answer = answer;
  }
}
