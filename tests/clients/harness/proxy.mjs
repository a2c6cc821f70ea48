// A way to the server that can be cut, closed and held up, to see what both sides make of it.

import { createServer, connect } from 'node:net';
import { once } from 'node:events';

export class Proxy {
  url;
  #server;
  #target;
  #pairs = new Set();
  #open = true;
  #silent = false;
  #unanswered = new Set();
  #held = new WeakSet();

  /** Leads to `url` until told otherwise. */
  static async to(url) {
    const proxy = new Proxy();
    proxy.#target = new URL(url);
    proxy.#server = createServer((near) => proxy.#join(near));
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    proxy.url = `http://127.0.0.1:${proxy.#server.address().port}`;
    return proxy;
  }

  /** Ends all connections, and refuses new ones until `restore`. */
  cut() {
    this.#open = false;
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
    for (const near of this.#unanswered) near.destroy();
  }

  /** Lets new connections through. What was held up stays so. */
  restore() {
    this.#open = true;
    this.#silent = false;
    for (const near of this.#unanswered) near.destroy();
    this.#unanswered.clear();
  }

  /** Lets nothing through any more, without a word: what a lost network looks like. */
  hold() {
    this.#silent = true;
    for (const pair of this.#pairs) {
      this.#held.add(pair);
      for (const socket of pair) socket.pause();
    }
  }

  close() {
    this.cut();
    this.#server.close();
  }

  #join(near) {
    if (!this.#open) {
      near.destroy();
      return;
    }
    if (this.#silent) {
      this.#unanswered.add(near.on('error', () => {}));
      return;
    }
    const far = connect(Number(this.#target.port), this.#target.hostname);
    const pair = [near, far];
    this.#pairs.add(pair);
    const forward = (from, to) => {
      from.setNoDelay(true);
      from.on('data', (bytes) => to.write(bytes));
      from.on('end', () => !this.#held.has(pair) && to.end());
      from.on('error', () => {});
      from.on('close', () => {
        if (to.destroyed) this.#pairs.delete(pair);
        // A connection that is held up ends for one side alone: the other has to notice by itself.
        if (!this.#held.has(pair)) to.destroy();
      });
    };
    forward(near, far);
    forward(far, near);
  }
}
