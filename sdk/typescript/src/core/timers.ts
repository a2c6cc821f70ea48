/** What the core waits for. */
export type Timer =
  /** A connection attempt has to be through by then. */
  | 'attempt'
  /** The next attempt begins. */
  | 'retry'
  /** The connection has stood long enough for the back-off to begin anew. */
  | 'settled'
  /** Nothing has come for so long that the server is asked whether it is there. */
  | 'silence'
  /** It has to have said so by then. */
  | 'pong'
  /** The credential is to be renewed. */
  | 'renew'
  /** What rests is sent again. */
  | 'wake';

/** Timers as data: when each is due, in the milliseconds of the clock whose times are put in. */
export class Timers {
  readonly #due = new Map<Timer, number>();

  set(timer: Timer, at: number): void {
    this.#due.set(timer, at);
  }

  clear(...timers: Timer[]): void {
    for (const timer of timers) this.#due.delete(timer);
  }

  clearAll(): void {
    this.#due.clear();
  }

  /** When the first is due. */
  next(): number | undefined {
    let next: number | undefined;
    for (const at of this.#due.values()) if (next === undefined || at < next) next = at;
    return next;
  }

  /** Takes out the first that is due. */
  takeDue(now: number): Timer | undefined {
    const at = this.next();
    if (at === undefined || at > now) return undefined;
    for (const [timer, due] of this.#due) {
      if (due === at) {
        this.#due.delete(timer);
        return timer;
      }
    }
    return undefined;
  }
}
