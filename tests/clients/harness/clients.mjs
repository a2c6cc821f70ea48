// The clients as people install them, one of each generation, side by side.

import { createRequire } from 'node:module';
import { next } from './deadline.mjs';

const require = createRequire(import.meta.url);

/** `revision` is that of Engine.IO, `protocol` that of Socket.IO. */
export const CLIENTS = [
  client('sio1', { revision: 3, protocol: 4 }),
  client('sio2', { revision: 3, protocol: 4 }),
  client('sio3', { revision: 4, protocol: 5 }),
  client('sio4', { revision: 4, protocol: 5 }),
];

export const [, SIO2, , SIO4] = CLIENTS;

/** The ways to connect: what the client is told, and what it ends up with. */
export const WAYS = [
  { name: 'polling', transports: ['polling'], ends: 'polling' },
  { name: 'websocket', transports: ['websocket'], ends: 'websocket' },
  { name: 'upgrade', transports: ['polling', 'websocket'], ends: 'websocket' },
];

function client(module, { revision, protocol }) {
  const { version } = require(`${module}/package.json`);
  return { name: `socket.io-client ${version}`, io: require(module), revision, protocol };
}

/** Sockets that are closed when the test is over. */
export class Sockets {
  #sockets = new Set();

  constructor(t) {
    t?.after(() => this.close());
  }

  /** A socket that is connecting, over a connection of its own. */
  open(client, url, options = {}) {
    const socket = client.io(url, { forceNew: true, reconnection: false, ...options });
    this.#sockets.add(socket);
    return socket;
  }

  /** A socket that is connected; if it may upgrade, that has done so. */
  async connect(client, url, options = {}) {
    const socket = this.open(client, url, options);
    // Listened for from the start: the upgrade may be over as soon as the connection is.
    const upgraded = options.transports?.length === 2 ? upgrade(socket) : undefined;
    await next(socket, 'connect');
    await upgraded;
    return socket;
  }

  /** Connected in one way or the other, without an upgrade. */
  async direct(client, url, options = {}) {
    return this.connect(client, url, { transports: ['websocket'], ...options });
  }

  close() {
    for (const socket of this.#sockets) {
      socket.disconnect();
      // A manager that still tries to connect would keep the process.
      (socket.io.close ?? socket.io.disconnect).call(socket.io);
    }
    this.#sockets.clear();
  }
}

async function upgrade(socket) {
  if (!socket.io.engine) await next(socket.io, 'open');
  await next(socket.io.engine, 'upgrade');
}

/** What the connection of a socket is by. */
export function transport(socket) {
  return socket.io.engine.transport.name;
}
