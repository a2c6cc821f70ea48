import type { Action, RequestId } from './core/action.js';
import type { ChannelRef } from './core/channel_ref.js';
import type { SendKind } from './core/sends.js';
import { Session } from './core/session.js';
import { SUBPROTOCOL } from './core/wire.js';
import { credentialSource, type CredentialSource } from './credentials.js';
import { AntiphonError, UnreachableError } from './errors.js';
import { requestJson } from './http.js';
import { randomHex } from './jwt.js';
import type { Options } from './options.js';
import { credentialQuery, socketUrl, webSocket, type Socket } from './socket.js';

/** What the driver does not do itself. */
export type Notice = Exclude<
  Action,
  { type: 'fetch-credential' | 'connect' | 'ask-why' | 'send' | 'disconnect' | 'done' | 'failed' }
>;

interface Waiter {
  resolve(answer: unknown): void;
  reject(error: unknown): void;
}

/** The longest time that `setTimeout` takes; beyond it fires at once. */
const TIMEOUT_MAX = 2 ** 31 - 1;
/** How long the end waits for the server to answer the close. */
const CLOSES_MS = 2_000;

/** Gives the core its sockets, requests over HTTP, timers and clock. */
export class Driver {
  readonly #options: Options;
  readonly #identity: string;
  readonly #session: Session;
  readonly #credentials: CredentialSource;
  readonly #notify: (notice: Notice) => void;
  readonly #waiters = new Map<RequestId, Waiter>();
  #socket: Socket | undefined;
  /** Counts connections, so that what comes of an old one is not taken for the new one's. */
  #generation = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAt = Infinity;
  #isRunning = false;
  #socketGone: Promise<void> = Promise.resolve();

  constructor(options: Options, identity: string, notify: (notice: Notice) => void) {
    this.#options = options;
    this.#identity = identity;
    this.#notify = notify;
    this.#credentials = credentialSource(options);
    const { kind, token } = this.#credentials;
    this.#session = new Session({ ...options, credential: { kind, token }, keyPrefix: randomHex(12), random: Math.random });
  }

  start(): void {
    this.#session.start(now());
    this.#run();
  }

  /** Ends it. Resolves when the socket is closed. */
  close(): Promise<void> {
    this.#session.close();
    this.#run();
    return this.#socketGone;
  }

  subscribe(channel: ChannelRef): void {
    this.#session.subscribe(channel);
    this.#run();
  }

  unsubscribe(channel: ChannelRef): void {
    this.#session.unsubscribe(channel);
    this.#run();
  }

  nudge(): void {
    this.#session.nudge(now());
    this.#run();
  }

  /** Sends a request. Rejects with an `AntiphonError`, or with the signal's reason. */
  request(kind: SendKind, type: string, channel: ChannelRef, members: object, signal?: AbortSignal): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const id = this.#session.request(kind, type, channel, members);
      const abort = () => {
        this.#waiters.delete(id);
        this.#session.abandon(id);
        this.#run();
        reject(signal?.reason);
      };
      const settle = () => signal?.removeEventListener('abort', abort);
      this.#waiters.set(id, {
        resolve: (answer) => (settle(), resolve(answer)),
        reject: (error) => (settle(), reject(error)),
      });
      signal?.addEventListener('abort', abort, { once: true });
      this.#run();
    });
  }

  /** Does what the core wants done, and sets the timer anew. What that brings about is done by the outermost call. */
  #run(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      for (let action = this.#session.pollAction(); action; action = this.#session.pollAction()) this.#perform(action);
    } finally {
      this.#isRunning = false;
    }
    this.#setTimer();
  }

  #perform(action: Action): void {
    switch (action.type) {
      case 'send':
        return this.#socket?.send(action.text);
      case 'connect':
        return void this.#connect(action.token);
      case 'disconnect':
        return this.#disconnect();
      case 'fetch-credential':
        return void this.#fetchCredential(action);
      case 'ask-why':
        return void this.#askWhy(action.token);
      case 'done':
        return this.#takeWaiter(action.request)?.resolve(action.answer);
      case 'failed':
        return this.#takeWaiter(action.request)?.reject(action.error);
      default:
        return this.#notify(action);
    }
  }

  #takeWaiter(request: RequestId): Waiter | undefined {
    const waiter = this.#waiters.get(request);
    this.#waiters.delete(request);
    return waiter;
  }

  async #connect(token: string | undefined): Promise<void> {
    const generation = (this.#generation += 1);
    const isCurrent = () => generation === this.#generation;
    try {
      const WebSocket = await webSocket();
      if (isCurrent()) this.#open(new WebSocket(socketUrl(this.#options.base, token, this.#identity), SUBPROTOCOL), isCurrent);
    } catch {
      this.#input(() => isCurrent() && this.#session.handleConnectFailure());
    }
  }

  #open(socket: Socket, isCurrent: () => boolean): void {
    let isOpen = false;
    let gone!: () => void;
    this.#socketGone = new Promise((resolve) => (gone = resolve));
    this.#socket = socket;
    const end = (handle: (now: number) => void) => {
      gone();
      if (!isCurrent()) return;
      this.#generation += 1;
      this.#socket = undefined;
      this.#input(handle);
    };
    socket.onopen = () => void (isOpen = true);
    socket.onmessage = ({ data }) => {
      if (isCurrent()) this.#input((now) => this.#session.handleText(String(data), now));
    };
    // Not every WebSocket has a close come after it when the handshake fails: that of Node 22 does not.
    socket.onerror = () => {
      if (!isOpen) end(() => this.#session.handleConnectFailure());
    };
    socket.onclose = ({ code, reason }) => {
      end((now) => (isOpen ? this.#session.handleClosed(code, reason, now) : this.#session.handleConnectFailure()));
    };
  }

  #disconnect(): void {
    this.#generation += 1;
    const socket = this.#socket;
    this.#socket = undefined;
    if (!socket) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, CLOSES_MS)));
    this.#socketGone = Promise.race([this.#socketGone, late]).finally(() => clearTimeout(timer));
    socket.close(1000);
  }

  async #fetchCredential({ renewal, token }: Extract<Action, { type: 'fetch-credential' }>): Promise<void> {
    try {
      const credential = await this.#credentials.fetch(renewal, token);
      this.#input((now) => this.#session.handleCredential(credential, now));
    } catch (cause) {
      const error = cause instanceof AntiphonError ? cause : new UnreachableError({ type: 'unreachable', detail: String(cause), cause });
      this.#input((now) => this.#session.handleCredentialFailure(error, now));
    }
  }

  /** Asks for a stream of no channels: 400 says that the credential is good, and the origin allowed. */
  async #askWhy(token: string | undefined): Promise<void> {
    const { base, attemptTimeout } = this.#options;
    const generation = this.#generation;
    const refusal = await requestJson(`${base}/v1/events?${credentialQuery(token, this.#identity)}`, {
      method: 'GET',
      timeout: attemptTimeout,
    }).then(
      () => undefined,
      (error: AntiphonError) => (error.status === 400 ? undefined : error),
    );
    this.#input((now) => generation === this.#generation && this.#session.handleRefusal(refusal, now));
  }

  #input(handle: (now: number) => unknown): void {
    handle(now());
    this.#run();
  }

  /** A timer that is early does no harm, so one that comes later than what is due is all that is replaced. */
  #setTimer(): void {
    const at = this.#session.pollTimeout() ?? Infinity;
    if (at >= this.#timerAt && at !== Infinity) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    if (at === Infinity) return;
    const delay = Math.min(TIMEOUT_MAX, Math.max(0, Math.ceil(at - now())));
    this.#timer = setTimeout(() => {
      this.#timerAt = Infinity;
      this.#input((now) => this.#session.handleTimeout(now));
    }, delay);
  }
}

function now(): number {
  return performance.now();
}
