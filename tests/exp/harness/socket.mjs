// The network's socket by hand.

import assert from 'node:assert/strict';
import { Polling, Socket } from '../../clients/harness/wire.mjs';
import { within } from '../../clients/harness/deadline.mjs';

/** Where the socket of a token is, by WebSocket. */
export function socketUrl(server, token, query = '') {
  return `${server.url}/socket.io/?EIO=3&transport=websocket${token === undefined ? '' : `&token=${token}`}${query}`;
}

/** A session by polling, whose `40` is still to be polled. */
export function poll(server, token, query = '&b64=1') {
  return Polling.open(`${server.url}/socket.io/`, 3, `&token=${token}${query}`);
}

/** A listener over a WebSocket without polling before it, as the SDK for iOS connects. */
export class Listening {
  socket;
  handshake;

  static async open(t, server, token, query) {
    const listening = new Listening();
    listening.socket = await Socket.open(socketUrl(server, token, query));
    t.after(() => listening.socket.terminate());
    const open = await listening.socket.next();
    assert.equal(open[0], '0');
    listening.handshake = JSON.parse(open.slice(1));
    assert.equal(await listening.socket.next(), '40');
    return listening;
  }

  /** Subscribes; the ids that the server says are subscribed. */
  async subscribe(...ids) {
    this.emit('subscribe', ids);
    const [event, granted] = await this.event();
    assert.equal(event, 'subscribed');
    return granted;
  }

  emit(...event) {
    this.socket.send(`42${JSON.stringify(event)}`);
  }

  /** The next event. */
  async event(ms) {
    const packet = await this.socket.next(ms);
    assert.ok(packet.startsWith('42'), packet);
    return JSON.parse(packet.slice(2));
  }

  /** The next broadcast. */
  async next(ms) {
    const [event, broadcast] = await this.event(ms);
    assert.equal(event, 'broadcast');
    return broadcast;
  }

  /** Says that nothing more had come by the time that the server answered a ping. */
  async quiet() {
    this.socket.send('2quiet?');
    assert.equal(await this.socket.next(), '3quiet?');
  }

  /** Waits until the server has ended it. What it says before is not looked at. */
  closed(ms) {
    return within(this.socket.closed(ms), 'end', ms);
  }
}
