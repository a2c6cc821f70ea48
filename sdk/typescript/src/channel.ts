import type { ChannelRef } from './core/channel_ref.js';
import { writePayload } from './core/payload.js';
import type { Position } from './core/position.js';
import type { SendKind } from './core/sends.js';
import type { Message } from './core/wire.js';
import { invalid } from './options.js';
import type { ListenCallback, Listening } from './listener.js';

/** How a message is published. */
export interface PublishOptions {
  /** JSON that goes with the payload. */
  meta?: unknown;
  /** `false` keeps it out of the store. */
  store?: boolean;
  /** For how long it is stored, if shorter than the channel's rule: milliseconds, or text like `10m`. */
  ttl?: number | string;
  /** `signal` is never stored. Default: `message`. */
  kind?: 'message' | 'signal';
  /** `false` keeps it from the listeners of this client. */
  echo?: boolean;
  /** Gives up waiting. What is on its way by then may be published. */
  signal?: AbortSignal;
}

/** How a message is published that is no broadcast. */
export interface PublicationOptions extends PublishOptions {
  /** A second publication with the same key, by the same identity on this channel, is not published again. Default: one of its own. */
  idempotencyKey?: string;
}

export interface BroadcastOptions extends PublishOptions {
  /** Ends the collection with so many responses. */
  until?: number;
}

/** Where a message stands, and whether it is kept. */
export interface Published {
  position: Position;
  stored: boolean;
}

export interface HistoryOptions {
  /** The oldest after this position. Without it, the newest. */
  since?: Position;
  /** At most so many: 1 to 1000, 100 if not given. */
  limit?: number;
  signal?: AbortSignal;
}

export interface History {
  /** Oldest first. */
  messages: Message[];
  /** Ask for what comes next with it as `since`. */
  position: Position;
  /** Whether something after `since` is no longer kept. */
  gap: boolean;
}

export interface Presence {
  /** How many are there. */
  occupancy: number;
  /** At most 1000 of them. */
  members: { identity: string; state?: unknown; sessions: number }[];
}

/** What a channel needs of the client. */
export interface ChannelClient {
  request(kind: SendKind, type: string, channel: ChannelRef, members: object, signal?: AbortSignal): Promise<unknown>;
  listen(channel: ChannelRef, name: string | undefined, callback: ListenCallback, signal: AbortSignal | undefined): Listening;
}

/** A channel. It is there as soon as it is used, and costs nothing until then. */
export class Channel implements ChannelRef {
  readonly name: string;
  readonly system: boolean;
  readonly consumer: boolean;
  readonly #client: ChannelClient;

  /** @internal */
  constructor(client: ChannelClient, { name, system, consumer }: ChannelRef) {
    this.#client = client;
    this.name = name;
    this.system = system;
    this.consumer = consumer;
  }

  /**
   * Calls back for each message of the event `name`, those of this client among them, until it is cancelled. Listens from when it
   * resolves on, or for what this client sends on the channel afterwards from now on.
   */
  listen<Payload = any>(name: string, callback: ListenCallback<Payload>, { signal }: { signal?: AbortSignal } = {}): Listening {
    return this.#client.listen(this.#ref, name, callback, signal);
  }

  /** Calls back for each message, whatever its event. */
  listenAll<Payload = any>(callback: ListenCallback<Payload>, { signal }: { signal?: AbortSignal } = {}): Listening {
    return this.#client.listen(this.#ref, undefined, callback, signal);
  }

  /**
   * Sends a message that asks for responses, and resolves to what was responded within `timeout` milliseconds, in the order in which it
   * came. It is at most a minute; the server cuts what is longer.
   */
  async broadcast<Response = any>(name: string, payload?: unknown, timeout = 2000, options: BroadcastOptions = {}): Promise<Response[]> {
    if (!(timeout >= 0)) throw invalid('timeout', 'timeout has to be a number of milliseconds, 0 or more');
    const { until, signal } = options;
    const members = { ...publishMembers(name, payload, options), timeout: Math.min(Math.round(timeout), 60_000), ...given({ until }) };
    return (await this.#client.request('broadcast', 'broadcast', this.#ref, members, signal)) as Response[];
  }

  /** Broadcasts with the name `fling`. */
  fling<Response = any>(payload?: unknown, timeout?: number, options?: BroadcastOptions): Promise<Response[]> {
    return this.broadcast('fling', payload, timeout, options);
  }

  /** Sends a message that asks for no responses. Resolves when it is stored, if it is to be. */
  async publish(name: string, payload?: unknown, options: PublicationOptions = {}): Promise<Published> {
    const members = { ...publishMembers(name, payload, options), ...given({ idempotency_key: options.idempotencyKey }) };
    return (await this.#client.request('publish', 'publish', this.#ref, members, options.signal)) as Published;
  }

  /** What was said before. */
  async history({ since, limit, signal }: HistoryOptions = {}): Promise<History> {
    return (await this.#client.request('read', 'history', this.#ref, given({ since, limit }), signal)) as History;
  }

  /** Who is there. */
  async presence({ signal }: { signal?: AbortSignal } = {}): Promise<Presence> {
    return (await this.#client.request('read', 'presence', this.#ref, {}, signal)) as Presence;
  }

  get #ref(): ChannelRef {
    return { name: this.name, system: this.system, consumer: this.consumer };
  }
}

function publishMembers(name: string, payload: unknown, { meta, store, ttl, kind, echo }: PublishOptions): object {
  return { name, ...writePayload(payload), ...given({ meta, store, ttl, kind, echo }) };
}

/** Members without those that were not given. */
function given(members: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}
