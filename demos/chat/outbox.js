// What this page still has to send: one message at a time, in order, each under one idempotency key until it is
// acknowledged, refused, or given up.

const ATTEMPT_FOR_MS = 60_000;
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 8000;

/** Events, as `CustomEvent`s whose detail is the entry: `change`. An entry's `state` is `pending`, `sent` or `failed`. */
export class Outbox extends EventTarget {
  #publish;
  #queue = [];
  #busy = false;
  #wake = () => {};

  /** `publish` sends one publication and rejects with a `Problem` when it could not. */
  constructor(publish) {
    super();
    this.#publish = publish;
  }

  /** Queues `payload` under `key`, and answers its entry. */
  add(key, payload) {
    const entry = { key, payload, state: 'pending', attempts: 0 };
    this.#enqueue(entry);
    return entry;
  }

  /** Tries a failed entry anew; the same key makes sure that it cannot count twice. */
  retry(entry) {
    if (entry.state === 'failed') this.#enqueue(entry);
  }

  /** Tries at once what waits for its next attempt. */
  wake() {
    this.#wake();
  }

  #enqueue(entry) {
    entry.giveUpAt = performance.now() + ATTEMPT_FOR_MS;
    this.#set(entry, 'pending');
    this.#queue.push(entry);
    if (!this.#busy) this.#drain();
  }

  async #drain() {
    this.#busy = true;
    while (this.#queue.length > 0) await this.#send(this.#queue.shift());
    this.#busy = false;
  }

  async #send(entry) {
    for (let round = 0; ; round++) {
      try {
        entry.attempts++;
        entry.sentAt = performance.now();
        const { position } = await this.#publish({ name: 'message', payload: entry.payload, key: entry.key });
        entry.position = position;
        this.#set(entry, 'sent');
        return;
      } catch (problem) {
        entry.problem = problem;
        if (!problem.transient || performance.now() > entry.giveUpAt) {
          this.#set(entry, 'failed');
          return;
        }
        this.#set(entry, 'pending');
        await this.#pause(round, problem.retryAfterMs);
      }
    }
  }

  #pause(round, atLeast) {
    const full = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** round);
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(atLeast, full / 2 + (Math.random() * full) / 2));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #set(entry, state) {
    entry.state = state;
    this.dispatchEvent(new CustomEvent('change', { detail: entry }));
  }
}
