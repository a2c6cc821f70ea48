import { AntiphonError } from '../errors.js';
import { readChannel, type ChannelRef, type WireChannel } from './channel_ref.js';
import { readPayload } from './payload.js';
import { isPosition, type Position } from './position.js';

/** The name of the subprotocol in the handshake. */
export const SUBPROTOCOL = 'antiphon.v1';

/** A message on a channel. */
export interface Message<Payload = any> {
  /** Where it stands in its org's order: rises with each message. */
  readonly position: Position;
  readonly channel: string;
  readonly system: boolean;
  readonly consumer: boolean;
  /** The event name. */
  readonly name: string;
  /** JSON, a text, or a `Uint8Array` for what was published as bytes. */
  readonly payload: Payload;
  /** `message`, or `signal`, `action`, `file`, `presence`, `object`. */
  readonly kind: string;
  readonly meta?: unknown;
  /** Whose it is, if the server says so. */
  readonly publisher?: string;
  /** Whether it is a broadcast, which collects responses. */
  readonly expectsReplies: boolean;
}

/** What was published after `since` and before `resumed` is no longer kept: it is lost in part or as a whole. */
export interface Gap {
  readonly channel: string;
  readonly system: boolean;
  readonly consumer: boolean;
  readonly since: Position;
  readonly resumed: Position;
}

/** Where listening on a channel began, in the answer to a `subscribe`. */
export interface Subscribed {
  readonly channel: ChannelRef;
  readonly position: Position;
}

/** What the server says. */
export type ServerMessage =
  | { type: 'open'; identity: string; position: Position | undefined }
  | { type: 'ok'; id: number; members: Record<string, unknown> }
  | { type: 'error'; id: number | undefined; problem: unknown }
  | { type: 'message'; message: Message }
  | { type: 'gap'; gap: Gap }
  | { type: 'reply'; id: number; payload: unknown }
  | { type: 'replies_end'; id: number }
  | { type: 'pong' }
  | { type: 'close'; reason: string; reconnect: boolean }
  /** One that a later server says. */
  | { type: 'unknown' };

/**
 * Reads a message of the server. Passes over members and types that it does not know.
 *
 * Throws an `AntiphonError` of type `protocol` for what is no such message.
 */
export function readServerMessage(text: string): ServerMessage {
  const members = readObject(text);
  switch (members['type']) {
    case 'open': {
      const position = members['position'];
      return { type: 'open', identity: String(members['identity'] ?? ''), position: isPosition(position) ? position : undefined };
    }
    case 'ok':
      return { type: 'ok', id: readId(members), members };
    case 'error':
      return { type: 'error', id: typeof members['id'] === 'number' ? members['id'] : undefined, problem: members['error'] };
    case 'message':
      return { type: 'message', message: readMessage(members) };
    case 'gap':
      return { type: 'gap', gap: readGap(members) };
    case 'reply':
      return { type: 'reply', id: readId(members), payload: readPayload(members) };
    case 'replies_end':
      return { type: 'replies_end', id: readId(members) };
    case 'pong':
      return { type: 'pong' };
    case 'close':
      return { type: 'close', reason: String(members['reason'] ?? ''), reconnect: members['reconnect'] !== false };
    default:
      return { type: 'unknown' };
  }
}

/** Reads a message's members, as a `message` and the answer to a `history` have them. */
export function readMessage(members: Record<string, unknown>): Message {
  const { position, channel, meta, publisher } = members;
  if (!isPosition(position) || typeof channel !== 'string') throw protocol('a message without position or channel');
  return {
    position,
    channel,
    system: members['system'] === true,
    consumer: members['consumer'] === true,
    name: typeof members['name'] === 'string' ? members['name'] : 'message',
    payload: readPayload(members),
    kind: typeof members['kind'] === 'string' ? members['kind'] : 'message',
    ...(meta !== undefined && { meta }),
    ...(typeof publisher === 'string' && { publisher }),
    expectsReplies: members['expects_replies'] === true,
  };
}

/** Reads the list in the answer to a `subscribe`. */
export function readSubscribed(members: Record<string, unknown>): Subscribed[] {
  const channels = Array.isArray(members['channels']) ? (members['channels'] as Record<string, unknown>[]) : [];
  return channels.map((entry) => {
    if (!isPosition(entry['position'])) throw protocol('a subscription without position');
    return { channel: readChannel(entry as unknown as WireChannel), position: entry['position'] };
  });
}

/** The member `messages` in the answer to a `history`. */
export function readMessages(members: Record<string, unknown>): Message[] {
  const messages = Array.isArray(members['messages']) ? members['messages'] : [];
  return messages.map((message) => readMessage(message as Record<string, unknown>));
}

function readGap(members: Record<string, unknown>): Gap {
  const { channel, since, resumed } = members;
  if (typeof channel !== 'string' || !isPosition(since) || !isPosition(resumed)) throw protocol('a gap that is none');
  return { channel, system: members['system'] === true, consumer: members['consumer'] === true, since, resumed };
}

function readId(members: Record<string, unknown>): number {
  if (typeof members['id'] !== 'number') throw protocol(`a message of type ${String(members['type'])} without our id`);
  return members['id'];
}

function readObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw protocol('a message that is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw protocol('a message that is no object');
  return value as Record<string, unknown>;
}

function protocol(what: string): AntiphonError {
  return new AntiphonError({ type: 'protocol', detail: `the server sent ${what}: is that an Antiphon server?` });
}
