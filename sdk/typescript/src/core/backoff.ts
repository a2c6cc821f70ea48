/** How long to wait before the next attempt: longer with each failure, and never for all clients alike. */
export class Backoff {
  readonly #shortest: number;
  readonly #longest: number;
  readonly #random: () => number;
  #failures = 0;

  /** `shortest` and `longest` in milliseconds; `random` gives a number from 0 to below 1. */
  constructor(shortest: number, longest: number, random: () => number) {
    this.#shortest = shortest;
    this.#longest = longest;
    this.#random = random;
  }

  /** The pause after another failure, in milliseconds: from half of the cap up to it; the cap doubles each time. */
  next(): number {
    const cap = Math.min(this.#longest, this.#shortest * 2 ** this.#failures);
    this.#failures += 1;
    return (cap / 2) * (1 + this.#random());
  }

  reset(): void {
    this.#failures = 0;
  }
}
