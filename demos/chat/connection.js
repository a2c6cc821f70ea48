// Keeps one room connected by one technique at a time, and the position that carries over from each to the next.

import { Problem } from './api.js';
import { comparePositions, isAfter, latest } from './position.js';
import { TECHNIQUES } from './transports.js';

const HISTORY = 50;
const OPEN_TIMEOUT_MS = 12_000;
const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 15_000;
const SEEN_MAX = 2000;

/** Doubles with each attempt; half of it is chance, so that a restarted server is not met by everyone at once. */
function backoff(attempt) {
  const full = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** attempt);
  return full / 2 + (Math.random() * full) / 2;
}

/**
 * Events, as `CustomEvent`s with a `detail`:
 * `status` {state: 'connecting' | 'live' | 'reconnecting', retryAt, problem, recovered}, `message` {message, live, missed},
 * `history` {messages}, `gap`.
 */
export class Connection extends EventTarget {
  #api;
  #technique;
  #transport;
  // Raised whenever what is under way is given up; callbacks of an older run are ignored.
  #run = 0;
  #timer;
  #attempt = 0;
  #cursor;
  #head = '0';
  #seen = new Set();
  #state = 'connecting';
  #lost = false;
  #recovered = false;
  #stopping = Promise.resolve();

  constructor(api, technique) {
    super();
    this.#api = api;
    this.#technique = technique;
  }

  get technique() {
    return this.#technique;
  }

  get state() {
    return this.#state;
  }

  /** Up to where this page has heard; undefined before the history is there. */
  get position() {
    return this.#cursor;
  }

  /** Starts, or tries again at once what waits for its next attempt. */
  async connect() {
    const run = ++this.#run;
    clearTimeout(this.#timer);
    this.#stopTransport();
    this.#setState(this.#lost ? 'reconnecting' : 'connecting');
    await this.#stopping;
    if (run !== this.#run) return;
    try {
      if (this.#cursor === undefined) await this.#loadHistory(run);
    } catch (problem) {
      this.#retry(run, problem);
      return;
    }
    if (run === this.#run) this.#open(run);
  }

  /** Goes on by another technique where this one stands. */
  use(technique) {
    if (technique === this.#technique) return;
    this.#technique = technique;
    this.#attempt = 0;
    this.connect();
  }

  stop() {
    this.#run++;
    clearTimeout(this.#timer);
    this.#stopTransport();
    this.#setState('connecting');
  }

  /** Publishes by the technique's own way if it has one, else with POST. */
  publish(publication) {
    const publisher = this.#transport?.publish ? this.#transport : this.#api;
    // A technique that publishes on its own connection has nothing to publish on until that is open.
    if (publisher !== this.#api && this.#state !== 'live') return Promise.reject(new Problem());
    if (!this.#transport) return Promise.reject(new Problem());
    return publisher.publish(publication);
  }

  presence() {
    return this.#transport?.presence && this.#state === 'live' ? this.#transport.presence() : this.#api.presence();
  }

  async #loadHistory(run) {
    const { messages, position } = await this.#api.history(HISTORY, 'message');
    if (run !== this.#run) return;
    const kept = messages.filter((message) => this.#isNew(message));
    this.#cursor = kept.reduce((cursor, message) => latest(cursor, message.position), position);
    this.#emit('history', { messages: kept });
  }

  #open(run) {
    const { Transport } = TECHNIQUES.get(this.#technique);
    const options = { since: this.#cursor, state: { via: this.#technique } };
    const current = (handle) => (value) => {
      if (run === this.#run) handle(value);
    };
    let toldOfGap = false;
    this.#transport = new Transport(this.#api, options, {
      opened: current((head) => this.#opened(head)),
      message: current((message) => this.#handleMessage(message)),
      gap: current(() => {
        if (!toldOfGap) this.#emit('gap', { after: this.#cursor });
        toldOfGap = true;
      }),
      ended: current((problem) => this.#retry(run, problem)),
    });
    const unanswered = new Problem({ detail: 'The server does not answer.' });
    this.#timer = setTimeout(() => this.#retry(run, unanswered), OPEN_TIMEOUT_MS);
  }

  #opened(head) {
    clearTimeout(this.#timer);
    this.#head = head;
    this.#attempt = 0;
    this.#recovered = this.#lost;
    this.#lost = false;
    this.#setState('live', { recovered: this.#recovered });
  }

  #handleMessage(message) {
    const fresh = this.#isNew(message);
    const late = comparePositions(message.position, this.#head) <= 0;
    if (isAfter(message.position, this.#cursor)) this.#cursor = message.position;
    if (!fresh) return;
    this.#emit('message', { message, live: !late, missed: late && this.#recovered });
  }

  #isNew({ position }) {
    if (this.#seen.has(position)) return false;
    this.#seen.add(position);
    if (this.#seen.size > SEEN_MAX) this.#seen.delete(this.#seen.values().next().value);
    return true;
  }

  #retry(run, problem) {
    if (run !== this.#run) return;
    this.#run++;
    clearTimeout(this.#timer);
    this.#stopTransport();
    this.#lost = true;
    const delay = Math.max(backoff(this.#attempt++), problem.retryAfterMs ?? 0);
    this.#timer = setTimeout(() => this.connect(), delay);
    this.#setState('reconnecting', { retryAt: Date.now() + delay, problem });
  }

  #stopTransport() {
    const transport = this.#transport;
    this.#transport = undefined;
    if (transport) this.#stopping = Promise.race([transport.stop(), new Promise((resolve) => setTimeout(resolve, 2000))]);
  }

  #setState(state, detail = {}) {
    this.#state = state;
    this.#emit('status', { state, technique: this.#technique, ...detail });
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
