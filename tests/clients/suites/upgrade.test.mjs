// Many sessions that talk while they upgrade: every event is answered, once and in order.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { SIO2, SIO4, Sockets, transport } from '../harness/clients.mjs';
import { next, within } from '../harness/deadline.mjs';
import { TestServer } from '../harness/server.mjs';

const EVENTS = 30;
const ALL_MS = 60_000;
// How many have been emitted when the upgrade begins, before the client ceases to poll, and before all goes by WebSocket.
const BEFORE = 8;
const BETWEEN = 18;
const DURING = 24;

let server;
before(async () => (server = await TestServer.start()));
after(() => server?.kill());

for (const [client, sessions] of [
  [SIO4, 500],
  [SIO2, 100],
]) {
  test(`${sessions} sessions of ${client.name} emit ${EVENTS} events each while they upgrade`, async (t) => {
    const sockets = new Sockets(t);
    const all = await within(
      Promise.all(Array.from({ length: sessions }, () => talk(sockets.open(client, server.url, { upgrade: false })))),
      'answers to all events',
      ALL_MS,
    );
    const expected = Array.from({ length: EVENTS }, (_, i) => i);
    for (const { echoed, acknowledged, ended } of all) {
      assert.deepEqual(echoed, expected);
      assert.deepEqual(acknowledged, expected);
      assert.equal(ended, 'websocket');
    }
  });
}

/** Emits numbered events before, during and after its upgrade, and gathers what comes back. */
async function talk(socket) {
  const echoed = [];
  const acknowledged = [];
  let emitted = 0;
  const emitUpTo = (count) => {
    for (; emitted < count; emitted++) {
      const number = emitted;
      socket.emit('echo', number);
      socket.emit('answer', number, (answer) => acknowledged.push(answer));
    }
  };
  const complete = new Promise((resolve) => {
    socket.on('echo', (number) => {
      echoed.push(number);
      // At the pace of the server, so that something is on its way in both directions at any time.
      if (emitted < BETWEEN) emitUpTo(emitted + 1);
      if (number === EVENTS - 1) resolve();
    });
  });
  await next(socket, 'connect', ALL_MS);
  assert.equal(transport(socket), 'polling');
  const { engine } = socket.io;
  engine.once('upgrading', () => emitUpTo(DURING));
  const upgraded = next(engine, 'upgrade', ALL_MS);
  emitUpTo(BEFORE);
  // What the client does by itself as soon as it has opened the connection, which may be over before the first event.
  (engine._probe ?? engine.probe).call(engine, 'websocket');
  await upgraded;
  emitUpTo(EVENTS);
  await complete;
  // An answer that came twice would have come by now.
  await new Promise((resolve) => socket.emit('answer', resolve));
  return { echoed, acknowledged, ended: transport(socket) };
}
