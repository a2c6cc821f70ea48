import type { Message } from './core/wire.js';
import type { Cancellable } from './events.js';

/** Answers a broadcast. Each call is one response; it resolves when the server has it. */
export type Respond = (payload?: unknown) => Promise<void>;

/**
 * What is called with each message: its payload, what to respond with if it is a broadcast, and the message itself. What it throws, or
 * rejects with, is an `error` event of the client.
 */
export type ListenCallback<Payload = any> = (payload: Payload, respond: Respond, message: Message<Payload>) => unknown;

/** Something that listens on a channel, until it is cancelled. */
export class Listener implements Cancellable {
  /** The event that it listens to; `undefined` for all. */
  readonly name: string | undefined;
  /** @internal */
  readonly callback: ListenCallback;
  readonly #detach: (listener: Listener) => void;
  #isActive = true;

  /** @internal */
  constructor(name: string | undefined, callback: ListenCallback, detach: (listener: Listener) => void) {
    this.name = name;
    this.callback = callback;
    this.#detach = detach;
  }

  /** Whether it still listens: not after `cancel`, after the client's end, or when the server refuses the channel. */
  get isActive(): boolean {
    return this.#isActive;
  }

  /** Ends it. It is not called again. */
  cancel(): void {
    if (!this.#isActive) return;
    this.#isActive = false;
    this.#detach(this);
  }

  /** @internal It is over, without its doing. */
  end(): void {
    this.#isActive = false;
  }
}

/**
 * What `listen` gives at once: a promise of the listener, which resolves when the server has said that it listens, and which can be
 * cancelled without waiting for that. Nobody has to wait: if the server refuses, that is an `error` event of the client too.
 */
export type Listening = Promise<Listener> & Cancellable;
