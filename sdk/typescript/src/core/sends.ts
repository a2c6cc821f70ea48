import { InterruptedError, QueueFullError, TooLargeError, type AntiphonError } from '../errors.js';
import type { RequestId } from './action.js';
import type { ChannelKey } from './channel_ref.js';
import { utf8Length } from './payload.js';
import { readMessages } from './wire.js';

/** What is sent, which decides what becomes of it when the connection breaks before it is answered. */
export type SendKind =
  /** Sent again: its key keeps it from being published twice. */
  | 'publish'
  /** Fails: its collection ended with the connection. */
  | 'broadcast'
  /** Fails: the response would count twice. */
  | 'reply'
  /** Asked again: `history` and `presence` change nothing. */
  | 'read';

interface Send {
  readonly id: RequestId;
  readonly kind: SendKind;
  readonly key: ChannelKey;
  readonly text: string;
  readonly bytes: number;
  state: 'queued' | 'flying' | 'resting';
  /** Whether the server may have seen it on an earlier connection. */
  repeated: boolean;
  /** Of a broadcast that was published. */
  accepted: boolean;
  readonly responses: unknown[];
}

/** How a request came out. */
export type SendOutcome =
  | { type: 'done'; request: RequestId; answer: unknown }
  | { type: 'failed'; request: RequestId; error: AntiphonError }
  /** It goes on, with this to know of. */
  | { type: 'warning'; error: AntiphonError }
  /** It waits for an earlier sending of itself: put it back with `wake` after a moment. */
  | { type: 'resting' };

/** Limits of [`Sends`]. */
export interface SendLimits {
  /** How many requests may wait for their answers, sent or not. */
  queueMax: number;
  /** How many bytes they may have. */
  queueBytesMax: number;
  /** The longest message. */
  messageBytesMax: number;
}

/** How many broadcasts the server lets a connection have at once. */
const BROADCASTS_MAX = 100;
/** How many requests are on their way at once, and how many bytes, so that a slow connection does not hold copies of all. */
const FLYING_MAX = 2000;
const FLYING_BYTES_MAX = 4 * 1024 * 1024;

/** Requests of the user from when they are made until they are answered: in order on each channel. */
export class Sends {
  readonly #limits: SendLimits;
  /** In the order in which they were made. */
  readonly #sends = new Map<RequestId, Send>();
  #bytes = 0;
  #queued = 0;
  #flying = 0;
  #flyingBytes = 0;
  #broadcasts = 0;

  constructor(limits: SendLimits) {
    this.#limits = limits;
  }

  /** Takes a request in. Answers why not, if it does not. */
  add(id: RequestId, kind: SendKind, key: ChannelKey, text: string): AntiphonError | undefined {
    const { queueMax, queueBytesMax, messageBytesMax } = this.#limits;
    const bytes = utf8Length(text);
    if (bytes > messageBytesMax) return tooLarge(bytes, messageBytesMax);
    if (this.#sends.size >= queueMax || this.#bytes + bytes > queueBytesMax) return queueFull(this.#sends.size, this.#bytes);
    this.#sends.set(id, { id, kind, key, text, bytes, state: 'queued', repeated: false, accepted: false, responses: [] });
    this.#bytes += bytes;
    this.#queued += 1;
    return undefined;
  }

  /** Takes out what can be sent. A channel's requests that cannot be are not overtaken by later ones on it. */
  takeReady(isPending: (key: ChannelKey) => boolean): string[] {
    const texts: string[] = [];
    if (this.#queued === 0) return texts;
    const blocked = new Set<ChannelKey>();
    for (const send of this.#sends.values()) {
      if (this.#queued === 0 || this.#flying >= FLYING_MAX || this.#flyingBytes >= FLYING_BYTES_MAX) break;
      if (send.state !== 'queued' || blocked.has(send.key)) continue;
      const mustWait = isPending(send.key) || (send.kind === 'broadcast' && this.#broadcasts >= BROADCASTS_MAX);
      if (mustWait && send.kind !== 'read') {
        blocked.add(send.key);
        continue;
      }
      this.#leave(send);
      send.state = 'flying';
      this.#flying += 1;
      this.#flyingBytes += send.bytes;
      if (send.kind === 'broadcast') this.#broadcasts += 1;
      texts.push(send.text);
    }
    return texts;
  }

  handleOk(id: RequestId, members: Record<string, unknown>): SendOutcome | undefined {
    const send = this.#sends.get(id);
    if (!send) return undefined;
    if (send.kind === 'broadcast') {
      send.accepted = true;
      return undefined;
    }
    this.#remove(send);
    try {
      return { type: 'done', request: id, answer: answerOf(members) };
    } catch (error) {
      return { type: 'failed', request: id, error: error as AntiphonError };
    }
  }

  handleReply(id: RequestId, payload: unknown): void {
    this.#sends.get(id)?.responses.push(payload);
  }

  handleRepliesEnd(id: RequestId): SendOutcome | undefined {
    const send = this.#sends.get(id);
    if (!send) return undefined;
    this.#remove(send);
    return { type: 'done', request: id, answer: send.responses };
  }

  handleError(id: RequestId, error: AntiphonError): SendOutcome | undefined {
    const send = this.#sends.get(id);
    if (!send) return undefined;
    // It was published but not stored; the responses still come.
    if (send.accepted) return { type: 'warning', error };
    if (send.repeated && error.type === 'conflict') {
      this.#leave(send);
      send.state = 'resting';
      return { type: 'resting' };
    }
    this.#remove(send);
    return { type: 'failed', request: id, error };
  }

  /** Queues what rests. */
  wake(): void {
    for (const send of this.#sends.values()) if (send.state === 'resting') this.#queue(send);
  }

  /** The connection is gone: queues again what may be sent twice, and answers what fails. */
  handleLost(cause: AntiphonError): SendOutcome[] {
    const failed: SendOutcome[] = [];
    for (const send of this.#sends.values()) {
      if (send.state === 'queued') continue;
      if (send.kind === 'broadcast' || send.kind === 'reply') {
        this.#remove(send);
        failed.push({ type: 'failed', request: send.id, error: interrupted(send, cause) });
      } else {
        send.repeated = true;
        this.#leave(send);
        this.#queue(send);
      }
    }
    return failed;
  }

  /** Forgets a request whose answer nobody waits for. */
  abandon(id: RequestId): void {
    const send = this.#sends.get(id);
    if (send) this.#remove(send);
  }

  /** Forgets all, and answers what they were. */
  clear(): RequestId[] {
    const all = [...this.#sends.keys()];
    for (const send of this.#sends.values()) this.#remove(send);
    return all;
  }

  #queue(send: Send): void {
    send.state = 'queued';
    this.#queued += 1;
  }

  /** Takes a request out of the counts of the state that it is in. */
  #leave(send: Send): void {
    if (send.state === 'queued') this.#queued -= 1;
    if (send.state !== 'flying') return;
    this.#flying -= 1;
    this.#flyingBytes -= send.bytes;
    if (send.kind === 'broadcast') this.#broadcasts -= 1;
  }

  #remove(send: Send): void {
    this.#leave(send);
    this.#sends.delete(send.id);
    this.#bytes -= send.bytes;
  }
}

/** An answer without what is the wire's, and with its messages read. */
function answerOf(members: Record<string, unknown>): unknown {
  const { type: _type, id: _id, ...answer } = members;
  return Array.isArray(answer['messages']) ? { ...answer, messages: readMessages(answer) } : answer;
}

function interrupted(send: Send, cause: AntiphonError): InterruptedError {
  const what = send.kind === 'broadcast' ? 'while responses were collected' : 'before the response was acknowledged';
  const detail = `the connection broke ${what}: it may have arrived or not, and is not sent twice`;
  return new InterruptedError({ type: 'interrupted', detail, cause }, send.responses);
}

function tooLarge(bytes: number, max: number): AntiphonError {
  const detail = `the message has ${bytes} bytes and the server takes at most ${max} (messageBytesMax)`;
  return new TooLargeError({ type: 'too-large', detail, status: 413 });
}

function queueFull(count: number, bytes: number): QueueFullError {
  const detail = `${count} requests with ${bytes} bytes wait for the server already: wait for answers, or raise queueMax or queueBytesMax`;
  return new QueueFullError({ type: 'queue-full', detail });
}
