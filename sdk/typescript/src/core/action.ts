import type { AntiphonError } from '../errors.js';
import type { ChannelRef } from './channel_ref.js';
import type { Gap, Message } from './wire.js';

/** Names one request of the user, over all connections. */
export type RequestId = number;

/** How the driver is to get a credential: from the one there is, or as if there were none. */
export type Renewal = 'refresh' | 'anew';

/** What the core wants done. */
export type Action =
  /** Get a credential; then `handleCredential` or `handleCredentialFailure`. `token` is the one to refresh. */
  | { type: 'fetch-credential'; renewal: Renewal; token: string | undefined }
  /** Open a socket; then `handleText` and `handleClosed`, or `handleConnectFailure` if it does not come about. */
  | { type: 'connect'; token: string | undefined }
  /** Ask over HTTP why the handshake failed, as the WebSocket interface does not tell; then `handleRefusal`. */
  | { type: 'ask-why'; token: string | undefined }
  /** Send a text message. */
  | { type: 'send'; text: string }
  /** Close the socket, if there is one. Whatever else comes of it counts no more. */
  | { type: 'disconnect' }
  | { type: 'online'; identity: string }
  | { type: 'offline'; error: AntiphonError }
  /** There is no connection, and the next attempt begins in `delay` milliseconds. */
  | { type: 'reconnecting'; error: AntiphonError; delay: number }
  /** The answer to a request of the user. */
  | { type: 'done'; request: RequestId; answer: unknown }
  | { type: 'failed'; request: RequestId; error: AntiphonError }
  | { type: 'message'; message: Message }
  | { type: 'gap'; gap: Gap }
  | { type: 'subscribed'; channel: ChannelRef }
  /** The channel is not listened to any more, or never was. */
  | { type: 'refused'; channel: ChannelRef; error: AntiphonError }
  /** Something to know of that fails no request. */
  | { type: 'warning'; error: AntiphonError }
  /** It is over for good, and no channel is listened to; without `error` because the user closed it. */
  | { type: 'ended'; error: AntiphonError | undefined };
