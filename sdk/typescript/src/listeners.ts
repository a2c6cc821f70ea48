import { channelKey, type ChannelKey, type ChannelRef } from './core/channel_ref.js';
import type { Message } from './core/wire.js';
import { AntiphonError } from './errors.js';
import { Listener, type ListenCallback, type Listening, type Respond } from './listener.js';

/** What the listeners need of the client. */
export interface Subscriber {
  subscribe(channel: ChannelRef): void;
  unsubscribe(channel: ChannelRef): void;
  /** The function that responds to a message. */
  respondTo(message: Message): Respond;
  /** A listener threw. */
  failed(error: AntiphonError): void;
}

interface Entry {
  readonly channel: ChannelRef;
  readonly listeners: Map<Listener, Waiter>;
  isSubscribed: boolean;
}

interface Waiter {
  resolve(listener: Listener): void;
  reject(error: AntiphonError): void;
}

/** Who listens on which channel: one subscription for all of a channel's listeners. */
export class Listeners {
  readonly #entries = new Map<ChannelKey, Entry>();
  readonly #subscriber: Subscriber;

  constructor(subscriber: Subscriber) {
    this.#subscriber = subscriber;
  }

  listen(channel: ChannelRef, name: string | undefined, callback: ListenCallback, signal: AbortSignal | undefined): Listening {
    let waiter!: Waiter;
    const promise = new Promise<Listener>((resolve, reject) => (waiter = { resolve, reject }));
    // Nobody has to wait for it.
    promise.catch(() => {});
    const cancel = () => listener.cancel();
    const listener = new Listener(name, callback, () => {
      signal?.removeEventListener('abort', cancel);
      this.#detach(channel, listener);
    });
    if (signal?.aborted) {
      listener.end();
      waiter.reject(signal.reason);
    } else {
      signal?.addEventListener('abort', cancel, { once: true });
      this.#attach(channel, listener, waiter);
    }
    return Object.assign(promise, { cancel });
  }

  #attach(channel: ChannelRef, listener: Listener, waiter: Waiter): void {
    const key = channelKey(channel);
    const known = this.#entries.get(key);
    const entry = known ?? { channel, listeners: new Map(), isSubscribed: false };
    entry.listeners.set(listener, waiter);
    if (entry.isSubscribed) waiter.resolve(listener);
    if (known) return;
    this.#entries.set(key, entry);
    this.#subscriber.subscribe(channel);
  }

  #detach(channel: ChannelRef, listener: Listener): void {
    const key = channelKey(channel);
    const entry = this.#entries.get(key);
    entry?.listeners.get(listener)?.resolve(listener);
    entry?.listeners.delete(listener);
    if (entry?.listeners.size !== 0) return;
    this.#entries.delete(key);
    this.#subscriber.unsubscribe(channel);
  }

  handleSubscribed(channel: ChannelRef): void {
    const entry = this.#entries.get(channelKey(channel));
    if (!entry) return;
    entry.isSubscribed = true;
    for (const [listener, { resolve }] of entry.listeners) resolve(listener);
  }

  handleRefused(channel: ChannelRef, error: AntiphonError): void {
    const key = channelKey(channel);
    const entry = this.#entries.get(key);
    this.#entries.delete(key);
    for (const [listener, { reject }] of entry?.listeners ?? []) {
      listener.end();
      reject(error);
    }
  }

  handleEnd(error: AntiphonError): void {
    for (const { channel } of [...this.#entries.values()]) this.handleRefused(channel, error);
  }

  handleMessage(message: Message): void {
    const channel = { ...message, name: message.channel };
    const entry = this.#entries.get(channelKey(channel));
    if (!entry) return;
    const respond = this.#subscriber.respondTo(message);
    // A copy: a listener may cancel others, or begin one that this message is not for.
    for (const listener of [...entry.listeners.keys()]) {
      if (!listener.isActive || (listener.name !== undefined && listener.name !== message.name)) continue;
      this.#call(listener, message, respond);
    }
  }

  #call(listener: Listener, message: Message, respond: Respond): void {
    const failed = (cause: unknown) => this.#subscriber.failed(listenerError(message, cause));
    try {
      const result = listener.callback(message.payload, respond, message);
      if (isThenable(result)) Promise.resolve(result).catch(failed);
    } catch (cause) {
      failed(cause);
    }
  }
}

function listenerError({ channel, system, consumer, name }: Message, cause: unknown): AntiphonError {
  const detail = `a listener of ${JSON.stringify(name)} on ${JSON.stringify(channel)} failed: ${cause instanceof Error ? cause.message : String(cause)}`;
  return new AntiphonError({ type: 'listener', detail, channel: { name: channel, system, consumer }, cause });
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}
