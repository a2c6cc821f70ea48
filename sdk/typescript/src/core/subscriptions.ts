import type { AntiphonError } from '../errors.js';
import { channelKey, writeChannel, type ChannelKey, type ChannelRef } from './channel_ref.js';
import { utf8Length, writeJson } from './payload.js';
import { before, isAfter, type Position } from './position.js';
import { readSubscribed, type Gap, type Message } from './wire.js';

/** How many channels one `subscribe` may name. */
const CHANNELS_MAX = 1000;
/** How many bytes of channels one `subscribe` names, well below what a message may have. */
const CHANNELS_BYTES_MAX = 256 * 1024;

interface Subscription {
  readonly channel: ChannelRef;
  /** Recover what came after it. None before the first `ok`. */
  cursor: Position | undefined;
  /** The `subscribe` that waits for its answer. */
  request: number | undefined;
  /** Whether this connection has it. */
  live: boolean;
}

/** What the answer to a `subscribe` changed. */
export interface SubscribeOutcome {
  /** Listened to for the first time. */
  subscribed: ChannelRef[];
  /** Not listened to any more, or never. */
  refused: { channel: ChannelRef; error: AntiphonError }[];
  /** To be asked for again, each by itself: a `subscribe` is all or nothing, so one channel can fail the others. */
  apart: ChannelKey[];
}

/** The channels that are listened to, through all connections, each with the cursor to come back with. */
export class Subscriptions {
  readonly #wanted = new Map<ChannelKey, Subscription>();
  readonly #requests = new Map<number, ChannelKey[]>();

  has(channel: ChannelRef): boolean {
    return this.#wanted.has(channelKey(channel));
  }

  isLive(channel: ChannelRef): boolean {
    return this.#wanted.get(channelKey(channel))?.live === true;
  }

  /** Whether nothing is to be sent on the channel yet, because its first `subscribe` has no answer and would miss it. */
  isPending(key: ChannelKey): boolean {
    const subscription = this.#wanted.get(key);
    return subscription !== undefined && subscription.cursor === undefined;
  }

  add(channel: ChannelRef): void {
    this.#wanted.set(channelKey(channel), { channel, cursor: undefined, request: undefined, live: false });
  }

  /** Forgets a channel. Answers the message to send for it, if this connection has it or will. */
  remove(channel: ChannelRef): string | undefined {
    const key = channelKey(channel);
    const subscription = this.#wanted.get(key);
    this.#wanted.delete(key);
    if (!subscription?.live && subscription?.request === undefined) return undefined;
    return writeJson({ type: 'unsubscribe', channels: [writeChannel(channel)] });
  }

  /** The `subscribe` for one channel. */
  askFor(key: ChannelKey, nextId: () => number): string | undefined {
    const subscription = this.#wanted.get(key);
    return subscription && this.#ask([subscription], nextId());
  }

  /** The `subscribe`s for all channels on a new connection: one, as far as one has room. */
  askForAll(nextId: () => number): string[] {
    const texts: string[] = [];
    let chunk: Subscription[] = [];
    let bytes = 0;
    for (const subscription of this.#wanted.values()) {
      const length = utf8Length(subscription.channel.name) + 128;
      if (chunk.length === CHANNELS_MAX || bytes + length > CHANNELS_BYTES_MAX) {
        texts.push(this.#ask(chunk, nextId()));
        chunk = [];
        bytes = 0;
      }
      chunk.push(subscription);
      bytes += length;
    }
    if (chunk.length > 0) texts.push(this.#ask(chunk, nextId()));
    return texts;
  }

  #ask(subscriptions: Subscription[], id: number): string {
    const keys: ChannelKey[] = [];
    const channels = subscriptions.map((subscription) => {
      subscription.request = id;
      keys.push(channelKey(subscription.channel));
      return { ...writeChannel(subscription.channel), ...(subscription.cursor !== undefined && { since: subscription.cursor }) };
    });
    this.#requests.set(id, keys);
    return writeJson({ type: 'subscribe', id, channels });
  }

  /** Takes an `ok`, unless it answers something else. */
  handleOk(id: number, members: Record<string, unknown>): SubscribeOutcome | undefined {
    if (!this.#requests.delete(id)) return undefined;
    const outcome: SubscribeOutcome = { subscribed: [], refused: [], apart: [] };
    for (const { channel, position } of readSubscribed(members)) {
      const subscription = this.#wanted.get(channelKey(channel));
      // Cancelled since, and perhaps asked for once more: then that one's answer counts.
      if (subscription?.request !== id) continue;
      subscription.request = undefined;
      subscription.live = true;
      if (subscription.cursor === undefined) {
        subscription.cursor = position;
        outcome.subscribed.push(subscription.channel);
      }
    }
    return outcome;
  }

  /** Takes an `error`, unless it answers something else. */
  handleError(id: number, error: AntiphonError): SubscribeOutcome | undefined {
    const keys = this.#requests.get(id);
    if (!keys) return undefined;
    this.#requests.delete(id);
    const outcome: SubscribeOutcome = { subscribed: [], refused: [], apart: [] };
    for (const key of keys) {
      const subscription = this.#wanted.get(key);
      if (subscription?.request !== id) continue;
      subscription.request = undefined;
      if (keys.length > 1) {
        outcome.apart.push(key);
      } else {
        this.#wanted.delete(key);
        outcome.refused.push({ channel: subscription.channel, error });
      }
    }
    return outcome;
  }

  /** Whether the `subscribe` has channels that were listened to before, which are not to be given up for a passing trouble. */
  isRecovery(id: number): boolean {
    const keys = this.#requests.get(id) ?? [];
    return keys.some((key) => this.#wanted.get(key)?.cursor !== undefined);
  }

  /** Takes a message. Answers whether it is for anybody: not if its channel was cancelled, or is not live on this connection. */
  handleMessage(message: Message): boolean {
    const subscription = this.#wanted.get(channelKey({ ...message, name: message.channel }));
    if (!subscription?.live) return false;
    if (subscription.cursor !== undefined && !isAfter(message.position, subscription.cursor)) return false;
    subscription.cursor = message.position;
    return true;
  }

  /** Takes a gap. What comes next is at `resumed` or after it, which can be before the cursor if the server lost its data. */
  handleGap(gap: Gap): boolean {
    const subscription = this.#wanted.get(channelKey({ ...gap, name: gap.channel }));
    if (!subscription?.live) return false;
    subscription.cursor = before(gap.resumed);
    return true;
  }

  /** The connection is gone. */
  handleLost(): void {
    this.#requests.clear();
    for (const subscription of this.#wanted.values()) {
      subscription.live = false;
      subscription.request = undefined;
    }
  }

  clear(): void {
    this.#wanted.clear();
    this.#requests.clear();
  }
}
