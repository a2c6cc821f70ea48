// A session under a virtual clock, and a server that says what the test says.

import assert from 'node:assert/strict';
import { Session } from '../../dist/esm/core/session.js';

export const SETTINGS = {
  backoffMin: 500,
  backoffMax: 30_000,
  attemptTimeout: 10_000,
  heartbeatInterval: 25_000,
  heartbeatTimeout: 10_000,
  queueMax: 10_000,
  queueBytesMax: 16 * 1024 * 1024,
  messageBytesMax: 1024 * 1024,
  keyPrefix: 'key',
  // Half of the range that a pause is taken from: delays are three quarters of their caps.
  random: () => 0.5,
  credential: { kind: 'fixed', token: undefined },
};

export const channel = (name, flags) => ({ name, system: false, consumer: false, ...flags });

export class Virtual {
  now = 1_000;
  session;

  constructor(settings = {}) {
    this.session = new Session({ ...SETTINGS, ...settings });
  }

  /** One that has its first connection, with nothing left to do. */
  static online(settings) {
    const virtual = new Virtual(settings);
    virtual.session.start(virtual.now);
    virtual.open();
    virtual.takeActions();
    return virtual;
  }

  /** What is to be done, taken out. */
  takeActions() {
    const actions = [];
    for (let action = this.session.pollAction(); action; action = this.session.pollAction()) actions.push(action);
    return actions;
  }

  takeTypes() {
    return this.takeActions().map(({ type }) => type);
  }

  /** What is to be sent, as objects; everything else is dropped. */
  takeSent() {
    return this.takeActions()
      .filter(({ type }) => type === 'send')
      .map(({ text }) => JSON.parse(text));
  }

  /** The only action of a type among what is to be done. */
  takeOnly(type) {
    const found = this.takeActions().filter((action) => action.type === type);
    assert.equal(found.length, 1, `one ${type}`);
    return found[0];
  }

  /** Lets time pass, timer by timer. */
  advance(milliseconds) {
    const until = this.now + milliseconds;
    for (let at = this.session.pollTimeout(); at !== undefined && at <= until; at = this.session.pollTimeout()) {
      this.now = Math.max(this.now, at);
      this.session.handleTimeout(this.now);
    }
    this.now = until;
  }

  /** The server says something. */
  says(message) {
    this.session.handleText(JSON.stringify(message), this.now);
  }

  open() {
    this.says({ type: 'open', session: '1', identity: 'ada', position: '100' });
  }

  /** The connection breaks, and the next one is open. */
  reconnect() {
    this.breaks();
    this.comeBack();
    this.open();
  }

  /** Lets the pause before the next attempt pass. */
  comeBack() {
    while (this.session.state === 'waiting') this.advance(this.session.pollTimeout() - this.now);
  }

  breaks(code = 1006, reason = '') {
    this.session.handleClosed(code, reason, this.now);
  }

  /** Listens, and lets the server agree. */
  listen(name, position = '100') {
    this.session.subscribe(channel(name));
    const { id } = this.takeSent()[0];
    this.says({ type: 'ok', id, channels: [{ channel: name, position, gap: false }] });
    this.takeActions();
  }

  message(name, position, members = {}) {
    this.says({ type: 'message', position, channel: name, name: 'message', payload: position, ...members });
  }

  publish(name, payload = 1) {
    return this.session.request('publish', 'publish', channel(name), { payload });
  }

  broadcast(name, payload = 1) {
    return this.session.request('broadcast', 'broadcast', channel(name), { payload, timeout: 2000 });
  }
}

export const problem = (type, status, members = {}) => ({
  type: `urn:antiphon:problem:${type}`,
  title: type,
  status,
  detail: `${type}, said the server`,
  ...members,
});
