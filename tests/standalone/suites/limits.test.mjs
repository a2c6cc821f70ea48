// What a client can make grow has a limit, and whoever passes it is told so, or disconnected.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ask, next, within } from '../../clients/harness/deadline.mjs';
import { Socket } from '../../clients/harness/wire.mjs';
import { publish } from '../harness/others.mjs';
import { Server } from '../harness/server.mjs';
import { connect, ok, open, problem } from '../harness/sockets.mjs';

const raw = (server) => Socket.open(`${server.url}/socket.io/?EIO=4&transport=websocket`);

/** One by hand that is in the namespace `/`. */
async function inside(server) {
  const socket = await raw(server);
  await socket.next();
  socket.send('40');
  await socket.next();
  return socket;
}

test('events that wait for one that reads the store', async (t) => {
  const server = await Server.start(t, '[socketio]\nhandler_queue_max = 5\n');
  const patient = await connect(t, server.url);
  // Each is answered before the next comes.
  for (let n = 0; n < 20; n++) await ok(patient, 'history', 'room');
  const socket = await inside(server);
  socket.send(...Array.from({ length: 50 }, (_, n) => `42${n}["history",{"channel":"room","since":"0"}]`));
  await socket.closed();
  assert.equal((await ok(patient, 'presence', 'room')).occupancy, 0);
});

test('publications are not among them', async (t) => {
  const server = await Server.start(t, '[socketio]\nhandler_queue_max = 5\n');
  const socket = await connect(t, server.url);
  await Promise.all(Array.from({ length: 2000 }, (_, n) => ok(socket, 'publish', 'room', n)));
});

test('broadcasts that collect replies', async (t) => {
  const server = await Server.start(t);
  const socket = await connect(t, server.url);
  const open = Array.from({ length: 100 }, () => ask(socket, 'broadcast', 'room', 1, { timeout: '60s' }).catch(() => {}));
  const { word, status, detail } = await problem(socket, 'broadcast', 'room', 1);
  assert.deepEqual([word, status], ['overloaded', 503]);
  assert.match(detail, /100 broadcasts/);
  await ok(socket, 'publish', 'room', 1);
  const other = await connect(t, server.url);
  await ok(other, 'broadcast', 'room', 1, { timeout: 1 });
  // They end with their socket: in the whole org there may be so many.
  socket.disconnect();
  await Promise.all(open);
});

test('broadcasts of clients that have gone do not count', async (t) => {
  const server = await Server.start(t, '[limits]\nbroadcasts_max = 10\n');
  for (let round = 0; round < 5; round++) {
    const socket = await connect(t, server.url);
    for (let n = 0; n < 10; n++) socket.emit('broadcast', 'room', 1, { timeout: '60s' }, () => {});
    assert.equal((await problem(socket, 'broadcast', 'room', 1)).word, 'overloaded');
    socket.disconnect();
    const other = await connect(t, server.url);
    await settled(async () => (await ask(other, 'broadcast', 'room', 1, { timeout: 1 }))[0].status === 'ok');
    other.disconnect();
  }
});

test('an answer with all that was replied has to fit', async (t) => {
  const server = await Server.start(t, '[limits]\noutbox_bytes_max = 400000\n');
  const asker = await connect(t, server.url);
  const answers = 8;
  const sockets = await Promise.all(Array.from({ length: answers }, () => connect(t, server.url)));
  for (const socket of sockets) {
    await ok(socket, 'subscribe', 'room');
    socket.on('message', (_, reply) => reply('x'.repeat(30_000)));
  }
  const { replies, complete } = await ok(asker, 'broadcast', 'room', '?', { until: answers, timeout: '5s' });
  assert.ok(replies.length >= 2 && replies.length < answers, String(replies.length));
  assert.equal(complete, false);
  for (let n = 0; n < 20; n++) await ok(asker, 'publish', 'long', 'x'.repeat(30_000));
  const { messages } = await ok(asker, 'history', { channel: 'long', limit: 100 });
  assert.ok(messages.length >= 2 && messages.length < 20, String(messages.length));
});

test('channels of a connection', async (t) => {
  const server = await Server.start(t, '[demo.limits]\nsubscriptions_per_session_max = 3\n');
  const socket = await connect(t, server.url);
  await ok(socket, 'subscribe', ['a', 'b']);
  const { word, detail } = await problem(socket, 'subscribe', ['c', 'd']);
  assert.equal(word, 'invalid-parameter');
  assert.match(detail, /at most 3 channels/);
  await ok(socket, 'subscribe', 'c');
  await ok(socket, 'unsubscribe', 'a');
  await ok(socket, 'subscribe', 'd');
});

test('attachments, and the bytes of an event with them', async (t) => {
  const server = await Server.start(t, '[socketio]\nattachments_max = 2\npacket_bytes_max = 50000\n');
  const two = await connect(t, server.url);
  await ok(two, 'publish', 'room', [Buffer.from('a'), Buffer.from('b')]);
  for (const payload of [[1, 2, 3].map(() => Buffer.from('x')), [Buffer.alloc(30_000), Buffer.alloc(30_000)], 'x'.repeat(60_000)]) {
    const socket = await connect(t, server.url);
    const gone = next(socket, 'disconnect');
    socket.emit('publish', 'room', payload);
    assert.ok((await gone)[0].startsWith('transport'));
  }
  await ok(two, 'presence', 'room');
});

test('a message of the transport', async (t) => {
  const server = await Server.start(t, '[socketio.engine]\npayload_bytes_max = 10000\n');
  for (const transports of [['websocket'], ['polling']]) {
    const socket = await connect(t, server.url, { transports });
    await ok(socket, 'publish', 'room', 'x'.repeat(9000));
    const gone = next(socket, 'disconnect');
    socket.emit('publish', 'room', 'x'.repeat(20_000));
    assert.ok((await gone)[0].startsWith('transport'), transports[0]);
  }
});

test('what waits for a client that does not read', async (t) => {
  const server = await Server.start(t, '[socketio.engine]\nsend_buffer_bytes_max = 100000\n[limits]\noutbox_bytes_max = 100000\n');
  const reader = await connect(t, server.url);
  await ok(reader, 'subscribe', 'busy');
  const slow = await connect(t, server.url);
  await ok(slow, 'subscribe', 'busy');
  const gone = next(slow, 'disconnect');
  slow.io.engine.transport.ws._socket.pause();
  // Polls once and never again.
  const lazy = await (await fetch(`${server.url}/socket.io/?EIO=4&transport=polling`)).text();
  const url = `${server.url}/socket.io/?EIO=4&transport=polling&sid=${JSON.parse(lazy.slice(1)).sid}`;
  await fetch(url, { method: 'POST', body: '40' });
  await (await fetch(url)).text();
  await fetch(url, { method: 'POST', body: '42["subscribe","busy"]' });
  // More than the system keeps on the way.
  for (let n = 0; n < 200; n++) await publish(server, 'busy', JSON.stringify('x'.repeat(90_000)));
  // All that was kept for it is dropped, and it is told that this is the end.
  assert.equal(await (await within(fetch(url), 'answer to the poll')).text(), '1');
  assert.equal((await fetch(url)).status, 400);
  await ok(reader, 'presence', 'busy');
  slow.io.engine.transport.ws._socket.resume();
  assert.ok((await gone)[0].startsWith('transport'));
});

test('the time to connect to a namespace, and how often one can be asked for', async (t) => {
  const server = await Server.start(t, '[socketio]\nconnect_timeout = "300ms"\n');
  const idle = await raw(server);
  await idle.next();
  await idle.closed();
  const refused = await raw(server);
  await refused.next();
  refused.send('40/unknown,');
  assert.equal(await refused.next(), '44/unknown,{"message":"Invalid namespace"}');
  await refused.closed();
  const socket = await inside(server);
  for (let n = 0; n < 200; n++) socket.send(`40/unknown${n},`);
  for (let n = 0; n < 200; n++) assert.match(await socket.nextEvent(), /^44\/unknown\d+,/);
  socket.send('420["presence","room"]');
  assert.match(await socket.nextEvent(), /^430\[\{"status":"ok"/);
});

test('packets that are none end the connection, and nothing else', async (t) => {
  const server = await Server.start(t);
  const witness = await connect(t, server.url);
  for (const packets of [
    ['4'], ['49'], ['42'], ['42['], ['42[]'], ['42{}'], ['42["a"'], ['42["connect"]'], ['42["disconnect"]'],
    ['420'], ['42/other,["a"]'], ['43["a"]'], ['451-["a"]', 'no attachment'], ['4511-["publish"]'], ['440'], ['40', '40'],
    ['4299999999999999999999["publish"]'], [`42["publish",${'['.repeat(1000)}${']'.repeat(1000)}]`], ['42["publish","a","\\ud800"'],
    ['451-["publish","a",{"_placeholder":true,"num":1}]', Buffer.from('x')],
  ]) {
    const socket = await inside(server);
    socket.send(...packets);
    await socket.closed();
  }
  // What only looks odd is an event like others.
  const socket = await inside(server);
  for (const packet of ['421["publish"]', '422["publish",null]', '423["publish",{}]', '424["subscribe",{"channel":"a","state":{"_placeholder":true,"num":0}}]', '425[""]', '426["\\u0000"]']) {
    socket.send(packet);
    assert.match(await socket.nextEvent(), /^43\d\[\{"status":/);
  }
  await ok(witness, 'presence', 'room');
});

test('a client that comes and goes leaves nothing behind', async (t) => {
  const server = await Server.start(t, 'workers = 2\n');
  const witness = await connect(t, server.url);
  for (let n = 0; n < 30; n++) {
    const socket = open(t, server.url, { transports: n % 2 ? ['polling'] : ['websocket'] });
    await next(socket, 'connect');
    await ok(socket, 'subscribe', { channel: 'room', join: true });
    socket.emit('subscribe', { channel: `other ${n}`, since: '0' });
    socket.disconnect();
  }
  await settled(async () => (await ok(witness, 'presence', 'room')).occupancy === 0);
  const sessions = async () => {
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    return [...metrics.matchAll(/^antiphon_sessions(?:\{[^}]*\})? (\d+)/gm)].reduce((sum, [, count]) => sum + Number(count), 0);
  };
  await settled(async () => (await sessions()) === 1);
});

/** The server learns of it a moment later. */
async function settled(condition) {
  for (let attempt = 0; !(await condition()); attempt++) {
    if (attempt === 200) assert.fail(`never: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
