/** What is cancelled with `cancel`. */
export interface Cancellable {
  cancel(): void;
}

/** Calls those who registered for an event. What one of them throws does not keep it from the others. */
export class Emitter<Events extends { [name: string]: unknown }> {
  readonly #callbacks = new Map<keyof Events, Set<(value: never) => void>>();
  readonly #failed: (name: keyof Events, error: unknown) => void;

  constructor(failed: (name: keyof Events, error: unknown) => void) {
    this.#failed = failed;
  }

  on<Name extends keyof Events>(name: Name, callback: (value: Events[Name]) => void): Cancellable {
    const callbacks = this.#callbacks.get(name) ?? new Set();
    this.#callbacks.set(name, callbacks);
    // Its own object, so that the same function can be registered twice.
    const own = (value: Events[Name]) => callback(value);
    callbacks.add(own);
    return { cancel: () => void callbacks.delete(own) };
  }

  /** Answers whether there was anybody. */
  emit<Name extends keyof Events>(name: Name, value: Events[Name]): boolean {
    const callbacks = [...(this.#callbacks.get(name) ?? [])];
    for (const callback of callbacks) {
      try {
        (callback as (value: Events[Name]) => void)(value);
      } catch (error) {
        this.#failed(name, error);
      }
    }
    return callbacks.length > 0;
  }
}
