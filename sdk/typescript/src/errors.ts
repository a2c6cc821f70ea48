import { readChannel, type ChannelRef } from './core/channel_ref.js';

/** The word to decide by: the last part of the server's problem type, or one of those that the client itself says. */
export type ErrorType =
  // The server's.
  | 'invalid-parameter'
  | 'invalid-body'
  | 'unauthorized'
  | 'not-permitted'
  | 'origin-refused'
  | 'host-refused'
  | 'not-found'
  | 'nobody-collects'
  | 'conflict'
  | 'too-large'
  | 'rate-limited'
  | 'overloaded'
  | 'unavailable'
  | 'closing'
  | 'storage-full'
  // The client's.
  | 'closed'
  | 'interrupted'
  | 'queue-full'
  | 'connect-timeout'
  | 'unreachable'
  | 'protocol'
  | 'listener'
  | (string & {});

/** What an error is made of. */
export interface ErrorInit {
  type: ErrorType;
  detail: string;
  status?: number | undefined;
  title?: string | undefined;
  parameter?: string | undefined;
  channel?: ChannelRef | undefined;
  permission?: string | undefined;
  position?: string | undefined;
  retryAfter?: number | undefined;
  cause?: unknown;
}

/** What went wrong. Every error of this package is one; the subclasses are there for `instanceof`. */
export class AntiphonError extends Error {
  /** The word to decide by. */
  readonly type: ErrorType;
  /** The HTTP status that goes with it, if the server said it. */
  readonly status: number | undefined;
  /** What is wrong and what to do, for people. */
  readonly detail: string;
  /** The parameter or member of the message that is wrong. */
  readonly parameter: string | undefined;
  /** The channel that it is about. */
  readonly channel: ChannelRef | undefined;
  /** The permission that is missing. */
  readonly permission: string | undefined;
  /** Where the message stands that was delivered to those who listen, but could not be kept. */
  readonly position: string | undefined;
  /** After how many milliseconds to try again, if the server said. */
  readonly retryAfter: number | undefined;

  constructor(init: ErrorInit) {
    super(init.detail, init.cause === undefined ? undefined : { cause: init.cause });
    this.name = new.target.name;
    this.type = init.type;
    this.status = init.status;
    this.detail = init.detail;
    this.parameter = init.parameter;
    this.channel = init.channel;
    this.permission = init.permission;
    this.position = init.position;
    this.retryAfter = init.retryAfter;
  }
}

/** The credential is missing, not valid, or has expired (401). */
export class UnauthorizedError extends AntiphonError {}

/** The credential, or the channel's rule, does not allow it (403). `channel` and `permission` say what. */
export class NotPermittedError extends AntiphonError {}

/** Nobody collects responses to that message: it is no broadcast, or its time is up (404). */
export class NobodyCollectsError extends AntiphonError {}

/** A payload, a name or the whole message is too long (413). */
export class TooLargeError extends AntiphonError {}

/** Too many publications in too short a time (429). */
export class RateLimitedError extends AntiphonError {}

/** A limit of the server, or its store, is in the way; with `position` it was delivered but not kept (503, 507). */
export class UnavailableError extends AntiphonError {}

/** `close()` was called. */
export class ClosedError extends AntiphonError {}

/** The connection broke while this was on its way: it may have happened or not, and it is not sent twice. */
export class InterruptedError extends AntiphonError {
  /** Of a broadcast, the responses that had come by then. */
  readonly responses: unknown[];

  constructor(init: ErrorInit, responses: unknown[] = []) {
    super(init);
    this.responses = responses;
  }
}

/** More waits for an answer of the server than the queue takes (`queueMax`, `queueBytesMax`). */
export class QueueFullError extends AntiphonError {}

/** No connection came about within `connectTimeout`. */
export class ConnectTimeoutError extends AntiphonError {}

/** The server cannot be reached, or the connection broke. The client comes back by itself. */
export class UnreachableError extends AntiphonError {}

/** The error for a problem document (RFC 9457) of the server, or for whatever came in place of one. */
export function errorOfProblem(document: unknown, status?: number, retryAfter?: number): AntiphonError {
  const problem = (typeof document === 'object' && document !== null ? document : {}) as Record<string, unknown>;
  const text = (member: string) => (typeof problem[member] === 'string' ? (problem[member] as string) : undefined);
  // The EXP endpoints say `code` and `message` in their place.
  const said = text('type')?.replace(/^urn:antiphon:problem:/, '') ?? text('code');
  const answered = typeof problem['status'] === 'number' ? problem['status'] : status;
  const type = said && said !== 'about:blank' ? said : typeOfStatus(answered);
  const channel = text('channel');
  const init: ErrorInit = {
    type,
    status: answered,
    detail: text('detail') ?? text('message') ?? text('title') ?? `the server answered ${answered ?? 'with an error'}`,
    parameter: text('parameter'),
    channel: channel === undefined ? undefined : readChannel({ ...(problem as object), channel }),
    permission: text('permission'),
    position: text('position'),
    retryAfter,
  };
  return new (classOf(type, answered))(init);
}

/** Whether the same can go well a little later. */
export function isTransient(error: AntiphonError): boolean {
  const { status } = error;
  return status === undefined || status >= 500 || status === 408 || status === 425 || status === 429;
}

function classOf(type: string, status: number | undefined): new (init: ErrorInit) => AntiphonError {
  if (type === 'nobody-collects') return NobodyCollectsError;
  switch (status) {
    case 401:
      return UnauthorizedError;
    case 403:
      return NotPermittedError;
    case 413:
      return TooLargeError;
    case 429:
      return RateLimitedError;
    default:
      return status !== undefined && status >= 500 ? UnavailableError : AntiphonError;
  }
}

function typeOfStatus(status: number | undefined): ErrorType {
  switch (status) {
    case 401:
      return 'unauthorized';
    case 403:
      return 'not-permitted';
    case 404:
      return 'not-found';
    case 413:
      return 'too-large';
    case 429:
      return 'rate-limited';
    default:
      return status !== undefined && status >= 500 ? 'unavailable' : 'protocol';
  }
}
