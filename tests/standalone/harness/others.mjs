// Clients of the other dialects: HTTP, server-sent events, and the subprotocol `antiphon.v1`.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { within } from '../../clients/harness/deadline.mjs';

/** Publishes as curl does; what is answered. */
export async function publish(server, channel, body, { token, name, type = 'application/json', ...query } = {}) {
  const parameters = new URLSearchParams({ ...(name && { name }), ...query });
  return request(server, `/v1/channels/${encodeURIComponent(channel)}?${parameters}`, { method: 'POST', body, token, type });
}

/** Broadcasts; what is answered when the replies are there. */
export async function broadcast(server, channel, body, { token, name, type = 'application/json', ...query } = {}) {
  const parameters = new URLSearchParams({ ...(name && { name }), ...query });
  const path = `/v1/channels/${encodeURIComponent(channel)}/broadcasts?${parameters}`;
  return request(server, path, { method: 'POST', body, token, type });
}

/** What is kept of a channel. */
export async function poll(server, channel, { token, ...query } = {}) {
  return request(server, `/v1/channels/${encodeURIComponent(channel)}?${new URLSearchParams(query)}`, { token });
}

/** Deletes what is kept of a channel, as clients of PubNub do. */
export async function forget(server, channel) {
  await request(server, `/v3/history/sub-key/demo/channel/${encodeURIComponent(channel)}?uuid=other`, { method: 'DELETE' });
}

async function request(server, path, { method = 'GET', body, token, type }) {
  const headers = { ...(token && { Authorization: `Bearer ${token}` }), ...(body !== undefined && { 'Content-Type': type }) };
  const response = await within(fetch(`${server.url}${path}`, { method, body, headers }), `answer to ${method} ${path}`);
  const text = await response.text();
  assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
  return JSON.parse(text);
}

/** A listener by server-sent events: what comes, as `{ event, data, id }`. */
export class Events {
  #abort = new AbortController();
  #events = [];
  #waiting = [];

  static async listen(t, server, channel, query = {}) {
    const events = new Events();
    t.after(() => events.#abort.abort());
    const url = `${server.url}/v1/channels/${encodeURIComponent(channel)}?${new URLSearchParams(query)}`;
    const headers = { Accept: 'text/event-stream' };
    const response = await within(fetch(url, { headers, signal: events.#abort.signal }), 'event stream');
    assert.equal(response.status, 200, await (response.ok ? '' : response.text()));
    events.#read(response.body).catch(() => {});
    return events;
  }

  next() {
    if (this.#events.length > 0) return Promise.resolve(this.#events.shift());
    return within(new Promise((resolve) => this.#waiting.push(resolve)), 'server-sent event');
  }

  async #read(body) {
    const decoder = new TextDecoder();
    let text = '';
    for await (const bytes of body) {
      text += decoder.decode(bytes, { stream: true });
      for (let end; (end = text.indexOf('\n\n')) >= 0; text = text.slice(end + 2)) this.#take(text.slice(0, end));
    }
  }

  #take(block) {
    const event = { event: 'message' };
    for (const line of block.split('\n')) {
      const [, name, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
      if (name === 'data') event.data = event.data === undefined ? value : `${event.data}\n${value}`;
      else if (name) event[name] = value;
    }
    if (event.data === undefined) return;
    const waiting = this.#waiting.shift();
    if (waiting) waiting(event);
    else this.#events.push(event);
  }
}

/** A client that speaks `antiphon.v1`. */
export class V1 {
  #socket;
  #messages = [];
  #waiting = [];
  #id = 0;
  #answers = new Map();

  static async open(t, server, query = {}) {
    const v1 = new V1();
    const url = `${server.url.replace(/^http/, 'ws')}/v1/events?${new URLSearchParams(query)}`;
    v1.#socket = new WebSocket(url, 'antiphon.v1');
    t.after(() => v1.#socket.terminate());
    v1.#socket.on('message', (text) => v1.#take(JSON.parse(text)));
    await within(once(v1.#socket, 'open'), 'WebSocket');
    return v1;
  }

  /** Asks for something; what is answered, which has to be a success. */
  async ask(type, members = {}) {
    const id = ++this.#id;
    const answered = new Promise((resolve) => this.#answers.set(id, resolve));
    this.send(type, { id, ...members });
    const answer = await within(answered, `answer to ${type}`);
    assert.equal(answer.type, 'ok', JSON.stringify(answer));
    return answer;
  }

  /** Broadcasts; the replies, when all are there. */
  async broadcast(members) {
    const id = ++this.#id;
    const replies = [];
    const ended = new Promise((resolve) => {
      this.#answers.set(id, (message) => {
        if (message.type === 'reply') replies.push(message.payload);
        else if (message.type === 'replies_end') resolve({ replies, complete: message.complete });
        if (message.type !== 'replies_end') return 'more';
      });
    });
    this.send('broadcast', { id, ...members });
    return within(ended, 'end of the replies');
  }

  send(type, members) {
    this.#socket.send(JSON.stringify({ type, ...members }));
  }

  /** The next message that was published. */
  next() {
    if (this.#messages.length > 0) return Promise.resolve(this.#messages.shift());
    return within(new Promise((resolve) => this.#waiting.push(resolve)), 'message of antiphon.v1');
  }

  #take(message) {
    if (message.id !== undefined) {
      if (this.#answers.get(message.id)?.(message) !== 'more') this.#answers.delete(message.id);
      return;
    }
    if (message.type !== 'message') return;
    const waiting = this.#waiting.shift();
    if (waiting) waiting(message);
    else this.#messages.push(message);
  }
}
