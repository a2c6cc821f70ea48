// The WebSocket way to listen, subprotocol `antiphon.v1`: publishing and presence go through the same socket.

import { Problem } from './api.js';

const PING_EVERY_MS = 20_000;
const ANSWER_TIMEOUT_MS = 10_000;

export class WebSocketTransport {
  #socket;
  #on;
  #nextId = 1;
  #waiting = new Map();
  #reason;
  #pinger;
  #stopped = false;

  constructor(api, { since, state }, on) {
    this.room = api.room;
    this.#on = on;
    this.#socket = new WebSocket(api.socketUrl(), 'antiphon.v1');
    this.#socket.onopen = () => this.#subscribe(since, state);
    this.#socket.onmessage = (event) => this.#handleFrame(JSON.parse(event.data));
    this.#socket.onclose = (event) => this.#end(event.reason);
  }

  async #subscribe(since, state) {
    const channel = { channel: this.room, since, presence: true, join: true, state };
    const ping = () => this.#ask({ type: 'ping' }).catch(() => this.#end('No answer to a ping.'));
    this.#pinger = setInterval(ping, PING_EVERY_MS);
    try {
      await this.#ask({ type: 'subscribe', channels: [channel] }, (ok) => {
        this.#on.opened(ok.channels[0].position);
        if (ok.channels[0].gap) this.#on.gap();
      });
    } catch (problem) {
      this.#reason = problem;
      this.#socket.close();
    }
  }

  // What follows an answer may be in the same task, so `handle` runs before the next frame does, not when a promise says so.
  #ask(frame, handle = () => {}) {
    return new Promise((resolve, reject) => {
      if (this.#socket.readyState !== WebSocket.OPEN) {
        reject(new Problem());
        return;
      }
      const id = this.#nextId++;
      const timer = setTimeout(() => this.#settle(id, (waiting) => waiting.reject(new Problem())), ANSWER_TIMEOUT_MS);
      this.#waiting.set(id, { resolve, reject, handle, timer });
      this.#socket.send(JSON.stringify({ ...frame, id }));
    });
  }

  #settle(id, how) {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    this.#waiting.delete(id);
    clearTimeout(waiting.timer);
    how(waiting);
  }

  #handleFrame(frame) {
    if (this.#stopped) return;
    switch (frame.type) {
      case 'message':
        this.#on.message(frame);
        break;
      case 'ok':
      case 'pong':
        this.#settle(frame.id, ({ resolve, handle }) => {
          handle(frame);
          resolve(frame);
        });
        break;
      case 'error':
        this.#settle(frame.id, ({ reject }) => reject(new Problem(frame.error)));
        break;
      case 'gap':
        this.#on.gap();
        break;
      case 'close':
        this.#reason = new Problem({ detail: frame.reason });
        break;
    }
  }

  publish({ name, payload, kind, store, key }) {
    return this.#ask({ type: 'publish', channel: this.room, name, payload, kind, store, idempotency_key: key });
  }

  presence() {
    return this.#ask({ type: 'presence', channel: this.room });
  }

  #end(detail) {
    const stopped = this.#stopped;
    this.stop();
    if (!stopped) this.#on.ended(this.#reason ?? new Problem({ detail }));
  }

  stop() {
    this.#stopped = true;
    clearInterval(this.#pinger);
    this.#socket.close(1000);
    for (const id of [...this.#waiting.keys()]) this.#settle(id, ({ reject }) => reject(new Problem()));
  }
}
