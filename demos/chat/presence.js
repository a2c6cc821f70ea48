// Who is here and who is typing, as the room's events and one snapshot tell it.

const MEMBERS_MAX = 1000;
const REFRESH_ROUNDS_MAX = 3;
const TYPING_MAX = 50;
const TYPING_FOR_MS = 4000;
const TYPING_EVERY_MS = 2000;

/** Keeps the members; calls `changed` after each change. */
export class Members {
  #members = new Map();
  #fetch;
  #changed;
  #fetching = false;
  #stale = false;
  #occupancy = 0;

  constructor(fetch, changed) {
    this.#fetch = fetch;
    this.#changed = changed;
  }

  /** At most a thousand of them. */
  get list() {
    return [...this.#members.values()];
  }

  /** How many there are, by the server's count. */
  get occupancy() {
    return this.#occupancy;
  }

  /** Asks the server for the whole list. */
  async refresh() {
    this.#stale = true;
    if (this.#fetching) return;
    this.#fetching = true;
    try {
      // An event that comes while the answer is under way may or may not be in it, so the answer is asked for again.
      for (let round = 1; this.#stale; round++) {
        this.#stale = false;
        const { members, occupancy } = await this.#fetch();
        if (this.#stale && round < REFRESH_ROUNDS_MAX) continue;
        this.#stale = false;
        this.#members = new Map(members.slice(0, MEMBERS_MAX).map((member) => [member.identity, member]));
        this.#occupancy = occupancy;
        this.#changed();
      }
    } catch {
      // The list is refreshed whenever the connection opens.
    } finally {
      this.#fetching = false;
    }
  }

  handleEvent({ name, payload: { identity, state, occupancy } }) {
    if (this.#fetching) this.#stale = true;
    this.#occupancy = occupancy ?? this.#occupancy;
    const known = this.#members.get(identity);
    if (name === 'leave' || name === 'timeout') this.#members.delete(identity);
    else if (known || this.#members.size < MEMBERS_MAX) {
      this.#members.set(identity, { identity, state: state ?? known?.state });
    }
    this.#changed();
  }
}

/** Remembers for a few seconds that somebody is typing; calls `changed` after each change. */
export class Typing {
  #timers = new Map();
  #changed;

  constructor(changed) {
    this.#changed = changed;
  }

  get list() {
    return [...this.#timers.keys()];
  }

  start(identity) {
    if (this.#timers.size >= TYPING_MAX && !this.#timers.has(identity)) return;
    clearTimeout(this.#timers.get(identity));
    this.#timers.set(identity, setTimeout(() => this.stop(identity), TYPING_FOR_MS));
    this.#changed();
  }

  stop(identity) {
    clearTimeout(this.#timers.get(identity));
    if (this.#timers.delete(identity)) this.#changed();
  }
}

/** Tells the room that this page's user is typing, not more often than others need to hear it. */
export class TypingSignal {
  #publish;
  #toldAt = -Infinity;

  constructor(publish) {
    this.#publish = publish;
  }

  /** `typing` is whether there is unsent text. */
  set(typing) {
    const now = performance.now();
    if (typing && now - this.#toldAt < TYPING_EVERY_MS) return;
    if (!typing && now - this.#toldAt > TYPING_FOR_MS) return;
    this.#toldAt = typing ? now : -Infinity;
    const signal = { name: 'typing', kind: 'signal', store: false, payload: { typing } };
    // Worth nothing by the time it could be repeated.
    this.#publish(signal).catch(() => {});
  }

  /** A message says as much as the signal that typing has ended. */
  sent() {
    this.#toldAt = -Infinity;
  }
}
