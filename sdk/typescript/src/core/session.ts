import { AntiphonError, ClosedError, errorOfProblem, isTransient, UnauthorizedError } from '../errors.js';
import type { Action, RequestId } from './action.js';
import { Backoff } from './backoff.js';
import { channelKey, writeChannel, type ChannelRef } from './channel_ref.js';
import { CredentialKeeper, type Credential, type CredentialKind } from './credential.js';
import { fatalClose, unreachable } from './ends.js';
import { writeJson } from './payload.js';
import { Sends, type SendKind, type SendLimits, type SendOutcome } from './sends.js';
import { Subscriptions, type SubscribeOutcome } from './subscriptions.js';
import { Timers, type Timer } from './timers.js';
import { readServerMessage, type ServerMessage } from './wire.js';

/** Durations are in milliseconds. */
export interface SessionSettings extends SendLimits {
  backoffMin: number;
  backoffMax: number;
  attemptTimeout: number;
  heartbeatInterval: number;
  heartbeatTimeout: number;
  /** What idempotency keys begin with, another for each client: the rest counts. */
  keyPrefix: string;
  /** A number from 0 to below 1, another each time. */
  random: () => number;
  credential: { kind: CredentialKind; token: string | undefined };
}

/**
 * Where the session stands:
 *
 * ```text
 * idle ─> authenticating ─> connecting ─> online
 *               ^             │    │        │
 *               │             v    v        v
 *               └─────────── waiting <── asking (why the handshake failed)
 * ```
 *
 * and `ended`, from anywhere.
 */
export type SessionState = 'idle' | 'authenticating' | 'connecting' | 'asking' | 'online' | 'waiting' | 'ended';

/** For how long a connection has to stand before the back-off begins anew. */
const SETTLED_AFTER = 5_000;
/** When to repeat a publication whose first sending the server still works on. */
const WAKE_AFTER = 250;

/**
 * The client's side of `antiphon.v1`, over all connections that it takes: a state machine without IO, timers or clock.
 *
 * Everything that happens is put in by a method, with the time in milliseconds as its last argument; what is to be done about it is
 * taken out with `pollAction` until there is nothing more, and `pollTimeout` says when `handleTimeout` wants to be called.
 */
export class Session {
  readonly #settings: SessionSettings;
  readonly #actions: Action[] = [];
  readonly #timers = new Timers();
  readonly #subscriptions = new Subscriptions();
  readonly #sends: Sends;
  readonly #credential: CredentialKeeper;
  readonly #backoff: Backoff;
  readonly #renewalBackoff: Backoff;
  #state: SessionState = 'idle';
  #lastId = 0;
  /** The token that this connection began with. */
  #presented: string | undefined;
  #fetching: 'refresh' | 'anew' | undefined;
  #authenticating: number | undefined;
  /** What the server said before it closes. */
  #farewell: Extract<ServerMessage, { type: 'close' }> | undefined;
  #end: AntiphonError | undefined;

  constructor(settings: SessionSettings) {
    this.#settings = settings;
    this.#sends = new Sends(settings);
    this.#credential = new CredentialKeeper(settings.credential.kind, settings.credential.token);
    this.#backoff = new Backoff(settings.backoffMin, settings.backoffMax, settings.random);
    this.#renewalBackoff = new Backoff(settings.backoffMin, settings.backoffMax, settings.random);
  }

  get state(): SessionState {
    return this.#state;
  }

  pollAction(): Action | undefined {
    return this.#actions.shift();
  }

  pollTimeout(): number | undefined {
    return this.#timers.next();
  }

  // What the user wants.

  start(now: number): void {
    if (this.#state === 'idle') this.#begin(now);
  }

  /** Sends a request, when that can be done. It gets one `done` or `failed`, unless it is abandoned. */
  request(kind: SendKind, type: string, channel: ChannelRef, members: object): RequestId {
    const id = this.#nextId();
    const key = kind === 'publish' ? { idempotency_key: `${this.#settings.keyPrefix}-${id}` } : {};
    try {
      const text = writeJson({ type, id, ...writeChannel(channel), ...key, ...members });
      const error = this.#end ?? this.#sends.add(id, kind, channelKey(channel), text);
      if (error) throw error;
      this.#flush();
    } catch (error) {
      this.#do({ type: 'failed', request: id, error: error as AntiphonError });
    }
    return id;
  }

  abandon(request: RequestId): void {
    this.#sends.abandon(request);
    this.#flush();
  }

  /** Listens to a channel, over all connections, until `unsubscribe`. */
  subscribe(channel: ChannelRef): void {
    if (this.#end) {
      this.#do({ type: 'refused', channel, error: this.#end });
    } else if (!this.#subscriptions.has(channel)) {
      this.#subscriptions.add(channel);
      if (this.#state === 'online') this.#send(this.#subscriptions.askFor(channelKey(channel), this.#nextId));
    } else if (!this.#subscriptions.isPending(channelKey(channel))) {
      this.#do({ type: 'subscribed', channel });
    }
  }

  unsubscribe(channel: ChannelRef): void {
    const text = this.#subscriptions.remove(channel);
    if (this.#state === 'online') this.#send(text);
    this.#flush();
  }

  /** The network is said to be back: does not wait for the back-off. */
  nudge(now: number): void {
    if (this.#state !== 'waiting') return;
    this.#timers.clear('retry');
    this.#begin(now);
  }

  close(): void {
    this.#finish(undefined);
  }

  // What happens outside.

  handleCredential(credential: Credential, now: number): void {
    this.#fetching = undefined;
    this.#renewalBackoff.reset();
    if (this.#state === 'ended') return;
    this.#credential.take(credential, now);
    if (this.#state === 'authenticating') this.#connect(now);
    if (this.#state === 'online') this.#authenticate();
  }

  handleCredentialFailure(error: AntiphonError, now: number): void {
    const renewal = this.#fetching;
    this.#fetching = undefined;
    if (this.#state === 'ended') return;
    if (renewal === 'refresh' && error.status === 401) return this.#fetch('anew');
    if (!isTransient(error)) return this.#finish(error);
    if (this.#state === 'authenticating') return this.#lose(error, now);
    if (this.#state !== 'online') return;
    this.#timers.set('renew', now + Math.max(this.#renewalBackoff.next(), error.retryAfter ?? 0));
    this.#do({ type: 'warning', error });
  }

  /** The socket did not come about. */
  handleConnectFailure(): void {
    if (this.#state !== 'connecting') return;
    this.#state = 'asking';
    this.#do({ type: 'ask-why', token: this.#presented });
  }

  /** Why the handshake failed, as far as HTTP tells; `undefined` if HTTP finds nothing wrong. */
  handleRefusal(error: AntiphonError | undefined, now: number): void {
    if (this.#state !== 'asking') return;
    if (error?.status === 401) return this.#handleUnauthorized(error, now);
    if (error?.status === 403) return this.#finish(error);
    this.#lose(error ?? unreachable('HTTP is answered, but no WebSocket comes about: does a proxy on the way let them pass?'), now);
  }

  handleText(text: string, now: number): void {
    if (this.#state !== 'connecting' && this.#state !== 'online') return;
    try {
      const message = readServerMessage(text);
      if (this.#state === 'online') {
        this.#timers.clear('pong');
        this.#timers.set('silence', now + this.#settings.heartbeatInterval);
      }
      this.#handleMessage(message, now);
    } catch (error) {
      this.#drop(error as AntiphonError, now);
    }
  }

  handleClosed(code: number, reason: string, now: number): void {
    if (this.#state !== 'connecting' && this.#state !== 'online') return;
    const said = this.#farewell?.reason ?? reason;
    if (code === 4001) {
      return this.#handleUnauthorized(new UnauthorizedError({ type: 'unauthorized', status: 401, detail: said || 'the credential has expired' }), now);
    }
    const fatal = fatalClose(code, said, this.#farewell?.reconnect);
    if (fatal) return this.#finish(fatal);
    this.#lose(unreachable(`the connection ended (${code}${said && `: ${said}`})`), now);
  }

  handleTimeout(now: number): void {
    for (let due = this.#timers.takeDue(now); due; due = this.#timers.takeDue(now)) this.#handleDue(due, now);
  }

  #handleDue(timer: Timer, now: number): void {
    switch (timer) {
      case 'attempt':
        return this.#drop(unreachable(`no connection came about within ${this.#settings.attemptTimeout} ms`), now);
      case 'retry':
        return this.#begin(now);
      case 'settled':
        return this.#backoff.reset();
      case 'silence':
        this.#send(writeJson({ type: 'ping' }));
        return this.#timers.set('pong', now + this.#settings.heartbeatTimeout);
      case 'pong':
        return this.#drop(unreachable('the server gives no sign of life'), now);
      case 'renew':
        return this.#fetch('refresh');
      case 'wake':
        this.#sends.wake();
        return this.#flush();
    }
  }

  #handleMessage(message: ServerMessage, now: number): void {
    if (message.type === 'open') return this.#handleOpen(message.identity, now);
    if (message.type === 'close') {
      this.#farewell = message;
      return;
    }
    if (this.#state !== 'online') return;
    switch (message.type) {
      case 'message':
        if (this.#subscriptions.handleMessage(message.message)) this.#do(message);
        break;
      case 'gap':
        if (this.#subscriptions.handleGap(message.gap)) this.#do(message);
        break;
      case 'ok':
        this.#handleOk(message.id, message.members, now);
        break;
      case 'error':
        this.#handleError(message.id, errorOfProblem(message.problem), now);
        break;
      case 'reply':
        this.#sends.handleReply(message.id, message.payload);
        break;
      case 'replies_end':
        this.#conclude(this.#sends.handleRepliesEnd(message.id), now);
        break;
      case 'pong':
      case 'unknown':
        break;
    }
  }

  #handleOpen(identity: string, now: number): void {
    if (this.#state !== 'connecting') return;
    this.#state = 'online';
    this.#credential.handleAccepted();
    this.#timers.clear('attempt');
    this.#timers.set('settled', now + SETTLED_AFTER);
    this.#timers.set('silence', now + this.#settings.heartbeatInterval);
    this.#do({ type: 'online', identity });
    for (const text of this.#subscriptions.askForAll(this.#nextId)) this.#send(text);
    // Renewed while this connection began.
    if (this.#credential.token !== this.#presented) this.#authenticate();
    else this.#setRenewal();
    this.#flush();
  }

  #handleOk(id: number, members: Record<string, unknown>, now: number): void {
    if (id === this.#authenticating) {
      this.#authenticating = undefined;
      this.#credential.handleAccepted();
      return;
    }
    const listening = this.#subscriptions.handleOk(id, members);
    if (listening) return this.#concludeSubscribe(listening);
    this.#conclude(this.#sends.handleOk(id, members), now);
  }

  #handleError(id: number | undefined, error: AntiphonError, now: number): void {
    if (id === undefined) return this.#do({ type: 'warning', error });
    if (id === this.#authenticating) {
      // The server does not know the request, or does not want this credential on this connection: perhaps on another.
      this.#interrupt(unreachable('the connection is made anew with a renewed credential', error));
      this.#do({ type: 'disconnect' });
      return this.#begin(now);
    }
    if (this.#subscriptions.isRecovery(id) && isTransient(error)) return this.#drop(error, now);
    const listening = this.#subscriptions.handleError(id, error);
    if (listening) return this.#concludeSubscribe(listening);
    this.#conclude(this.#sends.handleError(id, error), now);
  }

  #concludeSubscribe({ subscribed, refused, apart }: SubscribeOutcome): void {
    for (const channel of subscribed) this.#do({ type: 'subscribed', channel });
    for (const { channel, error } of refused) this.#do({ type: 'refused', channel, error });
    for (const key of apart) this.#send(this.#subscriptions.askFor(key, this.#nextId));
    this.#flush();
  }

  #conclude(outcome: SendOutcome | undefined, now: number): void {
    if (outcome?.type === 'resting') this.#timers.set('wake', now + WAKE_AFTER);
    else if (outcome) this.#do(outcome);
    this.#flush();
  }

  // The way to a connection, and its end.

  #begin(now: number): void {
    const need = this.#credential.need(now);
    if (need === 'nothing') return this.#connect(now);
    this.#state = 'authenticating';
    this.#fetch(need);
  }

  #fetch(renewal: 'refresh' | 'anew'): void {
    if (this.#fetching) return;
    this.#fetching = renewal;
    this.#do({ type: 'fetch-credential', renewal, token: renewal === 'refresh' ? this.#credential.token : undefined });
  }

  #connect(now: number): void {
    this.#state = 'connecting';
    this.#presented = this.#credential.token;
    this.#timers.set('attempt', now + this.#settings.attemptTimeout);
    this.#do({ type: 'connect', token: this.#presented });
  }

  #authenticate(): void {
    this.#authenticating = this.#nextId();
    this.#presented = this.#credential.token;
    this.#send(writeJson({ type: 'authenticate', id: this.#authenticating, token: this.#presented }));
    this.#setRenewal();
  }

  #setRenewal(): void {
    const at = this.#credential.renewAt;
    if (at !== undefined) this.#timers.set('renew', at);
  }

  #handleUnauthorized(error: AntiphonError, now: number): void {
    if (this.#credential.handleRefused(this.#presented)) this.#lose(error, now);
    else this.#finish(error);
  }

  #drop(error: AntiphonError, now: number): void {
    this.#do({ type: 'disconnect' });
    this.#lose(error, now);
  }

  #lose(error: AntiphonError, now: number): void {
    this.#interrupt(error);
    this.#state = 'waiting';
    const delay = Math.max(this.#backoff.next(), error.retryAfter ?? 0);
    this.#timers.set('retry', now + delay);
    this.#do({ type: 'reconnecting', error, delay });
  }

  /** Brings everything to where it is without a connection. */
  #interrupt(error: AntiphonError): void {
    this.#timers.clearAll();
    this.#authenticating = undefined;
    this.#farewell = undefined;
    const wasOnline = this.#state === 'online';
    this.#state = 'waiting';
    if (wasOnline) this.#do({ type: 'offline', error });
    this.#subscriptions.handleLost();
    for (const outcome of this.#sends.handleLost(error)) if (outcome.type === 'failed') this.#do(outcome);
  }

  #finish(error: AntiphonError | undefined): void {
    if (this.#state === 'ended') return;
    const wasOnline = this.#state === 'online';
    this.#end = error ?? new ClosedError({ type: 'closed', detail: 'the client was closed' });
    this.#state = 'ended';
    this.#timers.clearAll();
    this.#do({ type: 'disconnect' });
    if (wasOnline) this.#do({ type: 'offline', error: this.#end });
    for (const request of this.#sends.clear()) this.#do({ type: 'failed', request, error: this.#end });
    this.#subscriptions.clear();
    this.#do({ type: 'ended', error });
  }

  // Small change.

  /** Sends what waits, if there is a connection. */
  #flush(): void {
    if (this.#state !== 'online') return;
    for (const text of this.#sends.takeReady((key) => this.#subscriptions.isPending(key))) this.#send(text);
  }

  #send(text: string | undefined): void {
    if (text !== undefined) this.#do({ type: 'send', text });
  }

  #do(action: Action): void {
    this.#actions.push(action);
  }

  readonly #nextId = (): number => {
    this.#lastId += 1;
    return this.#lastId;
  };
}
