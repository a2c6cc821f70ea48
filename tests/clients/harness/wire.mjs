// Engine.IO by hand: what goes over the wire, without a client's ideas of it.

import { once } from 'node:events';
import { WebSocket } from 'ws';
import { within } from './deadline.mjs';

/** A session by polling. */
export class Polling {
  url;
  sid;
  /** What the server said when it opened the session. */
  handshake;

  /** Opens one; in revision 3 with its text framing unless told otherwise. */
  static async open(base, revision, query = revision === 3 ? '&b64=1' : '') {
    const polling = new Polling();
    polling.url = `${base}?EIO=${revision}&transport=polling${query}`;
    const response = await fetch(polling.url);
    const text = await response.text();
    const packet = revision === 4 ? text : decodePayload3(text)[0];
    polling.handshake = JSON.parse(packet.slice(1));
    polling.sid = polling.handshake.sid;
    polling.url += `&sid=${polling.sid}`;
    return polling;
  }

  /** Awaits what the server has to say. */
  async poll(options) {
    const response = await within(fetch(this.url, options), 'answer to a poll');
    return { status: response.status, text: await response.text() };
  }

  /** The text of a poll that is to succeed. */
  async polled() {
    const { status, text } = await this.poll();
    if (status !== 200) throw new Error(`the poll was answered with ${status} ${text}`);
    return text;
  }

  /** The same as bytes. */
  async polledBytes() {
    const response = await within(fetch(this.url), 'answer to a poll');
    return { type: response.headers.get('content-type'), bytes: Buffer.from(await response.arrayBuffer()) };
  }

  async post(body, headers) {
    const response = await within(fetch(this.url, { method: 'POST', body, headers }), 'answer to a post');
    return { status: response.status, text: await response.text() };
  }
}

/** A WebSocket that keeps what comes until it is asked for. Text comes as a string, other things as a Buffer. */
export class Socket {
  #socket;
  #messages = [];
  #waiting = [];
  #closed;

  constructor(url) {
    this.#socket = new WebSocket(url.replace(/^http/, 'ws'));
    this.#socket.on('message', (data, binary) => {
      const message = binary ? data : data.toString();
      const waiting = this.#waiting.shift();
      if (waiting) waiting(message);
      else this.#messages.push(message);
    });
    this.#socket.on('error', () => {});
    this.#closed = new Promise((resolve) => this.#socket.once('close', resolve));
  }

  /** One that is open, and whose first message is still to be read. */
  static async open(url) {
    const socket = new Socket(url);
    await within(once(socket.#socket, 'open'), 'WebSocket');
    return socket;
  }

  /** Sends them in one write, so that the server reads them together. */
  send(...messages) {
    const { _socket: connection } = this.#socket;
    connection?.cork();
    for (const message of messages) this.#socket.send(message);
    connection?.uncork();
  }

  /** The next message. */
  next(ms) {
    if (this.#messages.length > 0) return Promise.resolve(this.#messages.shift());
    return within(new Promise((resolve) => this.#waiting.push(resolve)), 'message', ms);
  }

  /** The next one that is no ping. */
  async nextEvent() {
    const message = await this.next();
    return message === '2' ? this.nextEvent() : message;
  }

  /** Waits until it is closed, by whomever. Gives the code. */
  closed(ms) {
    return within(this.#closed, 'end of the WebSocket', ms);
  }

  close() {
    this.#socket.close();
  }

  /** Ends it without a closing handshake. */
  terminate() {
    this.#socket.terminate();
  }
}

/** The packets of a payload of revision 3 in its text form: lengths in UTF-16 units. */
export function decodePayload3(text) {
  const packets = [];
  while (text) {
    const colon = text.indexOf(':');
    const length = Number(text.slice(0, colon));
    const packet = text.slice(colon + 1, colon + 1 + length);
    if (!/^\d+$/.test(text.slice(0, colon)) || packet.length !== length) throw new Error(`not a payload: ${text}`);
    packets.push(packet);
    text = text.slice(colon + 1 + length);
  }
  return packets;
}

/** A payload of revision 3 in its text form. */
export function encodePayload3(...packets) {
  return packets.map((packet) => `${packet.length}:${packet}`).join('');
}

/** The packets of a payload of revision 3 in its binary form: a string for text, a Buffer for bytes (without their type). */
export function decodeBinaryPayload3(bytes) {
  const packets = [];
  while (bytes.length > 0) {
    const end = bytes.indexOf(0xff);
    const length = Number([...bytes.subarray(1, end)].join(''));
    const packet = bytes.subarray(end + 1, end + 1 + length);
    if (bytes[0] > 1 || end < 2 || packet.length !== length) throw new Error(`not a payload: ${bytes.toString('hex')}`);
    packets.push(bytes[0] === 0 ? packet.toString() : packet);
    bytes = bytes.subarray(end + 1 + length);
  }
  return packets;
}

/** A payload of revision 3 in its binary form, of texts and of bytes that begin with their type. */
export function encodeBinaryPayload3(...packets) {
  const parts = packets.flatMap((packet) => {
    const bytes = Buffer.from(packet);
    const digits = [...String(bytes.length)].map(Number);
    return [Buffer.from([typeof packet === 'string' ? 0 : 1, ...digits, 0xff]), bytes];
  });
  return Buffer.concat(parts);
}
