// A way to the server that can be cut, and that keeps whoever comes waiting while there is no server, as a balancer of loads does.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';

const AGAIN_MS = 20;

export class Gate {
  url;
  #server;
  #sockets = new Set();

  static async to(t, url) {
    const gate = new Gate();
    const { hostname, port } = new URL(url);
    gate.#server = createServer((near) => gate.#join(near, { host: hostname, port: Number(port) }));
    gate.#server.listen(0, '127.0.0.1');
    await once(gate.#server, 'listening');
    gate.url = `http://127.0.0.1:${gate.#server.address().port}`;
    t.after(() => {
      gate.cut();
      gate.#server.close();
    });
    return gate;
  }

  /** Ends all connections. New ones are let through. */
  cut() {
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(near, to) {
    this.#keep(near);
    const far = connect(to);
    far.once('connect', () => {
      this.#keep(far);
      for (const socket of [near, far]) socket.setNoDelay(true);
      near.pipe(far).pipe(near);
      near.once('close', () => far.destroy());
      far.once('close', () => near.destroy());
    });
    far.on('error', () => {
      if (near.destroyed || this.#sockets.has(far)) return;
      setTimeout(() => !near.destroyed && (this.#sockets.delete(near), this.#join(near, to)), AGAIN_MS);
    });
  }

  #keep(socket) {
    if (this.#sockets.has(socket)) return;
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => this.#sockets.delete(socket));
  }
}
