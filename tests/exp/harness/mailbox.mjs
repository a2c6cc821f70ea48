// What comes is kept until it is asked for.

import { within } from '../../clients/harness/deadline.mjs';

export class Mailbox {
  #what;
  #items = [];
  #waiting = [];

  constructor(what) {
    this.#what = what;
  }

  put(item) {
    const waiting = this.#waiting.shift();
    if (waiting) waiting(item);
    else this.#items.push(item);
  }

  /** The oldest that has not been taken. */
  next(ms) {
    if (this.#items.length > 0) return Promise.resolve(this.#items.shift());
    let waiting;
    const came = new Promise((resolve) => this.#waiting.push((waiting = resolve)));
    return within(came, this.#what, ms).finally(() => {
      this.#waiting = this.#waiting.filter((other) => other !== waiting);
    });
  }

  /** How many there are that nobody has taken. */
  get size() {
    return this.#items.length;
  }
}
