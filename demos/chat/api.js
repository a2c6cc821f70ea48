// The plain requests of the native protocol for one room and one identity.

const BASE = new URL('../v1/', import.meta.url);
const REQUEST_TIMEOUT_MS = 10_000;

/** What the server, or the way to it, said instead of an answer. */
export class Problem extends Error {
  constructor({ status = 0, title, detail, retryAfterMs = 0 } = {}) {
    super(detail || title || (status ? `The server answered ${status}.` : 'The server cannot be reached.'));
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }

  /** Whether the same request may well succeed later. */
  get transient() {
    return this.status === 0 || this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

/** Percent-encodes for a URL that is also safe between single quotes in a shell. */
export const encode = (text) => encodeURIComponent(text).replaceAll("'", '%27');

async function problemOf(response) {
  const body = await response.json().catch(() => ({}));
  const seconds = Number(response.headers.get('Retry-After')) || 0;
  return new Problem({ ...body, status: response.status, retryAfterMs: seconds * 1000 });
}

/** `fetch` whose failures are all `Problem`s; an abort by the caller stays an `AbortError`. */
export async function request(url, init = {}) {
  let response;
  try {
    response = await fetch(url, { cache: 'no-store', ...init });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Problem();
  }
  if (!response.ok && response.status !== 304) throw await problemOf(response);
  return response;
}

/** A body that breaks off is the connection's failure, not the page's. */
export async function json(response) {
  try {
    return await response.json();
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Problem({ detail: 'The answer broke off.' });
  }
}

export class RoomApi {
  constructor(room, identity) {
    this.room = room;
    this.identity = identity;
  }

  /** Where a WebSocket is opened that says by itself what it listens to. */
  socketUrl() {
    const url = new URL('events', BASE);
    url.protocol = url.protocol.replace('http', 'ws');
    url.searchParams.set('identity', this.identity);
    return url;
  }

  /** The channel's URL, or with `path` one below it; members of `query` that are undefined are left out. */
  url(query = {}, path = '') {
    const url = new URL(`channels/${encode(this.room)}${path}`, BASE);
    const members = Object.entries({ identity: this.identity, ...query }).filter(([, value]) => value !== undefined);
    url.search = members.map(([name, value]) => `${name}=${encode(value)}`).join('&');
    return url;
  }

  /** The newest `limit` messages named `name`, oldest first, and the position to listen from. */
  async history(limit, name) {
    const init = { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) };
    return json(await request(this.url({ limit, event: name }), init));
  }

  /** Publishes JSON; with the same `key` twice, only the first counts. */
  async publish({ name, payload, kind, store, key }) {
    const headers = { 'Content-Type': 'application/json' };
    if (key) headers['Idempotency-Key'] = key;
    const query = { name, kind, store: store === false ? 'false' : undefined };
    const init = {
      method: 'POST',
      headers,
      body: JSON.stringify(payload),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    };
    return json(await request(this.url(query), init));
  }

  async presence() {
    const init = { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) };
    return json(await request(this.url({}, '/presence'), init));
  }

  /** Makes this identity present for `ttl`, with `state` for others to see. */
  async join(state, ttl) {
    const init = {
      method: 'PUT',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(state),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    };
    await request(this.url({ ttl }, '/presence'), init);
  }

  /** Ends what `join` began; the request outlives the page. */
  async leave() {
    await request(this.url({}, '/presence'), { method: 'DELETE', keepalive: true });
  }
}
