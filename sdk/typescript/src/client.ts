import { Channel } from './channel.js';
import type { ChannelRef } from './core/channel_ref.js';
import { writePayload } from './core/payload.js';
import type { Gap, Message } from './core/wire.js';
import { Driver, type Notice } from './driver.js';
import { AntiphonError, ClosedError, ConnectTimeoutError, NobodyCollectsError } from './errors.js';
import { Emitter, type Cancellable } from './events.js';
import { randomHex } from './jwt.js';
import type { Respond } from './listener.js';
import { Listeners } from './listeners.js';
import { CONNECT_TIMEOUT, withDefaults, type ConnectOptions } from './options.js';

/** The client's events, and what its callbacks are given. */
export type AntiphonEvents = {
  /** There is a connection. */
  online: { identity: string };
  /** There is none any more. The client comes back by itself. */
  offline: AntiphonError;
  /** An attempt failed or a connection broke; the next attempt begins in `delay` milliseconds. */
  reconnecting: { error: AntiphonError; delay: number };
  /** Messages were missed that are no longer kept. */
  gap: Gap;
  /** Something went wrong that no promise tells of, or that nobody has to wait for: a listener threw, a channel was refused. */
  error: AntiphonError;
  /** It is over: with the error that ended it, or without one after `close()`. */
  close: AntiphonError | undefined;
};

/** `connecting` until the first connection, `offline` between two, `closed` at the end. */
export type AntiphonState = 'connecting' | 'online' | 'offline' | 'closed';

/** A client of an Antiphon server. It begins to connect at once, and comes back whenever its connection breaks, until it is closed. */
export class Antiphon {
  readonly #driver: Driver;
  readonly #listeners: Listeners;
  readonly #events = new Emitter<AntiphonEvents>((name, cause) => this.#handleThrown(name, cause));
  #state: AntiphonState = 'connecting';
  #identity: string;
  #end: AntiphonError | undefined;
  #lastError: AntiphonError | undefined;
  readonly #nudge = () => this.#driver.nudge();

  constructor(options: ConnectOptions) {
    const complete = withDefaults(options);
    this.#identity = complete.identity ?? `anon-${randomHex(8)}`;
    this.#driver = new Driver(complete, this.#identity, (notice) => this.#handle(notice));
    this.#listeners = new Listeners({
      subscribe: (channel) => this.#driver.subscribe(channel),
      unsubscribe: (channel) => this.#driver.unsubscribe(channel),
      respondTo: (message) => this.#respondTo(message),
      failed: (error) => this.#report(error),
    });
    // Browsers tell when the network is back.
    globalThis.addEventListener?.('online', this.#nudge);
    this.#driver.start();
  }

  get state(): AntiphonState {
    return this.#state;
  }

  /** Who this is: what the server says, or before that what the options say. */
  get identity(): string {
    return this.#identity;
  }

  /** A channel. Of the same name with other flags it is another one. */
  getChannel(name = 'default', { system = false, consumer = false }: { system?: boolean; consumer?: boolean } = {}): Channel {
    return new Channel(
      {
        request: (kind, type, channel, members, signal) => this.#driver.request(kind, type, channel, members, signal),
        listen: (channel, event, callback, signal) => this.#listeners.listen(channel, event, callback, signal),
      },
      { name, system, consumer },
    );
  }

  /** Calls back for an event of the client, until it is cancelled. */
  on<Name extends keyof AntiphonEvents>(name: Name, callback: (value: AntiphonEvents[Name]) => void): Cancellable {
    return this.#events.on(name, callback);
  }

  /**
   * Resolves when there is a connection, at once if there is one. Rejects when the client has ended, after `timeout` milliseconds with a
   * `ConnectTimeoutError`, or with the signal's reason.
   */
  whenOnline({ timeout = Infinity, signal }: { timeout?: number; signal?: AbortSignal | undefined } = {}): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#state === 'online') return Promise.resolve();
    if (this.#end) return Promise.reject(this.#end);
    return new Promise<void>((resolve, reject) => {
      const settle = (conclude: () => void) => {
        online.cancel();
        close.cancel();
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
        conclude();
      };
      const abort = () => settle(() => reject(signal?.reason));
      const online = this.on('online', () => settle(resolve));
      const close = this.on('close', () => settle(() => reject(this.#end)));
      const timer = timeout < 2 ** 31 ? setTimeout(() => settle(() => reject(this.#timedOut(timeout))), timeout) : undefined;
      signal?.addEventListener('abort', abort, { once: true });
    });
  }

  /** Ends it. What waits for an answer is rejected with a `ClosedError`. Resolves when the connection is closed. */
  close(): Promise<void> {
    return this.#driver.close();
  }

  #handle(notice: Notice): void {
    switch (notice.type) {
      case 'online':
        this.#state = 'online';
        this.#identity = notice.identity;
        this.#events.emit('online', { identity: notice.identity });
        break;
      case 'offline':
        this.#state = 'offline';
        this.#events.emit('offline', notice.error);
        break;
      case 'reconnecting':
        this.#lastError = notice.error;
        this.#events.emit('reconnecting', { error: notice.error, delay: notice.delay });
        break;
      case 'message':
        this.#listeners.handleMessage(notice.message);
        break;
      case 'gap':
        this.#events.emit('gap', notice.gap);
        break;
      case 'subscribed':
        this.#listeners.handleSubscribed(notice.channel);
        break;
      case 'refused':
        this.#listeners.handleRefused(notice.channel, notice.error);
        if (!this.#end) this.#report(about(notice.channel, notice.error));
        break;
      case 'warning':
        this.#report(notice.error);
        break;
      case 'ended':
        this.#handleEnd(notice.error);
        break;
    }
  }

  #handleEnd(error: AntiphonError | undefined): void {
    this.#state = 'closed';
    this.#end = error ?? new ClosedError({ type: 'closed', detail: 'the client was closed' });
    globalThis.removeEventListener?.('online', this.#nudge);
    this.#listeners.handleEnd(this.#end);
    const isTold = [error !== undefined && this.#events.emit('error', error), this.#events.emit('close', error)];
    if (error && !isTold.includes(true)) console.error(error);
  }

  #respondTo(message: Message): Respond {
    const channel: ChannelRef = { name: message.channel, system: message.system, consumer: message.consumer };
    return (payload) => {
      const responded = this.#respond(message, channel, payload);
      // Nobody has to wait for it: that it comes too late is no fault of the listener's.
      responded.catch(() => {});
      return responded;
    };
  }

  async #respond({ expectsReplies, position }: Message, channel: ChannelRef, payload: unknown): Promise<void> {
    if (!expectsReplies) {
      const detail = 'this message is no broadcast: nobody collects responses to it';
      throw new NobodyCollectsError({ type: 'nobody-collects', status: 404, detail, channel });
    }
    await this.#driver.request('reply', 'reply', channel, { to: position, ...writePayload(payload) });
  }

  /** Tells of an error where nobody need be waiting for it. One that nobody listens for goes to the console. */
  #report(error: AntiphonError): void {
    if (!this.#events.emit('error', error)) console.error(error);
  }

  #handleThrown(event: keyof AntiphonEvents, cause: unknown): void {
    const detail = `a callback of the event ${event} failed: ${cause instanceof Error ? cause.message : String(cause)}`;
    const error = new AntiphonError({ type: 'listener', detail, cause });
    // One of `error` would be told of its own error.
    if (event === 'error') console.error(error);
    else this.#report(error);
  }

  #timedOut(timeout: number): ConnectTimeoutError {
    const why = this.#lastError ? `: ${this.#lastError.detail}` : '';
    return new ConnectTimeoutError({ type: 'connect-timeout', detail: `no connection within ${timeout} ms${why}`, cause: this.#lastError });
  }
}

/** Connects to a server. Rejects when it is refused, or after `connectTimeout`; after it has resolved, the client comes back by itself. */
export async function connect(options: ConnectOptions): Promise<Antiphon> {
  const exp = new Antiphon(options);
  try {
    await exp.whenOnline({ timeout: options.connectTimeout ?? CONNECT_TIMEOUT, signal: options.signal });
    return exp;
  } catch (error) {
    await exp.close();
    throw error;
  }
}

/** The error with its channel, where the server did not name it. */
function about(channel: ChannelRef, error: AntiphonError): AntiphonError {
  return error.channel ? error : Object.assign(error, { channel });
}
