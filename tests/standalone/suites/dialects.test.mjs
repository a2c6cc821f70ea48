// A Socket.IO client, an SSE page, an `antiphon.v1` client and curl meet on one channel.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ask, next, nextOnes } from '../../clients/harness/deadline.mjs';
import { Events, V1, broadcast, poll, publish } from '../harness/others.mjs';
import { Server } from '../harness/server.mjs';
import { connect, connect2, ok } from '../harness/sockets.mjs';

const BYTES = Buffer.from([0, 1, 254, 255]);
const BASE64 = BYTES.toString('base64');

describe('on one channel', () => {
  let server;
  before(async () => (server = await Server.start(undefined, 'workers = 3\n')));
  after(() => server?.stop());

  /** What is published, and what each dialect hears of it: the arguments of the event, the payload, and the data of SSE. */
  const CASES = {
    'JSON': { value: { text: 'hi', n: 1.5, deep: [[null]] }, sse: '{"text":"hi","n":1.5,"deep":[[null]]}' },
    'text': { value: 'Grüße, 👋\nzwei Zeilen', sse: 'Grüße, 👋\nzwei Zeilen' },
    'a number': { value: 17, sse: '17' },
    'null': { value: null, sse: 'null' },
    'bytes': { value: BYTES, payload: BASE64, encoding: 'base64', sse: BASE64 },
    'bytes within an object': {
      value: { name: 'a.bin', data: BYTES, more: [BYTES] },
      payload: [{ name: 'a.bin', data: BASE64, more: [BASE64] }],
      sse: JSON.stringify([{ name: 'a.bin', data: BASE64, more: [BASE64] }]),
    },
    'several arguments': { args: [1, 'two', { three: 3 }, BYTES], payload: [1, 'two', { three: 3 }, BASE64], sse: JSON.stringify([1, 'two', { three: 3 }, BASE64]) },
    'no argument': { args: [], payload: [], sse: '[]' },
  };

  for (const transports of [['websocket'], ['polling']]) {
    for (const [what, { value, args, payload = value, encoding, sse }] of Object.entries(CASES)) {
      test(`${what} from a Socket.IO client, by ${transports}`, async (t) => {
        const channel = `from socket.io ${what} ${transports}`;
        const [alice, bob, old] = await Promise.all([
          connect(t, server.url, { transports, auth: { identity: 'alice' } }),
          connect(t, server.url, { transports: transports[0] === 'polling' ? ['websocket'] : ['polling'] }),
          connect2(t, server.url, { transports }),
        ]);
        for (const socket of [alice, bob, old]) await ok(socket, 'subscribe', channel);
        const page = await Events.listen(t, server, channel);
        const v1 = await V1.open(t, server);
        await v1.ask('subscribe', { channels: [channel] });

        const heard = [alice, bob, old].map((socket) => next(socket, 'said'));
        const { position } = await ok(alice, 'publish', args ? { channel, name: 'said', arguments: args } : { channel, name: 'said', payload: value });
        for (const values of await Promise.all(heard)) assert.deepEqual(values, args ?? [value]);
        assert.deepEqual(await page.next(), { id: position, event: 'said', data: sse });
        const message = { type: 'message', position, channel, name: 'said', payload, ...(encoding && { encoding }), publisher: 'alice' };
        assert.deepEqual(await v1.next(), message);
        const { type, ...polled } = message;
        assert.deepEqual((await poll(server, channel)).messages, [polled]);
        // What a buffer was is one again in the history of Socket.IO clients; several arguments are an array.
        const { messages } = await ok(bob, 'history', channel);
        assert.deepEqual(messages[0].payload, args ?? (what === 'bytes within an object' ? [value] : value));
      });
    }
  }

  test('from curl', async (t) => {
    const socket = await connect(t, server.url);
    await ok(socket, 'subscribe', 'from curl');
    const cases = [
      ['{"a": 1}', 'application/json', { a: 1 }],
      ['just text', 'text/plain', 'just text'],
      [BYTES, 'application/octet-stream', BYTES],
      ['{"by":"curl -d"}', 'application/x-www-form-urlencoded', { by: 'curl -d' }],
      ['[1,2]', 'application/json', [1, 2]],
    ];
    const heard = nextOnes(socket, 'message', cases.length);
    for (const [body, type] of cases) await publish(server, 'from curl', body, { type });
    assert.deepEqual(await heard, cases.map(([, , expected]) => expected));
    const named = next(socket, 'chat');
    await publish(server, 'from curl', '"named"', { name: 'chat' });
    assert.deepEqual(await named, ['named']);
  });

  test('from antiphon.v1', async (t) => {
    const socket = await connect(t, server.url, { transports: ['polling'] });
    await ok(socket, 'subscribe', { channel: 'from v1', system: false });
    const v1 = await V1.open(t, server, { identity: 'victor' });
    const heard = nextOnes(socket, 'message', 3);
    await v1.ask('publish', { channel: 'from v1', payload: { a: 1 } });
    await v1.ask('publish', { channel: 'from v1', payload: 'text' });
    await v1.ask('publish', { channel: 'from v1', payload: BASE64, encoding: 'base64' });
    assert.deepEqual(await heard, [{ a: 1 }, 'text', BYTES]);
  });

  test('a broadcast of curl\'s is answered by Socket.IO clients of every generation and transport', async (t) => {
    const channel = 'curl asks';
    const sockets = [
      await connect(t, server.url, { auth: { identity: 'ws' } }),
      await connect(t, server.url, { auth: { identity: 'polling' }, transports: ['polling'] }),
      await connect(t, server.url, { auth: { identity: 'upgraded' }, transports: ['polling', 'websocket'] }),
      await connect2(t, server.url, { query: { identity: 'old' } }),
    ];
    const answers = { ws: [{ n: 1 }], polling: [BYTES], upgraded: [1, 'two', BYTES], old: ['text'] };
    for (const [identity, socket] of Object.keys(answers).map((identity, n) => [identity, sockets[n]])) {
      await ok(socket, 'subscribe', channel);
      socket.on('ask', (question, reply) => {
        assert.deepEqual(question, { what: 'now' });
        reply(...answers[identity]);
      });
    }
    const { replies, complete } = await broadcast(server, channel, '{"what":"now"}', { name: 'ask', until: 4, timeout: '10s' });
    assert.equal(complete, true);
    replies.sort((a, b) => (a.publisher < b.publisher ? -1 : 1));
    assert.deepEqual(replies, [
      { payload: 'text', publisher: 'old' },
      { payload: BASE64, encoding: 'base64', publisher: 'polling' },
      { payload: [1, 'two', BASE64], publisher: 'upgraded' },
      { payload: { n: 1 }, publisher: 'ws' },
    ]);
  });

  test('a broadcast of a Socket.IO client\'s is answered by all dialects', async (t) => {
    const channel = 'socket.io asks';
    const asker = await connect(t, server.url, { auth: { identity: 'asker' } });
    const socket = await connect(t, server.url, { auth: { identity: 'socket' } });
    await ok(socket, 'subscribe', channel);
    socket.on('ask', (_, reply) => reply(BYTES));
    const v1 = await V1.open(t, server, { identity: 'victor' });
    await v1.ask('subscribe', { channels: [channel] });
    const asked = ask(asker, 'broadcast', { channel, name: 'ask', payload: 'well?', until: 4, timeout: '10s' });
    const message = await v1.next();
    assert.equal(message.expects_replies, true);
    await v1.ask('reply', { channel, to: message.position, payload: { v1: true } });
    await v1.ask('reply', { channel, to: message.position, payload: BASE64, encoding: 'base64' });
    const path = `/v1/channels/${encodeURIComponent(channel)}/broadcasts/${message.position}/replies?identity=curl`;
    const headers = { 'Content-Type': 'text/plain' };
    assert.equal((await fetch(`${server.url}${path}`, { method: 'POST', body: 'from curl', headers })).status, 202);
    const [answer] = await asked;
    answer.replies.sort((a, b) => (a.publisher < b.publisher ? -1 : 1));
    assert.deepEqual(answer, {
      status: 'ok',
      position: message.position,
      replies: [
        { payload: 'from curl', publisher: 'curl' },
        { payload: BYTES, publisher: 'socket' },
        { payload: { v1: true }, publisher: 'victor' },
        { payload: BYTES, publisher: 'victor' },
      ],
      complete: true,
      stored: true,
    });
  });

  test('a broadcast of an antiphon.v1 client\'s is answered by Socket.IO clients', async (t) => {
    const socket = await connect(t, server.url, { transports: ['polling'] });
    await ok(socket, 'subscribe', 'v1 asks');
    socket.on('message', (question, reply) => reply(question, 'indeed'));
    const v1 = await V1.open(t, server);
    assert.deepEqual(await v1.broadcast({ channel: 'v1 asks', payload: 'well', until: 1 }), {
      replies: [['well', 'indeed']],
      complete: true,
    });
  });

  test('whoever comes and goes is told to those who want to know', async (t) => {
    const channel = 'comings and goings';
    const watcher = await connect(t, server.url);
    await ok(watcher, 'subscribe', { channel, presence: true });
    const page = await Events.listen(t, server, channel, { presence: 'true' });
    const seen = [];
    watcher.on('presence', (...event) => seen.push(event));
    const told = () => next(watcher, 'presence');

    let one = told();
    const alice = await connect(t, server.url, { auth: { identity: 'alice' } });
    await ok(alice, 'subscribe', { channel, join: true, state: { mood: 'fine' } });
    await one;
    one = told();
    const v1 = await V1.open(t, server, { identity: 'victor' });
    await v1.ask('subscribe', { channels: [{ channel, join: true }] });
    await one;
    one = told();
    await v1.ask('state', { channel, state: { mood: 'gone soon' } });
    await one;
    one = told();
    await ok(alice, 'unsubscribe', channel);
    await one;
    one = told();
    await ok(alice, 'subscribe', { channel, join: true });
    await one;
    one = told();
    alice.disconnect();
    await one;
    assert.deepEqual(
      seen.map(([where, what, who]) => [where, what, who.identity, who.occupancy, who.state]),
      [
        [channel, 'join', 'alice', 1, { mood: 'fine' }],
        [channel, 'join', 'victor', 2, undefined],
        [channel, 'state', 'victor', 2, { mood: 'gone soon' }],
        [channel, 'leave', 'alice', 1, { mood: 'fine' }],
        [channel, 'join', 'alice', 2, undefined],
        [channel, 'leave', 'alice', 1, undefined],
      ],
    );
    for (const [, what, who] of seen) {
      const event = await page.next();
      const { name, payload } = JSON.parse(event.data);
      assert.deepEqual([event.event, name, payload.identity], ['presence', what, who.identity]);
    }
    // Who does not want to know is told nothing.
    const quiet = await connect(t, server.url);
    await ok(quiet, 'subscribe', channel);
    quiet.onAny((...event) => assert.fail(JSON.stringify(event)));
    const last = told();
    v1.send('unsubscribe', { channels: [channel] });
    await last;
    await ok(quiet, 'presence', channel);
  });

  test('positions are one order for all', async (t) => {
    const channels = ['order a', 'order b', 'order c'];
    const [socket, polling] = [await connect(t, server.url), await connect(t, server.url, { transports: ['polling'] })];
    const v1 = await V1.open(t, server);
    await v1.ask('subscribe', { channels });
    const heard = [socket, polling].map((one) => {
      const got = [];
      one.on('n', (n) => got.push(n));
      return got;
    });
    for (const one of [socket, polling]) await ok(one, 'subscribe', channels);
    const published = [];
    for (let n = 0; n < 60; n++) {
      const channel = channels[n % 3];
      published.push(n % 2 ? publish(server, channel, String(n), { name: 'n' }) : ok(socket, 'publish', { channel, name: 'n', payload: n }));
    }
    await Promise.all(published);
    await ok(socket, 'presence', 'order a');
    await ok(polling, 'presence', 'order a');
    const expected = [];
    for (let n = 0; n < 60; n++) expected.push((await v1.next()).payload);
    assert.deepEqual(heard, [expected, expected]);
  });
});
