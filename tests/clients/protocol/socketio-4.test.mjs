// Socket.IO protocol 4, which clients before 3.0 speak over revision 3 of Engine.IO, by hand.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ConformanceServer } from '../harness/server.mjs';
import { decodePayload3, encodePayload3, Polling, Socket } from '../harness/wire.mjs';

let server;
let base;
before(async () => {
  server = await ConformanceServer.start();
  base = `${server.url}/socket.io/`;
});
after(() => server?.kill());

/** A socket in `/`, which it is without asking. */
async function connected() {
  const socket = new Socket(`${base}?EIO=3&transport=websocket`);
  await socket.next();
  assert.equal(await socket.next(), '40');
  assert.equal(await socket.next(), '42["auth",{}]');
  return socket;
}

test('the server connects it to the main namespace unasked', async () => {
  (await connected()).close();
  const polling = await Polling.open(base, 3);
  const packets = [];
  while (packets.length < 2) packets.push(...decodePayload3(await polling.polled()));
  assert.deepEqual(packets, ['40', '42["auth",{}]']);
});

test('another namespace, with the query as its auth', async () => {
  const socket = await connected();
  socket.send('40/custom?token=a%20b&n=1,');
  assert.equal(await socket.next(), '40/custom,');
  const auth = await socket.next();
  assert.deepEqual(JSON.parse(auth.replace('42/custom,', '')), ['auth', { token: 'a b', n: '1' }]);
  socket.send('427["message-with-ack","main"]', '42/custom,8["message-with-ack","custom"]');
  assert.equal(await socket.next(), '437["main"]');
  assert.equal(await socket.next(), '43/custom,8["custom"]');
  socket.send('41/custom,', '42["message","still here"]');
  assert.equal(await socket.next(), '42["message-back","still here"]');
  socket.close();
});

test('an unknown namespace is refused', async () => {
  const socket = await connected();
  socket.send('40/random,');
  const refusal = await socket.next();
  assert.ok(refusal.startsWith('44/random,'), refusal);
  assert.match(refusal, /Invalid namespace/);
  socket.close();
});

test('events, acknowledgements and attachments', async () => {
  const socket = await connected();
  const placeholder = '{"_placeholder":true,"num":0}';
  // The first byte of a binary frame is the type of its packet.
  const bytes = Buffer.from([4, 1, 2, 3]);
  socket.send('42["message",1,"ü🎶"]', `451-["message",${placeholder}]`, bytes, `451-12["message-with-ack",${placeholder}]`, bytes);
  assert.equal(await socket.next(), '42["message-back",1,"ü🎶"]');
  assert.equal(await socket.next(), `451-["message-back",${placeholder}]`);
  assert.deepEqual(await socket.next(), bytes);
  assert.equal(await socket.next(), `461-12[${placeholder}]`);
  assert.deepEqual(await socket.next(), bytes);
  socket.close();
});

test('by polling', async () => {
  const polling = await Polling.open(base, 3);
  let packets = [];
  while (packets.length < 2) packets.push(...decodePayload3(await polling.polled()));
  const placeholder = '{"_placeholder":true,"num":0}';
  await polling.post(encodePayload3('421["message-with-ack","x"]', `451-["message",${placeholder}]`, 'b4AQID'));
  packets = [];
  while (packets.length < 3) packets.push(...decodePayload3(await polling.polled()));
  assert.deepEqual(packets, ['431["x"]', `451-["message-back",${placeholder}]`, 'b4AQID']);
});

test('what is no packet ends the connection', async () => {
  for (const message of ['4abc', '42{}', '42abc["message-with-ack"]', Buffer.from([4, 1])]) {
    const socket = await connected();
    socket.send(message);
    await socket.closed();
  }
});
