// Both sides are told why a connection ended.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { CLIENTS, Sockets } from '../harness/clients.mjs';
import { ask, next } from '../harness/deadline.mjs';
import { Proxy } from '../harness/proxy.mjs';
import { TestServer } from '../harness/server.mjs';

// Of what is lost on the way, each side learns by its own system calls.
const LOST = ['transport close', 'transport error'];

let server;
let impatient;
before(async () => {
  server = await TestServer.start();
  impatient = await TestServer.start({ ping_interval_ms: 300, ping_timeout_ms: 1500, connect_timeout_ms: 400 });
});
after(() => Promise.all([server?.kill(), impatient?.kill()]));

// Most of it is waiting, which can be done together.
describe('why connections end', { concurrency: 4 }, () => {
  for (const client of CLIENTS) {
    for (const transports of [['polling'], ['websocket']]) reasonsOf(client, transports);
  }
});

function reasonsOf(client, transports) {
  describe(`${client.name} by ${transports}`, { concurrency: 1 }, () => {
    /** Connects by `url`, lets `act` end it, and gives what both sides are told. */
    async function told(t, url, act, by = server) {
      const socket = await new Sockets(t).connect(client, url, { transports });
      const { id } = socket;
      const disconnected = next(socket, 'disconnect');
      await act(socket);
      const [[onClient], onServer] = await Promise.all([disconnected, by.reason(id)]);
      return [onClient, onServer];
    }

    test('the client leaves', async (t) => {
      const reasons = await told(t, server.url, (socket) => socket.disconnect());
      assert.deepEqual(reasons, ['io client disconnect', 'client namespace disconnect']);
    });

    test('the server sends it away', async (t) => {
      for (const how of ['namespace', 'connection']) {
        const reasons = await told(t, server.url, (socket) => socket.emit('bye', how));
        assert.deepEqual(reasons, ['io server disconnect', 'server namespace disconnect']);
      }
    });

    test('the client closes the connection beneath', async (t) => {
      const [onClient, onServer] = await told(t, server.url, (socket) => socket.io.engine.close());
      assert.equal(onClient, 'forced close');
      assert.ok(LOST.includes(onServer), onServer);
    });

    test('the connection is cut', async (t) => {
      const proxy = await Proxy.to(impatient.url);
      t.after(() => proxy.close());
      const [onClient, onServer] = await told(t, proxy.url, () => proxy.cut(), impatient);
      assert.ok(LOST.includes(onClient), onClient);
      // It may have been cut between two polls, which the server cannot know until the client is due again.
      const polling = transports[0] === 'polling';
      assert.ok(LOST.includes(onServer) || (polling && onServer === 'ping timeout'), onServer);
    });

    test('the connection goes silent', async (t) => {
      const proxy = await Proxy.to(impatient.url);
      t.after(() => proxy.close());
      const reasons = await told(t, proxy.url, () => proxy.hold(), impatient);
      assert.deepEqual(reasons, ['ping timeout', 'ping timeout']);
    });

    test('a connection without events is kept up by pings', async (t) => {
      const socket = await new Sockets(t).connect(client, impatient.url, { transports });
      // The one event that engines of all generations have for it, whoever began.
      for (let i = 0; i < 4; i++) await next(socket.io.engine, 'pong');
      assert.deepEqual(await ask(socket, 'answer', 'still here'), ['still here']);
    });

    test('the server ends', async (t) => {
      const ending = await TestServer.start();
      t.after(() => ending.kill());
      const [onClient, onServer] = await told(t, ending.url, () => ending.terminate(), ending);
      assert.ok(LOST.includes(onClient), onClient);
      assert.equal(onServer, 'server shutting down');
    });
  });
}

test('who says nothing after the handshake is sent away', async () => {
  const response = await fetch(`${impatient.url}/socket.io/?EIO=4&transport=polling`);
  const { sid } = JSON.parse((await response.text()).slice(1));
  let polled;
  do {
    const poll = await fetch(`${impatient.url}/socket.io/?EIO=4&transport=polling&sid=${sid}`);
    polled = await poll.text();
  } while (polled === '2' || polled === '6');
  assert.match(polled, /(^|\x1e)1$/);
});
