// Five ways to listen to one channel. Each starts at a position and tells what happens through the same callbacks:
//
//   opened(head)     the server accepted; messages up to `head` were published before that
//   message(m)       a message, signal or presence event, in the order of positions
//   gap()            something between the position asked for and here is no longer kept
//   ended(problem)   it is over, once and for good; never after `stop`
//
// `stop` ends it from this side. What a technique can do beyond listening is in optional methods: `publish`, `presence`.

import { json, Problem, request } from './api.js';
import { WebSocketTransport } from './websocket.js';

const SILENCE_MAX_MS = 35_000;
const LINE_CHARS_MAX = 4 * 1024 * 1024;
const POLL_EVERY_MS = 1000;
const LONG_POLL_WAIT = '25s';
const PAGE = 1000;
const PRESENCE_TTL = '30s';
const PRESENCE_EVERY_MS = 10_000;

/** Server-sent events, read by the browser's own `EventSource`. */
class EventSourceTransport {
  #probe = new AbortController();
  #source;

  constructor(api, { since, state }, on) {
    this.on = on;
    this.#start(api, since, state);
  }

  // EventSource tells neither why a request failed nor where the stream stands, so a small request asks first.
  async #start(api, since, state) {
    let head;
    try {
      const signal = AbortSignal.any([this.#probe.signal, AbortSignal.timeout(SILENCE_MAX_MS)]);
      head = (await json(await request(api.url({ limit: 1 }), { signal }))).position;
    } catch (problem) {
      if (!this.#probe.signal.aborted) this.on.ended(problem);
      return;
    }
    if (this.#probe.signal.aborted) return;
    const query = { since, envelope: 'true', presence: 'true', join: 'true', state: JSON.stringify(state) };
    this.#source = new EventSource(api.url(query));
    this.#source.onopen = () => this.on.opened(head);
    this.#source.onerror = () => this.#end(new Problem());
    for (const name of ['message', 'typing', 'presence']) {
      this.#source.addEventListener(name, (event) => this.on.message(JSON.parse(event.data)));
    }
    this.#source.addEventListener('antiphon.gap', () => this.on.gap());
    this.#source.addEventListener('antiphon.close', (event) => {
      this.#end(new Problem({ detail: JSON.parse(event.data).reason }));
    });
  }

  // Its own reconnecting knows no back-off, so it is not used.
  #end(problem) {
    this.stop();
    this.on.ended(problem);
  }

  stop() {
    this.#probe.abort();
    this.#source?.close();
  }
}

/** HTTP streaming: one long response, a JSON object a line. */
class StreamTransport {
  #abort = new AbortController();
  #watchdog;

  constructor(api, { since, state }, on) {
    this.on = on;
    const query = { since, presence: 'true', join: 'true', state: JSON.stringify(state) };
    this.#read(api.url(query)).then(
      () => this.#end(new Problem({ detail: 'The stream ended.' })),
      (error) => this.#end(error instanceof Problem ? error : new Problem()),
    );
  }

  async #read(url) {
    this.#heard();
    const headers = { Accept: 'application/x-ndjson' };
    const response = await request(url, { headers, signal: this.#abort.signal });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      this.#heard();
      const lines = (rest + value).split('\n');
      rest = lines.pop();
      if (rest.length > LINE_CHARS_MAX) throw new Problem({ detail: 'A line of the stream is too long.' });
      for (const line of lines) if (line) this.#handleLine(JSON.parse(line));
    }
  }

  #handleLine(line) {
    if (this.#abort.signal.aborted) return;
    if (line.type === undefined) this.on.message(line);
    else if (line.type === 'open') this.on.opened(line.position);
    else if (line.type === 'gap') this.on.gap();
    else if (line.type === 'close') this.#end(new Problem({ detail: line.reason }));
  }

  #heard() {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#end(new Problem({ detail: 'The stream fell silent.' })), SILENCE_MAX_MS);
  }

  #end(problem) {
    if (this.#abort.signal.aborted) return;
    this.stop();
    this.on.ended(problem);
  }

  stop() {
    clearTimeout(this.#watchdog);
    this.#abort.abort();
  }
}

/** What regular and long polling share: the cursor, and presence kept up by a heartbeat. */
class PollingTransport {
  #abort = new AbortController();
  #timer;
  #heartbeat;
  #joining;
  #tag;
  #opened = false;

  constructor(api, { since, state }, on) {
    this.api = api;
    this.since = since;
    this.on = on;
    this.#run(state);
  }

  async #run(state) {
    try {
      await this.#keepPresent(state);
      while (!this.#abort.signal.aborted) {
        const startedAt = performance.now();
        // The first answer comes at once, so that it is known that the server is there.
        const count = await this.#poll(this.#opened ? this.wait : undefined);
        const pause = this.pauseAfter(count, performance.now() - startedAt);
        if (pause > 0) await new Promise((resolve) => (this.#timer = setTimeout(resolve, pause)));
      }
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      this.#halt();
      this.on.ended(error instanceof Problem ? error : new Problem());
    }
  }

  async #keepPresent(state) {
    const join = () => (this.#joining = this.api.join(state, PRESENCE_TTL));
    await join();
    if (this.#abort.signal.aborted) return;
    // A heartbeat that fails says nothing that the next poll does not say as well.
    this.#heartbeat = setInterval(() => join().catch(() => {}), PRESENCE_EVERY_MS);
  }

  /** Asks once, and says how many messages came. */
  async #poll(wait) {
    const headers = this.#tag && !wait ? { 'If-None-Match': this.#tag } : {};
    const signal = AbortSignal.any([this.#abort.signal, AbortSignal.timeout(SILENCE_MAX_MS)]);
    const url = this.api.url({ since: this.since, limit: PAGE, presence: 'true', wait });
    const response = await request(url, { headers, signal });
    if (response.status === 304) return 0;
    const page = await json(response);
    if (this.#abort.signal.aborted) return 0;
    this.#tag = response.headers.get('ETag');
    if (!this.#opened) {
      this.#opened = true;
      this.on.opened(page.position);
    }
    if (page.gap) this.on.gap();
    for (const message of page.messages) this.on.message(message);
    this.since = page.position;
    return page.messages.length;
  }

  #halt() {
    this.#abort.abort();
    clearTimeout(this.#timer);
    clearInterval(this.#heartbeat);
  }

  /** Resolves when the server knows that nobody is listening here. */
  async stop() {
    this.#halt();
    // A join that is still on its way must not arrive after the leave.
    await this.#joining?.catch(() => {});
    await this.api.leave().catch(() => {});
  }
}

class LongPollTransport extends PollingTransport {
  wait = LONG_POLL_WAIT;

  // A server that does not wait, or an intermediary that cuts it short, must not make this a busy loop.
  pauseAfter(count, elapsed) {
    return count > 0 ? 0 : POLL_EVERY_MS - elapsed;
  }
}

class PollTransport extends PollingTransport {
  wait = undefined;

  pauseAfter(count, elapsed) {
    return count === PAGE ? 0 : POLL_EVERY_MS - elapsed;
  }
}

/** The techniques by the ids that the page, its storage and presence states use. */
export const TECHNIQUES = new Map([
  ['websocket', { label: 'WebSocket', short: 'WebSocket', about: 'One socket, both ways', Transport: WebSocketTransport }],
  ['sse', { label: 'Server-sent events', short: 'SSE', about: 'EventSource and POST', Transport: EventSourceTransport }],
  ['stream', { label: 'HTTP streaming', short: 'Stream', about: 'A line a message', Transport: StreamTransport }],
  ['longpoll', { label: 'Long polling', short: 'Long poll', about: 'Waits for news', Transport: LongPollTransport }],
  ['poll', { label: 'Polling', short: 'Poll', about: 'Asks every second', Transport: PollTransport }],
]);
