// The built-in events: what each answers, and what it says when something is wrong.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import parser from 'socket.io-msgpack-parser';
import { ask, next, nextOnes, record } from '../../clients/harness/deadline.mjs';
import { publish } from '../harness/others.mjs';
import { Server } from '../harness/server.mjs';
import { connect, connect2, ok, open, problem } from '../harness/sockets.mjs';
import { org } from '../harness/tokens.mjs';

const RULES = '[[rule]]\nchannels = "kept.*"\n[[rule]]\nchannels = "quiet.*"\npresence = false\n[[rule]]\nchannels = "*"\npersist = false\n';
const digits = /^\d{17}$/;

for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) {
  test(`all of them by ${transports.join(' and ')}`, async (t) => {
    const server = await Server.start(t, RULES);
    const alice = await connect(t, server.url, { transports, auth: { identity: 'alice' } });
    const bob = await connect(t, server.url, { transports, auth: { identity: 'bob' } });

    const { channels } = await ok(alice, 'subscribe', 'kept.room');
    assert.equal(channels.length, 1);
    assert.match(channels[0].position, digits);
    assert.deepEqual(channels, [{ channel: 'kept.room', position: channels[0].position, gap: false }]);

    const heard = next(alice, 'chat');
    const { position, stored } = await ok(bob, 'publish', { channel: 'kept.room', name: 'chat', payload: { text: 'hi' } });
    assert.match(position, digits);
    assert.equal(stored, true);
    assert.deepEqual(await heard, [{ text: 'hi' }]);

    alice.once('poll', (question, reply) => reply(`${question}? yes`));
    const broadcast = await ok(bob, 'broadcast', { channel: 'kept.room', name: 'poll', payload: 'well', until: 1 });
    assert.match(broadcast.position, digits);
    assert.deepEqual(broadcast, {
      status: 'ok',
      position: broadcast.position,
      replies: [{ payload: 'well? yes', publisher: 'alice' }],
      complete: true,
      stored: true,
    });

    const { messages, gap } = await ok(bob, 'history', 'kept.room');
    assert.equal(gap, false);
    assert.deepEqual(messages, [
      { position, channel: 'kept.room', name: 'chat', payload: { text: 'hi' }, publisher: 'bob' },
      { position: broadcast.position, channel: 'kept.room', name: 'poll', payload: 'well', publisher: 'bob', expects_replies: true },
    ]);

    assert.deepEqual(await ok(bob, 'presence', 'kept.room'), { status: 'ok', occupancy: 0, members: [] });
    await ok(bob, 'subscribe', { channel: 'kept.room', join: true, state: { mood: 'fine' } });
    assert.deepEqual(await ok(alice, 'presence', 'kept.room'), {
      status: 'ok',
      occupancy: 1,
      members: [{ identity: 'bob', state: { mood: 'fine' }, sessions: 1 }],
    });

    assert.deepEqual(await ok(alice, 'unsubscribe', 'kept.room'), { status: 'ok' });
    const more = record(alice, 'chat');
    await ok(bob, 'publish', 'kept.room', 'not for alice', { name: 'chat' });
    await ok(alice, 'presence', 'kept.room');
    assert.deepEqual(more, []);
  });
}

test('a client 2.5 has them as well', async (t) => {
  const server = await Server.start(t, RULES);
  const socket = await connect2(t, server.url, { query: { identity: 'old' } });
  await ok(socket, 'subscribe', 'room');
  const heard = next(socket, 'chat');
  await ok(socket, 'publish', { channel: 'room', name: 'chat', payload: [1, Buffer.from([0, 255])] });
  assert.deepEqual(await heard, [[1, Buffer.from([0, 255])]]);
  assert.equal((await problem(socket, 'subscribe', 'room')).word, 'conflict');
});

test('clients that speak MessagePack have them as well', async (t) => {
  const server = await Server.start(t, `${RULES}[socketio]\nparser = "msgpack"\n[socketio.recovery]\nenabled = true\n`);
  for (const transports of [['websocket'], ['polling']]) {
    const options = { parser, transports, auth: { identity: 'ann' } };
    const [socket, other] = [await connect(t, server.url, options), await connect(t, server.url, options)];
    const { channels } = await ok(socket, 'subscribe', ['kept.packed']);
    assert.equal(channels[0].gap, false);
    const value = { text: 'Grüße', bytes: Buffer.from([0, 255]), big: 2 ** 40 };
    const heard = next(socket, 'said');
    const { position } = await ok(other, 'publish', { channel: 'kept.packed', name: 'said', payload: value });
    assert.deepEqual(await heard, [value, position]);
    socket.once('ask', (question, reply) => reply(Buffer.from(question), 2));
    const { replies } = await ok(other, 'broadcast', { channel: 'kept.packed', name: 'ask', payload: 'well', until: 1 });
    assert.deepEqual(replies, [{ payload: [Buffer.from('well'), 2], publisher: 'ann' }]);
    const { messages } = await ok(other, 'history', { channel: 'kept.packed', limit: 2 });
    assert.deepEqual(messages[0].payload, [value]);
    assert.equal((await problem(other, 'publish', 'kept.packed')).word, 'invalid-parameter');
    // Without a position, and with a string at the end that would be taken for one.
    const typing = next(socket, 'typing');
    await ok(other, 'publish', 'kept.packed', 'ann', { name: 'typing', kind: 'signal' });
    assert.deepEqual(await typing, ['ann', null]);
    await ok(socket, 'unsubscribe', 'kept.packed');
  }
});

describe('with one server', () => {
  let server;
  before(async () => (server = await Server.start(undefined, `${RULES}[demo.limits]\npayload_bytes_max = 100000\n`)));
  after(() => server?.stop());

  test('subscribe takes one channel or several, by name or with more about each', async (t) => {
    const socket = await connect(t, server.url);
    const { channels } = await ok(socket, 'subscribe', ['a', { channel: 'b' }, { channel: 'c', system: true, consumer: true }]);
    assert.deepEqual(
      channels.map(({ channel, system, consumer }) => [channel, system, consumer]),
      [['a', undefined, undefined], ['b', undefined, undefined], ['c', true, true]],
    );
    await ok(socket, 'unsubscribe', ['a', { channel: 'b' }, { channel: 'never subscribed' }]);
    await ok(socket, 'subscribe', 'a');
    const { word, status, channel, detail } = await problem(socket, 'subscribe', [{ channel: 'd' }, 'a']);
    assert.deepEqual([word, status, channel], ['conflict', 409, 'a']);
    assert.match(detail, /already subscribed/);
    // All or nothing.
    await ok(socket, 'subscribe', 'd');
  });

  test('events lets only those names through', async (t) => {
    const socket = await connect(t, server.url);
    await ok(socket, 'subscribe', { channel: 'filtered', events: ['yes', 'also'] });
    const heard = [];
    socket.onAny((...event) => heard.push(event));
    for (const name of ['no', 'yes', 'message', 'also']) await ok(socket, 'publish', 'filtered', name, { name });
    assert.deepEqual(heard, [['yes', 'yes'], ['also', 'also']]);
  });

  test('since gives what was missed before the answer, and says what is not kept', async (t) => {
    const socket = await connect(t, server.url);
    const positions = [];
    for (const n of [1, 2, 3]) positions.push((await ok(socket, 'publish', 'kept.missed', n)).position);
    const order = [];
    socket.on('message', (n) => order.push(n));
    socket.emit('subscribe', { channel: 'kept.missed', since: positions[0] }, (answer) => order.push(answer.channels[0].gap));
    await ok(socket, 'presence', 'kept.missed');
    assert.deepEqual(order, [2, 3, false]);
    await ok(socket, 'unsubscribe', 'kept.missed');
    const { channels } = await ok(socket, 'subscribe', { channel: 'kept.missed', since: '0' });
    assert.equal(channels[0].gap, false);
    assert.deepEqual(order.slice(3), [1, 2, 3]);
    // Nothing of this channel is kept from before this server began.
    const gone = await ok(socket, 'subscribe', { channel: 'lost', since: '1' });
    assert.equal(gone.channels[0].gap, true);
    assert.match(gone.channels[0].resumed, digits);
  });

  test('publish takes the rest in an object, and options', async (t) => {
    const socket = await connect(t, server.url, { auth: { identity: 'ann' } });
    await ok(socket, 'subscribe', ['kept.options', { channel: 'flagged', consumer: true }]);
    const heard = [];
    socket.onAny((...event) => heard.push(event));
    assert.equal((await ok(socket, 'publish', 'kept.options', 1)).stored, true);
    assert.equal((await ok(socket, 'publish', 'kept.options', 2, { store: false })).stored, false);
    assert.equal((await ok(socket, 'publish', 'kept.options', 3, { ttl: '0s' })).stored, false);
    assert.equal((await ok(socket, 'publish', 'kept.options', 4, { kind: 'signal', name: 'typing' })).stored, false);
    await ok(socket, 'publish', 'kept.options', 5, { echo: false });
    await ok(socket, 'publish', { channel: 'flagged', consumer: true }, 6);
    await ok(socket, 'publish', 'flagged', 'another channel');
    const once = await ok(socket, 'publish', 'kept.options', 7, { idempotency_key: 'k' });
    const twice = await ok(socket, 'publish', 'kept.options', 8, { idempotency_key: 'k' });
    assert.equal(once.position, twice.position);
    await ok(socket, 'publish', { channel: 'kept.options', payload: 9, meta: { from: 'a test' } });
    assert.deepEqual(heard, [['message', 1], ['message', 2], ['message', 3], ['typing', 4], ['message', 6], ['message', 7], ['message', 9]]);
    const { messages } = await ok(socket, 'history', { channel: 'kept.options', limit: 1 });
    assert.deepEqual(messages[0].meta, { from: 'a test' });
  });

  test('history goes back, and on from a position', async (t) => {
    const socket = await connect(t, server.url);
    const positions = [];
    for (let n = 0; n < 5; n++) positions.push((await ok(socket, 'publish', 'kept.history', n)).position);
    const payloads = async (options) => {
      const { messages, position } = await ok(socket, 'history', { channel: 'kept.history', ...options });
      return [messages.map(({ payload }) => payload), position];
    };
    assert.deepEqual((await payloads({ limit: 2 }))[0], [3, 4]);
    const [page, position] = await payloads({ since: positions[0], limit: 2 });
    assert.deepEqual([page, position], [[1, 2], positions[2]]);
    assert.deepEqual((await payloads({ since: position }))[0], [3, 4]);
  });

  test('a broadcast ends with its time, or with as many replies as are wanted', async (t) => {
    const asker = await connect(t, server.url, { auth: { identity: 'asker' } });
    const sockets = await Promise.all([1, 2, 3].map((n) => connect(t, server.url, { auth: { identity: `n${n}` } })));
    for (const [n, socket] of sockets.entries()) {
      await ok(socket, 'subscribe', 'votes');
      socket.on('vote', (_, reply) => reply(n));
    }
    const all = await ok(asker, 'broadcast', { channel: 'votes', name: 'vote', payload: '?', until: 3 });
    assert.deepEqual(all.replies.map(({ payload }) => payload).sort(), [0, 1, 2]);
    assert.equal(all.complete, true);
    const late = await ok(asker, 'broadcast', 'votes', '?', { name: 'vote', until: 4, timeout: 300 });
    assert.deepEqual([late.replies.length, late.complete], [3, false]);
    const nobody = await ok(asker, 'broadcast', 'nobody', '?', { timeout: '1ms' });
    assert.deepEqual([nobody.replies, nobody.complete], [[], false]);
    // Nothing waits for it: what was asked after it is answered before.
    const slow = ask(asker, 'broadcast', 'nobody', '?', { timeout: '60s' });
    await ok(asker, 'presence', 'votes');
    asker.disconnect();
    await assert.rejects(Promise.race([slow, Promise.reject(new Error('not awaited'))]));
  });

  test('what is wrong is said in words, with what it is about', async (t) => {
    const socket = await connect(t, server.url);
    for (const [event, values, word, parameter, detail] of [
      ['subscribe', [], 'invalid-parameter', 'channel', /channel is missing/],
      ['subscribe', [[]], 'invalid-parameter', 'channel', /channel is missing/],
      ['subscribe', [17], 'invalid-body', undefined, /a channel: its name, or an object/],
      ['subscribe', [null], 'invalid-body', undefined, /a channel: its name, or an object/],
      ['subscribe', [''], 'invalid-parameter', 'channel', /channel/],
      ['subscribe', ['/chat#lobby'], 'invalid-parameter', 'channel', /another namespace/],
      ['subscribe', [{ channel: 'a', since: 17 }], 'invalid-body', undefined, /integer `17`, expected a string/],
      ['subscribe', [{ channel: 'a', since: 'yesterday' }], 'invalid-parameter', 'since', /string of 1 to 19 digits/],
      ['subscribe', [Array.from({ length: 1001 }, (_, n) => `c${n}`)], 'invalid-parameter', 'channel', /at most 1000/],
      ['subscribe', [{ channel: 'quiet.a', join: true }], 'conflict', undefined, /presence/],
      ['unsubscribe', [], 'invalid-parameter', 'channel', /missing/],
      ['publish', ['a'], 'invalid-parameter', 'payload', /payload is missing/],
      ['publish', [{ payload: 1 }], 'invalid-parameter', 'channel', /channel is missing/],
      ['publish', ['a', 1, 'options'], 'invalid-body', undefined, /invalid type: string "options"/],
      ['publish', ['a', 1, { ttl: '1y' }], 'invalid-parameter', 'ttl', /1 to 9 digits/],
      ['publish', ['a', 1, { ttl: [] }], 'invalid-body', undefined, /a duration like "25s"/],
      ['publish', ['a', 1, { kind: 'file' }], 'invalid-parameter', 'kind', /message or signal/],
      ['publish', ['a', 1, { name: 'x'.repeat(257) }], 'invalid-parameter', 'name', /1 to 256 bytes/],
      ['publish', ['a', { too: 'long'.repeat(30_000) }], 'too-large', undefined, /payload/],
      ['publish', [{ channel: 'a', payload: 1, arguments: [1] }], 'invalid-parameter', 'arguments', /in place of payload/],
      ['publish', [{ channel: 'a', payload: 1, meta: Buffer.from('x') }], 'invalid-parameter', 'payload', /alone can have bytes/],
      ['broadcast', ['a', 1, { until: 0 }], 'invalid-parameter', 'until', /1 to 10000/],
      ['broadcast', ['a', 1, { idempotency_key: 'k' }], 'invalid-parameter', 'idempotency_key', /publish only/],
      ['history', [{ channel: 'a', limit: 1001 }], 'invalid-parameter', 'limit', /1 to 1000/],
      ['history', [{}], 'invalid-parameter', 'channel', /missing/],
      ['presence', [{ channel: 'x'.repeat(1025) }], 'invalid-parameter', 'channel', /1024|1025/],
      ['no such event', [1], 'not-found', undefined, /there is no event "no such event"/],
    ]) {
      const found = await problem(socket, event, ...values);
      const what = `${event} ${JSON.stringify(values).slice(0, 60)}: ${JSON.stringify(found)}`;
      assert.equal(found.word, word, what);
      assert.equal(found.parameter, parameter, what);
      assert.match(found.detail, detail, what);
      assert.ok(found.status >= 400 && found.title, what);
    }
  });

  test('without an acknowledgement an error is an event, and a success is nothing', async (t) => {
    const socket = await connect(t, server.url);
    const failed = next(socket, 'antiphon.error');
    socket.emit('publish', 'a', 1);
    socket.emit('publish', 'a', 1, { kind: 'x' });
    const [document] = await failed;
    assert.equal(document.type, 'urn:antiphon:problem:invalid-parameter');
    assert.equal(document.parameter, 'kind');
    assert.equal(document.event, 'publish');
  });

  test('names that a client keeps for itself are not sent to Socket.IO clients', async (t) => {
    const socket = await connect(t, server.url);
    await ok(socket, 'subscribe', 'reserved');
    const heard = next(socket, 'after');
    for (const name of ['connect', 'disconnect', 'connect_error', 'newListener', 'after']) {
      await publish(server, 'reserved', '1', { name });
    }
    await heard;
    assert.equal(socket.connected, true);
  });

  test('events of one socket are done in their order, also behind one that reads the store', async (t) => {
    const socket = await connect(t, server.url);
    for (let n = 0; n < 300; n++) socket.emit('publish', 'kept.order', n);
    await ok(socket, 'publish', 'kept.order', 'last');
    const heard = nextOnes(socket, 'message', 301);
    const answers = [];
    const note = (name) => (answer) => answers.push([name, answer.status]);
    socket.emit('subscribe', { channel: 'kept.order', since: '0' }, note('subscribe'));
    socket.emit('history', { channel: 'kept.order', limit: 1 }, note('history'));
    socket.emit('unsubscribe', 'kept.order', note('unsubscribe'));
    socket.emit('presence', 'kept.order', note('presence'));
    assert.deepEqual(await heard, [...Array(300).keys(), 'last']);
    await ok(socket, 'presence', 'kept.order');
    assert.deepEqual(answers, ['subscribe', 'history', 'unsubscribe', 'presence'].map((name) => [name, 'ok']));
  });

  test('/ is the only namespace', async (t) => {
    for (const name of ['/chat', '/admin', '/kept.room', '/_0']) {
      const socket = open(t, `${server.url}${name}`);
      const [error] = await next(socket, 'connect_error');
      assert.equal(error.message, 'Invalid namespace', name);
    }
  });

  test('what is published where no channel of a client is does not reach it', async (t) => {
    const socket = await connect(t, server.url);
    const heard = [];
    socket.onAny((...event) => heard.push(event));
    for (const channel of ['/#', '/', socket.id, `/#${socket.id}`, '/admin#']) await publish(server, channel, '"not asked for"');
    await ok(socket, 'presence', 'a');
    assert.deepEqual(heard, []);
  });
});

test('the answer of a publish waits for the store, and the next one does not', async (t) => {
  const server = await Server.start(t, org('acme', { 'key-0123456789': { allow: ['publish', 'subscribe', 'history', 'presence'] } }));
  const socket = await connect(t, server.url, { auth: { token: 'key-0123456789' } });
  const answers = await Promise.all(Array.from({ length: 500 }, (_, n) => ok(socket, 'publish', 'stored', n)));
  const positions = answers.map(({ position }) => BigInt(position));
  assert.deepEqual(positions, [...positions].sort((a, b) => (a < b ? -1 : 1)));
  assert.ok(answers.every(({ stored }) => stored));
  await server.kill();
  await server.restart();
  const after = await connect(t, server.url, { auth: { token: 'key-0123456789' } });
  const { messages } = await ok(after, 'history', { channel: 'stored', limit: 1000 });
  assert.deepEqual(messages.map(({ payload }) => payload), [...Array(500).keys()]);
});
